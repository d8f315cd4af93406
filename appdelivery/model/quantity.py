"""Kubernetes quantities: text to exact number, number to the shortest text."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from decimal import Decimal

BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}


def parse(text: str | float) -> Decimal:
    """500m, 1.5Gi, 2e3, 12 as an exact decimal; ValueError says what is wrong."""
    from decimal import Decimal, InvalidOperation, Overflow

    if isinstance(text, bool) or not isinstance(text, (str, int, float)):
        raise ValueError(f"a quantity is a text such as 500m or 8Gi, not {text!r}")  # noqa: TRY004 - one family for callers
    given = str(text)
    number, factor = given, Decimal(1)
    if given[-2:] in BINARY:
        number, factor = given[:-2], Decimal(1024) ** BINARY[given[-2:]]
    elif given[-1:] in DECIMAL and given[-1:]:
        number, factor = given[:-1], Decimal(10) ** DECIMAL[given[-1:]]
    if len(given) > 64 or not number or number.strip("0123456789.eE+-"):
        raise ValueError(f"'{given[:64]}' is not a quantity such as 500m or 8Gi")
    try:
        value = Decimal(number) * factor
    except (InvalidOperation, Overflow):
        raise ValueError(f"'{given}' is not a quantity such as 500m or 8Gi") from None
    if abs(value) >= Decimal(10) ** 30:
        raise ValueError(f"'{given}' is larger than any quantity Kubernetes knows")
    return value


def number(text: str | float) -> float | int:
    """As a plain number: an integer when it is one."""
    value = parse(text)
    return int(value) if value == int(value) else float(value)


def cpu(cores: float) -> str:
    """0.5 as 500m, 2 as 2; rounded up to a millicore, as Kubernetes does."""
    from decimal import ROUND_CEILING, Decimal

    milli = int((Decimal(str(cores)) * 1000).to_integral_value(ROUND_CEILING))
    return str(milli // 1000) if milli % 1000 == 0 else f"{milli}m"


def memory(size: float) -> str:
    """Bytes in the largest binary unit that is exact: 8589934592 as 8Gi."""
    whole = int(size)
    for suffix, power in reversed(BINARY.items()):
        if whole and whole % 1024**power == 0:
            return f"{whole // 1024**power}{suffix}"
    return str(whole)
