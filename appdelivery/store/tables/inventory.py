"""`inventory`: one row for every object that an application has, or is about to have, in a cluster."""

from __future__ import annotations

import sqlalchemy as sa

from appdelivery.store import types
from appdelivery.store.tables import base

MODES = ("owned", "shared-writer", "shared-observer", "read-only")
STATES = ("intended", "present", "deleting", "gone")
GC = ("onAppUpdate", "onAppDelete", "never")
WAIT = ("required", "optional", "none")
DRIFT = ("none", "changed", "missing")

inventory = sa.Table(
    "inventory",
    base.metadata,
    base.key("app", types.Int, sa.ForeignKey("application.id")),
    base.key("cluster", types.Int, sa.ForeignKey("cluster.id")),
    base.key("api_group", types.Text),
    base.key("kind", types.Text),
    base.key("namespace", types.Text),
    base.key("name", types.Text),
    base.maybe("uid", types.Text),
    base.needed("api_version", types.Text),
    base.needed("component", types.Text),
    base.needed("origin", types.Text),
    base.word("mode", MODES),
    base.word("state", STATES),
    base.needed("wanted", types.Int),
    base.maybe("desired_digest", types.Digest),
    base.maybe("applied_digest", types.Digest),
    base.maybe("tree_digest", types.Digest),
    base.maybe("digest_form", types.Int),
    base.maybe("generation", types.Int),
    base.maybe("resource_version", types.Int),
    base.maybe("bare", types.Json),
    base.maybe("yielded", types.Json),
    base.needed("release", types.Int),
    base.needed("revision", types.Int),
    base.needed("fence", types.Int),
    base.word("gc", GC),
    base.maybe("propagation", types.Text),
    base.word("wait", WAIT),
    # From here on the columns of whoever observes the cluster.
    base.maybe("own_digest", types.Digest),
    base.maybe("seen_version", types.Int),
    base.maybe("seen_at", types.Time),
    base.needed("health", types.Text),
    base.maybe("health_reason", types.Text),
    base.maybe("health_since", types.Time),
    base.word("drift", DRIFT),
    base.needed("changed_at", types.Time),
    sa.Index("inventory_object", "cluster", "kind", "namespace", "name", "api_group"),
    sqlite_with_rowid=False,
)
_drifted = inventory.c.drift != "none"
base.index_where("inventory_drift", inventory.c.cluster, where=_drifted)
