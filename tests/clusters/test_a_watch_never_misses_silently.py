"""List and watch against a scripted server: what is resumed, what is listed anew, and that vanished objects are told."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from stub_server import answer, reset, serving, status, stream

from appdelivery import errors
from appdelivery.clusters import fleet, reflector, transport
from appdelivery.clusters.credentials import Credentials
from appdelivery.model.live import ClusterFacts, Served
from appdelivery.model.refs import Kind, Selector

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from aiohttp import web

    from appdelivery.delivery.ports import Observed

CONFIG_MAP, SECRET = Kind("", "v1", "ConfigMap"), Kind("", "v1", "Secret")
SERVED = {
    CONFIG_MAP: Served(CONFIG_MAP, "configmaps", True, frozenset()),
    SECRET: Served(SECRET, "secrets", True, frozenset()),
}
FACTS = ClusterFacts("stub", "", "v1.36.3", SERVED, datetime(2026, 1, 1, tzinfo=UTC))
QUICK = transport.Limits(idle_s=0.2)


@pytest.fixture(autouse=True)
def short_pauses(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is resumed and told does not depend on how long was waited; the tests of the pauses themselves keep them."""
    if not request.node.name.endswith("without_pause"):
        monkeypatch.setattr(reflector, "FIRST_S", 0.01)


def item(name: str, version: int, namespace: str = "shop") -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": namespace, "resourceVersion": str(version), "uid": f"u-{name}"}}


def event(kind: str, name: str, version: int) -> dict[str, Any]:
    return {"type": kind, "object": item(name, version)}


def bookmark(version: int) -> dict[str, Any]:
    return {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": str(version)}}}


GONE = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}}


@dataclass
class Script:
    """Lists and watches are answered from two queues; the last list answers for ever, an empty queue of watches holds."""

    lists: deque[Any]
    watches: deque[Callable[[web.Request], Any]] = field(default_factory=deque)
    asked: list[tuple[str, str]] = field(default_factory=list)  # (list or watch, resourceVersion)

    async def handler(self, request: web.Request) -> web.StreamResponse:
        if "watch" not in request.query:
            self.asked.append(("list", ""))
            names = self.lists.popleft() if len(self.lists) > 1 else self.lists[0]
            version, items = names
            return answer({"metadata": {"resourceVersion": str(version)}, "items": items})
        self.asked.append(("watch", request.query["resourceVersion"]))
        if self.watches:
            return await self.watches.popleft()(request)
        response = await stream(request)
        await asyncio.sleep(60)
        return response


def ends(*lines: Any) -> Any:
    return lambda request: stream(request, *lines)


def holds(*lines: Any) -> Any:
    async def answering(request: web.Request) -> web.StreamResponse:
        response = await stream(request, *lines)
        await asyncio.sleep(60)
        return response

    return answering


def cut(*lines: Any) -> Any:
    async def answering(request: web.Request) -> web.StreamResponse:
        response = await stream(request, *lines)
        reset(request)
        return response

    return answering


def refuses(code: int, message: str = "") -> Any:
    async def answering(request: web.Request) -> web.StreamResponse:
        return status(code, message)

    return answering


@contextlib.asynccontextmanager
async def watching(
    handler: Any, *kinds: Kind, namespaces: tuple[str, ...] = (), limits: transport.Limits | None = None
) -> AsyncIterator[AsyncIterator[Observed]]:
    async with serving(handler) as url:
        made = fleet.ClusterFleet({"stub": fleet.Connection(Credentials(url), FACTS)}, instance="0a1b2c3d", limits=limits)
        try:
            watch = made.watch("stub", kinds or (CONFIG_MAP,), namespaces, Selector(labels="a=b"))
            async with contextlib.aclosing(watch) as observed, asyncio.timeout(20):  # type: ignore[type-var]
                yield observed
        finally:
            await made.close()


async def take(observed: AsyncIterator[Observed], count: int) -> list[tuple[str, str, int]]:
    seen = []
    async for one in observed:
        seen.append((one.kind, one.fact.ref.name if one.fact else "", one.fact.version if one.fact else 0))
        if len(seen) == count:
            break
    return seen


async def test_a_watch_that_ends_goes_on_where_it_stopped() -> None:
    script = Script(deque([(5, [item("a", 3)])]), deque([ends(event("MODIFIED", "a", 7)), holds(event("ADDED", "b", 9))]))
    async with watching(script.handler) as observed:
        seen = await take(observed, 4)
    assert seen == [("seen", "a", 3), ("resync", "", 0), ("seen", "a", 7), ("seen", "b", 9)]
    assert script.asked == [("list", ""), ("watch", "5"), ("watch", "7")]


async def test_bookmarks_move_the_position_without_an_event() -> None:
    script = Script(deque([(5, [])]), deque([ends(bookmark(40)), holds(event("ADDED", "b", 41))]))
    async with watching(script.handler) as observed:
        assert await take(observed, 2) == [("resync", "", 0), ("seen", "b", 41)]
    assert script.asked[-1] == ("watch", "40")


@pytest.mark.parametrize(
    "trouble",
    [
        cut(event("ADDED", "b", 8)),
        ends(event("ADDED", "b", 8), b'{"type": "ADDED", "obj'),
        holds(event("ADDED", "b", 8)),
        ends(event("ADDED", "b", 8), {"type": "ERROR", "object": {"code": 500, "message": "etcd is away"}}),
    ],
    ids=["reset", "half a line", "silence", "an error event"],
)
async def test_a_broken_watch_is_taken_up_where_it_broke(trouble: Any) -> None:
    script = Script(deque([(5, [])]), deque([trouble, holds(event("ADDED", "c", 9))]))
    async with watching(script.handler, limits=QUICK) as observed:
        seen = await take(observed, 3)
    assert seen == [("resync", "", 0), ("seen", "b", 8), ("seen", "c", 9)]
    assert script.asked == [("list", ""), ("watch", "5"), ("watch", "8")]


@pytest.mark.parametrize("gone", [refuses(410, "too old"), ends(GONE)], ids=["as a status", "as an event"])
async def test_a_410_lists_anew_and_tells_what_vanished(gone: Any) -> None:
    lists = deque([(5, [item("a", 3), item("b", 4)]), (50, [item("b", 44), item("c", 45)])])
    script = Script(lists, deque([gone, holds(event("DELETED", "c", 51))]))
    async with watching(script.handler) as observed:
        first = await take(observed, 3)
        second = await take(observed, 5)
    assert first == [("seen", "a", 3), ("seen", "b", 4), ("resync", "", 0)]
    assert second == [("seen", "b", 44), ("seen", "c", 45), ("gone", "a", 3), ("resync", "", 0), ("gone", "c", 51)]
    assert script.asked == [("list", ""), ("watch", "5"), ("list", ""), ("watch", "50")]


async def test_a_server_that_always_says_410_is_not_asked_without_pause() -> None:
    """kr8s 0.20 asked again at once, hundreds of times a second."""
    script = Script(deque([(5, [])]), deque([ends(GONE)] * 100))
    async with watching(script.handler) as observed:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.5):
                await take(observed, 100)
    assert 3 <= len(script.asked) <= 16


async def test_a_server_that_always_hangs_up_is_not_asked_without_pause() -> None:
    script = Script(deque([(5, [])]), deque([ends()] * 100))
    async with watching(script.handler) as observed:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.5):
                await take(observed, 100)
    assert len(script.asked) <= 12


async def test_an_unreachable_list_is_tried_until_it_works() -> None:
    calls = []

    async def handler(request: web.Request) -> web.StreamResponse:
        calls.append(request.path)
        if len(calls) <= 2:
            return status(503, "starting")
        return await script.handler(request)

    script = Script(deque([(5, [item("a", 3)])]))
    async with watching(handler) as observed:
        assert await take(observed, 2) == [("seen", "a", 3), ("resync", "", 0)]


@dataclass
class Fenced:
    """A server where only the namespace `shop` and `more` may be read."""

    allowed: tuple[str, ...] = ("shop", "more")
    asked: list[str] = field(default_factory=list)

    async def handler(self, request: web.Request) -> web.StreamResponse:
        namespace = request.path.split("/")[4] if "/namespaces/" in request.path else ""
        if "watch" in request.query:
            return await holds(event("ADDED", f"new-in-{namespace}", 9))(request)
        self.asked.append(namespace)
        if namespace not in self.allowed:
            return status(403, f"not in '{namespace}'")
        return answer({"metadata": {"resourceVersion": "5"}, "items": [item(f"in-{namespace}", 3, namespace)]})


async def test_namespaces_are_watched_one_by_one_where_the_cluster_is_forbidden() -> None:
    fenced = Fenced()
    async with watching(fenced.handler, namespaces=("shop", "more")) as observed:
        seen = await take(observed, 5)
    assert seen[:3] == [("seen", "in-shop", 3), ("seen", "in-more", 3), ("resync", "", 0)]
    assert {name for _, name, _ in seen[3:]} == {"new-in-shop", "new-in-more"}
    assert fenced.asked == ["", "shop", "more"]


async def test_a_kind_that_may_be_read_nowhere_raises_forbidden() -> None:
    async with watching(Fenced(()).handler, namespaces=("shop", "more")) as observed:
        with pytest.raises(errors.Forbidden, match="shop"):
            await take(observed, 1)


async def test_a_failure_of_our_own_ends_the_watch_instead_of_silencing_it() -> None:
    def judge(_: Any) -> Any:
        raise ZeroDivisionError("a rule of ours")

    script = Script(deque([(5, [item("a", 3)])]))
    async with serving(script.handler) as url:
        preset = {"stub": fleet.Connection(Credentials(url), FACTS)}
        made = fleet.ClusterFleet(preset, instance="0a1b2c3d", judge=judge)
        try:
            watch = made.watch("stub", [CONFIG_MAP], [], Selector())
            async with contextlib.aclosing(watch) as observed, asyncio.timeout(5):  # type: ignore[type-var]
                with pytest.raises(ZeroDivisionError):
                    await take(observed, 1)
        finally:
            await made.close()


async def test_objects_of_other_namespaces_are_not_shown() -> None:
    script = Script(deque([(5, [item("a", 3, "shop"), item("b", 4, "other")])]))
    async with watching(script.handler, namespaces=("shop", "more")) as observed:
        assert await take(observed, 2) == [("seen", "a", 3), ("resync", "", 0)]


async def test_the_body_of_a_secret_goes_no_further_than_its_digest() -> None:
    script = Script(deque([(5, [item("a", 3) | {"data": {"p": "czNjcmV0"}}])]))
    async with watching(script.handler, SECRET) as observed:
        async for one in observed:
            assert (one.kind, one.live) == ("seen", None)
            break
    async with watching(script.handler, CONFIG_MAP) as observed:
        async for one in observed:
            assert one.live is not None
            break
