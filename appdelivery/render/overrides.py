"""Policy `override`: the components of an application with the differences of one deploy step (oam.md 4.3).

Pure: an Application in, an Application out, to be rendered and so checked like any other.  What the override writes is
remembered with the place where it stands (Application.moved), so that problems found later point there.  Called by the
deploy step, once for every placement.
"""

from __future__ import annotations

from appdelivery.model import glob, suggest
from appdelivery.model.application import Component, Trait
from appdelivery.model.problem import Problem
from appdelivery.model.record import changed, record
from appdelivery.render import work

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from typing import Any

    from appdelivery.model.application import Application, Policy
    from appdelivery.model.manifest import Rendered
    from appdelivery.model.problem import Path

TYPE = "override"


@record
class Overridden:
    """selected: names of the components that the step delivers; None = all.  The others are still there to be read from."""

    app: Application
    selected: tuple[str, ...] | None = None


@record
class _Found:
    """What comes up on the way."""

    problems: list[Problem]
    moved: list[tuple[Path, Path, bool]]


def override(app: Application, policies: Iterable[Policy]) -> Overridden:
    """The application after the overrides, in the order given; policies of other types are passed over.  SpecError with
    everything that matches nothing or could mean several."""
    found = _Found([], [])
    components = {component.name: component for component in app.components}
    selected: Collection[str] | None = None
    for policy in policies:
        if policy.type.partition("@")[0] != TYPE:
            continue
        inside = (*policy.path, "properties")
        for index, entry in enumerate(policy.properties.get("components") or ()):
            _apply(entry, (*inside, "components", index), components, found)
        if (names := policy.properties.get("selector")) is not None:
            _known(names, (*inside, "selector"), components, found)
            selected = [name for name in names if selected is None or name in selected]
    work.stop([work.at(app, problem) for problem in found.problems])
    whole = changed(app, components=tuple(components.values()), moved=(*app.moved, *found.moved))
    return Overridden(whole, None if selected is None else tuple([name for name in components if name in selected]))


def only(rendered: Rendered, selected: Collection[str] | None) -> Rendered:
    """What of a rendered application a step delivers.  Order counts among what is delivered: nobody waits for the rest."""
    if selected is None:
        return rendered
    kept = [c for c in rendered.components if c.name.partition("@")[0] in selected]
    names = {c.name for c in kept}
    trimmed = [changed(c, depends_on=tuple([name for name in c.depends_on if name in names])) for c in kept]
    return changed(rendered, components=tuple(trimmed))


def _apply(entry: Mapping[str, Any], path: Path, components: dict[str, Component], found: _Found) -> None:
    """One entry of `components`, over what the earlier ones made."""
    name, kind = entry.get("name") or "", entry.get("type") or ""
    meant = _meant(name, kind, components)
    if not meant:
        if name and "*" not in name and kind:
            components[name] = _new(name, entry, path)
        elif not entry.get("optional"):
            found.problems.append(_nothing(name, kind, path, components))
        return
    disabled: set[int] = set()
    for one in meant:
        component = components[one]
        if kind and _plain(kind) != _plain(component.type):
            components[one] = changed(_new(one, entry, path), depends_on=component.depends_on)
            disabled.update(range(len(entry.get("traits") or ())))
        else:
            components[one] = _merged(component, entry, path, found=found, disabled=disabled)
    if not entry.get("optional"):
        found.problems.extend(_not_disabled(entry, path, disabled, [components[one] for one in meant]))


def _meant(name: str, kind: str, components: Mapping[str, Component]) -> list[str]:
    if name:
        return [one for one in components if glob.matches(name, one)]
    return [one for one, component in components.items() if not kind or _plain(component.type) == _plain(kind)]


def _nothing(name: str, kind: str, path: Path, components: Mapping[str, Component]) -> Problem:
    hint = f"{suggest.listed(components)}; if that is fine: optional: true"
    if not name:
        types = sorted({_plain(component.type) for component in components.values()})
        message = f"the override matches no component of type '{kind}'{suggest.meant(_plain(kind), types)}"
        return Problem(message, code="override.match", path=(*path, "type") if kind else path, hint=hint)
    if "*" in name:
        return Problem(f"the override matches no component '{name}'", code="override.match", path=(*path, "name"), hint=hint)
    message = f"the override matches no component '{name}'{suggest.meant(name, components)}"
    hint = f"{hint}; to add a component give its type"
    return Problem(message, code="override.match", path=(*path, "name"), hint=hint)


def _known(names: Sequence[str], path: Path, components: Mapping[str, Component], found: _Found) -> None:
    for index, name in enumerate(names):
        if name not in components:
            message = f"there is no component '{name}'{suggest.meant(name, components)}"
            hint = suggest.listed(components)
            found.problems.append(Problem(message, code="override.selector", path=(*path, index), hint=hint))


def _new(name: str, entry: Mapping[str, Any], path: Path) -> Component:
    """A component as the override alone writes it."""
    traits = [
        _new_trait(trait, (*path, "traits", index))
        for index, trait in enumerate(entry.get("traits") or ())
        if not trait.get("disable")
    ]
    return Component(name, entry["type"], _without_nulls(entry.get("properties") or {}), path, tuple(traits))


def _new_trait(given: Mapping[str, Any], path: Path) -> Trait:
    return Trait(given["type"], _without_nulls(given.get("properties") or {}), path, given.get("name") or "")


def _merged(component: Component, entry: Mapping[str, Any], path: Path, *, found: _Found, disabled: set[int]) -> Component:
    kind = entry.get("type") or ""
    place, source = (*component.path, "properties"), (*path, "properties")
    properties = merge(component.properties, entry.get("properties") or {}, place, source=source, moved=found.moved)
    traits = list(component.traits)
    for index, wanted in enumerate(entry.get("traits") or ()):
        if _trait(traits, wanted, (*path, "traits", index), component=component, found=found):
            disabled.add(index)
    if "@" in kind:
        found.moved.append(((*component.path, "type"), (*path, "type"), True))
    return changed(component, type=kind if "@" in kind else component.type, properties=properties, traits=tuple(traits))


def merge(
    base: Mapping[str, Any],
    change: Mapping[str, Any],
    place: Path,
    *,
    source: Path,
    moved: list[tuple[Path, Path, bool]],
) -> dict[str, Any]:
    """Maps deep, lists and scalars replace, null removes; 0, false and '' are values like others."""
    out = dict(base)
    for key, value in change.items():
        there, here = (*place, key), (*source, key)
        if value is None:
            if key in out:
                del out[key]
                moved.append((place, here, False))  # what is missing now is missing because of this line
        elif type(value) is dict and type(old := out.get(key)) is dict:
            out[key] = merge(old, value, there, source=here, moved=moved)
        else:
            out[key] = _without_nulls(value) if type(value) is dict else value
            moved.append((there, here, True))
    return out


def _without_nulls(value: Mapping[str, Any]) -> dict[str, Any]:
    return merge({}, value, (), source=(), moved=[])


# --- traits ---


def _trait(traits: list[Trait], wanted: Mapping[str, Any], path: Path, *, component: Component, found: _Found) -> bool:
    """Changes, adds or removes one trait; whether there was one to remove (always true when none was to be)."""
    name, away = wanted.get("name") or "", bool(wanted.get("disable"))
    alike = [trait for trait in traits if _plain(trait.type) == _plain(wanted["type"])]
    if len(alike) > 1 and not name:
        found.problems.append(_several(wanted["type"], alike, path, component))
        return True
    hit = next((trait for trait in alike if trait.name == name or (len(alike) == 1 and "" in (name, trait.name))), None)
    if hit is None:
        if not away:
            traits.append(_new_trait(wanted, path))
        return not away
    index = traits.index(hit)
    if away:
        del traits[index]
        return True
    place, source = (*hit.path, "properties"), (*path, "properties")
    properties = merge(hit.properties, wanted.get("properties") or {}, place, source=source, moved=found.moved)
    if "@" in wanted["type"]:
        found.moved.append(((*hit.path, "type"), (*path, "type"), True))
    kind = wanted["type"] if "@" in wanted["type"] else hit.type
    traits[index] = changed(hit, type=kind, name=hit.name or name, properties=properties)
    return True


def _several(kind: str, alike: Sequence[Trait], path: Path, component: Component) -> Problem:
    message = (
        f"component '{component.name}' has {len(alike)} traits of type '{_plain(kind)}': say by name which one is meant"
    )
    names = [trait.name for trait in alike if trait.name]
    hint = suggest.listed(names) if names else f"give the traits of component '{component.name}' names first"
    return Problem(message, code="override.trait", path=path, hint=hint)


def _not_disabled(
    entry: Mapping[str, Any], path: Path, disabled: Collection[int], components: Sequence[Component]
) -> list[Problem]:
    """Traits that were to go and that no component had."""
    there = sorted({_plain(trait.type) for component in components for trait in component.traits})
    names = ", ".join([f"'{component.name}'" for component in components[:5]])
    out = []
    for index, wanted in enumerate(entry.get("traits") or ()):
        if index not in disabled:
            label = f"{wanted['type']} ({wanted['name']})" if wanted.get("name") else wanted["type"]
            message = f"no trait '{label}' to disable on {names}{suggest.meant(_plain(wanted['type']), there)}"
            hint = (
                f"{suggest.listed(there)}; if that is fine: optional: true" if there else "if that is fine: optional: true"
            )
            out.append(Problem(message, code="override.trait", path=(*path, "traits", index), hint=hint))
    return out


def _plain(kind: str) -> str:
    """A type without its version: `webservice@1.2.0` and `webservice` are one type."""
    return kind.partition("@")[0]
