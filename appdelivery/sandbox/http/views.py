"""Representations: committed objects as JSON text, Table, PartialObjectMetadata or YAML, alone, in lists and in watch events.

Texts of stored objects are kept with them (`Item.text`), so that most answers are joined, not encoded.
"""

from __future__ import annotations

from appdelivery.sandbox import status, writes
from appdelivery.sandbox.http import answers, bodies, tables

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from appdelivery.sandbox.cluster import Cluster
    from appdelivery.sandbox.http.negotiate import Form
    from appdelivery.sandbox.kinds import Kind
    from appdelivery.sandbox.storage import Item

    Body = dict[str, Any]

META = "meta.k8s.io/v1"
TABLE, PARTIAL, PARTIALS = "Table", "PartialObjectMetadata", "PartialObjectMetadataList"


def partial(body: Body) -> Body:
    return {"kind": PARTIAL, "apiVersion": META, "metadata": body["metadata"]}


def text(cluster: Cluster, kind: Kind, item: Item) -> bytes:
    """The object's JSON in the version of `kind`."""
    body = writes.read(cluster, kind, item)
    return item.text() if body is item.body else answers.encode(body)


def one(cluster: Cluster, kind: Kind, body: Body, form: Form, *, code: int = 200, include: str = "") -> answers.Answer:
    """An object that is at hand as a tree."""
    if not form.shape:
        return _said(body, form, code)
    if form.shape == TABLE:
        rows = [tables.row(cluster, kind, body, include)]
        return _said(tables.table(kind, rows, {"resourceVersion": body["metadata"].get("resourceVersion", "")}), form, code)
    if form.shape == PARTIALS:
        raise _not_acceptable(f"you requested {PARTIALS}, but the requested object is not a list (*{_go(kind)})")
    return _said(partial(body), form, code)


def stored(cluster: Cluster, kind: Kind, item: Item, form: Form, *, include: str = "") -> answers.Answer:
    """An object as it is kept."""
    if form.shape or form.yaml:
        return one(cluster, kind, writes.read(cluster, kind, item), form, include=include)
    return answers.Answer(text(cluster, kind, item))


def many(
    cluster: Cluster, kind: Kind, items: Sequence[Item], form: Form, *, metadata: Body, include: str = ""
) -> answers.Answer:
    """A list."""
    if form.shape == PARTIAL:
        raise _not_acceptable(f"you requested {PARTIAL}, but the requested object is a list (*{_go(kind)}List)")
    if not form.shape and not form.yaml:
        head = answers.encode({"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "metadata": metadata})
        return answers.Answer(head[:-1] + b',"items":[' + b",".join(_members(cluster, kind, items)) + b"]}")
    trees = [writes.read(cluster, kind, item) for item in items]
    if form.shape == TABLE:
        return _said(tables.table(kind, [tables.row(cluster, kind, tree, include) for tree in trees], metadata), form)
    if form.shape == PARTIALS:
        listed = [partial(tree) for tree in trees]
        return _said({"kind": PARTIALS, "apiVersion": META, "metadata": metadata, "items": listed}, form)
    members = [tree if kind.definition else _bare(tree) for tree in trees]
    return _said(listing(kind, members, metadata), form)


def listing(kind: Kind, members: Sequence[Body], metadata: Body) -> Body:
    return {"kind": f"{kind.kind}List", "apiVersion": kind.api_version, "metadata": metadata, "items": list(members)}


def event(type: str, text: bytes) -> bytes:
    """A watch event around an object's JSON."""
    return b'{"type":"' + type.encode() + b'","object":' + text + b"}\n"


def watched(cluster: Cluster, kind: Kind, item: Item, form: Form, *, headers: bool, include: str = "") -> bytes:
    """The object of a watch event.  headers: a Table's columns come with the first event only."""
    if not form.shape:
        return text(cluster, kind, item)
    body = writes.read(cluster, kind, item)
    if form.shape == TABLE:
        metadata = {"resourceVersion": body["metadata"]["resourceVersion"]}
        return answers.encode(tables.table(kind, [tables.row(cluster, kind, body, include)], metadata, headers=headers))
    return answers.encode(partial(body))


def bookmark(kind: Kind, form: Form, *, revision: int, initial: bool = False) -> bytes:
    """A whole event that says how far the stream has come.  initial: it ends the objects that were there before."""
    metadata: Body = {"resourceVersion": str(revision)}
    if initial:
        metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
    body: Body = {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": metadata}
    if form.shape == TABLE:
        row = {"cells": ["" for _ in kind.columns], "object": partial(body)}
        body = tables.table(kind, [row], {"resourceVersion": str(revision)}, headers=False)
    elif form.shape:
        body = partial(body)
    return event("BOOKMARK", answers.encode(body))


def _members(cluster: Cluster, kind: Kind, items: Sequence[Item]) -> list[bytes]:
    """The objects of a list; those of built-in kinds do not repeat their kind."""
    texts = [text(cluster, kind, item) for item in items]
    if kind.definition:
        return texts
    heads = (
        f'{{"kind":"{kind.kind}","apiVersion":"{kind.api_version}",'.encode(),
        f'{{"apiVersion":"{kind.api_version}","kind":"{kind.kind}",'.encode(),
    )
    return [_without(said, heads, cluster, kind, item) for said, item in zip(texts, items, strict=True)]


def _without(said: bytes, heads: tuple[bytes, ...], cluster: Cluster, kind: Kind, item: Item) -> bytes:
    for head in heads:
        if said.startswith(head):
            return b"{" + said[len(head) :]
    return answers.encode(_bare(writes.read(cluster, kind, item)))


def _bare(body: Body) -> Body:
    return {key: value for key, value in body.items() if key not in ("kind", "apiVersion")}


def _said(tree: Any, form: Form, code: int = 200) -> answers.Answer:
    if form.yaml:
        return answers.Answer(bodies.write_yaml(tree), status=code, content_type=answers.YAML)
    return answers.Answer(answers.encode(tree), status=code)


def _go(kind: Kind) -> str:
    """The type's name in the server's own language, which these messages contain."""
    return f"{kind.group.partition('.')[0] or 'core'}.{kind.kind}"


def _not_acceptable(message: str) -> status.Refusal:
    return status.Refusal(406, "NotAcceptable", message)
