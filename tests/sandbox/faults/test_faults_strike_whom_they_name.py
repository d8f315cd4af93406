"""Rules: whom they strike, how often, and what they make of a request."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from appdelivery.sandbox import status
from appdelivery.sandbox.clock import Clock
from appdelivery.sandbox.faults import faults, plan, reading, rules

DEPLOYMENTS = SimpleNamespace(plural="deployments", qualified="deployments.apps", kind="Deployment")


def request(verb="patch", *, kind=DEPLOYMENTS, namespace="shop", name="web", subresource="", token="t"):
    return SimpleNamespace(verb=verb, kind=kind, namespace=namespace, name=name, subresource=subresource, token=token)


def standing(*trees, cluster="eu-1", **more):
    made = faults.Faults(7, cluster=cluster, **more)
    for tree in trees:
        made.add(reading.rule(tree))
    return made


def test_without_rules_nothing_happens():
    assert standing().plan(request()) is None


@pytest.mark.parametrize(
    ("scope", "struck"),
    [
        ({}, True),
        ({"cluster": "eu-*"}, True),
        ({"cluster": "us-*"}, False),
        ({"verbs": ["create", "patch"]}, True),
        ({"verbs": ["delete"]}, False),
        ({"kinds": ["Deployment"]}, True),
        ({"kinds": ["deployments"]}, True),
        ({"kinds": ["*.apps"]}, True),
        ({"kinds": ["services"]}, False),
        ({"namespace": "sh*"}, True),
        ({"namespace": "default"}, False),
        ({"name": "w?b"}, True),
        ({"name": "api"}, False),
        ({"subresource": ""}, True),
        ({"subresource": "status"}, False),
    ],
)
def test_a_rule_strikes_the_requests_of_its_scope_only(scope, struck):
    made = standing({"do": "status", "value": 503, **scope}).plan(request())
    assert (made is not None) is struck


def test_a_rule_with_kinds_leaves_discovery_alone():
    found = standing({"do": "reset", "kinds": ["*"]})
    assert found.plan(request("get", kind=None)) is None
    assert found.plan(request("get")) == plan.Plan(before="reset")


def test_a_count_is_spent_and_told():
    found = standing({"do": "reset", "count": 2})
    assert [found.plan(request()) is not None for _ in range(4)] == [True, True, False, False]
    assert found.listed()[0] | {"struck": 2, "spent": True} == found.listed()[0]


def test_requests_beside_the_scope_do_not_spend_a_count():
    found = standing({"do": "reset", "count": 1, "verbs": ["patch"]})
    assert found.plan(request("get")) is None
    assert found.plan(request()) is not None


def test_a_probability_is_repeated_by_its_seed_and_meets_its_share():
    def run(seed):
        found = standing({"do": "reset", "probability": 0.3, "seed": seed})
        return [found.plan(request()) is not None for _ in range(1000)]

    assert run(5) == run(5)
    assert run(5) != run(6)
    assert 250 < sum(run(5)) < 350


def test_delays_add_up_and_the_first_refusal_wins():
    found = standing(
        {"do": "delay", "value": 0.5},
        {"do": "delay", "value": 1},
        {"do": "status", "value": 500},
        {"do": "throttle", "value": 3},
    )
    made = found.plan(request())
    assert made.delay == 1.5
    assert made.before.code == 500
    assert [row["struck"] for row in found.listed()] == [1, 1, 1, 0]


def test_throttling_says_when_to_come_back_in_header_and_details():
    made = standing({"do": "throttle", "value": 2}).plan(request()).before
    assert (made.code, made.headers, made.details) == (429, {"Retry-After": "2"}, {"retryAfterSeconds": 2})


@pytest.mark.parametrize(
    ("do", "value", "expected"),
    [
        ("reset", None, plan.Plan(before="reset")),
        ("reset-after", None, plan.Plan(after="reset")),
        ("truncate", None, plan.Plan(after="truncate")),
        ("partition", None, plan.Plan(before="reset")),
        ("delay", 2, plan.Plan(delay=2.0)),
    ],
)
def test_every_fault_of_requests_becomes_its_part_of_the_plan(do, value, expected):
    assert standing({"do": do, "value": value}).plan(request()) == expected


@pytest.mark.parametrize(
    ("do", "expected"),
    [("stall", "stall"), ("expire", "expired"), ("duplicate", "duplicate"), ("reorder", "reorder")],
)
def test_faults_of_watches_strike_watches_only(do, expected):
    found = standing({"do": do})
    assert found.plan(request("list")) is None
    assert found.plan(request("watch")) == plan.Plan(watch=expected)


def test_stale_answers_are_of_reads_only():
    found = standing({"do": "stale", "value": 3})
    assert found.plan(request("patch")) is None
    assert found.plan(request("list")) == plan.Plan(stale=3)


def test_faults_after_the_effect_spare_watches():
    found = standing({"do": "truncate"}, {"do": "reset-after"})
    assert found.plan(request("watch")) is None


def test_a_login_fault_refuses_every_token_until_a_new_one_was_issued():
    found = standing({"do": "login"})
    assert found.plan(request(token="old")).before.code == 401
    found.renewed("new")
    assert found.plan(request(token="new")) is None
    assert found.plan(request(token="old")).before.code == 401
    found.add(reading.rule({"do": "login", "id": "again"}))
    assert found.plan(request(token="new")).before.code == 401


def test_skew_moves_the_stamps_of_its_cluster_and_goes_with_the_rule():
    clock = Clock()
    found = standing({"do": "skew", "value": 300, "id": "late"}, clock=clock)
    assert clock.skew == 300
    assert found.plan(request()) is None
    found.remove("late")
    assert clock.skew == 0


def test_a_partition_is_told_once_and_ends_with_its_rule():
    cut = []
    found = standing({"do": "partition", "id": "p"}, on_partition=lambda: cut.append(1))
    found.add(reading.rule({"do": "reset"}))
    assert cut == [1]
    assert found.remove("p")
    assert not found.remove("p")
    assert found.remove("fault-2")
    assert found.plan(request()) is None


def test_rules_for_other_clusters_are_not_kept():
    found = standing({"do": "partition", "cluster": "us-*"})
    assert found.listed() == []


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ([], "map"),
        ({}, "do: there is no fault"),
        ({"do": "reste"}, "did you mean 'reset'"),
        ({"do": "status"}, "value: the fault status needs code"),
        ({"do": "status", "value": 200}, "no status of a failure"),
        ({"do": "status", "value": 503.5}, "no status of a failure"),
        ({"do": "status", "value": "503"}, "value: '503' is no number"),
        ({"do": "status", "value": True}, "no number"),
        ({"do": "delay", "value": float("nan")}, "no number"),
        ({"do": "delay", "value": -1}, "in the past"),
        ({"do": "reset", "value": 1}, "takes none"),
        ({"do": "reset", "verbs": ["pach"]}, "did you mean 'patch'"),
        ({"do": "reset", "verbs": "patch"}, "verbs: 'patch' is no list"),
        ({"do": "reset", "count": 0}, "count: 0"),
        ({"do": "reset", "count": True}, "count: True"),
        ({"do": "reset", "probability": 0}, "probability: 0"),
        ({"do": "reset", "probability": 1.5}, "probability: 1.5"),
        ({"do": "reset", "seed": "x"}, "seed: 'x'"),
        ({"do": "reset", "namespce": "a"}, "did you mean 'namespace'"),
        ({"do": "reset", "name": 5}, "name: 5 is no text"),
        ({"do": "stale", "value": 0}, "from 1 on"),
        ({"do": "partition", "verbs": ["get"]}, "verbs: the fault partition is of the whole cluster"),
    ],
)
def test_a_wrong_rule_is_refused_with_its_field(tree, said):
    with pytest.raises(status.Refusal) as caught:
        reading.rule(tree)
    assert caught.value.code == 400
    assert said in caught.value.message


def test_a_rule_survives_being_written_and_read():
    made = reading.rule({"do": "status", "value": 503, "verbs": ["get"], "count": 2, "id": "a", "probability": 0.5})
    assert reading.rule(reading.tree(made)) == made


def test_every_action_has_an_effect():
    for do, action in rules.ACTIONS.items():
        made = reading.rule({"do": do} | ({"value": 500} if action.value else {}))
        if do != "skew":
            field, value = faults.effect(made)
            assert plan.Plan(**{field: value}) != plan.Plan()
