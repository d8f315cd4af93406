"""Reads the YAML that people write every day, without libyaml: maps, lists and texts of the usual forms.

Importing PyYAML costs a third of a whole render, and an event of it more than a line here.  This reader knows only what
it can read with certainty; at anything else (anchors, tags, a bracket closed further down, every mistake) it says
NotSimple, and the caller asks libyaml, which alone refuses documents and knows places.  So there is one language: what
this reader answers is what libyaml answers; tests/language/test_simple_reader.py compares them.
"""

from __future__ import annotations

from appdelivery.language.text import simple_flow, simple_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from appdelivery.language.text.limits import Limits

    Line = tuple[str | None, int, Any]  # key (None: there is none), how the value is written, the value

# How a value is written behind its key or dash.
PLAIN, QUOTED, FLOW, BLOCK, OPEN, BELOW = range(6)  # OPEN: in quotes that are closed further down
BLOCKS = ("|", "|-", "|+")


class Seen:
    """Lines and words recur (names, kinds, ports): what each says is kept while a text is read."""

    __slots__ = ("lines", "words")

    def __init__(self) -> None:
        self.lines: dict[str, Line] = {}
        self.words: dict[Any, simple_flow.Word] = {}


def read(data: bytes, limits: Limits) -> list[Any]:
    """The value of every document that is not empty."""
    if len(data) > limits.file:
        raise simple_words.NotSimple
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise simple_words.NotSimple from None
    if _most_nodes(text) > limits.nodes or not text.replace("\n", "").isprintable():
        raise simple_words.NotSimple
    rows = text.split("\n")
    if len(text) > limits.scalar and max(map(len, rows)) > limits.scalar:
        raise simple_words.NotSimple
    documents: list[Any] = []
    seen = Seen()
    start = count = 0
    for number, row in enumerate(rows):
        if row.startswith(("---", "...")):
            if row != "---":
                raise simple_words.NotSimple
            documents += _document(rows, start, number, seen, limits)
            start, count = number + 1, count + 1
    documents += _document(rows, start, len(rows), seen, limits)
    if count >= limits.documents:
        raise simple_words.NotSimple
    return documents


def _most_nodes(text: str) -> int:
    """More than there can be: a line holds a key, a value and a map, and a list for each dash."""
    return 3 * (text.count("\n") + 1 + text.count(",") + text.count("{") + text.count("[")) + text.count("- ")


def _document(rows: list[str], at: int, end: int, seen: Seen, limits: Limits) -> list[Any]:
    """The document of these rows, or nothing when it is empty.

    `here` is the map or list being filled and `column` where its entries begin; `waiting` says that its last key or
    dash has nothing behind it on its line: what stands further right in the next line is its value.
    """
    root: list[Any] = []
    here: Any = root
    key: str | None = None
    value: Any = None
    column, how, waiting = -1, BELOW, True
    lines = seen.lines
    stack: list[tuple[Any, int]] = []
    while at < end:
        row = rows[at]
        at += 1
        content = row.lstrip(" ")
        if not content or content[0] == "#":
            continue
        indent = len(row) - len(content)
        dash = content[0] == "-" and content[1:2] in (" ", "")
        if waiting and (indent > column or (dash and indent == column and type(here) is dict)):
            here = _opened(here, key, column, stack, limits, new=[] if dash else {})
            column = indent
        elif waiting:
            _put(here, key, None)
        elif indent > column:
            if how != PLAIN or not _goes_on(rows[at - 2], value):
                raise simple_words.NotSimple
            value, at = _folded(rows, at - 1, end, column, value)
            here[-1 if key is None else key] = value
            how = QUOTED
            continue
        waiting = False
        while indent < column or (indent == column and not dash and type(here) is list):
            here, column = stack.pop()
        if indent != column or dash is (type(here) is dict):
            raise simple_words.NotSimple
        while dash:
            rest = content[1:].lstrip(" ")
            if not rest or rest[0] == "#":
                key, waiting = None, True
                break
            indent += len(content) - len(rest)
            content, dash = rest, rest[0] == "-" and rest[1:2] in (" ", "")
            if dash or (lines.get(content) or _line(content, lines))[0] is not None:
                here = _opened(here, None, column, stack, limits, new=[] if dash else {})
                column = indent
        if waiting:
            continue
        key, how, value = lines.get(content) or _line(content, lines)
        if type(here) is dict:
            if key is None or key in here:
                raise simple_words.NotSimple
            if how <= QUOTED:
                here[key] = value
                continue
        elif key is not None:
            raise simple_words.NotSimple
        if how == FLOW:
            value = simple_flow.read(value, limits.depth - len(stack), seen.words)
        elif how == BLOCK:
            value, at = _block(rows, at, end, column, value)
            if len(value) > limits.scalar:
                raise simple_words.NotSimple
        elif how == OPEN:
            value, at = _closed(rows, at, end, column, value)
        elif how == BELOW:
            waiting = True
            if type(here) is dict:
                here[key] = None  # keeps its place among the keys
            continue
        _put(here, key, value)
    if waiting and column >= 0:
        _put(here, key, None)
    return root


def _opened(here: Any, key: str | None, column: int, stack: list[tuple[Any, int]], limits: Limits, *, new: Any) -> Any:
    """A map or list as the next value of `here`."""
    if len(stack) >= limits.depth:
        raise simple_words.NotSimple
    _put(here, key, new)
    stack.append((here, column))
    return new


def _put(here: Any, key: str | None, value: Any) -> None:
    if type(here) is dict:
        here[key] = value
    else:
        here.append(value)


def _line(content: str, seen: dict[str, Line]) -> Line:
    """What a line says behind its indentation and dashes; remembered."""
    first = content[0]
    if first in "\"'":
        name, end = simple_words.quoted(content, 0)
        if end and content[end : end + 2] in (": ", ":"):
            line: Line = (simple_words.key(name), *_value(content[end + 1 :].strip(" ")))
        else:
            line = (None, *_value(content.rstrip(" ")))
    elif first in "[{|":
        line = (None, *_value(content.rstrip(" ")))
    else:
        name, colon, rest = content.partition(": ")
        if not colon or " #" in name:
            name, rest = content.partition(" #")[0].rstrip(" "), ""
            name, colon = (name[:-1], ":") if name[-1:] == ":" else (name, "")
        name = name.rstrip(" ")
        if colon:
            line = (simple_words.key(simple_words.bare(name)), *_value(rest.strip(" ")))
        else:
            line = (None, PLAIN, simple_words.plain(name))
    seen[content] = line
    return line


def _value(text: str) -> tuple[int, Any]:
    """How what stands behind a key is written, and its value if it is a text of this line."""
    first = text[:1]
    if not first or first == "#":
        return BELOW, None
    if first in "[{":
        return FLOW, text
    if first in "\"'":
        value, end = simple_words.quoted(text, 0)
        if not end:
            return OPEN, text
        simple_words.nothing(text[end:])
        return QUOTED, value
    if first == "|":
        if text not in BLOCKS:
            raise simple_words.NotSimple
        return BLOCK, text[1:]
    if " #" in text:
        text = text.partition(" #")[0].rstrip(" ")
    return PLAIN, simple_words.plain(text)


def _goes_on(row: str, value: Any) -> bool:
    """Whether a plain text may continue below this row: it is the row's last word, and no number."""
    return type(value) is str and row.rstrip(" ").endswith(value) and row.lstrip(" ")[0] != "#"


def _folded(rows: list[str], at: int, end: int, column: int, value: str) -> tuple[str, int]:
    """A plain text with the rows below it, as far as they stand further right."""
    pieces = [value]
    while at < end:
        text = rows[at].lstrip(" ")
        if not text or len(rows[at]) - len(text) <= column:
            break
        text = text.rstrip(" ")
        if ": " in text or text[-1] == ":" or " #" in text or text[0] == "#":
            raise simple_words.NotSimple
        pieces.append(text)
        at += 1
    return " ".join(pieces), at


def _closed(rows: list[str], at: int, end: int, column: int, text: str) -> tuple[str, int]:
    """A text in quotes over several rows: a line end is a blank, an empty row a line end."""
    quote = text[0]
    pieces, breaks = [text[1:]], 0
    while at < end:
        if quote == '"' and "\\" in rows[at - 1]:
            raise simple_words.NotSimple  # an escape may stand at the end of a row
        row = rows[at].strip(" ")
        at += 1
        if not row:
            breaks += 1
            continue
        if len(rows[at - 1]) - len(rows[at - 1].lstrip(" ")) <= column:
            raise simple_words.NotSimple
        pieces.append("\n" * breaks or " ")
        breaks = 0
        last, behind = simple_words.quoted(quote + row, 0)
        if behind:
            simple_words.nothing(row[behind - 1 :])
            whole = "".join(pieces).replace("''", "'") if quote == "'" else "".join(pieces)
            return whole + last, at
        pieces.append(row)
    raise simple_words.NotSimple


def _block(rows: list[str], at: int, end: int, column: int, sign: str) -> tuple[str, int]:
    """The literal text below a '|', and the row behind it."""
    indent, found = 0, []
    while at < end:
        row = rows[at]
        text = row.lstrip(" ")
        if not text:
            if len(row) > indent:
                raise simple_words.NotSimple  # blanks that may belong to the text
        elif not indent:
            indent = len(row) - len(text)
            if indent <= column:
                raise simple_words.NotSimple
        elif len(row) - len(text) < indent:
            break
        found.append(row[indent:])
        at += 1
    if not indent:
        raise simple_words.NotSimple
    if at == len(rows) and found.pop():  # the last row is what stands behind the last line end
        raise simple_words.NotSimple
    last = len(found)
    while not found[last - 1]:
        last -= 1
    return "\n".join(found if sign == "+" else found[:last]) + ("" if sign == "-" else "\n"), at
