"""A worker: carries on whatever is due, beside any number of others on the same store (workflow.md sections 3, 6, 12).

For every item that the dispatcher names: claim, one bounded pass, release.  The lease decides who works on what, so a worker,
`appctl up` and `appctl resume` never work on one application at once.  A pass whose lease may have run out is abandoned
without a write.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import appdelivery
from appdelivery import errors
from appdelivery.delivery.ports import Worker
from appdelivery.model.record import changed
from appdelivery.model.run import ENDED
from appdelivery.platform import delivering, identity, planning
from appdelivery.platform.guard import guard
from appdelivery.store import dispatch_local
from appdelivery.workflow import reconcile

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from appdelivery.model.history import Lease
    from appdelivery.model.run import WorkKey
    from appdelivery.platform.local import Platform
    from appdelivery.workflow.reconcile import Passed

    Pass = Callable[[Lease], Awaitable[Passed]]

log = logging.getLogger(__name__)
KINDS = frozenset({"app"})
ROLES = ("engine",)
NEWER_S = 60.0  # until a run of a newer version is looked at again
AGAIN_S = 1.0  # until a renewal that did not get through is tried again


@dataclass(frozen=True, slots=True)
class Options:
    """concurrency: applications at once, one place of which is kept for what a person waits for.

    stop_s: a pass is abandoned so long before its lease ends by this computer's clock.  dispatch: local, procrastinate;
    '' = procrastinate where the store has its queue.
    """

    concurrency: int = 10
    lease_s: float = delivering.LEASE_S
    renew_s: float = delivering.RENEW_S
    stop_s: float = 5.0
    beat_s: float = 10.0
    tick_s: float = 1.0
    dispatch: str = ""


async def serve(p: Platform, options: Options, *, stop: asyncio.Event, carry: Pass | None = None) -> None:
    """Until `stop` is set; what is under way then is interrupted, given back, and due at once for the others.

    carry: one pass over the item of a lease; by default the newest release of the application.
    """
    guard(p.actor, "update", "every application")
    one = _Worker(p, options, stop, carry or partial(carry_on, p))
    beating = asyncio.create_task(one.beating())
    how = dispatch_local.Options(KINDS, concurrency=options.concurrency, tick_s=options.tick_s)
    try:
        await dispatcher(p, options.dispatch)(p.store, one.handle, how, stop=stop, in_thread=p.in_thread)
    finally:
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)


def dispatcher(p: Platform, wanted: str = "") -> Any:
    """What serves; the rows are the same, so that workers of either kind may share a store."""
    if wanted == "local" or (not wanted and p.store.sqlite):
        return dispatch_local.serve
    from appdelivery.store import dispatch_procrastinate

    if not p.store.sqlite and not dispatch_procrastinate.usable(p.store):
        if not wanted:
            return dispatch_local.serve
        raise errors.StoreError(
            "dispatch by procrastinate: its queue is not in the store",
            hint="pip install 'appdelivery[cluster]', then: appctl db migrate",
        )
    dispatch_procrastinate.attach(p.store)
    return dispatch_procrastinate.serve


async def carry_on(p: Platform, lease: Lease) -> Passed:
    """One pass over the newest release of an application, made from what the store keeps of it."""
    own = replace(p, fleets=[])  # connections are those of this pass
    try:
        newest = await p.in_thread(lambda: p.journal.newest(lease.app))
        found = await p.in_thread(lambda: p.journal.work(lease.key))
        run = found.run
        over = newest is None or newest.outcome != "running"
        if newest is None or (over and not found.signals and (run is None or run.state in ENDED)):
            return reconcile.Passed(run, None, found.generation)
        spec = run.spec if run is not None and run.release == newest.number else None
        planned = await planning.of_release(own, newest, spec)
        how = delivering.How(wait=(newest.options or {}).get("wait", "ready"))
        return await delivering.prepared(own, planned, newest, how, lease).once()
    finally:
        for fleet in own.fleets:
            await fleet.close()


@dataclass(slots=True)
class _Worker:
    p: Platform
    options: Options
    stop: asyncio.Event
    carry: Pass
    running: set[WorkKey] = field(default_factory=set)

    async def handle(self, key: WorkKey) -> None:
        p, o = self.p, self.options
        asked = time.monotonic()
        lease = await p.in_thread(lambda: p.journal.claim(key, p.worker, o.lease_s))
        if lease is None:
            return  # somebody else works on it, and looks again before letting go
        self.running.add(key)
        passing = asyncio.ensure_future(self.carry(lease))
        keeping = asyncio.ensure_future(self._keep(lease, asked + o.lease_s))
        stopping = asyncio.ensure_future(self.stop.wait())
        try:
            await asyncio.wait({passing, keeping, stopping}, return_when=asyncio.FIRST_COMPLETED)
            lost = keeping.done()
        finally:
            for task in (passing, keeping, stopping):
                task.cancel()
            await asyncio.gather(passing, keeping, stopping, return_exceptions=True)
            self.running.discard(key)
        if lost:
            log.warning("work on %s: the lease was lost; whoever holds it now goes on", key)
            return
        await self._give_back(lease, passing)

    async def _keep(self, lease: Lease, ends: float) -> None:
        """Renews; returns when the lease is lost or may be soon."""
        o, pause = self.options, self.options.renew_s
        while True:
            await asyncio.sleep(pause)
            left = ends - o.stop_s - time.monotonic()
            if left <= 0:
                return
            asked = time.monotonic()
            renew = partial(self.p.journal.renew, lease, o.lease_s)
            try:
                renewed = await asyncio.wait_for(self.p.in_thread(renew), left)
            except (errors.StoreError, TimeoutError) as error:
                log.warning("renew the lease of %s: %s", lease.key, error)
                pause = min(AGAIN_S, o.renew_s)
                continue
            if renewed is None:
                return
            ends, pause = asked + o.lease_s, o.renew_s

    async def _give_back(self, lease: Lease, passing: asyncio.Future[Passed]) -> None:
        release = self.p.journal.release
        begun = lease.until - timedelta(seconds=self.options.lease_s)  # by the store's clock
        if passing.cancelled():
            await self.p.in_thread(lambda: release(lease, begun))
            return
        error = passing.exception()
        if isinstance(error, errors.LostLease):
            log.warning("work on %s: %s", lease.key, error)
        elif isinstance(error, errors.TooNew):
            log.warning("%s", error)
            await self.p.in_thread(lambda: release(lease, begun + timedelta(seconds=NEWER_S)))
        elif error is not None:
            text = error.message if isinstance(error, errors.AppError) else f"our bug: {type(error).__name__}: {error}"
            log.error("work on %s: %s", lease.key, text, exc_info=None if isinstance(error, errors.AppError) else error)
            await self.p.in_thread(lambda: release(lease, error=text))
        else:
            passed = passing.result()
            held = changed(lease, generation=passed.generation)
            await self.p.in_thread(lambda: release(held, passed.due_at))

    async def beating(self) -> None:
        started = identity.clock()
        while True:
            load = {"running": len(self.running), "concurrency": self.options.concurrency}
            me = Worker(self.p.worker, ROLES, appdelivery.__version__, started, load)
            try:
                await self.p.in_thread(partial(self.p.journal.heartbeat, me))
            except errors.StoreError as error:
                log.warning("tell that this worker lives: %s", error)
            await asyncio.sleep(self.options.beat_s)
