"""What people and probes change of a cluster that is known: labels, taints, its name, cordons, reach; and what runs there.

Called by platform.  Every change by a person leaves an event with who and why.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from appdelivery import errors
from appdelivery.model import reach
from appdelivery.model.history import Actor
from appdelivery.model.record import record
from appdelivery.model.refs import AppKey
from appdelivery.store import clusters, events
from appdelivery.store.tables.applications import application
from appdelivery.store.tables.clusters import cluster
from appdelivery.store.tables.inventory import inventory

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from appdelivery.store.open import Store

PROBE = Actor("system", "appctl", "probe")
FAILED_AT = "failedAt"  # where `probe` keeps when the newest probes failed

_deployed = (
    sa.select(application.c.namespace, application.c.name, application.c.health, sa.func.count().label("objects"))
    .select_from(inventory.join(application, application.c.id == inventory.c.app).join(cluster, cluster.c.id == inventory.c.cluster))
    .where(cluster.c.name == sa.bindparam("key"), inventory.c.state != "gone")
    .group_by(application.c.namespace, application.c.name, application.c.health)
    .order_by(application.c.namespace, application.c.name)
)  # fmt: skip


@record
class Deployed:
    """What one application has on a cluster.  health: of the whole application."""

    app: AppKey
    health: str
    objects: int


def deployed(store: Store, name: str) -> Sequence[Deployed]:
    """By namespace and name."""

    def work(connection: sa.Connection) -> Sequence[Deployed]:
        found = connection.execute(_deployed, {"key": name})
        return [Deployed(AppKey(row.namespace, row.name), row.health, row.objects) for row in found]

    return store.read(work)


def noted(store: Store, name: str, *, actor: Actor, message: str, data: Mapping[str, Any] | None = None) -> None:
    """Leaves an event about a cluster whose row was changed elsewhere."""

    def work(connection: sa.Connection) -> None:
        row = clusters.locked(connection, name)
        _note(connection, row, name, at=store.now(connection), actor=actor, message=message, **(data or {}))

    store.write(work)


def described(
    store: Store, name: str, change: Callable[[clusters.Cluster], Mapping[str, Any]], *, actor: Actor, message: str
) -> bool:
    """Changes what people say of a cluster (labels, taints, region, prices, ...).  change: from the row as it is to the new
    values, called inside the transaction.  Answers whether anything differs."""

    def work(connection: sa.Connection) -> bool:
        now = store.now(connection)
        row = clusters.known_row(connection, name)
        values = dict(change(clusters.value(row)))
        different = {field: value for field, value in values.items() if getattr(row, field) != value}
        if different:
            clusters.write_row(connection, name, row, different, now)
            _note(connection, row, name, at=now, actor=actor, message=message, changed=sorted(different))
        return bool(different)

    return store.write(work)


def renamed(store: Store, name: str, new: str, *, actor: Actor) -> None:
    """Gives a registered cluster another name.  Rows refer to clusters by number, so history goes with it."""

    def work(connection: sa.Connection) -> None:
        now = store.now(connection)
        row = clusters.known_row(connection, name)
        doing = f"rename cluster {name}"
        if row.credentials is None:
            raise errors.Refused(
                f"{doing}: it is a context of the kubeconfig, whose name is given there",
                hint=f"appctl cluster add {new} --from-context {name}, which keeps its history",
            )
        there = clusters.locked(connection, new)
        if there is not None and there.admin == "forgotten":
            raise clusters.name_taken(doing)
        if there is not None:
            raise errors.Conflict(
                f"{doing}: there is a cluster {new} already", code="cluster.name-taken", hint="choose another name"
            )
        # A cipher is bound to its row by the cluster's name: it is sealed anew.
        opened = store.keys.opened(connection, clusters.place(name), bytes(row.credentials))
        sealed, _ = store.keys.seal(connection, "credential", clusters.place(new), opened, now)
        clusters.write_row(connection, name, row, {"name": new, "credentials": sealed}, now)
        _note(connection, row, new, at=now, actor=actor, message=f"renamed from {name}", before=name)

    store.write(work)


def cordoned(store: Store, name: str, *, actor: Actor, reason: str, cordon: bool) -> bool:
    """Keeps new placements away from a cluster, or lets them in again.  Answers whether that is a change."""

    def work(connection: sa.Connection) -> bool:
        now = store.now(connection)
        row = clusters.known_row(connection, name)
        admin = "cordoned" if cordon else "open"
        if row.admin == admin and (row.admin_reason or "") == reason:
            return False
        values = {"admin": admin, "admin_by": str(actor), "admin_at": now, "admin_reason": reason or None}
        clusters.write_row(connection, name, row, values, now)
        word = "cordoned" if cordon else "uncordoned"
        message = f"{word}: {reason}" if reason else word
        _note(connection, row, name, at=now, actor=actor, message=message, reason=reason)
        return True

    return store.write(work)


def probed(
    store: Store, name: str, *, seen: str, reason: str, server_version: str, found: Mapping[str, Any] | None, served: str
) -> reach.Reach:
    """Records a probe of a known cluster and answers the reach that follows from it.  found: what a full probe saw, None
    where it saw nothing; then what an earlier one saw is kept."""

    def work(connection: sa.Connection) -> reach.Reach:
        now = store.now(connection)
        row = clusters.known_row(connection, name)
        kept = dict(row.probe or {})
        failed = tuple([datetime.fromisoformat(text) for text in kept.pop(FAILED_AT, ())]) if row.failures else ()
        before = reach.Reach(row.reach, row.reach_reason or "", row.reach_since, row.failures, failed)
        after = reach.after(before, seen, now, reason=reason)
        values: dict[str, Any] = {
            "reach": after.state,
            "reach_reason": after.reason or None,
            "reach_since": after.since,
            "failures": after.failures,
            "probe": (dict(found) if found is not None else kept)
            | ({FAILED_AT: [at.isoformat() for at in after.failed_at]} if after.failed_at else {}),
        }
        values |= {"observed_at": now} if seen != reach.UNREACHABLE else {}
        values |= ({"server_version": server_version} if server_version else {}) | ({"served": served} if served else {})
        clusters.write_row(connection, name, row, values, now)
        if after.state != before.state:
            message = f"{before.state} to {after.state}" + (f": {reason}" if reason else "")
            _note(connection, row, name, at=now, actor=PROBE, message=message, reach=after.state)
        return after

    return store.write(work)


def _note(connection: sa.Connection, row: Any, name: str, *, at: datetime, actor: Actor, **data: Any) -> None:
    line = events.row("cluster.changed", at, f"cluster {name}", actor, data)
    events.add(connection, [line | {"cluster": row.id if row is not None else None}])
