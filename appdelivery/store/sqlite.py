"""SQLite as the store wants it: connections, settings, who is behind a file, checkpoints.  Called by open.py."""

from __future__ import annotations

import os
import sqlite3
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import sqlalchemy as sa

from appdelivery import errors
from appdelivery.store import trouble

if TYPE_CHECKING:
    from collections.abc import Callable

APPLICATION_ID = 0x41707064  # "Appd"
OLDEST = (3, 35, 0)
CHECKPOINT = 4 << 20  # bytes of WAL
READERS = 4

_ALWAYS = "PRAGMA foreign_keys=ON; PRAGMA synchronous=FULL; PRAGMA mmap_size=0; PRAGMA trusted_schema=OFF;"
_WRITING = _ALWAYS + " PRAGMA wal_autocheckpoint=0; PRAGMA journal_size_limit=67108864;"
_READING = _ALWAYS + " PRAGMA query_only=ON;"


def engine(path: str, mode: str, busy_s: float) -> sa.Engine:
    """mode: rw, ro, immutable, memory."""
    if sqlite3.sqlite_version_info < OLDEST:
        raise errors.StoreError(
            f"open the store {path}: this Python has SQLite {sqlite3.sqlite_version}, 3.35 or newer is needed",
            hint="use a newer Python, or PostgreSQL: --store postgresql://...",
        )
    made = sa.create_engine(
        "sqlite://",
        creator=connector(path, mode, busy_s),
        poolclass=sa.pool.QueuePool,
        # A store in memory is its connection: more than one would be more than one store.
        pool_size=1 if mode == "memory" else 1 + READERS,
        max_overflow=0,
        pool_use_lifo=True,
        pool_timeout=busy_s,
        pool_reset_on_return="rollback",
        hide_parameters=True,
    )
    sa.event.listen(made, "begin", _begin)
    return made


def connector(path: str, mode: str, busy_s: float) -> Callable[[], sqlite3.Connection]:
    def connect() -> sqlite3.Connection:
        if mode == "memory":
            connection = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
            connection.executescript(_ALWAYS)
            return connection
        how = "mode=ro&immutable=1" if mode == "immutable" else f"mode={mode}"
        connection = sqlite3.connect(
            f"file:{quote(path)}?{how}",
            uri=True,
            timeout=busy_s,
            check_same_thread=False,
            isolation_level=None,
            cached_statements=256,
        )
        try:
            connection.executescript(_WRITING if mode == "rw" else _READING)
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    return connect


def _begin(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get("appctl_write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def kind_of(connection: sa.Connection, path: str) -> str:
    """'empty' or 'ours'; anything else raises Corrupt."""
    mark = connection.exec_driver_sql("PRAGMA application_id").scalar()
    if mark == APPLICATION_ID:
        return "ours"
    objects = connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar()
    if mark == 0 and objects == 0:
        return "empty"
    raise trouble.damaged(path, "it is the database of another program")


def prepare(engine: sa.Engine) -> None:
    """Settings that must stand before the first table.  They cannot be changed inside a transaction."""
    raw: Any = engine.raw_connection()
    try:
        raw.driver_connection.executescript("PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL;")
    finally:
        raw.close()


def wal_size(path: str) -> int:
    try:
        return os.stat(f"{path}-wal").st_size
    except OSError:
        return 0


def checkpoint(connection: sqlite3.Connection) -> bool:
    """Moves the WAL into the file without waiting for readers; False when one of them kept it from being emptied."""
    timeout = connection.execute("PRAGMA busy_timeout").fetchone()[0]
    connection.execute("PRAGMA busy_timeout=0")
    try:
        return not connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorname", "").startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            return False
        raise
    finally:
        connection.execute(f"PRAGMA busy_timeout={timeout}")
