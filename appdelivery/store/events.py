"""The event feed: appended in the transaction of what happened, read in commit order (store.md section 5).

A position is `<xid>-<seq>`, opaque outside.  PostgreSQL's sequences commit out of order, so a reader there stops before
the oldest transaction that still runs; SQLite has one writer and xid 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from appdelivery import errors
from appdelivery.model.history import Actor, Event
from appdelivery.model.refs import AppKey
from appdelivery.store.pages import Page, bounded
from appdelivery.store.tables.applications import application
from appdelivery.store.tables.events import event

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from appdelivery.store.open import Store

_xid = sa.cast(sa.cast(sa.func.pg_current_xact_id(), sa.Text), sa.BigInteger)
_horizon = sa.cast(sa.cast(sa.func.pg_snapshot_xmin(sa.func.pg_current_snapshot()), sa.Text), sa.BigInteger)
_columns = sa.select(event, application.c.namespace, application.c.name).outerjoin(
    application, application.c.id == event.c.app
)


def add(connection: sa.Connection, rows: Sequence[dict[str, Any]]) -> None:
    """rows: at, kind, app (id), release, subject, actor, data."""
    if rows:
        xid = 0 if connection.dialect.name == "sqlite" else _xid
        connection.execute(sa.insert(event).values(xid=xid), rows)


def row(
    kind: str,
    at: datetime,
    subject: str,
    actor: Actor,
    data: dict[str, Any],
    *,
    app: int | None = None,
    release: str | None = None,
) -> dict[str, Any]:
    return {
        "kind": kind,
        "at": at,
        "subject": subject,
        "actor": actor_tree(actor),
        "data": data,
        "app": app,
        "release": release,
    }


def page(store: Store, app: AppKey | None = None, limit: int = 50, after: str = "") -> Page[Event]:
    """Oldest first.  after '' = the newest `limit` events.  The cursor is the place to go on, also when nothing is new."""
    limit = bounded(limit)
    statement = _columns
    if app is not None:
        statement = statement.where(application.c.namespace == app.namespace, application.c.name == app.name)
    if not store.sqlite:
        statement = statement.where(event.c.xid < _horizon)

    def work(connection: sa.Connection) -> Page[Event]:
        if after:
            xid, seq = _position(after)
            # The transaction id tells a restored or foreign position from one of this feed only by order.
            found = connection.execute(
                statement.where(sa.tuple_(event.c.xid, event.c.seq) > sa.tuple_(sa.literal(xid), sa.literal(seq)))
                .order_by(event.c.xid, event.c.seq)
                .limit(limit)
            ).all()
        else:
            newest = statement.order_by(event.c.xid.desc(), event.c.seq.desc()).limit(limit)
            found = connection.execute(newest).all()[::-1]
        last = f"{found[-1].xid}-{found[-1].seq}" if found else after
        return Page(tuple([_event(row) for row in found]), last)

    return store.read(work)


def actor_tree(actor: Actor) -> dict[str, str]:
    return {"kind": actor.kind, "name": actor.name, "via": actor.via}


def actor_of(tree: dict[str, str]) -> Actor:
    return Actor(tree["kind"], tree["name"], tree["via"])


def _event(row: Any) -> Event:
    app = None if row.namespace is None else AppKey(row.namespace, row.name)
    return Event(row.kind, row.subject, actor_of(row.actor), row.at, row.data, app=app, seq=row.seq)


def _position(after: str) -> tuple[int, int]:
    xid, dash, seq = after.partition("-")
    if not (dash and xid.isdigit() and seq.isdigit() and len(after) < 42):
        raise errors.UsageError(f"read events: '{after[:40]}' is not a position of the feed", hint="start without one")
    return int(xid), int(seq)
