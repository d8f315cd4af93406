"""Watches: a stream of events from a version on, for many watchers of one collection at once.

A `Hub` hears the collection and encodes every event once for each representation that somebody watches; a `Watcher` is
one stream: what it is still to send, and when to wake.  Writers never wait for watchers: one that does not read is ended.
"""

from __future__ import annotations

import asyncio

from appdelivery.sandbox import status, storage
from appdelivery.sandbox.http import answers, negotiate, parameters, selectors, views

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from appdelivery.sandbox.cluster import Cluster
    from appdelivery.sandbox.http.answers import Answer, Receive, Send
    from appdelivery.sandbox.http.negotiate import Form
    from appdelivery.sandbox.http.parameters import Wanted
    from appdelivery.sandbox.http.selectors import Test
    from appdelivery.sandbox.http.serving import Call, Serving
    from appdelivery.sandbox.kinds import Kind
    from appdelivery.sandbox.storage import Collection, Event, Item

PACE = 0.004  # seconds between two sends of a busy hub: events that come in between go together
MOST_WAITING = 10_000  # events that a watcher may be behind
BOOKMARKS = 60.0  # seconds between bookmarks
BEFORE_THE_END = 2.0  # a last bookmark comes so many seconds before a stream's timeout
LONGEST = 1_800.0  # seconds of a stream that names no timeout


class Watcher:
    """One stream.  held: an event that a fault keeps back."""

    __slots__ = (
        "_wake",
        "closed",
        "fault",
        "form",
        "held",
        "include",
        "kind",
        "namespace",
        "over",
        "pending",
        "started",
        "test",
    )

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
        if len(self.pending) > MOST_WAITING:
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
        self._rested = asyncio.get_running_loop().time() + PACE
        for watcher in self._watchers:
            if watcher.pending or watcher.over:
                watcher.wake()


def _left(old: Item, new: Item) -> Item:
    """What a stream sees of an object that no longer matches: the last it knew, at the version it left."""
    metadata = {**old.body["metadata"], "resourceVersion": new.body["metadata"]["resourceVersion"]}
    return storage.Item({**old.body, "metadata": metadata}, new.revision)


def hub(serving: Serving, kind: Kind) -> Hub:
    found = serving.hubs.get(kind.family)
    if found is None:
        found = serving.hubs[kind.family] = Hub(serving.cluster, serving.cluster.collection(kind))
    return found


def watch(call: Call, kind: Kind, fault: str | None) -> Answer:
    """The answer whose stream runs until its timeout, or until either side ends it."""
    request = call.request
    form = negotiate.form(request.accept, watch=True)
    wanted = parameters.reading(request.query, watch=True)
    fields = f"metadata.name={request.name}" if request.name else wanted.fields  # the old form of watching one object
    test = selectors.matcher(kind, wanted.labels, fields)
    namespace = request.namespace if kind.namespaced and request.namespace else None
    watcher = Watcher(
        kind, form, namespace=namespace, test=test, include=request.query.get("includeObject", ""), fault=fault
    )  # fmt: skip

    async def run(receive: Receive, send: Send) -> None:
        await _run(call, watcher, wanted, receive, send)

    return answers.Answer(b"", stream=run)


async def _run(call: Call, watcher: Watcher, wanted: Wanted, receive: Receive, send: Send) -> None:
    loop = asyncio.get_running_loop()
    joined = hub(call.serving, watcher.kind)
    gone = loop.create_task(_until_gone(watcher, receive))
    lasting = float(wanted.timeout or LONGEST)
    timers: list[asyncio.TimerHandle | _Repeating] = [loop.call_later(lasting, watcher.end)]
    try:
        if watcher.fault == "expired":
            _expire(watcher, "too old resource version")
        elif watcher.fault != "stall":
            _begin(call, joined, watcher, wanted)
            if wanted.bookmarks and lasting > BEFORE_THE_END:
                timers.append(_bookmarks(call, watcher, lasting))
            if watcher.fault == "reorder":
                timers.append(_release(watcher))
        await _send_all(watcher, send)
    finally:
        joined.leave(watcher)
        gone.cancel()
        for timer in timers:
            timer.cancel()


async def _send_all(watcher: Watcher, send: Send) -> None:
    while True:
        text = await watcher.next()
        if watcher.closed:
            return
        if text:
            await send({"type": "http.response.body", "body": text, "more_body": True})
        if watcher.over and not watcher.pending:
            await send({"type": "http.response.body", "body": watcher.held or b"", "more_body": False})
            return


async def _until_gone(watcher: Watcher, receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    watcher.leave()


def _begin(call: Call, joined: Hub, watcher: Watcher, wanted: Wanted) -> None:
    """What is there already or has happened since, then the stream; nothing can come in between."""
    cluster, kind = call.cluster, watcher.kind
    kept = cluster.collection(kind)
    if not wanted.version or wanted.initial:
        for item in kept.items(watcher.namespace):
            if watcher.test is None or watcher.test(item.body):
                headers = watcher.form.shape == views.TABLE and not watcher.started
                text = views.watched(cluster, kind, item, watcher.form, headers=headers, include=watcher.include)
                watcher.put(views.event(storage.ADDED, text))
        if wanted.bookmarks:
            revision = cluster.storage.revision
            watcher.pending.append(views.bookmark(kind, watcher.form, revision=revision, initial=True))
    elif wanted.version < kept.floor:
        _expire(watcher, f"too old resource version: {wanted.version} ({kept.floor})")
        return
    else:
        for event in _since(kept, wanted.version):
            joined.tell(watcher, event, {})
    joined.join(watcher)


def _since(kept: Collection, version: int) -> list[Event]:
    found = []
    for event in reversed(kept.history):
        if event.revision <= version:
            break
        found.append(event)
    found.reverse()
    return found


def _expire(watcher: Watcher, message: str) -> None:
    watcher.pending.append(views.event("ERROR", answers.encode(status.expired(message).body())))
    watcher.end()


class _Repeating:
    """Calls again and again, after the seconds that `wait` gives each time, until it is cancelled or gives None."""

    def __init__(self, wait: Callable[[], float | None], call: Callable[[], None]) -> None:
        self._wait = wait
        self._call = call
        self._handle: asyncio.TimerHandle | None = None
        self._set()

    def _set(self) -> None:
        seconds = self._wait()
        self._handle = None if seconds is None else asyncio.get_running_loop().call_later(seconds, self._ring)

    def _ring(self) -> None:
        self._call()
        self._set()

    def cancel(self) -> None:
        if self._handle:
            self._handle.cancel()


def _bookmarks(call: Call, watcher: Watcher, lasting: float) -> _Repeating:
    loop = asyncio.get_running_loop()
    end = loop.time() + lasting - BEFORE_THE_END
    state = {"last": False}

    def wait() -> float | None:
        if state["last"]:
            return None
        left = end - loop.time()
        state["last"] = left <= BOOKMARKS
        return max(min(left, BOOKMARKS), 0.0)

    def mark() -> None:
        revision = call.cluster.storage.revision
        watcher.release()
        watcher.pending.append(views.bookmark(watcher.kind, watcher.form, revision=revision))
        watcher.wake()

    return _Repeating(wait, mark)


def _release(watcher: Watcher) -> _Repeating:
    """An event that is held back goes out after a second without a next one."""
    seen: dict[str, bytes | None] = {"held": None}

    def look() -> None:
        if watcher.held is not None and watcher.held is seen["held"]:
            watcher.release()
            watcher.wake()
        seen["held"] = watcher.held

    return _Repeating(lambda: 0.5, look)
