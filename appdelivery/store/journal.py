"""`SqlJournal`: the Protocol `delivery.ports.Journal` over a Store, one line per method."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appdelivery.store import engine, installation, inventory, leases, releases, runs, signals, workers

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from appdelivery.delivery.ports import Fact, Installation, ReleaseRequest, RunRequest, Work, Worker
    from appdelivery.model.history import Lease, Managed, Release, Revision
    from appdelivery.model.refs import AppKey
    from appdelivery.model.run import Effect, Run, Signal, WorkKey
    from appdelivery.store.open import Store


class SqlJournal:
    def __init__(self, store: Store) -> None:
        self.store = store

    def installation(self) -> Installation:
        return installation.read(self.store)

    def heartbeat(self, me: Worker) -> Sequence[Worker]:
        return workers.heartbeat(self.store, me)

    def due(self, now: datetime | None, kinds: Collection[str], limit: int) -> Sequence[WorkKey]:
        return leases.due(self.store, now, kinds, limit)

    def claim(self, key: WorkKey, worker: str, lease_s: float) -> Lease | None:
        return leases.claim(self.store, key, worker, lease_s)

    def renew(self, lease: Lease, lease_s: float) -> Lease | None:
        return leases.renew(self.store, lease, lease_s)

    def release(self, lease: Lease, due_at: datetime | None = None, *, error: str = "") -> None:
        leases.release(self.store, lease, due_at, error)

    def work(self, key: WorkKey) -> Work:
        return runs.work(self.store, key)

    def newest(self, app: AppKey) -> Release | None:
        return releases.newest(self.store, app)

    def open_release(self, request: ReleaseRequest, run: RunRequest | None = None) -> tuple[Release, Revision]:
        return releases.open_release(self.store, request, run)

    def open_run(self, request: RunRequest) -> Run:
        return runs.open_run(self.store, request)

    def signal(self, to: AppKey | str, signal: Signal) -> None:
        signals.give(self.store, to, signal)

    def effect(self, run: str, step: str, key: str) -> Effect | None:
        return runs.effect(self.store, run, step, key)

    def record(self, lease: Lease, facts: Sequence[Fact]) -> int:
        return engine.record(self.store, lease, facts)

    def inventory(self, app: AppKey | None = None, cluster: str | None = None) -> Sequence[Managed]:
        return inventory.rows(self.store, app, cluster)
