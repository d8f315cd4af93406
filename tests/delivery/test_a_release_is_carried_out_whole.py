"""One function carries a release out: results per component, replacement, live values, retries, and what the journal says."""

from __future__ import annotations

import time

import pytest
import support
from fakes.stage import (
    Part,
    Stage,
    claim,
    config,
    crd,
    deployment,
    hpa,
    job,
    namespace,
    ref,
    rendered,
    secret,
    service,
    widget,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from appdelivery import errors
from appdelivery.delivery import consent as consents
from appdelivery.delivery import desired, plan, policies
from appdelivery.model.change import Outcome
from appdelivery.model.manifest import Reference


async def test_a_failed_object_fails_what_waits_for_it_and_nothing_else():
    stage = Stage()
    stage.fleet.fault(lambda: errors.Rejected("spec.x is wrong"), verb="apply", name="shop/bad", times=-1)
    ended = await stage.deliver(
        Part("bad", [config("bad")]), Part("late", [config("late")], ("bad",)), Part("good", [config("good")])
    )
    assert ended.outcome == "failed"
    assert {name: state for name, (state, _) in ended.components.items()} == {
        "bad": "failed",
        "late": "skipped",
        "good": "ready",
    }
    assert stage.live(config("good")) is not None
    assert stage.live(config("late")) is None
    assert "component bad: spec.x is wrong" in ended.message
    assert stage.newest.outcome == "failed"
    assert stage.newest.counts == {"failed": 1, "skipped": 1, "create": 1}


async def test_the_next_run_finishes_what_failed():
    stage = Stage()
    fault = stage.fleet.fault(lambda: errors.Rejected("no"), verb="apply", name="shop/bad", times=-1)
    parts = [Part("bad", [config("bad")]), Part("late", [config("late")], ("bad",))]
    await stage.deliver(*parts)
    fault.times = 0
    ended = await stage.deliver(*parts)
    assert ended.outcome == "succeeded"
    assert stage.live(config("late")) is not None


@pytest.mark.parametrize("error", [errors.Unreachable, errors.TimedOut, errors.Throttled])
async def test_trouble_that_passes_is_waited_out(error):
    stage = Stage()
    stage.fleet.fault(lambda: error("trouble"), verb="apply", times=3)
    ended = await stage.deliver(Part("web", [config("web")]))
    assert ended.outcome == "succeeded"
    assert len(stage.fleet.log("apply")) == 4


async def test_a_webhook_that_stays_away_fails_the_object_with_its_hint():
    stage = Stage()
    away = lambda: errors.ClusterError("failed calling webhook", code="cluster.webhook", hint="look at x", retryable=True)
    stage.fleet.fault(away, verb="apply", times=-1)
    ended = await stage.deliver(Part("web", [config("web")]))
    assert ended.outcome == "failed"
    assert ended.outcomes[0].hint == "look at x"
    assert len(stage.fleet.log("apply")) == 6  # 1, 2, 4, 8, 16 s apart


async def test_an_answer_lost_after_the_write_took_effect_is_no_second_effect():
    stage = Stage()
    stage.fleet.fault(lambda: errors.Unreachable("reset"), verb="apply", after=True)
    ended = await stage.deliver(Part("web", [config("web")]))
    assert ended.outcome == "succeeded"
    assert stage.live(config("web"))["data"] == {"key": "value"}
    assert (await stage.planned(Part("web", [config("web")])))[0].counts == {"unchanged": 1}


async def test_a_definition_is_established_before_its_objects_are_sent():
    stage = Stage()
    ended = await stage.deliver(Part("w", [widget("a"), crd()]))
    assert ended.outcome == "succeeded"
    assert [r.kind for r in stage.fleet.log("apply")] == ["CustomResourceDefinition", "Widget"]


async def test_a_namespace_is_made_where_that_is_agreed_and_never_owned():
    stage = Stage(namespaces=("default",))
    ended = await stage.deliver(Part("web", [config("web")]), consent=consents.Consent(create_namespace=True))
    assert ended.outcome == "succeeded"
    await stage.delete(Part("web", [config("web")]))
    assert stage.live(namespace("shop")) is not None


async def test_a_missing_namespace_is_said_with_its_way_out_before_anything_is_applied():
    stage = Stage(namespaces=("default",))
    with pytest.raises(errors.Refused) as refusal:
        await stage.deliver(Part("web", [config("web")]))
    assert "namespace shop does not exist" in refusal.value.message
    assert "--create-namespace" in refusal.value.hint
    assert stage.fleet.writes == []


async def test_a_namespace_that_went_after_the_plan_fails_its_objects():
    stage = Stage()
    original = stage.fleet.apply

    async def apply(cluster, at, body, how):
        stage.fleet.world().objects.pop(("", "Namespace", "", "shop"), None)
        return await original(cluster, at, body, how)

    stage.fleet.apply = apply
    ended = await stage.deliver(Part("web", [config("web")]))
    assert ended.outcome == "failed"
    assert "not found" in ended.message


async def test_the_namespace_of_the_plan_comes_first():
    stage = Stage(namespaces=("default",))
    ended = await stage.deliver(Part("web", [config("web"), namespace("shop")]))
    assert ended.outcome == "succeeded"
    assert [r.kind for r in stage.fleet.log("apply")] == ["Namespace", "ConfigMap"]


async def test_a_job_whose_template_changes_is_made_anew():
    stage = Stage()
    await stage.deliver(Part("j", [job("j")]))
    uid = stage.live(job("j"))["metadata"]["uid"]
    ended = await stage.deliver(Part("j", [job("j", image="example/job:2")]))
    assert ended.counts == {"replace": 1}
    assert stage.live(job("j"))["metadata"]["uid"] != uid
    assert (await stage.planned(Part("j", [job("j", image="example/job:2")])))[0].counts == {"unchanged": 1}


async def test_a_job_whose_labels_change_is_not_made_anew():
    stage = Stage()
    await stage.deliver(Part("j", [job("j")]))
    uid = stage.live(job("j"))["metadata"]["uid"]
    body = job("j")
    body["metadata"]["labels"] = {"team": "a"}
    ended = await stage.deliver(Part("j", [body]))
    assert ended.counts == {"update": 1}
    assert stage.live(job("j"))["metadata"]["uid"] == uid


def other_selector():
    body = deployment("web")
    body["spec"]["selector"]["matchLabels"] = {"app": "other"}
    body["spec"]["template"]["metadata"]["labels"] = {"app": "other"}
    return body


async def test_an_immutable_field_of_others_fails_with_the_field_and_the_way():
    stage = Stage()
    await stage.deliver(Part("web", [deployment("web")]))
    ended = await stage.deliver(Part("web", [other_selector()]))
    assert ended.outcome == "failed"
    assert "spec.selector cannot change" in ended.message
    assert "appdelivery.dev/recreate" in ended.outcomes[0].hint


@pytest.mark.parametrize("how", ["annotation", "flag"])
async def test_an_immutable_field_may_be_changed_where_that_is_agreed(how):
    stage = Stage()
    await stage.deliver(Part("web", [deployment("web")]))
    uid = stage.live(deployment("web"))["metadata"]["uid"]
    body = other_selector()
    if how == "annotation":
        body["metadata"]["annotations"] = {"appdelivery.dev/recreate": "true"}
    ended = await stage.deliver(Part("web", [body]), consent=consents.Consent(recreate=how == "flag"))
    assert ended.outcome == "succeeded"
    assert ended.counts == {"replace": 1}
    assert stage.live(deployment("web"))["metadata"]["uid"] != uid


async def test_a_claim_is_never_replaced_without_its_name():
    stage = Stage()
    await stage.deliver(Part("d", [claim("data")]))
    body = claim("data")
    body["spec"]["accessModes"] = ["ReadWriteMany"]
    with pytest.raises(errors.Refused) as refusal:
        await stage.deliver(Part("d", [body]), consent=consents.Consent(recreate=True))
    assert "--delete PersistentVolumeClaim/data" in refusal.value.hint
    consent = consents.Consent(deletes=frozenset(("persistentvolumeclaim/data",)))
    assert (await stage.deliver(Part("d", [body]), consent=consent)).counts == {"replace": 1}


async def test_what_is_being_deleted_is_created_again_when_it_is_gone():
    stage = Stage()
    await stage.deliver(Part("web", [config("web")]))
    stage.fleet.edit(ref(config("web")), {"metadata": {"finalizers": ["x/y"]}})
    from appdelivery.delivery.ports import DeleteOptions

    uid = stage.live(config("web"))["metadata"]["uid"]
    stage.fleet.world().delete(ref(config("web")), DeleteOptions())
    import asyncio

    async def later():
        await stage.clock.sleep(30)
        stage.fleet.world().unfinalize(ref(config("web")))

    task = asyncio.create_task(later())
    ended = await stage.deliver(Part("web", [config("web")]))
    await task
    assert ended.outcome == "succeeded"
    assert stage.live(config("web"))["metadata"]["uid"] != uid


# --- values known only from live objects ----------------------------------------------------------------------------
PLACEHOLDER = "<known after svc is healthy>"


def flowing(stage, url=PLACEHOLDER):
    """web names the address of svc, which only the cluster knows."""
    target = ref(service("svc"))
    needs = (Reference("web", "svc", target, ("spec", "clusterIP"), "components.svc.output.spec.clusterIP"),)
    waits = needs if url == PLACEHOLDER else ()
    return [
        Part("svc", [service("svc")]),
        Part("web", [config("web", url=url), config("fixed")], ("svc",), waits_for=waits),
    ]


def how(stage, seen):
    def anew(part, live):
        from fakes.stage import ports_facts

        assert part == 0
        seen.append(live)
        made = rendered(*flowing(stage, live["svc"]["output"]["spec"]["clusterIP"]))
        return desired.desired(
            made, ports_facts(stage.fleet, next(iter(stage.fleet.worlds))), stage.installation, policies.Policies()
        )

    return {"anew": anew}


async def test_live_values_are_rendered_in_when_their_component_is_there():
    stage, seen = Stage(), []
    ended = await stage.deliver(*flowing(stage), how=how(stage, seen))
    assert ended.outcome == "succeeded"
    address = stage.live(service("svc"))["spec"]["clusterIP"]
    assert stage.live(config("web"))["data"] == {"url": address}
    assert len(seen) == 1
    assert seen[0]["svc"]["output"]["spec"]["clusterIP"] == address


async def test_a_second_run_with_live_values_writes_nothing():
    stage = Stage()
    await stage.deliver(*flowing(stage), how=how(stage, []))
    stage.fleet.requests.clear()
    ended = await stage.deliver(*flowing(stage), how=how(stage, []))
    assert ended.outcome == "succeeded"
    assert stage.fleet.writes == []


async def test_a_component_whose_values_never_come_fails_alone():
    stage = Stage()
    stage.fleet.fault(lambda: errors.Rejected("no"), verb="apply", kind="Service", times=-1)
    ended = await stage.deliver(*flowing(stage), how=how(stage, []))
    assert ended.components["web"][0] == "skipped"
    assert stage.live(config("fixed")) is None


async def test_without_a_way_to_render_again_it_is_said():
    stage = Stage()
    ended = await stage.deliver(*flowing(stage))
    assert ended.outcome == "failed"
    assert "waits for live values" in ended.message


# --- what is recorded -----------------------------------------------------------------------------------------------
async def test_the_journal_knows_every_object_before_its_first_write():
    stage = Stage()
    original = stage.fleet.apply

    async def apply(cluster, at, body, how):
        assert stage.rows[cluster, at.identity].wanted == 1
        return await original(cluster, at, body, how)

    stage.fleet.apply = apply
    await stage.deliver(Part("web", [config("a"), config("b")]))


async def test_facts_that_arrive_together_are_recorded_together():
    stage = Stage()
    await stage.deliver(Part("web", [config(f"c{n}") for n in range(40)]))
    assert len([c for c in stage.journal.calls if "ObjectApplied" in c]) < 10


async def test_a_busy_store_is_waited_for_and_a_lost_lease_ends_the_run():
    stage = Stage()
    stage.journal.faults += [errors.Busy("locked"), errors.Busy("locked")]
    assert (await stage.deliver(Part("web", [config("web")]))).outcome == "succeeded"
    stage.journal.faults.append(errors.LostLease("taken over"))
    with pytest.raises(errors.LostLease):
        await stage.deliver(Part("web", [config("web", key="2")]))
    assert stage.live(config("web"))["data"] == {"key": "value"}


async def test_every_write_is_an_event_and_the_end_is_one():
    stage = Stage()
    await stage.deliver(Part("web", [config("a"), config("b")]))
    kinds = [e.kind for e in stage.journal.state.events]
    assert kinds == ["release.opened", "object.changed", "object.changed", "release.ended"]
    assert all(event.app == stage.app for event in stage.journal.state.events)


async def test_progress_is_told_as_values_in_order():
    stage = Stage()
    await stage.deliver(Part("web", [config("a")]))
    names = [type(one).__name__ for one in stage.progress]
    assert names == ["Started", "Outcome", "Seen"]
    assert isinstance(stage.progress[1], Outcome)


async def test_error_texts_do_not_quote_secrets():
    stage = Stage()
    stage.fleet.fault(lambda: errors.Rejected("data.password: 'correct horse' is wrong"), verb="apply", times=-1)
    ended = await stage.deliver(Part("web", [secret("s", password="correct horse")]))
    assert "correct horse" not in str(ended)
    assert "<redacted>" in ended.message


async def test_a_plan_of_three_hundred_objects_costs_little():
    stage = Stage()
    parts = [Part(f"p{n}", [config(f"c{n}-{i}") for i in range(10)]) for n in range(30)]
    await stage.deliver(*parts)
    _, wanted, known = await stage.planned(*parts)
    rows = stage.journal.inventory(stage.app)
    best = 1.0
    for _ in range(5):
        started = time.process_time()
        made = plan.plan(stage.app, wanted, rows, known, situation=plan.Situation(stage.installation, 1))
        best = min(best, time.process_time() - started)
    assert made.counts == {"unchanged": 300}
    assert best < 0.06  # 30 ms on an idle core


bodies = st.lists(
    st.sampled_from(
        [
            deployment("web", replicas=2),
            deployment("web"),
            hpa("web"),
            service("web"),
            config("web"),
            config("c", a="1", b=""),
            secret("s", a="correct horse"),
            job("j"),
            claim("d"),
        ]
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda body: (body["kind"], body["metadata"]["name"]),
)


@settings(max_examples=support.examples(40))
@given(bodies)
def test_the_plan_of_what_was_applied_is_empty_and_applying_twice_is_applying_once(found):
    import asyncio

    async def play():
        stage = Stage()
        await stage.deliver(Part("web", found))
        version = stage.fleet.world().version
        made, _, _ = await stage.planned(Part("web", found))
        assert set(made.counts) == {"unchanged"}
        await stage.deliver(Part("web", found))
        assert stage.fleet.world().version == version

    asyncio.run(play())


async def test_a_long_chain_of_components_falls_without_running_out_of_stack():
    stage = Stage()
    stage.fleet.fault(lambda: errors.Rejected("no"), verb="apply", name="shop/c0", times=-1)
    chain = [Part(f"c{n}", [config(f"c{n}")], (f"c{n - 1}",) if n else ()) for n in range(400)]
    ended = await stage.deliver(*chain)
    assert ended.counts == {"failed": 1, "skipped": 399}
