"""`secret`: named values, sealed, with versions."""

from __future__ import annotations

import sqlalchemy as sa

from appdelivery.store import types
from appdelivery.store.tables import base

SCOPES = ("installation", "project", "application")
KINDS = ("given", "generated", "credential", "webhook", "age", "oidc")

secret = sa.Table(
    "secret",
    base.metadata,
    base.number(),
    base.word("scope", SCOPES),
    base.needed("owner", types.Text),
    base.needed("name", types.Text),
    base.needed("version", types.Int),
    base.word("kind", KINDS),
    base.needed("value", types.Bytes),
    base.needed("mark", types.Digest),
    base.needed("actor", types.Json),
    base.needed("created_at", types.Time),
    base.maybe("replaced_at", types.Time),
    sa.UniqueConstraint("scope", "owner", "name", "version"),
)
