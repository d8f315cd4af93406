"""Patterns of fields as policies write them: /spec/template/spec/containers/*/resources, [name=web] for one list entry, **.

A pattern covers a field and everything below it.  Called by policies (drift), conflict and drift.
"""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING, Any

from appdelivery.model import fieldpath

if TYPE_CHECKING:
    from collections.abc import Sequence


def covers(pattern: str, path: str) -> bool:
    """Whether a pattern names the field at a path (`.spec.replicas`, as the API server writes it) or one above it."""
    return _covers(segments(pattern), fieldpath.parse(path))


def segments(pattern: str) -> tuple[str, ...]:
    """Both spellings: a JSON pointer, or the server's own with dots."""
    if pattern.startswith("."):
        return tuple([step if isinstance(step, str) else _spelled(step) for step in fieldpath.parse(pattern)])
    return tuple([part.replace("~1", "/").replace("~0", "~") for part in pattern.strip("/").split("/") if part])


def _spelled(step: Any) -> str:
    return str(step) if isinstance(step, int) else "[" + ",".join([f"{name}={value}" for name, value in step]) + "]"


def _covers(pattern: Sequence[str], steps: Sequence[Any]) -> bool:
    if not pattern:
        return True
    if pattern[0] == "**":
        return any(_covers(pattern[1:], steps[start:]) for start in range(len(steps) + 1))
    return bool(steps) and _is(pattern[0], steps[0]) and _covers(pattern[1:], steps[1:])


def _is(segment: str, step: Any) -> bool:
    if segment == "*":
        return True
    if isinstance(step, str):
        return fnmatch.fnmatchcase(step, segment) if "*" in segment else segment == step
    if isinstance(step, int):
        return segment == str(step)
    if not segment.startswith("["):
        return False
    wanted = dict(pair.partition("=")[::2] for pair in segment[1:-1].split(","))
    have = {name: str(value) for name, value in step}
    return all(have.get(name) == value.strip("\"'") for name, value in wanted.items())
