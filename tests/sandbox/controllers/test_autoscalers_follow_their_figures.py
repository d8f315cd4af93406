"""HorizontalPodAutoscalers: arithmetic, pace, conditions."""

from __future__ import annotations

import math

import pytest
import support
from hypothesis import given, settings
from hypothesis import strategies as st
from small_world import World, conditions, deployment

from appdelivery.sandbox.controllers import scaling
from appdelivery.sandbox.controllers.figures import Figures

LOOK = 15
CPU = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}


def autoscaler(*metrics, least=1, most=10, target="web", **spec):
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": target}
    found = {
        "scaleTargetRef": reference,
        "minReplicas": least,
        "maxReplicas": most,
        "metrics": list(metrics) or [CPU],
        **spec,
    }
    return {"kind": "HorizontalPodAutoscaler", "metadata": {"name": "web"}, "spec": found}


def started(*metrics, replicas=2, notes=None, **spec):
    world = World()
    world.make(deployment(replicas=replicas, requests={"cpu": "100m"}, notes=notes))
    world.make(autoscaler(*metrics, **spec))
    return world


def size(world):
    return world.get("Deployment", "web")["spec"]["replicas"]


def told(world):
    return conditions(world.get("HorizontalPodAutoscaler", "web"))


def test_it_grows_to_what_the_load_needs_and_shrinks_after_five_quiet_minutes():
    world = started()
    world.controllers.figures.set("default", "Deployment/web", "cpu", "300m", shared=True)
    world.after(LOOK)
    assert size(world) == 6
    assert told(world)["AbleToScale"] == ("True", "SucceededRescale")
    status = world.get("HorizontalPodAutoscaler", "web")["status"]
    assert (status["currentReplicas"], status["desiredReplicas"]) == (2, 6)
    assert status["currentMetrics"][0]["resource"]["current"] == {"averageUtilization": 150, "averageValue": "150m"}
    world.controllers.figures.set("default", "Deployment/web", "cpu", "50m", shared=True)
    world.after(LOOK)
    assert size(world) == 6
    assert told(world)["AbleToScale"] == ("True", "ScaleDownStabilized")
    world.after(300)
    assert size(world) == 1
    assert [one for one in world.said("HorizontalPodAutoscaler") if one[1] == "SuccessfulRescale"] == [
        (
            "Normal",
            "SuccessfulRescale",
            "New size: 6; reason: cpu resource utilization (percentage of request) above target",
        ),
        ("Normal", "SuccessfulRescale", "New size: 1; reason: All metrics below target"),
    ]


def test_a_small_difference_is_tolerated():
    world = started()
    world.controllers.figures.set("default", "Deployment/web", "cpu", "54m")
    world.after(LOOK)
    assert size(world) == 2
    assert told(world)["ScalingActive"] == ("True", "ValidMetricFound")


def test_it_stays_between_its_bounds():
    world = started(least=2, most=4)
    world.controllers.figures.set("default", "Deployment/web", "cpu", "900m")
    world.after(LOOK)
    assert size(world) == 4
    assert told(world)["ScalingLimited"] == ("True", "TooManyReplicas")
    world.change("HorizontalPodAutoscaler", "web", {"spec": {"minReplicas": 1, "maxReplicas": 3}})
    assert size(world) == 3
    world.controllers.figures.set("default", "Deployment/web", "cpu", "0")
    world.after(400)
    assert size(world) == 1


def test_the_pace_is_limited_by_policies():
    policies = [{"type": "Pods", "value": 1, "periodSeconds": 60}]
    world = started(behavior={"scaleUp": {"policies": policies, "stabilizationWindowSeconds": 0}})
    world.controllers.figures.set("default", "Deployment/web", "cpu", "500m")
    world.after(LOOK)
    assert size(world) == 3
    assert told(world)["ScalingLimited"] == ("True", "ScaleUpLimit")
    world.after(LOOK)
    assert size(world) == 3
    world.after(60)
    assert size(world) == 4


def test_shrinking_can_be_forbidden():
    world = started(replicas=4, behavior={"scaleDown": {"selectPolicy": "Disabled"}})
    world.controllers.figures.set("default", "Deployment/web", "cpu", "1m")
    world.after(900)
    assert size(world) == 4


def test_without_figures_it_says_so_and_does_nothing():
    world = started()
    world.after(LOOK)
    assert size(world) == 2
    assert told(world)["ScalingActive"] == ("False", "FailedGetResourceMetric")
    assert {why for _, why, _ in world.said("HorizontalPodAutoscaler")} == {
        "FailedGetResourceMetric", "FailedComputeMetricsReplicas",
    }  # fmt: skip


def test_a_missing_target_is_named():
    world = World()
    world.make(autoscaler(target="none"))
    assert told(world) == {"AbleToScale": ("False", "FailedGetScale")}
    assert world.said("HorizontalPodAutoscaler") == [("Warning", "FailedGetScale", 'deployments.apps "none" not found')]


def test_a_target_scaled_to_zero_is_left_alone():
    world = started(replicas=0)
    assert told(world)["ScalingActive"] == ("False", "ScalingDisabled")
    assert size(world) == 0


@pytest.mark.parametrize(
    ("metric", "subject", "name", "value", "wanted"),
    [
        ({"type": "Pods", "pods": {"metric": {"name": "rps"}, "target": {"type": "AverageValue", "averageValue": "10"}}},
         "Deployment/web", "rps", "30", 6),
        ({"type": "External", "external": {"metric": {"name": "queue"}, "target": {"type": "AverageValue", "averageValue": "30"}}},
         "External/queue", "queue", "150", 5),
        ({"type": "Object", "object": {"metric": {"name": "hits"}, "describedObject": {"apiVersion": "v1", "kind": "Service",
         "name": "web"}, "target": {"type": "Value", "value": "100"}}}, "Service/web", "hits", "200", 4),
        ({"type": "Resource", "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "100Mi"}}},
         "Deployment/web", "memory", "250Mi", 5),
        ({"type": "ContainerResource", "containerResource": {"name": "cpu", "container": "main", "target": {
         "type": "Utilization", "averageUtilization": 50}}}, "Deployment/web", "cpu", "100m", 4),
    ],
)  # fmt: skip
def test_every_kind_of_metric_counts(metric, subject, name, value, wanted):
    world = started(metric)
    world.controllers.figures.set("default", subject, name, value)
    world.after(LOOK)
    assert size(world) == wanted
    status = world.get("HorizontalPodAutoscaler", "web")["status"]
    assert status["currentMetrics"][0]["type"] == metric["type"]


def test_the_metric_that_asks_for_most_wins_and_an_unknown_one_forbids_shrinking():
    other = {
        "type": "External",
        "external": {"metric": {"name": "queue"}, "target": {"type": "AverageValue", "averageValue": "10"}},
    }
    world = started(CPU, other, replicas=4)
    world.controllers.figures.set("default", "Deployment/web", "cpu", "10m")
    world.after(400)
    assert size(world) == 4
    world.controllers.figures.set("default", "External/queue", "queue", "60")
    world.after(LOOK)
    assert size(world) == 6


def test_pods_that_start_do_not_make_it_grow_again():
    world = started(notes={"ready-after": "60s"})
    world.after(61)
    world.controllers.figures.set("default", "Deployment/web", "cpu", "150m")
    world.after(LOOK)
    grown = size(world)
    assert grown == 6
    world.after(LOOK)
    assert size(world) == 6


def test_a_missing_request_is_named():
    world = World()
    world.make(deployment(replicas=1))
    world.make(autoscaler())
    world.controllers.figures.set("default", "Deployment/web", "cpu", "1")
    world.after(LOOK)
    name = world.pods()[0]["metadata"]["name"]
    said = f"failed to get cpu utilization: missing request for cpu in container main of Pod {name}"
    assert ("Warning", "FailedGetResourceMetric", said) in world.said("HorizontalPodAutoscaler")


def test_figures_belong_to_somebody():
    figures = Figures()
    with pytest.raises(ValueError, match="is not a subject of figures"):
        figures.set("default", "web", "cpu", "1")
    with pytest.raises(ValueError, match="is not a quantity"):
        figures.set("default", "Pod/web", "cpu", "much")


# --- arithmetic ---


@settings(max_examples=support.examples(150))
@given(st.integers(1, 40), st.floats(0.01, 20), st.floats(0.1, 5))
def test_equal_pods_need_the_ratio_times_their_number(current, value, target):
    replicas, now = scaling.from_pods(current, [scaling.Sample(value, 1.0)] * current, target)
    assert now == pytest.approx(value)
    if abs(1 - value / target) <= 0.0999:
        assert replicas == current
    elif abs(1 - value / target) >= 0.1001:
        assert replicas == math.ceil(round(value / target * current, 9))


@settings(max_examples=support.examples(80))
@given(st.lists(st.tuples(st.none() | st.floats(0, 3), st.booleans()), min_size=1, max_size=12))
def test_pods_without_figures_never_turn_the_direction(pods):
    samples = [scaling.Sample(value, 1.0, ready=ready) for value, ready in pods]
    known = [one.value for one in samples if one.ready and one.value is not None]
    if not known:
        return
    current = len(samples)
    replicas, now = scaling.from_pods(current, samples, 1.0)
    if len(known) == len(samples):
        return
    assert (replicas >= current) if now > 1 else (replicas <= current or now == pytest.approx(1))


@settings(max_examples=support.examples(100))
@given(st.lists(st.integers(0, 60), min_size=1, max_size=40), st.integers(1, 5), st.integers(5, 50))
def test_decisions_stay_within_bounds_and_pace(wishes, least, most):
    history, current, now = scaling.History(), least, 0.0
    for wish in wishes:
        found = scaling.decide(history, now, current=current, wanted=wish, spec={"minReplicas": least, "maxReplicas": most})
        assert least <= found.replicas <= most
        assert found.replicas <= max(current * 2, current + 4)
        if found.replicas != current:
            scaling.note(history, now, found.replicas - current)
        current = found.replicas
        now += 15.0
