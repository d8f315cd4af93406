"""Says what is wrong with a text: `Faults` collects problems with their places, `explained` words libyaml's errors.

Called by yaml_in and json_in only.  Nothing here runs for a text without faults, except `decoded`.
"""

from __future__ import annotations

import codecs

from appdelivery import errors
from appdelivery.model import problem
from appdelivery.model.record import changed

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from typing import Any, NoReturn

    from appdelivery.language.text.limits import Limits

BOM = codecs.BOM_UTF8
ALLOWED = bytes([9, 10, 13, *range(0x20, 0x7F)])
# Patterns are texts, and `re` is imported where one is needed: most texts need none.
# What YAML forbids in a text, and what its 1.1 readers (libyaml) take for line ends but editors do not.
FORBIDDEN = "[^\t\n\r -~\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
EXPRESSION = "an expression inside [ ] or { }, or one that holds ': ' or ' #', needs quotes: \"${{ ... }}\""
BRACES = "did you mean '${{', or quotes around it?"
INDENT = "look at the indentation of this line and of those above it"
REACH = 20  # lines before an error that are searched for the expression that caused it
DIRECTIVE = rb"(?m)^%TAG\b"
DIRECTIVES = 16  # libyaml compares each with all before
ESCAPE = "the escape is not a character"
WORDING = (  # what libyaml says, what we say, what to do
    ("mapping values are not allowed", "a ': ' cannot stand here", "put the text in quotes, or look at the indentation"),
    ("block sequence entries are not allowed", "a list item '- ' cannot stand here", "begin the list on a line of its own"),
    ("did not find expected key", "expected a key here", INDENT),
    ("did not find expected '-' indicator", "expected a list item '- ' here", INDENT),
    ("could not find expected ':'", "expected ':' after the key", INDENT),
    ("did not find expected <document start>", "expected the end of the document or '---' here", INDENT),
    ("did not find expected ',' or ']'", "expected ',' or ']' here", "the list in [ ] is not closed"),
    ("did not find expected ',' or '}'", "expected ',' or '}' here", "the map in { } is not closed"),
    ("found unexpected end of stream", "the text in quotes is not closed", "add the closing quote"),
    ("found unexpected document indicator", "the text in quotes is not closed", "add the closing quote"),
    ("found undefined tag handle", "tags are not allowed", "remove the tag, or put the text in quotes"),
    ("found invalid Unicode character escape", ESCAPE, "write the character itself, in UTF-8"),
    ("did not find expected hexdecimal number", ESCAPE, "write as many digits as \\x (2), \\u (4) or \\U (8) needs"),
    (
        "found unknown escape character",
        "unknown escape in double quotes",
        "write \\\\ for a backslash, or use single quotes",
    ),
    ("incompatible YAML document", "this version of YAML is not known", "remove the %YAML line, or write 1.2"),
    ("found a tab character", "a tab cannot indent", "use spaces"),
)


class Faults:
    """Problems of one text in the order found, each with the column where its carets end."""

    def __init__(self, data: bytes, file: str) -> None:
        self.data = data
        self.file = file
        self.found: list[tuple[problem.Problem, int]] = []

    def add(
        self,
        code: str,
        message: str,
        place: tuple[int, int],
        *,
        end: int = 0,
        hint: str = "",
        path: problem.Path = (),
        document: int = 0,
    ) -> None:
        """place is (line, column) from 1; the walk goes on until there are too many."""
        line, column = place
        found = problem.Problem(
            message, code, path=path, file=self.file, document=document, line=line, column=column, hint=hint
        )
        self.found.append((found, end))
        if len(self.found) >= problem.LIMIT:
            self.stop()

    def stop(self) -> NoReturn:
        from appdelivery.language.text import nodes

        rows = nodes.rows(self.data, [n for found, _ in self.found for n in (found.line - 1, found.line)])
        raise errors.SpecError([changed(p, excerpt=nodes.excerpt(rows, p.line, p.column, end)) for p, end in self.found])

    def too_large(self, what: str, found: int, limit: int, *, setting: str, place: tuple[int, int] = (1, 1)) -> NoReturn:
        self.add("yaml.too-large", f"{what}: {found:,}, at most {limit:,}", place, hint=f"setting limits.yaml.{setting}")
        self.stop()


def number(
    faults: Faults, text: str, place: tuple[int, int], end: int, *, path: problem.Path = (), document: int = 0
) -> None:
    message, hint = f"the number {text[:24]} is too large", "put it in quotes if it is text"
    faults.add("yaml.number", message, place, end=end, hint=hint, path=path, document=document)


def duplicate(
    faults: Faults,
    place: tuple[int, int],
    end: int,
    *,
    key: str,
    first: int,
    path: problem.Path = (),
    document: int = 0,
) -> None:
    message = f"duplicate key '{key}' (first in line {first})"
    faults.add("yaml.duplicate-key", message, place, end=end, path=path, document=document)


def too_deep(faults: Faults, place: tuple[int, int], limit: int) -> NoReturn:
    faults.add("yaml.too-deep", f"nested deeper than {limit} levels", place, hint="setting limits.yaml.depth")
    faults.stop()


def decoded(data: bytes, faults: Faults, limits: Limits) -> str:
    """The text without its byte order mark: UTF-8 of characters that YAML allows, or the end."""
    if len(data) > limits.file:
        faults.too_large("the file is too large, bytes", len(data), limits.file, setting="file")
    try:
        text = data.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        faults.add("yaml.encoding", _encoding(data, error), _place(data[: error.start].decode()), hint="save it as UTF-8")
        faults.stop()
    if data.translate(None, ALLOWED) and (wrong := _forbidden(text)):
        message = f"the character U+{ord(wrong[0]):04X} is not allowed"
        hint = "save it as UTF-8" if wrong[0] == "\0" else f'write it as "\\u{ord(wrong[0]):04x}", in double quotes'
        faults.add("yaml.encoding", message, _place(text[: wrong.start()]), hint=hint)
        faults.stop()
    if data.count(b"%TAG") > DIRECTIVES and _directives(data) > DIRECTIVES:
        faults.add("yaml.tag", f"more than {DIRECTIVES} %TAG directives", (1, 1), hint="tags are not allowed: remove them")
        faults.stop()
    return text


def _forbidden(text: str) -> re.Match[str] | None:
    if text.replace("\n", "").isprintable():  # the common case: every printable character is allowed
        return None
    import re

    return re.search(FORBIDDEN, text)


def _directives(data: bytes) -> int:
    import re

    return len(re.findall(DIRECTIVE, data.replace(b"\r", b"\n")))


def _encoding(data: bytes, error: UnicodeDecodeError) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "the text is UTF-16, not UTF-8"
    return f"the text is not UTF-8: byte 0x{data[error.start]:02x} at offset {error.start}"


def _place(before: str) -> tuple[int, int]:
    text = before.removeprefix("\ufeff")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.count("\n") + 1, len(text) - text.rfind("\n")


def explained(faults: Faults, error: Any, text: str, document: int, *, limit: int) -> NoReturn:
    """libyaml's error in our words, with the hint that fits the line."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    said = str(getattr(error, "problem", None) or error)
    if "maximum nesting depth" in said:  # newer libyaml has a limit of its own and meets it before our walk meets ours
        too_deep(faults, (line, column), limit)
    opened = error.context_mark if "flow" in (getattr(error, "context", None) or "") else None
    first = max(opened.line + 1 if opened else line, line - REACH)
    from appdelivery.language.text import nodes

    rows = nodes.rows(text.encode(), range(first, line + 1))
    message, hint = next(((m, h) for words, m, h in WORDING if words in said), (said, ""))
    if message == ESCAPE:
        column -= 2  # libyaml stands behind the backslash and the letter
    if "cannot start any token" in said:
        message, hint = _token(rows.get(line, "")[column - 1 : column])
    if opened:
        message += f"; it was opened in line {opened.line + 1}, column {opened.column + 1}"
    hint = _braces("\n".join(rows.values())) or hint
    faults.add("yaml.syntax", message, _not_behind(text, line, column), hint=hint, document=document)
    faults.stop()


def _not_behind(text: str, line: int, column: int) -> tuple[int, int]:
    """An error at the end of the text is shown behind its last word, not in empty lines below."""
    return min(_place(text.rstrip()), (line, column))


def _token(character: str) -> tuple[str, str]:
    if character == "\t":
        return "a tab cannot indent", "use spaces"
    return f"a value cannot begin with '{character}'", "put it in quotes"


def _braces(source: str) -> str:
    bare = source.replace("'{{", "").replace('"{{', "")
    return EXPRESSION if "${{" in bare else BRACES if "{{" in bare else ""
