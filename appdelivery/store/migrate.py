"""Schema changes: numbered alembic migrations, one history for both databases (store.md section 8).

`local` is called by open when a file is older than the program; `migrate` by `appctl db migrate`.  A migration declares
`kind`: expand (older programs go on working) or contract (they do not).
"""

from __future__ import annotations

import glob
import os
import sqlite3
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from appdelivery import errors
from appdelivery.store import create, files, gate, keys, postgres, sqlite, trouble
from appdelivery.store import open as opening
from appdelivery.store.tables import installation as tables

if TYPE_CHECKING:
    pass

SCRIPTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "migrations")
KEPT = 3  # copies of a file before its migrations
WAIT_S = 30
LOCK = 0x41707064  # of PostgreSQL's advisory locks
SLOWEST = "15min"  # of one statement while migrating

installation = tables.installation
_schema = sa.select(installation.c.schema)


def migrate(location: str, *, master_key_file: str = "", scripts: str = SCRIPTS) -> tuple[int, int]:
    """The schema before (0 = there was none) and after.  Makes an empty store, brings an older one up to date."""
    if postgres.is_url(location):
        return _remote(location, master_key_file, scripts)
    path = os.path.abspath(location.removeprefix("sqlite:///"))
    before = _schema_of(path)
    if before and before < newest(scripts):
        local(path, scripts=scripts)
    store = opening.open(
        path,
        mode="write",
        worker="db-migrate",
        alive=lambda _: None,
        clock=lambda: datetime.now(UTC),
        new_id=str,
        master_key_file=master_key_file,
    )
    store.close()
    return before, _schema_of(path)


def local(path: str, *, scripts: str = SCRIPTS) -> str:
    """Copies the file aside, migrates it, answers one line for the user."""
    door = gate.Gate(path, WAIT_S)
    try:
        with door.held(), trouble.told(path):
            before = _schema_of(path)
            after = newest(scripts)
            if before >= after:
                return f"the store {path} was brought to schema {before} by another process"
            copy = _copied(path, before)
            _upgrade_file(path, scripts)
            return f"the store {path} was brought from schema {before} to {after}; a copy as it was: {copy}"
    finally:
        door.close()


def upgrade(connection: sa.Connection, scripts: str = SCRIPTS, target: str = "head") -> None:
    """Runs the migrations inside the caller's transaction and notes the new schema."""
    from alembic import command

    command.upgrade(_config(scripts, connection), target)
    done = connection.execute(sa.select(tables.alembic_version.c.version_num)).scalar_one()
    contracts = [int(s.revision) for s in _scripts(scripts) if s.module.kind == "contract" and s.revision <= done]
    change = {"schema": int(done), "usable_from": max(contracts, default=1)}
    connection.execute(sa.update(installation).values(change))


def build(connection: sa.Connection, schema: int) -> None:
    """The empty tables of an older schema, for a backup that was taken then."""
    upgrade(connection, target=f"{schema:04}")
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA application_id={sqlite.APPLICATION_ID}")


def newest(scripts: str = SCRIPTS) -> int:
    return max(int(script.revision) for script in _scripts(scripts))


def _scripts(scripts: str) -> list[Any]:
    from alembic.script import ScriptDirectory

    found = list(ScriptDirectory.from_config(_config(scripts)).walk_revisions())
    for script in found:
        if getattr(script.module, "kind", "") not in ("expand", "contract"):
            raise errors.Bug(f"migration {script.revision} does not say whether it expands or contracts")
    return found


def _config(scripts: str, connection: sa.Connection | None = None) -> Any:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", scripts.replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _schema_of(path: str) -> int:
    """0 where there is no store."""
    try:
        if not os.path.getsize(path):
            return 0
    except FileNotFoundError:
        return 0
    engine = sqlite.engine(path, "ro", WAIT_S)
    try:
        with trouble.told(path), engine.connect() as connection:
            if sqlite.kind_of(connection, path) == "empty":
                return 0
            return int(connection.execute(_schema).scalar_one())
    finally:
        engine.dispose()


def _copied(path: str, schema: int) -> str:
    copy = f"{path}.before-{schema}"
    copy_of(path, copy)
    copies = sorted(glob.glob(f"{glob.escape(path)}.before-*"), key=os.path.getmtime)
    for old in copies[:-KEPT]:
        files.remove(old)
    return copy


def copy_of(path: str, copy: str) -> None:
    """By SQLite itself, so that what stands in the log is in the copy."""
    os.close(os.open(copy, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    source, target = sqlite3.connect(path, timeout=WAIT_S), sqlite3.connect(copy)
    try:
        source.backup(target)
    finally:
        source.close()
        target.close()


def _upgrade_file(path: str, scripts: str) -> None:
    engine = sqlite.engine(path, "rw", WAIT_S)
    try:
        with engine.execution_options(appctl_write=True).connect() as connection:
            raw: Any = connection.connection.driver_connection
            # Tables are rebuilt by copying; it cannot be switched inside a transaction.
            raw.execute("PRAGMA foreign_keys=OFF")
            with connection.begin():
                upgrade(connection, scripts)
                if broken := connection.exec_driver_sql("PRAGMA foreign_key_check").first():
                    raise errors.Bug(f"migrate the store {path}: a row of {broken[0]} lost the row it belongs to")
            connection.invalidate()
    finally:
        engine.dispose()


def _remote(location: str, master_key_file: str, scripts: str) -> tuple[int, int]:
    from appdelivery.store import dispatch_procrastinate

    engine = postgres.engine(location, worker="db-migrate", lock_timeout_s=WAIT_S, read=False)
    where = postgres.shown(location)
    try:
        with trouble.told(where), engine.begin() as connection:
            postgres.check_version(connection, where)
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = '{SLOWEST}'")
            if not sa.inspect(connection).has_table("installation"):
                now = connection.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
                key_file = master_key_file or os.environ.get(keys.VARIABLE, "")
                master = keys.read(key_file) if key_file else None
                create.fill(connection, master=master, now=now, by="db-migrate")
                dispatch_procrastinate.migrate(connection)
                return 0, int(connection.execute(_schema).scalar_one())
            before = int(connection.execute(_schema).scalar_one())
            if before < newest(scripts):
                upgrade(connection, scripts)
            dispatch_procrastinate.migrate(connection)
            return before, int(connection.execute(_schema).scalar_one())
    finally:
        engine.dispose()
