"""Time series: counters that the traffic model drives, points that a script gives, and the set of both.

A counter is kept as what its rate was since when, so it costs nothing while nothing changes; samples are made of it when
somebody looks, on the grid of the scrape interval, as a real Prometheus would have them.
"""

from __future__ import annotations

import bisect
import math

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from appdelivery.sandbox.traffic.flows import Flow
    from appdelivery.sandbox.traffic.tree import Matcher

    Group = tuple[str, str, str]  # workload, revision, version: pods that answer alike
    Whose = tuple[str, str, Group]  # namespace, Service, and who answers
    Labels = tuple[tuple[str, str], ...]  # sorted by name, __name__ among them
    Sample = tuple[float, float]  # Unix seconds, value

KEPT = 2_000  # changes of a counter, points of a series
LOOKBACK = 300.0  # how old the newest sample of an instant vector may be


def labels(name: str, of: Mapping[str, str]) -> Labels:
    """Empty labels are absent ones."""
    return tuple(sorted({**{key: value for key, value in of.items() if value != ""}, "__name__": name}.items()))


class Points:
    """Samples as they were given."""

    __slots__ = ("_points",)

    def __init__(self, points: Iterable[Sample] = ()) -> None:
        self._points = sorted(points)

    def add(self, points: Iterable[Sample]) -> None:
        """A point at a time that is there replaces it."""
        self._points = sorted((dict(self._points) | dict(points)).items())[-KEPT:]

    def samples(self, start: float, end: float) -> Sequence[Sample]:
        """After start, up to end."""
        first = bisect.bisect_right(self._points, start, key=lambda point: point[0])
        last = bisect.bisect_right(self._points, end, key=lambda point: point[0])
        return self._points[first:last]

    def ended(self, _at: float) -> bool:
        return False


class Counter:
    """Events at a rate that changes now and then.  whole: they are counted, not measured."""

    __slots__ = ("_end", "_interval", "_since", "_whole")

    def __init__(self, interval: float, *, whole: bool = True) -> None:
        self._interval = interval
        self._whole = whole
        self._since: list[tuple[float, float, float]] = []  # (time, value then, rate from then on)
        self._end = math.inf

    def set(self, at: float, rate: float) -> None:
        """Goes on where it ended, if it had."""
        if self._end < math.inf:
            self._since.append((self._end, self.value(self._end), 0.0))
            self._end = math.inf
        elif self._since and self._since[-1][2] == rate:
            return
        self._since.append((at, self.value(at), rate))
        del self._since[:-KEPT]

    def end(self, at: float) -> None:
        """Whoever counted is gone: no samples from now on."""
        self._end = min(self._end, at)

    def value(self, at: float) -> float:
        place = bisect.bisect_right(self._since, at, key=lambda change: change[0]) - 1
        if place < 0:
            return 0.0
        time, value, rate = self._since[place]
        return value + (at - time) * rate

    def samples(self, start: float, end: float) -> Sequence[Sample]:
        if not self._since:
            return []
        first = max(math.floor(start / self._interval) + 1, math.ceil(self._since[0][0] / self._interval))
        last = math.floor(min(end, self._end) / self._interval)
        return [
            (n * self._interval, float(math.floor(self.value(n * self._interval) + 1e-9))) for n in range(first, last + 1)
        ]

    def ended(self, at: float) -> bool:
        return at > self._end


class Database:
    """Every series: what a script gave, and what the flows of the model amount to."""

    def __init__(self, interval: float) -> None:
        self.interval = interval
        self._points: dict[Labels, Points] = {}
        self._flows: dict[Whose, Flow] = {}

    def flow(self, key: Whose, make: Callable[[], Flow]) -> Flow:
        found = self._flows.get(key)
        if found is None:
            found = self._flows[key] = make()
        return found

    def flows(self) -> Iterator[tuple[Whose, Flow]]:
        return iter(list(self._flows.items()))

    def prune(self, before: float) -> None:
        """Forgets flows that ended before a time."""
        for key, flow in self.flows():
            if flow.ended(before):
                del self._flows[key]

    def points(self, name: str, of: Mapping[str, str]) -> Points:
        """A scripted series takes the place of what the model says about the same labels."""
        return self._points.setdefault(labels(name, of), Points())

    def select(self, matchers: Sequence[Matcher]) -> Iterator[tuple[Labels, Points | Counter]]:
        seen = set()
        for key, series in list(self._points.items()):
            if _holds(key, matchers):
                seen.add(key)
                yield key, series
        exact = next((one.value for one in matchers if one.label == "__name__" and one.sign == "="), "")
        for flow in list(self._flows.values()):
            for key in flow.named(exact):
                if key not in seen and _holds(key, matchers):
                    yield key, flow.counter(key, self.interval)

    def latest(self, series: Points | Counter, at: float) -> float | None:
        """For an instant vector: the newest sample that is not too old, unless the series has ended."""
        found = [] if series.ended(at) else series.samples(at - LOOKBACK, at)
        return found[-1][1] if found else None

    def drop(self, name: str = "") -> int:
        """Forgets what a script gave: everything, or the series of a name."""
        gone = [key for key in self._points if not name or dict(key)["__name__"] == name]
        for key in gone:
            del self._points[key]
        return len(gone)


def _holds(key: Labels, matchers: Sequence[Matcher]) -> bool:
    of = dict(key)
    return all(one.holds(of.get(one.label, "")) for one in matchers)
