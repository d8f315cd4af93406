"""Opening a release: application, revision, content, plan, run, event and wake in one transaction (store.md section 6)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from appdelivery import errors
from appdelivery.model import canonical
from appdelivery.model.history import Release, Revision
from appdelivery.store import blobs, content, events, leases, plans, runs, summary
from appdelivery.store.tables.applications import application, application_label, revision
from appdelivery.store.tables.releases import plan, release

if TYPE_CHECKING:
    from datetime import datetime

    from appdelivery.delivery.ports import ReleaseRequest, RunRequest
    from appdelivery.model.refs import AppKey
    from appdelivery.store.open import Store

PLAN_LIFE = timedelta(days=7)

_app = (
    sa.select(application)
    .where(application.c.namespace == sa.bindparam("namespace"), application.c.name == sa.bindparam("name"))
    .with_for_update()
)
_newest = (
    sa.select(release)
    .join(application, application.c.id == release.c.app)
    .where(application.c.namespace == sa.bindparam("namespace"), application.c.name == sa.bindparam("name"))
    .order_by(release.c.number.desc())
    .limit(1)
)
_by_key = sa.select(revision).where(revision.c.app == sa.bindparam("app_id"), revision.c.key == sa.bindparam("content"))
_by_number = sa.select(revision).where(revision.c.app == sa.bindparam("app_id"), revision.c.number == sa.bindparam("nr"))


_new_release, _new_plan = sa.insert(release), sa.insert(plan)
_delivered = (
    sa.update(application)
    .where(application.c.id == sa.bindparam("app_id"))
    .values(
        last_release=sa.bindparam("nr"),
        last_revision=sa.bindparam("rev"),
        labels=sa.bindparam("tags"),
        created_at=sa.bindparam("made"),
        deleted_at=sa.bindparam("gone"),
        updated_at=sa.bindparam("at"),
    )
)


def newest(store: Store, app: AppKey) -> Release | None:
    def work(connection: sa.Connection) -> Release | None:
        row = connection.execute(_newest, {"namespace": app.namespace, "name": app.name}).first()
        return None if row is None else value(row, app)

    return store.read(work)


def open_release(store: Store, request: ReleaseRequest, run: RunRequest | None = None) -> tuple[Release, Revision]:
    return store.write(lambda connection: _open(connection, store, request, run))


def _open(
    connection: sa.Connection, store: Store, request: ReleaseRequest, run: RunRequest | None
) -> tuple[Release, Revision]:
    now = store.now(connection)
    # The work item before the application: the order in which `record` locks them.
    urgency = leases.INTERACTIVE if request.cause == "user" else leases.CHANGE
    leases.wake(connection, store, [leases.key_of(request.app)], now=now, priority=urgency)
    app = _application(connection, request, now)
    if app.last_release != request.after:
        raise errors.Conflict(
            f"open a release of {request.app}: release {app.last_release} was opened meanwhile, this one was planned "
            + (f"after release {request.after}" if request.after else "as the first"),
            code="release.moved",
            hint="make the plan again, then deliver it",
        )
    bodies = blobs.Batch(connection, store, now)
    objects = ""
    if request.request != "delete":
        before = content.objects_of(connection, store, app.id, request.revision or app.last_revision)
        objects = content.add_objects(request, bodies, before)
    found = _revision(connection, request, app, now, bodies=bodies)
    if objects:
        content.add_rendered(connection, request, objects, now, app=app.id, number=found.number)
    number = app.last_release + 1
    row = _release_row(store, request, number=number, revision_number=found.number, app=app.id, now=now)
    connection.execute(_new_release, row)
    connection.execute(_new_plan, _plan_row(request, row, now, bodies=bodies))
    started = []
    if run is not None:
        started = runs.add(connection, run, bodies, now, app=app.id, key=request.app, release=(row["id"], number))
    bodies.write()
    _update_application(connection, request, app, number=number, revision_number=found.number, now=now)
    opened = Release(
        row["id"], request.app, number, found.number, request.cause, request.actor, "running", now,
        reason=request.reason, request=request.request, lenient=request.lenient, options=request.options,
    )  # fmt: skip
    data = {"release": number, "revision": str(found), "cause": request.cause, "request": request.request}
    opening = events.row("release.opened", now, str(request.app), request.actor, data, app=app.id, release=row["id"])
    events.add(connection, [opening, *started])
    summary.refresh(connection, app.id, now)
    return opened, found


def value(row: Any, app: AppKey) -> Release:
    return Release(
        row.id, app, row.number, row.revision, row.cause, events.actor_of(row.actor), row.outcome, row.opened_at,
        ended_at=row.ended_at, reason=row.reason or "", message=row.message or "", counts=row.counts, request=row.request,
        lenient=row.lenient, options=row.options,
    )  # fmt: skip


def _application(connection: sa.Connection, request: ReleaseRequest, now: datetime) -> Any:
    key = {"namespace": request.app.namespace, "name": request.app.name}
    row = connection.execute(_app, key).first()
    if row is None:
        fresh = key | {
            "labels": {}, "last_revision": 0, "last_release": 0, "health": "progressing", "message": "",
            "health_rank": summary.RANK["progressing"], "clusters_ready": 0, "clusters_total": 0, "objects": 0,
            "drifted": 0, "health_since": now, "version": 0, "created_at": now, "updated_at": now,
        }  # fmt: skip
        connection.execute(sa.insert(application), fresh)
        row = connection.execute(_app, key).one()
    return row


def _revision(
    connection: sa.Connection, request: ReleaseRequest, app: Any, now: datetime, *, bodies: blobs.Batch
) -> Revision:
    wanted = request.revision or (app.last_revision if request.request == "delete" else 0)
    if wanted:
        row = connection.execute(_by_number, {"app_id": app.id, "nr": wanted}).first()
        if row is None:
            raise errors.NotFound(f"open a release of {request.app}: it has no revision {wanted}")
    else:
        row = connection.execute(_by_key, {"app_id": app.id, "content": request.rendered.key}).first()
    if row is None:
        content.add_revision(connection, request, app, now, bodies=bodies)
        return Revision(request.app, app.last_revision + 1, request.rendered.key, now, request.actor)
    return Revision(request.app, row.number, row.key, row.created_at, events.actor_of(row.created_by))


def _release_row(
    store: Store, request: ReleaseRequest, *, number: int, revision_number: int, app: int, now: datetime
) -> dict[str, Any]:
    return {
        "id": store.new_id(), "app": app, "number": number, "revision": revision_number, "cause": request.cause,
        "cause_ref": request.cause_ref or None, "reason": request.reason or None, "request": request.request,
        "actor": events.actor_tree(request.actor), "options": request.options, "counts": None, "plan": store.new_id(),
        "lenient": request.lenient, "outcome": "running", "opened_at": now,
    }  # fmt: skip


def _plan_row(request: ReleaseRequest, made: dict[str, Any], now: datetime, *, bodies: blobs.Batch) -> dict[str, Any]:
    tree = plans.tree(request.plan)
    body = bodies.add(tree, seal=bodies.sealed)
    return {
        "id": made["plan"], "app": made["app"], "revision": made["revision"], "digest": body, "body": body,
        "base": canonical.digest(tree["base"]), "state": "applied", "actor": made["actor"], "created_at": now,
        "expires_at": now + PLAN_LIFE, "release": made["id"],
    }  # fmt: skip


def _update_application(
    connection: sa.Connection, request: ReleaseRequest, app: Any, *, number: int, revision_number: int, now: datetime
) -> None:
    change: dict[str, Any] = {
        "app_id": app.id, "nr": number, "rev": max(app.last_revision, revision_number), "at": now, "tags": app.labels,
        "made": app.created_at, "gone": app.deleted_at,
    }  # fmt: skip
    revived = request.request != "delete" and app.deleted_at is not None
    if request.request != "delete":
        change["gone"] = None
        if revived:
            change["made"] = now
        if not request.revision or request.labels:
            change["tags"] = request.labels
    connection.execute(_delivered, change)
    if change["tags"] != app.labels or revived:
        connection.execute(sa.delete(application_label).where(application_label.c.app == app.id))
        rows = [{"app": app.id, "key": key, "value": text} for key, text in sorted(change["tags"].items())]
        if rows:
            connection.execute(sa.insert(application_label), rows)
