"""Custom objects by the structural schema of their definition: unknown fields, defaults, and validation in the server's words."""

from __future__ import annotations

import re
from datetime import datetime

from appdelivery.sandbox.status import Cause
from appdelivery.sandbox.writes import decoding, fieldsets, merging, types

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from appdelivery.sandbox.schemas import Node
    from appdelivery.sandbox.writes.types import Type

ROOT = ("apiVersion", "kind", "metadata")
PRESERVES, EMBEDDED, EITHER = (
    "x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource", "x-kubernetes-int-or-string",
)  # fmt: skip


# --- unknown fields and defaults, in one fresh tree ---


def decoded(type: Type, value: Any, unknown: list[str], path: str = "", *, keeps_null: bool = False) -> Any:
    """A copy without unknown fields, which are told, and with defaults."""
    if isinstance(value, list):
        if type.form not in (types.KEYED, types.SET, types.ATOMIC_LIST):
            return decoding.copied(value)
        return [decoded(type.item, item, unknown, f"{path}[{at}]", keeps_null=keeps_null) for at, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    known = type.fields()
    node = type.node
    if not known and (node.get(PRESERVES) or type.form == types.ANY):
        return decoding.copied(value)
    keeps = node.get(PRESERVES) or isinstance(node.get("additionalProperties"), dict)
    found = {}
    for key, inner in value.items():
        below = f"{path}.{key}" if path else key
        member = type.member(key) if key in known or keeps else None
        if not path and key in ROOT:
            found[key] = inner
        elif member is None:
            if keeps or (node.get(EMBEDDED) and key in ROOT):
                found[key] = decoding.copied(inner)
            else:
                unknown.append(below)
        elif (
            inner is None and key in known and not known[key].get("nullable") and (not keeps_null or "default" in known[key])
        ):
            continue
        else:
            found[key] = decoded(member, inner, unknown, below, keeps_null=keeps_null)
    for key, inner in known.items():
        if "default" in inner and key not in found:
            found[key] = decoded(type.member(key), inner["default"], unknown, f"{path}.{key}")  # type: ignore[arg-type]
    return found


# --- validation ---


def problems(type: Type, body: dict[str, Any]) -> list[Cause]:
    found: list[Cause] = []
    for key in sorted(type.fields()):
        if key in body and key not in ROOT:
            found += _check(type.member(key), body[key], key)  # type: ignore[arg-type]
    found += _required(type.node, body, "")
    for key in sorted(body):
        if key not in ROOT and (member := type.member(key)) is not None:
            found += _duplicates(member, body[key], key)
    return found


def _check(type: Type, value: Any, path: str) -> Iterator[Cause]:
    node = type.node
    if value is None and node.get("nullable"):
        return
    said = _type_problem(type, value, path)
    if said is not None:
        yield said
        return
    if isinstance(value, dict):
        yield from _check_map(type, value, path)
    elif isinstance(value, list):
        yield from _limits(value, path, node, "minItems", "maxItems")
        for at, item in enumerate(value):
            yield from _check(type.item, item, f"{path}[{at}]")
    elif isinstance(value, str):
        yield from _check_text(node, value, path)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _check_number(node, value, path)
    if "enum" in node and value not in node["enum"]:
        supported = ", ".join(fieldsets.shown(one) for one in node["enum"])
        shown = fieldsets.shown(value)
        yield Cause("FieldValueNotSupported", f"Unsupported value: {shown}: supported values: {supported}", path)
    yield from _combined(type, value, path)


def _type_problem(type: Type, value: Any, path: str) -> Cause | None:
    node = type.node
    wanted = "integer,string" if node.get(EITHER) else node.get("type", "")
    given = _type_of(value)
    if not wanted or given in wanted.split(",") or (wanted == "number" and given == "integer"):
        return None
    return Cause(
        "FieldValueTypeInvalid", f'Invalid value: "{given}": {path} in body must be of type {wanted}: "{given}"', path
    )


def _type_of(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, float) and value.is_integer():
        return "integer"
    return {int: "integer", float: "number", str: "string", dict: "object", list: "array"}[value.__class__]


def _check_map(type: Type, value: dict[str, Any], path: str) -> Iterator[Cause]:
    node = type.node
    yield from _limits(value, path, node, "minProperties", "maxProperties")
    yield from _required(node, value, path)
    for key in sorted(value):
        member = type.member(key) if type.declares(key) or isinstance(node.get("additionalProperties"), dict) else None
        if member is not None:
            yield from _check(member, value[key], f"{path}.{key}")


def _required(node: Node, value: dict[str, Any], path: str) -> Iterator[Cause]:
    for key in node.get("required", ()):
        if key not in value:
            yield Cause("FieldValueRequired", "Required value", f"{path}.{key}" if path else key)


def _limits(value: Any, path: str, node: Node, least: str, most: str) -> Iterator[Cause]:
    noun = "items" if least == "minItems" else "properties"
    if most in node and len(value) > node[most]:
        yield Cause("FieldValueTooMany", f"Too many: {len(value)}: must have at most {node[most]} items", path)
    if least in node and len(value) < node[least]:
        said = f"Invalid value: {len(value)}: {path} in body should have at least {node[least]} {noun}"
        yield Cause("FieldValueInvalid", said, path)


def _check_text(node: Node, value: str, path: str) -> Iterator[Cause]:
    shown = fieldsets.shown(value)
    if len(value) > node.get("maxLength", len(value)):
        yield Cause("FieldValueTooLong", f"Too long: may not be more than {node['maxLength']} bytes", path)
    if len(value) < node.get("minLength", 0):
        said = f"Invalid value: {shown}: {path} in body should be at least {node['minLength']} chars long"
        yield Cause("FieldValueInvalid", said, path)
    if "pattern" in node and not re.search(node["pattern"], value):
        yield Cause("FieldValueInvalid", f"Invalid value: {shown}: {path} in body should match '{node['pattern']}'", path)
    if node.get("format") == "date-time" and not _is_time(value):
        said = f"Invalid value: {shown}: {path} in body must be of type date-time: {shown}"
        yield Cause("FieldValueTypeInvalid", said, path)


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _check_number(node: Node, value: float, path: str) -> Iterator[Cause]:
    low, high = node.get("minimum"), node.get("maximum")
    said = ""
    if low is not None and (value < low or (value == low and node.get("exclusiveMinimum"))):
        said = f"should be greater than {'' if node.get('exclusiveMinimum') else 'or equal to '}{low}"
    elif high is not None and (value > high or (value == high and node.get("exclusiveMaximum"))):
        said = f"should be less than {'' if node.get('exclusiveMaximum') else 'or equal to '}{high}"
    elif node.get("multipleOf") and value % node["multipleOf"]:
        said = f"should be a multiple of {node['multipleOf']}"
    if said:
        yield Cause("FieldValueInvalid", f"Invalid value: {value}: {path} in body {said}", path)


def _combined(type: Type, value: Any, path: str) -> Iterator[Cause]:
    """allOf, anyOf, oneOf and not."""
    node = type.node
    inner = {key: [types.of(type.schemas, one) for one in node.get(key, ())] for key in ("allOf", "anyOf", "oneOf")}
    for one in inner["allOf"]:
        yield from _check(one, value, path)
    shown = fieldsets.shown(value)
    if inner["anyOf"] and not any(not list(_check(one, value, path)) for one in inner["anyOf"]):
        yield Cause("FieldValueInvalid", f'Invalid value: {shown}: "{path}" must validate at least one schema (anyOf)', path)
    if inner["oneOf"] and sum(not list(_check(one, value, path)) for one in inner["oneOf"]) != 1:
        said = f'Invalid value: {shown}: "{path}" must validate one and only one schema (oneOf)'
        yield Cause("FieldValueInvalid", said, path)
    if "not" in node and not list(_check(types.of(type.schemas, node["not"]), value, path)):
        yield Cause("FieldValueInvalid", f'Invalid value: {shown}: "{path}" must not validate the schema (not)', path)


def _duplicates(type: Type, value: Any, path: str) -> Iterator[Cause]:
    """Lists that are sets or keyed hold nothing twice."""
    if isinstance(value, dict):
        for key in sorted(value):
            if (member := type.member(key)) is not None:
                yield from _duplicates(member, value[key], f"{path}.{key}")
    if not isinstance(value, list):
        return
    seen = set()
    for at, item in enumerate(value):
        if type.form in (types.KEYED, types.SET):
            key = merging.key_of(type, item)
            if key in seen:
                yield Cause("FieldValueDuplicate", f"Duplicate value: {key[2:]}", f"{path}[{at}]")
            seen.add(key)
        if type.form in (types.KEYED, types.ATOMIC_LIST):
            yield from _duplicates(type.item, item, f"{path}[{at}]")
