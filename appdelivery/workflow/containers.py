"""Rule 11: step-groups and the steps of a foreach, which end when everything in them has ended."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from appdelivery.model.record import changed
from appdelivery.model.run import TERMINAL, StepState
from appdelivery.workflow import dag as dags
from appdelivery.workflow import ending

if TYPE_CHECKING:
    from appdelivery.model.run import StepSpec
    from appdelivery.workflow.work import Work

ITEMS = 100  # of a foreach


def open_(w: Work, step: StepSpec, items: list[Any] | None = None) -> None:
    """A group begins, or a foreach with its items, which are stored: a later look goes over the same."""
    row = w.rows[step.name]
    w.put(
        changed(
            row,
            state="running",
            reason="",
            message="",
            first_started_at=row.first_started_at or w.at.now,
            started_at=w.at.now,
            deadline=w.at.now + timedelta(seconds=step.timeout) if step.timeout else None,
            item=items,
        )
    )
    for index, value in enumerate(items or ()):
        name = dags.item(step.name, index)
        old = w.rows.get(name)
        w.put(StepState(name, step.type, step.ordinal, attempt=old.attempt if old else 0, item=value))
    for name in [one for one in w.rows if one.startswith(f"{step.name}[")]:
        if w.rows[name].state not in TERMINAL and name not in w.inner(step.name):
            w.end(name, "skipped", "Skip", "there are fewer items now")


def close(w: Work, step: StepSpec) -> bool:
    """Whether everything inside has ended, and so the step has."""
    inner = [w.rows[name] for name in w.inner(step.name)]
    if any(row.state not in TERMINAL for row in inner):
        return False
    failed = [row for row in inner if row.state == "failed"]
    if failed:
        names = ", ".join([row.name.removeprefix(f"{step.name}/").removeprefix(step.name) for row in failed[:3]])
        more = f" and {len(failed) - 3} more" if len(failed) > 3 else ""
        w.end(step.name, "failed", ending.worst(failed), f"{names}{more} failed: {failed[0].message}")
    elif inner and all(row.state == "skipped" for row in inner):
        w.end(step.name, "skipped", "Skip", "everything in it was skipped")
    else:
        w.end(step.name, "succeeded", "")
    if step.foreach is not None:
        w.put(changed(w.rows[step.name], outputs=_collected(inner), secret_outputs=_secret(inner)))
    return True


def _collected(items: list[StepState]) -> dict[str, list[Any]]:
    """Each output as a list in the order of the items; null where an item has none."""
    names = dict.fromkeys([name for row in items for name in row.outputs])
    return {name: [row.outputs.get(name) for row in items] for name in names}


def _secret(items: list[StepState]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([name for row in items for name in row.secret_outputs]))


def skip_inside(w: Work, name: str, message: str) -> None:
    for child in w.dag.children.get(name, ()):
        if w.rows[child].state not in TERMINAL:
            w.end(child, "skipped", "Skip", message)


def fail_fast(w: Work, step: StepSpec) -> bool:
    """After an item failed no other starts."""
    if step.foreach is None or not step.foreach.fail_fast:
        return False
    inner = [w.rows[name] for name in w.inner(step.name)]
    if not any(row.state == "failed" for row in inner):
        return False
    waiting = [row for row in inner if row.state == "pending"]
    for row in waiting:
        w.end(row.name, "skipped", "Skip", "an item before it failed")
    return bool(waiting)


def room(w: Work, name: str) -> bool:
    """Whether what holds a step lets one more of its steps begin.  What has begun keeps its place between attempts, and
    a foreach keeps one for all of its items."""
    if w.rows[name].state != "pending":
        return True
    step = w.dag.of(name)
    if name != step.name:
        holder, most = step.name, step.foreach.parallelism if step.foreach else 0
    else:
        holder, most = step.group, w.dag.steps[step.group].concurrency if step.group else 0
    if not most:
        return True
    return sum(1 for one in w.inner(holder) if w.rows[one].state in ("running", "waiting", "suspended")) < most
