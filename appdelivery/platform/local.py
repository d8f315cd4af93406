"""Local mode: opens the store and the clusters of the user who runs the command, and hands them out as one `Platform`.

Opening is lazy: a store-only command never imports a cluster library, a command that only reads opens nothing to write.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from appdelivery import errors, settings
from appdelivery.model.record import record
from appdelivery.platform import identity

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from appdelivery.clusters.fleet import ClusterFleet
    from appdelivery.clusters.transport import Sent
    from appdelivery.model.history import Actor
    from appdelivery.store.journal import SqlJournal
    from appdelivery.store.open import Store

T = TypeVar("T")


@record
class Options:
    """From flags, environment and configuration file; '' = the default."""

    store: str = ""
    kubeconfig: str = ""
    cluster: str = ""


@dataclass(slots=True)
class Platform:
    """What the use cases work with.  Closed by `close`, also after a failure."""

    options: Options
    store: Store
    journal: SqlJournal
    actor: Actor
    worker: str
    fleets: list[ClusterFleet] = field(default_factory=list)
    notice: Callable[[str], None] = lambda _: None  # told what the user should know besides the answer
    requests: Callable[[Sent], None] | None = None  # told of every request to a cluster: --debug, benchmarks, tests

    async def in_thread(self, call: Callable[[], T]) -> T:
        """The one bridge from async code to the sync store."""
        import asyncio

        return await asyncio.to_thread(call)

    async def close(self) -> None:
        for fleet in self.fleets:
            await fleet.close()
        self.store.close()


def location(options: Options) -> str:
    """The store's address; a folder of its own, because the key file and the lock stand beside it."""
    scheme, sign, _ = options.store.partition("://")
    if sign and scheme not in ("postgresql", "postgres", "sqlite"):
        raise errors.UsageError(f"--store {scheme}://...: a store is a file, or postgresql://USER@HOST/DATABASE")
    return options.store or f"{settings.folders(os.environ).data}/store.db"


def open_store(options: Options, *, mode: Literal["read", "write"]) -> Platform:
    """mode 'read' never writes, not even a missing store; 'write' makes what is missing."""
    from appdelivery.store import journal
    from appdelivery.store import open as opening

    worker = identity.worker()
    store = opening.open(
        location(options), mode=mode, worker=worker, alive=identity.alive, clock=identity.clock, new_id=identity.new_id
    )
    return Platform(options, store, journal.SqlJournal(store), identity.local_user(), worker)


def run(work: Callable[[], Awaitable[T]]) -> T:
    """Runs a use case's coroutine; the garbage collector is told of large object caches first."""
    import asyncio
    import gc

    # Lists of thousands of objects are parsed and dropped: the default threshold makes that 2.5 times slower.
    gc.set_threshold(50_000, 20, 100)
    try:
        return asyncio.run(_awaited(work))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


async def _awaited(work: Callable[[], Awaitable[T]]) -> T:
    """SIGTERM ends the work as Ctrl-C does: state kept, lease given back."""
    import asyncio
    import contextlib
    import signal

    task = asyncio.current_task()
    assert task is not None
    with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):  # Windows; a thread of a test
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await work()


def page_limit(limit: Any) -> int:
    number = 50 if limit is None else int(limit)
    if not 1 <= number <= 500:
        raise errors.UsageError(f"--limit {number}: a page has 1 to 500 entries")
    return number
