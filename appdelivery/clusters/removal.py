"""Deleting one object, conditional on what it was.  Called by fleet.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appdelivery import errors
from appdelivery.clusters import wire
from appdelivery.model.record import changed

if TYPE_CHECKING:
    from appdelivery.clusters.cluster import Cluster
    from appdelivery.delivery.ports import DeleteOptions
    from appdelivery.model.refs import Ref


async def delete(cluster: Cluster, ref: Ref, how: DeleteOptions) -> str:
    """'deleted', 'deleting' (it stays until finalizers, dependants or grace are done) or 'absent'."""
    doing = f"delete {ref} on cluster {cluster.name}"
    path = await cluster.path(await _speakable(cluster, ref))
    body = wire.dumps(_options(how))
    try:
        answer = (await cluster.transport.request("DELETE", path, body, doing=doing)).body
    except errors.Missing:
        return "absent"
    # A finished deletion answers with a Status, or with the object as it was last; one under way with a marked object.
    metadata = answer.get("metadata") or {}
    return "deleting" if metadata.get("deletionTimestamp") else "deleted"


async def _speakable(cluster: Cluster, ref: Ref) -> Ref:
    """The same object at a version that is served: an application may outlive the version it was written in."""
    facts = await cluster.facts()
    other = facts.find(ref.group, ref.kind)
    return changed(ref, version=other.kind.version) if ref.of not in facts.served and other else ref


def _options(how: DeleteOptions) -> dict[str, Any]:
    options: dict[str, Any] = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": how.propagation}
    conditions = {"uid": how.uid, "resourceVersion": str(how.version) if how.version else ""}
    if wanted := {key: value for key, value in conditions.items() if value}:
        options["preconditions"] = wanted
    if how.dry_run:
        options["dryRun"] = ["All"]
    return options
