"""Places in properties: reading `parameterKey`, writing a value there, leaving one out.  Copy on write.

Paths are those of KubeVela: a.b, a[0].b, ["a.b"]; missing maps and the next list index are created.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from appdelivery.model.problem import Path

LONGEST = 256  # characters of a parameterKey


def parse(text: str, schema: Mapping[str, Any]) -> Path:
    """Steps of a parameterKey; ValueError when it is none.  A leading `properties.` is the old spelling of nothing."""
    steps = _steps(text)
    if len(steps) > 1 and steps[0] == "properties" and "properties" not in schema.get("properties", {}):
        steps = steps[1:]
    return tuple(steps)


def _steps(text: str) -> list[str | int]:
    steps: list[str | int] = []
    rest = text if len(text) <= LONGEST else ""
    while rest:
        if rest[0] == "[":
            inner, bracket, rest = rest[1:].partition("]")
            step = _bracketed(inner) if bracket else ""
        else:
            end = min([i for i in (rest.find("."), rest.find("[")) if i >= 0], default=len(rest))
            step, rest = rest[:end], rest[end:]
        if step == "" or rest == ".":
            steps = []
            break
        steps.append(step)
        rest = rest.removeprefix(".")
    if not steps:
        raise ValueError(f"'{text[:60]}' is not a path such as env[0].value")
    return steps


def _bracketed(inner: str) -> str | int:
    """An index, or a name in quotes; '' for anything else."""
    if inner.isdigit() and len(inner) < 6:
        return int(inner)
    quoted = len(inner) > 2 and inner[0] == inner[-1] and inner[0] in "\"'"
    return inner[1:-1] if quoted else ""


def put(tree: Any, path: Path, value: Any) -> Any:
    """A copy of the tree with the value at the path; ValueError when the path does not fit what is there."""
    if not path:
        return value
    step, rest = path[0], path[1:]
    if isinstance(step, int):
        items = [] if tree is None else tree
        if type(items) is not list or step > len(items):
            found = f"there are {len(items)} items" if type(items) is list else "there is no list"
            raise ValueError(f"index [{step}] cannot be written: {found}")
        old = items[step] if step < len(items) else None
        return [*items[:step], put(old, rest, value), *items[step + 1 :]]
    if tree is not None and type(tree) is not dict:
        raise ValueError(f"'{step}' cannot be written: there is no map")
    return {**(tree or {}), step: put((tree or {}).get(step), rest, value)}


def drop(tree: Any, path: Path) -> Any:
    """A copy of the tree without the map entry or list item at the path."""
    step, rest = path[0], path[1:]
    if isinstance(step, int):
        return [*tree[:step], *([drop(tree[step], rest)] if rest else []), *tree[step + 1 :]]
    if rest:
        return {**tree, step: drop(tree[step], rest)}
    return {key: value for key, value in tree.items() if key != step}


def replaced(tree: Any, words: Mapping[str, str]) -> Any:
    """A copy of the tree with every leaf that is one of the words replaced."""
    if type(tree) is str:
        return words.get(tree, tree)
    if type(tree) is dict:
        return {key: replaced(value, words) for key, value in tree.items()}
    if type(tree) is list:
        return [replaced(value, words) for value in tree]
    return tree
