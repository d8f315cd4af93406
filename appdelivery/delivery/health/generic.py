"""Custom resources nobody wrote a rule for: the words their conditions and phases use (delivery.md section 10).

Order: suspended, no status, generation, bad conditions, good conditions, busy conditions, words, counts, else progressing.
`Ready` is the summary by convention: where it stands, the other good conditions only tell of what is broken.
"""

from __future__ import annotations

from typing import Any

from appdelivery.delivery.health import conditions
from appdelivery.delivery.health.conditions import Facts, reason, said
from appdelivery.model.live import Health

NO_STATUS_S = 60.0
BAD = frozenset(
    (
        *("failed", "failure", "error", "errored", "degraded", "unhealthy", "invalid", "stalled", "rejected", "lost"),
        *("terminal", "reconcileerror", "reconcilefailed", "haserrors", "notready", "cansynctofail"),
    )
)
BAD_STARTS = ("fail", "error", "invalid")
BAD_ENDS = ("failed", "failure", "error", "unhealthy", "degraded", "invalid", "missing")
BUSY = frozenset(
    (
        *("reconciling", "progressing", "updating", "upgrading", "creating", "provisioning", "pending", "issuing"),
        *("rollingupdate", "rollingout", "scaling", "deploying", "installing"),
    )
)
GOOD = frozenset(
    (
        *("ready", "available", "healthy", "running", "active", "bound", "succeeded", "successful", "complete", "completed"),
        *("synced", "accepted", "programmed", "established", "resolvedrefs", "reconciled", "deployed", "installed"),
        *("initialized", "podscheduled", "online", "operational", "resourcesynced", "valid"),
    )
)
GOOD_ENDS = ("ready", "available", "healthy", "synced", "applied", "success", "succeeded", "uptodate", "reconciled")
BAD_REASONS = (
    "fail",
    "error",
    "invalid",
    "notfound",
    "denied",
    "unauthor",
    "missing",
    "conflict",
    "unreachable",
    "terminal",
)
PAUSE_REASONS = ("paus", "suspend")
PAUSED = frozenset(("paused", "suspended", "hibernated", "hibernation"))
FIELDS = ("phase", "state", "status", "health", "currentState", "currentStatus", "ready", "healthy")
GOOD_WORDS = frozenset(
    (
        *("ready", "available", "healthy", "running", "active", "bound", "succeeded", "success", "successful", "complete"),
        *("completed", "synced", "deployed", "installed", "established", "online", "green", "ok", "normal", "operational"),
        *("created", "reconciled", "provisioned", "connected", "up", "enabled", "initialized", "valid", "accepted", "true"),
    )
)
BAD_WORDS = frozenset(
    (
        *("degraded", "unhealthy", "invalid", "lost", "rejected", "crashloopbackoff", "red", "offline", "deleted"),
        *("terminated", "aborted", "unreachable", "expired", "broken", "faulted"),
    )
)
BAD_PARTS = ("fail", "error")
PAUSE_WORDS = frozenset(("paused", "suspended", "stopped", "hibernated", "halted"))
COUNTS = ("readyReplicas", "availableReplicas", "updatedReplicas")


def judge(facts: Facts) -> Health:
    return (
        suspended(facts)
        or _silent(facts)
        or _by_conditions(facts)
        or _words(facts)
        or _counted(facts)
        or Health("progressing", "NoOpinion", "its status says neither ready nor failed")
    )


def suspended(facts: Facts) -> Health | None:
    spec = facts.spec
    if spec.get("suspend") is True or spec.get("paused") is True or spec.get("suspended") is True:
        return Health("suspended", "Suspended", "is suspended by its spec")
    for type_, condition in facts.conditions.items():
        if bare(type_) in PAUSED and facts.is_true(type_):
            return Health("suspended", bare(type_).title(), said(condition))
    return None


def bare(type_: str) -> str:
    """ACK.ResourceSynced, cnpg.io/hibernation: the word itself, small."""
    return type_.rpartition("/")[2].rpartition(".")[2].lower()


def bad_reason(condition: dict[str, Any]) -> bool:
    why = str(condition.get("reason") or "").lower()
    return why.startswith("err") or any(word in why for word in BAD_REASONS)


def _silent(facts: Facts) -> Health | None:
    if not facts.status:
        if facts.age(facts.metadata.get("creationTimestamp")) >= NO_STATUS_S:
            return Health("healthy", "NoStatus", "nobody writes a status for it")
        return Health("progressing", "NoStatus", "no status yet")
    return None if facts.observed else conditions.NOT_OBSERVED


def _by_conditions(facts: Facts) -> Health | None:
    words = {type_: bare(type_) for type_ in facts.conditions}
    for type_, word in words.items():
        if (word in BAD or word.startswith(BAD_STARTS) or word.endswith(BAD_ENDS)) and facts.is_true(type_):
            condition = facts.condition(type_)
            return Health("degraded", reason(condition, type_), said(condition))
    good = [type_ for type_, word in words.items() if word in GOOD]
    good = good or [type_ for type_, word in words.items() if word.endswith(GOOD_ENDS)]
    if good:
        return _good(facts, good, words)
    for type_, word in words.items():
        if word in BUSY and facts.is_true(type_):
            condition = facts.condition(type_)
            return Health("progressing", reason(condition, type_), said(condition))
    return None


def _good(facts: Facts, good: list[str], words: dict[str, str]) -> Health:
    summary = [type_ for type_ in good if words[type_] == "ready"]
    broken = [type_ for type_ in good if facts.is_false(type_)]
    for type_ in summary + broken:
        condition = facts.condition(type_)
        why = str(condition.get("reason") or "").lower()
        if facts.is_false(type_) and any(word in why for word in PAUSE_REASONS):
            return Health("suspended", reason(condition, type_), said(condition))
        if facts.is_false(type_) and bad_reason(condition):
            return Health("degraded", reason(condition, type_), said(condition))
    for type_ in summary or good:
        condition = facts.condition(type_)
        if not facts.is_true(type_) or facts.stale(condition):
            worse = _bad_word(facts)
            return worse or Health(
                "progressing", reason(condition, f"Not{type_}"), said(condition, f"{type_} is not True yet")
            )
    first = (summary or good)[0]
    return _bad_word(facts) or behind(facts) or Health("healthy", first, said(facts.condition(first)))


def _bad_word(facts: Facts) -> Health | None:
    """A condition can be old where the phase already says that it has failed."""
    found = _words(facts)
    return found if found is not None and found.state == "degraded" else None


def _words(facts: Facts) -> Health | None:
    """Of several words the worst speaks."""
    found: list[Health] = []
    for field in FIELDS:
        value: Any = facts.status.get(field)
        if isinstance(value, dict):
            value = value.get("status") or value.get("state")
        if isinstance(value, (str, bool)) and value != "":
            found.append(_word(facts, field, value))
    order = ("degraded", "suspended", "progressing", "healthy")
    return min(found, key=lambda one: order.index(one.state), default=None)


def _word(facts: Facts, field: str, value: str | bool) -> Health:
    text = str(value)
    word = text.lower().replace(" ", "").replace("_", "").replace("-", "")
    message = str(facts.status.get("message") or facts.status.get("reason") or f"{field} is {text}")
    if word in BAD_WORDS or any(part in word for part in BAD_PARTS):
        return Health("degraded", text, message)
    if word in PAUSE_WORDS:
        return Health("suspended", text, message)
    return Health("healthy" if word in GOOD_WORDS else "progressing", text, message)


def behind(facts: Facts) -> Health | None:
    """Replicas that are still missing, where spec and status count them as workloads do."""
    wanted = facts.spec.get("replicas")
    if not isinstance(wanted, int) or isinstance(wanted, bool):
        return None
    for field in COUNTS:
        count = facts.status.get(field)
        if isinstance(count, int) and count < wanted:
            what = field.removesuffix("Replicas")
            return Health("progressing", f"Not{what.title()}", f"{count} of {wanted} replicas are {what}")
    return None


def _counted(facts: Facts) -> Health | None:
    """Neither conditions nor words, but counts: ready when none is missing."""
    wanted = facts.spec.get("replicas")
    if not isinstance(wanted, int) or not any(isinstance(facts.status.get(field), int) for field in COUNTS[:2]):
        return None
    return behind(facts) or Health("healthy", "Counted", f"{wanted} of {wanted} replicas are ready")
