"""Folds two objects of one identity into one.  Render calls it, as patch.fold, for outputs of one component."""

from __future__ import annotations

from appdelivery.language.patch import authors, listkeys
from appdelivery.language.patch.authors import Stop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ONLY_FIRST = "trait.oam.dev/"  # labels that stay as the first object has them


def fold(first: Any, second: Any) -> Any:
    """One object out of two of one identity.  PatchError render.duplicate names the path where they differ."""
    try:
        return _folded(first, second, ())
    except Stop as stop:
        raise stop.error() from None


def _folded(first: Any, second: Any, path: tuple[str, ...]) -> Any:
    if first is None or second is None:
        return second if first is None else first
    if type(first) is dict and type(second) is dict:
        return _folded_map(first, second, path)
    if type(first) is list and type(second) is list and path:
        names = listkeys.of_list(path[-1], first, second)
        if path[-1] in listkeys.SETS:
            return first + [item for item in second if item not in first]
        if names and _told_apart(first, names) and _told_apart(second, names):
            return _folded_list(first, second, names, path)
    if not authors.same(first, second):
        said = f"({authors.shown(first)} and {authors.shown(second)})"
        raise Stop("render.duplicate", lambda text: f"different {text} {said}")
    return first


def _told_apart(items: list[Any], names: tuple[str, ...]) -> bool:
    """Every item has its key and no two have the same; else the list is one value, equal or different as a whole."""
    return len(listkeys.positions(items, names)) == len(items)


def _folded_map(first: dict[str, Any], second: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    out = dict(first)
    key = ""
    try:
        for key, value in second.items():
            if key in out and not (path == ("metadata", "labels") and key.startswith(ONLY_FIRST)):
                out[key] = _folded(out[key], value, (*path, key))
            else:
                out.setdefault(key, value)
    except Stop as stop:
        stop.steps.append(key)
        raise
    return out


def _folded_list(first: list[Any], second: list[Any], names: tuple[str, ...], path: tuple[str, ...]) -> list[Any]:
    out = list(first)
    at = listkeys.positions(first, names)
    for item in second:
        who = listkeys.identity(item, names)
        try:
            if who in at:
                out[at[who]] = _folded(out[at[who]], item, path)
            else:
                at[who] = len(out)
                out.append(item)
        except Stop as stop:
            stop.steps.append(listkeys.step(who))
            raise
    return out
