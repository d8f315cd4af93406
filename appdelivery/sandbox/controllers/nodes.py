"""Nodes: a kubelet's first report and its lease, Ready or not as their weather says, taints for it, eviction after that.

A node that is not ready is tainted; pods that do not bear the taint, or no longer, are deleted, as the taint manager of
a real control plane does.
"""

from __future__ import annotations

from appdelivery.sandbox.controllers import conditions, objects, queue, weather, writing
from appdelivery.sandbox.controllers.scheduler import labels

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from appdelivery.sandbox.controllers.context import Context
    from appdelivery.sandbox.storage import Body, Event, Key

NAME = "node-controller"
LEASES = "kube-node-lease"
LEASE_SECONDS = 40
HEARTBEAT = 300.0  # controller seconds between two renewals: a lease here is looked at, not waited for
NOT_READY = "node.kubernetes.io/not-ready"
UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
SOON = 0.001
QUARANTINE = 40.0  # seconds that pods outlive their node
HEALTHY = (
    ("MemoryPressure", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ("NetworkUnavailable", "RouteCreated", "RouteController created a route"),
)
BETA = {"kubernetes.io/arch": "beta.kubernetes.io/arch", "kubernetes.io/os": "beta.kubernetes.io/os"}


def reconcile(context: Context, key: Key) -> None:
    node = context.item(objects.NODES, key)
    if node is None:
        _collect(context, key)
        return
    context.forget(_lost(key))
    node = _report(context, node)
    _lease(context, node)
    node = _mark(context, node)
    for item in context.index.on_node(key[1]):
        _evict(context, node, item.body)


def _report(context: Context, node: Body) -> Body:
    """What its kubelet says."""
    down = weather.node_is_down(node)
    status = dict(node.get("status") or {})
    known = conditions.find(status.get("conditions") or (), "Ready")
    if known is not None and (known["status"] == "True") != down:
        return node
    stamp = context.stamp()
    if down:
        ready = _condition("Ready", "False", "KubeletNotReady", "the test made this node not ready", stamp)
        context.touch(node["metadata"]["uid"], "not-ready")
        context.events.normal(node, "NodeNotReady", f"Node {_name(node)} status is now: NodeNotReady", by=NAME)
    else:
        ready = _condition("Ready", "True", "KubeletReady", "kubelet is posting ready status", stamp)
        context.events.normal(
            node, "NodeReady", f"Node {_name(node)} status is now: NodeReady", by="kubelet", host=_name(node)
        )
    listed = [ready, *(_condition(type, "False", reason, message, stamp) for type, reason, message in HEALTHY)]
    for one in status.get("conditions") or ():
        if conditions.find(listed, one["type"]) is None:
            listed.append(one)
    status["conditions"] = listed
    status.setdefault("capacity", {"cpu": "8", "memory": "32Gi", "pods": "110", "ephemeral-storage": "100Gi"})
    status.setdefault("allocatable", status["capacity"])
    if not status.get("addresses"):
        status["addresses"] = [
            {"type": "InternalIP", "address": _address(context)},
            {"type": "Hostname", "address": _name(node)},
        ]
    status.setdefault("daemonEndpoints", {"kubeletEndpoint": {"Port": 10250}})
    told = {key: value for key, value in (status.get("nodeInfo") or {}).items() if value}
    status["nodeInfo"] = {**_info(context, node), **told}
    return writing.status(context, node, status, manager=writing.KUBELET)


def _info(context: Context, node: Body) -> dict[str, str]:
    labels_ = objects.labels(node)
    version = context.cluster.version["gitVersion"]
    return {
        "machineID": "", "systemUUID": "", "bootID": "", "kernelVersion": "sandbox", "osImage": "appctl sandbox",
        "containerRuntimeVersion": "sandbox://1", "kubeletVersion": version, "kubeProxyVersion": version,
        "operatingSystem": labels_.get("kubernetes.io/os", "linux"),
        "architecture": labels_.get("kubernetes.io/arch", "amd64"),
    }  # fmt: skip


def _address(context: Context) -> str:
    number = len(context.cluster.storage.family(objects.NODES)) + 1
    taken = {
        one["address"]
        for item in context.cluster.storage.family(objects.NODES).items()
        for one in item.body.get("status", {}).get("addresses") or ()
    }
    candidates = (f"172.18.{index >> 8}.{index & 255}" for index in range(2, number + 2))
    return next((one for one in candidates if one not in taken), "172.18.255.254")


def _condition(type: str, status: str, reason: str, message: str, stamp: str) -> dict[str, Any]:
    return {
        "type": type, "status": status, "lastHeartbeatTime": stamp, "lastTransitionTime": stamp, "reason": reason,
        "message": message,
    }  # fmt: skip


def _lease(context: Context, node: Body) -> None:
    """Renewed now and then: every renewal is an event to everybody who watches."""
    if context.item(objects.NAMESPACES, ("", LEASES)) is None:
        return
    key = (LEASES, _name(node))
    lease = context.item(objects.LEASES, key)
    spec = {"holderIdentity": _name(node), "leaseDurationSeconds": LEASE_SECONDS, "renewTime": context.clock.micro()}
    if lease is None:
        owner = {"apiVersion": "v1", "kind": "Node", "name": _name(node), "uid": node["metadata"]["uid"]}
        metadata = {"name": _name(node), "namespace": LEASES, "ownerReferences": [owner]}
        body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}
        writing.create(context, body, manager=writing.KUBELET)
        context.events.normal(
            node, "RegisteredNode", f"Node {_name(node)} event: Registered Node {_name(node)} in Controller", by=NAME
        )
    elif context.mark(node["metadata"]["uid"], "began") >= HEARTBEAT and not weather.node_is_down(node):
        writing.update(context, {**lease, "spec": {**lease["spec"], **spec}}, manager=writing.KUBELET)
        context.touch(node["metadata"]["uid"], "began")
    context.mark(node["metadata"]["uid"], "began")
    context.again(CONTROLLER.name, objects.key(node), HEARTBEAT)


def _mark(context: Context, node: Body) -> Body:
    """Labels and taints that follow from its state."""
    own = dict(objects.labels(node))
    own.setdefault("kubernetes.io/hostname", _name(node))
    for stable, beta in BETA.items():
        if stable in own:
            own.setdefault(beta, own[stable])
    ready = objects.is_ready(node)
    taints = [one for one in node["spec"].get("taints") or () if one["key"] not in (NOT_READY, UNSCHEDULABLE)]
    before = {(one["key"], one["effect"]): one for one in node["spec"].get("taints") or ()}
    if node["spec"].get("unschedulable"):
        taints.append(before.get((UNSCHEDULABLE, "NoSchedule")) or _taint(context, UNSCHEDULABLE, "NoSchedule"))
    if not ready:
        taints.append({"key": NOT_READY, "effect": "NoSchedule"})
        taints.append(before.get((NOT_READY, "NoExecute")) or _taint(context, NOT_READY, "NoExecute"))
    annotations = {**objects.notes(node)}
    annotations.setdefault("node.alpha.kubernetes.io/ttl", "0")
    same_taints = _keys(taints) == _keys(node["spec"].get("taints") or ())
    if own == objects.labels(node) and same_taints and annotations == objects.notes(node):
        return node
    spec = {key: value for key, value in node["spec"].items() if key != "taints"}
    if taints:
        spec["taints"] = taints
    metadata = {**node["metadata"], "labels": own, "annotations": annotations}
    return writing.update(context, {**node, "metadata": metadata, "spec": spec})


def _taint(context: Context, key: str, effect: str) -> dict[str, Any]:
    return {"key": key, "effect": effect, "timeAdded": context.stamp()}


def _keys(taints: Iterable[dict[str, Any]]) -> list[tuple[str, str]]:
    return sorted((one["key"], one["effect"]) for one in taints)


def _evict(context: Context, node: Body, pod: Body) -> None:
    """After the shortest time that one of its tolerations bears a NoExecute taint."""
    taints = [one for one in node["spec"].get("taints") or () if one["effect"] == "NoExecute"]
    uid = pod["metadata"]["uid"]
    if not taints or objects.deleting(pod) or objects.is_finished(pod):
        return
    borne = min((_bears(pod, taint) for taint in taints), default=None)
    if borne == float("inf"):
        return
    left = (borne or 0.0) - context.mark(uid, "taint", ",".join(one["key"] for one in taints))
    if left > 0:
        context.again(CONTROLLER.name, objects.key(node), left + SOON)
        return
    metadata = pod["metadata"]
    message = f"Marking for deletion Pod {metadata['namespace']}/{metadata['name']}"
    context.events.normal(pod, "TaintManagerEviction", message, by="taint-eviction-controller")
    disrupted = _disrupted(context, "DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint")
    status = pod.get("status") or {}
    pod = writing.status(context, pod, {**status, "conditions": [*(status.get("conditions") or ()), disrupted]})
    writing.delete(context, pod)


def _collect(context: Context, key: Key) -> None:
    """Pods of a node that is gone go too, unless it comes back soon."""
    pods = [item.body for item in context.index.on_node(key[1])]
    left = QUARANTINE - context.mark(_lost(key), "not-ready")
    if pods and left > 0:
        context.again(CONTROLLER.name, key, left + SOON)
        return
    for pod in pods:
        status = pod.get("status") or {}
        disrupted = _disrupted(context, "DeletionByPodGC", "PodGC: node no longer exists")
        ended = {"phase": "Failed"} if not objects.is_finished(pod) else {}
        listed = [*(status.get("conditions") or ()), disrupted]
        writing.delete(context, writing.status(context, pod, {**status, **ended, "conditions": listed}), grace=0)


def _lost(key: Key) -> str:
    """What `mark` knows a node by when it has no uid any more."""
    return f"node/{key[1]}"


def _disrupted(context: Context, reason: str, message: str) -> dict[str, Any]:
    return {
        "type": "DisruptionTarget", "status": "True", "lastProbeTime": None, "lastTransitionTime": context.stamp(),
        "reason": reason, "message": message,
    }  # fmt: skip


def _bears(pod: Body, taint: dict[str, Any]) -> float:
    found = [one for one in pod["spec"].get("tolerations") or () if labels.tolerates(one, taint)]
    if not found:
        return 0.0
    return min((max(one["tolerationSeconds"], 0) for one in found if "tolerationSeconds" in one), default=float("inf"))


def _name(node: Body) -> str:
    return node["metadata"]["name"]  # type: ignore[no-any-return]


def _placed(context: Context, event: Event) -> Iterable[Key]:
    """A pod that came to a node with taints; other pods need no look."""
    name = event.item.body["spec"].get("nodeName")
    if not name or event.type == "DELETED":
        return ()
    node = context.item(objects.NODES, ("", name))
    tainted = node is not None and any(one["effect"] == "NoExecute" for one in node["spec"].get("taints") or ())
    return (("", name),) if tainted else ()


CONTROLLER = queue.Controller("nodes", reconcile, {objects.NODES: queue.itself, objects.PODS: _placed})
