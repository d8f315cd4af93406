"""`work_item`: who may write for what.  Nothing wide stands here, since every lease rewrites the row."""

from __future__ import annotations

import sqlalchemy as sa

from appdelivery.model import run
from appdelivery.store import types
from appdelivery.store.tables import base

work_item = sa.Table(
    "work_item",
    base.metadata,
    base.key("kind", types.Text, types.one_of("kind", run.WORK_KINDS)),
    base.key("id", types.Text),
    base.needed("generation", types.Int),
    base.maybe("due_at", types.Time),
    base.needed("priority", types.Int),
    base.maybe("lease_owner", types.Text),
    base.maybe("lease_until", types.Time),
    base.needed("fence", types.Int),
    base.needed("failures", types.Int),
    base.maybe("error", types.Text),
)
base.in_postgres(work_item, **{"with": {"fillfactor": 70}})
_due = work_item.c.due_at.is_not(None)
base.index_where("work_item_due", work_item.c.due_at, where=_due)
