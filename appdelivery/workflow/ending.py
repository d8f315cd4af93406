"""How runs end and when they are looked at next: termination, rules 12 and 13.  Called by decide, limits, signalling."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from appdelivery.model.record import changed
from appdelivery.model.run import ENDED, TERMINAL

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from appdelivery.model.run import Run, StepState
    from appdelivery.workflow.work import Work

GRACE_S = 600.0  # what runs in any case may run this long after the run's deadline
# Which reason a group shows when its steps failed for several.
WEIGHT = ("FailedAfterRetries", "Timeout", "Action", "Rejected", "Input", "Unsure", "Terminate")


def terminate(w: Work, message: str) -> None:
    end_all(w, message)
    finish(w, "terminated", message)


def end_all(w: Work, message: str) -> None:
    """What has begun fails, what has not is skipped."""
    for row in list(w.rows.values()):
        if row.state == "pending":
            w.end(row.name, "skipped", "Skip", message)
        elif row.state not in TERMINAL:
            w.end(row.name, "failed", "Terminate", message)


def finish(w: Work, state: str, message: str = "") -> None:
    w.run = changed(
        _awake(w.run, w.at.now), state=state, message=message, finished_at=w.at.now, cancel_requested=False, paused=False
    )


def worst(rows: Iterable[StepState]) -> str:
    """The reason for which a group failed."""
    reasons = {row.reason for row in rows if row.state == "failed"}
    return next((reason for reason in WEIGHT if reason in reasons), "")


def settle(w: Work) -> None:
    """Rule 12.  A step that ends the run by itself (reason Terminate, and nothing else failed) leaves it terminated."""
    tops = [w.rows[step.name] for step in w.dag.order if not step.group]
    if all(row.state in TERMINAL for row in tops):
        failed = [row for row in tops if row.state == "failed"]
        if not failed:
            finish(w, "succeeded")
        else:
            finish(w, "terminated" if worst(failed) == "Terminate" else "failed", _why(failed))
        return
    states = {row.state for row in w.leaves()}
    sleeping = "running" not in states and (w.run.paused or ("waiting" not in states and "suspended" in states))
    if sleeping and w.run.state != "suspended":
        w.run = changed(w.run, state="suspended", suspended_since=w.at.now)
    elif not sleeping and w.run.state == "suspended":
        w.run = changed(_awake(w.run, w.at.now), state="executing")


def _why(failed: list[StepState]) -> str:
    first = failed[0]
    others = f", and {len(failed) - 1} more" if len(failed) > 1 else ""
    said = f": {first.message}" if first.message else ""
    return f"step {first.name} failed ({first.reason}){others}{said}"


def _awake(run: Run, now: datetime) -> Run:
    """Time in which it was suspended does not count against the deadline."""
    if run.suspended_since is None:
        return run
    slept = now - run.suspended_since
    return changed(
        run,
        suspended_since=None,
        suspended_ms=run.suspended_ms + int(slept / timedelta(milliseconds=1)),
        deadline=run.deadline + slept if run.deadline is not None else None,
    )


def deadline(run: Run) -> datetime | None:
    """None while it is suspended: the clock stands."""
    return None if run.suspended_since is not None else run.deadline


def due_at(w: Work) -> datetime | None:
    """Rule 13: None when only a signal, or the end of an attempt in flight, can help."""
    if w.run.state in ENDED:
        return None
    if w.starts or w.voided:
        return w.at.now
    times: list[datetime | None] = []
    for row in w.rows.values():
        if row.state in TERMINAL:
            continue
        if row.state != "pending":
            times.append(row.deadline)
        if row.state == "suspended" or (row.state == "waiting" and not w.closed):
            times.append(row.wake_at)
    limit = deadline(w.run)
    if limit is not None:
        times += [limit if limit > w.at.now else limit + timedelta(seconds=GRACE_S)]
    found = [time for time in times if time is not None]
    return max(min(found), w.at.now) if found else None
