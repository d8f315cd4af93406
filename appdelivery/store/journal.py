"""`SqlJournal`: the Protocol `delivery.ports.Journal` over a Store, one line per method."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appdelivery.store import engine, installation, inventory, releases

if TYPE_CHECKING:
    from collections.abc import Sequence

    from appdelivery.delivery.ports import Fact, Installation, ReleaseRequest
    from appdelivery.model.history import Lease, Managed, Release, Revision
    from appdelivery.model.refs import AppKey
    from appdelivery.store.open import Store


class SqlJournal:
    def __init__(self, store: Store) -> None:
        self.store = store

    def installation(self) -> Installation:
        return installation.read(self.store)

    def claim(self, app: AppKey, worker: str, lease_s: float) -> Lease | None:
        return engine.claim(self.store, app, worker, lease_s)

    def renew(self, lease: Lease, lease_s: float) -> Lease | None:
        return engine.renew(self.store, lease, lease_s)

    def release(self, lease: Lease) -> None:
        engine.release_lease(self.store, lease)

    def newest(self, app: AppKey) -> Release | None:
        return releases.newest(self.store, app)

    def open_release(self, request: ReleaseRequest) -> tuple[Release, Revision]:
        return releases.open_release(self.store, request)

    def record(self, lease: Lease, facts: Sequence[Fact]) -> int:
        return engine.record(self.store, lease, facts)

    def inventory(self, app: AppKey | None = None, cluster: str | None = None) -> Sequence[Managed]:
        return inventory.rows(self.store, app, cluster)
