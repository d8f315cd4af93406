"""Over a long way handshakes are made while something else is done, and no request ever notices more than that."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from stub_server import answer, transport_to

from appdelivery import errors
from appdelivery.clusters import credentials, transport

if TYPE_CHECKING:
    from aiohttp import web


class Counting:
    """Answers when as many requests are there as were announced, and knows the connections they came on."""

    def __init__(self, together: int = 1) -> None:
        self.connections: set[Any] = set()
        self._barrier = asyncio.Barrier(together)

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        self.connections.add(request.transport)
        await self._barrier.wait()
        return answer({})


def opened(one: transport.Transport) -> int:
    connector = one._pool(watch=False).connector
    return sum(len(kept) for kept in connector._conns.values())


async def settled(one: transport.Transport) -> None:
    await asyncio.gather(*one._ahead)


async def gets(one: transport.Transport, count: int) -> None:
    await asyncio.gather(*[one.request("GET", "/version", doing="ask") for _ in range(count)])


async def test_where_the_way_is_long_every_request_finds_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "FAR_S", 0.0)
    handler = Counting(together=5)
    async with transport_to(handler) as (one, _):
        one.expect(5)
        await settled(one)
        assert opened(one) == 5
        one.expect(5)  # they are there already
        await settled(one)
        await gets(one, 5)
        assert (opened(one), len(handler.connections)) == (5, 5)


async def test_where_the_way_is_short_none_is_opened_in_advance_of_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "FAR_S", 5.0)
    async with transport_to(Counting()) as (one, _):
        one.expect(30)
        await settled(one)
        assert opened(one) == 1  # which told how short it is


async def test_a_request_waits_for_a_handshake_under_way_instead_of_making_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "FAR_S", 0.0)
    handler = Counting(together=4)
    async with transport_to(handler) as (one, _):
        one.expect(4)
        await asyncio.sleep(0)
        await gets(one, 4)
        await settled(one)
        assert (opened(one), len(handler.connections)) == (4, 4)


async def test_a_request_that_gave_up_waiting_leaves_the_others_their_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "FAR_S", 0.0)
    async with transport_to(Counting()) as (one, _):
        one.expect(3)
        await asyncio.sleep(0)
        given_up = asyncio.create_task(gets(one, 1))
        await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.gather(given_up, return_exceptions=True)
        async with asyncio.timeout(5):
            await gets(one, 3)


async def test_a_server_that_is_not_there_is_the_requests_to_tell() -> None:
    one = transport.Transport("gone", credentials.Credentials("http://127.0.0.1:1"))
    try:
        one.expect(5)
        with pytest.raises(errors.Unreachable, match="ask: cannot reach"):
            await one.request("GET", "/version", doing="ask")
    finally:
        await one.close()


async def test_closing_ends_handshakes_under_way() -> None:
    async with transport_to(Counting()) as (one, _):
        one.expect(5)
        await asyncio.sleep(0)
        await one.close()
        assert not one._ahead
