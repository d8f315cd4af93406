"""What a WorkflowStepDefinition makes of a step: parameters from properties, arguments for its action, outputs from its result.

A definition without `with` hands its parameters on as they are.  Called by the engine before and after an action runs,
by the admission of workflows, and by the cases of definitions.
"""

from __future__ import annotations

from appdelivery.errors import SpecError
from appdelivery.language import schema

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from appdelivery.model.definition import Definition
    from appdelivery.model.problem import Problem


def fill(definition: Definition, properties: Mapping[str, Any]) -> Any:
    """Parameters with defaults; SpecError with everything that the schema refuses, paths from the properties."""
    try:
        return definition.code.check(properties)
    except schema.Refusal:
        raise SpecError(definition.code.explain(properties)) from None


def failed(definition: Definition, parameters: Any, context: Mapping[str, Any]) -> list[Problem]:
    """The definition's own checks that do not hold, warnings among them."""
    return definition.code.checks(parameters, dict(context))


def arguments(definition: Definition, parameters: Any, context: Mapping[str, Any]) -> dict[str, Any]:
    """What the action of the step is called with (`StepContext.properties`)."""
    made = definition.code.arguments(parameters, dict(context))
    return dict(parameters) if made is None else made


def outputs(
    definition: Definition, parameters: Any, context: Mapping[str, Any], result: Mapping[str, Any]
) -> dict[str, Any]:
    """The declared outputs by name: what `valueFrom` and `steps.NAME.outputs` see."""
    scope = {"parameters": parameters, "context": dict(context), "result": dict(result)}
    return definition.code.values(scope) or {}


def secret(definition: Definition, result: Mapping[str, Any], names: Sequence[str]) -> tuple[str, ...]:
    """Declared outputs that are secret when `names` of the result are: those of the same names, and all that a definition
    makes itself, because it may have made them from a secret one."""
    if not names:
        return ()
    return tuple([name for name in definition.outputs if name in names or name not in result])
