"""What expressions of steps see of a run: status, outputs, inputs, context; and evaluating them (rules 7 and 9).

A SpecError from here fails the step with reason Input.  Called by `ready` and `containers` while deciding, and by
`results` for outputs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appdelivery import errors
from appdelivery.language import inline
from appdelivery.model import wording
from appdelivery.model.problem import Problem
from appdelivery.model.run import TERMINAL
from appdelivery.render import places
from appdelivery.workflow import dag as dags
from appdelivery.workflow.model import PHASES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from appdelivery.language.inline import Inline
    from appdelivery.model.run import StepSpec, StepState
    from appdelivery.workflow.work import Work


def status(row: StepState) -> dict[str, Any]:
    return {
        "phase": PHASES[row.state],
        "succeeded": row.state == "succeeded",
        "failed": row.state == "failed",
        "skipped": row.state == "skipped",
        "timeout": row.reason == "Timeout",
        "terminate": row.reason == "Terminate",
        "failedAfterRetries": row.reason == "FailedAfterRetries",
        "message": row.message,
        "reason": row.reason,
    }


def roots(compiled: Iterable[Inline]) -> frozenset[str]:
    """The names that expressions begin with."""
    return frozenset([str(path[0]) for one in compiled for path in one.paths])


def seen(w: Work, wanted: frozenset[str]) -> dict[str, Any]:
    """Of the run, what the wanted names hold."""
    found: dict[str, Any] = {}
    if "context" in wanted:
        found["context"] = dict(w.run.context)
    if "status" in wanted:
        found["status"] = {_short(name): status(w.rows[name]) for name in w.dag.steps if name in w.rows}
    if "steps" in wanted:
        found["steps"] = {_short(n): {"outputs": dict(w.rows[n].outputs)} for n in w.dag.steps if n in w.rows}
    return found


def inputs(w: Work, step: StepSpec) -> tuple[dict[str, Any], list[str]]:
    """Values by `from`, and what is missing with why."""
    found: dict[str, Any] = {}
    missing = []
    for item in step.inputs:
        if item.source.startswith("context."):
            value, there = _path(w.run.context, item.source.split(".")[1:])
            why = f"the context of the run has no '{item.source.removeprefix('context.')}'"
        else:
            value, there, why = _output(w, item.source)
        if there:
            found[item.source] = value
        else:
            missing.append(f"input '{item.source}': {why}")
    return found, missing


def _path(tree: Any, steps: list[str]) -> tuple[Any, bool]:
    for step in steps:
        if not isinstance(tree, dict) or step not in tree:
            return None, False
        tree = tree[step]
    return tree, True


def _output(w: Work, name: str) -> tuple[Any, bool, str]:
    for step in w.dag.order:
        if any(output.name == name for output in step.outputs):
            row = w.rows[step.name]
            if name in row.outputs:
                return row.outputs[name], True, ""
            how = f"ended as {row.state}" if row.state in TERMINAL else "has not ended"
            return None, False, f"step '{_short(step.name)}' {how} without writing it"
    if name in w.at.given:
        return w.at.given[name], True, ""
    return None, False, "no step and no component has written it"


def properties(w: Work, step: StepSpec, given: dict[str, Any], row: StepState) -> dict[str, Any]:
    """The properties of a step, or of one item, with inputs and expressions filled in."""
    tree: Any = step.properties
    leaves = w.dag.leaves(step)
    if leaves:
        scope = seen(w, roots([one for _, one in leaves])) | {"inputs": given} | variables(step, row)
        for path, one in leaves:
            tree = places.put(tree, path, one.value(scope))
    tree = inline.unescape(tree)
    for item in step.inputs:
        if item.parameter and item.source in given:
            try:
                tree = places.put(tree, places.parse(item.parameter, {}), given[item.source])
            except ValueError as error:
                raise errors.SpecError([Problem(f"input '{item.source}': {error}")]) from error
    return dict(tree)


def variables(step: StepSpec, row: StepState) -> dict[str, Any]:
    """The item of a foreach and its index."""
    if step.foreach is None or not row.name.endswith("]"):
        return {}
    return {step.foreach.name: row.item, "index": int(row.name[row.name.rindex("[") + 1 : -1])}


def holds(w: Work, step: StepSpec) -> bool:
    """The `if` of a step, which is an expression."""
    one = w.dag.condition(step)
    wanted = roots([one])
    given, _ = inputs(w, step)
    scope = seen(w, wanted) | {"inputs": given}
    if wanted & {"parameters", "parameter"}:
        scope["parameters"] = scope["parameter"] = properties(w, step, given, w.rows[step.name])
    value = one.value(scope)
    if not isinstance(value, bool):
        message = f"if: '{step.condition.strip()[:200]}' gave {wording.kind(value)}, not true or false"
        raise errors.SpecError([Problem(message)])
    return value


def items(w: Work, step: StepSpec, most: int) -> list[Any]:
    """What a foreach goes over."""
    assert step.foreach is not None
    found: Any = step.foreach.items
    if isinstance(found, str):
        one = w.dag.items(step, found)
        found = one.value(seen(w, roots([one])) | {"inputs": inputs(w, step)[0]})
    if not isinstance(found, list):
        raise errors.SpecError([Problem(f"foreach.items is {wording.kind(found)}, not a list")])
    if len(found) > most:
        raise errors.SpecError([Problem(f"foreach.items holds {len(found)} items, at most {most} are allowed")])
    return found


def text(error: errors.SpecError) -> str:
    return "; ".join([problem.message for problem in error.problems]) or error.message


def _short(name: str) -> str:
    return dags.parent(name).rpartition("/")[2]
