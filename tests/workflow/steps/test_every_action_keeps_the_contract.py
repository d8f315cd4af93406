"""The shared contract of step actions (workflow.md section 4), by one case a step type: again with the same cursor, killed
before and after every call, cancelled.  Each runs with the arguments that its shipped definition makes.
"""

from __future__ import annotations

import ast
import os

import pytest
import support
from step_lab import CATALOG, Lab, assert_contract

from appdelivery.catalog import layouts
from appdelivery.model.refs import AppKey, Ref
from appdelivery.workflow import steps
from appdelivery.workflow.model import Done, Fail, Suspend
from appdelivery.workflow.steps import world

PROM = "http://prometheus-server.o11y-system.svc:9090/api/v1/query"
JOB = {"spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "t", "image": "smoke:4"}]}}}}
CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.example.com"},
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {"kind": "Widget", "plural": "widgets"},
        "versions": [{"name": "v1", "served": True, "storage": True}],
    },
}


def lab(**more):
    def make():
        made = Lab(**{k: dict(v) if isinstance(v, dict) else v for k, v in more.items() if k != "there"})
        for body in more.get("there", ()):
            made.fleet.foreign(body)
        made.fleet.crash.revive()
        return made

    return make


def secret(name, **data):
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "default"}, "data": data}


def provider_ready(made, turn):
    ref = Ref("terraform.core.oam.dev", "v1beta1", "Provider", "default", "aws-provider")
    if turn == 2:
        made.fleet.settle(ref, {"state": "ready"})


def app_runs(made, turn):
    if turn >= 2:
        made.apps[AppKey("infra", "base")] = world.AppState("running")


def service(name, **spec):
    labels = {"app.oam.dev/name": "shop", "app.oam.dev/namespace": "default", "app.oam.dev/component": "web"}
    about = {"name": name, "namespace": "default", "labels": labels}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": about,
        "spec": {"ports": [{"port": 80, "name": "http"}], **spec},
    }


def job_of_workflow(name):
    about = {"name": name, "namespace": "default", "labels": {"workflow.oam.dev/name": "shop"}}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": about, "spec": {}}


DEPLOYMENT = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}, "spec": {"replicas": 1}}
APP = {"apiVersion": "core.oam.dev/v1beta1", "kind": "Application", "metadata": {"name": "base", "namespace": "infra"}}
HOOKS = {"https://hooks.example.com/1": (200, "ok"), "https://hooks.example.com/2": (200, "ok")}
MAIL = {
    "from": {"address": "a@b.c", "host": "m", "password": {"value": "p"}},
    "to": ["d@e.f"],
    "content": {"subject": "s", "body": "t"},
}
CASES = {
    "apply-deployment": (lab(), {"image": "x:1"}, None, Done),
    "apply-deployment failing": (lab(weather="bad"), {"image": "x:1"}, None, Fail),
    "apply-object": (lab(), {"value": DEPLOYMENT, "wait": True}, None, Done),
    "export2config": (lab(), {"configName": "c", "data": {"a": 1}}, None, Done),
    "export2secret": (lab(), {"secretName": "s", "data": {"a": "b"}}, None, Done),
    "export-data": (lab(), {"data": {"a": "b"}, "topology": "all"}, None, Done),
    "export-service": (lab(), {"ip": "10.0.0.1", "port": 80, "targetPort": 81}, None, Done),
    "read-object": (lab(there=[service("web")]), {"apiVersion": "v1", "kind": "Service", "name": "web"}, None, Done),
    "generate-jdbc-connection": (lab(there=[secret("db", DB_HOST="ZGI=")]), {"name": "db"}, None, Done),
    "request": (lab(answers={"https://a.example/x": (200, '{"free": 3}')}), {"url": "https://a.example/x"}, None, Done),
    "request refused": (lab(answers={"https://a.example/x": (404, "no")}), {"url": "https://a.example/x"}, None, Fail),
    "webhook": (
        lab(answers=HOOKS, there=[secret("h", u="aHR0cHM6Ly9ob29rcy5leGFtcGxlLmNvbS8x")]),
        {"url": {"secretRef": {"name": "h", "key": "u"}}},
        None,
        Done,
    ),
    "notification": (
        lab(answers=HOOKS),
        {
            "slack": {"url": {"value": "https://hooks.example.com/1"}, "message": {"text": "hi"}},
            "lark": {"url": {"value": "https://hooks.example.com/2"}, "message": {"msg_type": "text", "content": "{}"}},
            "email": MAIL,
        },
        None,
        Done,
    ),
    "create-config": (lab(), {"name": "c", "template": "t", "config": {"a": 1}}, None, Done),
    "delete-config": (lab(), {"name": "c"}, None, Done),
    "list-config": (lab(), {"template": "t"}, None, Done),
    "depends-on-app": (lab(), {"name": "base", "namespace": "infra"}, app_runs, Done),
    "depends-on-app failed": (
        lab(apps={AppKey("infra", "base"): world.AppState("failed", "no room")}),
        {"name": "base", "namespace": "infra"},
        None,
        Fail,
    ),
    "apply-app": (lab(), {"data": APP}, app_runs, Done),
    "collect-service-endpoints": (lab(there=[service("web", type="LoadBalancer")]), {"outer": True}, None, Done),
    "generate-secret": (lab(), {"name": "db", "keys": ["user", "root"]}, None, Done),
    "policy-check": (
        lab(wanted=[world.Wanted("one", DEPLOYMENT)]),
        {"rules": [{"must": "object.spec.replicas > 1", "message": "too few"}]},
        None,
        Fail,
    ),
    "clean-jobs": (lab(there=[job_of_workflow("a"), job_of_workflow("b")]), {}, None, Done),
    "apply-crd": (lab(), {"source": {"objects": [CRD]}}, None, Done),
    "apply-job": (lab(), {"value": JOB}, None, Done),
    "apply-job failing": (lab(weather="bad"), {"value": JOB}, None, Fail),
    "run-job": (lab(), {"image": "x:1", "files": {"a.py": "1"}}, None, Done),
    "vela-cli": (lab(), {"image": "x:1", "command": ["vela"]}, None, Done),
    "build-push-image": (lab(), {"context": "s3://x", "image": "r/a:1"}, None, Done),
    "restart-workflow": (lab(), {"after": "30m"}, None, Done),
    "rollback": (lab(), {}, None, Done),
    "wait": (lab(), {"for": "10m"}, None, Done),
    "suspend": (lab(), {"duration": "10m"}, None, Suspend),
    "print-message-in-status": (lab(), {"message": "hi"}, None, Done),
    "check-metrics": (
        lab(answers={PROM: (200, '{"data": {"resultType": "scalar", "result": [1, "3"]}}')}),
        {"query": "up", "condition": "> 1", "duration": "25s"},
        None,
        Done,
    ),
}


@pytest.mark.parametrize("name", CASES)
async def test_again_killed_and_cancelled_a_step_ends_alike(name):
    make, properties, meanwhile, kind = CASES[name]
    _, end = await assert_contract(make, name.partition(" ")[0], properties, meanwhile=meanwhile)
    assert isinstance(end, kind), end


def test_every_action_has_a_case_and_every_definition_an_action():
    used = {d.use for d in CATALOG.all() if d.kind == layouts.STEP}
    tested = {CATALOG.resolve(layouts.STEP, name.partition(" ")[0]).use for name in CASES}
    assert used - set(steps.ACTIONS) == {"deploy", "apply-component", "step-group"}
    assert set(steps.ACTIONS) - tested == {"refuse"}
    assert set(steps.ACTIONS) <= used


def test_actions_do_not_import_each_other():
    folder = f"{support.ROOT}/appdelivery/workflow/steps"
    for file in sorted(os.listdir(folder)):
        if not file.endswith(".py") or file == "__init__.py":
            continue
        with open(f"{folder}/{file}", encoding="utf-8") as opened:
            tree = ast.parse(opened.read())
        froms = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        names = {n.name for node in froms if node.module == "appdelivery.workflow.steps" for n in node.names}
        assert names <= {"world"}, file
