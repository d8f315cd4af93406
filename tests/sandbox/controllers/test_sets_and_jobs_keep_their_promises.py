"""StatefulSets, DaemonSets, Jobs and CronJobs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import support
from hypothesis import given, settings
from hypothesis import strategies as st
from small_world import World, conditions, daemon_set, job, node, ready, stateful_set

from appdelivery.sandbox.controllers import schedule

CLAIM = {
    "metadata": {"name": "data"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}
HASH = "controller-revision-hash"


def names(bodies):
    return [one["metadata"]["name"] for one in bodies]


def images(world):
    return {one["metadata"]["name"]: one["spec"]["containers"][0]["image"] for one in world.pods()}


def born(world):
    """Names of pods in the order in which they were made."""
    return [event.item.key[1] for event in world.heard if event.family == ("", "pods") and event.type == "ADDED"]


# --- StatefulSets ---


def test_a_stateful_set_starts_one_after_the_other_with_claims_of_its_own():
    world = World()
    world.make(stateful_set(replicas=3, volumeClaimTemplates=[CLAIM], notes={"ready-after": "10s"}))
    assert names(world.pods()) == ["db-0"]
    world.after(11)
    assert names(world.pods()) == ["db-0", "db-1"]
    world.after(22)
    assert names(world.pods()) == ["db-0", "db-1", "db-2"]
    assert names(world.all("PersistentVolumeClaim")) == ["data-db-0", "data-db-1", "data-db-2"]
    assert {one["status"]["phase"] for one in world.all("PersistentVolumeClaim")} == {"Bound"}
    last = world.get("Pod", "db-2")
    assert last["spec"]["hostname"] == "db-2"
    assert last["spec"]["subdomain"] == "db"
    assert last["metadata"]["labels"]["apps.kubernetes.io/pod-index"] == "2"
    status = world.get("StatefulSet", "db")["status"]
    assert (status["replicas"], status["readyReplicas"], status["availableReplicas"]) == (3, 3, 3)
    assert status["currentRevision"] == status["updateRevision"]


def test_a_parallel_stateful_set_starts_all_at_once():
    world = World()
    world.make(stateful_set(replicas=3, podManagementPolicy="Parallel", notes={"ready-after": "10s"}))
    assert names(world.pods()) == ["db-0", "db-1", "db-2"]


def test_an_update_goes_from_the_last_pod_to_the_partition():
    world = World()
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}
    world.make(stateful_set(replicas=3, updateStrategy=rolling))
    world.heard.clear()
    world.image("StatefulSet", "db", "app:v2")
    assert born(world) == ["db-2", "db-1"]
    assert images(world) == {"db-0": "app:v1", "db-1": "app:v2", "db-2": "app:v2"}
    status = world.get("StatefulSet", "db")["status"]
    assert status["currentRevision"] != status["updateRevision"]
    assert (status["currentReplicas"], status["updatedReplicas"]) == (1, 2)
    world.delete("Pod", "db-0")
    assert images(world)["db-0"] == "app:v1"
    world.change("StatefulSet", "db", {"spec": {"updateStrategy": {"rollingUpdate": {"partition": 0}}}})
    assert set(images(world).values()) == {"app:v2"}
    status = world.get("StatefulSet", "db")["status"]
    assert status["currentRevision"] == status["updateRevision"]


def test_an_update_waits_for_a_pod_that_does_not_become_ready():
    world = World()
    world.make(stateful_set(replicas=3))
    world.image("StatefulSet", "db", "app:v2-bad")
    assert images(world) == {"db-0": "app:v1", "db-1": "app:v1", "db-2": "app:v2-bad"}


def test_on_delete_replaces_only_what_somebody_deletes():
    world = World()
    world.make(stateful_set(replicas=2, updateStrategy={"type": "OnDelete"}))
    world.image("StatefulSet", "db", "app:v2")
    assert set(images(world).values()) == {"app:v1"}
    world.delete("Pod", "db-1")
    assert images(world) == {"db-0": "app:v1", "db-1": "app:v2"}


@pytest.mark.parametrize(("policy", "left"), [("Retain", ["data-db-0", "data-db-1"]), ("Delete", ["data-db-0"])])
def test_claims_of_pods_that_went_stay_or_go_as_asked(policy, left):
    world = World()
    retention = {"whenDeleted": "Retain", "whenScaled": policy}
    world.make(stateful_set(replicas=2, volumeClaimTemplates=[CLAIM], persistentVolumeClaimRetentionPolicy=retention))
    world.change("StatefulSet", "db", {"spec": {"replicas": 1}})
    assert names(world.pods()) == ["db-0"]
    assert names(world.all("PersistentVolumeClaim")) == left


# --- DaemonSets ---


def test_a_daemon_set_runs_where_it_suits_and_follows_the_nodes():
    tainted = [{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]
    world = World([node("a"), node("b", taints=tainted), node("c", labels={"disk": "hdd"})])
    world.make(daemon_set())
    assert [one["spec"]["nodeName"] for one in world.pods()].count("b") == 0
    assert {one["spec"]["nodeName"] for one in world.pods()} == {"a", "c"}
    status = world.get("DaemonSet", "agent")["status"]
    assert (status["desiredNumberScheduled"], status["numberReady"], status["numberAvailable"]) == (2, 2, 2)
    world.make(node("d"))
    assert {one["spec"]["nodeName"] for one in world.pods()} == {"a", "c", "d"}
    world.change("Node", "c", {"metadata": {"labels": {"kubernetes.io/os": "windows"}}})
    world.change("DaemonSet", "agent", {"spec": {"template": {"spec": {"nodeSelector": {"disk": "hdd"}}}}})
    assert {one["spec"]["nodeName"] for one in world.pods()} == {"c"}


def test_a_daemon_set_replaces_one_at_a_time():
    world = World()
    world.make(daemon_set())
    fewest = []
    world.cluster.storage.listen(lambda _: fewest.append(len(ready(world.pods()))))
    world.image("DaemonSet", "agent", "app:v2")
    assert set(images(world).values()) == {"app:v2"}
    assert min(fewest) == 2
    assert len({one["metadata"]["labels"][HASH] for one in world.pods()}) == 1


def test_a_daemon_set_that_surges_is_never_missing():
    world = World()
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    world.make(daemon_set(updateStrategy=rolling))
    fewest = []
    world.cluster.storage.listen(lambda _: fewest.append(len(ready(world.pods()))))
    world.image("DaemonSet", "agent", "app:v2")
    assert set(images(world).values()) == {"app:v2"}
    assert min(fewest) == 3


# --- Jobs ---


def test_a_job_completes_with_as_many_pods_at_a_time_as_it_may():
    world = World()
    world.make(job(completions=5, parallelism=2, notes={"runs-for": "30s"}))
    assert world.get("Job", "work")["status"]["active"] == 2
    for _ in range(3):
        world.after(31)
    status = world.get("Job", "work")["status"]
    assert status["succeeded"] == 5
    assert "active" not in status
    assert conditions(world.get("Job", "work")) == {
        "SuccessCriteriaMet": ("True", "CompletionsReached"),
        "Complete": ("True", "CompletionsReached"),
    }
    assert status["completionTime"]
    assert {one["status"]["phase"] for one in world.pods()} == {"Succeeded"}
    assert world.said("Job")[-1] == ("Normal", "Completed", "Job completed")


def test_a_job_tries_again_ever_later_until_its_limit():
    world = World()
    world.make(job(backoffLimit=2, notes={"weather": "job-fails"}))
    assert world.get("Job", "work")["status"]["failed"] == 1
    world.after(9)
    assert len(world.pods()) == 1
    world.after(2)
    assert world.get("Job", "work")["status"]["failed"] == 2
    world.after(21)
    work = world.get("Job", "work")
    assert work["status"]["failed"] == 3
    assert conditions(work)["Failed"] == ("True", "BackoffLimitExceeded")
    assert world.said("Job")[-1] == ("Warning", "BackoffLimitExceeded", "Job has reached the specified backoff limit")


def test_a_job_whose_first_pods_fail_ends_well():
    world = World()
    world.make(job(notes={"fails-times": "2"}))
    world.after(60)
    status = world.get("Job", "work")["status"]
    assert (status["failed"], status["succeeded"]) == (2, 1)
    assert conditions(world.get("Job", "work"))["Complete"] == ("True", "CompletionsReached")


def test_a_job_that_takes_too_long_is_stopped():
    world = World()
    world.make(job(activeDeadlineSeconds=60, notes={"weather": "never-ready"}))
    world.after(59)
    assert world.get("Job", "work")["status"]["active"] == 1
    world.after(2)
    assert conditions(world.get("Job", "work"))["Failed"] == ("True", "DeadlineExceeded")
    assert world.pods() == []


def test_a_suspended_job_has_no_pods_until_it_is_resumed():
    world = World()
    world.make(job(suspend=True))
    assert world.pods() == []
    assert conditions(world.get("Job", "work")) == {"Suspended": ("True", "JobSuspended")}
    world.change("Job", "work", {"spec": {"suspend": False}})
    assert conditions(world.get("Job", "work"))["Complete"] == ("True", "CompletionsReached")


def test_an_indexed_job_runs_every_index_once():
    world = World()
    world.make(job(completions=4, parallelism=4, completionMode="Indexed"))
    assert world.get("Job", "work")["status"]["completedIndexes"] == "0-3"
    found = sorted(one["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"] for one in world.pods())
    assert found == ["0", "1", "2", "3"]


def test_a_finished_job_is_gone_after_its_time_to_live():
    world = World()
    world.make(job(ttlSecondsAfterFinished=100))
    world.after(99)
    assert world.get("Job", "work") is not None
    world.after(2)
    assert world.get("Job", "work") is None
    assert world.pods() == []


def test_deleting_a_job_in_the_midst_leaves_no_pod():
    world = World()
    world.make(job(notes={"runs-for": "1h"}))
    world.delete("Job", "work")
    assert world.pods() == []


# --- CronJobs ---


def cron(**more):
    work = job(name="tick", **more.pop("job", {}))["spec"]
    return {
        "kind": "CronJob",
        "metadata": {"name": "tick"},
        "spec": {"schedule": "* * * * *", "jobTemplate": {"spec": work}, **more},
    }


def test_a_cron_job_starts_jobs_by_controller_time_and_keeps_the_last_ones():
    world = World()
    world.make(cron())
    assert world.all("Job") == []
    world.after(600)
    assert len(world.all("Job")) == 3
    made = [one for one in world.said("CronJob") if one[1] == "SuccessfulCreate"]
    assert 9 <= len(made) <= 11 or any(one[2].startswith("(combined") for one in made)
    status = world.get("CronJob", "tick")["status"]
    assert "active" not in status
    assert status["lastSuccessfulTime"]


def test_a_forbidden_overlap_does_not_happen():
    world = World()
    world.make(cron(concurrencyPolicy="Forbid", job={"notes": {"runs-for": "150s"}}))
    world.after(125)
    assert len(world.all("Job")) == 1
    assert ("Normal", "JobAlreadyActive") in [one[:2] for one in world.said("CronJob")]


def test_a_suspended_cron_job_sleeps():
    world = World()
    world.make(cron(suspend=True))
    world.after(600)
    assert world.all("Job") == []


@pytest.mark.parametrize(
    ("text", "start", "due"),
    [
        ("*/15 * * * *", "2026-03-01T10:07", "2026-03-01T10:15"),
        ("0 3 * * *", "2026-03-01T10:07", "2026-03-02T03:00"),
        ("30 9 * * mon-fri", "2026-03-06T10:00", "2026-03-09T09:30"),
        ("0 0 13 * fri", "2026-03-01T00:00", "2026-03-06T00:00"),
        ("@monthly", "2026-12-15T00:00", "2027-01-01T00:00"),
        ("5,10 */6 * * *", "2026-03-01T06:10", "2026-03-01T12:05"),
        ("0 0 29 2 *", "2026-03-01T00:00", "2028-02-29T00:00"),
    ],
)
def test_schedules_are_due_when_cron_says(text, start, due):
    moment = datetime.fromisoformat(start).replace(tzinfo=UTC)
    assert schedule.next_after(schedule.parse(text), moment) == datetime.fromisoformat(due).replace(tzinfo=UTC)


@pytest.mark.parametrize("text", ["* * * *", "60 * * * *", "* * * * */0", "x * * * *", "9-1 * * * *", ""])
def test_broken_schedules_are_refused(text):
    with pytest.raises(ValueError, match=r"fields|within|parse"):
        schedule.parse(text)


@settings(max_examples=support.examples(60))
@given(st.integers(0, 59), st.integers(0, 23), st.integers(1_577_836_800, 2_051_222_400))
def test_a_daily_schedule_is_due_within_a_day(minute, hour, seconds):
    moment = datetime.fromtimestamp(seconds, UTC)
    due = schedule.next_after(schedule.parse(f"{minute} {hour} * * *"), moment)
    assert timedelta(0) < due - moment <= timedelta(days=1)
    assert (due.minute, due.hour) == (minute, hour)
