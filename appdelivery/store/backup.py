"""Backup and restore: one snapshot as JSON Lines, gzip, the same for both databases (store.md section 11).

Header (format, schema, instance, fingerprint of the master key, time), tables in key order, trailer with counts and
SHA-256.  Ciphers stay ciphers and the master key is not in it.  Called by `appctl db backup` and `db restore`.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import tempfile
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from appdelivery import errors
from appdelivery.model.history import Actor
from appdelivery.store import create, events, files, gate, migrate, postgres, sqlite, summary, trouble, types
from appdelivery.store.tables import all as tables
from appdelivery.store.tables import version

if TYPE_CHECKING:
    from collections.abc import Iterator

    from appdelivery.store.open import Store

FORMAT = "appctl backup 1"
BATCH = 500
LONGEST_LINE = 200 << 20
SLOWEST = "60min"
FENCES = 10**6  # marks written after the backup must never be newer than ours
RELEASES = 1000
RUNS_SINCE = 2  # schema
SYSTEM = Actor("system", "appctl", "store")

installation = tables.installation.installation


def backup(store: Store, path: str) -> dict[str, int]:
    """Writes the file (0600, whole or not at all) and answers the rows by table."""
    folder = os.path.dirname(os.path.abspath(path))
    try:
        handle, part = tempfile.mkstemp(prefix=f".{os.path.basename(path)}.", dir=folder)
    except OSError as error:
        raise files.cannot("write the backup", path, error) from error
    try:
        with os.fdopen(handle, "wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=6) as out:
            counts = store.read(lambda connection: _dump(connection, store, _Writer(out)))
        with open(part, "rb+") as written:
            os.fsync(written.fileno())
        os.replace(part, path)
    except OSError as error:
        raise files.cannot("write the backup", path, error) from error
    finally:
        if os.path.exists(part):
            os.unlink(part)
    return counts


def restore(path: str, location: str, *, replace: bool = False, as_new: bool = False) -> dict[str, int]:
    """Into an empty store, or over one that is kept aside.  as_new: the copy gets an id of its own and owns nothing."""
    header = _verified(path)
    if header["schema"] > version.SCHEMA:
        raise errors.TooNew(
            f"restore {path}: it was written by a newer appctl (schema {header['schema']}, this one knows {version.SCHEMA})",
            hint="install the newer appctl",
        )
    if postgres.is_url(location):
        return _into_postgres(path, location, header, replace=replace, as_new=as_new)
    return _into_file(path, os.path.abspath(location.removeprefix("sqlite:///")), header, replace=replace, as_new=as_new)


class _Writer:
    """Lines with their running digest."""

    def __init__(self, out: gzip.GzipFile) -> None:
        self._out = out
        self.digest = hashlib.sha256()

    def line(self, value: Any) -> None:
        data = types.json_text(value).encode() + b"\n"
        self.digest.update(data)
        self._out.write(data)


def _dump(connection: sa.Connection, store: Store, out: _Writer) -> dict[str, int]:
    if not store.sqlite:
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = '{SLOWEST}'")
    row = connection.execute(sa.select(installation)).one()
    header = {
        "format": FORMAT, "schema": row.schema, "instance": row.instance, "masterKey": row.master_key,
        "at": store.now(connection).isoformat(),
    }  # fmt: skip
    out.line(header)
    counts = {}
    for table in tables.in_order():
        out.line({"table": table.name, "columns": [column.name for column in table.c]})
        counts[table.name] = 0
        statement = sa.select(table).order_by(*table.primary_key.columns)
        for values in connection.execution_options(yield_per=BATCH).execute(statement):
            out.line([_out(value) for value in values])
            counts[table.name] += 1
    out.line({"counts": counts, "sha256": out.digest.hexdigest()})
    return counts


def _out(value: Any) -> Any:
    """Bytes and times are marked; every other value is JSON.  A tree is wrapped, since it may look like a mark."""
    if isinstance(value, (bytes, memoryview)):
        return {"b": base64.b64encode(bytes(value)).decode()}
    if isinstance(value, datetime):
        return {"t": value.isoformat()}
    return {"j": value} if isinstance(value, (dict, list)) else value


def _in(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if "b" in value:
        return base64.b64decode(value["b"])
    return datetime.fromisoformat(value["t"]) if "t" in value else value["j"]


def _lines(path: str) -> Iterator[bytes]:
    try:
        with gzip.open(path, "rb") as file:
            while line := file.readline(LONGEST_LINE):
                yield line
    except FileNotFoundError as error:
        raise errors.SourceError(
            f"restore {path}: there is no such file", hint="name a file that db backup wrote"
        ) from error
    except (EOFError, gzip.BadGzipFile, OSError) as error:
        raise _broken(path, str(error)) from error


def _verified(path: str) -> dict[str, Any]:
    """The header, after the whole file was read and its digest compared."""
    digest, header, before, last = hashlib.sha256(), None, b"", b""
    for line in _lines(path):
        digest.update(last)
        before, last = last, line
        header = header if header is not None else _parsed(path, line)
    trailer = _parsed(path, last) if before else {}
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise _broken(path, "it does not begin as a backup does")
    if not isinstance(trailer, dict) or trailer.get("sha256") != digest.hexdigest():
        raise _broken(path, "it is cut short or was changed: the digest at its end does not fit")
    return header


def _parsed(path: str, line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise _broken(path, "a line is not JSON") from error


def _broken(path: str, why: str) -> errors.SourceError:
    return errors.SourceError(f"restore {path}: it is no whole backup of appctl ({why})", hint="use another backup")


def _load(connection: sa.Connection, path: str) -> dict[str, int]:
    """Rows of the file into empty tables."""
    counts: dict[str, int] = {}
    table: sa.Table | None = None
    columns: list[str] = []
    batch: list[dict[str, Any]] = []

    def flush() -> None:
        if batch and table is not None:
            connection.execute(sa.insert(table), batch)
            batch.clear()

    for number, line in enumerate(_lines(path)):
        value = _parsed(path, line)
        if number == 0 or "sha256" in value:
            continue
        if isinstance(value, dict):
            flush()
            if value["table"] not in tables.metadata.tables:
                raise _broken(path, f"it holds the unknown table {value['table']}")
            table, columns = tables.metadata.tables[value["table"]], value["columns"]
            counts[table.name] = 0
            continue
        assert table is not None
        batch.append(_row(table, columns, value))
        counts[table.name] += 1
        if len(batch) >= BATCH:
            flush()
    flush()
    return counts


def _row(table: sa.Table, columns: list[str], values: list[Any]) -> dict[str, Any]:
    row = {name: _in(value) for name, value in zip(columns, values, strict=True)}
    if table.name == "event":
        row["xid"] = 0  # numbers of another database's transactions say nothing here
    return row


def _settle(connection: sa.Connection, header: dict[str, Any], now: datetime, *, as_new: bool) -> None:
    """What must be so after a restore: newer numbers than any mark in the clusters, nobody's lease, our schema."""
    work = tables.work.work_item
    connection.execute(sa.update(work).values(fence=work.c.fence + FENCES, lease_owner=None, lease_until=None))
    change: dict[str, Any] = {"restored_at": now}
    if as_new:
        change["instance"] = os.urandom(16).hex()
        connection.execute(sa.delete(tables.inventory.inventory))
    connection.execute(sa.update(installation).values(change))
    _raise_releases(connection, now)
    _rest(connection, header["schema"])
    stamp = tables.installation.alembic_version
    connection.execute(sa.delete(stamp))
    connection.execute(sa.insert(stamp), {"version_num": f"{header['schema']:04}"})
    if connection.dialect.name == "postgresql":
        for table in tables.in_order():
            for column in table.c:
                if column.identity is not None:
                    newest = connection.execute(sa.select(sa.func.coalesce(sa.func.max(column), 0))).scalar_one()
                    connection.exec_driver_sql(
                        f"ALTER TABLE {table.name} ALTER COLUMN {column.name} RESTART WITH {newest + 1}"
                    )


def _raise_releases(connection: sa.Connection, now: datetime) -> None:
    """A release of its own, far ahead: history says that there was a restore, and the numbers go on from there."""
    app, release = tables.applications.application, tables.releases.release
    newest = sa.select(release, app.c.id.label("app_id")).join(
        release, sa.and_(release.c.app == app.c.id, release.c.number == app.c.last_release)
    )
    for row in connection.execute(newest).mappings().all():
        number = row["number"] + RELEASES
        was_open = row["outcome"] in tables.releases.OPEN
        made = {column.name: row[column.name] for column in release.c} | {
            "id": os.urandom(13).hex().upper(), "number": number, "cause": "import", "plan": None, "counts": None,
            "actor": events.actor_tree(SYSTEM), "outcome": "terminated" if was_open else row["outcome"],
            "message": "restored from a backup", "reason": None, "opened_at": now, "ended_at": now,
        }  # fmt: skip
        running = sa.and_(release.c.app == row["app_id"], release.c.outcome.in_(tables.releases.OPEN))
        words = "interrupted: the store was restored from a backup"
        connection.execute(sa.update(release).where(running).values(outcome="terminated", message=words, ended_at=now))
        connection.execute(sa.insert(release), made)
        connection.execute(sa.update(app).where(app.c.id == row["app_id"]).values(last_release=number))
        summary.refresh(connection, row["app_id"], now)


def _rest(connection: sa.Connection, schema: int) -> None:
    """Nothing is left to do for an application whose release was terminated; a run that was on its way is superseded by
    the next look at it, so that one stays due."""
    work, app = tables.work.work_item, tables.applications.application
    idle = sa.select(app.c.namespace + "/" + app.c.name)
    if schema >= RUNS_SINCE:
        run = tables.runs.workflow_run
        idle = idle.where(~sa.exists().where(run.c.app == app.c.id, run.c.finished_at.is_(None)))
    connection.execute(sa.update(work).where(work.c.kind == "app", work.c.id.in_(idle)).values(due_at=None))


def _into_file(path: str, store: str, header: dict[str, Any], *, replace: bool, as_new: bool) -> dict[str, int]:
    """Written aside, checked, renamed in."""
    files.make_folder(store)
    door = gate.Gate(store, 30)
    part = f"{store}.restoring"
    try:
        with door.held():
            if _in_use(store) and not replace:
                raise errors.Conflict(
                    f"restore {path} into {store}: a store is there", code="store.not-empty",
                    hint="add --replace: the old file is kept aside",
                )  # fmt: skip
            files.remove(part)
            files.make_file(part)
            counts = _filled(part, path, header, as_new=as_new)
            _swap(part, store)
        return counts
    finally:
        files.remove(part)
        door.close()


def _filled(part: str, path: str, header: dict[str, Any], *, as_new: bool) -> dict[str, int]:
    engine = sqlite.engine(part, "rw", 30)
    now = datetime.now(UTC)
    try:
        with trouble.told(part):
            sqlite.prepare(engine)
            with engine.execution_options(appctl_write=True).begin() as connection:
                _build(connection, header["schema"], now)
                counts = _load(connection, path)
                _settle(connection, header, now, as_new=as_new)
            with engine.connect() as connection:
                raw: Any = connection.connection.driver_connection
                sqlite.checkpoint(raw)
    finally:
        engine.dispose()
    return counts


def _swap(part: str, store: str) -> None:
    if os.path.exists(store):
        aside = f"{store}.replaced-{datetime.now(UTC):%Y%m%dT%H%M%S}"
        migrate.copy_of(store, aside)
        for end in ("-wal", "-shm"):
            files.remove(f"{store}{end}")
    os.replace(part, store)


def _in_use(store: str) -> bool:
    try:
        return os.path.getsize(store) > 0
    except FileNotFoundError:
        return False


def _into_postgres(path: str, location: str, header: dict[str, Any], *, replace: bool, as_new: bool) -> dict[str, int]:
    engine = postgres.engine(location, worker="db-restore", lock_timeout_s=30, read=False)
    where = postgres.shown(location)
    try:
        with trouble.told(where), engine.begin() as connection:
            postgres.check_version(connection, where)
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({migrate.LOCK})")
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = '{SLOWEST}'")
            now = connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
            if sa.inspect(connection).has_table("installation"):
                if not replace:
                    raise errors.Conflict(
                        f"restore {path} into {where}: a store is there", code="store.not-empty",
                        hint="take a backup of it, then add --replace: its rows are deleted",
                    )  # fmt: skip
                tables.metadata.drop_all(connection)
            _build(connection, header["schema"], now)
            counts = _load(connection, path)
            _settle(connection, header, now, as_new=as_new)
            return counts
    finally:
        engine.dispose()


def _build(connection: sa.Connection, schema: int, now: datetime) -> None:
    """Empty tables as they were when the backup was taken; opening the store migrates them further."""
    if schema == version.SCHEMA:
        create.build(connection, now)
    else:
        migrate.build(connection, schema)
