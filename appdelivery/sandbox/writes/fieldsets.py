"""Sets of field paths, as managedFields keep them: `fieldsV1` to sets of tuples and back, and their arithmetic.

A path is a tuple of elements in the spelling of fieldsV1: `f:NAME` a field, `k:{...}` an item of a keyed list, `v:...`
an item of a set.  Everything else is the arithmetic of Python's sets.
"""

from __future__ import annotations

import json
from json.encoder import encode_basestring as _quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from appdelivery.sandbox.writes.types import Type

    Path = tuple[str, ...]
    Paths = set[Path] | frozenset[Path]

SELF = "."
ESCAPES = {
    '"': r"\"", "\\": r"\\", "\a": r"\a", "\b": r"\b", "\f": r"\f", "\n": r"\n", "\r": r"\r", "\t": r"\t", "\v": r"\v",
}  # fmt: skip


def parsed(tree: dict[str, Any]) -> set[Path]:
    """fieldsV1 to paths."""
    found: set[Path] = set()
    _parse(tree, (), found)
    return found


def _parse(tree: dict[str, Any], path: Path, found: set[Path]) -> None:
    for element, inner in tree.items():
        if element == SELF:
            found.add(path)
        elif inner:
            _parse(inner, (*path, element), found)
        else:
            found.add((*path, element))


def written(paths: Iterable[Path]) -> dict[str, Any]:
    """Paths to fieldsV1, in the order the server writes it."""
    root: dict[str, Any] = {}
    for path in sorted(paths):  # a path comes before those below it
        tree = root
        last = len(path) - 1
        for at, element in enumerate(path):
            inner = tree.get(element)
            if inner is None:
                inner = tree[element] = {}
            elif at < last and not inner:
                inner[SELF] = {}  # was a member of its own, now has members below
            tree = inner
    return root


def below(paths: Paths, roots: Paths) -> set[Path]:
    """Those that lie at or below one of the roots: what a strategy resets."""
    depth = {len(root) for root in roots}
    return {path for path in paths if any(path[:length] in roots for length in depth)}


def named(paths: Paths, type: Type) -> set[Path]:
    """With the declared fields on the way to each path, which a set does not hold by itself."""
    found = set(paths)
    for path in paths:
        for end in range(len(path) - 1, 0, -1):
            head = path[:end]
            if head in found or not head[-1].startswith("f:"):
                continue
            if _declared(head, type):
                found.add(head)
    return found


def _declared(path: Path, type: Type) -> bool:
    at: Type | None = type
    for element in path[:-1]:
        if at is None:
            return False
        at = at.member(element[2:]) if element.startswith("f:") else at.item
    return at is not None and at.declares(path[-1][2:])


def element(value: Any) -> str:
    """`v:` of an item of a set."""
    return f"v:{encoded(value)}"


def encoded(value: Any) -> str:
    """JSON as Go writes it."""
    text = _quoted(value) if value.__class__ is str else json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    if "<" in text or ">" in text or "&" in text:
        text = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return text


def worded(path: Path) -> str:
    """As messages name a path: .spec.containers[name="a"].image"""
    parts = []
    for part in path:
        kind, text = part[0], part[2:]
        if kind == "f":
            parts.append(f".{text}")
        elif kind == "k":
            keys = sorted(json.loads(text).items())
            parts.append(f"[{','.join(f'{key}={shown(value)}' for key, value in keys)}]")
        else:
            parts.append(f"[={shown(json.loads(text))}]")
    return "".join(parts)


def shown(value: Any) -> str:
    """A value in a message."""
    return quoted(value) if value.__class__ is str else encoded(value)


def quoted(text: str) -> str:
    """Go's %q."""
    return f'"{"".join([ESCAPES.get(c) or (c if c.isprintable() else _escaped(ord(c))) for c in text])}"'


def _escaped(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def plain(value: Any) -> str:
    """JSON as messages show values: compact, without escapes."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
