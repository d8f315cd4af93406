"""Changes trees by patches: strategic merge, RFC 7396, RFC 6902, and folding two objects of one identity.

Called by render for traits and policies, by platform for overrides.  Copy on write always: neither base nor patch is
changed, untouched sub-trees are shared.  `Writes` remembers which author wrote what to an object, so that two traits
that disagree are told so.
"""

from __future__ import annotations

from appdelivery.language.patch import authors, listkeys
from appdelivery.language.patch.authors import PatchError, Stop, Writes
from appdelivery.language.patch.folding import fold
from appdelivery.language.patch.rfc import json, merge

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, NoReturn

    Log = dict[Any, Any]

__all__ = ["PatchError", "Writes", "fold", "json", "merge", "strategic"]

DIRECTIVES = ("$patch", "$retainKeys", "$key")
ELEMENT_ORDER = "$setElementOrder/"  # kubectl writes it into its patches; here new items are appended
FROM_SET = "$deleteFromPrimitiveList/"
MODES = ("delete", "replace", "merge")


def strategic(base: Any, change: Any, *, author: str = "", writes: Writes | None = None) -> Any:
    """`base` after a strategic merge.  With `writes`, disagreement with another author is a PatchError."""
    if not isinstance(change, dict):
        raise PatchError("patch.type", f"a strategic patch is a map, not {authors.shown(change)}")
    if change.get("$patch") == "delete":
        raise PatchError("patch.directive", "a patch cannot delete the whole object")
    try:
        return _map(base if isinstance(base, dict) else {}, change, None if writes is None else writes.log, author)
    except Stop as stop:
        raise stop.error() from None


def _map(base: dict[str, Any], change: dict[str, Any], log: Log | None, author: str, known: tuple[str, ...] = ()) -> Any:
    """`known`: fields that only say which list item is meant, so they are no writes."""
    out = dict(base)
    key = ""
    try:
        for key, value in change.items():
            kind = type(value)
            if key[:1] == "$":
                if key in ("$patch", "$retainKeys"):
                    break
                _directive(key, value, out)
            elif kind is dict:
                old = out.get(key)
                if "$patch" in value and value["$patch"] == "delete":
                    _remove(out, key, log, author)
                elif log is None:
                    out[key] = _map(old if type(old) is dict else {}, value, None, author)
                else:
                    inner = authors.enter(log, key, author, value)
                    if not value and type(old) is not dict:
                        inner[None] = author, {}
                    out[key] = _map(old if type(old) is dict else {}, value, inner, author)
            elif kind is list:
                old = out.get(key)
                out[key] = _list(key, old if type(old) is list else [], value, log, author)
            elif value is None:
                _remove(out, key, log, author)
            else:
                out[key] = value
                if log is not None and key not in known:
                    authors.write(log, key, author, value)
        else:
            return out
    except Stop as stop:
        stop.steps.append(key)
        raise
    rest = {key: value for key, value in change.items() if key not in ("$patch", "$retainKeys")}
    return _map(_prepared(base, change, log, author), rest, log, author, known)


def _remove(out: dict[str, Any], key: str, log: Log | None, author: str) -> None:
    out.pop(key, None)
    if log is not None:
        authors.erase(log, key, author)


def _prepared(base: dict[str, Any], change: dict[str, Any], log: Log | None, author: str) -> dict[str, Any]:
    """What is left of the base before the first key is merged, wherever in the patch the directives stand."""
    out = dict(base)
    mode = change.get("$patch", "merge")
    if mode not in MODES:
        _stop("patch.directive", f"$patch is one of {', '.join(MODES)}, not {authors.shown(mode)}")
    if mode == "replace":
        out.clear()
        if log is not None:
            authors.clear(log, author)
    kept = change.get("$retainKeys", [*out, *change])
    if not isinstance(kept, list):
        _stop("patch.directive", "$retainKeys takes a list of keys")
    if strange := [key for key in change if key[:1] != "$" and key not in kept]:
        _stop("patch.directive", f"$retainKeys lacks '{strange[0]}', which the patch sets")
    for key in [key for key in out if key not in kept]:
        try:
            _remove(out, key, log, author)
        except Stop as stop:
            stop.steps.append(key)
            raise
    return out


def _directive(key: str, value: Any, out: dict[str, Any]) -> None:
    if key.startswith(FROM_SET):
        field = key.removeprefix(FROM_SET)
        if isinstance(out.get(field), list):
            out[field] = [item for item in out[field] if item not in value]
    elif key not in DIRECTIVES and not key.startswith(ELEMENT_ORDER):
        close = _near(key, DIRECTIVES)
        _stop(
            "patch.directive",
            f"unknown directive '{key}'" + (f", did you mean '{close}'?" if close else ""),
            "a key that begins with '$' can be written by a patch of type merge",
        )


def _list(field: str, base: list[Any], change: list[Any], log: Log | None, author: str) -> list[Any]:
    names: tuple[str, ...] = ()
    maps = explicit = replace = False
    for item in change:
        if type(item) is dict:
            maps = True
            if "$key" in item:
                names, explicit = _given_key(item["$key"]), True
            if item.get("$patch") == "replace" and not any(key[:1] != "$" for key in item):
                base, replace = [], True
    if field in listkeys.SETS and not explicit:
        return _united(base, change)
    if not explicit and (maps or not change):
        names = listkeys.of_list(field, base, change)
    at = listkeys.positions(base, names) if names else {}
    if not names or (base and not at and not explicit):  # also a custom resource's list that only has the field's name
        value = _atomic(field, change)
        if log is not None:
            authors.write(log, field, author, value)
        return value
    inner = None if log is None else authors.enter(log, field, author, change)
    if replace and inner is not None:
        authors.clear(inner, author)
    strict = field in listkeys.CONTAINERS and not explicit
    return _keyed(base, change, inner, author, names=names, at=at, container=field if strict else "")


def _given_key(given: Any) -> tuple[str, ...]:
    names = (given,) if isinstance(given, str) else tuple(given) if isinstance(given, list) else ()
    if not names or not all(isinstance(name, str) for name in names):
        _stop("patch.directive", "$key takes the name of a field, or a list of names")
    return names


def _united(base: list[Any], change: list[Any]) -> list[Any]:
    out = list(base)
    for item in change:
        if item is not None and type(item) is not dict and item not in out:
            out.append(item)
    return out


def _keyed(
    base: list[Any],
    change: list[Any],
    log: Log | None,
    author: str,
    *,
    names: tuple[str, ...],
    at: dict[Any, int],
    container: str,
) -> list[Any]:
    """Items merged with those of their identity, new ones appended.  Deleting wins, whatever the order in the patch."""
    out = list(base)
    gone: set[Any] = set()
    for item in change:
        who = listkeys.identity(item, names)
        if who is None:
            _refuse_keyless(item, names)
            continue
        try:
            if item.get("$patch") == "delete":
                gone.add(who)
                if log is not None:
                    authors.erase(log, listkeys.step(who), author)
                continue
            if who in gone:
                continue
            inner = None if log is None else authors.enter(log, listkeys.step(who), author, item)
            index = at.get(who)
            if index is not None:
                out[index] = _map(out[index], item, inner, author, names)
            elif container and item.get("image") is None:
                _refuse_container(container, who, at)
            else:
                at[who] = len(out)
                out.append(_map({}, item, inner, author))
        except Stop as stop:
            stop.steps.append(listkeys.step(who))
            raise
    dropped = {at[who] for who in gone if who in at}
    return [item for index, item in enumerate(out) if index not in dropped] if dropped else out


def _refuse_keyless(item: Any, names: tuple[str, ...]) -> None:
    """Items that hold nothing but directives have been read already."""
    if type(item) is dict and item and all(key[:1] == "$" for key in item) and item.get("$patch") != "delete":
        return
    needed = " and ".join([f"'{name}'" for name in names if name != "protocol"])
    hint = (
        "for a list with another key write '$key: FIELD' in one item; to replace the list begin it with '- $patch: replace'"
    )
    raise Stop("patch.key", lambda path: f"{path}: every patch item needs {needed}", hint)


def _refuse_container(field: str, who: Any, at: dict[Any, int]) -> NoReturn:
    known = [str(name) for name in at]
    close = _near(str(who), known)
    message = f"{listkeys.CONTAINERS[field]} '{who}' not found" + (f", did you mean '{close}'?" if close else "")
    listed = f"known: {', '.join(known)}" if known else "there is none yet"
    _stop("patch.target", message, f"{listed}; a new one needs an image")


def _atomic(field: str, change: list[Any]) -> list[Any]:
    """A list that is one value: as the patch has it, without directives and nulls."""
    if any(type(item) is dict and item.get("$patch") == "delete" for item in change):
        hint = f"write '$key: FIELD' in the item: {field} has no merge key of its own"
        raise Stop("patch.key", lambda path: f"{path}: an item cannot be deleted without a merge key", hint)
    kept = [item for item in change if not (type(item) is dict and len(item) == 1 and "$patch" in item)]
    return [_clean(item) for item in kept if item is not None]


def _clean(value: Any) -> Any:
    if type(value) is dict:
        return {
            key: _clean(item)
            for key, item in value.items()
            if item is not None and key not in DIRECTIVES and not key.startswith((ELEMENT_ORDER, FROM_SET))
        }
    return [_clean(item) for item in value if item is not None] if type(value) is list else value


def _near(name: str, known: Sequence[str]) -> str:
    import difflib

    return next(iter(difflib.get_close_matches(name, known, 1)), "")


def _stop(code: str, message: str, hint: str = "") -> NoReturn:
    raise Stop(code, lambda _: message, hint)
