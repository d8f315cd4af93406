"""The one clock of a sandbox: time stamps follow the wall, controllers' waits follow `speed`.

speed 0 stands still, 1 is real time, 100 a hundred times as fast.  Timers are kept in controller seconds, so a change of
speed moves those that are already set.  A server drives the clock by `run`, a test by `advance`.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from datetime import UTC, datetime, timedelta

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

FASTEST = 100.0


class Clock:
    def __init__(self, speed: float = 1.0) -> None:
        self.skew = 0.0  # seconds that time stamps are ahead of the wall: a fault that can be injected
        self._stamped = 0, ""
        self._speed = speed
        self._elapsed = 0.0  # controller seconds up to _since
        self._since = time.monotonic()
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._changed = asyncio.Event()

    # --- stamps ---

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.skew)

    def stamp(self) -> str:
        """metav1.Time: whole seconds.  Written once a second, since everything that is stored asks for it."""
        second = int(time.time() + self.skew)
        if second != self._stamped[0]:
            self._stamped = second, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(second))
        return self._stamped[1]

    def micro(self) -> str:
        """metav1.MicroTime, of Events and Leases."""
        return self.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    # --- controller time ---

    @property
    def speed(self) -> float:
        return self._speed

    @speed.setter
    def speed(self, value: float) -> None:
        if not 0 <= value <= FASTEST:
            raise ValueError(f"the speed is 0 to {FASTEST:.0f}, not {value}")
        self._elapsed, self._since, self._speed = self.elapsed(), time.monotonic(), value
        self._changed.set()

    def elapsed(self) -> float:
        """Controller seconds since the sandbox began."""
        return self._elapsed + (time.monotonic() - self._since) * self._speed

    def later(self, seconds: float, call: Callable[[], None]) -> Callable[[], None]:
        """Calls once after so many controller seconds; gives the function that takes the timer back."""
        state = {"on": True}

        def ring() -> None:
            if state["on"]:
                call()

        heapq.heappush(self._timers, (self.elapsed() + seconds, next(self._numbers), ring))
        self._changed.set()
        return lambda: state.update(on=False)

    def due(self) -> None:
        """Rings what is due, in order; timers that these set for now ring too."""
        while self._timers and self._timers[0][0] <= self.elapsed():
            heapq.heappop(self._timers)[2]()

    def advance(self, seconds: float) -> None:
        """Lets controller time pass at once, timer by timer: for tests, at speed 0."""
        end = self.elapsed() + seconds
        while self._timers and self._timers[0][0] <= end:
            self._elapsed += max(self._timers[0][0] - self.elapsed(), 0.0)
            heapq.heappop(self._timers)[2]()
        self._elapsed += max(end - self.elapsed(), 0.0)

    async def run(self) -> None:
        """Rings timers until it is cancelled."""
        while True:
            self.due()
            self._changed.clear()
            wait = None
            if self._timers and self._speed:
                wait = max(self._timers[0][0] - self.elapsed(), 0.0) / self._speed
            try:
                async with asyncio.timeout(wait):  # not wait_for: in Python 3.11 it may swallow a cancellation
                    await self._changed.wait()
            except TimeoutError:
                continue
