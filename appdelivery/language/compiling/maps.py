"""Maps on their way into Python: fixed and computed keys, `$spread`, and entries that are left out."""

from __future__ import annotations

from appdelivery.language.compiling import shapes, template
from appdelivery.language.compiling.writer import Perhaps
from appdelivery.language.expressions import grammar, leaves
from appdelivery.language.expressions.leaves import LITERAL_NULL
from appdelivery.language.problems import Wrong

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from appdelivery.language.compiling.frames import Spot
    from appdelivery.language.compiling.shapes import Shape
    from appdelivery.language.compiling.template import Node, Pair, Value
    from appdelivery.language.text.nodes import Mapping, Scalar

COST = 4  # a map in memory, in units of work
SMALL = 16  # entries that can be spread without being charged for (runtime.spread)


def written(node: Mapping, pairs: list[Pair], spot: Spot) -> Value:
    """A map written out, with `$spread` among its entries."""
    filling = Filling(node, spot)
    shape = filling.entries(pairs, spot)
    spot.at(node)
    value = filling.value()
    if pairs and all(key.text == "$spread" for key, _ in pairs):  # nothing fixed in it: empty is left out
        return spot.w.either(value, spot.w.constant(None)), shapes.optional(shape)
    return value, shape


def _small(shape: Shape) -> bool:
    return shape.kinds == shapes.MAP and shape.rest is shapes.CLOSED and len(shape.fields) <= SMALL


class Filling:
    """A map being made: a display at first, then a variable that takes entries one by one.

    used: the variable with the keys written so far, where keys are computed.
    """

    def __init__(self, node: Mapping, spot: Spot, variable: str = "", used: str = "") -> None:
        self.node = node
        self.spot = spot
        self.w = spot.w
        self.variable = variable
        self.used = used
        self.keys: list[Any] = []
        self.values: list[Any] = []
        self.fields: dict[str, tuple[Any, ...]] = {}
        self.present: set[str] = set()
        self.rest: Any = shapes.CLOSED
        spot.frame.weight += COST

    def entries(self, pairs: list[Pair], spot: Spot) -> Shape:
        for key, node in pairs:
            if key.text == "$spread":
                self._spread(key, node, spot)
            elif grammar.live(key.text):
                self._computed(key, node, pairs, spot)
            else:
                self._fixed(key, node, spot)
        return shapes.map_of(self.fields, self.present, self.rest)

    def value(self) -> Any:
        return self.w.name(self.variable) if self.variable else self.w.map(self.keys, self.values)

    def _open(self, spot: Spot) -> str:
        if not self.variable:
            self.variable = self.w.fresh()
            spot.out.append(self.w.assign(self.variable, self.w.map(self.keys, self.values)))
        return self.variable

    def _fixed(self, key: Scalar, node: Node, spot: Spot) -> None:
        w = self.w
        name = key.text[1:] if key.text.startswith("$$") else key.text
        value, shape = template.tree(node, spot.under(name))
        maybe = shape.null and shape is not LITERAL_NULL
        before = self.fields.get(name, ()) if maybe else ()
        self.fields[name] = (*before, shapes.given(shape) if maybe else shape)
        if not maybe:
            self.present.add(name)
        if not self.variable and not maybe:
            self.keys.append(w.constant(name))
            self.values.append(value)
            return
        variable = self._open(spot)
        if not maybe:
            spot.out.append(w.store(variable, w.constant(name), value))
            return
        test, there = w.given(value)
        spot.out.append(w.when(test, [w.store(variable, w.constant(name), there)]))

    def _computed(self, key: Scalar, node: Node, pairs: list[Pair], spot: Spot) -> None:
        w = self.w
        variable = self._open(spot)
        alone = len(pairs) == 1 and not self.used  # then no other key can be the same
        if not alone and not self.used:
            self.used = w.fresh()
            fixed = [w.constant(k.text) for k, _ in pairs if not k.text.startswith("$") and not grammar.live(k.text)]
            spot.out.append(w.assign(self.used, w.call("names", *fixed)))
        name, key_shape = leaves.leaf(key, spot)
        if key_shape.kinds and not key_shape.may_be("string"):
            wrong = Wrong("expression.forbidden", f"a key is a string, not {shapes.kind_word(key_shape)}")
            spot.report(wrong, key)
        value, shape = template.tree(node, spot.under(key.text))
        spot.at(key)
        keep = w.constant(shape is LITERAL_NULL)
        used = w.constant(None) if alone else w.name(self.used)
        spot.out.append(w.do(w.call("put", w.name(variable), used, name, value, keep)))
        self._mix(shapes.given(shape))

    def _spread(self, key: Scalar, node: Node, spot: Spot) -> None:
        w = self.w
        value, shape = template.tree(node, spot.under("$spread"))
        if shape.kinds and not shape.kinds & {"map", "list"}:
            wrong = Wrong("template.directive", f"$spread merges maps, not {shapes.kind_word(shape)}")
            spot.report(wrong, key)
        if not self.variable and not shape.null and not shape.secret and _small(shape):
            self.keys.append(None)  # the display takes it in as it is
            self.values.append(value)
            self._merge(shape)
            return
        variable = self._open(spot)
        spot.at(node)
        test, there = w.given(value) if type(value) is Perhaps else (None, value)
        merge = w.do(w.call("spread", w.name("b"), w.name(variable), there))
        spot.out.append(merge if test is None else w.when(test, [merge]))
        if shape.kinds != shapes.MAP:
            self._mix(shapes.ANY)
            return
        self._merge(shape)

    def _merge(self, shape: Shape) -> None:
        merged = shapes.either(shapes.map_of(self.fields, (), self.rest), shapes.given(shape))
        self.fields, self.rest = dict(merged.fields), merged.rest
        self.present = self.present if shape.null else self.present | shape.present

    def _mix(self, value: Shape) -> None:
        """Entries of unknown names were added."""
        self.rest = value if self.rest is shapes.CLOSED else shapes.either(self.rest, value)
        self.fields = {name: (*known, value) for name, known in self.fields.items()}
