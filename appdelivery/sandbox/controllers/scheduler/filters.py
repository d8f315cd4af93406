"""Whether a node can take a pod, and in the scheduler's own words why not.

`Refused.final`: taking other pods away would not help, so preemption has nothing to try there.
"""

from __future__ import annotations

from dataclasses import dataclass

from appdelivery.sandbox.controllers.scheduler import affinity, amounts, labels, rooms, spread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from appdelivery.sandbox.controllers.context import Context
    from appdelivery.sandbox.controllers.scheduler.rooms import Room
    from appdelivery.sandbox.storage import Body

UNSCHEDULABLE = "node(s) were unschedulable"
UNSCHEDULABLE_TAINT = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
TAINTED = "node(s) had untolerated taint(s)"
SELECTOR = "node(s) didn't match Pod's node affinity/selector"
NOT_NAMED = "node(s) didn't satisfy plugin(s) [NodeAffinity]"
PORTS = "node(s) didn't have free ports for the requested pod ports"
CROWDED = "Too many pods"


@dataclass(frozen=True, slots=True)
class Refused:
    reasons: tuple[str, ...]
    final: bool = True


class Filter:
    """Everything that is the same for all nodes is worked out once."""

    __slots__ = ("_named", "_pod", "_ports", "_requested", "_spread", "_wishes")

    def __init__(self, context: Context, pod: Body, everywhere: list[Room]) -> None:
        self._pod = pod
        self._requested = amounts.requested(pod)
        self._ports = rooms.ports(pod)
        self._named = labels.named_nodes(pod)
        self._spread = spread.Spread(context, pod, everywhere)
        self._wishes = affinity.Wishes(context, pod)

    def refuse(self, room: Room) -> Refused | None:
        node = room.body
        assert node is not None
        if self._named is not None and room.name not in self._named:
            return Refused((NOT_NAMED,))
        taints = node["spec"].get("taints") or ()
        if node["spec"].get("unschedulable") and labels.untolerated(self._pod, (UNSCHEDULABLE_TAINT,), ("NoSchedule",)):
            return Refused((UNSCHEDULABLE,))
        if labels.untolerated(self._pod, taints, ("NoSchedule", "NoExecute")) is not None:
            return Refused((TAINTED,))
        if not labels.wanted(self._pod, node):
            return Refused((SELECTOR,))
        if any(rooms.clash(port, room.ports) for port in self._ports):
            return Refused((PORTS,), final=False)
        return self._too_small(room) or self._badly_placed(room)

    def _too_small(self, room: Room) -> Refused | None:
        reasons: list[str] = []
        final = False
        if len(room.pods) + 1 > room.has.get("pods", 0):
            reasons.append(CROWDED)
        for name, wanted in self._requested.items():
            has = room.has.get(name, 0)
            if wanted and wanted > has - room.used.get(name, 0):
                reasons.append(f"Insufficient {name}")
                final = final or wanted > has
        return Refused(tuple(reasons), final) if reasons else None

    def _badly_placed(self, room: Room) -> Refused | None:
        if reason := self._spread.refuse(room):
            return Refused((reason,), final=reason == spread.NO_LABEL)
        if reason := self._wishes.refuse(room):
            return Refused((reason,), final=reason == affinity.NEAR)
        return None


def sentence(refusals: list[Refused], preemption: str | None = None) -> str:
    """0/4 nodes are available: 2 Insufficient nvidia.com/gpu, ... with what preemption could do.

    preemption: '' when it found somebody, else why it was not tried; None = it found nobody.
    """
    total = len(refusals)
    first = _counted(total, [reason for one in refusals for reason in one.reasons])
    if preemption is not None:
        return f"{first} no new claims to deallocate, preemption: {preemption}" if preemption else first
    helpless = "Preemption is not helpful for scheduling"
    second = _counted(total, [helpless if one.final else "No preemption victims found for incoming pod" for one in refusals])
    return f"{first} no new claims to deallocate, preemption: {second}"


def _counted(total: int, reasons: list[str]) -> str:
    counts: dict[str, int] = {}
    for reason in reasons:
        counts[reason] = counts.get(reason, 0) + 1
    listed = sorted(f"{count} {reason}" for reason, count in counts.items())
    return f"0/{total} nodes are available: {', '.join(listed)}."
