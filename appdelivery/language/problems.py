"""How the compiler and the compiled code say what is wrong: `Wrong` and `RenderError` inside, Problems outside.

Whoever compiles one leaf knows its place, whoever evaluates it does not: both raise without a position, and the place
is added by the collector (compile time) or read from the traceback (`locating`).
"""

from __future__ import annotations

from appdelivery import errors
from appdelivery.model import problem, suggest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from appdelivery.model.problem import Path, Problem


class Wrong(Exception):
    """Something in an expression or a node that can never work; raised while compiling."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint


class RenderError(Exception):
    """Something that a value made impossible; raised while compiled code runs."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint


class Span:
    """A piece of one of the files that a definition is made of; lines and columns from 1, the end is exclusive."""

    __slots__ = ("column", "end_column", "end_line", "file", "line", "path")

    def __init__(self, file: int, start: tuple[int, int], end: tuple[int, int], path: Path = ()) -> None:
        self.file = file
        self.line, self.column = start
        self.end_line, self.end_column = end
        self.path = path


class Collector:
    """All problems of one compile, located."""

    def __init__(self) -> None:
        self.files: list[tuple[str, bytes]] = []  # name and text; a span names its file by index
        self.found: list[Problem] = []

    def add(self, wrong: Wrong, span: Span) -> None:
        from appdelivery.language.text import nodes

        name, data = self.files[span.file]
        rows = nodes.rows(data, (span.line - 1, span.line))
        end = span.end_column if span.end_line == span.line else len(rows.get(span.line, "")) + 1
        found = problem.Problem(
            wrong.message,
            code=wrong.code,
            path=span.path,
            file=name,
            line=span.line,
            column=span.column,
            hint=wrong.hint,
            excerpt=nodes.excerpt(rows, span.line, span.column, end),
        )
        if found not in self.found:
            self.found.append(found)
        if len(self.found) >= 2 * problem.LIMIT:  # more than anybody is shown: go no further
            self.stop_if_any()

    def stop_if_any(self) -> None:
        if self.found:
            self.found.sort(key=lambda p: (p.file, p.line, p.column))
            raise errors.SpecError(self.found[: problem.LIMIT])


def suggestion(name: str, known: Iterable[str]) -> tuple[str, str]:
    """What follows "unknown name 'x'" in a message, and the hint: a name that is close, and all that are known."""
    names = sorted(known)
    return suggest.meant(name, names), suggest.listed(names)


def unknown(code: str, what: str, name: str, known: Iterable[str]) -> Wrong:
    """unknown filter 'upcase', did you mean 'upper'?"""
    close, hint = suggestion(name, known)
    return Wrong(code, f"{what} '{name}'{close}", hint)


def whole_file(file: str, code: str, message: str) -> Problem:
    return problem.Problem(message, code=code, file=file, line=1, column=1)


def word(value: object) -> str:
    """What a value is, in the words of the people who write YAML."""
    kind = type(value).__name__
    return WORDS.get(kind, "a value of another kind")


WORDS = {
    "NoneType": "null",
    "bool": "a boolean",
    "int": "a number",
    "float": "a number",
    "str": "a string",
    "list": "a list",
    "tuple": "a list",
    "dict": "a map",
    "Secret": "a secret value",
}
