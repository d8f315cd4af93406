"""What a revision is made of: document, definitions, component revisions, rendered objects.  Called by releases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from appdelivery.model import canonical
from appdelivery.model.refs import ref_of
from appdelivery.store import blobs, events, plans
from appdelivery.store.tables.applications import component_revision, definition_use, rendered, revision

if TYPE_CHECKING:
    from datetime import datetime

    from appdelivery.delivery.ports import ReleaseRequest
    from appdelivery.store.open import Store

LANGUAGE = 1  # of expressions and definitions, part of the revision key (language.md section 17)

_known = sa.select(component_revision).where(component_revision.c.app == sa.bindparam("app_id"))
_objects = sa.select(rendered.c.objects).where(
    rendered.c.app == sa.bindparam("app_id"),
    rendered.c.revision == sa.bindparam("nr"),
    rendered.c.context == sa.bindparam("with_context"),
)


def add_revision(
    connection: sa.Connection, store: Store, request: ReleaseRequest, app: Any, now: datetime, *, seal: bool
) -> None:
    number = app.last_revision + 1
    made = request.rendered
    uses = [{"kind": kind, "name": name, "hash": digest} for kind, name, digest in made.definitions]
    (document,) = blobs.put(connection, store, [request.document], now, seal=seal)
    (definitions,) = blobs.put(connection, store, [uses], now)
    row = {
        "app": app.id, "number": number, "key": made.key, "document": document, "definitions": definitions,
        "context": request.context, "language": LANGUAGE, "created_at": now,
        "created_by": events.actor_tree(request.actor),
    }  # fmt: skip
    connection.execute(sa.insert(revision), row)
    if uses:
        connection.execute(sa.insert(definition_use), [{"app": app.id, "revision": number} | use for use in uses])
    _add_components(connection, request, app.id, number)


def add_rendered(
    connection: sa.Connection, store: Store, request: ReleaseRequest, *, app: int, number: int, now: datetime
) -> None:
    """The objects of a revision under the context values they were rendered with."""
    bodies = blobs.put(connection, store, [body for _, _, _, body in request.desired], now)
    listed = [
        {"component": component, "ref": plans.ref_tree(ref_of(body)), "origin": origin, "digest": digest, "blob": blob}
        for (digest, component, origin, body), blob in zip(request.desired, bodies, strict=True)
    ]
    (objects,) = blobs.put(connection, store, [listed], now)
    context = canonical.digest(request.context)
    key = {"app_id": app, "nr": number, "with_context": context}
    before = connection.execute(_objects, key).scalar()
    if before is None:
        row = {
            "app": app, "revision": number, "context": context, "objects": objects, "count": len(listed),
            "created_at": now,
        }  # fmt: skip
        connection.execute(sa.insert(rendered), row)
    else:
        this = (rendered.c.app == app, rendered.c.revision == number, rendered.c.context == context)
        change = {"objects": objects, "count": len(listed), "created_at": now}
        connection.execute(sa.update(rendered).where(*this).values(change))


def next_component(rows: list[Any], component: str, digest: str) -> tuple[int, bool]:
    """The number of a component's content and whether it is new."""
    mine = [row for row in rows if row.component == component]
    for row in mine:
        if row.hash == digest:
            return row.number, False
    return max((row.number for row in mine), default=0) + 1, True


def components(connection: sa.Connection, app: int) -> list[Any]:
    return list(connection.execute(_known, {"app_id": app}))


def _add_components(connection: sa.Connection, request: ReleaseRequest, app: int, number: int) -> None:
    known = components(connection, app)
    new = []
    for part in request.rendered.components:
        counted, is_new = next_component(known, part.name, part.hash)
        if is_new:
            row = {"app": app, "component": part.name, "number": counted, "hash": part.hash, "revision": number}
            new.append(row)
    if new:
        connection.execute(sa.insert(component_revision), new)
