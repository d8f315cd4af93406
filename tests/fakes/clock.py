"""A clock that stands still until everybody waits, then jumps to the next moment somebody waits for.  No test sleeps."""

from __future__ import annotations

import asyncio
import heapq
from datetime import UTC, datetime, timedelta

IDLE_ROUNDS = 30  # turns of the event loop without news after which everybody is taken to be waiting


class FakeClock:
    def __init__(self, start: datetime = datetime(2026, 1, 1, 12, tzinfo=UTC)) -> None:
        self.time = start
        self._sleepers: list[tuple[datetime, int]] = []
        self._count = 0

    def now(self) -> datetime:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self._count += 1
        me = (self.time + timedelta(seconds=max(seconds, 0)), self._count)
        heapq.heappush(self._sleepers, me)
        try:
            idle = 0
            while self.time < me[0]:
                await asyncio.sleep(0)
                idle = idle + 1 if self._sleepers[0] == me else 0
                if idle > IDLE_ROUNDS:
                    self.time = max(self.time, me[0])
        finally:
            self._sleepers.remove(me)
            heapq.heapify(self._sleepers)
