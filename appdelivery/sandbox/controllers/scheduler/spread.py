"""Topology spread: how unevenly a pod's kin lie over zones, racks or hosts, and whether one more here makes it worse."""

from __future__ import annotations

from appdelivery.sandbox.controllers import objects
from appdelivery.sandbox.controllers.scheduler import labels

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from appdelivery.sandbox.controllers.context import Context
    from appdelivery.sandbox.controllers.scheduler.rooms import Room
    from appdelivery.sandbox.storage import Body

REFUSED = "node(s) didn't match pod topology spread constraints"
NO_LABEL = REFUSED + " (missing required label)"
# A scheduler's own constraints for pods that state none.
DEFAULTS = ({"topologyKey": "kubernetes.io/hostname"}, {"topologyKey": "topology.kubernetes.io/zone"})


class Spread:
    """The hard constraints of one pod, counted once for all nodes."""

    __slots__ = ("_constraints", "_pod")

    def __init__(self, context: Context, pod: Body, rooms: list[Room]) -> None:
        self._pod = pod
        hard = [one for one in constraints(pod) if one.get("whenUnsatisfiable", "DoNotSchedule") == "DoNotSchedule"]
        eligible = [room for room in rooms if _eligible(pod, room, hard)]
        self._constraints = [(one, count(context, pod, one, eligible)) for one in hard]

    def refuse(self, room: Room) -> str:
        own = objects.labels(self._pod)
        for one, counts in self._constraints:
            value = room.labels.get(one["topologyKey"])
            if value is None:
                return NO_LABEL
            least = min(counts.values(), default=0)
            if len(counts) < one.get("minDomains", 1):
                least = 0
            itself = 1 if objects.matches(one.get("labelSelector"), own) else 0
            if counts.get(value, 0) + itself - least > one["maxSkew"]:
                return REFUSED
        return ""


def constraints(pod: Body) -> list[Mapping[str, Any]]:
    return pod["spec"].get("topologySpreadConstraints") or []


def count(context: Context, pod: Body, one: Mapping[str, Any], rooms: list[Room]) -> dict[str, int]:
    """Matching pods by the value of the topology's label; domains without any count too."""
    key = one["topologyKey"]
    counts = {room.labels[key]: 0 for room in rooms if key in room.labels}
    names = {room.name: room.labels[key] for room in rooms if key in room.labels}
    for item in context.index.pods(pod["metadata"]["namespace"], _selector(pod, one)):
        value = names.get(item.body["spec"].get("nodeName", ""))
        if value is not None and objects.is_active(item.body):
            counts[value] += 1
    return counts


def preference(context: Context, pod: Body, rooms: list[Room]) -> dict[str, int]:
    """Fewer kin in the same place is better; pods without constraints keep away from those of their own owner."""
    soft = [one for one in constraints(pod) if one.get("whenUnsatisfiable") == "ScheduleAnyway"]
    if not soft and not constraints(pod):
        selector = _kin(pod)
        soft = [{**one, "labelSelector": selector} for one in DEFAULTS] if selector else []
    points = {room.name: 0 for room in rooms}
    for one in soft:
        counts = count(context, pod, one, rooms)
        for room in rooms:
            points[room.name] -= counts.get(room.labels.get(one["topologyKey"], ""), max(counts.values(), default=0))
    return points


def _kin(pod: Body) -> dict[str, Any] | None:
    own = objects.labels(pod)
    if objects.controller_of(pod) is None or not own:
        return None
    name = next((key for key in ("pod-template-hash", "controller-revision-hash") if key in own), None)
    return {"matchLabels": {name: own[name]} if name else own}


def _selector(pod: Body, one: Mapping[str, Any]) -> dict[str, Any]:
    selector: dict[str, Any] = one.get("labelSelector") or {"matchExpressions": [{"key": "", "operator": "Exists"}]}
    own = objects.labels(pod)
    more = {key: own[key] for key in one.get("matchLabelKeys") or () if key in own}
    return {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), **more}} if more else selector


def _eligible(pod: Body, room: Room, hard: list[Mapping[str, Any]]) -> bool:
    """Nodes that the pod could not choose do not count, unless a constraint says so."""
    if room.body is None or any(one["topologyKey"] not in room.labels for one in hard):
        return False
    if any(one.get("nodeAffinityPolicy", "Honor") == "Honor" for one in hard) and not labels.wanted(pod, room.body):
        return False
    honor = any(one.get("nodeTaintsPolicy", "Ignore") == "Honor" for one in hard)
    taints = room.body["spec"].get("taints") or ()
    return not honor or labels.untolerated(pod, taints, ("NoSchedule", "NoExecute")) is None
