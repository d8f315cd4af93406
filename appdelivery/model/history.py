"""What is kept: actors, revisions, releases, inventory, events, leases."""

from __future__ import annotations

from appdelivery.model.record import record
from appdelivery.model.refs import AppKey, Ref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any

    from appdelivery.model.run import WorkKey

OUTCOMES = ("running", "partial", "succeeded", "failed", "terminated", "superseded")
CAUSES = ("user", "source", "definition", "rollback", "retry", "trigger", "drift", "move", "import")


@record
class Actor:
    kind: str  # user, token, source, system
    name: str  # ana@laptop
    via: str  # cli, api, gitops

    def __str__(self) -> str:
        return self.name


@record
class Revision:
    """Content: printed APP-vN.  Rows never change."""

    app: AppKey
    number: int
    key: str
    created_at: datetime
    created_by: Actor

    def __str__(self) -> str:
        return f"{self.app.name}-v{self.number}"


@record
class Release:
    """An act of delivery.  number counts per application; id is a ULID."""

    id: str
    app: AppKey
    number: int
    revision: int
    cause: str  # one of CAUSES
    actor: Actor
    outcome: str  # one of OUTCOMES
    opened_at: datetime
    ended_at: datetime | None = None
    reason: str = ""  # --reason
    message: str = ""  # how it ended, one sentence
    counts: dict[str, int] | None = None
    request: str = "apply"  # apply, delete
    lenient: bool = False
    options: dict[str, Any] | None = None  # how it was asked for: cluster, wait, consent


@record
class Managed:
    """One row of the inventory (delivery.md section 8).  Digests are hex; times are aware."""

    app: AppKey
    cluster: str
    ref: Ref  # at the version last written
    component: str
    origin: str
    mode: str  # owned, shared-writer, shared-observer, read-only
    state: str  # intended, present, deleting, gone
    wanted: int  # newest release number whose desired set holds the object
    release: int  # number of the release that wrote it last
    revision: int
    fence: int
    uid: str = ""
    desired_digest: str = ""
    applied_digest: str = ""
    tree_digest: str = ""
    digest_form: int = 0
    generation: int = 0
    resource_version: int = 0
    bare: tuple[tuple[str, ...], ...] = ()  # fieldsV1 key paths where we wrote {}
    yielded: tuple[tuple[str, str, str], ...] = ()  # (field path, manager, our value as JSON)
    gc: str = "onAppUpdate"  # onAppUpdate, onAppDelete, never
    propagation: str = ""  # '' = by kind, orphan, cascading
    wait: str = "required"  # required, optional, none: whether the application is as healthy as this object
    health: str = "unknown"
    health_reason: str = ""
    health_since: datetime | None = None

    @property
    def identity(self) -> tuple[str, tuple[str, str, str, str]]:
        return self.cluster, self.ref.identity


@record
class Event:
    """A line of the append-only feed; seq is 0 until stored."""

    kind: str  # release.opened, release.ended, object.changed, health.changed, drift.found, ...
    subject: str
    actor: Actor
    at: datetime
    data: dict[str, Any]
    app: AppKey | None = None
    seq: int = 0


@record
class Lease:
    """The right to write for one work item, until `until` by the store's clock; fence never goes back.

    generation: how often the item had been woken when it was claimed; a wake since then outlives the release.
    """

    key: WorkKey
    worker: str
    fence: int
    until: datetime
    generation: int = 0

    @property
    def app(self) -> AppKey:
        """Of a lease for an application."""
        namespace, _, name = self.key.id.partition("/")
        return AppKey(namespace, name)


@record
class Summary:
    """One line of `list`: an application with what its rows add up to."""

    app: AppKey
    labels: dict[str, str]
    revision: int
    release: int
    outcome: str
    health: str
    message: str
    clusters_ready: int
    clusters_total: int
    objects: int
    updated_at: datetime
    created_at: datetime
