"""What becomes of a body on its way through the server's Go types: a fresh tree in the server's own spelling.

Unknown fields are dropped and reported, empty values that Go omits disappear, values that Go always writes appear,
quantities become canonical, and a value of the wrong type ends the request with the decoder's words.
"""

from __future__ import annotations

import base64
import binascii

from appdelivery.sandbox.writes import options as options_
from appdelivery.sandbox.writes import quantities, types

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from appdelivery.sandbox.storage import Body
    from appdelivery.sandbox.writes.types import Type

DECODED = {"string": str, "boolean": bool, "integer": int, "number": (int, float)}
LIMITS = {"int32": 2**31, "int64": 2**63, "": 2**63}
WORDS = {str: "string", bool: "bool", int: "number", float: "number", dict: "object", list: "array"}


class Mismatch(Exception):
    """A value that its Go type does not take."""


class Unreadable(Exception):
    """A body that the server cannot read; says why in the decoder's words."""


def decode(type: Type, body: Body) -> tuple[Body, list[str]]:
    """The body as the server holds it, and the paths of fields that it does not know."""
    unknown: list[str] = []
    decoded = _object(type, body, unknown)
    return decoded, _unknown(type, body, "") if unknown else []


def blank(type: Type) -> Body:
    """What a new object of the type holds before anything is set or defaulted; not to be changed."""
    if type.blank is None:
        type.blank = _zero(type)
    return type.blank


def _zero(type: Type) -> Body:
    known = type.fields()
    return {
        key: zero if zero.__class__ is not dict else _zero(type.member(key))  # type: ignore[arg-type]
        for key, zero in type.always.items()
        if key in known
    }


def defaulted(type: Type) -> Body:
    """An empty value of the type, with its defaults: what a kind's status begins with."""
    return _object(type, {}, [])


def strictly(unknown: list[str], validation: str) -> tuple[str, ...]:
    """Warnings for unknown fields, or what strict validation says of them."""
    said = tuple(f'unknown field "{path}"' for path in unknown)
    if said and validation == options_.STRICT:
        raise Unreadable("strict decoding error: " + ", ".join(said))
    return said if validation == options_.WARN else ()


def checked(type: Type, body: Body, validation: str) -> tuple[Body, tuple[str, ...]]:
    """decode, with the warnings; raises Unreadable."""
    try:
        decoded, unknown = decode(type, body)
    except Mismatch:
        raise Unreadable(mismatch(type, body)) from None
    return decoded, strictly(unknown, validation) if unknown else ()


def checked_metadata(type: Type, metadata: Any) -> tuple[Body, list[str]]:
    """metadata of a custom object, which is a Go type; and the fields it does not know."""
    member = type.member("metadata")
    try:
        return decode(member, metadata)  # type: ignore[arg-type]
    except Mismatch:
        raise Unreadable(_where(member, metadata, "ObjectMeta", "")) from None  # type: ignore[arg-type]


def mismatch(type: Type, body: Body) -> str:
    """The decoder's words for a body that does not fit."""
    return _where(type, body, type.name.rpartition(".")[2], "")


# --- walking ---


def _value(type: Type, value: Any, unknown: list[str]) -> Any:
    form = type.form
    if form == types.SCALAR:
        return _scalar(type, value)
    if form in (types.MAP, types.ATOMIC_MAP):
        if value.__class__ is not dict:
            raise Mismatch
        return _object(type, value, unknown)
    if form == types.ANY:
        return copied(value)
    if value.__class__ is not list:
        raise Mismatch
    item = type.item
    return [_null(item) if entry is None else _value(item, entry, unknown) for entry in value]


def _null(type: Type) -> Any:
    """A null in a list or map: Go leaves the zero value of the type."""
    if type.form == types.SCALAR:
        return {"string": "", "boolean": False, "integer": 0}.get(type.scalar, "")
    return _object(type, {}, []) if type.form in (types.MAP, types.ATOMIC_MAP) else None


def _object(type: Type, given: dict[str, Any], unknown: list[str]) -> dict[str, Any]:
    known = type.fields()
    if not known:
        if type.node.get("additionalProperties"):
            values = type.values
            return {key: _null(values) if inner is None else _value(values, inner, unknown) for key, inner in given.items()}
        return copied(given)  # type: ignore[no-any-return]
    found: dict[str, Any] = {}
    kept, always = type.kept, type.always
    for key, inner in given.items():
        if key not in known:
            unknown.append(key)
        elif inner is not None:
            decoded = _value(type.member(key), inner, unknown)  # type: ignore[arg-type]
            if decoded or key in kept or key in always or decoded is None:
                found[key] = decoded
    for key, value in type.unset.items():
        if key not in found and key in known:
            found[key] = value if value.__class__ not in (dict, list) else _value(type.member(key), value, unknown)  # type: ignore[arg-type]
    if type.finish is not None:
        type.finish(found)
    return found


def copied(value: Any) -> Any:
    if value.__class__ is dict:
        return {key: copied(inner) for key, inner in value.items()}
    if value.__class__ is list:
        return [copied(inner) for inner in value]
    return value


def _scalar(type: Type, value: Any) -> Any:
    scalar = type.scalar
    if scalar == "string":
        if type.name == types.QUANTITY:
            text = None if value.__class__ in (bool, dict, list) else quantities.canonical(value)
            if text is None:
                raise Mismatch
            return text
        if value.__class__ is str:
            if type.format == "byte":
                return _bytes(value)
            return value
        if type.name == types.EITHER and value.__class__ is int:
            return value
    elif scalar == "integer":
        if value.__class__ is int and -LIMITS[type.format] <= value < LIMITS[type.format]:
            return value
    elif (scalar == "boolean" and value.__class__ is bool) or (scalar == "number" and value.__class__ in (int, float)):
        return value
    raise Mismatch


def _bytes(text: str) -> str:
    try:
        return base64.b64encode(base64.b64decode(text.replace("\n", ""), validate=True)).decode()
    except (ValueError, binascii.Error):
        raise Mismatch from None


# --- words, only when something is wrong ---


def _unknown(type: Type, value: Any, path: str) -> list[str]:
    """The paths of fields that the type does not have."""
    if isinstance(value, list):
        return [found for at, item in enumerate(value) for found in _unknown(type.item, item, f"{path}[{at}]")]
    if not isinstance(value, dict) or type.form == types.ANY:
        return []
    found = []
    for key, inner in value.items():
        below = f"{path}.{key}" if path else key
        member = type.member(key)
        if member is None:
            found.append(below)
        elif type.fields() or type.node.get("additionalProperties"):
            found += _unknown(member, inner, below)
    return found


def _where(type: Type, value: Any, struct: str, path: str) -> str:
    """The decoder's words for the first value that does not fit."""
    try:
        _value(type, value, [])
    except Mismatch:
        pass
    else:
        return ""
    if isinstance(value, dict) and type.form in (types.MAP, types.ATOMIC_MAP):
        name = type.name.rpartition(".")[2] if type.name and type.fields() else struct
        declared = bool(type.fields())
        for key, inner in value.items():
            member = type.member(key)
            below = f"{path}.{key}" if declared else path  # Go names fields, not the keys of maps
            if member is not None and inner is not None and (said := _where(member, inner, name, below)):
                return said
    if isinstance(value, list) and type.form in (types.KEYED, types.SET, types.ATOMIC_LIST):
        for inner in value:
            if inner is not None and (said := _where(type.item, inner, struct, path)):
                return said
    return _mismatch(type, value, struct, path)


def _mismatch(type: Type, value: Any, struct: str, path: str) -> str:
    if type.name == types.QUANTITY:
        return (
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
            if isinstance(value, str | list)
            else f"json: cannot unmarshal {WORDS[value.__class__]} into Go value of type string"
        )
    if type.format == "byte" and isinstance(value, str):
        return "illegal base64 data at input byte 0"
    if type.name == types.EITHER:
        return f"json: cannot unmarshal {WORDS[value.__class__]} into Go struct field {struct}{path} of type int32"
    said = WORDS[value.__class__]
    if said == "number" and type.form == types.SCALAR and type.scalar in ("integer", "number"):
        said = f"number {value}"
    return f"json: cannot unmarshal {said} into Go struct field {struct}{path} of type {_go(type)}"


def _go(type: Type) -> str:
    """As Go names the type."""
    if type.form == types.SCALAR:
        names = {"boolean": "bool", "integer": type.format or "int64", "number": "float64"}
        return names.get(type.scalar, type.scalar)
    if type.form in (types.MAP, types.ATOMIC_MAP):
        return "v1." + type.name.rpartition(".")[2] if type.fields() else f"map[string]{_go(type.values)}"
    return f"[]{_go(type.item)}"
