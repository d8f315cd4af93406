"""Texts, keys and quotes as the simple reader knows them.  Called by simple and simple_flow."""

from __future__ import annotations

from appdelivery.language.text.scalars import TYPED, typed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

INDICATORS = frozenset("?:,[]{}#&*!|>'\"%@`-")  # what no plain text begins with; a dash may, when text follows it
ESCAPES = {"n": "\n", "t": "\t", '"': '"', "\\": "\\", "/": "/"}
LONGEST_KEY = 1_000  # libyaml looks for the ':' a bit further than this


class NotSimple(Exception):
    """This text needs the full parser."""


def plain(text: str) -> Any:
    if not text.isalnum():
        bare(text)
    if text[0] in TYPED:
        try:
            return typed(text)
        except OverflowError:
            raise NotSimple from None
    return text


def bare(text: str) -> str:
    """The same, if it can stand without quotes."""
    if text.isalpha():  # most keys are one word
        return text
    if not text or ": " in text or text[-1] == ":" or (text[0] in INDICATORS and (text[0] != "-" or text[1:2] in ("", " "))):
        raise NotSimple
    return text


def key(text: str) -> str:
    if text == "<<" or len(text) > LONGEST_KEY:
        raise NotSimple
    return text


def quoted(text: str, at: int) -> tuple[str, int]:
    """The text in the quotes that open at `at`, and where it goes on behind them; 0 when they are not closed."""
    quote, begin = text[at], at + 1
    end = text.find(quote, begin)
    if end < 0:
        return "", 0
    inside = text[begin:end]
    if quote == "'" and text[end + 1 : end + 2] != "'":
        return inside, end + 1
    if quote == '"' and "\\" not in inside:
        return inside, end + 1
    return _escaped(text, begin, quote)


def _escaped(text: str, at: int, quote: str) -> tuple[str, int]:
    """Quotes are doubled in single quotes and escaped in double ones."""
    pieces: list[str] = []
    end = -1
    while True:
        if end < at:
            end = text.find(quote, at)
        if end < 0:
            return "", 0
        if quote == "'":
            if text[end + 1 : end + 2] != "'":
                return "".join([*pieces, text[at:end]]), end + 1
            pieces.append(text[at : end + 1])
            at = end + 2
            continue
        special = text.find("\\", at, end)
        if special < 0:
            return "".join([*pieces, text[at:end]]), end + 1
        if text[special + 1] not in ESCAPES:
            raise NotSimple
        pieces += text[at:special], ESCAPES[text[special + 1]]
        at = special + 2


def nothing(rest: str) -> None:
    """Behind what is complete, a line may go on with a comment only."""
    behind = rest.lstrip(" ")
    if behind and (behind[0] != "#" or behind == rest):
        raise NotSimple
