"""The least a client can do: server-side applies over aiohttp, so many in flight, bodies encoded beforehand.

No plan, no journal, no retries, no conflict policy, no digests; answers are read and dropped.  The peer of our own
apply, which sends the same bodies.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import tempfile
import time
from typing import TYPE_CHECKING

import aiohttp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

QUERY = "?fieldManager=raw&force=false&fieldValidation=Strict"
HEADERS = {"Content-Type": "application/apply-patch+yaml", "Accept": "application/json"}


@contextlib.asynccontextmanager
async def session(
    server: str, ca: str, certificate: str = "", key: str = "", *, token: str = ""
) -> AsyncIterator[aiohttp.ClientSession]:
    """A client certificate, as the kubeconfig of the control plane has it, or a token."""
    context = ssl.create_default_context(cadata=ca)
    if certificate:
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
            file.write(f"{certificate}\n{key}")
            file.flush()
            context.load_cert_chain(file.name)
    connector = aiohttp.TCPConnector(limit=0, ssl=context, keepalive_timeout=60)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with aiohttp.ClientSession(server, connector=connector, headers=headers) as made:
        yield made


async def connect(client: aiohttp.ClientSession, connections: int) -> None:
    """Opens the connections, so that handshakes are nobody's time."""
    await asyncio.gather(*[_drained(client.get("/version")) for _ in range(connections)])


async def apply(client: aiohttp.ClientSession, bodies: Sequence[tuple[str, bytes]], in_flight: int) -> float:
    """Wall seconds for all (path, body); the first refusal raises."""
    left = iter(bodies)

    async def worker() -> None:
        for path, body in left:
            await _drained(client.patch(path + QUERY, data=body, headers=HEADERS))

    begun = time.perf_counter()
    await asyncio.gather(*[worker() for _ in range(in_flight)])
    return time.perf_counter() - begun


async def _drained(request: aiohttp.client._RequestContextManager) -> None:
    async with request as response:
        text = await response.read()
        if response.status >= 300:
            raise RuntimeError(f"{response.status}: {text[:500]!r}")
