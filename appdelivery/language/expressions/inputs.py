"""What filters take: each looks at one input, charges for its size, and names the filter when it does not fit."""

from __future__ import annotations

from appdelivery.language import budget
from appdelivery.language.problems import RenderError, word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from appdelivery.language.budget import Budget


def wrong(name: str, wanted: str, value: Any) -> RenderError:
    if value is None:
        return RenderError("render.null", f"'{name}' needs {wanted}, not null")
    return RenderError("render.type", f"'{name}' needs {wanted}, not {word(value)}")


def listed(b: Budget, name: str, value: Any) -> list[Any]:
    if value is None:
        return []
    if type(value) is not list:
        raise wrong(name, "a list", value)
    b[0] -= len(value)
    b[1] -= len(value)
    if b[0] < 0 or b[1] < 0:
        budget.spend(b, 0)
    return value


def mapped(b: Budget, name: str, value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if type(value) is not dict:
        raise wrong(name, "a map", value)
    b[0] -= len(value)
    b[1] -= len(value)
    if b[0] < 0 or b[1] < 0:
        budget.spend(b, 0)
    return value


def texted(b: Budget, name: str, value: Any) -> str:
    if type(value) is not str:
        raise wrong(name, "a string", value)
    if len(value) > 256:
        budget.spend_text(b, len(value))
    return value


def whole(name: str, value: Any, low: int, high: int) -> int:
    if type(value) is not int:
        raise wrong(name, "an integer", value)
    if not low <= value <= high:
        raise RenderError("render.limit", f"'{name}' takes an integer from {low:,} to {high:,}, not {value:,}")
    return value


def at(value: Any, path: str) -> Any:
    """The value at a dotted key, null where something is missing."""
    for key in path.split("."):
        value = value.get(key) if type(value) is dict else None
    return value


def each_at(values: list[Any], path: str) -> list[Any]:
    """`at` of every value; most keys have no dot."""
    if "." in path:
        return [at(one, path) for one in values]
    return [one.get(path) if type(one) is dict else None for one in values]


def fits(length: int) -> int:
    if length > budget.ITEMS:
        raise budget.limit("items in one list", budget.ITEMS, "loopItems")
    return length
