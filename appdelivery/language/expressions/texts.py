"""Texts with statements (`${% if %}`, `${% for %}`): configuration files and scripts inside a leaf.

Their pieces become appends to one list, inside ifs and loops, and the list is joined.  A line of nothing but
statements leaves no line.
"""

from __future__ import annotations

from appdelivery.language import problems
from appdelivery.language.compiling import loops, shapes
from appdelivery.language.expressions import grammar, leaves, translate
from appdelivery.language.problems import Wrong

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from appdelivery.language.compiling.frames import Spot
    from appdelivery.language.compiling.shapes import Shape
    from appdelivery.language.expressions.grammar import Piece
    from appdelivery.language.problems import Span
    from appdelivery.language.text.nodes import Scalar

STATEMENTS = ("if", "elif", "else", "endif", "for", "endfor")
BLANK = " \t"


def compiled(scalar: Scalar, pieces: list[Piece], spot: Spot) -> tuple[Any, Shape]:
    """Statements go to the spot; the expression joins what they collected."""
    reader = _Reader(scalar, spot)
    try:
        reader.pieces = trimmed(pieces)
        spot.at(scalar)
        spot.out.append(spot.w.assign(reader.list, spot.w.sequence([])))
        reader.body(spot, ())
    except _Misplaced as misplaced:
        return leaves.failed(misplaced.wrong, reader.span(misplaced.piece), spot.frame)
    spot.at(scalar)
    return spot.w.call("joined", spot.budget(), spot.w.name(reader.list)), shapes.STRING


class _Misplaced(Exception):
    """A statement that cannot stand where it stands."""

    def __init__(self, piece: Piece, wrong: Wrong) -> None:
        super().__init__(wrong.message)
        self.piece = piece
        self.wrong = wrong


class _Reader:
    """Walks over the pieces of one text; `at` is the next one."""

    def __init__(self, scalar: Scalar, spot: Spot) -> None:
        self.scalar = scalar
        self.spot = spot
        self.pieces: list[Piece] = []
        self.at = 0
        self.list = spot.w.fresh()

    def span(self, piece: Piece) -> Span:
        return leaves.part(self.scalar, piece.start, piece.end, self.spot)

    def body(self, spot: Spot, ends: tuple[str, ...]) -> str:
        """Statements up to one of the ends, which is given back ('' = end of text)."""
        w = spot.w
        while self.at < len(self.pieces):
            piece = self.pieces[self.at]
            self.at += 1
            if piece.kind != "statement":
                part = leaves.in_text(self.scalar, piece, spot)
                spot.out.append(w.do(w.call("append", w.name(self.list), part)))
                continue
            word, rest = _word(piece)
            if word in ends:
                if rest and word != "elif":
                    raise _Misplaced(piece, Wrong("expression.syntax", f"'{word}' takes nothing behind it"))
                return word
            if word == "if":
                self._if(piece, spot)
            elif word == "for":
                self._for(piece, rest, spot)
            else:
                raise _Misplaced(piece, Wrong("expression.syntax", f"'{word}' stands without its beginning"))
        if ends:
            wrong = Wrong("expression.syntax", f"expected '{ends[-1]}', got 'end of text'")
            raise _Misplaced(self.pieces[-1], wrong)
        return ""

    def _if(self, piece: Piece, spot: Spot) -> None:
        """Also for elif, which is an if in the else of the one before."""
        w, span = spot.w, self.span(piece)
        w.at(span)
        try:
            test, _ = translate.compiled(_word(piece)[1], spot)
        except Wrong as wrong:
            test, _ = leaves.failed(wrong, span, spot.frame)
        yes, no = spot.into([]), spot.into([])
        end = self.body(yes, ("elif", "else", "endif"))
        if end == "elif":
            self._if(self.pieces[self.at - 1], no)
        elif end == "else":
            self.body(no, ("endif",))
        w.at(span)
        spot.out.append(w.when(test, yes.out, no.out))

    def _for(self, piece: Piece, rest: str, spot: Spot) -> None:
        loop = loops.Loop(rest, self.span(piece), spot)
        self.body(loop.spot, ("endfor",))
        spot.out.append(loop.finished())


def _word(piece: Piece) -> tuple[str, str]:
    """First word and the rest of a statement."""
    word, _, rest = piece.content.strip("-").strip().partition(" ")
    if word not in STATEMENTS:
        close, hint = problems.suggestion(word, STATEMENTS)
        raise _Misplaced(piece, Wrong("expression.forbidden", f"the statement '{word}' is not available{close}", hint))
    return word, rest.strip()


def trimmed(pieces: list[Piece]) -> list[Piece]:
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
    """For each piece: whether its line holds only statements and blanks up to it (seen from the first piece)."""
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
