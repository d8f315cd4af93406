"""Writes what happened into the journal, together with what else happens at that time.

One recorder per run of a release.  A commit costs an fsync and a dozen statements, several times what an apply costs us:
the first few go at once, later ones wait a moment for company, though never longer than company is on its way.  What is
recorded before a write waits less, for the write waits with it.  The recorder knows whether a newer release has appeared,
for every answer of the journal says so.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from appdelivery import errors
from appdelivery.delivery import ports
from appdelivery.model.history import Event

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence
    from datetime import datetime
    from typing import Any

    from appdelivery.delivery.ports import Fact, Journal
    from appdelivery.model.history import Lease, Release

    Waiting = list[tuple[Sequence[Fact], asyncio.Future[None]]]

BUSY_TRIES = 6
BURST = 4  # commits at once, then one in so many seconds:
PACE_S, PACE_BEFORE_S = 0.2, 0.05
TURNS = 3  # of the loop: then everybody whom the same answer, or the same commit, has set going stands in the line


class _Line:
    """Facts that wait to be committed together."""

    def __init__(self, pace: float) -> None:
        self.pace = pace
        self.waiting: Waiting = []
        self.turn = asyncio.Lock()
        self.credit: float = BURST
        self.counted_at: datetime | None = None
        self.enough: asyncio.Future[None] | None = None  # ends the wait for company


@dataclass(slots=True)
class Recorder:
    journal: Journal
    lease: Lease
    release: Release
    in_thread: Callable[[Callable[[], Any]], Awaitable[Any]]
    sleep: Callable[[float], Awaitable[None]]
    clock: Callable[[], datetime]
    newest: int = 0
    _after: _Line = field(default_factory=lambda: _Line(PACE_S))
    _before: _Line = field(default_factory=lambda: _Line(PACE_BEFORE_S))
    _coming: int = 0
    _asking: list[asyncio.Future[None]] = field(default_factory=list)
    _look_turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def superseded(self) -> bool:
        return self.newest > self.release.number

    async def record(self, facts: Sequence[Fact]) -> None:
        """Returns when the facts are committed, alone or with others."""
        await self._together(self._after, facts)

    async def alone(self, facts: Sequence[Fact]) -> None:
        """For facts that may be refused (Conflict), before a write: nothing else must fail with them."""
        await self._together(self._before, facts)

    @contextlib.contextmanager
    def coming(self) -> Iterator[None]:
        """While a request is on its way whose answer will be recorded: for that a commit is worth waiting."""
        self._coming += 1
        try:
            yield
        finally:
            self._coming -= 1
            self._hurry()

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

    async def _together(self, line: _Line, facts: Sequence[Fact]) -> None:
        """Commits everything that stands in the line, once it is our turn and nobody else has done it."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line.waiting.append((facts, done))
        self._hurry()
        async with line.turn:
            if not done.done():
                await self._paced(line)
                for _ in range(TURNS):
                    await asyncio.sleep(0)
                batch = line.waiting.copy()
                line.waiting.clear()
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

    async def _paced(self, line: _Line) -> None:
        now = self.clock()
        if line.counted_at is not None:
            line.credit = min(BURST, line.credit + (now - line.counted_at).total_seconds() / line.pace)
        line.counted_at = now
        if line.credit < 1:
            await self._company(line, (1 - line.credit) * line.pace)
            line.credit, line.counted_at = 1, self.clock()
        line.credit -= 1

    async def _company(self, line: _Line, at_most: float) -> None:
        if self._all_here(line):
            return
        line.enough = asyncio.get_running_loop().create_future()
        timer = asyncio.ensure_future(self.sleep(at_most))
        try:
            await asyncio.wait({line.enough, timer}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            line.enough = None
            timer.cancel()
            await asyncio.gather(timer, return_exceptions=True)

    def _all_here(self, line: _Line) -> bool:
        """Whether waiting would at best double what is committed together."""
        return line is self._after and len(line.waiting) >= self._coming

    def _hurry(self) -> None:
        line = self._after
        if line.enough is not None and not line.enough.done() and self._all_here(line):
            line.enough.set_result(None)

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
