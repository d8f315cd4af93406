"""Random objects and random writes for the differential fuzzer: small vocabularies, so that writes meet each other."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kube_api import APPLY, JSON_PATCH, MERGE, STRATEGIC

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

MANAGERS = ("one", "two", "three", "four", "five")
API_VERSIONS = {
    "ConfigMap": "v1",
    "Service": "v1",
    "Deployment": "apps/v1",
    "StatefulSet": "apps/v1",
    "DaemonSet": "apps/v1",
    "Job": "batch/v1",
    "CronJob": "batch/v1",
    "Ingress": "networking.k8s.io/v1",
}
VERBS = (APPLY,) * 6 + (MERGE, MERGE, "PUT", JSON_PATCH, STRATEGIC, STRATEGIC, "POST", "DELETE")


@dataclass(frozen=True)
class Step:
    """verb: POST, PUT, DELETE, or the content type of a patch."""

    verb: str
    kind: str
    name: str
    body: Any
    query: dict[str, str] = field(default_factory=dict)
    sub: str = ""

    def __str__(self) -> str:
        return f"{self.verb} {self.query} {json.dumps(self.body)[:900]}"


def sequence(dice: random.Random, kind: str, name: str) -> Iterator[Step]:
    for _ in range(dice.randint(3, 8)):
        yield _step(dice, kind, name)


def _step(dice: random.Random, kind: str, name: str) -> Step:
    verb = dice.choice(VERBS)
    query = {"fieldManager": dice.choice(MANAGERS)}
    if dice.random() < 0.1:
        query["dryRun"] = "All"
    if verb == "DELETE":
        return Step(verb, kind, name, None, {"dryRun": "All"})
    if verb == APPLY and dice.random() < 0.4:
        query["force"] = "true"
    if verb == JSON_PATCH:
        return Step(verb, kind, name, _json_patch(dice, kind), query)
    body = _object(dice, kind, name)
    if verb in (MERGE, STRATEGIC):
        body = _part(dice, body, strategic=verb == STRATEGIC)
    return Step(verb, kind, name, body, query)


def _part(dice: random.Random, body: dict[str, Any], *, strategic: bool) -> dict[str, Any]:
    """A change: some of an object, some of it to be removed."""
    change = {key: value for key, value in body.items() if key not in ("apiVersion", "kind") and dice.random() < 0.7}
    metadata = {key: value for key, value in body["metadata"].items() if key != "name"}
    if dice.random() < 0.2:
        metadata["labels"] = {dice.choice("xyz"): None}
    if metadata and dice.random() < 0.6:
        change["metadata"] = metadata
    else:
        change.pop("metadata", None)
    if "data" in change and dice.random() < 0.4:
        change["data"][dice.choice("abcd")] = None
    if strategic and "data" in change and dice.random() < 0.2:
        change["data"]["$patch"] = "replace"
    return change


def _json_patch(dice: random.Random, kind: str) -> list[dict[str, Any]]:
    value = dice.choice("12")
    choices = [
        [{"op": "add", "path": "/metadata/annotations", "value": {"note": value}}],
        [{"op": "add", "path": "/metadata/labels", "value": {"x": value}}],
        [{"op": "remove", "path": f"/metadata/labels/{dice.choice('xyz')}"}],
        [{"op": "test", "path": "/metadata/labels/x", "value": value}, {"op": "remove", "path": "/metadata/labels/x"}],
    ]
    if kind == "ConfigMap":
        choices.append([{"op": "add", "path": f"/data/{dice.choice('abcd')}", "value": value}])
        choices.append([{"op": "remove", "path": f"/data/{dice.choice('abcd')}"}])
    elif kind in ("Deployment", "StatefulSet"):
        choices.append([{"op": "replace", "path": "/spec/replicas", "value": dice.randint(0, 2)}])
        image = {"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": f"i.example/i:{value}"}
        choices.append([image])
    return dice.choice(choices)


def _object(dice: random.Random, kind: str, name: str) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name}
    if dice.random() < 0.5:
        metadata["labels"] = {key: dice.choice("12") for key in dice.sample("xyz", dice.randint(1, 3))}
    if dice.random() < 0.3:
        metadata["annotations"] = {key: dice.choice("12") for key in dice.sample("pq", dice.randint(1, 2))}
    return {"apiVersion": API_VERSIONS[kind], "kind": kind, "metadata": metadata} | MAKERS[kind](dice)


def _config(dice: random.Random) -> dict[str, Any]:
    body: dict[str, Any] = {"data": {key: dice.choice("12") for key in dice.sample("abcd", dice.randint(0, 4))}}
    if dice.random() < 0.15:
        body["binaryData"] = {dice.choice("ef"): "MQ=="}
    return body


def _deployment(dice: random.Random) -> dict[str, Any]:
    spec = {"selector": {"matchLabels": {"app": "x"}}, "template": _template(dice)}
    if dice.random() < 0.5:
        spec["replicas"] = dice.randint(0, 2)
    if dice.random() < 0.2:
        spec["strategy"] = dice.choice(
            [{"type": "Recreate"}, {"rollingUpdate": {"maxSurge": 1}}, {"type": "RollingUpdate", "rollingUpdate": {}}]
        )
    if dice.random() < 0.1:
        spec["paused"] = True
    return {"spec": spec}


def _stateful_set(dice: random.Random) -> dict[str, Any]:
    spec = {"selector": {"matchLabels": {"app": "x"}}, "serviceName": "x", "template": _template(dice)}
    if dice.random() < 0.5:
        spec["replicas"] = dice.randint(0, 2)
    if dice.random() < 0.2:
        spec["podManagementPolicy"] = dice.choice(["OrderedReady", "Parallel"])
    if dice.random() < 0.2:
        spec["updateStrategy"] = dice.choice(
            [{"type": "OnDelete"}, {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}]
        )
    return {"spec": spec}


def _daemon_set(dice: random.Random) -> dict[str, Any]:
    spec: dict[str, Any] = {"selector": {"matchLabels": {"app": "x"}}, "template": _template(dice)}
    spec["template"]["spec"]["nodeSelector"] = {"no": "node"}
    if dice.random() < 0.3:
        spec["minReadySeconds"] = dice.randint(0, 2)
    return {"spec": spec}


def _job(dice: random.Random) -> dict[str, Any]:
    template = _template(dice)
    template["spec"]["restartPolicy"] = dice.choice(["Never", "OnFailure"])
    spec: dict[str, Any] = {"template": template, "suspend": True}
    if dice.random() < 0.3:
        spec["backoffLimit"] = dice.randint(0, 3)
    if dice.random() < 0.3:
        spec["parallelism"] = dice.randint(1, 2)
    return {"spec": spec}


def _cron_job(dice: random.Random) -> dict[str, Any]:
    spec: dict[str, Any] = {"schedule": dice.choice(["0 0 1 1 *", "0 1 1 1 *"]), "jobTemplate": _job(dice)}
    if dice.random() < 0.3:
        spec["concurrencyPolicy"] = dice.choice(["Allow", "Forbid", "Replace"])
    if dice.random() < 0.3:
        spec["suspend"] = dice.choice([True, False])
    return {"spec": spec}


def _service(dice: random.Random) -> dict[str, Any]:
    ports = []
    for number in dice.sample([80, 81, 82], dice.randint(1, 2)):
        port: dict[str, Any] = {"port": number, "name": f"p{number}"}
        if dice.random() < 0.4:
            port["protocol"] = dice.choice(["TCP", "UDP"])
        if dice.random() < 0.4:
            port["targetPort"] = dice.choice([8080, "http"])
        ports.append(port)
    spec: dict[str, Any] = {"ports": ports}
    if dice.random() < 0.6:
        spec["selector"] = {"app": dice.choice("xy")}
    if dice.random() < 0.2:
        spec["sessionAffinity"] = dice.choice(["None", "ClientIP"])
    return {"spec": spec}


def _ingress(dice: random.Random) -> dict[str, Any]:
    rules = []
    for host in dice.sample(["a.example.org", "b.example.org"], dice.randint(1, 2)):
        backend = {"service": {"name": dice.choice("xy"), "port": {"number": dice.choice([80, 81])}}}
        paths = [
            {"path": path, "pathType": "Prefix", "backend": backend} for path in dice.sample(["/", "/a"], dice.randint(1, 2))
        ]
        rules.append({"host": host, "http": {"paths": paths}})
    spec: dict[str, Any] = {"rules": rules}
    if dice.random() < 0.3:
        spec["tls"] = [{"hosts": ["a.example.org"], "secretName": "x"}]
    return {"spec": spec}


def _template(dice: random.Random) -> dict[str, Any]:
    containers = [_container(dice, name) for name in dice.sample(["c1", "c2", "c3"], dice.randint(1, 3))]
    spec: dict[str, Any] = {"containers": containers}
    if dice.random() < 0.3:
        spec["tolerations"] = [{"key": dice.choice("kl"), "operator": "Exists"}]
    if dice.random() < 0.3:
        spec["nodeSelector"] = {dice.choice("mn"): "1"}
    if dice.random() < 0.3:
        kinds = [{"emptyDir": {}}, {"configMap": {"name": "x"}}, {"secret": {"secretName": "x"}}]
        spec["volumes"] = [{"name": name} | dice.choice(kinds) for name in dice.sample(["v1", "v2"], dice.randint(1, 2))]
    if dice.random() < 0.2:
        spec["securityContext"] = dice.choice([{}, {"runAsNonRoot": True}])
    if dice.random() < 0.2:
        spec["terminationGracePeriodSeconds"] = dice.choice([0, 10, 30])
    return {"metadata": {"labels": {"app": "x"}}, "spec": spec}


def _container(dice: random.Random, name: str) -> dict[str, Any]:
    container: dict[str, Any] = {"name": name, "image": f"i.example/i:{dice.choice('12')}"}
    if dice.random() < 0.5:
        names = dice.sample(["E1", "E2", "E3"], dice.randint(1, 3))
        container["env"] = [{"name": one, "value": dice.choice("12")} for one in names]
    if dice.random() < 0.4:
        container["ports"] = [_port(dice, number) for number in dice.sample([80, 81], dice.randint(1, 2))]
    if dice.random() < 0.4:
        limits = {one: dice.choice(["1", "2", "1000m"]) for one in dice.sample(["cpu", "memory"], dice.randint(1, 2))}
        container["resources"] = {dice.choice(["limits", "requests"]): limits}
    if dice.random() < 0.3:
        container["args"] = dice.sample(["a", "b", "c"], dice.randint(1, 3))
    if dice.random() < 0.2:
        container["readinessProbe"] = dice.choice(
            [{"httpGet": {"port": 80}}, {"tcpSocket": {"port": 80}, "periodSeconds": 5}]
        )
    return container


def _port(dice: random.Random, number: int) -> dict[str, Any]:
    port: dict[str, Any] = {"containerPort": number}
    if dice.random() < 0.5:
        port["protocol"] = "TCP"
    if dice.random() < 0.5:
        port["name"] = f"p{number}"
    return port


MAKERS = {
    "ConfigMap": _config,
    "Deployment": _deployment,
    "StatefulSet": _stateful_set,
    "DaemonSet": _daemon_set,
    "Job": _job,
    "CronJob": _cron_job,
    "Service": _service,
    "Ingress": _ingress,
}
