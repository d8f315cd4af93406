"""What the engine calls for a step: its action, with the step's definition before and behind it.

Before: properties are checked and filled, and `with` makes the arguments.  Behind: the declared outputs are made from
what the action gave.  `deploy` and `apply-component` come from the composition root as `own`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from appdelivery import errors
from appdelivery.catalog import layouts
from appdelivery.catalog import steps as definitions
from appdelivery.language import secrets
from appdelivery.model.problem import dotted
from appdelivery.model.record import changed
from appdelivery.workflow import steps
from appdelivery.workflow.model import Done

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from appdelivery.model.definition import Definition
    from appdelivery.model.problem import Problem
    from appdelivery.model.run import StepSpec
    from appdelivery.workflow.model import Action, Result, StepContext

    Resolve = Callable[[str, str], Definition]

NAMES = (
    "name", "appName", "namespace", "appRevision", "appRevisionNum", "appLabels", "appAnnotations", "replicaKey",
    "workflowName", "publishVersion", "cluster", "clusterVersion", "placement",
)  # fmt: skip


def finder(resolve: Resolve, own: Mapping[str, Action]) -> Callable[[str], Action]:
    """`Engine.action`: from the name in `use` to what carries it out."""

    def find(use: str) -> Action:
        action = own.get(use) or steps.find(use)

        async def run(at: StepContext) -> Result:
            return await carry_out(at, action, resolve)

        return run

    return find


async def carry_out(at: StepContext, action: Action, resolve: Resolve) -> Result:
    step = _step(at)
    definition, around = resolve(layouts.STEP, step.type), context(at, step)
    parameters = _parameters(at, definition, around)
    result = await action(replace(at, properties=definitions.arguments(definition, parameters, around)))
    if not isinstance(result, Done):
        return result
    outputs = definitions.outputs(definition, parameters, around, result.outputs)
    hidden = definitions.secret(definition, result.outputs, result.secret)
    return changed(result, outputs=outputs, secret=tuple([name for name in hidden if name in outputs]))


def context(at: StepContext, step: StepSpec) -> dict[str, Any]:
    """Names under `context`: of the run, over them those that its author gave, and of the step."""
    run, app = at.run, at.app
    known = dict.fromkeys(NAMES) | {
        "name": app.name if app else run.name,
        "appName": app.name if app else run.name,
        "namespace": run.namespace,
        "appLabels": {},
        "appAnnotations": {},
        "workflowName": run.name,
        "cluster": "local",
    }
    of_step = {
        "stepName": at.name.rpartition("/")[2],
        "stepGroupName": step.group or None,
        "stepSessionID": run.id,
        "spanID": f"{run.id}.{at.name}",
    }
    return {**known, **run.context, **of_step}


def _step(at: StepContext) -> StepSpec:
    """An item of a foreach, NAME[3], is a step like the others."""
    name = at.name.rpartition("[")[0] if at.name.endswith("]") else at.name
    found = next((step for step in at.run.spec.steps if step.name == name), None)
    if found is None:
        raise errors.Bug(f"run {at.run.id} has no step '{at.name}'")
    return found


def _parameters(at: StepContext, definition: Definition, around: Mapping[str, Any]) -> Any:
    """Asked again although admission has asked: values of expressions are known only now."""
    try:
        filled = definitions.fill(definition, at.properties)
        owner = f"{around['namespace']}/{around['appName']}"
        parameters = secrets.settle(filled, owner=owner, path_prefix=f"step/{at.name}")
    except errors.SpecError as error:
        raise _refused(at, definition, error.problems) from None
    broken = [problem for problem in definitions.failed(definition, parameters, around) if problem.level == "error"]
    if broken:
        raise _refused(at, definition, broken)
    return parameters


def _refused(at: StepContext, definition: Definition, problems: Any) -> errors.RequestError:
    said = "; ".join([_said(problem) for problem in problems])
    return errors.RequestError(f"step {at.name} ({definition.name}): {said}", code="step.properties", problems=problems)


def _said(problem: Problem) -> str:
    return f"properties.{dotted(problem.path)}: {problem.message}" if problem.path else problem.message
