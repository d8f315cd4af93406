"""Rules 2 to 5: a newer release, the deadline of the run, attempts of a lost worker, time-outs of steps."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from appdelivery.model.record import changed
from appdelivery.model.run import TERMINAL
from appdelivery.workflow import cursor, ending, expressions

if TYPE_CHECKING:
    from appdelivery.model.run import StepState
    from appdelivery.workflow.work import Work


def superseded(w: Work) -> bool:
    """Rule 2: a newer release ends this run as soon as no attempt is in flight; until then nothing new starts."""
    if not w.run.release or w.at.newest <= w.run.release:
        return False
    w.closed = True
    if any(row.fence == w.at.fence for row in w.in_flight()):
        return False
    message = f"superseded by release {w.at.newest}"
    ending.end_all(w, message)
    ending.finish(w, "superseded", message)
    return True


def past_deadline(w: Work) -> None:
    """Rule 3: what has not ended fails; what runs in any case has a little longer."""
    limit = ending.deadline(w.run)
    if limit is None or w.at.now < limit:
        return
    last = limit + timedelta(seconds=ending.GRACE_S)
    for row in list(w.rows.values()):
        if row.state in TERMINAL:
            continue
        if not _in_any_case(w, row.name):
            w.end(row.name, "failed", "Timeout", f"the deadline of the run passed at {limit:%Y-%m-%d %H:%M:%S} UTC")
        elif w.at.now >= last:
            w.end(row.name, "failed", "Timeout", f"the deadline of the run passed {ending.GRACE_S / 60:.0f} minutes ago")


def _in_any_case(w: Work, name: str) -> bool:
    step = w.dag.of(name)
    return expressions.is_always(step) or bool(step.group and expressions.is_always(w.dag.steps[step.group]))


def interrupted(w: Work) -> None:
    """Rule 4: an attempt under an older fence is lost, which is no failure: the step goes on from its cursor."""
    for row in w.in_flight():
        if row.fence != w.at.fence:
            w.interrupted.append(row)
            again = changed(row, state="waiting", reason="Wait", message="interrupted, goes on", wake_at=None, fence=0)
            w.put(again)


def timed_out(w: Work) -> None:
    """Rule 5: counted from the first start, through waiting, failures and suspension; a group takes its steps along."""
    for row in list(w.rows.values()):
        if row.state not in TERMINAL and row.deadline is not None and w.at.now >= row.deadline:
            for inner in _everything_below(w, row.name):
                if w.rows[inner].state not in TERMINAL:
                    _time_out(w, inner, row.name)
            _time_out(w, row.name, row.name)
        elif row.state == "suspended" and row.wake_at is not None and w.at.now >= row.wake_at:
            _waited_enough(w, row)


def _time_out(w: Work, name: str, of: str) -> None:
    spent = f"{of} did not end within its timeout" if of != name else "did not end within its timeout"
    began = w.rows[name].first_started_at is not None
    w.end(name, "failed", "Timeout", spent) if began else w.end(name, "skipped", "Skip", spent)


def _everything_below(w: Work, name: str) -> list[str]:
    if not w.contains(name):
        return []
    return [one for child in w.inner(name) for one in (child, *_everything_below(w, child))]


def _waited_enough(w: Work, row: StepState) -> None:
    """Nobody answered in time: the step runs again without an answer, and knows what that means."""
    woken = changed(row, state="waiting", reason="Wait", message="the time it was suspended for is over", wake_at=None)
    w.put(cursor.keep(woken, approval=None))
