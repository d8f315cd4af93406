"""The main job on a real control plane, by the real command line: deliver, change, compare, roll back, delete."""

from __future__ import annotations

import json
from collections import Counter
from urllib.parse import urlsplit

import laboratory
import pytest

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(420), pytest.mark.xdist_group("plane")]
NEW = ("--set", "api.image=example/inference-api:2.1.0")


def test_one_application_goes_from_a_file_to_a_cluster_and_into_history(lab: laboratory.Laboratory) -> None:
    app, name = lab.example(), f"{lab.namespace}/inference"
    done = lab.appctl("up", app, "--create-namespace")
    assert "20 created" in done.out
    assert "succeeded" in done.out
    assert lab.get("deployment", "api")["status"]["availableReplicas"] == 3
    lab.appctl("status", name, "--exit-code")

    again = lab.appctl("up", app, "--debug")
    sent = laboratory.requests(again.err)
    assert [r for r in sent if r[0] in laboratory.WRITES] == []
    lists = Counter(urlsplit(path).path for _, path in sent if "labelSelector" in path and "watch=" not in path)
    assert lists, "the second run has looked at nothing"
    assert max(lists.values()) == 1, lists
    assert "20 unchanged" in again.out

    lab.kubectl("create", "configmap", "foreign", "--from-literal=a=b")
    compared = lab.appctl("diff", app, *NEW, code=1)
    assert "/spec/template/spec/containers/0/image: example/inference-api:2.1.0" in compared.out
    assert "/spec/replicas" not in compared.out
    lab.appctl("diff", app, code=0)
    lab.appctl("diff", app, "--local", code=0)
    assert "2.1.0" in lab.appctl("diff", app, *NEW, "--local", code=1).out
    assert "20 unchanged" in lab.appctl("plan", app, "--local").out

    changed = lab.appctl("up", app, *NEW)
    assert "1 updated, 19 unchanged" in changed.out
    deployment = lab.get("deployment", "api")
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == "example/inference-api:2.1.0"
    assert deployment["spec"]["replicas"] == 3

    back = lab.appctl("rollback", name, "--to", "1")
    assert "1 updated, 19 unchanged" in back.out
    assert (
        lab.get("deployment", "api")["spec"]["template"]["spec"]["containers"][0]["image"] == "example/inference-api:2.0.1"
    )
    releases = json.loads(lab.appctl("history", name, "-o", "json").out)["items"]
    assert [(r["release"], r["revision"], r["cause"], r["outcome"]) for r in releases] == [
        (4, "inference-v1", "rollback", "succeeded"),
        (3, "inference-v2", "user", "succeeded"),
        (2, "inference-v1", "user", "succeeded"),
        (1, "inference-v1", "user", "succeeded"),
    ]

    lab.appctl("delete", name, "--yes")
    kinds = "deployments,statefulsets,services,ingresses,hpa,secrets,configmaps"
    assert lab.names(kinds) == ["configmap/foreign", "configmap/kube-root-ca.crt"]


def test_a_secret_is_made_once_and_stands_in_no_answer(lab: laboratory.Laboratory) -> None:
    app, name = lab.example(), f"{lab.namespace}/inference"
    lab.appctl("up", app, "--create-namespace", "--wait", "applied")
    first = lab.get("secret", "db-auth")["data"]["password"]
    lab.appctl("up", app, *NEW, "--wait", "applied")
    assert lab.get("secret", "db-auth")["data"]["password"] == first
    import base64

    value = base64.b64decode(first).decode()
    for words in (
        ["show", name],
        ["history", name, "-o", "json"],
        ["diff", app],
        ["plan", app, "-o", "json"],
        ["events", name, "-o", "json"],
    ):
        done = lab.appctl(*words, "--debug" if words[0] in ("diff", "plan") else "-q", code=None)
        assert value not in done.out + done.err
        assert first not in done.out + done.err


def test_a_saved_plan_is_carried_out_exactly_or_not_at_all(lab: laboratory.Laboratory) -> None:
    app = lab.example()
    lab.appctl("up", app, "--create-namespace", "--wait", "applied")
    plan = f"{lab.home}/plan.json"
    lab.appctl("plan", app, *NEW, "--out", plan)
    lab.appctl("show", plan)
    lab.kubectl("set", "image", "deployment/api", "api=example/other:1")
    stale = lab.appctl("up", plan, code=2)
    assert "Deployment" in stale.err
    assert lab.get("deployment", "api")["spec"]["template"]["spec"]["containers"][0]["image"] == "example/other:1"
    lab.appctl("plan", app, *NEW, "--out", plan)
    done = lab.appctl("up", plan, "--wait", "applied")
    assert "1 updated" in done.out


def test_a_foreign_object_is_not_touched_unless_asked(lab: laboratory.Laboratory) -> None:
    lab.kubectl("create", "namespace", lab.namespace)
    lab.kubectl("create", "deployment", "web", "--image=example/web:0", "--replicas=2")
    app = lab.write(
        "web.yaml",
        {
            "apiVersion": "core.oam.dev/v1beta1",
            "kind": "Application",
            "metadata": {"name": "shop", "namespace": lab.namespace},
            "spec": {
                "components": [
                    {"name": "api", "type": "config", "properties": {"configMaps": {"web": {"a": "b"}}}},
                    {
                        "name": "own",
                        "type": "k8s-objects",
                        "properties": {
                            "objects": [
                                {
                                    "apiVersion": "v1",
                                    "kind": "ConfigMap",
                                    "metadata": {"name": "taken"},
                                    "data": {"a": "ours"},
                                }
                            ]
                        },
                    },
                ]
            },
        },
    )
    lab.kubectl("create", "configmap", "taken", "--from-literal=a=theirs")
    refused = lab.appctl("up", app, code=2)
    assert "taken" in refused.err
    assert "take" in refused.err
    assert lab.get("configmap", "taken")["data"] == {"a": "theirs"}
    assert "configmap/web" not in lab.names("configmaps")
    lab.appctl("up", app, "--take-ownership", "--yes")
    assert lab.get("configmap", "taken")["data"] == {"a": "ours"}
    lab.appctl("delete", f"{lab.namespace}/shop", "--yes")
    assert lab.get("deployment", "web")["spec"]["replicas"] == 2


def test_a_bad_image_is_explained_and_rolled_back(lab: laboratory.Laboratory) -> None:
    app = lab.write(
        "web.yaml",
        {
            "apiVersion": "core.oam.dev/v1beta1",
            "kind": "Application",
            "metadata": {"name": "shop", "namespace": lab.namespace},
            "spec": {
                "components": [
                    {"name": "web", "type": "webservice", "properties": {"image": "example/web:1", "replicas": 2}}
                ]
            },
        },
    )
    name = f"{lab.namespace}/shop"
    lab.appctl("up", app, "--create-namespace")
    failed = lab.appctl("up", app, "--set", "web.image=example/web:2-bad", code=1)
    assert "failed" in failed.out
    assert "container web" in failed.err
    answer = lab.appctl("why", name).out
    assert "cause" in answer
    assert lab.appctl("status", name, "--exit-code", code=1)
    lab.appctl("rollback", name)
    lab.appctl("wait", name, "--timeout", "60s")
    lab.appctl("delete", name, "--yes")


def test_drift_is_shown_and_put_right(lab: laboratory.Laboratory) -> None:
    app = lab.write(
        "web.yaml",
        {
            "apiVersion": "core.oam.dev/v1beta1",
            "kind": "Application",
            "metadata": {"name": "shop", "namespace": lab.namespace},
            "spec": {
                "components": [{"name": "settings", "type": "config", "properties": {"configMaps": {"web": {"a": "b"}}}}]
            },
        },
    )
    lab.appctl("up", app, "--create-namespace")
    lab.kubectl("patch", "configmap", "web", "--type=merge", "-p", '{"data": {"a": "changed", "theirs": "x"}}')
    compared = lab.appctl("diff", app, code=1)
    assert "/data/a" in compared.out
    assert "theirs" not in compared.out
    lab.appctl("up", app)
    assert lab.get("configmap", "web")["data"] == {"a": "b", "theirs": "x"}
