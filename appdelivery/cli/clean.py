"""Text from outside made safe for a terminal: no control characters, escape sequences or bidi overrides."""

from __future__ import annotations

BIDI = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u061c"
_TABLE = dict.fromkeys((*range(32), *range(127, 160), *map(ord, BIDI), 0x2028, 0x2029), "\ufffd")
_LINES = {code: char for code, char in _TABLE.items() if code not in (9, 10)}
_JSON = {code: f"\\u{code:04x}" for code in _TABLE if code >= 127}


def text(value: str) -> str:
    """One line: line ends and tabs become spaces, other controls a replacement character."""
    if value.isascii() and value.isprintable():
        return value
    return _encodable(value.replace("\r\n", " ").replace("\n", " ").replace("\t", " ").translate(_TABLE))


def lines(value: str) -> str:
    """Several lines: only line ends and tabs survive."""
    return _encodable(value.replace("\r\n", "\n").translate(_LINES))


def json(value: str) -> str:
    """JSON that says the same: what would act on a terminal is written as its escape (json leaves all above U+007F)."""
    if value.isascii() and "\x7f" not in value:
        return value
    value = value.translate(_JSON)
    return value if value.isascii() else "".join([f"\\u{ord(c):04x}" if "\ud800" <= c <= "\udfff" else c for c in value])


def _encodable(value: str) -> str:
    """Half characters, as file names that are not UTF-8 hold them, cannot be written anywhere."""
    return value if value.isascii() else value.encode(errors="replace").decode()
