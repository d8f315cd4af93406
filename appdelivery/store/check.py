"""`db check`: what a whole store must prove (store.md section 12).  Read-only; deep adds the slow proofs.

Called by platform.  Each proof is a function that yields findings; a damaged part never stops the others.
"""

from __future__ import annotations

import os
import stat
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from appdelivery import errors
from appdelivery.model.record import record
from appdelivery.model.run import ENDED
from appdelivery.store import blobs, clusters, installation, keys, retention, run_values, secrets
from appdelivery.store.tables import all as tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from appdelivery.store.open import Store

LONGEST_LEASE = timedelta(seconds=60)
LONGEST_DUE = timedelta(minutes=10)
SLOWEST = "15min"

application = tables.applications.application
revision, rendered = tables.applications.revision, tables.applications.rendered
release = tables.releases.release
workflow_run, workflow_step, step_attempt = tables.runs.workflow_run, tables.runs.workflow_step, tables.runs.step_attempt
inventory, cluster = tables.inventory.inventory, tables.clusters.cluster
blob, secret, work_item = tables.blobs.blob, tables.secrets.secret, tables.work.work_item


@record
class Finding:
    what: str  # file, schema, content, secrets, counters, runs, leases, ownership
    level: str  # error, warning
    message: str


def check(store: Store, deep: bool = False) -> list[Finding]:
    proofs: list[Callable[[sa.Connection, Store], Iterator[Finding]]] = [
        _file,
        _schema,
        _named,
        _counters,
        _runs,
        _leases,
        _owners,
    ]
    if deep:
        proofs += [_integrity, _bodies, _ciphers]

    def work(connection: sa.Connection) -> list[Finding]:
        if not store.sqlite:
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = '{SLOWEST}'")
        return [finding for proof in proofs for finding in proof(connection, store)]

    return store.read(work)


def _file(connection: sa.Connection, store: Store) -> Iterator[Finding]:
    if not store.path:
        return
    for path in (store.path, f"{store.path}-wal", keys.path_beside(store.path), f"{store.path}.lock"):
        try:
            found = os.stat(path)
        except FileNotFoundError:
            continue
        if found.st_mode & 0o077:
            yield Finding("file", "error", f"{path} has mode {stat.S_IMODE(found.st_mode):04o}, it must be 0600")
        if found.st_uid != os.geteuid():
            yield Finding("file", "warning", f"{path} belongs to user {found.st_uid}")
    for row in connection.exec_driver_sql("PRAGMA foreign_key_check").all():
        yield Finding("file", "error", f"row {row[1]} of {row[0]} names a row of {row[2]} that is not there")


def _integrity(connection: sa.Connection, store: Store) -> Iterator[Finding]:
    if store.sqlite:
        for row in connection.exec_driver_sql("PRAGMA integrity_check(20)").all():
            if row[0] != "ok":
                yield Finding("file", "error", f"the file is damaged: {row[0]}")


def _schema(connection: sa.Connection, store: Store) -> Iterator[Finding]:  # noqa: ARG001 - the form of a proof
    found = sa.inspect(connection)
    for table in tables.metadata.sorted_tables:
        if not found.has_table(table.name):
            yield Finding("schema", "error", f"the table {table.name} is missing")
            continue
        there, wanted = {c["name"] for c in found.get_columns(table.name)}, {c.name for c in table.c}
        if there != wanted:
            yield Finding("schema", "error", f"the table {table.name} differs in {', '.join(sorted(there ^ wanted))}")


def _named(connection: sa.Connection, store: Store) -> Iterator[Finding]:
    """Every digest that a row or a list names is there."""
    known = {row.digest: row.data_key is not None for row in connection.execute(sa.select(blob.c.digest, blob.c.data_key))}
    for column in (*retention.NAMED, rendered.c.objects):
        for (digest,) in connection.execute(sa.select(column).where(column.is_not(None)).distinct()).all():
            if digest not in known:
                yield Finding("content", "error", f"{column.table.name}.{column.name} names {digest[:12]}, which is missing")
            elif column is rendered.c.objects:
                yield from _listed(connection, store, digest, known)


def _listed(connection: sa.Connection, store: Store, digest: str, known: dict[str, bool]) -> Iterator[Finding]:
    try:
        listed = blobs.get(connection, store, [digest])[digest]
    except errors.AppError as error:
        yield Finding("content", "error", error.message)
        return
    for part in listed:
        if part["blob"] not in known:
            what = f"{part['ref']['kind']} {part['ref']['namespace']}/{part['ref']['name']}"
            yield Finding("content", "error", f"the manifest of {what}, {part['blob'][:12]}, is missing")


def _bodies(connection: sa.Connection, store: Store) -> Iterator[Finding]:
    closed = 0
    for row in connection.execute(sa.select(blob.c.digest, blob.c.data_key)).all():
        try:
            tree = blobs.get(connection, store, [row.digest])[row.digest]
        except errors.StoreError as error:
            closed += error.code == "store.master-key"
            if error.code != "store.master-key":
                yield Finding("content", "error", error.message)
            continue
        if row.data_key is None and _bare_secret(tree):
            yield Finding("content", "error", f"the Secret {tree['metadata'].get('name')} ({row.digest[:12]}) is not sealed")
    if closed:
        yield Finding("secrets", "warning", f"{closed} sealed bodies were not looked at: the master key is not here")


def _bare_secret(tree: Any) -> bool:
    """A Secret object whose values stand in clear."""
    if not isinstance(tree, dict) or (tree.get("apiVersion"), tree.get("kind")) != ("v1", "Secret"):
        return False
    values = [value for part in ("data", "stringData") for value in (tree.get(part) or {}).values()]
    return any(isinstance(value, str) and value for value in values)


def _ciphers(connection: sa.Connection, store: Store) -> Iterator[Finding]:
    def tried(what: str, open_it: Callable[[], object]) -> Iterator[Finding]:
        try:
            open_it()
        except errors.StoreError as error:
            level = "warning" if error.code == "store.master-key" else "error"
            yield Finding("secrets", level, f"{what}: {error.message}")

    if connection.execute(sa.select(tables.installation.installation.c.digest_key)).scalar() is not None:
        yield from tried("the digest key", lambda: installation.digest_key(connection, store))
    for row in connection.execute(sa.select(secret)).all():
        yield from tried(f"secret {row.name} version {row.version}", partial(secrets.opened, connection, store, row))
    for row in connection.execute(sa.select(workflow_step).where(workflow_step.c.sealed.is_not(None))).all():
        yield from tried(f"step {row.name} of run {row.run}", partial(run_values.opened, connection, store, row))
    for row in connection.execute(sa.select(cluster.c.name).where(cluster.c.credentials.is_not(None))).all():
        yield from tried(f"cluster {row.name}", partial(clusters.opened, connection, store, row.name))


def _counters(connection: sa.Connection, store: Store) -> Iterator[Finding]:  # noqa: ARG001
    def newest(table: sa.Table) -> Any:
        return (
            sa.select(sa.func.coalesce(sa.func.max(table.c.number), 0))
            .where(table.c.app == application.c.id)
            .scalar_subquery()
        )

    mine = sa.and_(inventory.c.app == application.c.id, inventory.c.state != "gone")
    statement = sa.select(
        application,
        newest(revision).label("revision_rows"),
        newest(release).label("release_rows"),
        sa.select(sa.func.count()).where(mine).scalar_subquery().label("object_rows"),
        sa.select(sa.func.coalesce(sa.func.max(inventory.c.wanted), 0)).where(mine).scalar_subquery().label("wanted_rows"),
    )
    for row in connection.execute(statement).all():
        app = f"application {row.namespace}/{row.name}"
        pairs: Sequence[tuple[str, int, int]] = (
            ("last_revision", row.last_revision, row.revision_rows),
            ("last_release", row.last_release, row.release_rows),
            ("objects", row.objects, row.object_rows),
        )
        for name, kept, counted in pairs:
            if kept != counted:
                yield Finding("counters", "error", f"{app}: {name} is {kept}, its rows say {counted}")
        if row.wanted_rows > row.last_release:
            yield Finding(
                "counters", "error", f"{app}: an object is wanted by release {row.wanted_rows}, which does not exist"
            )


def _runs(connection: sa.Connection, store: Store) -> Iterator[Finding]:  # noqa: ARG001
    """An ended run is at rest, an open one will be looked at, no attempt is ahead of its step."""
    ended = workflow_run.c.state.in_(ENDED)
    for row in connection.execute(sa.select(workflow_run).where(ended != workflow_run.c.finished_at.is_not(None))).all():
        yield Finding("runs", "error", f"run {row.id} is {row.state}, but its end is {row.finished_at or 'not noted'}")
    moving = sa.select(workflow_step.c.run, workflow_step.c.name, workflow_step.c.state, workflow_run.c.state.label("of"))
    both = moving.join(workflow_run, workflow_run.c.id == workflow_step.c.run)
    for row in connection.execute(both.where(ended, workflow_step.c.state == "running")).all():
        yield Finding("runs", "error", f"step {row.name} of run {row.run} is running, but the run is {row.of}")
    ahead = sa.and_(
        workflow_step.c.run == step_attempt.c.run,
        workflow_step.c.name == step_attempt.c.step,
        workflow_step.c.attempt < step_attempt.c.attempt,
    )
    behind = sa.select(step_attempt.c.run, step_attempt.c.step, step_attempt.c.attempt).where(sa.exists().where(ahead))
    for row in connection.execute(behind).all():
        yield Finding("runs", "error", f"step {row.step} of run {row.run} counts fewer attempts than {row.attempt}")


def _leases(connection: sa.Connection, store: Store) -> Iterator[Finding]:
    now = store.now(connection)
    held = sa.select(work_item).where(work_item.c.lease_until > now + LONGEST_LEASE)
    for row in connection.execute(held).all():
        yield Finding(
            "leases", "error", f"{row.kind} {row.id} is held by {row.lease_owner} until {row.lease_until.isoformat()}"
        )
    free = sa.or_(work_item.c.lease_until.is_(None), work_item.c.lease_until < now)
    for row in connection.execute(sa.select(work_item).where(work_item.c.due_at < now - LONGEST_DUE, free)).all():
        since = row.due_at.isoformat()
        yield Finding("leases", "warning", f"{row.kind} {row.id} has waited since {since}; the next appctl up of it goes on")


def _owners(connection: sa.Connection, store: Store) -> Iterator[Finding]:  # noqa: ARG001
    key = [inventory.c[name] for name in ("cluster", "api_group", "kind", "namespace", "name")]
    writes = sa.and_(inventory.c.mode.in_(("owned", "shared-writer")), inventory.c.state != "gone")
    statement = sa.select(*key).where(writes).group_by(*key).having(sa.func.count() > 1)
    for row in connection.execute(statement).all():
        yield Finding(
            "ownership", "error", f"{row.kind} {row.namespace}/{row.name} has more than one application that writes it"
        )
