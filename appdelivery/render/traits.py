"""Runs the traits of a component in declared order: each sees what the earlier ones made of its objects.

Two traits that disagree about a field, a trait on a kind it does not fit and a patch without a target are errors that name
who and where.
"""

from __future__ import annotations

from appdelivery.errors import SpecError
from appdelivery.language import patch
from appdelivery.model import suggest
from appdelivery.model.problem import Problem
from appdelivery.render import component, labels, work

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from appdelivery.language.patch import Writes
    from appdelivery.model.definition import Definition, Made
    from appdelivery.render.facts import Facts
    from appdelivery.render.work import Object, Part, Work


def run(of: Work, facts: Facts) -> None:
    """Patches of.objects and adds to them; SpecError with the problems of the first trait that has any."""
    several = len(of.parts) > 2
    writes: dict[int, Writes] = {}  # by object: who wrote what
    held: dict[str, list[tuple[str, Any]]] = {}  # contested fields that traits wanted to write
    for part in of.parts[1:]:
        try:
            target = _target(of, part)
            _fits(part.definition, target)
        except SpecError as error:
            raise component.named(of, part, error, facts) from error
        outputs = {made.output: made.body for made in reversed(of.objects) if made is not target}
        names = {**of.context, "output": target.body, "outputs": outputs}
        work.stop(component.checks(of, part, names, facts))
        try:
            made = part.made(names)
            if of.contested:
                made = _hold_back(of, part, made, held)
            _patch(of, target, made, _author(of, part), writes=writes if several else None)
            labels.stamp(of, made.outputs, facts, trait=part.definition.name, stage=part.definition.stage)
        except SpecError as error:
            raise component.named(of, part, error, facts) from error
    if held:
        try:
            _let_go(of, held)
        except SpecError as error:
            raise component.named(of, of.parts[-1], error, facts) from error


# --- which object ---


def _target(of: Work, part: Part) -> Object:
    """The workload, or the object that the trait's `target` names."""
    assert part.trait is not None
    wanted = part.trait.target
    if wanted is None:
        return of.objects[0]
    for made in of.objects:
        if (made.body["kind"], made.body["metadata"]["name"]) == wanted:
            return made
    known = [f"{made.body['kind']} {made.body['metadata']['name']}" for made in of.objects]
    message = (
        f"the target of trait '{part.label}', {wanted[0]} {wanted[1]}, is not rendered by component '{of.component.name}'"
    )
    raise SpecError([Problem(message, code="patch.target", path=("target",), hint=suggest.listed(known))])


def _fits(definition: Definition, target: Object) -> None:
    if not definition.applies_to or f"{target.body['apiVersion']}/{target.body['kind']}" in definition.applies_to:
        return
    group, _, version = target.body["apiVersion"].rpartition("/")
    kind = target.body["kind"]
    for pattern in definition.applies_to:
        wanted_group, wanted_version, wanted_kind = _pattern(pattern)
        if wanted_group in (group, "*") and wanted_version in (version, "*") and wanted_kind in (kind, "*"):
            return
    message = f"trait '{definition.name}' does not fit {target.body['kind']} ({target.body['apiVersion']})"
    hint = f"it fits {', '.join(definition.applies_to)}"
    raise SpecError([Problem(message, code="trait.kind", path=("type",), hint=hint)])


def _pattern(text: str) -> tuple[str, str, str]:
    """GROUP/VERSION/KIND, or VERSION/KIND of the core group; '*' alone is everything."""
    parts = text.split("/")
    if len(parts) == 1:
        return ("*", "*", parts[0])
    return (parts[0], parts[1], parts[2]) if len(parts) == 3 else ("", parts[0], parts[1])


# --- patches ---


def _author(of: Work, part: Part) -> str:
    """Two traits of one type are two authors: the later one is told by its number."""
    if len(of.parts) == 2:
        return part.label
    alike = [other for other in of.parts[1:] if other.label == part.label]
    number = alike.index(part) + 1
    return part.label if number == 1 else f"{part.label} #{number}"


def _patch(of: Work, target: Object, made: Made, label: str, *, writes: dict[int, Writes] | None) -> None:
    if made.patch:
        _change(target, made.patch, label, writes=writes)
    for one in made.patches:
        if type(one) is not dict or one.get("type", STRATEGIC) not in TYPES:
            message = f"a patch has a type ({', '.join(TYPES)}) and a patch"
            raise SpecError([Problem(message, code="patch.type")])
        _change(target, one.get("patch"), label, type=one.get("type", STRATEGIC), writes=writes)
    for output, change in made.patch_outputs.items():
        other = next((o for o in of.objects if o.output == output), None)
        if other is None:
            known = [o.output for o in of.objects]
            message = f"there is no output '{output}' to patch{suggest.meant(output, known)}"
            raise SpecError([Problem(message, code="patch.target", hint=suggest.listed(known))])
        _change(other, change, label, writes=writes)


STRATEGIC = "strategic"
TYPES = (STRATEGIC, "merge", "json")


def _change(
    target: Object, change: Any, label: str, *, type: str = STRATEGIC, writes: dict[int, Writes] | None = None
) -> None:
    """writes: by object, who wrote what; only where several traits run can two of them disagree."""
    try:
        if type == STRATEGIC:
            log = None if writes is None else writes.setdefault(id(target), patch.Writes())
            body = patch.strategic(target.body, change, author=label, writes=log)
        else:
            body = patch.merge(target.body, change) if type == "merge" else patch.json(target.body, change)
    except patch.PatchError as error:
        raise SpecError([Problem(error.message, code=error.code, hint=error.hint)]) from error
    if not isinstance(body, dict) or not isinstance(body.get("metadata"), dict):
        raise SpecError([Problem("a patch removed the object's metadata", code="patch.target")])
    labels.kept(target.body, body)
    target.body = labels.tidy(body)


# --- who owns a field ---


def own(works: Sequence[Work], facts: Facts) -> None:
    """Fills of.owned; two traits that own one field are an error, or with --lenient a warning."""
    problems: list[Problem] = []
    for of in works:
        if len(of.parts) == 1:
            continue
        owners: dict[str, Part] = {}
        for part in of.parts[1:]:
            for field in part.definition.owns:
                first = owners.setdefault(field, part)
                if first is part:
                    of.owned = {**of.owned, field: part.label}
                elif facts.context.lenient:
                    of.contested |= {field}
                    of.warnings.append(_two_owners(of, first, part, field, facts, level="warning")[0])
                else:
                    problems += _two_owners(of, first, part, field, facts)
    work.stop(problems)


def _two_owners(of: Work, first: Part, part: Part, field: str, facts: Facts, *, level: str = "error") -> list[Problem]:
    """Both places, so that both lines are shown."""
    message = f"traits '{first.label}' and '{part.label}' both own {field} of component '{of.component.name}'"
    hint = "keep one of them" if level == "error" else "an autoscaler wins over a fixed number"
    found = Problem(message, code="render.owner", hint=hint, level=level)
    other = Problem(f"trait '{first.label}' owns {field} from here on", code="render.owner")
    return [work.at(facts.app, found, part.path[:-1]), work.at(facts.app, other, first.path[:-1])]


def _hold_back(of: Work, part: Part, made: Made, held: dict[str, list[tuple[str, Any]]]) -> Made:
    """Takes contested fields out of a trait's patch: they are written at the end, if no owner leaves them to a controller."""
    from appdelivery.model.record import changed

    for field in part.definition.owns:
        if field in of.contested:
            steps = tuple(field.split("."))
            found, value = _get(made.patch, steps)
            held.setdefault(field, []).append((part.label, value if found else ABSENT))
            if found:
                made = changed(made, patch=_without(made.patch, steps))
    return made


ABSENT = object()


def _let_go(of: Work, held: dict[str, list[tuple[str, Any]]]) -> None:
    for field, wanted in held.items():
        if any(value is ABSENT for _, value in wanted):
            continue
        writes: dict[int, Writes] = {}
        for label, value in wanted:
            change: Any = value
            for step in reversed(field.split(".")):
                change = {step: change}
            _change(of.objects[0], change, label, writes=writes)


def _get(tree: Any, steps: tuple[str, ...]) -> tuple[bool, Any]:
    for step in steps:
        if type(tree) is not dict or step not in tree:
            return False, None
        tree = tree[step]
    return True, tree


def _without(tree: dict[str, Any], steps: tuple[str, ...]) -> dict[str, Any]:
    if len(steps) == 1:
        return {key: value for key, value in tree.items() if key != steps[0]}
    return {**tree, steps[0]: _without(tree[steps[0]], steps[1:])}
