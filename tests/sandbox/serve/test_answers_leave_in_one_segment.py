"""What an answer is on the wire: one TLS record, and so one segment where it fits, on a socket that does not wait for more."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl

import pytest

APPLICATION_DATA = 0x17  # the type of a TLS record


class Wire:
    """A client that sees the records under its requests."""

    def __init__(self, reader, writer, tls):
        self.reader, self.writer = reader, writer
        self.received, self.sent = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.session = tls.wrap_bio(self.received, self.sent, server_hostname="127.0.0.1")

    async def shake_hands(self):
        while True:
            with contextlib.suppress(ssl.SSLWantReadError):
                self.session.do_handshake()
                self.writer.write(self.sent.read())
                return
            self.writer.write(self.sent.read())
            await self._record()

    async def _record(self):
        head = await self.reader.readexactly(5)
        self.received.write(head + await self.reader.readexactly(int.from_bytes(head[3:])))
        return head[0]

    async def ask(self, method, path, body=b"", type="application/json"):
        """(status, body, how many records brought it)."""
        head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin-token\r\nContent-Type: {type}\r\n"
        self.session.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        self.writer.write(self.sent.read())
        found, records = b"", 0
        while not _whole(found):
            records += await self._record() == APPLICATION_DATA
            with contextlib.suppress(ssl.SSLWantReadError):
                while True:
                    found += self.session.read()
        head, _, content = found.partition(b"\r\n\r\n")
        return int(head.split()[1]), content, records


def _whole(text):
    head, end, content = text.partition(b"\r\n\r\n")
    if not end:
        return False
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    return len(content) >= int(length.partition(b":")[2])


@contextlib.asynccontextmanager
async def wire(world):
    reader, writer = await asyncio.open_connection("127.0.0.1", world.ports[0])
    made = Wire(reader, writer, world.tls)
    await made.shake_hands()
    await made.ask("GET", "/version")  # takes the tickets of the session away, which are records too
    yield made
    writer.close()


@pytest.mark.parametrize("padding", [0, 10_000])
async def test_head_and_body_are_one_record(world, padding):
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"a": "x" * padding}}
    text = json.dumps(body).encode()
    folder = "/api/v1/namespaces/default/configmaps"
    async with world("sandbox") as w, wire(w) as client:
        code, _, records = await client.ask("PATCH", f"{folder}/a?fieldManager=tests", text, "application/apply-patch+yaml")
        assert (code, records) == (201, 1)
        code, content, records = await client.ask("GET", f"{folder}/a")
        assert (code, records) == (200, 1)
        assert len(json.loads(content)["data"]["a"]) == padding
        for method, path, wanted in (
            ("GET", f"{folder}/missing", 404),
            ("GET", folder, 200),
            ("DELETE", f"{folder}/a", 200),
            ("GET", "/readyz", 200),
            ("GET", "/sandbox/control", 200),
        ):
            code, _, records = await client.ask(method, path)
            assert (path, code, records) == (path, wanted, 1)


async def test_the_system_sends_them_at_once(world):
    async with world("sandbox") as w, wire(w):
        served = list(w.sandbox.listeners[0].state.connections)
        assert len(served) == 1
        assert served[0].transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
