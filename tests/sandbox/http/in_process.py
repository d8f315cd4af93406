"""Calls the protocol of a sandbox in process: requests by `Client.ask`, watches and followed logs by `Client.open`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from appdelivery.sandbox import clock, writes
from appdelivery.sandbox.cluster import Cluster
from appdelivery.sandbox.http import access, app

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
PARTIAL = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
MAPS = "/api/v1/namespaces/team/configmaps"
SETUP = writes.Options(manager="setup")


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def message(self) -> str:
        said: str = self.json["message"]
        return said


class Stream:
    """What an open answer has sent so far, line by line."""

    def __init__(self) -> None:
        self.reply = Reply(0, {}, b"")
        self.ended = asyncio.Event()
        self._lines: asyncio.Queue[bytes] = asyncio.Queue()
        self._gone = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.reply = _start(message)
            return
        for line in message.get("body", b"").splitlines():
            self._lines.put_nowait(line)
        if not message.get("more_body", False):
            self.ended.set()

    def leave(self) -> None:
        self._gone.set()

    async def line(self) -> bytes:
        return await asyncio.wait_for(self._lines.get(), 5)

    async def event(self) -> tuple[str, Any]:
        found = json.loads(await self.line())
        return found["type"], found["object"]

    async def names(self, count: int) -> list[tuple[str, str]]:
        """Type and name of the next events."""
        found = [await self.event() for _ in range(count)]
        return [(type, body["metadata"].get("name", "")) for type, body in found]

    async def quiet(self) -> bool:
        """Whether nothing is there after everybody had a turn."""
        for _ in range(20):
            await asyncio.sleep(0)
        await asyncio.sleep(0.02)
        return self._lines.empty()


class Client:
    def __init__(self, cluster: Cluster, **options: Any) -> None:
        self.cluster = cluster
        self.app = app.App(cluster, **options)
        self.token = ""

    async def ask(
        self, method: str, path: str, body: Any = None, *, type: str = "application/json", **headers: str
    ) -> Reply:
        text = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        messages: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": text, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            messages.append(message)

        await self.app(self._scope(method, path, {"content-type": type, **headers}), receive, send)
        reply = _start(messages[0])
        reply.body = b"".join([message.get("body", b"") for message in messages[1:]])
        return reply

    async def get(self, path: str, **headers: str) -> Reply:
        return await self.ask("GET", path, **headers)

    @asynccontextmanager
    async def open(self, path: str, **headers: str) -> AsyncIterator[Stream]:
        stream = Stream()
        task = asyncio.create_task(self.app(self._scope("GET", path, headers), stream.receive, stream.send))
        await asyncio.sleep(0)
        try:
            yield stream
        finally:
            stream.leave()
            await asyncio.wait_for(task, 5)

    def _scope(self, method: str, path: str, headers: dict[str, str]) -> dict[str, Any]:
        path, _, query = path.partition("?")
        if self.token:
            headers = {"authorization": f"Bearer {self.token}", **headers}
        given = [(key.lower().replace("_", "-").encode(), value.encode()) for key, value in headers.items()]
        given.append((b"host", b"sandbox.test"))
        return {"type": "http", "method": method, "path": path, "query_string": query.encode(), "headers": given}


def _start(message: dict[str, Any]) -> Reply:
    headers = {key.decode(): value.decode() for key, value in message["headers"]}
    return Reply(message["status"], headers, b"")


def cluster(*names: str) -> Cluster:
    """With the namespaces team and other, and so many ConfigMaps in team."""
    made = Cluster(clock=clock.Clock(0))
    for namespace in ("team", "other"):
        writes.create(made, made.kind("v1", "Namespace"), "", {"metadata": {"name": namespace}}, SETUP)
    for name in names:
        put(made, name)
    return made


def put(made: Cluster, name: str, namespace: str = "team", **metadata: Any) -> None:
    """Creates a ConfigMap."""
    body = {"metadata": {"name": name, **metadata}}
    writes.create(made, made.kind("v1", "ConfigMap"), namespace, body, SETUP)


def create(made: Cluster, api_version: str, kind: str, body: Any, namespace: str = "team") -> Any:
    found = made.kind(api_version, kind)
    named = {"apiVersion": api_version, "kind": kind, **body}
    return writes.create(made, found, namespace if found.namespaced else "", named, SETUP).body


def commit(made: Cluster, api_version: str, kind: str, body: Any) -> None:
    """Stores an object as it is, without any checks: status and all."""
    found = made.kind(api_version, kind)
    metadata = {"uid": "u", "creationTimestamp": made.clock.stamp(), **body["metadata"]}
    named = {"kind": kind, "apiVersion": api_version, **body, "metadata": metadata}
    known = made.collection(found).get((metadata.get("namespace", ""), metadata["name"]))
    made.storage.commit("MODIFIED" if known else "ADDED", found.family, named)


def guarded(**rules: Any) -> access.Access:
    """An administrator (token admin), and somebody with these rules (token some)."""
    return access.Access({"admin": access.administrator(), "some": access.Identity("somebody", **rules)})
