"""Writes what happened into the journal, together with what else happens at that time.

One recorder per run of a release.  A commit costs an fsync and a dozen statements, several times what an apply costs us:
the first few go at once, later ones wait a moment for company.  The recorder knows whether a newer release has appeared,
for every answer of the journal says so.
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

    Waiting = list[tuple[Sequence[Fact], asyncio.Future[None]]]

BUSY_TRIES = 6
BURST, PACE_S = 4, 0.05  # so many commits at once, then one in so many seconds


@dataclass(slots=True)
class Recorder:
    journal: Journal
    lease: Lease
    release: Release
    in_thread: Callable[[Callable[[], Any]], Awaitable[Any]]
    sleep: Callable[[float], Awaitable[None]]
    clock: Callable[[], datetime]
    newest: int = 0
    _pending: Waiting = field(default_factory=list)
    _refusable: Waiting = field(default_factory=list)
    _asking: list[asyncio.Future[None]] = field(default_factory=list)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _look_turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _credit: float = BURST
    _counted_at: datetime | None = None

    @property
    def superseded(self) -> bool:
        return self.newest > self.release.number

    async def record(self, facts: Sequence[Fact]) -> None:
        """Returns when the facts are committed, alone or with others."""
        await self._together(self._pending, facts)

    async def alone(self, facts: Sequence[Fact]) -> None:
        """For facts that may be refused (Conflict): nothing else must fail with them."""
        await self._together(self._refusable, facts)

    async def look(self) -> None:
        """Asks for the newest release once more; one question serves all who wanted it before it was put."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._asking.append(done)
        async with self._look_turn:
            if done.done():
                return
            asking, self._asking = self._asking, []
            newest = await self.in_thread(lambda: self.journal.newest(self.lease.app))
            self.newest = max(self.newest, newest.number if newest else 0)
            for waiter in asking:
                if not waiter.done():
                    waiter.set_result(None)

    def event(self, kind: str, subject: str, **data: Any) -> ports.EventAdded:
        return ports.EventAdded(Event(kind, subject, self.release.actor, self.clock(), data, self.lease.app))

    async def _together(self, queue: Waiting, facts: Sequence[Fact]) -> None:
        """Commits everything that stands in the queue, once it is our turn and nobody else has done it."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append((facts, done))
        async with self._turn:
            if not done.done():
                await self._paced()
                batch = queue.copy()
                queue.clear()
                try:
                    await self._write([fact for one, _ in batch for fact in one])
                except errors.Conflict as error:
                    await self._one_by_one(batch, error)
                except BaseException as error:
                    _refuse(batch, error)
                    raise
                else:
                    _accept(batch)
        return done.result()

    async def _one_by_one(self, batch: Waiting, error: errors.Conflict) -> None:
        """One of them was refused: which?"""
        if len(batch) == 1:
            _refuse(batch, error)
            return
        for number, (facts, _) in enumerate(batch):
            try:
                await self._write(facts)
            except errors.Conflict as refusal:
                _refuse(batch[number : number + 1], refusal)
            except BaseException as trouble:
                _refuse(batch[number:], trouble)
                raise
            else:
                _accept(batch[number : number + 1])

    async def _paced(self) -> None:
        now = self.clock()
        if self._counted_at is not None:
            self._credit = min(BURST, self._credit + (now - self._counted_at).total_seconds() / PACE_S)
        self._counted_at = now
        if self._credit < 1:
            await self.sleep((1 - self._credit) * PACE_S)
            self._credit, self._counted_at = 1, self.clock()
        self._credit -= 1

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


def _accept(batch: Waiting) -> None:
    for _, waiter in batch:
        if not waiter.done():
            waiter.set_result(None)


def _refuse(batch: Waiting, error: BaseException) -> None:
    for _, waiter in batch:
        if not waiter.done():
            waiter.set_exception(error)
            waiter.exception()  # its own task raises it; if that was cancelled nobody needs to
