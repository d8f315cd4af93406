"""Living processes: the heartbeat every 10 s (workflow.md section 2).  Called by journal."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa

from appdelivery.delivery.ports import Worker
from appdelivery.store import dialects
from appdelivery.store.tables.workers import worker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from appdelivery.store.open import Store

DEAD = timedelta(seconds=30)  # without a beat

_beats = sa.select(worker).where(worker.c.seen_at > sa.bindparam("since")).order_by(worker.c.id)


def any_living(connection: sa.Connection) -> bool:
    """In PostgreSQL, by its clock."""
    beats = sa.select(worker.c.id).where(worker.c.seen_at > sa.func.clock_timestamp() - DEAD)
    return connection.execute(beats.limit(1)).first() is not None


def heartbeat(store: Store, me: Worker) -> Sequence[Worker]:
    def work(connection: sa.Connection) -> Sequence[Worker]:
        now = store.now(connection)
        row = {
            "id": me.id, "roles": list(me.roles), "program": me.program, "load": dict(me.load),
            "started_at": me.started_at, "seen_at": now,
        }  # fmt: skip
        connection.execute(dialects.upsert(connection.dialect.name, worker), row)
        found = connection.execute(_beats, {"since": now - DEAD}).all()
        return [
            Worker(r.id, tuple(r.roles), r.program, r.started_at, r.load, r.seen_at)
            for r in found
            if r.id == me.id or store.alive(r.id) is not False
        ]

    return store.write(work)
