"""How large the output of an evaluation can be, told from the template, so that most renders need not walk over theirs.

Little work can make much output only by sharing: a value that is placed twice counts twice.  Therefore the compiler
counts what every `let` and the sections place, as multiples of the parameters and of other lets.  `Bound` is what the
whole comes to; a module walks over the output only where the bound does not prove it small (`runtime.bounded`).
"""

from __future__ import annotations

import ast

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from appdelivery.language.compiling.frames import Frame, Spot
    from appdelivery.language.compiling.shapes import Shape

    Read = tuple[str, str]  # name, first step below it
    Bound = tuple[int, int, int, int, int]  # see `total`

CONTAINERS = frozenset({"list", "map"})
SMALL = ("selector", "labels")  # of context: smaller than any parameters are taken to be
GROWTH = 3  # `items` and `enumerate` make three nodes of one
MOST = 1_000_000  # of any number here


class Part:
    """What a let, or the sections, place: nodes of its own, parameters outside and inside loops, lets by name."""

    __slots__ = ("depth", "lets", "loops", "nodes", "outside", "unknown")

    def __init__(self) -> None:
        self.nodes = self.outside = self.loops = self.depth = 0
        self.lets: dict[str, int] = {}
        self.unknown = False


class Source:
    """What a loop walks over: the names that are read for it.  repeated: the loop itself stands in a loop."""

    __slots__ = ("growth", "read", "repeated")

    def __init__(self, read: list[Read], growth: int, *, repeated: bool) -> None:
        self.read = read
        self.growth = growth
        self.repeated = repeated


def place(spot: Spot, read: list[Read], shape: Shape, code: Any, weight: int) -> None:
    """Counts the value of an expression where it is written."""
    frame = spot.frame
    part = frame.size
    part.depth = max(part.depth, len(spot.path) + weight)
    if shape.kinds is not None and not shape.kinds & CONTAINERS:
        return
    for one in read:
        _count(frame, one, growth(code), loop=frame.loops > 0)


def growth(code: Any) -> int:
    """Nodes that an expression may make of one that it reads."""
    calls: list[Any] = [node for node in ast.walk(code) if type(node) is ast.Call]
    return int(GROWTH ** len([call for call in calls if call.func.id[:2] in ("f_", "g_", "m_")]))


def _count(frame: Frame, one: Read, times: int, *, loop: bool) -> None:
    part = frame.size
    name, first = one
    if name in frame.sources:
        # The items of a list, each once, are no more than the list; in a loop in a loop they come again and again.
        source = frame.sources[name]
        for outer in source.read:
            _count(frame, outer, times * source.growth, loop=loop and (frame.loops > 1 or source.repeated))
    elif name == "parameters" or (name == "context" and first in SMALL):
        if loop:
            part.loops += times
        else:
            part.outside += times
    elif name in frame.unit.lets and not loop:
        part.lets[name] = part.lets.get(name, 0) + times
    else:
        part.unknown = True


def total(sections: Part, lets: dict[str, Part]) -> Bound | None:
    """Nodes of the output are at most own + copies * work + (outside + loops * turns) * nodes of the parameters, and its
    levels at most depth + those of the parameters: (own, copies, outside, loops, depth).  None: nobody knows.

    lets: in the order in which they were finished, which is after those that they place.
    """
    copies = dict.fromkeys(lets, 0)
    depths: dict[str, int] = {}
    for name, part in lets.items():
        depths[name] = _depth(part, depths)
    own = outside = loops = 0
    for name in ("", *reversed(lets)):  # from those who place to what they place
        times, part = (copies[name], lets[name]) if name else (1, sections)
        if times and part.unknown:
            return None
        own += times * part.nodes
        outside += times * part.outside
        loops += times * part.loops
        for inner, placed in part.lets.items():
            copies[inner] += times * placed
    found = own, max([1, *copies.values()]), outside, loops, _depth(sections, depths)
    return None if max(found) > MOST else found


def _depth(part: Part, depths: Mapping[str, int]) -> int:
    return part.depth + max([depths[inner] for inner in part.lets], default=0)


def filled(schema: Any) -> int:
    """At most so many nodes of defaults enter any one map of a value."""
    return _filled(schema, {})


def _filled(schema: Any, known: dict[int, int]) -> int:
    if type(schema) is not dict:
        return 0
    if id(schema) in known:
        return known[id(schema)]
    properties = schema.get("properties", {})
    beside = [one for key in ("oneOf", "anyOf", "allOf") for one in schema.get(key, ())]
    beside += [schema[key] for key in ("then", "else") if key in schema]
    within = [*properties.values(), *[schema[key] for key in ("items", "additionalProperties") if key in schema]]
    own = sum([_nodes(one["default"], one, known) for one in properties.values() if type(one) is dict and "default" in one])
    found = max([own + sum([_filled(one, known) for one in beside]), *[_filled(one, known) for one in within]])
    known[id(schema)] = found
    return found


def _nodes(value: Any, schema: Any, known: dict[int, int]) -> int:
    """Of a default with the defaults inside it."""
    count, maps, stack = 1, 0, [value]
    while stack:
        one = stack.pop()
        if type(one) in (dict, list):
            maps += 1
            count += len(one)
            stack += one.values() if type(one) is dict else one
    return count + maps * _filled(schema, known)
