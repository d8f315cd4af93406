"""Runs and steps as rows and back.  Called by runs, run_facts and run_history.

Values of secret outputs, and whatever holds a Secret (inputs, cursor, item), stand in one cipher of the row; in clear there
is only their mask.  The engine gets them back as Secrets, readers for people get the mask and need no key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appdelivery.model import secret
from appdelivery.model.application import Input, Output
from appdelivery.model.refs import AppKey
from appdelivery.model.run import FORMAT, Attempt, Effect, Foreach, Retry, Run, Spec, StepSpec, StepState
from appdelivery.model.secret import MASK, Secret
from appdelivery.store import trees

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import sqlalchemy as sa

    from appdelivery.store.open import Store

HIDDEN = f"{MASK}>"
TREES = ("inputs", "outputs", "cursor", "item")
PURPOSE = "output"


def spec_tree(spec: Spec) -> dict[str, Any]:
    return {"steps": [_tree(step) for step in spec.steps], "mode": list(spec.mode), "deadline": spec.deadline}


def spec_of(tree: Mapping[str, Any], format: int) -> Spec:
    """One of a newer format has no steps here: its words may mean something else."""
    mode = tuple(tree["mode"])
    steps = tuple([_step_spec(step) for step in tree["steps"]]) if format <= FORMAT else ()
    return Spec(steps, (mode[0], mode[1]), tree["deadline"], format)


def _tree(value: Any) -> Any:
    if isinstance(value, (StepSpec, Retry, Foreach, Input, Output)):
        return {name: _tree(getattr(value, name)) for name in _names(type(value))}
    return [_tree(part) for part in value] if isinstance(value, tuple) else value


def _names(kind: type) -> tuple[str, ...]:
    names: tuple[str, ...] = kind.__slots__  # type: ignore[attr-defined]
    return names


def _known(kind: type, tree: Mapping[str, Any]) -> dict[str, Any]:
    """A neighbouring version may have added a field that this one does not know."""
    return {name: tree[name] for name in _names(kind) if name in tree}


def _step_spec(tree: Mapping[str, Any]) -> StepSpec:
    read: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in _known(StepSpec, tree).items()
    }
    read["inputs"] = tuple([Input(**_known(Input, part)) for part in tree["inputs"]])
    read["outputs"] = tuple([Output(**_known(Output, part)) for part in tree["outputs"]])
    read["retry"] = Retry(**_known(Retry, tree["retry"]))
    read["foreach"] = Foreach(**_known(Foreach, tree["foreach"])) if tree["foreach"] is not None else None
    return StepSpec(**read)


def run_row(run: Run) -> dict[str, Any]:
    """The columns that move."""
    return {
        "state": run.state, "cancel_requested": run.cancel_requested, "paused": run.paused, "deadline": run.deadline,
        "suspended_ms": run.suspended_ms, "suspended_since": run.suspended_since, "message": run.message or None,
        "reason": run.reason or None, "finished_at": run.finished_at, "trimmed_at": None,
    }  # fmt: skip


def run_of(row: Any, spec: Spec, context: Mapping[str, Any]) -> Run:
    return Run(
        row.id, row.namespace, row.name, row.state, spec, row.started_at,
        app=AppKey(row.app_namespace, row.app_name) if row.app is not None else None, release=row.number or 0,
        context=context, cancel_requested=row.cancel_requested, paused=row.paused, suspended_ms=row.suspended_ms,
        suspended_since=row.suspended_since, reason=row.reason or "", message=row.message or "",
        finished_at=row.finished_at, deadline=row.deadline,
    )  # fmt: skip


def step_row(connection: sa.Connection, store: Store, run: str, step: StepState, now: datetime) -> dict[str, Any]:
    clear, sealed = _parted(step)
    row = {
        "run": run, "name": step.name, "type": step.type, "ordinal": step.ordinal, "state": step.state,
        "reason": step.reason or None, "message": step.message or None, "attempt": step.attempt, "failures": step.failures,
        "fence": step.fence, "first_started_at": step.first_started_at, "started_at": step.started_at,
        "finished_at": step.finished_at, "wake_at": step.wake_at, "deadline": step.deadline,
        "secret_outputs": list(step.secret_outputs) or None, "sealed": None,
    } | clear  # fmt: skip
    if sealed:
        text = trees.to_text(sealed).encode()
        row["sealed"], _ = store.keys.seal(connection, PURPOSE, _place(run, step.name), text, now)
    return row


def step_of(row: Any, opened: Mapping[str, Any] | None = None) -> StepState:
    """opened: what the cipher of the row held."""
    held = {name: getattr(row, name) for name in TREES}
    if opened is not None:
        hidden = {name: as_secrets(value) for name, value in opened.get("hidden", {}).items()}
        held |= {name: value for name, value in opened.items() if name in TREES}
        held["outputs"] = (held["outputs"] or {}) | hidden
    return StepState(
        row.name, row.type, row.ordinal, row.state, row.reason or "", row.message or "", row.attempt, row.failures,
        row.first_started_at, row.started_at, row.finished_at, row.wake_at, row.deadline, row.fence,
        inputs=held["inputs"] or {}, outputs=held["outputs"] or {}, secret_outputs=tuple(row.secret_outputs or ()),
        cursor=held["cursor"], item=held["item"],
    )  # fmt: skip


def opened(connection: sa.Connection, store: Store, row: Any) -> dict[str, Any] | None:
    if row.sealed is None:
        return None
    text = store.keys.opened(connection, _place(row.run, row.name), bytes(row.sealed)).decode()
    tree: dict[str, Any] = trees.from_text(text)
    return tree


def as_secrets(tree: Any) -> Any:
    """Every text of a secret value, so that none is printed by accident; numbers and truths stay what expressions need."""
    if isinstance(tree, str):
        return Secret(tree)
    if isinstance(tree, dict):
        return {key: as_secrets(value) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        return [as_secrets(value) for value in tree]
    return tree


def attempt_row(run: str, attempt: Attempt) -> dict[str, Any]:
    return {
        "run": run, "step": attempt.step, "attempt": attempt.number, "started_at": attempt.started_at,
        "ended_at": attempt.ended_at, "result": attempt.result or None, "code": attempt.code or None,
        "error": attempt.error or None, "worker": attempt.worker, "fence": attempt.fence,
    }  # fmt: skip


def attempt_of(row: Any) -> Attempt:
    return Attempt(
        row.step, row.attempt, row.started_at, row.worker, row.fence, row.ended_at, row.result or "", row.code or "",
        row.error or "",
    )  # fmt: skip


def effect_row(run: str, effect: Effect) -> dict[str, Any]:
    return {
        "run": run, "step": effect.step, "key": effect.key, "request": effect.request, "once": effect.once,
        "result": effect.result, "noted_at": effect.noted_at, "done_at": effect.done_at,
    }  # fmt: skip


def effect_of(row: Any) -> Effect:
    return Effect(row.step, row.key, row.request, row.once, row.noted_at, row.result, row.done_at)


def _parted(step: StepState) -> tuple[dict[str, Any], dict[str, Any]]:
    """(what stands in clear, what is sealed)."""
    hidden = {name: value for name, value in step.outputs.items() if name in step.secret_outputs}
    given: dict[str, Any] = {
        "inputs": dict(step.inputs), "cursor": step.cursor, "item": step.item,
        "outputs": {name: value for name, value in step.outputs.items() if name not in hidden},
    }  # fmt: skip
    sealed = {name: value for name, value in given.items() if secret.inside(value)}
    clear = {name: secret.masked(value) if name in sealed else value for name, value in given.items()}
    clear["outputs"] |= dict.fromkeys(hidden, HIDDEN)
    if hidden:
        sealed["hidden"] = hidden
    return {name: None if value == {} and name in ("inputs", "outputs") else value for name, value in clear.items()}, sealed


def _place(run: str, name: str) -> tuple[str, str, str]:
    return ("workflow_step", "sealed", f"{run}\0{name}")
