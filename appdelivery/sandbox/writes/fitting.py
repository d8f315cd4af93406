"""Whether an applied object fits its schema: the check before a merge, whose findings are an internal error of the server."""

from __future__ import annotations

from appdelivery.sandbox import status
from appdelivery.sandbox.writes import fieldsets, merging, types

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from appdelivery.sandbox.kinds import Kind
    from appdelivery.sandbox.storage import Body
    from appdelivery.sandbox.writes.types import Type

    Misfit = tuple[str, str]  # path, what is wrong there

NAMES = {
    bool: "bool",
    int: "int64",
    float: "float64",
    str: "string",
    dict: "map[string]interface {}",
    list: "[]interface {}",
}


def check(kind: Kind, type: Type, body: Body) -> None:
    """Raises the server's words about what does not fit."""
    found = [f"{path}: {why}" for path, why in _check(type, body)]
    if found:
        said = found[0] if len(found) == 1 else "errors:\n" + "\n".join(f"  {one}" for one in found)
        raise status.Refusal(500, "", f"failed to create typed patch object ({named(kind, body)}): {said}")


def named(kind: Kind, body: Body) -> str:
    """As the server names an object in internal errors."""
    metadata = body.get("metadata") or {}
    if not isinstance(metadata, dict):
        metadata = {}
    return f"{metadata.get('namespace', '')}/{metadata.get('name', '')}; {kind.group}/{kind.version}, Kind={kind.kind}"


def _check(type: Type, value: Any) -> Iterable[Misfit]:
    """What does not fit, by path below the value: paths cost nothing where all is well."""
    form = type.form
    if value is None or form == types.ANY:
        return ()
    if form == types.SCALAR:
        return () if _scalar(type, value) else [("", _wanted(type, value))]
    if form in (types.MAP, types.ATOMIC_MAP):
        return _entries(type, value) if value.__class__ is dict else [("", f"expected map, got &{{{shown(value)}}}")]
    return _items(type, value) if value.__class__ is list else [("", f"expected list, got &{{{shown(value)}}}")]


def _entries(type: Type, value: dict[str, Any]) -> list[Misfit]:
    found: list[Misfit] = []
    for key, inner in value.items():
        member = type.member(key)
        if member is None:
            return [*found, (f".{key}", "field not declared in schema")]
        for path, why in _check(member, inner):
            found.append((f".{key}{path}", why))
    return found


def _items(type: Type, value: list[Any]) -> list[Misfit]:
    if type.form == types.ATOMIC_LIST:
        return [(f"[{at}]{path}", why) for at, item in enumerate(value) for path, why in _check(type.item, item)]
    found: list[Misfit] = []
    seen = set()
    for at, item in enumerate(value):
        why = _misfit(type, item)
        if why:
            return [*found, ("", f"element {at}: {why}")]
        key = merging.key_of(type, item)
        if key in seen:
            found.append(("", f"duplicate entries for key {fieldsets.worded((key,))}"))
        seen.add(key)
        found += [(f"{fieldsets.worded((key,))}{path}", why) for path, why in _check(type.item, item)]
    return found


def _misfit(type: Type, item: Any) -> str:
    if type.form == types.SET:
        if isinstance(item, dict):
            return "associative list without keys has an element that's a map type"
        if isinstance(item, list):
            return "not supported: associative list with lists as elements"
        return "associative list without keys has an element that's an explicit null" if item is None else ""
    if item is None:
        return "associative list with keys may not have a null element"
    if not isinstance(item, dict):
        return "associative list with keys may not have non-map elements"
    if not any(key in item or default is not None for key, default in type.keys):
        keys = " ".join(f'"{key}"' for key, _ in type.keys)
        return (
            f"associative list with keys has an element that omits all key fields [{keys}] "
            "(and doesn't have default values for any key fields)"
        )
    return ""


def _scalar(type: Type, value: Any) -> bool:
    if value.__class__ in (dict, list):
        return False
    if type.untyped:
        return True
    if type.scalar in ("integer", "number"):
        return value.__class__ in (int, float)
    return value.__class__ is {"string": str, "boolean": bool}.get(type.scalar, str)


def _wanted(type: Type, value: Any) -> str:
    if type.untyped:
        return f"expected any scalar, got &{{{shown(value)}}}"
    if type.scalar in ("integer", "number"):
        return f"expected numeric (int or float), got {NAMES[value.__class__]}"
    if type.scalar == "boolean":
        return f"expected boolean, got &{{{shown(value)}}}"
    return f"expected string, got &value.valueUnstructured{{Value:{_go(value)}}}"


def shown(value: Any) -> str:
    """%v"""
    if isinstance(value, dict):
        return f"map[{' '.join(f'{key}:{shown(value[key])}' for key in sorted(value))}]"
    if isinstance(value, list):
        return f"[{' '.join(map(shown, value))}]"
    if value is None:
        return "<nil>"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _go(value: Any) -> str:
    """%#v"""
    if isinstance(value, dict):
        return f"map[string]interface {{}}{{{', '.join(f'{fieldsets.encoded(key)}:{_go(value[key])}' for key in sorted(value))}}}"
    if isinstance(value, list):
        return f"[]interface {{}}{{{', '.join(map(_go, value))}}}"
    return fieldsets.encoded(value)
