"""Which of the nodes that can take a pod suits it best: most room left, preferences, kin kept apart.

The weights are a real scheduler's defaults.  Where that draws lots, the node with the fewest pods wins, then the first
by name, so that a run can be repeated.
"""

from __future__ import annotations

from appdelivery.sandbox.controllers.scheduler import affinity, amounts, labels, spread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from appdelivery.sandbox.controllers.context import Context
    from appdelivery.sandbox.controllers.scheduler.rooms import Room
    from appdelivery.sandbox.storage import Body

COMPARED = ("cpu", "memory")
FULL = 100.0


def best(context: Context, pod: Body, rooms: list[Room]) -> Room:
    if len(rooms) == 1:
        return rooms[0]
    wanted = amounts.compared(pod)
    scores = {room.name: _room_left(room, wanted) + _balance(room, wanted) for room in rooms}
    for weight, points in (
        (3, {room.name: -_avoided(pod, room) for room in rooms}),
        (2, {room.name: _preferred(pod, room) for room in rooms}),
        (2, affinity.preference(context, pod, rooms)),
        (2, spread.preference(context, pod, rooms)),
    ):
        for name, score in _spanned(points).items():
            scores[name] += weight * score
    return min(rooms, key=lambda room: (-round(scores[room.name], 6), len(room.pods), room.name))


def _spanned(points: dict[str, int]) -> dict[str, float]:
    """From 0 for the worst to 100 for the best; all alike tell nothing."""
    low, high = min(points.values()), max(points.values())
    if low == high:
        return {}
    return {name: FULL * (value - low) / (high - low) for name, value in points.items()}


def _shares(room: Room, wanted: dict[str, int]) -> list[float]:
    """How full each resource would be, 0 to 1."""
    found = []
    for name in COMPARED:
        has = room.has.get(name, 0)
        taken = room.compared.get(name, 0) + wanted.get(name, 0)
        found.append(min(taken / has, 1.0) if has else 1.0)
    return found


def _room_left(room: Room, wanted: dict[str, int]) -> float:
    shares = _shares(room, wanted)
    return sum((1 - share) * FULL for share in shares) / len(shares)


def _balance(room: Room, wanted: dict[str, int]) -> float:
    one, two = _shares(room, wanted)
    return (1 - abs(one - two) / 2) * FULL


def _avoided(pod: Body, room: Room) -> int:
    """PreferNoSchedule taints that it does not bear."""
    assert room.body is not None
    taints = room.body["spec"].get("taints") or ()
    return sum(labels.untolerated(pod, (taint,), ("PreferNoSchedule",)) is not None for taint in taints)


def _preferred(pod: Body, room: Room) -> int:
    assert room.body is not None
    body = room.body
    terms = labels.node_affinity(pod).get(labels.PREFERRED) or ()
    return sum(one["weight"] for one in terms if labels.term(one["preference"], body))
