"""What is thrown away, and when (store.md section 10).  Called by platform after a command's answer, with little time.

Batches, each its own transaction.  Applications, revisions and releases stay.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from appdelivery.store import blobs
from appdelivery.store.tables import all as tables

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from appdelivery.store.open import Store

BATCH = 500
EVENTS = timedelta(days=30)
GONE = timedelta(days=30)
PLANS = timedelta(days=7)
BLOBS = timedelta(days=1)

event, inventory = tables.events.event, tables.inventory.inventory
plan, blob = tables.releases.plan, tables.blobs.blob
revision, rendered = tables.applications.revision, tables.applications.rendered
cluster = tables.clusters.cluster


def sweep(store: Store, budget_s: float = 0.05) -> int:
    """Rows removed within the time given; what is left waits for the next sweep."""
    end = time.monotonic() + budget_s
    removed = 0
    for batch in (_events, _gone, _plans):
        while time.monotonic() < end and (done := store.write(lambda c, batch=batch: batch(c, store.now(c)))):  # type: ignore[misc]
            removed += done
    if removed:
        while time.monotonic() < end and (done := sweep_blobs(store)):
            removed += done
    return removed


def sweep_blobs(store: Store) -> int:
    """A batch of bodies that no row and no list names, unused for a day; marked and deleted in one transaction."""

    def work(connection: sa.Connection) -> int:
        old = blob.c.used_at < store.now(connection) - BLOBS
        candidates = {row.digest for row in connection.execute(sa.select(blob.c.digest).where(old))}
        if candidates:
            candidates -= _marked(connection, store)
        some = sorted(candidates)[:BATCH]
        if some:
            connection.execute(sa.delete(blob).where(blob.c.digest.in_(some), old))
        return len(some)

    return store.write(work)


def _marked(connection: sa.Connection, store: Store) -> set[str]:
    columns = (
        revision.c.document,
        revision.c.definitions,
        revision.c.source_text,
        revision.c.policies,
        plan.c.body,
        cluster.c.served,
    )
    found = {digest for column in columns for (digest,) in connection.execute(sa.select(column).where(column.is_not(None)))}
    lists = [digest for (digest,) in connection.execute(sa.select(rendered.c.objects).distinct())]
    found.update(lists)
    for start in range(0, len(lists), BATCH):
        found.update(_named(blobs.get(connection, store, lists[start : start + BATCH]).values()))
    return found


def _named(lists: Iterable[Any]) -> set[str]:
    return {part["blob"] for listed in lists for part in listed}


def _events(connection: sa.Connection, now: datetime) -> int:
    old = sa.select(event.c.seq).where(event.c.at < now - EVENTS).limit(BATCH)
    return connection.execute(sa.delete(event).where(event.c.seq.in_(old), event.c.at < now - EVENTS)).rowcount


def _gone(connection: sa.Connection, now: datetime) -> int:
    key = list(inventory.primary_key.columns)
    old = sa.select(*key).where(inventory.c.state == "gone", inventory.c.changed_at < now - GONE).limit(BATCH)
    return connection.execute(sa.delete(inventory).where(sa.tuple_(*key).in_(old))).rowcount


def _plans(connection: sa.Connection, now: datetime) -> int:
    old = sa.select(plan.c.id).where(plan.c.expires_at < now - PLANS).limit(BATCH)
    return connection.execute(sa.delete(plan).where(plan.c.id.in_(old))).rowcount
