"""The table of delivery.md section 4, row by row, on fakes: desired, inventory and live decide."""

from __future__ import annotations

import pytest
from fakes.stage import Part, Stage, config, crd, deployment, hpa, job, namespace, policy, ref, service, widget

from appdelivery import errors
from appdelivery.delivery import consent as consents
from appdelivery.delivery import plan
from appdelivery.model import marks
from appdelivery.model.refs import AppKey

WEB = Part("web", [config("web")])


def only(made):
    (change,) = made.changes
    return change.action, change.why.code


async def test_absent_and_unknown_is_created():
    made, _, _ = await Stage().planned(WEB)
    assert only(made) == ("create", "new")
    assert made.base.objects == (("one", ref(config("web")).identity, "", "absent"),)


async def test_our_mark_without_a_row_is_adopted():
    stage = Stage()
    await stage.deliver(WEB)
    stage.journal.state.rows.clear()
    made, _, _ = await stage.planned(WEB)
    assert only(made) == ("update", "adopted")
    assert plan.blocked(made) is None


async def test_foreign_objects_are_refused_with_the_way_to_take_them_over():
    stage = Stage()
    stage.fleet.foreign(config("web"), manager="helm")
    made, _, _ = await stage.planned(WEB)
    assert only(made) == ("skip", "not-ours")
    refusal = plan.blocked(made)
    assert isinstance(refusal, errors.Refused)
    assert "ConfigMap shop/web on cluster one" in refusal.message
    assert "Helm" in refusal.message
    assert "--take-ownership" in refusal.hint


async def test_the_bare_kubevela_labels_do_not_make_an_object_ours():
    stage = Stage()
    body = config("web")
    body["metadata"]["labels"] = {marks.NAME: "web", marks.NAMESPACE: "shop"}
    stage.fleet.foreign(body, manager="vela-core")
    made, _, _ = await stage.planned(WEB)
    assert only(made) == ("skip", "not-ours")


async def test_a_copied_mark_does_not_make_an_object_ours():
    stage = Stage()
    await stage.deliver(Part("web", [config("first")]))
    copy = stage.live(config("first"))
    copy["metadata"] = {"name": "web", "namespace": "shop", "annotations": copy["metadata"]["annotations"]}
    stage.fleet.foreign(copy)
    made, _, _ = await stage.planned(Part("web", [config("first"), config("web")]))
    assert [(c.action, c.why.code) for c in made.changes] == [("unchanged", "digest-equal"), ("skip", "not-ours")]


async def test_an_object_of_another_application_is_refused_by_name():
    stage = Stage()
    await stage.deliver(WEB)
    stage.app = AppKey("shop", "other")
    made, _, _ = await stage.planned(WEB)
    assert only(made) == ("skip", "not-ours")
    assert "application shop/web" in plan.blocked(made).message


async def test_what_was_there_and_is_gone_is_created_again():
    stage = Stage()
    await stage.deliver(WEB)
    stage.fleet.world()._remove(ref(config("web")).identity, stage.live(config("web"))["metadata"]["uid"], "Background")
    made, _, _ = await stage.planned(WEB)
    assert only(made) == ("create", "missing")


async def test_an_object_made_anew_by_somebody_is_judged_as_if_there_were_no_row():
    stage = Stage()
    await stage.deliver(WEB)
    stage.fleet.world()._remove(ref(config("web")).identity, stage.live(config("web"))["metadata"]["uid"], "Background")
    stage.fleet.foreign(config("web"))
    made, _, _ = await stage.planned(WEB)
    assert only(made) == ("skip", "not-ours")


async def test_equal_is_unchanged_and_not_in_the_base():
    stage = Stage()
    await stage.deliver(WEB)
    made, _, _ = await stage.planned(WEB)
    assert only(made) == ("unchanged", "digest-equal")
    assert made.base.objects == ()
    assert made.base.release == 1


async def test_a_new_value_is_an_update():
    stage = Stage()
    await stage.deliver(WEB)
    made, _, _ = await stage.planned(Part("web", [config("web", key="other")]))
    assert only(made) == ("update", "desired-changed")


async def test_a_foreign_change_of_our_field_is_drift():
    stage = Stage()
    await stage.deliver(WEB)
    stage.fleet.edit(ref(config("web")), {"data": {"key": "other"}})
    made, _, _ = await stage.planned(WEB)
    assert only(made) == ("update", "drifted")
    assert "kubectl-edit" in made.changes[0].why.text


async def test_a_foreign_field_beside_ours_is_nobodys_business():
    stage = Stage()
    await stage.deliver(WEB)
    stage.fleet.edit(ref(config("web")), {"data": {"more": "1"}, "metadata": {"labels": {"theirs": "1"}}})
    made, _, _ = await stage.planned(WEB)
    assert only(made) == ("unchanged", "digest-equal")


async def test_an_owned_empty_map_filled_by_others_is_unchanged_and_its_loss_is_drift():
    stage = Stage()
    body = deployment("web")
    body["spec"]["template"]["spec"]["volumes"] = [{"name": "tmp", "emptyDir": {}}]
    part = Part("web", [body])
    await stage.deliver(part)
    (row,) = stage.rows.values()
    assert row.bare
    filled = [{"name": "tmp", "emptyDir": {"medium": "Memory"}}]
    stage.fleet.edit(ref(body), {"spec": {"template": {"spec": {"volumes": filled}}}}, manager="defaulter")
    made, _, _ = await stage.planned(part)
    assert only(made) == ("unchanged", "digest-equal")
    stage.fleet.edit(ref(body), {"spec": {"template": {"spec": {"volumes": None}}}})
    made, _, _ = await stage.planned(part)
    assert only(made) == ("update", "drifted")


async def test_wiped_managed_fields_are_repaired():
    stage = Stage()
    await stage.deliver(WEB)
    stage.fleet.world().wipe(ref(config("web")))
    made, _, _ = await stage.planned(WEB)
    assert only(made) == ("update", "ownership-repaired")
    await stage.deliver(WEB)
    assert stage.managers(config("web")) == [marks.manager_of(stage.app)]


async def test_what_is_no_longer_wanted_is_deleted():
    stage = Stage()
    await stage.deliver(WEB, Part("old", [config("old")]))
    made, _, _ = await stage.planned(WEB)
    assert [(c.action, c.why.code) for c in made.changes] == [("unchanged", "digest-equal"), ("delete", "not-desired")]
    assert made.changes[1].why.detail["uid"]


async def test_a_row_without_a_live_object_is_closed_without_a_change():
    stage = Stage()
    await stage.deliver(WEB, Part("old", [config("old")]))
    stage.fleet.world()._remove(ref(config("old")).identity, stage.live(config("old"))["metadata"]["uid"], "Background")
    made, _, _ = await stage.planned(WEB)
    assert only(made) == ("unchanged", "digest-equal")
    await stage.deliver(WEB)
    assert [row.ref.name for row in stage.rows.values()] == ["web"]


async def test_an_unreachable_cluster_is_unknown_and_the_other_goes_on():
    stage = Stage(clusters=("one", "two"))
    await stage.deliver(WEB)
    stage.fleet.down.add("two")
    made, _, _ = await stage.planned(Part("web", [config("web", key="new")]))
    assert [(c.subject.cluster, c.action, c.why.code) for c in made.changes] == [
        ("one", "update", "desired-changed"),
        ("two", "unknown", "unreachable"),
    ]
    ended = await stage.deliver(Part("web", [config("web", key="new")]))
    assert ended.outcome == "partial"
    assert stage.live(config("web"))["data"] == {"key": "new"}


async def test_a_forbidden_kind_is_unknown_and_touches_nothing_else():
    stage = Stage()
    parts = [WEB, Part("svc", [service("web")])]
    await stage.deliver(*parts)
    stage.fleet.forbidden.add(("one", "Service"))
    made, _, _ = await stage.planned(*parts)
    assert [(c.action, c.why.code) for c in made.changes] == [("unchanged", "digest-equal"), ("unknown", "forbidden")]


async def test_a_kind_the_cluster_does_not_serve_is_refused_unless_the_plan_brings_it():
    stage = Stage()
    with pytest.raises(errors.SpecError) as refusal:
        await stage.planned(Part("w", [widget("a")]))
    assert "does not serve Widget" in refusal.value.problems[0].message
    made, _, _ = await stage.planned(Part("w", [widget("a"), crd()]))
    assert {c.action for c in made.changes} == {"create"}


async def test_a_missing_namespace_is_said_before_anything_is_applied():
    stage = Stage(namespaces=("default",))
    parts = Part("web", [config(name) for name in "abcd"])
    made, _, _ = await stage.planned(parts)
    assert {(c.action, c.why.code) for c in made.changes} == {("skip", "needs-consent")}
    assert "--create-namespace" in plan.blocked(made).hint
    made, _, _ = await stage.planned(parts, consent=consents.Consent(create_namespace=True))
    assert plan.blocked(made) is None
    made, _, _ = await stage.planned(Part("web", [namespace("shop"), *parts.bodies]))
    assert plan.blocked(made) is None


async def test_a_changed_job_is_replaced_and_a_changed_claim_needs_its_name():
    stage = Stage()
    await stage.deliver(Part("j", [job("j")]))
    made, _, _ = await stage.planned(Part("j", [job("j", image="example/job:2")]))
    assert only(made) == ("replace", "immutable-field")


async def test_an_update_of_a_definition_that_harms_live_objects_needs_consent():
    stage = Stage()
    old = crd(type="object", properties={"spec": {"type": "object", "properties": {"size": {"type": "integer"}}}})
    await stage.deliver(Part("w", [old, widget("a")]))
    new = crd(type="object", properties={"spec": {"type": "object", "properties": {"size": {"type": "string"}}}})
    made, _, _ = await stage.planned(Part("w", [new, widget("a")]))
    change = made.changes[0]
    assert (change.action, change.why.code) == ("skip", "needs-consent")
    assert "1 live objects" in change.why.text
    consent = consents.Consent(deletes=frozenset(("CustomResourceDefinition/widgets.example.com",)))
    made, _, _ = await stage.planned(Part("w", [new, widget("a")]), consent=consent)
    assert made.changes[0].action == "update"


async def test_adding_a_field_to_a_definition_is_free():
    stage = Stage()
    await stage.deliver(Part("w", [crd(type="object", properties={"a": {"type": "string"}})]))
    made, _, _ = await stage.planned(
        Part("w", [crd(type="object", properties={"a": {"type": "string"}, "b": {"type": "string"}})])
    )
    assert only(made) == ("update", "desired-changed")


async def test_what_is_named_and_exists_nowhere_is_a_warning():
    made, _, _ = await Stage().planned(Part("web", [deployment("web", env_from="nowhere")]))
    assert any("names ConfigMap shop/nowhere" in warning for warning in made.warnings)


async def test_a_rule_that_matches_nothing_is_a_warning():
    rules = [{"selector": {"componentNames": ["nobody"]}}]
    made, _, _ = await Stage().planned(WEB, given=[policy("take-over", rules=rules)])
    assert any("take-over" in warning for warning in made.warnings)


async def test_an_explicit_dependency_on_nothing_is_refused():
    body = config("web", annotations={"appdelivery.dev/depends-on": "v1/Secret/shop/key=present"})
    with pytest.raises(errors.SpecError) as refusal:
        await Stage().planned(Part("web", [body]))
    assert "waits for Secret shop/key, which nobody creates" in refusal.value.problems[0].message


async def test_the_plan_of_what_was_just_applied_is_empty():
    stage = Stage()
    parts = [Part("web", [deployment("web"), service("web"), hpa("web")]), Part("job", [job("j")])]
    await stage.deliver(*parts)
    made, _, _ = await stage.planned(*parts)
    assert made.counts == {"unchanged": 4}
