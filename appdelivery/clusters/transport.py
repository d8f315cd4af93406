"""The only module that speaks HTTP to clusters: one client per (cluster, identity), on aiohttp.

Requests and watches use separate connection pools, everything has a time-out and a size limit, redirects are not
followed.  A 401 renews the credentials once for all who wait; a 403 is an answer like any other and disturbs nobody.
Failures leave as families of errors.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import io
import os
import ssl
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from appdelivery import __version__, errors
from appdelivery.clusters import answers, connecting, credentials, limiter, renewal, wire
from appdelivery.clusters.http import aiohttp
from appdelivery.model.record import record

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
    from contextlib import AbstractAsyncContextManager

    from appdelivery.clusters.credentials import Credentials

JSON = "application/json"
APPLY = "application/apply-patch+yaml"
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"

CUT = (errno.ECONNRESET, errno.EPIPE)
LOOK = "check that the cluster runs and that the kubeconfig names its address"
VERBS = {"GET": limiter.READ, "DELETE": limiter.DELETE}  # everything else writes
FAR_S = 0.02  # a handshake that takes longer is worth starting before its request is there
MOST_AHEAD = 32


@record
class Limits:
    connect_s: float = 5.0
    read_s: float = 30.0  # silence on a request
    total_s: float = 60.0
    idle_s: float = 90.0  # silence on a watch: bookmarks come every minute
    object_bytes: int = 4 << 20
    list_bytes: int = 64 << 20  # about 5,000 objects; beyond, lists are read in pages
    line_bytes: int = 4 << 20
    throttled: int = 8  # attempts while the server says 429


@record
class Sent:
    """One line of the request log."""

    cluster: str
    verb: str
    path: str
    query: Mapping[str, str]
    status: int  # 0 = no answer
    bytes: int
    seconds: float


@record
class Answer:
    status: int
    body: Any
    etag: str = ""
    date: str = ""  # the server's clock, as its header says it


@record
class _Call:
    verb: str
    path: str
    query: Mapping[str, str]
    headers: dict[str, str]
    body: bytes | None = None


class TooLarge(errors.ClusterError):
    """An answer passed its size limit; lists fall back to pages."""

    code = "cluster.too-large"


class Transport:
    def __init__(
        self,
        name: str,
        given: Credentials,
        *,
        limits: Limits | None = None,
        log: Callable[[Sent], None] | None = None,
        instance: str = "",
    ) -> None:
        self.name = name
        self.limits = limits or Limits()
        self.limiter = limiter.Limiter()
        self._given = given
        self._identity = renewal.Identity(name, given)
        self._log = log
        self._agent = f"appdelivery/{__version__}" + (f" ({instance})" if instance else "")
        self._patience = aiohttp.ClientTimeout(
            total=self.limits.total_s, sock_connect=self.limits.connect_s, sock_read=self.limits.read_s
        )
        self._pools: dict[bool, aiohttp.ClientSession] = {}
        self._ahead: set[asyncio.Task[None]] = set()
        self._tls_of: tuple[Credentials, Any] | None = None

    async def request(
        self,
        verb: str,
        path: str,
        body: bytes | None = None,
        *,
        doing: str,
        query: Mapping[str, str] | None = None,
        content_type: str = JSON,
        accept: str = JSON,
        etag: str = "",
        max_bytes: int = 0,
    ) -> Answer:
        """One answer of success (or 304), or a family of errors.py whose message begins with `doing`."""
        headers = {"Accept": accept}
        if body is not None:
            headers["Content-Type"] = content_type
        if etag:
            headers["If-None-Match"] = etag
        call = _Call(verb, path, query or {}, headers, body)
        cap = max_bytes or self.limits.object_bytes
        renewed = reset = False
        throttled = 0
        while True:
            generation = await self._identity.fresh()
            try:
                status, answer, got = await self._once(call, cap, doing)
            except _Reset as error:
                # A kept connection may be closed by the server at any moment.  Every request of ours may be sent
                # twice: applies are idempotent, all others carry a precondition.
                if reset:
                    raise self._unreachable(doing, error.__cause__) from error.__cause__
                reset = True
                continue
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                raise self._unreachable(doing, error) from error
            if status < 300 or status == 304:
                return Answer(status, answer, got.get("ETag", ""), got.get("Date", ""))
            after = _retry_after(got.get("Retry-After", ""))
            if status == 401 and not renewed and self._given.renewable:
                renewed = True
                await self._identity.renew(generation)
                continue
            throttled += 1
            if status == 429 and throttled < self.limits.throttled:
                self.limiter.pause(after if after is not None else min(0.25 * 2**throttled, 8.0))
                continue
            raise answers.error(status, answer, doing, after=after)

    async def lines(
        self, path: str, query: Mapping[str, str], *, doing: str, accept: str = JSON, idle_s: float = 0.0
    ) -> AsyncGenerator[bytes]:
        """The lines of an answer that goes on: watches and logs, on their own connections.  Ends as the server ends it."""
        begun, status, count = time.monotonic(), 0, 0
        call = _Call("GET", path, query, {"Accept": accept})
        patience = aiohttp.ClientTimeout(
            total=None, sock_connect=self.limits.connect_s, sock_read=idle_s or self.limits.idle_s
        )
        try:
            generation = await self._identity.fresh()
            async with await self._send(call, patience, watch=True) as response:
                status = response.status
                if status >= 300:
                    answer = _decoded(await _read(response, self.limits.object_bytes, doing))
                    if status == 401 and self._given.renewable:
                        await self._identity.renew(generation)
                    raise answers.error(status, answer, doing, after=_retry_after(response.headers.get("Retry-After", "")))
                async for line in _lines(response, self.limits.line_bytes, doing):
                    count += len(line)
                    yield line
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise self._unreachable(doing, error) from error
        finally:
            self._note(call, status, count, begun)

    def expect(self, requests: int) -> None:
        """So many requests come in a moment: where the way is long, their connections are opened meanwhile."""
        if requests and not self._given.plugin:  # a plugin runs when somebody really asks
            task = asyncio.get_running_loop().create_task(self._open(min(requests, MOST_AHEAD)))
            self._ahead.add(task)
            task.add_done_callback(self._ahead.discard)

    async def _open(self, count: int) -> None:
        # What goes wrong here goes wrong again for the request, which tells it.
        with contextlib.suppress(errors.AppError, aiohttp.ClientError, OSError, TimeoutError):
            connector = self._pool(watch=False).connector
            assert isinstance(connector, connecting.Connector)
            now = await self._identity.current()
            model = aiohttp.ClientRequest(
                "GET",
                _url(now.server),
                ssl=self._tls(now),
                server_hostname=now.server_name or None,
                proxy=_url(now.proxy) if now.proxy else None,
                loop=asyncio.get_running_loop(),
            )
            if connector.took is None:  # the first one tells how long the way is
                await connector.ahead(model, 1, self._patience)
            if connector.took is not None and connector.took > FAR_S:
                await connector.ahead(model, count, self._patience)

    async def close(self) -> None:
        for task in self._ahead:
            task.cancel()
        await asyncio.gather(*self._ahead, return_exceptions=True)
        for pool in self._pools.values():
            await pool.close()
        self._pools.clear()
        for _ in range(2):  # the loop tells transports that were cut, as by a refused certificate, of their end
            await asyncio.sleep(0)

    async def _once(self, call: _Call, cap: int, doing: str) -> tuple[int, Any, Mapping[str, str]]:
        async with self.limiter.slot(VERBS.get(call.verb, limiter.WRITE)) as slot:
            begun, status, size = time.monotonic(), 0, 0
            try:
                async with await self._send(call, self._patience, watch=False) as response:
                    raw = await _read(response, cap, doing)
                    status, size = response.status, len(raw)
                    slot.crowded = status in (429, 503)
                    return status, _decoded(raw), response.headers
            except (aiohttp.ServerDisconnectedError, ConnectionResetError, BrokenPipeError) as error:
                raise _Reset from error
            except aiohttp.ClientOSError as error:  # the library's wrapping of the same
                if error.errno in CUT:
                    raise _Reset from error
                raise
            except TimeoutError:
                slot.crowded = True
                raise
            finally:
                slot.fresh = self._opened()
                self._note(call, status, size, begun)

    def _opened(self) -> bool:
        connector = self._pools[False].connector if False in self._pools else None
        return isinstance(connector, connecting.Connector) and connector.opened()

    async def _send(
        self, call: _Call, patience: aiohttp.ClientTimeout, *, watch: bool
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        now = await self._identity.current()
        target = f"{now.server}{call.path}" + (f"?{_encoded(tuple(call.query.items()))}" if call.query else "")
        sent = [*call.headers.items(), *now.impersonate]
        if now.token:
            sent.append(("Authorization", f"Bearer {now.token}"))
        return self._pool(watch=watch).request(
            call.verb,
            _url(target),
            data=_payload(call.body),
            headers=sent,
            timeout=patience,
            ssl=self._tls(now),
            server_hostname=now.server_name or None,
            proxy=now.proxy or None,
            allow_redirects=False,  # credentials are bound to the address they were given for
        )

    def _pool(self, *, watch: bool) -> aiohttp.ClientSession:
        """Made on first use, inside the loop that uses it.  The limiter bounds requests, the callers bound watches."""
        if watch not in self._pools:
            self._pools[watch] = aiohttp.ClientSession(
                connector=connecting.Connector(),
                headers={"User-Agent": self._agent},
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
            )
        return self._pools[watch]

    def _tls(self, now: Credentials) -> Any:
        """Made anew only when the certificate changed: connections are shared by context."""
        if self._tls_of is None or (self._tls_of[0] is not now and not _same_tls(self._tls_of[0], now)):
            self._tls_of = (now, credentials.tls(now, self.name))
        return self._tls_of[1]

    def _note(self, call: _Call, status: int, size: int, begun: float) -> None:
        if self._log is not None:
            seconds = time.monotonic() - begun
            self._log(Sent(self.name, call.verb, call.path, dict(call.query), status, size, seconds))

    def _unreachable(self, doing: str, error: BaseException | None) -> errors.ClusterError:
        if isinstance(error, TimeoutError):
            return errors.TimedOut(
                f"{doing}: no answer from {self._given.server} within {self._waited(error):g}s", hint=LOOK
            )
        if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientConnectorSSLError):
            return errors.Unreachable(
                f"{doing}: {self._given.server} cannot be trusted: {_plain(error)}",
                code="cluster.untrusted",
                hint="the server's certificate does not fit the CA or the name in the kubeconfig",
                retryable=False,
            )
        return errors.Unreachable(f"{doing}: cannot reach {self._given.server}: {_plain(error)}", hint=LOOK)

    def _waited(self, error: TimeoutError) -> float:
        if isinstance(error, aiohttp.ConnectionTimeoutError):
            return self.limits.connect_s
        return self.limits.read_s if isinstance(error, aiohttp.SocketTimeoutError) else self.limits.total_s


class _Reset(Exception):
    """The connection ended before an answer came."""


@functools.lru_cache(maxsize=64)  # all applies of a run ask the same
def _encoded(query: tuple[tuple[str, str], ...]) -> str:
    return urlencode(query, quote_via=quote)


def _payload(body: bytes | None) -> Any:
    """Large bodies go out in pieces, so that the event loop is not held."""
    return io.BytesIO(body) if body is not None and len(body) > 1 << 20 else body


async def _read(response: aiohttp.ClientResponse, cap: int, doing: str) -> bytes:
    parts, size = [], 0
    async for part in response.content.iter_any():
        size += len(part)
        if size > cap:
            raise TooLarge(f"{doing}: the answer is larger than {cap} bytes")
        parts.append(part)
    return b"".join(parts)


async def _lines(response: aiohttp.ClientResponse, cap: int, doing: str) -> AsyncIterator[bytes]:
    rest = b""
    async for part in response.content.iter_any():
        *whole, rest = (rest + part).split(b"\n")
        for line in whole:
            if line:
                yield line
        if len(rest) > cap:
            raise errors.ClusterError(f"{doing}: a line of the answer is longer than {cap} bytes", code="cluster.too-large")
    if rest:
        yield rest


def _decoded(raw: bytes) -> Any:
    """JSON where it is JSON; a proxy's page stays text."""
    try:
        return wire.loads(raw) if raw else {}
    except ValueError:
        return raw.decode(errors="replace")


def _retry_after(value: str) -> float | None:
    return min(float(value), 60.0) if value.isdigit() else None


def _url(target: str) -> Any:
    from yarl import URL

    return URL(target, encoded=True)  # already quoted: a slash in a name must stay quoted


def _same_tls(a: Credentials, b: Credentials) -> bool:
    return (a.server[:8], a.ca, a.certificate, a.key, a.insecure) == (b.server[:8], b.ca, b.certificate, b.key, b.insecure)


def _plain(error: BaseException | None) -> str:
    """The operating system's words, without the library's wrapping."""
    inner = getattr(error, "os_error", None) or getattr(error, "certificate_error", None) or error
    if isinstance(inner, ssl.SSLCertVerificationError):  # an OSError whose number means nothing
        return inner.verify_message
    if isinstance(inner, OSError) and not isinstance(inner, ssl.SSLError) and inner.errno and inner.errno > 0:
        return os.strerror(inner.errno)
    return getattr(inner, "strerror", None) or str(inner) or type(inner).__name__
