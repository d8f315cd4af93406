"""Where in the user's documents an object stands that a server has refused: the field where the object was written out,
else its component.  Called by the command line after a delivery that failed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appdelivery.language.text import source
from appdelivery.model import fieldpath
from appdelivery.model.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from appdelivery.model.application import Component
    from appdelivery.model.change import Outcome
    from appdelivery.model.problem import Path
    from appdelivery.model.refs import AppKey, Ref
    from appdelivery.platform.documents import Loaded


def problems(loaded: Loaded, key: AppKey, outcomes: Iterable[Outcome]) -> list[Problem]:
    """One for every refused object, located."""
    app = next(app for app in loaded.applications if app.key == key)
    components = {component.name: component for component in app.components}
    found = []
    for outcome in outcomes:
        component = components.get(outcome.change.subject.component)
        if outcome.result == "failed" and outcome.fields and component is not None:
            path = _path(component, outcome.change.subject.ref, outcome.fields[0])
            unknown = "not declared" in outcome.error  # then the name of the field is wrong, not its value
            place = Problem(outcome.error, path=path, file=app.file, document=app.index, hint=outcome.hint, at_key=unknown)
            found.append(place)
    return source.locate(found, loaded.texts)


def _path(component: Component, ref: Ref, field: str) -> Path:
    for path, tree in _written_out(component.properties, ref, (*component.path, "properties")):
        return (*path, *_steps(tree, field))
    return component.path


def _written_out(tree: Any, ref: Ref, path: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The object itself, wherever a property holds it whole."""
    if isinstance(tree, dict):
        metadata = tree.get("metadata")
        if tree.get("kind") == ref.kind and isinstance(metadata, dict) and metadata.get("name") == ref.name:
            yield path, tree
        for key, value in tree.items():
            yield from _written_out(value, ref, (*path, str(key)))
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            yield from _written_out(value, ref, (*path, index))


def _steps(tree: Any, field: str) -> Path:
    """As far as the field leads into what was written; list keys become indexes."""
    out: list[str | int] = []
    try:
        steps = fieldpath.parse(field if field.startswith((".", "[")) else f".{field}")
    except ValueError:
        return ()
    for step in steps:
        if isinstance(step, tuple) and isinstance(tree, list):
            found = [i for i, one in enumerate(tree) if isinstance(one, dict) and all(one.get(k) == v for k, v in step)]
            at: str | int = found[0] if found else len(tree)
        elif isinstance(step, tuple):
            break
        else:
            at = step
        try:
            tree = tree[at]
        except (KeyError, IndexError, TypeError):
            break
        out.append(at)
    return tuple(out)
