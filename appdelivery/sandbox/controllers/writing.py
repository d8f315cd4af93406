"""How controllers write: through `writes`, under the managers' names of a real control plane, and only what changed."""

from __future__ import annotations

from appdelivery.sandbox import writes
from appdelivery.sandbox.controllers import objects

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from appdelivery.sandbox.controllers.context import Context
    from appdelivery.sandbox.storage import Body

MANAGER = "kube-controller-manager"
KUBELET = "kubelet"
_PLAIN = writes.Options(manager=MANAGER)
_STATUSES = {name: writes.Options(manager=name, subresource="status") for name in (MANAGER, KUBELET)}


def create(context: Context, body: Body, *, manager: str = MANAGER) -> Body:
    cluster = context.cluster
    options = _PLAIN if manager == MANAGER else writes.Options(manager=manager)
    kind = cluster.kind(body["apiVersion"], body["kind"])
    return writes.create(cluster, kind, body["metadata"].get("namespace", ""), body, options).body


def update(context: Context, body: Body, *, manager: str = MANAGER) -> Body:
    """Replaces what is not status."""
    cluster = context.cluster
    options = _PLAIN if manager == MANAGER else writes.Options(manager=manager)
    kind = cluster.kind(body["apiVersion"], body["kind"])
    return writes.replace(cluster, kind, objects.key(body), body, options).body


def status(
    context: Context, body: Body, new: dict[str, Any], *, manager: str = MANAGER, metadata: dict[str, Any] | None = None
) -> Body:
    """Replaces the status where it differs.  metadata: what a status write may change beside it, as annotations."""
    new = {key: value for key, value in new.items() if value is not None}
    if new == body.get("status") and (metadata is None or metadata == body["metadata"]):
        return body
    cluster = context.cluster
    options = _STATUSES.get(manager) or writes.Options(manager=manager, subresource="status")
    kind = cluster.kind(body["apiVersion"], body["kind"])
    changed = {**body, "metadata": metadata or body["metadata"], "status": new}
    return writes.replace(cluster, kind, objects.key(body), changed, options).body


def delete(context: Context, body: Body, *, propagation: str = "", grace: int | None = None) -> None:
    """The object that was seen, and no later one of its name; that it is gone already is as good."""
    cluster = context.cluster
    kind = cluster.kind(body["apiVersion"], body["kind"])
    if cluster.collection(kind).get(objects.key(body)) is None:
        return
    deletion = writes.Deletion(uid=body["metadata"]["uid"], propagation=propagation, grace=grace)
    writes.delete(cluster, kind, objects.key(body), deletion)


def adopt(context: Context, owner: Body, body: Body) -> Body:
    """Takes an object without a controller into the owner's care."""
    references = [*body["metadata"].get("ownerReferences", ()), objects.owner_reference(owner)]
    return update(context, {**body, "metadata": {**body["metadata"], "ownerReferences": references}})
