"""What a step answered, as its row: outputs, back-off, suspension.  Pure; recorded in one transaction with its attempt.

Called by reconcile when an attempt ends, only while the row still belongs to that attempt (`current`).
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from appdelivery import errors
from appdelivery.model.record import changed, record
from appdelivery.model.secret import Secret
from appdelivery.workflow import backoff, cursor, facts
from appdelivery.workflow.model import CURSOR_BYTES, OUTPUT_BYTES, RUN_OUTPUT_BYTES, Done, Fail, Suspend, Wait

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from appdelivery.model.run import Run, StepState
    from appdelivery.workflow.dag import Dag
    from appdelivery.workflow.model import Result
    from appdelivery.workflow.work import Start

SMALL_BYTES = 1 << 10  # an output that nobody declared or reads is kept up to here, to be shown
REASONS = {  # codes of a Fail that are reasons of their own
    "step.rejected": "Rejected",
    "step.terminated": "Terminate",
    "step.timeout": "Timeout",
}


@record
class Recorded:
    """The row after an attempt, and what its record says."""

    row: StepState
    result: str  # one of run.RESULTS
    code: str = ""
    error: str = ""


def current(row: StepState, start: Start) -> bool:
    """Whether the row still waits for this attempt: it was not timed out, restarted, terminated or taken over."""
    was = start.row
    return (row.state, row.attempt, row.fence) == ("running", was.attempt, was.fence)


def recorded(
    dag: Dag,
    run: Run,
    start: Start,
    result: Result,
    *,
    now: datetime,
    rows: Iterable[StepState] = (),
    same_try: bool = False,
) -> Recorded:
    """rows: those of the run, for the sum of its outputs.  same_try: the Fail stands for an error of the world, so that
    nothing is known of what the step began: it looks again with its cursor, where another failure begins anew."""
    try:
        if isinstance(result, Done):
            return _done(dag, run, start, result, now=now, rows=rows)
        if isinstance(result, Wait):
            return _wait(start, result, now)
        if isinstance(result, Suspend):
            return _suspend(start, result, now)
        return _fail(run, start, result, now=now, same_try=same_try)
    except errors.Bug as bug:  # of the action, and no reason for the pass to end
        return _ended(start, now, "Action", "internal", bug.message)


def unsure(start: Start, message: str) -> Recorded:
    """A call that must not be made twice may have been made: a person decides (workflow.md section 8)."""
    row = changed(start.row, state="suspended", reason="Unsure", message=message, wake_at=None, fence=0)
    return Recorded(cursor.keep(row, answer=None), "suspend", "unsure", message)


def _done(dag: Dag, run: Run, start: Start, done: Done, *, now: datetime, rows: Iterable[StepState]) -> Recorded:
    try:
        declared = _declared(dag, run, start, done)
        outputs = {**_kept(dag, start, done, declared), **declared}
        size = _size(outputs, "the outputs")
    except errors.SpecError as error:
        return _ended(start, now, "Input", "outputs", facts.text(error))
    if size > OUTPUT_BYTES:
        return _ended(start, now, "Action", "outputs", f"its outputs are {size} bytes, at most {OUTPUT_BYTES} are kept")
    others = sum(_size(row.outputs, row.name) for row in rows if row.outputs and not _counted(start, row))
    if others + size > RUN_OUTPUT_BYTES:
        message = f"with its {size} bytes the outputs of the run are {others + size}, at most {RUN_OUTPUT_BYTES} are kept"
        return _ended(start, now, "Action", "outputs", message)
    secret = [output.name for output in start.step.outputs if output.secret] + list(done.secret)
    row = changed(
        start.row,
        state="succeeded",
        reason="",
        message=done.message,
        finished_at=now,
        wake_at=None,
        fence=0,
        outputs=outputs,
        secret_outputs=tuple([name for name in dict.fromkeys(secret) if name in outputs]),
        cursor=None,
    )
    return Recorded(row, "done")


def _counted(start: Start, row: StepState) -> bool:
    """The step itself; and of a foreach only the items count."""
    return row.name == start.row.name or (row.item is not None and not row.name.endswith("]"))


def _declared(dag: Dag, run: Run, start: Start, done: Done) -> dict[str, Any]:
    """outputs[{name, valueFrom}]; a null is written as such: live expressions give it for what is missing."""
    if not start.step.outputs:
        return {}
    scope = {
        "output": dict(done.outputs),
        "outputs": dict(done.outputs),
        **dict(done.outputs),
        "context": dict(run.context),
        "inputs": dict(start.inputs),
        "parameters": start.properties,
        "parameter": start.properties,
        **facts.variables(start.step, start.row),
    }
    return {name: one.value(scope) for name, one in dag.value_from(start.step)}


def _kept(dag: Dag, start: Start, done: Done, declared: Mapping[str, Any]) -> dict[str, Any]:
    """Of what the action gave: what other steps read, and what is small enough to be shown."""
    read = dag.read_outputs()
    wanted = read.get(start.step.name.rpartition("/")[2], frozenset())
    everything = "" in wanted
    return {
        name: value
        for name, value in done.outputs.items()
        if name not in declared and (everything or name in wanted or _size(value, name) <= SMALL_BYTES)
    }


def _size(value: Any, what: str) -> int:
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_masked)
    except (TypeError, ValueError, RecursionError) as error:
        raise errors.Bug(f"keep {what}: a value that is no JSON: {error}") from error
    return len(text.encode("utf-8", "surrogatepass"))


def _masked(value: Any) -> str:
    """Secret outputs of earlier steps come back sealed; their size was judged when they were given."""
    if isinstance(value, Secret):
        return str(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _wait(start: Start, wait: Wait, now: datetime) -> Recorded:
    size = _size(wait.cursor, "the cursor")
    if size > CURSOR_BYTES:
        return _ended(start, now, "Action", "cursor", f"its cursor is {size} bytes, at most {CURSOR_BYTES} are kept")
    after = wait.after.total_seconds() if wait.after is not None else backoff.poll(_first(start, now), now)
    row = changed(
        start.row,
        state="waiting",
        reason="Wait",
        message=wait.message,
        failures=_base(start),
        wake_at=now + timedelta(seconds=after),
        fence=0,
    )
    return Recorded(cursor.keep(row, own=wait.cursor), "wait")


def _base(start: Start) -> int:
    """Failures of the tries before this one: errors of the world are forgotten as soon as the world answers again."""
    return int((start.row.cursor or {}).get("base", 0))


def _first(start: Start, now: datetime) -> datetime:
    return start.row.first_started_at or now


def _suspend(start: Start, suspend: Suspend, now: datetime) -> Recorded:
    size = _size(suspend.cursor, "the cursor")
    if size > CURSOR_BYTES:
        return _ended(start, now, "Action", "cursor", f"its cursor is {size} bytes, at most {CURSOR_BYTES} are kept")
    row = changed(
        start.row,
        state="suspended",
        reason="",
        message=suspend.message,
        failures=_base(start),
        wake_at=suspend.until,
        fence=0,
    )
    asked = cursor.tree(suspend.approval) if suspend.approval is not None else None
    return Recorded(cursor.keep(row, own=suspend.cursor, approval=asked, answer=None), "suspend")


def _fail(run: Run, start: Start, fail: Fail, *, now: datetime, same_try: bool) -> Recorded:
    if not fail.retryable:
        return _ended(start, now, REASONS.get(fail.code, "Action"), fail.code, fail.message)
    failures = start.row.failures + 1
    retry = start.step.retry
    if failures > retry.limit:
        failed = _ended(start, now, "FailedAfterRetries", fail.code, fail.message)
        return changed(failed, row=changed(failed.row, failures=failures))
    delay = backoff.after_failure(retry, failures, f"{run.id}/{start.row.name}/{start.row.attempt}")
    asked = fail.after.total_seconds() if fail.after is not None else 0.0
    row = changed(
        start.row,
        state="waiting",
        reason="Wait",
        message=fail.message,
        failures=failures,
        wake_at=now + timedelta(seconds=max(delay, asked)),
        fence=0,
    )
    if not same_try:
        row = cursor.keep(row, own=None, base=failures, **{"try": None})
    return Recorded(row, "fail", fail.code, fail.message)


def _ended(start: Start, now: datetime, reason: str, code: str, message: str) -> Recorded:
    row = changed(start.row, state="failed", reason=reason, message=message, finished_at=now, wake_at=None, fence=0)
    return Recorded(cursor.keep(row, own=None, **{"try": None}), "fail", code, message)
