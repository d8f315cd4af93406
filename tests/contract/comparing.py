"""Answers of two servers side by side: without what they cannot share, and where they differ.

Used by the recorded answers and by the differential fuzzer.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

NOBODY = "00000000-0000-0000-0000-000000000000"
PATTERNS = (
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "UID"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "TIME"),
    (re.compile(r"\bt-[0-9a-f]{8}\b"), "NAMESPACE"),
    (re.compile(r"\b10\.\d+\.\d+\.\d+\b"), "ADDRESS"),
    (re.compile(r"kube-api-access-\w{5}"), "kube-api-access-RANDOM"),
)


def plain(tree: Any, key: str = "") -> Any:
    """The tree with a word for what no two servers share; managedFields in an order of their own."""
    if isinstance(tree, dict):
        return {name: plain(value, name) for name, value in tree.items()}
    if isinstance(tree, list):
        items = [plain(item, key) for item in tree]
        return sorted(items, key=_manager) if key == "managedFields" else items
    if isinstance(tree, str):
        if key == "resourceVersion":
            return "VERSION"
        for pattern, word in PATTERNS:
            tree = pattern.sub(lambda found, word=word: found[0] if found[0] == NOBODY else word, tree)
    return tree


def differences(real: Any, other: Any, path: str = "") -> Iterator[str]:
    """One line for each place: what the real server has, what the other."""
    if isinstance(real, dict) and isinstance(other, dict):
        for key in sorted(real.keys() | other.keys()):
            yield from differences(real.get(key, ABSENT), other.get(key, ABSENT), f"{path}.{key}")
    elif isinstance(real, list) and isinstance(other, list) and len(real) == len(other):
        for index, (one, two) in enumerate(zip(real, other, strict=True)):
            yield from differences(one, two, f"{path}[{index}]")
    elif real != other or type(real) is not type(other):
        yield f"{path}: really {real!r}, here {other!r}"


class _Absent:
    def __repr__(self) -> str:
        return "nothing"


ABSENT = _Absent()


def _manager(entry: dict[str, Any]) -> tuple[str, str, str]:
    return entry.get("manager", ""), entry.get("operation", ""), entry.get("subresource", "")
