"""FakeJournal: the Protocol `delivery.ports.Journal` in memory, one method one transaction, with a crash point at each call."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from fakes.crash import CrashPoints
from fakes.journal_runs import Runs

from appdelivery import errors
from appdelivery.delivery import ports
from appdelivery.model.history import Event, Lease, Managed, Release, Revision
from appdelivery.model.record import changed
from appdelivery.model.run import ENDED, WorkKey

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from appdelivery.delivery.ports import Fact, Identity, Installation, ReleaseRequest
    from appdelivery.model.refs import AppKey
    from appdelivery.model.run import Effect, Run, Signal

LIVING = timedelta(seconds=30)
RUN_FACTS = (
    ports.RunMoved,
    ports.StepMoved,
    ports.StepsReset,
    ports.AttemptMoved,
    ports.EffectNoted,
    ports.SignalConsumed,
)


@dataclass(frozen=True)
class Item:
    """A work item."""

    generation: int = 0
    due_at: datetime | None = None
    priority: int = 1
    owner: str = ""
    until: datetime | None = None
    fence: int = 0
    failures: int = 0
    error: str = ""


@dataclass
class State:
    """What is committed; a transaction works on a copy."""

    rows: dict[tuple[AppKey, Identity], Managed] = field(default_factory=dict)
    releases: dict[AppKey, list[Release]] = field(default_factory=dict)
    revisions: dict[AppKey, list[Revision]] = field(default_factory=dict)
    requests: dict[tuple[AppKey, int], ReleaseRequest] = field(default_factory=dict)  # by release number
    events: list[Event] = field(default_factory=list)
    items: dict[WorkKey, Item] = field(default_factory=dict)
    runs: Runs = field(default_factory=Runs)

    def copy(self) -> State:
        return State(
            dict(self.rows),
            {app: list(found) for app, found in self.releases.items()},
            {app: list(found) for app, found in self.revisions.items()},
            dict(self.requests),
            list(self.events),
            dict(self.items),
            self.runs.copy(),
        )


class FakeJournal:
    def __init__(
        self,
        *,
        clock: Callable[[], datetime] = lambda: datetime(2026, 1, 1, 12, tzinfo=UTC),
        crash: CrashPoints | None = None,
        installation: Installation | None = None,
        alive: Callable[[str], bool | None] = lambda _: None,
    ) -> None:
        self.state = State()
        self.crash = crash or CrashPoints()
        self.calls: list[str] = []
        self.faults: list[Exception] = []  # raised by the next calls of record, one each
        self._clock = clock
        self._alive = alive
        self._installation = installation or ports.Installation("0a1b2c3d" * 4, b"key of the tests")

    # --- the Protocol -----------------------------------------------------------------------------------------------
    def installation(self) -> Installation:
        return self._installation

    def heartbeat(self, me: ports.Worker) -> Sequence[ports.Worker]:
        def work(state: State) -> list[ports.Worker]:
            state.runs.workers[me.id] = changed(me, seen_at=self._clock())
            found = sorted(state.runs.workers.values(), key=lambda one: one.id)
            since = self._clock() - LIVING
            return [one for one in found if one.seen_at > since and (one.id == me.id or self._alive(one.id) is not False)]

        return self._transaction("heartbeat", work)

    def due(self, now: datetime | None, kinds: Collection[str], limit: int) -> Sequence[WorkKey]:
        def work(state: State) -> list[WorkKey]:
            asked = now or self._clock()
            found = [
                (item.priority, item.due_at, str(key), key)
                for key, item in state.items.items()
                if key.kind in kinds and item.due_at is not None and item.due_at <= asked and not self._held(item, asked)
            ]
            return [key for *_, key in sorted(found)[:limit]]

        return self._transaction("due", work)

    def claim(self, key: WorkKey, worker: str, lease_s: float) -> Lease | None:
        def work(state: State) -> Lease | None:
            item = state.items.get(key, Item())
            if item.owner != worker and self._held(item, self._clock()):
                return None
            until = self._clock() + timedelta(seconds=lease_s)
            state.items[key] = replace(item, owner=worker, until=until, fence=item.fence + 1)
            return Lease(key, worker, item.fence + 1, until, item.generation)

        return self._transaction("claim", work)

    def renew(self, lease: Lease, lease_s: float) -> Lease | None:
        def work(state: State) -> Lease | None:
            item = state.items.get(lease.key, Item())
            if item.fence != lease.fence or item.owner != lease.worker:
                return None
            until = self._clock() + timedelta(seconds=lease_s)
            state.items[lease.key] = replace(item, until=until)
            return changed(lease, until=until)

        return self._transaction("renew", work)

    def release(self, lease: Lease, due_at: datetime | None = None, *, error: str = "") -> None:
        def work(state: State) -> None:
            item = state.items.get(lease.key, Item())
            if item.fence != lease.fence:
                return
            failures, due = 0, due_at
            if error:
                failures = item.failures + 1
                due = self._clock() + timedelta(seconds=min(2.0 ** (failures - 1), 300))
            woken = item.generation != lease.generation
            state.items[lease.key] = replace(
                item,
                owner="",
                until=None,
                due_at=item.due_at if woken else due,
                priority=item.priority if woken else 1,
                failures=failures,
                error=error,
            )

        self._transaction("release", work)

    def work(self, key: WorkKey) -> ports.Work:
        def look(state: State) -> ports.Work:
            newest = next((found[-1].number for app, found in state.releases.items() if f"{app}" == key.id), 0)
            generation = state.items.get(key, Item()).generation
            run, is_newest = state.runs.of(key)
            empty = ports.Work(key, self._clock(), generation, newest=newest if key.kind == "app" else 0)
            if run is None:
                return empty
            steps = sorted((s for (of, _), s in state.runs.steps.items() if of == run.id), key=lambda s: (s.ordinal, s.name))
            given = state.runs.unheeded(run, newest=is_newest)
            return changed(empty, run=run, steps=tuple(steps), signals=given)

        return self._transaction("work", look)

    def open_run(self, request: ports.RunRequest) -> Run:
        def work(state: State) -> Run:
            run, event = state.runs.add(request, self._clock())
            self._event(state, event)
            self._wake(state, run.key, priority=0)
            return run

        return self._transaction("open_run", work)

    def signal(self, to: AppKey | str, signal: Signal) -> None:
        def work(state: State) -> None:
            key, event = state.runs.give(to, signal, set(state.releases), self._clock())
            self._event(state, event)
            self._wake(state, key, priority=0)

        self._transaction("signal", work)

    def effect(self, run: str, step: str, key: str) -> Effect | None:
        return self._transaction("effect", lambda state: state.runs.effects.get((run, step, key)))

    def newest(self, app: AppKey) -> Release | None:
        return self._transaction("newest", lambda state: _newest(state, app))

    def open_release(self, request: ReleaseRequest, run: ports.RunRequest | None = None) -> tuple[Release, Revision]:
        def work(state: State) -> tuple[Release, Revision]:
            opened, revision = self._open(state, request)
            if run is not None:
                _, event = state.runs.add(run, self._clock(), request.app, opened.number)
                self._event(state, event)
            self._wake(state, WorkKey("app", str(request.app)), priority=0 if request.cause == "user" else 1)
            return opened, revision

        return self._transaction("open_release", work)

    def record(self, lease: Lease, facts: Sequence[Fact]) -> int:
        def work(state: State) -> int:
            if self.faults:
                raise self.faults.pop(0)
            if state.items.get(lease.key, Item()).fence != lease.fence:
                raise errors.LostLease(f"record the work on {lease.key}: another worker has taken over")
            for fact in facts:
                self._one(state, lease, fact)
            newest = _newest(state, lease.app) if lease.key.kind == "app" else None
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

    def _held(self, item: Item, now: datetime) -> bool:
        return item.until is not None and item.until > now and self._alive(item.owner) is not False

    def _wake(self, state: State, key: WorkKey, *, priority: int = 1) -> None:
        item, now = state.items.get(key, Item()), self._clock()
        due, urgency = now, priority
        if item.due_at is not None:
            due, urgency = min(item.due_at, now), min(item.priority, priority)
        state.items[key] = replace(item, generation=item.generation + 1, due_at=due, priority=urgency)

    def _one(self, state: State, lease: Lease, fact: Fact) -> None:
        if isinstance(fact, RUN_FACTS):
            self._reopen(state, lease, fact)
            for event in state.runs.take(lease.key, fact, self._clock()):
                self._event(state, event)
        elif isinstance(fact, ports.Woken):
            self._wake(state, fact.key)
        elif isinstance(fact, ports.EventAdded):
            self._event(state, fact.event)
        else:
            self._delivered(state, lease.app, fact)

    def _reopen(self, state: State, lease: Lease, fact: Fact) -> None:
        """The release of a run that goes on after its end goes on too."""
        if not isinstance(fact, ports.RunMoved) or fact.run.state in ENDED or lease.key.kind != "app":
            return
        before = state.runs.runs.get(fact.run.id)
        if before is None or before.state not in ENDED:
            return
        found = state.releases.get(lease.app, [])
        for index, release in enumerate(found):
            if release.number == before.release and release.outcome not in ("running", "partial", "superseded"):
                found[index] = changed(release, outcome="running", message="", counts=None, ended_at=None)

    def _delivered(self, state: State, app: AppKey, fact: Fact) -> None:
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
            raise errors.Bug(f"record does not know the fact {type(fact).__name__}")

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
