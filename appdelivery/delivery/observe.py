"""Watches what a run waits for, one watch per cluster and kind, opened when the first object of the kind needs it.

Everything seen goes into one queue, which the walk reads.  Nothing here polls or sleeps.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from appdelivery import errors
from appdelivery.model import duration, marks
from appdelivery.model.record import record
from appdelivery.model.refs import Kind, Selector

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from appdelivery.delivery.ports import Fleet, Identity, Installation
    from appdelivery.model.live import Live, LiveFact
    from appdelivery.model.refs import AppKey, Ref

POD = Kind("", "v1", "Pod")


@record
class Sight:
    """One thing seen.  what: seen, gone, pod, resync, trouble."""

    what: str
    cluster: str
    kind: Kind
    fact: LiveFact | None = None
    live: Live | None = None
    error: errors.ClusterError | None = None
    name: str = ""  # of the one object that was asked for; '' = everything of ours

    @property
    def identity(self) -> Identity | None:
        return (self.cluster, self.fact.ref.identity) if self.fact else None

    def older(self, than: Sight | None) -> bool:
        return self.fact is not None and than is not None and than.fact is not None and self.fact.version < than.fact.version


@dataclass(slots=True)
class Observer:
    fleet: Fleet
    installation: Installation
    app: AppKey
    sleep: Callable[[float], Awaitable[None]]
    queue: asyncio.Queue[Any] = field(default_factory=asyncio.Queue)
    _tasks: dict[Any, asyncio.Task[None]] = field(default_factory=dict)

    def follow(self, cluster: str, kind: Kind, namespaces: Sequence[str], *, ours: bool = True, name: str = "") -> None:
        """ours: with our label; else the one object of a name."""
        key = (cluster, kind, ours or name)
        if key not in self._tasks:
            labels = f"{marks.INSTANCE}={self.installation.label},{marks.NAME}={self.app.name},{marks.NAMESPACE}={self.app.namespace}"
            selector = Selector(labels) if ours else Selector(fields=f"metadata.name={name}")
            self._tasks[key] = asyncio.create_task(
                self._run(cluster, kind, namespaces, selector, "seen", name="" if ours else name)
            )

    def pods(self, cluster: str, namespace: str, labels: str) -> None:
        key = (cluster, namespace, labels)
        if key not in self._tasks:
            work = self._run(cluster, POD, [namespace], Selector(labels), "pod")
            self._tasks[key] = asyncio.create_task(work)

    async def _run(
        self, cluster: str, kind: Kind, namespaces: Sequence[str], selector: Selector, what: str, *, name: str = ""
    ) -> None:
        try:
            async with contextlib.aclosing(self._stream(cluster, kind, namespaces, selector)) as seen:
                async for one in seen:
                    label = what if one.kind == "seen" else one.kind
                    self.queue.put_nowait(Sight(label, cluster, kind, one.fact, one.live, name=name))
        except errors.ClusterError as error:
            self.queue.put_nowait(Sight("trouble", cluster, kind, error=error))
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # a Bug, or a test's crash: the walk raises it in its own place
            self.queue.put_nowait(error)

    def _stream(self, cluster: str, kind: Kind, namespaces: Sequence[str], selector: Selector) -> Any:
        return self.fleet.watch(cluster, [kind], list(namespaces), selector)

    async def gone(self, cluster: str, ref: Ref, uid: str, *, within: float) -> None:
        """Returns when that very object is gone; TimedOut names what holds it."""
        watching = asyncio.ensure_future(self._vanish(cluster, ref, uid))
        timer = asyncio.ensure_future(self.sleep(within))
        try:
            await asyncio.wait({watching, timer}, return_when=asyncio.FIRST_COMPLETED)
            if watching.done():
                return watching.result()
        finally:
            watching.cancel()
            timer.cancel()
            await asyncio.gather(watching, timer, return_exceptions=True)
        held = await self.fleet.read(cluster, [ref])
        finalizers = [str(one) for live in held.values() for one in live.body["metadata"].get("finalizers") or ()]
        by = f", finalizers {', '.join(finalizers)} hold it" if finalizers else ""
        raise errors.TimedOut(
            f"delete {ref} on cluster {cluster}: still there after {duration.show(within)}{by}",
            hint="whoever set the finalizer has to remove it",
            retryable=False,
        )

    async def _vanish(self, cluster: str, ref: Ref, uid: str) -> None:
        there = False
        selector = Selector(fields=f"metadata.name={ref.name}")
        namespaces = [ref.namespace] if ref.namespace else []
        async with contextlib.aclosing(self._stream(cluster, ref.of, namespaces, selector)) as seen:
            async for one in seen:
                same = one.fact is not None and one.fact.ref.identity == ref.identity
                if one.kind == "seen" and same:
                    if one.fact.uid != uid:
                        return
                    there = True
                elif (one.kind == "gone" and same) or (one.kind == "resync" and not there):
                    return

    async def close(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
