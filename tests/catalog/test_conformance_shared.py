"""The components that run pods share their parameters, and make the same pod of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from appdelivery.catalog import catalog

if TYPE_CHECKING:
    from typing import Any

CONTEXT = {
    "name": "web",
    "appName": "shop",
    "namespace": "prod",
    "revision": "web-v1",
    "selector": {"app.oam.dev/component": "web"},
    "owned": {},
    "clusterVersion": {"major": 1, "minor": 36, "gitVersion": "v1.36.0", "platform": "linux/amd64"},
}
PROBE = {"httpGet": {"path": "/", "port": 80, "httpHeaders": [{"name": "X", "value": "1"}]}, "failureThreshold": 5}
PROPERTIES: dict[str, Any] = {
    "image": "example/web:1.4.2",
    "imagePullPolicy": "Always",
    "imagePullSecrets": ["registry"],
    "cmd": ["run"],
    "args": ["-v"],
    "env": [
        {"name": "A", "value": "1"},
        {"name": "B", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}},
        {"name": "C", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
    ],
    "envFrom": ["plain", {"configMap": "c"}, {"secret": "s", "prefix": "S_"}],
    "cpu": "100m",
    "memory": "64Mi",
    "limit": {"cpu": "1", "memory": "128Mi"},
    "volumeMounts": {
        "pvc": [{"name": "a", "mountPath": "/a", "claimName": "a", "subPath": "x"}],
        "configMap": [{"name": "b", "mountPath": "/b", "cmName": "b", "items": [{"key": "k", "path": "p", "mode": 256}]}],
        "secret": [{"name": "c", "mountPath": "/c", "secretName": "c", "defaultMode": 256}],
        "emptyDir": [{"name": "d", "mountPath": "/d", "medium": "Memory"}],
        "hostPath": [{"name": "e", "mountPath": "/e", "path": "/var"}],
    },
    "livenessProbe": PROBE,
    "readinessProbe": PROBE,
    "startupProbe": PROBE,
    "lifecycle": {"postStart": {"exec": {"command": ["a"]}}, "preStop": {"sleep": {"seconds": 1}}},
    "labels": {"tier": "front"},
    "annotations": {"note": "yes"},
    "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["db"]}],
    "securityContext": {"runAsNonRoot": True},
    "podSecurityContext": {"fsGroup": 1},
    "serviceAccount": "web",
    "priorityClass": "high",
    "terminationGracePeriodSeconds": 5,
    "restartOnConfigChange": False,
}
WORKLOADS = ("webservice", "worker", "daemon", "statefulset", "task", "cron-task")
SHIPPED = catalog.Catalog(())


def template(type: str, properties: dict[str, Any]) -> dict[str, Any]:
    """The pod template that a component makes, without what only jobs need."""
    code = SHIPPED.resolve("ComponentDefinition", type).code
    given = {**properties, "schedule": "@daily"} if type == "cron-task" else properties
    made = code.render(code.check(given), CONTEXT)
    spec = next(iter(made.outputs.values()))["spec"]
    found: dict[str, Any] = (spec.get("jobTemplate", {}).get("spec") or spec)["template"]
    return {**found, "spec": {key: value for key, value in found["spec"].items() if key != "restartPolicy"}}


@pytest.mark.parametrize("type", WORKLOADS)
def test_every_component_with_pods_makes_the_same_pod_of_the_same_properties(type: str) -> None:
    assert template(type, PROPERTIES) == template("webservice", PROPERTIES)


@pytest.mark.parametrize("type", WORKLOADS)
def test_every_shared_property_reaches_the_pod(type: str) -> None:
    whole = json.dumps(template(type, PROPERTIES))
    for name in PROPERTIES.keys() - {"image", "restartOnConfigChange", "limit"}:
        without = json.dumps(template(type, {key: value for key, value in PROPERTIES.items() if key != name}))
        assert without != whole, name


@pytest.mark.parametrize("type", WORKLOADS)
def test_pod_templates_carry_nothing_that_changes_with_a_release(type: str) -> None:
    labels = template(type, {"image": "example/web:1.4.2"})["metadata"]["labels"]
    assert labels == {"app.oam.dev/name": "shop", "app.oam.dev/component": "web"}


@pytest.mark.parametrize("type", [*WORKLOADS, "k8s-objects", "raw", "config"])
def test_every_component_tells_what_each_parameter_is_for(type: str) -> None:
    assert undescribed(SHIPPED.resolve("ComponentDefinition", type).parameters) == []


@pytest.mark.parametrize("type", SHIPPED.names("TraitDefinition"))
def test_every_trait_tells_what_each_parameter_is_for(type: str) -> None:
    assert undescribed(SHIPPED.resolve("TraitDefinition", type).parameters) == []


def undescribed(schema: Any, path: str = "") -> list[str]:
    """Named properties without a description; names of a union are described where they are declared."""
    found: list[str] = []
    if isinstance(schema, dict):
        for name, one in schema.get("properties", {}).items():
            if one and "description" not in one:
                found.append(f"{path}.{name}")
            found += undescribed(one, f"{path}.{name}")
        for keyword in ("items", "additionalProperties"):
            found += undescribed(schema.get(keyword), f"{path}[]")
        for keyword in ("oneOf", "anyOf", "allOf"):
            for one in schema.get(keyword, ()):
                found += undescribed(one, path)
    return found
