"""Who this store is: its id and its digest key.  Called by journal, blobs and secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from appdelivery.delivery import ports
from appdelivery.store import cipher, create
from appdelivery.store.tables.installation import installation

if TYPE_CHECKING:
    from appdelivery.store.open import Store

_row = sa.select(installation.c.instance, installation.c.digest_key, installation.c.master_key)


def read(store: Store) -> ports.Installation:
    """The digest key is b'' while the master key is wrong or missing: everything without secrets works then."""

    def work(connection: sa.Connection) -> ports.Installation:
        row = connection.execute(_row).one()
        return ports.Installation(row.instance, digest_key(connection, store) if store.keys.fits(row.master_key) else b"")

    return store.read(work)


def digest_key(connection: sa.Connection, store: Store) -> bytes:
    """Needed wherever secret values enter a digest; says which master key is wanted when it cannot be opened."""
    if store.digest_key is None:
        master = store.keys.master(connection)
        store.digest_key = cipher.root_opened(master, create.DIGEST, bytes(connection.execute(_row).one().digest_key))
    return store.digest_key
