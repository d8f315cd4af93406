"""Every table, for those who need the whole schema: creation, backup, check, migrations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appdelivery.store.tables import (
    applications,
    base,
    blobs,
    clusters,
    documents,
    events,
    installation,
    inventory,
    releases,
    runs,
    secrets,
    targets,
    triggers,
    work,
    workers,
)

if TYPE_CHECKING:
    import sqlalchemy as sa

metadata = base.metadata
for do in base.later:
    do()

__all__ = [
    "applications",
    "blobs",
    "clusters",
    "documents",
    "events",
    "installation",
    "inventory",
    "releases",
    "runs",
    "secrets",
    "targets",
    "triggers",
    "work",
    "workers",
]


def in_order() -> list[sa.Table]:
    """Parents before children."""
    return [table for table in metadata.sorted_tables if table.name != "alembic_version"]
