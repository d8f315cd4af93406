"""Where pods run, and the sentences for those that run nowhere."""

from __future__ import annotations

import pytest
import support
from hypothesis import given, settings
from hypothesis import strategies as st
from small_world import World, deployment, node, pod

from appdelivery.sandbox.controllers.scheduler import amounts

HELPLESS = (
    "no new claims to deallocate, preemption: 0/{0} nodes are available: {0} Preemption is not helpful for scheduling."
)


def where(world, name):
    return world.get("Pod", name)["spec"].get("nodeName")


def why(world, name):
    found = [one for one in world.get("Pod", name)["status"]["conditions"] if one["type"] == "PodScheduled"]
    assert found[0]["status"] == "False"
    assert found[0]["reason"] == "Unschedulable"
    assert ("Warning", "FailedScheduling", found[0]["message"]) in world.said("Pod")
    return found[0]["message"]


def affinity(section, strength, **term):
    if strength == "required":
        return {section: {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    return {section: {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": term}]}}


SAME = {"labelSelector": {"matchLabels": {"app": "web"}}, "topologyKey": "topology.kubernetes.io/zone"}


def test_extended_resources_fill_up_and_the_rest_waits_with_the_schedulers_words():
    world = World([node("a", **{"nvidia.com/gpu": "8"}), node("b", **{"nvidia.com/gpu": "8"}), node("c"), node("d")])
    for number in range(5):
        world.make(pod(f"p{number}", requests={"nvidia.com/gpu": "4"}))
    assert sorted(where(world, f"p{number}") for number in range(4)) == ["a", "a", "b", "b"]
    assert why(world, "p4") == (
        "0/4 nodes are available: 4 Insufficient nvidia.com/gpu. no new claims to deallocate, preemption: 0/4 nodes are"
        " available: 2 No preemption victims found for incoming pod, 2 Preemption is not helpful for scheduling."
    )
    world.delete("Pod", "p0")
    assert where(world, "p4") in {"a", "b"}


def test_every_reason_is_counted():
    world = World(
        [
            node("a", taints=[{"key": "gpu", "effect": "NoSchedule"}]),
            node("b", labels={"disk": "hdd"}),
            node("c", cpu="1", labels={"disk": "ssd"}),
            node("d", cpu="1", memory="1Gi", labels={"disk": "ssd"}),
        ]
    )
    world.make(pod("p", requests={"cpu": "2", "memory": "2Gi"}, nodeSelector={"disk": "ssd"}))
    assert why(world, "p") == (
        "0/4 nodes are available: 1 Insufficient memory, 1 node(s) didn't match Pod's node affinity/selector,"
        " 1 node(s) had untolerated taint(s), 2 Insufficient cpu. " + HELPLESS.format(4)
    )


def test_there_may_be_no_nodes():
    world = World([])
    world.make(pod("p"))
    assert why(world, "p") == "no nodes available to schedule pods"
    world.make(node("a"))
    assert where(world, "p") == "a"


def test_a_cordoned_node_takes_nothing_new():
    world = World([node("a")])
    world.change("Node", "a", {"spec": {"unschedulable": True}})
    assert world.get("Node", "a")["spec"]["taints"][0]["key"] == "node.kubernetes.io/unschedulable"
    world.make(pod("p"))
    assert "1 node(s) were unschedulable." in why(world, "p")
    world.change("Node", "a", {"spec": {"unschedulable": None}})
    assert where(world, "p") == "a"


def test_init_containers_sidecars_and_overhead_count():
    body = {
        "metadata": {},
        "spec": {
            "containers": [{"name": "a", "resources": {"requests": {"cpu": "500m"}}}, {"name": "b", "resources": {"limits": {"cpu": "1"}}}],
            "initContainers": [
                {"name": "side", "restartPolicy": "Always", "resources": {"requests": {"cpu": "250m"}}},
                {"name": "big", "resources": {"requests": {"cpu": "3", "memory": "1Gi"}}},
            ],
            "overhead": {"cpu": "100m"},
        },
    }  # fmt: skip
    assert amounts.requested(body) == {"cpu": 3350, "memory": 2**30}


def test_a_node_holds_no_more_pods_than_it_says():
    world = World([node("a", pods="2")])
    for number in range(3):
        world.make(pod(f"p{number}"))
    assert "1 Too many pods." in why(world, "p2")


def test_host_ports_are_taken_once():
    world = World([node("a")])
    for name in ("p", "q"):
        body = pod(name)
        body["spec"]["containers"][0]["ports"] = [{"containerPort": 80, "hostPort": 80}]
        world.make(body)
    assert "1 node(s) didn't have free ports for the requested pod ports." in why(world, "q")


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ({"key": "gen", "operator": "Gt", "values": ["3"]}, "new"),
        ({"key": "gen", "operator": "Lt", "values": ["3"]}, "old"),
        ({"key": "gen", "operator": "NotIn", "values": ["1"]}, "new"),
        ({"key": "extra", "operator": "DoesNotExist"}, "old"),
        ({"key": "extra", "operator": "Exists"}, "new"),
    ],
)
def test_required_node_affinity_chooses(expression, found):
    world = World([node("old", labels={"gen": "1"}), node("new", labels={"gen": "5", "extra": ""})])
    terms = {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}
    world.make(pod("p", affinity={"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}))
    assert where(world, "p") == found


def test_preferences_weigh_more_than_room():
    world = World([node("big", cpu="64"), node("near", labels={"disk": "ssd"})])
    prefer = [{"weight": 10, "preference": {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]}}]
    world.make(pod("p", affinity={"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": prefer}}))
    assert where(world, "p") == "near"


def test_a_taint_that_only_asks_is_avoided_while_there_is_another():
    world = World([node("a", taints=[{"key": "x", "effect": "PreferNoSchedule"}]), node("b")])
    world.make(pod("p"))
    assert where(world, "p") == "b"


def test_tolerations_open_a_node():
    world = World([node("a", taints=[{"key": "gpu", "value": "yes", "effect": "NoSchedule"}])])
    world.make(pod("p", tolerations=[{"key": "gpu", "operator": "Equal", "value": "no", "effect": "NoSchedule"}]))
    assert "1 node(s) had untolerated taint(s)." in why(world, "p")
    world.make(pod("q", tolerations=[{"key": "gpu", "operator": "Exists"}]))
    assert where(world, "q") == "a"


def test_pods_keep_apart_by_anti_affinity():
    world = World([node("a", zone="1"), node("b", zone="2"), node("c", zone="2")])
    world.make(deployment(replicas=3, affinity=affinity("podAntiAffinity", "required", **SAME)))
    placed = [one["spec"]["nodeName"] for one in world.pods() if one["spec"].get("nodeName")]
    assert len(placed) == 2
    assert "a" in placed
    lost = next(one["metadata"]["name"] for one in world.pods() if not one["spec"].get("nodeName"))
    assert "3 node(s) didn't match pod anti-affinity rules." in why(world, lost)
    world.make(pod("stranger", labels={"app": "web"}))
    assert "3 node(s) didn't satisfy existing pods anti-affinity rules." in why(world, "stranger")


def test_a_pod_follows_the_one_it_wants_near_even_when_that_comes_later():
    world = World([node("a", zone="1"), node("b", zone="2")])
    world.make(pod("follower", affinity=affinity("podAffinity", "required", **SAME)))
    assert "2 node(s) didn't match pod affinity rules." in why(world, "follower")
    world.make(pod("leader", labels={"app": "web"}, nodeSelector={"topology.kubernetes.io/zone": "2"}))
    assert where(world, "follower") == "b"


def test_a_group_that_wants_to_be_together_can_begin():
    world = World([node("a", zone="1"), node("b", zone="2")])
    world.make(deployment(replicas=4, affinity=affinity("podAffinity", "required", **SAME)))
    assert len({one["spec"]["nodeName"] for one in world.pods()}) == 1


def test_topology_spread_is_kept():
    world = World([node(f"n{number}", zone=zone) for number, zone in enumerate("aabc")])
    spread = [
        {
            "maxSkew": 1,
            "topologyKey": "topology.kubernetes.io/zone",
            "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": {"app": "web"}},
        }
    ]
    world.make(deployment(replicas=9, topologySpreadConstraints=spread))
    zones = [one["metadata"]["labels"]["topology.kubernetes.io/zone"] for one in world.pods()]
    assert {zone: zones.count(zone) for zone in "abc"} == {"a": 3, "b": 3, "c": 3}


def test_kin_are_spread_without_being_asked():
    world = World("small")
    world.make(deployment(replicas=6))
    placed = [one["spec"]["nodeName"] for one in world.pods()]
    assert {name: placed.count(name) for name in placed} == {"cpu-a": 2, "cpu-b": 2, "cpu-c": 2}


def test_the_more_important_pod_is_placed_first():
    world = World([node("a", cpu="1")])
    for name, value in (("low", 1), ("high", 1000)):
        world.make({"kind": "PriorityClass", "metadata": {"name": name}, "value": value})
    world.make(pod("one", requests={"cpu": "1"}, priorityClassName="low"), settle=False)
    world.make(pod("two", requests={"cpu": "1"}, priorityClassName="high"), settle=False)
    world.controllers.settle()
    assert (where(world, "one"), where(world, "two")) == (None, "a")


def test_other_schedulers_and_gates_are_respected():
    world = World()
    world.make(pod("theirs", schedulerName="other"))
    world.make(pod("gated", schedulingGates=[{"name": "wait"}]))
    assert where(world, "theirs") is where(world, "gated") is None
    world.change("Pod", "gated", {"spec": {"schedulingGates": None}})
    assert where(world, "gated") is not None


def test_a_pod_of_a_claim_waits_for_it():
    world = World()
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    world.make(pod("p", volumes=volumes))
    assert why(world, "p") == '0/3 nodes are available: persistentvolumeclaim "data" not found. not found'
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    world.make({"kind": "PersistentVolumeClaim", "metadata": {"name": "data"}, "spec": spec})
    world.after(2)
    assert where(world, "p") is not None


@settings(max_examples=support.examples(10))
@given(st.lists(st.integers(100, 3000), min_size=1, max_size=14), st.integers(1, 3))
def test_no_node_is_given_more_than_it_has_and_nobody_waits_for_room_that_is_there(sizes, count):
    world = World([node(f"n{number}", cpu="4") for number in range(count)])
    for number, size in enumerate(sizes):
        world.make(pod(f"p{number}", requests={"cpu": f"{size}m"}), settle=False)
    world.controllers.settle()
    taken = {f"n{number}": 0 for number in range(count)}
    waiting = []
    for number, size in enumerate(sizes):
        name = where(world, f"p{number}")
        if name:
            taken[name] += size
        else:
            waiting.append(size)
    assert max(taken.values()) <= 4000
    assert all(4000 - used < size for size in waiting for used in taken.values())


def test_equal_clusters_give_equal_choices():
    def run():
        world = World("gpu", seed=7)
        world.make(deployment(replicas=7, requests={"cpu": "500m"}))
        world.image("Deployment", "web", "app:v2")
        return [(one["metadata"]["name"], one["spec"]["nodeName"], one["status"]["podIP"]) for one in world.pods()]

    assert run() == run()


# --- preemption ---


def important(world):
    for name, value in (("low", 1), ("middle", 10), ("high", 1000)):
        world.make({"kind": "PriorityClass", "metadata": {"name": name}, "value": value})
    return world


def test_a_more_important_pod_takes_the_place_of_the_least_important():
    world = important(World([node("a", cpu="2"), node("b", cpu="2")]))
    world.make(pod("one", requests={"cpu": "2"}, priorityClassName="middle"))
    world.make(pod("two", requests={"cpu": "1"}, priorityClassName="low"))
    world.make(pod("three", requests={"cpu": "1"}, priorityClassName="low"))
    world.make(pod("boss", requests={"cpu": "1"}, priorityClassName="high"))
    assert where(world, "boss") == "b"
    assert len(world.pods()) == 3
    assert world.get("Pod", "one") is not None
    told = [one for one in world.said("Pod") if one[1] in {"Preempted", "FailedScheduling"}]
    uid = world.get("Pod", "boss")["metadata"]["uid"]
    assert told == [
        ("Warning", "FailedScheduling", "0/2 nodes are available: 2 Insufficient cpu."),
        ("Normal", "Preempted", f"Preempted by pod {uid} on node b"),
    ]
    assert "nominatedNodeName" not in world.get("Pod", "boss")["status"]


def test_it_waits_for_a_slow_victim_and_takes_no_other():
    world = important(World([node("a", cpu="2")]))
    for name in ("one", "two"):
        world.make(pod(name, requests={"cpu": "1"}, priorityClassName="low", notes={"terminates-after": "10s"}))
    world.make(pod("boss", requests={"cpu": "1"}, priorityClassName="high"))
    assert world.get("Pod", "boss")["status"]["nominatedNodeName"] == "a"
    world.make(node("b", cpu="500m"))
    assert sum("deletionTimestamp" in one["metadata"] for one in world.pods()) == 1
    assert "preemption: not eligible due to a terminating pod on the nominated node." in why(world, "boss")
    world.after(11)
    assert where(world, "boss") == "a"
    assert len(world.pods()) == 2


def test_nobody_is_sent_away_in_vain():
    world = important(World([node("a", cpu="2")]))
    world.make(pod("one", requests={"cpu": "2"}, priorityClassName="low"))
    world.make(pod("equal", requests={"cpu": "2"}, priorityClassName="low"))
    world.make(pod("huge", requests={"cpu": "3"}, priorityClassName="high"))
    world.make(pod("polite", requests={"cpu": "2"}, preemptionPolicy="Never", priorityClassName="high"))
    assert where(world, "one") == "a"
    assert "No preemption victims found for incoming pod" in why(world, "equal")
    assert "Preemption is not helpful for scheduling" in why(world, "huge")
    assert "not eligible due to preemptionPolicy=Never." in why(world, "polite")
