"""HorizontalPodAutoscaler, ScaledObject, PodDisruptionBudget."""

from __future__ import annotations

from appdelivery.delivery.health import conditions
from appdelivery.delivery.health.conditions import Facts, reason, said
from appdelivery.model.live import Health

PATIENCE_S = 180.0  # metrics of new pods take a while


def autoscaler(facts: Facts) -> Health:
    if not facts.conditions:
        return conditions.NOT_OBSERVED
    able = facts.condition("AbleToScale")
    if facts.is_false("AbleToScale") and str(able.get("reason", "")).startswith("Failed"):
        return Health("degraded", reason(able, "NotAbleToScale"), said(able))
    active = facts.condition("ScalingActive")
    if facts.is_false("ScalingActive"):
        why = str(active.get("reason", ""))
        if why == "ScalingDisabled":
            return Health("progressing", why, said(active))
        if why.startswith(("FailedGet", "FailedCompute", "InvalidMetric")):
            state = "degraded" if facts.since("ScalingActive") > PATIENCE_S else "progressing"
            return Health(state, why, said(active))
        return Health("progressing", why or "NotActive", said(active))
    limited = facts.condition("ScalingLimited")
    note = f"; {said(limited)}" if facts.is_true("ScalingLimited") else ""
    return Health(
        "healthy", "ScalingActive", f"{facts.count('currentReplicas')} pods, {facts.count('desiredReplicas')} wanted{note}"
    )


def scaled_object(facts: Facts) -> Health:
    annotations = facts.metadata.get("annotations") or {}
    if "autoscaling.keda.sh/paused" in annotations or facts.is_true("Paused"):
        return Health("suspended", "Paused", "scaling is paused")
    ready = facts.condition("Ready")
    if facts.is_true("Ready"):
        fallback = "; runs on its fallback" if facts.is_true("Fallback") else ""
        return Health("healthy", "Ready", f"{said(ready)}{fallback}")
    if facts.is_false("Ready"):
        return Health("degraded", reason(ready, "NotReady"), said(ready))
    return Health("progressing", "NotReady", said(ready, "not ready yet"))


def disruption_budget(facts: Facts) -> Health:
    if not facts.observed or "observedGeneration" not in facts.status:
        return conditions.NOT_OBSERVED
    allowed = facts.count("disruptionsAllowed")
    return Health("healthy", "Observed", "no pod may be evicted now" if not allowed else f"{allowed} pods may be evicted")
