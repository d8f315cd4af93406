"""Reads of applications: pages, one, its revisions, releases, plans and manifests.  Called by platform's queries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from appdelivery import errors
from appdelivery.model.history import Release, Revision, Summary
from appdelivery.model.record import record
from appdelivery.model.refs import AppKey
from appdelivery.store import blobs, content, events, pages
from appdelivery.store import releases as acts
from appdelivery.store.tables.applications import (
    application,
    application_label,
    rendered,
)
from appdelivery.store.tables.applications import (
    component_revision as component_table,
)
from appdelivery.store.tables.applications import (
    revision as revision_table,
)
from appdelivery.store.tables.releases import plan as plan_table
from appdelivery.store.tables.releases import release as release_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from appdelivery.store.open import Store

NAMES = 1000  # known names looked at for "did you mean"

_columns = (
    "namespace", "name", "labels", "last_revision", "last_release", "health", "message", "clusters_ready",
    "clusters_total", "objects", "updated_at", "created_at", "health_rank",
)  # fmt: skip
_summary = (
    sa.select(*[application.c[name] for name in _columns], release_table.c.outcome, release_table.c.revision)
    .outerjoin(
        release_table,
        sa.and_(release_table.c.app == application.c.id, release_table.c.number == application.c.last_release),
    )
    .where(application.c.deleted_at.is_(None))
)
_order = (application.c.health_rank, application.c.namespace, application.c.name)
_id = sa.select(application.c.id).where(
    application.c.namespace == sa.bindparam("namespace"), application.c.name == sa.bindparam("name")
)


@record
class RevisionContent:
    number: int
    key: str
    document: dict[str, Any]  # may hold secrets
    definitions: list[dict[str, str]]  # kind, name (NAME@VERSION), hash
    context: dict[str, Any]
    created_at: datetime


def page(
    store: Store, *, namespace: str = "", labels: Mapping[str, str] | None = None, limit: int = 50, cursor: str = ""
) -> pages.Page[Summary]:
    """Worst first, then by name; namespace '' = all.  The labels given must all be there."""
    limit = pages.bounded(limit)
    what = f"applications {namespace} {sorted((labels or {}).items())}"
    statement = _summary.order_by(*_order).limit(limit + 1)
    if namespace:
        statement = statement.where(application.c.namespace == namespace)
    for key, text in sorted((labels or {}).items()):
        has = sa.select(application_label.c.app).where(application_label.c.key == key, application_label.c.value == text)
        statement = statement.where(application.c.id.in_(has))
    if cursor:
        rank, space, name = pages.position(what, cursor, int, str, str)
        statement = statement.where(sa.tuple_(*_order) > sa.tuple_(sa.literal(rank), sa.literal(space), sa.literal(name)))

    def work(connection: sa.Connection) -> pages.Page[Summary]:
        found = connection.execute(statement).all()
        following = ""
        if len(found) > limit:
            last = found[limit - 1]
            following = pages.cursor(what, last.health_rank, last.namespace, last.name)
        return pages.Page(tuple([_value(row) for row in found[:limit]]), following)

    return store.read(work)


def get(store: Store, app: AppKey) -> Summary:
    def work(connection: sa.Connection) -> Summary:
        this = (application.c.namespace == app.namespace, application.c.name == app.name)
        row = connection.execute(_summary.where(*this)).first()
        if row is None:
            raise _unknown(connection, app)
        return _value(row)

    return store.read(work)


def revisions(store: Store, app: AppKey) -> Sequence[Revision]:
    """Newest first."""

    def work(connection: sa.Connection) -> list[Revision]:
        mine = revision_table.c.app == _app_id(connection, app)
        found = connection.execute(sa.select(revision_table).where(mine).order_by(revision_table.c.number.desc()))
        return [Revision(app, r.number, r.key, r.created_at, events.actor_of(r.created_by)) for r in found]

    return store.read(work)


def revision(store: Store, app: AppKey, number: int) -> RevisionContent:
    def work(connection: sa.Connection) -> RevisionContent:
        row = _revision_row(connection, app, number)
        found = blobs.get(connection, store, [row.document, row.definitions])
        return RevisionContent(number, row.key, found[row.document], found[row.definitions], row.context, row.created_at)

    return store.read(work)


def component_revision(store: Store, app: AppKey, component: str, digest: str) -> int:
    """The number that this content of a component has, or the next one."""

    def work(connection: sa.Connection) -> int:
        row = connection.execute(_id, _key(app)).first()
        if row is None:
            return 1
        mine = sa.and_(component_table.c.app == row.id, component_table.c.component == component)
        return content.next_component(list(connection.execute(sa.select(component_table).where(mine))), component, digest)[0]

    return store.read(work)


def releases(store: Store, app: AppKey, limit: int = 50) -> Sequence[Release]:
    """Newest first."""

    def work(connection: sa.Connection) -> list[Release]:
        mine = sa.select(release_table).where(release_table.c.app == _app_id(connection, app))
        found = connection.execute(mine.order_by(release_table.c.number.desc()).limit(pages.bounded(limit)))
        return [acts.value(row, app) for row in found]

    return store.read(work)


def release(store: Store, app: AppKey, number: int) -> Release:
    return store.read(lambda connection: acts.value(_release_row(connection, app, number), app))


def plan(store: Store, app: AppKey, number: int) -> dict[str, Any] | None:
    """The plan that a release carried out, as `plans.tree` made it."""

    def work(connection: sa.Connection) -> dict[str, Any] | None:
        row = _release_row(connection, app, number)
        body = connection.execute(sa.select(plan_table.c.body).where(plan_table.c.id == row.plan)).scalar()
        if body is None:
            return None  # swept: plans are kept for a while only
        found: dict[str, Any] = blobs.get(connection, store, [body])[body]
        return found

    return store.read(work)


def manifests(store: Store, app: AppKey, number: int) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """(component, origin, body) of every object of a revision, secrets restored, as last rendered."""

    def work(connection: sa.Connection) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
        row = _revision_row(connection, app, number)
        mine = sa.select(rendered.c.objects).where(rendered.c.app == row.app, rendered.c.revision == number)
        objects = connection.execute(mine.order_by(rendered.c.created_at.desc()).limit(1)).scalar()
        if objects is None:
            return []
        listed = blobs.get(connection, store, [objects])[objects]
        bodies = blobs.get(connection, store, [part["blob"] for part in listed])
        return [(part["component"], part["origin"], bodies[part["blob"]]) for part in listed]

    return store.read(work)


def _app_id(connection: sa.Connection, app: AppKey) -> int:
    """Also of a deleted application: its history stays."""
    row = connection.execute(_id, _key(app)).first()
    if row is None:
        raise _unknown(connection, app)
    found: int = row.id
    return found


def _revision_row(connection: sa.Connection, app: AppKey, number: int) -> Any:
    mine = (revision_table.c.app == _app_id(connection, app), revision_table.c.number == number)
    row = connection.execute(sa.select(revision_table).where(*mine)).first()
    if row is None:
        raise errors.NotFound(
            f"application {app} has no revision {number}", hint=f"appctl history {app.name} -n {app.namespace} lists them"
        )
    return row


def _release_row(connection: sa.Connection, app: AppKey, number: int) -> Any:
    mine = (release_table.c.app == _app_id(connection, app), release_table.c.number == number)
    row = connection.execute(sa.select(release_table).where(*mine)).first()
    if row is None:
        raise errors.NotFound(
            f"application {app} has no release {number}", hint=f"appctl history {app.name} -n {app.namespace} lists them"
        )
    return row


def _unknown(connection: sa.Connection, app: AppKey) -> errors.NotFound:
    from appdelivery.model import suggest

    names = sa.select(application.c.namespace, application.c.name).where(application.c.deleted_at.is_(None))
    known = [f"{row.namespace}/{row.name}" for row in connection.execute(names.limit(NAMES))]
    return errors.NotFound(
        f"there is no application {app}{suggest.meant(str(app), known)}", hint=suggest.listed(sorted(known))
    )


def _key(app: AppKey) -> dict[str, str]:
    return {"namespace": app.namespace, "name": app.name}


def _value(row: Any) -> Summary:
    return Summary(
        AppKey(row.namespace, row.name), row.labels, row.revision or row.last_revision, row.last_release, row.outcome or "", row.health,
        row.message, row.clusters_ready, row.clusters_total, row.objects, row.updated_at, row.created_at,
    )  # fmt: skip
