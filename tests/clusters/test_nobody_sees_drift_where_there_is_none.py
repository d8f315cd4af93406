"""Half a hundred kinds and spellings on a real API server: after every controller acted, no digest of ours differs."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from appdelivery import errors
from appdelivery.clusters import ownership
from appdelivery.model import marks
from appdelivery.model.refs import ref_of

if TYPE_CHECKING:
    from fleet_lab import Lab
    from plane_fixtures import Planes

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.slow,
    pytest.mark.timeout(180),
    pytest.mark.xdist_group("plane"),
]


def corpus(lab: Lab) -> list[dict[str, Any]]:
    with open(os.path.join(os.path.dirname(__file__), "corpus.yaml")) as file:
        text = file.read().replace("NS", lab.namespace).replace("RUN", f"c{lab.namespace}")
    objects = []
    for body in yaml.safe_load_all(text):
        scoped = "namespace" not in body["metadata"]
        marked = lab.object(body["apiVersion"], body["kind"], body["metadata"]["name"], cluster_scoped=scoped)
        for kind in ("labels", "annotations"):
            body["metadata"][kind] = marked["metadata"][kind] | (body["metadata"].get(kind) or {})
        objects.append(body)
    return objects


async def applied(lab: Lab, body: dict[str, Any]) -> Any:
    """Again while the namespace's default service account is not there yet (a pod needs it)."""
    for _ in range(200):
        try:
            return await lab.apply(body)
        except errors.Forbidden:
            await asyncio.sleep(0.05)
    raise AssertionError(f"cannot apply {ref_of(body)}")


async def settled(lab: Lab) -> None:
    """Every controller that will write has written."""
    kube = lab.kube

    def of(api_version: str, kind: str, name: str) -> dict[str, Any]:
        scope = {} if kind == "PersistentVolume" else {"namespace": lab.namespace}
        return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name} | scope}

    def status(live: dict[str, Any], field: str) -> Any:
        return (live.get("status") or {}).get(field)

    await kube.until(of("apps/v1", "Deployment", "web"), lambda live: status(live, "readyReplicas") == 2)
    await kube.until(of("apps/v1", "Deployment", "scaled"), lambda live: status(live, "readyReplicas") == 3, 40)
    await kube.until(of("apps/v1", "StatefulSet", "db"), lambda live: status(live, "readyReplicas") == 2, 40)
    await kube.until(of("apps/v1", "DaemonSet", "logger"), lambda live: status(live, "numberReady"))
    await kube.until(of("batch/v1", "Job", "once"), lambda live: status(live, "succeeded"))
    await kube.until(of("v1", "Pod", "single"), lambda live: status(live, "phase") == "Running")
    await kube.until(of("v1", "PersistentVolumeClaim", "bound"), lambda live: status(live, "phase") == "Bound")
    await kube.until(of("v1", "ResourceQuota", "quota"), lambda live: status(live, "used"))
    await kube.until(of("v1", "Secret", "token"), lambda live: (live.get("data") or {}).get("token"))
    await kube.until(of("policy/v1", "PodDisruptionBudget", "web"), lambda live: status(live, "expectedPods") == 2)
    summed = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": f"c{lab.namespace}-sum"},
    }
    await kube.until(summed, lambda live: live.get("rules"))


async def unchanged(lab: Lab, body: dict[str, Any]) -> bool:
    """Whether an apply writes nothing; tried again because a controller may write a status in between."""
    for _ in range(5):
        version = (await lab.live(body)).version
        if (await lab.apply(body, known_version=version)).result == "unchanged":
            return True
    return False


async def test_after_all_controllers_acted(full_plane: Planes, real_lab: Lab) -> None:
    lab, objects = real_lab, corpus(real_lab)
    answers = []
    try:
        for body in objects:
            answers.append((body, await applied(lab, body)))
        await settled(lab)
        different, moved, wrote, bare = [], 0, [], 0
        for body, answer in answers:
            live = (await lab.live(body)).body
            moved += int(live["metadata"]["resourceVersion"]) != answer.version
            bare += bool(answer.bare)
            if ownership.own_digest(live, lab.manager, answer.bare) != answer.own_digest:
                different.append(str(ref_of(body)))
        assert different == []
        # Not vacuous: controllers did rewrite objects of ours, and {} leaves were filled.
        assert len(objects) >= 50
        assert moved >= 12
        assert bare >= 3
        for body, _ in answers:
            if not await unchanged(lab, body):
                wrote.append(str(ref_of(body)))
        assert wrote == []
    finally:
        for body in objects:
            if "namespace" not in body["metadata"]:
                await lab.kube.delete(body)


async def test_one_list_per_kind_finds_them_all_unchanged(real_lab: Lab) -> None:
    """What a second `up` asks: no write and one LIST per kind."""
    lab = real_lab
    answers = {}
    for index in range(10):
        for body in (lab.config(f"c{index}"), lab.deployment(f"d{index}", replicas=0)):
            answers[ref_of(body)] = await lab.apply(body)
    kinds = {ref.of: 0 for ref in answers}
    for ref, answer in answers.items():
        kinds[ref.of] = max(kinds[ref.of], answer.version)
    before = len(lab.sent)
    found = await lab.fleet.owned(lab.cluster, kinds, [lab.namespace], lab.app)
    asked = lab.sent[before:]
    assert [(one.verb, "watch" in one.query) for one in asked] == [("GET", False)] * 2
    assert all(one.query["resourceVersionMatch"] == "NotOlderThan" for one in asked)
    assert all(marks.INSTANCE in one.query["labelSelector"] for one in asked)
    facts = {fact.ref: fact for listed in found.values() for fact in listed}
    assert facts.keys() == answers.keys()
    assert all(facts[ref].own_digest == answer.own_digest for ref, answer in answers.items())
