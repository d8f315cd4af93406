"""From an exception in generated code to a Problem at its place in the YAML file.

The deepest frame of the traceback that belongs to the definition gives the place: Python keeps line and column of
every instruction (PEP 657), and they survive the cache, so a render pays nothing for them.
"""

from __future__ import annotations

import re

from appdelivery import errors
from appdelivery.language.compiling.writer import FILE_BITS
from appdelivery.language.problems import WORDS, RenderError
from appdelivery.language.runtime import missing
from appdelivery.language.text import nodes
from appdelivery.model.problem import Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Any

PARAMETER = re.compile(r"\bparameters((?:\.[A-Za-z_]\w*)+)")
PYTHON_TYPE = re.compile(r"'(\w+)' object|to a '(\w+)' object|(\w+) indices must be")


def located(fault: Exception, file: str, files: Sequence[tuple[str, bytes]]) -> errors.AppError:
    """A SpecError for what a value made impossible; a Bug for anything that must not happen."""
    frame, deepest = _frame(fault.__traceback__, file)
    found = _found(fault, inside=frame is not None and frame is deepest)
    if found is None:
        return errors.Bug(f"evaluate {file}: {type(fault).__name__}: {fault}")
    if frame is None:
        return errors.SpecError([Problem(found.message, code=found.code, file=file, hint=found.hint)])
    line, column, end_line, end_column = _position(frame)
    name, data = files[line >> FILE_BITS]
    at, end = line & ((1 << FILE_BITS) - 1), end_column if end_line == line else 0
    rows = nodes.rows(data, (at - 1, at))
    message = found.message
    if found.code == "render.null":
        message += _not_given(rows.get(at, "")[column - 1 : end - 1 if end else None], frame.tb_frame.f_locals)
    shown = nodes.excerpt(rows, at, column, end)
    problem = Problem(message, code=found.code, file=name, line=at, column=column, hint=found.hint, excerpt=shown)
    return errors.SpecError([problem])


def _frame(trace: TracebackType | None, file: str) -> tuple[TracebackType | None, TracebackType | None]:
    """The deepest frame of generated code, and the deepest of all."""
    found = last = None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file:
            found = trace
        last = trace
        trace = trace.tb_next
    return found, last


def _position(frame: TracebackType) -> tuple[int, int, int, int]:
    """Lines and columns from 1; columns are 1 where Python was told not to keep them."""
    places = list(frame.tb_frame.f_code.co_positions())
    line, end_line, column, end_column = places[frame.tb_lasti // 2]
    line = line or frame.tb_lineno
    return line, (column or 0) + 1, end_line or line, (end_column or 0) + 1


def _found(fault: Exception, *, inside: bool) -> RenderError | None:
    """What the exception means in the language; inside: generated code itself raised it, not a helper of ours."""
    if isinstance(fault, RenderError):
        return fault
    if isinstance(fault, RecursionError):
        return RenderError("render.limit", "the value is nested too deeply")
    if not inside:
        return None
    if isinstance(fault, KeyError):
        return missing(fault.args[0])
    if isinstance(fault, TypeError):
        return _wrong_type(str(fault))
    return None


def _wrong_type(message: str) -> RenderError:
    """A subscript or a lookup met something that is no map."""
    if "NoneType" in message:
        return RenderError("render.null", "a null value is used as a map")
    known = PYTHON_TYPE.search(message)
    name = next((group for group in known.groups() if group), "") if known else ""
    words = {"string": "a string", "list": "a list"} | WORDS
    return RenderError("render.type", f"{words.get(name, 'a value of another kind')} is used as a map")


def _not_given(expression: str, names: dict[str, Any]) -> str:
    """Which optional parameter of the expression is null, if one is."""
    for path in PARAMETER.findall(expression):
        value: Any = names.get("parameters")
        steps = path[1:].split(".")
        for index, step in enumerate(steps):
            value = value.get(step) if isinstance(value, dict) else None
            if value is None:
                return f" (the optional parameter '{'.'.join(steps[: index + 1])}' was not given?)"
    return ""
