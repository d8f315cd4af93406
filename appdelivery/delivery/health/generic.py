"""Custom resources nobody wrote a rule for: the words their conditions and phases use (delivery.md section 10).

Order: suspended, no status, generation, bad conditions, reconciling, good conditions, phase words, else progressing.
"""

from __future__ import annotations

from typing import Any

from appdelivery.delivery.health import conditions
from appdelivery.delivery.health.conditions import Facts, reason, said
from appdelivery.model.live import Health

NO_STATUS_S = 60.0
BAD = frozenset(
    (
        "failed",
        "failure",
        "error",
        "errored",
        "degraded",
        "unhealthy",
        "invalid",
        "stalled",
        "rejected",
        "lost",
        "reconcileerror",
        "reconcilefailed",
    )
)
BUSY = frozenset(("reconciling", "progressing", "updating", "upgrading", "creating", "provisioning", "pending"))
GOOD = (
    "ready",
    "available",
    "healthy",
    "running",
    "active",
    "bound",
    "succeeded",
    "complete",
    "completed",
    "synced",
    "accepted",
    "programmed",
    "established",
    "resolvedrefs",
    "reconciled",
    "deployed",
    "installed",
    "established",
    "initialized",
    "podscheduled",
    "successful",
    "online",
    "operational",
)
BAD_REASONS = ("fail", "error", "invalid", "notfound", "denied", "unauthor", "missing", "conflict")
PAUSE_REASONS = ("paus", "suspend")
GOOD_WORDS = frozenset(
    (
        "ready",
        "available",
        "healthy",
        "running",
        "active",
        "bound",
        "succeeded",
        "success",
        "successful",
        "complete",
        "completed",
        "synced",
        "deployed",
        "installed",
        "established",
        "online",
        "green",
        "ok",
        "normal",
        "operational",
        "created",
        "reconciled",
        "provisioned",
        "connected",
        "up",
        "enabled",
    )
)
BAD_WORDS = frozenset(
    (
        "failed",
        "failure",
        "error",
        "errored",
        "degraded",
        "unhealthy",
        "invalid",
        "lost",
        "rejected",
        "crashloopbackoff",
        "red",
        "offline",
        "deleted",
        "terminated",
        "aborted",
        "unknown",
    )
)
PAUSE_WORDS = frozenset(("paused", "suspended", "stopped", "hibernated"))


def judge(facts: Facts) -> Health:
    return (
        _suspended(facts)
        or _silent(facts)
        or _bad(facts)
        or _busy(facts)
        or _good(facts)
        or _words(facts)
        or Health("progressing", "NoOpinion", "its status says neither ready nor failed")
    )


def _suspended(facts: Facts) -> Health | None:
    if facts.spec.get("suspend") is True or facts.spec.get("paused") is True or facts.spec.get("suspended") is True:
        return Health("suspended", "Suspended", "is suspended by its spec")
    for type_, condition in facts.conditions.items():
        if type_.lower() in ("paused", "suspended") and facts.is_true(type_):
            return Health("suspended", type_, said(condition))
    return None


def _silent(facts: Facts) -> Health | None:
    if not facts.status:
        if facts.age(facts.metadata.get("creationTimestamp")) >= NO_STATUS_S:
            return Health("healthy", "NoStatus", "nobody writes a status for it")
        return Health("progressing", "NoStatus", "no status yet")
    return None if facts.observed else conditions.NOT_OBSERVED


def _bad(facts: Facts) -> Health | None:
    for type_, condition in facts.conditions.items():
        if type_.lower() in BAD and facts.is_true(type_):
            return Health("degraded", reason(condition, type_), said(condition))
    return None


def _busy(facts: Facts) -> Health | None:
    if any(t.lower() in GOOD for t in facts.conditions):
        return None
    for type_, condition in facts.conditions.items():
        if type_.lower() in BUSY and facts.is_true(type_):
            return Health("progressing", reason(condition, type_), said(condition))
    return None


def _good(facts: Facts) -> Health | None:
    found = [(t, c) for t, c in facts.conditions.items() if t.lower() in GOOD]
    if not found:
        return None
    for type_, condition in found:
        if facts.is_true(type_):
            continue
        why = str(condition.get("reason") or "").lower()
        if facts.is_false(type_):
            if any(word in why for word in PAUSE_REASONS):
                return Health("suspended", reason(condition, type_), said(condition))
            if any(word in why for word in BAD_REASONS):
                return Health("degraded", reason(condition, type_), said(condition))
        return Health("progressing", reason(condition, f"Not{type_}"), said(condition, f"{type_} is not True yet"))
    return Health("healthy", found[0][0], said(found[0][1]))


def _words(facts: Facts) -> Health | None:
    for field in ("phase", "state", "status", "health"):
        value: Any = facts.status.get(field)
        if isinstance(value, dict):
            value = value.get("status") or value.get("state")
        if not isinstance(value, str) or not value:
            continue
        word = value.lower().replace(" ", "").replace("_", "")
        message = str(facts.status.get("message") or facts.status.get("reason") or f"{field} is {value}")
        for words, state in ((GOOD_WORDS, "healthy"), (BAD_WORDS, "degraded"), (PAUSE_WORDS, "suspended")):
            if word in words:
                return Health(state, value, message)
        return Health("progressing", value, message)
    return None
