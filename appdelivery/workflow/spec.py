"""The resolved workflow that a run keeps: made from what an author wrote, and printed as the tree of its row.

Called by platform when a run is opened (`of`) and by store (`to_tree`, `from_tree`).  Steps are known by name: a sub
step is GROUP/CHILD.  Authors write the short name, which is unique in the whole workflow.
"""

from __future__ import annotations

from appdelivery import errors
from appdelivery.model import duration
from appdelivery.model.application import Foreach, Input, Output, Retry
from appdelivery.model.record import changed, record
from appdelivery.model.run import FORMAT, Spec, StepSpec
from appdelivery.workflow import expressions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from appdelivery.model.application import Step, Workflow
    from appdelivery.model.problem import Problem

STEP_BY_STEP = "StepByStep"
GROUP = "step-group"


@record
class Resolved:
    """What a definition says of its steps."""

    use: str  # the registered action
    gives: tuple[str, ...] = ()  # names its outputs declare


def of(workflow: Workflow, resolve: Callable[[str], Resolved]) -> Spec:
    """The Spec of a workflow that holds its steps (no ref).  `resolve` raises SpecError for an unknown type; all such
    problems come together, at the places of the types."""
    problems: list[Problem] = []
    top, below = workflow.mode
    names = full_names(workflow.steps)
    steps = _level(workflow.steps, "", top, resolve, problems)
    inner = {
        step.name: _level(step.sub_steps, step.name, step.mode or below, resolve, problems)
        for step in workflow.steps
        if step.sub_steps
    }
    if problems:
        raise errors.SpecError(problems)
    ordered = [one for step in steps for one in (step, *inner.get(step.name, ()))]
    numbered = [changed(step, ordinal=index) for index, step in enumerate(ordered)]
    complete = tuple(_connected(numbered, names))
    return Spec(complete, (top, below), duration.parse(workflow.deadline))


def full_names(steps: Sequence[Step]) -> dict[str, str]:
    """Short name to name in the run."""
    found = {step.name: step.name for step in steps}
    for step in steps:
        found |= {inner.name: f"{step.name}/{inner.name}" for inner in step.sub_steps}
    return found


def short(name: str) -> str:
    """What authors call a step."""
    return name.rpartition("/")[2]


def _level(
    steps: Sequence[Step], group: str, mode: str, resolve: Callable[[str], Resolved], problems: list[Problem]
) -> list[StepSpec]:
    """Steps of one level, each with the step before it where order is the rule; nothing else of their needs yet."""
    made: list[StepSpec] = []
    for step in steps:
        before = (made[-1].name,) if made and mode == STEP_BY_STEP else ()
        made.append(_step(step, group, before, _resolved(step, resolve, problems)))
    return made


def _resolved(step: Step, resolve: Callable[[str], Resolved], problems: list[Problem]) -> Resolved:
    if step.type.partition("@")[0] == GROUP:
        return Resolved("")
    try:
        return resolve(step.type)
    except errors.SpecError as error:
        problems += [changed(found, path=(*step.path, "type")) for found in error.problems]
        return Resolved("")


def _step(step: Step, group: str, before: tuple[str, ...], resolved: Resolved) -> StepSpec:
    return StepSpec(
        f"{group}/{step.name}" if group else step.name,
        step.type,
        resolved.use,
        step.properties,
        0,
        needs=before,
        depends_on=(*before, *step.depends_on),
        condition=step.condition,
        timeout=duration.parse(step.timeout) if step.timeout else 0.0,
        inputs=step.inputs,
        outputs=step.outputs,
        retry=step.retry or Retry(),
        foreach=step.foreach,
        group=group,
        concurrency=step.concurrency,
        once=step.once,
        alias=step.alias,
        gives=resolved.gives,
    )


def _connected(steps: list[StepSpec], names: Mapping[str, str]) -> list[StepSpec]:
    """Needs made complete: dependsOn, writers of inputs, and steps that expressions name.

    What an expression of `if` names has to have ended, or its answer would depend on who was faster; but its failure
    alone does not skip the step: `if: status.a.failed` is there for that.
    """
    writers = {output.name: step.name for step in steps for output in step.outputs}
    connected = []
    for step in steps:
        seen = expressions.mentioned(step, names)
        given = [writers[item.source] for item in step.inputs if item.source in writers]
        read = [*given, *[names[name] for name in seen.read if name in names]]
        depends = [*[names.get(name, name) for name in step.depends_on], *read]
        looked = [names[name] for name in seen.looked if name in names]
        connected.append(
            changed(
                step,
                needs=tuple(dict.fromkeys([*step.needs, *depends, *looked])),
                depends_on=tuple(dict.fromkeys(depends)),
            )
        )
    return connected


def to_tree(spec: Spec) -> dict[str, Any]:
    """JSON of a row.  What has its usual value is left out."""
    return {
        "format": spec.format,
        "mode": list(spec.mode),
        "deadline": spec.deadline,
        "steps": [_step_tree(step) for step in spec.steps],
    }


def from_tree(tree: Mapping[str, Any]) -> Spec:
    """The Spec of a row; TooNew when a later version wrote it."""
    if tree["format"] > FORMAT:
        message = f"the run was written in format {tree['format']}, this version knows up to {FORMAT}"
        raise errors.TooNew(message, hint="a worker of the newer version carries it on")
    steps = tuple([_step_of(step) for step in tree["steps"]])
    first, second = tree["mode"]
    return Spec(steps, (first, second), float(tree["deadline"]), tree["format"])


_BARE = StepSpec("", "", "", {}, 0)
_INNER: dict[str, Any] = {"retry": Retry, "foreach": Foreach}
_LISTS: dict[str, Any] = {"inputs": Input, "outputs": Output}


def _step_tree(step: StepSpec) -> dict[str, Any]:
    out = {}
    for field in StepSpec.__slots__:  # type: ignore[attr-defined]
        value = getattr(step, field)
        if value == getattr(_BARE, field) and field not in ("name", "type", "use", "ordinal"):
            continue
        if field in _INNER:
            value = _fields(value)
        elif field in _LISTS:
            value = [_fields(item) for item in value]
        elif isinstance(value, tuple):
            value = list(value)
        out[field] = value
    return out


def _fields(value: Any) -> dict[str, Any]:
    return {field: getattr(value, field) for field in value.__slots__}


def _step_of(tree: Mapping[str, Any]) -> StepSpec:
    fields: dict[str, Any] = {}
    for field, value in tree.items():
        if field in _INNER:
            fields[field] = _INNER[field](**value)
        elif field in _LISTS:
            fields[field] = tuple([_LISTS[field](**item) for item in value])
        elif field in ("needs", "depends_on", "gives"):
            fields[field] = tuple(value)
        else:
            fields[field] = value
    return StepSpec(**{"properties": {}} | fields)
