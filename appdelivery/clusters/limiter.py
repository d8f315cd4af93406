"""How many requests may be in flight to one cluster: found by latency, not configured (scale.md section 4).

Starts at 10 and moves between 2 and 64.  While the recent median latency of a verb class stays within 1.5 times the
smallest median of the last ten minutes and somebody waits for a slot, the limit grows: by one per good answer until the
first slow window, afterwards by one per ten.  Over 2.5 times, it shrinks by a quarter, though not below the start: a
slow answer alone may be a busy computer's.  429, 503 and time-outs halve it, down to 2.  Writes take at most 80 % of
the limit and deletes half.  There is no request rate anywhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections import deque
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

READ, WRITE, DELETE = "read", "write", "delete"
SHARES = {READ: 1.0, WRITE: 0.8, DELETE: 0.5}
START, LOWEST, HIGHEST = 10, 2, 64
WINDOW = 12  # answers that make a median
MEMORY = 600.0  # seconds a smallest median counts
GOOD, SLOW = 1.5, 2.5


class Slot:
    """A place among the requests in flight; what its request reports, if anything, is that the server is crowded."""

    __slots__ = ("_begun", "_limiter", "_verbs", "crowded", "fresh")

    def __init__(self, limiter: Limiter, verbs: str) -> None:
        self.crowded = False  # the server said or showed that it has too much to do
        self.fresh = False  # it opened a connection: its time is that of handshakes
        self._limiter, self._verbs, self._begun = limiter, verbs, 0.0

    async def __aenter__(self) -> Slot:
        self._begun = await self._limiter.enter(self._verbs)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._limiter.leave(self._verbs, self._begun, crowded=self.crowded, telling=not self.fresh)


class Limiter:
    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit = START
        self._clock = clock
        self._in_flight = dict.fromkeys(SHARES, 0)
        self._queues: dict[str, deque[tuple[int, asyncio.Future[None]]]] = {verbs: deque() for verbs in SHARES}
        self._arrivals = itertools.count()
        self._recent: dict[str, deque[float]] = {verbs: deque(maxlen=WINDOW) for verbs in SHARES}
        self._medians: dict[str, deque[tuple[float, float]]] = {verbs: deque() for verbs in SHARES}
        self._starting = True
        self._good = 0
        self._changed_at = -1.0  # answers to requests sent before this say nothing about the present limit
        self._not_before = 0.0

    def slot(self, verbs: str) -> Slot:
        """For `async with`: waits until the request may start."""
        return Slot(self, verbs)

    async def enter(self, verbs: str) -> float:
        """Waits for a place and answers when it was given."""
        await self._wait(verbs)
        return self._clock()

    def leave(self, verbs: str, begun: float, *, crowded: bool, telling: bool = True) -> None:
        """telling: the time since it began is that of the server and the way to it."""
        self._in_flight[verbs] -= 1
        if crowded or telling:
            self._learn(verbs, begun, crowded=crowded)
        self._wake()

    def pause(self, seconds: float) -> None:
        """Obeys a Retry-After: no request starts before."""
        self._not_before = max(self._not_before, self._clock() + seconds)

    async def _wait(self, verbs: str) -> None:
        if (left := self._not_before - self._clock()) > 0:
            await asyncio.sleep(left)
        if not self._queues[verbs] and self._room(verbs):
            self._in_flight[verbs] += 1
            return
        future = asyncio.get_running_loop().create_future()
        entry = (next(self._arrivals), future)
        self._queues[verbs].append(entry)
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self._in_flight[verbs] -= 1
                self._wake()
            else:
                with contextlib.suppress(ValueError):  # a release may have passed over it already
                    self._queues[verbs].remove(entry)
            raise

    def _room(self, verbs: str) -> bool:
        if sum(self._in_flight.values()) >= self.limit:
            return False
        return self._in_flight[verbs] < max(1, int(self.limit * SHARES[verbs]))

    def _wake(self) -> None:
        """Lets in whoever came first among those whose class has room."""
        while open_to := [verbs for verbs, queue in self._queues.items() if queue and self._room(verbs)]:
            verbs = min(open_to, key=lambda one: self._queues[one][0][0])
            _, future = self._queues[verbs].popleft()
            if not future.done():
                self._in_flight[verbs] += 1
                future.set_result(None)

    def _learn(self, verbs: str, begun: float, *, crowded: bool) -> None:
        if begun < self._changed_at:
            return
        now = self._clock()
        if crowded:
            self._shrink(0.5, LOWEST, now)
            return
        recent = self._recent[verbs]
        recent.append(now - begun)
        if len(recent) < WINDOW:
            return
        middle = median(recent)
        best = self._best(verbs, middle, now)
        if middle > SLOW * best:
            self._shrink(0.75, START, now)
        elif middle > GOOD * best:
            self._starting, self._good = False, 0
        elif any(self._queues.values()):
            self._good += 1
            if self._starting or self._good >= 10:
                self.limit, self._good = min(HIGHEST, self.limit + 1), 0

    def _best(self, verbs: str, middle: float, now: float) -> float:
        """The smallest median of the last ten minutes; the queue holds rising values only."""
        medians = self._medians[verbs]
        while medians and medians[-1][1] >= middle:
            medians.pop()
        medians.append((now, middle))
        while medians[0][0] < now - MEMORY:
            medians.popleft()
        return medians[0][1]

    def _shrink(self, factor: float, floor: int, now: float) -> None:
        self.limit = min(self.limit, max(floor, int(self.limit * factor)))
        self._starting, self._good, self._changed_at = False, 0, now
        for recent in self._recent.values():
            recent.clear()
