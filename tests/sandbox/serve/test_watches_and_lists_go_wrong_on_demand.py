"""Faults of watches and lists, as a client sees them over a real connection."""

from __future__ import annotations

import asyncio
import json

import pytest

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"


class Watch:
    """Events of ConfigMaps from now on."""

    def __init__(self, w, version):
        self.w = w
        self.version = version

    async def __aenter__(self):
        self.reader, self.writer = await self.w.connect()
        path = f"{CONFIG_MAPS}?watch=1&resourceVersion={self.version}"
        self.writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin-token\r\n\r\n".encode())
        await self.reader.readuntil(b"\r\n\r\n")
        return self

    async def __aexit__(self, *_):
        self.writer.close()

    async def next(self):
        """The next event; events may share a chunk."""
        while not getattr(self, "lines", None):
            size = int((await self.reader.readuntil(b"\r\n")).strip(), 16)
            if not size:
                return None
            self.lines = (await self.reader.readexactly(size + 2)).strip().splitlines()
        event = json.loads(self.lines.pop(0))
        return event["type"], event["object"].get("metadata", {}).get("name") or event["object"].get("code")


async def watching(w, fault):
    _, before = await w.get(CONFIG_MAPS)
    assert (await w.control("POST", "faults", {"do": fault, "kinds": ["configmaps"]}))[0] == 200
    return Watch(w, before["metadata"]["resourceVersion"])


async def test_a_stalled_watch_says_nothing(world):
    async with world("sandbox") as w, await watching(w, "stall") as watch:
        await w.make("a")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(watch.next(), 0.1)


async def test_an_expired_watch_ends_with_410(world):
    async with world("sandbox") as w, await watching(w, "expire") as watch:
        assert await watch.next() == ("ERROR", 410)
        assert await watch.next() is None


async def test_events_come_twice(world):
    async with world("sandbox") as w, await watching(w, "duplicate") as watch:
        await w.make("a")
        await w.make("b")
        assert [await watch.next() for _ in range(4)] == [("ADDED", name) for name in "aabb"]


async def test_events_come_in_the_wrong_order_and_none_is_lost(world):
    async with world("sandbox") as w, await watching(w, "reorder") as watch:
        for name in "abcd":
            await w.make(name)
        seen = [(await watch.next())[1] for _ in range(4)]
        assert sorted(seen) == list("abcd")
        assert seen != list("abcd")


async def test_a_stale_list_is_one_that_was_true_before(world):
    async with world("sandbox") as w:
        await w.make("a")
        _, then = await w.get(CONFIG_MAPS)
        await w.make("b")
        await w.control(
            "POST", "faults", {"do": "stale", "value": 1, "verbs": ["list"], "kinds": ["configmaps"], "count": 1}
        )
        _, stale = await w.get(CONFIG_MAPS)
        assert [item["metadata"]["name"] for item in stale["items"]] == [item["metadata"]["name"] for item in then["items"]]
        assert await w.names() == ["a", "b"]
