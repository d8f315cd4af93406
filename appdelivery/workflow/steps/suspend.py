"""`suspend`: waits for an answer of people, or for a time.  With approvers it is an approval."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from appdelivery.model import duration
from appdelivery.workflow.model import Approval, Done, Fail, Suspend

if TYPE_CHECKING:
    from appdelivery.workflow.model import Result, StepContext

REJECT = "reject"


async def run(at: StepContext) -> Result:
    """The end is fixed when the step is first looked at and kept in the cursor, whatever the clock does afterwards."""
    given = at.properties
    if at.answer is not None:
        return Done({name: at.answer.get(name) for name in ("by", "comment", "at")}, _said(at.answer))
    until = _until(at)
    if until is not None and at.now >= until:
        if given["onTimeout"] == REJECT:
            return Fail("step.rejected", f"nobody approved within {given['duration']}", retryable=False)
        return Done({"by": None, "comment": None, "at": until.isoformat()}, f"went on after {given['duration']}")
    return Suspend(given.get("message") or "waits to be resumed", until, _approval(given), _cursor(until))


def _until(at: StepContext) -> datetime | None:
    kept = (at.cursor or {}).get("until")
    if kept:
        return datetime.fromisoformat(kept)
    wait = at.properties.get("duration")
    return at.now + timedelta(seconds=duration.parse(wait)) if wait else None


def _cursor(until: datetime | None) -> dict[str, str]:
    return {"until": until.isoformat()} if until else {}


def _approval(given: dict[str, Any]) -> Approval | None:
    if not given.get("approvers"):
        return None
    return Approval(tuple(given["approvers"]), bool(given["distinct"]), on_timeout=given["onTimeout"])


def _said(answer: dict[str, Any]) -> str:
    comment = f": {answer['comment']}" if answer.get("comment") else ""
    return f"resumed by {answer.get('by') or 'somebody'}{comment}"
