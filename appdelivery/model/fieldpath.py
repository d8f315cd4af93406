"""Field paths as the API server writes them: `.spec.replicas`, `.spec.template.spec.containers[name="web"].image`.

Conflict answers name fields this way; the conflict policy, the inventory's yielded fields and the drift rules use the
same spelling.  A step is a field name, a list index, or the key fields of a list entry.
"""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Step = str | int | tuple[tuple[str, Any], ...]


def parse(text: str) -> tuple[Step, ...]:
    """Steps of a path; a set member `[="x"]` ends as the step (("", "x"),).  ValueError when it is malformed."""
    steps: list[Step] = []
    rest = text
    while rest:
        if rest[0] == ".":
            end = min([i for i in (rest.find(".", 1), rest.find("[", 1)) if i > 0], default=len(rest))
            steps.append(rest[1:end])
            rest = rest[end:]
        elif rest[0] == "[":
            step, rest = _bracket(rest)
            steps.append(step)
        else:
            raise ValueError(f"'{text}' is not a field path such as .spec.replicas")
    return tuple(steps)


def _bracket(rest: str) -> tuple[Step, str]:
    decoder = json.JSONDecoder()
    inner = rest[1:]
    if inner[:1].isdigit():
        number, _, rest = inner.partition("]")
        return int(number), rest
    pairs: list[tuple[str, Any]] = []
    while True:
        name, _, inner = inner.partition("=")
        value, end = decoder.raw_decode(inner)
        pairs.append((name, value))
        inner = inner[end:]
        if inner[:1] == "]":
            return tuple(pairs), inner[1:]
        if inner[:1] != ",":
            raise ValueError(f"'{rest}' is not a list key such as [name=\"web\"]")
        inner = inner[1:]


def show(steps: tuple[Step, ...]) -> str:
    out = ""
    for step in steps:
        if isinstance(step, str):
            out += f".{step}"
        elif isinstance(step, int):
            out += f"[{step}]"
        else:
            out += "[" + ",".join([f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in step]) + "]"
    return out


def get(tree: Any, steps: tuple[Step, ...]) -> Any:
    """The value at a path, or None."""
    for step in steps:
        if isinstance(step, str):
            tree = tree.get(step) if isinstance(tree, dict) else None
        elif isinstance(tree, list):
            index = _index(tree, step)
            tree = None if index is None else tree[index]
        else:
            return None
    return tree


def without(tree: Any, steps: tuple[Step, ...]) -> Any:
    """A copy of the tree (shared where untouched) in which the path is absent."""
    if not steps:
        return tree
    step, rest = steps[0], steps[1:]
    if isinstance(step, str) and isinstance(tree, dict) and step in tree:
        if not rest:
            return {k: v for k, v in tree.items() if k != step}
        return {**tree, step: without(tree[step], rest)}
    if not isinstance(step, str) and isinstance(tree, list) and (index := _index(tree, step)) is not None:
        if not rest:
            return tree[:index] + tree[index + 1 :]
        return [*tree[:index], without(tree[index], rest), *tree[index + 1 :]]
    return tree


def _index(items: list[Any], step: Step) -> int | None:
    if isinstance(step, int):
        return step if step < len(items) else None
    for index, item in enumerate(items):
        if isinstance(item, dict) and isinstance(step, tuple) and all(item.get(name) == value for name, value in step):
            return index
        if isinstance(step, tuple) and step[0][0] == "" and item == step[0][1]:
            return index
    return None
