"""Filters, functions, tests and methods of expressions: all there are.

Adding one needs: total (a result or a named error for every input), pure, bounded by its input, and a row in
language.md 6.2.  The first argument of each is the budget; the compiler checks names and numbers of arguments against
these tables, so the functions only look at types.
"""

from __future__ import annotations

from appdelivery.language import runtime
from appdelivery.language.expressions import filters_lists, filters_text, operators
from appdelivery.model.record import record
from appdelivery.model.secret import Secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


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


@record
class Callee:
    """One row of the tables: the function, names of its arguments after the value, and how many of them must stand."""

    call: Callable[..., Any]
    arguments: tuple[str, ...] = ()
    required: int = 0
    gives: str = "any"  # string, number, boolean, list, map; or same, item, items, ...: see expressions.RESULTS
    many: bool = False  # the last argument may be repeated


FILTERS = {
    "items": Callee(filters_lists.items, gives="items"),
    "keys": Callee(filters_lists.keys, gives="keys"),
    "values": Callee(filters_lists.values, gives="values"),
    "sort": Callee(filters_lists.sort, ("by",), gives="same"),
    "unique": Callee(filters_lists.unique, ("by",), gives="same"),
    "reverse": Callee(filters_lists.reverse, gives="same"),
    "where": Callee(filters_lists.where, ("key", "value"), 2, gives="same"),
    "pluck": Callee(filters_lists.pluck, ("key",), 1, gives="pluck"),
    "flatten": Callee(filters_lists.flatten, gives="flatten"),
    "first": Callee(filters_lists.first, gives="item"),
    "last": Callee(filters_lists.last, gives="item"),
    "length": Callee(filters_lists.length, gives="number"),
    "join": Callee(filters_lists.join, ("sep",), gives="string"),
    "min": Callee(filters_lists.minimum, gives="number?"),
    "max": Callee(filters_lists.maximum, gives="number?"),
    "sum": Callee(filters_lists.total, gives="number"),
    "round": Callee(filters_lists.rounded, ("n",), gives="number"),
    "merge": Callee(filters_lists.merge, ("m",), 1, gives="merge"),
    "pick": Callee(filters_lists.pick, ("key",), 1, gives="some", many=True),
    "omit": Callee(filters_lists.omit, ("key",), 1, gives="some", many=True),
    "lower": Callee(filters_text.lower, gives="string"),
    "upper": Callee(filters_text.upper, gives="string"),
    "trim": Callee(filters_text.trim, gives="string"),
    "replace": Callee(filters_text.replace, ("a", "b"), 2, gives="string"),
    "split": Callee(filters_text.split, ("sep",), 1, gives="strings"),
    "indent": Callee(filters_text.indent, ("n", "first"), 1, gives="string"),
    "int": Callee(filters_text.integer, gives="number"),
    "float": Callee(filters_text.decimal, gives="number"),
    "string": Callee(filters_text.string, gives="string"),
    "tojson": Callee(filters_text.tojson, gives="string"),
    "toyaml": Callee(filters_text.toyaml, gives="string"),
    "b64encode": Callee(filters_text.b64encode, gives="encoded"),
    "b64decode": Callee(filters_text.b64decode, gives="string"),
    "sha256": Callee(filters_text.sha256, gives="string"),
    "dnsname": Callee(filters_text.dnsname, ("n",), gives="string"),
    "quantity": Callee(filters_text.quantity_number, gives="number"),
    "cpu": Callee(filters_text.cpu, gives="string"),
    "bytes": Callee(filters_text.memory, gives="string"),
}
FUNCTIONS = {
    "range": Callee(filters_lists.range_list, ("start", "stop", "step"), 1, gives="numbers"),
    "enumerate": Callee(filters_lists.enumerated, ("list",), 1, gives="enumerate"),
}
TESTS = {
    "defined": Callee(is_defined),
    "none": Callee(is_none),
    "string": Callee(is_string),
    "number": Callee(operators.number),
    "integer": Callee(is_integer),
    "boolean": Callee(is_boolean),
    "mapping": Callee(is_mapping),
    "sequence": Callee(is_sequence),
}
METHODS = {
    "lower": Callee(filters_text.lower, gives="string"),
    "upper": Callee(filters_text.upper, gives="string"),
    "strip": Callee(filters_text.strip, ("characters",), gives="string"),
    "split": Callee(filters_text.split, ("sep",), 1, gives="strings"),
    "startswith": Callee(filters_text.startswith, ("start",), 1, gives="boolean"),
    "endswith": Callee(filters_text.endswith, ("end",), 1, gives="boolean"),
    "items": Callee(filters_lists.items, gives="items"),
    "keys": Callee(filters_lists.keys, gives="keys"),
    "values": Callee(filters_lists.values, gives="values"),
    "get": Callee(filters_text.get_key, ("key", "default"), 1, gives="get"),
}

NAMESPACE = {
    "__builtins__": {},
    **runtime.HELPERS,
    **{f"f_{name}": callee.call for name, callee in FILTERS.items()},
    **{f"g_{name}": callee.call for name, callee in FUNCTIONS.items()},
    **{f"t_{name}": callee.call for name, callee in TESTS.items()},
    **{f"m_{name}": callee.call for name, callee in METHODS.items()},
}
