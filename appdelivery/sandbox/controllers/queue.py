"""`Controllers`: hears every event of a cluster, keeps the keys that need work, and reconciles them one by one.

A key waits once per controller, however often it was named, and first come is first served, so equal histories give
equal outcomes.  `settle` empties the queue at once (tests, and whoever starts a cluster); `run` serves it for ever
between requests.  A reconcile that is refused is tried again later, each time after twice as long.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque

from appdelivery.sandbox import status, storage
from appdelivery.sandbox.controllers import context as contexts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from appdelivery.sandbox.cluster import Cluster
    from appdelivery.sandbox.controllers.context import Context
    from appdelivery.sandbox.controllers.figures import Figures
    from appdelivery.sandbox.kinds import Family
    from appdelivery.sandbox.storage import Event, Key

    Hear = Callable[[Context, Event], Iterable[Key]]
    Work = tuple["Controller", Key]

FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0  # seconds after a refusal
SLICE = 1  # reconciles between two looks at the network: a burst of fifty would hold requests up for a tenth of a second
ENDLESS = 1_000_000  # reconciles of one settle: two controllers undo each other
log = logging.getLogger(__name__)


class Controller:
    """reconcile brings what the key names one step nearer to what it asks for; hears: the keys that an event concerns."""

    __slots__ = ("hears", "name", "reconcile")

    def __init__(self, name: str, reconcile: Callable[[Context, Key], None], hears: Mapping[Family, Hear]) -> None:
        self.name = name
        self.reconcile = reconcile
        self.hears = hears


class Controllers:
    def __init__(self, cluster: Cluster, table: Sequence[Controller], *, seed: int = 0) -> None:
        self.cluster = cluster
        self.context = contexts.Context(cluster, seed=seed, again=self._again)
        self._named = {one.name: one for one in table}
        self._hears: dict[Family, list[tuple[Controller, Hear]]] = {}
        for one in table:
            for family, hear in one.hears.items():
                self._hears.setdefault(family, []).append((one, hear))
        self._queue: deque[Work] = deque()
        self._queued: set[Work] = set()
        self._timers: dict[Work, tuple[float, Callable[[], None]]] = {}
        self._failures: dict[Work, int] = {}
        self._wake = asyncio.Event()
        self._busy = False
        self._serving = False
        cluster.storage.listen(self.hear)

    @property
    def figures(self) -> Figures:
        """What autoscalers see; see `figures`."""
        return self.context.figures

    def hear(self, event: Event) -> None:
        self.context.index.hear(event)
        for controller, hear in self._hears.get(event.family, ()):
            try:
                for key in hear(self.context, event):
                    self._add((controller, key))
            except Exception:
                # The write that is heard of took effect: whoever sent it must not be told otherwise by a fault of ours.
                if not self._serving:
                    raise
                log.exception(
                    "controller %s of cluster %s could not hear of %s", controller.name, self.cluster.name, event.item.key
                )
        if event.type == storage.DELETED:
            self.context.forget(event.item.uid)

    def resume(self) -> None:
        """Takes up a restored cluster: everything that is there is heard as new."""
        for family, kept in self.cluster.storage.families():
            for item in kept.items():
                self.hear(storage.Event(storage.ADDED, family, item, None))

    def settle(self) -> int:
        """Works until nothing is left to do now; how many reconciles it took."""
        if self._busy:  # a timer rang inside a reconcile
            return 0
        done = 0
        while self._queue:
            self._step()
            done += 1
            if done > ENDLESS:
                raise RuntimeError(
                    f"the controllers do not come to rest; next: {self._queue[0][0].name} {self._queue[0][1]}"
                )
        return done

    async def run(self) -> None:
        """Works whenever there is something to do, until it is cancelled."""
        self._serving = True
        try:
            while True:
                self._wake.clear()
                for _ in range(min(SLICE, len(self._queue))):
                    self._step()
                if self._queue:
                    await asyncio.sleep(0)
                else:
                    await self._wake.wait()
        finally:
            self._serving = False

    def _add(self, work: Work) -> None:
        if work not in self._queued:
            self._queued.add(work)
            self._queue.append(work)
            self._wake.set()

    def _step(self) -> None:
        work = self._queue.popleft()
        self._queued.discard(work)
        self._busy = True
        try:
            work[0].reconcile(self.context, work[1])
            self._failures.pop(work, None)
        except status.Refusal as refusal:
            self._retry(work, refusal)
        except Exception:
            # A fault of ours in one controller must not stop the others of a running sandbox; a test shall see it.
            if not self._serving:
                raise
            log.exception("controller %s of cluster %s failed on %s", work[0].name, self.cluster.name, work[1])
            self._retry(work, None)
        finally:
            self._busy = False

    def _retry(self, work: Work, refusal: status.Refusal | None) -> None:
        failures = self._failures[work] = self._failures.get(work, 0) + 1
        log.debug("controller %s was refused on %s: %s", work[0].name, work[1], refusal)
        self._again(work[0].name, work[1], min(FIRST_WAIT * 2 ** (failures - 1), LONGEST_WAIT))

    def _again(self, name: str, key: Key, seconds: float) -> None:
        """At once when there is nothing to wait for; an earlier timer for the same key is good enough: it sets the next one."""
        work = (self._named[name], key)
        if seconds <= 0:
            self._add(work)
            return
        due = self.cluster.clock.elapsed() + seconds
        known = self._timers.get(work)
        if known is not None:
            if known[0] <= due:
                return
            known[1]()
        self._timers[work] = (due, self.cluster.clock.later(seconds, lambda: self._ring(work)))

    def _ring(self, work: Work) -> None:
        self._timers.pop(work, None)
        self._add(work)
        if not self._serving:
            self.settle()


def itself(_: Context, event: Event) -> Iterable[Key]:
    return (event.item.key,)
