"""Custom kinds: what a CustomResourceDefinition makes of the kinds that are served, from its birth to its end."""

from __future__ import annotations

from appdelivery.sandbox import kinds as kinds_
from appdelivery.sandbox import storage
from appdelivery.sandbox.kinds import Kind
from appdelivery.sandbox.writes import decoding, structural, types

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from appdelivery.sandbox.cluster import Cluster
    from appdelivery.sandbox.schemas import Node
    from appdelivery.sandbox.storage import Body, Key
    from appdelivery.sandbox.writes.types import Type

FAMILY = ("apiextensions.k8s.io", "customresourcedefinitions")
CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
VERBS = ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"]
PARTS = ["get", "patch", "update"]  # verbs of a subresource
SCALE = {"group": "autoscaling", "version": "v1", "kind": "Scale"}
METADATA = {"$ref": f"#/definitions/{types.METADATA}"}


def decoded(type: Type, body: Body, validation: str, *, is_merged: bool = False) -> tuple[Body, tuple[str, ...]]:
    """A body of a custom kind as the server holds it, and warnings.  is_merged: it comes from an apply, whose nulls stay."""
    unknown: list[str] = []
    new: Body = structural.decoded(type, body, unknown, keeps_null=is_merged)
    metadata, strange = decoding.checked_metadata(type, body["metadata"])
    new["metadata"] = metadata
    unknown += [f"metadata.{path}" for path in strange]
    return new, decoding.strictly(sorted(unknown), validation)


# --- life of a definition ---


def committed(cluster: Cluster, kind: Kind, body: Body) -> None:
    """A definition was stored: its kinds are served once it is established, and follow its changes."""
    if kind.family != FAMILY or "deletionTimestamp" in body["metadata"]:
        return
    if is_established(body):
        serve(cluster, body)
        return
    name, uid = body["metadata"]["name"], body["metadata"]["uid"]
    if cluster.establishing > 0:
        cluster.clock.later(cluster.establishing, lambda: _establish(cluster, name, uid))
    else:
        _establish(cluster, name, uid)


def is_established(body: Body) -> bool:
    conditions = body.get("status", {}).get("conditions") or ()
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)


def _establish(cluster: Cluster, name: str, uid: str) -> None:
    item = cluster.storage.family(FAMILY).get(("", name))
    if item is None or item.uid != uid or is_established(item.body):
        return
    body = item.body
    since = cluster.clock.stamp()
    conditions = [
        {
            "type": "NamesAccepted", "status": "True", "lastTransitionTime": since, "reason": "NoConflicts",
            "message": "no conflicts found",
        },
        {
            "type": "Established", "status": "True", "lastTransitionTime": since, "reason": "InitialNamesAccepted",
            "message": "the initial names have been accepted",
        },
    ]  # fmt: skip
    stored = [version["name"] for version in body["spec"]["versions"] if version["storage"]]
    status = {
        **body["status"], "conditions": conditions, "acceptedNames": body["spec"]["names"], "storedVersions": stored,
    }  # fmt: skip
    item = cluster.storage.commit(storage.MODIFIED, FAMILY, {**body, "metadata": dict(body["metadata"]), "status": status})
    serve(cluster, item.body)


def gone(cluster: Cluster, kind: Kind, body: Body) -> None:
    """A definition is gone, and its kinds with it."""
    if kind.family == FAMILY:
        for old in _served(cluster, body):
            cluster.kinds.remove(old)


def instances(cluster: Cluster, body: Body) -> tuple[Kind | None, list[Key]]:
    """What a definition that is being deleted takes with it."""
    served = _served(cluster, body)
    return (served[0], [item.key for item in cluster.collection(served[0]).items()]) if served else (None, [])


def released(cluster: Cluster, family: tuple[str, str], finish: Callable[[Kind, Body], None]) -> None:
    """Ends a definition that waits for the last of its objects."""
    group, plural = family
    item = cluster.storage.family(FAMILY).get(("", f"{plural}.{group}"))
    if item is None or "deletionTimestamp" not in item.body["metadata"] or len(cluster.storage.family(family)):
        return
    metadata = dict(item.body["metadata"])
    metadata["finalizers"] = [one for one in metadata.get("finalizers") or () if one != CLEANUP]
    changed = {**item.body, "metadata": metadata}
    if metadata["finalizers"]:
        cluster.storage.commit(storage.MODIFIED, FAMILY, changed)
        return
    del metadata["finalizers"]
    finish(cluster.kind("apiextensions.k8s.io/v1", "CustomResourceDefinition"), changed)


def terminating(cluster: Cluster, body: Body) -> Body:
    """A definition as it stands while its objects are being deleted."""
    since = cluster.clock.stamp()
    condition = {
        "type": "Terminating", "status": "True", "lastTransitionTime": since, "reason": "InstanceDeletionPending",
        "message": "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
    }  # fmt: skip
    finalizers = [one for one in body["metadata"].get("finalizers") or () if one != CLEANUP]
    metadata = {**body["metadata"], "deletionTimestamp": since, "finalizers": [*finalizers, CLEANUP]}
    status = {**body["status"], "conditions": [*(body["status"].get("conditions") or ()), condition]}
    return {**body, "metadata": metadata, "status": status}


# --- its kinds ---


def serve(cluster: Cluster, definition: Body) -> None:
    """Serves what the definition states now, and no more."""
    wanted = {version["name"]: version for version in definition["spec"]["versions"] if version.get("served")}
    for old in _served(cluster, definition):
        if old.definition is definition and old.version in wanted:
            continue
        cluster.kinds.remove(old)
    for version in _in_order(list(wanted.values())):
        cluster.kinds.add(_kind(definition, version))


def _served(cluster: Cluster, definition: Body) -> list[Kind]:
    spec = definition["spec"]
    found = cluster.kinds.of_family((spec["group"], spec["names"]["plural"]))
    return [kind for kind in found if kind.definition is not None]


def _in_order(versions: list[Body]) -> list[Body]:
    """v2 before v1 before v1beta1."""

    def rank(version: Body) -> tuple[int, int, int]:
        name = version["name"]
        stage = 1 if "beta" in name else 0 if "alpha" in name else 2
        numbers = [int(part) for part in "".join(c if c.isdigit() else " " for c in name).split()]
        return stage, numbers[0] if numbers else 0, numbers[1] if len(numbers) > 1 else 0

    return sorted(versions, key=rank, reverse=True)


def _kind(definition: Body, version: Body) -> Kind:
    spec = definition["spec"]
    names, group, name = spec["names"], spec["group"], version["name"]
    itself = {"group": group, "version": name, "kind": names["kind"]}
    discovery: dict[str, Any] = {
        "resource": names["plural"], "responseKind": itself, "scope": "Cluster" if spec["scope"] == "Cluster" else "Namespaced",
        "singularResource": names.get("singular", names["kind"].lower()), "verbs": VERBS,
    }  # fmt: skip
    for key in ("shortNames", "categories"):
        if names.get(key):
            discovery[key] = names[key]
    parts = version.get("subresources") or {}
    found = []
    if parts.get("status") is not None:
        found.append({"subresource": "status", "responseKind": itself, "verbs": PARTS})
    if parts.get("scale") is not None:
        found.append({"subresource": "scale", "responseKind": SCALE, "verbs": PARTS})
    if found:
        discovery["subresources"] = found
    return Kind(group, name, discovery, schema(definition, version), columns=_columns(version), definition=definition)


def schema(definition: Body, version: Body) -> Node:
    """With what every object has."""
    stated: Node = (version.get("schema") or {}).get("openAPIV3Schema") or {"type": "object", structural.PRESERVES: True}
    names = definition["spec"]["names"]
    own = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": METADATA}
    gvk = {"group": definition["spec"]["group"], "version": version["name"], "kind": names["kind"]}
    return {**stated, "properties": {**stated.get("properties", {}), **own}, "x-kubernetes-group-version-kind": [gvk]}


def _columns(version: Body) -> Any:
    """As tables have them; `jsonPath` says where a column's value is."""
    stated = version.get("additionalPrinterColumns")
    if not stated:
        return kinds_.PLAIN
    rest = [
        {
            "name": one["name"], "type": one["type"], "format": one.get("format", ""), "priority": one.get("priority", 0),
            "jsonPath": one["jsonPath"],
        }
        for one in stated
    ]  # fmt: skip
    return (kinds_.PLAIN[0], *rest)


def storage_version(kind: Kind) -> str:
    """The apiVersion that objects of a custom kind are stored in."""
    versions = (kind.definition or {})["spec"]["versions"]
    return next((f"{kind.group}/{one['name']}" for one in versions if one.get("storage")), kind.api_version)
