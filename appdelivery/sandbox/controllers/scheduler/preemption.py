"""Preemption: whom to take from which node so that a more important pod fits, as few and as unimportant as may be.

Only what resources, ports and the number of pods forbid can be made room for; pods placed by affinity or spread are not
moved.  Budgets are not asked: a real scheduler prefers not to break them, but does.
"""

from __future__ import annotations

from appdelivery.sandbox.controllers import objects, writing
from appdelivery.sandbox.controllers.scheduler import rooms

TYPE_CHECKING = False
if TYPE_CHECKING:
    from appdelivery.sandbox.controllers.context import Context
    from appdelivery.sandbox.controllers.scheduler.filters import Filter, Refused
    from appdelivery.sandbox.controllers.scheduler.rooms import Room
    from appdelivery.sandbox.storage import Body

WAITS = "not eligible due to a terminating pod on the nominated node."
NEVER = "not eligible due to preemptionPolicy=Never."


def barred(context: Context, pod: Body) -> str:
    """Why it may not take anybody's place now; '' = it may."""
    if pod["spec"].get("preemptionPolicy") == "Never":
        return NEVER
    room = context.rooms.find((pod.get("status") or {}).get("nominatedNodeName", ""))
    if room is not None and any(objects.deleting(one) and _is_below(one, pod) for one in room.pods.values()):
        return WAITS
    return ""


def choose(pod: Body, judged: Filter, refusals: list[tuple[Room, Refused]]) -> tuple[Room, list[Body]] | None:
    """The node where it hurts least, with the pods that have to go."""
    found = []
    for room, refused in refusals:
        if not refused.final and room.holds_below(rooms.priority(pod)):
            victims = _victims(pod, judged, room)
            if victims:
                found.append((room, victims))
    return min(found, key=_harm, default=None)


def _victims(pod: Body, judged: Filter, room: Room) -> list[Body]:
    below = {key: one for key, one in room.pods.items() if _is_below(one, pod)}
    trial = room.without(below)
    if judged.refuse(trial) is not None:
        return []
    victims = []
    # The most important are spared first, of equals the oldest.
    for key, one in sorted(below.items(), key=lambda pair: (-rooms.priority(pair[1]), _age(pair[1]), pair[0])):
        trial.take(key, one)
        if judged.refuse(trial) is not None:
            trial.give(key)
            victims.append(one)
    return victims


def _harm(choice: tuple[Room, list[Body]]) -> tuple[int, int, int, str]:
    room, victims = choice
    levels = [rooms.priority(one) for one in victims]
    return max(levels), sum(levels), len(levels), room.name


def _is_below(one: Body, pod: Body) -> bool:
    return rooms.priority(one) < rooms.priority(pod)


def _age(pod: Body) -> str:
    return pod["metadata"]["creationTimestamp"]  # type: ignore[no-any-return]


def evict(context: Context, pod: Body, victim: Body, node: str) -> None:
    status = victim.get("status") or {}
    disrupted = {
        "type": "DisruptionTarget", "observedGeneration": victim["metadata"].get("generation", 1), "status": "True",
        "lastProbeTime": None, "lastTransitionTime": context.stamp(), "reason": "PreemptionByScheduler",
        "message": "default-scheduler: preempting to accommodate a higher priority pod",
    }  # fmt: skip
    rest = [one for one in status.get("conditions") or () if one["type"] != "DisruptionTarget"]
    victim = writing.status(context, victim, {**status, "conditions": [*rest, disrupted]}, manager="kube-scheduler")
    message = f"Preempted by pod {pod['metadata']['uid']} on node {node}"
    context.events.scheduler(victim, "Normal", "Preempted", message, action="Preempting")
    writing.delete(context, victim)
