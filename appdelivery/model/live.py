"""What a cluster shows: objects as read, the small record kept of each, health, events, facts of the cluster."""

from __future__ import annotations

from appdelivery.model.record import record
from appdelivery.model.refs import Kind, Ref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any

STATES = ("healthy", "progressing", "degraded", "suspended", "missing", "unknown")
WORST_FIRST = ("degraded", "missing", "unknown", "progressing", "suspended", "healthy")


@record
class Health:
    state: str  # one of STATES
    reason: str = ""  # CamelCase, stable
    message: str = ""  # one sentence for people
    terminal: bool = False  # will not change without an intervention
    since: datetime | None = None


@record
class Live:
    """An object as read.  body still has its managedFields."""

    ref: Ref
    body: dict[str, Any]

    @property
    def uid(self) -> str:
        return str(self.body["metadata"].get("uid", ""))

    @property
    def version(self) -> int:
        return int(self.body["metadata"].get("resourceVersion") or 0)


@record
class LiveFact:
    """What we keep of an object (delivery.md section 3); the body is dropped after digesting and judging."""

    ref: Ref
    uid: str
    version: int
    generation: int
    owner: str  # annotation appdelivery.dev/owner, '' = none
    own_digest: str  # '' = we own no field of it
    tree_digest: str
    deleting: bool
    fence: str  # annotation appdelivery.dev/fence
    entry_version: str  # apiVersion of our managedFields entry, '' = none
    owns_replicas: bool  # our entry owns spec.replicas
    managers: tuple[str, ...]  # other managers with entries for the main resource, newest last
    health: Health | None = None
    scales: tuple[str, str] | None = None  # of an autoscaler: (kind, name) of its target
    helm: str = ""  # the Helm release that made it, by its annotation


@record
class KubeEvent:
    type: str  # Normal, Warning
    reason: str
    message: str
    count: int
    at: datetime | None
    ref: Ref | None = None


@record
class Served:
    """One kind a cluster serves, from discovery."""

    kind: Kind
    plural: str
    namespaced: bool
    verbs: frozenset[str]
    subresources: frozenset[str] = frozenset()


@record
class ClusterFacts:
    """What delivery must know about a cluster, and when it was read."""

    name: str
    uid: str  # of namespace kube-system; '' = not readable
    version: str  # v1.36.3
    served: dict[Kind, Served]
    read_at: datetime

    def find(self, group: str, kind: str) -> Served | None:
        """The preferred version of a kind, or None."""
        return next((s for k, s in self.served.items() if (k.group, k.kind) == (group, kind)), None)
