"""`installation` (one row), `data_key`, and the version mark that migrations read."""

from __future__ import annotations

import sqlalchemy as sa

from appdelivery.store import types
from appdelivery.store.tables import base

PURPOSES = ("credential", "secret", "blob", "output")

installation = sa.Table(
    "installation",
    base.metadata,
    base.key("id", types.Int, sa.CheckConstraint("id = 1", name="single")),
    base.needed("instance", types.Text),
    base.maybe("master_key", types.Text),  # fingerprint; NULL until a master key is given
    base.maybe("digest_key", types.Bytes),
    base.maybe("cursor_key", types.Bytes),
    base.needed("schema", types.Int),
    base.needed("usable_from", types.Int),
    base.needed("created_at", types.Time),
    base.needed("created_by", types.Text),
    base.maybe("restored_at", types.Time),
)

data_key = sa.Table(
    "data_key",
    base.metadata,
    base.key("id", types.Int),
    base.word("purpose", PURPOSES),
    base.needed("master_key", types.Text),
    base.needed("wrapped", types.Bytes),
    base.needed("created_at", types.Time),
    base.maybe("retired_at", types.Time),
)

alembic_version = sa.Table(
    "alembic_version",
    base.metadata,
    sa.Column("version_num", sa.String(32), nullable=False),
    sa.PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
