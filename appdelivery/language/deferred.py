"""Strings that hold an expression for later (`x-deferred`): compiled when the Application is admitted, and forgotten.

Whoever evaluates them later compiles them again; what is wrong with them must be said now.
"""

from __future__ import annotations

from appdelivery import errors
from appdelivery.language import inline
from appdelivery.language.expressions import grammar
from appdelivery.model.record import changed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from appdelivery.model.problem import Path, Problem


def problems(schema: Any, value: Any, path: Path = ()) -> list[Problem]:
    """What is wrong with the deferred strings of a value, with paths from its root."""
    if type(schema) is not dict:
        return []
    if type(value) is str:
        return _string(schema, value, path) if "x-deferred" in schema else []
    if type(value) is dict:
        pairs = [(key, inline.member_schema(schema, key), one) for key, one in value.items()]
        return [p for key, inner, one in pairs for p in problems(inner, one, (*path, key))]
    if type(value) is list:
        inner = inline.item_schema(schema)
        return [p for index, one in enumerate(value) for p in problems(inner, one, (*path, index))]
    return []


def _string(schema: dict[str, Any], text: str, path: Path) -> list[Problem]:
    names = frozenset(schema["x-deferred"])
    try:
        if grammar.live(text):
            inline.compile(text, names, mode="live")
        elif schema.get("format") == "expression":
            inline.bare(text, names)
    except errors.SpecError as wrong:
        where = next((step for step in reversed(path) if isinstance(step, str)), "the text")
        return [_named(found, where, path) for found in wrong.problems]
    return []


def _named(found: Problem, where: str, path: Path) -> Problem:
    """unknown name 'canry' in query; known: version, canary, stable, args"""
    message = found.message if found.code != "expression.name" else f"{found.message} in {where}"
    return changed(found, message=message, path=path)
