"""What a revision is made of: document, definitions, component revisions, rendered objects.  Called by releases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from appdelivery.model import canonical
from appdelivery.model.refs import ref_of
from appdelivery.store import blobs, events, plans
from appdelivery.store.tables.applications import component_revision, definition_use, rendered, revision

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from appdelivery.delivery.ports import ReleaseRequest
    from appdelivery.store.open import Store

LANGUAGE = 1  # of expressions and definitions, part of the revision key (language.md section 17)

_known = sa.select(component_revision).where(component_revision.c.app == sa.bindparam("app_id"))
_new_revision, _new_use, _new_rendered = sa.insert(revision), sa.insert(definition_use), sa.insert(rendered)
_new_component = sa.insert(component_revision)
_objects = (
    sa.select(rendered.c.objects)
    .where(rendered.c.app == sa.bindparam("app_id"), rendered.c.revision == sa.bindparam("nr"))
    .order_by(rendered.c.created_at.desc())
    .limit(1)
)
_rendered_again = (
    sa.update(rendered)
    .where(
        rendered.c.app == sa.bindparam("app_id"),
        rendered.c.revision == sa.bindparam("nr"),
        rendered.c.context == sa.bindparam("with_context"),
    )
    .values(objects=sa.bindparam("new_objects"), count=sa.bindparam("new_count"), created_at=sa.bindparam("new_created_at"))
)


def add_revision(
    connection: sa.Connection, request: ReleaseRequest, app: Any, now: datetime, *, bodies: blobs.Batch
) -> None:
    number = app.last_revision + 1
    made = request.rendered
    uses = [{"kind": kind, "name": name, "hash": digest} for kind, name, digest in made.definitions]
    row = {
        "app": app.id, "number": number, "key": made.key, "definitions": bodies.add(uses), "context": request.context,
        # Whoever plants a secret value in an object has it in the document too, under a name we do not know.
        "document": bodies.add(request.document, seal=bodies.sealed), "language": LANGUAGE, "created_at": now,
        "created_by": events.actor_tree(request.actor),
    }  # fmt: skip
    connection.execute(_new_revision, row)
    if uses:
        connection.execute(_new_use, [{"app": app.id, "revision": number} | use for use in uses])
    _add_components(connection, request, app.id, number)


def add_rendered(
    connection: sa.Connection, request: ReleaseRequest, objects: str, now: datetime, *, app: int, number: int
) -> None:
    """The objects of a revision under the context values they were rendered with."""
    key = {"app_id": app, "nr": number, "with_context": canonical.digest(request.context)}
    change = {"objects": objects, "count": len(request.desired), "created_at": now}
    if not connection.execute(_rendered_again, key | {f"new_{name}": value for name, value in change.items()}).rowcount:
        row = {"app": app, "revision": number, "context": key["with_context"]}
        connection.execute(_new_rendered, row | change)


def add_objects(request: ReleaseRequest, bodies: blobs.Batch, before: Mapping[str, str]) -> str:
    """The manifests and their list.  before: digest of an object to its body, as the last revision has them; making the
    text and hash of hundreds of bodies that are there already would be half of what opening a release costs."""
    kept = bodies.kept([before[digest] for digest, *_ in request.desired if digest in before])
    listed = [
        {
            "component": component,
            "ref": plans.ref_tree(ref_of(body)),
            "origin": origin,
            "digest": digest,
            "blob": before[digest] if before.get(digest) in kept else bodies.add(body),
        }
        for digest, component, origin, body in request.desired
    ]
    return bodies.add(listed)


def objects_of(connection: sa.Connection, store: Store, app: int, number: int) -> dict[str, str]:
    """The objects of a revision: digest to body."""
    listed = connection.execute(_objects, {"app_id": app, "nr": number}).scalar()
    if listed is None:
        return {}
    return {part["digest"]: part["blob"] for part in blobs.get(connection, store, [listed])[listed]}


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
        connection.execute(_new_component, new)
