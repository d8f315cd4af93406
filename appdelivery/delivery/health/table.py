"""Well-known custom resources as rows: which conditions mean ready, which mean broken, which field is the phase.

A row is data, written from the published API of each project.  It narrows the generic rule where that one would guess.
This module reads rows; they stand in rows.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appdelivery.delivery.health import conditions, generic
from appdelivery.delivery.health.conditions import Facts, reason, said
from appdelivery.model.live import Health
from appdelivery.model.record import record

if TYPE_CHECKING:
    from collections.abc import Mapping


@record
class Phase:
    """A field of status (dotted; `a|b` = the first that is there) and its words.  Any other word is progressing."""

    path: str
    good: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    suspended: tuple[str, ...] = ()
    unclear: tuple[str, ...] = ()
    optional: bool = False  # absent says nothing; else absent is progressing


@record
class Row:
    """Names of conditions, unless said otherwise.

    ready: all must be True (`A|B` = the first that is there, `A?` = only if it is there).  bad: one True is degraded.
    broken: one False for a bad reason is degraded.  false_is_bad: a ready one that is False is, for whatever reason.
    busy: one True is progressing.  patient: reasons that make none of this degraded.
    """

    ready: tuple[str, ...] = ()
    bad: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    busy: tuple[str, ...] = ()
    patient: tuple[str, ...] = ()
    false_is_bad: bool = False
    phases: tuple[Phase, ...] = ()
    error: str = ""  # field of status (dotted) that is there only when something is wrong
    suspend: str = ""  # field of spec (dotted)
    present: bool = False  # nobody writes a status: healthy when it is there


def row_of(rows: Mapping[tuple[str, str], Row], group: str, kind: str) -> Row | None:
    """The row of a kind: by its group, by the end of its group (`*.crossplane.io`), by that for every kind."""
    end = f"*.{group.partition('.')[2]}"
    tail = f"*.{group.partition('.')[2].partition('.')[2]}"
    for key in ((group, kind), (end, kind), (tail, kind), (end, "*"), (tail, "*")):
        found = rows.get(key)
        if found is not None:
            return found
    return None


def judge(row: Row, facts: Facts) -> Health:
    if row.present:
        return Health("healthy", "Present")
    if row.suspend and _at(facts.spec, row.suspend):
        return Health("suspended", "Suspended", "is suspended by its spec")
    paused = generic.suspended(facts)
    if paused is not None:
        return paused
    if not facts.status:
        # Not "NoStatus": a controller of this kind does write one, so waiting goes on.
        return Health("progressing", "NotReported", "its controller has not written a status yet")
    if not facts.observed:
        return conditions.NOT_OBSERVED
    return _wrong(row, facts) or _phases(row, facts) or _ready(row, facts)


def _wrong(row: Row, facts: Facts) -> Health | None:
    if row.error and (found := _at(facts.status, row.error)):
        return Health("degraded", "Error", str(found))
    for type_ in (*row.bad, *row.broken):
        condition = facts.condition(type_)
        if facts.is_true(type_) if type_ in row.bad else facts.is_false(type_) and generic.bad_reason(condition):
            state = "progressing" if _patient(row, condition) else "degraded"
            return Health(state, reason(condition, type_), said(condition))
    return None


def _patient(row: Row, condition: dict[str, Any]) -> bool:
    return (condition.get("reason") or "") in row.patient


def _phases(row: Row, facts: Facts) -> Health | None:
    """None when every phase is good."""
    verdicts = [_phase(one, facts) for one in row.phases]
    order = ("degraded", "suspended", "unknown", "progressing", "healthy")
    worst = min(verdicts, key=lambda one: order.index(one.state), default=None)
    return None if worst is None or (worst.state == "healthy" and row.ready) else worst


def _phase(one: Phase, facts: Facts) -> Health:
    value = next((found for path in one.path.split("|") if (found := _at(facts.status, path)) not in (None, "")), None)
    if value is None:
        state = "healthy" if one.optional else "progressing"
        return Health(state, "NoPhase", f"{one.path} is empty")
    word = str(value).lower() if isinstance(value, bool) else str(value)
    message = str(facts.status.get("message") or f"{one.path.partition('|')[0]} is {word}")
    words = (
        (one.good, "healthy"),
        (one.failed, "degraded"),
        (one.suspended, "suspended"),
        (one.unclear, "unknown"),
    )
    state = next((state for known, state in words if word in known), "progressing")
    return Health(state, word, message)


def _ready(row: Row, facts: Facts) -> Health:
    for type_ in row.busy:
        if facts.is_true(type_):
            return Health("progressing", reason(facts.condition(type_), type_), said(facts.condition(type_)))
    told = ""
    for name in row.ready:
        names = name.removesuffix("?").split("|")
        type_ = next((one for one in names if one in facts.conditions), names[0])
        condition = facts.condition(type_)
        if not condition and name.endswith("?"):
            continue
        if facts.is_true(type_) and not facts.stale(condition):
            told = told or type_
            continue
        broken = (
            facts.is_false(type_) and not _patient(row, condition) and (row.false_is_bad or generic.bad_reason(condition))
        )
        return Health(
            "degraded" if broken else "progressing",
            reason(condition, f"Not{type_}"),
            said(condition, f"{type_} is not True yet"),
        )
    if not row.ready:
        return generic.judge(facts)
    return generic.behind(facts) or Health("healthy", told or "Ready", said(facts.condition(told)))


def _at(tree: Any, path: str) -> Any:
    for step in path.split("."):
        tree = tree.get(step) if isinstance(tree, dict) else None
    return tree
