"""What an unquoted YAML scalar means: the core types of YAML 1.2.  Called by both readers and for values of --set.

Without regular expressions: every command that reads a document comes here, and importing `re` alone would cost a
tenth of a whole render.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

INFINITY = float("inf")
WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), INFINITY),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -INFINITY),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
TYPED = frozenset([word[:1] for word in WORDS] + list("0123456789+-."))  # how a plain scalar that is no text begins
BASES = {"0x": (16, frozenset("0123456789abcdefABCDEF")), "0o": (8, frozenset("01234567"))}
LONGEST = 24  # characters of an integer of 64 bits, in any base


def typed(text: str) -> Any:
    """What a plain scalar means; digits behind a leading zero stay text.  OverflowError: too large."""
    if text in WORDS:
        return WORDS[text]
    if text.isdigit() and text.isascii():
        return _bounded(text, 10) if text[0] != "0" or text == "0" else text
    base, digits = BASES.get(text[:2], (0, frozenset()))
    if base:
        return _bounded(text, base) if text[2:] and digits.issuperset(text[2:]) else text
    unsigned = text[1:] if text[:1] in ("+", "-") else text
    if _is_whole(unsigned):
        return _bounded(text, 10)
    if _is_real(unsigned):
        value = float(text)
        if value in (INFINITY, -INFINITY):
            raise OverflowError
        return value
    return text


def _bounded(text: str, base: int) -> int:
    if len(text) > LONGEST or not -(1 << 63) <= (number := int(text, base)) < 1 << 63:
        raise OverflowError
    return number


def _is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _is_whole(text: str) -> bool:
    return _is_digits(text) and (text[0] != "0" or text == "0")


def _is_real(text: str) -> bool:
    """1. and 1.5 and .5, each with an exponent or without; 1e3 too."""
    mantissa, letter, exponent = text.partition("e" if "e" in text else "E")
    if letter and not _is_digits(exponent[1:] if exponent[:1] in ("+", "-") else exponent):
        return False
    whole, _, fraction = mantissa.partition(".")
    return (_is_whole(whole) and not fraction) or ((_is_whole(whole) or not whole) and _is_digits(fraction))
