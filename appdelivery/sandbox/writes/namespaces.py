"""The end of a namespace: its content is deleted, what is left is told by conditions, then it goes itself."""

from __future__ import annotations

from collections import Counter

from appdelivery.sandbox import storage
from appdelivery.sandbox.writes.options import BACKGROUND, Deletion

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from appdelivery.sandbox.cluster import Cluster
    from appdelivery.sandbox.kinds import Kind
    from appdelivery.sandbox.storage import Body, Item

    DeleteAll = Callable[..., list[Body]]

FAMILY = ("", "namespaces")
LAST = ("pods", "events")  # kinds whose controllers would make them anew go before them
WELL = {
    "NamespaceDeletionDiscoveryFailure": ("ResourcesDiscovered", "All resources successfully discovered"),
    "NamespaceDeletionGroupVersionParsingFailure": ("ParsedGroupVersions", "All legacy kube types successfully parsed"),
    "NamespaceDeletionContentFailure": (
        "ContentDeleted", "All content successfully deleted, may be waiting on finalization",
    ),
    "NamespaceContentRemaining": ("ContentRemoved", "All content successfully removed"),
    "NamespaceFinalizersRemaining": ("ContentHasNoFinalizers", "All content-preserving finalizers finished"),
}  # fmt: skip


def terminate(cluster: Cluster, name: str, delete_all: DeleteAll) -> None:
    """Deletes what is in a namespace that is being deleted."""
    if _terminating(cluster, name) is None:
        return
    for kind in sorted(_namespaced(cluster), key=lambda one: one.plural in LAST):
        keys = [
            item.key for item in cluster.collection(kind).items(name) if "deletionTimestamp" not in item.body["metadata"]
        ]
        delete_all(cluster, kind, name, keys, Deletion(propagation=BACKGROUND))
    _finalize(cluster, name)


def content_gone(cluster: Cluster, name: str, delete_all: DeleteAll) -> None:
    """Something of a namespace is gone: perhaps it was the last that kept it."""
    item = _terminating(cluster, name) if name else None
    if item is not None and item.body["status"].get("conditions"):
        cluster.clock.later(0, lambda: terminate(cluster, name, delete_all))


def _namespaced(cluster: Cluster) -> list[Kind]:
    """One version of each stored kind."""
    return list({kind.family: kind for kind in cluster.kinds if kind.namespaced and "delete" in kind.verbs}.values())


def _terminating(cluster: Cluster, name: str) -> Item | None:
    item = cluster.storage.family(FAMILY).get(("", name))
    return item if item is not None and "deletionTimestamp" in item.body["metadata"] else None


def _finalize(cluster: Cluster, name: str) -> None:
    item = _terminating(cluster, name)
    if item is None:
        return
    left = list(_left(cluster, name))
    body = item.body
    changed = {**body, "status": {**body["status"], "conditions": _conditions(cluster, body, left)}}
    if not left:
        changed["spec"] = {key: value for key, value in body["spec"].items() if key != "finalizers"}
        if "kubernetes" not in body["spec"].get("finalizers", ()):
            changed["spec"] = body["spec"]
        if not changed["spec"].get("finalizers") and not body["metadata"].get("finalizers"):
            cluster.storage.commit(storage.DELETED, FAMILY, {**changed, "metadata": dict(body["metadata"])})
            return
    if changed != body:
        cluster.storage.commit(storage.MODIFIED, FAMILY, {**changed, "metadata": dict(body["metadata"])})


def _left(cluster: Cluster, name: str) -> Iterator[tuple[Kind, Item]]:
    for kind in _namespaced(cluster):
        for item in cluster.collection(kind).items(name):
            yield kind, item


def _conditions(cluster: Cluster, body: Body, left: list[tuple[Kind, Item]]) -> list[Body]:
    kinds = Counter(f"{kind.plural}.{kind.group}" for kind, _ in left)
    finalizers = Counter(one for _, item in left for one in item.body["metadata"].get("finalizers") or ())
    bad = {}
    if kinds:
        said = ", ".join(f"{kind} has {count} resource instances" for kind, count in sorted(kinds.items()))
        bad["NamespaceContentRemaining"] = ("SomeResourcesRemain", f"Some resources are remaining: {said}")
    if finalizers:
        said = ", ".join(f"{one} in {count} resource instances" for one, count in sorted(finalizers.items()))
        why = f"Some content in the namespace has finalizers remaining: {said}"
        bad["NamespaceFinalizersRemaining"] = ("SomeFinalizersRemain", why)
    before = {one["type"]: one for one in body["status"].get("conditions") or ()}
    found = []
    for type, well in WELL.items():
        state, (reason, message) = ("True", bad[type]) if type in bad else ("False", well)
        old = before.get(type, {})
        since = old["lastTransitionTime"] if old.get("status") == state else cluster.clock.stamp()
        found.append({"type": type, "status": state, "lastTransitionTime": since, "reason": reason, "message": message})
    return found
