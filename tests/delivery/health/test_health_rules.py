"""Which rule judges, what gates a release, and that no status of any shape makes a rule fail."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import support
from hypothesis import given, settings
from hypothesis import strategies as st

from appdelivery.delivery import health
from appdelivery.delivery.health import rows, table
from appdelivery.delivery.health.conditions import Facts
from appdelivery.delivery.health.rule import Rule
from appdelivery.delivery.health.table import Phase, Row
from appdelivery.model.live import STATES, Health, Live
from appdelivery.model.refs import Ref, ref_of

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
KINDS = sorted({*health.BUILT_IN, *rows.ROWS, ("example.com", "Widget"), ("", "ConfigMap")})

texts = st.sampled_from(["", "True", "False", "Unknown", "Ready", "Failed", "2026-01-01T00:00:00Z", "-1", "x" * 50])
scalars = st.one_of(st.none(), st.booleans(), st.integers(-3, 2**70), st.floats(allow_nan=True), texts)
names = st.sampled_from(
    """observedGeneration generation conditions type status reason replicas readyReplicas phase state loadBalancer ingress
    containerStatuses parents listeners spec scale statusReplicas updateStrategy partition lastTransitionTime finalizers
    annotations name rollingUpdate runPolicy health availableReplicas active jobStatus deletionTimestamp""".split()
)
trees = st.recursive(
    scalars, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=5)), max_leaves=20
)


def judge(body: dict[str, Any], *rules: Rule) -> Health:
    return health.judge(Live(ref_of(body), body), now=NOON, rules=rules)


def widget(**status: Any) -> dict[str, Any]:
    return {
        "apiVersion": "example.com/v1",
        "kind": "Widget",
        "metadata": {"name": "blue", "namespace": "shop"},
        "status": status,
    }


@settings(max_examples=support.examples(300))
@given(kind=st.sampled_from(KINDS), metadata=st.dictionaries(names, trees), spec=trees, status=trees)
def test_no_status_of_any_shape_makes_a_rule_fail(
    kind: tuple[str, str], metadata: dict[str, Any], spec: Any, status: Any
) -> None:
    group, name = kind[0].replace("*", "cloud"), kind[1].replace("*", "Thing")
    body = {"metadata": {**metadata, "name": "x"}, "spec": spec, "status": status}
    verdict = health.judge(Live(Ref(group, "v1", name, "", "x"), body), now=NOON)
    assert verdict.state in STATES
    assert all(isinstance(text, str) for text in (verdict.reason, verdict.message))
    health.wait_class(Ref(group, "v1", name, "", "x"), {"spec": spec} if isinstance(spec, dict) else {})


def test_a_status_that_cannot_be_read_is_unknown_and_never_healthy() -> None:
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x", "generation": {}}, "status": {}}
    body["status"] = {"observedGeneration": 1, "replicas": ["three"]}
    verdict = judge(body)
    assert verdict.state == "unknown"
    assert verdict.reason == "UnreadableStatus"


# --- which rule judges ----------------------------------------------------------------------------------------------
def rule(applies: bool = True, wait: str = "", **found: Any) -> Rule:
    return Rule(lambda _: applies, (lambda _: found) if found else None, wait)


def test_an_applications_own_rule_decides_before_the_rule_of_the_kind() -> None:
    assert judge(widget(phase="Failed"), rule(healthy=True, message="good enough")).message == "good enough"


def test_the_first_rule_that_applies_decides() -> None:
    rules = (rule(applies=False, failed=True), rule(suspended=True, message="waits"), rule(healthy=True))
    assert judge(widget(), *rules).state == "suspended"


@pytest.mark.parametrize(
    ("found", "state", "terminal"),
    [
        ({"failed": True, "healthy": True}, "degraded", True),
        ({"failed": False, "suspended": True, "healthy": True}, "suspended", False),
        ({"healthy": True}, "healthy", False),
        ({"healthy": False}, "progressing", False),
    ],
)
def test_of_a_rules_answers_the_worst_counts(found: dict[str, Any], state: str, terminal: bool) -> None:
    verdict = judge(widget(), rule(**found))
    assert (verdict.state, verdict.terminal) == (state, terminal)


def test_a_rule_that_fails_is_unknown_with_its_message() -> None:
    def broken(_: dict[str, Any]) -> dict[str, Any]:
        raise ZeroDivisionError("division by zero")

    verdict = judge(widget(phase="Ready"), Rule(lambda _: True, broken))
    assert verdict.state == "unknown"
    assert "division by zero" in verdict.message


def test_a_rule_that_only_sets_the_wait_class_leaves_the_verdict_to_the_kind() -> None:
    assert judge(widget(phase="Ready"), rule(wait="optional")).state == "healthy"


def test_what_is_being_deleted_is_never_healthy_whatever_a_rule_says() -> None:
    body = widget(phase="Ready")
    body["metadata"]["deletionTimestamp"] = "2026-01-01T11:59:59Z"
    assert judge(body, rule(healthy=True)).reason == "Terminating"


# --- what gates a release -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("group", "kind", "spec", "expected"),
    [
        ("apps", "Deployment", {}, "required"),
        ("batch", "Job", {}, "required"),
        ("", "PersistentVolumeClaim", {}, "required"),
        ("apiextensions.k8s.io", "CustomResourceDefinition", {}, "required"),
        ("example.com", "Widget", {}, "required"),
        ("", "Service", {"type": "LoadBalancer"}, "required"),
        ("", "Service", {"type": "ClusterIP"}, "none"),
        ("", "ConfigMap", {}, "none"),
        ("", "Secret", {}, "none"),
        ("rbac.authorization.k8s.io", "Role", {}, "none"),
        ("autoscaling", "HorizontalPodAutoscaler", {}, "optional"),
        ("keda.sh", "ScaledObject", {}, "optional"),
        ("policy", "PodDisruptionBudget", {}, "optional"),
        ("networking.k8s.io", "Ingress", {}, "optional"),
        ("gateway.networking.k8s.io", "HTTPRoute", {}, "optional"),
        ("cert-manager.io", "Certificate", {}, "optional"),
    ],
)
def test_what_a_release_waits_for(group: str, kind: str, spec: dict[str, Any], expected: str) -> None:
    assert health.wait_class(Ref(group, "v1", kind, "shop", "x"), {"spec": spec}) == expected


def test_a_policy_changes_what_a_release_waits_for() -> None:
    ingress = Ref("networking.k8s.io", "v1", "Ingress", "shop", "x")
    assert health.wait_class(ingress, {}, [rule(wait="required")]) == "required"
    assert health.wait_class(ingress, {}, [rule(applies=False, wait="required")]) == "optional"
    assert health.wait_class(ingress, {}, [rule(healthy=True)]) == "optional"


def test_the_worst_verdict_speaks_for_all() -> None:
    healthy, waiting = Health("healthy"), Health("progressing", "Slow")
    broken, final = Health("degraded", "Bad"), Health("degraded", "Final", terminal=True)
    assert health.worst([healthy, waiting, broken, final]).reason == "Final"
    assert health.worst([healthy, waiting, Health("missing", "Gone")]).reason == "Gone"
    assert health.worst([healthy, waiting]).reason == "Slow"
    assert health.worst([]).state == "healthy"


# --- the table ------------------------------------------------------------------------------------------------------
def test_a_group_finds_its_row_by_its_end() -> None:
    known = {("*.crossplane.io", "*"): Row(ready=("Synced",)), ("*.crossplane.io", "Usage"): Row(present=True)}
    assert table.row_of(known, "s3.aws.crossplane.io", "Bucket") is not None
    assert table.row_of(known, "helm.crossplane.io", "Release") is not None
    assert table.row_of(known, "aws.crossplane.io", "Usage") == Row(present=True)
    assert table.row_of(known, "crossplane.example.com", "Bucket") is None


def row(of: Row, *listed: tuple[str, str, str], **status: Any) -> Health:
    conditions = [{"type": t, "status": s, "reason": r} for t, s, r in listed]
    body = {"metadata": {"name": "x", "generation": 2}, "status": {**status, "conditions": conditions}}
    return table.judge(of, Facts(body, NOON))


def test_every_ready_condition_must_be_true() -> None:
    both = Row(ready=("Synced", "Ready"))
    assert row(both, ("Synced", "True", ""), ("Ready", "True", "")).state == "healthy"
    assert row(both, ("Synced", "True", "")).state == "progressing"
    assert row(both, ("Synced", "False", "Creating"), ("Ready", "True", "")).state == "progressing"
    assert row(both, ("Synced", "False", "ReconcileError"), ("Ready", "True", "")).state == "degraded"


def test_a_condition_may_have_two_names_or_be_left_out() -> None:
    either = Row(ready=("Ready|Available", "Extra?"))
    assert row(either, ("Available", "True", "")).state == "healthy"
    assert row(either, ("Ready", "False", ""), ("Available", "True", "")).state == "progressing"
    assert row(either, ("Ready", "True", ""), ("Extra", "False", "")).state == "progressing"


def test_patient_reasons_keep_a_release_waiting() -> None:
    patient = Row(ready=("Ready",), bad=("NotReady",), false_is_bad=True, patient=("Creating",))
    assert row(patient, ("NotReady", "True", "Creating")).state == "progressing"
    assert row(patient, ("NotReady", "True", "Timeout")).state == "degraded"
    assert row(patient, ("Ready", "False", "Creating")).state == "progressing"
    assert row(patient, ("Ready", "False", "Other")).state == "degraded"


def test_of_several_phases_the_worst_speaks_and_absent_ones_wait() -> None:
    phases = Row(
        phases=(Phase("a.b", good=("ok",), failed=("bad",)), Phase("c", good=("true",), suspended=("off",), optional=True))
    )
    assert row(phases, a={"b": "ok"}).state == "healthy"
    assert row(phases, a={"b": "ok"}, c=True).state == "healthy"
    assert row(phases, a={"b": "ok"}, c="off").state == "suspended"
    assert row(phases, a={"b": "bad"}, c="off").state == "degraded"
    assert row(phases, a={"b": "busy"}).state == "progressing"
    assert row(phases, c=True).state == "progressing"


def test_a_good_phase_does_not_overrule_a_condition() -> None:
    both = Row(ready=("Ready",), phases=(Phase("phase", good=("Running",)),))
    assert row(both, ("Ready", "False", "Slow"), phase="Running").state == "progressing"
    assert row(both, ("Ready", "True", ""), phase="Starting").state == "progressing"
    assert row(both, ("Ready", "True", ""), phase="Running").state == "healthy"


def test_rows_name_what_they_read() -> None:
    for key, one in rows.ROWS.items():
        assert one.present or one.ready or one.phases or one.bad, key
        assert not set(one.bad) & set(one.ready), key
        assert key not in health.BUILT_IN, f"{key} has a rule of its own: its row would never be read"
