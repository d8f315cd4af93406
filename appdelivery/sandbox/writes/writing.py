"""create, replace, patch and apply: one write from the request's body to the commit, in the real server's order.

decode > default > own > admit (namespace) > prepare > validate > commit.  Controllers and the protocol call these; a
write either takes effect as a whole or raises `status.Refusal`.
"""

from __future__ import annotations

from appdelivery.sandbox import status, storage
from appdelivery.sandbox.writes import (
    admission,
    conversion,
    customs,
    decoding,
    deleting,
    fitting,
    identity,
    ownership,
    patches,
    rules,
    scaling,
    strategies,
    types,
)
from appdelivery.sandbox.writes import options as options_
from appdelivery.sandbox.writes.options import Options, Written

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from appdelivery.sandbox.cluster import Cluster
    from appdelivery.sandbox.kinds import Kind
    from appdelivery.sandbox.storage import Body, Item, Key
    from appdelivery.sandbox.writes.fieldsets import Paths
    from appdelivery.sandbox.writes.types import Type


def read(cluster: Cluster, kind: Kind, item: Item) -> Body:
    """The stored object in the version of `kind`."""
    return conversion.served(cluster, kind, item.body)


# --- create ---


def create(cluster: Cluster, kind: Kind, namespace: str, body: Body, options: Options) -> Written:
    sent = identity.received(kind, body, namespace, None)
    type = types.of(cluster.schemas, kind.schema)
    new, warnings = _received(kind, type, sent, options)
    entries = ownership.stated(None, new, subresource="")
    new["metadata"].pop("managedFields", None)
    blank = _blank(kind, type)
    owned = ownership.updated(_write(cluster, kind, type, options), None, new, entries, blank=blank)
    if owned:
        new["metadata"]["managedFields"] = owned
    return _created(cluster, kind, new, options, warnings)


def _created(cluster: Cluster, kind: Kind, new: Body, options: Options, warnings: tuple[str, ...]) -> Written:
    metadata = new["metadata"]
    identity.born(cluster, metadata)
    name, namespace = metadata.get("name", ""), metadata.get("namespace", "")
    identity.home(cluster, kind, namespace, name)
    admission.admit(cluster, kind, new)
    strategies.begin(kind, types.of(cluster.schemas, kind.schema), new)
    admission.prepare(cluster, kind, new)
    warnings += rules.created(cluster, kind, new)
    if cluster.get(kind, namespace, name) is not None:
        raise status.already_exists(kind, name)
    if options.dry_run:
        return Written(new, created=True, warnings=warnings)
    stored = conversion.stored(cluster, kind, new)
    item = cluster.storage.commit(storage.ADDED, kind.family, stored)
    customs.committed(cluster, kind, item.body)
    deleting.born(cluster, kind, item.body)
    return Written(read(cluster, kind, item), created=True, warnings=warnings)


# --- update ---


def replace(cluster: Cluster, kind: Kind, key: Key, body: Body, options: Options) -> Written:
    if options.subresource == scaling.SUBRESOURCE:
        return _scaled(cluster, kind, key, scaling.PUT, body, options)
    sent = identity.received(kind, body, *key)
    type = types.of(cluster.schemas, kind.schema)
    new, warnings = _received(kind, type, sent, options)
    item = cluster.get(kind, *key)
    if item is None:
        if kind.family in strategies.MADE_BY_PUT and not options.subresource:
            return create(cluster, kind, key[0], body, options)
        raise status.not_found(kind, key[1])
    version = new["metadata"].get("resourceVersion", "")
    if not version and (kind.definition is not None or kind.family in strategies.GUARDED):
        raise identity.unversioned(kind, key[1])
    identity.matches(kind, key, read(cluster, kind, item), new["metadata"], is_put=True)
    return _updated(cluster, kind, item, new, options, warnings)


def patch(cluster: Cluster, kind: Kind, key: Key, form: str, change: Any, options: Options) -> Written:
    if options.subresource == scaling.SUBRESOURCE:
        return _scaled(cluster, kind, key, form, change, options)
    item = cluster.get(kind, *key)
    if item is None:
        raise status.not_found(kind, key[1])
    type = types.of(cluster.schemas, kind.schema)
    live = read(cluster, kind, item)
    changed = patches.patched(type, live, form, change, is_custom=kind.definition is not None)
    why = identity.other(kind, changed)
    if why:
        raise patches.unfit(form, change, changed, why)
    sent = identity.addressed(kind, changed, *key)
    try:
        new, warnings = _decoded(kind, type, sent, options.validation)
    except decoding.Unreadable as problem:
        raise patches.unfit(form, change, changed, str(problem)) from None
    identity.matches(kind, key, live, new["metadata"])
    return _updated(cluster, kind, item, new, options, warnings)


def _updated(cluster: Cluster, kind: Kind, item: Item, new: Body, options: Options, warnings: tuple[str, ...]) -> Written:
    old = read(cluster, kind, item)
    metadata = new["metadata"]
    type = types.of(cluster.schemas, kind.schema)
    entries = ownership.stated(old, new, subresource=options.subresource)
    metadata.pop("managedFields", None)
    before = _bare(old)
    found = ownership.updated(_write(cluster, kind, type, options), before, new, entries, blank={})
    return _changed(cluster, kind, item, old, new, found, options, warnings)


def _changed(
    cluster: Cluster,
    kind: Kind,
    item: Item,
    old: Body,
    new: Body,
    entries: list[Body],
    options: Options,
    warnings: tuple[str, ...],
) -> Written:
    """From the owned body on, the same for PUT, patch and apply."""
    identity.kept(old["metadata"], new["metadata"])
    admission.change(cluster, kind, old, new, options.subresource)
    strategies.change(kind, old, new, options.subresource)
    metadata = new["metadata"]
    metadata["resourceVersion"] = old["metadata"]["resourceVersion"]
    warnings += rules.updated(cluster, kind, old, new, options.subresource)
    before = old["metadata"].get("managedFields") or []
    if _timeless(entries) == _timeless(before) and _bare(old) == new:
        return Written(old, warnings=warnings)
    if entries:
        metadata["managedFields"] = entries
    if options.dry_run:
        return Written(new, warnings=warnings)
    stored = conversion.stored(cluster, kind, new)
    if deleting.ends(old, new):
        gone = deleting.finish(cluster, kind, stored)
        return Written(conversion.served(cluster, kind, gone), warnings=warnings)
    changed = cluster.storage.commit(storage.MODIFIED, kind.family, stored)
    customs.committed(cluster, kind, changed.body)
    if new["metadata"].get("ownerReferences") != old["metadata"].get("ownerReferences"):
        deleting.born(cluster, kind, changed.body)
    return Written(read(cluster, kind, changed), warnings=warnings)


def _scaled(cluster: Cluster, kind: Kind, key: Key, form: str, change: Any, options: Options) -> Written:
    """A write of the subresource scale; gives the Scale."""
    item = cluster.get(kind, *key)
    if item is None:
        raise status.not_found(kind, key[1])
    old = read(cluster, kind, item)
    new, entries = scaling.change(cluster, kind, key, old, form, change, options)
    identity.matches(kind, key, old, {"resourceVersion": new["metadata"]["resourceVersion"]})
    written = _changed(cluster, kind, item, old, new, entries, options, ())
    return Written(scaling.of(kind, written.body), warnings=written.warnings)


# --- apply ---


def apply(cluster: Cluster, kind: Kind, key: Key, body: Body, options: Options) -> Written:
    """Server-side apply."""
    if options.subresource == scaling.SUBRESOURCE:
        return _scaled(cluster, kind, key, scaling.APPLY, body, options)
    stated, named = body.get("apiVersion", ""), body.get("kind", "")
    if (stated, named) != (kind.api_version, kind.kind):
        group, _, version = stated.rpartition("/")
        raise status.bad_request(f"invalid object type: {group}/{version}, Kind={named}")
    sent = identity.addressed(kind, body, *key)
    type = types.of(cluster.schemas, kind.schema)
    if "managedFields" in (body.get("metadata") or {}):
        raise status.bad_request("metadata.managedFields must be nil")
    fitting.check(kind, type, body)
    item = cluster.get(kind, *key)
    write = _write(cluster, kind, type, options)
    blank = _blank(kind, type)
    if item is None:
        if options.subresource and kind.family not in strategies.MADE_BY_PUT:
            raise status.not_found(kind, key[1])
        if sent["metadata"].get("uid"):
            why = f"uid mismatch: the provided object specified uid {sent['metadata']['uid']}, and no existing object was found"
            raise status.conflict(kind, key[1], why)
        merged, entries = ownership.applied(write, blank, sent, [], force=options.force, blank=blank)
        new, warnings = _merged(kind, type, merged)
        if entries:
            new["metadata"]["managedFields"] = entries
        return _created(cluster, kind, new, options, warnings)
    old = read(cluster, kind, item)
    identity.matches(kind, key, old, sent["metadata"])
    before = old["metadata"].get("managedFields") or []
    live = _bare(old)
    allowed = _client_side(type, old) if options.manager == "kubectl" else frozenset()
    merged, entries = ownership.applied(write, live, sent, before, force=options.force, blank=blank, allowed=allowed)
    if merged == live and _timeless(entries) == _timeless(before):
        return Written(old, warnings=rules.updated(cluster, kind, old, old, options.subresource))
    new, warnings = _merged(kind, type, merged)
    new["metadata"].pop("managedFields", None)
    return _changed(cluster, kind, item, old, new, entries, options, warnings)


def _merged(kind: Kind, type: Type, merged: Body) -> tuple[Body, tuple[str, ...]]:
    """The result of a merge as the server holds it; what it cannot hold is the server's own failure."""
    if kind.definition is not None:
        return customs.decoded(type, merged, options_.IGNORE, is_merged=True)
    try:
        new, _ = decoding.decode(type, merged)
    except decoding.Mismatch:
        found = decoding.mismatch(type, merged)
        raise status.Refusal(
            500, "",
            f"failed to convert new object ({fitting.named(kind, merged)}) to proper version: unable to convert unstructured "
            f"object to {kind.api_version}, Kind={kind.kind}: {found}",
        ) from None  # fmt: skip
    new["apiVersion"], new["kind"] = kind.api_version, kind.kind
    return new, ()


def _client_side(type: Type, old: Body) -> Paths:
    """Fields that a client-side apply of kubectl set, by its annotation; they may be taken over."""
    return patches.last_applied(type, old)


# --- common ---


def _received(kind: Kind, type: Type, body: Body, options: Options) -> tuple[Body, tuple[str, ...]]:
    """The decoded body of a request."""
    try:
        return _decoded(kind, type, body, options.validation)
    except decoding.Unreadable as problem:
        raise status.bad_request(
            f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: {problem}'
        ) from None


def _decoded(kind: Kind, type: Type, body: Body, validation: str) -> tuple[Body, tuple[str, ...]]:
    if kind.definition is not None:
        return customs.decoded(type, body, validation)
    new, warnings = decoding.checked(type, body, validation)
    new["apiVersion"], new["kind"] = kind.api_version, kind.kind
    return new, warnings


def _write(cluster: Cluster, kind: Kind, type: Type, options: Options) -> ownership.Write:
    return ownership.Write(
        kind.api_version, type, options.manager, options.subresource, cluster.clock.stamp(),
        strategies.resets(kind, options.subresource), conversion.converter(cluster, kind),
    )  # fmt: skip


def _blank(kind: Kind, type: Type) -> Body:
    found = {} if kind.definition is not None else decoding.blank(type)
    return {**found, "apiVersion": kind.api_version, "kind": kind.kind}


def _bare(body: Body) -> Body:
    metadata = {key: value for key, value in body["metadata"].items() if key != "managedFields"}
    return {**body, "metadata": metadata}


def _timeless(entries: list[Body]) -> list[Body]:
    return [{key: value for key, value in entry.items() if key != "time"} for entry in entries]
