"""Rules 6 to 10: what a step waits for, its `if`, its inputs, and starting it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from appdelivery import errors
from appdelivery.model.problem import Problem
from appdelivery.model.record import changed
from appdelivery.model.run import TERMINAL
from appdelivery.workflow import containers, cursor, ending, expressions, facts
from appdelivery.workflow.work import Start

if TYPE_CHECKING:
    from datetime import datetime

    from appdelivery.model.run import StepSpec, StepState
    from appdelivery.workflow.work import Work


def advance(w: Work) -> None:
    """Looks at every step until nothing moves; a step that ended makes others ready."""
    moved = True
    while moved:
        moved = False
        for step in w.dag.order:
            moved |= _look(w, step)


def _look(w: Work, step: StepSpec) -> bool:
    row = w.rows[step.name]
    if row.state in TERMINAL:
        return False
    if w.contains(step.name) and row.state != "pending":
        return _inside(w, step)
    if w.closed:
        return False
    if row.state == "waiting":
        return _due(w, row) and _start(w, step, row)
    return row.state == "pending" and _needs(w, step) and _begin(w, step, row)


def _inside(w: Work, step: StepSpec) -> bool:
    """A group or foreach that is open.  Steps of a group are looked at on their own, items here."""
    moved = containers.fail_fast(w, step)
    if step.foreach is not None and not w.closed:
        for name in w.inner(step.name):
            row = w.rows[name]
            if (row.state == "pending" and _needs(w, step)) or (row.state == "waiting" and _due(w, row)):
                moved |= _start(w, step, row)
                moved |= containers.fail_fast(w, step)
    return containers.close(w, step) or moved


def _due(w: Work, row: StepState) -> bool:
    return row.wake_at is None or row.wake_at <= w.at.now


def _needs(w: Work, step: StepSpec) -> bool:
    """Rule 6."""
    waits_for = w.dag.before[step.name]
    if step.group:
        if w.rows[step.group].state != "running":
            return False
        waits_for |= w.dag.before[step.group]  # which a retry may have opened again
    return not waits_for & ~w.over


def _begin(w: Work, step: StepSpec, row: StepState) -> bool:
    try:
        why_not = _skipped(w, step)
        if why_not:
            w.end(step.name, "skipped", "Skip", why_not)
            containers.skip_inside(w, step.name, why_not)
            return True
        if not w.contains(step.name):
            return _start(w, step, row)
        items = None
        if step.foreach is not None:
            if not containers.room(w, step.name):
                return False
            _inputs(w, step)
            items = facts.items(w, step, containers.ITEMS)
    except errors.SpecError as error:
        w.end(step.name, "failed", "Input", facts.text(error))
        containers.skip_inside(w, step.name, f"{step.name} failed")
        return True
    containers.open_(w, step, items)
    return True


def _skipped(w: Work, step: StepSpec) -> str:
    """Rules 7 and 8: why a step is not to run; '' when it is."""
    if expressions.is_always(step):
        return ""
    if step.condition:
        return "" if facts.holds(w, step) else "its condition is false"
    failed = w.dag.blame[step.name] & w.failed
    if not failed:
        return ""
    return f"{next(name for name, bit in w.dag.bit.items() if bit & failed)} failed before it"


def _inputs(w: Work, step: StepSpec) -> dict[str, object]:
    """Rule 9."""
    found, missing = facts.inputs(w, step)
    if missing:
        raise errors.SpecError([Problem(text) for text in missing])
    return found


def _start(w: Work, step: StepSpec, row: StepState) -> bool:
    """Rule 10.  A step whose voided attempt is still on its way out starts with the next decision."""
    if (
        row.name in w.voided
        or row.name in w.at.busy
        or len(w.in_flight()) >= w.at.parallelism
        or not containers.room(w, row.name)
    ):
        return False
    try:
        given = _inputs(w, step)
        properties = facts.properties(w, step, given, row)
    except errors.SpecError as error:
        w.end(row.name, "failed", "Input", facts.text(error))
        return True
    now = w.at.now
    attempt = row.attempt + 1
    started = changed(
        row,
        state="running",
        reason="",
        attempt=attempt,
        first_started_at=row.first_started_at or now,
        started_at=now,
        finished_at=None,
        wake_at=None,
        deadline=row.deadline or _deadline(w, step),
        fence=w.at.fence,
        inputs=given,
    )
    started = cursor.keep(started, **{"try": (row.cursor or {}).get("try", attempt)})
    w.put(started)
    trial = cursor.trial(started)
    w.starts.append(Start(started, step, properties, given, cursor.own(row), cursor.answer(row), trial))
    return True


def _deadline(w: Work, step: StepSpec) -> datetime | None:
    """Of a step that starts now; one that runs in any case after the run's deadline has the grace that is left."""
    own = w.at.now + timedelta(seconds=step.timeout) if step.timeout else None
    limit = ending.deadline(w.run)
    if limit is not None and w.at.now >= limit:
        last = limit + timedelta(seconds=ending.GRACE_S)
        return min(own, last) if own else last
    return own
