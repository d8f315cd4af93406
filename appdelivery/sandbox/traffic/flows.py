"""`Flow`: the requests that one revision gets through one Service, and the series that a client library would export of them.

What is kept is when the flow changed; counters are made of that when somebody asks.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

from appdelivery.sandbox.traffic import series

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from appdelivery.sandbox.traffic.series import Counter, Labels

REQUESTS = "http_requests_total"
DURATION = "http_request_duration_seconds"
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, math.inf)  # of the client libraries
SPREAD = 0.5  # of the logarithm of latencies
OK = "200"


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How a revision answers.  errors: share of requests that get the status `failure`; latency: the median, in seconds."""

    errors: float = 0.0
    failure: str = "500"
    latency: float = 0.05

    def within(self, seconds: float) -> float:
        """Share of answers that are there by then: lognormal."""
        if seconds == math.inf:
            return 1.0
        return 0.5 * (1 + math.erf(math.log(seconds / self.latency) / SPREAD / math.sqrt(2)))

    def mean(self) -> float:
        return self.latency * math.exp(SPREAD * SPREAD / 2)


class Flow:
    __slots__ = ("_changes", "_codes", "_labels")

    def __init__(self, of: Mapping[str, str]) -> None:
        self._labels = dict(of)
        self._changes: list[tuple[float, float, Behaviour]] = []  # (time, requests a second from then on, how answered)
        self._codes = [OK]

    @property
    def rate(self) -> float:
        return self._changes[-1][1] if self._changes else 0.0

    def set(self, at: float, rate: float, behaviour: Behaviour) -> None:
        if self._changes and self._changes[-1][1:] == (rate, behaviour):
            return
        if not self._changes and not rate:
            return
        if behaviour.errors and behaviour.failure not in self._codes:
            self._codes.append(behaviour.failure)
        self._changes.append((at, rate, behaviour))
        del self._changes[: -series.KEPT]

    def end(self, at: float) -> None:
        """Its pods are gone, and their series with them."""
        if self._changes and self._changes[-1][1] >= 0:
            self._changes.append((at, -1.0, self._changes[-1][2]))

    def ended(self, before: float) -> bool:
        return bool(self._changes) and self._changes[-1][1] < 0 and self._changes[-1][0] < before

    def named(self, name: str) -> list[Labels]:
        """Its series of a name, '' = all."""
        found = []
        if name in ("", REQUESTS):
            found += [series.labels(REQUESTS, {**self._labels, "code": code}) for code in self._codes]
        if name in ("", f"{DURATION}_bucket"):
            found += [series.labels(f"{DURATION}_bucket", {**self._labels, "le": bound(top)}) for top in BUCKETS]
        found += [
            series.labels(f"{DURATION}_{part}", self._labels)
            for part in ("sum", "count")
            if name in ("", f"{DURATION}_{part}")
        ]
        return found

    def counter(self, key: Labels, interval: float) -> Counter:
        of = dict(key)
        made = series.Counter(interval, whole=of["__name__"] != f"{DURATION}_sum")
        share = functools.partial(_share, of)
        for at, rate, behaviour in self._changes:
            if rate < 0:
                made.end(at)
            else:
                made.set(at, rate * share(behaviour))
        return made


def _share(of: Mapping[str, str], behaviour: Behaviour) -> float:
    """How much one request adds to the series."""
    match of["__name__"]:
        case name if name == REQUESTS:
            if of["code"] == OK:
                return 1 - behaviour.errors
            return behaviour.errors if of["code"] == behaviour.failure else 0.0
        case name if name == f"{DURATION}_bucket":
            return behaviour.within(float(of["le"]))
        case name if name == f"{DURATION}_sum":
            return behaviour.mean()
        case _:
            return 1.0


def bound(top: float) -> str:
    return "+Inf" if top == math.inf else f"{top:g}"
