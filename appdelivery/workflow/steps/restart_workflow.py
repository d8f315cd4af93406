"""`restart-workflow`: lets the workflow run again at a moment, after a time, or again and again."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from appdelivery import errors
from appdelivery.workflow.model import Done
from appdelivery.workflow.steps import world

if TYPE_CHECKING:
    from appdelivery.workflow.model import Result, StepContext

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


async def run(at: StepContext) -> Result:
    """Repeated with the same key it schedules nothing more, so the first moment counts."""
    given = at.properties
    every = float(_seconds(given["every"])) if given.get("every") else 0.0
    if given.get("at"):
        when = datetime.fromisoformat(given["at"])
        if when.tzinfo is None:
            raise errors.RequestError(f"at: '{given['at']}' has no zone; end it with Z or +02:00", code="step.restart")
    else:
        when = at.now + timedelta(seconds=every or _seconds(given["after"]))
    await world.of(at).schedule_restart(when, every, world.key(at, "restart"))
    return Done({"at": when.isoformat()}, f"runs again at {when:%Y-%m-%d %H:%M:%S %Z}" + (" and so on" if every else ""))


def _seconds(text: str) -> int:
    return int(text[:-1]) * SECONDS[text[-1]]
