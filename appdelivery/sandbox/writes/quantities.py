"""Quantities as the server writes them back: 1024Mi becomes 1Gi, 1000m becomes 1, 0.5 becomes 500m."""

from __future__ import annotations

import re
from fractions import Fraction

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SPELLED = re.compile(r"^([+-]?)(\d+\.?\d*|\.\d+)(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]|[eE][+-]?\d+)?$")
BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
SUFFIXES = {power: suffix for suffix, power in DECIMAL.items()}
PLAIN = re.compile(r"^[1-9]\d{0,2}(m|k|M|G|Ki|Mi|Gi)?$")  # most of them, and canonical unless they are 1000-fold


def amount(text: str) -> Fraction | None:
    """The number; None when it is none."""
    found = SPELLED.match(text)
    if found is None:
        return None
    sign, digits, suffix = found[1], found[2], found[3] or ""
    value = Fraction(digits)
    if suffix in BINARY:
        value *= 1024 ** BINARY.index(suffix)
    elif suffix in DECIMAL:
        value *= Fraction(10) ** DECIMAL[suffix]
    else:
        value *= Fraction(10) ** int(suffix[1:])
    return -value if sign == "-" else value


def canonical(given: Any) -> str | None:
    """None when it is no quantity."""
    text = given if isinstance(given, str) else repr(given)
    if PLAIN.match(text):
        return text
    value = amount(text)
    return None if value is None else spelled(value, text)


def spelled(value: Fraction, alike: str) -> str:
    """In the notation of another quantity: binary, decimal or with an exponent."""
    if value == 0:
        return "0"
    suffix = SPELLED.match(alike)[3] or ""  # type: ignore[index]
    if suffix in BINARY[1:] and abs(value) >= 1024:
        return _binary(value)
    if suffix[:1] in ("e", "E") and suffix != "E":
        return _exponent(value)
    return _decimal(value)


def _binary(value: Fraction) -> str:
    power = 0
    while power < len(BINARY) - 1 and (value / 1024).denominator == 1:
        value, power = value / 1024, power + 1
    return _decimal(value) if value.denominator != 1 else f"{value.numerator}{BINARY[power]}"


def _scaled(value: Fraction) -> tuple[int, int]:
    """(number, power of ten), the power the largest multiple of three that leaves a whole number."""
    power = -9
    whole = value * 10**9
    rounded = -(-whole.numerator // whole.denominator)  # finer than nano is rounded up
    while power < 18 and rounded % 1000 == 0:
        rounded, power = rounded // 1000, power + 3
    return rounded, power


def _decimal(value: Fraction) -> str:
    number, power = _scaled(value)
    return f"{number}{SUFFIXES[power]}"


def _exponent(value: Fraction) -> str:
    number, power = _scaled(value)
    return f"{number}e{power}" if power else str(number)
