"""The subresource scale: an object as a Scale, and a write of the Scale back into the object with its own ownership."""

from __future__ import annotations

from appdelivery.sandbox import status
from appdelivery.sandbox.writes import decoding, fieldsets, ownership, patches, types
from appdelivery.sandbox.writes.rules import words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from appdelivery.sandbox.cluster import Cluster
    from appdelivery.sandbox.kinds import Kind
    from appdelivery.sandbox.storage import Body
    from appdelivery.sandbox.writes.options import Options
    from appdelivery.sandbox.writes.ownership import Managed, Owner

VERSION = "autoscaling/v1"
DEFINITION = {"$ref": "#/definitions/io.k8s.api.autoscaling.v1.Scale"}
REPLICAS = ("f:spec", "f:replicas")
SHOWN = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
SIGNS = {"In": "{key} in ({values})", "NotIn": "{key} notin ({values})", "Exists": "{key}", "DoesNotExist": "!{key}"}
SUBRESOURCE, PUT, APPLY = "scale", "put", "apply"


def of(kind: Kind, body: Body) -> Body:
    """An object as its Scale."""
    where, told, selector = _places(kind)
    found: Body = {"kind": "Scale", "apiVersion": VERSION}
    found["metadata"] = {key: body["metadata"][key] for key in SHOWN if key in body["metadata"]}
    replicas = _at(body, where)
    found["spec"] = {"replicas": replicas} if replicas else {}
    found["status"] = {"replicas": _at(body, told) or 0}
    text = _selector(kind, body, selector)
    if text:
        found["status"]["selector"] = text
    return found


def change(cluster: Cluster, kind: Kind, old: Body, *, form: str, change: Any, options: Options) -> tuple[Body, list[Body]]:
    """The object after a write of its Scale, and its managedFields."""
    type = types.of(cluster.schemas, DEFINITION)
    where = _places(kind)[0]
    path = tuple(f"f:{part}" for part in where)
    scale = of(kind, old)
    parent = ownership.parsed(old["metadata"].get("managedFields") or [])
    write = ownership.Write(
        VERSION, type, options.manager, options.subresource, cluster.clock.stamp(), frozenset(), lambda body, _: (type, body)
    )
    new, entries = _written(write, scale, _as_scale(parent, path), form=form, change=change, force=options.force)
    metadata = new["metadata"]
    _check(kind, old, new)
    changed = _with(old, where, new["spec"].get("replicas", 0))
    changed["metadata"] = {**old["metadata"], "resourceVersion": metadata.get("resourceVersion", "")}
    changed["metadata"].pop("managedFields", None)
    return changed, ownership.written(_as_parent(kind, parent, ownership.parsed(entries), path))


def _written(
    write: ownership.Write, scale: Body, entries: list[Body], *, form: str, change: Any, force: bool
) -> tuple[Body, list[Body]]:
    type = write.type
    blank = decoding.blank(type)
    if form == APPLY:
        return ownership.applied(write, scale, change, entries, force=force, blank=blank)
    sent = change if form == PUT else patches.patched(type, scale, form, change, is_custom=False)
    try:
        new, _ = decoding.decode(type, sent)
    except decoding.Mismatch:
        found = decoding.mismatch(type, sent)
        if form != PUT:
            raise patches.unfit(form, change, sent, found) from None
        raise status.bad_request(f'Scale in version "v1" cannot be handled as a Scale: {found}') from None
    return new, ownership.updated(write, scale, new, entries, blank=blank)


def _check(kind: Kind, old: Body, new: Body) -> None:
    replicas, name = new["spec"].get("replicas", 0), old["metadata"]["name"]
    if replicas < 0:
        cause = words.invalid("spec.replicas", replicas, words.NOT_NEGATIVE)
        details = {"name": name, "group": "autoscaling", "kind": "Scale", "causes": [cause.body()]}
        message = f'Scale.autoscaling "{name}" is invalid: {cause.field}: {cause.message}'
        raise status.Refusal(422, "Invalid", message, details=details)
    uid = new["metadata"].get("uid", "")
    if uid and uid != old["metadata"]["uid"]:
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {old['metadata']['uid']}"
        raise status.conflict(kind, name, why)


# --- where things are ---


def _places(kind: Kind) -> tuple[list[str], list[str], list[str]]:
    """replicas wanted, replicas there, selector."""
    if kind.definition is None:
        return ["spec", "replicas"], ["status", "replicas"], []
    version = next(one for one in kind.definition["spec"]["versions"] if one["name"] == kind.version)
    scale = version["subresources"]["scale"]
    keys = ("specReplicasPath", "statusReplicasPath", "labelSelectorPath")
    return tuple([part for part in scale.get(key, "").split(".") if part] for key in keys)  # type: ignore[return-value]


def _at(body: Body, path: list[str]) -> Any:
    found: Any = body
    for part in path:
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _with(body: Body, path: list[str], value: int) -> Body:
    inner = body.get(path[0])
    if len(path) == 1:
        return {**body, path[0]: value}
    return {**body, path[0]: _with(inner if isinstance(inner, dict) else {}, path[1:], value)}


def _selector(kind: Kind, body: Body, path: list[str]) -> str:
    if kind.definition is not None:
        return str(_at(body, path) or "") if path else ""
    given = body["spec"].get("selector") or {}
    if kind.family == ("", "replicationcontrollers"):
        given = {"matchLabels": given}
    found = [(key, f"{key}={value}") for key, value in (given.get("matchLabels") or {}).items()]
    for one in given.get("matchExpressions") or ():
        said = SIGNS[one["operator"]].format(key=one["key"], values=",".join(sorted(one.get("values") or ())))
        found.append((one["key"], said))
    return ",".join(text for _, text in sorted(found, key=lambda pair: pair[0]))


# --- ownership, between the object and its Scale ---


def _as_scale(parent: Managed, path: fieldsets.Path) -> list[Body]:
    """The entries that own the replicas, as entries of the Scale."""
    found = []
    for entry in parent.values():
        if path in entry.paths:
            own = ownership.Entry(entry.manager, entry.operation, VERSION, entry.subresource, entry.time)
            own.take(frozenset([REPLICAS]))
            found.append(own.body())
    return found


def _as_parent(kind: Kind, parent: Managed, scale: Managed, path: fieldsets.Path) -> Managed:
    """The object's entries after those of the Scale: whoever lost the replicas there loses them here."""
    left: dict[Owner, ownership.Entry] = {
        (entry.manager, entry.operation, "", entry.subresource): entry for entry in scale.values() if REPLICAS in entry.paths
    }
    found: Managed = {}
    for owner, entry in parent.items():
        if path in entry.paths:
            kept = left.pop((entry.manager, entry.operation, "", entry.subresource), None)
            if kept is None:
                entry.take(entry.paths - {path})
        found[owner] = entry
    for entry in left.values():  # without a time, as the server leaves them
        gained = ownership.Entry(entry.manager, entry.operation, kind.api_version, entry.subresource, None)
        gained.take(frozenset([path]))
        found[gained.owner] = gained
    return found
