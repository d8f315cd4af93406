"""Killed at every request and every journal call, before and after it, and run again: one cluster state, one truthful history."""

from __future__ import annotations

import copy

import pytest
from fakes.crash import Crash
from fakes.stage import Part, Stage, claim, config, crd, deployment, hpa, job, policy, ref, secret, service, widget

from appdelivery.delivery import consent as consents
from appdelivery.model import marks

BEFORE = (
    Part("db", [deployment("db", image="db:1"), claim("data")]),
    Part("web", [deployment("web", replicas=3, env_from="web"), service("web"), config("web")], depends_on=("db",)),
    Part("old", [config("old-a"), config("old-b"), job("migrate")]),
)
AFTER = (
    Part("db", [deployment("db", image="db:2"), claim("data")]),
    Part("web", [deployment("web", env_from="web"), service("web"), config("web", key="2"), hpa("web")], depends_on=("db",)),
    Part("old", [config("old-a"), job("migrate", image="job:2")]),
    Part("more", [crd(), widget("w"), secret("s", password="correct horse")]),
)


async def upgrade(stage):
    return await stage.deliver(*AFTER)


async def install(stage):
    return await stage.deliver(*BEFORE)


async def remove(stage):
    return await stage.delete(*BEFORE)


async def take_over(stage):
    return await stage.deliver(*BEFORE, consent=consents.Consent(take_ownership=True))


def state(stage):
    """What clusters hold, without what counts writes."""
    found = {}
    for identity, body in stage.fleet.world().objects.items():
        body = copy.deepcopy(body)
        metadata = body["metadata"]
        for key in ("resourceVersion", "uid", "creationTimestamp", "generation"):
            metadata.pop(key, None)
        body.get("status", {}).pop("observedGeneration", None)
        (metadata.get("annotations") or {}).pop(marks.FENCE, None)
        metadata["managedFields"] = sorted(
            (e["manager"], e["operation"], e.get("subresource", ""), str(e["fieldsV1"])) for e in metadata["managedFields"]
        )
        body.get("spec", {}).pop("clusterIP", None)
        found[identity] = body
    return found


def rows(stage):
    return {
        (row.ref.kind, row.ref.name): (row.state, row.desired_digest, row.wanted, row.yielded) for row in stage.rows.values()
    }


def prepared(stage, scenario):
    if scenario is take_over:
        for part in BEFORE:
            for body in part.bodies:
                stage.fleet.foreign(body, manager="helm")


async def played(scenario, *, kill=0, after=False):
    """One run of a scenario, killed at a call and gone on with; gives the theatre and how many calls there were."""
    stage = Stage()
    prepared(stage, scenario)
    if scenario in (upgrade, remove):
        await install(stage)
    stage.crash.kill(kill, after=after) if kill else stage.crash.revive()
    try:
        await scenario(stage)
    except Crash:
        stage.crash.revive()
        if await stage.resume() is None:
            newest = stage.journal.newest(stage.app)
            first = scenario in (install, take_over)
            if newest is None or (not first and newest.number == 1):
                await scenario(stage)  # died before the release was opened
    else:
        assert not stage.crash.dead
    return stage


async def calls(scenario):
    stage = await played(scenario)
    return stage, len(stage.crash.calls)


@pytest.mark.slow
@pytest.mark.parametrize("scenario", [install, upgrade, remove, take_over])
async def test_any_stop_leads_to_the_same_end(scenario):
    whole, count = await calls(scenario)
    end = "partial" if scenario is remove else "succeeded"  # the claim is not deleted unasked, so the application stays
    assert whole.newest.outcome == end
    assert count > 20
    for after in (False, True):
        for kill in range(1, count + 1):
            stage = await played(scenario, kill=kill, after=after)
            where = f"killed {'after' if after else 'before'} call {kill}: {whole.crash.calls[kill - 1]}"
            assert stage.newest.outcome == end, (where, stage.newest.message)
            assert state(stage) == state(whole), where
            assert rows(stage) == rows(whole), where
            ended = [e.data["release"] for e in stage.journal.state.events if e.kind == "release.ended"]
            opened = [e for e in stage.journal.state.events if e.kind == "release.opened"]
            assert len(set(ended)) == len(opened) == len(whole.journal.state.releases[whole.app]), where
            assert end == "partial" or len(ended) == len(set(ended)), where  # what is partial may be tried again
            if scenario is not install:
                assert not set(stage.fleet.world().deleted) - set(whole.fleet.world().deleted), where


@pytest.mark.slow
async def test_after_any_stop_a_second_run_writes_nothing():
    _, count = await calls(upgrade)
    for kill in range(1, count + 1, 3):
        stage = await played(upgrade, kill=kill, after=True)
        stage.fleet.requests.clear()
        ended = await stage.deliver(*AFTER)
        assert ended.outcome == "succeeded"
        assert stage.fleet.writes == []


async def test_a_dead_process_touches_nothing_more():
    stage = Stage()
    stage.crash.kill(12)
    with pytest.raises(Crash):
        await stage.deliver(*BEFORE)
    version = stage.fleet.world().version
    with pytest.raises(Crash):
        await stage.fleet.read("one", [ref(config("web"))])
    assert stage.fleet.world().version == version


async def test_a_release_that_ended_is_not_carried_out_twice():
    stage = Stage()
    await stage.deliver(*BEFORE, given=[policy("health", deadline="1m")])
    assert await stage.resume() is None
