"""A bare client of the Kubernetes protocol: what goes over the wire and what comes back, on the sandbox and on real servers.

The cases of test_kube_api_*.py hold an `Api`: one identity in a namespace of its own.  The sandbox is called in process,
as the ASGI application that it is; a real server over aiohttp.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote, urlencode

import aiohttp
import support
from yarl import URL

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping

JSON = "application/json"
YAML = "application/yaml"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"
PARTIAL = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
PARTIAL_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
PATIENCE = 20 * support.SCALE


class Answering(Protocol):
    """Status, headers in small letters, and the body as it comes."""

    code: int
    headers: Mapping[str, str]

    def parts(self) -> AsyncIterator[bytes]: ...


class Wire(Protocol):
    def exchange(
        self, verb: str, target: str, headers: Mapping[str, str], body: bytes
    ) -> contextlib.AbstractAsyncContextManager[Answering]: ...


@dataclass
class Reply:
    code: int
    body: Any  # JSON where it is JSON, else text
    headers: Mapping[str, str] = field(repr=False)

    @property
    def meta(self) -> dict[str, Any]:
        return self.body["metadata"]

    @property
    def version(self) -> str:
        return self.body["metadata"]["resourceVersion"]

    @property
    def names(self) -> list[str]:
        return [item["metadata"]["name"] for item in self.body["items"]]

    def ok(self, code: int = 0) -> Reply:
        assert self.code == code if code else self.code in (200, 201, 202), f"{self.code}: {self.body}"
        return self

    def refused(self, code: int, reason: str, message: str = "", **details: Any) -> Reply:
        """The Status of a failure; `message` as a whole, `details` those that matter."""
        assert isinstance(self.body, dict), f"{self.code}: {self.body}"
        assert self.body.get("kind") == "Status", f"{self.code}: {self.body}"
        said = self.code, self.body.get("code"), self.body.get("reason", ""), self.body["status"]
        assert said == (code, code, reason, "Failure"), self.body
        if message:
            assert self.body["message"] == message
        if details:
            found = self.body.get("details") or {}
            assert {name: found.get(name) for name in details} == details, self.body
        return self

    def entries(self) -> dict[tuple[str, str, str], dict[str, Any]]:
        """managedFields by (manager, operation, subresource)."""
        return {
            (one["manager"], one["operation"], one.get("subresource", "")): one["fieldsV1"]
            for one in self.body["metadata"].get("managedFields", ())
        }


class Stream:
    """The lines of a watch or a log."""

    def __init__(self, answer: Answering) -> None:
        self.code, self.headers = answer.code, answer.headers
        self._parts = answer.parts()
        self._rest = b""
        self._ready: list[bytes] = []

    async def line(self) -> bytes | None:
        """None at the end."""
        async with asyncio.timeout(PATIENCE):
            while not self._ready:
                part = await anext(self._parts, None)
                if part is None:
                    last, self._rest = self._rest, b""
                    return last or None
                *whole, self._rest = (self._rest + part).split(b"\n")
                self._ready += whole
        return self._ready.pop(0)

    async def event(self) -> tuple[str, Any]:
        line = await self.line()
        assert line is not None, "the watch ended"
        event = json.loads(line)
        return event["type"], event["object"]

    async def events(self, count: int) -> list[tuple[str, str]]:
        """(type, name) of as many."""
        found = []
        for _ in range(count):
            kind, obj = await self.event()
            found.append((kind, obj["metadata"].get("name", "")))
        return found

    async def until(self, condition: Callable[[str, Any], Any]) -> Any:
        seen = []
        while True:
            try:
                kind, obj = await self.event()
            except (TimeoutError, AssertionError) as error:
                raise AssertionError(f"the watch did not show it; it showed {seen}") from error
            seen.append((kind, obj))
            if condition(kind, obj):
                return obj

    async def rest(self) -> list[tuple[str, Any]]:
        """Everything to the end."""
        found = []
        while (line := await self.line()) is not None:
            event = json.loads(line)
            found.append((event["type"], event["object"]))
        return found


@dataclass
class Api:
    wire: Wire
    token: str
    namespace: str
    tokens: Mapping[str, str] = field(repr=False, default_factory=dict)  # of the other identities
    run: str = "x"  # part of the names of cluster-scoped objects
    controllers: bool = True
    real: bool = False
    forget: Callable[[], None] = lambda: None  # lets the sandbox's history go at once; a real server's goes in time
    headers: Mapping[str, str] = field(repr=False, default_factory=dict)

    # --- one request ---

    async def call(
        self,
        verb: str,
        path: str,
        body: Any = None,
        *,
        content: str = JSON,
        accept: str = JSON,
        headers: Mapping[str, str] | None = None,
        **query: Any,
    ) -> Reply:
        async with asyncio.timeout(PATIENCE), self._exchange(verb, path, body, content, accept, headers, query) as answer:
            raw = b"".join([part async for part in answer.parts()])
        try:
            decoded = json.loads(raw) if raw else {}
        except ValueError:
            decoded = raw.decode()
        return Reply(answer.code, decoded, answer.headers)

    def _exchange(
        self,
        verb: str,
        path: str,
        body: Any,
        content: str,
        accept: str,
        more: Mapping[str, str] | None,
        query: Mapping[str, Any],
    ) -> contextlib.AbstractAsyncContextManager[Answering]:
        headers = {"accept": accept, **self.headers, **(more or {})}
        if self.token:
            headers["authorization"] = f"Bearer {self.token}"
        raw = b""
        if body is not None:
            headers["content-type"] = content
            raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        target = path + (f"?{urlencode(query, quote_via=quote)}" if query else "")
        return self.wire.exchange(verb, target, headers, raw)

    async def get(self, path: str, **how: Any) -> Reply:
        return await self.call("GET", path, **how)

    async def post(self, path: str, body: Any, **how: Any) -> Reply:
        return await self.call("POST", path, body, **how)

    async def put(self, path: str, body: Any, **how: Any) -> Reply:
        return await self.call("PUT", path, body, **how)

    async def delete(self, path: str, body: Any = None, **how: Any) -> Reply:
        return await self.call("DELETE", path, body, **how)

    async def merge(self, path: str, change: Any, **how: Any) -> Reply:
        return await self.call("PATCH", path, change, content=MERGE, **how)

    async def json_patch(self, path: str, *change: Any, **how: Any) -> Reply:
        return await self.call("PATCH", path, list(change), content=JSON_PATCH, **how)

    async def strategic(self, path: str, change: Any, **how: Any) -> Reply:
        return await self.call("PATCH", path, change, content=STRATEGIC, **how)

    async def apply(self, body: dict[str, Any], manager: str = "one", sub: str = "", **how: Any) -> Reply:
        """By the body's own apiVersion, kind and name; the plural is the kind's in small letters with an s."""
        query = {"fieldManager": manager} if manager else {}
        path = self.path(of(body), body["metadata"]["name"], sub)
        return await self.call("PATCH", path, body, content=APPLY, **query, **how)

    async def create(self, body: dict[str, Any], **how: Any) -> Reply:
        return await self.post(self.path(of(body)), body, **how)

    @contextlib.asynccontextmanager
    async def watch(self, path: str, *, accept: str = JSON, **query: Any) -> AsyncIterator[Stream]:
        query = {"watch": "true"} | query
        async with self._exchange("GET", path, None, JSON, accept, None, query) as answer:
            yield Stream(answer)

    @contextlib.asynccontextmanager
    async def stream(self, path: str, **query: Any) -> AsyncIterator[Stream]:
        async with self._exchange("GET", path, None, JSON, JSON, None, query) as answer:
            yield Stream(answer)

    # --- places ---

    def path(self, kind: str, name: str = "", sub: str = "", *, namespace: str | None = "") -> str:
        """kind: `configmaps`, `apps/v1/deployments`; namespace None = cluster-scoped or all namespaces."""
        version, _, plural = ("v1/" + kind if "/" not in kind else kind).rpartition("/")
        base = f"/apis/{version}" if "/" in version else f"/api/{version}"
        inside = "" if namespace is None else f"/namespaces/{namespace or self.namespace}"
        return f"{base}{inside}/{plural}" + (f"/{name}" if name else "") + (f"/{sub}" if sub else "")

    def object(self, api_version: str, kind: str, name: str, **rest: Any) -> dict[str, Any]:
        metadata = {"name": name, "namespace": self.namespace} | rest.pop("metadata", {})
        return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}

    def config(self, name: str = "web", data: Any = None, **metadata: Any) -> dict[str, Any]:
        return self.object("v1", "ConfigMap", name, metadata=metadata, data=data if data is not None else {"a": "1"})

    def deployment(self, name: str = "web", *, replicas: int | None = None, **pod: Any) -> dict[str, Any]:
        spec: dict[str, Any] = {
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "app", "image": "registry.example/app:1"}], **pod},
            },
        }
        return self.object("apps/v1", "Deployment", name, spec=spec | ({} if replicas is None else {"replicas": replicas}))

    def pod(self, name: str = "web", *, metadata: Any = None, **spec: Any) -> dict[str, Any]:
        containers = [{"name": "app", "image": "registry.example/app:1"}]
        return self.object("v1", "Pod", name, metadata=metadata or {}, spec={"containers": containers, **spec})

    # --- others ---

    def as_(self, who: str) -> Api:
        """The same place under another identity: none, team, proxy."""
        if who not in self.tokens:
            support.missing(f"the identity '{who}' on this cluster", "CLUSTER")
        return dataclasses.replace(self, token=self.tokens[who])

    def with_token(self, token: str) -> Api:
        return dataclasses.replace(self, token=token)

    def impersonating(self, user: str, *groups: str) -> Api:
        return dataclasses.replace(
            self, headers={"impersonate-user": user} | ({"impersonate-group": groups[0]} if groups else {})
        )

    async def until(self, path: str, condition: Callable[[Any], Any], seconds: float = 20, **how: Any) -> Any:
        """Waits on what a GET shows; {} stands for nothing there.  The sandbox's controllers run a hundred times as fast."""
        seconds = (seconds if self.real else min(seconds, 3)) * support.SCALE
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            reply = await self.get(path, **how)
            seen = reply.body if reply.code == 200 else {}
            if condition(seen):
                return seen
            assert asyncio.get_running_loop().time() < deadline, f"not true within {seconds} s; last seen: {reply}"
            await asyncio.sleep(0.02 if self.real else 0.002)

    async def gone(self, path: str) -> None:
        await self.until(path, lambda seen: not seen)


def of(body: dict[str, Any]) -> str:
    """`apps/v1/deployments` of a body."""
    kind = body["kind"].lower()
    plural = kind + "es" if kind.endswith("ss") else kind[:-1] + "ies" if kind.endswith("cy") else kind + "s"
    return f"{body['apiVersion']}/{plural}" if "/" in body["apiVersion"] else plural


# --- a real server ---


@dataclass
class Http:
    """Over the network."""

    server: str
    tls: Any
    session: aiohttp.ClientSession

    @contextlib.asynccontextmanager
    async def exchange(self, verb: str, target: str, headers: Mapping[str, str], body: bytes) -> AsyncIterator[Answering]:
        url = URL(self.server + target, encoded=True)
        async with self.session.request(verb, url, data=body or None, headers=dict(headers), ssl=self.tls) as response:
            try:
                yield _HttpAnswer(response)
            finally:
                # A watch that is left halfway: TLS would say goodbye when the loop of this test is gone.
                if response.connection is not None and response.connection.transport is not None:
                    response.connection.transport.abort()
                    await asyncio.sleep(0)


class _HttpAnswer:
    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.code = response.status
        self.headers = _joined(response.headers.items())

    async def parts(self) -> AsyncIterator[bytes]:
        async for part in self._response.content.iter_any():
            yield part


def _joined(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Small names; what is said several times stands together, as the protocol allows."""
    found: dict[str, str] = {}
    for name, value in headers:
        found[name.lower()] = f"{found[name.lower()]}, {value}" if name.lower() in found else value
    return found


# --- the sandbox in process ---


@dataclass
class Asgi:
    """The application is called without a network; a watch that is left is told so by `http.disconnect`."""

    app: Any

    @contextlib.asynccontextmanager
    async def exchange(self, verb: str, target: str, headers: Mapping[str, str], body: bytes) -> AsyncIterator[Answering]:
        answer = _AsgiAnswer(body)
        path, _, query = target.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": verb,
            "scheme": "https",
            "path": URL(path, encoded=True).path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 443),
        }
        task = asyncio.create_task(self.app(scope, answer.receive, answer.send))
        task.add_done_callback(answer.ended)
        try:
            await answer.begun.wait()
            if task.done() and not answer.code:
                task.result()
                raise AssertionError("the application answered nothing")
            yield answer
        finally:
            answer.left.set()
            if not task.done():
                await asyncio.wait([task], timeout=1)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


class _AsgiAnswer:
    def __init__(self, body: bytes) -> None:
        self.code = 0
        self.headers: dict[str, str] = {}
        self.begun, self.left = asyncio.Event(), asyncio.Event()
        self._body: bytes | None = body
        self._parts: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def receive(self) -> dict[str, Any]:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Mapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.code = message["status"]
            self.headers = _joined((name.decode(), value.decode()) for name, value in message.get("headers", ()))
            self.begun.set()
        else:
            self._parts.put_nowait(message.get("body", b""))
            if not message.get("more_body"):
                self._parts.put_nowait(None)

    def ended(self, _task: asyncio.Task[None]) -> None:
        self.begun.set()
        self._parts.put_nowait(None)

    async def parts(self) -> AsyncIterator[bytes]:
        while (part := await self._parts.get()) is not None:
            if part:
                yield part
