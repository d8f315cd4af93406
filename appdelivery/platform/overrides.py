r"""--set, --set-string, --set-json, --set-file and --values: changes of component properties before anything is checked.

Paths have helm's grammar: `web.image=x`, `web.env[0].value=y`, `web.labels.app\.kubernetes\.io/name=z`, lists as
`{a,b}`, several separated by commas, `null` removes.  A value takes the type that the component's schema gives its path;
where the schema leaves it open, the type that YAML gives it.  A path that the schema does not know is refused.
"""

from __future__ import annotations

from appdelivery import errors
from appdelivery.language.text import yaml_in
from appdelivery.model import suggest
from appdelivery.model.record import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    Schemas = Callable[[str], dict[str, Any]]  # component type to its closed parameter schema

REMOVE = object()
LONGEST_LIST = 65_536
COMPOSED = ("oneOf", "anyOf", "allOf", "$ref", "patternProperties")


@record
class Change:
    """One flag as given: how is typed, string, json or tree (a --values file, already read)."""

    how: str
    text: str
    value: Any = None
    flag: str = "--set"


def apply(
    trees: list[tuple[str, int, Any]], changes: Sequence[Change], schemas: Schemas, *, lenient: bool = False
) -> list[tuple[str, int, Any]]:
    """Copies of the documents with the changes made; documents that no change names are shared."""
    for change in changes:
        if change.how == "tree":
            for component, properties in _values(change).items():
                trees = _in_component(trees, component, change, _merging(properties))
        else:
            for path, raw in _assignments(change):
                work = _setting(path[1:], raw, change, schemas, lenient=lenient)
                trees = _in_component(trees, str(path[0]), change, work)
    return trees


def _named(change: Change) -> str:
    """The flag and its paths without the values: one of them may be a secret, and messages go into logs."""
    if change.how == "tree":
        return f"{change.flag} {change.text}"
    pieces = _split(change.text, ",") if change.how in ("typed", "string") else [change.text]
    return f"{change.flag} {','.join([_partition(piece, '=')[0] for piece in pieces])}"[:200]


def _setting(steps: list[str | int], raw: Any, change: Change, schemas: Schemas, *, lenient: bool) -> Callable[[Any], Any]:
    def change_component(component: dict[str, Any]) -> dict[str, Any]:
        schema = schemas(str(component.get("type", "")))
        if not lenient:
            _must_be_known(schema, steps, change)
        value = _typed(raw, _schema_at(schema, steps)) if change.how == "typed" else raw
        properties = component.get("properties") or {}
        return {**component, "properties": _put(properties, steps, value, change)}

    return change_component


def _must_be_known(schema: dict[str, Any], steps: Sequence[str | int], change: Change) -> None:
    """Refused here and not by the check of the document, which could only point at a line that is not to blame."""
    for i, step in enumerate(steps):
        known = schema.get("properties") or {}
        closed = schema.get("additionalProperties") is False and not any(word in schema for word in COMPOSED)
        if isinstance(step, str) and closed and step not in known:
            raise errors.RequestError(
                f"{_named(change)}: unknown property '{step}'{suggest.meant(step, list(known))}",
                hint=f"known: {', '.join(known) or 'none'}",
                code="parameters.unknown",
            )
        schema = _schema_at(schema, steps[i : i + 1])


def _in_component(
    trees: list[tuple[str, int, Any]], name: str, change: Change, work: Callable[[Any], Any]
) -> list[tuple[str, int, Any]]:
    found, known = False, []
    out = []
    for file, index, tree in trees:
        components = (
            tree.get("spec", {}).get("components") if isinstance(tree, dict) and isinstance(tree.get("spec"), dict) else None
        )
        if isinstance(components, list) and any(isinstance(c, dict) and c.get("name") == name for c in components):
            found = True
            changed = [work(c) if isinstance(c, dict) and c.get("name") == name else c for c in components]
            tree = {**tree, "spec": {**tree["spec"], "components": changed}}
        known += [c["name"] for c in components or () if isinstance(c, dict) and isinstance(c.get("name"), str)]
        out.append((file, index, tree))
    if not found:
        near = suggest.nearest(name, known)
        raise errors.UsageError(
            f"{_named(change)}: there is no component '{name}'" + (f", did you mean '{near}'?" if near else ""),
            hint=f"components: {', '.join(known) or 'none'}",
        )
    return out


def _values(change: Change) -> dict[str, Any]:
    tree = change.value
    if not isinstance(tree, dict) or not all(isinstance(v, dict) for v in tree.values()):
        raise errors.UsageError(f"--values {change.text}: it must be a map from component names to properties")
    return tree


def _merging(properties: dict[str, Any]) -> Callable[[Any], Any]:
    from appdelivery.language import patch

    def change_component(component: dict[str, Any]) -> dict[str, Any]:
        return {**component, "properties": patch.merge(component.get("properties") or {}, properties)}

    return change_component


# --- helm's grammar ------------------------------------------------------------------------------------------------


def _assignments(change: Change) -> list[tuple[list[str | int], Any]]:
    if change.how in ("json", "file"):
        path, sign, rest = change.text.partition("=")
        if not sign:
            raise errors.UsageError(f"{_named(change)}: write COMPONENT.path=value")
        return [(_path(path, change), change.value if change.how == "file" else _json(rest, change))]
    found = []
    pieces = _split(change.text, ",")
    for piece in pieces[:-1] if len(pieces) > 1 and not pieces[-1] else pieces:  # a last comma is one too many
        path, sign, rest = _partition(piece, "=")
        if not sign:
            raise errors.UsageError(f"{_named(change)}: write COMPONENT.path=value")
        found.append((_path(path, change), _list(rest, change) if rest.startswith("{") else _unescape(rest)))
    return found


def _list(text: str, change: Change) -> list[str]:
    if not text.endswith("}") or text.endswith("\\}"):
        raise errors.UsageError(
            f"{_named(change)}: a list does not end with '}}'",
            hint="write {a,b}; a value that begins with a brace: \\{...",
        )
    return [_unescape(item) for item in _split(text[1:-1], ",")] if text != "{}" else []


def _json(text: str, change: Change) -> Any:
    """With the limits that every document has: depth, size, no NaN, no key twice."""
    try:
        read = yaml_in.load(text.encode(), "value.json")
    except errors.SpecError as error:
        raise errors.UsageError(f"{_named(change)}: {error.problems[0].message}") from None
    if len(read) != 1:
        raise errors.UsageError(f"{_named(change)}: not JSON: there is no value")
    return read[0]


def _split(text: str, separator: str) -> list[str]:
    """At separators that are neither escaped nor inside braces."""
    pieces, start, depth, i = [], 0, 0, 0
    while i < len(text):
        if text[i] == "\\":
            i += 1
        elif text[i] == "{":
            depth += 1
        elif text[i] == "}":
            depth -= 1
        elif text[i] == separator and depth <= 0:
            pieces.append(text[start:i])
            start = i + 1
        i += 1
    return [*pieces, text[start:]]


def _partition(text: str, at: str) -> tuple[str, str, str]:
    """As str.partition, but not at an escaped character."""
    i = 0
    while i < len(text):
        if text[i] == "\\":
            i += 1
        elif text[i] == at:
            return text[:i], at, text[i + 1 :]
        i += 1
    return text, "", ""


def _path(text: str, change: Change) -> list[str | int]:
    steps: list[str | int] = []
    for piece in _split(text, "."):
        name, bracket, rest = _partition(piece, "[")
        if name:
            steps.append(_unescape(name))
        while bracket:
            number, closed, after = rest.partition("]")
            if not closed or not number.isascii() or not number.isdigit() or int(number) > LONGEST_LIST:
                raise errors.UsageError(f"{_named(change)}: '[{number}{closed}' is not a list index")
            steps.append(int(number))
            between, bracket, rest = _partition(after, "[")
            if between:
                raise errors.UsageError(f"{_named(change)}: write a dot between ']' and '{between}'")
        if not piece:
            raise errors.UsageError(f"{_named(change)}: the path '{text}' has an empty name")
    if len(steps) < 2:
        raise errors.UsageError(f"{_named(change)}: write COMPONENT.path=value, such as web.image=example/web:2")
    return steps


def _unescape(text: str) -> str:
    out, i = [], 0
    while i < len(text):
        if text[i] == "\\" and i + 1 < len(text):
            i += 1
        out.append(text[i])
        i += 1
    return "".join(out)


def _schema_at(schema: dict[str, Any], steps: Sequence[str | int]) -> dict[str, Any]:
    for step in steps:
        if isinstance(step, int):
            schema = schema.get("items") or {}
        else:
            extra = schema.get("additionalProperties")
            schema = (schema.get("properties") or {}).get(step) or (extra if isinstance(extra, dict) else {})
    return schema


def _typed(raw: Any, schema: dict[str, Any]) -> Any:
    """Text as the schema wants it; where the schema leaves it open, as YAML reads it."""
    if isinstance(raw, list):
        return [_typed(item, schema.get("items") or {}) for item in raw]
    if raw in ("", "null"):
        return raw and REMOVE
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    if types == ["string"] or (not types and all(isinstance(v, str) for v in schema.get("enum", [0]))):
        return raw
    try:
        read = yaml_in.typed(raw)
    except OverflowError:  # too large for a number: text, as it stands there
        return raw
    return raw if "string" in types and not _is_one_of(read, types) else read


def _is_one_of(value: Any, types: Sequence[str]) -> bool:
    if isinstance(value, bool):
        return "boolean" in types
    names = {int: ("integer", "number"), float: ("number",), type(None): ("null",)}.get(type(value), ("string",))
    return any(name in types for name in names)


def _put(tree: Any, steps: Sequence[str | int], value: Any, change: Change) -> Any:
    """A copy with the value at the path; missing maps and the next list index are created."""
    step, rest = steps[0], steps[1:]
    if isinstance(step, int):
        items = list(tree) if isinstance(tree, list) else []
        if step > len(items):
            raise errors.UsageError(f"{_named(change)}: the list has {len(items)} entries, index {step} leaves a gap")
        items += [None] * (step + 1 - len(items))
        items[step] = _put(items[step], rest, value, change) if rest else value
        return [item for item in items if item is not REMOVE]
    entries = dict(tree) if isinstance(tree, dict) else {}
    entries[step] = _put(entries.get(step), rest, value, change) if rest else value
    return {name: item for name, item in entries.items() if item is not REMOVE}
