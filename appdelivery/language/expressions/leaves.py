"""Scalars with expressions: a typed value, a text around expressions; and the bare expressions of `$if` and `must`.

Every problem of a leaf is reported at its place and compiling goes on, so that one compile shows them all.
"""

from __future__ import annotations

from appdelivery.language.compiling import shapes, sizes
from appdelivery.language.expressions import grammar, texts, translate
from appdelivery.language.problems import Span, Wrong
from appdelivery.language.text import nodes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from appdelivery.language.compiling.frames import Frame, Spot
    from appdelivery.language.compiling.shapes import Shape
    from appdelivery.language.expressions.grammar import Piece
    from appdelivery.language.text.nodes import Scalar

    Value = tuple[Any, Shape]

LITERAL_NULL = shapes.Shape(frozenset())  # written `null`: it stays
SCALARS = frozenset({"string", "number", "boolean"})


def leaf(scalar: Scalar, spot: Spot) -> Value:
    """Python for the value of a scalar."""
    text = scalar.value
    spot.frame.weight += 1
    spot.frame.size.depth = max(spot.frame.size.depth, len(spot.path))
    if type(text) is not str:
        if type(text) is float and text - text != 0:
            spot.report(Wrong("expression.limit", f"{scalar.text} has no form in JSON; a value is a finite number"), scalar)
        spot.at(scalar)
        return spot.w.constant(text), (LITERAL_NULL if text is None else shapes.of_constant(text))
    if not grammar.live(text):
        spot.at(scalar)
        return spot.w.constant(text), shapes.WRITTEN
    try:
        found = grammar.pieces(text)
    except Wrong as wrong:
        return failed(wrong, part(scalar, text.find("${"), len(text), spot), spot.frame)
    if len(found) == 1 and found[0].kind == "text":
        spot.at(scalar)
        return spot.w.constant(found[0].content), shapes.STRING
    if len(found) == 1 and found[0].kind == "expression":
        return _expression(scalar, found[0], spot)
    if any(piece.kind == "statement" for piece in found):
        return texts.compiled(scalar, found, spot)
    parts = [in_text(scalar, piece, spot) for piece in found]
    spot.at(scalar)
    return spot.w.call("text", spot.budget(), *parts), shapes.STRING


def bare(node: Any, spot: Spot) -> Value:
    """The expression of `$if`, `must` and the like."""
    spot.at(node)
    span = spot.frame.span(node, spot.path)
    if not isinstance(node, nodes.Scalar):
        return failed(Wrong("expression.syntax", "expected an expression, got a map or a list"), span, spot.frame)
    if type(node.value) is not str:
        return spot.w.constant(node.value), shapes.of_constant(node.value)
    try:
        return translate.compiled(grammar.bare(node.value), spot)
    except Wrong as wrong:
        return failed(wrong, span, spot.frame)


def failed(wrong: Wrong, span: Span, frame: Frame) -> Value:
    """Reports, and stands in for what could not be compiled."""
    frame.report(wrong, span)
    frame.writer.at(span)
    return frame.writer.constant(None), shapes.ANY


def part(scalar: Scalar, start: int, end: int, spot: Spot) -> Span:
    """The place of some characters of a scalar."""
    line, column = nodes.position(scalar, end - 1)
    return Span(spot.frame.file, nodes.position(scalar, start), (line, column + 1), spot.path)


def _expression(scalar: Scalar, piece: Piece, spot: Spot) -> Value:
    span = part(scalar, piece.start, piece.end, spot)
    spot.w.at(span)
    frame = spot.frame
    before = frame.weight
    frame.read = []
    try:
        code, shape = translate.compiled(piece.content, spot)
    except Wrong as wrong:
        return failed(wrong, span, frame)
    sizes.place(spot, frame.read, shape, code, frame.weight - before)
    return code, shape


def in_text(scalar: Scalar, piece: Piece, spot: Spot) -> Any:
    """Python for one piece of a text, null and containers refused."""
    if piece.kind == "text":
        spot.at(scalar)
        return spot.w.constant(piece.content)
    code, shape = _expression(scalar, piece, spot)
    if wrong := _no_text(shape):
        return failed(wrong, part(scalar, piece.start, piece.end, spot), spot.frame)[0]
    if spot.frame.dashes and shape.null:
        code, shape = spot.w.call("dash", code), shapes.SURE
    # What is no scalar is refused by the piece, not by the helper that joins them, so that the place is the piece's.
    return code if shape.kinds and not shape.null and shape.kinds <= SCALARS else spot.w.call("scalar", code)


def _no_text(shape: Shape) -> Wrong | None:
    if shape.secret:
        message = "a text cannot use a secret value; it may only be a whole value"
    elif shape.kinds and shape.kinds <= {"list", "map"} and not shape.null:
        message = f"{shapes.kind_word(shape)} inside text; use tojson"
    else:
        return None
    return Wrong("expression.forbidden", message)
