"""Presets and node files, how events are counted and forgotten, and how the queue behaves."""

from __future__ import annotations

import asyncio

import pytest
from small_world import World, deployment, node, pod, ready

from appdelivery.sandbox import clock, cluster, controllers, status
from appdelivery.sandbox.controllers import events, presets, queue


@pytest.mark.parametrize(("preset", "count"), [("small", 3), ("gpu", 6), ("multi-region", 5)])
def test_every_preset_gives_nodes_that_become_ready(preset, count):
    world = World(preset)
    found = world.all("Node")
    assert len(found) == count
    assert all(one["status"]["conditions"][0]["status"] == "True" for one in found)
    assert presets.checked(presets.nodes(preset)) == presets.nodes(preset)


def test_the_gpu_preset_has_what_placement_rules_ask_for():
    found = {one["metadata"]["name"]: one for one in presets.nodes("gpu")}
    assert found["mig-b"]["status"]["allocatable"]["nvidia.com/mig-1g.10gb"] == "14"
    assert found["l4-a"]["metadata"]["labels"]["nvidia.com/gpu.product"] == "NVIDIA-L4"
    world = World("gpu")
    world.make(pod("p", requests={"nvidia.com/gpu": "1"}))
    assert world.get("Pod", "p")["spec"].get("nodeName") is None
    bears = [{"key": "nvidia.com/gpu", "operator": "Exists"}]
    world.make(pod("q", requests={"nvidia.com/gpu": "8"}, tolerations=bears))
    assert world.get("Pod", "q")["spec"]["nodeName"] in {"a100-a", "h100-b"}


def test_regions_differ_from_cluster_to_cluster():
    regions = [
        presets.nodes("multi-region", number)[0]["metadata"]["labels"]["topology.kubernetes.io/region"]
        for number in range(4)
    ]
    assert regions == ["eu-west", "us-east", "ap-south", "eu-west"]
    prices = {presets.nodes("multi-region", number)[0]["metadata"]["labels"][presets.PRICE] for number in range(3)}
    assert len(prices) == 3


@pytest.mark.parametrize(
    ("documents", "says"),
    [
        ([], "there is no Node in it"),
        (["x"], "document 1 is not an object but str"),
        ([{"apiVersion": "v1", "kind": "Pod"}], "document 1 is v1 Pod; only v1 Node is taken"),
        ([{"apiVersion": "v1", "kind": "Node"}], "document 1: metadata.name is missing"),
        ([node("a"), node("a")], "node 'a' is there twice"),
        ([node("a", gpu="many")], "node 'a': status.capacity.gpu: 'many' is not a quantity"),
        ([node("a", labels={"n": 1})], r"metadata.labels\[n\] is 1; write it as text"),
        ([node("a", taints=[{"key": "x"}])], r"spec.taints\[0\] needs a key and an effect"),
        ([{**node("a"), "status": []}], "node 'a': status is not an object but list"),
        ([{"apiVersion": "v1", "kind": "List", "items": [{"kind": "Node"}]}], "document 1 is None Node"),
    ],
)
def test_a_broken_node_file_is_explained(documents, says):
    with pytest.raises(presets.BrokenNodes, match=says):
        presets.checked(documents)


def test_an_unknown_preset_names_those_there_are():
    with pytest.raises(presets.BrokenNodes, match="there is no preset 'huge'; there are gpu, multi-region, small"):
        presets.nodes("huge")


# --- events ---


def test_a_repeated_event_is_counted_and_many_alike_are_combined():
    world = World()
    about = world.get("Namespace", "default")
    recorder = world.controllers.context.events
    for _ in range(5):
        recorder.warning(about, "Hot", "it is hot", by="sun")
    found = [one for one in world.all("Event") if one["reason"] == "Hot"]
    assert [one["count"] for one in found] == [5]
    for number in range(15):
        recorder.normal(about, "Cold", f"it is {number} degrees", by="moon")
    found = [one for one in world.all("Event") if one["reason"] == "Cold"]
    assert len(found) == 11
    combined = next(one for one in found if one["message"].startswith("(combined from similar events): "))
    assert (combined["count"], combined["message"]) == (5, "(combined from similar events): it is 14 degrees")


def test_events_are_forgotten_after_an_hour_and_beyond_their_number(monkeypatch):
    monkeypatch.setattr(events, "LIMIT", 50)
    world = World()
    world.make(deployment(replicas=20))
    assert len(world.all("Event")) <= 50
    world.after(3700)
    world.make(pod("p"))
    assert {one["involvedObject"]["name"] for one in world.all("Event")} == {"p"}


# --- queue ---


def test_the_writes_of_a_deployment_do_not_grow_with_their_number():
    world = World([node(f"n{number}", cpu="400", pods="1000") for number in range(2)])
    counts = []
    for rounds in (1, 4):
        world.heard.clear()
        before = world.cluster.storage.revision
        for number in range(10 * rounds):
            world.make(deployment(f"web-{rounds}-{number}"), settle=False)
        world.controllers.settle()
        counts.append((world.cluster.storage.revision - before) / rounds)
    assert counts[0] == counts[1] <= 190


def test_a_refused_reconcile_is_tried_again_ever_later():
    world = cluster.Cluster("test", clock=clock.Clock(speed=0))
    tried = []

    def refuse(context, key):
        tried.append(context.clock.elapsed())
        raise status.Refusal(403, "Forbidden", "no")

    table = [queue.Controller("no", refuse, {("", "pods"): queue.itself})]
    found = queue.Controllers(world, table)
    found.context.again("no", ("default", "p"), 0)
    found.settle()
    world.clock.advance(8)
    assert tried == [0, 1, 3, 7]


def test_controllers_that_undo_each_other_are_noticed(monkeypatch):
    monkeypatch.setattr(queue, "ENDLESS", 100)
    world = cluster.Cluster("test", clock=clock.Clock(speed=0))
    table = [queue.Controller("loop", lambda context, key: context.again("loop", key, 0), {})]
    found = queue.Controllers(world, table)
    found.context.again("loop", ("", "x"), 0)
    with pytest.raises(RuntimeError, match="do not come to rest; next: loop"):
        found.settle()


async def test_a_server_serves_the_queue_between_requests():
    world = cluster.Cluster("test", clock=clock.Clock(speed=100))
    found = controllers.start(world, nodes=presets.nodes("small"))
    tasks = [asyncio.create_task(found.run()), asyncio.create_task(world.clock.run())]
    await asyncio.sleep(0)
    done = asyncio.Event()

    def watch(event):
        if event.family == ("", "pods") and ready([event.item.body]):
            done.set()

    world.storage.listen(watch)
    from small_world import ME, writes

    body = {"apiVersion": "apps/v1", **deployment(notes={"ready-after": "2s"})}
    writes.create(world, world.kind("apps/v1", "Deployment"), "default", body, ME)
    await asyncio.wait_for(done.wait(), 10)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
