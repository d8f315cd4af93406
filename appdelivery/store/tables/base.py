"""What all tables share: the metadata with its naming convention.  Called by the other modules of this folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from appdelivery.store import types

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

metadata = sa.MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
    }
)


# What names an option of PostgreSQL loads its whole dialect, 35 ms of CPU that a command on an existing SQLite store has no
# use for.  Only DDL wants it: `all` does these.
later: list[Callable[[], object]] = []


def index_where(name: str, *columns: Any, where: Any, unique: bool = False) -> None:
    """An index over the rows for which `where` holds."""
    later.append(lambda: sa.Index(name, *columns, unique=unique, sqlite_where=where, postgresql_where=where))


def in_postgres(table: sa.Table, **options: Any) -> None:
    later.append(lambda: table.dialect_kwargs.update({f"postgresql_{name}": value for name, value in options.items()}))


def key(name: str, kind: Any, *constraints: Any) -> sa.Column[Any]:
    """A part of the primary key that we give, never the database."""
    return sa.Column(name, kind, *constraints, primary_key=True, autoincrement=False, nullable=False)


def number(name: str = "id") -> sa.Column[Any]:
    """A primary key that the database counts."""
    return sa.Column(name, types.Int, sa.Identity(), primary_key=True, nullable=False)


def needed(name: str, kind: Any, *constraints: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, *constraints, nullable=False)


def maybe(name: str, kind: Any, *constraints: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, *constraints, nullable=True)


def word(name: str, words: Sequence[str]) -> sa.Column[Any]:
    return sa.Column(name, types.Text, types.one_of(name, words), nullable=False)
