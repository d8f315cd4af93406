"""`Definition`: what stands behind a type of component, trait, policy or step, compiled and ready to be called."""

from __future__ import annotations

from appdelivery.model.record import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    from appdelivery.model.problem import Problem

    class Code(Protocol):
        """The compiled sections (language.module.Module).  Every method raises SpecError with located Problems and
        nothing else; a section that the definition lacks gives None (checks: nothing)."""

        def check(self, properties: Any) -> Any:
            """Parameters with defaults; raises Refusal (language.schema), to be explained by `explain`."""

        def explain(self, properties: Any) -> list[Problem]:
            """Every reason why `check` refuses, paths from the properties."""

        def checks(self, parameters: Any, context: dict[str, Any]) -> list[Problem]:
            """Failed `checks` of the definition, errors and warnings, paths from the properties."""

        def render(self, parameters: Any, context: dict[str, Any], *, written: bytes = b"") -> Made:
            """Evaluates outputs and patches.  written: the properties behind the parameters as `marshal` writes them,
            from which the size of the output can often be told; without it the output is walked over."""

        def placement(self, parameters: Any, context: dict[str, Any]) -> dict[str, Any] | None: ...
        def arguments(self, parameters: Any, context: dict[str, Any]) -> dict[str, Any] | None: ...
        def health(self, live: dict[str, Any]) -> dict[str, Any] | None:
            """live: parameters, context, output, outputs.  Keys: failed, suspended, healthy, message."""

        def status(self, live: dict[str, Any]) -> str | None: ...
        def details(self, live: dict[str, Any]) -> dict[str, str] | None: ...
        def values(self, live: dict[str, Any]) -> dict[str, Any] | None:
            """The `outputs` of a step.  live: parameters, context, result (what its action gave)."""


@record
class Made:
    """What one evaluation of a definition's template sections gave; null entries are gone already."""

    outputs: dict[str, Any]  # output name to object, in document order
    patch: Any  # strategic merge on the workload, or None
    patches: list[Any]  # {type, patch}
    patch_outputs: dict[str, Any]
    selector: Any = None  # policies


@record
class Definition:
    kind: str  # ComponentDefinition, TraitDefinition, PolicyDefinition, WorkflowStepDefinition
    name: str
    version: str
    hash: str  # of kind, name, version and all sections, includes and refs resolved
    parameters: dict[str, Any]  # JSON Schema, refs inlined, closed
    code: Code
    reads: frozenset[str]  # first names under `context` that its sections read
    description: str = ""
    deprecated: str = ""
    hidden: bool = False
    applies_to: tuple[str, ...] = ()
    owns: tuple[str, ...] = ()
    stage: str = "DefaultDispatch"
    use: str = ""
    requires: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    examples: tuple[Any, ...] = ()
    file: str = ""
    source: str = "shipped"  # shipped, installation, project, command line
    outputs: tuple[str, ...] = ()  # of a step: names that `valueFrom` may use
