"""`record`, the only write of whoever works on something (store.md section 6).  Called by journal.

Lock order in PostgreSQL: work item, application, inventory rows by key, the rest.  Every fenced write begins with the
work item, so that a worker which lost its lease changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from appdelivery import errors
from appdelivery.delivery import ports
from appdelivery.model.history import Actor
from appdelivery.store import clusters, events, inventory, leases, run_facts, summary
from appdelivery.store.tables.applications import application, application_label
from appdelivery.store.tables.releases import OPEN, release

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from appdelivery.model.history import Lease
    from appdelivery.model.refs import AppKey
    from appdelivery.store.open import Store

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
DELIVERY = (
    ports.ObjectIntended, ports.ObjectApplied, ports.ObjectDeleting, ports.ObjectGone, ports.ObjectSeen, ports.ReleaseEnded,
)  # fmt: skip


def record(store: Store, lease: Lease, facts: Sequence[ports.Fact]) -> int:
    """All facts or none; the answer is the newest release number."""

    def work(connection: sa.Connection) -> int:
        leases.fenced(connection, lease)
        now = store.now(connection)
        leases.wake(connection, store, [fact.key for fact in facts if isinstance(fact, ports.Woken)], now=now)
        app = _application(connection, lease) if lease.key.kind == "app" else None
        if app is None and facts and lease.key.kind == "app":
            raise errors.Bug(f"record for {lease.key}: it has no release")
        feed = run_facts.take(connection, store, lease, facts, now, app=app.id if app is not None else None)
        if app is None:
            feed += _noted(facts)
        else:
            feed += _record(connection, lease.app, app, facts, now)
        events.add(connection, feed)
        newest: int = app.last_release if app is not None else 0
        return newest

    return store.write(work)


def _application(connection: sa.Connection, lease: Lease) -> Any:
    return connection.execute(_app, {"namespace": lease.app.namespace, "name": lease.app.name}).first()


def _noted(facts: Sequence[ports.Fact], app: int | None = None) -> list[dict[str, Any]]:
    found = [fact.event for fact in facts if isinstance(fact, ports.EventAdded)]
    return [events.row(event.kind, event.at, event.subject, event.actor, event.data, app=app) for event in found]


def _record(
    connection: sa.Connection, key: AppKey, app: Any, facts: Sequence[ports.Fact], now: datetime
) -> list[dict[str, Any]]:
    """What happened to releases and objects; the events of it."""
    delivery = [fact for fact in facts if isinstance(fact, DELIVERY)]
    if not delivery:
        return _noted(facts, app.id)
    rows = _Rows(connection, key, app, now, delivery)
    current = max(_release_of(fact) for fact in delivery)
    running = {row.number: row for row in connection.execute(_running, {"app_id": app.id})} if current else {}
    older = [row for number, row in running.items() if number < current]
    feed = _supersede(connection, key, app.id, older, by=current, now=now)
    for fact in delivery:
        if isinstance(fact, ports.ReleaseEnded):
            if (row := running.get(fact.release)) is not None and fact.release >= current:
                _end(connection, app.id, row, fact, now)
        else:
            rows.take(fact)
    rows.save()
    summary.refresh(connection, app.id, now)
    return feed + _noted(facts, app.id)


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
