"""Applications and their content: labels, revisions, component revisions, definitions used, rendered objects."""

from __future__ import annotations

import sqlalchemy as sa

from appdelivery.store import types
from appdelivery.store.tables import base

application = sa.Table(
    "application",
    base.metadata,
    base.number(),
    base.needed("namespace", types.Text),
    base.needed("name", types.Text),
    base.maybe("alias", types.Text),
    base.needed("labels", types.Json),
    base.needed("last_revision", types.Int),
    base.needed("last_release", types.Int),
    base.maybe("applied_release", types.Int),
    base.maybe("paused", types.Json),
    base.maybe("paused_until", types.Time),
    # The summary: computed in the transaction of the change it follows from.
    base.needed("health", types.Text),
    base.needed("message", types.Text),
    base.maybe("rollout", types.Text),
    base.needed("health_rank", types.Int),
    base.needed("clusters_ready", types.Int),
    base.needed("clusters_total", types.Int),
    base.needed("objects", types.Int),
    base.needed("drifted", types.Int),
    base.needed("health_since", types.Time),
    base.needed("version", types.Int),
    base.needed("created_at", types.Time),
    base.needed("updated_at", types.Time),
    base.maybe("deleted_at", types.Time),
    sa.UniqueConstraint("namespace", "name", name="application_name_key"),
    sa.Index("application_worst", "health_rank", "namespace", "name"),
    sa.Index("application_updated", "updated_at"),
)

application_label = sa.Table(
    "application_label",
    base.metadata,
    base.key("app", types.Int, sa.ForeignKey("application.id", ondelete="CASCADE")),
    base.key("key", types.Text),
    base.needed("value", types.Text),
    sa.Index("application_label_value", "key", "value", "app"),
)

revision = sa.Table(
    "revision",
    base.metadata,
    base.key("app", types.Int, sa.ForeignKey("application.id")),
    base.key("number", types.Int),
    base.needed("key", types.Digest),
    base.needed("document", types.Digest),
    base.needed("definitions", types.Digest),
    base.maybe("source_text", types.Digest),
    base.maybe("policies", types.Digest),
    base.needed("context", types.Json),
    base.needed("language", types.Int),
    base.needed("created_at", types.Time),
    base.needed("created_by", types.Json),
    sa.UniqueConstraint("app", "key"),
)

component_revision = sa.Table(
    "component_revision",
    base.metadata,
    base.key("app", types.Int, sa.ForeignKey("application.id")),
    base.key("component", types.Text),
    base.key("number", types.Int),
    base.needed("hash", types.Digest),
    base.needed("revision", types.Int),
    sa.UniqueConstraint("app", "component", "hash"),
)

definition_use = sa.Table(
    "definition_use",
    base.metadata,
    base.key("app", types.Int),
    base.key("revision", types.Int),
    base.key("kind", types.Text),
    base.key("name", types.Text),
    base.needed("hash", types.Digest),
    sa.ForeignKeyConstraint(["app", "revision"], ["revision.app", "revision.number"]),
    sa.Index("definition_use_name", "kind", "name", "hash"),
)

rendered = sa.Table(
    "rendered",
    base.metadata,
    base.key("app", types.Int),
    base.key("revision", types.Int),
    base.key("context", types.Digest),
    base.needed("objects", types.Digest),
    base.needed("count", types.Int),
    base.needed("created_at", types.Time),
    sa.ForeignKeyConstraint(["app", "revision"], ["revision.app", "revision.number"]),
)
