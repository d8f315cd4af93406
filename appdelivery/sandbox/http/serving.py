"""`Serving`: what the parts of the protocol share while one cluster is served."""

from __future__ import annotations

from dataclasses import dataclass, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from appdelivery.sandbox.cluster import Cluster
    from appdelivery.sandbox.http.access import Access
    from appdelivery.sandbox.http.hubs import Hub
    from appdelivery.sandbox.http.requests import Request
    from appdelivery.sandbox.kinds import Family


@dataclass(slots=True)
class Serving:
    """hubs: of the collections that are watched.  documents: discovery and OpenAPI, by name, for one revision of kinds."""

    cluster: Cluster
    access: Access
    hubs: dict[Family, Hub] = field(default_factory=dict)
    documents: dict[Any, Any] = field(default_factory=dict)
    revision: int = -1


@dataclass(frozen=True, slots=True)
class Call:
    """One request that was admitted.  body: as it came, empty for those that have none.  stale: revisions to answer behind."""

    serving: Serving
    request: Request
    body: bytes = b""
    stale: int = 0

    @property
    def cluster(self) -> Cluster:
        return self.serving.cluster
