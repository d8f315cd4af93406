"""`document`: Policies and Workflows that applications refer to by name."""

from __future__ import annotations

import sqlalchemy as sa

from appdelivery.store import types
from appdelivery.store.tables import base

KINDS = ("Policy", "Workflow")

document = sa.Table(
    "document",
    base.metadata,
    base.key("kind", types.Text, types.one_of("kind", KINDS)),
    base.key("namespace", types.Text),
    base.key("name", types.Text),
    base.needed("body", types.Digest),
    base.needed("version", types.Int),
    base.needed("actor", types.Json),
    base.needed("updated_at", types.Time),
)
