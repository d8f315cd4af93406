"""What the compiler knows about a value before it exists: its kinds, whether it may be null, its members.

Shapes come from the closed schema of the parameters, from literals, and from trees that `let` builds.  They turn a
misspelt path into a compile error, and decide between a plain subscript (surely there), a lookup (declared optional)
and a checked access (open map).  A shape never promises too much: when in doubt it is ANY.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

JSON_KINDS = {
    "object": "map",
    "array": "list",
    "integer": "number",
    "number": "number",
    "string": "string",
    "boolean": "boolean",
}
BRANCHES = ("oneOf", "anyOf", "allOf")
CLOSED = object()  # `rest` of a map that has no other members


class Shape:
    """kinds: None = any.  fields: declared members, each as alternatives (shapes or schemas); present: surely there.
    rest: shape of other members, CLOSED = none.  item: of a list; pair: of a list of [key, value]."""

    __slots__ = ("fields", "item", "kinds", "null", "pair", "present", "rest", "secret")

    def __init__(
        self,
        kinds: frozenset[str] | None = None,
        *,
        null: bool = True,
        fields: dict[str, tuple[Any, ...]] | None = None,
        present: frozenset[str] = frozenset(),
        rest: Any = None,
        item: Shape | None = None,
        pair: tuple[Shape, Shape] | None = None,
        secret: bool = False,
    ) -> None:
        self.kinds = kinds
        self.null = null
        self.fields = fields if fields is not None else {}
        self.present = present
        self.rest = rest
        self.item = item
        self.pair = pair
        self.secret = secret

    def may_be(self, kind: str) -> bool:
        return self.kinds is None or kind in self.kinds

    def only(self, kind: str) -> bool:
        return not self.null and self.kinds == frozenset((kind,)) and not self.secret


ANY = Shape()
SURE = Shape(null=False)  # anything but null
NULL = Shape(frozenset())
NEVER = Shape(frozenset(), null=False)  # an element of []
STRING = Shape(frozenset({"string"}), null=False)
WRITTEN = Shape(frozenset({"string"}), null=False)  # the text itself stands in the definition: never a secret
NUMBER = Shape(frozenset({"number"}), null=False)
BOOLEAN = Shape(frozenset({"boolean"}), null=False)
MAYBE_NUMBER = Shape(frozenset({"number"}))
MAYBE_STRING = Shape(frozenset({"string"}))
LIST = frozenset({"list"})
MAP = frozenset({"map"})


def list_of(item: Shape, pair: tuple[Shape, Shape] | None = None) -> Shape:
    return Shape(LIST, null=False, item=item, pair=pair)


def map_of(fields: dict[str, tuple[Any, ...]], present: Iterable[str], rest: Any = CLOSED) -> Shape:
    return Shape(MAP, null=False, fields=fields, present=frozenset(present), rest=rest)


def open_map(value: Shape = ANY, *, null: bool = False) -> Shape:
    return Shape(MAP, null=null, rest=value)


STRINGS = list_of(STRING)
NUMBERS = list_of(NUMBER)
ANY_LIST = list_of(ANY)
ANY_MAP = open_map()


def named(*names: str) -> Shape:
    """A closed map of which only the names are known."""
    return map_of(dict.fromkeys(names, (ANY,)), ())


def of_constant(value: object) -> Shape:
    if value is None:
        return NULL
    if isinstance(value, bool):
        return BOOLEAN
    return STRING if isinstance(value, str) else NUMBER


# --- from schemas ---


def of(schema: Any) -> Shape:
    """The shape of what a closed schema accepts, defaults filled in."""
    if not isinstance(schema, dict) or not schema:
        return ANY
    branches = _branches(schema)
    kinds, null = _kinds(schema)
    fields: dict[str, tuple[Any, ...]] = {}
    for part in (schema, *branches):
        for name, value in part.get("properties", {}).items():
            vague = value is True or value == {}
            if name not in fields or fields[name] == ({},):
                fields[name] = ({} if vague else value,)
            elif not vague and value not in fields[name]:
                fields[name] = (*fields[name], value)
    return Shape(
        kinds,
        null=null,
        fields=fields,
        present=_present(schema),
        rest=_rest(schema, branches),
        item=of(schema["items"]) if "items" in schema else None,
        secret=bool(schema.get("x-secret")),
    )


def _branches(schema: dict[str, Any]) -> list[dict[str, Any]]:
    direct = [b for key in BRANCHES for b in schema.get(key, ())] + [schema[k] for k in ("then", "else") if k in schema]
    found = []
    for branch in direct:
        if isinstance(branch, dict):
            found += [branch, *_branches(branch)]
    return found


def _kinds(schema: dict[str, Any]) -> tuple[frozenset[str] | None, bool]:
    if "type" in schema:
        types = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
        kinds = frozenset([JSON_KINDS[t] for t in types if t in JSON_KINDS])
        null = "null" in types and None in schema.get("enum", [None])
        return kinds, null
    if "const" in schema or "enum" in schema:
        values = schema.get("enum", [schema.get("const")])
        return frozenset([k for value in values for k in _kind(value)]), None in values
    if "properties" in schema:
        return MAP, False
    for key in ("oneOf", "anyOf"):
        if schema.get(key):
            each = [_kinds(b) if isinstance(b, dict) else (None, True) for b in schema[key]]
            known = [k for k, _ in each if k is not None]
            union: frozenset[str] = frozenset().union(*known)
            return (union if len(known) == len(each) else None), any(null for _, null in each)
    return None, True


def _kind(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    return (
        ("map",)
        if isinstance(value, dict)
        else ("list",)
        if isinstance(value, list)
        else tuple(of_constant(value).kinds or ())
    )


def _present(schema: dict[str, Any]) -> frozenset[str]:
    sure = set(schema.get("required", ()))
    sure |= {k for k, v in schema.get("properties", {}).items() if isinstance(v, dict) and "default" in v}
    for branch in schema.get("allOf", ()):
        if isinstance(branch, dict):
            sure |= _present(branch)
    return frozenset(sure)


def _rest(schema: dict[str, Any], branches: list[dict[str, Any]]) -> Any:
    if "additionalProperties" in schema:
        other = schema["additionalProperties"]
        return CLOSED if other is False else of(other)
    if "properties" in schema:
        return ANY
    spoken = [_rest(b, []) for b in branches if "properties" in b or "additionalProperties" in b]
    if not spoken or ANY in spoken:
        return ANY
    opened = [rest for rest in spoken if rest is not CLOSED]
    return CLOSED if not opened else opened[0] if len(opened) == 1 else ANY


# --- relations ---


def member(shape: Shape, name: str) -> tuple[Shape, bool] | None:
    """Shape of shape.name and whether it is surely there; None when no such member can exist."""
    if shape.kinds is not None and "map" not in shape.kinds and shape.kinds:
        return None
    alternatives = shape.fields.get(name)
    if alternatives is not None:
        found = NEVER
        for one in alternatives:
            found = either(found, one if isinstance(one, Shape) else of(one))
        return found, name in shape.present
    if shape.rest is CLOSED:
        return None
    return (ANY if shape.rest is None else shape.rest), False


def declared(shape: Shape, name: str) -> bool:
    return name in shape.fields


def element(shape: Shape) -> Shape:
    """What a loop over it yields."""
    if shape.kinds is None:
        return ANY
    if "map" in shape.kinds:
        return STRING if "list" not in shape.kinds else ANY
    return ANY if shape.item is None and "list" in shape.kinds else shape.item or NEVER


def entries(shape: Shape) -> Shape:
    """The values of a map."""
    if shape.kinds is None or shape.rest is None:
        return ANY
    found = NEVER
    for alternatives in shape.fields.values():
        for one in alternatives:
            found = either(found, one if isinstance(one, Shape) else of(one))
    return found if shape.rest is CLOSED else either(found, shape.rest)


def either(a: Shape, b: Shape) -> Shape:
    """One of the two."""
    if a is b or b is NEVER:
        return a
    if a is NEVER:
        return b
    if a is ANY or b is ANY:
        return ANY
    kinds = None if a.kinds is None or b.kinds is None else a.kinds | b.kinds
    fields, present, rest = _either_map(a, b)
    return Shape(
        kinds,
        null=a.null or b.null,
        fields=fields,
        present=present,
        rest=rest,
        item=_either_item(a, b),
        pair=_either_pair(a, b),
        secret=a.secret or b.secret,
    )


def _either_map(a: Shape, b: Shape) -> tuple[dict[str, tuple[Any, ...]], frozenset[str], Any]:
    if not b.may_be("map"):
        return a.fields, a.present, a.rest
    if not a.may_be("map"):
        return b.fields, b.present, b.rest
    if a.rest is CLOSED and b.rest is CLOSED:
        rest: Any = CLOSED
    elif a.rest is CLOSED or b.rest is CLOSED:
        rest = b.rest if a.rest is CLOSED else a.rest
    else:
        rest = a.rest if a.rest is b.rest else ANY
    fields = dict(a.fields)
    for name, alternatives in b.fields.items():
        mine = fields.get(name, ())
        fields[name] = mine + tuple([one for one in alternatives if not any(one is other for other in mine)])
    return fields, a.present & b.present, rest


def _either_item(a: Shape, b: Shape) -> Shape | None:
    if not b.may_be("list"):
        return a.item
    if not a.may_be("list"):
        return b.item
    return None if a.item is None or b.item is None else either(a.item, b.item)


def _either_pair(a: Shape, b: Shape) -> tuple[Shape, Shape] | None:
    if a.pair and b.pair:
        return either(a.pair[0], b.pair[0]), either(a.pair[1], b.pair[1])
    return None


def given(shape: Shape) -> Shape:
    """The same without null."""
    return changed(shape, null=False) if shape.null else shape


def written(shape: Shape, *names: str) -> bool:
    """Whether the value is a map in which these names surely stand, as texts of the definition."""
    if shape.kinds != MAP or not shape.present.issuperset(names):
        return False
    return all(one is WRITTEN for name in names for one in shape.fields[name])


def optional(shape: Shape) -> Shape:
    return shape if shape.null else changed(shape, null=True)


def partial(shape: Shape) -> Shape:
    """The same map with no member surely there (pick, omit)."""
    return changed(shape, null=False, present=frozenset())


def changed(shape: Shape, *, null: bool, present: frozenset[str] | None = None) -> Shape:
    return Shape(
        shape.kinds,
        null=null,
        fields=shape.fields,
        present=shape.present if present is None else present,
        rest=shape.rest,
        item=shape.item,
        pair=shape.pair,
        secret=shape.secret,
    )


def kind_word(shape: Shape) -> str:
    """a string or a number"""
    articles = {"string": "a string", "number": "a number", "boolean": "a boolean", "list": "a list", "map": "a map"}
    return " or ".join([articles[k] for k in sorted(shape.kinds or ())]) or "null"
