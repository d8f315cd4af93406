"""What is healed, what is only shown, and when healing stops (delivery.md section 11)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from fakes.stage import Part, Stage, config, deployment, job, policy, ref

from appdelivery import errors
from appdelivery.delivery import drift, healing, policies, release
from appdelivery.model import marks

HEAL = [policy("drift", mode="heal")]
BODY = config("web", key="ours", more="ours")
WEB = Part("web", [BODY])


async def found(stage, *parts, given=HEAL):
    _, wanted, known = await stage.planned(*parts, given=given)
    rows = stage.journal.inventory(stage.app)
    seen = await drift.observe(
        stage.fleet, rows, wanted, known=known, given=policies.read(given), key=stage.installation.digest_key
    )
    return seen, wanted, known


async def healed(stage, *parts, given=HEAL, past=healing.Past()):
    seen, wanted, known = await found(stage, *parts, given=given)
    return healing.heal(seen, wanted, known, past=past, now=stage.clock.now())


async def carried_out(stage, made, *parts, given=HEAL):
    """The release that a watcher makes of it."""
    plan, _, known = await stage.planned(*parts, given=given)
    exact = replace_changes(plan, made.changes)
    opened = stage.open(parts, exact, made.desired, given=given)
    work = replace(stage._work(opened, parts, made.desired, known=known, given=given), exact=exact, prune=False)
    lease = stage._claimed()
    ended = await release.carry_out(stage.fleet, stage.journal, work, lease, stage.hooks())
    stage.journal.release(lease)
    return ended


def replace_changes(plan, changes):
    from appdelivery.model.record import changed

    return changed(plan, changes=changes)


def edit(stage, body, patch):
    stage.fleet.edit(ref(body), patch)


async def test_a_changed_field_is_brought_back():
    stage = Stage()
    await stage.deliver(WEB)
    edit(stage, BODY, {"data": {"key": "theirs"}})
    made = await healed(stage, WEB)
    assert [(c.action, c.why.code, c.why.detail["paths"]) for c in made.changes] == [("update", "drifted", [".data.key"])]
    assert (await carried_out(stage, made, WEB)).counts == {"update": 1}
    assert stage.live(BODY)["data"] == {"key": "ours", "more": "ours"}
    assert (await healed(stage, WEB)) == healing.Healing()


async def test_an_object_that_is_gone_is_created_again():
    stage = Stage()
    await stage.deliver(WEB)
    stage.fleet.world().objects.pop(ref(BODY).identity)
    made = await healed(stage, WEB)
    assert [(c.action, c.why.code) for c in made.changes] == [("create", "missing")]
    await carried_out(stage, made, WEB)
    assert stage.live(BODY)["data"]["key"] == "ours"


@pytest.mark.parametrize("mode", ["observe", "off"])
async def test_without_mode_heal_nothing_is_healed(mode):
    stage, given = Stage(), [policy("drift", mode=mode)]
    await stage.deliver(WEB)
    edit(stage, BODY, {"data": {"key": "theirs"}})
    made = await healed(stage, WEB, given=given)
    assert made.changes == ()
    assert [left.why for left in made.left] == (["drift is observed"] if mode == "observe" else [])
    stage.fleet.world().objects.pop(ref(BODY).identity)
    assert (await healed(stage, WEB, given=given)).changes == ()


async def test_the_narrowest_rule_decides_and_what_is_not_healed_stays_as_it_is():
    rules = [{"selector": {"componentNames": ["web"]}, "paths": ["/data/more"], "mode": "observe"}]
    stage, given = Stage(), [policy("drift", mode="heal", rules=rules)]
    await stage.deliver(WEB, given=given)
    edit(stage, BODY, {"data": {"key": "theirs", "more": "theirs"}})
    made = await healed(stage, WEB, given=given)
    assert made.changes[0].why.detail == {"paths": [".data.key", ".data.more"], "left": [".data.more"]}
    await carried_out(stage, made, WEB, given=given)
    assert stage.live(BODY)["data"] == {"key": "ours", "more": "theirs"}


@pytest.mark.parametrize(("affect", "expected"), [("onStateKeep", "theirs"), ("always", "theirs"), ("onUpdate", "ours")])
async def test_apply_once_says_whether_drift_of_a_field_is_healed(affect, expected):
    rules = [{"selector": {"componentNames": ["web"]}, "strategy": {"affect": affect, "path": ["data.key"]}}]
    stage, given = Stage(), [*HEAL, policy("apply-once", enable=True, rules=rules)]
    await stage.deliver(WEB, given=given)
    edit(stage, BODY, {"data": {"key": "theirs", "more": "theirs"}})
    await carried_out(stage, await healed(stage, WEB, given=given), WEB, given=given)
    assert stage.live(BODY)["data"] == {"key": expected, "more": "ours"}


async def test_apply_once_of_a_whole_object_lets_it_stay_away():
    """KubeVela: an object with path * that was deleted is not created again while only the state is kept."""
    rules = [{"selector": {"componentNames": ["web"]}, "strategy": {"affect": "onStateKeep", "path": ["*"]}}]
    stage, given = Stage(), [*HEAL, policy("apply-once", enable=True, rules=rules)]
    await stage.deliver(WEB, given=given)
    stage.fleet.world().objects.pop(ref(BODY).identity)
    made = await healed(stage, WEB, given=given)
    assert (made.changes, [left.why for left in made.left]) == ((), ["drift is observed"])


async def test_a_field_scaled_by_hand_is_healed_by_the_conflict_rules_alone():
    stage = Stage()
    part = Part("web", [deployment("web", replicas=2)])
    await stage.deliver(part)
    stage.fleet.world().edit(ref(deployment("web")), {"spec": {"replicas": 5}}, manager="kubectl", subresource="scale")
    made = await healed(stage, part)
    await carried_out(stage, made, part)
    assert stage.live(deployment("web"))["spec"]["replicas"] == 5  # yielded, and said so


async def test_only_what_drifted_is_written():
    stage = Stage()
    other = Part("other", [config("other")])
    await stage.deliver(WEB, other)
    edit(stage, BODY, {"data": {"key": "theirs"}})
    stage.fleet.requests.clear()
    await carried_out(stage, await healed(stage, WEB, other), WEB, other)
    assert {request.name for request in stage.fleet.log("apply") if not request.dry_run} == {"shop/web"}


# --- guards ----------------------------------------------------------------------------------------------------------
async def drifting():
    stage = Stage()
    await stage.deliver(WEB)
    edit(stage, BODY, {"data": {"key": "theirs"}})
    return stage, ("one", ref(BODY).identity)


async def test_what_somebody_changes_again_and_again_is_contested():
    stage, identity = await drifting()
    now = stage.clock.now()
    recent = tuple([now - timedelta(minutes=minutes) for minutes in (1, 5, 9)])
    made = await healed(stage, WEB, past=healing.Past(healed={identity: recent}))
    assert made.changes == ()
    assert made.left[0].contested
    assert made.left[0].why.endswith("changed it again, 3 times within 10 minutes")
    old = tuple([now - timedelta(minutes=minutes) for minutes in (1, 5, 11)])
    assert len((await healed(stage, WEB, past=healing.Past(healed={identity: old}))).changes) == 1


async def test_an_adopted_application_heals_after_its_first_release():
    stage, _ = await drifting()
    made = await healed(stage, WEB, past=healing.Past(adopted=True))
    assert (made.changes, len(made.left)) == ((), 1)
    assert "taken over" in made.left[0].why


async def test_another_order_is_healed_once():
    stage = Stage()
    body = deployment("web")
    body["spec"]["template"]["spec"]["containers"].append({"name": "side", "image": "example/side:1"})
    part = Part("web", [body])
    await stage.deliver(part)
    seen = drift.Drift(("one", ref(body).identity), "web", "order", "entries stand in another order", mode="heal")
    _, wanted, known = await stage.planned(part)
    again = healing.Past(ordered={seen.identity})
    assert len(healing.heal([seen], wanted, known, past=healing.Past(), now=stage.clock.now()).changes) == 1
    (left,) = healing.heal([seen], wanted, known, past=again, now=stage.clock.now()).left
    assert left.contested


async def test_a_job_is_not_replaced_by_a_repair():
    stage = Stage()
    part = Part("web", [job("web")])
    await stage.deliver(part, wait="applied")
    _, wanted, known = await stage.planned(part)
    seen = drift.Drift(("one", ref(job("web")).identity), "web", "changed", "x", mode="heal", paths=(".spec.template.spec",))
    (left,) = healing.heal([seen], wanted, known, past=healing.Past(), now=stage.clock.now()).left
    assert left.why == "a repair does not replace a Job; a release does"


async def test_what_is_not_known_is_not_healed():
    stage, _ = await drifting()
    stage.fleet.fault(lambda: errors.Unreachable("gone"), verb="apply", times=-1)
    made = await healed(stage, WEB)
    assert (made.changes, [left.drift.kind for left in made.left]) == ((), ["unknown"])


async def test_what_the_application_no_longer_wants_is_not_healed():
    stage, identity = await drifting()
    seen = drift.Drift(identity, "web", "changed", "x", mode="heal", paths=(".data.key",))
    _, _, known = await stage.planned(WEB)
    assert healing.heal([seen], (), known, past=healing.Past(), now=stage.clock.now()).changes == ()


async def test_lost_ownership_is_repaired_without_a_word_about_values():
    stage = Stage()
    await stage.deliver(WEB)
    live = stage.fleet.world().objects[ref(BODY).identity]
    assert any(entry["manager"].startswith(marks.MANAGER) for entry in live["metadata"]["managedFields"])
    seen = drift.Drift(("one", ref(BODY).identity), "web", "ownership", "values are right", mode="heal")
    _, wanted, known = await stage.planned(WEB)
    made = healing.heal([seen], wanted, known, past=healing.Past(), now=stage.clock.now())
    assert [(c.action, c.why.code) for c in made.changes] == [("update", "ownership-repaired")]
