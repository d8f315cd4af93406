"""The listener of one cluster: HTTP/1.1 over TLS on loopback.  The only module with uvicorn, of which the protocol is used;
its server would wake ten times a second and take the signals of the process.

Everything that one turn of the loop writes to a connection leaves in one piece: an answer is one TCP segment where it fits,
and there is one moment, `before`, in which a state file is written before anybody hears of what is in it.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
import struct
from email.utils import formatdate

import uvicorn
from uvicorn.server import ServerState

from appdelivery import errors
from appdelivery.sandbox.faults.plan import ABORT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from uvicorn.protocols.http.h11_impl import H11Protocol as Protocol

    from appdelivery.sandbox.http.answers import ASGI
else:
    from uvicorn.protocols.http.auto import AutoHTTPProtocol as Protocol  # httptools where it is installed, else h11

HOST = "127.0.0.1"
IDLE = 90  # seconds a connection is kept without a request, as a real API server keeps it
AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: a reset instead of a farewell


class Gathered:
    """A transport that writes once in a turn of the loop."""

    def __init__(self, inner: asyncio.Transport, before: Callable[[], None]) -> None:
        self._inner = inner
        self._before = before
        self._parts: list[bytes] = []
        self._loop = asyncio.get_running_loop()
        self.ended = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def write(self, data: bytes) -> None:
        if self.ended or not data:
            return
        if not self._parts:
            self._loop.call_soon(self.flush)
        self._parts.append(data)

    def flush(self) -> None:
        if not self._parts:
            return
        parts, self._parts = self._parts, []
        try:
            self._before()
        except errors.AppError:  # whoever keeps the state has been told; what was not kept must not be acknowledged
            self.ended = True
            self._inner.abort()
            return
        if not self._inner.is_closing():
            self._inner.write(b"".join(parts))

    def close(self) -> None:
        self.flush()
        self._inner.close()

    def abort(self) -> None:
        """The end by a fault: a reset where nothing of the answer has been sent in this turn."""
        if self._parts:
            self.flush()
        else:
            found = self._inner.get_extra_info("socket")
            with contextlib.suppress(OSError, AttributeError):  # the other side was faster
                found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
        self.ended = True
        self._inner.abort()


class Listener:
    """app: what serves requests; before: see above; now: Unix time of this cluster, for the Date of answers."""

    def __init__(self, app: ASGI, *, before: Callable[[], None], now: Callable[[], float]) -> None:
        self.app = app
        self.before = before
        self.now = now
        self.state = ServerState()
        self.config = uvicorn.Config(
            app, http=Protocol, ws="none", lifespan="off", loop="none", log_config=None, access_log=False,
            timeout_keep_alive=IDLE,
        )  # fmt: skip
        self.config.load()
        self._server: asyncio.Server | None = None

    async def open(self, bound: socket.socket, context: ssl.SSLContext) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self), sock=bound, ssl=context, backlog=512)

    def cut(self) -> None:
        """Ends every connection at once."""
        for connection in list(self.state.connections):
            connection.transport.abort()

    def cut_soon(self) -> None:
        """The same once the answers of this turn have left."""
        loop = asyncio.get_running_loop()
        loop.call_soon(loop.call_soon, self.cut)

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in list(self.state.tasks):
            task.cancel()
        for connection in list(self.state.connections):
            connection.transport.close()


class Connection(Protocol):
    def __init__(self, listener: Listener) -> None:
        super().__init__(listener.config, listener.state, {})
        self.access_log = False
        self._listener = listener
        self.app = self._serve

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        found = transport.get_extra_info("socket")
        if found is not None:
            found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().connection_made(Gathered(transport, self._listener.before))  # type: ignore[arg-type]

    async def _serve(self, scope: Any, receive: Any, send: Any) -> None:
        scope["extensions"] = {ABORT: self._end}
        self.server_state.default_headers[:] = [(b"date", formatdate(self._listener.now(), usegmt=True).encode())]
        cycle = self.cycle
        try:
            await self._listener.app(scope, receive, send)
        except asyncio.CancelledError:  # the listener closes
            cycle.disconnected = True

    def _end(self) -> None:
        self.cycle.disconnected = True
        self.transport.abort()


def bind(port: int) -> socket.socket:
    """port 0: any that is free."""
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((HOST, port))
    except (OSError, OverflowError) as error:
        made.close()
        number = getattr(error, "errno", None)
        why = {
            errno.EADDRINUSE: "the port is in use",
            errno.EACCES: "this port is for the administrator of the computer only",
        }.get(number or 0, str(error))
        raise errors.SourceError(
            f"listen on {HOST}:{port}: {why}", code="sandbox.port", hint="name another with --port, or leave it out"
        ) from error
    return made


def context(certificate: str, key: str) -> ssl.SSLContext:
    """certificate, key: files."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.load_cert_chain(certificate, key)
    made.set_alpn_protocols(["http/1.1"])
    return made
