"""The pool of connections to one cluster, on aiohttp's.  Made by transport.py, one for requests and one for watches.

Over a long way a handshake takes as long as two or three requests.  When it is known that many requests come, their
connections are opened while something else is done; a request that finds one under way waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from typing import Any

from appdelivery.clusters.http import aiohttp


class Connector(aiohttp.TCPConnector):
    """Opens connections also before there is a request for them, and knows which requests waited for one: the time of a
    handshake says nothing about how busy a server is."""

    def __init__(self) -> None:
        super().__init__(limit=0, keepalive_timeout=60)
        self.opening: set[asyncio.Task[Any] | None] = set()
        self.took: float | None = None  # the quickest handshake, in seconds
        self._free = 0  # handshakes under way that no request has claimed
        self._claims: deque[asyncio.Future[None]] = deque()

    async def connect(self, req: Any, *given: Any, **named: Any) -> Any:
        if self._free and not self._conns.get(req.connection_key):
            self._free -= 1
            self.opening.add(asyncio.current_task())
            claim = asyncio.get_running_loop().create_future()
            self._claims.append(claim)
            await claim
        return await super().connect(req, *given, **named)

    async def _create_connection(self, *given: Any, **named: Any) -> Any:
        self.opening.add(asyncio.current_task())
        begun = time.monotonic()
        made = await super()._create_connection(*given, **named)
        took = time.monotonic() - begun
        self.took = took if self.took is None else min(took, self.took)
        return made

    async def ahead(self, model: aiohttp.ClientRequest, count: int, patience: aiohttp.ClientTimeout) -> None:
        """Opens what is missing to so many connections; model: any request to the same server."""
        there = len(self._acquired) + sum([len(kept) for kept in self._conns.values()]) + self._free
        if (missing := count - there) > 0:
            self._free += missing
            await asyncio.gather(*[self._one_ahead(model, patience) for _ in range(missing)])

    async def _one_ahead(self, model: aiohttp.ClientRequest, patience: aiohttp.ClientTimeout) -> None:
        try:
            with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
                made = await self._create_connection(model, [], patience)
                if self.closed:
                    made.close()
                else:
                    self._release(model.connection_key, made)
        finally:
            self.opening.discard(asyncio.current_task())
            if not self._claims:
                self._free -= 1
            elif not (claim := self._claims.popleft()).done():
                claim.set_result(None)  # also after a failure: the request tries itself, and tells how that ended

    def opened(self) -> bool:
        """Whether the present request waited for a connection."""
        mine = asyncio.current_task()
        fresh = mine in self.opening
        self.opening.discard(mine)
        return fresh
