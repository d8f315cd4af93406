"""Makes an empty store from the tables and stamps it as migrated, without alembic.  Called by open and migrate."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import sqlalchemy as sa

from appdelivery.store import cipher, keys, sqlite
from appdelivery.store.tables import installation, version

if TYPE_CHECKING:
    from datetime import datetime

DIGEST = ("installation", "digest_key", "1")
CURSOR = ("installation", "cursor_key", "1")


def fill(connection: sa.Connection, *, master: bytes | None, now: datetime, by: str) -> None:
    """The whole schema and the installation's row, inside the caller's transaction."""
    build(connection, now)
    connection.execute(sa.insert(installation.alembic_version), {"version_num": f"{version.SCHEMA:04}"})
    row = {
        "id": 1,
        "instance": os.urandom(16).hex(),
        "schema": version.SCHEMA,
        "usable_from": version.USABLE_FROM,
        "created_at": now,
        "created_by": by,
    }
    connection.execute(sa.insert(installation.installation), row | sealed_keys(master))


def build(connection: sa.Connection, now: datetime) -> None:
    """Tables, indexes and partitions, empty."""
    from appdelivery.store.tables import all as tables  # every table: not needed to open a store that exists

    tables.metadata.create_all(connection, checkfirst=False)
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA application_id={sqlite.APPLICATION_ID}")
    else:
        for statement in tables.events.partitions(now):
            connection.exec_driver_sql(statement)


def sealed_keys(master: bytes | None) -> dict[str, object]:
    """New digest and cursor keys, sealed by the master key itself; nothing where there is none."""
    if master is None:
        return {"master_key": None, "digest_key": None, "cursor_key": None}
    return {
        "master_key": keys.fingerprint(master),
        "digest_key": cipher.root_sealed(master, DIGEST, os.urandom(32)),
        "cursor_key": cipher.root_sealed(master, CURSOR, os.urandom(32)),
    }
