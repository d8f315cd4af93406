"""DaemonSets: one pod on every node that suits it; a new template replaces them maxUnavailable, or maxSurge, at a time."""

from __future__ import annotations

from appdelivery.sandbox.controllers import objects, owners, queue, replicas, revisions, templates, writing
from appdelivery.sandbox.controllers.scheduler import labels

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from appdelivery.sandbox.controllers.context import Context
    from appdelivery.sandbox.storage import Body, Event, Key

NAME = "daemonset-controller"
HASH = "controller-revision-hash"
GENERATION = "deprecated.daemonset.template.generation"
TOLERATED = (
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
)
TO_START, TO_STAY = ("NoSchedule", "NoExecute"), ("NoExecute",)
NETWORK = ("node.kubernetes.io/network-unavailable", "NoSchedule")


def reconcile(context: Context, key: Key) -> None:
    owner = context.item(objects.DAEMON_SETS, key)
    if owner is None or objects.deleting(owner):
        return
    notes = {GENERATION: objects.notes(owner).get(GENERATION, str(owner["metadata"].get("generation", 1)))}
    known = revisions.sync(context, owner, label=HASH, notes=notes)
    mark = objects.labels(known[-1])[HASH]
    by_node: dict[str, list[Body]] = {}
    for pod in replicas.claimed(context, owner):
        by_node.setdefault(_node_of(pod), []).append(pod)
    nodes = [item.body for item in context.cluster.storage.family(objects.NODES).items()]
    wanted = [node["metadata"]["name"] for node in nodes if _suits(owner, node, TO_START)]
    kept_on = [node["metadata"]["name"] for node in nodes if _suits(owner, node, TO_STAY)]
    status = _status(context, owner, by_node, wanted, mark)
    try:
        _place(context, owner, by_node, wanted, mark)
        _clear(context, owner, by_node, kept_on)
        if owner["spec"].get("updateStrategy", {}).get("type") != "OnDelete":
            _replace(context, owner, by_node, wanted, mark)
    finally:
        writing.status(context, owner, status)
    used = {objects.labels(pod).get(HASH, "") for pods in by_node.values() for pod in pods}
    kept = {one["metadata"]["name"] for one in known if objects.labels(one)[HASH] in used | {mark}}
    revisions.truncate(context, owner, known, kept)


def _place(context: Context, owner: Body, by_node: dict[str, list[Body]], wanted: list[str], mark: str) -> None:
    for name in wanted:
        pods = by_node.get(name, [])
        failed = [pod for pod in pods if objects.is_finished(pod) and not objects.deleting(pod)]
        for pod in failed:
            said = f"Found failed daemon pod {pod['metadata']['namespace']}/{pod['metadata']['name']} on node {name}, will try to kill it"
            context.events.warning(owner, "FailedDaemonPod", said, by=NAME)
            templates.delete(context, owner, pod, by=NAME)
        if not [pod for pod in pods if not objects.is_finished(pod)] and not failed:
            _make(context, owner, name, mark)


def _clear(context: Context, owner: Body, by_node: dict[str, list[Body]], kept_on: list[str]) -> None:
    """Pods on nodes that no longer suit; a taint that only keeps new ones away does not drive them out."""
    for name, pods in by_node.items():
        if name not in kept_on:
            for pod in pods:
                if objects.is_active(pod):
                    templates.delete(context, owner, pod, by=NAME)


def _replace(context: Context, owner: Body, by_node: dict[str, list[Body]], wanted: list[str], mark: str) -> None:
    rolling = (owner["spec"].get("updateStrategy") or {}).get("rollingUpdate") or {}
    surge = objects.share(rolling.get("maxSurge", 0), len(wanted), up=True)
    most = objects.share(rolling.get("maxUnavailable", 1), len(wanted), up=True)
    away, surging = 0, 0
    for name in wanted:
        pods = by_node.get(name, [])
        away += not any(objects.is_ready(pod) and objects.is_active(pod) for pod in pods)
        surging += len([pod for pod in pods if not objects.is_finished(pod)]) > 1
    for name in wanted:
        living = [pod for pod in by_node.get(name, []) if objects.is_active(pod)]
        old = [pod for pod in living if objects.labels(pod).get(HASH) != mark]
        new = [pod for pod in living if pod not in old]
        if not old:
            continue
        healthy = any(objects.is_ready(pod) for pod in old)
        if surge:
            if not new and surging < surge:
                _make(context, owner, name, mark)
                surging += 1
            elif not healthy or any(objects.is_ready(pod) for pod in new):
                templates.delete(context, owner, old[0], by=NAME)
        elif not healthy or away < most:
            templates.delete(context, owner, old[0], by=NAME)
            away += healthy


def _make(context: Context, owner: Body, node: str, mark: str) -> None:
    prefix = f"{owner['metadata']['name']}-"
    generation = objects.notes(owner).get(GENERATION)
    own = {HASH: mark, **({"pod-template-generation": generation} if generation else {})}
    body = templates.pod(owner, prefix + context.suffix(), labels=own, generated=prefix)
    body["spec"] |= _bound_to(body["spec"], node)
    templates.create(context, owner, body, by=NAME)


def _bound_to(spec: dict[str, Any], node: str) -> dict[str, Any]:
    """The scheduler places it, but on this node only."""
    field = {"key": "metadata.name", "operator": "In", "values": [node]}
    affinity = dict(spec.get("affinity") or {})
    towards = dict(affinity.get("nodeAffinity") or {})
    terms = (towards.get(labels.REQUIRED) or {}).get("nodeSelectorTerms") or [{}]
    towards[labels.REQUIRED] = {"nodeSelectorTerms": [{**one, "matchFields": [field]} for one in terms]}
    borne = [*TOLERATED, NETWORK] if spec.get("hostNetwork") else TOLERATED
    more = [{"key": key, "operator": "Exists", "effect": effect} for key, effect in borne]
    given = list(spec.get("tolerations") or ())
    return {
        "affinity": {**affinity, "nodeAffinity": towards},
        "tolerations": [*given, *(one for one in more if one not in given)],
    }


def _suits(owner: Body, node: Body, effects: tuple[str, ...]) -> bool:
    """By name, selector, affinity and taints; room is the scheduler's question."""
    spec = owner["spec"]["template"]["spec"]
    if spec.get("nodeName") not in (None, "", node["metadata"]["name"]):
        return False
    would = {"metadata": {}, "spec": {**spec, **_bound_to(spec, node["metadata"]["name"])}}
    taints = node["spec"].get("taints") or ()
    return labels.wanted(would, node) and labels.untolerated(would, taints, effects) is None


def _node_of(pod: Body) -> str:
    named = labels.named_nodes(pod)
    return pod["spec"].get("nodeName") or (next(iter(named)) if named else "")


def _status(context: Context, owner: Body, by_node: dict[str, list[Body]], wanted: list[str], mark: str) -> dict[str, Any]:
    key, seconds = objects.key(owner), owner["spec"].get("minReadySeconds", 0)
    scheduled = ready = updated = available = 0
    for name in wanted:
        pods = [pod for pod in by_node.get(name, ()) if objects.is_active(pod) or objects.is_ready(pod)]
        if not pods:
            continue
        scheduled += 1
        newest = next((pod for pod in pods if objects.labels(pod).get(HASH) == mark), None)
        updated += newest is not None
        ready += any(map(objects.is_ready, pods))
        available += bool(replicas.available(context, pods, seconds, controller=CONTROLLER.name, key=key))
    status: dict[str, Any] = {
        "currentNumberScheduled": scheduled,
        "numberMisscheduled": sum(any(map(objects.is_active, pods)) for name, pods in by_node.items() if name not in wanted),
        "desiredNumberScheduled": len(wanted),
        "numberReady": ready,
        "observedGeneration": owner["metadata"].get("generation", 0),
    }
    numbers = {"updatedNumberScheduled": updated, "numberAvailable": available, "numberUnavailable": len(wanted) - available}
    return status | {name: value for name, value in numbers.items() if value}


def _node_changed(context: Context, event: Event) -> Iterable[Key]:
    old, new = event.old, event.item.body
    if event.type == "MODIFIED" and old is not None:
        same = objects.labels(old.body) == objects.labels(new) and old.body["spec"] == new["spec"]
        if same:
            return ()
    return [item.key for item in context.cluster.storage.family(objects.DAEMON_SETS).items()]


CONTROLLER = queue.Controller(
    "daemonsets",
    reconcile,
    {
        objects.DAEMON_SETS: queue.itself,
        objects.PODS: owners.of("DaemonSet"),
        objects.NODES: _node_changed,
    },
)
