"""What a Deployment costs in memory, with its ReplicaSet, its pod, their events and the history of their watches."""

from __future__ import annotations

import gc
import tracemalloc

import pytest

from appdelivery.sandbox import writes
from appdelivery.sandbox.controllers import presets
from appdelivery.sandbox.member import Member, Setup

COUNT = 20
MOST = 64_000  # bytes; it is 54,000, and was 85,000 when every object kept its managedFields for itself


def deployment(name):
    labels = {"app": name}
    container = {"name": "main", "image": "registry.example/web:1.4.2", "resources": {"requests": {"cpu": "1m"}}}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "labels": labels}, "spec": spec}


def delivered(member, names):
    kind = member.cluster.kind("apps/v1", "Deployment")
    for name in names:
        writes.apply(member.cluster, kind, ("default", name), deployment(name), writes.Options(manager="tests"))
        member.controllers.settle()


@pytest.mark.slow
def test_a_deployment_with_its_history_costs_at_most_so_much():
    member = Member(Setup("sandbox", nodes=presets.nodes("small")), speed=0)
    member.cluster.storage.limit = COUNT  # an event a Deployment, as 2,000 of both
    delivered(member, [f"before-{i}" for i in range(COUNT)])
    gc.collect()
    tracemalloc.start()
    try:
        delivered(member, [f"web-{i}" for i in range(COUNT)])
        gc.collect()
        used = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert len(member.cluster.storage.family(("", "pods"))) == 2 * COUNT
    assert used / COUNT < MOST
