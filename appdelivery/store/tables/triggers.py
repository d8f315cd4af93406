"""What starts work by itself: triggers, and the places up to which the event feed has been read."""

from __future__ import annotations

import sqlalchemy as sa

from appdelivery.store import types
from appdelivery.store.tables import base

KINDS = ("cron", "webhook", "object", "application", "restart")

trigger = sa.Table(
    "trigger",
    base.metadata,
    base.key("id", types.Text),
    base.maybe("app", types.Int, sa.ForeignKey("application.id")),
    base.maybe("project", types.Int),
    base.needed("name", types.Text),
    base.word("kind", KINDS),
    base.needed("spec", types.Json),
    base.needed("enabled", types.Bool),
    base.needed("queued", types.Bool),
    base.maybe("next_at", types.Time),
    base.maybe("last_at", types.Time),
    base.maybe("last_result", types.Text),
    sa.Index("trigger_app", "app", "name"),
)
_scheduled = trigger.c.next_at.is_not(None)
base.index_where("trigger_due", trigger.c.next_at, where=_scheduled)

feed_position = sa.Table(
    "feed_position",
    base.metadata,
    base.key("name", types.Text),
    base.needed("xid", types.Int),
    base.needed("seq", types.Int),
    base.needed("at", types.Time),
)
