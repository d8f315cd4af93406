"""The dispatcher over procrastinate: a job is a hint, our rows say what is due.  On PostgreSQL."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from store import making

from appdelivery import errors
from appdelivery.model.refs import AppKey
from appdelivery.model.run import Signal, WorkKey
from appdelivery.store import dispatch_local, leases, migrate
from appdelivery.store import journal as journals

if TYPE_CHECKING:
    from collections.abc import Callable

pytest.importorskip("procrastinate", reason="the extra cluster is not installed")
from appdelivery.store import dispatch_procrastinate as dispatch

pytestmark = [pytest.mark.postgres, pytest.mark.slow]
KINDS = frozenset({"app", "run"})


@pytest.fixture
def location(new_database: Callable[[], str], tmp_path: Any) -> str:
    key = tmp_path / "master"
    key.touch(mode=0o600)
    key.write_bytes(os.urandom(32))
    made = new_database()
    migrate.migrate(made, master_key_file=str(key))
    return made


@pytest.fixture
def two(location: str, opened: Callable[..., Any]) -> list[Any]:
    stores = [opened(location, worker=f"host:{n}:1") for n in (1, 2)]
    for store in stores:
        dispatch.attach(store)
    return stores


def jobs(store: Any) -> list[Any]:
    text = "SELECT queue_name, queueing_lock, status::text, lock FROM procrastinate.procrastinate_jobs ORDER BY id"
    return [tuple(row) for row in store.read(lambda c: c.execute(sa.text(text)).all())]


def open_some(store: Any, *names: str, cause: str = "source") -> None:
    for name in names:
        journals.SqlJournal(store).open_release(making.request(AppKey("shop", name), cause=cause))


class Served:
    def __init__(
        self, store: Any, *, tick_s: float = 30.0, concurrency: int = 4, gate: Any = None, broken: str = ""
    ) -> None:
        self.store, self.gate, self.broken = store, gate, broken
        self.how = dispatch_local.Options(KINDS, concurrency=concurrency, tick_s=tick_s)
        self.journal = journals.SqlJournal(store)
        self.calls: list[str] = []
        self.running: list[str] = []
        self.stop = asyncio.Event()
        self.called = asyncio.Condition()

    async def __aenter__(self) -> Served:
        self.task = asyncio.ensure_future(dispatch.serve(self.store, self.handle, self.how, stop=self.stop))
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stop.set()
        if self.gate is not None:
            self.gate.set()
        await asyncio.wait_for(self.task, 20)

    async def handle(self, key: WorkKey) -> None:
        lease = await asyncio.to_thread(self.journal.claim, key, self.store.worker, 30)
        if lease is None:
            return
        assert key.id not in self.running
        self.running.append(key.id)
        async with self.called:
            self.calls.append(key.id)
            self.called.notify_all()
        try:
            if self.gate is not None:
                await self.gate.wait()
            if key.id == self.broken:
                raise errors.Bug("a step came apart")
        finally:
            self.running.remove(key.id)
            await asyncio.to_thread(self.journal.release, lease)

    async def until(self, count: int) -> list[str]:
        async with self.called:
            await asyncio.wait_for(self.called.wait_for(lambda: len(self.calls) >= count), 20)
        return self.calls


def test_the_queue_is_made_by_the_migration_and_again_changes_nothing(location: str, opened: Callable[..., Any]) -> None:
    before = migrate.migrate(location)
    assert before[0] == before[1]
    assert jobs(opened(location)) == []


def test_a_migration_that_is_missing_is_applied(location: str, opened: Callable[..., Any]) -> None:
    store = opened(location)
    function = "procrastinate.procrastinate_retry_job_v2"
    last = "03.04.00_50_post_add_retry_failed_job_procedure.sql"
    store.write(lambda c: c.exec_driver_sql(f"DELETE FROM {dispatch.APPLIED} WHERE name = '{last}'"))
    from appdelivery.delivery import ports

    journals.SqlJournal(store).heartbeat(ports.Worker("old:1:1", ("engine",), "0", datetime.now(UTC)))
    migrate.migrate(location)
    asked = f"SELECT count(*) FROM {dispatch.APPLIED} WHERE name = '{last}'"
    assert store.read(lambda c: c.exec_driver_sql(asked).scalar()) == 0  # a living worker may still need what it removes
    store.write(lambda c: c.exec_driver_sql("DELETE FROM worker"))
    migrate.migrate(location)
    assert store.read(lambda c: c.exec_driver_sql(asked).scalar()) == 1
    assert store.read(lambda c: c.exec_driver_sql(f"SELECT to_regproc('{function}') IS NOT NULL").scalar())


def test_a_wake_is_a_job_without_a_lock_and_twice_is_one(two: list[Any]) -> None:
    open_some(two[0], "a", cause="user")
    given = Signal("s1", "resume", making.ANA, datetime.now(UTC))
    journals.SqlJournal(two[0]).signal(AppKey("shop", "a"), given)
    assert jobs(two[0]) == [("appctl_0", "app shop/a", "todo", None)]
    assert len(leases.due(two[0], None, KINDS, 10)) == 1


def test_a_wake_that_is_rolled_back_is_no_job(two: list[Any]) -> None:
    def work(connection: Any) -> None:
        leases.wake(connection, two[0], [WorkKey("app", "shop/a")], now=two[0].now(connection))
        raise errors.Conflict("not now")

    with pytest.raises(errors.Conflict):
        two[0].write(work)
    assert jobs(two[0]) == []


def test_a_file_has_no_such_queue(store: Any) -> None:
    with pytest.raises(errors.UsageError, match="the store is a file"):
        dispatch.attach(store)


async def test_a_wake_of_another_process_is_handled_without_waiting_for_the_tick(two: list[Any]) -> None:
    async with Served(two[0]) as server:
        await asyncio.to_thread(open_some, two[1], "a")
        assert await server.until(1) == ["shop/a"]
    assert jobs(two[0]) == []


async def test_what_is_due_and_not_queued_is_found_by_the_tick(two: list[Any]) -> None:
    open_some(two[0], "a", "b")
    two[0].write(lambda c: c.exec_driver_sql("TRUNCATE procrastinate.procrastinate_jobs CASCADE"))
    async with Served(two[0], tick_s=0.2) as server:
        assert sorted(await server.until(2)) == ["shop/a", "shop/b"]


async def test_a_job_of_a_killed_worker_does_not_wedge_its_key(two: list[Any]) -> None:
    open_some(two[0], "a")
    dead = (
        "WITH dead AS (INSERT INTO procrastinate.procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 min') "
        "RETURNING id) UPDATE procrastinate.procrastinate_jobs SET status = 'doing', worker_id = dead.id FROM dead"
    )

    def kill(connection: Any) -> None:
        connection.exec_driver_sql("SET LOCAL search_path = procrastinate")
        connection.exec_driver_sql(dead)

    two[0].write(kill)
    assert [job[2] for job in jobs(two[0])] == ["doing"]
    async with Served(two[0], tick_s=0.2) as server:
        assert await server.until(1) == ["shop/a"]
    assert jobs(two[0]) == []


async def test_a_wake_during_a_pass_leads_to_another(two: list[Any]) -> None:
    gate = asyncio.Event()
    async with Served(two[0], gate=gate) as server:
        await asyncio.to_thread(open_some, two[0], "a")
        await server.until(1)
        given = Signal("s1", "resume", making.ANA, datetime.now(UTC))
        await asyncio.to_thread(journals.SqlJournal(two[1]).signal, AppKey("shop", "a"), given)
        gate.set()
        await server.until(2)
    assert set(server.calls) == {"shop/a"}
    assert leases.due(two[0], None, KINDS, 10) == []


async def test_a_place_is_kept_for_the_urgent(two: list[Any]) -> None:
    gate = asyncio.Event()
    open_some(two[0], *"abcd")
    async with Served(two[0], concurrency=3, gate=gate) as server:
        await server.until(2)
        await asyncio.to_thread(open_some, two[1], "urgent", cause="user")
        assert (await server.until(3))[2] == "shop/urgent"
        gate.set()
        assert set(await server.until(5)) == {"shop/a", "shop/b", "shop/c", "shop/d", "shop/urgent"}


async def test_a_pass_that_raises_ends_nothing(two: list[Any], caplog: Any) -> None:
    async with Served(two[0], broken="shop/a") as server:
        await asyncio.to_thread(open_some, two[0], "a")
        await server.until(1)
        await asyncio.to_thread(open_some, two[0], "b")
        assert await server.until(2) == ["shop/a", "shop/b"]
    assert "work on app shop/a failed" in caplog.text
