"""`wait`: a durable pause for a time, until a moment, or until a daily window is open."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from appdelivery import errors
from appdelivery.model import duration
from appdelivery.workflow.model import Done, Wait

if TYPE_CHECKING:
    from appdelivery.workflow.model import Result, StepContext

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


async def run(at: StepContext) -> Result:
    """The moment is fixed at the first look, so that a restart does not begin to wait anew."""
    kept = (at.cursor or {}).get("until")
    until = datetime.fromisoformat(kept) if kept else _until(at.properties, at.now)
    if at.now >= until:
        return Done({"until": until.isoformat()}, f"waited until {until:%Y-%m-%d %H:%M:%S} UTC")
    return Wait(until - at.now, {"until": until.isoformat()}, f"waits until {until:%Y-%m-%d %H:%M:%S} UTC")


def _until(given: dict[str, Any], now: datetime) -> datetime:
    if given.get("for"):
        return now + timedelta(seconds=_seconds(given["for"]))
    if given.get("until"):
        return _moment(given["until"])
    return _opening(given["window"], now)


def _seconds(text: str) -> float:
    try:
        return duration.parse(text)
    except ValueError as wrong:
        raise errors.RequestError(f"for: {wrong}", code="step.wait") from None


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise errors.RequestError(
            f"until: '{text[:40]}' is no moment with a zone, such as 2026-12-01T02:00:00Z", code="step.wait"
        )
    return found.astimezone(UTC)


def _opening(window: dict[str, Any], now: datetime) -> datetime:
    """Now when the window is open, else when it opens next.  A window that ends before it begins passes midnight."""
    zone = _zone(window["timezone"])
    start, end = _clock(window["from"]), _clock(window["to"])
    days = [DAYS.index(day) for day in window["days"]]
    here = now.astimezone(zone)
    for offset in range(-1, 8):
        date = here.date() + timedelta(days=offset)
        if date.weekday() not in days:
            continue
        opens = datetime.combine(date, start, zone).astimezone(UTC)
        closes = datetime.combine(date + timedelta(days=1 if end <= start else 0), end, zone).astimezone(UTC)
        if now < closes:
            return max(opens, now)
    raise errors.Bug("wait: a week has no opening of the window")


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise errors.RequestError(f"window.timezone: there is no zone '{name[:40]}'", code="step.wait") from None


def _clock(text: str) -> time:
    try:
        return time.fromisoformat(text)
    except ValueError:
        raise errors.RequestError(f"window: '{text[:20]}' is no time of day such as 22:30", code="step.wait") from None
