"""The complete definitions of the language's design (tests/language/design), compiled and rendered as it describes.

The shipped catalogue grows away from them; they stay as the examples that the language was made for.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from compiling import CONTEXT, LAYOUTS

from appdelivery import errors
from appdelivery.language import module

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "design")


def shared(name):
    path = f"{HERE}/_shared/{name}.yaml"
    with open(path, "rb") as stream:
        return stream.read(), path


def load(name):
    path = f"{HERE}/{name}.yaml"
    with open(path, "rb") as stream:
        return module.bind(module.compile(stream.read(), path, shared=shared, layouts=LAYOUTS))


@pytest.fixture(scope="module")
def webservice():
    return load("webservice")


def test_a_web_service_with_nothing_but_an_image(webservice):
    parameters = webservice.check({"image": "example/web:1"})
    assert parameters == {"image": "example/web:1", "exposeType": "ClusterIP", "addRevisionLabel": False}
    assert webservice.checks(parameters, CONTEXT) == []
    made = webservice.render(parameters, CONTEXT)
    assert list(made.outputs) == ["deployment"]
    assert made.outputs["deployment"] == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "spec": {
            "selector": {"matchLabels": CONTEXT["selector"]},
            "template": {
                "metadata": {"labels": {"app.oam.dev/name": "shop", "app.oam.dev/component": "web"}},
                # `volumes | unique` of nothing is an empty list, and what an expression gives is kept
                "spec": {"containers": [{"name": "web", "image": "example/web:1"}], "volumes": []},
            },
        },
    }


def test_a_web_service_with_everything(webservice):
    given = {
        "image": "example/web:1",
        "imagePullPolicy": "Always",
        "imagePullSecrets": ["a", "b"],
        "replicas": 0,
        "ports": [
            {"port": 80, "expose": True},
            {"port": 53, "protocol": "UDP", "nodePort": 30053, "expose": True, "name": "dns"},
        ],
        "exposeType": "NodePort",
        "labels": {"team": "ml"},
        "annotations": {"note": "x"},
        "addRevisionLabel": True,
        "cmd": ["run"],
        "env": [{"name": "A", "value": "1"}, {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
        "envFrom": ["cm", {"configMap": "cm2", "prefix": "P_"}, {"secret": "sec"}],
        "cpu": "500m",
        "limit": {"memory": "1Gi"},
        "volumeMounts": {
            "pvc": [{"name": "data", "mountPath": "/data", "claimName": "claim", "subPath": "sub"}],
            "secret": [{"name": "data", "mountPath": "/again", "secretName": "s", "items": [{"key": "k", "path": "p"}]}],
            "emptyDir": [{"name": "tmp", "mountPath": "/tmp", "medium": "Memory"}],
        },
        "readinessProbe": {"httpGet": {"path": "/", "port": 80}},
        "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["a"]}],
    }
    made = webservice.render(webservice.check(given), CONTEXT).outputs
    spec = made["deployment"]["spec"]
    assert spec["replicas"] == 0
    assert spec["template"]["metadata"] == {
        "labels": {
            "team": "ml",
            "app.oam.dev/revision": "web-v1",
            "app.oam.dev/name": "shop",
            "app.oam.dev/component": "web",
        },
        "annotations": {"note": "x"},
    }
    pod = spec["template"]["spec"]
    assert pod["containers"][0] == {
        "name": "web",
        "image": "example/web:1",
        "imagePullPolicy": "Always",
        "command": ["run"],
        "ports": [
            {"containerPort": 80, "protocol": "TCP", "name": "port-80"},
            {"containerPort": 53, "protocol": "UDP", "name": "dns"},
        ],
        "env": given["env"],
        "envFrom": [
            {"configMapRef": {"name": "cm"}},
            {"prefix": "P_", "configMapRef": {"name": "cm2"}},
            {"secretRef": {"name": "sec"}},
        ],
        "resources": {"requests": {"cpu": "500m"}, "limits": {"cpu": "500m", "memory": "1Gi"}},
        "volumeMounts": [
            {"name": "data", "mountPath": "/data", "subPath": "sub"},
            {"name": "data", "mountPath": "/again"},
            {"name": "tmp", "mountPath": "/tmp"},
        ],
        "readinessProbe": {
            "httpGet": {"path": "/", "port": 80},
            "initialDelaySeconds": 0,
            "periodSeconds": 10,
            "timeoutSeconds": 1,
            "successThreshold": 1,
            "failureThreshold": 3,
        },
    }
    assert pod["volumes"] == [
        {"name": "data", "persistentVolumeClaim": {"claimName": "claim"}},
        {"name": "tmp", "emptyDir": {"medium": "Memory"}},
    ]
    assert pod["imagePullSecrets"] == [{"name": "a"}, {"name": "b"}]
    assert pod["hostAliases"] == given["hostAliases"]
    assert made["webserviceExpose"]["spec"] == {
        "type": "NodePort",
        "selector": CONTEXT["selector"],
        "ports": [
            {"port": 80, "targetPort": 80, "name": "port-80", "protocol": "TCP"},
            {"port": 53, "targetPort": 53, "name": "dns", "nodePort": 30053, "protocol": "UDP"},
        ],
    }


def test_rendering_changes_nothing_that_it_was_given(webservice):
    given = webservice.check({"image": "x", "env": [{"name": "A"}], "labels": {"a": "b"}})
    before = repr((given, CONTEXT))
    webservice.render(given, CONTEXT)
    webservice.checks(given, CONTEXT)
    assert repr((given, CONTEXT)) == before


def test_legacy_volumes_of_a_web_service(webservice):
    volumes = [{"name": "a", "mountPath": "/a"}, {"name": "b", "mountPath": "/b", "type": "configMap", "cmName": "c"}]
    made = webservice.render(webservice.check({"image": "x", "volumes": volumes}), CONTEXT).outputs
    assert made["deployment"]["spec"]["template"]["spec"]["volumes"] == [
        {"name": "a", "emptyDir": {"medium": ""}},
        {"name": "b", "configMap": {"name": "c", "defaultMode": 420}},
    ]


def test_checks_and_status_of_a_web_service(webservice):
    owned = {**CONTEXT, "owned": {"spec.replicas": "hpa"}}
    found = webservice.checks(webservice.check({"image": "", "replicas": 2}), owned)
    assert [(p.message, p.path, p.level) for p in found] == [
        ("replicas is owned by the trait hpa; remove one of the two", ("replicas",), "error"),
        ("the image is empty", ("image",), "warning"),
    ]
    live = {"parameters": {}, "context": CONTEXT, "output": {"spec": {"replicas": 3}, "status": {}}, "outputs": {}}
    assert webservice.status(live) == "Ready 0/3"


def test_an_autoscaler_takes_numbers_and_maps():
    hpa = load("hpa")
    assert hpa.compiled.reads == {"name"}
    assert hpa.compiled.head["owns"] == ["spec.replicas"]
    made = hpa.render(hpa.check({"min": 2, "cpu": 70, "memory": {"type": "AverageValue", "value": "1Gi"}}), CONTEXT)
    assert made.outputs["hpa"]["spec"] == {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        "minReplicas": 2,
        "maxReplicas": 10,
        "metrics": [
            {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}},
            {"type": "Resource", "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "1Gi"}}},
        ],
    }
    alone = hpa.render(hpa.check({"mem": 40}), CONTEXT).outputs["hpa"]["spec"]["metrics"]
    assert [m["resource"]["name"] for m in alone] == ["cpu", "memory"]
    found = hpa.checks(hpa.check({"min": 5, "max": 2}), CONTEXT)
    assert [(p.message, p.path) for p in found] == [("max (2) is below min (5)", ("max",))]


SERVICE = {"kind": "Service", "metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}}


def test_a_gateway_makes_only_the_service_that_is_missing():
    gateway = load("gateway")
    parameters = gateway.check({"domain": "a.example", "http": {"/": 80, "/api": "api:90"}, "secretName": "tls"})
    assert gateway.checks(parameters, CONTEXT) == []
    made = gateway.render(parameters, CONTEXT).outputs
    assert list(made) == ["service", "ingress"]
    assert made["service"]["spec"]["ports"] == [{"name": "port-80", "port": 80, "targetPort": 80}]
    assert made["ingress"]["spec"] == {
        "tls": [{"hosts": ["a.example"], "secretName": "tls"}],
        "rules": [
            {
                "host": "a.example",
                "http": {
                    "paths": [
                        {"path": "/", "pathType": "ImplementationSpecific", "backend": {"service": {"name": "web", "port": {"number": 80}}}},
                        {"path": "/api", "pathType": "ImplementationSpecific", "backend": {"service": {"name": "api", "port": {"number": 90}}}},
                    ]
                },
            }
        ],
    }  # fmt: skip
    served = {**CONTEXT, "outputs": {"expose": SERVICE}}
    assert list(gateway.render(parameters, served).outputs) == ["ingress"]
    assert gateway.status({"parameters": parameters, "context": CONTEXT}) == "https://a.example"


def test_a_gateway_refuses_a_malformed_target():
    gateway = load("gateway")
    found = gateway.checks(gateway.check({"http": {"/": "a:b", "/x": "a:99999", "/y": "a:1"}}), CONTEXT)
    assert [p.message for p in found] == ['write a port, or "component:port" with a port from 1 to 65535, for /, /x']
    with pytest.raises(errors.SpecError) as wrong:
        gateway.render(gateway.check({"http": {"/": "a:b"}}), CONTEXT)
    assert wrong.value.problems[0].message == "'b' is not an integer"


def test_a_side_car_shares_a_volume_with_the_main_container():
    sidecar = load("sidecar")
    parameters = sidecar.check(
        {"name": "log", "image": "l:1", "share": {"logs": "/logs"}, "volumes": [{"name": "v", "path": "/v"}]}
    )
    assert sidecar.render(parameters, CONTEXT).patch == {
        "spec": {
            "template": {
                "spec": {
                    "containers": [
                        {"name": "log", "image": "l:1", "volumeMounts": [{"name": "v", "mountPath": "/v"}, {"name": "logs", "mountPath": "/logs"}]},
                        {"name": "web", "volumeMounts": [{"name": "logs", "mountPath": "/logs"}]},
                    ],
                    "volumes": [{"name": "logs", "emptyDir": {}}],
                }
            }
        }
    }  # fmt: skip
    alone = sidecar.render(sidecar.check({"name": "log", "image": "l:1"}), CONTEXT).patch
    assert alone == {"spec": {"template": {"spec": {"containers": [{"name": "log", "image": "l:1"}]}}}}


PROGRAM = """
import json, sys
from test_module_design import CONTEXT, load
from appdelivery.model import canonical
out = []
for name, given in (("webservice", {"image": "x", "ports": [{"port": 1, "expose": True}], "labels": {"b": "1", "a": "2"}}),
                    ("gateway", {"http": {"/": 80, "/x": "b:1"}}), ("hpa", {}), ("sidecar", {"name": "s", "image": "i"})):
    definition = load(name)
    made = definition.render(definition.check(given), CONTEXT)
    out.append([definition.compiled.hash, json.dumps([made.outputs, made.patch])])
print(json.dumps(out))
"""


def test_rendering_is_the_same_in_every_process():
    """No order of sets or hashes reaches the output: byte-equal for every hash seed."""
    seen = set()
    for seed in ("0", "1", "4242"):
        path = os.pathsep.join([os.path.dirname(HERE), *sys.path])
        environment = {"PYTHONPATH": path, "PYTHONHASHSEED": seed, "TZ": "Asia/Tokyo", "LANG": "C"}
        done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, env=environment)
        seen.add(done.stdout)
    assert len(seen) == 1


def test_nothing_reads_clock_chance_files_or_environment_while_it_renders(webservice, monkeypatch):
    import random
    import socket
    import time

    def forbidden(*_, **__):
        raise AssertionError("a render is pure")

    parameters = webservice.check({"image": "x"})
    for owner, name in (
        (time, "time"),
        (random, "random"),
        (os, "getenv"),
        (os, "stat"),
        (socket, "socket"),
        (os, "urandom"),
    ):
        monkeypatch.setattr(owner, name, forbidden)
    monkeypatch.setattr("builtins.open", forbidden)
    assert webservice.render(parameters, CONTEXT).outputs


def test_a_definition_of_plain_paths_is_compiled_without_jinja2():
    program = (
        "import sys\n"
        "from compiling import bound\n"
        "module = bound('''parameters: {properties: {xs: {type: array, items: {properties: {a: {}}}}}}\n"
        "patch: {v: [{$for: x in parameters.xs, $if: x.a, b: \"${{ x.a }}\"}]}''')\n"
        "module.render(module.check({'xs': [{'a': 1}]}), {})\n"
        "print([name for name in ('jinja2', 'jsonschema', 're2', 'difflib') if name in sys.modules])\n"
    )
    path = os.pathsep.join([os.path.dirname(HERE), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={"PYTHONPATH": path}
    )
    assert done.stdout.strip() == "[]"


def test_lines_are_right_even_where_python_keeps_no_columns():
    program = (
        "from compiling import bound\n"
        "from appdelivery import errors\n"
        "try:\n"
        "    bound('parameters: {properties: {a: {properties: {b: {}}}}}\\npatch:\\n  v: ${{ parameters.a.b }}').render({}, {})\n"
        "except errors.SpecError as wrong:\n"
        "    print(wrong.problems[0].line, wrong.problems[0].code, bool(wrong.problems[0].excerpt))\n"
    )
    path = os.pathsep.join([os.path.dirname(HERE), *sys.path])
    environment = {"PYTHONPATH": path, "PYTHONNODEBUGRANGES": "1"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.split() == ["6", "render.null", "True"]
