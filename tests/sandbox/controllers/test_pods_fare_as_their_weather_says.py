"""Kubelets, weather, nodes and what happens to their pods."""

from __future__ import annotations

import pytest
from small_world import World, conditions, daemon_set, deployment, node, pod, ready

from appdelivery.sandbox.controllers import weather

WORD = "test.appdelivery.dev/weather"


def state(world, name="p"):
    status = world.get("Pod", name)["status"]
    return status["phase"], status["containerStatuses"][0]


def test_a_pod_is_ready_at_once_with_an_address_of_its_own():
    world = World()
    for name in ("p", "q"):
        world.make(pod(name))
    phase, container = state(world)
    assert phase == "Running"
    assert container["ready"]
    assert container["state"]["running"]
    assert [one["type"] for one in world.get("Pod", "p")["status"]["conditions"]] == [
        "Initialized", "Ready", "ContainersReady", "PodScheduled",
    ]  # fmt: skip
    addresses = [world.get("Pod", name)["status"]["podIP"] for name in ("p", "q")]
    assert addresses == ["10.244.0.2", "10.244.0.3"]
    world.delete("Pod", "p")
    world.make(pod("r"))
    assert world.get("Pod", "r")["status"]["podIP"] == "10.244.0.2"


def test_a_slow_start_is_seen_as_one():
    world = World()
    world.make(pod("p", notes={"ready-after": "20s"}))
    phase, container = state(world)
    assert (phase, container["state"]) == ("Pending", {"waiting": {"reason": "ContainerCreating"}})
    world.after(19)
    assert state(world)[0] == "Pending"
    world.after(2)
    assert state(world)[0] == "Running"


@pytest.mark.parametrize(
    ("given", "phase", "reason", "last", "event"),
    [
        ({"notes": {"weather": "crash"}}, "Running", "CrashLoopBackOff", "Error", "BackOff"),
        ({"notes": {"weather": "oom"}}, "Running", "CrashLoopBackOff", "OOMKilled", "BackOff"),
        ({"image": "app:v2-bad"}, "Running", "CrashLoopBackOff", "Error", "BackOff"),
        ({"notes": {"weather": "image-pull-error"}}, "Pending", "ImagePullBackOff", None, "Failed"),
    ],
)
def test_bad_weather_shows_in_status_and_events(given, phase, reason, last, event):
    world = World()
    world.make(pod("p", **given))
    found, container = state(world)
    assert (found, container["state"]["waiting"]["reason"], container["ready"]) == (phase, reason, False)
    assert container["lastState"].get("terminated", {}).get("reason") == last
    assert not ready(world.pods())
    assert event in {why for kind, why, _ in world.said("Pod") if kind == "Warning"}


def test_a_pod_that_never_gets_ready_runs_all_the_same():
    world = World()
    world.make(pod("p", notes={"weather": "never-ready"}))
    phase, container = state(world)
    assert (phase, container["started"], container["ready"]) == ("Running", True, False)
    assert ("Warning", "Unhealthy") in [one[:2] for one in world.said("Pod")]


def test_a_pod_degrades_when_it_says_so():
    world = World()
    world.make(deployment(replicas=2, notes={"degraded-after": "60s"}))
    world.after(59)
    assert len(ready(world.pods())) == 2
    world.after(2)
    assert ready(world.pods()) == []
    web = world.get("Deployment", "web")
    assert conditions(web)["Available"] == ("False", "MinimumReplicasUnavailable")
    assert conditions(web)["Progressing"] == ("True", "NewReplicaSetAvailable")


def test_a_pod_that_stops_slowly_is_terminating_until_then():
    world = World()
    world.make(deployment(replicas=1, notes={"terminates-after": "15s"}))
    name = world.pods()[0]["metadata"]["name"]
    world.delete("Pod", name)
    assert "deletionTimestamp" in world.get("Pod", name)["metadata"]
    assert world.all("ReplicaSet")[0]["status"]["terminatingReplicas"] == 1
    assert len(ready(world.pods())) == 2
    world.after(16)
    assert world.get("Pod", name) is None
    assert ("Normal", "Killing", "Stopping container main") in world.said("Pod")


def test_init_containers_end_and_sidecars_stay():
    world = World()
    inits = [{"name": "setup", "image": "i"}, {"name": "mesh", "image": "m", "restartPolicy": "Always"}]
    world.make(pod("p", initContainers=inits))
    setup, mesh = world.get("Pod", "p")["status"]["initContainerStatuses"]
    assert setup["state"]["terminated"]["reason"] == "Completed"
    assert mesh["state"]["running"]
    assert mesh["started"]


def test_logs_tell_what_happened():
    assert weather.logs(pod("p")) == weather.LINES
    assert weather.logs(pod("p", notes={"logs": "one\ntwo"})) == ("one", "two")
    assert "fatal" in weather.logs(pod("p", image="x:1-bad"))[-1]
    assert weather.logs(pod("p", notes={"weather": "image-pull-error"})) == ()
    assert weather.logs(pod("p"), previous=True) == ()
    assert weather.logs(pod("p", image="x:1-bad"), previous=True)


def test_a_durations_that_is_none_counts_as_none():
    assert weather.of(pod("p", notes={"ready-after": "soon", "weather": "sunny"})) == weather.Weather()


# --- nodes ---


def test_a_node_reports_itself():
    world = World([node("a")])
    found = world.get("Node", "a")
    assert conditions(found)["Ready"] == ("True", "KubeletReady")
    assert [one["type"] for one in found["status"]["conditions"]] == [
        "Ready", "MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable",
    ]  # fmt: skip
    assert found["metadata"]["labels"]["kubernetes.io/hostname"] == "a"
    assert found["status"]["nodeInfo"]["kubeletVersion"].startswith("v1.")
    assert world.get("Lease", "a", namespace="kube-node-lease")["spec"]["holderIdentity"] == "a"


def test_the_pods_of_a_node_that_is_lost_move_after_their_patience():
    world = World([node("a"), node("b")])
    world.make(deployment(replicas=2))
    world.make(daemon_set())
    world.change("Node", "a", {"metadata": {"annotations": {WORD: "node-not-ready"}}})
    lost = world.get("Node", "a")
    assert conditions(lost)["Ready"] == ("False", "KubeletNotReady")
    assert {(one["key"], one["effect"]) for one in lost["spec"]["taints"]} == {
        ("node.kubernetes.io/not-ready", "NoSchedule"),
        ("node.kubernetes.io/not-ready", "NoExecute"),
    }
    world.after(299)
    assert {one["spec"]["nodeName"] for one in world.pods(prefix="web")} == {"a", "b"}
    world.after(2)
    assert {one["spec"]["nodeName"] for one in world.pods(prefix="web")} == {"b"}
    assert {one["spec"]["nodeName"] for one in world.pods(prefix="agent")} == {"a", "b"}
    assert "TaintManagerEviction" in {why for _, why, _ in world.said("Pod")}
    world.change("Node", "a", {"metadata": {"annotations": {WORD: None}}})
    assert "taints" not in world.get("Node", "a")["spec"]


def test_a_taint_that_executes_evicts_at_once_whom_it_may():
    world = World([node("a"), node("b")])
    world.make(pod("p", nodeSelector={"kubernetes.io/hostname": "a"}))
    world.make(pod("q", nodeSelector={"kubernetes.io/hostname": "a"}, tolerations=[{"key": "bad", "operator": "Exists"}]))
    world.change("Node", "a", {"spec": {"taints": [{"key": "bad", "effect": "NoExecute"}]}})
    assert [one["metadata"]["name"] for one in world.pods()] == ["q"]


def test_the_pods_of_a_deleted_node_are_collected_and_made_anew_elsewhere():
    world = World([node("a"), node("b")])
    world.make(deployment(replicas=4))
    world.delete("Node", "a")
    world.after(39)
    assert {one["spec"]["nodeName"] for one in world.pods()} == {"a", "b"}
    world.after(2)
    assert [one["spec"]["nodeName"] for one in world.pods()] == ["b"] * 4
    assert len(ready(world.pods())) == 4
