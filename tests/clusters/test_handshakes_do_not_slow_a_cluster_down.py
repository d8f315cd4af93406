"""Opening connections takes round trips of its own: the limiter must not take them for a server that has too much to do."""

from __future__ import annotations

import asyncio

from aiohttp import web

from appdelivery.clusters import credentials, limiter, transport


def test_the_time_of_a_handshake_shrinks_nothing() -> None:
    now = [0.0]
    lim = limiter.Limiter(lambda: now[0])

    async def answers(seconds: float, *, fresh: bool) -> None:
        for _ in range(20):
            async with lim.slot(limiter.WRITE) as slot:
                now[0] += seconds
                slot.fresh = fresh

    lim.limit = 40  # latency never shrinks it below where it starts
    asyncio.run(answers(0.05, fresh=False))
    asyncio.run(answers(0.50, fresh=True))
    assert lim.limit == 40
    asyncio.run(answers(0.50, fresh=False))
    assert lim.limit < 40


async def test_a_request_knows_whether_it_opened_its_connection(monkeypatch) -> None:
    told: list[bool] = []
    leave = limiter.Limiter.leave

    def noted(self: limiter.Limiter, verbs: str, begun: float, *, crowded: bool, telling: bool = True) -> None:
        told.append(telling)
        leave(self, verbs, begun, crowded=crowded, telling=telling)

    monkeypatch.setattr(limiter.Limiter, "leave", noted)

    async def version(_: web.Request) -> web.Response:
        return web.json_response({})

    app = web.Application()
    app.router.add_get("/version", version)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    one = transport.Transport("x", credentials.Credentials("http://{}:{}".format(*runner.addresses[0])))
    try:
        for _ in range(3):
            await one.request("GET", "/version", doing="ask")
        assert told == [False, True, True]
        told.clear()
        await asyncio.gather(*[one.request("GET", "/version", doing="ask") for _ in range(4)])
        assert sorted(told) == [False, False, False, True]
    finally:
        await one.close()
        await runner.cleanup()
