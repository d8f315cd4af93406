"""The adaptive limiter: growth by latency, shrinking under trouble, shares of writes and deletes, order of waiters."""

from __future__ import annotations

import asyncio
import heapq
from typing import TYPE_CHECKING

import pytest

from appdelivery.clusters import limiter
from appdelivery.clusters.limiter import DELETE, HIGHEST, LOWEST, READ, START, WRITE, Limiter

if TYPE_CHECKING:
    from collections.abc import Callable


class Server:
    """A clock, and a server that answers after `latency(in flight)` seconds of it; requests never really wait."""

    def __init__(self, latency: Callable[[int], float]) -> None:
        self.now, self.in_flight, self.most = 0.0, 0, 0
        self.latency = latency
        self._due: list[tuple[float, int, asyncio.Future[None]]] = []
        self.limiter = Limiter(clock=lambda: self.now)

    async def request(self, verbs: str, *, crowded: bool = False) -> None:
        async with self.limiter.slot(verbs) as slot:
            slot.crowded = crowded
            self.in_flight += 1
            self.most = max(self.most, self.in_flight)
            future = asyncio.get_running_loop().create_future()
            heapq.heappush(self._due, (self.now + self.latency(self.in_flight), id(future), future))
            await future
            self.in_flight -= 1

    async def run(self, count: int, verbs: str = READ) -> None:
        tasks = [asyncio.create_task(self.request(verbs)) for _ in range(count)]
        while not all(task.done() for task in tasks):
            for _ in range(3):  # lets everybody who may start do so
                await asyncio.sleep(0)
            if self._due:
                self.now, _, future = heapq.heappop(self._due)
                future.set_result(None)
        await asyncio.gather(*tasks)


async def test_over_a_long_line_forty_are_in_flight_after_a_hundred_answers() -> None:
    """There the distance is the limit, not the server."""
    server = Server(lambda _: 0.044)
    await server.run(100)
    assert server.limiter.limit >= 40
    await server.run(300)
    assert server.limiter.limit == HIGHEST


async def test_near_a_small_server_it_stays_small() -> None:
    """Two cores: latency grows with the queue from about ten requests on."""
    server = Server(lambda n: 0.01 * max(1.0, n / 8))
    await server.run(2_000)
    assert 8 <= server.limiter.limit <= 24


async def test_nothing_grows_while_nobody_waits() -> None:
    server = Server(lambda _: 0.01)
    for _ in range(200):
        await server.run(1)
    assert server.limiter.limit == START


async def test_a_server_that_becomes_slow_gets_less() -> None:
    slow = [1.0]
    server = Server(lambda _: 0.01 * slow[0])
    await server.run(200)
    before = server.limiter.limit
    slow[0] = 4.0
    await server.run(200)
    assert server.limiter.limit < before * 0.8
    await server.run(2_000)
    assert server.limiter.limit >= START  # latency alone never takes more


async def test_one_burst_of_refusals_halves_once() -> None:
    server = Server(lambda _: 0.01)
    tasks = [asyncio.create_task(server.request(READ, crowded=True)) for _ in range(START)]
    await asyncio.sleep(0)
    await server.run(0)
    while server._due:
        server.now, _, future = heapq.heappop(server._due)
        future.set_result(None)
    await asyncio.gather(*tasks)
    assert server.limiter.limit == START // 2


async def test_it_never_goes_below_two() -> None:
    server = Server(lambda _: 0.01)
    for _ in range(20):
        task = asyncio.create_task(server.request(READ, crowded=True))
        await asyncio.sleep(0)
        await server.run(0)
        server.now, _, future = heapq.heappop(server._due)
        future.set_result(None)
        await task
        server.now += 1
    assert server.limiter.limit == LOWEST


@pytest.mark.parametrize(("verbs", "most"), [(READ, 10), (WRITE, 8), (DELETE, 5)])
async def test_writes_and_deletes_leave_room_for_others(verbs: str, most: int) -> None:
    server = Server(lambda _: 0.01)
    await server.run(START, verbs)
    assert server.most == most


async def test_a_read_passes_waiting_deletes() -> None:
    server = Server(lambda _: 0.01)
    deletes = [asyncio.create_task(server.request(DELETE)) for _ in range(20)]
    await asyncio.sleep(0)
    read = asyncio.create_task(server.request(READ))
    for _ in range(3):
        await asyncio.sleep(0)
    assert server.in_flight == 6
    for task in [*deletes, read]:
        task.cancel()
    await asyncio.gather(*deletes, read, return_exceptions=True)


async def test_cancelled_waiters_give_their_place_back() -> None:
    made = Limiter()

    async def hold(event: asyncio.Event) -> None:
        async with made.slot(READ):
            await event.wait()

    event = asyncio.Event()
    tasks = [asyncio.create_task(hold(event)) for _ in range(30)]
    await asyncio.sleep(0)
    for task in tasks[5:25]:
        task.cancel()
    await asyncio.gather(*tasks[5:25], return_exceptions=True)
    event.set()
    async with asyncio.timeout(5):
        await asyncio.gather(*tasks[:5], *tasks[25:])
    assert sum(made._in_flight.values()) == 0
    assert not any(made._queues.values())


async def test_a_waiter_cancelled_while_others_are_let_in_harms_nobody() -> None:
    made, inside = Limiter(), asyncio.Event()

    async def hold() -> None:
        async with made.slot(READ):
            await inside.wait()

    tasks = [asyncio.create_task(hold()) for _ in range(START + 5)]
    await asyncio.sleep(0)
    inside.set()
    for task in tasks[START:]:
        task.cancel()  # in the same turn of the loop in which the first ones leave
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(one) for one in done[START:]] == [asyncio.CancelledError] * 5
    assert (sum(made._in_flight.values()), any(made._queues.values())) == (0, False)


async def test_a_retry_after_holds_everybody() -> None:
    made = Limiter()
    made.pause(0.2)
    begun = asyncio.get_running_loop().time()
    async with made.slot(READ), made.slot(WRITE):
        assert asyncio.get_running_loop().time() - begun >= 0.19


async def test_a_best_latency_is_forgotten_after_ten_minutes() -> None:
    """The network became slower for good: the limit must be able to grow again."""
    slow = [1.0]
    server = Server(lambda _: 0.01 * slow[0])
    await server.run(100)
    slow[0] = 4.0
    await server.run(300)
    low = server.limiter.limit
    server.now += limiter.MEMORY + 1
    await server.run(600)
    assert server.limiter.limit > low
