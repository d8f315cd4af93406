"""What stands between an object and its deletion, by the command line: each guard says what it keeps and how to go on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import parts
import pytest

if TYPE_CHECKING:
    import laboratory

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(420), pytest.mark.xdist_group("plane-two")]


def app(lab: laboratory.Laboratory, *bodies: dict[str, Any], policies: tuple[dict[str, Any], ...] = ()) -> str:
    return parts.application(lab, "shop", parts.objects(*bodies), policies=policies)


def maps(lab: laboratory.Laboratory) -> list[str]:
    return [one.removeprefix("configmap/") for one in lab.names("configmaps") if "kube-root-ca" not in one]


def claim(name: str) -> dict[str, Any]:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": spec}


FIRST = parts.config_map("first", a="b")


def test_more_deletions_than_the_budget_wait_for_consent(lab: laboratory.Laboratory) -> None:
    many = [parts.config_map(f"m{number}", a="b") for number in range(5)]
    lab.appctl("up", app(lab, FIRST, *many), "--create-namespace")
    kept = lab.appctl("up", app(lab, FIRST))
    assert "5 of 6 objects would be deleted in one release" in kept.err
    assert "--allow-deletes 5" in kept.err
    assert len(maps(lab)) == 6
    said = lab.appctl("status", f"{lab.namespace}/shop").out
    assert said.count("waits to be deleted: ConfigMap") == 5

    lab.appctl("up", app(lab, FIRST), "--allow-deletes", "4", "--yes")
    assert len(maps(lab)) == 6, "--yes is no consent, and neither is a smaller number"
    parts.answered(lab.appctl("up", app(lab, FIRST), "--allow-deletes", "5", code=None), 2, "delete 5 objects", "--yes")
    assert "5 deleted" in lab.appctl("up", app(lab, FIRST), "--allow-deletes", "5", "--yes").out
    assert maps(lab) == ["first"]
    assert "waits to be deleted" not in lab.appctl("status", f"{lab.namespace}/shop").out


def test_what_holds_data_is_deleted_only_by_name(lab: laboratory.Laboratory) -> None:
    asked = parts.config_map("asked", annotations={"appdelivery.dev/confirm-delete": "true"}, a="b")
    room = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"{lab.namespace}-room"}}
    lab.appctl("up", app(lab, FIRST, claim("data"), asked, room), "--create-namespace")
    try:
        kept = lab.appctl("up", app(lab, FIRST), "--yes", "--allow-deletes", "9")
        for kind, name in (
            ("PersistentVolumeClaim", "data"),
            ("ConfigMap", "asked"),
            ("Namespace", f"{lab.namespace}-room"),
        ):
            assert f"if that is meant: --delete {kind}/{name}" in kept.err
        assert "asked" in maps(lab)
        one = lab.appctl("up", app(lab, FIRST), "--yes", "--delete", "configmap/asked")
        assert "1 deleted" in one.out
        assert maps(lab) == ["first"]
        assert lab.names("persistentvolumeclaims") == ["persistentvolumeclaim/data"]

        # Deleting the application does not ask less, and the application stays as long as something of it does.
        left = lab.appctl("delete", f"{lab.namespace}/shop", "--yes", code=1)
        assert "partial: not deleted: " in left.out
        assert "--delete PersistentVolumeClaim/data" in left.err
        assert lab.names("persistentvolumeclaims") == ["persistentvolumeclaim/data"]
        assert maps(lab) == []
        assert "PersistentVolumeClaim" in lab.appctl("status", f"{lab.namespace}/shop").out
        claim_too = ["--delete", "PersistentVolumeClaim/data"]
        left = lab.appctl("delete", f"{lab.namespace}/shop", "--yes", *claim_too, code=1)
        assert f"--delete Namespace/{lab.namespace}-room" in left.err
        assert lab.names("persistentvolumeclaims") == []
    finally:
        lab.kubectl("delete", "namespace", f"{lab.namespace}-room", "--wait=false", "--ignore-not-found")


def test_annotations_keep_an_object_also_when_its_application_goes(lab: laboratory.Laboratory) -> None:
    keeping = {
        "pruned": {"appdelivery.dev/prune": "false"},
        "helm": {"helm.sh/resource-policy": "keep"},
        "argo": {"argocd.argoproj.io/sync-options": "Prune=false"},
    }
    kept = [parts.config_map(name, annotations=annotations, a="b") for name, annotations in keeping.items()]
    lab.appctl("up", app(lab, FIRST, *kept), "--create-namespace")
    done = lab.appctl("up", app(lab, FIRST), "--yes", "--allow-deletes", "9")
    assert done.err.count("its annotations or the policy garbage-collect keep it") >= 3
    assert maps(lab) == ["argo", "first", "helm", "pruned"]
    lab.appctl("delete", f"{lab.namespace}/shop", "--yes")
    assert maps(lab) == ["argo", "helm", "pruned"]
    assert "no application" in lab.appctl("status", f"{lab.namespace}/shop", code=2).err


def test_an_object_made_again_by_somebody_is_theirs(lab: laboratory.Laboratory) -> None:
    lab.appctl("up", app(lab, FIRST, parts.config_map("again", a="ours")), "--create-namespace")
    lab.kubectl("delete", "configmap", "again")
    lab.kubectl("create", "configmap", "again", "--from-literal=a=theirs")
    refused = lab.appctl("up", app(lab, FIRST, parts.config_map("again", a="ours")), code=None)
    parts.answered(refused, 2, f"error: ConfigMap {lab.namespace}/again", "it exists and belongs to kubectl-create")
    lab.appctl("up", app(lab, FIRST), "--yes")
    assert lab.get("configmap", "again")["data"] == {"a": "theirs"}
    lab.appctl("delete", f"{lab.namespace}/shop", "--yes")
    assert lab.get("configmap", "again")["data"] == {"a": "theirs"}


def test_a_read_only_object_is_observed_and_never_written(lab: laboratory.Laboratory) -> None:
    lab.kubectl("create", "namespace", lab.namespace)
    policy = parts.policy("read-only", rules=[{"selector": {"resourceNames": ["theirs"]}}])
    wanted = app(lab, FIRST, parts.config_map("theirs", a="ours"), policies=(policy,))
    missing = lab.appctl("up", wanted, code=None)
    parts.answered(
        missing, 2, "read only: it is observed, never written, and it does not exist", "create it, or take it out"
    )
    assert maps(lab) == []

    lab.kubectl("create", "configmap", "theirs", "--from-literal=a=theirs")
    before = lab.get("configmap", "theirs")
    lab.appctl("up", wanted)
    lab.appctl("up", wanted)
    assert lab.get("configmap", "theirs") == before
    lab.appctl("delete", f"{lab.namespace}/shop", "--yes")
    assert lab.get("configmap", "theirs") == before


def test_garbage_collection_rules_say_what_goes_when_and_how(lab: laboratory.Laboratory) -> None:
    rules = [
        {"selector": {"resourceNames": ["never"]}, "strategy": "never"},
        {"selector": {"resourceNames": ["late"]}, "strategy": "onAppDelete"},
        {"selector": {"resourceNames": ["web"]}, "propagation": "orphan"},
    ]
    policy = parts.policy("garbage-collect", rules=rules)
    bodies = [parts.config_map("never", a="b"), parts.config_map("late", a="b"), parts.deployment("web")]
    lab.appctl("up", app(lab, FIRST, *bodies, policies=(policy,)), "--create-namespace")
    pods = lab.names("pods")
    done = lab.appctl("up", app(lab, FIRST, policies=(policy,)), "--yes", "--allow-deletes", "9")
    assert "1 deleted" in done.out
    assert maps(lab) == ["first", "late", "never"]
    assert lab.names("deployments") == []
    assert lab.names("pods") == pods, "its pods were to be orphaned"
    lab.appctl("delete", f"{lab.namespace}/shop", "--yes")
    assert maps(lab) == ["never"]


def test_volumes_of_a_statefulset_outlive_it_unless_its_own_policy_says_otherwise(lab: laboratory.Laboratory) -> None:
    def database(name: str, **more: Any) -> dict[str, Any]:
        labels = {"app": name}
        pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "db", "image": "example/db:1"}]}}
        data = {"metadata": {"name": "data"}, "spec": claim("data")["spec"]}
        spec = {"selector": {"matchLabels": labels}, "serviceName": name, "template": pod, "volumeClaimTemplates": [data]}
        return {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": name}, "spec": spec | more}

    retention = {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete", "whenScaled": "Retain"}}
    lab.appctl("up", app(lab, FIRST, database("kept"), database("swept", **retention)), "--create-namespace")
    claims = ["persistentvolumeclaim/data-kept-0", "persistentvolumeclaim/data-swept-0"]
    assert lab.names("persistentvolumeclaims") == claims
    done = lab.appctl("delete", f"{lab.namespace}/shop", "--yes", code=1)
    assert "its volumes are deleted with it" in done.err
    assert "--delete StatefulSet/swept" in done.err
    assert lab.names("statefulsets") == ["statefulset.apps/swept"]
    lab.appctl("delete", f"{lab.namespace}/shop", "--yes", "--delete", "StatefulSet/swept")
    parts.until(lambda: lab.names("persistentvolumeclaims") == claims[:1])


def test_a_release_that_fails_deletes_nothing(lab: laboratory.Laboratory) -> None:
    going = parts.config_map("going", a="b")
    lab.appctl("up", app(lab, FIRST, parts.deployment("web"), going), "--create-namespace")
    bad = app(lab, FIRST, parts.deployment("web", replicas=-1))
    lab.appctl("up", bad, "--yes", code=1)
    assert maps(lab) == ["first", "going"]
    lab.appctl("up", app(lab, FIRST, parts.deployment("web")), "--yes")
    assert maps(lab) == ["first"]


def test_an_application_in_another_namespace_is_another_application(lab: laboratory.Laboratory) -> None:
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": lab.namespace}}
    role["rules"] = []
    lab.appctl("up", app(lab, FIRST, role), "--create-namespace")
    there = parts.at(lab, lab.context)
    there.namespace = f"{lab.namespace}-new"
    try:
        refused = there.appctl("up", app(there, FIRST, role), "--create-namespace", code=None)
        parts.answered(refused, 2, f"error: ClusterRole {lab.namespace}", f"it belongs to application {lab.namespace}/shop")
        there.appctl("up", app(there, FIRST), "--create-namespace")
        assert {one["namespace"] for one in json.loads(lab.appctl("list", "-A", "-o", "json").out)["items"]} == {
            lab.namespace,
            there.namespace,
        }
        lab.appctl("delete", f"{lab.namespace}/shop", "--yes")
        assert maps(lab) == []
        assert maps(there) == ["first"]
        assert "nothing to do" in there.appctl("up", app(there, FIRST)).err
    finally:
        there.kubectl("delete", "namespace", there.namespace, "--wait=false", "--ignore-not-found")


def test_deletion_needs_an_answer_and_is_done_once(lab: laboratory.Laboratory) -> None:
    lab.appctl("up", app(lab, FIRST), "--create-namespace")
    name = f"{lab.namespace}/shop"
    parts.answered(
        lab.appctl("delete", name, code=None), 2, "- delete    ConfigMap/first", "delete 1 object in", "add --yes"
    )
    assert maps(lab) == ["first"]
    assert "1 to delete" in lab.appctl("delete", name, "--dry-run").err
    lab.appctl("delete", name, "--yes")
    assert maps(lab) == []
    parts.answered(lab.appctl("delete", name, "--yes", code=None), 2, "error: there is no application")
    lab.appctl("up", app(lab, FIRST))
    assert maps(lab) == ["first"]
