"""Finds places in what users wrote: problems that know file, document and path get line, column and excerpt.

Nothing here runs while all is well; after a failure the file is parsed a second time, with marks.  Called by whoever
raises SpecError over user documents.
"""

from __future__ import annotations

from appdelivery import errors
from appdelivery.language.text import nodes, yaml_in
from appdelivery.model.record import changed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from appdelivery.model.problem import Path, Problem

    Node = nodes.Scalar | nodes.Mapping | nodes.Sequence


def locate(problems: Sequence[Problem], texts: Mapping[str, bytes]) -> list[Problem]:
    """The same problems with line, column and excerpt, sorted by file and position; without its text one stays as it is."""
    located: list[Problem] = []
    lost: dict[str, list[Problem]] = {}
    for found in problems:
        (located if found.line or found.file not in texts else lost.setdefault(found.file, [])).append(found)
    for file, those in lost.items():
        located += _located(those, texts[file], file)
    return sorted(located, key=lambda p: (p.file, p.line, p.column))


def position(data: bytes, file: str, document: int, path: Path) -> tuple[int, int] | None:
    """Line and column of the value at `path`, or of the map or list that lacks it; None without such a document."""
    documents = _composed(data, file)
    if document >= len(documents):
        return None
    place, _ = _find(documents[document], path, at_key=False)
    return place.line, place.column


def excerpt(data: bytes | str, line: int, column: int, end_column: int = 0) -> str:
    """The line before and the line itself with their numbers, carets from column up to end_column (at least one)."""
    rows = nodes.rows(data.encode() if isinstance(data, str) else data, (line - 1, line))
    return nodes.excerpt(rows, line, column, end_column)


def _composed(data: bytes, file: str) -> list[Node]:
    """The documents; none when the text cannot be read (its own problem has been reported by the loader)."""
    try:
        return yaml_in.compose(data, file)
    except errors.SpecError:
        return []


def _located(problems: list[Problem], data: bytes, file: str) -> list[Problem]:
    documents = _composed(data, file)
    places = [
        _find(documents[found.document], found.path, at_key=found.at_key) if found.document < len(documents) else None
        for found in problems
    ]
    rows = nodes.rows(data, [n for place in places if place for n in (place[0].line - 1, place[0].line)])
    return [
        _placed(found, *place, rows) if place is not None else found for found, place in zip(problems, places, strict=True)
    ]


def _placed(found: Problem, place: Node, whole: bool, rows: dict[int, str]) -> Problem:
    shown = _first(place)
    end = shown.end_column if shown.end_line == shown.line else 0
    return changed(
        found,
        line=place.line,
        column=place.column,
        excerpt=nodes.excerpt(rows, place.line, place.column, end),
        hint=(_quoting(found, place) if whole else "") or found.hint,
    )


def _find(node: Node, path: Path, *, at_key: bool) -> tuple[Node, bool]:
    """The node at the path and True; when a step is missing, the node that lacks it and False."""
    key: Node | None = None
    for step in path:
        if isinstance(node, nodes.Mapping):
            entry = next((pair for pair in node.pairs if pair[0].text == str(step)), None)
            if entry is None:
                return node, False
            key, node = entry
        elif isinstance(node, nodes.Sequence) and isinstance(step, int) and 0 <= step < len(node.items):
            key, node = None, node.items[step]
        else:
            return node, False
    return (key, False) if at_key and key is not None else (node, True)


def _first(node: Node) -> Node:
    """What the carets mark: of a map or list in block style its first word, for the whole has no end on its line."""
    while not isinstance(node, nodes.Scalar) and node.end_line != node.line:
        inner = node.pairs[0][0] if isinstance(node, nodes.Mapping) and node.pairs else node
        if inner is node or (inner.line, inner.column) != (node.line, node.column):
            return node
        node = inner
    return node


def _quoting(found: Problem, node: Node) -> str:
    """YAML's classic trap: text that reads as a number.  Only here is it known how the number was written."""
    if not (isinstance(node, nodes.Scalar) and node.plain and found.message.startswith("expected a string")):
        return ""
    if isinstance(node.value, bool) or not isinstance(node.value, (int, float)):
        return f'write "{node.text}" in quotes' if isinstance(node.value, bool) else ""
    zero = isinstance(node.value, float) and "." in node.text and node.text.endswith("0") and "e" not in node.text.lower()
    return f'write "{node.text}" in quotes; YAML reads {node.text} as a number{" and drops the zero" if zero else ""}'
