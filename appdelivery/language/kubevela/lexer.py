r"""Tokens of KubeVela's bare expressions (oam.md section 9).  Called by `parser`.

A token is (kind, value, offset); kind is name, number, text, sign or end.  The value of a text is a list of its pieces:
plain text, and the tokens of what stands in \( ).
"""

from __future__ import annotations

import json

from appdelivery.errors import SpecError
from appdelivery.model.problem import Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    Token = tuple[str, Any, int]

LONGEST, DEEPEST = 4096, 20
SIGNS = (
    "_|_", "...", "=~", "!~", "==", "!=", "<=", ">=", "&&", "||", "<", ">", "!", "+", "-", "*", "/", "(", ")", "[", "]",
    "{", "}", ".", ",", "|", "&", ":", "=", "?", "%", "@",
)  # fmt: skip
LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_$")
DIGITS = frozenset("0123456789")


class NotSupported(SpecError):
    """A bare text outside the subset: what it is, where (offset in the text), and what to write instead."""

    def __init__(self, message: str, offset: int, hint: str = "") -> None:
        text = f"{message} (at character {offset + 1})"
        super().__init__([Problem(text, code="expression.syntax", hint=hint)])
        self.offset = offset
        self.hint = hint


def _after_imports(text: str) -> int:
    """Imports at the beginning are ignored: the functions are known anyway."""
    at = 0
    while True:
        start = at + len(text[at:]) - len(text[at:].lstrip())
        if text[start : start + 6] != "import" or text[start + 6 : start + 7] not in (" ", "\t", "(", '"'):
            return at
        rest = text[start + 6 :].lstrip()
        stop = ")" if rest.startswith("(") else "\n"
        end = text.find(stop, start)
        at = len(text) if end < 0 else end + 1


def tokens(text: str, names: Iterable[str]) -> list[Token]:
    """Tokens of a whole text.  names: known names, of which those with a dash may follow a dot."""
    if len(text) > LONGEST:
        raise NotSupported(f"an expression has at most {LONGEST} characters", LONGEST)
    dashed = sorted((name for name in names if "-" in name), key=len, reverse=True)
    return _tokens(text, _after_imports(text), dashed)


def _tokens(text: str, at: int, dashed: list[str], depth: int = 0) -> list[Token]:
    if depth > DEEPEST:
        raise NotSupported(f"texts nest deeper than {DEEPEST}", at)
    tokens: list[Token] = []
    while at < len(text):
        letter = text[at]
        if letter.isspace():
            at += 1
        elif text.startswith("//", at):
            at = len(text) if (end := text.find("\n", at)) < 0 else end
        elif letter in "\"'" or (letter == "#" and text[at + 1 : at + 2] in ('"', "'", "#")):
            value, end = _string(text, at, dashed, depth)
            tokens.append(("text", value, at))
            at = end
        elif letter in DIGITS:
            end = _number_end(text, at)
            tokens.append(("number", _number(text[at:end], at), at))
            at = end
        elif letter in LETTERS and not text.startswith("_|_", at):
            end = _name_end(text, at, dashed if tokens and tokens[-1][1] == "." else [])
            tokens.append(("name", text[at:end], at))
            at = end
        elif sign := next((sign for sign in SIGNS if text.startswith(sign, at)), ""):
            tokens.append(("sign", sign, at))
            at += len(sign)
        elif letter == "#":
            raise NotSupported("definitions of CUE such as #X are not available", at, "write a plain value")
        else:
            raise NotSupported(f"'{letter}' is not available here", at)
    return [*tokens, ("end", "", len(text))]


def _name_end(text: str, at: int, dashed: list[str]) -> int:
    for name in dashed:
        end = at + len(name)
        if text.startswith(name, at) and text[end : end + 1] not in LETTERS | DIGITS | {"-"}:
            return end
    end = at
    while end < len(text) and text[end] in LETTERS | DIGITS:
        end += 1
    return end


def _number_end(text: str, at: int) -> int:
    end = at
    while end < len(text) and (text[end] in DIGITS or text[end] in "._" or text[end] in LETTERS):
        end += 1
    return end


def _number(text: str, at: int) -> int | float:
    try:
        value: int | float = json.loads(text)
    except ValueError:
        value = float("inf")
    if value - value != 0:
        raise NotSupported(f"'{text[:40]}' is not a number", at, "write it in decimal")
    return value


def _string(text: str, at: int, dashed: list[str], depth: int) -> tuple[list[Any], int]:
    r"""A quoted text, with \(expression) inside; between #" and "# nothing is special."""
    raw = len(text[at:]) - len(text[at:].lstrip("#"))
    quote = text[at + raw : at + raw + 1]
    if quote not in ('"', "'") or text.startswith(quote * 3, at + raw):
        raise NotSupported("this form of text is not available", at, 'write "text", with \\n for a new line')
    start, close, escape = at + raw + 1, quote + "#" * raw, "\\" + "#" * raw
    pieces: list[Any] = [""]
    while not text.startswith(close, start):
        if start >= len(text) or text[start] == "\n":
            raise NotSupported(f"the text that begins here has no closing {close}", at)
        if not text.startswith(escape, start):
            pieces[-1] += text[start]
            start += 1
        elif text.startswith("(", start + len(escape)):
            end = _closing(text, start + len(escape))
            pieces += [_tokens(text[:end], start + len(escape) + 1, dashed, depth + 1), ""]
            start = end + 1
        else:
            letter, start = _escape(text, start + len(escape))
            pieces[-1] += letter
    return [piece for piece in pieces if piece != ""], start + len(close)


def _closing(text: str, at: int) -> int:
    depth = 0
    for end in range(at, len(text)):
        depth += (text[end] == "(") - (text[end] == ")")
        if depth == 0:
            return end
    raise NotSupported("'\\(' has no closing ')'", at)


def _escape(text: str, at: int) -> tuple[str, int]:
    letter = text[at : at + 1]
    size = {"u": 4, "U": 8}.get(letter, 0)
    if size:
        try:
            return chr(int(text[at + 1 : at + 1 + size], 16)), at + 1 + size
        except (ValueError, OverflowError):
            raise NotSupported(f"'\\{letter}' needs {size} hexadecimal digits", at) from None
    known = {
        "n": "\n",
        "t": "\t",
        "r": "\r",
        "b": "\b",
        "f": "\f",
        "a": "\a",
        "v": "\v",
        "\\": "\\",
        "/": "/",
        '"': '"',
        "'": "'",
    }
    if letter not in known:
        raise NotSupported(f"'\\{letter}' is no escape", at, "write \\\\ for a backslash")
    return known[letter], at + 1
