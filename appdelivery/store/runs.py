"""Runs: opening one and looking at the work on it (workflow.md sections 2 and 6).  Called by journal and releases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from appdelivery.delivery.ports import Work
from appdelivery.model.record import changed
from appdelivery.model.run import Run, WorkKey
from appdelivery.store import blobs, events, leases, run_values, signals
from appdelivery.store.tables.applications import application
from appdelivery.store.tables.releases import release
from appdelivery.store.tables.runs import step_effect, workflow_run, workflow_step
from appdelivery.store.tables.work import work_item

if TYPE_CHECKING:
    from datetime import datetime

    from appdelivery.delivery.ports import RunRequest
    from appdelivery.model.refs import AppKey
    from appdelivery.model.run import Effect
    from appdelivery.store.open import Store

whole = (
    sa.select(
        workflow_run,
        release.c.number,
        application.c.namespace.label("app_namespace"),
        application.c.name.label("app_name"),
    )
    .outerjoin(release, release.c.id == workflow_run.c.release)
    .outerjoin(application, application.c.id == workflow_run.c.app)
)
by_id = whole.where(workflow_run.c.id == sa.bindparam("run"))
_of_app = whole.where(workflow_run.c.app == sa.bindparam("app_id")).limit(1)
_other = workflow_run.alias("other")
_last = sa.select(sa.func.max(_other.c.id)).where(_other.c.app == sa.bindparam("app_id")).scalar_subquery()
_of_app = _of_app.add_columns(_last.label("newest"))
_oldest_open = _of_app.where(workflow_run.c.finished_at.is_(None)).order_by(workflow_run.c.id)
_newest = _of_app.order_by(workflow_run.c.id.desc())
steps = sa.select(workflow_step).where(workflow_step.c.run == sa.bindparam("run")).order_by(
    workflow_step.c.ordinal, workflow_step.c.name
)  # fmt: skip
_app = sa.select(application.c.id, application.c.last_release).where(
    application.c.namespace == sa.bindparam("namespace"), application.c.name == sa.bindparam("name")
)
_generation = sa.select(work_item.c.generation).where(
    work_item.c.kind == sa.bindparam("of_kind"), work_item.c.id == sa.bindparam("of_id")
)
_effect = sa.select(step_effect).where(
    step_effect.c.run == sa.bindparam("run"),
    step_effect.c.step == sa.bindparam("in_step"),
    step_effect.c.key == sa.bindparam("of_key"),
)
SPECS = 64  # kept in memory
_new_run, _new_step = sa.insert(workflow_run), sa.insert(workflow_step)


def open_run(store: Store, request: RunRequest) -> Run:
    """A run of a WorkflowRun document, which belongs to no application."""

    def work(connection: sa.Connection) -> Run:
        now = store.now(connection)
        leases.wake(connection, store, [WorkKey("run", request.run.id)], now=now, priority=leases.INTERACTIVE)
        bodies = blobs.Batch(connection, store, now)
        feed = add(connection, request, bodies, now)
        bodies.write()
        events.add(connection, feed)
        return changed(request.run, started_at=now, app=None, release=0)

    return store.write(work)


def add(
    connection: sa.Connection,
    request: RunRequest,
    bodies: blobs.Batch,
    now: datetime,
    *,
    app: int | None = None,
    key: AppKey | None = None,
    release: tuple[str, int] = ("", 0),  # its id and number
) -> list[dict[str, Any]]:
    """The rows of a run that starts, inside the caller's transaction; answers its events.  The caller writes the bodies."""
    run = request.run
    row = run_values.run_row(run) | {
        "id": run.id, "app": app, "release": release[0] or None, "namespace": run.namespace, "name": run.name,
        "document": bodies.add(request.document, seal=bodies.sealed) if request.document is not None else None,
        "spec": bodies.add(run_values.spec_tree(run.spec)), "context": bodies.add(dict(run.context)),
        "format_version": run.spec.format, "started_at": now,
    }  # fmt: skip
    connection.execute(_new_run, row)
    rows = [run_values.step_row(connection, bodies.store, run.id, step, now) for step in request.steps]
    if rows:
        connection.execute(_new_step, rows)
    data: dict[str, Any] = {"run": run.id} | ({"release": release[1]} if release[1] else {})
    subject = str(key) if key is not None else f"{run.namespace}/{run.name}"
    return [events.row("run.started", now, subject, request.actor, data, app=app, release=release[0] or None)]


def work(store: Store, key: WorkKey) -> Work:
    def look(connection: sa.Connection) -> Work:
        now = store.now(connection)
        generation = connection.execute(_generation, {"of_kind": key.kind, "of_id": key.id}).scalar() or 0
        if key.kind == "app":
            return _of_application(connection, store, Work(key, now, generation))
        if key.kind != "run":
            return Work(key, now, generation)
        row = connection.execute(by_id, {"run": key.id}).first()
        if row is None or row.app is not None:
            return Work(key, now, generation)
        return _filled(connection, store, Work(key, now, generation), row, app=None)

    return store.read(look)


def _of_application(connection: sa.Connection, store: Store, empty: Work) -> Work:
    namespace, _, name = empty.key.id.partition("/")
    app = connection.execute(_app, {"namespace": namespace, "name": name}).first()
    if app is None:
        return empty
    empty = changed(empty, newest=app.last_release)
    row = connection.execute(_oldest_open, {"app_id": app.id}).first()
    if row is None:
        row = connection.execute(_newest, {"app_id": app.id}).first()
    if row is None:
        return empty
    return _filled(connection, store, empty, row, app=app.id if row.id == row.newest else None)


def _filled(connection: sa.Connection, store: Store, empty: Work, row: Any, *, app: int | None) -> Work:
    """app: given where signals to the application are meant for this run."""
    rows = connection.execute(steps, {"run": row.id}).all()
    found = [run_values.step_of(step, run_values.opened(connection, store, step)) for step in rows]
    given = signals.unheeded(connection, row.id, app)
    return changed(empty, run=read(connection, store, row), steps=tuple(found), signals=given)


def read(connection: sa.Connection, store: Store, row: Any) -> Run:
    """The run of a row of `whole`.  Spec and context never change: a pass, which reads often, finds them here again."""
    key = (row.spec, row.context, row.format_version)
    if (found := store.specs.get(key)) is None:
        bodies = blobs.get(connection, store, [row.spec, row.context])
        found = run_values.spec_of(bodies[row.spec], row.format_version), bodies[row.context]
        if len(store.specs) >= SPECS:
            store.specs.clear()
        store.specs[key] = found
    return run_values.run_of(row, *found)


def effect(store: Store, run: str, step: str, key: str) -> Effect | None:
    def look(connection: sa.Connection) -> Effect | None:
        row = connection.execute(_effect, {"run": run, "in_step": step, "of_key": key}).first()
        return None if row is None else run_values.effect_of(row)

    return store.read(look)
