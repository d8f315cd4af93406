"""A written workflow: its steps, modes and names (oam.md section 5, workflow.md section 7).

Called by `reading`.  Everything that needs no definition is checked here; the types and properties of steps are
checked against their definitions where those are known.
"""

from __future__ import annotations

from appdelivery.model import circles, duration, suggest
from appdelivery.model import reading_fields as shape
from appdelivery.model.application import Foreach, Input, Output, Retry, Step, Workflow
from appdelivery.model.problem import dotted
from appdelivery.model.record import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from appdelivery.model.problem import Path

STEPS = 200
GROUP = "step-group"
ONLY_IN_GROUPS = ("subSteps", "mode", "concurrency")
NOT_IN_GROUPS = ("retry", "foreach", "effects", "outputs")
STEP_BY_STEP = "StepByStep"
TAKEN = ("inputs", "steps", "status", "context", "parameters", "parameter", "index")  # names of step expressions

mode = shape.choice(STEP_BY_STEP, "DAG")
inputs = shape.list_of(shape.fields({"from": shape.text, "parameterKey": shape.text}, required=("from",)))
outputs = shape.list_of(
    shape.fields({"name": shape.text, "valueFrom": shape.expression, "secret": shape.flag}, required=("name", "valueFrom"))
)


def _factor(reader: shape.Reader, path: Path, value: Any) -> None:
    if reader.holds(shape.number, path, value) and not 1 <= value <= 10:
        reader.refuse(path, f"{value} is not between 1 and 10")


def _variable(reader: shape.Reader, path: Path, value: Any) -> None:
    """The name of an item in expressions."""
    if reader.holds(shape.text, path, value) and not (value.isascii() and value.isidentifier() and value not in TAKEN):
        message = f"'{value[:60]}' cannot name an item: use letters, digits and _, and none of {', '.join(TAKEN)}"
        reader.refuse(path, message)


_plain = {
    "name": shape.component_name,
    "type": shape.definition_type,
    "properties": shape.map_of(shape.anything),
    "meta": shape.fields({"alias": shape.text}),
    "if": shape.expression,
    "timeout": shape.time,
    "dependsOn": shape.list_of(shape.text),
    "inputs": inputs,
    "outputs": outputs,
    "effects": shape.choice("once", "repeatable"),
    "retry": shape.fields(
        {
            "limit": shape.whole(0, 20),
            "interval": shape.time,
            "backoff": shape.choice("exponential", "constant", "linear"),
            "factor": _factor,
            "max": shape.time,
        }
    ),
    "foreach": shape.fields(
        {
            "items": shape.either(shape.list_of(shape.anything, most=100), shape.expression, first=list),
            "as": _variable,
            "parallelism": shape.whole(1),
            "failFast": shape.flag,
        },
        required=("items",),
    ),
}
_in_group = dict.fromkeys(ONLY_IN_GROUPS, f"only a step of type {GROUP} has it, and those do not nest")
_sub_step = shape.fields(_plain, required=("type",), refused=_in_group)
_step = shape.fields(
    {**_plain, "subSteps": shape.list_of(_sub_step, noun="sub step"), "mode": mode, "concurrency": shape.whole(1)},
    required=("type",),
)
_steps = shape.list_of(_step, most=STEPS, noun="step")
SHAPE = {
    "ref": shape.text,
    "mode": shape.fields({"steps": mode, "subSteps": mode}),
    "steps": _steps,
    "deadline": shape.time,
}


@record
class Around:
    """What the application around a workflow gives it: outputs of components with their writers, names of policies."""

    written: dict[str, str]
    policies: tuple[str, ...]


def read(reader: shape.Reader, path: Path, tree: Any, around: Around | None) -> Workflow | None:
    """A workflow; None when something is wrong.  Without an application around it, names from there are not checked."""
    if not reader.holds(shape.fields(SHAPE), path, tree):
        return None
    if tree.get("ref") and tree.get("steps"):
        message = "give ref or steps, not both: ref takes the steps from a Workflow document"
        reader.refuse((*path, "steps"), message, code="application.workflow", at_key=True)
    modes = tree.get("mode") or {}
    before = len(reader.problems)
    steps = _steps_of(reader, (*path, "steps"), tree.get("steps") or [], around)
    order = modes.get("steps") or STEP_BY_STEP
    if order == STEP_BY_STEP:
        _later(reader, steps)
    if len(reader.problems) > before:
        return None
    return Workflow(steps, tree.get("ref") or "", (order, modes.get("subSteps") or "DAG"), tree.get("deadline") or "24h")


def _steps_of(reader: shape.Reader, path: Path, trees: list[Any], around: Around | None) -> tuple[Step, ...]:
    for index, tree in enumerate(trees):
        _group(reader, (*path, index), tree)
    steps = tuple([_made((*path, index), tree, f"step-{index}") for index, tree in enumerate(trees)])
    every = [inner for step in steps for inner in (step, *step.sub_steps)]
    if len(every) > STEPS:
        reader.refuse(
            path, f"{len(every)} steps with their sub steps, at most {STEPS} are allowed", code="application.limit"
        )
    unique(reader, [(step.name, step.path) for step in every], "steps")
    writers = _outputs(reader, every, around.written if around else {})
    _references(reader, every, writers, known_inputs=around is not None)
    if around:
        _policies(reader, every, around.policies)
    _circles(reader, every, writers)
    return steps


def _group(reader: shape.Reader, path: Path, tree: dict[str, Any]) -> None:
    """Sub steps stand in a step-group, one level deep."""
    kind = tree["type"].partition("@")[0]
    below = tree.get("subSteps") or []
    for field in ONLY_IN_GROUPS:
        if kind != GROUP and tree.get(field) is not None:
            message = f"{field} is only for a step of type {GROUP}, not of type {kind}"
            reader.refuse((*path, field), message, code="application.workflow", at_key=True)
    for field in NOT_IN_GROUPS:
        if kind == GROUP and tree.get(field) is not None:
            message = f"a {GROUP} has no {field}; write it on its subSteps"
            reader.refuse((*path, field), message, code="application.workflow", at_key=True)
    if kind == GROUP and not below:
        reader.refuse(path, f"a {GROUP} needs subSteps", code="application.workflow")
    for index, step in enumerate(below):
        if step["type"].partition("@")[0] == GROUP:
            place = (*path, "subSteps", index, "type")
            reader.refuse(place, f"a {GROUP} does not stand inside another", code="application.workflow")


def _made(path: Path, tree: dict[str, Any], name: str) -> Step:
    below = enumerate(tree.get("subSteps") or ())
    return Step(
        tree.get("name") or name,
        tree["type"],
        tree.get("properties") or {},
        path,
        condition=tree.get("if") or "",
        timeout=tree.get("timeout") or "",
        depends_on=tuple(tree.get("dependsOn") or ()),
        inputs=read_inputs(tree),
        outputs=read_outputs(tree),
        sub_steps=tuple([_made((*path, "subSteps", index), step, f"{name}-{index}") for index, step in below]),
        retry=_retry(tree.get("retry")),
        foreach=_foreach(tree.get("foreach")),
        once=tree.get("effects") == "once",
        concurrency=tree.get("concurrency") or 0,
        mode=tree.get("mode") or "",
        alias=(tree.get("meta") or {}).get("alias") or "",
    )


def _retry(tree: dict[str, Any] | None) -> Retry | None:
    if tree is None:
        return None
    usual = Retry()
    return Retry(
        tree.get("limit", usual.limit),
        duration.parse(tree["interval"]) if "interval" in tree else usual.interval,
        tree.get("backoff", usual.backoff),
        float(tree.get("factor", usual.factor)),
        duration.parse(tree["max"]) if "max" in tree else usual.most,
    )


def _foreach(tree: dict[str, Any] | None) -> Foreach | None:
    if tree is None:
        return None
    return Foreach(tree["items"], tree.get("as") or "item", tree.get("parallelism") or 0, tree.get("failFast", True))


def read_inputs(tree: dict[str, Any]) -> tuple[Input, ...]:
    return tuple([Input(item["from"], item.get("parameterKey") or "") for item in tree.get("inputs") or ()])


def read_outputs(tree: dict[str, Any]) -> tuple[Output, ...]:
    given = tree.get("outputs") or ()
    return tuple([Output(item["name"], item["valueFrom"], bool(item.get("secret"))) for item in given])


def unique(reader: shape.Reader, named: list[tuple[str, Path]], what: str) -> None:
    """Names are unique; a problem stands at the later place and names the earlier one."""
    first: dict[str, Path] = {}
    for name, path in named:
        if first.setdefault(name, path) is not path:
            message = f"two {what} are named '{name}': this one and {dotted(first[name])}"
            reader.refuse((*path, "name"), message, code="application.duplicate")


def _outputs(reader: shape.Reader, steps: list[Step], written: dict[str, str]) -> dict[str, str]:
    """Name of every output in the application, with its writer."""
    writers = dict(written)
    for step in steps:
        for index, output in enumerate(step.outputs):
            if output.name in writers:
                place = (*step.path, "outputs", index, "name")
                message = f"output '{output.name}' is written by '{writers[output.name]}' already"
                reader.refuse(place, message, code="application.duplicate")
            writers.setdefault(output.name, step.name)
    return writers


def _references(reader: shape.Reader, steps: list[Step], writers: dict[str, str], *, known_inputs: bool) -> None:
    names = [step.name for step in steps]
    for step in steps:
        for index, name in enumerate(step.depends_on):
            if name not in names:
                message = f"there is no step '{name}'{suggest.meant(name, names)}"
                reader.refuse((*step.path, "dependsOn", index), message, suggest.listed(names), code="application.reference")
        if known_inputs:
            refuse_unwritten(reader, step.path, step.inputs, writers)


def refuse_unwritten(reader: shape.Reader, path: Path, given: Iterable[Input], writers: dict[str, str]) -> None:
    """Inputs that nobody writes would wait for ever."""
    for index, item in enumerate(given):
        if item.source not in writers and not item.source.startswith("context."):
            message = f"nobody writes the output '{item.source}'{suggest.meant(item.source, writers)}"
            hint = suggest.listed(writers) or "an output is declared by outputs: [{name, valueFrom}]"
            reader.refuse((*path, "inputs", index, "from"), message, hint, code="application.reference")


def _policies(reader: shape.Reader, steps: list[Step], known: tuple[str, ...]) -> None:
    for step in steps:
        listed = step.properties.get("policies")
        if step.type.partition("@")[0] != "deploy" or not isinstance(listed, list):
            continue
        for index, name in enumerate(listed):
            if isinstance(name, str) and "${{" not in name and name not in known:
                place = (*step.path, "properties", "policies", index)
                message = f"there is no policy '{name}'{suggest.meant(name, known)}"
                reader.refuse(place, message, suggest.listed(known), code="application.reference")


def _circles(reader: shape.Reader, steps: list[Step], writers: dict[str, str]) -> None:
    names = {step.name for step in steps}
    edges = {
        step.name: [
            name
            for name in (*step.depends_on, *[writers[item.source] for item in step.inputs if item.source in writers])
            if name in names
        ]
        for step in steps
    }
    refuse_circle(reader, edges, {step.name: step.path for step in steps}, "steps")


def refuse_circle(reader: shape.Reader, edges: dict[str, list[str]], places: dict[str, Path], what: str) -> None:
    if circle := circles.find(edges):
        message = f"{what} wait for each other in a circle: {' -> '.join(circle)}"
        reader.refuse(places[circle[0]], message, "a -> b means that a waits for b", code="application.cycle")


def _later(reader: shape.Reader, steps: tuple[Step, ...]) -> None:
    """In StepByStep order a value cannot come from a step that runs afterwards."""
    place = {output.name: index for index, step in enumerate(steps) for s in (step, *step.sub_steps) for output in s.outputs}
    for index, step in enumerate(steps):
        for inner in (step, *step.sub_steps):
            for position, item in enumerate(inner.inputs):
                if place.get(item.source, -1) > index:
                    path = (*inner.path, "inputs", position, "from")
                    writer = steps[place[item.source]].name
                    message = f"'{item.source}' is written by step '{writer}', which runs later"
                    reader.refuse(path, message, "move the step, or use mode DAG", code="application.workflow")
