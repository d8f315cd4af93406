"""Operations on runs: what people tell them (workflow.md section 9), and carrying them on in this process.

Whether an operation is allowed is checked here, against the run as it is now; what it does is the engine's decision.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from appdelivery import errors
from appdelivery.model import suggest
from appdelivery.model.record import record
from appdelivery.model.run import ENDED, Signal, WorkKey
from appdelivery.platform import delivering, identity, looking, planning
from appdelivery.platform.guard import guard
from appdelivery.workflow import cursor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from appdelivery.delivery.ports import Work
    from appdelivery.delivery.work import Ended
    from appdelivery.model.history import Actor
    from appdelivery.model.refs import AppKey
    from appdelivery.model.run import Run, StepState
    from appdelivery.platform.local import Platform

NEEDS_STEP = ("approve", "reject", "skip")
STATES = {
    "resume": ("suspended",),
    "approve": ("suspended",),
    "reject": ("suspended",),
    "retry": ("waiting", "failed", "suspended"),
    "skip": ("pending", "waiting", "suspended", "failed"),
}
RIGHTS = {"skip": "override", "approve": "approve", "reject": "approve"}
REOPENS = ("retry", "restart", "skip")  # what may be said to a run that has ended


@record
class Told:
    """What was said: the run, and the step that was meant ('' = the whole run)."""

    run: Run
    step: str


def work(p: Platform, app: AppKey) -> Work:
    """The run of the newest release and its steps; NotFound where there is none."""
    guard(p.actor, "get", str(app))
    found = p.journal.work(WorkKey("app", str(app)))
    if found.run is None:
        if p.journal.newest(app) is None:
            raise errors.NotFound(f"there is no application {app}", hint="appctl list shows them")
        raise errors.NotFound(f"application {app} has no run: its newest release was not carried out by a workflow")
    return found


def tell(p: Platform, app: AppKey, name: str, step: str = "", comment: str = "") -> Told:
    """Gives a signal.  Conflict when the run is not where the operation is allowed."""
    guard(p.actor, RIGHTS.get(name, "update"), str(app))
    found = work(p, app)
    run = found.run
    assert run is not None
    _allowed(run, name)
    row = _row(found.steps, step, name) if step or name in NEEDS_STEP else None
    if row is not None:
        _step_allowed(row, name)
        if name in ("approve", "reject") or (name == "resume" and cursor.approval(row) is not None):
            guard(p.actor, "approve", str(app))
            _may_answer(p, app, row)
    elif name == "resume" and not looking.is_paused(found) and not any(one.state == "suspended" for one in found.steps):
        raise errors.Conflict(f"resume {app}: no step of its run is suspended; the run is {run.state}")
    return Told(run, _given(p, app, name, step=row.name if row is not None else "", comment=comment))


def asleep(found: Work) -> bool:
    """Whether `resume` has to be said to the run: it is paused, or a step waits for nobody in particular."""
    return looking.is_paused(found) or any(row.state == "suspended" and cursor.approval(row) is None for row in found.steps)


def _given(p: Platform, app: AppKey, name: str, *, step: str = "", comment: str = "") -> str:
    p.journal.signal(app, Signal(identity.new_id(), name, p.actor, identity.clock(), step=step, comment=comment))
    return step


def _allowed(run: Run, name: str) -> None:
    if run.state == "superseded":
        raise errors.Conflict(f"{name} {run.app}: a newer release has taken the place of this run")
    if run.state in ENDED and name not in REOPENS:
        raise errors.Conflict(f"{name} {run.app}: its run has {run.state}", hint=f"appctl history {run.app}")


def _row(rows: Sequence[StepState], step: str, name: str) -> StepState:
    """By its whole name or the short one; where only one step can be meant it need not be named."""
    if step:
        found = [row for row in rows if step in (row.name, row.name.rpartition("/")[2])]
        if not found:
            every = [row.name for row in rows]
            raise errors.NotFound(f"there is no step '{step}'{suggest.meant(step, every)}", hint=suggest.listed(every))
        return found[0]
    can = [row for row in rows if row.state in STATES.get(name, ())]
    if len(can) != 1:
        names = ", ".join([row.name for row in can]) or "none"
        raise errors.UsageError(f"{name}: say which step; it can be said to: {names}")
    return can[0]


def _step_allowed(row: StepState, name: str) -> None:
    states = STATES.get(name)
    if states and row.state not in states:
        raise errors.Conflict(f"{name} {row.name}: the step is {row.state}, not {' or '.join(states)}")


def _may_answer(p: Platform, app: AppKey, row: StepState) -> None:
    asked = cursor.approval(row)
    if asked is None:
        raise errors.Conflict(f"step {row.name} of {app} waits for no approval", hint=f"appctl resume {app} {row.name}")
    if asked.approvers and not _among(p.actor, asked.approvers):
        raise errors.Denied(f"step {row.name} of {app} is approved by {', '.join(asked.approvers)}, not by {p.actor}")
    newest = p.journal.newest(app)
    if asked.distinct and newest is not None and newest.actor.name == p.actor.name:
        raise errors.Denied(f"step {row.name} of {app}: whoever opened the release does not approve it (distinct)")


def _among(actor: Actor, approvers: Sequence[str]) -> bool:
    return any(one in (actor.name, f"user:{actor.name}") for one in approvers)


async def carry_on(p: Platform, app: AppKey, how: delivering.How) -> Ended:
    """Takes the newest release up where it stands, whoever began it."""
    guard(p.actor, "update", str(app))
    newest = p.journal.newest(app)
    if newest is None:
        raise errors.NotFound(f"there is no application {app}", hint="appctl list shows them")
    found = p.journal.work(WorkKey("app", str(app)))
    own = found.run if found.run is not None and found.run.release == newest.number else None
    over = newest.outcome != "running" and not found.signals and (own is None or own.state in ENDED)
    if over and (newest.outcome != "partial" or own is None):
        raise errors.Conflict(
            f"resume {app}: nothing is left to do, release {newest.number} has {newest.outcome}",
            hint=f"appctl history {app}",
        )
    planned = await planning.of_release(p, newest, own.spec if own is not None else None)
    if over:
        await p.in_thread(lambda: _catch_up(p, planned, newest.number))
    return await delivering.carry_out(p, planned, newest, how)


def _catch_up(p: Platform, planned: planning.Planned, release: int) -> None:
    """Steps that left clusters out because they did not answer begin again."""
    behind = {row.cluster for row in p.journal.inventory(planned.app) if row.wanted == release > row.release}
    steps = [part.place.step for part in planned.parts if part.cluster in behind]
    for step in dict.fromkeys(steps if all(steps) else [""]):
        _given(p, planned.app, "restart", step=step, comment="clusters that did not answer are tried again")
