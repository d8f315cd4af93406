"""create, replace, patch and apply: one write from the request's body to the commit, in the real server's order.

decode > default > own > admit (namespace) > prepare > validate > commit.  Controllers and the protocol call these; a
write either takes effect as a whole or raises `status.Refusal`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

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
    services,
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
    """The stored object in the version of `kind`; item.body itself when nothing is converted."""
    del cluster  # no conversion needs it; callers have it at hand
    return conversion.served(kind, item.body)


@dataclass(frozen=True, slots=True)
class Request:
    """What one write is about."""

    cluster: Cluster
    kind: Kind
    type: Type
    options: Options

    def write(self) -> ownership.Write:
        kind, options = self.kind, self.options
        return ownership.Write(
            kind.api_version, self.type, options.manager, options.subresource, self.cluster.clock.stamp(),
            strategies.resets(kind, options.subresource), conversion.converter(self.cluster, kind),
        )  # fmt: skip

    def blank(self) -> Body:
        """A new object of the kind, before anything is set."""
        found = {} if self.kind.definition is not None else decoding.blank(self.type)
        return {**found, "apiVersion": self.kind.api_version, "kind": self.kind.kind}

    def decoded(self, body: Body) -> tuple[Body, tuple[str, ...]]:
        if self.kind.definition is not None:
            return customs.decoded(self.type, body, self.options.validation)
        new, warnings = decoding.checked(self.type, body, self.options.validation)
        new["apiVersion"], new["kind"] = self.kind.api_version, self.kind.kind
        return new, warnings

    def received(self, body: Body) -> tuple[Body, tuple[str, ...]]:
        """The decoded body of a request."""
        try:
            return self.decoded(body)
        except decoding.Unreadable as problem:
            kind = self.kind
            raise status.bad_request(
                f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: {problem}'
            ) from None


def _request(cluster: Cluster, kind: Kind, options: Options) -> Request:
    return Request(cluster, kind, types.of(cluster.schemas, kind.schema), options)


# --- create ---


def create(cluster: Cluster, kind: Kind, namespace: str, body: Body, options: Options) -> Written:
    sent = identity.received(cluster, kind, body, namespace, None)
    request = _request(cluster, kind, options)
    new, warnings = request.received(sent)
    if new["metadata"].get("resourceVersion"):
        raise status.Refusal(500, "", "resourceVersion should not be set on objects to be created")
    entries = ownership.stated(None, sent, subresource="")
    new["metadata"].pop("managedFields", None)
    owned = ownership.updated(request.write(), None, new, entries, blank=request.blank())
    if owned:
        new["metadata"]["managedFields"] = owned
    return _created(request, new, warnings)


def _created(request: Request, new: Body, warnings: tuple[str, ...]) -> Written:
    cluster, kind = request.cluster, request.kind
    metadata = new["metadata"]
    identity.born(cluster, metadata)
    name, namespace = metadata.get("name", ""), metadata.get("namespace", "")
    identity.home(cluster, kind, namespace, name)
    admission.admit(cluster, kind, new)
    strategies.begin(kind, request.type, new)
    admission.prepare(cluster, kind, new)
    warnings += rules.created(cluster, kind, new)
    if cluster.get(kind, namespace, name) is not None:
        raise status.already_exists(kind, name)
    for admit in cluster.admitting:
        admit(kind, new, request.options.dry_run)
    if request.options.dry_run:
        return Written(new, created=True, warnings=warnings)
    item = cluster.storage.commit(storage.ADDED, kind.family, conversion.stored(cluster, kind, new))
    customs.committed(cluster, kind, item.body)
    deleting.born(cluster, kind, item.body)
    return Written(read(cluster, kind, item), created=True, warnings=warnings)


# --- update ---


def replace(cluster: Cluster, kind: Kind, key: Key, body: Body, options: Options) -> Written:
    """PUT."""
    if options.subresource == scaling.SUBRESOURCE:
        return _scaled(_request(cluster, kind, options), key, scaling.PUT, body)
    sent = identity.received(cluster, kind, body, *key)
    request = _request(cluster, kind, options)
    new, warnings = request.received(sent)
    item = cluster.get(kind, *key)
    if item is None:
        if kind.family in strategies.MADE_BY_PUT and not options.subresource:
            return create(cluster, kind, key[0], body, options)
        raise status.not_found(kind, key[1])
    version = new["metadata"].get("resourceVersion", "")
    if not version and (kind.definition is not None or kind.family in strategies.GUARDED):
        raise identity.unversioned(kind, key[1])
    old = read(cluster, kind, item)
    identity.matches(kind, key, old, new["metadata"], is_put=True)
    return _updated(request, old, sent, new, warnings)


def patch(cluster: Cluster, kind: Kind, key: Key, form: str, change: Any, options: Options) -> Written:  # noqa: PLR0917
    """form: json, merge or strategic."""
    request = _request(cluster, kind, options)
    if options.subresource == scaling.SUBRESOURCE:
        return _scaled(request, key, form, change)
    item = cluster.get(kind, *key)
    if item is None:
        raise status.not_found(kind, key[1])
    live = services.kept(kind, read(cluster, kind, item))
    changed = patches.patched(request.type, live, form, change, is_custom=kind.definition is not None)
    why = identity.patched(cluster, kind, changed)
    if why:
        raise patches.unfit(form, change, changed, why)
    sent = identity.addressed(kind, changed, *key)
    try:
        new, warnings = request.decoded(sent)
    except decoding.Unreadable as problem:
        raise patches.unfit(form, change, changed, str(problem)) from None
    identity.matches(kind, key, live, new["metadata"])
    return _updated(request, read(cluster, kind, item), sent, new, warnings)


def _updated(request: Request, old: Body, sent: Body, new: Body, warnings: tuple[str, ...]) -> Written:
    """sent: the body before it was decoded, which may state managedFields; new: what it became."""
    entries = ownership.stated(old, sent, subresource=request.options.subresource)
    new["metadata"].pop("managedFields", None)
    before = _bare(services.kept(request.kind, old))
    found = ownership.updated(request.write(), before, new, entries, blank={})
    return _changed(request, old, new, found, warnings)


def _changed(request: Request, old: Body, new: Body, entries: list[Body], warnings: tuple[str, ...]) -> Written:
    """From the owned body on, the same for PUT, patch and apply."""
    cluster, kind, subresource = request.cluster, request.kind, request.options.subresource
    identity.kept(old["metadata"], new["metadata"])
    admission.change(cluster, kind, old, new, subresource)
    strategies.change(kind, old, new, subresource)
    metadata = new["metadata"]
    metadata["resourceVersion"] = old["metadata"]["resourceVersion"]
    warnings += rules.updated(cluster, kind, old, new, subresource)
    services.show(kind, new)
    before = old["metadata"].get("managedFields") or []
    if _timeless(entries) == _timeless(before) and _bare(old) == new:
        return Written(old, warnings=warnings)
    if entries:
        metadata["managedFields"] = entries
    if request.options.dry_run:
        return Written(new, warnings=warnings)
    stored = conversion.stored(cluster, kind, new)
    if deleting.ends(old, new):
        gone = deleting.finish(cluster, kind, stored)
        return Written(conversion.served(kind, gone), warnings=warnings)
    changed = cluster.storage.commit(storage.MODIFIED, kind.family, stored)
    customs.committed(cluster, kind, changed.body)
    if new["metadata"].get("ownerReferences") != old["metadata"].get("ownerReferences"):
        deleting.born(cluster, kind, changed.body)
    return Written(read(cluster, kind, changed), warnings=warnings)


def _scaled(request: Request, key: Key, form: str, change: Any) -> Written:
    """A write of the subresource scale; gives the Scale."""
    cluster, kind = request.cluster, request.kind
    item = cluster.get(kind, *key)
    if item is None:
        raise status.not_found(kind, key[1])
    old = read(cluster, kind, item)
    new, entries = scaling.change(cluster, kind, old, form=form, change=change, options=request.options)
    identity.matches(kind, key, old, {"resourceVersion": new["metadata"]["resourceVersion"]})
    written = _changed(request, old, new, entries, ())
    return Written(scaling.of(kind, written.body), warnings=written.warnings)


# --- apply ---


def apply(cluster: Cluster, kind: Kind, key: Key, body: Body, options: Options) -> Written:
    """Server-side apply."""
    if options.subresource == scaling.SUBRESOURCE:
        return _scaled(_request(cluster, kind, options), key, scaling.APPLY, body)
    stated, named = body.get("apiVersion", ""), body.get("kind", "")
    if (stated, named) != (kind.api_version, kind.kind):
        group, _, version = stated.rpartition("/")
        raise status.bad_request(f"invalid object type: {group}/{version}, Kind={named}")
    request = _request(cluster, kind, options)
    type, write, blank = request.type, request.write(), request.blank()
    fitting.check(kind, type, body)
    if "managedFields" in (body.get("metadata") or {}):
        raise status.bad_request("metadata.managedFields must be nil")
    sent = identity.addressed(kind, body, *key)
    item = cluster.get(kind, *key)
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
        return _created(request, new, warnings)
    old = read(cluster, kind, item)
    identity.matches(kind, key, old, sent["metadata"])
    before = old["metadata"].get("managedFields") or []
    live = _bare(services.kept(kind, old))
    allowed = _client_side(type, old) if options.manager == "kubectl" else frozenset()
    merged, entries = ownership.applied(write, live, sent, before, force=options.force, blank=blank, allowed=allowed)
    if options.manager == "kubectl":
        merged = _remembered(merged, body)
    if merged == live and _timeless(entries) == _timeless(before):
        return Written(old, warnings=rules.updated(cluster, kind, old, old, options.subresource))
    new, warnings = _merged(kind, type, merged)
    new["metadata"].pop("managedFields", None)
    return _changed(request, old, new, entries, warnings)


def _remembered(merged: Body, body: Body) -> Body:
    """kubectl keeps the annotation of its client-side apply in step."""
    annotations = merged["metadata"].get("annotations") or {}
    if patches.LAST_APPLIED not in annotations:
        return merged
    own = body.get("metadata") or {}
    notes = {key: value for key, value in (own.get("annotations") or {}).items() if key != patches.LAST_APPLIED}
    kept = {key: value for key, value in own.items() if key != "annotations"} | ({"annotations": notes} if notes else {})
    text = json.dumps({**body, "metadata": kept}, separators=(",", ":"), ensure_ascii=False, sort_keys=True) + "\n"
    return {**merged, "metadata": {**merged["metadata"], "annotations": {**annotations, patches.LAST_APPLIED: text}}}


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


def _bare(body: Body) -> Body:
    metadata = {key: value for key, value in body["metadata"].items() if key != "managedFields"}
    return {**body, "metadata": metadata}


def _timeless(entries: list[Body]) -> list[Body]:
    return [{key: value for key, value in entry.items() if key != "time"} for entry in entries]
