"""A server that misbehaves on purpose: HTTP on loopback whose every answer is a function of the test.

For faults that no real API server can be made to show: resets before and after a write, cut bodies, silent watches, 429.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from aiohttp import web

from appdelivery.clusters import transport, wire
from appdelivery.clusters.credentials import Credentials

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@contextlib.asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    """The address of a server that answers everything with `handler`."""
    server = web.Server(handler)  # type: ignore[arg-type]
    runner = web.ServerRunner(server, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def transport_to(handler: Handler, *, limits: transport.Limits | None = None, **credentials: Any):
    """A transport whose cluster is the handler, and the log of its requests."""
    sent: list[transport.Sent] = []
    async with serving(handler) as url:
        made = transport.Transport("stub", Credentials(url, **credentials), limits=limits, log=sent.append)
        try:
            yield made, sent
        finally:
            await made.close()


def answer(body: Any, status: int = 200, **headers: str) -> web.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return web.Response(body=wire.dumps(body), status=status, content_type="application/json", headers=named)


def status(code: int, message: str = "", reason: str = "", **headers: str) -> web.Response:
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message, "reason": reason}
    return answer(body, code, **headers)


def reset(request: web.Request) -> web.Response:
    """Cuts the connection without an answer."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def stream(request: web.Request, *lines: Any, **headers: str) -> web.StreamResponse:
    """The head and some lines of an answer that goes on."""
    response = web.StreamResponse(headers={"Content-Type": "application/json", **headers})
    await response.prepare(request)
    for line in lines:
        await response.write((line if isinstance(line, bytes) else wire.dumps(line)) + b"\n")
    return response
