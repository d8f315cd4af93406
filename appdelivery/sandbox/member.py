"""`Member`: one cluster of a running sandbox with everything around it: protocol, access, faults, controllers, traffic.

Works without a network too: tests call `member.app` in process, and `settle` where a server has tasks.
"""

from __future__ import annotations

import asyncio

from appdelivery.sandbox import clock, controllers, storage
from appdelivery.sandbox.cluster import Cluster
from appdelivery.sandbox.controllers import objects
from appdelivery.sandbox.faults.faults import Faults
from appdelivery.sandbox.http.access import Access, Identity, administrator
from appdelivery.sandbox.http.app import App
from appdelivery.sandbox.http.requests import RequestLog
from appdelivery.sandbox.traffic.endpoint import Endpoint
from appdelivery.sandbox.traffic.model import Traffic
from appdelivery.sandbox.writes import customs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from appdelivery.sandbox.http.answers import ASGI
    from appdelivery.sandbox.storage import Body

USUAL = 0.3  # of what a pod requests: an autoscaler with no script has something to measure
SYSTEM = "kube-system"
QUERIES = "/api/v1/query"
MOMENT = 0.5  # seconds in which changes of the traffic are gathered


class Setup:
    """What a cluster begins with.

    uid: of the namespace kube-system, by which clients know a cluster again; '' = any.  tokens: by user.
    """

    __slots__ = ("certificate", "name", "nodes", "seed", "tokens", "uid")

    def __init__(
        self,
        name: str,
        *,
        nodes: Sequence[Body] = (),
        uid: str = "",
        tokens: Mapping[str, str] | None = None,
        certificate: str = "",
        seed: int = 0,
    ) -> None:
        self.name = name
        self.nodes = nodes
        self.uid = uid
        self.tokens = dict(tokens or {})
        self.certificate = certificate
        self.seed = seed


class Member:
    def __init__(
        self,
        setup: Setup,
        *,
        restore: Callable[[Cluster], None] | None = None,
        speed: float = 1.0,
        more: Mapping[str, ASGI] | None = None,
        on_partition: Callable[[], None] | None = None,
        soon: Callable[[Callable[[], None]], object] | None = None,
    ) -> None:
        """restore: fills the cluster from a state file.  more: applications beside the
        protocol, by path prefix."""
        self.setup = setup
        self.cluster = Cluster(setup.name, clock=clock.Clock(speed))
        if restore is not None:
            restore(self.cluster)
        _serve_custom_kinds(self.cluster)
        if setup.uid and self.cluster.storage.family(objects.NAMESPACES).get(("", SYSTEM)) is None:
            self.cluster.storage.commit(storage.ADDED, objects.NAMESPACES, _system(setup.uid, self.cluster.clock.stamp()))
        self.controllers = controllers.start(self.cluster, nodes=setup.nodes, seed=setup.seed, certificate=setup.certificate)
        self.controllers.figures.usual = USUAL
        self.access = Access(identities(setup.tokens))
        self.faults = Faults(setup.seed, cluster=setup.name, clock=self.cluster.clock, on_partition=on_partition)
        self.log = RequestLog()
        self.traffic = Traffic(self.cluster, soon=soon)
        queries = known_only(self.access, Endpoint(self.traffic))
        self.app = App(
            self.cluster, access=self.access, faults=self.faults, log=self.log, more={**(more or {}), QUERIES: queries}
        )

    @property
    def name(self) -> str:
        return self.cluster.name

    async def run(self) -> None:
        """Time and controllers, until it is cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.cluster.clock.run())
            group.create_task(self.controllers.run())

    def login(self, token: str) -> None:
        """A new token for the administrator; those of before stay good, unless a login fault says otherwise."""
        self.access.tokens[token] = administrator()
        self.faults.renewed(token)

    def shown(self) -> dict[str, Any]:
        counts = {
            f"{plural}.{group}" if group else plural: len(kept) for (group, plural), kept in self.cluster.storage.families()
        }
        return {
            "name": self.name,
            "version": self.cluster.version["gitVersion"],
            "speed": self.cluster.clock.speed,
            "nodes": counts.get("nodes", 0),
            "pods": counts.get("pods", 0),
            "objects": sum(counts.values()),
            "requests": self.log.total,
            "faults": len(self.faults.listed()),
        }


def identities(tokens: Mapping[str, str]) -> dict[str, Identity]:
    """tokens: user to token; `admin` may do everything, everybody else nothing until rules are set."""
    return {token: administrator(user) if user == "admin" else Identity(user) for user, token in tokens.items()}


def bearer(scope: Mapping[str, Any]) -> str:
    given = next((value for name, value in scope["headers"] if name == b"authorization"), b"").decode("latin-1")
    kind, _, token = given.partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def known_only(access: Access, inner: ASGI) -> ASGI:
    """Lets whoever has a token of this cluster through."""

    async def asked(scope: Any, receive: Any, send: Any) -> None:
        if access.tokens and access.of(bearer(scope)) is None:
            headers = [(b"content-type", b"text/plain"), (b"content-length", b"13"), (b"www-authenticate", b"Bearer")]
            await send({"type": "http.response.start", "status": 401, "headers": headers})
            await send({"type": "http.response.body", "body": b"Unauthorized\n"})
            return
        await inner(scope, receive, send)

    return asked


def _serve_custom_kinds(cluster: Cluster) -> None:
    """What restored definitions state; those that were not established yet go on with it."""
    kind = cluster.kind("apiextensions.k8s.io/v1", "CustomResourceDefinition")
    for item in cluster.collection(kind).items():
        if customs.is_established(item.body):
            customs.serve(cluster, item.body)
        else:
            customs.committed(cluster, kind, item.body)


def _system(uid: str, stamp: str) -> Body:
    labels = {"kubernetes.io/metadata.name": SYSTEM}
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": SYSTEM, "uid": uid, "creationTimestamp": stamp, "labels": labels},
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    }
