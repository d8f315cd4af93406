"""create, replace, patch and apply: one write from the request's body to the commit, in the real server's order.

decode > default > own > admit (namespace) > prepare > validate > commit.  Controllers and the protocol call these; a
write either takes effect as a whole or raises `status.Refusal`.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, field

from appdelivery.sandbox import status, storage
from appdelivery.sandbox.writes import (
    admission,
    conversion,
    customs,
    decoding,
    deleting,
    fitting,
    identity,
    limits,
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
    from collections.abc import Iterator
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
    """What one write is about, and what has been remarked on the way."""

    cluster: Cluster
    kind: Kind
    type: Type
    options: Options
    warnings: list[str] = field(default_factory=list)

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

    def decoded(self, body: Body) -> Body:
        read = decoding.checked if self.kind.definition is None else customs.decoded
        new, warnings = read(self.type, body, self.options.validation)
        self.warnings.extend(warnings)
        if self.kind.definition is None:
            new["apiVersion"], new["kind"] = self.kind.api_version, self.kind.kind
        return new

    def received(self, body: Body) -> Body:
        """The decoded body of a request."""
        try:
            return self.decoded(body)
        except decoding.Unreadable as problem:
            kind = self.kind
            raise status.bad_request(
                f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: {problem}'
            ) from None


@contextlib.contextmanager
def _request(cluster: Cluster, kind: Kind, options: Options) -> Iterator[Request]:
    """A refusal takes along what was remarked before it."""
    request = Request(cluster, kind, types.of(cluster.schemas, kind.schema), options)
    try:
        yield request
    except status.Refusal as refusal:
        refusal.warnings = (*request.warnings, *refusal.warnings)
        raise


# --- create ---


def create(cluster: Cluster, kind: Kind, namespace: str, body: Body, options: Options) -> Written:
    sent = identity.received(cluster, kind, body, namespace, None)
    with _request(cluster, kind, options) as request:
        new = request.received(sent)
        if new["metadata"].get("resourceVersion"):
            raise status.Refusal(500, "", "resourceVersion should not be set on objects to be created")
        entries = ownership.stated(None, sent, subresource="")
        new["metadata"].pop("managedFields", None)
        owned = ownership.updated(request.write(), None, new, entries, blank=request.blank())
        if owned:
            new["metadata"]["managedFields"] = owned
        return _created(request, new)


def _created(request: Request, new: Body) -> Written:
    cluster, kind = request.cluster, request.kind
    metadata = new["metadata"]
    identity.born(cluster, metadata)
    name, namespace = metadata.get("name", ""), metadata.get("namespace", "")
    identity.home(cluster, kind, namespace, name)
    admission.admit(cluster, kind, new)
    strategies.begin(kind, request.type, new)
    admission.prepare(cluster, kind, new)
    request.warnings.extend(rules.created(cluster, kind, new))
    limits.check(cluster, kind, new)
    if cluster.get(kind, namespace, name) is not None:
        raise status.already_exists(kind, name)
    for admit in cluster.admitting:
        admit(kind, new, request.options.dry_run)
    if request.options.dry_run:
        return Written(new, created=True, warnings=tuple(request.warnings))
    item = cluster.storage.commit(storage.ADDED, kind.family, conversion.stored(cluster, kind, new))
    customs.committed(cluster, kind, item.body)
    deleting.born(cluster, kind, item.body)
    return Written(read(cluster, kind, item), created=True, warnings=tuple(request.warnings))


# --- update ---


def replace(cluster: Cluster, kind: Kind, key: Key, body: Body, options: Options) -> Written:
    """PUT."""
    with _request(cluster, kind, options) as request:
        if options.subresource == scaling.SUBRESOURCE:
            return _scaled(request, key, scaling.PUT, body)
        sent = identity.received(cluster, kind, body, *key)
        new = request.received(sent)
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
        return _updated(request, old, sent, new)


def patch(cluster: Cluster, kind: Kind, key: Key, form: str, change: Any, options: Options) -> Written:  # noqa: PLR0917
    """form: json, merge or strategic."""
    with _request(cluster, kind, options) as request:
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
            new = request.decoded(sent)
        except decoding.Unreadable as problem:
            raise patches.unfit(form, change, changed, str(problem)) from None
        identity.matches(kind, key, live, new["metadata"])
        return _updated(request, read(cluster, kind, item), sent, new)


def _updated(request: Request, old: Body, sent: Body, new: Body) -> Written:
    """sent: the body before it was decoded, which may state managedFields; new: what it became."""
    entries = ownership.stated(old, sent, subresource=request.options.subresource)
    new["metadata"].pop("managedFields", None)
    before = _bare(services.kept(request.kind, old))
    found = ownership.updated(request.write(), before, new, entries, blank={})
    return _changed(request, old, new, found)


def _changed(request: Request, old: Body, new: Body, entries: list[Body]) -> Written:
    """From the owned body on, the same for PUT, patch and apply."""
    cluster, kind, subresource = request.cluster, request.kind, request.options.subresource
    identity.kept(old["metadata"], new["metadata"])
    admission.change(cluster, kind, old, new, subresource)
    strategies.change(kind, old, new, subresource)
    metadata = new["metadata"]
    metadata["resourceVersion"] = old["metadata"]["resourceVersion"]
    request.warnings.extend(rules.updated(cluster, kind, old, new, subresource))
    if not subresource and kind.family == limits.CLAIMS:
        limits.check(cluster, kind, new)
    services.show(kind, new)
    before = old["metadata"].get("managedFields") or []
    if _timeless(entries) == _timeless(before) and _bare(old) == new:
        return Written(old, warnings=tuple(request.warnings))
    if entries:
        metadata["managedFields"] = entries
    if request.options.dry_run:
        return Written(new, warnings=tuple(request.warnings))
    stored = conversion.stored(cluster, kind, new)
    if deleting.ends(old, new):
        gone = deleting.finish(cluster, kind, stored)
        return Written(conversion.served(kind, gone), warnings=tuple(request.warnings))
    changed = cluster.storage.commit(storage.MODIFIED, kind.family, stored)
    customs.committed(cluster, kind, changed.body)
    if new["metadata"].get("ownerReferences") != old["metadata"].get("ownerReferences"):
        deleting.born(cluster, kind, changed.body)
    return Written(read(cluster, kind, changed), warnings=tuple(request.warnings))


def _scaled(request: Request, key: Key, form: str, change: Any) -> Written:
    """A write of the subresource scale; gives the Scale."""
    cluster, kind = request.cluster, request.kind
    item = cluster.get(kind, *key)
    if item is None:
        raise status.not_found(kind, key[1])
    old = read(cluster, kind, item)
    new, entries = scaling.change(cluster, kind, old, form=form, change=change, options=request.options)
    identity.matches(kind, key, old, {"resourceVersion": new["metadata"]["resourceVersion"]})
    written = _changed(request, old, new, entries)
    return Written(scaling.of(kind, written.body), warnings=written.warnings)


# --- apply ---


def apply(cluster: Cluster, kind: Kind, key: Key, body: Body, options: Options) -> Written:
    """Server-side apply."""
    with _request(cluster, kind, options) as request:
        if options.subresource == scaling.SUBRESOURCE:
            return _scaled(request, key, scaling.APPLY, body)
        stated, named = body.get("apiVersion", ""), body.get("kind", "")
        if (stated, named) != (kind.api_version, kind.kind):
            group, _, version = stated.rpartition("/")
            raise status.bad_request(f"invalid object type: {group}/{version}, Kind={named}")
        fitting.check(kind, request.type, body)
        if "managedFields" in (body.get("metadata") or {}):
            raise status.bad_request("metadata.managedFields must be nil")
        sent = identity.addressed(kind, body, *key)
        item = cluster.get(kind, *key)
        return _applied_first(request, key, sent) if item is None else _applied(request, key, item, sent, body)


def _applied_first(request: Request, key: Key, sent: Body) -> Written:
    """An apply that creates."""
    kind, options, blank = request.kind, request.options, request.blank()
    if options.subresource and kind.family not in strategies.MADE_BY_PUT:
        raise status.not_found(kind, key[1])
    if sent["metadata"].get("uid"):
        why = f"uid mismatch: the provided object specified uid {sent['metadata']['uid']}, and no existing object was found"
        raise status.conflict(kind, key[1], why)
    merged, entries = ownership.applied(request.write(), blank, sent, [], force=options.force, blank=blank)
    new = _merged(request, merged)
    if entries:
        new["metadata"]["managedFields"] = entries
    return _created(request, new)


def _applied(request: Request, key: Key, item: Item, sent: Body, body: Body) -> Written:
    """An apply that changes; body: the request's own."""
    cluster, kind, options, type = request.cluster, request.kind, request.options, request.type
    old = read(cluster, kind, item)
    identity.matches(kind, key, old, sent["metadata"])
    before = old["metadata"].get("managedFields") or []
    live = _bare(services.kept(kind, old))
    allowed = _client_side(type, old) if options.manager == "kubectl" else frozenset()
    merged, entries = ownership.applied(
        request.write(), live, sent, before, force=options.force, blank=request.blank(), allowed=allowed
    )
    if options.manager == "kubectl":
        merged = _remembered(merged, body)
    if merged == live and _timeless(entries) == _timeless(before):
        return Written(old, warnings=rules.updated(cluster, kind, old, old, options.subresource))
    new = _merged(request, merged)
    new["metadata"].pop("managedFields", None)
    return _changed(request, old, new, entries)


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


def _merged(request: Request, merged: Body) -> Body:
    """The result of a merge as the server holds it; what it cannot hold is the server's own failure."""
    kind, type = request.kind, request.type
    if kind.definition is not None:
        return customs.decoded(type, merged, options_.IGNORE, is_merged=True)[0]
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
    return new


def _client_side(type: Type, old: Body) -> Paths:
    """Fields that a client-side apply of kubectl set, by its annotation; they may be taken over."""
    return patches.last_applied(type, old)


# --- common ---


def _bare(body: Body) -> Body:
    metadata = {key: value for key, value in body["metadata"].items() if key != "managedFields"}
    return {**body, "metadata": metadata}


def _timeless(entries: list[Body]) -> list[Body]:
    return [{key: value for key, value in entry.items() if key != "time"} for entry in entries]
