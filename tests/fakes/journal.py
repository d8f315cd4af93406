"""FakeJournal: the Protocol `delivery.ports.Journal` in memory, one method one transaction, with a crash point at each call."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from fakes.crash import CrashPoints

from appdelivery import errors
from appdelivery.delivery import ports
from appdelivery.model.history import Event, Lease, Managed, Release, Revision
from appdelivery.model.record import changed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from appdelivery.delivery.ports import Fact, Identity, Installation, ReleaseRequest
    from appdelivery.model.refs import AppKey


@dataclass
class State:
    """What is committed; a transaction works on a copy."""

    rows: dict[tuple[AppKey, Identity], Managed] = field(default_factory=dict)
    releases: dict[AppKey, list[Release]] = field(default_factory=dict)
    revisions: dict[AppKey, list[Revision]] = field(default_factory=dict)
    requests: dict[tuple[AppKey, int], ReleaseRequest] = field(default_factory=dict)  # by release number
    events: list[Event] = field(default_factory=list)
    fences: dict[AppKey, int] = field(default_factory=dict)
    holders: dict[AppKey, tuple[str, datetime] | None] = field(default_factory=dict)

    def copy(self) -> State:
        return State(
            dict(self.rows),
            {app: list(found) for app, found in self.releases.items()},
            {app: list(found) for app, found in self.revisions.items()},
            dict(self.requests),
            list(self.events),
            dict(self.fences),
            dict(self.holders),
        )


class FakeJournal:
    def __init__(
        self,
        *,
        clock: Callable[[], datetime] = lambda: datetime(2026, 1, 1, 12, tzinfo=UTC),
        crash: CrashPoints | None = None,
        installation: Installation | None = None,
    ) -> None:
        self.state = State()
        self.crash = crash or CrashPoints()
        self.calls: list[str] = []
        self.faults: list[Exception] = []  # raised by the next calls of record, one each
        self._clock = clock
        self._installation = installation or ports.Installation("0a1b2c3d" * 4, b"key of the tests")

    # --- the Protocol -----------------------------------------------------------------------------------------------
    def installation(self) -> Installation:
        return self._installation

    def claim(self, app: AppKey, worker: str, lease_s: float) -> Lease | None:
        def work(state: State) -> Lease | None:
            held = state.holders.get(app)
            if held is not None and held[1] > self._clock() and held[0] != worker:
                return None
            state.fences[app] = state.fences.get(app, 0) + 1
            until = self._clock() + timedelta(seconds=lease_s)
            state.holders[app] = (worker, until)
            return Lease(app, worker, state.fences[app], until)

        return self._transaction("claim", work)

    def renew(self, lease: Lease, lease_s: float) -> Lease | None:
        def work(state: State) -> Lease | None:
            if state.fences.get(lease.app) != lease.fence or state.holders.get(lease.app) is None:
                return None
            until = self._clock() + timedelta(seconds=lease_s)
            state.holders[lease.app] = (lease.worker, until)
            return changed(lease, until=until)

        return self._transaction("renew", work)

    def release(self, lease: Lease) -> None:
        def work(state: State) -> None:
            if state.fences.get(lease.app) == lease.fence:
                state.holders[lease.app] = None

        self._transaction("release", work)

    def newest(self, app: AppKey) -> Release | None:
        return self._transaction("newest", lambda state: _newest(state, app))

    def open_release(self, request: ReleaseRequest) -> tuple[Release, Revision]:
        return self._transaction("open_release", lambda state: self._open(state, request))

    def record(self, lease: Lease, facts: Sequence[Fact]) -> int:
        def work(state: State) -> int:
            if self.faults:
                raise self.faults.pop(0)
            if state.fences.get(lease.app) != lease.fence:
                raise errors.LostLease(f"record for {lease.app}: another worker has taken over")
            for fact in facts:
                self._one(state, lease.app, fact)
            newest = _newest(state, lease.app)
            return newest.number if newest else 0

        return self._transaction("record " + ",".join(sorted({type(fact).__name__ for fact in facts})), work)

    def inventory(self, app: AppKey | None = None, cluster: str | None = None) -> Sequence[Managed]:
        def work(state: State) -> list[Managed]:
            return [
                row
                for (owner, _), row in state.rows.items()
                if row.state != "gone" and app in (None, owner) and cluster in (None, row.cluster)
            ]

        return self._transaction("inventory", work)

    # --- inside -----------------------------------------------------------------------------------------------------
    def _transaction(self, label: str, work: Callable[[State], Any]) -> Any:
        self.crash.before(f"journal {label}")
        self.calls.append(label)
        state = self.state.copy()
        answer = work(state)
        self.state = state
        self.crash.after(f"journal {label}")
        return copy.copy(answer) if isinstance(answer, list) else answer

    def _open(self, state: State, request: ReleaseRequest) -> tuple[Release, Revision]:
        newest = _newest(state, request.app)
        number = newest.number if newest else 0
        if number != request.after:
            raise errors.Conflict(
                f"open a release of {request.app}: release {number} was opened meanwhile", code="release.moved"
            )
        revision = self._revision(state, request)
        release = Release(
            id=f"{number + 1:026d}",
            app=request.app,
            number=number + 1,
            revision=revision.number,
            cause=request.cause,
            actor=request.actor,
            outcome="running",
            opened_at=self._clock(),
            reason=request.reason,
            request=request.request,
            lenient=request.lenient,
        )
        state.releases.setdefault(request.app, []).append(release)
        state.requests[request.app, release.number] = request
        data = {"release": release.number, "revision": str(revision)}
        self._event(state, Event("release.opened", str(request.app), request.actor, self._clock(), data, request.app))
        return release, revision

    def _revision(self, state: State, request: ReleaseRequest) -> Revision:
        known = state.revisions.setdefault(request.app, [])
        for revision in known:
            if request.revision == revision.number or (not request.revision and revision.key == request.rendered.key):
                return revision
        if request.revision:
            raise errors.NotFound(f"{request.app} has no revision {request.revision}")
        known.append(Revision(request.app, len(known) + 1, request.rendered.key, self._clock(), request.actor))
        return known[-1]

    def _one(self, state: State, app: AppKey, fact: Fact) -> None:
        if isinstance(fact, ports.ObjectIntended):
            self._supersede(state, app, fact.row.wanted)
            old = state.rows.get((app, fact.row.identity))
            new = fact.row
            if old is not None and old.state != "gone":
                back = {"state": "present" if old.uid else "intended"} if old.state == "deleting" else {}
                new = changed(old, wanted=new.wanted, component=new.component, gc=new.gc, wait=new.wait, **back)
            state.rows[app, new.identity] = new
        elif isinstance(fact, ports.ObjectApplied):
            state.rows[app, fact.row.identity] = fact.row
        elif isinstance(fact, ports.ObjectDeleting):
            self._deleting(state, app, fact)
        elif isinstance(fact, ports.ObjectGone):
            if (row := state.rows.get((app, fact.identity))) is not None:
                state.rows[app, fact.identity] = changed(row, state="gone")
        elif isinstance(fact, ports.ObjectSeen):
            if (row := state.rows.get((app, fact.identity))) is not None:
                seen = {"health": fact.health, "health_reason": fact.reason, "health_since": fact.since}
                state.rows[app, fact.identity] = changed(row, **seen)
        elif isinstance(fact, ports.ReleaseEnded):
            self._supersede(state, app, fact.release)
            self._end(state, app, fact.release, fact.outcome, fact.message, fact.counts)
        else:
            self._event(state, fact.event)

    def _deleting(self, state: State, app: AppKey, fact: ports.ObjectDeleting) -> None:
        row = state.rows.get((app, fact.identity))
        newest = _newest(state, app)
        if newest is not None and newest.number > fact.release:
            raise errors.Conflict(f"release {newest.number} of {app} is newer", code="release.superseded")
        if row is not None and row.wanted >= fact.release:
            raise errors.Conflict(f"{row.ref} is wanted by release {row.wanted}", code="release.superseded")
        if row is not None:
            state.rows[app, fact.identity] = changed(row, state="deleting")

    def _supersede(self, state: State, app: AppKey, number: int) -> None:
        for release in state.releases.get(app, ()):
            if release.number < number and release.outcome in ("running", "partial"):
                self._end(state, app, release.number, "superseded", f"release {number} took its place", {})

    def _end(self, state: State, app: AppKey, number: int, outcome: str, message: str, counts: dict[str, int]) -> None:
        found = state.releases[app]
        for index, release in enumerate(found):
            if release.number == number and release.outcome in ("running", "partial"):
                found[index] = changed(release, outcome=outcome, message=message, counts=counts, ended_at=self._clock())

    def _event(self, state: State, event: Event) -> None:
        state.events.append(changed(event, seq=len(state.events) + 1))


def _newest(state: State, app: AppKey) -> Release | None:
    found = state.releases.get(app)
    return found[-1] if found else None
