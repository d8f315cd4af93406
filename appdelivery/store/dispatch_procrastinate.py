"""The dispatcher over procrastinate's queue in PostgreSQL, for many workers (workflow.md section 12).  Called by platform.

A job says "look at this item" and nothing else: what is due stands in our rows, a lost queue is rebuilt from them by the
tick, and our lease serialises.  Hence: a queueing lock and never a lock, no retries, finished jobs are deleted, jobs of dead
workers too.  The queue lives in a schema of its own, which `appctl db migrate` makes and keeps up to date.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from appdelivery import errors
from appdelivery.model.run import WorkKey
from appdelivery.store import leases, postgres, workers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from appdelivery.store.dispatch_local import Options
    from appdelivery.store.open import Store

    Handler = Callable[[WorkKey], Awaitable[None]]
    InThread = Callable[[Callable[[], Any]], Awaitable[Any]]

log = logging.getLogger(__name__)

SCHEMA = "procrastinate"
TASK = "appctl.work"
QUEUES = {priority: f"appctl_{priority}" for priority in (leases.INTERACTIVE, leases.CHANGE, leases.ROUTINE)}
BEAT_S, DEAD_S = 5.0, 20.0  # both below a lease
FORGET_S = 3600.0  # worker rows: long after their jobs were deleted
BATCH = 200  # items that one tick puts into the queue
APPLIED = f"{SCHEMA}.appctl_applied"


def attach(store: Store) -> None:
    """From now on a transaction that wakes also puts the keys into the queue."""
    if store.sqlite:
        raise errors.UsageError(
            "use the dispatcher procrastinate: the store is a file", hint="it needs a store in PostgreSQL: postgresql://..."
        )
    app = _app(store)
    store.enqueue = partial(_enqueue, app)


def usable(store: Store) -> bool:
    """Whether the extra is installed and a migration has made the queue's schema."""
    try:
        import procrastinate  # noqa: F401 - asked for, not used
    except ImportError:
        return False
    return bool(store.read(lambda connection: sa.inspect(connection).has_schema(SCHEMA)))


async def serve(
    store: Store, handler: Handler, options: Options, *, stop: asyncio.Event, in_thread: InThread | None = None
) -> None:
    """Until `stop` is set; then waits for the handlers that run.  Never two at once for one key in this process."""
    app = _app(store)
    one = _Server(store, handler, options, app, in_thread or asyncio.to_thread)
    app.task(name=TASK, pass_context=False)(one.take)
    async with app.open_async():
        tasks = [asyncio.ensure_future(one.ticking())]
        if options.concurrency > 1:  # a place of its own for what a person waits for
            tasks.append(asyncio.ensure_future(_worker(app, [QUEUES[leases.INTERACTIVE]], 1)))
        tasks.append(asyncio.ensure_future(_worker(app, list(QUEUES.values()), max(options.concurrency - 1, 1))))
        stopping = asyncio.ensure_future(stop.wait())
        try:
            done, _ = await asyncio.wait({stopping, *tasks}, return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopping}:
                task.result()  # none of them ends by itself: its error is ours
        finally:
            for task in (stopping, *tasks):
                task.cancel()
            await asyncio.gather(stopping, *tasks, return_exceptions=True)


@dataclass(slots=True)
class _Server:
    store: Store
    handler: Handler
    options: Options
    app: Any
    in_thread: InThread
    running: set[WorkKey] = field(default_factory=set)
    again: set[WorkKey] = field(default_factory=set)  # asked for while they run

    async def take(self, kind: str, id: str) -> None:
        key = WorkKey(kind, id)
        if kind not in self.options.kinds:
            return  # of a worker with other roles; its tick asks for it again
        if key in self.running:
            self.again.add(key)
            return
        self.running.add(key)
        try:
            while True:
                self.again.discard(key)
                await self._handle(key)
                if key not in self.again:
                    return
        finally:
            self.running.discard(key)
            self.again.discard(key)

    async def _handle(self, key: WorkKey) -> None:
        try:
            await self.handler(key)
        except Exception:  # a pass never fails to the queue: what went wrong stands in our rows, and the tick asks again
            log.exception("work on %s failed", key)

    async def ticking(self) -> None:
        while True:
            try:
                await self._tick()
            except Exception as error:  # the database may be away: the next tick tries again
                log.warning("look for due work: %s", error)
            o = self.options
            await asyncio.sleep(o.tick_s * random.uniform(1 - o.jitter, 1 + o.jitter))  # noqa: S311 - jitter, not a secret

    async def _tick(self) -> None:
        from procrastinate.exceptions import AlreadyEnqueued
        from procrastinate.jobs import Status

        for job in await self.app.job_manager.get_stalled_jobs(seconds_since_heartbeat=DEAD_S):
            await self.app.job_manager.finish_job_by_id_async(job.id, status=Status.FAILED, delete_job=True)
        ask = partial(leases.waiting, self.store, self.options.kinds, BATCH)
        for key, priority in await self.in_thread(ask):
            if key not in self.running:
                with suppress(AlreadyEnqueued):
                    await _job(self.app, key, priority).defer_async(kind=key.kind, id=key.id)


def migrate(connection: sa.Connection) -> None:
    """Makes the queue's schema or brings it up to date, inside the transaction of `db migrate`.  Without the extra nothing
    is done.  What its authors want applied after the last old worker has stopped waits for a migration without workers."""
    try:
        from procrastinate.schema import SchemaManager
    except ImportError:
        return
    folder = SchemaManager.get_migrations_path()
    names = sorted(name for name in os.listdir(folder) if name.endswith(".sql"))
    fresh = not sa.inspect(connection).has_schema(SCHEMA)
    living = workers.any_living(connection)
    with _in_schema(connection, fresh=fresh):
        if fresh:
            connection.exec_driver_sql(f"CREATE TABLE {APPLIED} (name text PRIMARY KEY)")
            _run(connection, SchemaManager.get_schema())
            _note(connection, names)
            return
        done = set(connection.exec_driver_sql(f"SELECT name FROM {APPLIED}").scalars())  # noqa: S608 - our own name
        for name in [name for name in names if name not in done]:
            if living and "_post_" in name:
                return
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                _run(connection, file.read())
            _note(connection, [name])


class _in_schema:  # noqa: N801 - reads as the statement it is
    """The queue's functions name its tables bare: they are found by the search path, which is the transaction's."""

    def __init__(self, connection: sa.Connection, *, fresh: bool = False) -> None:
        self._connection, self._fresh = connection, fresh
        self._before = ""

    def __enter__(self) -> None:
        if self._fresh:
            self._connection.exec_driver_sql(f"CREATE SCHEMA {SCHEMA}")
        self._before = self._connection.exec_driver_sql("SELECT current_setting('search_path')").scalar_one()
        self._set(SCHEMA)

    def __exit__(self, kind: Any, *_: object) -> None:
        if kind is None:
            self._set(self._before)

    def _set(self, path: str) -> None:
        self._connection.execute(sa.select(sa.func.set_config("search_path", path, True)))


def _run(connection: sa.Connection, script: str) -> None:
    """Many statements at once: by the driver itself, which leaves the percent signs in them alone."""
    raw: Any = connection.connection.driver_connection
    raw.execute(script.encode())


def _note(connection: sa.Connection, names: Sequence[str]) -> None:
    statement = f"INSERT INTO {APPLIED} VALUES (%(name)s)"  # noqa: S608 - our own name
    connection.exec_driver_sql(statement, [{"name": name} for name in names])


def _app(store: Store) -> Any:
    try:
        import procrastinate
    except ImportError as error:
        raise errors.StoreError(
            "use the dispatcher procrastinate: it is not installed",
            code="store.no-driver",
            hint="install it with: pip install 'appdelivery[cluster]'",
        ) from error
    options = {"options": f"-c search_path={SCHEMA}", "application_name": f"appctl {store.worker} queue"[:63]}
    conninfo = postgres.plain(store.engine.url)
    return procrastinate.App(
        connector=procrastinate.PsycopgConnector(conninfo=conninfo, kwargs=options, min_size=1, max_size=6)
    )


def _job(app: Any, key: WorkKey, priority: int, **how: Any) -> Any:
    # Larger numbers go first in that queue.
    return app.configure_task(
        TASK, queue=QUEUES[priority], queueing_lock=str(key), priority=leases.ROUTINE - priority, **how
    )


def _enqueue(app: Any, connection: sa.Connection, keys: Sequence[WorkKey], priority: int) -> None:
    from procrastinate.exceptions import AlreadyEnqueued

    raw = connection.connection.driver_connection
    with _in_schema(connection):
        for key in keys:
            # What is queued already is a unique violation, which must not end the caller's transaction.
            with suppress(AlreadyEnqueued), connection.begin_nested():
                _job(app, key, priority, connection=raw).defer(kind=key.kind, id=key.id)


async def _worker(app: Any, queues: list[str], concurrency: int) -> None:
    await app.run_worker_async(
        queues=queues,
        concurrency=concurrency,
        delete_jobs="always",
        install_signal_handlers=False,
        update_heartbeat_interval=BEAT_S,
        stalled_worker_timeout=FORGET_S,
    )
