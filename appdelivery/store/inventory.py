"""The inventory: rows of `Managed`, read and written.  Written only by `record` (engine.py), read by everybody."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from appdelivery.model.history import Managed
from appdelivery.model.refs import AppKey, Ref
from appdelivery.store.tables.applications import application
from appdelivery.store.tables.clusters import cluster
from appdelivery.store.tables.inventory import inventory

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from appdelivery.store.open import Store

    Identity = tuple[str, tuple[str, str, str, str]]

KEY = ("app", "cluster", "api_group", "kind", "namespace", "name")
VALUES = tuple([column.name for column in inventory.c if column.name not in KEY])
SOME = 60  # names asked for; with more the application's whole inventory is read

_all = (
    sa.select(
        inventory, cluster.c.name.label("cluster_name"), application.c.namespace.label("app_namespace"),
        application.c.name.label("app_name"),
    )
    .join(cluster, cluster.c.id == inventory.c.cluster)
    .join(application, application.c.id == inventory.c.app)
    .where(inventory.c.state != "gone")
    .order_by(
        application.c.namespace, application.c.name, cluster.c.name, inventory.c.api_group, inventory.c.kind,
        inventory.c.namespace, inventory.c.name,
    )
)  # fmt: skip
_of_app = sa.select(inventory).where(inventory.c.app == sa.bindparam("app"))
_some = _of_app.where(inventory.c.name.in_(sa.bindparam("names", expanding=True)))
_insert = sa.insert(inventory)


@functools.lru_cache(maxsize=64)
def _update(columns: tuple[str, ...]) -> Any:
    """Most facts change a few columns of many rows: writing the others again would cost twice as much."""
    this = [inventory.c[name] == sa.bindparam(f"k_{name}") for name in KEY]
    return sa.update(inventory).where(*this).values({name: sa.bindparam(name) for name in columns})


def rows(store: Store, app: AppKey | None = None, cluster_name: str | None = None) -> Sequence[Managed]:
    """Rows in any state but gone, by application, cluster and identity."""
    statement = _all
    if app is not None:
        statement = statement.where(application.c.namespace == app.namespace, application.c.name == app.name)
    if cluster_name is not None:
        statement = statement.where(cluster.c.name == cluster_name)
    return store.read(lambda c: [managed(row) for row in c.execute(statement)])


def load(
    connection: sa.Connection, app: int, keys: Sequence[tuple[int, str, str, str, str]]
) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Rows by (cluster id, group, kind, namespace, name), gone ones too."""
    if not keys:
        return {}
    names = sorted({key[4] for key in keys})
    if len(names) <= SOME:
        found = connection.execute(_some, {"app": app, "names": names})
    else:
        found = connection.execute(_of_app, {"app": app})
    wanted = set(keys)
    rows = {(r.cluster, r.api_group, r.kind, r.namespace, r.name): r for r in found}
    return {key: dict(row._mapping) for key, row in rows.items() if key in wanted}


def save(
    connection: sa.Connection, new: Sequence[dict[str, Any]], changed: Sequence[tuple[dict[str, Any], dict[str, Any]]]
) -> None:
    """changed: rows as they were and as they are."""
    if new:
        connection.execute(_insert, list(new))
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for old, row in changed:
        columns = tuple([name for name in VALUES if old[name] != row[name]])
        made = {f"k_{name}": row[name] for name in KEY} | {name: row[name] for name in columns}
        groups.setdefault(columns, []).append(made)
    for columns, made_rows in groups.items():
        if columns:
            connection.execute(_update(columns), made_rows)


def managed(row: Any) -> Managed:
    return Managed(
        app=AppKey(row.app_namespace, row.app_name),
        cluster=row.cluster_name,
        ref=Ref(row.api_group, row.api_version, row.kind, row.namespace, row.name),
        component=row.component,
        origin=row.origin,
        mode=row.mode,
        state=row.state,
        wanted=row.wanted,
        release=row.release,
        revision=row.revision,
        fence=row.fence,
        uid=row.uid or "",
        desired_digest=row.desired_digest or "",
        applied_digest=row.applied_digest or "",
        tree_digest=row.tree_digest or "",
        digest_form=row.digest_form or 0,
        generation=row.generation or 0,
        resource_version=row.resource_version or 0,
        bare=tuple([tuple(path) for path in row.bare or ()]),
        yielded=tuple([(path, manager, value) for path, manager, value in row.yielded or ()]),
        gc=row.gc,
        propagation=row.propagation or "",
        wait=row.wait,
        health=row.health,
        health_reason=row.health_reason or "",
        health_since=row.health_since,
    )


def columns(app: int, cluster_id: int, row: Managed, state: str, now: datetime) -> dict[str, Any]:
    """A row as `record` writes it; what an observer knows of the object is kept by the caller."""
    ref = row.ref
    return {
        "app": app,
        "cluster": cluster_id,
        "api_group": ref.group,
        "kind": ref.kind,
        "namespace": ref.namespace,
        "name": ref.name,
        "uid": row.uid or None,
        "api_version": ref.version,
        "component": row.component,
        "origin": row.origin,
        "mode": row.mode,
        "state": state,
        "wanted": row.wanted,
        "desired_digest": row.desired_digest or None,
        "applied_digest": row.applied_digest or None,
        "tree_digest": row.tree_digest or None,
        "digest_form": row.digest_form or None,
        "generation": row.generation or None,
        "resource_version": row.resource_version or None,
        "bare": [list(path) for path in row.bare] or None,
        "yielded": [list(part) for part in row.yielded] or None,
        "release": row.release,
        "revision": row.revision,
        "fence": row.fence,
        "gc": row.gc,
        "propagation": row.propagation or None,
        "wait": row.wait,
        "own_digest": None,
        "seen_version": None,
        "seen_at": None,
        "health": row.health,
        "health_reason": row.health_reason or None,
        "health_since": row.health_since,
        "drift": "none",
        "changed_at": now,
    }
