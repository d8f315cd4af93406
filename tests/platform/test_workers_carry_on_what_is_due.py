"""A worker claims what is due, makes one pass, and gives it back; with actions that do nothing, over a file."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from chaos import worker_lab as lab

from appdelivery import errors
from appdelivery.delivery.ports import Worker
from appdelivery.model.refs import AppKey
from appdelivery.model.run import WorkKey
from appdelivery.platform import working
from appdelivery.store.tables.work import work_item
from appdelivery.workflow import reconcile

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from appdelivery.platform.local import Platform

LIMIT = 20.0  # s
APP = AppKey("shop", "web")
KEY = WorkKey("app", "shop/web")


@pytest.fixture
def p(tmp_path: Any) -> Iterator[Platform]:
    made = lab.opened(str(tmp_path / "data" / "store.db"))
    yield made
    made.store.close()


def opened(p: Platform, *uses: str, app: AppKey = APP) -> None:
    p.journal.open_release(lab.request(app, 0), lab.run_of(app, lab.spec(*uses, seconds=3600)))


def item(p: Platform, key: WorkKey = KEY) -> Any:
    asked = sa.select(work_item).where(work_item.c.kind == key.kind, work_item.c.id == key.id)
    return p.store.read(lambda c: c.execute(asked).one())


def _running(p: Platform) -> list[str]:
    return [row.name for row in p.journal.work(KEY).steps if row.state == "running"]


def served(p: Platform, carry: Callable[..., Awaitable[Any]], *, passes: int = 1, **options: Any) -> None:
    """Until that many passes have ended."""

    async def work() -> None:
        stop, left = asyncio.Event(), [passes]

        async def once(lease: Any) -> Any:
            try:
                return await carry(lease)
            finally:
                left[0] -= 1
                if left[0] == 0:
                    asyncio.get_running_loop().call_later(0.05, stop.set)

        await asyncio.wait_for(working.serve(p, working.Options(**options), stop=stop, carry=once), LIMIT)

    asyncio.run(work())


def test_a_run_is_carried_to_its_end_and_given_back(p: Platform) -> None:
    opened(p, "noop", "noop")
    served(p, partial(lab.carry, p, ""))
    assert p.journal.work(KEY).run.state == "succeeded"  # type: ignore[union-attr]
    assert p.journal.newest(APP).outcome == "succeeded"  # type: ignore[union-attr]
    row = item(p)
    assert (row.lease_owner, row.due_at, row.failures) == (None, None, 0)


def test_a_sleeping_run_is_a_row_with_a_due_time(p: Platform) -> None:
    opened(p, "sleep")
    served(p, partial(lab.carry, p, ""))
    row, step = item(p), p.journal.work(KEY).steps[0]
    assert row.lease_owner is None
    assert row.due_at == step.wake_at


def test_the_error_of_a_pass_is_kept_and_tried_again_later(p: Platform) -> None:
    opened(p, "noop")

    async def broken(_: Any) -> Any:
        raise errors.WorldError("look at the cluster east: no route")

    served(p, broken)
    row = item(p)
    assert (row.lease_owner, row.failures) == (None, 1)
    assert "no route" in row.error
    assert row.due_at is not None


def test_what_another_process_holds_is_left_alone(p: Platform) -> None:
    opened(p, "noop")
    opened(p, "noop", app=AppKey("shop", "other"))
    held = p.journal.claim(KEY, "elsewhere:1:1", 30)
    seen: list[str] = []

    async def noted(lease: Any) -> Any:
        seen.append(lease.key.id)
        return await lab.carry(p, "", lease)

    served(p, noted)
    assert seen == ["shop/other"]
    assert item(p).fence == held.fence  # type: ignore[union-attr]


def test_a_pass_under_way_at_the_stop_is_interrupted_and_due_at_once(p: Platform) -> None:
    opened(p, "noop", "hang")

    async def work() -> None:
        stop = asyncio.Event()
        serving = asyncio.ensure_future(working.serve(p, working.Options(), stop=stop, carry=partial(lab.carry, p, "")))
        while "s1" not in _running(p):  # noqa: ASYNC110 - rows tell nobody
            await asyncio.sleep(0.01)
        stop.set()
        await asyncio.wait_for(serving, LIMIT)

    asyncio.run(work())
    row = item(p)
    assert row.lease_owner is None
    assert row.due_at <= p.store.clock()
    assert KEY in p.journal.due(None, {"app"}, 10)


def test_a_pass_that_lost_its_lease_is_abandoned_without_a_write(p: Platform) -> None:
    opened(p, "noop")
    ended: list[bool] = []

    async def stolen(lease: Any) -> Any:
        lost = sa.update(work_item).values(fence=work_item.c.fence + 1, lease_owner="elsewhere:1:1")
        p.store.write(lambda c: c.execute(lost))
        try:
            await asyncio.sleep(LIMIT)
        except asyncio.CancelledError:
            ended.append(True)
            raise

    served(p, stolen, renew_s=0.05)
    assert ended == [True]
    row = item(p)
    assert (row.lease_owner, row.failures) == ("elsewhere:1:1", 0)


def test_a_pass_is_abandoned_before_its_lease_may_have_run_out(p: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(p, "noop")
    ended: list[bool] = []

    def away(*_: Any) -> Any:
        raise errors.StoreError("the database is away")

    monkeypatch.setattr(p.journal, "renew", away, raising=False)

    async def long(_: Any) -> Any:
        try:
            await asyncio.sleep(LIMIT)
        except asyncio.CancelledError:
            ended.append(True)
            raise

    served(p, long, lease_s=0.6, renew_s=0.1, stop_s=0.2)
    assert ended == [True]
    assert item(p).lease_owner == p.worker  # nothing was written


def test_a_run_of_a_newer_version_is_left_alone(p: Platform) -> None:
    opened(p, "noop")
    p.store.write(lambda c: c.execute(sa.text("UPDATE workflow_run SET format_version = 99")))
    served(p, partial(lab.carry, p, ""))
    row, found = item(p), p.journal.work(KEY)
    assert (row.failures, row.lease_owner) == (0, None)
    assert (row.due_at - p.store.clock()).total_seconds() > working.NEWER_S - LIMIT
    assert found.run.state == "executing"  # type: ignore[union-attr]


def test_a_worker_says_that_it_lives(p: Platform) -> None:
    opened(p, "noop")
    served(p, partial(lab.carry, p, ""))
    me = Worker("elsewhere:2:2", (), "0", p.store.clock())
    assert p.worker in [one.id for one in p.journal.heartbeat(me)]


def test_an_application_with_nothing_to_do_costs_no_cluster(p: Platform) -> None:
    opened(p, "noop")
    served(p, partial(lab.carry, p, ""))
    lease = p.journal.claim(KEY, p.worker, 30)
    assert lease is not None
    passed = asyncio.run(working.carry_on(p, lease))
    assert isinstance(passed, reconcile.Passed)
    assert passed.due_at is None
