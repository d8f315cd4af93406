"""Clusters that cannot be reached, trusted or told: an answer in the house's shape, and nothing begun."""

from __future__ import annotations

import base64
import json
import os
import time
from typing import TYPE_CHECKING, Any

import parts
import pytest
import support
import yaml
from controlplane import pki

if TYPE_CHECKING:
    import laboratory

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(420), pytest.mark.xdist_group("plane-three")]


def shop(lab: laboratory.Laboratory, value: str = "1") -> str:
    return parts.application(lab, "shop", parts.objects(parts.config_map("settings", a=value)))


def wrong_authority(folder: str) -> Any:
    other = base64.b64encode(pki.Authority(folder, "other").certificate).decode()
    return lambda cluster, _user: cluster.update({"certificate-authority-data": other})


def damaged_authority(cluster: dict[str, Any], _user: dict[str, Any]) -> None:
    cluster["certificate-authority-data"] = base64.b64encode(b"not a certificate").decode()


def expired_token(_cluster: dict[str, Any], user: dict[str, Any]) -> None:
    user.clear()
    user["token"] = "expired"


def context_of(lab: laboratory.Laboratory, suffix: str) -> laboratory.Laboratory:
    """Another identity of the same plane; clusters that were given to the tests may not have it."""
    with open(lab.kubeconfig, encoding="utf-8") as file:
        names = [one["name"] for one in yaml.safe_load(file)["contexts"]]
    if f"{lab.context}-{suffix}" not in names:
        support.missing(f"a context {lab.context}-{suffix}", "CLUSTER")
    return parts.at(lab, f"{lab.context}-{suffix}")


def test_a_cluster_that_cannot_be_reached_or_trusted_is_named_with_the_reason(lab: laboratory.Laboratory) -> None:
    cases = {
        "closed": (
            parts.server("https://127.0.0.1:1"),
            "cannot reach https://127.0.0.1:1: Connection refused",
            "ConnectorError",
        ),
        "other": (
            wrong_authority(lab.home),
            "cannot be trusted: unable to get local issuer certificate",
            "CERTIFICATE_VERIFY_FAILED",
        ),
        "damaged": (damaged_authority, "load the certificates of cluster", "SSLError"),
        "expired": (expired_token, "Unauthorized", "401"),
    }
    app = shop(lab)
    paths = {name: parts.kubeconfig(lab, name, change) for name, (change, _, _) in cases.items()}
    plain = parts.together(lab, *[["up", app, "--kubeconfig", path] for path in paths.values()])
    debugged = parts.together(lab, *[["up", app, "--kubeconfig", path, "--debug"] for path in paths.values()])
    for (name, (_, said, cause)), short, long in zip(cases.items(), plain, debugged, strict=True):
        parts.answered(short, 2, f"error: {'' if name == 'damaged' else f'read cluster {lab.context}: '}", said, "\n  ")
        assert (long.code, cause in long.err) == (2, True), long.err
    assert json.loads(lab.appctl("list", "-A", "-o", "json").out)["items"] == []


def test_a_cluster_that_never_answers_is_given_up_in_time(lab: laboratory.Laboratory) -> None:
    with parts.line_to(lab) as (line, path):
        line.hold()
        begun = time.monotonic()
        done = lab.appctl("up", shop(lab), "--kubeconfig", path, code=None)
        parts.answered(done, 2, f"error: read cluster {lab.context}: no answer from {line.address} within 5s")
        assert time.monotonic() - begun < 15 * support.SCALE


def test_a_known_cluster_that_went_down_is_told_from_one_without_our_objects(lab: laboratory.Laboratory) -> None:
    name = f"{lab.namespace}/shop"
    with parts.line_to(lab) as (line, path):
        lab.appctl("up", shop(lab), "--create-namespace", "--kubeconfig", path)
        line.cut()
        down = f"cannot reach {line.address}: Connection refused"
        app = shop(lab, "2")
        refused = (["up", app], ["diff", app], ["delete", name, "--yes"])
        reads = (["plan", app], ["status", name, "--live", "-o", "json"])
        *failed, planned, live = parts.together(lab, *[[*words, "--kubeconfig", path] for words in (*refused, *reads)])
        for done in failed:
            parts.answered(done, 2, "error: ", down)
        assert "? unknown   ConfigMap/settings" in planned.out
        assert "create" not in planned.out
        assert json.loads(live.out)["health"] == "unknown"
        line.mend()
        releases = json.loads(lab.appctl("history", name, "-o", "json").out)["items"]
        assert [one["outcome"] for one in releases] == ["succeeded"]
        lab.appctl("up", shop(lab, "2"), "--kubeconfig", path)


def test_a_line_that_breaks_while_something_is_awaited_is_taken_up_again(lab: laboratory.Laboratory) -> None:
    lab.kubectl("create", "namespace", lab.namespace)
    app = parts.application(lab, "shop", parts.objects(parts.deployment("web", weather="never-ready")))
    with parts.line_to(lab) as (line, path):
        running = parts.Running(lab, "up", app, "--kubeconfig", path)
        running.says("0 of 1 pods are available")
        line.cut()
        parts.make_ready(lab)
        line.mend()
        running.ended(0)
        assert "1 of 1 pods are available" in running.err


def test_who_has_no_rights_is_told_which_one_is_lacking(lab: laboratory.Laboratory) -> None:
    lab.kubectl("create", "namespace", lab.namespace)
    nobody = context_of(lab, "none")
    app = parts.application(nobody, "shop", parts.objects(parts.config_map("settings", a="1"), parts.deployment("web")))
    done = nobody.appctl("up", app, code=None)
    said = parts.answered(done, 2, f"error: read ConfigMap {lab.namespace}/settings on cluster", 'User "none" cannot get')
    assert "kubectl create role appctl" in said
    assert "--verb=get --resource=deployments.apps" in said
    assert json.loads(nobody.appctl("list", "-A", "-o", "json").out)["items"] == []


def test_a_kind_outside_the_rights_stops_the_release_before_anything_is_applied(lab: laboratory.Laboratory) -> None:
    team = context_of(lab, "team")
    team.namespace = "team"
    inside = parts.config_map(f"inside-{lab.namespace}", a="1")
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": lab.namespace}}
    app = parts.application(team, lab.namespace, parts.objects(inside, role | {"rules": []}))
    parts.answered(
        team.appctl("up", app, code=None),
        2,
        f"error: read ClusterRole {lab.namespace} on cluster",
        'cannot get resource "clusterroles"',
        "kubectl create clusterrole appctl --verb=get --resource=clusterroles.rbac.authorization.k8s.io",
    )
    assert f"configmap/inside-{lab.namespace}" not in parts.at(lab, lab.context).kubectl(
        "get", "configmaps", "-n", "team", "-o", "name"
    )

    allowed = parts.application(team, lab.namespace, parts.objects(inside))
    team.appctl("up", allowed)
    team.appctl("up", allowed)
    team.appctl("delete", f"team/{lab.namespace}", "--yes")


def test_a_context_that_has_come_to_mean_another_cluster_is_refused_everywhere(
    lab: laboratory.Laboratory, real_planes
) -> None:
    if len(real_planes.contexts) < 2:
        support.missing("a second cluster", "CLUSTER")
    name = f"{lab.namespace}/shop"
    lab.appctl("up", shop(lab), "--create-namespace")
    with open(lab.kubeconfig, encoding="utf-8") as file:
        tree = yaml.safe_load(file)
    contexts = {one["name"]: one for one in tree["contexts"]}
    first, second = real_planes.contexts[:2]
    contexts[first]["context"] = contexts[second]["context"]
    path = lab.write("moved.kubeconfig", json.dumps(tree))
    os.chmod(path, 0o600)
    app = shop(lab)
    commands = (["up", app], ["plan", app], ["diff", app], ["delete", name, "--yes"], ["why", name], ["wait", name])
    for done in parts.together(lab, *[[*words, "--kubeconfig", path] for words in commands]):
        parts.answered(done, 2, f"error: use cluster {first}: it is another cluster than before", "appctl cluster forget")
    assert lab.get("configmap", "settings")["data"] == {"a": "1"}


def test_another_name_of_the_same_cluster_means_the_same_objects(lab: laboratory.Laboratory) -> None:
    lab.appctl("up", shop(lab), "--create-namespace")
    other = context_of(lab, "token")
    assert "nothing to do" in other.appctl("up", shop(lab)).err
    other.appctl("up", shop(lab, "2"))
    assert "nothing to do" in lab.appctl("up", shop(lab, "2")).err
    other.appctl("delete", f"{lab.namespace}/shop", "--yes")
    assert lab.names("configmaps") == ["configmap/kube-root-ca.crt"]


def test_an_application_that_moves_leaves_its_old_cluster_only_when_it_is_well_on_the_new_one(
    lab: laboratory.Laboratory, real_planes
) -> None:
    if len(real_planes.contexts) < 2:
        support.missing("a second cluster", "CLUSTER")
    new = parts.at(lab, real_planes.contexts[1])
    name = f"{lab.namespace}/shop"
    lab.appctl("up", shop(lab), "--create-namespace")
    new.kubectl("create", "namespace", lab.namespace)
    try:
        kept = new.appctl("up", shop(lab), "--yes")
        assert "--allow-deletes 1" in kept.err
        assert "configmap/settings" in lab.names("configmaps")
        assert f"waits to be deleted: ConfigMap {lab.namespace}/settings" in lab.appctl("status", name).out
        assert "1 deleted" in new.appctl("up", shop(lab), "--yes", "--allow-deletes", "1").out
        assert "configmap/settings" not in lab.names("configmaps")
        assert "configmap/settings" in new.names("configmaps")
    finally:
        new.kubectl("delete", "namespace", lab.namespace, "--wait=false")
