"""Who watches a collection: a `Hub` hears it and encodes every event once for each representation that somebody watches; a
`Watcher` is one stream: what it is still to send, and when to wake.

Writers never wait for watchers: one that does not read is ended.
"""

from __future__ import annotations

import asyncio
import sys

from appdelivery.sandbox import storage
from appdelivery.sandbox.http import views

TYPE_CHECKING = False
if TYPE_CHECKING:
    from appdelivery.sandbox.cluster import Cluster
    from appdelivery.sandbox.http.negotiate import Form
    from appdelivery.sandbox.http.selectors import Test
    from appdelivery.sandbox.http.serving import Serving
    from appdelivery.sandbox.kinds import Kind
    from appdelivery.sandbox.storage import Collection, Event, Item

PACE, SLOWEST = 0.004, 0.05  # seconds between two sends of a busy hub: events that come in between go together
CROWD = 10  # so many watchers more make it as much slower again: what they cost together stays the same
MOST_WAITING = 10_000  # events that a watcher may be behind


class Watcher:
    """One stream.  held: an event that a fault keeps back."""

    __slots__ = (
        "_wake", "closed", "fault", "form", "held", "include", "kind", "limit", "namespace", "over", "pending", "started", "test",
    )  # fmt: skip

    def __init__(
        self, kind: Kind, form: Form, *, namespace: str | None, test: Test | None, include: str, fault: str | None
    ) -> None:
        self.kind = kind
        self.form = form
        self.namespace = namespace
        self.test = test
        self.include = include
        self.fault = fault
        self.started = False  # something was sent: a Table has given its columns
        self.pending: list[bytes] = []
        self.limit = sys.maxsize  # until it has begun: what is there already may be any number
        self.held: bytes | None = None
        self.closed = False  # the client is gone
        self.over = False  # we end it
        self._wake = asyncio.Event()

    def sees(self, item: Item) -> bool:
        if self.namespace is not None and item.key[0] != self.namespace:
            return False
        return self.test is None or self.test(item.body)

    def put(self, text: bytes) -> None:
        """Without waking: the hub wakes all of its watchers together."""
        self.started = True
        if self.fault == "duplicate":
            self.pending.append(text)
        if self.fault == "reorder":
            if self.held is None:
                self.held = text
                return
            text, self.held = text + self.held, None
        self.pending.append(text)
        if len(self.pending) > self.limit:
            self.over = True

    def release(self) -> None:
        """Gives out what is held back: nothing may be lost behind a bookmark."""
        if self.held is not None:
            self.pending.append(self.held)
            self.held = None

    def wake(self) -> None:
        self._wake.set()

    def end(self) -> None:
        self.over = True
        self._wake.set()

    def leave(self) -> None:
        self.closed = True
        self._wake.set()

    async def next(self) -> bytes:
        """What there is to send, once there is something or the stream ends."""
        if not (self.pending or self.over or self.closed):
            self._wake.clear()
            await self._wake.wait()
        parts, self.pending = self.pending, []
        return b"".join(parts)


class Hub:
    """The watchers of one collection."""

    def __init__(self, cluster: Cluster, kept: Collection) -> None:
        self._cluster = cluster
        self._kept = kept
        self._watchers: dict[Watcher, None] = {}
        self._flushing = False
        self._rested = 0.0  # loop time from which on a flush may go at once

    def join(self, watcher: Watcher) -> None:
        if not self._watchers:
            self._kept.listeners[self.hear] = None
        watcher.limit = len(watcher.pending) + MOST_WAITING
        self._watchers[watcher] = None

    def leave(self, watcher: Watcher) -> None:
        self._watchers.pop(watcher, None)
        if not self._watchers:
            self._kept.listeners.pop(self.hear, None)

    def hear(self, event: Event) -> None:
        texts: dict[object, bytes] = {}
        told = False
        for watcher in self._watchers:
            told = self.tell(watcher, event, texts) or told
        if told and not self._flushing:
            self._flushing = True
            loop = asyncio.get_running_loop()
            loop.call_at(max(self._rested, loop.time()), self._flush)

    def tell(self, watcher: Watcher, event: Event, texts: dict[object, bytes]) -> bool:
        """Puts the event into one stream, as its selectors see it.  texts: what was encoded already for this event."""
        before = event.old is not None and watcher.sees(event.old)
        if event.type == storage.DELETED:
            type, item, shown = storage.DELETED, event.item, before
        else:
            after = watcher.sees(event.item)
            type = (storage.MODIFIED if before else storage.ADDED) if after else storage.DELETED
            item, shown = event.item, before or after
            if before and not after and event.old is not None:
                item = _left(event.old, event.item)
        if not shown:
            return False
        headers = watcher.form.shape == views.TABLE and not watcher.started
        representation = (watcher.kind.api_version, watcher.form, watcher.include, headers, type)
        text = texts.get(representation)
        if text is None:
            text = texts[representation] = views.event(
                type,
                views.watched(self._cluster, watcher.kind, item, watcher.form, headers=headers, include=watcher.include),
            )
        watcher.put(text)
        return True

    def _flush(self) -> None:
        self._flushing = False
        pace = min(PACE * (1 + len(self._watchers) / CROWD), SLOWEST)
        self._rested = asyncio.get_running_loop().time() + pace
        for watcher in self._watchers:
            if watcher.pending or watcher.over:
                watcher.wake()


def _left(old: Item, new: Item) -> Item:
    """What a stream sees of an object that no longer matches: the last it knew, at the version it left."""
    metadata = {**old.body["metadata"], "resourceVersion": new.body["metadata"]["resourceVersion"]}
    return storage.Item({**old.body, "metadata": metadata}, new.revision)


def of(serving: Serving, kind: Kind) -> Hub:
    found = serving.hubs.get(kind.family)
    if found is None:
        found = serving.hubs[kind.family] = Hub(serving.cluster, serving.cluster.collection(kind))
    return found
