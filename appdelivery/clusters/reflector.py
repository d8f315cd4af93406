"""List and watch of kinds: starts with what is there, then every change, for ever, and never misses silently.

Bookmarks keep the position fresh, a dropped or silent connection resumes where it stopped, a 410 lists anew and reports
what vanished meanwhile.  Called by fleet.py; one task per kind, merged through a queue.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from appdelivery import errors
from appdelivery.clusters import answers, facts, reading, wire
from appdelivery.delivery.ports import Observed

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence

    from appdelivery.clusters.cluster import Cluster
    from appdelivery.clusters.facts import Eyes
    from appdelivery.model.live import LiveFact
    from appdelivery.model.refs import Kind, Ref, Selector

FIRST_S, SOON_S, LAST_S = 0.25, 1.0, 30.0  # back-off: up to a second while trouble is young, then up to half a minute
YOUNG_S = 30.0
FINAL = (errors.Forbidden, errors.NotServed, errors.Unauthorized, errors.Rejected)


async def watch(
    cluster: Cluster, kinds: Sequence[Kind], namespaces: Sequence[str], selector: Selector, eyes: Eyes
) -> AsyncIterator[Observed]:
    """Raises what cannot pass by waiting: Forbidden or NotServed (of a kind), Unauthorized."""
    queue: asyncio.Queue[Observed | Exception] = asyncio.Queue(maxsize=1000)
    tasks = [
        asyncio.create_task(_Reflector(cluster, kind, tuple(namespaces), selector, eyes, queue).run()) for kind in kinds
    ]
    try:
        while True:
            seen = await queue.get()
            if isinstance(seen, Exception):
                raise seen
            yield seen
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Gone(Exception):
    """The position is too old: list anew."""


class _Pause:
    """Back-off: short while trouble is young, so that a restarted server is noticed at once; long when it lasts."""

    def __init__(self) -> None:
        self._delay = FIRST_S
        self._since: float | None = None

    def calm(self) -> None:
        self._delay, self._since = FIRST_S, None

    def over(self) -> None:
        """Trouble ended; the delay stays until an event came, or list and 410 would chase each other."""
        self._since = None

    async def between(self) -> None:
        await self._sleep()

    async def after_trouble(self) -> None:
        if self._since is None:
            self._since = time.monotonic()
        await self._sleep()

    async def _sleep(self) -> None:
        delay = self._delay
        young = self._since is None or time.monotonic() - self._since < YOUNG_S
        self._delay = min(delay * 2, SOON_S if young else LAST_S)
        await asyncio.sleep(delay * random.uniform(0.5, 1.5))  # noqa: S311 - spreads relists


@dataclass(slots=True)
class _Reflector:
    cluster: Cluster
    kind: Kind
    namespaces: tuple[str, ...]
    selector: Selector
    eyes: Eyes
    queue: asyncio.Queue[Any]
    known: dict[Ref, LiveFact] = field(default_factory=dict)
    pause: _Pause = field(default_factory=_Pause)

    async def run(self) -> None:
        try:
            while True:
                try:
                    positions = await self._list()
                    await self._follow(positions)
                except _Gone:
                    # Two 410s in a row must not become a loop at full speed.
                    await self.pause.between()
                except FINAL:
                    raise
                except errors.ClusterError:
                    await self.pause.after_trouble()
        # Whatever it is, a bug of ours included: a watch that ended must not look like one that is quiet.
        except Exception as error:
            await self.queue.put(error)

    async def _list(self) -> dict[str, str]:
        """Reports everything anew, what vanished as gone, then the resync; gives the position of every scope."""
        positions, present = {}, set()
        for scope, items, position in await self._lists():
            positions[scope] = position
            for body in items:
                if self._wanted(body):
                    present.add(await self._seen(body))
        for ref in [ref for ref in self.known if ref not in present]:
            await self.queue.put(Observed("gone", self.kind, self.known.pop(ref)))
        await self.queue.put(Observed("resync", self.kind))
        self.pause.over()
        return positions

    async def _lists(self) -> list[tuple[str, list[dict[str, Any]], str]]:
        """(scope, items, position): the whole cluster as '', or the namespaces where that is forbidden or there is one."""
        inside = self.namespaces if (await self.cluster.served(self.kind)).namespaced else ()
        if not inside or (len(inside) > 1 and self.kind not in self.cluster.hidden):
            try:
                return [("", *await reading.whole(self.cluster, self.kind, "", self.selector))]
            except errors.Forbidden:
                if not inside:
                    raise
                self.cluster.hidden.add(self.kind)
        return [(one, *await reading.whole(self.cluster, self.kind, one, self.selector)) for one in inside]

    def _wanted(self, body: dict[str, Any]) -> bool:
        namespace = body["metadata"].get("namespace", "")
        return not self.namespaces or not namespace or namespace in self.namespaces

    async def _follow(self, positions: dict[str, str]) -> None:
        """Watches every scope until one of them has to be listed anew."""
        tasks = [asyncio.create_task(self._watch(scope, position)) for scope, position in positions.items()]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _watch(self, scope: str, position: str) -> None:
        while True:
            begun = time.monotonic()
            try:
                async with contextlib.aclosing(self._events(scope, position)) as events:
                    async for kind, body in events:
                        self.pause.calm()
                        position = body["metadata"]["resourceVersion"]
                        if kind != "BOOKMARK" and self._wanted(body):
                            await (self._gone(body) if kind == "DELETED" else self._seen(body))
            except errors.Stale as error:
                raise _Gone from error
            except FINAL:
                raise
            except errors.ClusterError:
                await self.pause.after_trouble()
            else:
                if time.monotonic() - begun < 1:  # the server ended at once: do not spin
                    await self.pause.between()

    async def _events(self, scope: str, position: str) -> AsyncGenerator[tuple[str, dict[str, Any]]]:
        path = await self.cluster.collection(self.kind, scope)
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": position,
            "timeoutSeconds": str(random.randint(300, 600)),  # noqa: S311 - spreads reconnections, no secret
        } | reading.selecting(self.selector)
        doing = f"watch {self.kind} on cluster {self.cluster.name}"
        async with contextlib.aclosing(self.cluster.transport.lines(path, query, doing=doing)) as lines:
            async for line in lines:
                try:
                    event = wire.loads(line)
                    kind, body = event["type"], event["object"]
                except (ValueError, KeyError, TypeError) as error:
                    raise errors.Unreachable(f"{doing}: the stream was cut off") from error
                if kind == "ERROR":
                    raise answers.error(int(body.get("code") or 500), body, doing)
                yield kind, body

    async def _seen(self, body: dict[str, Any]) -> Ref:
        live = facts.live_of(self.kind, body)
        fact = facts.fact(self.cluster.name, live, self.eyes)
        self.known[live.ref] = fact
        # The body of a Secret goes no further than its digest.
        await self.queue.put(Observed("seen", self.kind, fact, None if self.kind.kind == "Secret" else live))
        return live.ref

    async def _gone(self, body: dict[str, Any]) -> None:
        live = facts.live_of(self.kind, body)
        self.known.pop(live.ref, None)
        await self.queue.put(Observed("gone", self.kind, facts.fact(self.cluster.name, live, self.eyes)))
