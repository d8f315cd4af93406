"""Properties against their schema: check, defaults, secrets; messages with places in the user's document.

Leaves that hold an expression are valid to the schema until they are resolved; then the properties are checked again.
"""

from __future__ import annotations

from appdelivery.errors import Bug, SpecError
from appdelivery.language import schema, secrets
from appdelivery.model.problem import Problem, dotted
from appdelivery.model.record import changed
from appdelivery.render import places, work

TYPE_CHECKING = False
if TYPE_CHECKING:
    from appdelivery.model.application import Application
    from appdelivery.model.problem import Path
    from appdelivery.render.facts import Facts
    from appdelivery.render.work import Part, Work

UNKNOWN = "parameters.unknown"
NAMED = tuple([kind.encode() for kind in secrets.KINDS])


def fill(of: Work, facts: Facts) -> None:
    """Fills part.parameters of every part; SpecError with everything that is wrong in any of them."""
    problems: list[Problem] = []
    for part in of.parts:
        try:
            part.parameters = part.definition.code.check(part.properties)
        except schema.Refusal:
            problems += _refused(of, part, facts)
        if part.written.find(b"$") >= 0:
            problems += _dollars(of, part, facts, refused=bool(problems))
        if part.waiting:
            part.parameters = places.replaced(part.parameters, part.waiting)
    work.stop(problems)


def _dollars(of: Work, part: Part, facts: Facts, *, refused: bool) -> list[Problem]:
    """What begins with a dollar and is no expression: named secrets, and escapes."""
    found: list[Problem] = []
    held = part.written.find
    if not refused and max(map(held, NAMED)) >= 0:
        found = _secrets(of, part, facts)
    if held(b"$${") >= 0:
        from appdelivery.language import inline

        part.parameters = inline.unescape(part.parameters)
    return found


def _secrets(of: Work, part: Part, facts: Facts) -> list[Problem]:
    """Named secrets become references; their name is where they stand, so that it never changes with a render."""
    prefix = of.component.name if part.trait is None else f"{of.component.name}/{part.trait.name or part.definition.name}"
    try:
        part.parameters = secrets.settle(part.parameters, owner=str(facts.app.key), path_prefix=prefix)
    except SpecError as error:
        return [_placed(part, p, facts) for p in error.problems]
    return []


def _refused(of: Work, part: Part, facts: Facts) -> list[Problem]:
    """Why the schema refuses; with --lenient unknown properties are left out, if that is all."""
    found = part.definition.code.explain(part.properties)
    if not found:
        raise Bug(f"check properties of {part.definition.name}: refused without a reason")
    unknown = [p for p in found if p.code == UNKNOWN]
    if facts.context.lenient and unknown:
        rest = part.properties
        for problem in reversed(unknown):
            rest = places.drop(rest, problem.path)
        of.warnings += [changed(_placed(part, p, facts), level="warning") for p in unknown]
        part.properties = rest
        try:
            part.parameters = part.definition.code.check(rest)
        except schema.Refusal:
            found = part.definition.code.explain(rest)
        else:
            return []
    return [_placed(part, p, facts) for p in found]


def _placed(part: Part, found: Problem, facts: Facts) -> Problem:
    """components[api].properties.ports[1].port: ..., at its place in the document."""
    path = (*part.path, *found.path)
    hint = found.hint
    if any(leaf.path == found.path[: len(leaf.path)] for leaf in part.leaves):
        hint = "the value comes from an expression; '| string', '| int' convert it"
    placed = work.at(facts.app, changed(found, hint=hint), part.path)
    return changed(placed, message=f"{shown(facts.app, path)}: {found.message}")


def shown(app: Application, path: Path) -> str:
    """A path as messages name it: from spec on, components by name, wherever in the document they stand."""
    for component in app.components:
        if path[: len(component.path)] == component.path:
            name = component.name.partition("@")[0]  # what is wrong with one copy is wrong with all
            return "".join([f"components[{name}]", *_rest(path[len(component.path) :])])
    return dotted(path[1:] if path[:1] == ("spec",) else path)


def _rest(path: Path) -> list[str]:
    return [f".{dotted(path)}"] if path and isinstance(path[0], str) else [dotted(path)]
