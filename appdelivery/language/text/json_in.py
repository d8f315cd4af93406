"""Reads JSON with the limits and the problems of YAML.  Called by yaml_in alone, which chooses by file name.

Values come from the standard library's parser.  When it, or a look at what it gave, finds something doubtful, a walk
over the tokens says what and where; the same walk makes nodes with marks.  (The YAML parser cannot: JSON has surrogate
pairs and keys of any length.)
"""

from __future__ import annotations

import contextlib
import json
import re

from appdelivery.language.text import syntax
from appdelivery.language.text.nodes import Mapping, Scalar, Sequence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from appdelivery.language.text.limits import Limits

    Node = Scalar | Mapping | Sequence

PIECE = r'[\[\]{},:]|"(?:[^"\\]|\\.)*"|[^\s\[\]{},:"]+|\r\n|\r|\n'
HALF = "[\ud800-\udfff]"
WORDS = {"true": True, "false": False, "null": None}
INFINITY = float("inf")
SHORT = 18  # digits that fit into 64 bits
LONGEST = 1_000  # digits of a number that are looked at
SMALLEST, LARGEST = -(1 << 63), (1 << 63) - 1


class _Doubtful(Exception):
    """Something is wrong; the walk over the tokens finds out what."""


def load(data: bytes, file: str, limits: Limits) -> list[Any]:
    """One value, or nothing for an empty text."""
    faults = syntax.Faults(data, file)
    text = syntax.decoded(data, faults, limits)
    if not text.strip():
        return []
    value = _parsed(text, faults, limits)
    if _doubtful(value, limits, escapes="\\u" in text):
        _walk(text, faults, limits)
    return [value]


def compose(data: bytes, file: str, limits: Limits) -> list[Node]:
    faults = syntax.Faults(data, file)
    text = syntax.decoded(data, faults, limits)
    if not text.strip():
        return []
    _parsed(text, faults, limits)
    return [_walk(text, faults, limits)]


def _parsed(text: str, faults: syntax.Faults, limits: Limits) -> Any:
    if text.count(",") > limits.nodes:  # do not build what will be refused
        with contextlib.suppress(IndexError, ValueError):  # not JSON: the parser says where
            _walk(text, faults, limits)
        faults.found.clear()
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_constant)
    except json.JSONDecodeError as error:
        _refuse(faults, error)
    except (_Doubtful, RecursionError, ValueError):  # ValueError: more digits than Python converts
        _walk(text, faults, limits)
        raise


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _Doubtful
    return made


def _constant(_: str) -> float:
    raise _Doubtful


def _refuse(faults: syntax.Faults, error: json.JSONDecodeError) -> NoReturn:
    said = error.msg[0].lower() + error.msg[1:]
    faults.add("yaml.syntax", f"this is not JSON: {said}", (error.lineno, error.colno))
    faults.stop()


def _doubtful(value: Any, limits: Limits, *, escapes: bool) -> bool:
    """Are there too many nodes or levels, too long a text, half a character, too large a number?"""
    count = depth = 0
    level = [value]
    while level:
        inner: list[Any] = []
        containers = False
        for item in level:
            kind = type(item)
            if kind is dict:
                inner += [*item, *item.values()]
                containers = True
            elif kind is list:
                inner += item
                containers = True
            elif kind is str:
                if len(item) > limits.scalar or (escapes and re.search(HALF, item)):
                    return True
            elif (kind is int or kind is float) and _too_large(item):
                return True
        count += len(level)
        depth += containers
        level = inner
    return count > limits.nodes or depth > limits.depth


def _too_large(number: float) -> bool:
    return abs(number) == INFINITY if isinstance(number, float) else not SMALLEST <= number <= LARGEST


def _walk(text: str, faults: syntax.Faults, limits: Limits) -> Node:
    """The nodes of a text that the parser accepts (up to the first fault, when it had doubts)."""
    root: list[Node] = []
    here: Mapping | Sequence = Sequence(root, 1, 1)
    key: Scalar | None = None
    marks: dict[str, int] = {}
    stack: list[tuple[Mapping | Sequence, Scalar | None, dict[str, int]]] = []
    line, start, count = 1, 0, 0
    for found in re.finditer(PIECE, text):
        piece, column = found[0], found.start() - start + 1
        if piece[0] in "\r\n":
            line, start = line + 1, found.end()
            continue
        if piece in ",:":
            continue
        if piece in "]}":
            here.end_line, here.end_column = line, column + 1
            here, key, marks = stack.pop()
            key = None
            continue
        count += 1
        if count > limits.nodes:
            faults.too_large("too many nodes", count, limits.nodes, setting="nodes", place=(line, column))
        if piece in "[{":
            node: Node = Sequence([], line, column) if piece == "[" else Mapping([], line, column)
            if len(stack) >= limits.depth:
                syntax.too_deep(faults, (line, column), limits.depth)
        else:
            node = _scalar(piece, line, column, faults)
            if len(node.text) > limits.scalar:
                what = "the text is too long, characters"
                faults.too_large(what, len(node.text), limits.scalar, setting="scalar", place=(line, column))
        if isinstance(here, Sequence):
            here.items.append(node)
        elif key is None and isinstance(node, Scalar):
            key = node
            if node.text in marks:
                syntax.duplicate(faults, (line, column), node.end_column, key=node.text, first=marks[node.text])
            marks[node.text] = line
            continue
        elif key is not None:
            here.pairs.append((key, node))
        if isinstance(node, Scalar):
            key = None
        else:
            stack.append((here, key, marks))
            here, key, marks = node, None, {}
    if faults.found:
        faults.stop()
    return root[0]


def _scalar(piece: str, line: int, column: int, faults: syntax.Faults) -> Scalar:
    end = column + len(piece)
    if piece[0] == '"':
        text = json.loads(piece)
        if half := re.search(HALF, text):
            message = f"half a character, U+{ord(half[0]):04X}, stands here alone"
            faults.add("yaml.encoding", message, (line, column), end=end, hint="escape both halves, or write it in UTF-8")
        return Scalar(text, text, False, '"', line, column, line, end, raw=piece)
    value: Any = WORDS.get(piece)
    if piece not in WORDS:
        try:
            if len(piece) < SHORT and piece.isdigit():
                value = int(piece)
            else:
                value = json.loads(piece, parse_constant=_constant) if len(piece) < LONGEST else INFINITY
        except _Doubtful:
            faults.add("yaml.syntax", f"{piece} is not JSON", (line, column), end=end, hint="write null, or a string")
        else:
            if _too_large(value):
                syntax.number(faults, piece, (line, column), end)
    return Scalar(value, piece, True, "", line, column, line, end)
