"""A component's own objects: its names under `context`, its outputs, and what the engine adds to them."""

from __future__ import annotations

from appdelivery.errors import SpecError
from appdelivery.model import marks
from appdelivery.model.problem import Problem
from appdelivery.model.record import changed
from appdelivery.render import labels, replication, work

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from appdelivery.render.facts import Facts
    from appdelivery.render.work import Part, Work


def context(of: Work, facts: Facts) -> dict[str, Any]:
    """Names that the component's definition sees; its traits see `output` and `outputs` besides."""
    name = replication.base(of.component)
    names = facts.base.copy()
    names["name"] = name
    names["componentType"] = of.parts[0].definition.name
    names["revision"] = of.revision
    names["selector"] = replication.labels(of.component)
    names["labels"] = {**names["selector"], marks.NAME: facts.app.key.name}
    names["replicaKey"] = of.component.replica_key or None
    names["traits"] = [part.definition.name for part in of.parts[1:]] if len(of.parts) > 1 else []
    names["owned"] = of.owned
    return names


def checks(of: Work, part: Part, names: dict[str, Any], facts: Facts) -> list[Problem]:
    """Failed rules of a definition, placed in the document; warnings are kept, errors are returned."""
    errors = []
    for found in part.definition.code.checks(part.parameters, names):
        placed = work.at(facts.app, found, part.path) if not found.file else found
        if found.level == "error":
            errors.append(placed)
            errors += _owners(of, found, facts)
        else:
            of.warnings.append(placed)
    return errors


def _owners(of: Work, found: Problem, facts: Facts) -> list[Problem]:
    """A rule about a field that a trait owns concerns two places: the trait's is shown too."""
    return [
        work.at(facts.app, Problem(f"trait '{part.label}' owns {field}", code="render.owner"), part.path[:-1])
        for part in of.parts[1:]
        for field in part.definition.owns
        if field.rpartition(".")[2] in found.path[-1:]
    ]


def make(of: Work, facts: Facts) -> None:
    """Fills of.objects with the component's own outputs, the workload first."""
    part = of.parts[0]
    name = of.component.name
    try:
        made = part.made(of.context)
        if not made.outputs:
            _empty(name)
        of.labels = labels.of_component(facts, of.component)
        labels.stamp(of, made.outputs, facts)
    except SpecError as error:
        raise named(of, part, error, facts) from error


def _empty(name: str) -> NoReturn:
    raise SpecError([Problem(f"component '{name}' renders no object", code="render.empty")])


def named(of: Work, part: Part, error: SpecError, facts: Facts) -> SpecError:
    """Places problems without a file at a component or trait, and says of all which one was being rendered."""
    what = f"trait '{part.label}' of component" if part.trait is not None else "component"
    while_ = f"while rendering {what} '{of.component.name}'"
    return SpecError(
        [
            changed(p, hint=f"{p.hint}; {while_}" if p.hint else while_) if p.file else work.at(facts.app, p, part.path[:-1])
            for p in error.problems
        ]
    )
