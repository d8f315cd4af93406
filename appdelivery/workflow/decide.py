"""The decision of the engine: what moves, what starts, and when to look again (workflow.md section 5).

Pure: no clock, no store, no cluster.  The same rows, signals and time give the same Decision, and a Decision that was
recorded decides to nothing when asked again.  Called by reconcile, before the first step of a pass and after each end.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from appdelivery.model.record import changed, record
from appdelivery.model.run import ENDED, StepState
from appdelivery.workflow import ending, limits, ready, signalling
from appdelivery.workflow.work import At, Start, Work

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from appdelivery.model.run import Run, Signal, Spec
    from appdelivery.workflow.dag import Dag

__all__ = ["At", "Decision", "Start", "decide", "first_rows"]


@record
class Decision:
    """moves and consume are recorded in one transaction with run, before anything of start runs.

    reset: rows that begin anew, whose effects are to be forgotten before their move is recorded.

    interrupted: rows, as they were, whose attempt ended as `interrupted`.  cancelled: rows, as they were, whose attempt
    is in flight here and no longer counts (its result is `fenced`): it is told to stop, and nothing is decided before it
    has, since the same step may be due again.
    """

    run: Run
    consume: tuple[str, ...] = ()
    moves: tuple[StepState, ...] = ()
    start: tuple[Start, ...] = ()
    reset: tuple[str, ...] = ()
    interrupted: tuple[StepState, ...] = ()
    cancelled: tuple[StepState, ...] = ()
    due_at: datetime | None = None

    @property
    def running(self) -> bool:
        return self.run.state not in ENDED


def first_rows(spec: Spec) -> tuple[StepState, ...]:
    """The rows of a run that was just opened."""
    return tuple([StepState(step.name, step.type, step.ordinal) for step in spec.steps])


def decide(dag: Dag, run: Run, rows: Iterable[StepState], signals: Iterable[Signal], at: At) -> Decision:
    w = Work(dag, run, rows, at)
    signalling.heed(w, signals)
    if w.run.cancel_requested and w.run.state not in ENDED:
        ending.terminate(w, "terminated")
    if w.run.state not in ENDED:
        _go_on(w)
    return _decision(w, run)


def _go_on(w: Work) -> None:
    limits.interrupted(w)
    if limits.superseded(w):
        return
    if w.run.deadline is None and w.run.spec.deadline:
        w.run = changed(w.run, deadline=_first_deadline(w))
    limits.past_deadline(w)
    limits.timed_out(w)
    w.closed |= w.run.paused
    ready.advance(w)
    ending.settle(w)


def _first_deadline(w: Work) -> datetime:
    return w.run.started_at + timedelta(seconds=w.run.spec.deadline, milliseconds=w.run.suspended_ms)


def _decision(w: Work, run: Run) -> Decision:
    moves = tuple([row for name, row in w.rows.items() if w.was.get(name) != row])
    return Decision(
        w.run if w.run != run else run,
        tuple(w.consumed),
        moves,
        tuple(w.starts),
        tuple(w.reset),
        tuple(w.interrupted),
        tuple(w.voided.values()),
        ending.due_at(w),
    )
