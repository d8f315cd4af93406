"""What is wrong with the steps of a written workflow: their types, properties and outputs against their definitions.

Called where the other problems of an application are collected, before anything is opened.  That steps refer to steps,
outputs and policies that exist is checked when the workflow is read (model.reading_workflow).
"""

from __future__ import annotations

from appdelivery import errors
from appdelivery.catalog import expectations, layouts, steps
from appdelivery.language import inline
from appdelivery.model import reading_workflow, suggest
from appdelivery.model.application import Step, Workflow
from appdelivery.model.problem import Problem, dotted
from appdelivery.model.record import changed
from appdelivery.render import places

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from appdelivery.model.definition import Definition
    from appdelivery.model.problem import Path

    Resolve = Callable[[str, str], Definition]

REFUSE = "refuse"  # the action of steps that exist only to say what to use instead
AROUND = ("context", "inputs", "parameters")  # what a valueFrom sees beside the step's own outputs


def check_steps(workflow: Workflow, resolve: Resolve, *, file: str = "", document: int = 0) -> list[Problem]:
    """Errors and warnings of every step and sub step, with their paths in the document."""
    every = [inner for step in workflow.steps for inner in (step, *step.sub_steps)]
    problems = [found for step in every for found in _of(step, resolve)]
    return [found if found.file else changed(found, file=file, document=document) for found in problems]


def check_tree(tree: Any, resolve: Resolve, *, file: str = "", document: int = 0) -> list[Problem]:
    """The same for a document that is not accepted as a whole: an Application, a Workflow or a WorkflowRun."""
    path, given = _steps_in(tree)
    found = Workflow(tuple([_tolerant(item, (*path, index)) for index, item in _maps(given)]))
    return check_steps(found, resolve, file=file, document=document)


def _of(step: Step, resolve: Resolve) -> Iterator[Problem]:
    try:
        definition = resolve(layouts.STEP, step.type)
    except errors.SpecError as error:
        for found in error.problems:
            yield found if found.file else changed(found, path=(*step.path, "type"))
        return
    if definition.deprecated:
        message = f"step type '{step.type}' is deprecated: {definition.deprecated}"
        yield Problem(message, code="type.deprecated", path=(*step.path, "type"), level="warning")
    yield from _properties(step, definition)
    yield from _outputs(step, definition)


def _properties(step: Step, definition: Definition) -> Iterator[Problem]:
    """Against the schema, with what inputs will write standing there as expressions."""
    properties: dict[str, Any] = step.properties
    for index, given in enumerate(step.inputs):
        if not given.parameter:
            continue
        try:
            place = places.parse(given.parameter, definition.parameters)
            properties = places.put(properties, place, f"${{{{ inputs['{given.source}'] }}}}")
        except ValueError as wrong:
            yield Problem(str(wrong), code="step.input", path=(*step.path, "inputs", index, "parameterKey"))
    try:
        parameters = steps.fill(definition, properties)
    except errors.SpecError as error:
        for found in error.problems:
            path: Path = (*step.path, "properties", *found.path)
            where = dotted(("properties", *found.path))
            yield changed(found, path=path, message=f"step '{step.name}' ({definition.name}), {where}: {found.message}")
        return
    if inline.find(properties) and definition.use != REFUSE:
        return  # rules over several values are asked again when the values are known
    for found in steps.failed(definition, parameters, expectations.context(definition, {})):
        yield changed(found, path=(*step.path, "properties", *found.path) if found.path else (*step.path, "type"))


def _outputs(step: Step, definition: Definition) -> Iterator[Problem]:
    """`valueFrom` names what the definition declares."""
    names: dict[str, Any] = dict.fromkeys((*definition.outputs, *AROUND))
    names["inputs"] = [given.source for given in step.inputs]
    for index, output in enumerate(step.outputs):
        try:
            inline.condition(output.value_from, names)
        except errors.SpecError as error:
            gives = suggest.listed(definition.outputs) if definition.outputs else "it has no outputs"
            hint = f"outputs of step type {definition.name}: {gives.removeprefix('known: ')}"
            for found in error.problems:
                yield changed(found, path=(*step.path, "outputs", index, "valueFrom"), hint=found.hint or hint)


# --- documents that are not accepted as a whole ---


def _steps_in(tree: Any) -> tuple[Path, Any]:
    if not isinstance(tree, dict):
        return (), None
    places_of: dict[Any, Path] = {
        "Application": ("spec", "workflow", "steps"),
        "WorkflowRun": ("spec", "workflowSpec", "steps"),
        "Workflow": ("steps",),
    }
    path = places_of.get(tree.get("kind"), ())
    found: Any = tree if path else None
    for step in path:
        found = found.get(step) if isinstance(found, dict) else None
    return path, found


def _maps(given: Any) -> list[tuple[int, dict[str, Any]]]:
    """Steps that are maps with a type; what is wrong with others is said where the document is read."""
    items = given if isinstance(given, list) else []
    return [(index, one) for index, one in enumerate(items) if isinstance(one, dict) and isinstance(one.get("type"), str)]


def _tolerant(tree: dict[str, Any], path: Path) -> Step:
    properties, name = tree.get("properties"), tree.get("name")
    try:
        inputs, outputs = reading_workflow.read_inputs(tree), reading_workflow.read_outputs(tree)
    except (KeyError, TypeError, AttributeError):
        inputs, outputs = (), ()
    return Step(
        name if isinstance(name, str) else f"step-{path[-1]}",
        tree["type"],
        properties if isinstance(properties, dict) else {},
        path,
        inputs=inputs,
        outputs=outputs,
        sub_steps=tuple([_tolerant(one, (*path, "subSteps", index)) for index, one in _maps(tree.get("subSteps"))]),
    )
