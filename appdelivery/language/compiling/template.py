"""Trees: maps and lists with the structure keys `$if $else $for $value $spread`, from nodes to Python statements.

`tree` gives the Python expression of a node's value and its shape; statements that must run before go to the spot's
`out`.  An expression that is null leaves its entry out, so a container is written as one display until the first value
that may be null, and filled entry by entry from there (`maps`).
"""

from __future__ import annotations

from appdelivery.language import problems
from appdelivery.language.compiling import loops, maps, shapes
from appdelivery.language.expressions import grammar, leaves
from appdelivery.language.expressions.leaves import LITERAL_NULL
from appdelivery.language.problems import Wrong
from appdelivery.language.text.nodes import Mapping, Scalar, Sequence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from appdelivery.language.compiling.frames import Frame, Let, Spot
    from appdelivery.language.compiling.shapes import Shape

    Node = Scalar | Mapping | Sequence
    Value = tuple[Any, Shape]
    Pair = tuple[Scalar, Node]

DIRECTIVES = ("$if", "$else", "$for", "$value", "$spread")
IN_PATCHES = ("$patch", "$retainKeys", "$key")


def tree(node: Node, spot: Spot) -> Value:
    """Value of a node; null means: leave it out (a literal null has the shape LITERAL_NULL and stays)."""
    if isinstance(node, Scalar):
        return leaves.leaf(node, spot)
    if isinstance(node, Sequence):
        return _sequence(node, spot)
    parts = Parts(node, spot)
    if "$for" in parts.directives:
        return _map_loop(parts, spot)
    if "$if" in parts.directives:
        return _conditional(parts, spot)
    return parts.body(spot)


def let(frame: Frame, found: Let, out: list[Any]) -> Value:
    """What frames.Frame.let compiles."""
    from appdelivery.language.compiling import frames

    return tree(found.node, frames.Spot(frame, frame.top, out, ("let", found.key.text)))


class Parts:
    """A map taken apart: directives by name, and the other entries; `$spread` is among these because its place counts."""

    def __init__(self, node: Mapping, spot: Spot) -> None:
        self.node = node
        self.directives: dict[str, Pair] = {}
        self.pairs: list[Pair] = []
        for pair in node.pairs:
            name = pair[0].text
            if not name.startswith("$") or name.startswith(("$$", "${{", "${%")) or name == "$spread":
                self.pairs.append(pair)
            elif name in DIRECTIVES:
                self.directives[name] = pair
            elif spot.frame.patch and name in IN_PATCHES:
                self.pairs.append(pair)
            else:
                spot.report(_unknown(name, spot), pair[0])
        if self.directives:
            self._consistent(spot)

    def _consistent(self, spot: Spot) -> None:
        given = self.directives
        if "$else" in given and "$if" not in given:
            spot.report(Wrong("template.directive", "'$else' without '$if'"), given["$else"][0])
        if "$else" in given and "$for" in given:
            wrong = Wrong("template.directive", "'$else' cannot stand beside '$for', where '$if' is a filter")
            spot.report(wrong, given["$else"][0])
        if "$value" in given and "$if" not in given and "$for" not in given:
            spot.report(Wrong("template.directive", "'$value' without '$if' or '$for'"), given["$value"][0])
        if "$value" in given and self.pairs:
            key = self.pairs[0][0]
            wrong = Wrong("template.directive", f"'{key.text}' beside '$value': the value is one or the other")
            spot.report(wrong, key)

    def body(self, spot: Spot) -> Value:
        """What the map is when it is there."""
        if "$value" in self.directives:
            return tree(self.directives["$value"][1], spot.under("$value"))
        return maps.written(self.node, self.pairs, spot)


def _unknown(name: str, spot: Spot) -> Wrong:
    known = (*DIRECTIVES, *IN_PATCHES) if spot.frame.patch else DIRECTIVES
    wrong = problems.unknown("template.directive", "unknown directive", name, known)
    if name in IN_PATCHES:
        return Wrong("template.directive", f"'{name}' has a meaning only in patches")
    wrong.hint = f"{wrong.hint}; a key that begins with $ is written '${name}'"
    return wrong


def _conditional(parts: Parts, spot: Spot) -> Value:
    w = spot.w
    key, condition = parts.directives["$if"]
    test, _ = leaves.bare(condition, spot.under("$if"))
    result = w.fresh()
    yes, no = spot.into([]), spot.into([])
    taken, shape = parts.body(yes)
    other, other_shape = w.constant(None), shapes.NULL
    if "$else" in parts.directives:
        other, other_shape = tree(parts.directives["$else"][1], no.under("$else"))
    spot.at(key)
    yes.out.append(w.assign(result, taken))
    no.out.append(w.assign(result, other))
    spot.out.append(w.when(test, yes.out, no.out))
    return w.name(result), shapes.either(shape, other_shape)


def _map_loop(parts: Parts, spot: Spot) -> Value:
    """`$for` in a map: every turn yields entries of it."""
    constant = [key for key, _ in parts.pairs if key.text != "$spread" and not grammar.live(key.text)]
    if constant and len(constant) == len(parts.pairs):
        message = f"every turn writes the same key '{constant[0].text}'; did you mean a list item?"
        spot.report(Wrong("template.for-key", message), parts.directives["$for"][0])
    w = spot.w
    filled, used = w.fresh(), w.fresh()
    spot.at(parts.node)
    spot.out += [w.assign(filled, w.map([], [])), w.assign(used, w.call("names"))]

    def turn(inside: Spot) -> Shape:
        if "$value" not in parts.directives:
            return maps.Filling(parts.node, inside, filled, used).entries(parts.pairs, inside)
        value, shape = parts.body(inside)
        inside.out.append(w.do(w.call("spread", w.name("b"), w.name(filled), value)))
        return shape

    shape = _loop(parts, spot, turn)
    return w.either(w.name(filled), w.constant(None)), shapes.optional(shapes.open_map(shapes.entries(shape)))


def _loop(parts: Parts, spot: Spot, turn: Callable[[Spot], Shape]) -> Shape:
    """A `$for` with its filter `$if`; turn compiles the body."""
    _, source = parts.directives["$for"]
    span = spot.frame.span(source, (*spot.path, "$for"))
    try:
        text = grammar.bare(source.value if isinstance(source, Scalar) and type(source.value) is str else "")
    except Wrong as wrong:
        leaves.failed(wrong, span, spot.frame)
        return shapes.ANY
    loop = loops.Loop(text, span, spot)
    if "$if" in parts.directives:
        loop.only_if(leaves.bare(parts.directives["$if"][1], loop.spot.under("$if"))[0])
    shape = turn(loop.spot)
    spot.out.append(loop.finished())
    return shape


# --- lists ---


def _sequence(node: Sequence, spot: Spot) -> Value:
    """A list written out; items may repeat, be left out, or be spliced."""
    w = spot.w
    spot.frame.weight += 2
    items: list[Any] = []
    variable = ""
    shape = shapes.NEVER
    directives_only = bool(node.items)
    for index, item in enumerate(node.items):
        here = spot.under(index)
        names = [key.text for key, _ in item.pairs] if isinstance(item, Mapping) else []
        directives_only = directives_only and not DYNAMIC.isdisjoint(names)
        if names == ["$spread"] or "$for" in names:
            assert isinstance(item, Mapping)
            variable = variable or _opened(items, spot)
            repeated = _splice if names == ["$spread"] else _list_loop
            shape = shapes.either(shape, repeated(item, variable, here))
            continue
        value, one = tree(item, here)
        shape = shapes.either(shape, one if one is LITERAL_NULL else shapes.given(one))
        if not variable and (not one.null or one is LITERAL_NULL):
            items.append(value)
        else:
            variable = variable or _opened(items, spot)
            _append(variable, (value, one), spot)
    spot.at(node)
    value = w.name(variable) if variable else w.sequence(items)
    if directives_only and (variable or not items):  # nothing fixed in it: empty is left out
        return w.either(value, w.constant(None)), shapes.optional(shapes.list_of(shape))
    return value, shapes.list_of(shape)


DYNAMIC = frozenset(("$if", "$for", "$spread"))


def _opened(items: list[Any], spot: Spot) -> str:
    variable = spot.w.fresh()
    spot.out.append(spot.w.assign(variable, spot.w.sequence(items)))
    return variable


def _append(variable: str, value: Value, spot: Spot) -> None:
    w = spot.w
    code, shape = value
    if not shape.null or shape is LITERAL_NULL:
        spot.out.append(w.do(w.call("append", w.name(variable), code)))
        return
    test, there = w.given(code)
    spot.out.append(w.when(test, [w.do(w.call("append", w.name(variable), there))]))


def _splice(item: Mapping, variable: str, spot: Spot) -> Shape:
    """`- $spread: list`"""
    key, node = item.pairs[0]
    value, shape = tree(node, spot.under("$spread"))
    w = spot.w
    if shape.kinds and "list" not in shape.kinds:
        wrong = Wrong("template.directive", f"$spread as a list item needs a list, not {shapes.kind_word(shape)}")
        spot.report(wrong, key)
    spot.at(node)
    spot.out.append(w.do(w.call("splice", w.name("b"), w.name(variable), value)))
    return shapes.element(shape) if shape.kinds == shapes.LIST else shapes.ANY


def _list_loop(item: Mapping, variable: str, spot: Spot) -> Shape:
    """`- $for: ...`: the item once a turn."""
    parts = Parts(item, spot)

    def turn(inside: Spot) -> Shape:
        value, shape = parts.body(inside)
        _append(variable, (value, shape), inside)
        return shapes.given(shape)

    return _loop(parts, spot, turn)
