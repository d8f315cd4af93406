"""`worker`: the heartbeat of a process."""

from __future__ import annotations

import sqlalchemy as sa

from appdelivery.store import types
from appdelivery.store.tables import base

worker = sa.Table(
    "worker",
    base.metadata,
    base.key("id", types.Text),
    base.needed("roles", types.Json),
    base.needed("program", types.Text),
    base.needed("load", types.Json),
    base.needed("started_at", types.Time),
    base.needed("seen_at", types.Time),
)
