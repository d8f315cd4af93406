"""What people and triggers tell a run: row, event and wake in one transaction (workflow.md section 9).  Called by journal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from appdelivery import errors
from appdelivery.model.refs import AppKey
from appdelivery.model.run import SIGNALS, Signal, WorkKey
from appdelivery.store import events, leases
from appdelivery.store.tables.applications import application
from appdelivery.store.tables.runs import signal, workflow_run

if TYPE_CHECKING:
    from appdelivery.store.open import Store

_app = sa.select(application.c.id).where(
    application.c.namespace == sa.bindparam("namespace"), application.c.name == sa.bindparam("name")
)
_run = (
    sa.select(workflow_run.c.app, workflow_run.c.namespace.label("run_namespace"), workflow_run.c.name.label("run_name"))
    .add_columns(application.c.namespace, application.c.name)
    .outerjoin(application, application.c.id == workflow_run.c.app)
    .where(workflow_run.c.id == sa.bindparam("run"))
)
_given = sa.insert(signal)
# One to an application is its newest run's; unconsumed ones are few.
_unheeded = (
    sa.select(signal)
    .where(signal.c.consumed_at.is_(None), sa.or_(signal.c.run == sa.bindparam("run"), signal.c.app == sa.bindparam("app")))
    .order_by(signal.c.id)
)
_consumed = (
    sa.update(signal)
    .where(
        signal.c.id == sa.bindparam("signal_id"),
        signal.c.consumed_at.is_(None),
        sa.or_(
            signal.c.app == sa.bindparam("app_id"),
            signal.c.run.in_(sa.select(workflow_run.c.id).where(workflow_run.c.app == sa.bindparam("app_id"))),
            signal.c.run == sa.bindparam("run_id"),
        ),
    )
    .values(consumed_at=sa.bindparam("at"))
)


def give(store: Store, to: AppKey | str, given: Signal) -> None:
    if given.name not in SIGNALS:
        raise errors.UsageError(f"signal {to}: '{given.name}' is not a signal", hint=f"there are: {', '.join(SIGNALS)}")

    def work(connection: sa.Connection) -> None:
        app, run, key, subject = _addressed(connection, to)
        now = store.now(connection)
        leases.wake(connection, store, [key], now=now, priority=leases.INTERACTIVE)
        row = {
            "id": given.id, "app": app if run is None else None, "run": run, "step": given.step or None, "name": given.name,
            "payload": dict(given.payload), "actor": events.actor_tree(given.actor), "comment": given.comment or None,
            "created_at": now,
        }  # fmt: skip
        connection.execute(_given, row)
        data = {"signal": given.name, "step": given.step, "id": given.id, "comment": given.comment} | (
            {"run": run} if run else {}
        )
        events.add(connection, [events.row("signal.given", now, subject, given.actor, data, app=app)])

    store.write(work)


def unheeded(connection: sa.Connection, run: str, app: int | None) -> tuple[Signal, ...]:
    rows = connection.execute(_unheeded, {"run": run, "app": app}).all()
    return tuple(
        [
            Signal(
                row.id, row.name, events.actor_of(row.actor), row.created_at, row.step or "", row.payload, row.comment or ""
            )
            for row in rows
        ]
    )


def consume(connection: sa.Connection, key: WorkKey, ids: list[str], now: Any, app: int | None) -> None:
    for one in ids:
        whose = {"app_id": app, "run_id": key.id if key.kind == "run" else None}
        if not connection.execute(_consumed, {"signal_id": one, "at": now} | whose).rowcount:
            raise errors.Bug(f"record for {key}: signal {one} was consumed before, or is another's")


def _addressed(connection: sa.Connection, to: AppKey | str) -> tuple[int | None, str | None, WorkKey, str]:
    """(application, run, what to wake, subject of the event)."""
    if isinstance(to, AppKey):
        row = connection.execute(_app, {"namespace": to.namespace, "name": to.name}).first()
        if row is None:
            raise errors.NotFound(f"signal {to}: there is no such application", hint="see: appctl list")
        return row.id, None, leases.key_of(to), str(to)
    row = connection.execute(_run, {"run": to}).first()
    if row is None:
        raise errors.NotFound(f"signal the run {to}: there is no such run")
    if row.app is None:
        return None, to, WorkKey("run", to), f"{row.run_namespace}/{row.run_name}"
    app = AppKey(row.namespace, row.name)
    return row.app, to, leases.key_of(app), str(app)
