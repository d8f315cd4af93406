"""What is thrown away, and when (store.md section 10).  Called by platform after a command's answer, with little time.

Batches, each its own transaction.  Applications, revisions, releases and runs with their steps stay.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from appdelivery.store import blobs
from appdelivery.store.tables.applications import rendered, revision
from appdelivery.store.tables.blobs import blob
from appdelivery.store.tables.clusters import cluster
from appdelivery.store.tables.documents import document
from appdelivery.store.tables.events import event
from appdelivery.store.tables.inventory import inventory
from appdelivery.store.tables.releases import plan
from appdelivery.store.tables.runs import step_attempt, step_effect, workflow_run
from appdelivery.store.tables.workers import worker

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from appdelivery.store.open import Store

BATCH = 500
EVENTS = timedelta(days=30)
GONE = timedelta(days=30)
PLANS = timedelta(days=7)
RUNS = timedelta(days=90)  # attempts and effects, after the end of their run
RUNS_AT_ONCE = 50
WORKERS = timedelta(days=1)
BLOBS = timedelta(days=1)
NAMED = (
    revision.c.document, revision.c.definitions, revision.c.source_text, revision.c.policies, plan.c.body, cluster.c.served,
    workflow_run.c.document, workflow_run.c.spec, workflow_run.c.context, document.c.body,
)  # fmt: skip


def sweep(store: Store, budget_s: float = 0.05) -> int:
    """Rows removed within the time given; what is left waits for the next sweep."""
    end = time.monotonic() + budget_s
    removed = 0
    if not store.read(lambda c: _anything(c, store.now(c))):
        return 0
    for batch in (_events, _gone, _plans, _runs, _workers):
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
    found = {digest for column in NAMED for (digest,) in connection.execute(sa.select(column).where(column.is_not(None)))}
    lists = [digest for (digest,) in connection.execute(sa.select(rendered.c.objects).distinct())]
    found.update(lists)
    for start in range(0, len(lists), BATCH):
        found.update(_named(blobs.get(connection, store, lists[start : start + BATCH]).values()))
    return found


def _named(lists: Iterable[Any]) -> set[str]:
    return {part["blob"] for listed in lists for part in listed}


def _anything(connection: sa.Connection, now: datetime) -> bool:
    """Whether a batch would remove a row: looks at an index each instead of transactions that write."""
    kinds = (_old_events, _old_gone, _old_plans, _old_runs, _old_workers)
    return any(connection.execute(old(now).limit(1)).first() for old in kinds)


def _old_events(now: datetime) -> sa.Select[Any]:
    return sa.select(event.c.seq).where(event.c.at < now - EVENTS)


def _old_gone(now: datetime) -> sa.Select[Any]:
    gone = (inventory.c.state == "gone", inventory.c.changed_at < now - GONE)
    return sa.select(*inventory.primary_key.columns).where(*gone)


def _old_plans(now: datetime) -> sa.Select[Any]:
    return sa.select(plan.c.id).where(plan.c.expires_at < now - PLANS)


def _old_runs(now: datetime) -> sa.Select[Any]:
    return sa.select(workflow_run.c.id).where(workflow_run.c.finished_at < now - RUNS, workflow_run.c.trimmed_at.is_(None))


def _old_workers(now: datetime) -> sa.Select[Any]:
    return sa.select(worker.c.id).where(worker.c.seen_at < now - WORKERS)


def _events(connection: sa.Connection, now: datetime) -> int:
    old = _old_events(now).limit(BATCH)
    return connection.execute(sa.delete(event).where(event.c.seq.in_(old), event.c.at < now - EVENTS)).rowcount


def _gone(connection: sa.Connection, now: datetime) -> int:
    key = list(inventory.primary_key.columns)
    return connection.execute(sa.delete(inventory).where(sa.tuple_(*key).in_(_old_gone(now).limit(BATCH)))).rowcount


def _plans(connection: sa.Connection, now: datetime) -> int:
    return connection.execute(sa.delete(plan).where(plan.c.id.in_(_old_plans(now).limit(BATCH)))).rowcount


def _runs(connection: sa.Connection, now: datetime) -> int:
    """How often its steps were tried, and what they called: of runs that ended long ago.  Counts the runs."""
    old = [row.id for row in connection.execute(_old_runs(now).limit(RUNS_AT_ONCE))]
    if old:
        connection.execute(sa.delete(step_attempt).where(step_attempt.c.run.in_(old)))
        connection.execute(sa.delete(step_effect).where(step_effect.c.run.in_(old)))
        connection.execute(sa.update(workflow_run).where(workflow_run.c.id.in_(old)).values(trimmed_at=now))
    return len(old)


def _workers(connection: sa.Connection, now: datetime) -> int:
    return connection.execute(sa.delete(worker).where(worker.c.seen_at < now - WORKERS)).rowcount
