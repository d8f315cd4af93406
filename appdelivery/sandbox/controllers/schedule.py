"""Cron schedules: five fields or a word, and when they are due next.  Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, timedelta
from zoneinfo import ZoneInfo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime

WORDS = {
    "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}  # fmt: skip
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
YEARS = 5  # how far ahead to look: 30 February never comes


@dataclass(frozen=True, slots=True)
class Schedule:
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_day: bool  # the day of the month, or of the week, says nothing: the other one decides
    zone: str


def parse(text: str, zone: str = "UTC") -> Schedule:
    """ValueError says what is wrong."""
    fields = WORDS.get(text.strip(), text).split()
    if len(fields) != len(BOUNDS):
        raise ValueError(f"expected exactly 5 fields, found {len(fields)}: {text}")
    names: tuple[tuple[str, ...], ...] = ((), (), (), ("", *MONTHS), DAYS)
    minutes, hours, days, months, weekdays = (
        _field(field, low, high, known) for field, (low, high), known in zip(fields, BOUNDS, names, strict=True)
    )
    any_day = fields[2][0] in "*?" or fields[4][0] in "*?"
    return Schedule(minutes, hours, days, months, frozenset(day % 7 for day in weekdays), any_day, zone)


def _field(text: str, low: int, high: int, names: tuple[str, ...]) -> frozenset[int]:
    found: set[int] = set()
    for part in text.lower().split(","):
        span, _, step = part.partition("/")
        if span in ("*", "?"):
            first, last = low, high
        else:
            one, dash, two = span.partition("-")
            first = _number(one, names)
            last = _number(two, names) if dash else (high if step else first)
        if not low <= first <= last <= high or (step and (not step.isdecimal() or not int(step))):
            raise ValueError(f"'{part}' is not within {low} to {high}")
        found |= set(range(first, last + 1, int(step or 1)))
    return frozenset(found)


def _number(text: str, names: tuple[str, ...]) -> int:
    if text in names and text:
        return names.index(text)
    if not text.isdecimal():
        raise ValueError(f"failed to parse int from {text}")
    return int(text)


def next_after(schedule: Schedule, moment: datetime) -> datetime | None:
    """The first due minute after a moment (aware); None: never within years."""
    here = moment.astimezone(ZoneInfo(schedule.zone)).replace(second=0, microsecond=0) + timedelta(minutes=1)
    last = here + timedelta(days=366 * YEARS)
    while here < last:
        if here.month not in schedule.months or not _is_day(schedule, here):
            here = (here + timedelta(days=1)).replace(hour=0, minute=0)
        elif here.hour not in schedule.hours:
            here = (here + timedelta(hours=1)).replace(minute=0)
        elif here.minute not in schedule.minutes:
            here += timedelta(minutes=1)
        else:
            return here.astimezone(UTC)
    return None


def _is_day(schedule: Schedule, moment: datetime) -> bool:
    """Both days given: one of them is enough."""
    of_month = moment.day in schedule.days
    of_week = moment.isoweekday() % 7 in schedule.weekdays
    return (of_month and of_week) if schedule.any_day else (of_month or of_week)
