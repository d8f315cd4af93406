"""`blob`: content-addressed bodies (store.md section 3).  Nothing has a foreign key to it."""

from __future__ import annotations

import sqlalchemy as sa

from appdelivery.store import types
from appdelivery.store.tables import base

CODECS = ("raw", "z1")

blob = sa.Table(
    "blob",
    base.metadata,
    base.key("digest", types.Digest),
    base.word("codec", CODECS),
    base.needed("size", types.Int),
    base.needed("body", types.Bytes),
    base.maybe("data_key", types.Int, sa.ForeignKey("data_key.id")),
    base.needed("used_at", types.Time),
    sa.Index("blob_used", "used_at"),
)
base.index_where("blob_sealed", blob.c.data_key, where=blob.c.data_key.is_not(None))
