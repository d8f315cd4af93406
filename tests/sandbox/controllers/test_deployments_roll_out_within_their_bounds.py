"""Deployments on a cluster whose time stands still."""

from __future__ import annotations

import pytest
import support
from hypothesis import given, settings
from hypothesis import strategies as st
from small_world import World, conditions, deployment, ready

from appdelivery.sandbox.controllers import rollout

REVISION = "deployment.kubernetes.io/revision"


def numbers(body):
    status = body["status"]
    return tuple(status.get(f"{key}eplicas", 0) for key in ("r", "updatedR", "readyR", "availableR"))


def test_a_new_deployment_becomes_available():
    world = World()
    world.make(deployment(replicas=3))
    web = world.get("Deployment", "web")
    assert numbers(web) == (3, 3, 3, 3)
    assert conditions(web) == {
        "Available": ("True", "MinimumReplicasAvailable"),
        "Progressing": ("True", "NewReplicaSetAvailable"),
    }
    assert web["status"]["observedGeneration"] == web["metadata"]["generation"] == 1
    assert web["metadata"]["annotations"][REVISION] == "1"


def test_a_rollout_never_leaves_its_bounds():
    world = World()
    world.make(
        deployment(replicas=10, strategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 2, "maxUnavailable": 3}})
    )
    worst = {"most": 0, "least": 10}

    def watch(event):
        if event.family in {("", "pods"), ("apps", "replicasets")}:
            living = [one for one in world.pods() if "deletionTimestamp" not in one["metadata"]]
            worst["most"] = max(worst["most"], sum(one["spec"]["replicas"] for one in world.all("ReplicaSet")))
            worst["least"] = min(worst["least"], len(ready(living)))

    world.cluster.storage.listen(watch)
    world.image("Deployment", "web", "app:v2")
    assert worst == {"most": 12, "least": 7}
    assert numbers(world.get("Deployment", "web")) == (10, 10, 10, 10)
    assert {one["spec"]["containers"][0]["image"] for one in world.pods()} == {"app:v2"}


def test_recreate_stops_everything_before_it_starts_anything():
    world = World()
    world.make(deployment(replicas=3, strategy={"type": "Recreate"}, notes={"terminates-after": "5s"}))
    world.image("Deployment", "web", "app:v2")
    assert {one["spec"]["containers"][0]["image"] for one in world.pods()} == {"app:v1"}
    assert numbers(world.get("Deployment", "web")) == (0, 0, 0, 0)
    world.after(6)
    assert {one["spec"]["containers"][0]["image"] for one in world.pods()} == {"app:v2"}
    assert numbers(world.get("Deployment", "web")) == (3, 3, 3, 3)


def test_a_broken_image_times_out_and_the_old_pods_stay():
    world = World()
    world.make(deployment(replicas=4, progressDeadlineSeconds=60))
    world.image("Deployment", "web", "app:v2-bad")
    world.after(59)
    assert conditions(world.get("Deployment", "web"))["Progressing"] == ("True", "ReplicaSetUpdated")
    world.after(2)
    web = world.get("Deployment", "web")
    assert conditions(web)["Progressing"] == ("False", "ProgressDeadlineExceeded")
    assert conditions(web)["Available"] == ("True", "MinimumReplicasAvailable")
    assert len(ready(world.pods())) == 3
    name = next(
        one["metadata"]["name"] for one in world.all("ReplicaSet") if one["metadata"]["annotations"][REVISION] == "2"
    )
    assert next(one["message"] for one in web["status"]["conditions"] if one["type"] == "Progressing") == (
        f'ReplicaSet "{name}" has timed out progressing.'
    )
    world.image("Deployment", "web", "app:v3")
    assert conditions(world.get("Deployment", "web"))["Progressing"] == ("True", "NewReplicaSetAvailable")


def test_a_paused_deployment_scales_but_does_not_roll():
    world = World()
    world.make(deployment(replicas=2))
    world.change("Deployment", "web", {"spec": {"paused": True}})
    world.image("Deployment", "web", "app:v2")
    world.change("Deployment", "web", {"spec": {"replicas": 4}})
    assert {one["spec"]["containers"][0]["image"] for one in world.pods()} == {"app:v1"}
    assert len(world.pods()) == 4
    assert conditions(world.get("Deployment", "web"))["Progressing"] == ("Unknown", "DeploymentPaused")
    world.change("Deployment", "web", {"spec": {"paused": None}})
    assert {one["spec"]["containers"][0]["image"] for one in world.pods()} == {"app:v2"}


def test_a_template_that_returns_gets_its_replica_set_and_a_new_revision():
    world = World()
    world.make(deployment())
    for image in ("app:v2", "app:v1"):
        world.image("Deployment", "web", image)
    assert len(world.all("ReplicaSet")) == 2
    back = next(one for one in world.all("ReplicaSet") if one["spec"]["replicas"])
    assert back["metadata"]["annotations"][REVISION] == "3"
    assert back["metadata"]["annotations"]["deployment.kubernetes.io/revision-history"] == "1"
    assert world.get("Deployment", "web")["metadata"]["annotations"][REVISION] == "3"


def test_old_revisions_are_forgotten_beyond_the_limit():
    world = World()
    world.make(deployment(revisionHistoryLimit=2))
    for number in range(2, 7):
        world.image("Deployment", "web", f"app:v{number}")
    assert sorted(one["metadata"]["annotations"][REVISION] for one in world.all("ReplicaSet")) == ["4", "5", "6"]


def test_minimum_ready_seconds_count_in_controller_time():
    world = World()
    world.make(deployment(replicas=2, minReadySeconds=30))
    assert numbers(world.get("Deployment", "web")) == (2, 2, 2, 0)
    world.after(29)
    assert numbers(world.get("Deployment", "web")) == (2, 2, 2, 0)
    world.after(2)
    assert numbers(world.get("Deployment", "web")) == (2, 2, 2, 2)


def test_a_scaling_in_the_midst_of_a_rollout_is_shared_in_proportion():
    world = World()
    world.make(
        deployment(replicas=10, strategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 3, "maxUnavailable": 2}})
    )
    world.change("Deployment", "web", {"spec": {"template": {"metadata": {"annotations": {
        "test.appdelivery.dev/weather": "never-ready"}}}}})  # fmt: skip
    sizes = sorted(one["spec"]["replicas"] for one in world.all("ReplicaSet"))
    assert sizes == [5, 8]
    world.change("Deployment", "web", {"spec": {"replicas": 20}})
    grown = sorted(one["spec"]["replicas"] for one in world.all("ReplicaSet"))
    assert sum(grown) == 23
    assert grown[1] / grown[0] == pytest.approx(8 / 5, abs=0.3)


def test_pods_of_nobody_are_adopted_and_strangers_let_go():
    world = World()
    world.make(deployment(replicas=2))
    one = world.all("ReplicaSet")[0]
    pod = world.pods()[0]
    world.change("Pod", pod["metadata"]["name"], {"metadata": {"labels": {"app": "other"}}})
    assert "ownerReferences" not in world.get("Pod", pod["metadata"]["name"])["metadata"]
    assert len(ready([p for p in world.pods() if p["metadata"]["labels"]["app"] == "web"])) == 2
    world.change("Deployment", "web", {"spec": {"replicas": 3}})
    world.change("Pod", pod["metadata"]["name"], {"metadata": {"labels": {"app": "web"}}})
    owned = [p for p in world.pods() if p["metadata"]["ownerReferences"][0]["uid"] == one["metadata"]["uid"]]
    assert len(owned) == 3


def test_deleting_a_deployment_takes_everything_with_it():
    world = World()
    world.make(deployment(replicas=3))
    world.delete("Deployment", "web")
    assert world.all("ReplicaSet") == world.pods() == []


def test_the_events_tell_the_story():
    world = World()
    world.make(deployment(replicas=2))
    name = world.all("ReplicaSet")[0]["metadata"]["name"]
    assert world.said("Deployment") == [("Normal", "ScalingReplicaSet", f"Scaled up replica set {name} from 0 to 2")]
    assert [reason for _, reason, _ in world.said("ReplicaSet")] == ["SuccessfulCreate"] * 2
    pod = world.pods()[0]["metadata"]["name"]
    told = [one["reason"] for one in world.all("Event", prefix=f"{pod}.")]
    assert told == ["Scheduled", "Pulled", "Created", "Started"]


sets = st.tuples(st.integers(0, 20), st.integers(0, 20)).map(lambda pair: (max(pair), min(pair)))


@settings(max_examples=support.examples(150))
@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 20), sets, st.lists(sets, max_size=3))
def test_no_step_of_a_rollout_breaks_a_bound_that_held(replicas, surge, unavailable, new, old):
    unavailable = min(unavailable, replicas)
    if surge == unavailable == 0:
        surge = 1
    within = rollout.Bounds(replicas, surge, unavailable)
    fresh = rollout.Set("new", *new)
    others = [rollout.Set(f"old-{age}", *one, age=age) for age, one in enumerate(old)]
    grown = rollout.new_size(within, fresh, others)
    total = fresh.size + sum(one.size for one in others)
    assert grown - fresh.size + total <= max(within.most, total)
    shrunk = rollout.old_sizes(within, fresh, others)
    assert all(0 <= size for size in shrunk.values())
    left = fresh.available + sum(min(one.available, shrunk.get(one.name, one.size)) for one in others)
    before = fresh.available + sum(one.available for one in others)
    assert left >= min(within.least, before)


@settings(max_examples=support.examples(150))
@given(st.integers(1, 50), st.integers(0, 10), st.lists(st.integers(1, 30), min_size=2, max_size=4))
def test_proportional_sizes_add_up_to_what_is_allowed(replicas, surge, sizes):
    within = rollout.Bounds(replicas, surge, 0)
    found = rollout.proportional(within, [rollout.Set(str(n), size, most=sum(sizes), age=n) for n, size in enumerate(sizes)])
    assert sum(found.values()) == within.most
    assert all(size >= 0 for size in found.values())
