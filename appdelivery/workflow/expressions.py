"""Which names an expression of a step may read, field by field, and compiling it (oam.md section 9).

`if` and `valueFrom` are read in live mode: what is missing is null.  Properties are read strictly: a value that is not
there must not become an empty property without a word.  Called by spec, dag and admission.
"""

from __future__ import annotations

from appdelivery import errors
from appdelivery.language import inline
from appdelivery.model.record import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    from appdelivery.language.inline import Inline
    from appdelivery.model.problem import Path
    from appdelivery.model.run import StepSpec

STATUS = ("phase", "succeeded", "failed", "skipped", "timeout", "terminate", "failedAfterRetries", "message", "reason")
ALWAYS = "always"


@record
class Mentioned:
    """Short names of steps that a step's expressions name."""

    read: tuple[str, ...]  # whose values its properties or items are made of
    looked: tuple[str, ...]  # that only its `if` looks at


@record
class Scope:
    """The steps of a workflow as expressions see them: short name to names of outputs, None = any."""

    steps: Mapping[str, frozenset[str] | None]


def scope(steps: Iterable[StepSpec]) -> Scope:
    known = {}
    for step in steps:
        declared = [output.name for output in step.outputs]
        known[step.name.rpartition("/")[2]] = frozenset([*declared, *step.gives]) if step.gives else None
    return Scope(known)


def _common(step: StepSpec, around: Scope) -> dict[str, Any]:
    return {
        "inputs": frozenset([item.source for item in step.inputs]),
        "steps": {name: {"outputs": outputs} for name, outputs in around.steps.items()},
        "status": dict.fromkeys(around.steps, STATUS),
        "context": None,
    }


def is_always(step: StepSpec) -> bool:
    return step.condition.strip() == ALWAYS


def condition(step: StepSpec, around: Scope) -> Inline:
    """The `if` of a step, which is neither absent nor `always`."""
    return inline.condition(step.condition, {**_common(step, around), "parameters": None, "parameter": None})


def leaf(text: str, step: StepSpec, around: Scope) -> Inline:
    """One expression of the properties."""
    names = _common(step, around)
    if step.foreach is not None:
        names |= {step.foreach.name: None, "index": None}
    return inline.compile(text, names)


def items(text: str, step: StepSpec, around: Scope) -> Inline:
    """What a foreach goes over."""
    return inline.condition(text, _common(step, around))


def value_from(text: str, step: StepSpec) -> Inline:
    """The value of an output."""
    names = {
        **dict.fromkeys([*step.gives, "output", "outputs", "context", "parameters", "parameter"]),
        "inputs": frozenset([item.source for item in step.inputs]),
    }
    if step.foreach is not None:
        names |= {step.foreach.name: None, "index": None}
    return inline.condition(text, names)


def leaves(step: StepSpec) -> list[tuple[Path, str]]:
    """Where the properties hold an expression."""
    return inline.find(step.properties)


def mentioned(step: StepSpec, names: Iterable[str]) -> Mentioned:
    """Expressions that do not compile mention nothing: admission says what is wrong with them."""
    around = Scope(dict.fromkeys(names))
    read = [name for _, text in leaves(step) for name in _steps_of(lambda text=text: leaf(text, step, around))]
    if step.foreach is not None and isinstance(step.foreach.items, str):
        source = step.foreach.items
        read += _steps_of(lambda: items(source, step, around))
    looked = list(_steps_of(lambda: condition(step, around))) if step.condition and not is_always(step) else []
    return Mentioned(tuple(dict.fromkeys(read)), tuple(dict.fromkeys(looked)))


def _steps_of(compiled: Any) -> Iterator[str]:
    try:
        found = compiled()
    except errors.AppError:
        return
    for path in found.paths:
        if path[0] in ("steps", "status") and len(path) > 1:
            yield str(path[1])


def outputs_read(step: StepSpec, around: Scope) -> Iterator[tuple[str, str]]:
    """(short name of a step, name of its output) for every steps.NAME.outputs.KEY; KEY '' = all of them."""
    compiled = [leaf(text, step, around) for _, text in leaves(step)]
    if step.condition and not is_always(step):
        compiled.append(condition(step, around))
    if step.foreach is not None and isinstance(step.foreach.items, str):
        compiled.append(items(step.foreach.items, step, around))
    for one in compiled:
        for path in one.paths:
            if path[0] == "steps":
                yield (str(path[1]) if len(path) > 1 else "", str(path[3]) if len(path) > 3 else "")
