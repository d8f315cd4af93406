"""delete: preconditions, finalizers, grace, and what follows from it, as the garbage collector does it.

Dependents of a deleted owner go with it (background), before it (foreground) or lose their owner (orphan); that happens
within the call.  Dependents that are born after their owner is gone, and namespaces, are left to a timer of the clock.
"""

from __future__ import annotations

from datetime import timedelta

from appdelivery.sandbox import status, storage
from appdelivery.sandbox.writes import conversion, customs, namespaces, strategies
from appdelivery.sandbox.writes.options import BACKGROUND, FOREGROUND, ORPHAN, Deletion

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from appdelivery.sandbox.cluster import Cluster
    from appdelivery.sandbox.kinds import Kind
    from appdelivery.sandbox.storage import Body, Item, Key

WAITS_FOR_DEPENDENTS, ORPHANS = "foregroundDeletion", "orphan"
PODS, NAMESPACES, CLAIMS, VOLUMES = (
    ("", "pods"),
    ("", "namespaces"),
    ("", "persistentvolumeclaims"),
    ("", "persistentvolumes"),
)
PROTECTION = {CLAIMS: "kubernetes.io/pvc-protection", VOLUMES: "kubernetes.io/pv-protection"}
KEPT = ("default", "kube-system", "kube-public")


def delete(cluster: Cluster, kind: Kind, key: Key, deletion: Deletion) -> tuple[Body, bool]:
    """The last body, and whether the object is gone now."""
    if kind.family == NAMESPACES and key[1] in KEPT:
        message = f'namespaces "{key[1]}" is forbidden: this namespace may not be deleted'
        raise status.Refusal(403, "Forbidden", message, details=kind.details(key[1]))
    item = cluster.get(kind, *key)
    if item is None:
        raise status.not_found(kind, key[1])
    body = item.body
    _preconditions(kind, body, deletion)
    if kind.family == customs.FAMILY and "deletionTimestamp" not in body["metadata"]:
        return _definition(cluster, kind, item, deletion)
    if kind.family == NAMESPACES:
        return _namespace(cluster, kind, item, deletion)
    metadata = dict(body["metadata"])
    finalizers = _finalizers(kind, metadata, deletion)
    grace = _grace(kind, body, deletion)
    if grace == 0 and not finalizers:
        if deletion.dry_run:
            return conversion.served(kind, body), True
        gone = finish(cluster, kind, body)
        return conversion.served(kind, gone), True
    _mark(cluster, metadata, grace)
    if finalizers:
        metadata["finalizers"] = finalizers
    else:
        metadata.pop("finalizers", None)
    marked = {**body, "metadata": metadata}
    if not deletion.dry_run and metadata != body["metadata"]:
        marked = cluster.storage.commit(storage.MODIFIED, kind.family, marked).body
        _work_off(cluster, kind, marked)
    return conversion.served(kind, marked), False


def delete_all(cluster: Cluster, kind: Kind, namespace: str, keys: Iterable[Key], deletion: Deletion) -> list[Body]:
    """deletecollection: the last bodies, in order."""
    wanted = [key for key in keys if not namespace or key[0] == namespace]
    return [delete(cluster, kind, key, deletion)[0] for key in wanted if cluster.get(kind, *key) is not None]


def ends(old: Body, new: Body) -> bool:
    """Whether a write takes the last finalizer of an object that is being deleted, which ends it."""
    metadata = new["metadata"]
    if not metadata.get("deletionTimestamp") or metadata.get("finalizers") or (new.get("spec") or {}).get("finalizers"):
        return False
    return metadata.get("deletionGracePeriodSeconds", 0) == 0 and bool(
        old["metadata"].get("finalizers") or (old.get("spec") or {}).get("finalizers")
    )


def finish(cluster: Cluster, kind: Kind, body: Body) -> Body:
    """Takes the object away, and what hangs on it."""
    uid = body["metadata"]["uid"]
    gone = cluster.storage.commit(storage.DELETED, kind.family, {**body, "metadata": dict(body["metadata"])}).body
    customs.gone(cluster, kind, gone)
    for family, key in list(cluster.storage.owned.get(uid, ())):
        _owner_gone(cluster, family, key, uid)
    for owner in storage.owners(gone):
        _dependent_gone(cluster, owner)
    if kind.definition is not None:
        customs.released(cluster, kind.family, lambda definition, rest: _ended(cluster, definition, rest))
    if kind.family in (PODS, CLAIMS):
        _unprotect(cluster, gone["metadata"].get("namespace", ""))
    namespaces.content_gone(cluster, gone["metadata"].get("namespace", ""), delete_all)
    return gone


def born(cluster: Cluster, kind: Kind, body: Body) -> None:
    """Of a new or changed object: one whose owners are all gone is collected soon."""
    if storage.owners(body) and not _owners_left(cluster, body):
        key = body["metadata"].get("namespace", ""), body["metadata"]["name"]
        uid = body["metadata"]["uid"]
        cluster.clock.later(0, lambda: _collect(cluster, kind, key, uid))


# --- the object itself ---


def _preconditions(kind: Kind, body: Body, deletion: Deletion) -> None:
    metadata = body["metadata"]
    why = ""
    if deletion.uid and deletion.uid != metadata["uid"]:
        why = (
            f"the UID in the precondition ({deletion.uid}) does not match the UID in record ({metadata['uid']}). "
            "The object might have been deleted and then recreated"
        )
    elif deletion.resource_version and deletion.resource_version != metadata["resourceVersion"]:
        why = (
            f"the ResourceVersion in the precondition ({deletion.resource_version}) does not match the ResourceVersion in "
            f"record ({metadata['resourceVersion']}). The object might have been modified"
        )
    if why:
        named = f"{kind.kind}.{kind.group}" if kind.group else kind.kind
        message = f'Operation cannot be fulfilled on {named} "{metadata["name"]}": {why}'
        raise status.Refusal(409, "Conflict", message, details=kind.details(metadata["name"]) | {"kind": kind.kind})


def _finalizers(kind: Kind, metadata: Body, deletion: Deletion) -> list[str]:
    """With those that make the collector wait for, or orphan, the dependents."""
    before = metadata.get("finalizers") or []
    asked = deletion.propagation
    if not asked:
        if ORPHANS in before or kind.family in strategies.ORPHANED:
            asked = ORPHAN
        elif WAITS_FOR_DEPENDENTS in before:
            asked = FOREGROUND
    kept = [one for one in before if one not in (ORPHANS, WAITS_FOR_DEPENDENTS)]
    return kept + {ORPHAN: [ORPHANS], FOREGROUND: [WAITS_FOR_DEPENDENTS]}.get(asked, [])


def _grace(kind: Kind, body: Body, deletion: Deletion) -> int:
    """Seconds that the object stays; only pods on a node have them."""
    if kind.family != PODS:
        return 0
    if not body["spec"].get("nodeName") or body["status"].get("phase") in ("Failed", "Succeeded"):
        return 0
    asked = body["spec"].get("terminationGracePeriodSeconds", 0) if deletion.grace is None else deletion.grace
    grace = 1 if asked < 0 else asked
    pending = body["metadata"].get("deletionGracePeriodSeconds")
    return grace if pending is None else min(pending, grace if deletion.grace is not None else pending)


def _mark(cluster: Cluster, metadata: Body, grace: int) -> None:
    if "deletionTimestamp" not in metadata:
        if metadata.get("generation"):
            metadata["generation"] += 1
    elif metadata.get("deletionGracePeriodSeconds", 0) <= grace:
        return
    end = cluster.clock.now() + timedelta(seconds=grace)
    metadata["deletionTimestamp"] = end.strftime("%Y-%m-%dT%H:%M:%SZ")
    metadata["deletionGracePeriodSeconds"] = grace


def _namespace(cluster: Cluster, kind: Kind, item: Item, deletion: Deletion) -> tuple[Body, bool]:
    body = item.body
    if "deletionTimestamp" in body["metadata"]:
        return body, False
    metadata = {**body["metadata"], "deletionTimestamp": cluster.clock.stamp()}
    finalizers = _finalizers(kind, metadata, deletion)
    if finalizers:
        metadata["finalizers"] = finalizers
    marked = {**body, "metadata": metadata, "status": {**body["status"], "phase": "Terminating"}}
    if not deletion.dry_run:
        marked = cluster.storage.commit(storage.MODIFIED, kind.family, marked).body
        name = metadata["name"]
        cluster.clock.later(0, lambda: namespaces.terminate(cluster, name, delete_all))
    return marked, False


def _definition(cluster: Cluster, kind: Kind, item: Item, deletion: Deletion) -> tuple[Body, bool]:
    """A definition goes after its objects."""
    marked = customs.terminating(cluster, item.body)
    if not deletion.dry_run:
        marked = cluster.storage.commit(storage.MODIFIED, kind.family, marked).body
        served, keys = customs.instances(cluster, marked)
        if served is not None:
            for key in keys:
                _take(cluster, served, key, Deletion(propagation=BACKGROUND))
        spec = marked["spec"]
        family = spec["group"], spec["names"]["plural"]
        customs.released(cluster, family, lambda definition, rest: _ended(cluster, definition, rest))
    return marked, False


def _ended(cluster: Cluster, kind: Kind, body: Body) -> None:
    finish(cluster, kind, body)


# --- the collector ---


def _work_off(cluster: Cluster, kind: Kind, body: Body) -> None:
    """Of an object that was just marked: what its finalizers of the server ask for."""
    finalizers = body["metadata"].get("finalizers") or ()
    uid = body["metadata"]["uid"]
    if ORPHANS in finalizers:
        for family, key in list(cluster.storage.owned.get(uid, ())):
            _drop_reference(cluster, family, key, uid)
        _release(cluster, uid, ORPHANS)
    if WAITS_FOR_DEPENDENTS in finalizers:
        for family, key in list(cluster.storage.owned.get(uid, ())):
            item = cluster.storage.family(family).get(key)
            if item is not None and "deletionTimestamp" not in item.body["metadata"]:
                own = cluster.storage.owned.get(item.uid)
                _take(cluster, _kind(cluster, family), key, Deletion(propagation=FOREGROUND if own else BACKGROUND))
        _dependent_gone(cluster, uid)
    if kind.family in PROTECTION:
        _unprotect(cluster, body["metadata"].get("namespace", ""))


def _owner_gone(cluster: Cluster, family: tuple[str, str], key: Key, uid: str) -> None:
    item = cluster.storage.family(family).get(key)
    if item is None:
        return
    if _owners_left(cluster, item.body):
        _drop_reference(cluster, family, key, uid)
    elif "deletionTimestamp" not in item.body["metadata"]:
        _take(cluster, _kind(cluster, family), key, Deletion(uid=item.uid, propagation=_inherited(item.body)))


def _inherited(body: Body) -> str:
    finalizers = body["metadata"].get("finalizers") or ()
    return ORPHAN if ORPHANS in finalizers else FOREGROUND if WAITS_FOR_DEPENDENTS in finalizers else BACKGROUND


def _owners_left(cluster: Cluster, body: Body) -> bool:
    """Whether an owner is still there; one of a kind that is not served counts, as nobody can tell."""
    for reference in body["metadata"].get("ownerReferences") or ():
        if reference.get("uid") in cluster.storage.places:
            return True
        if cluster.kinds.named(reference.get("apiVersion", ""), reference.get("kind", "")) is None:
            return True
    return False


def _dependent_gone(cluster: Cluster, uid: str) -> None:
    """An owner that waits for its dependents goes when none of them blocks it any more."""
    for family, key in cluster.storage.owned.get(uid, ()):
        item = cluster.storage.family(family).get(key)
        references = item.body["metadata"].get("ownerReferences") or () if item is not None else ()
        if any(one.get("uid") == uid and one.get("blockOwnerDeletion") for one in references):
            return
    _release(cluster, uid, WAITS_FOR_DEPENDENTS)


def _release(cluster: Cluster, uid: str, finalizer: str) -> None:
    """Takes one finalizer; the last one ends an object that is being deleted."""
    place = cluster.storage.places.get(uid)
    if place is None:
        return
    family, key = place
    item = cluster.storage.family(family).get(key)
    if item is None or "deletionTimestamp" not in item.body["metadata"]:
        return
    metadata = dict(item.body["metadata"])
    left = [one for one in metadata.get("finalizers") or () if one != finalizer]
    if len(left) == len(metadata.get("finalizers") or ()):
        return
    if left:
        metadata["finalizers"] = left
    else:
        del metadata["finalizers"]
    changed = {**item.body, "metadata": metadata}
    if ends(item.body, changed):
        finish(cluster, _kind(cluster, family), changed)
    else:
        cluster.storage.commit(storage.MODIFIED, family, changed)


def _drop_reference(cluster: Cluster, family: tuple[str, str], key: Key, uid: str) -> None:
    item = cluster.storage.family(family).get(key)
    if item is None:
        return
    metadata = dict(item.body["metadata"])
    left = [one for one in metadata.get("ownerReferences") or () if one.get("uid") != uid]
    if left:
        metadata["ownerReferences"] = left
    else:
        metadata.pop("ownerReferences", None)
    cluster.storage.commit(storage.MODIFIED, family, {**item.body, "metadata": metadata})


def _collect(cluster: Cluster, kind: Kind, key: Key, uid: str) -> None:
    item = cluster.get(kind, *key)
    if item is not None and item.uid == uid and not _owners_left(cluster, item.body):
        _take(cluster, kind, key, Deletion(uid=uid, propagation=BACKGROUND))


def _take(cluster: Cluster, kind: Kind, key: Key, deletion: Deletion) -> None:
    if cluster.get(kind, *key) is not None:
        delete(cluster, kind, key, deletion)


def _kind(cluster: Cluster, family: tuple[str, str]) -> Kind:
    return cluster.kinds.of_family(family)[0]


def _unprotect(cluster: Cluster, namespace: str) -> None:
    """Claims that no pod uses, and volumes that no claim holds, lose their protection once they are being deleted."""
    used = {
        volume["persistentVolumeClaim"]["claimName"]
        for pod in cluster.storage.family(PODS).items(namespace)
        for volume in pod.body["spec"].get("volumes") or ()
        if "persistentVolumeClaim" in volume
    }
    for item in cluster.storage.family(CLAIMS).items(namespace):
        if "deletionTimestamp" in item.body["metadata"] and item.key[1] not in used:
            _release(cluster, item.uid, PROTECTION[CLAIMS])
    for item in cluster.storage.family(VOLUMES).items(""):
        if "deletionTimestamp" in item.body["metadata"] and item.body["status"].get("phase") != "Bound":
            _release(cluster, item.uid, PROTECTION[VOLUMES])
