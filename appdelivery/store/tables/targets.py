"""`release_target`: a release in one cluster."""

from __future__ import annotations

import sqlalchemy as sa

from appdelivery.store import types
from appdelivery.store.tables import base

STATES = ("waiting", "running", "done", "failed", "unknown", "skipped")

release_target = sa.Table(
    "release_target",
    base.metadata,
    base.key("release", types.Text, sa.ForeignKey("release.id")),
    base.key("cluster", types.Int, sa.ForeignKey("cluster.id")),
    base.key("namespace", types.Text),
    base.maybe("context", types.Digest),
    base.word("state", STATES),
    base.maybe("wave", types.Text),
    base.needed("counts", types.Json),
    base.maybe("message", types.Text),
    base.needed("changed_at", types.Time),
)
