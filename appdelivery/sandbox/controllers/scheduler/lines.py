"""`Line`: the pods that wait for a node, the most important first, and those that were tried in vain."""

from __future__ import annotations

import heapq

from appdelivery.sandbox.controllers import objects

TYPE_CHECKING = False
if TYPE_CHECKING:
    from appdelivery.sandbox.storage import Body, Key


class Line:
    """Who waits for a node.  `ready` by importance, then first come; `parked`: in vain, with the number of tries."""

    __slots__ = ("_known", "_number", "_ready", "parked")

    def __init__(self) -> None:
        self._ready: list[tuple[int, int, Key]] = []
        self._known: set[Key] = set()
        self._number = 0
        self.parked: dict[Key, int] = {}

    def add(self, pod: Body) -> None:
        key = objects.key(pod)
        if key not in self._known:
            self._known.add(key)
            self._number += 1
            heapq.heappush(self._ready, (-pod["spec"].get("priority", 0), self._number, key))

    def take(self) -> Key | None:
        if not self._ready:
            return None
        key = heapq.heappop(self._ready)[2]
        self._known.discard(key)
        return key

    def __len__(self) -> int:
        return len(self._ready)
