"""Watches: a stream of events from a version on, with bookmarks, until its timeout or until either side ends it."""

from __future__ import annotations

import asyncio

from appdelivery.sandbox import status, storage
from appdelivery.sandbox.http import answers, hubs, negotiate, parameters, selectors, views

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from appdelivery.sandbox.http.answers import Answer, Receive, Send
    from appdelivery.sandbox.http.parameters import Wanted
    from appdelivery.sandbox.http.serving import Call
    from appdelivery.sandbox.kinds import Kind
    from appdelivery.sandbox.storage import Collection, Event

BOOKMARKS = 60.0  # seconds between bookmarks
BEFORE_THE_END = 2.0  # a last bookmark comes so many seconds before a stream's timeout
LONGEST = 1_800.0  # seconds of a stream that names no timeout


def watch(call: Call, kind: Kind, fault: str | None) -> Answer:
    """The answer whose stream runs until its timeout, or until either side ends it."""
    request = call.request
    form = negotiate.form(request.accept, watch=True)
    wanted = parameters.reading(request.query, watch=True)
    fields = f"metadata.name={request.name}" if request.name else wanted.fields  # the old form of watching one object
    test = selectors.matcher(kind, wanted.labels, fields)
    namespace = request.namespace if kind.namespaced and request.namespace else None
    watcher = hubs.Watcher(
        kind, form, namespace=namespace, test=test, include=request.query.get("includeObject", ""), fault=fault
    )

    async def run(receive: Receive, send: Send) -> None:
        await _run(call, watcher, wanted, receive, send)

    return answers.Answer(b"", stream=run)


async def _run(call: Call, watcher: hubs.Watcher, wanted: Wanted, receive: Receive, send: Send) -> None:
    loop = asyncio.get_running_loop()
    joined = hubs.of(call.serving, watcher.kind)
    gone = loop.create_task(_until_gone(watcher, receive))
    lasting = float(wanted.timeout or LONGEST)
    forget = _end_with_its_kind(call, watcher)
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
        forget()
        joined.leave(watcher)
        gone.cancel()
        for timer in timers:
            timer.cancel()


async def _send_all(watcher: hubs.Watcher, send: Send) -> None:
    while True:
        text = await watcher.next()
        if watcher.closed:
            return
        if text:
            await send({"type": "http.response.body", "body": text, "more_body": True})
        if watcher.over and not watcher.pending:
            await send({"type": "http.response.body", "body": watcher.held or b"", "more_body": False})
            return


async def _until_gone(watcher: hubs.Watcher, receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    watcher.leave()


def _end_with_its_kind(call: Call, watcher: hubs.Watcher) -> Callable[[], None]:
    """A custom kind that is no longer served ends its streams; gives the function that forgets about it."""
    definition = watcher.kind.definition
    if definition is None:
        return lambda: None
    cluster, kind = call.cluster, watcher.kind
    definitions = cluster.collection(cluster.kind("apiextensions.k8s.io/v1", "CustomResourceDefinition"))

    def check() -> None:
        if cluster.kinds.at(kind.group, kind.version, kind.plural) is None:
            watcher.end()

    def hear(_event: Event) -> None:
        asyncio.get_running_loop().call_soon(check)  # once the writer is done with it

    definitions.listeners[hear] = None

    def forget() -> None:
        definitions.listeners.pop(hear, None)

    return forget


def _begin(call: Call, joined: hubs.Hub, watcher: hubs.Watcher, wanted: Wanted) -> None:
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


def _expire(watcher: hubs.Watcher, message: str) -> None:
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


def _bookmarks(call: Call, watcher: hubs.Watcher, lasting: float) -> _Repeating:
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


def _release(watcher: hubs.Watcher) -> _Repeating:
    """An event that is held back goes out after a second without a next one."""
    seen: dict[str, bytes | None] = {"held": None}

    def look() -> None:
        if watcher.held is not None and watcher.held is seen["held"]:
            watcher.release()
            watcher.wake()
        seen["held"] = watcher.held

    return _Repeating(lambda: 0.5, look)
