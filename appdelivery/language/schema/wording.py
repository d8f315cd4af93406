"""The wording of refusals: one sentence per keyword of the dialect.  Called by `explain`."""

from __future__ import annotations

from appdelivery.language.schema import Finding
from appdelivery.model import suggest, wording

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from jsonschema import ValidationError

    from appdelivery.model.problem import Path

LISTED = 12  # values of an enum that a message lists
ARTICLES = {
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "object": "a map",
    "array": "a list",
    "null": "null",
}


def worded(path: Path, keyword: str, error: ValidationError) -> Finding:
    value: Any = error.instance
    limit: Any = error.validator_value
    code = f"parameters.{keyword}"
    if keyword == "type":
        return wrong_type(path, code, limit, value)
    if keyword in ("enum", "const"):
        return _not_one_of(path, code, limit if keyword == "enum" else [limit], value)
    if keyword == "x-secret":
        return Finding(path, code, error.message)
    sentence = SENTENCES.get(keyword)
    return Finding(path, code, sentence(value, limit) if sentence else f"{wording.shown(value)} does not fit {keyword}")


def wrong_name(path: Path, inner: Finding) -> Finding:
    """A name of a map that the schema of its names refuses; inner: what is wrong with it."""
    return Finding(path, "parameters.propertyNames", f"the name {inner.message}", inner.hint, at_key=True)


SENTENCES: dict[str, Callable[[Any, Any], str]] = {
    "minimum": lambda value, limit: f"{wording.shown(value)} is less than the minimum of {limit}",
    "maximum": lambda value, limit: f"{wording.shown(value)} is greater than the maximum of {limit}",
    "exclusiveMinimum": lambda value, limit: f"{wording.shown(value)} is not greater than {limit}",
    "exclusiveMaximum": lambda value, limit: f"{wording.shown(value)} is not less than {limit}",
    "multipleOf": lambda value, limit: f"{wording.shown(value)} is not a multiple of {limit}",
    "minLength": lambda value, limit: f"{wording.shown(value)} is shorter than {wording.count(limit, 'character')}",
    "maxLength": lambda value, limit: f"{wording.shown(value)} is longer than {wording.count(limit, 'character')}",
    "pattern": lambda value, limit: f"{wording.shown(value)} does not match the pattern {limit}",
    "minItems": lambda value, limit: f"the list has {wording.count(len(value), 'item')}, at least {limit} must be given",
    "maxItems": lambda value, limit: f"the list has {wording.count(len(value), 'item')}, at most {limit} are allowed",
    "uniqueItems": lambda value, _: f"{_twice(value)} stands twice in the list",
    "minProperties": lambda value, limit: (
        f"the map has {wording.count(len(value), 'entry')}, at least {limit} must be given"
    ),
    "maxProperties": lambda value, limit: f"the map has {wording.count(len(value), 'entry')}, at most {limit} are allowed",
    "not": lambda value, _: f"{wording.shown(value)} is one of the values that are not allowed here",
    "oneOf": lambda _, __: "more than one of the alternative forms fits; give only one",
}


def wrong_type(path: Path, code: str, wanted: Any, value: Any) -> Finding:
    names = wanted if isinstance(wanted, list) else [wanted]
    quotes = "string" in names and type(value) in (int, float, bool)
    bare = isinstance(value, str) and _reads_as(value, names)
    hint = wording.QUOTES if quotes else "write it without quotes" if bare else ""
    return Finding(path, code, f"expected {_either(names)}, got {wording.kind(value)}", hint)


def no_form(path: Path, keyword: str, error: ValidationError) -> Finding:
    """No alternative is of the value's type."""
    names: list[str] = []
    for inner in error.context or ():
        if inner.validator == "type" and not inner.relative_path:
            wanted: Any = inner.validator_value
            names += wanted if isinstance(wanted, list) else [wanted]
    return wrong_type(path, f"parameters.{keyword}", list(dict.fromkeys(names)), error.instance)


def strangers(value: Any, schema: Any) -> list[str]:
    known = schema.get("properties", {})
    return [name for name in value if name not in known]


def unknown(path: Path, value: Any, schema: Any) -> Iterator[Finding]:
    """One finding per name that a closed object does not know."""
    properties = schema.get("properties", {})
    shown_names = [name for name, item in properties.items() if not item.get("x-hidden")]
    for name in strangers(value, schema):
        message = f"unknown property '{name[:60]}'{suggest.meant(name, properties)}"
        yield Finding((*path, name), "parameters.unknown", message, suggest.listed(shown_names), at_key=True)


def missing(path: Path, error: ValidationError) -> Iterator[Finding]:
    """jsonschema reports one error per missing name; its message is the only place that says which."""
    wanted: Any = error.validator_value
    value: Any = error.instance
    absent = [name for name in wanted if name not in value]
    text = ", ".join(f"'{name}'" for name in absent)
    yield Finding(path, "parameters.required", f"missing {'property' if len(absent) == 1 else 'properties'} {text}")


def _not_one_of(path: Path, code: str, allowed: list[Any], value: Any) -> Finding:
    texts = [wording.shown(item) for item in allowed]
    listed = ", ".join(texts[:LISTED]) + (", ..." if len(texts) > LISTED else "")
    words = [item for item in allowed if isinstance(item, str)]
    near = suggest.nearest(value, words) if isinstance(value, str) else ""
    hint = f"did you mean '{near}'?" if near else wording.QUOTES if type(value) is not str and str(value) in words else ""
    return Finding(path, code, f"{wording.shown(value)} is not {'one of ' if len(texts) > 1 else ''}{listed}", hint)


def _either(names: list[str]) -> str:
    spoken = [ARTICLES[name] for name in names]
    return " or ".join([", ".join(spoken[:-1]), spoken[-1]] if len(spoken) > 1 else spoken)


def _twice(values: list[Any]) -> str:
    from appdelivery.language.schema import helpers

    seen: set[Any] = set()
    for value in values:
        if (key := helpers.key(value)) in seen:
            return wording.shown(value)
        seen.add(key)
    return "an item"


def _reads_as(text: str, names: list[str]) -> bool:
    """Whether a quoted text would be of one of the types without its quotes."""
    if "boolean" in names and text in ("true", "false"):
        return True
    digits = text.removeprefix("-")
    whole = digits.isascii() and digits.isdigit() and (digits == "0" or digits[0] != "0")
    return whole and bool({"integer", "number"} & set(names))
