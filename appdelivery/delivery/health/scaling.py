"""HorizontalPodAutoscaler, ScaledObject, PodDisruptionBudget."""

from __future__ import annotations

import json
from typing import Any

from appdelivery.delivery.health import conditions
from appdelivery.delivery.health.conditions import Facts, reason, said
from appdelivery.model.live import Health

PATIENCE_S = 180.0  # metrics of new pods take a while


def autoscaler(facts: Facts) -> Health:
    known = facts.conditions or _of_v1(facts)
    if not known:
        return conditions.NOT_OBSERVED
    view = (
        facts if known is facts.conditions else Facts({**facts.body, "status": {"conditions": [*known.values()]}}, facts.now)
    )
    able, active = view.condition("AbleToScale"), view.condition("ScalingActive")
    why = str(active.get("reason", ""))
    if view.is_false("AbleToScale") and str(able.get("reason", "")).startswith("Failed"):
        return Health("degraded", reason(able, "NotAbleToScale"), said(able))
    if view.is_false("ScalingActive") and why.startswith(("FailedGet", "FailedCompute", "InvalidMetric")):
        state = "degraded" if view.since("ScalingActive") > PATIENCE_S else "progressing"
        return Health(state, why, said(active))
    if not view.is_true("AbleToScale"):
        return Health("progressing", reason(able, "NotAbleToScale"), said(able, "cannot scale yet"))
    if why == "ScalingDisabled":
        return Health("healthy", why, said(active))  # its target is at 0: nothing is to be scaled
    if not view.is_true("ScalingActive"):
        return Health("progressing", why or "NotActive", said(active, "no metric has been read yet"))
    limited = view.condition("ScalingLimited")
    note = f"; {said(limited)}" if view.is_true("ScalingLimited") else ""
    return Health(
        "healthy", "ScalingActive", f"{facts.count('currentReplicas')} pods, {facts.count('desiredReplicas')} wanted{note}"
    )


def _of_v1(facts: Facts) -> dict[str, dict[str, Any]]:
    """autoscaling/v1 has no place for conditions but an annotation."""
    text = (facts.metadata.get("annotations") or {}).get("autoscaling.alpha.kubernetes.io/conditions")
    return conditions.by_type(json.loads(text)) if text else {}


def scaled_object(facts: Facts) -> Health:
    annotations = facts.metadata.get("annotations") or {}
    if "autoscaling.keda.sh/paused" in annotations or facts.is_true("Paused"):
        return Health("suspended", "Paused", "scaling is paused")
    ready = facts.condition("Ready")
    if facts.is_true("Ready"):
        fallback = "; runs on its fallback" if facts.is_true("Fallback") else ""
        return Health("healthy", "Ready", f"{said(ready)}{fallback}")
    if facts.is_false("Ready") or "Error" in reason(ready, ""):
        return Health("degraded", reason(ready, "NotReady"), said(ready))
    return Health("progressing", "NotReady", said(ready, "not ready yet"))


def disruption_budget(facts: Facts) -> Health:
    if not facts.observed or "observedGeneration" not in facts.status:
        return conditions.NOT_OBSERVED
    allowed = facts.count("disruptionsAllowed")
    return Health("healthy", "Observed", "no pod may be evicted now" if not allowed else f"{allowed} pods may be evicted")
