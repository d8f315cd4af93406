"""The engine's writes: claim, renew, release, record (store.md section 6).  Called by journal.

Lock order in PostgreSQL: work item, application, inventory rows by key, the rest.  Every fenced write begins with the
work item, so that a worker which lost its lease changes nothing.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from appdelivery import errors
from appdelivery.delivery import ports
from appdelivery.model.history import Actor, Lease
from appdelivery.store import clusters, events, inventory, summary
from appdelivery.store.tables.applications import application, application_label
from appdelivery.store.tables.releases import OPEN, release
from appdelivery.store.tables.work import work_item

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from appdelivery.model.refs import AppKey
    from appdelivery.store.open import Store

_this = (work_item.c.kind == "app", work_item.c.id == sa.bindparam("key"))
_item = sa.select(work_item).where(*_this).with_for_update()
_fenced = sa.select(work_item.c.fence).where(*_this, work_item.c.fence == sa.bindparam("mine")).with_for_update()
_lease = sa.update(work_item).where(*_this, work_item.c.fence == sa.bindparam("mine"))
_claimed = (
    sa.update(work_item)
    .where(*_this)
    .values(lease_owner=sa.bindparam("owner"), lease_until=sa.bindparam("until"), fence=sa.bindparam("next_fence"))
)
_app = (
    sa.select(application.c.id, application.c.last_release)
    .where(application.c.namespace == sa.bindparam("namespace"), application.c.name == sa.bindparam("name"))
    .with_for_update()
)
_running = sa.select(release.c.id, release.c.number, release.c.request).where(
    release.c.app == sa.bindparam("app_id"), release.c.outcome.in_(OPEN)
)
_applied = (
    sa.update(application).where(application.c.id == sa.bindparam("app_id")).values(applied_release=sa.bindparam("nr"))
)
_deleted = (
    sa.update(application)
    .where(application.c.id == sa.bindparam("app_id"), application.c.last_release == sa.bindparam("nr"))
    .values(deleted_at=sa.bindparam("at"))
)
_unlabelled = sa.delete(application_label).where(application_label.c.app == sa.bindparam("app_id"))
_ended = (
    sa.update(release)
    .where(release.c.app == sa.bindparam("app_id"), release.c.number == sa.bindparam("nr"), release.c.outcome.in_(OPEN))
    .values(
        outcome=sa.bindparam("how"),
        message=sa.bindparam("words"),
        counts=sa.bindparam("sums"),
        ended_at=sa.bindparam("at"),
    )
)
SYSTEM = Actor("system", "appctl", "store")


def claim(store: Store, app: AppKey, worker: str, lease_s: float) -> Lease | None:
    """At once when the holder's process is dead on this computer, else after its lease."""

    def work(connection: sa.Connection) -> Lease | None:
        now = store.now(connection)
        row = _work_item(connection, app)
        if row.lease_owner not in (None, worker) and row.lease_until > now and store.alive(row.lease_owner) is not False:
            return None
        lease = Lease(app, worker, row.fence + 1, now + timedelta(seconds=lease_s))
        change = {"key": str(app), "owner": worker, "until": lease.until, "next_fence": lease.fence}
        connection.execute(_claimed, change)
        return lease

    return store.write(work)


def renew(store: Store, lease: Lease, lease_s: float) -> Lease | None:
    def work(connection: sa.Connection) -> Lease | None:
        until = store.now(connection) + timedelta(seconds=lease_s)
        held = _lease.where(work_item.c.lease_owner == lease.worker).values(lease_until=until)
        done = connection.execute(held, {"key": str(lease.app), "mine": lease.fence}).rowcount
        return Lease(lease.app, lease.worker, lease.fence, until) if done else None

    return store.write(work)


def release_lease(store: Store, lease: Lease) -> None:
    free = _lease.values(lease_owner=None, lease_until=None)
    store.write(lambda c: c.execute(free, {"key": str(lease.app), "mine": lease.fence}) and None)


def record(store: Store, lease: Lease, facts: Sequence[ports.Fact]) -> int:
    """All facts or none; the answer is the newest release number."""

    def work(connection: sa.Connection) -> int:
        if connection.execute(_fenced, {"key": str(lease.app), "mine": lease.fence}).first() is None:
            raise errors.LostLease(
                f"record the delivery of {lease.app}: another worker has taken over",
                hint="this one stops; the other goes on",
            )
        app = connection.execute(_app, {"namespace": lease.app.namespace, "name": lease.app.name}).first()
        if app is None:
            if facts:
                raise errors.Bug(f"record for {lease.app}: it has no release")
            return 0
        _record(connection, store, lease.app, app, facts)
        newest: int = app.last_release
        return newest

    return store.write(work)


def _record(connection: sa.Connection, store: Store, key: AppKey, app: Any, facts: Sequence[ports.Fact]) -> None:
    now = store.now(connection)
    rows = _Rows(connection, key, app, now, facts)
    feed: list[dict[str, Any]] = []
    current = max((_release_of(fact) for fact in facts), default=0)
    running = {row.number: row for row in connection.execute(_running, {"app_id": app.id})} if current else {}
    feed += _supersede(
        connection, key, app.id, [row for number, row in running.items() if number < current], by=current, now=now
    )
    for fact in facts:
        if isinstance(fact, ports.ReleaseEnded):
            if (row := running.get(fact.release)) is not None and fact.release >= current:
                _end(connection, app.id, row, fact, now)
        elif isinstance(fact, ports.EventAdded):
            event = fact.event
            feed.append(events.row(event.kind, event.at, event.subject, event.actor, event.data, app=app.id))
        else:
            rows.take(fact)
    rows.save()
    events.add(connection, feed)
    if any(not isinstance(fact, ports.EventAdded) for fact in facts):
        summary.refresh(connection, app.id, now)


class _Rows:
    """The inventory rows that the facts of one call touch, changed in memory in the facts' order."""

    def __init__(self, connection: sa.Connection, app: AppKey, row: Any, now: datetime, facts: Sequence[ports.Fact]) -> None:
        self._connection, self._app, self._id, self._newest, self._now = connection, app, row.id, row.last_release, now
        identities = [identity for fact in facts if (identity := _identity(fact)) is not None]
        self._clusters = clusters.ids(connection, sorted({cluster for cluster, _ in identities}), now)
        keys = list(dict.fromkeys([self._key(identity) for identity in identities]))
        self._known = inventory.load(connection, row.id, keys)
        self._stored = dict(self._known)
        self._changed: dict[tuple[Any, ...], None] = {}

    def take(self, fact: ports.Fact) -> None:
        if isinstance(fact, ports.ObjectIntended):
            self._intend(fact)
        elif isinstance(fact, ports.ObjectApplied):
            self._apply(fact)
        elif isinstance(fact, ports.ObjectDeleting):
            self._delete(fact)
        elif isinstance(fact, ports.ObjectGone):
            self._change(fact.identity, state="gone", drift="none")
        elif isinstance(fact, ports.ObjectSeen):
            self._see(fact)
        else:
            raise errors.Bug(f"record does not know the fact {type(fact).__name__}")

    def save(self) -> None:
        keys = sorted(self._changed)
        inventory.save(
            self._connection,
            [self._known[key] for key in keys if key not in self._stored],
            [(self._stored[key], self._known[key]) for key in keys if key in self._stored],
        )

    def _key(self, identity: ports.Identity) -> tuple[Any, ...]:
        cluster, address = identity
        return (self._clusters[cluster], *address)

    def _intend(self, fact: ports.ObjectIntended) -> None:
        new, key = fact.row, self._key(fact.row.identity)
        old = self._known.get(key)
        if old is None or old["state"] == "gone":
            self._put(key, inventory.columns(self._id, key[0], new, new.state, self._now))
            return
        back = {"state": "present" if old["uid"] else "intended"} if old["state"] == "deleting" else {}
        self._change(new.identity, wanted=new.wanted, component=new.component, gc=new.gc, wait=new.wait, **back)

    def _apply(self, fact: ports.ObjectApplied) -> None:
        key = self._key(fact.row.identity)
        made = inventory.columns(self._id, key[0], fact.row, fact.row.state, self._now)
        if (old := self._known.get(key)) is not None:
            made |= {name: old[name] for name in ("own_digest", "seen_version", "seen_at")}
        self._put(key, made)

    def _delete(self, fact: ports.ObjectDeleting) -> None:
        """Guard G1: nothing in the newest desired set is ever deleted."""
        _, (_, kind, namespace, name) = fact.identity
        what = f"delete {kind} {namespace}/{name} of {self._app}"
        if self._newest > fact.release:
            raise errors.Conflict(
                f"{what} for release {fact.release}: release {self._newest} is newer", code="release.superseded"
            )
        old = self._known.get(self._key(fact.identity))
        if old is not None and old["wanted"] >= fact.release:
            raise errors.Conflict(
                f"{what} for release {fact.release}: release {old['wanted']} wants it", code="release.superseded"
            )
        self._change(fact.identity, state="deleting")

    def _see(self, fact: ports.ObjectSeen) -> None:
        old = self._known.get(self._key(fact.identity))
        if old is None or old["state"] == "gone" or (fact.version and fact.version < (old["seen_version"] or 0)):
            return
        self._change(
            fact.identity,
            health=fact.health,
            health_reason=fact.reason or None,
            health_since=fact.since,
            own_digest=fact.own_digest or old["own_digest"],
            seen_version=fact.version or old["seen_version"],
            seen_at=self._now,
            drift=fact.drift,
        )

    def _change(self, identity: ports.Identity, **fields: Any) -> None:
        key = self._key(identity)
        if (old := self._known.get(key)) is not None:
            self._put(key, old | fields | {"changed_at": self._now})

    def _put(self, key: tuple[Any, ...], row: dict[str, Any]) -> None:
        self._known[key] = row
        self._changed[key] = None


def _identity(fact: ports.Fact) -> ports.Identity | None:
    if isinstance(fact, (ports.ObjectIntended, ports.ObjectApplied)):
        return fact.row.identity
    if isinstance(fact, (ports.ObjectDeleting, ports.ObjectGone, ports.ObjectSeen)):
        return fact.identity
    return None


def _release_of(fact: ports.Fact) -> int:
    """The release a fact was made for: its worker's."""
    if isinstance(fact, ports.ObjectIntended):
        return fact.row.wanted
    if isinstance(fact, (ports.ObjectDeleting, ports.ReleaseEnded)):
        return fact.release
    return 0


def _supersede(
    connection: sa.Connection, key: AppKey, app: int, older: Sequence[Any], *, by: int, now: datetime
) -> list[dict[str, Any]]:
    made = []
    for row in older:
        words = f"release {by} took its place"
        change = {"app_id": app, "nr": row.number, "how": "superseded", "words": words, "sums": {}, "at": now}
        connection.execute(_ended, change)
        data = {"release": row.number, "outcome": "superseded", "by": by}
        made.append(events.row("release.ended", now, str(key), SYSTEM, data, app=app, release=row.id))
    return made


def _end(connection: sa.Connection, app: int, row: Any, fact: ports.ReleaseEnded, now: datetime) -> None:
    change = {
        "app_id": app, "nr": fact.release, "how": fact.outcome, "words": fact.message, "sums": dict(fact.counts), "at": now,
    }  # fmt: skip
    connection.execute(_ended, change)
    if fact.outcome != "succeeded":
        return
    if row.request != "delete":
        connection.execute(_applied, {"app_id": app, "nr": fact.release})
    elif connection.execute(_deleted, {"app_id": app, "nr": fact.release, "at": now}).rowcount:
        connection.execute(_unlabelled, {"app_id": app})


def _work_item(connection: sa.Connection, app: AppKey) -> Any:
    """The row, locked; made when it is the first time."""
    row = connection.execute(_item, {"key": str(app)}).first()
    if row is None:
        make_work_item(connection, app)
        row = connection.execute(_item, {"key": str(app)}).one()
    return row


def make_work_item(connection: sa.Connection, app: AppKey) -> None:
    made = {"kind": "app", "id": str(app), "generation": 0, "priority": 1, "fence": 0, "failures": 0}
    if connection.dialect.name == "sqlite":
        connection.execute(sa.insert(work_item), made)
        return
    from sqlalchemy.dialects.postgresql import insert

    connection.execute(insert(work_item).on_conflict_do_nothing(), made)
