"""The dialect of parameter schemas: which keywords exist and what each takes (language.md 7.1).

`findings` walks the schema as written, before anything else looks at it, and refuses what it does not know: no
keyword, reference or pattern reaches the closing, the generator or jsonschema unseen.  Called by `closing`.
"""

from __future__ import annotations

from appdelivery.language.schema import Finding, helpers
from appdelivery.model import circles, suggest, wording

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from appdelivery.model.problem import Path

DEPTH = 32
PATTERN = 1_000
ENUM = 1_000
CODE = "definition.schema"
TYPES = ("string", "integer", "number", "boolean", "object", "array", "null")
REF = "#/types/"

ONE = ("items", "propertyNames", "not", "if", "then", "else")  # keywords that hold a schema; additionalProperties may
MANY = ("oneOf", "anyOf", "allOf")

INSTEAD = {
    "patternProperties": "use additionalProperties with propertyNames",
    "$defs": "use the section types and $ref: '#/types/NAME'",
    "definitions": "use the section types and $ref: '#/types/NAME'",
    "nullable": "use type: [string, 'null']",
    "prefixItems": "use items: one schema for every item",
    "contains": "use a check with an expression",
    "dependentRequired": "use if, then and required",
    "dependentSchemas": "use if and then",
    "unevaluatedProperties": "objects are closed anyway",
    "$schema": "leave it out: the dialect is fixed",
    "$id": "leave it out",
    "$comment": "use a YAML comment",
}


def findings(parameters: Any, types: Any) -> list[Finding]:
    """Everything in the two sections that is not of the dialect."""
    walk = _Walk(types if isinstance(types, dict) else {})
    walk.schema(parameters, ("parameters",), 1)
    if not isinstance(types, dict):
        walk.refuse(("types",), "expected a map from name to schema")
    for name, schema in walk.types.items():
        walk.schema(schema, ("types", name), 1)
    if not walk.found:
        walk.circles()
    return walk.found


class _Walk:
    def __init__(self, types: dict[str, Any]) -> None:
        self.types = types
        self.found: list[Finding] = []
        self.uses: dict[str, set[str]] = {}  # type name to the types it refers to

    def refuse(self, path: Path, message: str, hint: str = "", *, at_key: bool = False) -> None:
        self.found.append(Finding(path, CODE, message, hint, at_key))

    def schema(self, schema: Any, path: Path, depth: int) -> None:
        if not isinstance(schema, dict):
            hint = "write {} for a schema that takes everything" if isinstance(schema, bool) else ""
            self.refuse(path, f"expected a schema, got {wording.kind(schema)}", hint)
            return
        if not all(isinstance(name, str) for name in (*schema, *_named(schema))):
            self.refuse(path, "keywords and names of properties are text")
            return
        if depth > DEPTH:
            self.refuse(path, f"schemas nest deeper than {DEPTH}")
            return
        for keyword, value in schema.items():
            place = (*path, keyword)
            if keyword == "properties":
                self.properties(value, place, depth)
            elif keyword in ONE or (keyword == "additionalProperties" and not isinstance(value, bool)):
                self.schema(value, place, depth + 1)
            elif keyword in MANY:
                self.many(value, place, depth)
            elif keyword == "$ref":
                self.reference(value, place)
            elif keyword in VALUES:
                if wrong := VALUES[keyword](value):
                    self.refuse(place, f"{keyword}: {wrong}")
            elif keyword != "additionalProperties":
                self.unknown(keyword, place)
        for keyword in ("then", "else"):
            if keyword in schema and "if" not in schema:
                self.refuse((*path, keyword), f"'{keyword}' without 'if'", at_key=True)

    def properties(self, value: Any, path: Path, depth: int) -> None:
        if not isinstance(value, dict):
            self.refuse(path, f"properties: expected a map from name to schema, got {wording.kind(value)}")
            return
        for name, schema in value.items():
            self.schema(schema, (*path, name), depth + 1)

    def many(self, value: Any, path: Path, depth: int) -> None:
        if not isinstance(value, list) or not value:
            self.refuse(path, f"{path[-1]}: expected a list of schemas")
            return
        for index, schema in enumerate(value):
            self.schema(schema, (*path, index), depth + 1)

    def reference(self, value: Any, path: Path) -> None:
        if not isinstance(value, str) or not value.startswith(REF):
            self.refuse(
                path, f"$ref: expected '{REF}NAME', got {wording.kind(value)}", "schemas are never read from elsewhere"
            )
            return
        name = value[len(REF) :]
        if name not in self.types:
            self.refuse(path, f"unknown type '{name}'{suggest.meant(name, self.types)}", suggest.listed(self.types))
        elif path[0] == "types":
            self.uses.setdefault(str(path[1]), set()).add(name)

    def unknown(self, keyword: str, path: Path) -> None:
        instead = INSTEAD.get(keyword, "")
        meant = suggest.meant(keyword, [*VALUES, *ONE, *MANY, "properties", "additionalProperties", "$ref"])
        hint = f"; {instead}" if instead else meant
        self.refuse(path, f"keyword '{keyword}' is not supported{hint}", at_key=True)

    def circles(self) -> None:
        """Types that contain themselves would inline for ever."""
        if circle := circles.find({name: sorted(used) for name, used in self.uses.items()}):
            self.refuse(("types", circle[0]), f"types refer to each other in a circle: {' -> '.join(circle)}")


def _named(schema: dict[str, Any]) -> dict[str, Any]:
    properties = schema.get("properties")
    return properties if isinstance(properties, dict) else {}


def _is_number(value: Any) -> bool:
    return (type(value) is int and -(1 << 63) <= value < 1 << 64) or (type(value) is float and value - value == 0)


def _is_json(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(name, str) and _is_json(item) for name, item in value.items())
    if isinstance(value, list):
        return all(map(_is_json, value))
    return value is None or isinstance(value, (str, bool)) or _is_number(value)


def _type(value: Any) -> str:
    named = value if isinstance(value, list) else [value]
    for name in named:
        if name not in TYPES:
            meant = suggest.meant(name, TYPES) if isinstance(name, str) else ""
            return f"unknown type {wording.shown(name)}{meant or '; types: ' + ', '.join(TYPES)}"
    return "" if named and len(set(named)) == len(named) else "expected a list of different types"


def _names(value: Any) -> str:
    good = isinstance(value, list) and all(isinstance(name, str) for name in value) and len(set(value)) == len(value)
    return "" if good else "expected a list of different names"


def _enum(value: Any) -> str:
    if not isinstance(value, list) or not value:
        return "expected a list of values"
    return f"more than {ENUM} values" if len(value) > ENUM else _json(value)


def _json(value: Any) -> str:
    return "" if _is_json(value) else "expected JSON: no infinities, no integers beyond 64 bits"


def _pattern(value: Any) -> str:
    if not isinstance(value, str):
        return "expected a regular expression"
    if len(value) > PATTERN:
        return f"longer than {PATTERN} characters"
    import re2

    try:
        helpers.compiled(value)
    except re2.error as error:
        return _why_no_pattern(value, error.args[0] if error.args else "")
    return ""


def _why_no_pattern(value: str, reason: Any) -> str:
    for sign, name in (("(?=", "look-ahead"), ("(?!", "look-ahead"), ("(?<=", "look-behind"), ("(?<!", "look-behind")):
        if sign in value:
            return f"{name} '{sign}' is not supported"
    text = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
    if text.startswith("invalid escape sequence"):
        return f"{text.partition(': ')[2]!r} is not supported (no back-references, no \\u escapes)"
    return f"not a regular expression of RE2: {text[:120]}"


def _kind(expected: str, test: Callable[[Any], bool]) -> Callable[[Any], str]:
    return lambda value: "" if test(value) else f"expected {expected}"


_text = _kind("text", lambda value: isinstance(value, str))
_flag = _kind("true or false", lambda value: isinstance(value, bool))
_number = _kind("a number", _is_number)
_count = _kind("a number from 0", lambda value: type(value) is int and 0 <= value < 1 << 63)

VALUES: dict[str, Callable[[Any], str]] = {
    "type": _type,
    "required": _names,
    "enum": _enum,
    "const": _json,
    "minimum": _number,
    "maximum": _number,
    "exclusiveMinimum": _number,
    "exclusiveMaximum": _number,
    "multipleOf": _kind("a number above 0", lambda value: _is_number(value) and value > 0),
    "minLength": _count,
    "maxLength": _count,
    "pattern": _pattern,
    "minItems": _count,
    "maxItems": _count,
    "uniqueItems": _flag,
    "minProperties": _count,
    "maxProperties": _count,
    "default": _json,
    "title": _text,
    "description": _text,
    "examples": _kind("a list of values", lambda value: isinstance(value, list) and _is_json(value)),
    "deprecated": _flag,
    "format": _text,
    "x-hidden": _flag,
    "x-secret": _flag,
    "x-deferred": _names,
    "x-order": _number,
    "x-widget": _text,
}
