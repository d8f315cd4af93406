"""The guards of delivery.md section 9, each with what it stops and what it says."""

from __future__ import annotations

import pytest
from fakes.stage import Part, Stage, claim, config, crd, deployment, namespace, policy, ref, widget

from appdelivery import errors
from appdelivery.delivery import consent as consents
from appdelivery.delivery import ports
from appdelivery.model import marks

WEB = Part("web", [config("web"), config("web2"), config("web3"), config("web4")])
OLD = Part("old", [config("old")])


def pending(ended):
    return {(c.subject.ref.name, c.why.code) for c in ended.pending}


async def test_without_a_reason_against_it_an_unwanted_object_goes():
    stage = Stage()
    await stage.deliver(WEB, OLD)
    ended = await stage.deliver(WEB)
    assert ended.counts == {"unchanged": 4, "delete": 1}
    assert stage.live(config("old")) is None


async def test_g1_the_journal_refuses_to_delete_what_a_newer_release_wants():
    stage = Stage()
    await stage.deliver(WEB, OLD)
    lease = stage._claimed()
    with pytest.raises(errors.Conflict) as refusal:
        stage.journal.record(lease, [ports.ObjectDeleting(("one", ref(config("old")).identity), 1)])
    assert refusal.value.code == "release.superseded"


async def test_g1_a_run_that_sees_a_newer_release_stops_deleting():
    stage = Stage()
    await stage.deliver(WEB, OLD, Part("older", [config("older")]))
    made, wanted, _ = await stage.planned(WEB, OLD, Part("older", [config("older")]))
    # an older run: its plan deletes; right before its first intent another process opens a release that wants them
    original = stage.journal.record

    def record(lease, facts):
        if (
            any(isinstance(fact, ports.ObjectDeleting) for fact in facts)
            and len(stage.journal.state.releases[stage.app]) == 2
        ):
            newest = stage.journal.state.releases[stage.app][-1].number
            from appdelivery.model.record import changed

            stage.open([WEB, OLD], changed(made, base=changed(made.base, release=newest)), wanted)
        return original(lease, facts)

    stage.journal.record = record
    ended = await stage.deliver(WEB, consent=consents.Consent(allow_deletes=5))
    assert ended.outcome == "superseded"
    assert stage.live(config("old")) is not None
    assert stage.live(config("older")) is not None
    assert not stage.fleet.log("delete")


async def test_g2_nothing_is_deleted_when_not_everything_rendered():
    stage = Stage()
    await stage.deliver(WEB, OLD)
    ended = await stage.deliver(WEB, trusted=False)
    assert pending(ended) == {("old", "prune-disabled")}
    assert stage.live(config("old")) is not None
    assert (await stage.planned(WEB))[0].counts["delete"] == 1  # still pending, the next run may


async def test_g2_nothing_is_deleted_after_a_failure():
    stage = Stage()
    await stage.deliver(WEB, OLD)
    stage.fleet.fault(lambda: errors.Rejected("no", fields=[("data", "bad")]), verb="apply", name="shop/new", times=-1)
    ended = await stage.deliver(WEB, Part("new", [config("new")]))
    assert ended.outcome == "failed"
    assert stage.live(config("old")) is not None


async def test_g3_what_moved_goes_only_when_its_new_place_is_healthy():
    stage = Stage(clusters=("one", "two"), weather="fair")
    await stage.deliver(Part("web", [deployment("web")], clusters=("one",)))
    stage.fleet.weather = "bad"
    ended = await stage.deliver(Part("web", [deployment("web")], clusters=("two",)))
    assert ended.outcome == "failed"
    assert stage.live(deployment("web"), "one") is not None
    stage.fleet.weather = "fair"
    stage.fleet.settle(ref(deployment("web")), cluster="two")
    ended = await stage.deliver(Part("web", [deployment("web")], clusters=("two",)))
    assert ended.outcome == "succeeded"
    assert stage.live(deployment("web"), "one") is None


async def test_g3_what_moved_to_an_unreachable_cluster_stays():
    stage = Stage(clusters=("one", "two"))
    await stage.deliver(Part("web", [config("web")], clusters=("one",)), Part("x", [config("x")]))
    stage.fleet.down.add("two")
    ended = await stage.deliver(Part("web", [config("web")], clusters=("two",)), Part("x", [config("x")]))
    assert ended.outcome == "partial"
    assert stage.live(config("web"), "one") is not None


@pytest.mark.parametrize(
    ("total", "going", "allowed"), [(10, 3, True), (10, 4, False), (3, 1, True), (2, 2, False), (1, 1, False)]
)
async def test_g4_more_than_a_third_of_the_objects_need_consent(total, going, allowed):
    stage = Stage()
    bodies = [config(f"c{n}") for n in range(total)]
    await stage.deliver(Part("c", bodies))
    left = [Part("c", bodies[going:])] if going < total else []
    made, _, _ = await stage.planned(*left)
    found = {c.why.code for c in made.changes if c.action != "unchanged"}
    assert found == ({"not-desired"} if allowed else {"over-budget"})
    made, _, _ = await stage.planned(*left, consent=consents.Consent(allow_deletes=going))
    assert made.counts["delete"] == going


async def test_g4_more_than_twenty_objects_need_consent_and_the_hint_says_how():
    stage = Stage()
    bodies = [config(f"c{n}") for n in range(100)]
    await stage.deliver(Part("c", bodies))
    made, _, _ = await stage.planned(Part("c", bodies[21:]))
    assert made.counts == {"unchanged": 79, "skip": 21}
    assert made.changes[-1].why.detail["hint"].endswith("--allow-deletes 21")


async def test_g4_an_empty_render_deletes_nothing_without_consent():
    stage = Stage()
    await stage.deliver(WEB)
    ended = await stage.deliver()
    assert {code for _, code in pending(ended)} == {"over-budget"}
    assert len(stage.rows) == 4


@pytest.mark.parametrize("body", [claim("data"), namespace("extra"), crd()])
async def test_g5_volumes_namespaces_and_definitions_are_deleted_by_name_only(body):
    stage = Stage()
    await stage.deliver(WEB, Part("old", [body]))
    ended = await stage.deliver(WEB)
    assert {code for _, code in pending(ended)} == {"needs-consent"}
    assert stage.live(body) is not None
    name = f"{body['kind']}/{body['metadata']['name']}"
    ended = await stage.deliver(WEB, consent=consents.Consent(deletes=frozenset((name,))))
    assert ended.counts["delete"] == 1
    assert stage.live(body) is None


async def test_g5_an_annotation_asks_for_the_name():
    stage = Stage()
    body = config("old", annotations={"appdelivery.dev/confirm-delete": "true"})
    await stage.deliver(WEB, Part("old", [body]))
    assert pending(await stage.deliver(WEB)) == {("old", "needs-consent")}


@pytest.mark.parametrize(
    "annotations",
    [
        {"appdelivery.dev/prune": "false"},
        {"helm.sh/resource-policy": "keep"},
        {"argocd.argoproj.io/sync-options": "Replace=true,Prune=false"},
    ],
)
async def test_g6_annotations_keep_an_object(annotations):
    stage = Stage()
    await stage.deliver(WEB, Part("old", [config("old", annotations=annotations)]))
    assert pending(await stage.deliver(WEB)) == {("old", "gc-never")}
    assert stage.live(config("old")) is not None


async def test_g6_an_annotation_that_somebody_set_on_the_live_object_keeps_it():
    stage = Stage()
    await stage.deliver(WEB, OLD)
    stage.fleet.edit(ref(config("old")), {"metadata": {"annotations": {"appdelivery.dev/prune": "false"}}})
    assert pending(await stage.deliver(WEB)) == {("old", "gc-never")}


@pytest.mark.parametrize(("strategy", "code"), [("never", "gc-never"), ("onAppDelete", "gc-on-app-delete")])
async def test_g6_the_policy_keeps_an_object(strategy, code):
    stage = Stage()
    rules = [{"selector": {"componentNames": ["old"]}, "strategy": strategy}]
    await stage.deliver(WEB, OLD, given=[policy("garbage-collect", rules=rules)])
    assert pending(await stage.deliver(WEB)) == {("old", code)}


async def test_g6_what_is_kept_until_the_application_goes_goes_with_it():
    stage = Stage()
    rules = [{"selector": {"componentNames": ["old"]}, "strategy": "onAppDelete"}]
    await stage.deliver(WEB, OLD, given=[policy("garbage-collect", rules=rules)])
    await stage.deliver(WEB)
    await stage.delete(WEB)
    assert stage.live(config("old")) is None
    assert not stage.rows


async def test_g6_what_is_kept_for_ever_is_let_go_with_the_application():
    stage = Stage()
    await stage.deliver(WEB, Part("old", [config("old", annotations={"appdelivery.dev/prune": "false"})]))
    ended = await stage.delete(WEB)
    assert ended.outcome == "succeeded"
    assert stage.live(config("old")) is not None
    assert not stage.rows


async def test_g7_another_object_under_the_name_is_released_and_untouched():
    stage = Stage()
    await stage.deliver(WEB, OLD)
    stage.fleet.world()._remove(ref(config("old")).identity, stage.live(config("old"))["metadata"]["uid"], "Background")
    stage.fleet.foreign(config("old"))
    ended = await stage.deliver(WEB)
    assert ended.counts == {"unchanged": 4}
    assert stage.live(config("old")) is not None
    assert len(stage.rows) == 4


async def test_g7_an_object_without_our_mark_is_released_and_untouched():
    stage = Stage()
    await stage.deliver(WEB, OLD)
    stage.fleet.edit(ref(config("old")), {"metadata": {"annotations": {marks.OWNER: None}}})
    await stage.deliver(WEB)
    assert stage.live(config("old")) is not None
    assert len(stage.rows) == 4


async def test_g7_an_object_exchanged_right_before_the_request_is_not_deleted():
    stage = Stage()
    await stage.deliver(WEB, OLD)
    original = stage.fleet.delete

    async def delete(cluster, at, how):
        world = stage.fleet.world(cluster)
        world._remove(at.identity, how.uid, "Background")
        stage.fleet.foreign(config("old"), cluster=cluster)
        return await original(cluster, at, how)

    stage.fleet.delete = delete
    await stage.deliver(WEB)
    assert stage.managers(config("old")) == ["kubectl-create"]
    assert len(stage.rows) == 4


async def test_g8_a_shared_object_stays_while_sharers_remain():
    stage = Stage()
    await stage.deliver(WEB, OLD)
    key, row = next((k, r) for k, r in stage.journal.state.rows.items() if r.ref.name == "old")
    from appdelivery.model.record import changed

    stage.journal.state.rows[key] = changed(row, mode="shared-writer")
    stage.fleet.edit(ref(config("old")), {"metadata": {"annotations": {marks.SHARED_BY: "shop/other"}}})
    assert pending(await stage.deliver(WEB)) == {("old", "shared-not-owner")}


async def test_g9_an_unreachable_cluster_holds_up_only_itself():
    stage = Stage(clusters=("one", "two"))
    await stage.deliver(WEB, OLD)
    stage.fleet.down.add("two")
    ended = await stage.deliver(WEB)
    assert ended.outcome == "partial"
    assert stage.live(config("old"), "one") is None
    assert stage.live(config("old"), "two") is not None
    stage.fleet.down.clear()
    ended = await stage.deliver(WEB)
    assert ended.outcome == "succeeded"
    assert stage.live(config("old"), "two") is None


async def test_g9_deleting_an_application_never_blocks_on_a_dead_cluster():
    stage = Stage(clusters=("one", "two"))
    await stage.deliver(WEB)
    stage.fleet.down.add("two")
    ended = await stage.delete(WEB)
    assert ended.outcome == "partial"
    assert stage.owned("one") == set()
    assert {row.cluster for row in stage.rows.values()} == {"two"}


async def test_a_policy_keeps_everything_of_the_past():
    stage = Stage()
    await stage.deliver(WEB, OLD)
    ended = await stage.deliver(WEB, given=[policy("garbage-collect", keepLegacyResource=True)])
    assert pending(ended) == {("old", "prune-disabled")}


async def test_orphans_are_left_to_live_by_rule():
    stage = Stage()
    rules = [{"selector": {"componentNames": ["old"]}, "propagation": "orphan"}]
    parts = [WEB, Part("old", [deployment("old")])]
    await stage.deliver(*parts, given=[policy("garbage-collect", rules=rules)])
    uid = stage.live(deployment("old"))["metadata"]["uid"]
    child = config("child")
    child["metadata"]["ownerReferences"] = [{"uid": uid, "kind": "Deployment", "name": "old", "apiVersion": "apps/v1"}]
    stage.fleet.foreign(child)
    await stage.deliver(WEB)
    assert stage.live(deployment("old")) is None
    assert stage.live(child) is not None


async def test_a_definition_goes_after_its_objects_and_dependants_before_what_they_need():
    stage = Stage()
    parts = [
        Part("w", [crd(), widget("a"), widget("b")]),
        Part("db", [deployment("db")]),
        Part("web", [deployment("web")], depends_on=("db",)),
    ]
    await stage.deliver(*parts)
    consent = consents.Consent(deletes=frozenset(("CustomResourceDefinition/widgets.example.com",)))
    ended = await stage.delete(*parts, consent=consent)
    assert ended.outcome == "succeeded"
    gone = [(kind, name) for _, kind, _, name in stage.fleet.world().deleted]
    assert gone.index(("Widget", "a")) < gone.index(("CustomResourceDefinition", "widgets.example.com"))
    assert gone.index(("Deployment", "web")) < gone.index(("Deployment", "db"))


async def test_a_finalizer_that_holds_an_object_is_named_when_patience_ends():
    stage = Stage()
    await stage.deliver(WEB, OLD)
    stage.fleet.edit(ref(config("old")), {"metadata": {"finalizers": ["example.com/hold"]}})
    ended = await stage.deliver(WEB, given=[policy("health", deadline="2m")])
    assert ended.outcome == "failed"
    assert "example.com/hold" in ended.message
    stage.fleet.world().unfinalize(ref(config("old")))
    ended = await stage.deliver(WEB)
    assert ended.outcome == "succeeded"
    assert len(stage.rows) == 4
