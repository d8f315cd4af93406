"""Pod affinity and anti-affinity: which parts of the topology hold pods that a pod wants near or far."""

from __future__ import annotations

from appdelivery.sandbox.controllers import objects
from appdelivery.sandbox.controllers.scheduler.labels import PREFERRED, REQUIRED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from appdelivery.sandbox.controllers.context import Context
    from appdelivery.sandbox.controllers.scheduler.rooms import Room
    from appdelivery.sandbox.storage import Body

    Domain = tuple[str, str]  # (topology key, its value)

EXISTING = "node(s) didn't satisfy existing pods anti-affinity rules"
NEAR = "node(s) didn't match pod affinity rules"
FAR = "node(s) didn't match pod anti-affinity rules"


class Wishes:
    """What one pod's required terms and those of the pods around it come to, for all nodes at once."""

    __slots__ = ("_far", "_itself", "_kept_away", "_near")

    def __init__(self, context: Context, pod: Body) -> None:
        self._near = [(one, _domains(context, pod, one)) for one in _terms(pod, "podAffinity", REQUIRED)]
        self._far = [(one, _domains(context, pod, one)) for one in _terms(pod, "podAntiAffinity", REQUIRED)]
        self._kept_away = _kept_away(context, pod)
        # The first of a group has nobody to be near to yet.
        nobody = not any(domains for _, domains in self._near)
        self._itself = nobody and all(_selects(context, pod, one, pod) for one, _ in self._near)

    @property
    def are_any(self) -> bool:
        return bool(self._near or self._far or self._kept_away)

    def refuse(self, room: Room) -> str:
        labels = room.labels
        for one, domains in self._near:
            key = one["topologyKey"]
            if key not in labels or (not self._itself and (key, labels[key]) not in domains):
                return NEAR
        for one, domains in self._far:
            key = one["topologyKey"]
            if key in labels and (key, labels[key]) in domains:
                return FAR
        if any((key, labels.get(key)) in self._kept_away for key, _ in self._kept_away):
            return EXISTING
        return ""


def preference(context: Context, pod: Body, rooms: list[Room]) -> dict[str, int]:
    """Points of each node from preferred terms; below zero for those it would rather avoid."""
    points = {room.name: 0 for room in rooms}
    for section, sign in (("podAffinity", 1), ("podAntiAffinity", -1)):
        for weighted in _terms(pod, section, PREFERRED):
            one = weighted["podAffinityTerm"]
            domains = _domains(context, pod, one)
            for room in rooms:
                domain = (one["topologyKey"], room.labels.get(one["topologyKey"], ""))
                points[room.name] += sign * weighted["weight"] * domains.get(domain, 0)
    return points


def _terms(pod: Body, section: str, strength: str) -> list[Mapping[str, Any]]:
    return ((pod["spec"].get("affinity") or {}).get(section) or {}).get(strength) or []


def _domains(context: Context, pod: Body, term: Mapping[str, Any]) -> dict[Domain, int]:
    """How many matching pods each domain holds."""
    found: dict[Domain, int] = {}
    key = term["topologyKey"]
    for other in _matching(context, pod, term):
        room = context.rooms.find(other["spec"].get("nodeName", ""))
        if room is not None and key in room.labels:
            domain = (key, room.labels[key])
            found[domain] = found.get(domain, 0) + 1
    return found


def _matching(context: Context, pod: Body, term: Mapping[str, Any]) -> Iterator[Body]:
    for namespace in _namespaces(context, pod, term):
        for item in context.index.pods(namespace, _selector(pod, term)):
            if item.body["spec"].get("nodeName") and not objects.is_finished(item.body):
                yield item.body


def _selector(pod: Body, term: Mapping[str, Any]) -> dict[str, Any]:
    """matchLabelKeys adds the pod's own values."""
    selector = term.get("labelSelector")
    if selector is None:
        return {"matchExpressions": [{"key": "", "operator": "Exists"}]}  # matches nothing
    own = objects.labels(pod)
    more = {key: own[key] for key in term.get("matchLabelKeys") or () if key in own}
    return {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), **more}} if more else selector


def _namespaces(context: Context, pod: Body, term: Mapping[str, Any]) -> list[str]:
    named = list(term.get("namespaces") or ())
    selector = term.get("namespaceSelector")
    if selector is not None:
        for item in context.cluster.storage.family(objects.NAMESPACES).items():
            name = item.body["metadata"]["name"]
            if name not in named and objects.matches(selector, objects.labels(item.body)):
                named.append(name)
        return named
    return named or [pod["metadata"]["namespace"]]


def _selects(context: Context, pod: Body, term: Mapping[str, Any], other: Body) -> bool:
    """Whether a term of the pod means the other one."""
    if other["metadata"]["namespace"] not in _namespaces(context, pod, term):
        return False
    return objects.matches(_selector(pod, term), objects.labels(other))


def _kept_away(context: Context, pod: Body) -> set[Domain]:
    """Domains whose pods do not want this one near."""
    found: set[Domain] = set()
    for other in context.rooms.averse.values():
        room = context.rooms.find(other["spec"]["nodeName"])
        for one in _terms(other, "podAntiAffinity", REQUIRED):
            key = one["topologyKey"]
            if room is not None and key in room.labels and _selects(context, other, one, pod):
                found.add((key, room.labels[key]))
    return found
