"""An HTTP proxy in front of an API server that notes every request, so that helm's are counted as ours are.

It speaks plain HTTP on loopback and adds the administrator's certificate on the way on, so a kubeconfig with nothing but
its address is enough.  Only for counting: it is far too slow for times.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING

import raw_client
from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Iterator

HOP_BY_HOP = {"host", "connection", "transfer-encoding", "content-length", "content-encoding", "accept-encoding"}


class Counter:
    """The requests since the last look, as (verb, path)."""

    def __init__(self) -> None:
        self.port = 0
        self._seen: list[tuple[str, str]] = []

    def note(self, verb: str, path: str) -> None:
        self._seen.append((verb, path))

    def taken(self) -> list[tuple[str, str]]:
        seen, self._seen = self._seen, []
        return seen


@contextlib.contextmanager
def running(server: str, ca: str, certificate: str, key: str) -> Iterator[Counter]:
    """A counter whose `port` takes requests as long as the block lives."""
    counter, loop = Counter(), asyncio.new_event_loop()
    ready, stop = threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with raw_client.session(server, ca, certificate, key) as client:
            app = web.Application(client_max_size=64 << 20)
            app.router.add_route("*", "/{rest:.*}", lambda request: _forwarded(request, client, counter))
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            counter.port = runner.addresses[0][1]
            ready.set()
            await stop.wait()
            await runner.cleanup()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    try:
        ready.wait(30)
        yield counter
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


async def _forwarded(request: web.Request, client: raw_client.aiohttp.ClientSession, counter: Counter) -> web.StreamResponse:
    counter.note(request.method, request.path_qs)
    headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
    body = await request.read()
    async with client.request(request.method, request.raw_path, data=body or None, headers=headers) as answer:
        kept = {name: value for name, value in answer.headers.items() if name.lower() not in HOP_BY_HOP}
        out = web.StreamResponse(status=answer.status, headers=kept)
        await out.prepare(request)
        with contextlib.suppress(ConnectionResetError):  # a watch goes on until its client has seen enough
            async for part in answer.content.iter_any():
                await out.write(part)
            await out.write_eof()
        return out
