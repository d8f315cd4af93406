"""Deployment, StatefulSet, DaemonSet, ReplicaSet, LeaderWorkerSet: counts of pods against what the spec asks for.

Pod failures are not judged here: the error budget of `wait` counts them.
"""

from __future__ import annotations

from appdelivery.delivery.health import conditions
from appdelivery.delivery.health.conditions import Facts, reason, said
from appdelivery.model.live import Health


def deployment(facts: Facts) -> Health:
    progressing = facts.condition("Progressing")
    if facts.observed and progressing.get("reason") == "ProgressDeadlineExceeded":
        return Health("degraded", "ProgressDeadlineExceeded", said(progressing), terminal=False)
    if facts.spec.get("paused"):
        return Health("suspended", "Paused", "the Deployment is paused")
    if not facts.observed or "observedGeneration" not in facts.status:
        return conditions.NOT_OBSERVED
    wanted = _wanted(facts)
    updated, total, available = (facts.count(f) for f in ("updatedReplicas", "replicas", "availableReplicas"))
    if updated < wanted:
        return _waiting("NotUpdated", f"{updated} of {wanted} pods are of the new revision", facts)
    if total > updated:
        return _waiting("OldPods", f"{total - updated} pods of the old revision are still there", facts)
    if available < updated:
        return _waiting("NotAvailable", f"{available} of {updated} pods are available", facts)
    return Health("healthy", "Available", f"{available} of {wanted} pods are available")


def _waiting(why: str, message: str, facts: Facts) -> Health:
    failure = facts.condition("ReplicaFailure")
    if facts.is_true("ReplicaFailure"):
        return Health("progressing", reason(failure, "ReplicaFailure"), f"{message}: {said(failure)}")
    return Health("progressing", why, message)


def stateful_set(facts: Facts) -> Health:
    if not facts.observed or "observedGeneration" not in facts.status:
        return conditions.NOT_OBSERVED
    wanted = _wanted(facts)
    strategy = facts.spec.get("updateStrategy") or {}
    if strategy.get("type") == "OnDelete":
        return Health("healthy", "OnDelete", "pods are updated when they are deleted")
    ready = facts.count("readyReplicas")
    if ready < wanted:
        return Health("progressing", "NotReady", f"{ready} of {wanted} pods are ready")
    partition = int((strategy.get("rollingUpdate") or {}).get("partition") or 0)
    if partition:
        updated, due = facts.count("updatedReplicas"), max(wanted - partition, 0)
        if updated < due:
            return Health("progressing", "NotUpdated", f"{updated} of {due} pods above the partition are updated")
        return Health("healthy", "PartitionReady", f"{updated} pods above the partition are updated")
    current, update = facts.status.get("currentRevision"), facts.status.get("updateRevision")
    if update and current != update and wanted:
        return Health(
            "progressing", "NotUpdated", f"{facts.count('updatedReplicas')} of {wanted} pods are of the new revision"
        )
    return Health("healthy", "Ready", f"{ready} of {wanted} pods are ready")


def daemon_set(facts: Facts) -> Health:
    if not facts.observed or "observedGeneration" not in facts.status:
        return conditions.NOT_OBSERVED
    if (facts.spec.get("updateStrategy") or {}).get("type") == "OnDelete":
        return Health("healthy", "OnDelete", "pods are updated when they are deleted")
    wanted = facts.count("desiredNumberScheduled")
    updated, available = facts.count("updatedNumberScheduled"), facts.count("numberAvailable")
    if updated < wanted:
        return Health("progressing", "NotUpdated", f"{updated} of {wanted} pods are of the new revision")
    if available < wanted:
        return Health("progressing", "NotAvailable", f"{available} of {wanted} pods are available")
    if facts.count("currentNumberScheduled") < wanted:
        return Health(
            "progressing", "NotScheduled", f"{facts.count('currentNumberScheduled')} of {wanted} nodes run the pod"
        )
    return Health("healthy", "Available", f"{available} of {wanted} pods are available")


def replica_set(facts: Facts) -> Health:
    if not facts.observed or "observedGeneration" not in facts.status:
        return conditions.NOT_OBSERVED
    failure = facts.condition("ReplicaFailure")
    if facts.is_true("ReplicaFailure"):
        return Health("degraded", reason(failure, "ReplicaFailure"), said(failure))
    wanted, available = _wanted(facts), facts.count("availableReplicas")
    if available < wanted:
        return Health("progressing", "NotAvailable", f"{available} of {wanted} pods are available")
    return Health("healthy", "Available", f"{available} of {wanted} pods are available")


def leader_worker_set(facts: Facts) -> Health:
    if not facts.observed or not facts.conditions:
        return conditions.NOT_OBSERVED
    if facts.is_true("Available") and not facts.is_true("Progressing"):
        return Health("healthy", "Available", said(facts.condition("Available")))
    for type_, condition in facts.conditions.items():
        if "fail" in type_.lower() and facts.is_true(type_):
            return Health("degraded", reason(condition, type_), said(condition))
    return Health("progressing", "Progressing", said(facts.condition("Progressing"), "groups are starting"))


def _wanted(facts: Facts) -> int:
    """spec.replicas; absent means 1, and 0 means 0."""
    value = facts.spec.get("replicas")
    return 1 if value is None else int(value)
