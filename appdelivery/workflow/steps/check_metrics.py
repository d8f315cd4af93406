"""`check-metrics`: a query to Prometheus, asked again and again: succeeds when a condition held for a time without a break,
fails when it did not hold for another.
"""

from __future__ import annotations

import json
import math
import operator
import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from appdelivery import errors
from appdelivery.model import duration
from appdelivery.workflow.model import Done, Fail, Wait
from appdelivery.workflow.steps import world

if TYPE_CHECKING:
    from appdelivery.workflow.model import Result, StepContext

EVERY_S = 10.0
BLIND_S = 60.0  # longest time between two answers that counts as without a break
SIGNS = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}
PART = re.compile(r"(>=|<=|==|!=|>|<)\s*(-?[0-9.]+(?:[eE][-+]?[0-9]+)?)")


async def run(at: StepContext) -> Result:
    """cursor: {held | broken: since when, seen}.  Nothing is known of a time in which nobody asked: it begins anew then."""
    values = await _measured(at)
    holds, said = _judged(at.properties["condition"], values)
    which, wanted = ("held", at.properties["duration"]) if holds else ("broken", at.properties["failDuration"])
    since = _since(at, which)
    if at.now - since >= timedelta(seconds=duration.parse(wanted)):
        message = f"{said}, for {wanted}"
        if not holds:
            return Fail("step.metrics", message, retryable=False)
        return Done({"value": values[0], "values": values, "message": message}, message)
    cursor = {which: since.isoformat(), "seen": at.now.isoformat()}
    return Wait(timedelta(seconds=EVERY_S), cursor, f"{said} since {since:%H:%M:%S} UTC, of {wanted}")


def _since(at: StepContext, which: str) -> datetime:
    kept = at.cursor or {}
    if which not in kept or at.now - datetime.fromisoformat(kept["seen"]) > timedelta(seconds=BLIND_S):
        return at.now
    return datetime.fromisoformat(kept[which])


async def _measured(at: StepContext) -> list[float]:
    """The newest value of every sample of the answer; none when there is no data."""
    given = at.properties
    url = f"{given['metricEndpoint'].rstrip('/')}/api/v1/query?{urlencode({'query': given['query']})}"
    answer = await world.ask(
        at, world.HttpRequest("GET", url, {"Accept": "application/json"}), f"ask {given['metricEndpoint']}"
    )
    try:
        found = json.loads(answer.body)["data"]
        samples = [found["result"]] if found["resultType"] == "scalar" else [one["value"] for one in found["result"]]
        return [float(value) for _, value in samples]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise errors.WorldError(
            f"ask {given['metricEndpoint']}: the answer is none of Prometheus", code="step.metrics", retryable=True
        ) from None


def _judged(condition: str, values: list[float]) -> tuple[bool, str]:
    """Whether the condition holds for every value, and how to say it.  No data and NaN hold nothing."""
    if not values:
        return False, "the query gives no data"
    parts = [(SIGNS[sign], float(limit)) for sign, limit in PART.findall(condition)]
    for value in values:
        if math.isnan(value) or not all(compare(value, limit) for compare, limit in parts):
            return False, f"{value:g} is not {condition.strip()}"
    return True, f"{_shown(values)} {condition.strip()}"


def _shown(values: list[Any]) -> str:
    return f"{values[0]:g}" if len(values) == 1 else f"{len(values)} values are"
