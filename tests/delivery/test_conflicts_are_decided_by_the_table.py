"""Who keeps a field that another manager owns: delivery.md section 6.1, decision by decision and through a release."""

from __future__ import annotations

import pytest
from fakes.stage import Part, Stage, config, deployment, hpa, policy, ref

from appdelivery.delivery import conflict, policies
from appdelivery.delivery import consent as consents
from appdelivery.delivery.desired import Desired
from appdelivery.model.change import Subject
from appdelivery.model.manifest import Origin

BODY = deployment("web", replicas=3)
ITEM = Desired(Subject("one", ref(BODY), "web"), BODY, "digest", Origin("web"), "webservice")
REPLICAS, IMAGE = ".spec.replicas", '.spec.template.spec.containers[name="web"].image'
RESOURCES = '.spec.template.spec.containers[name="web"].resources.limits.cpu'


def one(manager, path, *, sub="", rules=(), scaled=False, retake=(), **consent):
    made = conflict.decide(
        [(manager, "Update", sub, path)],
        ITEM,
        given=policies.read([policy("conflict", rules=list(rules))] if rules else []),
        consent=consents.Consent(**consent),
        scaled=scaled,
        retake=retake,
    )
    (word,) = [name for name in ("yielded", "forced", "refused") if getattr(made, name)]
    return word


@pytest.mark.parametrize(
    ("manager", "path", "sub", "scaled", "word"),
    [
        ("kube-controller-manager", REPLICAS, "scale", False, "yielded"),
        ("kubectl", REPLICAS, "scale", False, "yielded"),
        ("anybody", REPLICAS, "", True, "yielded"),
        ("kubectl-edit", REPLICAS, "", False, "forced"),
        ("vpa-updater", RESOURCES, "", False, "yielded"),
        ("my-vertical-pod-autoscaler", RESOURCES, "", False, "yielded"),
        ("kubectl-edit", RESOURCES, "", False, "forced"),
        ("cert-manager-cainjector", '.webhooks[name="a"].clientConfig.caBundle', "", False, "yielded"),
        ("anybody", ".spec.conversion.webhook.clientConfig.caBundle", "", False, "yielded"),
        ("anybody", '.metadata.finalizers[="x/y"]', "", False, "yielded"),
        ("anybody", '.metadata.ownerReferences[uid="u"]', "", False, "yielded"),
        ("kubectl-edit", IMAGE, "", False, "forced"),
        ("appctl-handover", REPLICAS, "", False, "forced"),
    ],
)
def test_the_default_gives_up_what_autoscalers_and_injectors_own(manager, path, sub, scaled, word):
    assert one(manager, path, sub=sub, scaled=scaled) == word


def test_the_command_line_forces_what_is_yielded_but_never_replicas_under_an_autoscaler():
    assert one("kubectl", REPLICAS, sub="scale", force_conflicts=True) == "forced"
    assert one("hpa", REPLICAS, sub="scale", scaled=True, force_conflicts=True) == "yielded"


def test_the_command_line_refuses_what_would_be_taken():
    assert one("kubectl-edit", IMAGE, fail_on_conflict=True) == "refused"
    assert one("kubectl", REPLICAS, sub="scale", fail_on_conflict=True) == "yielded"


def test_the_first_rule_that_matches_wins_over_the_command_line():
    rules = [
        {"selector": {"resourceTypes": ["Deployment"]}, "paths": ["/spec/template/spec/containers/*/image"], "do": "yield"},
        {"managers": ["kubectl*"], "do": "fail"},
    ]
    assert one("kubectl-edit", IMAGE, rules=rules, force_conflicts=True) == "yielded"
    assert one("kubectl-edit", ".spec.paused", rules=rules) == "refused"
    assert one("keel", ".spec.paused", rules=rules) == "forced"


def test_globs_of_managers_are_anchored():
    rules = [{"managers": ["edit*"], "do": "yield"}]
    assert one("kubectl-edit", IMAGE, rules=rules) == "forced"
    assert one("editor", IMAGE, rules=rules) == "yielded"


def test_a_rule_cannot_take_replicas_from_an_autoscaler():
    assert one("hpa", REPLICAS, rules=[{"do": "force"}], scaled=True) == "yielded"


async def test_a_conflict_costs_one_more_request_once():
    stage = Stage()
    await stage.deliver(Part("web", [deployment("web", replicas=3)]))
    stage.fleet.edit(ref(BODY), {"spec": {"replicas": 7}}, manager="kubectl", subresource="scale")
    stage.fleet.requests.clear()
    ended = await stage.deliver(Part("web", [deployment("web", replicas=3, image="example/web:2")]))
    assert [r.verb for r in stage.fleet.writes] == ["apply", "apply"]
    assert ended.outcomes[0].given_up == ((".spec.replicas", "kubectl"),)
    assert stage.live(BODY)["spec"]["replicas"] == 7
    stage.fleet.requests.clear()
    await stage.deliver(Part("web", [deployment("web", replicas=3, image="example/web:3")]))
    assert [r.verb for r in stage.fleet.writes] == ["apply"]
    assert stage.live(BODY)["spec"]["replicas"] == 7


async def test_a_yielded_field_is_not_drift_and_is_retaken_when_its_author_writes_it():
    stage = Stage()
    await stage.deliver(Part("web", [deployment("web", replicas=3)]))
    stage.fleet.edit(ref(BODY), {"spec": {"replicas": 7}}, manager="kubectl", subresource="scale")
    await stage.deliver(Part("web", [deployment("web", replicas=3, image="example/web:2")]))
    made, _, _ = await stage.planned(Part("web", [deployment("web", replicas=3, image="example/web:2")]))
    assert made.counts == {"unchanged": 1}
    wanted = Part("web", [deployment("web", replicas=4, image="example/web:2")])
    made, _, _ = await stage.planned(wanted)
    assert made.changes[0].why.code == "field-retaken"
    await stage.deliver(wanted)
    assert stage.live(BODY)["spec"]["replicas"] == 4
    (row,) = stage.rows.values()
    assert row.yielded == ()


async def test_a_taken_field_is_recorded_with_its_former_owner():
    stage = Stage()
    await stage.deliver(Part("web", [config("web")]))
    stage.fleet.edit(ref(config("web")), {"data": {"key": "theirs"}})
    await stage.deliver(Part("web", [config("web", key="ours")]))
    assert stage.live(config("web"))["data"] == {"key": "ours"}
    event = [e for e in stage.journal.state.events if e.kind == "object.changed"][-1]
    assert event.data["taken"] == [[".data.key", "kubectl-edit"]]


async def test_a_refused_conflict_fails_the_object_and_changes_nothing():
    stage = Stage()
    await stage.deliver(Part("web", [config("web")]))
    stage.fleet.edit(ref(config("web")), {"data": {"key": "theirs"}})
    rules = [{"do": "fail"}]
    ended = await stage.deliver(Part("web", [config("web", key="ours")]), given=[policy("conflict", rules=rules)])
    assert ended.outcome == "failed"
    assert ".data.key (owned by kubectl-edit)" in ended.outcomes[0].error
    assert stage.live(config("web"))["data"] == {"key": "theirs"}


async def test_the_values_of_secrets_never_enter_what_was_given_up():
    from fakes.stage import secret

    stage = Stage()
    body = secret("web", password="correct horse")
    await stage.deliver(Part("web", [body]))
    stage.fleet.edit(ref(body), {"data": {"password": "dGhlaXJz"}})
    rules = [{"do": "yield"}]
    await stage.deliver(Part("web", [secret("web", password="battery staple")]), given=[policy("conflict", rules=rules)])
    (row,) = stage.rows.values()
    assert row.yielded == ((".data.password", "kubectl-edit", ""),)


async def test_an_autoscaler_of_ours_keeps_its_number_through_updates():
    stage = Stage()
    await stage.deliver(Part("web", [deployment("web"), hpa("web")]))
    assert stage.live(BODY)["spec"]["replicas"] == 2  # created with the least number
    stage.fleet.edit(ref(BODY), {"spec": {"replicas": 5}}, manager="kube-controller-manager", subresource="scale")
    await stage.deliver(Part("web", [deployment("web", image="example/web:2"), hpa("web")]))
    assert stage.live(BODY)["spec"]["replicas"] == 5
