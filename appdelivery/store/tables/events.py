"""`event`: the append-only feed.  In PostgreSQL partitioned by month, so its key there is (seq, at)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from appdelivery.store import types
from appdelivery.store.tables import base

if TYPE_CHECKING:
    from datetime import datetime

event = sa.Table(
    "event",
    base.metadata,
    base.number("seq"),
    base.needed("xid", types.Int),
    base.needed("at", types.Time),
    base.needed("kind", types.Text),
    base.maybe("app", types.Int),
    base.maybe("cluster", types.Int),
    base.maybe("release", types.Text),
    base.needed("subject", types.Text),
    base.needed("actor", types.Json),
    base.needed("data", types.Json),
    sa.Index("event_feed", "xid", "seq"),
    sa.Index("event_app", "app", "seq"),
    sa.Index("event_at", "at"),
    sqlite_autoincrement=True,  # a number is never given twice, even after the sweep took the newest rows
)
base.in_postgres(event, partition_by="RANGE (at)")


@compiles(sa.PrimaryKeyConstraint, "postgresql")
def _key(constraint: sa.PrimaryKeyConstraint, compiler: Any, **how: Any) -> str:
    """PostgreSQL wants the partition's column in every unique key, SQLite counts only a key of one column."""
    text: str = compiler.visit_primary_key_constraint(constraint, **how)
    return text.replace("(seq)", "(seq, at)") if constraint.table.name == "event" else text


def partitions(now: datetime, months: int = 2) -> list[str]:
    """DDL of this month's and the following partitions, and of the one that catches the rest."""
    made = ["CREATE TABLE IF NOT EXISTS event_default PARTITION OF event DEFAULT"]
    year, month = now.year, now.month
    for _ in range(months):
        following = (year + month // 12, month % 12 + 1)
        made.append(
            f"CREATE TABLE IF NOT EXISTS event_y{year:04}m{month:02} PARTITION OF event "
            f"FOR VALUES FROM ('{year:04}-{month:02}-01 00:00+00') TO ('{following[0]:04}-{following[1]:02}-01 00:00+00')"
        )
        year, month = following
    return made
