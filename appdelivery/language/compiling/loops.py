"""`for`, in a text or as `$for`: opened before its body is compiled, finished after."""

from __future__ import annotations

from appdelivery.language.compiling import frames, shapes, sizes
from appdelivery.language.expressions import grammar, leaves, translate
from appdelivery.language.problems import Wrong

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from appdelivery.language.compiling.frames import Spot
    from appdelivery.language.compiling.shapes import Shape
    from appdelivery.language.problems import Span


class Loop:
    """spot: where the body is compiled, with the loop names in scope."""

    def __init__(self, source: str, span: Span, spot: Spot) -> None:
        frame = spot.frame
        self.span = span
        self.before = frame.weight
        self.variables = [frame.writer.fresh()]
        self.scope = dict(spot.scope)
        self.spot = spot.into([], self.scope)
        frame.loops += 1
        frame.writer.at(span)
        self.helper, self.items, self.maybe = "each", frame.writer.sequence([]), False
        try:
            self._open(source, spot)
        except Wrong as wrong:
            leaves.failed(wrong, span, frame)

    def _open(self, source: str, outside: Spot) -> None:
        frame, w = outside.frame, outside.w
        frame.unit.count(source)
        frame.level = 0
        if frame.loops > frames.LOOPS:
            raise Wrong("expression.limit", f"loops are nested more than {frames.LOOPS} deep")
        names, iterable, condition = grammar.loop(frame.spell(source))
        self.variables = [w.fresh(name) for name in names]
        for name, variable in zip(names, self.variables, strict=True):  # known even if the iterable is wrong
            self.scope[name] = variable, shapes.ANY
        for name in names:
            if name in outside.scope or name in frame.unit.lets or names.count(name) > 1:
                raise Wrong("expression.name", f"the loop name '{name}' is taken already; choose another")
        before, frame.read = frame.read, []
        self.helper, self.items, each, self.maybe = _items(iterable, len(names), outside)
        walked = sizes.Source(frame.read, sizes.growth(self.items), repeated=frame.loops > 1)
        frame.read = before
        for name, variable, shape in zip(names, self.variables, each, strict=True):
            self.scope[name] = variable, shape
            frame.sources[name] = walked
        if condition is not None:
            self.only_if(translate.value(condition, self.spot)[0])

    def only_if(self, test: Any) -> None:
        """Skips the turn when the test is false; stands before the body."""
        w = self.spot.w
        self.spot.out.append(w.when(w.negation(test), [w.skip_turn()]))

    def finished(self) -> Any:
        """The statement; what one turn costs is known now."""
        w, frame = self.spot.w, self.spot.frame
        frame.loops -= 1
        w.at(self.span)
        work = w.constant(max(frame.weight - self.before, 1))
        test, items = w.given(self.items) if self.maybe else (None, self.items)
        loop = w.loop(self.variables, w.call(self.helper, w.name("b"), items, work), self.spot.out)
        return loop if test is None else w.when(test, [loop])


def _items(node: Any, names: int, spot: Spot) -> tuple[str, Any, list[Shape], bool]:
    """Helper, what it walks over, the shapes of the loop names, and whether there may be nothing to walk over."""
    if names == 2 and type(node).__name__ == "Filter" and node.name == "items" and not node.args:
        code, shape = translate.value(node.node, spot)
        return "each_item", code, [shapes.STRING, shapes.entries(shape)], shape.null
    code, shape = translate.value(node, spot)
    if shape.kinds and not shape.kinds & {"list", "map"}:
        raise Wrong("expression.forbidden", f"a loop needs a list or a map, not {shapes.kind_word(shape)}")
    if names == 1:
        return "each", code, [shapes.element(shape)], shape.null
    if shape.kinds == shapes.MAP:
        raise Wrong("expression.forbidden", "a loop with two names over a map needs '| items'")
    return "each_pair", code, list(shape.pair or (shapes.ANY, shapes.ANY)), shape.null
