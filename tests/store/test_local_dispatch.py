"""The local dispatcher calls a handler for everything that is due, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from store import making

from appdelivery import errors
from appdelivery.model.refs import AppKey
from appdelivery.model.run import Signal, WorkKey
from appdelivery.store import dispatch_local, leases, migrate
from appdelivery.store import journal as journals

if TYPE_CHECKING:
    from collections.abc import Callable

KINDS = frozenset({"app", "run", "schedule"})
LONG = 30.0  # s: a test that waits for it has failed


def options(**more: Any) -> dispatch_local.Options:
    return dispatch_local.Options(**{"kinds": KINDS, "tick_s": LONG, "concurrency": 8} | more)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def place(request: pytest.FixtureRequest, tmp_path: Any) -> str:
    if request.param == "sqlite":
        return str(tmp_path / "data" / "store.db")
    key = tmp_path / "master"
    key.touch(mode=0o600)
    key.write_bytes(os.urandom(32))
    location = request.getfixturevalue("new_database")()
    migrate.migrate(location, master_key_file=str(key))
    return location


@pytest.fixture
def two(place: str, opened: Callable[..., Any]) -> list[Any]:
    """Two processes on one store."""
    return [opened(place, worker=f"host:{n}:1", clock=lambda: datetime.now(UTC)) for n in (1, 2)]


class Served:
    """A server in this loop: what it was called for, and how many calls ran at once."""

    def __init__(self, store: Any, how: dispatch_local.Options, **behaviour: Any) -> None:
        self.store, self.how = store, how
        self.journal = journals.SqlJournal(store)
        self.calls: list[str] = []
        self.running: list[str] = []
        self.most = 0
        self.doubled = False
        self.gate = behaviour.get("gate")
        self.during = behaviour.get("during")
        self.called = asyncio.Condition()
        self.stop = asyncio.Event()
        self.after = behaviour.get("after", lambda _: None)

    async def __aenter__(self) -> Served:
        self.task = asyncio.ensure_future(dispatch_local.serve(self.store, self.handle, self.how, stop=self.stop))
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stop.set()
        if self.gate is not None:
            self.gate.set()
        await asyncio.wait_for(self.task, LONG)

    async def handle(self, key: WorkKey) -> None:
        lease = await asyncio.to_thread(self.journal.claim, key, self.store.worker, 30)
        if lease is None:
            return
        self.doubled |= key.id in self.running
        self.running.append(key.id)
        self.most = max(self.most, len(self.running))
        async with self.called:
            self.calls.append(key.id)
            self.called.notify_all()
        try:
            if self.during is not None:
                await self.during(key)
            if self.gate is not None:
                await self.gate.wait()
        finally:
            self.running.remove(key.id)
        await asyncio.to_thread(self.journal.release, lease, self.after(key))

    async def until(self, count: int) -> list[str]:
        async with self.called:
            await asyncio.wait_for(self.called.wait_for(lambda: len(self.calls) >= count), 20)
        return self.calls


def open_some(store: Any, *names: str, cause: str = "source") -> None:
    for name in names:
        journals.SqlJournal(store).open_release(making.request(AppKey("shop", name), cause=cause))


async def test_what_is_due_when_it_starts_is_handled(two: list[Any]) -> None:
    open_some(two[1], "a", "b")
    async with Served(two[0], options()) as server:
        assert sorted(await server.until(2)) == ["shop/a", "shop/b"]
    assert leases.due(two[0], None, KINDS, 10) == []


async def test_a_wake_of_this_process_is_handled_without_waiting_for_the_tick(two: list[Any]) -> None:
    async with Served(two[0], options()) as server:
        await asyncio.to_thread(open_some, two[0], "a")
        assert await server.until(1) == ["shop/a"]


@pytest.mark.postgres
async def test_a_wake_of_another_process_is_heard_without_waiting_for_the_tick(
    new_database: Callable[[], str], opened: Callable[..., Any]
) -> None:
    location = new_database()
    migrate.migrate(location)
    here, there = opened(location, worker="host:1:1"), opened(location, worker="host:2:1")
    async with Served(here, options()) as server:
        await asyncio.to_thread(open_some, there, "a")
        assert await server.until(1) == ["shop/a"]
        await asyncio.to_thread(open_some, there, "b")
        assert await server.until(2) == ["shop/a", "shop/b"]


async def test_what_nobody_told_of_is_found_by_the_tick(two: list[Any]) -> None:
    async with Served(two[0], options(tick_s=0.05)) as server:
        await asyncio.to_thread(open_some, two[1], "a")
        assert await server.until(1) == ["shop/a"]


async def test_a_time_that_comes_is_found_by_the_tick(two: list[Any]) -> None:
    later = {"shop/a": 1}

    def again(key: WorkKey) -> datetime | None:
        return datetime.now(UTC) + timedelta(seconds=0.1) if later.pop(key.id, 0) else None

    async with Served(two[0], options(tick_s=0.05), after=again) as server:
        await asyncio.to_thread(open_some, two[0], "a")
        assert await server.until(2) == ["shop/a", "shop/a"]


async def test_a_wake_during_a_pass_leads_to_another_at_once(two: list[Any]) -> None:
    told = []

    async def signal(key: WorkKey) -> None:
        if not told:
            told.append(key)
            given = Signal("s1", "resume", making.ANA, datetime.now(UTC))
            await asyncio.to_thread(journals.SqlJournal(two[0]).signal, AppKey("shop", "a"), given)

    async with Served(two[0], options(), during=signal) as server:
        await asyncio.to_thread(open_some, two[0], "a")
        assert await server.until(2) == ["shop/a", "shop/a"]
        assert not server.doubled


async def test_no_more_run_at_once_than_there_are_places_and_one_is_kept_for_the_urgent(two: list[Any]) -> None:
    open_some(two[0], *"abcdef")
    gate = asyncio.Event()
    async with Served(two[0], options(concurrency=3), gate=gate) as server:
        await server.until(2)
        await asyncio.to_thread(open_some, two[0], "urgent", cause="user")
        assert (await server.until(3))[2] == "shop/urgent"
        assert len(server.running) == 3
        gate.set()
        assert len(await server.until(7)) == 7
        assert server.most == 3


async def test_two_processes_share_the_work_and_never_meet_on_one_key(two: list[Any]) -> None:
    open_some(two[0], *[f"a{n}" for n in range(20)])
    async with Served(two[0], options(tick_s=0.05)) as one, Served(two[1], options(tick_s=0.05)) as other:
        while len({*one.calls, *other.calls}) < 20:
            await asyncio.sleep(0.01)
            assert not set(one.running) & set(other.running)
    # One of them may find a key done that it had seen as due: that pass has nothing to do.
    assert {*one.calls, *other.calls} == {f"shop/a{n}" for n in range(20)}
    assert not one.doubled
    assert not other.doubled


async def test_a_handler_that_raises_ends_neither_the_loop_nor_the_others(two: list[Any], caplog: Any) -> None:
    async def broken(key: WorkKey) -> None:
        if key.id == "shop/a":
            raise errors.Bug("a step came apart")

    open_some(two[0], "a")
    async with Served(two[0], options(), during=broken) as server:
        await server.until(1)
        await asyncio.to_thread(open_some, two[0], "b")
        await server.until(2)
        assert server.calls == ["shop/a", "shop/b"]
    assert "work on app shop/a failed" in caplog.text
    assert "a step came apart" in caplog.text


async def test_kinds_of_other_roles_are_left_alone(two: list[Any]) -> None:
    two[0].write(lambda c: leases.wake(c, two[0], [WorkKey("cluster", "east")], now=two[0].now(c)))
    async with Served(two[0], options(tick_s=0.02)) as server:
        await asyncio.to_thread(open_some, two[0], "a")
        assert await server.until(1) == ["shop/a"]
    assert [key.kind for key in leases.due(two[0], None, {"cluster"}, 10)] == ["cluster"]


async def test_stopping_waits_for_what_runs(two: list[Any]) -> None:
    gate = asyncio.Event()
    open_some(two[0], "a")
    async with Served(two[0], options(), gate=gate) as server:
        await server.until(1)
        server.stop.set()
        await asyncio.sleep(0)
        assert not server.task.done()
    assert server.running == []
    assert leases.due(two[0], None, KINDS, 10) == []


def test_a_wake_that_is_rolled_back_was_never_there(two: list[Any]) -> None:
    heard: list[Any] = []
    two[0].listeners.append(heard.append)

    def work(connection: Any) -> None:
        leases.wake(connection, two[0], [WorkKey("schedule", "nightly")], now=two[0].now(connection))
        raise errors.Conflict("not now")

    with pytest.raises(errors.Conflict):
        two[0].write(work)
    assert heard == []
    assert leases.due(two[0], None, KINDS, 10) == []
