"""Operators of expressions and what goes into a text, as language.md 3 defines them for JSON values.

Each is total: a defined result or a RenderError for every value.
"""

from __future__ import annotations

import itertools

from appdelivery.language import budget
from appdelivery.language.problems import RenderError, word
from appdelivery.model.secret import Secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from appdelivery.language.budget import Budget

SMALLEST, LARGEST = -(1 << 63), (1 << 63) - 1


def scalar(value: Any) -> str:
    """A value as part of a text."""
    kind = type(value)
    if kind is str:
        return value  # type: ignore[no-any-return]
    if value is True:
        return "true"
    if value is False:
        return "false"
    if kind is int or kind is float:
        return repr(value)
    if value is None:
        raise RenderError("render.text", "null inside text; use default('')")
    if kind is Secret:
        raise RenderError("render.text", "a secret value inside text; it may only be a whole value")
    raise RenderError("render.text", f"{word(value)} inside text; use tojson")


def text(b: Budget, *parts: Any) -> str:
    """Joins the parts of a leaf, `a ~ b`, and the pieces of a text with statements."""
    if not ALL_TEXTS.issuperset(map(type, parts)):
        parts = tuple(map(scalar, parts))
    length = sum(map(len, parts))
    if length > budget.SHORT:
        budget.spend_text(b, length)
    return "".join(parts)


def joined(b: Budget, parts: list[Any]) -> str:
    return text(b, *parts)


def dash(value: Any) -> Any:
    """In status lines a null is shown as a dash."""
    return "-" if value is None else value


def line(value: Any) -> str:
    return "-" if value is None else scalar(value)


def lines(value: Any) -> dict[str, str]:
    """`details`: named texts; a null one is left out."""
    return {name: scalar(one) for name, one in (value or {}).items() if one is not None}


def note(value: Any) -> str | None:
    """The message of `health`."""
    return None if value is None else scalar(value)


def flag(value: Any) -> bool:
    return bool(value)


# --- operators ---


def number(value: Any) -> bool:
    return type(value) is int or type(value) is float


def checked(value: Any) -> Any:
    """An arithmetic result inside 64 bits, or a finite float."""
    if type(value) is int:
        if SMALLEST <= value <= LARGEST:
            return value
        raise RenderError("render.limit", "the result does not fit into a 64-bit integer")
    if value - value != 0:
        raise RenderError("render.limit", "the result is not a finite number")
    return value


def numbers(operator: str, left: Any, right: Any) -> None:
    if not (number(left) and number(right)):
        raise RenderError("render.type", f"'{operator}' needs two numbers, not {word(left)} and {word(right)}")


def add(b: Budget, left: Any, right: Any) -> Any:
    if type(left) is list and type(right) is list:
        budget.spend(b, len(left) + len(right))
        return left + right
    if number(left) and number(right):
        return checked(left + right)
    if (type(left) is str or type(right) is str) and type(left) not in (list, dict) and type(right) not in (list, dict):
        return text(b, left, right)
    raise RenderError("render.type", f"'+' cannot add {word(left)} and {word(right)}")


def lists(b: Budget, *given: Any) -> Any:
    """first + second + ... where all should be lists."""
    if not ALL_LISTS.issuperset(map(type, given)):
        first, *others = given
        for other in others:
            first = add(b, first, other)
        return first
    budget.spend(b, sum(map(len, given)))
    return [*itertools.chain.from_iterable(given)]


ALL_LISTS, ALL_TEXTS = frozenset((list,)), frozenset((str,))


def subtract(left: Any, right: Any) -> Any:
    numbers("-", left, right)
    return checked(left - right)


def multiply(left: Any, right: Any) -> Any:
    numbers("*", left, right)
    return checked(left * right)


def divide(left: Any, right: Any) -> Any:
    numbers("/", left, right)
    if right == 0:
        raise RenderError("render.type", "division by zero")
    if type(left) is int and type(right) is int and left % right == 0:
        return checked(left // right)
    return checked(left / right)


def floor(left: Any, right: Any) -> Any:
    numbers("//", left, right)
    if right == 0:
        raise RenderError("render.type", "division by zero")
    return checked(left // right)


def modulo(left: Any, right: Any) -> Any:
    numbers("%", left, right)
    if right == 0:
        raise RenderError("render.type", "division by zero")
    return checked(left % right)


def negate(value: Any) -> Any:
    if not number(value):
        raise RenderError("render.type", f"'-' needs a number, not {word(value)}")
    return checked(-value)


def equal(b: Budget, left: Any, right: Any) -> bool:
    """Equality of JSON values: true is not 1, 1.0 is 1."""
    kind, other = type(left), type(right)
    if kind is str:
        if other is not str:
            return _not_secret(right)
        if len(left) == len(right) > 256:
            budget.spend_text(b, len(left))
        return left == right  # type: ignore[no-any-return]
    if kind is list or kind is dict:
        if kind is not other or len(left) != len(right):
            return _not_secret(right)
        budget.spend(b, len(left))
        if kind is list:
            return all(equal(b, one, two) for one, two in zip(left, right, strict=True))
        return all(key in right and equal(b, value, right[key]) for key, value in left.items())
    if kind is bool or other is bool or left is None or right is None:
        return left is right or (_not_secret(left) and _not_secret(right))
    return _not_secret(left) or _not_secret(right) or (number(left) and number(right) and left == right)


def _not_secret(value: Any) -> bool:
    """Always False; refuses to compare a secret, whose value would leak through the answer."""
    if type(value) is Secret:
        raise RenderError("render.type", "a secret value cannot be compared")
    return False


def unequal(b: Budget, left: Any, right: Any) -> bool:
    return not equal(b, left, right)


def live_equal(b: Budget, left: Any, right: Any) -> bool:
    return left is not None and right is not None and equal(b, left, right)


def live_unequal(b: Budget, left: Any, right: Any) -> bool:
    return not live_equal(b, left, right)


def contains(b: Budget, needle: Any, hay: Any) -> bool:
    kind = type(hay)
    if kind is dict:
        return type(needle) is str and needle in hay
    if kind is list:
        if type(needle) is str:
            budget.spend(b, len(hay), 1 + (len(needle) >> budget.CHARACTERS))
            return needle in hay
        budget.spend(b, len(hay))
        return any(equal(b, needle, one) for one in hay)
    if kind is str and type(needle) is str:
        budget.spend_text(b, len(hay) + len(needle))
        return needle in hay
    if hay is None:
        return False
    raise RenderError("render.type", f"'in' cannot look for {word(needle)} in {word(hay)}")


def order(operator: str, left: Any, right: Any) -> Any:
    """Both sides, when they can be ordered."""
    if (number(left) and number(right)) or (type(left) is str and type(right) is str):
        return left, right
    if left is None or right is None:
        raise RenderError("render.null", f"'{operator}' compares with null; test 'is none' before")
    raise RenderError("render.type", f"'{operator}' cannot compare {word(left)} with {word(right)}")


def less(left: Any, right: Any) -> bool:
    left, right = order("<", left, right)
    return left < right  # type: ignore[no-any-return]


def at_most(left: Any, right: Any) -> bool:
    left, right = order("<=", left, right)
    return left <= right  # type: ignore[no-any-return]


def greater(left: Any, right: Any) -> bool:
    left, right = order(">", left, right)
    return left > right  # type: ignore[no-any-return]


def at_least(left: Any, right: Any) -> bool:
    left, right = order(">=", left, right)
    return left >= right  # type: ignore[no-any-return]


def live_less(left: Any, right: Any) -> bool:
    return left is not None and right is not None and less(left, right)


def live_at_most(left: Any, right: Any) -> bool:
    return left is not None and right is not None and at_most(left, right)


def live_greater(left: Any, right: Any) -> bool:
    return left is not None and right is not None and greater(left, right)


def live_at_least(left: Any, right: Any) -> bool:
    return left is not None and right is not None and at_least(left, right)
