"""A running sandbox inside the test's own loop, and a client that shows every byte."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl

import pytest

from appdelivery.sandbox import certs, running, serve
from appdelivery.sandbox.member import Setup
from appdelivery.sandbox.state import State

TOKENS = {"admin": "admin-token", "nobody": "nobody-token"}


class World:
    def __init__(self, sandbox, ports, authority):
        self.sandbox = sandbox
        self.ports = ports
        self.tls = ssl.create_default_context(cadata=authority.decode())

    async def connect(self, place=0):
        return await asyncio.open_connection("127.0.0.1", self.ports[place], ssl=self.tls)

    async def ask(self, method, path, body=None, *, place=0, token="admin-token", connection=None, type="application/json"):
        """(status, headers, body); raises what a broken connection raises."""
        reader, writer = connection or await self.connect(place)
        text = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: {type}\r\n"
        writer.write(f"{head}Content-Length: {len(text)}\r\n\r\n".encode() + text)
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
        content = await reader.readexactly(int(headers.get("content-length", 0)))
        if connection is None:
            writer.close()
        return int(head[0].split()[1]), headers, content

    async def get(self, path, **more):
        code, _, content = await self.ask("GET", path, **more)
        return code, json.loads(content)

    async def make(self, name, **more):
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "b"}}
        return await self.ask("POST", "/api/v1/namespaces/default/configmaps", body, **more)

    async def names(self, **more):
        _, found = await self.get("/api/v1/namespaces/default/configmaps", **more)
        return [item["metadata"]["name"] for item in found["items"] if item["metadata"]["name"] != "kube-root-ca.crt"]

    async def control(self, method, resource, body=None, **more):
        code, _, content = await self.ask(method, f"/sandbox/control/{resource}".rstrip("/"), body, **more)
        return code, json.loads(content)


@pytest.fixture(scope="session")
def pair():
    return certs.make()


@pytest.fixture
def world(tmp_path, pair):
    """Makes running sandboxes: `async with world("sandbox") as w`."""
    (tmp_path / "tls.crt").write_bytes(pair.certificate)
    (tmp_path / "tls.key").write_bytes(pair.key)
    context = serve.context(str(tmp_path / "tls.crt"), str(tmp_path / "tls.key"))

    @contextlib.asynccontextmanager
    async def opened(*names, state=""):
        sockets = [serve.bind(0) for _ in names]
        setups = [Setup(name, uid=f"uid-of-{name}", tokens=dict(TOKENS)) for name in names]
        plan = running.Plan(setups, sockets, context, state=State(str(state)) if state else None)
        sandbox = running.Sandbox(plan)
        await sandbox.open()
        try:
            yield World(sandbox, [one.getsockname()[1] for one in sockets], pair.authority)
        finally:
            await sandbox.close()

    return opened
