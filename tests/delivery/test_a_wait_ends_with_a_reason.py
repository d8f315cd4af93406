"""The endings of delivery.md 10.2: ready, terminal failure, error budget, no activity, deadline; on a clock that never sleeps."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from fakes.stage import Part, Stage, config, crd, deployment, hpa, job, policy, ref, widget

from appdelivery import errors
from appdelivery.delivery import policies, wait
from appdelivery.model.live import Health

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WEB = Part("web", [deployment("web", replicas=2)])


def waited(stage):
    return (stage.clock.now() - datetime(2026, 1, 1, 12, tzinfo=UTC)).total_seconds()


def still(**more):
    stage = Stage(weather="still")
    for key, value in more.items():
        setattr(stage.fleet, key, value)
    return stage


def pod(stage, name, *, restarts=0, waiting="", labels=None, phase="Running"):
    state = {"waiting": {"reason": waiting}} if waiting else {"running": {}}
    status = {"name": "web", "restartCount": restarts, "state": state, "ready": False}
    if restarts:
        status["lastState"] = {"terminated": {"exitCode": 1, "reason": "Error"}}
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop", "labels": labels or {"app": "web"}},
        "spec": {"containers": [{"name": "web"}]},
    }
    if stage.fleet.live(ref(body)) is None:
        stage.fleet.foreign(body)
    stage.fleet.settle(ref(body), {"phase": phase, "containerStatuses": [status]})


async def test_it_ends_when_everything_required_is_healthy():
    stage = still()

    async def later():
        await stage.clock.sleep(90)
        stage.fleet.settle(ref(deployment("web")))

    task = asyncio.create_task(later())
    ended = await stage.deliver(WEB)
    await task
    assert ended.outcome == "succeeded"
    assert 90 <= waited(stage) < 100
    (row,) = stage.rows.values()
    assert row.health == "healthy"


async def test_a_terminal_failure_ends_it_at_once():
    stage = Stage(weather="bad")
    ended = await stage.deliver(Part("j", [job("j")]))
    assert ended.outcome == "failed"
    assert waited(stage) < 1
    assert "Job shop/j" in ended.message


async def test_the_deadline_ends_it_even_while_things_move():
    stage = still()

    async def moving():
        for n in range(100):
            await stage.clock.sleep(60)
            status = {"observedGeneration": 1, "replicas": 2, "updatedReplicas": n % 2}
            stage.fleet.settle(ref(deployment("web")), status)

    task = asyncio.create_task(moving())
    ended = await stage.deliver(WEB, given=[policy("health", deadline="10m")])
    task.cancel()
    assert ended.outcome == "failed"
    assert "not ready within 10m" in ended.message
    assert 600 <= waited(stage) < 661


async def test_nothing_that_moves_ends_it_before_the_deadline():
    ended_at = still()
    ended = await ended_at.deliver(WEB)
    assert ended.outcome == "failed"
    assert "nothing has changed for 4m" in ended.message
    assert waited(ended_at) == 240


async def test_the_error_budget_ends_it_long_before_both():
    stage = still()

    async def crashing():
        await stage.clock.sleep(10)
        for restarts in range(1, 5):
            pod(stage, "web-1", restarts=restarts, waiting="CrashLoopBackOff")
            await stage.clock.sleep(10)

    task = asyncio.create_task(crashing())
    ended = await stage.deliver(WEB)
    await task
    assert ended.outcome == "failed"
    assert "3 failures, 2 are allowed" in ended.message  # one per replica
    assert waited(stage) < 60


async def test_failures_of_pods_that_were_there_before_do_not_count():
    stage = still()
    pod(stage, "web-0", restarts=50, waiting="CrashLoopBackOff")
    stage.clock.time += timedelta(minutes=5)
    ended = await stage.deliver(WEB)
    assert "nothing has changed" in ended.message


async def test_pods_of_others_do_not_count():
    stage = still()

    async def crashing():
        await stage.clock.sleep(10)
        pod(stage, "other", restarts=50, labels={"app": "other"})

    task = asyncio.create_task(crashing())
    ended = await stage.deliver(WEB)
    await task
    assert "nothing has changed" in ended.message


async def test_optional_objects_are_reported_and_never_gate():
    stage = still()
    stage.fleet.weather_of = {"web": "fair"}
    scaler = hpa("lonely")
    scaler["spec"]["scaleTargetRef"]["name"] = "web"
    ended = await stage.deliver(Part("web", [deployment("web"), scaler]))
    assert ended.outcome == "succeeded"
    row = stage.rows["one", ref(scaler).identity]
    assert row.health == "progressing"


async def test_what_another_waits_for_is_required_and_a_failure_skips_it():
    stage = still()
    later = Part("web", [config("web")], depends_on=("db",))
    ended = await stage.deliver(Part("db", [deployment("db")]), later, given=[policy("health", noActivity="1m")])
    assert ended.outcome == "failed"
    assert ended.components["db"][0] == "failed"
    assert ended.components["web"][0] == "skipped"
    assert stage.live(config("web")) is None
    assert "db" in ended.components["web"][1]


async def test_a_rule_of_the_policy_makes_an_object_wait_for_nobody():
    stage = still()
    hooks = stage.hooks
    from dataclasses import replace

    stage.hooks = lambda wait="ready": replace(hooks(wait), wait_class=lambda ref, body: "none")
    ended = await stage.deliver(WEB)
    assert ended.outcome == "succeeded"
    assert waited(stage) == 0


async def test_a_custom_resource_without_a_status_counts_after_a_minute():
    stage = Stage()
    ended = await stage.deliver(Part("w", [crd(), widget("a")]))
    assert ended.outcome == "succeeded"
    assert 60 <= waited(stage) < 70


async def test_applied_is_enough_when_that_is_asked():
    stage = still()
    ended = await stage.deliver(WEB, wait="applied")
    assert ended.outcome == "succeeded"
    assert waited(stage) == 0


async def test_a_failure_is_reported_with_events_and_log_lines():
    stage = still()
    from appdelivery.model.live import KubeEvent

    stage.fleet.event_lines["one", "Pod", "web-1"] = [KubeEvent("Warning", "BackOff", "back-off restarting", 3, NOW)]
    stage.fleet.log_lines["web-1", "web"] = ["starting", "panic: DB_URL is empty"]

    async def crashing():
        await stage.clock.sleep(10)
        pod(stage, "web-1", restarts=5, waiting="CrashLoopBackOff")

    task = asyncio.create_task(crashing())
    ended = await stage.deliver(WEB)
    await task
    (report,) = ended.reports
    assert "panic: DB_URL is empty" in report.log
    assert any(event.reason == "BackOff" for event in report.events)
    calls = [r for r in stage.fleet.requests if r.verb in ("events", "logs")]
    assert len(calls) <= 6


async def test_a_kind_that_may_not_be_watched_fails_with_that_reason():
    stage = still()
    stage.fleet.fault(lambda: errors.Forbidden("watch Deployment: forbidden"), verb="watch", times=-1)
    ended = await stage.deliver(WEB)
    assert ended.outcome == "failed"
    assert "cannot see whether it is ready" in ended.message


async def test_a_newer_release_ends_a_run_that_only_waits():
    stage = still()

    async def newer():
        await stage.clock.sleep(30)
        made, wanted, _ = await stage.planned(WEB)
        stage.open([WEB], made, wanted)

    task = asyncio.create_task(newer())
    ended = await stage.deliver(WEB)
    await task
    assert ended.outcome == "superseded"
    assert waited(stage) < 40


async def test_the_state_of_what_timed_out_is_kept():
    stage = still()
    await stage.deliver(WEB)
    assert stage.live(deployment("web")) is not None
    assert len(stage.rows) == 1
    stage.fleet.settle(ref(deployment("web")))
    stage.fleet.requests.clear()
    ended = await stage.deliver(WEB)
    assert ended.outcome == "succeeded"
    assert stage.fleet.writes == []


def test_degraded_longer_than_half_a_minute_fails_a_kind_without_budget():
    tracker = wait.Tracker(NOW, NOW + timedelta(seconds=100))
    one = wait.Waiting("Widget", "w", NOW, Health("degraded", "Failed", "no"), NOW + timedelta(seconds=10))
    patience = policies.Patience()
    assert not wait.ending(one, tracker, patience, NOW + timedelta(seconds=39))
    assert wait.ending(one, tracker, patience, NOW + timedelta(seconds=40))


def test_a_slow_start_is_given_a_quarter_of_an_hour():
    tracker = wait.Tracker(NOW, NOW)
    one = wait.Waiting("Deployment", "w", NOW, Health("progressing"), NOW, slow=True)
    patience = policies.Patience(deadline=3600)
    assert not wait.ending(one, tracker, patience, NOW + timedelta(seconds=899))
    assert "15m" in wait.ending(one, tracker, patience, NOW + timedelta(seconds=900))


async def test_an_object_deleted_before_the_watch_began_is_missing_and_not_waited_for_in_vain():
    stage = still()
    original = stage.fleet.apply

    async def apply(cluster, at, body, how):
        applied = await original(cluster, at, body, how)
        stage.fleet.world()._remove(at.identity, applied.uid, "Background")
        return applied

    stage.fleet.apply = apply
    ended = await stage.deliver(WEB)
    assert "somebody deleted it" in ended.message
