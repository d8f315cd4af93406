"""Scalars with expressions: a typed value, a text around expressions, a text with statements; and bare expressions.

Every problem of a leaf is reported at its place and compiling goes on, so that one compile shows them all.
"""

from __future__ import annotations

from appdelivery.language import expressions, frames, grammar, nodes, problems, shapes
from appdelivery.language.problems import Span, Wrong

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from appdelivery.language.frames import Frame, Scope
    from appdelivery.language.grammar import Piece
    from appdelivery.language.nodes import Scalar
    from appdelivery.language.shapes import Shape
    from appdelivery.model.problem import Path

    Value = tuple[Any, Shape]

LITERAL_NULL = shapes.Shape(frozenset())  # written `null`: it stays
STATEMENTS = ("if", "elif", "else", "endif", "for", "endfor")
BLANK = " \t"


def leaf(scalar: Scalar, frame: Frame, scope: Scope, out: list[Any], path: Path = ()) -> Value:
    """Python for the value of a scalar; `out` takes the statements that a text with loops needs."""
    text = scalar.value
    frame.weight += 1
    if type(text) is not str:
        frame.writer.at(frame.span(scalar, path))
        return frame.writer.constant(text), (LITERAL_NULL if text is None else shapes.of_constant(text))
    if not grammar.live(text):
        frame.writer.at(frame.span(scalar, path))
        return frame.writer.constant(text), shapes.STRING
    try:
        found = grammar.pieces(text)
    except Wrong as wrong:
        return failed(wrong, _part(scalar, text.find("${"), len(text), frame, path), frame)
    if len(found) == 1 and found[0].kind == "text":
        frame.writer.at(frame.span(scalar, path))
        return frame.writer.constant(found[0].content), shapes.STRING
    if len(found) == 1 and found[0].kind == "expression":
        return _expression(scalar, found[0], frame, scope, path)
    if any([piece.kind == "statement" for piece in found]):
        return _Text(scalar, frame, path).compiled(found, scope, out)
    parts = [_in_text(scalar, piece, frame, scope, path) for piece in found]
    frame.writer.at(frame.span(scalar, path))
    return frame.writer.call("text", expressions.budget(frame), *parts), shapes.STRING


def bare(scalar: Any, frame: Frame, scope: Scope, path: Path = ()) -> Value:
    """The expression of `$if`, `must` and the like."""
    span = frame.span(scalar, path)
    frame.writer.at(span)
    try:
        if not isinstance(scalar, nodes.Scalar):
            raise Wrong("expression.syntax", "expected an expression, got a map or a list")
        if type(scalar.value) is not str:
            return frame.writer.constant(scalar.value), shapes.of_constant(scalar.value)
        return expressions.compiled(grammar.bare(scalar.value), frame, scope)
    except Wrong as wrong:
        return failed(wrong, span, frame)


def failed(wrong: Wrong, span: Span, frame: Frame) -> Value:
    frame.report(wrong, span)
    frame.writer.at(span)
    return frame.writer.constant(None), shapes.ANY


def _part(scalar: Scalar, start: int, end: int, frame: Frame, path: Path) -> Span:
    line, column = nodes.position(scalar, start)
    end_line, end_column = nodes.position(scalar, end - 1)
    return Span(frame.file, line, column, end_line, end_column + 1, path)


def _expression(scalar: Scalar, piece: Piece, frame: Frame, scope: Scope, path: Path) -> Value:
    span = _part(scalar, piece.start, piece.end, frame, path)
    frame.writer.at(span)
    try:
        return expressions.compiled(piece.content, frame, scope)
    except Wrong as wrong:
        return failed(wrong, span, frame)


def _in_text(scalar: Scalar, piece: Piece, frame: Frame, scope: Scope, path: Path) -> Any:
    if piece.kind == "text":
        frame.writer.at(frame.span(scalar, path))
        return frame.writer.constant(piece.content)
    code, shape = _expression(scalar, piece, frame, scope, path)
    try:
        expressions.public("a text", shape)
        if shape.kinds and shape.kinds <= {"list", "map"} and not shape.null:
            raise Wrong("expression.forbidden", f"{shapes.kind_word(shape)} inside text; use tojson")
    except Wrong as wrong:
        return failed(wrong, _part(scalar, piece.start, piece.end, frame, path), frame)
    if frame.dashes and shape.null:
        return frame.writer.call("dash", code)
    # A helper joins the parts and says what does not fit into a text; it must say where, so each part is judged alone.
    return code if shape.kinds and not shape.null and shape.kinds <= SCALARS else frame.writer.call("scalar", code)


SCALARS = frozenset({"string", "number", "boolean"})


class _Text:
    """Compiles a text with statements: pieces in order become appends to one list, inside ifs and loops."""

    def __init__(self, scalar: Scalar, frame: Frame, path: Path) -> None:
        self.scalar = scalar
        self.frame = frame
        self.path = path
        self.pieces: list[Piece] = []
        self.at = 0
        self.list = frame.writer.fresh()

    def compiled(self, pieces: list[Piece], scope: Scope, out: list[Any]) -> Value:
        frame, w = self.frame, self.frame.writer
        try:
            self.pieces = _trimmed(pieces)
            w.at(frame.span(self.scalar, self.path))
            out.append(w.assign(self.list, w.list([])))
            self._body(scope, out, ())
        except _Misplaced as misplaced:
            return failed(misplaced.wrong, self._span(misplaced.piece), frame)
        w.at(frame.span(self.scalar, self.path))
        return w.call("joined", expressions.budget(frame), w.name(self.list)), shapes.STRING

    def _span(self, piece: Piece) -> Span:
        return _part(self.scalar, piece.start, piece.end, self.frame, self.path)

    def _body(self, scope: Scope, out: list[Any], ends: tuple[str, ...]) -> str:
        """Statements up to one of the ends, which is given back ('' = end of text); `at` stands behind it."""
        w = self.frame.writer
        while self.at < len(self.pieces):
            piece = self.pieces[self.at]
            self.at += 1
            if piece.kind != "statement":
                part = _in_text(self.scalar, piece, self.frame, scope, self.path)
                out.append(w.do(w.call("append", w.name(self.list), part)))
                continue
            word, rest = _word(piece)
            if word in ends:
                if rest and word != "elif":
                    raise _Misplaced(piece, f"'{word}' takes nothing behind it")
                return word
            if word == "if":
                self._if(piece, scope, out)
            elif word == "for":
                self._for(piece, rest, scope, out)
            else:
                raise _Misplaced(piece, f"'{word}' stands without its beginning")
        if ends:
            raise _Misplaced(self.pieces[-1], f"expected '{ends[-1]}', got 'end of text'")
        return ""

    def _if(self, piece: Piece, scope: Scope, out: list[Any]) -> None:
        _, rest = _word(piece)
        w, span = self.frame.writer, self._span(piece)
        w.at(span)
        try:
            test, _shape = expressions.compiled(rest, self.frame, scope)
        except Wrong as wrong:
            test, _shape = failed(wrong, span, self.frame)
        yes: list[Any] = []
        no: list[Any] = []
        end = self._body(scope, yes, ("elif", "else", "endif"))
        if end == "elif":
            self._if(self.pieces[self.at - 1], scope, no)
        elif end == "else":
            self._body(scope, no, ("endif",))
        w.at(span)
        out.append(w.when(test, yes, no))

    def _for(self, piece: Piece, rest: str, scope: Scope, out: list[Any]) -> None:
        body: list[Any] = []
        loop = Loop(rest, self._span(piece), self.frame, scope, body)
        self._body(loop.scope, body, ("endfor",))
        out.append(loop.finished(body))


class Loop:
    """A `for`, of a text or of `$for`: opened before its body is compiled, finished after."""

    def __init__(self, source: str, span: Span, frame: Frame, scope: Scope, body: list[Any]) -> None:
        self.frame = frame
        self.span = span
        self.before = frame.weight
        frame.loops += 1
        frame.writer.at(span)
        self.scope = dict(scope)
        self.variables = [frame.writer.fresh()]
        self.helper, self.items = "each", frame.writer.list([])
        try:
            if frame.loops > frames.LOOPS:
                raise Wrong("expression.limit", f"loops are nested more than {frames.LOOPS} deep")
            self._open(source, scope, body)
        except Wrong as wrong:
            failed(wrong, span, frame)

    def _open(self, source: str, scope: Scope, body: list[Any]) -> None:
        frame, w = self.frame, self.frame.writer
        frame.unit.count()
        frame.level = 0
        names, iterable, condition = grammar.loop(source)
        self.variables = [w.fresh(name) for name in names]
        for name, variable in zip(names, self.variables, strict=True):  # known even if the iterable is wrong
            self.scope[name] = variable, shapes.ANY
        for name in names:
            if name in scope or name in frame.unit.lets or names.count(name) > 1:
                raise Wrong("expression.name", f"the loop name '{name}' is taken already; choose another")
        self.helper, self.items, each = self._items(iterable, len(names), scope)
        for name, variable, shape in zip(names, self.variables, each, strict=True):
            self.scope[name] = variable, shape
        if condition is not None:
            test, _ = expressions.value(condition, frame, self.scope, False)
            body.append(w.when(w.negation(test), [w.skip_turn()]))

    def _items(self, node: Any, names: int, scope: Scope) -> tuple[str, Any, list[Shape]]:
        """Helper, what it walks over, and the shapes of the loop names."""
        frame = self.frame
        if names == 2 and type(node).__name__ == "Filter" and node.name == "items" and not node.args:
            code, shape = expressions.value(node.node, frame, scope, False)
            return "each_item", code, [shapes.STRING, shapes.entries(shape)]
        code, shape = expressions.value(node, frame, scope, False)
        if shape.kinds and not shape.kinds & {"list", "map"}:
            raise Wrong("expression.forbidden", f"a loop needs a list or a map, not {shapes.kind_word(shape)}")
        if names == 1:
            return "each", code, [shapes.element(shape)]
        if shape.kinds == shapes.MAP:
            raise Wrong("expression.forbidden", "a loop with two names over a map needs '| items'")
        return "each_pair", code, list(shape.pair or (shapes.ANY, shapes.ANY))

    def finished(self, body: list[Any]) -> Any:
        """The statement; what one turn costs is known now."""
        w = self.frame.writer
        self.frame.loops -= 1
        w.at(self.span)
        work = w.constant(max(self.frame.weight - self.before, 1))
        return w.loop(self.variables, w.call(self.helper, w.name("b"), self.items, work), body)


class _Misplaced(Exception):
    def __init__(self, piece: Piece, message: str) -> None:
        super().__init__(message)
        self.piece = piece
        self.wrong = Wrong("expression.syntax", message)


def _word(piece: Piece) -> tuple[str, str]:
    """First word and the rest of a statement."""
    word, _, rest = piece.content.strip("-").strip().partition(" ")
    if word not in STATEMENTS:
        close, hint = problems.suggestion(word, STATEMENTS)
        misplaced = _Misplaced(piece, f"the statement '{word}' is not available{close}")
        misplaced.wrong.hint = hint
        misplaced.wrong.code = "expression.forbidden"
        raise misplaced
    return word, rest.strip()


def _trimmed(pieces: list[Piece]) -> list[Piece]:
    """A line of statements and blanks leaves no line; `-` inside a statement's brackets eats all blanks on that side."""
    begun = _only_statements(pieces, lambda text: text.rpartition("\n"), 2)
    ended = _only_statements(pieces[::-1], lambda text: text.partition("\n"), 0)[::-1]
    out = []
    for index, piece in enumerate(pieces):
        before = pieces[index - 1].content if index and pieces[index - 1].kind == "statement" else None
        after = pieces[index + 1].content if index + 1 < len(pieces) and pieces[index + 1].kind == "statement" else None
        if piece.kind == "text":
            text = piece.content
            if before is not None:
                text = text.lstrip() if before.endswith("-") else _without_head(text, alone=begun[index])
            if after is not None:
                text = text.rstrip() if after.startswith("-") else _without_tail(text, begun[index], alone=ended[index])
            piece = grammar.Piece("text", text, piece.start, piece.end)
        if piece.content:
            out.append(piece)
    return out


def _only_statements(pieces: list[Piece], parted: Any, side: int) -> list[bool]:
    """For each piece: whether its line holds only statements and blanks up to it (seen from the beginning of pieces)."""
    clean, out = True, []
    for piece in pieces:
        out.append(clean)
        if piece.kind == "text":
            parts = parted(piece.content)
            clean = not parts[side].strip(BLANK) and (clean or "\n" in parts)
        elif piece.kind == "expression":
            clean = False
    return out


def _without_head(text: str, *, alone: bool) -> str:
    head, newline, rest = text.partition("\n")
    return rest if alone and newline and not head.strip(BLANK) else text


def _without_tail(text: str, begun: bool, *, alone: bool) -> str:
    start, newline, tail = text.rpartition("\n")
    return start + newline if alone and not tail.strip(BLANK) and (newline or begun) else text
