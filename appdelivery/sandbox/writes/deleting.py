"""delete: preconditions, finalizers, grace."""

from __future__ import annotations

from appdelivery.sandbox import status, storage
from appdelivery.sandbox.writes import conversion, identity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from appdelivery.sandbox.cluster import Cluster
    from appdelivery.sandbox.kinds import Kind
    from appdelivery.sandbox.storage import Body, Key
    from appdelivery.sandbox.writes.options import Deletion


def delete(cluster: Cluster, kind: Kind, key: Key, deletion: Deletion) -> tuple[Body, bool]:
    """The last body, and whether the object is gone now."""
    item = cluster.get(kind, *key)
    if item is None:
        raise status.not_found(kind, key[1])
    body = conversion.served(cluster, kind, item.body)
    identity.matches(kind, key, body, uid=deletion.uid, version=deletion.resource_version)
    if deletion.dry_run:
        return body, True
    if body["metadata"].get("finalizers"):
        if "deletionTimestamp" not in body["metadata"]:
            metadata = {**item.body["metadata"], "deletionTimestamp": cluster.clock.stamp(), "deletionGracePeriodSeconds": 0}
            item = cluster.storage.commit(storage.MODIFIED, kind.family, {**item.body, "metadata": metadata})
        return conversion.served(cluster, kind, item.body), False
    return finish(cluster, kind, item.body), True


def delete_all(cluster: Cluster, kind: Kind, namespace: str, keys: Iterable[Key], deletion: Deletion) -> list[Body]:
    return [delete(cluster, kind, key, deletion)[0] for key in keys if cluster.get(kind, *key) is not None]


def ends(old: Body, new: Body) -> bool:
    """Whether a write took the last finalizer of an object that is being deleted."""
    metadata = new["metadata"]
    return bool(metadata.get("deletionTimestamp") and old["metadata"].get("finalizers") and not metadata.get("finalizers"))


def finish(cluster: Cluster, kind: Kind, body: Body) -> Body:
    """Takes the object away."""
    item = cluster.storage.commit(storage.DELETED, kind.family, {**body, "metadata": dict(body["metadata"])})
    return conversion.served(cluster, kind, item.body)
