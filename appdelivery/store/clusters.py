"""Clusters: registered ones with sealed credentials, and those that are only known by name.

Called by platform; `ids` also by `record`, inside its transaction.  Lists never select credentials.  What people change of
a cluster that is there stands in registry.py.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from appdelivery import errors
from appdelivery.model import reach as reaching
from appdelivery.model.record import record
from appdelivery.store import trees
from appdelivery.store.tables.clusters import cluster
from appdelivery.store.tables.inventory import inventory

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from appdelivery.model.history import Actor
    from appdelivery.store.open import Store

FRESH = timedelta(minutes=1)

_open_columns = [column for column in cluster.c if column.name != "credentials"]
_listed = sa.select(*_open_columns).order_by(cluster.c.name)
_this = cluster.c.name == sa.bindparam("key")
_ids = sa.select(cluster.c.id, cluster.c.name).where(cluster.c.name.in_(sa.bindparam("names", expanding=True)))


@record
class Cluster:
    name: str
    server: str
    uid: str
    auth: str
    insecure: bool
    labels: dict[str, str]
    admin: str  # open, cordoned, draining, forgotten
    reach: str  # unknown, ready, unreachable, unauthorized
    reach_reason: str
    server_version: str
    registered: bool  # credentials are in the store
    seen_at: datetime | None
    created_at: datetime
    admin_by: str = ""
    admin_at: datetime | None = None
    admin_reason: str = ""
    reach_since: datetime | None = None
    failures: int = 0
    credentials_at: datetime | None = None
    region: str = ""
    zone: str = ""
    provider: str = ""
    taints: tuple[dict[str, str], ...] = ()
    prices: dict[str, Any] | None = None
    capacity: dict[str, Any] | None = None
    limits: dict[str, Any] | None = None
    probe: dict[str, Any] | None = None  # what the newest full probe saw beside reach and version
    version: int = 0

    @property
    def state(self) -> str:
        """The worse of what people said and what probes saw."""
        return reaching.shown(self.admin, self.reach)


def list(store: Store) -> Sequence[Cluster]:
    """By name; forgotten ones are left out."""
    return store.read(lambda c: [value(row) for row in c.execute(_listed.where(cluster.c.admin != "forgotten"))])


def get(store: Store, name: str) -> Cluster:
    def work(connection: sa.Connection) -> Cluster:
        row = connection.execute(_listed.where(_this, cluster.c.admin != "forgotten"), {"key": name}).first()
        if row is None:
            raise unknown(connection, name)
        return value(row)

    return store.read(work)


def credentials(store: Store, name: str) -> Any | None:
    """The tree that was registered; None when the name is not a registered cluster."""
    return store.read(lambda connection: opened(connection, store, name))


def opened(connection: sa.Connection, store: Store, name: str) -> Any | None:
    sealed = connection.execute(sa.select(cluster.c.credentials).where(_this), {"key": name}).scalar()
    if sealed is None:
        return None
    return trees.from_text(store.keys.opened(connection, place(name), bytes(sealed)).decode())


def add(
    store: Store,
    *,
    name: str,
    uid: str,
    credentials: Any,
    labels: Mapping[str, str] | None,
    server_version: str,
    actor: Actor,
    server: str = "",
    insecure: bool = False,
    auth: str = "",
    description: Mapping[str, Any] | None = None,
    probe: Mapping[str, Any] | None = None,
) -> str:
    """Registers a cluster, or new credentials for a registered one; what is None stays as it is.  Another cluster under the
    same name is refused.  A cluster that was known by a context alone keeps its row and takes the new name: that context
    is answered, else ''."""

    def work(connection: sa.Connection) -> str:
        now = store.now(connection)
        row = locked(connection, name)
        _refuse_other(row, name, uid, server=server)
        context = ""
        if uid and (twin := _twin(connection, name, uid)) is not None:
            row, context = _taken_over(connection, row, name, twin), twin
        sealed, _ = store.keys.seal(connection, "credential", place(name), trees.to_text(credentials).encode(), now)
        values = {
            "name": name,
            "uid": uid or None,
            "server": server or _told(credentials, "server"),
            "insecure": insecure,
            "auth": auth or _auth(credentials),
            "credentials": sealed,
            "credentials_at": now,
        } | _reached(row, server_version, now)
        values |= ({"labels": dict(labels)} if labels is not None else {}) | dict(description or {})
        values |= {"probe": dict(probe)} if probe is not None else {}
        if row is None or row.admin == "forgotten":  # a cordon outlives new credentials
            values |= {"admin": "open", "admin_by": str(actor), "admin_at": now, "admin_reason": None}
        write_row(connection, name, row, values, now)
        return context

    return store.write(work)


def seen(
    store: Store, *, name: str, uid: str, server: str, server_version: str, reach: str = "ready", reason: str = ""
) -> None:
    """What was just learnt of a cluster.  A name that has come to mean another cluster is refused (store.md section 14).
    The same again within a minute is nothing new, and spares a commit."""
    if reach == "ready" and store.read(lambda c: _fresh(c, store.now(c), name, (uid, server, server_version))):
        return

    def work(connection: sa.Connection) -> None:
        now = store.now(connection)
        row = locked(connection, name)
        if reach == "ready":
            _refuse_other(row, name, uid, server=server)
            known = uid if uid and _twin(connection, name, uid) is None else None
            values = _reached(row, server_version, now)
            values |= ({"server": server} if server else {}) | ({"uid": known} if known else {})
            if row is not None and row.admin == "forgotten":
                values["admin"] = "open"  # a forgotten name that is used again begins anew
        else:
            values = {"reach": reach, "reach_reason": reason, "failures": (row.failures if row else 0) + 1}
            if row is None or row.reach != reach:
                values["reach_since"] = now
        write_row(connection, name, row, values, now)

    store.write(work)


def known_as(store: Store, *, name: str, uid: str, server: str) -> str:
    """The one name under which rows of a cluster are kept, whatever context leads to it.  Conflict when the name has come
    to mean another cluster."""

    def work(connection: sa.Connection) -> str:
        row = connection.execute(sa.select(cluster).where(_this), {"key": name}).first()
        _refuse_other(row, name, uid, server=server)
        if row is not None and row.admin != "forgotten" and (row.uid or not uid):
            return name
        return _twin(connection, name, uid, server) or name

    return store.read(work)


def remove(store: Store, name: str, *, actor: Actor) -> int:
    """Forgets credentials and closes the inventory rows; answers how many objects stay running there."""

    def work(connection: sa.Connection) -> int:
        now = store.now(connection)
        row = known_row(connection, name)
        rows = sa.and_(inventory.c.cluster == row.id, inventory.c.state != "gone")
        apps = [found.app for found in connection.execute(sa.select(inventory.c.app).where(rows).distinct())]
        closed = connection.execute(sa.update(inventory).where(rows).values(state="gone", changed_at=now)).rowcount
        change = {
            "credentials": None, "credentials_at": None, "admin": "forgotten", "admin_by": str(actor), "admin_at": now,
            "admin_reason": None, "reach": "unknown", "uid": None, "probe": None,
        }  # fmt: skip
        write_row(connection, name, row, change, now)
        _refresh(connection, apps, now)
        return closed

    return store.write(work)


def locked(connection: sa.Connection, name: str) -> Any:
    """The row of a name, held until the transaction ends; None where there is none."""
    return connection.execute(sa.select(cluster).where(_this).with_for_update(), {"key": name}).first()


def known_row(connection: sa.Connection, name: str) -> Any:
    """The same; NotFound when there is none, or when it was forgotten."""
    row = locked(connection, name)
    if row is None or row.admin == "forgotten":
        raise unknown(connection, name)
    return row


def ids(connection: sa.Connection, names: Sequence[str], now: datetime) -> dict[str, int]:
    """Row ids by name; a context of the kubeconfig that was never seen gets its row here."""
    if not names:
        return {}
    found = {row.name: row.id for row in connection.execute(_ids, {"names": names})}
    missing = [name for name in names if name not in found]
    for name in missing:
        write_row(connection, name, None, {}, now)
    if missing:
        found |= {row.name: row.id for row in connection.execute(_ids, {"names": missing})}
    return found


def write_row(connection: sa.Connection, name: str, row: Any, values: dict[str, Any], now: datetime) -> None:
    if row is not None:
        change = values | {"version": row.version + 1}
        connection.execute(sa.update(cluster).where(cluster.c.id == row.id).values(change))
        return
    blank: dict[str, Any] = {
        "name": name, "server": "", "insecure": False, "auth": "kubeconfigContext", "labels": {}, "taints": [],
        "prices": {}, "capacity": {}, "limits": {}, "admin": "open", "reach": "unknown", "failures": 0, "version": 1,
        "created_at": now,
    }  # fmt: skip
    if connection.dialect.name == "sqlite":
        connection.execute(sa.insert(cluster), blank | values)
        return
    from sqlalchemy.dialects.postgresql import insert

    # Two applications may bring the same new cluster at one moment; a bare name is then the same row.
    made = insert(cluster)
    statement = made if values else made.on_conflict_do_nothing(index_elements=["name"])
    connection.execute(statement, blank | values)


def _reached(row: Any, server_version: str, now: datetime) -> dict[str, Any]:
    same = row is not None and row.reach == "ready"
    return {
        "reach": "ready", "reach_reason": None, "reach_since": row.reach_since if same else now, "observed_at": now,
        "failures": 0, "server_version": server_version,
    }  # fmt: skip


def _fresh(connection: sa.Connection, now: datetime, name: str, told: tuple[str, str, str]) -> bool:
    row = connection.execute(sa.select(cluster).where(_this), {"key": name}).first()
    if row is None or row.admin == "forgotten" or row.reach != "ready" or row.failures or row.observed_at is None:
        return False
    return (row.uid, row.server, row.server_version) == told and now - row.observed_at < FRESH


def _refuse_other(row: Any, name: str, uid: str, *, server: str = "") -> None:
    """By uid; by address where one of the two uids is not known."""
    if row is None or row.admin == "forgotten":
        return
    what, now, before = ("uid", uid, row.uid) if uid and row.uid else ("address", server, row.server)
    if not now or not before or now == before:
        return
    raise errors.Conflict(
        f"use cluster {name}: it is another cluster than before ({what} {now}, its rows describe {before})",
        code="cluster.changed",
        hint=f"give the new cluster another name, or forget the old one: appctl cluster forget {name}",
    )


def _taken_over(connection: sa.Connection, row: Any, name: str, twin: str) -> Any:
    """The row of a cluster that so far was only known by a context, for the cluster that is being registered."""
    other = locked(connection, twin)
    if other.credentials is not None or (row is not None and row.admin != "forgotten"):
        raise errors.Conflict(
            f"register cluster {name}: it is the cluster that is known as {twin}",
            code="cluster.known",
            hint=f"use that name, or give it another one: appctl cluster rename {twin} NAME",
        )
    if row is not None:
        raise name_taken(f"register cluster {name}")
    return other


def name_taken(doing: str) -> errors.Conflict:
    return errors.Conflict(
        f"{doing}: a cluster that was forgotten had this name, and history still speaks of it",
        code="cluster.name-taken",
        hint="choose another name",
    )


def _twin(connection: sa.Connection, name: str, uid: str, server: str = "") -> str | None:
    """Another name of the same cluster: by uid, else by address among those of which one uid is not known."""
    others = sa.select(cluster.c.name).where(cluster.c.name != name, cluster.c.admin != "forgotten").order_by(cluster.c.id)
    found: str | None = connection.execute(others.where(cluster.c.uid == uid)).scalar() if uid else None
    if found is None and server:
        here = others.where(cluster.c.server == server)
        found = connection.execute(here.where(cluster.c.uid.is_(None)) if uid else here).scalar()
    return found


def _refresh(connection: sa.Connection, apps: Sequence[int], now: datetime) -> None:
    from appdelivery.store import summary

    for app in apps:
        summary.refresh(connection, app, now)


def unknown(connection: sa.Connection, name: str) -> errors.NotFound:
    from appdelivery.model import suggest

    known = [row.name for row in connection.execute(sa.select(cluster.c.name).where(cluster.c.admin != "forgotten"))]
    return errors.NotFound(
        f"find cluster {name}: it is not known{suggest.meant(name, known)}",
        hint=suggest.listed(known) or "appctl cluster add NAME registers one",
    )


def place(name: str) -> tuple[str, str, str]:
    return ("cluster", "credentials", name)


def _told(credentials: Any, key: str) -> str:
    found = credentials.get(key, "") if isinstance(credentials, dict) else ""
    return found if isinstance(found, str) else ""


def _auth(credentials: Any) -> str:
    if isinstance(credentials, dict):
        for key, word in (("exec", "exec"), ("token", "token"), ("clientCertificate", "clientCertificate")):
            if credentials.get(key):
                return word
    return "kubeconfigContext"


def value(row: Any) -> Cluster:
    return Cluster(
        row.name, row.server, row.uid or "", row.auth, row.insecure, row.labels, row.admin, row.reach,
        row.reach_reason or "", row.server_version or "", row.credentials_at is not None, row.observed_at, row.created_at,
        admin_by=row.admin_by or "", admin_at=row.admin_at, admin_reason=row.admin_reason or "",
        reach_since=row.reach_since, failures=row.failures, credentials_at=row.credentials_at, region=row.region or "",
        zone=row.zone or "", provider=row.provider or "", taints=tuple(row.taints), prices=row.prices,
        capacity=row.capacity, limits=row.limits, probe=row.probe, version=row.version,
    )  # fmt: skip
