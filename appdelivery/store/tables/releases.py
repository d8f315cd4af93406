"""Acts of delivery and the plans they carry out."""

from __future__ import annotations

import sqlalchemy as sa

from appdelivery.model import history
from appdelivery.store import types
from appdelivery.store.tables import base

OPEN = ("running", "partial")
PLAN_STATES = ("open", "approved", "applied", "discarded", "stale", "expired")

release = sa.Table(
    "release",
    base.metadata,
    base.key("id", types.Text),
    base.needed("app", types.Int, sa.ForeignKey("application.id")),
    base.needed("number", types.Int),
    base.needed("revision", types.Int),
    base.word("cause", history.CAUSES),
    base.maybe("cause_ref", types.Text),
    base.maybe("reason", types.Text),
    base.needed("request", types.Text),
    base.maybe("trace", types.Text),
    base.needed("actor", types.Json),
    base.needed("options", types.Json),
    base.maybe("counts", types.Json),
    base.maybe("plan", types.Text),
    base.needed("lenient", types.Bool),
    base.word("outcome", history.OUTCOMES),
    base.maybe("message", types.Text),
    base.needed("opened_at", types.Time),
    base.maybe("ended_at", types.Time),
    sa.UniqueConstraint("app", "number"),
)
_open = release.c.outcome.in_(OPEN)
_moved = release.c.cause == "move"
base.index_where("release_open", release.c.app, where=_open)
base.index_where("release_moves", release.c.opened_at, where=_moved)

plan = sa.Table(
    "plan",
    base.metadata,
    base.key("id", types.Text),
    base.needed("app", types.Int, sa.ForeignKey("application.id")),
    base.needed("revision", types.Int),
    base.needed("digest", types.Digest),
    base.needed("body", types.Digest),
    base.needed("base", types.Digest),
    base.word("state", PLAN_STATES),
    base.needed("actor", types.Json),
    base.needed("created_at", types.Time),
    base.needed("expires_at", types.Time),
    base.maybe("release", types.Text),
    sa.Index("plan_digest", "digest"),
)
_waiting = plan.c.state == "open"
base.index_where("plan_expires", plan.c.expires_at, where=_waiting)
