"""The one statement in which the databases differ by import: INSERT ... ON CONFLICT."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    import sqlalchemy as sa


def insert(dialect: str, table: sa.Table) -> Any:
    if dialect == "sqlite":
        from sqlalchemy.dialects import sqlite

        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(table)


@functools.cache
def upsert(dialect: str, table: sa.Table, change: Sequence[str] = (), only_while: str = "") -> Any:
    """A row of this key is changed in the columns named, of all but its key when none is; only while that column is NULL."""
    made = insert(dialect, table)
    keys = [column.name for column in table.primary_key.columns]
    names = change or [column.name for column in table.c if column.name not in keys]
    where = table.c[only_while].is_(None) if only_while else None
    return made.on_conflict_do_update(index_elements=keys, set_={name: made.excluded[name] for name in names}, where=where)
