"""What generated code may call: loops, access, building here; `operators`; filters and methods in `filters`.

Every helper is total (a defined result or a RenderError for every JSON value), pure, and charges the budget for work
that its input decides.
"""

from __future__ import annotations

import gc

from appdelivery.language import budget
from appdelivery.language.expressions import operators
from appdelivery.language.problems import RenderError, word
from appdelivery.model.secret import Secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from appdelivery.language.budget import Budget

NODES = 200_000  # of one evaluation's output
DEPTH = 100
OUTPUTS = 200


def each(b: Budget, value: Any, work: int = 1) -> Any:
    """What a loop walks over: a list, the keys of a map, nothing for null."""
    if type(value) is not list:
        if value is None:
            return ()
        if type(value) is not dict:
            raise RenderError("render.type", f"a loop needs a list or a map, not {word(value)}")
        value = list(value)
    turns = len(value)
    if turns > budget.ITEMS:
        raise budget.limit("items in one list of a loop", budget.ITEMS, "loopItems")
    b[0] -= turns
    b[1] -= turns * work
    if b[0] < 0 or b[1] < 0:
        budget.spend(b, 0)  # says which of the two it was
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
    turns = len(value)
    if turns > budget.ITEMS:
        raise budget.limit("items in one list of a loop", budget.ITEMS, "loopItems")
    b[0] -= turns
    b[1] -= turns * work
    if b[0] < 0 or b[1] < 0:
        budget.spend(b, 0)  # says which of the two it was
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
        budget.spend_text(b, len(value))
    else:
        budget.spend(b, len(value))
    return value[start:stop]


def missing(name: object) -> RenderError:
    return RenderError("render.key", f"no key '{name}' here; use .get('{name}') or default()")


def no_map(value: Any, name: Any) -> RenderError:
    if value is None:
        return RenderError("render.null", "a null value is used as a map")
    if type(name) is int:
        return RenderError("render.type", f"{word(value)} has no items")
    return RenderError("render.type", f"{word(value)} has no keys; '{name}' is looked up in it")


# --- building ---


def spread(b: Budget, into: dict[str, Any], value: Any) -> None:
    """`$spread` in a map: a map or a list of maps; null is nothing."""
    if type(value) is dict:
        if len(value) > 16:
            budget.spend(b, len(value))
        into.update(value)
    elif type(value) is list:
        for one in each(b, value):
            if type(one) is dict and len(one) <= 16:
                into.update(one)
            elif type(one) is dict or one is None:
                spread(b, into, one)
            else:
                raise RenderError("render.type", f"$spread merges maps, not {word(one)}")
    elif value is not None:
        raise RenderError("render.type", f"$spread merges maps, not {word(value)}")


def splice(b: Budget, into: list[Any], value: Any) -> None:
    """`- $spread: list`"""
    if type(value) is list:
        budget.spend(b, len(value))
        into += value
    elif value is not None:
        raise RenderError("render.type", f"$spread as a list item needs a list, not {word(value)}")


def put(into: dict[str, Any], used: set[str] | None, key: Any, value: Any, keep: bool) -> None:
    """An entry whose key was computed.  keep: a null value is literal and stays; used: None = it is the only one."""
    if key is None or (value is None and not keep):
        return
    if type(key) is not str:
        raise RenderError("render.type", f"a key must be a string, not {word(key)}")
    if used is not None:
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
        raise budget.limit("outputs of one definition", OUTPUTS, "outputs")
    for name, value in (outputs or {}).items():
        if type(value) is not dict:
            raise RenderError("render.type", f"output '{name}' is {word(value)}; an output is an object")
        if type(value.get("apiVersion")) is not str or type(value.get("kind")) is not str:
            raise RenderError("render.type", f"output '{name}' needs 'apiVersion' and 'kind', both strings")
    return outputs


def bounded(trees: Sequence[Any]) -> None:
    """The size of what was made: sub-trees are shared, so little work can make much output.

    Level by level, because the collector's view of what a container holds costs a third of walking over it.
    """
    level = [tree for tree in trees if type(tree) is dict or type(tree) is list]
    nodes = depth = 0
    while level:
        nodes += sum(map(len, level))
        depth += 1
        if nodes > NODES:
            raise budget.limit("nodes in the output of one definition", NODES, "outputNodes")
        if depth > DEPTH:
            raise budget.limit("levels in the output of one definition", DEPTH, "outputDepth")
        level = [one for one in gc.get_referents(*level) if type(one) is dict or type(one) is list]


HELPERS = {
    "type": type,
    "TEXTS": (str, Secret),
    "NUMBERS": (int, float),
    "MAPS": (dict,),
    "LISTS": (list,),
    "lists": operators.lists,
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
    "text": operators.text,
    "joined": operators.joined,
    "scalar": operators.scalar,
    "dash": operators.dash,
    "line": operators.line,
    "flag": operators.flag,
    "add": operators.add,
    "subtract": operators.subtract,
    "multiply": operators.multiply,
    "divide": operators.divide,
    "floor": operators.floor,
    "modulo": operators.modulo,
    "negate": operators.negate,
    "equal": operators.equal,
    "unequal": operators.unequal,
    "contains": operators.contains,
    "less": operators.less,
    "at_most": operators.at_most,
    "greater": operators.greater,
    "at_least": operators.at_least,
    "live_equal": operators.live_equal,
    "live_unequal": operators.live_unequal,
    "live_less": operators.live_less,
    "live_at_most": operators.live_at_most,
    "live_greater": operators.live_greater,
    "live_at_least": operators.live_at_least,
    "spread": spread,
    "splice": splice,
    "put": put,
    "pairs": pairs,
    "names": names,
    "things": things,
    "lines": operators.lines,
    "note": operators.note,
}
