"""One cluster under one identity: its transport, what it serves, and the paths of its objects.

Held by fleet.py; apply.py, reading.py and reflector.py speak to the cluster through it.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING
from urllib.parse import quote

from appdelivery import errors
from appdelivery.clusters import discovery

if TYPE_CHECKING:
    from appdelivery.clusters.transport import Transport
    from appdelivery.model.live import ClusterFacts, Served
    from appdelivery.model.refs import Kind, Ref

PAUSE = 2.0  # seconds between two looks for a kind that was not there


class Cluster:
    def __init__(self, transport: Transport, facts: ClusterFacts | None = None) -> None:
        self.transport = transport
        self.hidden: set[Kind] = set()  # kinds whose cluster-wide lists are forbidden
        self._facts = facts
        self._pages: dict[str, discovery.Page] = {}
        self._lock = asyncio.Lock()
        self._looked_at = float("-inf")

    @property
    def name(self) -> str:
        return self.transport.name

    async def facts(self, *, refresh: bool = False) -> ClusterFacts:
        known = self._facts
        if known is not None and not refresh:
            return known
        async with self._lock:
            if self._facts is None or self._facts is known:  # whoever waited takes what the first one read
                self._facts, self._pages = await discovery.read(self.transport, self._pages)
                self._looked_at = time.monotonic()
            return self._facts

    async def served(self, kind: Kind) -> Served:
        """How the kind is addressed; looks again when it is unknown, because a CRD may have come since."""
        facts = self._facts or await self.facts()
        if (known := facts.served.get(kind)) is not None:
            return known
        if time.monotonic() - self._looked_at >= PAUSE:
            facts = await self.facts(refresh=True)
        if kind not in facts.served:
            others = sorted({k.version for k in facts.served if (k.group, k.kind) == (kind.group, kind.kind)})
            hint = f"it serves {', '.join(others)} of this kind" if others else "its CRD is not installed"
            raise errors.NotServed(f"cluster {self.name} ({facts.version}) does not serve {kind}", hint=hint)
        return facts.served[kind]

    async def collection(self, kind: Kind, namespace: str = "") -> str:
        return _collection(await self.served(kind), namespace)

    async def path(self, ref: Ref) -> str:
        served = await self.served(ref.of)
        if served.namespaced and not ref.namespace:
            raise errors.Rejected(
                f"{ref} on cluster {self.name} needs a namespace", code="cluster.needs-namespace", status=400
            )
        return f"{_collection(served, ref.namespace)}/{quote(ref.name, safe='')}"


def _collection(served: Served, namespace: str) -> str:
    kind = served.kind
    base = f"/apis/{kind.api_version}" if kind.group else f"/api/{kind.version}"
    inside = f"/namespaces/{quote(namespace, safe='')}" if namespace and served.namespaced else ""
    return f"{base}{inside}/{served.plural}"
