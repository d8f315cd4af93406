"""How a value of a user's document is named in a message.  Called wherever documents are refused."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LONGEST = 80  # characters of a value inside a message
QUOTES = "write it in quotes"


def kind(value: Any) -> str:
    """What a value is: the text 'a', the number 3, true, a map, null."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return f"the number {value}"
    if isinstance(value, str):
        return f"the text {shown(value)}" if value else "an empty text"
    return "a map" if isinstance(value, dict) else "a list" if isinstance(value, list) else "a secret"


def shown(value: Any) -> str:
    """A value as it is: JSON, but text in single quotes; long ones are cut, maps and lists only named."""
    if isinstance(value, (dict, list)):
        return kind(value)
    import json  # not needed while all is well

    if value is None or isinstance(value, (bool, int, float)):
        return json.dumps(value)[:LONGEST]
    text = str(value)
    quoted = f"'{text}'" if text.isprintable() else json.dumps(text, ensure_ascii=False)
    return quoted if len(quoted) <= LONGEST else f"{quoted[: LONGEST - 4]}...'"


def count(number: int, noun: str) -> str:
    plural = f"{noun[:-1]}ies" if noun.endswith("y") and noun[-2] not in "aeiou" else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"
