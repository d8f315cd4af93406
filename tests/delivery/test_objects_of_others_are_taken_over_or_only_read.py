"""take-over and read-only: adoption by subtraction, no restart, nothing lost; and what is never written (6.2, 8)."""

from __future__ import annotations

import fnmatch

import pytest
from fakes.crash import Crash
from fakes.stage import Part, Stage, config, deployment, policy, ref, service

from appdelivery import errors
from appdelivery.delivery import adopt
from appdelivery.delivery import consent as consents
from appdelivery.model import marks

TAKE = [policy("take-over", rules=[{"selector": {"componentNames": ["web"]}}])]
OURS = Part("web", [deployment("web"), config("web", keep="1", drop="1"), service("web")])


def theirs(stage, manager):
    body = deployment("web", replicas=3)
    body["metadata"]["labels"] = {"old": "1"}
    stage.fleet.foreign(body, manager=manager)
    annotated = config("web", keep="1", drop="1", old="1")
    annotated["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": "{}"}
    stage.fleet.foreign(annotated, manager=manager)
    stage.fleet.foreign(service("web"), manager=manager)


@pytest.mark.parametrize("manager", ["kubectl-client-side-apply", "kubectl-create", "kubectl", "helm", "before-first-apply"])
async def test_taking_over_loses_nothing_restarts_nothing_and_drops_what_we_drop_later(manager):
    stage = Stage()
    theirs(stage, manager)
    generation = stage.live(deployment("web"))["metadata"]["generation"]
    ended = await stage.deliver(OURS, given=TAKE)
    assert ended.outcome == "succeeded"
    live = stage.live(deployment("web"))
    assert live["spec"]["replicas"] == 3  # not rendered, not lost
    assert live["metadata"]["labels"]["old"] == "1"
    assert live["metadata"]["generation"] == generation
    found = stage.live(config("web"))
    assert found["data"] == {"keep": "1", "drop": "1", "old": "1"}
    assert "kubectl.kubernetes.io/last-applied-configuration" not in found["metadata"]["annotations"]
    await stage.deliver(Part("web", [deployment("web"), config("web", keep="1"), service("web")]), given=TAKE)
    assert stage.live(config("web"))["data"] == {"keep": "1", "old": "1"}


async def test_an_unknown_manager_keeps_its_shared_fields():
    stage = Stage()
    theirs(stage, "terraform")
    await stage.deliver(OURS, given=TAKE)
    await stage.deliver(Part("web", [deployment("web"), config("web", keep="1"), service("web")]), given=TAKE)
    assert "drop" in stage.live(config("web"))["data"]
    assert "terraform" in stage.managers(config("web"))


async def test_the_operators_own_list_is_honoured():
    stage = Stage()
    theirs(stage, "terraform")
    await stage.deliver(OURS, given=TAKE, how={"legacy_managers": ("terraform",)})
    await stage.deliver(Part("web", [deployment("web"), config("web", keep="1"), service("web")]), given=TAKE)
    assert "drop" not in stage.live(config("web"))["data"]


async def test_without_consent_nothing_is_touched_and_all_reasons_come_together():
    stage = Stage()
    theirs(stage, "helm")
    with pytest.raises(errors.Refused) as refusal:
        await stage.deliver(OURS)
    assert len(refusal.value.problems) == 3
    assert stage.fleet.writes == []
    assert stage.journal.newest(stage.app) is None


async def test_the_flag_takes_over_what_no_policy_names():
    stage = Stage()
    theirs(stage, "helm")
    ended = await stage.deliver(OURS, consent=consents.Consent(take_ownership=True))
    assert {o.change.why.code for o in ended.outcomes} == {"adopted"}


async def test_subresource_entries_are_left_alone():
    stage = Stage()
    theirs(stage, "helm")
    stage.fleet.edit(ref(deployment("web")), {"spec": {"replicas": 4}}, manager="kubectl", subresource="scale")
    await stage.deliver(OURS, given=TAKE)
    entries = stage.live(deployment("web"))["metadata"]["managedFields"]
    assert [e["manager"] for e in entries if e.get("subresource") == "scale"] == ["kubectl"]


async def test_a_stop_between_apply_and_subtraction_is_gone_on_from():
    whole = Stage()
    theirs(whole, "helm")
    whole.crash.revive()
    await whole.deliver(OURS, given=TAKE)
    count = len(whole.crash.calls)
    for call in range(1, count + 1):
        stage = Stage()
        theirs(stage, "helm")
        stage.crash.kill(call, after=True)
        try:
            await stage.deliver(OURS, given=TAKE)
        except Crash:
            pass
        stage.crash.revive()
        await stage.resume()
        await stage.deliver(OURS, given=TAKE)
        for body in OURS.bodies:
            owners = [m for m in stage.managers(body) if fnmatch.fnmatchcase(m, "helm")]
            assert owners in ([], ["helm"])
        await stage.deliver(Part("web", [deployment("web"), config("web", keep="1"), service("web")]), given=TAKE)
        assert "drop" not in stage.live(config("web"))["data"], call


def test_a_conflict_during_adoption_yields_what_it_always_yields():
    assert "helm" in adopt.managers()
    assert adopt.managers(("terraform*",))[-1] == "terraform*"


READ = [policy("read-only", rules=[{"selector": {"resourceNames": ["shared"]}}])]


async def test_read_only_objects_are_never_written_and_gate_by_their_health():
    stage = Stage(weather="fair")
    stage.fleet.foreign(deployment("shared"))
    before = stage.live(deployment("shared"))
    parts = [Part("db", [deployment("shared")]), Part("web", [config("web")], depends_on=("db",))]
    ended = await stage.deliver(*parts, given=READ)
    assert ended.outcome == "succeeded"
    assert stage.live(deployment("shared")) == before
    assert stage.rows["one", ref(deployment("shared")).identity].mode == "read-only"
    assert stage.live(config("web")) is not None


async def test_a_read_only_object_that_does_not_exist_is_an_error():
    stage = Stage()
    with pytest.raises(errors.Refused) as refusal:
        await stage.deliver(Part("db", [deployment("shared")]), given=READ)
    assert "does not exist" in refusal.value.message


async def test_a_read_only_object_is_not_deleted_with_the_application():
    stage = Stage()
    stage.fleet.foreign(deployment("shared"))
    parts = [Part("db", [deployment("shared")]), Part("web", [config("web")])]
    await stage.deliver(*parts, given=READ)
    ended = await stage.delete(*parts)
    assert ended.outcome == "succeeded"
    assert stage.live(deployment("shared")) is not None
    assert not stage.rows


async def test_an_unhealthy_read_only_object_holds_up_those_that_wait_for_it():
    stage = Stage(weather="still")
    stage.fleet.foreign(deployment("shared"))
    parts = [Part("db", [deployment("shared")]), Part("web", [config("web")], depends_on=("db",))]
    ended = await stage.deliver(*parts, given=[*READ, policy("health", noActivity="1m")])
    assert ended.outcome == "failed"
    assert stage.live(config("web")) is None


async def test_the_mark_names_the_application_afterwards():
    stage = Stage()
    theirs(stage, "helm")
    await stage.deliver(OURS, given=TAKE)
    mark = stage.live(config("web"))["metadata"]["annotations"][marks.OWNER]
    assert marks.owner_app(mark) == (stage.installation.label, stage.app)
