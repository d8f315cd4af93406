"""The transport against a server that misbehaves: resets, time-outs, throttling, cut and endless answers (P29)."""

from __future__ import annotations

import asyncio
import gzip
from typing import TYPE_CHECKING

import pytest
from stub_server import answer, reset, serving, status, stream, transport_to

from appdelivery import errors
from appdelivery.clusters import transport
from appdelivery.clusters.credentials import Credentials
from appdelivery.clusters.transport import Limits

if TYPE_CHECKING:
    from aiohttp import web

DOING = "apply ConfigMap shop/web on cluster stub"
QUICK = Limits(connect_s=0.5, read_s=0.2, total_s=0.6, idle_s=0.2)


async def get(made: transport.Transport, path: str = "/x", verb: str = "GET") -> transport.Answer:
    return await made.request(verb, path, b"{}" if verb != "GET" else None, doing=DOING)


async def test_a_connection_cut_before_the_answer_is_tried_once_more() -> None:
    calls = []

    async def handler(request: web.Request) -> web.Response:
        calls.append(request.method)
        return reset(request) if len(calls) == 1 else answer({"ok": True})

    async with transport_to(handler) as (made, sent):
        assert (await get(made, verb="PATCH")).body == {"ok": True}
    assert calls == ["PATCH", "PATCH"]
    assert [one.status for one in sent] == [0, 200]


async def test_a_write_that_took_effect_before_the_cut_counts_as_done() -> None:
    written = []

    async def handler(request: web.Request) -> web.Response:
        written.append(await request.read())
        return reset(request) if len(written) == 1 else answer({"metadata": {"resourceVersion": "7"}})

    async with transport_to(handler) as (made, _):
        assert (await get(made, verb="PATCH")).body["metadata"]["resourceVersion"] == "7"
    assert written == [b"{}", b"{}"]


async def test_a_connection_that_is_always_cut_is_unreachable() -> None:
    async with transport_to(_always_reset) as (made, sent):
        with pytest.raises(errors.Unreachable, match=f"{DOING}: cannot reach http://127") as caught:
            await get(made)
    assert caught.value.retryable
    assert len(sent) == 2


async def _always_reset(request: web.Request) -> web.Response:
    return reset(request)


async def test_an_address_where_nobody_listens_is_unreachable() -> None:
    async with serving(_always_reset) as url:
        pass
    made = transport.Transport("stub", Credentials(url))
    with pytest.raises(errors.Unreachable) as caught:
        await get(made)
    assert "refused" in caught.value.message.lower()
    await made.close()


async def test_a_server_that_says_nothing_is_timed_out() -> None:
    async def handler(request: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return answer({})

    async with transport_to(handler, limits=QUICK) as (made, _):
        with pytest.raises(errors.TimedOut) as caught:
            await get(made)
    assert caught.value.retryable


async def test_a_server_that_drips_is_timed_out_in_total() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = await stream(request)
        for _ in range(100):
            await response.write(b" ")
            await asyncio.sleep(0.05)
        return response

    async with transport_to(handler, limits=QUICK) as (made, _):
        with pytest.raises(errors.TimedOut):
            await get(made)


async def test_a_cut_body_is_unreachable_and_not_half_an_answer() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = await stream(request, b'{"items": [', **{"Content-Length": "1000"})
        assert request.transport is not None
        request.transport.abort()
        return response

    async with transport_to(handler) as (made, _):
        with pytest.raises(errors.Unreachable):
            await get(made)


async def test_an_answer_over_its_limit_is_dropped_whatever_its_packing() -> None:
    async def handler(request: web.Request) -> web.Response:
        response = answer("")
        response.body = gzip.compress(b"[" + b" " * 10_000_000 + b"]") if request.path == "/packed" else b" " * 3_000
        if request.path == "/packed":
            response.headers["Content-Encoding"] = "gzip"
        return response

    async with transport_to(handler, limits=Limits(object_bytes=2_000)) as (made, _):
        for path in ("/plain", "/packed"):
            with pytest.raises(transport.TooLarge, match="larger than 2000 bytes"):
                await get(made, path)


async def test_throttling_is_obeyed_and_tried_again() -> None:
    times = []

    async def handler(request: web.Request) -> web.Response:
        times.append(asyncio.get_running_loop().time())
        return status(429, "slow down", Retry_After="1") if len(times) == 1 else answer({"ok": True})

    async with transport_to(handler) as (made, _):
        before = made.limiter.limit
        assert (await get(made)).body == {"ok": True}
        assert made.limiter.limit < before
    assert times[1] - times[0] >= 0.95


async def test_throttling_without_end_is_an_error_that_says_so() -> None:
    async def handler(request: web.Request) -> web.Response:
        return status(429, "slow down", Retry_After="0")

    async with transport_to(handler, limits=Limits(throttled=3)) as (made, sent):
        with pytest.raises(errors.Throttled, match="slow down") as caught:
            await get(made)
    assert len(sent) == 3
    assert caught.value.retryable


@pytest.mark.parametrize(
    ("code", "family", "retryable"),
    [
        (500, errors.ClusterError, True),
        (502, errors.Unreachable, True),
        (503, errors.Unreachable, True),
        (504, errors.TimedOut, True),
        (400, errors.Rejected, False),
        (401, errors.Unauthorized, False),
        (403, errors.Forbidden, False),
        (410, errors.Stale, False),
        (413, errors.Rejected, False),
    ],
)
async def test_every_status_keeps_the_servers_words(code: int, family: type, *, retryable: bool) -> None:
    async def handler(request: web.Request) -> web.Response:
        return status(code, "the server's words")

    async with transport_to(handler) as (made, sent):
        with pytest.raises(family, match=f"{DOING}: the server's words") as caught:
            await get(made)
    assert caught.value.retryable is retryable
    assert len(sent) == 1


async def test_a_proxys_page_is_cut_to_a_line() -> None:
    async def handler(request: web.Request) -> web.Response:
        response = answer("", 502)
        response.body = b"<html>\n" + b"bad gateway " * 10_000
        return response

    async with transport_to(handler) as (made, _):
        with pytest.raises(errors.Unreachable) as caught:
            await get(made)
    assert "\n" not in caught.value.message
    assert len(caught.value.message) < 2_200


async def test_redirects_are_not_followed() -> None:
    """Credentials are bound to the address they were given for."""
    seen = []

    async def elsewhere(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization"))
        return answer({})

    async with serving(elsewhere) as other:

        async def handler(request: web.Request) -> web.Response:
            return answer({}, 302, Location=f"{other}/stolen")

        async with transport_to(handler, token="t0ken") as (made, _):
            with pytest.raises(errors.ClusterError):
                await get(made)
    assert seen == []


async def test_a_watch_that_falls_silent_ends() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = await stream(request, {"n": 1})
        await asyncio.sleep(30)
        return response

    seen = []
    async with transport_to(handler, limits=QUICK) as (made, _):
        with pytest.raises(errors.TimedOut):
            async for line in made.lines("/w", {}, doing="watch"):
                seen.append(line)
    assert seen == [b'{"n":1}']


async def test_a_line_without_end_is_cut_off() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = await stream(request)
        for _ in range(50):
            await response.write(b"x" * 1000)
        return response

    async with transport_to(handler, limits=Limits(line_bytes=10_000)) as (made, _):
        with pytest.raises(errors.ClusterError, match="longer than 10000 bytes"):
            async for _ in made.lines("/w", {}, doing="watch"):
                pass


async def test_watches_do_not_hold_up_requests() -> None:
    """With kr8s 0.20, a hundred watches on one client blocked every other call for ever."""
    started, over = asyncio.Semaphore(0), asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        if request.path == "/x":
            return answer({"ok": True})
        response = await stream(request, {"n": 1})
        started.release()
        await over.wait()
        return response

    async with transport_to(handler) as (made, _):

        async def watch() -> None:
            async for _ in made.lines("/w", {}, doing="watch"):
                pass

        tasks = [asyncio.create_task(watch()) for _ in range(100)]
        for _ in tasks:
            await started.acquire()
        async with asyncio.timeout(5):
            assert (await get(made)).body == {"ok": True}
        over.set()
        await asyncio.gather(*tasks)
