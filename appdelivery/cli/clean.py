"""Text from outside made safe for a terminal: no control characters, escape sequences or bidi overrides."""

from __future__ import annotations

BIDI = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u061c"
_TABLE = dict.fromkeys((*range(32), *range(127, 160), *map(ord, BIDI), 8232, 8233), "�")
_LINES = {code: char for code, char in _TABLE.items() if code not in (9, 10)}


def text(value: str) -> str:
    """One line: line ends and tabs become spaces, other controls a replacement character."""
    if value.isascii() and value.isprintable():
        return value
    return value.replace("\r\n", " ").replace("\n", " ").replace("\t", " ").translate(_TABLE)


def lines(value: str) -> str:
    """Several lines: only line ends and tabs survive."""
    return value.replace("\r\n", "\n").translate(_LINES)
