"""Patterns of fields as policies write them: /spec/template/spec/containers/*/resources, [name=web] for one list entry, **.

A pattern covers a field and everything below it.  Called by policies, desired, send, replace, conflict and drift.
"""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING, Any

from appdelivery.model import fieldpath

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Steps = tuple[Any, ...]


def covers(pattern: str, path: str, *, any_index: bool = False) -> bool:
    """Whether a pattern names the field at a path (`.spec.replicas`, as the API server writes it) or one above it.

    any_index: the API server names entries by their keys, so that an index in a pattern can only mean any of them.
    """
    wanted = segments(pattern)
    if any_index:
        wanted = tuple(["*" if segment.isdigit() else segment for segment in wanted])
    return _covers(wanted, fieldpath.parse(path))


def written(text: str) -> str:
    """KubeVela's spelling of a path, spec.replicas or *, as a pattern."""
    return "/" if text == "*" else text if text.startswith(("/", ".", "[")) else f".{text}"


def whole(patterns: Sequence[str]) -> bool:
    """Whether one of the patterns names the object itself."""
    return any(not segments(pattern) for pattern in patterns)


def find(body: Any, pattern: str) -> list[Steps]:
    """The fields of an object that a pattern names.  Entries of lists are named by `name` where all of them have one, so
    that they are found again in another object."""
    return list(_find(body, segments(pattern), ()))


def without(body: Any, patterns: Sequence[str]) -> Any:
    """A copy of the object without the named fields."""
    for pattern in patterns:
        for steps in find(body, pattern):
            body = fieldpath.without(body, steps)
    return body


def as_live(body: Any, live: Any, patterns: Sequence[str]) -> Any:
    """A copy of the object with the named fields as they are in the live one; what that lacks is left out."""
    for pattern in patterns:
        for steps in find(body, pattern):
            value = fieldpath.get(live, steps)
            body = fieldpath.without(body, steps) if value is None else _put(body, steps, value)
    return body


def _find(node: Any, pattern: Sequence[str], steps: Steps) -> Iterator[Steps]:
    if not pattern:
        yield steps
        return
    if pattern[0] == "**":
        yield from _find(node, pattern[1:], steps)
    for step, inner in _entries(node):
        if pattern[0] == "**":
            yield from _find(inner, pattern, (*steps, step[-1]))
        elif any(_is(pattern[0], one) for one in step):
            yield from _find(inner, pattern[1:], (*steps, step[-1]))


def _entries(node: Any) -> Iterator[tuple[Steps, Any]]:
    """The fields of a map, the entries of a list, with every step that names them, the best last."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield (key,), value
    elif isinstance(node, list):
        names = [entry.get("name") if isinstance(entry, dict) else None for entry in node]
        keyed = all(isinstance(name, str) for name in names) and len(set(names)) == len(names)
        for index, entry in enumerate(node):
            yield ((index, (("name", names[index]),)) if keyed else (index,)), entry


def _put(node: Any, steps: Steps, value: Any) -> Any:
    if not steps:
        return value
    if isinstance(node, dict):
        return {**node, steps[0]: _put(node.get(steps[0]), steps[1:], value)}
    return [_put(entry, steps[1:], value) if steps[0] in names else entry for names, entry in _entries(node)]


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
