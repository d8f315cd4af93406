"""`Faults`: the rules of one cluster in their order, how often each has struck, and what they make of a request.

A rule set with one seed and one order of requests does the same every time.
"""

from __future__ import annotations

import dataclasses
import random

from appdelivery.sandbox import status
from appdelivery.sandbox.faults import reading
from appdelivery.sandbox.faults.plan import Plan
from appdelivery.sandbox.faults.rules import Rule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from appdelivery.sandbox.clock import Clock
    from appdelivery.sandbox.faults.plan import Asked

WATCHES = {"stall": "stall", "expire": "expired", "duplicate": "duplicate", "reorder": "reorder"}
REASONS = {  # as the server words refusals that are nobody's business in particular
    400: ("BadRequest", "the server rejected our request for an unknown reason"),
    401: ("Unauthorized", "Unauthorized"),
    403: ("Forbidden", "forbidden"),
    404: ("NotFound", "the server could not find the requested resource"),
    408: ("Timeout", "the server was unable to return a response in the time allotted"),
    409: ("Conflict", "the server reported a conflict"),
    410: ("Expired", "The resourceVersion for the provided watch is too old."),
    429: ("TooManyRequests", "Too many requests, please try again later."),
    500: ("InternalError", "Internal error occurred: injected by the sandbox"),
    503: ("ServiceUnavailable", "the server is currently unable to handle the request"),
    504: ("Timeout", "Timeout: request did not complete within requested timeout"),
}


class _Standing:
    """A rule at work."""

    __slots__ = ("dice", "rule", "struck")

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.struck = 0
        self.dice = random.Random(rule.seed)  # noqa: S311 - a fault that can be repeated, not a secret

    @property
    def spent(self) -> bool:
        return self.rule.count is not None and self.struck >= self.rule.count

    def strikes(self) -> bool:
        if self.spent or (self.rule.probability < 1 and self.dice.random() >= self.rule.probability):
            return False
        self.struck += 1
        return True


class Faults:
    """cluster: the name that rules' globs are held against.  on_partition: called when a cluster has been cut off."""

    def __init__(
        self,
        seed: int = 0,
        *,
        cluster: str = "sandbox",
        clock: Clock | None = None,
        on_partition: Callable[[], None] | None = None,
    ) -> None:
        self.seed = seed
        self.cluster = cluster
        self._clock = clock
        self._on_partition = on_partition
        self._number = 0
        self._standing: dict[str, _Standing] = {}
        self._fresh: set[str] = set()  # tokens issued since a login fault began

    # --- rules ---

    def add(self, rule: Rule) -> Rule | None:
        """Answers the rule with its id and seed; None when it is not for this cluster.  An id that stands is replaced."""
        if not rule.of(self.cluster):
            return None
        self._number += 1
        made = dataclasses.replace(rule, id=rule.id or f"fault-{self._number}", seed=rule.seed or self.seed + self._number)
        if made.do == "login":
            self._fresh.clear()
        self._standing[made.id] = _Standing(made)
        self._settle()
        if made.do == "partition" and self._on_partition is not None:
            self._on_partition()
        return made

    def remove(self, id: str) -> bool:
        found = self._standing.pop(id, None) is not None
        self._settle()
        return found

    def listed(self) -> list[dict[str, Any]]:
        return [
            reading.tree(one.rule) | {"cluster": self.cluster, "struck": one.struck, "spent": one.spent}
            for one in self._standing.values()
        ]

    def renewed(self, token: str) -> None:
        """Somebody has logged in: a login fault lets this token pass."""
        self._fresh.add(token)

    def _settle(self) -> None:
        """Skew is a state of the clock: the last such rule that stands decides."""
        if self._clock is not None:
            self._clock.skew = next((one.rule.value for one in self._last_first() if one.rule.do == "skew"), 0.0)

    def _last_first(self) -> list[_Standing]:
        return [*self._standing.values()][::-1]

    # --- requests ---

    def plan(self, request: Asked) -> Plan | None:
        """What is to happen to a request.  Delays of several rules add up, of everything else the first rule decides."""
        if not self._standing:
            return None
        made: dict[str, Any] = {}
        for one in self._standing.values():
            if one.rule.do == "skew" or not one.rule.matches(request):
                continue
            if one.rule.do == "login" and request.token in self._fresh:
                continue
            field, value = effect(one.rule)
            if (field == "delay" or field not in made) and one.strikes():
                made[field] = made.get("delay", 0.0) + value if field == "delay" else value
        return Plan(**made) if made else None


def effect(rule: Rule) -> tuple[str, Any]:
    """The part of a plan that a rule decides, and what it puts there."""
    match rule.do:
        case "delay":
            return "delay", rule.value
        case "status":
            return "before", refusal(int(rule.value))
        case "throttle":
            return "before", refusal(429, after=rule.value)
        case "reset" | "partition":
            return "before", "reset"
        case "login":
            return "before", refusal(401)
        case "reset-after":
            return "after", "reset"
        case "truncate":
            return "after", "truncate"
        case "stale":
            return "stale", int(rule.value)
        case watch:
            return "watch", WATCHES[watch]


def refusal(code: int, *, after: float | None = None) -> status.Refusal:
    reason, message = REASONS.get(code, ("", f"the server answered {code}: injected by the sandbox"))
    if after is None:
        return status.Refusal(code, reason, message)
    seconds = max(round(after), 1)  # the header knows whole seconds
    return status.Refusal(
        code, reason, message, details={"retryAfterSeconds": seconds}, headers={"Retry-After": str(seconds)}
    )
