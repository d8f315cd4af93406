"""ReplicaSets: as many pods as they ask for, and what has become of them in the status."""

from __future__ import annotations

from appdelivery.sandbox import status as statuses
from appdelivery.sandbox.controllers import conditions, objects, owners, queue, replicas, templates, writing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from appdelivery.sandbox.controllers.context import Context
    from appdelivery.sandbox.storage import Body, Key

NAME = "replicaset-controller"
BURST = 500  # pods made or taken in one go


def reconcile(context: Context, key: Key) -> None:
    owner = context.item(objects.REPLICA_SETS, key)
    if owner is None:
        return
    pods = replicas.claimed(context, owner)
    active = [pod for pod in pods if objects.is_active(pod)]
    refusal = None
    if not objects.deleting(owner):
        refusal = _resize(context, owner, active)
    # From the pods that were there before: the new ones bring the next reconcile, as on a real server.
    _write(context, owner, pods, active, refusal=refusal)
    if refusal is not None:
        raise refusal


def _resize(context: Context, owner: Body, active: list[Body]) -> statuses.Refusal | None:
    wanted: int = owner["spec"]["replicas"]
    prefix = f"{owner['metadata']['name']}-"
    for _ in range(min(wanted - len(active), BURST)):
        body = templates.pod(owner, prefix + context.suffix(), generated=prefix)
        try:
            templates.create(context, owner, body, by=NAME)
        except statuses.Refusal as refusal:
            return refusal
    if len(active) > wanted:
        for pod in replicas.first_to_go(active, _kin(context, owner))[: min(len(active) - wanted, BURST)]:
            templates.delete(context, owner, pod, by=NAME)
    return None


def _kin(context: Context, owner: Body) -> list[Body]:
    """The pods of all ReplicaSets of the same Deployment."""
    above = objects.controller_of(owner)
    if above is None:
        sets = [owner]
    else:
        sets = [item.body for item in context.index.controlled(objects.REPLICA_SETS, {"metadata": {"uid": above["uid"]}})]
    pods = [item.body for one in sets for item in context.index.controlled(objects.PODS, one)]
    return [pod for pod in pods if objects.is_active(pod)]


def _write(context: Context, owner: Body, pods: list[Body], active: list[Body], *, refusal: statuses.Refusal | None) -> None:
    labels = owner["spec"]["template"].get("metadata", {}).get("labels") or {}
    seconds = owner["spec"].get("minReadySeconds", 0)
    ready = [pod for pod in active if objects.is_ready(pod)]
    usable = replicas.available(context, active, seconds, controller="replicasets", key=objects.key(owner))
    numbers = {
        "fullyLabeledReplicas": sum(labels.items() <= objects.labels(pod).items() for pod in active),
        "readyReplicas": len(ready),
        "availableReplicas": len(usable),
    }
    status: dict[str, Any] = {"replicas": len(active)}
    status |= {name: value for name, value in numbers.items() if value}
    status["terminatingReplicas"] = sum(objects.deleting(pod) and not objects.is_finished(pod) for pod in pods)
    status["observedGeneration"] = owner["metadata"].get("generation", 0)
    listed = _failure(context, owner, refusal)
    if listed:
        status["conditions"] = listed
    writing.status(context, owner, status)


def _failure(context: Context, owner: Body, refusal: statuses.Refusal | None) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = list(owner.get("status", {}).get("conditions") or ())
    if refusal is not None:
        failed = conditions.find(listed, "ReplicaFailure")
        if failed is not None:
            return listed
        new = {"type": "ReplicaFailure", "status": "True", "lastTransitionTime": context.stamp()}
        return [*listed, {**new, "reason": "FailedCreate", "message": refusal.message}]
    return conditions.without(listed, "ReplicaFailure")


CONTROLLER = queue.Controller(
    "replicasets",
    reconcile,
    {objects.REPLICA_SETS: queue.itself, objects.PODS: owners.of("ReplicaSet")},
)
