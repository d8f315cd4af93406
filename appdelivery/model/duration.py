"""Go-style durations: 1h30m, 15m, 500ms to seconds and back."""

from __future__ import annotations

UNITS = {"ms": 0.001, "us": 0.000001, "h": 3600.0, "m": 60.0, "s": 1.0}


def parse(text: str) -> float:
    """Seconds; ValueError names the mistake and the right spelling."""
    rest, total = text, 0.0
    while rest:
        digits = len(rest) - len(rest.lstrip("0123456789."))
        number, rest = rest[:digits], rest[digits:]
        unit = next((u for u in UNITS if rest.startswith(u)), "")
        if not unit or number.count(".") > 1 or not number.strip("."):
            raise ValueError(f"'{text[:40]}' is not a duration; use 90s, 15m, 1h30m")
        total += float(number) * UNITS[unit]
        rest = rest[len(unit) :]
    if not text or total > 366 * 86400:
        raise ValueError(f"'{text[:40]}' is not a duration; use 90s, 15m, 1h30m")
    return total


def show(seconds: float) -> str:
    """2m14s; below a second 0.4s."""
    if seconds < 1:
        return f"{seconds:.1f}s" if seconds else "0s"
    whole = int(seconds)
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    return "".join(f"{n}{u}" for n, u in ((hours, "h"), (minutes, "m"), (rest, "s")) if n)
