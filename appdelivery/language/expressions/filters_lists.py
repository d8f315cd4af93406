"""Filters and functions over lists and maps; null counts as empty.  Tables: `filters`."""

from __future__ import annotations

from appdelivery.language import budget
from appdelivery.language.expressions import inputs, operators
from appdelivery.language.problems import RenderError, word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from appdelivery.language.budget import Budget


def items(b: Budget, value: Any) -> list[Any]:
    return [[key, one] for key, one in inputs.mapped(b, "items", value).items()]


def keys(b: Budget, value: Any) -> list[Any]:
    return list(inputs.mapped(b, "keys", value))


def values(b: Budget, value: Any) -> list[Any]:
    return list(inputs.mapped(b, "values", value).values())


def sort(b: Budget, value: Any, by: Any = None) -> list[Any]:
    given = inputs.listed(b, "sort", value)
    keyed = given if by is None or not given else inputs.each_at(given, inputs.texted(b, "sort", by))
    numeric = all(operators.number(one) for one in keyed)
    if not numeric and not all(type(one) is str for one in keyed):
        kinds = " and ".join(sorted({word(one) for one in keyed}))
        raise RenderError("render.type", f"'sort' orders all numbers or all strings, not {kinds}")
    order = sorted(range(len(given)), key=keyed.__getitem__)
    return [given[index] for index in order]


def unique(b: Budget, value: Any, by: Any = None) -> list[Any]:
    given = inputs.listed(b, "unique", value)
    keyed = given if by is None or not given else inputs.each_at(given, inputs.texted(b, "unique", by))
    seen: set[Any] = set()
    out = []
    for one, key in zip(given, keyed, strict=True):
        identity = _identity(b, key)
        if identity not in seen:
            seen.add(identity)
            out.append(one)
    return out


def _identity(b: Budget, value: Any) -> Any:
    """Equal for equal JSON values, and hashable."""
    kind = type(value)
    if kind is list:
        budget.spend(b, len(value))
        return ("list", *[_identity(b, one) for one in value])
    if kind is dict:
        budget.spend(b, len(value))
        return ("map", *[(key, _identity(b, value[key])) for key in sorted(value)])
    if kind is bool:
        return ("bool", value)
    return value


def reverse(b: Budget, value: Any) -> list[Any]:
    return inputs.listed(b, "reverse", value)[::-1]


def where(b: Budget, value: Any, key: Any, wanted: Any) -> list[Any]:
    path = inputs.texted(b, "where", key)
    given = inputs.listed(b, "where", value)
    return [one for one, found in zip(given, inputs.each_at(given, path), strict=True) if operators.equal(b, found, wanted)]


def pluck(b: Budget, value: Any, key: Any) -> list[Any]:
    path = inputs.texted(b, "pluck", key)
    return inputs.each_at(inputs.listed(b, "pluck", value), path)


def flatten(b: Budget, value: Any) -> list[Any]:
    out: list[Any] = []
    for one in inputs.listed(b, "flatten", value):
        if type(one) is list:
            budget.spend(b, len(one))
            out += one
        else:
            out.append(one)
    return out


def first(_: Budget, value: Any) -> Any:
    return _ends("first", value, 0)


def last(_: Budget, value: Any) -> Any:
    return _ends("last", value, -1)


def _ends(name: str, value: Any, index: int) -> Any:
    if value is None:
        return None
    if type(value) not in (list, str):
        raise inputs.wrong(name, "a list", value)
    return value[index] if value else None


def length(_: Budget, value: Any) -> int:
    if value is None:
        return 0
    if type(value) not in (list, dict, str):
        raise inputs.wrong("length", "a list, a map or a string", value)
    return len(value)


def join(b: Budget, value: Any, sep: Any = "") -> str:
    parts = [operators.scalar(one) for one in inputs.listed(b, "join", value)]
    between = inputs.texted(b, "join", sep)
    budget.spend_text(b, sum([len(part) for part in parts]) + len(between) * max(len(parts) - 1, 0))
    return between.join(parts)


def _numbers(b: Budget, name: str, value: Any) -> list[Any]:
    given = inputs.listed(b, name, value)
    for one in given:
        if not operators.number(one):
            raise inputs.wrong(name, "a list of numbers", one)
    return given


def minimum(b: Budget, value: Any) -> Any:
    given = _numbers(b, "min", value)
    return min(given) if given else None


def maximum(b: Budget, value: Any) -> Any:
    given = _numbers(b, "max", value)
    return max(given) if given else None


def total(b: Budget, value: Any) -> Any:
    out: Any = 0
    for one in _numbers(b, "sum", value):
        out = operators.checked(out + one)
    return out


def rounded(_: Budget, value: Any, n: Any = 0) -> Any:
    if not operators.number(value):
        raise inputs.wrong("round", "a number", value)
    digits = inputs.whole("round", n, -15, 15)
    return operators.checked(round(value) if digits == 0 else round(value, digits))


def merge(b: Budget, value: Any, other: Any) -> dict[str, Any]:
    """Deep merge: right wins, lists replace, null removes."""
    left, right = inputs.mapped(b, "merge", value), inputs.mapped(b, "merge", other)
    out = dict(left)
    for key, one in right.items():
        if one is None:
            out.pop(key, None)
        elif type(one) is dict:
            under = out.get(key)
            out[key] = merge(b, under if type(under) is dict else {}, one)
        else:
            out[key] = one
    return out


def pick(b: Budget, value: Any, *wanted: Any) -> dict[str, Any]:
    given = inputs.mapped(b, "pick", value)
    return {key: given[key] for key in wanted if inputs.texted(b, "pick", key) in given}


def omit(b: Budget, value: Any, *unwanted: Any) -> dict[str, Any]:
    gone = {inputs.texted(b, "omit", key) for key in unwanted}
    return {key: one for key, one in inputs.mapped(b, "omit", value).items() if key not in gone}


def range_list(b: Budget, start: Any, stop: Any = None, step: Any = 1) -> list[int]:
    if stop is None:
        start, stop = 0, start
    wide = operators.LARGEST
    low, high, by = (inputs.whole("range", one, -wide, wide) for one in (start, stop, step))
    if by == 0:
        raise RenderError("render.type", "'range' needs a step other than 0")
    numbers = range(low, high, by)
    count = max(0, -((low - high) // by)) if by > 0 else max(0, -((high - low) // -by))
    budget.spend(b, inputs.fits(count))
    return list(numbers)


def enumerated(b: Budget, value: Any) -> list[Any]:
    return [[index, one] for index, one in enumerate(inputs.listed(b, "enumerate", value))]
