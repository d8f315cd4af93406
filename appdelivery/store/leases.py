"""Who may work on what: wake, due, claim, renew, release (workflow.md section 3).  Called by journal and the dispatchers.

Lease times are the store's clock; clocks of two computers are never compared.  A wake raises the generation of its item,
by which a pass that ends later knows that something came in meanwhile.
"""

from __future__ import annotations

import functools
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from appdelivery import errors
from appdelivery.model.history import Lease
from appdelivery.model.record import changed
from appdelivery.model.run import WorkKey
from appdelivery.store import dialects
from appdelivery.store.tables.work import work_item

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from appdelivery.model.refs import AppKey
    from appdelivery.store.open import Store

INTERACTIVE, CHANGE, ROUTINE = 0, 1, 2
USUAL = {"app": CHANGE, "run": CHANGE}  # priority of an item that wakes by itself; of every other kind ROUTINE
BACK_OFF = timedelta(seconds=300)  # at most, between passes that fail
HELD = 200  # leased items that are looked at for owners which died

_this = (work_item.c.kind == sa.bindparam("of_kind"), work_item.c.id == sa.bindparam("of_id"))
_mine = (*_this, work_item.c.fence == sa.bindparam("mine"))
_item = sa.select(work_item).where(*_this).with_for_update()
_fenced = sa.select(work_item.c.fence).where(*_mine).with_for_update()
_claimed = (
    sa.update(work_item)
    .where(*_this)
    .values(lease_owner=sa.bindparam("owner"), lease_until=sa.bindparam("until"), fence=sa.bindparam("next_fence"))
)
_renewed = (
    sa.update(work_item)
    .where(*_mine, work_item.c.lease_owner == sa.bindparam("owner"))
    .values(lease_until=sa.bindparam("until"))
)
_woken_since = work_item.c.generation != sa.bindparam("seen")
_released = (
    sa.update(work_item)
    .where(*_mine)
    .values(
        lease_owner=None,
        lease_until=None,
        due_at=sa.case((_woken_since, work_item.c.due_at), else_=sa.bindparam("due", type_=work_item.c.due_at.type)),
        priority=sa.case((_woken_since, work_item.c.priority), else_=sa.bindparam("usual", type_=sa.Integer)),
        failures=sa.bindparam("count"),
        error=sa.bindparam("words"),
    )
    .returning(work_item.c.due_at, work_item.c.priority)
)
_free = sa.or_(work_item.c.lease_until.is_(None), work_item.c.lease_until <= sa.bindparam("now"))
_waiting = (
    sa.select(work_item.c.kind, work_item.c.id, work_item.c.priority, work_item.c.lease_owner)
    .where(work_item.c.due_at <= sa.bindparam("now"), work_item.c.kind.in_(sa.bindparam("kinds", expanding=True)))
    .order_by(work_item.c.priority, work_item.c.due_at)
    .limit(sa.bindparam("most"))
)
_due, _held = _waiting.where(_free), _waiting.where(sa.not_(_free))


def key_of(app: AppKey) -> WorkKey:
    return WorkKey("app", str(app))


def wake(
    connection: sa.Connection, store: Store, keys: Collection[WorkKey], *, now: datetime, priority: int = CHANGE
) -> None:
    """Inside the caller's transaction, before it locks anything else: due now, whoever works on it meanwhile."""
    ordered = sorted(set(keys), key=lambda key: (key.kind, key.id))
    fresh = {"generation": 1, "due_at": now, "priority": priority, "fence": 0, "failures": 0}
    if ordered:
        connection.execute(_wake(connection.dialect.name), [{"kind": key.kind, "id": key.id} | fresh for key in ordered])
        store.hint(connection, ordered, priority)


@functools.cache
def _wake(dialect: str) -> Any:
    made = dialects.insert(dialect, work_item)
    sooner = sa.case((work_item.c.due_at < made.excluded.due_at, work_item.c.due_at), else_=made.excluded.due_at)
    urgent = sa.and_(work_item.c.due_at.is_not(None), work_item.c.priority < made.excluded.priority)
    return made.on_conflict_do_update(
        index_elements=["kind", "id"],
        set_={
            "generation": work_item.c.generation + 1,
            "due_at": sooner,
            "priority": sa.case((urgent, work_item.c.priority), else_=made.excluded.priority),
        },
    )


def due(store: Store, now: datetime | None, kinds: Collection[str], limit: int) -> Sequence[WorkKey]:
    return [key for key, _ in waiting(store, kinds, limit, now=now)]


def waiting(
    store: Store, kinds: Collection[str], limit: int, *, now: datetime | None = None
) -> Sequence[tuple[WorkKey, int]]:
    """What is due and free, with its priority; also what a dead process of this computer still holds."""

    def work(connection: sa.Connection) -> Sequence[tuple[WorkKey, int]]:
        asked = {"now": now or store.now(connection), "kinds": sorted(kinds)}
        found = list(connection.execute(_due, asked | {"most": limit}).all())
        if len(found) < limit:
            held = connection.execute(_held, asked | {"most": HELD}).all()
            dead = {owner for owner in {row.lease_owner for row in held} if store.alive(owner) is False}
            found += [row for row in held if row.lease_owner in dead]
        return [(WorkKey(row.kind, row.id), row.priority) for row in found[:limit]]

    return store.read(work)


def claim(store: Store, key: WorkKey, worker: str, lease_s: float) -> Lease | None:
    """At once when the holder's process is dead on this computer, else after its lease."""

    def work(connection: sa.Connection) -> Lease | None:
        now = store.now(connection)
        row = _locked(connection, key)
        if row.lease_owner not in (None, worker) and row.lease_until > now and store.alive(row.lease_owner) is not False:
            return None
        lease = Lease(key, worker, row.fence + 1, now + timedelta(seconds=lease_s), row.generation)
        change = {"owner": worker, "until": lease.until, "next_fence": lease.fence}
        connection.execute(_claimed, _named(key) | change)
        return lease

    return store.write(work)


def renew(store: Store, lease: Lease, lease_s: float) -> Lease | None:
    def work(connection: sa.Connection) -> Lease | None:
        until = store.now(connection) + timedelta(seconds=lease_s)
        change = _named(lease.key) | {"mine": lease.fence, "owner": lease.worker, "until": until}
        return changed(lease, until=until) if connection.execute(_renewed, change).rowcount else None

    return store.write(work)


def release(store: Store, lease: Lease, due_at: datetime | None, error: str) -> None:
    def work(connection: sa.Connection) -> None:
        now = store.now(connection)
        change: dict[str, Any] = {"seen": lease.generation, "due": due_at, "count": 0, "words": None}
        if error:
            row = connection.execute(_item, _named(lease.key)).first()
            failures = (row.failures if row else 0) + 1
            wait = min(timedelta(seconds=2.0 ** min(failures - 1, 20)), BACK_OFF)
            change |= {"due": now + wait, "count": failures, "words": error}
        change |= {"mine": lease.fence, "usual": USUAL.get(lease.key.kind, ROUTINE)}
        left = connection.execute(_released, _named(lease.key) | change).first()
        if left is not None and left.due_at is not None and left.due_at <= now:
            store.hint(connection, [lease.key], left.priority)

    store.write(work)


def fenced(connection: sa.Connection, lease: Lease) -> None:
    """The first statement of every fenced write: locks the item, or says that it is somebody else's now."""
    if connection.execute(_fenced, _named(lease.key) | {"mine": lease.fence}).first() is None:
        raise errors.LostLease(
            f"record the work on {lease.key}: another worker has taken over", hint="this one stops; the other goes on"
        )


def _locked(connection: sa.Connection, key: WorkKey) -> Any:
    """The row; made when it is the first time."""
    row = connection.execute(_item, _named(key)).first()
    if row is None:
        usual = USUAL.get(key.kind, ROUTINE)
        made = {"kind": key.kind, "id": key.id, "generation": 0, "priority": usual, "fence": 0, "failures": 0}
        connection.execute(dialects.insert(connection.dialect.name, work_item).on_conflict_do_nothing(), made)
        row = connection.execute(_item, _named(key)).one()
    return row


def _named(key: WorkKey) -> dict[str, Any]:
    return {"of_kind": key.kind, "of_id": key.id}
