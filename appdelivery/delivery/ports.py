"""The two Protocols through which delivery reaches the world, with the values that only they carry.

Fleet is implemented by clusters, Journal by store; both have in-memory fakes in tests/fakes that pass the same
contract suite.  Neither leaks a library's exception: only families of errors.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from appdelivery.model.history import Managed
from appdelivery.model.record import record

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
    from datetime import datetime

    from appdelivery.model.change import Plan
    from appdelivery.model.history import Actor, Event, Lease, Release, Revision
    from appdelivery.model.live import ClusterFacts, Health, KubeEvent, Live, LiveFact
    from appdelivery.model.manifest import Rendered
    from appdelivery.model.refs import AppKey, Kind, Ref, Selector
    from appdelivery.model.run import Attempt, Effect, Run, Signal, StepState, WorkKey
    from appdelivery.model.secret import Secret, SecretRef

    Identity = tuple[str, tuple[str, str, str, str]]  # cluster, (group, kind, namespace, name)
    Bare = tuple[tuple[str, ...], ...]

    Judge = Callable[["Live"], "Health"]  # fills LiveFact.health
    BareOf = Callable[[str, "Ref"], Bare]  # (cluster, ref): paths where we wrote {}
    ManagerOf = Callable[["dict[str, Any]"], str]  # metadata of an object to the field manager that is ours
    ResolveSecret = Callable[["SecretRef"], Awaitable["Secret"]]


@record
class ApplyOptions:
    """How one object is written.  The request is one server-side apply unless `mode` says replace (PUT)."""

    manager: str
    force: bool = False
    dry_run: bool = False
    mode: str = "apply"  # apply, replace
    leave_out: tuple[str, ...] = ()  # field paths (model.fieldpath) removed from the body before sending
    expect_version: int = 0  # resourceVersion the write is conditional on; 0 = none
    known_version: int = 0  # resourceVersion last seen; the answer's being equal means that nothing was written; 0 = none
    absorb: tuple[str, ...] = ()  # legacy managers (globs) whose entries lose our fields afterwards


@record
class Applied:
    """What the server did.  body is its answer, managedFields included."""

    result: str  # created, configured, unchanged
    uid: str
    version: int
    generation: int
    own_digest: str
    tree_digest: str
    bare: Bare
    body: dict[str, Any]
    requests: int = 1


@record
class DeleteOptions:
    uid: str = ""  # precondition
    version: int = 0  # precondition resourceVersion; 0 = none
    propagation: str = "Background"  # Background, Foreground, Orphan
    dry_run: bool = False


@record
class LogOptions:
    container: str = ""
    follow: bool = False
    previous: bool = False
    tail: int = 0  # lines; 0 = all
    since_s: int = 0


@record
class Observed:
    """One event of a watch: kind is seen, gone or resync (after a gap: every object of `of` was reported anew)."""

    kind: str
    of: Kind
    fact: LiveFact | None = None
    live: Live | None = None  # only for kinds watched with bodies


class Fleet(Protocol):
    """The clusters, under one identity.  Reads raise Forbidden or NotServed per kind, Unreachable or Unauthorized per cluster."""

    async def facts(self, cluster: str, *, refresh: bool = False) -> ClusterFacts: ...

    async def read(self, cluster: str, refs: Sequence[Ref]) -> Mapping[Ref, Live]:
        """Objects that exist; absent ones are left out."""

    async def list(self, cluster: str, kind: Kind, namespace: str, selector: Selector) -> Sequence[Live]:
        """Bounded to 500; namespace '' = all."""

    async def owned(
        self, cluster: str, kinds: Mapping[Kind, int], namespaces: Sequence[str], app: AppKey | None = None
    ) -> Mapping[Kind, Sequence[LiveFact] | Exception]:
        """One LIST per kind by our instance label (and the application's), not older than the given resourceVersion
        (0 = any); per namespace where cluster-wide lists are forbidden.  A kind that cannot be read maps to its error."""

    async def apply(self, cluster: str, ref: Ref, body: dict[str, Any], how: ApplyOptions) -> Applied:
        """Raises FieldConflict, Stale, Rejected, Missing, NotServed, Forbidden, Throttled, Unreachable, TimedOut."""

    async def delete(self, cluster: str, ref: Ref, how: DeleteOptions) -> str:
        """'deleted', 'deleting' (finalizers or foreground) or 'absent'.  Stale when a precondition does not hold."""

    async def fact_of(self, cluster: str, live: Live) -> LiveFact:
        """The record of an object that was read whole."""

    async def events(self, cluster: str, ref: Ref, limit: int) -> Sequence[KubeEvent]:
        """Newest first."""

    def logs(self, cluster: str, pod: Ref, how: LogOptions) -> AsyncIterator[str]: ...

    def watch(
        self, cluster: str, kinds: Sequence[Kind], namespaces: Sequence[str], selector: Selector
    ) -> AsyncIterator[Observed]:
        """Starts with what is there, then a resync per kind, then changes, for ever.  Never misses silently."""


@record
class Installation:
    id: str  # 32 hex; the first 8 are the object label
    digest_key: bytes

    @property
    def label(self) -> str:
        return self.id[:8]


@dataclass(frozen=True, slots=True)
class ReleaseRequest:
    """Everything that opening a release keeps.  `after` is the newest release number the plan saw: another value is a Conflict."""

    app: AppKey
    document: dict[str, Any]
    rendered: Rendered
    plan: Plan
    desired: tuple[tuple[str, str, dict[str, Any], dict[str, Any]], ...]  # digest, component, origin tree, body
    actor: Actor
    cause: str
    after: int
    request: str = "apply"  # apply, delete
    reason: str = ""
    cause_ref: str = ""  # of a rollback: the revision number
    context: dict[str, Any] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    lenient: bool = False
    revision: int = 0  # of a rollback or delete: use this stored revision


@record
class RunRequest:
    """A run to be opened.  run.release and run.started_at are the journal's to say; document: of a WorkflowRun."""

    run: Run
    steps: tuple[StepState, ...]
    actor: Actor
    document: dict[str, Any] | None = None


@record
class Work:
    """What one look at a work item finds; everything as of one moment.

    run: the oldest that has not ended, so that an older one is superseded before a newer one starts; else the newest;
    None where there never was one.  Where its format is newer than ours, its spec has no steps.  signals: unconsumed, in
    the order of their ids; those given to an application are its newest run's.  Values of secret outputs, and of what was
    made of them, are Secrets.  generation: give it to the lease before releasing it, when the signals were heeded.
    """

    key: WorkKey
    now: datetime  # by the store's clock
    generation: int
    run: Run | None = None
    steps: tuple[StepState, ...] = ()
    signals: tuple[Signal, ...] = ()
    newest: int = 0  # number of the application's newest release


@record
class Worker:
    """A living process.  id: HOST:PID:START; program: its version."""

    id: str
    roles: tuple[str, ...]
    program: str
    started_at: datetime
    load: Mapping[str, Any] = {}
    seen_at: datetime | None = None


# The facts one `record` may hold; all of a call commit together.
@record
class ObjectIntended:
    """The row before the first apply.  An existing row keeps what it knows and gets the new `wanted`, component, gc, wait."""

    row: Managed


@record
class ObjectApplied:
    row: Managed  # state present


@record
class ObjectDeleting:
    """Intent to delete.  The journal refuses (Conflict, code release.superseded) when a newer release than `release` exists
    or the row's `wanted` is not older than it (guard G1)."""

    identity: Identity
    release: int


@record
class ObjectGone:
    identity: Identity
    why: str  # deleted, absent, released


@record
class ObjectSeen:
    identity: Identity
    health: str
    reason: str
    since: datetime | None
    own_digest: str = ""
    version: int = 0
    drift: str = "none"  # none, changed, missing


@record
class ReleaseEnded:
    release: int
    outcome: str
    message: str
    counts: dict[str, int]


@record
class EventAdded:
    event: Event


@record
class RunMoved:
    """The run as it is now.  Its spec, context and release never change."""

    run: Run


@record
class StepMoved:
    """The step as it is now; a row that was not there (an item of a foreach) is made."""

    run: str
    state: StepState


@record
class StepsReset:
    """Back to the beginning: outputs, effects and times go, items of a foreach wholly; the count of attempts goes on."""

    run: str
    names: tuple[str, ...]


@record
class AttemptMoved:
    """Noted when it starts and once more when it has ended; an ended one never changes."""

    run: str
    attempt: Attempt


@record
class EffectNoted:
    """Before the call without, after it with its result; a result never changes."""

    run: str
    effect: Effect


@record
class SignalConsumed:
    id: str


@record
class Woken:
    """Another work item that has something to do now."""

    key: WorkKey


Fact = (
    ObjectIntended
    | ObjectApplied
    | ObjectDeleting
    | ObjectGone
    | ObjectSeen
    | ReleaseEnded
    | EventAdded
    | RunMoved
    | StepMoved
    | StepsReset
    | AttemptMoved
    | EffectNoted
    | SignalConsumed
    | Woken
)


class Journal(Protocol):
    """What happened and what is to happen.  Sync; one method = one transaction."""

    def installation(self) -> Installation: ...

    def heartbeat(self, me: Worker) -> Sequence[Worker]:
        """The living workers, this one among them."""

    def due(self, now: datetime | None, kinds: Collection[str], limit: int) -> Sequence[WorkKey]:
        """What waits for a worker: most urgent first, then longest due.  now None = the store's clock."""

    def claim(self, key: WorkKey, worker: str, lease_s: float) -> Lease | None:
        """None while a living worker holds it.  Every claim raises the fence."""

    def renew(self, lease: Lease, lease_s: float) -> Lease | None:
        """None when the fence is no longer the current one."""

    def release(self, lease: Lease, due_at: datetime | None = None, *, error: str = "") -> None:
        """due_at None = asleep until woken.  What was woken since the claim is due at once.  error: the pass raised; the
        item is due again after a while that doubles from 1 s to 300 s."""

    def work(self, key: WorkKey) -> Work: ...

    def newest(self, app: AppKey) -> Release | None:
        """The newest release, whatever its outcome."""

    def open_release(self, request: ReleaseRequest, run: RunRequest | None = None) -> tuple[Release, Revision]:
        """Application row, revision by key or new, blobs, plan, run, event, wake: one transaction.  An older running
        release of the application is superseded by the first record of the new one's worker."""

    def open_run(self, request: RunRequest) -> Run:
        """A run without application: run, steps, event, wake."""

    def signal(self, to: AppKey | str, signal: Signal) -> None:
        """To an application or, by its id, to a run: row, event and wake.  NotFound where there is none."""

    def effect(self, run: str, step: str, key: str) -> Effect | None: ...

    def record(self, lease: Lease, facts: Sequence[Fact]) -> int:
        """All or nothing; LostLease when the fence is not current.  Answers the application's newest release number."""

    def inventory(self, app: AppKey | None = None, cluster: str | None = None) -> Sequence[Managed]:
        """Rows in any state but gone."""
