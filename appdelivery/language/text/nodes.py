"""What the loader gives when places matter: nodes with marks, and how a place in a text is found and shown.

Made by yaml_in and json_in, read by the definition compiler and by source.  Lines and columns count from 1, in
characters.  Plain classes, not records: a document has thousands of them and a record is slow to make.
"""

from __future__ import annotations

import codecs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

BLANK = " \t\r\n"
WIDEST = 120  # characters of a source line that an excerpt shows
# Patterns are texts, and `re` is imported where one is needed: most texts need none.
HEADER = r"(?m)[|>][-+0-9]*[ \t]*(?:#.*)?$"
UNSEEN = "[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff]"
WIDTHS = {"x": 2, "u": 4, "U": 8}  # hexadecimal digits after an escape letter


class Scalar:
    """text is what was written, value what it means (`1.10` and 1.1); style one of '' ' " | >.

    raw is the source, kept only where offsets in text are not columns in the source; content_line and indent belong
    to block scalars.
    """

    __slots__ = (
        "column",
        "content_line",
        "end_column",
        "end_line",
        "indent",
        "line",
        "plain",
        "raw",
        "style",
        "text",
        "value",
    )

    def __init__(  # noqa: PLR0917 - made by the thousand, by position
        self,
        value: Any,
        text: str,
        plain: bool,
        style: str,
        line: int,
        column: int,
        end_line: int,
        end_column: int,
        *,
        raw: str = "",
    ) -> None:
        self.value = value
        self.text = text
        self.plain = plain
        self.style = style
        self.line = line
        self.column = column
        self.end_line = end_line
        self.end_column = end_column
        self.raw = ""
        self.content_line = self.indent = 0
        if style and style in "|>":
            self._block(raw)
        elif "\n" in raw or "\r" in raw or (style and len(raw) != len(text) + 2):
            self.raw = raw

    def _block(self, raw: str) -> None:
        """Where the content begins: its lines keep their order, each behind `indent` spaces."""
        import re

        header = re.search(HEADER, raw)
        start = raw.find("\n", header.end() if header else 0) + 1
        self.content_line = self.line + raw.count("\n", 0, start)
        source = next((s for s in raw[start:].split("\n") if s.strip()), "")
        first = next((s for s in self.text.split("\n") if s.strip()), "")
        self.indent = _leading(source) - _leading(first)
        if self.style == ">":
            self.raw = raw[start:]

    def __repr__(self) -> str:
        return f"Scalar({self.value!r}, {self.line}:{self.column})"


class Mapping:
    """Pairs in the order written; keys are scalars, none twice."""

    __slots__ = ("column", "end_column", "end_line", "line", "pairs")

    def __init__(
        self,
        pairs: list[tuple[Scalar, Scalar | Mapping | Sequence]],
        line: int,
        column: int,
        end_line: int = 0,
        end_column: int = 0,
    ) -> None:
        self.pairs = pairs
        self.line = line
        self.column = column
        self.end_line = end_line or line
        self.end_column = end_column or column

    def __repr__(self) -> str:
        return f"Mapping({self.pairs!r}, {self.line}:{self.column})"


class Sequence:
    __slots__ = ("column", "end_column", "end_line", "items", "line")

    def __init__(
        self, items: list[Scalar | Mapping | Sequence], line: int, column: int, end_line: int = 0, end_column: int = 0
    ) -> None:
        self.items = items
        self.line = line
        self.column = column
        self.end_line = end_line or line
        self.end_column = end_column or column

    def __repr__(self) -> str:
        return f"Sequence({self.items!r}, {self.line}:{self.column})"


def to_plain(node: Scalar | Mapping | Sequence) -> Any:
    """The value of a node without its marks, as `load` would have given it."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Mapping):
        return {key.text: to_plain(value) for key, value in node.pairs}
    return [to_plain(item) for item in node.items]


def position(scalar: Scalar, offset: int) -> tuple[int, int]:
    """Line and column of the character at `offset` of the scalar's text.

    Exact for single-line scalars and literal blocks; in folded text exact for every character that is not blank.
    """
    if scalar.style == "|":
        start = scalar.text.rfind("\n", 0, offset) + 1
        return scalar.content_line + scalar.text.count("\n", 0, offset), scalar.indent + 1 + offset - start
    if not scalar.raw:
        return scalar.line, scalar.column + offset + (1 if scalar.style else 0)
    return _aligned(scalar, offset)


def _aligned(scalar: Scalar, offset: int) -> tuple[int, int]:
    """Folding and escapes change the blanks, never the order of the other characters: those are counted."""
    wanted = sum(1 for c in scalar.text[:offset] if c not in BLANK)
    raw, seen, at = scalar.raw, 0, len(scalar.raw)
    for index, solid in _pieces(raw, scalar.style):
        if solid and seen == wanted:
            at = index
            break
        seen += solid
    start = raw.rfind("\n", 0, at) + 1
    lines = raw.count("\n", 0, at)
    if scalar.style == ">":
        return scalar.content_line + lines, at - start + 1
    return scalar.line + lines, at - start + 1 if lines else scalar.column + at


def _pieces(raw: str, style: str) -> Iterator[tuple[int, bool]]:
    """(index in the source, is it a character that is not blank) of everything that gives one character of text."""
    index, end = (1, len(raw) - 1) if style in ("'", '"') else (0, len(raw))
    while index < end:
        length, solid = 1, raw[index] not in BLANK
        if style == "'" and raw[index] == "'":
            length = 2
        elif style == '"' and raw[index] == "\\":
            length, solid = _escape(raw, index)
        yield index, solid
        index += length


def _escape(raw: str, index: int) -> tuple[int, bool]:
    letter = raw[index + 1]
    if width := WIDTHS.get(letter):
        code = int(raw[index + 2 : index + 2 + width], 16)
        first_half = 0xD800 <= code < 0xDC00  # JSON: two escapes, one character
        return width + 2, not first_half and chr(code) not in BLANK
    return 2, letter not in "nrt" + BLANK


def _leading(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def rows(data: bytes, wanted: Iterable[int]) -> dict[int, str]:
    """The lines of these numbers, as editors and the parser count them; a text of a million lines is not split."""
    data = data.removeprefix(codecs.BOM_UTF8)
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    found: dict[int, str] = {}
    number, start = 1, 0
    for line in sorted(set(wanted)):
        while number < line and start >= 0:
            number, start = number + 1, data.find(b"\n", start) + 1 or -1
        if number != line or start < 0:
            continue
        end = data.find(b"\n", start)
        found[line] = data[start : end if end >= 0 else len(data)].decode("utf-8", "replace")
    return found


def excerpt(lines: dict[int, str], line: int, column: int, end_column: int = 0) -> str:
    """The line before and the line itself with their numbers, carets under the offending part."""
    if line not in lines:
        return ""
    width = len(lines[line])
    cut = max(0, column - 1 - WIDEST * 2 // 3) if width > WIDEST else 0
    shown = [f"{n:>6} | {_shown(lines[n], cut)}".rstrip() for n in (line - 1, line) if n in lines]
    last = min(max(end_column, column + 1), max(width + 1, column + 1), cut + WIDEST + 1)
    carets = " " * (column - 1 - cut) + "^" * max(last - column, 1)
    return "\n".join([*shown, f"{'':>6} | {carets}"])


def _shown(line: str, cut: int) -> str:
    """One column a character, whatever it is: carets must stand right and a terminal must not be steered."""
    import re

    return re.sub(UNSEEN, lambda found: " " if found[0] == "\t" else "\ufffd", line[cut : cut + WIDEST])
