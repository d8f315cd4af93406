"""Objects that steps apply stand in the inventory: intended before they are written, guarded, pruned, deleted with it."""

from __future__ import annotations

import pytest
from fakes.crash import Crash
from fakes.stage import Part, Stage, config, deployment, ref, secret

from appdelivery import errors
from appdelivery.delivery import by_steps, policies
from appdelivery.delivery import session as sessions
from appdelivery.model import marks

WEB = Part("web", [config("web")])


async def release(stage, *steps, parts=(WEB,), given=(), outcome="", ran=True):
    """A release whose workflow delivers the parts and then applies what the steps (name, bodies) want."""
    lease = stage._claimed()
    newest = stage.journal.newest(stage.app)
    made, wanted, _ = await stage.planned(*parts, given=given)
    opened = newest if newest and newest.outcome == "running" else stage.open(parts, made, wanted)
    work = stage._work(opened, parts, wanted, known=None, given=given)
    session = await sessions.open_(stage.fleet, stage.journal, work, lease, stage.hooks())
    try:
        await sessions.deliver(session)
        for step, bodies in steps:
            await apply(stage, session, step, *bodies)
        return await sessions.finish(session, outcome, ran=ran)
    finally:
        await sessions.close(session)
        if not stage.crash.dead:
            stage.journal.release(lease)


async def apply(stage, session, step, *bodies):
    facts = await stage.fleet.facts("one")
    given = session.run.work.policies
    items = by_steps.wanted(stage.app, step, bodies, facts=facts, installation=stage.installation, given=given)
    return await sessions.apply_beside(session, items)


def row_of(stage, body):
    return stage.rows["one", ref(body).identity]


def named(stage):
    return {(key[1][1], key[1][3]) for key in stage.rows}


async def test_an_object_of_a_step_is_marked_and_in_the_inventory_and_survives_its_own_run():
    stage = Stage()
    ended = await release(stage, ("export", [config("out", colour="red")]))
    assert ended.outcome == "succeeded"
    assert ended.counts == {"create": 2}
    body = stage.live(config("out"))
    assert body["data"] == {"colour": "red"}
    assert body["metadata"]["labels"][marks.COMPONENT] == "export"
    assert marks.OWNER in body["metadata"]["annotations"]
    row = row_of(stage, config("out"))
    assert (row.component, row.origin, row.wanted, row.state, row.wait) == ("export", "step export", 1, "present", "none")


async def test_the_intent_is_recorded_before_the_object_is_written():
    stage = Stage()

    def not_yet():
        row = row_of(stage, config("out"))
        assert (row.state, row.origin) == ("intended", "step export")
        return errors.Rejected("no")

    stage.fleet.fault(not_yet, verb="apply", name="shop/out", times=1)
    ended = await release(stage, ("export", [config("out")]))
    assert ended.outcome == "failed"


async def test_applying_the_same_again_writes_nothing():
    stage = Stage()
    await release(stage, ("export", [config("out")]))
    before = stage.live(config("out"))["metadata"]["resourceVersion"]
    ended = await release(stage, ("export", [config("out")]), ("export", [config("out")]))
    assert ended.counts == {"unchanged": 2}
    assert stage.live(config("out"))["metadata"]["resourceVersion"] == before
    assert row_of(stage, config("out")).wanted == 2


async def test_what_the_next_run_does_not_apply_again_is_pruned():
    stage = Stage()
    await release(stage, ("export", [config("out"), config("more")]))
    ended = await release(stage, ("export", [config("out")]))
    assert ended.counts == {"unchanged": 2, "delete": 1}
    assert stage.live(config("more")) is None
    assert stage.live(config("out")) is not None
    assert named(stage) == {("ConfigMap", "out"), ("ConfigMap", "web")}


@pytest.mark.parametrize(("outcome", "ran"), [("failed", True), ("", False)])
async def test_a_run_that_failed_and_a_release_without_a_run_leave_objects_of_steps(outcome, ran):
    stage = Stage()
    await release(stage, ("export", [config("out")]))
    await release(stage, outcome=outcome, ran=ran)
    assert stage.live(config("out")) is not None
    assert ("ConfigMap", "out") in named(stage)


async def test_deleting_the_application_deletes_objects_of_steps():
    stage = Stage()
    await release(stage, ("export", [config("out")]))
    ended = await stage.delete()
    assert ended.outcome == "succeeded"
    assert stage.owned() == set()
    assert stage.rows == {}


async def test_an_object_moves_between_a_component_and_a_step_without_being_deleted():
    stage = Stage()
    both = Part("web", [config("web"), config("moves")])
    await release(stage, parts=(both,))
    first = stage.live(config("moves"))["metadata"]["uid"]
    await release(stage, ("export", [config("moves")]))
    assert stage.live(config("moves"))["metadata"]["uid"] == first
    assert row_of(stage, config("moves")).origin == "step export"
    await release(stage, parts=(both,))
    assert stage.live(config("moves"))["metadata"]["uid"] == first
    assert row_of(stage, config("moves")).origin == "component web"


async def test_a_step_takes_nothing_from_others_and_nothing_from_a_component():
    stage = Stage()
    stage.fleet.foreign(config("theirs"))
    with pytest.raises(errors.Refused, match="belongs to"):
        await release(stage, ("export", [config("mine"), config("theirs")]))
    assert stage.live(config("mine")) is None
    stage = Stage()
    with pytest.raises(errors.Refused, match="object of component web already"):
        await release(stage, ("export", [config("web")]))


async def test_lists_and_what_is_no_object_are_refused():
    stage = Stage()
    for bad in ({"kind": "ConfigMapList", "apiVersion": "v1", "items": []}, {"kind": "ConfigMap"}):
        with pytest.raises(errors.SpecError, match="step export"):
            await release(stage, ("export", [bad]))


async def test_a_secret_of_a_step_reaches_the_cluster_and_no_message():
    stage = Stage()
    stage.fleet.fault(lambda: errors.Rejected("hunter22 is bad"), verb="apply", name="shop/login", times=1)
    ended = await release(stage, ("export", [secret("login", password="hunter22")]))
    assert ended.outcome == "failed"
    assert "hunter22" not in ended.message
    ended = await release(stage, ("export", [secret("login", password="hunter22")]))
    assert ended.outcome == "succeeded"
    assert stage.live(secret("login"))["data"]["password"] == "aHVudGVyMjI="


async def test_a_secret_of_a_step_may_refer_to_stored_values_and_to_nothing_else():
    stage = Stage()
    login = secret("login", password={"$secretRef": {"store": "application", "key": "login/password"}})
    facts = await stage.fleet.facts("one")
    given = policies.read(())
    (item,) = by_steps.wanted(stage.app, "s", [login], facts=facts, installation=stage.installation, given=given)
    kept = item.body["data"]["password"]
    assert (kept.ref.store, kept.ref.owner, kept.ref.name) == ("application", str(stage.app), "login/password")
    assert kept.encoded
    with pytest.raises(errors.SpecError, match=r"stringData\.password of a Secret"):
        await release(stage, ("export", [secret("login", password={"a": "b"})]))


async def test_a_large_deletion_needs_consent_whoever_applied_the_objects():
    stage = Stage()
    await release(stage, ("export", [config(f"out{n}") for n in range(9)]))
    ended = await release(stage)
    assert [change.why.code for change in ended.pending] == ["over-budget"] * 9
    assert stage.live(config("out0")) is not None


@pytest.mark.parametrize("call", range(1, 15))
@pytest.mark.parametrize("after", [False, True])
async def test_a_kill_at_any_call_orphans_nothing_and_deletes_nothing_that_is_wanted(call, after):
    stage = Stage()
    await release(stage, ("export", [config("out"), config("old")]))
    steps = ("export", [config("out", colour="blue"), deployment("new")])
    stage.crash.kill(call, after=after)
    try:
        await release(stage, steps)
    except Crash:
        stage.crash.revive()
        assert stage.owned() <= named(stage)
        assert stage.live(config("out")) is not None
        await release(stage, steps)
    assert stage.owned() == {("ConfigMap", "web"), ("ConfigMap", "out"), ("Deployment", "new")}
    assert named(stage) == stage.owned()
    assert stage.live(config("out"))["data"] == {"colour": "blue"}


def test_names_of_steps_are_names_of_labels():
    assert by_steps.short("group/export[3]") == "export"
    assert by_steps.short("x" * 80) == "x" * 63
    assert by_steps.short("a b") == "a-b"


async def test_a_plan_deletes_what_no_step_is_left_to_apply():
    stage = Stage()
    await release(stage, ("group/export", [config("out")]))
    rows = stage.journal.inventory(stage.app)
    out = {("one", ref(config("out")).identity)}
    assert by_steps.undecided(rows, ["group/export", "deploy"]) == out
    assert by_steps.undecided(rows, None) == out
    assert by_steps.undecided(rows, ["deploy"]) == frozenset()
