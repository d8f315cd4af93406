"""Rule 1: signals in the order of their ids, each consumed in the transaction of the decision that heeds it.

Whether an operation is allowed was checked when it was asked for (workflow.md section 9); what no longer fits by now is
consumed without effect.  A signal for a step whose attempt is in flight stays until that has ended.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from appdelivery.model.record import changed
from appdelivery.model.run import ENDED, TERMINAL
from appdelivery.workflow import cursor, ending
from appdelivery.workflow import dag as dags
from appdelivery.workflow.work import blank

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from appdelivery.model.run import Signal, StepState
    from appdelivery.workflow.work import Work

LATER = ("skip", "retry", "resume", "approve", "reject", "promote", "promote-full", "abort")


def heed(w: Work, signals: Iterable[Signal]) -> None:
    for signal in sorted(signals, key=lambda one: one.id):
        if w.run.state == "superseded":
            w.consumed.append(signal.id)
            continue
        name = w.named(signal.step) if signal.step else ""
        if signal.name in LATER and name and _in_flight(w, name, signal.name):
            continue
        w.consumed.append(signal.id)
        if not signal.step or name:
            _HEEDED.get(signal.name, _hand_over)(w, signal, name)


def _in_flight(w: Work, name: str, signal: str) -> bool:
    """A retry or an answer reaches the suspended and failed steps of a group at once; anything else wants it at rest."""
    below = [w.rows[leaf] for leaf in w.below(name)]
    if w.contains(name) and signal != "skip":
        return False
    return any(row.state == "running" and row.fence == w.at.fence for row in below)


def _terminate(w: Work, signal: Signal, _: str) -> None:
    if w.run.state not in ENDED:
        ending.terminate(w, f"terminated by {_who(signal)}")


def _pause(w: Work, _: Signal, __: str) -> None:
    if w.run.state not in ENDED:
        w.run = changed(w.run, paused=True)


def _restart(w: Work, _: Signal, name: str) -> None:
    if name:
        first = dags.parent(name)
        again = [first, *w.dag.children.get(first, ()), *w.dag.behind(first)]
    else:
        again = list(w.dag.steps)
    w.reopen()
    for one in again:
        holder = (
            one in w.dag.children and one != dags.parent(name) and any(child not in again for child in w.dag.children[one])
        )
        _reset(w, one, whole=not holder)


def _reset(w: Work, name: str, *, whole: bool) -> None:
    """A step, or with `whole` false only the group around steps that are reset."""
    row = w.rows[name]
    if not whole:
        w.put(_open_again(w, row))
        return
    for one in [row, *[item for item in w.rows.values() if item.name.startswith(f"{name}[")]]:
        w.put(blank(one))
        w.reset.append(one.name)


def _retry(w: Work, signal: Signal, name: str) -> None:
    """The next attempt of a step now: of one that failed, backs off, or is suspended as Unsure."""
    for one in _everything(w, name):
        row = w.rows[one]
        unsure = row.state == "suspended" and row.reason == "Unsure"
        if row.state == "waiting" and (name or row.failures):
            w.put(changed(row, wake_at=None, failures=0))
        elif row.state == "failed" and (row.first_started_at is None or w.contains(one)):
            if not any(w.rows[inner].state == "failed" for inner in w.below(one) if inner != one):
                w.put(blank(row))
                _go_on(w, one)
        elif row.state == "failed" or unsure:
            fresh = changed(blank(row), state="waiting", reason="Wait", message=f"tried again by {_who(signal)}")
            w.put(cursor.keep(fresh, answer=_answer(w, signal) if unsure else cursor.answer(row)))
            _go_on(w, one)


def _everything(w: Work, name: str) -> list[str]:
    """A step and what is in it, or all of them; what is run before what holds it."""
    found = [*w.below(name), name] if name else [*[row.name for row in w.leaves()], *w.dag.steps]
    return list(dict.fromkeys(found))


def _skip(w: Work, signal: Signal, name: str) -> None:
    if not name:
        return
    message = f"skipped by {_who(signal)}"
    failed = w.rows[name].state == "failed"
    for leaf in {name, *w.below(name)}:
        if w.rows[leaf].state not in ("succeeded", "skipped"):
            w.end(leaf, "skipped", "Skip", message)
            w.put(cursor.keep(w.rows[leaf], answer=_answer(w, signal)))
    if failed:
        _go_on(w, name)


def _go_on(w: Work, name: str) -> None:
    """What ended because of this step is looked at again."""
    w.reopen()
    _reopen_around(w, name)
    items = [one for one in w.rows if name.endswith("]") and dags.parent(one) == dags.parent(name) != one]
    for one in [*items, *w.dag.behind(dags.parent(name))]:
        row = w.rows[one]
        if row.state == "skipped" and (cursor.answer(row) or {}).get("signal") != "skip":
            w.put(blank(row))


def _reopen_around(w: Work, name: str) -> None:
    """The foreach and the group around a step are not over."""
    step = w.dag.of(name)
    around = [step.name] if name != step.name else []
    for one in [*around, *([step.group] if step.group else [])]:
        row = w.rows[one]
        if row.state in TERMINAL:
            w.put(_open_again(w, row))


def _open_again(w: Work, row: StepState) -> StepState:
    """With its whole time.  A group that never began is looked at from the beginning."""
    if row.first_started_at is None:
        return blank(row)
    timeout = w.dag.of(row.name).timeout
    until = w.at.now + timedelta(seconds=timeout) if timeout else None
    return changed(row, state="running", reason="", message="", finished_at=None, outputs={}, deadline=until)


def _resume(w: Work, signal: Signal, name: str) -> None:
    """Ends the pause; without a name every suspension but approvals, which are answered by name."""
    if not name:
        w.run = changed(w.run, paused=False)
    for leaf in w.below(name) if name else [row.name for row in w.leaves()]:
        row = w.rows[leaf]
        if row.state == "suspended" and (name or cursor.approval(row) is None):
            _answered(w, row, signal)


def _approve(w: Work, signal: Signal, name: str) -> None:
    for leaf in w.below(name) if name else [row.name for row in w.leaves()]:
        row = w.rows[leaf]
        if row.state == "suspended" and (name or cursor.approval(row) is not None):
            _answered(w, row, signal)


def _reject(w: Work, signal: Signal, name: str) -> None:
    for leaf in w.below(name) if name else [row.name for row in w.leaves()]:
        row = w.rows[leaf]
        if row.state == "suspended" and (name or cursor.approval(row) is not None):
            said = f": {signal.comment}" if signal.comment else ""
            w.end(leaf, "failed", "Rejected", f"rejected by {_who(signal)}{said}")


def _hand_over(w: Work, signal: Signal, name: str) -> None:
    """Any other signal wakes the step that it names, which reads it as its answer."""
    for leaf in w.below(name) if name else []:
        row = w.rows[leaf]
        if row.state in ("waiting", "suspended"):
            _answered(w, row, signal)


def _answered(w: Work, row: StepState, signal: Signal) -> None:
    """A suspended step runs again and sees the answer."""
    woken = changed(row, state="waiting", reason="Wait", message=f"{signal.name} by {_who(signal)}", wake_at=None)
    w.put(cursor.keep(woken, answer=_answer(w, signal), approval=None))


def _answer(w: Work, signal: Signal) -> dict[str, Any]:
    return {
        "signal": signal.name,
        "by": signal.actor.name,
        "comment": signal.comment,
        "at": w.at.now.isoformat(),
        **({"payload": dict(signal.payload)} if signal.payload else {}),
    }


def _who(signal: Signal) -> str:
    return signal.actor.name


_HEEDED: dict[str, Callable[[Work, Signal, str], None]] = {
    "terminate": _terminate,
    "pause": _pause,
    "restart": _restart,
    "retry": _retry,
    "skip": _skip,
    "resume": _resume,
    "approve": _approve,
    "reject": _reject,
}
