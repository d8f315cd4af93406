"""Workloads of other projects that count replicas their own way: Argo Rollouts, OpenKruise, OpenTelemetry collectors."""

from __future__ import annotations

from appdelivery.delivery.health import conditions
from appdelivery.delivery.health.conditions import Facts, reason, said
from appdelivery.model.live import Health


def rollout(facts: Facts) -> Health:
    """Argo Rollouts: its phase where it writes one, else the counts of versions that did not."""
    for type_ in ("InvalidSpec", "ReplicaFailure"):
        if facts.is_true(type_):
            return Health("degraded", type_, said(facts.condition(type_), "the spec is not valid"))
    if not facts.status:
        return Health("progressing", "NotReported", "its controller has not written a status yet")
    if not facts.observed:
        return conditions.NOT_OBSERVED
    phase = str(facts.status.get("phase") or "")
    if phase:
        state = {"Healthy": "healthy", "Degraded": "degraded", "Paused": "suspended"}.get(phase, "progressing")
        return Health(state, phase, str(facts.status.get("message") or f"phase is {phase}"))
    if facts.status.get("verifyingPreview") or facts.spec.get("paused"):
        return Health("suspended", "Paused", "waits to be promoted")
    return _counted(facts, "updatedReplicas", "availableReplicas")


def clone_set(facts: Facts) -> Health:
    strategy = facts.spec.get("updateStrategy") or {}
    if strategy.get("paused"):
        return Health("suspended", "Paused", "its update is paused")
    if "observedGeneration" not in facts.status or not facts.observed:
        return conditions.NOT_OBSERVED
    if strategy.get("partition") not in (None, 0, "0%"):
        due = facts.count("expectedUpdatedReplicas")
        if facts.count("updatedReplicas") >= due:
            return Health("suspended", "Partition", f"{due} replicas are updated, the partition keeps the others")
    return _counted(facts, "updatedReadyReplicas", "updatedAvailableReplicas")


def _counted(facts: Facts, *fields: str) -> Health:
    given = facts.spec.get("replicas")
    wanted = 1 if given is None else int(given)
    for field in fields:
        if facts.count(field) < wanted:
            return Health("progressing", "Counting", f"{facts.count(field)} of {wanted}: {field}")
    return Health("healthy", "Available", f"{wanted} of {wanted} replicas are available")


def collector(facts: Facts) -> Health:
    """status.scale.statusReplicas: ready/wanted; modes without replicas leave it empty."""
    ratio = str((facts.status.get("scale") or {}).get("statusReplicas") or "")
    ready, slash, wanted = ratio.partition("/")
    if not facts.status:
        return Health("progressing", "NotReported", "its controller has not written a status yet")
    if not slash:
        return Health("healthy", "Present", "it runs as many as its mode asks for")
    state = "healthy" if int(ready) >= int(wanted) else "progressing"
    return Health(state, "Counted", f"{ready} of {wanted} replicas are ready")


def admitted(facts: Facts) -> Health:
    """A Route of OpenShift: admitted by every router."""
    found = facts.status.get("ingress") or ()
    if not found:
        return Health("progressing", "NotAdmitted", "no router has looked at it yet")
    for entry in found:
        view = Facts({"status": entry}, facts.now)
        condition = view.condition("Admitted")
        if not view.is_true("Admitted"):
            state = "degraded" if view.is_false("Admitted") else "progressing"
            return Health(state, reason(condition, "NotAdmitted"), said(condition, "not admitted"))
    return Health("healthy", "Admitted", "admitted")
