"""A clock that stands still until everybody waits, then jumps to the next moment somebody waits for.  No test sleeps."""

from __future__ import annotations

import asyncio
import heapq
from datetime import UTC, datetime, timedelta

IDLE_ROUNDS = 30  # turns of the event loop without news after which everybody is taken to be waiting

Sleeper = tuple[datetime, int, asyncio.Event]  # until when, in order of arrival; woken to look at the clock


class FakeClock:
    def __init__(self, start: datetime = datetime(2026, 1, 1, 12, tzinfo=UTC)) -> None:
        self.time = start
        self._sleepers: list[Sleeper] = []
        self._count = 0

    def now(self) -> datetime:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self._count += 1
        me = (self.time + timedelta(seconds=max(seconds, 0)), self._count, asyncio.Event())
        heapq.heappush(self._sleepers, me)
        try:
            await self._until(me)
        finally:
            self._sleepers.remove(me)
            heapq.heapify(self._sleepers)
            self._wake()

    async def _until(self, me: Sleeper) -> None:
        """Whoever is next counts the turns of the loop; the others cost none of them anything."""
        idle = 0
        while self.time < me[0]:
            if self._sleepers[0] is me:
                await asyncio.sleep(0)
                idle += 1
                if idle > IDLE_ROUNDS and self._sleepers[0] is me:
                    self.time = max(self.time, me[0])
            else:
                idle = 0
                me[2].clear()
                await me[2].wait()

    def _wake(self) -> None:
        for _, _, woken in self._sleepers[:1] + [one for one in self._sleepers if one[0] <= self.time]:
            woken.set()
