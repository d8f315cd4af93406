"""The scheduler as a controller: pods without a node wait here, the most important first, and are bound one at a time.

A pod that fits nowhere says so in its status and in an event, and is tried again when something changed that could
help: a node, a pod that went, a claim that was bound.  Each try in vain makes the next wait longer, as on a real server.
"""

from __future__ import annotations

from appdelivery.sandbox import storage
from appdelivery.sandbox.controllers import claims, objects, queue, writing
from appdelivery.sandbox.controllers.scheduler import filters, preemption, scoring

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from appdelivery.sandbox.controllers.context import Context
    from appdelivery.sandbox.controllers.scheduler.rooms import Room
    from appdelivery.sandbox.storage import Body, Event, Key

NAME = "default-scheduler"
CYCLE: Key = ("", "")  # the one key of this controller: take the next pod
LONGEST = 10.0  # seconds between two tries
TOPOLOGY = ("topology.kubernetes.io/region", "topology.kubernetes.io/zone")
NO_NODES = "no nodes available to schedule pods"


def reconcile(context: Context, key: Key) -> None:
    if key != CYCLE:  # a parked pod's wait is over
        pod = context.item(objects.PODS, key)
        if pod is not None and key in context.line.parked:
            context.line.add(pod)
    taken = context.line.take()
    if taken is not None:
        pod = context.item(objects.PODS, taken)
        if pod is not None and _waits(pod):
            _schedule(context, pod)
        else:
            context.line.parked.pop(taken, None)
    if len(context.line):
        context.again(CONTROLLER.name, CYCLE, 0)


def _schedule(context: Context, pod: Body) -> None:
    problem = claims.problem(context, pod)
    everywhere = context.rooms.nodes()
    if not everywhere:
        _park(context, pod, NO_NODES)
        return
    if problem:
        _park(context, pod, f"0/{len(everywhere)} nodes are available: {problem}. not found")
        return
    judged = filters.Filter(context, pod, everywhere)
    refusals = [(room, judged.refuse(room)) for room in everywhere]
    fitting = [room for room, refused in refusals if refused is None]
    if not fitting:
        _make_room(context, pod, judged, [(room, refused) for room, refused in refusals if refused is not None])
        return
    room = scoring.best(context, pod, fitting)
    claims.consume(context, pod, room.name)
    bound = bind(context, pod, room)
    context.line.parked.pop(objects.key(pod), None)
    metadata = bound["metadata"]
    message = f"Successfully assigned {metadata['namespace']}/{metadata['name']} to {room.name}"
    context.events.scheduler(bound, "Normal", "Scheduled", message, action="Binding")


def _make_room(context: Context, pod: Body, judged: filters.Filter, refusals: list[tuple[Room, filters.Refused]]) -> None:
    """Waits, and sends less important pods away where that helps."""
    reasons = [refused for _, refused in refusals]
    barred = preemption.barred(context, pod)
    if barred:
        _park(context, pod, filters.sentence(reasons, barred))
        return
    chosen = preemption.choose(pod, judged, refusals)
    if chosen is None:
        _park(context, pod, filters.sentence(reasons))
        return
    room, victims = chosen
    _park(context, pod, filters.sentence(reasons, ""), nominated=room.name)
    for victim in victims:
        preemption.evict(context, pod, victim, room.name)


def bind(context: Context, pod: Body, room: Room) -> Body:
    """A binding is no update: nobody owns the fields that it sets, and the generation stays."""
    stamp = context.stamp()
    scheduled = {"type": "PodScheduled", "status": "True", "lastProbeTime": None, "lastTransitionTime": stamp}
    status = pod.get("status") or {}
    rest = [one for one in status.get("conditions") or () if one["type"] != "PodScheduled"]
    metadata = dict(pod["metadata"])
    places = {key: room.labels[key] for key in TOPOLOGY if key in room.labels}
    if places:
        metadata["labels"] = {**objects.labels(pod), **places}
    placed = {key: value for key, value in status.items() if key != "nominatedNodeName"}
    body = {
        **pod,
        "metadata": metadata,
        "spec": {**pod["spec"], "nodeName": room.name},
        "status": {**placed, "conditions": [scheduled, *rest]},
    }
    return context.cluster.storage.commit(storage.MODIFIED, objects.PODS, body).body


def _park(context: Context, pod: Body, message: str, *, nominated: str = "") -> None:
    line, key = context.line, objects.key(pod)
    line.parked[key] = line.parked.get(key, 0) + 1
    context.touch(pod["metadata"]["uid"], "attempt")
    _condition(context, pod, message, nominated)
    context.events.scheduler(pod, "Warning", "FailedScheduling", message, action="Scheduling")


def _condition(context: Context, pod: Body, message: str, nominated: str) -> None:
    """The scheduler owns this one condition of the status, and the node it hopes for."""
    status = pod.get("status") or {}
    old = objects.condition(pod, "PodScheduled")
    new: dict[str, Any] = {
        "type": "PodScheduled", "observedGeneration": pod["metadata"].get("generation", 1), "status": "False",
        "lastProbeTime": None, "lastTransitionTime": context.stamp(), "reason": "Unschedulable", "message": message,
    }  # fmt: skip
    if old is not None and old["status"] == "False":
        new["lastTransitionTime"] = old["lastTransitionTime"]
    if new == old and not nominated:
        return
    rest = [one for one in status.get("conditions") or () if one["type"] != "PodScheduled"]
    changed = {**status, "conditions": [*rest, new], **({"nominatedNodeName": nominated} if nominated else {})}
    writing.status(context, pod, changed, manager="kube-scheduler")


def _waits(pod: Body) -> bool:
    spec = pod["spec"]
    mine = spec.get("schedulerName", NAME) == NAME
    return mine and not spec.get("nodeName") and not spec.get("schedulingGates") and objects.is_active(pod)


def _hear_pod(context: Context, event: Event) -> Iterable[Key]:
    context.rooms.hear_pod(event)
    pod, key = event.item.body, event.item.key
    if event.type == storage.DELETED or objects.is_finished(pod):
        context.line.parked.pop(key, None)
        return _release(context) if pod["spec"].get("nodeName") else ()
    if pod["spec"].get("nodeName"):
        placed = event.old is None or not event.old.body["spec"].get("nodeName")
        return _release(context, near=True) if placed else ()
    if not _waits(pod) or (key in context.line.parked and not _asks_anew(event)):
        return ()
    context.line.add(pod)
    return (CYCLE,)


def _asks_anew(event: Event) -> bool:
    """The pod itself changed, not only what is said of it."""
    old = event.old
    return (
        old is None
        or old.body["spec"] != event.item.body["spec"]
        or objects.labels(old.body) != objects.labels(event.item.body)
    )


def _hear_node(context: Context, event: Event) -> Iterable[Key]:
    before = None if event.old is None or event.type == storage.DELETED else _offer(event.old.body)
    context.rooms.hear_node(event)
    if event.type == storage.DELETED or before == _offer(event.item.body):
        return ()
    return _release(context)


def _offer(node: Body) -> tuple[Any, ...]:
    """What of a node can make a pod fit."""
    spec, status = node["spec"], node.get("status") or {}
    return objects.labels(node), spec.get("taints"), spec.get("unschedulable"), status.get("allocatable")


def _hear_claim(context: Context, _: Event) -> Iterable[Key]:
    return _release(context) if context.line.parked else ()


def _release(context: Context, *, near: bool = False) -> Iterable[Key]:
    """Parked pods try again, each no sooner than its number of tries allows.  near: only those that look for company."""
    found = False
    for key, tries in list(context.line.parked.items()):
        pod = context.item(objects.PODS, key)
        if pod is None or (near and "podAffinity" not in (pod["spec"].get("affinity") or {})):
            continue
        wait = min(2.0 ** (tries - 2), LONGEST) if tries > 1 else 0.0
        left = wait - context.mark(pod["metadata"]["uid"], "attempt")
        if left > 0:
            context.again(CONTROLLER.name, key, left)
        else:
            context.line.add(pod)
            found = True
    return (CYCLE,) if found else ()


CONTROLLER = queue.Controller(
    "scheduler",
    reconcile,
    {objects.PODS: _hear_pod, objects.NODES: _hear_node, objects.CLAIMS: _hear_claim},
)
