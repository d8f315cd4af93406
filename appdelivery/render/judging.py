"""Health, status and details of a rendered component, by its definitions' own sections over live objects.

The expressions see the parameters and the context that the component was rendered with, never newer ones.  Called by
delivery, which knows the built-in rules for components that have no `health` section.
"""

from __future__ import annotations

from appdelivery.catalog import judgement
from appdelivery.errors import SpecError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from appdelivery.model.definition import Definition
    from appdelivery.model.manifest import AppliedTrait, RenderedComponent

    Live = Mapping[str, Any]  # output: the live workload or None; outputs: the other live objects by output name


def health(
    definition: Definition, component: RenderedComponent, live: Live, *, trait: AppliedTrait | None = None
) -> tuple[str, str] | None:
    """State and message (language.md 13); None when the definition has no `health`.  Never raises for what it sees."""
    try:
        found = definition.code.health(_scope(component, live, trait))
    except SpecError as error:
        return "unknown", error.message
    return None if found is None else judgement.of(found)


def status(
    definition: Definition, component: RenderedComponent, live: Live, *, trait: AppliedTrait | None = None
) -> str | None:
    """One line for people; None when the definition has no `status`, the reason when it fails."""
    try:
        return definition.code.status(_scope(component, live, trait))
    except SpecError as error:
        return error.message


def details(
    definition: Definition, component: RenderedComponent, live: Live, *, trait: AppliedTrait | None = None
) -> dict[str, str]:
    """Named texts; empty when the definition has none or they fail."""
    try:
        return definition.code.details(_scope(component, live, trait)) or {}
    except SpecError as error:
        return {"error": error.message}


def _scope(component: RenderedComponent, live: Live, trait: AppliedTrait | None) -> dict[str, Any]:
    output, outputs = live.get("output"), live.get("outputs") or {}
    return {
        "parameters": component.parameters if trait is None else trait.parameters,
        # What a trait saw at render under context.output is the live object here.
        "context": {**(component.context or {}), "output": output, "outputs": outputs},
        "output": output,
        "outputs": outputs,
    }
