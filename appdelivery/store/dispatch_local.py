"""The local dispatcher: calls a handler for every work item that is due (workflow.md section 12).  Called by platform.

It needs no queue: what is due stands in the rows, a wake of this process is told after its commit, one of another process
by NOTIFY of PostgreSQL, and whatever was missed is found by a look every second.  Any number of processes may serve one
store; the handler claims, and whoever comes second gets no lease.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from appdelivery import errors
from appdelivery.store import leases, postgres

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence

    from appdelivery.model.run import WorkKey
    from appdelivery.store.open import Store

    Handler = Callable[[WorkKey], Awaitable[None]]
    InThread = Callable[[Callable[[], Any]], Awaitable[Any]]

log = logging.getLogger(__name__)
wake = leases.wake


@dataclass(frozen=True, slots=True)
class Options:
    """concurrency: handlers at once; one place of them is kept for what a person waits for."""

    kinds: Collection[str]
    concurrency: int = 64
    tick_s: float = 1.0
    jitter: float = 0.2  # of the tick, so that processes do not look at one moment
    back_off_s: float = 60.0  # at most, after a handler that raised


async def serve(
    store: Store, handler: Handler, options: Options, *, stop: asyncio.Event, in_thread: InThread | None = None
) -> None:
    """Until `stop` is set; then waits for the handlers that run.  Never two at once for one key."""
    one = _Server(store, handler, options, in_thread or asyncio.to_thread)
    loop = asyncio.get_running_loop()

    def told(keys: Sequence[WorkKey]) -> None:
        loop.call_soon_threadsafe(one.hint, {key for key in keys if key.kind in options.kinds})

    store.listeners.append(told)
    listening = asyncio.ensure_future(_listen(store, one)) if not store.sqlite else None
    stopping = asyncio.ensure_future(stop.wait())
    try:
        while not stop.is_set():
            await one.look()
            await one.rest(stopping)
    finally:
        store.listeners.remove(told)
        stopping.cancel()
        if listening is not None:
            listening.cancel()
        await asyncio.gather(*one.running.values(), *([listening] if listening else []), stopping, return_exceptions=True)


@dataclass(slots=True)
class _Server:
    store: Store
    handler: Handler
    options: Options
    in_thread: InThread
    running: dict[WorkKey, asyncio.Task[None]] = field(default_factory=dict)
    urgent: set[WorkKey] = field(default_factory=set)  # of those that run
    seen: set[WorkKey] = field(default_factory=set)  # handled since the last tick and not hinted at since
    failed: dict[WorkKey, tuple[int, float]] = field(default_factory=dict)  # times in a row, not before
    again: set[WorkKey] = field(default_factory=set)  # of those that run: hinted at meanwhile
    news: asyncio.Event = field(default_factory=asyncio.Event)
    tick_at: float = 0.0

    def hint(self, keys: Collection[WorkKey]) -> None:
        self.seen.difference_update(keys)
        self.again.update(self.running.keys() & keys)
        if keys:
            self.news.set()

    def hint_any(self) -> None:
        self.seen.clear()
        self.again.update(self.running)
        self.news.set()

    async def look(self) -> None:
        """Starts what is due, as far as there are places."""
        self.news.clear()
        free = self.options.concurrency - len(self.running)
        if free <= 0:
            return
        busy = len(self.running) + len(self.seen) + len(self.failed)
        ask = partial(leases.waiting, self.store, self.options.kinds, free + busy)
        try:
            found = await self.in_thread(ask)
        except errors.AppError as error:
            log.warning("look for due work: %s", error)
            return
        for key, priority in found:
            if self._may_start(key, priority):
                self._start(key, urgent=priority == leases.INTERACTIVE)

    def _may_start(self, key: WorkKey, priority: int) -> bool:
        if key in self.running or key in self.seen or self.failed.get(key, (0, 0.0))[1] > time.monotonic():
            return False
        if priority == leases.INTERACTIVE or self.options.concurrency == 1:
            return len(self.running) < self.options.concurrency
        # A place that urgent work takes is not one of the others'.
        return len(self.running) - len(self.urgent) < self.options.concurrency - 1 and (
            len(self.running) < self.options.concurrency
        )

    def _start(self, key: WorkKey, *, urgent: bool) -> None:
        if urgent:
            self.urgent.add(key)
        self.running[key] = asyncio.ensure_future(self._handled(key))

    async def _handled(self, key: WorkKey) -> None:
        try:
            await self.handler(key)
            self.failed.pop(key, None)
        except Exception:  # a handler keeps its own errors; what it lets through must not end the loop
            times = self.failed.get(key, (0, 0.0))[0] + 1
            wait = min(2.0 ** (times - 1), self.options.back_off_s)
            self.failed[key] = (times, time.monotonic() + wait)
            log.exception("work on %s failed; again in %.0f s", key, wait)
        finally:
            if key not in self.again:
                self.seen.add(key)
            if key in self.again or len(self.running) >= self.options.concurrency - 1:
                self.news.set()  # it may be due once more, or another waits for its place
            del self.running[key]
            self.urgent.discard(key)
            self.again.discard(key)

    async def rest(self, stopping: asyncio.Future[Any]) -> None:
        """Until there is news or the tick."""
        now, o = time.monotonic(), self.options
        if now >= self.tick_at:
            self.seen.clear()
            self.tick_at = now + o.tick_s * random.uniform(1 - o.jitter, 1 + o.jitter)  # noqa: S311 - jitter, not a secret
        news = asyncio.ensure_future(self.news.wait())
        try:
            await asyncio.wait({news, stopping}, timeout=self.tick_at - now, return_when=asyncio.FIRST_COMPLETED)
        finally:
            news.cancel()


async def _listen(store: Store, one: _Server) -> None:
    """NOTIFY of the other processes.  While the database is away the tick goes on alone."""
    import psycopg

    wait = 1.0
    while True:
        try:
            connection = await psycopg.AsyncConnection.connect(
                postgres.plain(store.engine.url), autocommit=True, application_name=f"appctl {store.worker} listen"[:63]
            )
            async with connection:
                await connection.execute(f"LISTEN {postgres.CHANNEL}".encode())
                one.hint_any()  # what was said while nobody listened
                wait = 1.0
                async for _ in connection.notifies():
                    one.hint_any()
        except psycopg.Error as error:
            log.warning("listen for work: %s; again in %.0f s", str(error).strip() or type(error).__name__, wait)
            await asyncio.sleep(wait)
            wait = min(wait * 2, 30.0)
