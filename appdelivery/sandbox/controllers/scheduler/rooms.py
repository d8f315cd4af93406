"""`Rooms`: for every node what it has, what its pods take, and which ports; kept up with every event of pods and nodes."""

from __future__ import annotations

from appdelivery.sandbox import storage
from appdelivery.sandbox.controllers import objects
from appdelivery.sandbox.controllers.scheduler import amounts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from appdelivery.sandbox.controllers.scheduler.amounts import Amounts
    from appdelivery.sandbox.storage import Body, Event, Key

    Port = tuple[str, str, int]  # (host address, protocol, number)

ANYWHERE = "0.0.0.0"  # noqa: S104 - what a pod writes who binds its port on every address of the node


class Room:
    """One node.  body: None while only pods that name it are known."""

    __slots__ = ("_levels", "_taken", "body", "compared", "has", "name", "pods", "ports", "used")

    def __init__(self, name: str) -> None:
        self.name = name
        self.body: Body | None = None
        self.has: Amounts = {}
        self.used: Amounts = {}
        self.compared: Amounts = {}
        self.pods: dict[Key, Body] = {}
        self.ports: dict[Port, int] = {}
        self._levels: dict[int, int] = {}  # how many pods of each priority
        self._taken: dict[Key, tuple[Amounts, Amounts, list[Port]]] = {}

    @property
    def labels(self) -> dict[str, str]:
        return {} if self.body is None else objects.labels(self.body)

    def take(self, key: Key, pod: Body) -> None:
        if key in self._taken:
            self.pods[key] = pod
            return
        entry = amounts.requested(pod), amounts.compared(pod), ports(pod)
        self._taken[key] = entry
        self.pods[key] = pod
        self._levels[priority(pod)] = self._levels.get(priority(pod), 0) + 1
        self._count(entry, 1)

    def give(self, key: Key) -> None:
        entry = self._taken.pop(key, None)
        if entry is not None:
            self._levels[priority(self.pods.pop(key))] -= 1
            self._count(entry, -1)

    def holds_below(self, level: int) -> bool:
        return any(count and one < level for one, count in self._levels.items())

    def without(self, keys: Collection[Key]) -> Room:
        """The same node as it would be; the pods that stay are the same."""
        room = Room(self.name)
        room.body, room.has = self.body, self.has
        for key, pod in self.pods.items():
            if key not in keys:
                room.take(key, pod)
        return room

    def _count(self, entry: tuple[Amounts, Amounts, list[Port]], sign: int) -> None:
        amounts.add(self.used, entry[0], sign)
        amounts.add(self.compared, entry[1], sign)
        for port in entry[2]:
            self.ports[port] = self.ports.get(port, 0) + sign
            if not self.ports[port]:
                del self.ports[port]


class Rooms:
    def __init__(self) -> None:
        self._rooms: dict[str, Room] = {}
        self.averse: dict[Key, Body] = {}  # placed pods that keep others away

    def nodes(self) -> list[Room]:
        """By name, so that choices do not depend on history."""
        return sorted((room for room in self._rooms.values() if room.body is not None), key=lambda room: room.name)

    def of(self, name: str) -> Room:
        return self._rooms.setdefault(name, Room(name))

    def find(self, name: str) -> Room | None:
        return self._rooms.get(name)

    def hear_node(self, event: Event) -> None:
        body = event.item.body
        room = self.of(body["metadata"]["name"])
        if event.type == storage.DELETED:
            room.body, room.has = None, {}
            return
        room.body = body
        status = body.get("status") or {}
        room.has = amounts.of(status.get("allocatable") or status.get("capacity"))

    def hear_pod(self, event: Event) -> None:
        body, key = event.item.body, event.item.key
        node = body["spec"].get("nodeName")
        if not node:
            return
        room = self.of(node)
        if event.type == storage.DELETED or objects.is_finished(body):
            room.give(key)
            self.averse.pop(key, None)
            return
        room.take(key, body)
        if ((body["spec"].get("affinity") or {}).get("podAntiAffinity") or {}).get(
            "requiredDuringSchedulingIgnoredDuringExecution"
        ):
            self.averse[key] = body


def priority(pod: Body) -> int:
    return pod["spec"].get("priority", 0)  # type: ignore[no-any-return]


def ports(pod: Body) -> list[Port]:
    """The ports of the node itself that a pod wants."""
    return [
        (one.get("hostIP") or ANYWHERE, one.get("protocol", "TCP"), one["hostPort"])
        for container in pod["spec"]["containers"]
        for one in container.get("ports") or ()
        if one.get("hostPort")
    ]


def clash(wanted: Port, taken: dict[Port, int]) -> bool:
    address, protocol, number = wanted
    for other_address, other_protocol, other_number in taken:
        same = protocol == other_protocol and number == other_number
        if same and (address == other_address or ANYWHERE in (address, other_address)):
            return True
    return False
