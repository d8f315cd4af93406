"""What all tables share: the metadata with its naming convention.  Called by the other modules of this folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from appdelivery.store import types

if TYPE_CHECKING:
    from collections.abc import Sequence

metadata = sa.MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
    }
)


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
