"""Writes what happened into the journal: facts that arrive while a call is under way go into the next one together.

One recorder per run of a release.  It knows whether a newer release has appeared, for every answer of the journal says so.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from appdelivery import errors
from appdelivery.delivery import ports
from appdelivery.model.history import Event

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import datetime
    from typing import Any

    from appdelivery.delivery.ports import Fact, Journal
    from appdelivery.model.history import Lease, Release

BUSY_TRIES = 6


@dataclass(slots=True)
class Recorder:
    journal: Journal
    lease: Lease
    release: Release
    in_thread: Callable[[Callable[[], Any]], Awaitable[Any]]
    sleep: Callable[[float], Awaitable[None]]
    clock: Callable[[], datetime]
    newest: int = 0
    _pending: list[tuple[Sequence[Fact], asyncio.Future[None]]] = field(default_factory=list)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def superseded(self) -> bool:
        return self.newest > self.release.number

    async def record(self, facts: Sequence[Fact]) -> None:
        """Returns when the facts are committed, alone or with others."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pending.append((facts, done))
        async with self._turn:
            if done.done():
                return done.result()
            batch, self._pending = self._pending, []
            try:
                await self._write([fact for one, _ in batch for fact in one])
            except BaseException as error:
                for _, waiter in batch:
                    if waiter is not done and not waiter.done():
                        waiter.set_exception(error)
                        waiter.exception()  # its own task raises it; if that was cancelled nobody needs to
                raise
            for _, waiter in batch:
                if not waiter.done():
                    waiter.set_result(None)
        return None

    async def alone(self, facts: Sequence[Fact]) -> None:
        """For facts that may be refused: nothing else must fail with them."""
        async with self._turn:
            await self._write(facts)

    async def look(self) -> None:
        """Asks for the newest release once more."""
        newest = await self.in_thread(lambda: self.journal.newest(self.lease.app))
        self.newest = max(self.newest, newest.number if newest else 0)

    def event(self, kind: str, subject: str, **data: Any) -> ports.EventAdded:
        return ports.EventAdded(Event(kind, subject, self.release.actor, self.clock(), data, self.lease.app))

    async def _write(self, facts: Sequence[Fact]) -> None:
        for attempt in range(BUSY_TRIES):
            try:
                newest = await self.in_thread(lambda: self.journal.record(self.lease, list(facts)))
            except errors.Busy:
                if attempt == BUSY_TRIES - 1:
                    raise
                await self.sleep(0.05 * 2**attempt)
            else:
                self.newest = max(self.newest, newest)
                return
