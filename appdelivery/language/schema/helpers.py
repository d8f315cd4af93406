"""What a generated parameter check may call, and nothing else (language.md 7.3).

`NAMESPACE` is the whole world of the generated code: no builtins but the few types named here.  The arithmetic is
jsonschema's (1.0 is an integer, true is no number), because both must accept the same values; `explain` uses the same
helpers where jsonschema would be slow or fall.  A text that still holds an expression passes everywhere: it is
checked again when it is resolved.  A Secret passes where text passes, and nobody looks inside.
"""

from __future__ import annotations

import _operator  # built in; `operator` around it is a file to load

from appdelivery.language import secrets
from appdelivery.model.secret import Secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, NoReturn

    Check = Callable[[Any], Any]

PATTERN_MEMORY = 1 << 20
WIDEST = 1 << 63  # integers have 64 bits; a wider whole float stays a float


class Refusal(Exception):
    """The value is not valid.  Carries nothing: `explain.findings` says why."""


class Table(dict[str, "Any"]):
    """What belongs to each named property, usually its check; every other name gets `rest`."""

    __slots__ = ("rest",)

    def __init__(self, named: dict[str, Any], rest: Any) -> None:
        super().__init__(named)
        self.rest = rest

    def __missing__(self, name: str) -> Any:
        return self.rest


def late(value: Any) -> bool:
    """Whether a value holds an expression and is therefore checked after it was resolved."""
    return type(value) is str and ("${{" in value or "${%" in value)


def refuse(_: Any) -> NoReturn:
    raise Refusal


def anything(value: Any) -> Any:
    return value


def other(value: Any) -> Any:
    """A value of no type that the schema takes: only an expression may stand there."""
    if late(value):
        return value
    raise Refusal


def text(value: Any) -> Any:
    """The same where the schema takes text."""
    if type(value) is Secret:
        return value
    raise Refusal


def string(value: Any) -> Any:
    return value if type(value) is str else text(value)


def boolean(value: Any) -> Any:
    return value if value is True or value is False else other(value)


def number(value: Any) -> Any:
    return value if type(value) is int or type(value) is float else other(value)


def integer(value: Any) -> Any:
    return value if type(value) is int else whole(value) if type(value) is float else other(value)


def whole(value: float) -> int | float:
    """A float that is an integer, as one."""
    if not value.is_integer():
        raise Refusal
    return int(value) if -WIDEST <= value < WIDEST else value


def hidden(check: Check) -> Check:
    """A secret parameter: text becomes a Secret, a named one a Spelling."""

    def secret(value: Any) -> Any:
        if type(value) is Secret or type(value) is secrets.Spelling:
            return value
        if type(value) is dict:
            try:
                return secrets.read(value)
            except ValueError:
                raise Refusal from None
        value = check(value)
        return Secret(value) if type(value) is str and not late(value) else value

    return secret


def texts(*known: str) -> Check:
    allowed = frozenset(known)

    def check(value: Any) -> Any:
        if type(value) is str and (value in allowed or late(value)):
            return value
        return text(value)

    return check


def numbers(least: float | None, most: float | None, *, whole_only: bool) -> Check:
    low, high = float("-inf") if least is None else least, float("inf") if most is None else most

    def check(value: Any) -> Any:
        if type(value) is float:
            value = whole(value) if whole_only else value
        elif type(value) is not int:
            return other(value)
        if value < low or value > high:
            raise Refusal
        return value

    return check


PLAIN: dict[Check, type] = {string: str, integer: int, boolean: bool}  # checks that take every value of a type as it is


def same(values: Iterable[Any], others: Iterable[Any]) -> bool:
    """Whether these are the same objects, not only equal ones."""
    return all(map(_operator.is_, values, others))


def each(item: Check) -> Check:
    """A list, every item checked.  A value that gains nothing is not copied."""
    plain = frozenset((PLAIN[item],)) if item in PLAIN else frozenset()

    def check(value: Any) -> Any:
        if type(value) is not list:
            return other(value)
        if plain and plain.issuperset(map(type, value)):
            return value
        new = [*map(item, value)]
        return value if same(value, new) else new

    return check


class Kinds(dict[str, "type | None"]):
    """Type of each named property whose check takes every value of it, None for others; no other name may stand."""

    __slots__ = ()

    def __missing__(self, name: str) -> NoReturn:
        raise Refusal


def fields(named: dict[str, Check], rest: Check, required: tuple[str, ...], fills: tuple[tuple[str, Any], ...]) -> Check:
    """An object: every name to its check, then the defaults of those that are absent.  A value that gains nothing is
    not copied."""
    if not named and not fills:
        return entries(rest, required)
    kinds: dict[str, Any] = Kinds({name: PLAIN.get(check) for name, check in named.items()})
    checks: dict[str, Check] = named
    if rest is not refuse:
        kinds, checks = Table(kinds, PLAIN.get(rest)), Table(named, rest)
    defaults = dict(fills)

    def check(value: Any) -> Any:
        if type(value) is not dict:
            return other(value)
        for name in required:
            if name not in value:
                raise Refusal
        out = {**value, **defaults, **value} if defaults else value
        for name, item in value.items():
            if type(item) is not kinds[name]:  # most values are plain texts
                new = checks[name](item)
                if new is not item:
                    if out is value:
                        out = value.copy()
                    out[name] = new
        return out

    return check


def entries(item: Check, required: tuple[str, ...]) -> Check:
    """A map of any names."""
    plain = frozenset((PLAIN[item],)) if item in PLAIN else frozenset()

    def check(value: Any) -> Any:
        if type(value) is not dict:
            return other(value)
        if required and any(name not in value for name in required):
            raise Refusal
        if plain and plain.issuperset(map(type, value.values())):
            return value
        new = [*map(item, value.values())]
        return value if same(value.values(), new) else dict(zip(value, new, strict=True))

    return check


def key(value: Any) -> Any:
    """Equal exactly where JSON Schema calls two values equal: 1 and 1.0 are, 1 and true are not."""
    kind = type(value)
    if kind is dict:
        return "{", frozenset([(name, key(item)) for name, item in value.items()])
    if kind is list:
        return "[", tuple([key(item) for item in value])
    return ("?", value) if kind is bool else value


def keys(values: Iterable[Any]) -> frozenset[Any]:
    return frozenset(map(key, values))


def among(value: Any, known: frozenset[Any]) -> bool:
    return type(value) is Secret or key(value) in known


def unique(values: list[Any]) -> bool:
    return len(set(map(key, values))) == len(values)


def multiple(value: float, of: float) -> bool:
    """As jsonschema computes it; infinities and NaN are multiples of nothing."""
    if type(value) is float and value - value != 0:
        return False
    if type(of) is int:
        return not value % of
    try:
        quotient = value / of
        return int(quotient) == quotient
    except OverflowError:
        from fractions import Fraction

        return (Fraction(value) / Fraction(of)).denominator == 1


def compiled(source: str) -> Any:
    """A pattern for re2; re2.error when it is none.  The only place that compiles patterns of users."""
    import re2

    options = re2.Options()
    options.max_mem = PATTERN_MEMORY
    options.log_errors = False
    return re2.compile(source, options=options)


def pattern(source: str) -> Callable[[str], bool]:
    """Whether a text matches; re2 is loaded when the first text comes."""
    made: list[Any] = []

    def matches(value: str) -> bool:
        if not made:
            made.append(compiled(source))
        return made[0].search(value) is not None

    return matches


def holds(check: Check, value: Any) -> bool:
    try:
        check(value)
    except Refusal:
        return False
    return True


def first(checks: tuple[Check, ...], value: Any) -> Any:
    """anyOf: as the first alternative that takes the value fills it."""
    for check in checks:
        try:
            return check(value)
        except Refusal:
            continue
    raise Refusal


def names(*given: str) -> frozenset[str]:
    return frozenset(given)


def single(choices: tuple[tuple[Any, frozenset[str], Check], ...], value: Any) -> Any:
    """oneOf: as the only alternative that takes the value fills it.  choices: types, names that must be there, check."""
    kind = type(value)
    found = nothing = Refusal
    for kinds, required, check in choices:
        if kinds is not None and (kind not in kinds or (kind is dict and not value.keys() >= required)):
            continue
        try:
            taken = check(value)
        except Refusal:
            continue
        if found is not nothing:
            raise Refusal
        found = taken
    if found is nothing:
        raise Refusal
    return found


def alternatives(*choices: tuple[Any, frozenset[str], Check]) -> Check:
    """oneOf by itself; what only one alternative can be is not tried on the others."""
    kinds = {kind for given, _, _ in choices for kind in given or ()}
    fitting = {kind: tuple([one for one in choices if one[0] is None or kind in one[0]]) for kind in kinds}
    others = tuple([one for one in choices if one[0] is None])

    def check(value: Any) -> Any:
        kind = type(value)
        if kind is str and late(value):
            return value
        possible = fitting.get(kind, others)
        if len(possible) == 1:
            return possible[0][2](value)
        return single(possible, value)

    return check


def join(value: Any, more: Any) -> Any:
    """One value filled by two schemas side by side: what either added or converted."""
    if value is more:
        return value
    if type(value) is dict and type(more) is dict:
        out = dict(value)
        for name, item in more.items():
            out[name] = join(out[name], item) if name in out else item
        return out
    if type(value) is list and type(more) is list and len(value) == len(more):
        return [join(one, two) for one, two in zip(value, more, strict=True)]
    converted = type(more) in (Secret, secrets.Spelling) or (type(more) is int and type(value) is float)
    return more if converted else value


NAMESPACE: dict[str, Any] = {
    "__builtins__": {},
    **{kind.__name__: kind for kind in (str, int, float, bool, dict, list, type)},
    "len": len,
    "items": dict.items,
    "Null": type(None),
    "Secret": Secret,
    **{
        helper.__name__: helper
        for helper in (
            Refusal, Table, late, refuse, anything, other, text, string, boolean, number, integer, whole, hidden, texts,
            numbers, each, fields, keys, among, unique, multiple, pattern, holds, first, names, single, alternatives, join,
        )
    },
}  # fmt: skip
