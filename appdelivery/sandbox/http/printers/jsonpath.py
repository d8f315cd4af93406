"""The JSONPath of printer columns: fields, quoted fields, indices, [*] and ?(@.type=="Ready") filters."""

from __future__ import annotations

import json
import re
from functools import lru_cache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

STEP = re.compile(
    r"""\.?(?:
        \[\?\(\s*@(?P<path>(?:\.[\w\-/]+|\.?\[['"][^'"]+['"]\])+)\s*(?P<sign>==|!=)\s*(?P<value>"[^"]*"|'[^']*'|[\w.\-]+)\s*\)\]
        | \[(?P<index>-?\d+)\]
        | \[(?:\*)\] | (?P<star>\*)
        | \[['"](?P<quoted>[^'"]+)['"]\]
        | (?P<name>(?:[\w\-/@]|\\\.)+)
    )""",
    re.VERBOSE,
)


def find(body: Any, path: str) -> list[Any]:
    """All values at the path; [] when it leads nowhere or is not understood."""
    found = [body]
    for step in _steps(path):
        found = [value for one in found for value in _follow(one, step)]
    return found


def said(values: list[Any]) -> str | None:
    """A string column: the first value as text."""
    if not values or values[0] is None:
        return None
    value = values[0]
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list)):
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return str(value)


@lru_cache(maxsize=1024)
def _steps(path: str) -> tuple[tuple[str, Any], ...]:
    text = path.strip().removeprefix("{").removesuffix("}").removeprefix("$")
    steps: list[tuple[str, Any]] = []
    at = 0
    while at < len(text):
        match = STEP.match(text, at)
        if match is None or match.end() == at:
            return (("nowhere", None),)
        at = match.end()
        if match["path"]:
            steps.append(("filter", (_steps(match["path"]), match["sign"] == "==", match["value"].strip("\"'"))))
        elif match["index"]:
            steps.append(("index", int(match["index"])))
        elif match["quoted"] or match["name"]:
            steps.append(("field", match["quoted"] or match["name"].replace("\\.", ".")))
        else:
            steps.append(("all", None))
    return tuple(steps)


def _follow(value: Any, step: tuple[str, Any]) -> list[Any]:
    kind, what = step
    if kind == "field":
        return [value[what]] if isinstance(value, dict) and what in value else []
    members = value if isinstance(value, list) else list(value.values()) if isinstance(value, dict) else []
    if kind == "all":
        return members
    if kind == "index":
        return [members[what]] if isinstance(value, list) and -len(members) <= what < len(members) else []
    if kind == "filter":
        steps, equal, wanted = what
        return [one for one in members if (_text(one, steps) == wanted) is equal]
    return []


def _text(value: Any, steps: tuple[tuple[str, Any], ...]) -> str | None:
    found = [value]
    for step in steps:
        found = [one for each in found for one in _follow(each, step)]
    return said(found)
