"""PromQL's words: text in, tokens with their positions out."""

from __future__ import annotations

import re

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "y": 31536000.0}
WORDS = re.compile(
    r"""
      (?P<space>\s+|\#[^\n]*)
    | (?P<duration>(?:[0-9]+(?:ms|[smhdwy]))+(?![A-Za-z0-9_]))
    | (?P<number>0x[0-9a-fA-F]+|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?![A-Za-z0-9_.]))
    | (?P<name>[A-Za-z_][A-Za-z0-9_:]*)
    | (?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`)
    | (?P<sign>=~|!~|!=|==|<=|>=|[-+*/%^(){}\[\],=<>:@])
    """,
    re.VERBOSE,
)
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


class Invalid(Exception):
    """A query that is wrong, or asks for what this endpoint does not know; the message is for who wrote it."""


class Token:
    __slots__ = ("at", "kind", "text")

    def __init__(self, kind: str, text: str, at: int) -> None:
        self.kind = kind  # duration, number, name, text, sign, end
        self.text = text
        self.at = at

    def __repr__(self) -> str:
        return f"{self.kind} {self.text!r}"


def split(query: str) -> list[Token]:
    """Ends with a token of kind `end`."""
    found, at = [], 0
    while at < len(query):
        match = WORDS.match(query, at)
        if match is None:
            raise Invalid(f"{place(at)}: parse error: unexpected character: {query[at]!r}")
        kind = match.lastgroup or ""
        if kind != "space":
            found.append(Token(kind, match.group(), at))
        at = match.end()
    return [*found, Token("end", "", len(query))]


def place(at: int) -> str:
    return f"1:{at + 1}"


def seconds(duration: str) -> float:
    parts = re.findall(r"([0-9]+)(ms|[smhdwy])", duration)
    return sum(int(number) * UNITS[unit] for number, unit in parts)


def unquoted(text: str) -> str:
    if text[0] == "`":
        return text[1:-1]
    return re.sub(r"\\(.)", lambda match: ESCAPES.get(match[1], match[1]), text[1:-1])
