"""The one HTTP client for URLs that users give: webhooks, requests of steps, metrics.  Called by platform, which hands it on.

A name is resolved here, every address it leads to is judged, and the connection goes to a judged address: what the name
means a moment later plays no part.  The same holds for every redirect.  Nothing of ours is sent along: no proxy, no
cookie, no credential of the environment.  Messages name the host only, for paths and queries of webhooks are secrets.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from appdelivery import errors

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    Address = ipaddress.IPv4Address | ipaddress.IPv6Address
    Network = ipaddress.IPv4Network | ipaddress.IPv6Network
    Resolve = Callable[[str, int], Awaitable[Sequence[str]]]  # (host, port) to addresses

PLAIN = "APPCTL_ALLOW_HTTP"  # true: http beside https
PRIVATE = "APPCTL_ALLOW_PRIVATE_HTTP"  # true: private and loopback addresses; or networks, separated by commas
TRUE = ("1", "true", "yes")
HARMLESS = frozenset(("accept", "accept-language", "content-type", "user-agent", "idempotency-key"))
REDIRECTS = (301, 302, 303, 307, 308)
NAT64 = ipaddress.ip_network("64:ff9b::/96")
LOCAL_NAT64 = ipaddress.ip_network("64:ff9b:1::/48")


@dataclass(frozen=True, slots=True)
class Limits:
    connect_s: float = 5.0
    total_s: float = 30.0
    body: int = 4 << 20
    redirects: int = 3
    per_host: int = 4
    plain: bool = False
    private: bool = False
    networks: tuple[Network, ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    timeout: float = 0.0  # seconds; 0 = the limit


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


def limits(environment: Mapping[str, str]) -> Limits:
    """The limits with what the operator has loosened."""
    private = environment.get(PRIVATE, "").strip()
    allowed = private.lower() in TRUE
    networks: list[Network] = []
    if private and not allowed and private.lower() not in ("0", "false", "no"):
        for part in private.split(","):
            try:
                networks.append(ipaddress.ip_network(part.strip(), strict=False))
            except ValueError:
                text = f"{PRIVATE}: '{part.strip()}' is neither true nor a network"
                raise errors.UsageError(text, hint=f"for example {PRIVATE}=10.0.0.0/8,192.168.1.7/32") from None
    plain = environment.get(PLAIN, "").strip().lower() in TRUE
    return Limits(plain=plain, private=allowed, networks=tuple(networks))


async def resolved(host: str, port: int) -> Sequence[str]:
    """By the resolver of the system, which also reads numbers in their odd spellings."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys([str(entry[4][0]) for entry in found]))


@dataclass(slots=True)
class Client:
    limits: Limits = field(default_factory=Limits)
    resolve: Resolve = resolved
    trust: ssl.SSLContext | None = None  # of servers; None = the certificates of the system
    _hosts: dict[str, asyncio.Semaphore] = field(default_factory=dict)

    async def send(self, request: Request) -> Answer:
        """Any answer is an answer.  Refused: this URL is not asked; WorldError: no answer came."""
        where = _shown(request.url)
        seconds = min(request.timeout or self.limits.total_s, self.limits.total_s)
        try:
            async with asyncio.timeout(seconds):
                return await self._followed(request)
        except TimeoutError:
            text = f"{request.method} {where}: no whole answer within {seconds:g}s"
            raise errors.WorldError(text, code="outbound.timed-out", retryable=True) from None

    async def _followed(self, request: Request) -> Answer:
        url = request.url
        for _ in range(self.limits.redirects + 1):
            answer = await self._once(request, url)
            target = answer.headers.get("location")
            if answer.status not in REDIRECTS or not target:
                return answer
            self._may_follow(request, url, target)
            url = urljoin(url, target)
        raise errors.WorldError(
            f"{request.method} {_shown(request.url)}: more than {self.limits.redirects} redirects",
            code="outbound.redirects",
            retryable=False,
        )

    def _may_follow(self, request: Request, url: str, target: str) -> None:
        carried = sorted(name for name in request.headers if name.lower() not in HARMLESS)
        why = ""
        if request.method.upper() not in ("GET", "HEAD"):
            why = f"a {request.method.upper()} is not sent elsewhere"
        elif carried:
            why = f"header {carried[0]} may be a credential"
        if why:
            to = _shown(urljoin(url, target))
            text = f"{request.method} {_shown(url)}: it redirects to {to}, which is not followed: {why}"
            raise errors.Refused(text, code="outbound.redirect", hint="give the final URL")

    async def _once(self, request: Request, url: str) -> Answer:
        host, port, secure = self._parts(request.method, url)
        addresses = await self._judged(request.method, url, host, port)
        turn = self._hosts.setdefault(f"{host}:{port}", asyncio.Semaphore(self.limits.per_host))
        async with turn:
            for number, address in enumerate(addresses, 1):
                try:
                    return await self._exchange(request, url, address, secure=secure)
                except _NotConnected as error:
                    if number == len(addresses):
                        text = f"{request.method} {_shown(url)}: {error}"
                        raise errors.WorldError(text, code="outbound.unreachable", retryable=True) from None
        raise AssertionError

    def _parts(self, method: str, url: str) -> tuple[str, int, bool]:
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise errors.Refused(f"{method}: this is no URL", code="outbound.url") from None
        schemes = ("https", "http") if self.limits.plain else ("https",)
        if parts.scheme not in schemes:
            hint = f"{PLAIN}=true allows it" if parts.scheme == "http" else ""
            text = f"{method} {_shown(url)}: the scheme is '{parts.scheme}', only {' and '.join(schemes)} may be asked"
            raise errors.Refused(text, code="outbound.scheme", hint=hint)
        if parts.username is not None or parts.password is not None:
            raise errors.Refused(
                f"{method} {_shown(url)}: the URL holds a user or a password",
                code="outbound.url",
                hint="give them as a header, from a secret",
            )
        if not host or any(ord(sign) <= 32 or ord(sign) == 127 for sign in url):
            raise errors.Refused(f"{method}: the URL has no host, or blanks in it", code="outbound.url")
        secure = parts.scheme == "https"
        return host, port or (443 if secure else 80), secure

    async def _judged(self, method: str, url: str, host: str, port: int) -> list[Address]:
        try:
            names = await self.resolve(host, port)
        except (OSError, UnicodeError) as error:
            said = getattr(error, "strerror", "") or "no such name"
            text = f"{method} {_shown(url)}: resolve {host}: {said}"
            raise errors.WorldError(text, code="outbound.unreachable", retryable=True) from None
        found = [_plain(ipaddress.ip_address(name.partition("%")[0])) for name in names]
        for address in found:
            if not self._allowed(address):
                raise errors.Refused(
                    f"{method} {_shown(url)}: {host} is {address}, an address inside, which user-given URLs may not reach",
                    code="outbound.private",
                    hint=f"an operator can allow it: {PRIVATE}={address}/{address.max_prefixlen}",
                )
        if not found:
            raise errors.WorldError(f"{method} {_shown(url)}: {host} has no address", code="outbound.unreachable")
        return found

    def _allowed(self, address: Address) -> bool:
        """Of an address that stands for another one, both count."""
        for one in (address, *_inner(address)):
            listed = any(one.version == network.version and one in network for network in self.limits.networks)
            inside = self.limits.private and (one.is_private or one.is_loopback) and not one.is_link_local
            if not listed and not (inside and not one.is_unspecified) and not _public(one):
                return False
        return True

    async def _exchange(self, request: Request, url: str, address: Address, *, secure: bool) -> Answer:
        """Speaks to the address; Host and the certificate are the name's."""
        import httpx2

        parts = urlsplit(url)
        host = parts.hostname or ""
        literal = f"[{address}]" if address.version == 6 else str(address)
        port = f":{parts.port}" if parts.port else ""
        place = f"{parts.scheme}://{literal}{port}{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        written = f"[{host}]" if ":" in host else host
        own = {"host", "accept-encoding", "content-length", "transfer-encoding", "connection"}
        headers = {name: value for name, value in request.headers.items() if name.lower() not in own}
        headers |= {"Host": f"{written}{port}", "Accept-Encoding": "identity"}
        if not any(name.lower() == "user-agent" for name in headers):
            headers["User-Agent"] = "appctl"
        timeout = httpx2.Timeout(self.limits.total_s, connect=self.limits.connect_s)
        transport = httpx2.AsyncHTTPTransport(verify=self._trust() if secure else False, trust_env=False)
        extensions: dict[str, Any] = {"sni_hostname": host} if secure else {}
        async with httpx2.AsyncClient(transport=transport, trust_env=False, timeout=timeout) as client:
            try:
                made = client.build_request(
                    request.method, place, headers=headers, content=request.body, extensions=extensions
                )
                answer = await client.send(made, stream=True)
                body = await self._body(request, url, answer)
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                raise _NotConnected(str(error) or "no connection in time") from None
            except httpx2.HTTPError as error:
                said = f"{request.method} {_shown(url)}: {type(error).__name__}"
                raise errors.WorldError(said, code="outbound.broken", retryable=True) from None
            except (ValueError, TypeError, httpx2.InvalidURL):
                text = f"{request.method} {_shown(url)}: a header or the URL holds what HTTP cannot carry"
                raise errors.Refused(text, code="outbound.url") from None
        return Answer(answer.status_code, {name.lower(): value for name, value in answer.headers.items()}, body)

    async def _body(self, request: Request, url: str, answer: Any) -> bytes:
        coding = answer.headers.get("content-encoding", "identity")
        if coding.lower() != "identity":
            text = f"{request.method} {_shown(url)}: the answer is packed ({coding}), which was not asked for"
            raise errors.WorldError(text, code="outbound.packed", retryable=False)
        body = bytearray()
        async for part in answer.aiter_raw():
            body += part
            if len(body) > self.limits.body:
                text = f"{request.method} {_shown(url)}: the answer has more than {self.limits.body} bytes"
                raise errors.WorldError(text, code="outbound.too-large", retryable=False)
        return bytes(body)

    def _trust(self) -> ssl.SSLContext:
        if self.trust is None:
            import ssl

            self.trust = ssl.create_default_context()
        return self.trust


class _NotConnected(Exception):
    """This address does not answer; another one of the name may."""


def _public(address: Address) -> bool:
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _plain(address: Address) -> Address:
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return address if mapped is None else mapped


def _inner(address: Address) -> tuple[Address, ...]:
    """IPv4 addresses that an IPv6 address leads to."""
    if not isinstance(address, ipaddress.IPv6Address):
        return ()
    found: list[Address] = [address.sixtofour] if address.sixtofour is not None else []
    if address.teredo is not None:
        found += address.teredo
    low = int(address)
    if address in NAT64 or address in LOCAL_NAT64 or 1 < low < 1 << 32:  # the last: ::a.b.c.d of old
        found.append(ipaddress.IPv4Address(low & 0xFFFFFFFF))
    return tuple(found)


def _shown(url: str) -> str:
    """Scheme and host; nothing that may be a secret."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "(no URL)"
    return f"{parts.scheme}://{parts.hostname or ''}{port}"
