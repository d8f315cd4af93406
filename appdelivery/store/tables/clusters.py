"""`cluster`: address, credentials and state of a member cluster."""

from __future__ import annotations

import sqlalchemy as sa

from appdelivery.store import types
from appdelivery.store.tables import base

AUTH = ("token", "clientCertificate", "exec", "oidc", "inCluster", "kubeconfigContext")
ADMIN = ("open", "cordoned", "draining", "forgotten")
REACH = ("unknown", "ready", "unreachable", "unauthorized")

cluster = sa.Table(
    "cluster",
    base.metadata,
    base.number(),
    base.needed("name", types.Text),
    base.maybe("uid", types.Text),
    base.needed("server", types.Text),
    base.maybe("ca", types.Bytes),
    base.maybe("tls_name", types.Text),
    base.maybe("proxy", types.Text),
    base.needed("insecure", types.Bool),
    base.word("auth", AUTH),
    base.maybe("credentials", types.Bytes),
    base.maybe("credentials_at", types.Time),
    base.needed("labels", types.Json),
    base.needed("taints", types.Json),
    base.needed("prices", types.Json),
    base.needed("capacity", types.Json),
    base.needed("limits", types.Json),
    base.maybe("region", types.Text),
    base.maybe("zone", types.Text),
    base.maybe("provider", types.Text),
    base.word("admin", ADMIN),
    base.maybe("admin_by", types.Text),
    base.maybe("admin_at", types.Time),
    base.maybe("admin_reason", types.Text),
    base.word("reach", REACH),
    base.maybe("reach_reason", types.Text),
    base.maybe("reach_since", types.Time),
    base.maybe("observed_at", types.Time),
    base.needed("failures", types.Int),
    base.maybe("server_version", types.Text),
    base.maybe("served", types.Digest),
    base.maybe("probe", types.Json),
    base.needed("version", types.Int),
    base.needed("created_at", types.Time),
    sa.UniqueConstraint("name"),
)
_known = cluster.c.uid.is_not(None)
base.index_where("cluster_uid_key", cluster.c.uid, where=_known, unique=True)
