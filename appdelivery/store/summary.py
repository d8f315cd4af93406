"""What an application's rows add up to: health, ready clusters, counts.  Called in the transaction of each change.

The application's row is locked by the caller, then the aggregate is read in the next statement: in PostgreSQL it then
sees what every earlier writer of the application committed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from appdelivery.model import live
from appdelivery.store.tables.applications import application
from appdelivery.store.tables.inventory import inventory
from appdelivery.store.tables.releases import OPEN, release

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

RANK = {state: rank for rank, state in enumerate(live.WORST_FIRST)}
MESSAGE = 500  # characters
COLUMNS = (
    "health", "health_rank", "health_since", "message", "updated_at", "clusters_ready", "clusters_total", "objects", "drifted",
)  # fmt: skip

_groups = (
    sa.select(
        inventory.c.cluster,
        inventory.c.state,
        inventory.c.health,
        inventory.c.wait,
        sa.func.count().label("rows"),
        sa.func.sum(sa.case((inventory.c.drift != "none", 1), else_=0)).label("drifted"),
    )
    .where(inventory.c.app == sa.bindparam("app_id"), inventory.c.state != "gone")
    .group_by(inventory.c.cluster, inventory.c.state, inventory.c.health, inventory.c.wait)
)
_worst = (
    sa.select(inventory.c.kind, inventory.c.namespace, inventory.c.name, inventory.c.health_reason)
    .where(
        inventory.c.app == sa.bindparam("app_id"),
        inventory.c.state == sa.bindparam("in_state"),
        inventory.c.health == sa.bindparam("how"),
        sa.or_(inventory.c.wait == "required", inventory.c.health == "missing", inventory.c.state == "intended"),
    )
    .order_by(inventory.c.cluster, inventory.c.kind, inventory.c.namespace, inventory.c.name)
    .limit(1)
)
_now = sa.select(
    application.c.health, application.c.health_since, application.c.message, application.c.last_release,
    application.c.deleted_at, release.c.outcome, release.c.message.label("ended"),
).outerjoin(
    release, sa.and_(release.c.app == application.c.id, release.c.number == application.c.last_release)
).where(application.c.id == sa.bindparam("app_id"))  # fmt: skip
_write = (
    sa.update(application)
    .where(application.c.id == sa.bindparam("app_id"))
    .values({name: sa.bindparam(name) for name in COLUMNS} | {"version": application.c.version + 1})
)


def refresh(connection: sa.Connection, app: int, now: datetime) -> None:
    row = connection.execute(_now, {"app_id": app}).one()
    groups = connection.execute(_groups, {"app_id": app}).all()
    running = row.outcome in OPEN
    health = _health(groups, running=running, deleted=row.deleted_at is not None)
    change = {
        "health": health,
        "health_rank": RANK[health],
        "message": _message(connection, app, row, health)[:MESSAGE],
        "updated_at": now,
        "health_since": now if health != row.health else row.health_since,
        "app_id": app,
    } | _counts(groups, running=running)
    connection.execute(_write, change)


def _state(group: Any, *, running: bool) -> str:
    """An object that is only intended is on its way while a release runs, and missing afterwards.  What is not required
    is reported by itself and does not speak for the application, as long as it is there."""
    if group.state == "intended":
        return "progressing" if running else "missing"
    if group.wait != "required" and group.health != "missing":
        return "healthy"
    return str(group.health) if group.health in RANK else "unknown"


def _health(groups: Sequence[Any], *, running: bool, deleted: bool) -> str:
    states = [_state(group, running=running) for group in groups if group.state != "deleting"]
    if running and not states:
        return "progressing"
    if deleted or not states:
        return "healthy"
    return min(states, key=RANK.__getitem__)


def _counts(groups: Sequence[Any], *, running: bool) -> dict[str, Any]:
    clusters: dict[int, bool] = {}
    for group in groups:
        ready = group.state == "deleting" or _state(group, running=running) == "healthy"
        clusters[group.cluster] = clusters.get(group.cluster, True) and ready
    return {
        "clusters_ready": sum(clusters.values()),
        "clusters_total": len(clusters),
        "objects": sum(group.rows for group in groups),
        "drifted": sum(int(group.drifted) for group in groups),
    }


def _message(connection: sa.Connection, app: int, row: Any, health: str) -> str:
    """How the newest release failed, else the worst object with its reason."""
    if row.outcome in ("failed", "partial", "terminated") and row.ended:
        return str(row.ended)
    if health in ("healthy", "progressing"):
        return ""
    state, how = ("intended", "unknown") if health == "missing" else ("present", health)
    found = connection.execute(_worst, {"app_id": app, "in_state": state, "how": how}).first()
    if found is None:
        found = connection.execute(_worst, {"app_id": app, "in_state": "present", "how": health}).first()
    if found is None:
        return ""
    where = f"{found.namespace}/{found.name}" if found.namespace else found.name
    return f"{found.kind} {where}: {found.health_reason or health}"
