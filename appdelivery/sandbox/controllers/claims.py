"""Claims of storage: bound to a volume that fits, or to a new one that the class's provisioner makes at once.

Every provisioner is taken for one that makes host paths, except `kubernetes.io/no-provisioner`.  A class that waits for
its first consumer is asked by the scheduler, through `problem` and `consume`.
"""

from __future__ import annotations

from appdelivery.sandbox.controllers import objects, queue, writing
from appdelivery.sandbox.controllers.scheduler import amounts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from appdelivery.sandbox.controllers.context import Context
    from appdelivery.sandbox.storage import Body, Event, Key

NAME = "persistentvolume-controller"
CLASSES = ("storage.k8s.io", "storageclasses")
NO_PROVISIONER = "kubernetes.io/no-provisioner"
BOUND = "pv.kubernetes.io/bind-completed"
BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller"
SELECTED = "volume.kubernetes.io/selected-node"
PROVISIONERS = ("volume.beta.kubernetes.io/storage-provisioner", "volume.kubernetes.io/storage-provisioner")
UNBOUND = "pod has unbound immediate PersistentVolumeClaims"


def reconcile(context: Context, key: Key) -> None:
    claim = context.item(objects.CLAIMS, key)
    if claim is None:
        return
    if objects.deleting(claim):
        _let_go(context, claim)
        return
    if claim.get("status", {}).get("phase") == "Bound":
        return
    named = claim["spec"].get("volumeName")
    volume = context.item(objects.VOLUMES, ("", named)) if named else _fitting(context, claim)
    if volume is not None:
        _bind(context, claim, volume)
    elif not named:
        _provision(context, claim)


def _provision(context: Context, claim: Body) -> None:
    name = claim["spec"].get("storageClassName")
    if not name:
        context.events.normal(
            claim, "FailedBinding", "no persistent volumes available for this claim and no storage class is set", by=NAME
        )
        return
    kind = context.item(CLASSES, ("", name))
    if kind is None:
        context.events.warning(claim, "ProvisioningFailed", f'storageclass.storage.k8s.io "{name}" not found', by=NAME)
        return
    if _waits(kind) and SELECTED not in objects.notes(claim):
        message = "waiting for first consumer to be created before binding"
        context.events.normal(claim, "WaitForFirstConsumer", message, by=NAME)
        return
    if kind["provisioner"] == NO_PROVISIONER:
        return
    wanted = {**objects.notes(claim), **dict.fromkeys(PROVISIONERS, kind["provisioner"])}
    if wanted != objects.notes(claim):
        claim = writing.update(context, {**claim, "metadata": {**claim["metadata"], "annotations": wanted}})
    volume = writing.create(context, _volume(claim, kind))
    message = f"Successfully provisioned volume {volume['metadata']['name']} using {kind['provisioner']}"
    context.events.normal(claim, "ProvisioningSucceeded", message, by=NAME)
    _bind(context, claim, volume)


def _volume(claim: Body, kind: Body) -> Body:
    spec, name = claim["spec"], f"pvc-{claim['metadata']['uid']}"
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {
            "name": name,
            "annotations": {
                "kubernetes.io/createdby": "hostpath-dynamic-provisioner",
                BY_CONTROLLER: "yes",
                "pv.kubernetes.io/provisioned-by": kind["provisioner"],
            },
            "finalizers": ["kubernetes.io/pv-controller"],
        },
        "spec": {
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            "hostPath": {"path": f"/var/lib/sandbox/{name}", "type": ""},
            "accessModes": list(spec["accessModes"]),
            "claimRef": _reference(claim),
            "persistentVolumeReclaimPolicy": kind.get("reclaimPolicy", "Delete"),
            "storageClassName": kind["metadata"]["name"],
            "volumeMode": spec.get("volumeMode", "Filesystem"),
        },
    }


def _reference(claim: Body) -> dict[str, Any]:
    metadata = claim["metadata"]
    return {
        "kind": "PersistentVolumeClaim", "apiVersion": "v1", "namespace": metadata["namespace"], "name": metadata["name"],
        "uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"],
    }  # fmt: skip


def _bind(context: Context, claim: Body, volume: Body) -> None:
    if "claimRef" not in volume["spec"] or "uid" not in volume["spec"]["claimRef"]:
        volume = writing.update(context, {**volume, "spec": {**volume["spec"], "claimRef": _reference(claim)}})
    elif volume["spec"]["claimRef"]["uid"] != claim["metadata"]["uid"]:
        return
    if volume.get("status", {}).get("phase") != "Bound":
        new = {"phase": "Bound", "lastPhaseTransitionTime": context.stamp()}
        volume = writing.status(context, volume, {**(volume.get("status") or {}), **new})
    annotations = {**objects.notes(claim), BOUND: "yes", BY_CONTROLLER: "yes"}
    spec = {**claim["spec"], "volumeName": volume["metadata"]["name"]}
    bound = writing.update(context, {**claim, "metadata": {**claim["metadata"], "annotations": annotations}, "spec": spec})
    writing.status(
        context,
        bound,
        {
            **(bound.get("status") or {}),
            "phase": "Bound",
            "accessModes": volume["spec"]["accessModes"],
            "capacity": volume["spec"]["capacity"],
        },
    )


def _fitting(context: Context, claim: Body) -> Body | None:
    """The smallest free volume that is large enough."""
    spec = claim["spec"]
    wanted = amounts.of(spec["resources"]["requests"])["storage"]
    found: list[tuple[int, str, Body]] = []
    for item in context.cluster.storage.family(objects.VOLUMES).items():
        volume = item.body
        reference = volume["spec"].get("claimRef")
        if reference is not None:
            here = (reference.get("namespace"), reference.get("name")) == objects.key(claim)
            if here and reference.get("uid", claim["metadata"]["uid"]) == claim["metadata"]["uid"]:
                return volume
            continue
        size = amounts.of(volume["spec"].get("capacity")).get("storage", 0)
        same = (volume["spec"].get("storageClassName") or "") == (spec.get("storageClassName") or "")
        if same and size >= wanted and set(spec["accessModes"]) <= set(volume["spec"].get("accessModes") or ()):
            found.append((size, volume["metadata"]["name"], volume))
    return min(found)[2] if found else None


def _let_go(context: Context, claim: Body) -> None:
    """pvc-protection: a claim in use stays until its last pod is gone."""
    finalizers = claim["metadata"].get("finalizers") or []
    if "kubernetes.io/pvc-protection" not in finalizers or any(True for _ in _users(context, claim)):
        return
    rest = [one for one in finalizers if one != "kubernetes.io/pvc-protection"]
    writing.update(context, {**claim, "metadata": {**claim["metadata"], "finalizers": rest}})


def _users(context: Context, claim: Body) -> Iterator[Body]:
    for item in context.index.pods(claim["metadata"]["namespace"], {}):
        if claim["metadata"]["name"] in _claimed(item.body) and not objects.is_finished(item.body):
            yield item.body


def _reclaim(context: Context, key: Key) -> None:
    """A volume whose claim is gone is released, then deleted where its policy says so."""
    volume = context.item(objects.VOLUMES, key)
    if volume is None:
        return
    reference = volume["spec"].get("claimRef")
    phase = volume.get("status", {}).get("phase")
    if objects.deleting(volume):
        if phase != "Bound" and volume["metadata"].get("finalizers"):
            writing.update(context, {**volume, "metadata": {**volume["metadata"], "finalizers": []}})
        return
    if reference is None or "uid" not in reference:
        if phase != "Available":
            new = {"phase": "Available", "lastPhaseTransitionTime": context.stamp()}
            writing.status(context, volume, {**(volume.get("status") or {}), **new})
        return
    claim = context.item(objects.CLAIMS, (reference["namespace"], reference["name"]))
    if phase != "Bound" or (claim is not None and claim["metadata"]["uid"] == reference["uid"]):
        return
    new = {"phase": "Released", "lastPhaseTransitionTime": context.stamp()}
    volume = writing.status(context, volume, {**volume["status"], **new})
    if volume["spec"].get("persistentVolumeReclaimPolicy") == "Delete":
        writing.delete(context, volume)


def _claimed(pod: Body) -> list[str]:
    return [
        one["persistentVolumeClaim"]["claimName"]
        for one in pod["spec"].get("volumes") or ()
        if "persistentVolumeClaim" in one
    ]


def problem(context: Context, pod: Body) -> str:
    """Why the pod's claims keep it from any node; '' = they do not."""
    for name in _claimed(pod):
        claim = context.item(objects.CLAIMS, (pod["metadata"]["namespace"], name))
        if claim is None:
            return f'persistentvolumeclaim "{name}" not found'
        if claim.get("status", {}).get("phase") == "Bound":
            continue
        kind = context.item(CLASSES, ("", claim["spec"].get("storageClassName") or ""))
        if kind is None or not _waits(kind):
            return UNBOUND
    return ""


def consume(context: Context, pod: Body, node: str) -> None:
    """The first consumer has a node now: what waited for it is bound."""
    for name in _claimed(pod):
        key = (pod["metadata"]["namespace"], name)
        claim = context.item(objects.CLAIMS, key)
        if claim is None or claim.get("status", {}).get("phase") == "Bound":
            continue
        annotations = {**objects.notes(claim), SELECTED: node}
        metadata = {**claim["metadata"], "annotations": annotations}
        writing.update(context, {**claim, "metadata": metadata}, manager="kube-scheduler")
        reconcile(context, key)


def _waits(kind: Body) -> bool:
    return kind.get("volumeBindingMode") == "WaitForFirstConsumer"


def _users_went(_: Context, event: Event) -> Iterable[Key]:
    body = event.item.body
    if event.type != "DELETED" and not objects.is_finished(body):
        return ()
    return [(body["metadata"]["namespace"], name) for name in _claimed(body)]


def _unbound_of_class(context: Context, event: Event) -> Iterable[Key]:
    name = event.item.body["metadata"]["name"]
    if event.type != "ADDED":
        return ()
    items = context.cluster.storage.family(objects.CLAIMS).items()
    return [item.key for item in items if item.body["spec"].get("storageClassName") == name]


def _volume_of(_: Context, event: Event) -> Iterable[Key]:
    name = event.item.body["spec"].get("volumeName")
    return (("", name),) if name and event.type == "DELETED" else ()


CONTROLLER = queue.Controller(
    "claims",
    reconcile,
    {objects.CLAIMS: queue.itself, objects.PODS: _users_went, CLASSES: _unbound_of_class},
)
VOLUMES = queue.Controller("volumes", _reclaim, {objects.VOLUMES: queue.itself, objects.CLAIMS: _volume_of})
