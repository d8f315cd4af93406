"""What generated code may call, operators and access first; filters, functions and methods are in `filters`.

Every helper is total (a defined result or a RenderError for every JSON value), pure, and charges the budget for work
that its input decides.  The budget is a list of two integers made for each evaluation: loop turns left and work left,
one unit of work being about one leaf, so that template size times turns is bounded too.
"""

from __future__ import annotations

from appdelivery.language.problems import RenderError, word
from appdelivery.model.secret import Secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    Budget = list[int]

TURNS = 100_000  # one evaluation of one definition
ITEMS = 10_000  # one list
WORK = 500_000
TEXT = 1 << 20
CHARACTERS = 5  # log2 of the characters that cost one unit of work
NODES = 200_000  # of one evaluation's output
DEPTH = 100
OUTPUTS = 200
SMALLEST, LARGEST = -(1 << 63), (1 << 63) - 1


def budget() -> Budget:
    return [TURNS, WORK]


def limit(what: str, value: int, setting: str) -> RenderError:
    return RenderError("render.limit", f"more than {value:,} {what}", f"setting limits.{setting}")


def spend(b: Budget, turns: int, work: int = 1) -> None:
    b[0] -= turns
    b[1] -= turns * work
    if b[0] < 0:
        raise limit("loop turns in one render", TURNS, "loopTurns")
    if b[1] < 0:
        raise limit("values made in loops of one render", WORK, "loopWork")


def spend_text(b: Budget, length: int) -> None:
    """Before a text of this length is made or searched."""
    if length > TEXT:
        raise limit("characters in one text", TEXT, "textLength")
    b[1] -= length >> CHARACTERS
    if b[1] < 0:
        raise limit("characters of text made in one render", WORK << CHARACTERS, "loopWork")


def each(b: Budget, value: Any, work: int = 1) -> Any:
    """What a loop walks over: a list, the keys of a map, nothing for null."""
    if value is None:
        return ()
    kind = type(value)
    if kind is dict:
        value = list(value)
    elif kind is not list:
        raise RenderError("render.type", f"a loop needs a list or a map, not {word(value)}")
    if len(value) > ITEMS:
        raise limit("items in one list of a loop", ITEMS, "loopItems")
    spend(b, len(value), work)
    return value


def each_pair(b: Budget, value: Any, work: int = 1) -> Any:
    """What a loop with two names walks over: a list of pairs, as `items` and `enumerate` make them."""
    if type(value) is dict:
        raise RenderError("render.type", "a loop with two names over a map needs '| items'")
    items = each(b, value, work)
    for item in items:
        if type(item) is not list or len(item) != 2:
            raise RenderError("render.type", "a loop with two names needs a list of pairs, such as 'm | items'")
    return items


def each_item(b: Budget, value: Any, work: int = 1) -> Any:
    """`for k, v in m | items` without making the pairs."""
    if value is None:
        return ()
    if type(value) is not dict:
        raise RenderError("render.type", f"'items' needs a map, not {word(value)}")
    if len(value) > ITEMS:
        raise limit("items in one list of a loop", ITEMS, "loopItems")
    spend(b, len(value), work)
    return value.items()


# --- access ---


def member(value: Any, name: str) -> Any:
    """value.name where a missing key is an error."""
    if type(value) is dict:
        if name in value:
            return value[name]
        raise missing(name)
    raise no_map(value, name)


def optional(value: Any, name: str) -> Any:
    """value.name where the key may be missing, but not the map."""
    if type(value) is dict:
        return value.get(name)
    raise no_map(value, name)


def soft(value: Any, *names: Any) -> Any:
    """value.a.b[0] where whatever is missing is null."""
    for name in names:
        if value is None:
            return None
        if type(value) is dict:
            value = value.get(name) if type(name) is str else None
        elif type(value) is list:
            if type(name) is not int:
                raise no_map(value, name)
            value = value[name] if -len(value) <= name < len(value) else None
        else:
            raise no_map(value, name)
    return value


def item(value: Any, key: Any) -> Any:
    """value[key] for a key that is computed."""
    if type(value) is list and type(key) is int:
        if -len(value) <= key < len(value):
            return value[key]
        raise RenderError("render.key", f"no item {key} here: the list has {len(value)}")
    if type(value) is dict and type(key) is str:
        if key in value:
            return value[key]
        raise missing(key)
    if type(value) is str and type(key) is int:
        if -len(value) <= key < len(value):
            return value[key]
        raise RenderError("render.key", f"no character {key} here: the text has {len(value)}")
    if type(value) in (list, dict):
        raise RenderError("render.type", f"{word(key)} cannot choose an item of {word(value)}")
    raise no_map(value, key)


def cut(b: Budget, value: Any, start: Any, stop: Any) -> Any:
    """value[start:stop]"""
    if value is None:
        raise no_map(value, "")
    if type(value) not in (list, str) or type(start) not in (int, type(None)) or type(stop) not in (int, type(None)):
        raise RenderError("render.type", f"'[a:b]' needs a list or a string and two integers, not {word(value)}")
    if type(value) is str:
        spend_text(b, len(value))
    else:
        spend(b, len(value))
    return value[start:stop]


def missing(name: object) -> RenderError:
    return RenderError("render.key", f"no key '{name}' here; use .get('{name}') or default()")


def no_map(value: Any, name: Any) -> RenderError:
    if value is None:
        return RenderError("render.null", "a null value is used as a map")
    if type(name) is int:
        return RenderError("render.type", f"{word(value)} has no items")
    return RenderError("render.type", f"{word(value)} has no keys; '{name}' is looked up in it")


# --- text ---


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
    strings = [part if type(part) is str else scalar(part) for part in parts]
    length = 0
    for string in strings:
        length += len(string)
    if length > 256:
        spend_text(b, length)
    return "".join(strings)


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
    if number(left) and number(right):
        return checked(left + right)
    if type(left) is list and type(right) is list:
        spend(b, len(left) + len(right))
        return left + right
    if (type(left) is str or type(right) is str) and type(left) not in (list, dict) and type(right) not in (list, dict):
        return text(b, left, right)
    raise RenderError("render.type", f"'+' cannot add {word(left)} and {word(right)}")


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
            spend_text(b, len(left))
        return left == right  # type: ignore[no-any-return]
    if kind is list or kind is dict:
        if kind is not other or len(left) != len(right):
            return _not_secret(right)
        spend(b, len(left))
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
            spend(b, len(hay), 1 + (len(needle) >> CHARACTERS))
            return needle in hay
        spend(b, len(hay))
        return any(equal(b, needle, one) for one in hay)
    if kind is str and type(needle) is str:
        spend_text(b, len(hay) + len(needle))
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


# --- building ---


def spread(b: Budget, into: dict[str, Any], value: Any) -> None:
    """`$spread` in a map: a map or a list of maps; null is nothing."""
    if type(value) is dict:
        if len(value) > 16:
            spend(b, len(value))
        into.update(value)
    elif type(value) is list:
        for one in each(b, value):
            if type(one) is not dict and one is not None:
                raise RenderError("render.type", f"$spread merges maps, not {word(one)}")
            spread(b, into, one)
    elif value is not None:
        raise RenderError("render.type", f"$spread merges maps, not {word(value)}")


def splice(b: Budget, into: list[Any], value: Any) -> None:
    """`- $spread: list`"""
    if type(value) is list:
        spend(b, len(value))
        into += value
    elif value is not None:
        raise RenderError("render.type", f"$spread as a list item needs a list, not {word(value)}")


def put(into: dict[str, Any], used: set[str], key: Any, value: Any, keep: bool) -> None:
    """An entry whose key was computed.  keep: a null value is literal and stays."""
    if key is None or (value is None and not keep):
        return
    if type(key) is not str:
        raise RenderError("render.type", f"a key must be a string, not {word(key)}")
    if key in used:
        raise RenderError("render.key", f"the key '{key}' is written twice in one map")
    used.add(key)
    into[key] = value


def pairs(*given: Any) -> dict[str, Any]:
    """A map literal with computed keys: key, value, key, value, ..."""
    out: dict[str, Any] = {}
    used: set[str] = set()
    for index in range(0, len(given), 2):
        put(out, used, given[index], given[index + 1], True)
    return out


def names(*known: str) -> set[str]:
    return set(known)


def things(outputs: Any) -> Any:
    """Outputs are objects, and each says which kind."""
    if outputs is not None and type(outputs) is not dict:
        raise RenderError("render.type", f"outputs are a map, not {word(outputs)}")
    if outputs and len(outputs) > OUTPUTS:
        raise limit("outputs of one definition", OUTPUTS, "outputs")
    for name, value in (outputs or {}).items():
        if type(value) is not dict:
            raise RenderError("render.type", f"output '{name}' is {word(value)}; an output is an object")
        if type(value.get("apiVersion")) is not str or type(value.get("kind")) is not str:
            raise RenderError("render.type", f"output '{name}' needs 'apiVersion' and 'kind', both strings")
    return outputs


def bounded(trees: Iterable[Any]) -> None:
    """The size of what was made: sub-trees are shared, so little work can make much output."""
    level = [tree for tree in trees if type(tree) is dict or type(tree) is list]
    nodes = depth = 0
    while level:
        depth += 1
        below: list[Any] = []
        for node in level:
            nodes += len(node)
            if nodes > NODES:
                raise limit("nodes in the output of one definition", NODES, "outputNodes")
            below += [v for v in (node.values() if type(node) is dict else node) if type(v) is dict or type(v) is list]
        level = below
        if depth > DEPTH:
            raise limit("levels in the output of one definition", DEPTH, "outputDepth")


HELPERS = {
    "each": each,
    "each_pair": each_pair,
    "each_item": each_item,
    "get": dict.get,
    "append": list.append,
    "member": member,
    "optional": optional,
    "soft": soft,
    "item": item,
    "cut": cut,
    "text": text,
    "joined": joined,
    "scalar": scalar,
    "dash": dash,
    "line": line,
    "flag": flag,
    "add": add,
    "subtract": subtract,
    "multiply": multiply,
    "divide": divide,
    "floor": floor,
    "modulo": modulo,
    "negate": negate,
    "equal": equal,
    "unequal": unequal,
    "contains": contains,
    "less": less,
    "at_most": at_most,
    "greater": greater,
    "at_least": at_least,
    "live_equal": live_equal,
    "live_unequal": live_unequal,
    "live_less": live_less,
    "live_at_most": live_at_most,
    "live_greater": live_greater,
    "live_at_least": live_at_least,
    "spread": spread,
    "splice": splice,
    "put": put,
    "pairs": pairs,
    "names": names,
    "things": things,
    "lines": lines,
    "note": note,
}
