"""`Context`: what a controller is handed beside the key: the cluster, the index, seeded names, time and events.

Time stamps in objects follow the wall; whatever waits or measures (deadlines, back-offs, stabilisation) counts
controller seconds, which `speed` scales and tests advance.  `mark` remembers when something was first seen in them.
"""

from __future__ import annotations

import random
from datetime import timedelta

from appdelivery.sandbox.controllers import addresses, events, figures, index
from appdelivery.sandbox.controllers.scheduler import lines, rooms

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from typing import Any

    from appdelivery.sandbox.cluster import Cluster
    from appdelivery.sandbox.controllers.scaling import History
    from appdelivery.sandbox.kinds import Family
    from appdelivery.sandbox.storage import Body, Key

ENTRY = "203.0.112.1"
SAFE = "bcdfghjklmnpqrstvwxz2456789"  # as real servers write random names: no vowels, no look-alikes


class Context:
    def __init__(self, cluster: Cluster, *, seed: int, again: Callable[[str, Key, float], None]) -> None:
        self.cluster = cluster
        self.clock = cluster.clock
        self.index = index.Index(cluster.storage)
        self.events = events.Recorder(cluster)
        # The revision, so that a restored cluster does not draw the names that are taken.
        self.random = random.Random(f"{cluster.name}/{seed}/{cluster.storage.revision}")  # noqa: S311 - names, no secrets
        self.again = again  # (controller, key, seconds): reconciles the key later
        self.addresses = addresses.Pool()
        self.rooms = rooms.Rooms()
        self.line = lines.Line()
        self.certificate = ""  # of the authority that signs for this cluster, as pods find it
        self.figures = figures.Figures()
        self.histories: dict[str, History] = {}  # of autoscalers, by uid
        self._marks: dict[tuple[str, str], tuple[Any, float]] = {}
        self._balancers = 0
        self._stamped = 0, ""
        self._began = cluster.clock.now() - timedelta(seconds=cluster.clock.elapsed())

    def suffix(self, length: int = 5) -> str:
        return "".join(self.random.choices(SAFE, k=length))

    def outside(self) -> str:
        """The address of a load balancer, the next one each time."""
        self._balancers += 1
        return f"203.0.{113 + (self._balancers >> 8)}.{self._balancers & 255}"

    def entry(self) -> str:
        """The address at which the cluster's ingress controller and gateways listen."""
        return ENTRY

    def stamp(self) -> str:
        """Of conditions; made once a second, since most of them are thrown away again."""
        now = int(self.clock.now().timestamp())
        if now != self._stamped[0]:
            self._stamped = now, self.clock.stamp()
        return self._stamped[1]

    def time(self) -> datetime:
        """The wall as controllers feel it: it passes with `speed`."""
        return self._began + timedelta(seconds=self.clock.elapsed())

    def mark(self, uid: str, what: str, value: Any = None) -> float:
        """Controller seconds since `value` was first given for this; a new value starts anew."""
        now = self.clock.elapsed()
        known = self._marks.get((uid, what))
        if known is None or known[0] != value:
            known = self._marks[uid, what] = (value, now)
        return now - known[1]

    def touch(self, uid: str, what: str) -> None:
        """From now on `mark` counts anew."""
        self._marks[uid, what] = (None, self.clock.elapsed())

    def forget(self, uid: str) -> None:
        for one in MARKS:
            self._marks.pop((uid, one), None)
        self.histories.pop(uid, None)

    def item(self, family: Family, key: Key) -> Body | None:
        found = self.cluster.storage.family(family).get(key)
        return None if found is None else found.body


MARKS = ("available", "progress", "finished", "began", "not-ready", "weather", "taint", "attempt")
