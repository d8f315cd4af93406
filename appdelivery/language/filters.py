"""Filters, functions, tests and methods of expressions: all there are.

Adding one needs: total (a result or a named error for every input), pure, bounded by its input, and a row in
language.md 6.2.  The first argument of each is the budget; the compiler checks names and numbers of arguments against
the tables at the end, so the functions only look at types.
"""

from __future__ import annotations

from appdelivery.language import runtime
from appdelivery.language.problems import RenderError, word
from appdelivery.model import names, quantity
from appdelivery.model.record import record
from appdelivery.model.secret import Secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from appdelivery.language.runtime import Budget


def _wrong(name: str, wanted: str, value: Any) -> RenderError:
    if value is None:
        return RenderError("render.null", f"'{name}' needs {wanted}, not null")
    return RenderError("render.type", f"'{name}' needs {wanted}, not {word(value)}")


def _list(b: Budget, name: str, value: Any) -> list[Any]:
    if value is None:
        return []
    if type(value) is not list:
        raise _wrong(name, "a list", value)
    runtime.spend(b, len(value))
    return value


def _map(b: Budget, name: str, value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if type(value) is not dict:
        raise _wrong(name, "a map", value)
    runtime.spend(b, len(value))
    return value


def _text(b: Budget, name: str, value: Any) -> str:
    if type(value) is not str:
        raise _wrong(name, "a string", value)
    if len(value) > 256:
        runtime.spend_text(b, len(value))
    return value


def _integer(name: str, value: Any, low: int, high: int) -> int:
    if type(value) is not int:
        raise _wrong(name, "an integer", value)
    if not low <= value <= high:
        raise RenderError("render.limit", f"'{name}' takes an integer from {low:,} to {high:,}, not {value:,}")
    return value


def _at(value: Any, path: str) -> Any:
    """The value at a dotted key, null where something is missing."""
    for key in path.split("."):
        value = value.get(key) if type(value) is dict else None
    return value


def _fits(length: int) -> int:
    if length > runtime.ITEMS:
        raise runtime.limit("items in one list", runtime.ITEMS, "loopItems")
    return length


# --- collections ---


def items(b: Budget, value: Any) -> list[Any]:
    return [[key, one] for key, one in _map(b, "items", value).items()]


def keys(b: Budget, value: Any) -> list[Any]:
    return list(_map(b, "keys", value))


def values(b: Budget, value: Any) -> list[Any]:
    return list(_map(b, "values", value).values())


def sort(b: Budget, value: Any, by: Any = None) -> list[Any]:
    given = _list(b, "sort", value)
    keyed = given if by is None else [_at(one, _text(b, "sort", by)) for one in given]
    numeric = all(runtime.number(one) for one in keyed)
    if not numeric and not all(type(one) is str for one in keyed):
        kinds = " and ".join(sorted({word(one) for one in keyed}))
        raise RenderError("render.type", f"'sort' orders all numbers or all strings, not {kinds}")
    order = sorted(range(len(given)), key=keyed.__getitem__)
    return [given[index] for index in order]


def unique(b: Budget, value: Any, by: Any = None) -> list[Any]:
    given = _list(b, "unique", value)
    seen: set[Any] = set()
    out = []
    for one in given:
        identity = _identity(b, one if by is None else _at(one, _text(b, "unique", by)))
        if identity not in seen:
            seen.add(identity)
            out.append(one)
    return out


def _identity(b: Budget, value: Any) -> Any:
    """Equal for equal JSON values, and hashable."""
    kind = type(value)
    if kind is list:
        runtime.spend(b, len(value))
        return ("list", *[_identity(b, one) for one in value])
    if kind is dict:
        runtime.spend(b, len(value))
        return ("map", *[(key, _identity(b, value[key])) for key in sorted(value)])
    if kind is bool:
        return ("bool", value)
    return value


def reverse(b: Budget, value: Any) -> list[Any]:
    return _list(b, "reverse", value)[::-1]


def where(b: Budget, value: Any, key: Any, wanted: Any) -> list[Any]:
    path = _text(b, "where", key)
    return [one for one in _list(b, "where", value) if runtime.equal(b, _at(one, path), wanted)]


def pluck(b: Budget, value: Any, key: Any) -> list[Any]:
    path = _text(b, "pluck", key)
    return [_at(one, path) for one in _list(b, "pluck", value)]


def flatten(b: Budget, value: Any) -> list[Any]:
    out: list[Any] = []
    for one in _list(b, "flatten", value):
        if type(one) is list:
            runtime.spend(b, len(one))
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
        raise _wrong(name, "a list", value)
    return value[index] if value else None


def length(_: Budget, value: Any) -> int:
    if value is None:
        return 0
    if type(value) not in (list, dict, str):
        raise _wrong("length", "a list, a map or a string", value)
    return len(value)


def join(b: Budget, value: Any, sep: Any = "") -> str:
    parts = [runtime.scalar(one) for one in _list(b, "join", value)]
    between = _text(b, "join", sep)
    runtime.spend_text(b, sum([len(part) for part in parts]) + len(between) * max(len(parts) - 1, 0))
    return between.join(parts)


def _numbers(b: Budget, name: str, value: Any) -> list[Any]:
    given = _list(b, name, value)
    for one in given:
        if not runtime.number(one):
            raise _wrong(name, "a list of numbers", one)
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
        out = runtime.checked(out + one)
    return out


def rounded(_: Budget, value: Any, n: Any = 0) -> Any:
    if not runtime.number(value):
        raise _wrong("round", "a number", value)
    digits = _integer("round", n, -15, 15)
    return runtime.checked(round(value) if digits == 0 else round(value, digits))


def merge(b: Budget, value: Any, other: Any) -> dict[str, Any]:
    """Deep merge: right wins, lists replace, null removes."""
    left, right = _map(b, "merge", value), _map(b, "merge", other)
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
    given = _map(b, "pick", value)
    return {key: given[key] for key in wanted if _text(b, "pick", key) in given}


def omit(b: Budget, value: Any, *unwanted: Any) -> dict[str, Any]:
    gone = {_text(b, "omit", key) for key in unwanted}
    return {key: one for key, one in _map(b, "omit", value).items() if key not in gone}


# --- text ---


def lower(b: Budget, value: Any) -> str:
    return _text(b, "lower", value).lower()


def upper(b: Budget, value: Any) -> str:
    return _text(b, "upper", value).upper()


def trim(b: Budget, value: Any) -> str:
    return _text(b, "trim", value).strip()


def replace(b: Budget, value: Any, old: Any, new: Any) -> str:
    given, old, new = _text(b, "replace", value), _text(b, "replace", old), _text(b, "replace", new)
    if not old:
        raise RenderError("render.type", "'replace' needs a text to look for, not ''")
    runtime.spend_text(b, len(given) + given.count(old) * max(len(new) - len(old), 0))
    return given.replace(old, new)


def split(b: Budget, value: Any, sep: Any) -> list[Any]:
    given, sep = _text(b, "split", value), _text(b, "split", sep)
    if not sep:
        raise RenderError("render.type", "'split' needs a text to split at, not ''")
    runtime.spend(b, _fits(given.count(sep) + 1))
    return given.split(sep)


def indent(b: Budget, value: Any, n: Any, first: Any = False) -> str:
    given = _text(b, "indent", value)
    blanks = " " * _integer("indent", n, 0, 1000)
    lines = given.split("\n")
    runtime.spend_text(b, len(given) + len(lines) * len(blanks))
    out = [blanks + one if one and (index or first) else one for index, one in enumerate(lines)]
    return "\n".join(out)


def integer(_: Budget, value: Any) -> int:
    if type(value) is str:
        clean = value.strip()
        digits = clean[1:] if clean[:1] in ("-", "+") else clean
        if len(clean) <= 20 and digits.isascii() and digits.isdigit():
            return runtime.checked(int(clean))  # type: ignore[no-any-return]
        raise RenderError("render.type", f"'{_shown(value)}' is not an integer")
    if not runtime.number(value):
        raise _wrong("int", "a number or a text with a number", value)
    return runtime.checked(int(value))  # type: ignore[no-any-return]


def decimal(_: Budget, value: Any) -> float:
    if type(value) is str:
        try:
            if len(value) <= 40 and "_" not in value:
                return runtime.checked(float(value))  # type: ignore[no-any-return]
        except ValueError:
            pass
        raise RenderError("render.type", f"'{_shown(value)}' is not a number")
    if not runtime.number(value):
        raise _wrong("float", "a number or a text with a number", value)
    return float(value)


def _shown(value: str) -> str:
    return value if len(value) <= 40 else value[:37] + "..."


def string(b: Budget, value: Any) -> str:
    return runtime.text(b, value)


def tojson(b: Budget, value: Any) -> str:
    import json

    runtime.spend_text(b, _measure(b, "tojson", value))
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def toyaml(b: Budget, value: Any) -> str:
    from appdelivery.language import yaml_out

    runtime.spend_text(b, _measure(b, "toyaml", value) * 2)
    return yaml_out.dump(value).removeprefix("---\n")


def _measure(b: Budget, name: str, value: Any) -> int:
    """About the length of a value as text, and whether it can be text; charges every node, for sub-trees are shared."""
    kind = type(value)
    if kind is str:
        return len(value) + 2
    if kind is dict:
        runtime.spend(b, len(value))
        return sum([len(key) + 4 + _measure(b, name, one) for key, one in value.items()]) + 2
    if kind is list:
        runtime.spend(b, len(value))
        return sum([1 + _measure(b, name, one) for one in value]) + 2
    if kind is Secret:
        raise RenderError("render.text", f"'{name}' would write a secret value into a text")
    return 8


def b64encode(b: Budget, value: Any) -> Any:
    if type(value) is Secret:
        return value.as_base64()
    import base64

    given = _text(b, "b64encode", value).encode()
    runtime.spend_text(b, len(given) * 4 // 3 + 4)
    return base64.b64encode(given).decode()


def b64decode(b: Budget, value: Any) -> str:
    import base64

    try:
        return base64.b64decode(_text(b, "b64decode", value), validate=True).decode()
    except ValueError:
        raise RenderError("render.type", f"'{_shown(value)}' is not base64 of UTF-8 text") from None


def sha256(b: Budget, value: Any) -> str:
    import hashlib

    return hashlib.sha256(_text(b, "sha256", value).encode()).hexdigest()


def dnsname(b: Budget, value: Any, n: Any = 63) -> str:
    return names.dnsname(_text(b, "dnsname", value), _integer("dnsname", n, 1, 253))


def quantity_number(_: Budget, value: Any) -> Any:
    try:
        return runtime.checked(quantity.number(value))
    except ValueError as wrong:
        raise RenderError("render.type", str(wrong)) from None


def _amount(name: str, value: Any) -> Any:
    if not runtime.number(value):
        raise _wrong(name, "a number", value)
    return runtime.checked(value)


def cpu(_: Budget, value: Any) -> str:
    return quantity.cpu(_amount("cpu", value))


def memory(_: Budget, value: Any) -> str:
    return quantity.memory(_amount("bytes", value))


# --- functions ---


def range_list(b: Budget, start: Any, stop: Any = None, step: Any = 1) -> list[int]:
    if stop is None:
        start, stop = 0, start
    wide = runtime.LARGEST
    low, high, by = (_integer("range", one, -wide, wide) for one in (start, stop, step))
    if by == 0:
        raise RenderError("render.type", "'range' needs a step other than 0")
    numbers = range(low, high, by)
    count = max(0, -((low - high) // by)) if by > 0 else max(0, -((high - low) // -by))
    runtime.spend(b, _fits(count))
    return list(numbers)


def enumerated(b: Budget, value: Any) -> list[Any]:
    return [[index, one] for index, one in enumerate(_list(b, "enumerate", value))]


# --- tests ---


def is_none(value: Any) -> bool:
    return value is None


def is_defined(value: Any) -> bool:
    return value is not None


def is_string(value: Any) -> bool:
    return type(value) is str or type(value) is Secret


def is_integer(value: Any) -> bool:
    return type(value) is int or (type(value) is float and value.is_integer())


def is_boolean(value: Any) -> bool:
    return type(value) is bool


def is_mapping(value: Any) -> bool:
    return type(value) is dict


def is_sequence(value: Any) -> bool:
    return type(value) is list


# --- methods ---


def strip(b: Budget, value: Any, characters: Any = None) -> str:
    given = _text(b, "strip", value)
    return given.strip() if characters is None else given.strip(_text(b, "strip", characters))


def startswith(b: Budget, value: Any, start: Any) -> bool:
    return _text(b, "startswith", value).startswith(_text(b, "startswith", start))


def endswith(b: Budget, value: Any, end: Any) -> bool:
    return _text(b, "endswith", value).endswith(_text(b, "endswith", end))


def get_key(_: Budget, value: Any, key: Any, default: Any = None) -> Any:
    if type(value) is not dict:
        raise (
            RenderError("render.null", "a null value is used as a map")
            if value is None
            else _wrong(".get()", "a map", value)
        )
    return value.get(key, default) if type(key) is str else default


@record
class Callee:
    """One row of the tables: the function, names of its arguments after the value, and how many of them must stand."""

    call: Callable[..., Any]
    arguments: tuple[str, ...] = ()
    required: int = 0
    gives: str = "any"  # string, number, boolean, list, map; or same, item, items, ...: see expressions.RESULTS
    many: bool = False  # the last argument may be repeated


FILTERS = {
    "items": Callee(items, gives="items"),
    "keys": Callee(keys, gives="keys"),
    "values": Callee(values, gives="values"),
    "sort": Callee(sort, ("by",), gives="same"),
    "unique": Callee(unique, ("by",), gives="same"),
    "reverse": Callee(reverse, gives="same"),
    "where": Callee(where, ("key", "value"), 2, gives="same"),
    "pluck": Callee(pluck, ("key",), 1, gives="pluck"),
    "flatten": Callee(flatten, gives="flatten"),
    "first": Callee(first, gives="item"),
    "last": Callee(last, gives="item"),
    "length": Callee(length, gives="number"),
    "join": Callee(join, ("sep",), gives="string"),
    "min": Callee(minimum, gives="number?"),
    "max": Callee(maximum, gives="number?"),
    "sum": Callee(total, gives="number"),
    "round": Callee(rounded, ("n",), gives="number"),
    "merge": Callee(merge, ("m",), 1, gives="merge"),
    "pick": Callee(pick, ("key",), 1, gives="some", many=True),
    "omit": Callee(omit, ("key",), 1, gives="some", many=True),
    "lower": Callee(lower, gives="string"),
    "upper": Callee(upper, gives="string"),
    "trim": Callee(trim, gives="string"),
    "replace": Callee(replace, ("a", "b"), 2, gives="string"),
    "split": Callee(split, ("sep",), 1, gives="strings"),
    "indent": Callee(indent, ("n", "first"), 1, gives="string"),
    "int": Callee(integer, gives="number"),
    "float": Callee(decimal, gives="number"),
    "string": Callee(string, gives="string"),
    "tojson": Callee(tojson, gives="string"),
    "toyaml": Callee(toyaml, gives="string"),
    "b64encode": Callee(b64encode, gives="encoded"),
    "b64decode": Callee(b64decode, gives="string"),
    "sha256": Callee(sha256, gives="string"),
    "dnsname": Callee(dnsname, ("n",), gives="string"),
    "quantity": Callee(quantity_number, gives="number"),
    "cpu": Callee(cpu, gives="string"),
    "bytes": Callee(memory, gives="string"),
}
FUNCTIONS = {
    "range": Callee(range_list, ("start", "stop", "step"), 1, gives="numbers"),
    "enumerate": Callee(enumerated, ("list",), 1, gives="enumerate"),
}
TESTS = {
    "defined": Callee(is_defined),
    "none": Callee(is_none),
    "string": Callee(is_string),
    "number": Callee(runtime.number),
    "integer": Callee(is_integer),
    "boolean": Callee(is_boolean),
    "mapping": Callee(is_mapping),
    "sequence": Callee(is_sequence),
}
METHODS = {
    "lower": Callee(lower, gives="string"),
    "upper": Callee(upper, gives="string"),
    "strip": Callee(strip, ("characters",), gives="string"),
    "split": Callee(split, ("sep",), 1, gives="strings"),
    "startswith": Callee(startswith, ("start",), 1, gives="boolean"),
    "endswith": Callee(endswith, ("end",), 1, gives="boolean"),
    "items": Callee(items, gives="items"),
    "keys": Callee(keys, gives="keys"),
    "values": Callee(values, gives="values"),
    "get": Callee(get_key, ("key", "default"), 1, gives="get"),
}

NAMESPACE = {
    "__builtins__": {},
    **runtime.HELPERS,
    **{f"f_{name}": callee.call for name, callee in FILTERS.items()},
    **{f"g_{name}": callee.call for name, callee in FUNCTIONS.items()},
    **{f"t_{name}": callee.call for name, callee in TESTS.items()},
    **{f"m_{name}": callee.call for name, callee in METHODS.items()},
}
