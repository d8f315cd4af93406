"""What tests of a Fleet work with: objects of one application in a namespace of their own, and foreign writers.

The same `Lab` stands on the in-memory fake and on a real cluster; `Kube`, the foreign writer that knows every verb, exists
on real ones only.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import support

from appdelivery.clusters import fleet, kubeconfig, transport, wire
from appdelivery.delivery.ports import Applied, ApplyOptions
from appdelivery.model import marks
from appdelivery.model.refs import AppKey, Kind, Selector, ref_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from appdelivery.delivery.ports import Fleet, Observed
    from appdelivery.model.live import Live

INSTANCE = "0a1b2c3d"
CONFIG_MAP = Kind("", "v1", "ConfigMap")
DEPLOYMENT = Kind("apps", "v1", "Deployment")


@dataclass
class Lab:
    fleet: Fleet
    cluster: str
    namespace: str
    sent: list[transport.Sent] = field(default_factory=list)  # requests, on real clusters
    kube: Kube | None = None

    @property
    def app(self) -> AppKey:
        return AppKey(self.namespace, "shop")

    @property
    def manager(self) -> str:
        return marks.manager_of(self.app)

    def object(self, api_version: str, kind: str, name: str, *, cluster_scoped: bool = False, **rest: Any) -> dict[str, Any]:
        """A manifest as delivery sends it: with the marks of this application."""
        metadata: dict[str, Any] = {"name": name} | ({} if cluster_scoped else {"namespace": self.namespace})
        body = {"apiVersion": api_version, "kind": kind, "metadata": metadata, **copy.deepcopy(rest)}
        metadata["labels"] = {
            marks.INSTANCE: INSTANCE,
            marks.NAME: self.app.name,
            marks.NAMESPACE: self.app.namespace,
            marks.COMPONENT: "web",
        }
        metadata["annotations"] = {marks.OWNER: marks.owner_mark(INSTANCE, self.app, ref_of(body)), marks.FENCE: "1.1"}
        return body

    def config(self, name: str = "web", **data: str) -> dict[str, Any]:
        return self.object("v1", "ConfigMap", name, data=data or {"a": "1", "b": "2"})

    def deployment(self, name: str = "web", *, replicas: int | None = 1, **pod: Any) -> dict[str, Any]:
        container = {"name": "app", "image": "registry.example/app:1", "env": [{"name": "A", "value": "1"}]}
        spec: dict[str, Any] = {
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container], **pod}},
        }
        return self.object("apps/v1", "Deployment", name, spec=spec | ({} if replicas is None else {"replicas": replicas}))

    async def apply(self, body: dict[str, Any], manager: str = "", **how: Any) -> Applied:
        options = ApplyOptions(manager or self.manager, **how)
        return await self.fleet.apply(self.cluster, ref_of(body), body, options)

    async def foreign(self, body: dict[str, Any], manager: str = "someone", **rest: Any) -> Applied:
        """Another tool's server-side apply of an object's identity with other content."""
        metadata = {key: body["metadata"][key] for key in ("name", "namespace") if key in body["metadata"]}
        metadata |= rest.pop("metadata", {})
        bare = {"apiVersion": body["apiVersion"], "kind": body["kind"], "metadata": metadata, **rest}
        return await self.apply(bare, manager, force=True)

    async def live(self, body: dict[str, Any]) -> Live:
        ref = ref_of(body)
        return (await self.fleet.read(self.cluster, [ref]))[ref]

    async def own_digest(self, body: dict[str, Any]) -> str:
        return (await self.fleet.fact_of(self.cluster, await self.live(body))).own_digest

    @contextlib.asynccontextmanager
    async def watching(self, *kinds: Kind) -> AsyncIterator[Watching]:
        """What a watch of this application's objects shows, event by event."""
        watch = self.fleet.watch(self.cluster, kinds, [self.namespace], Selector(labels=f"{marks.INSTANCE}={INSTANCE}"))
        async with contextlib.aclosing(watch) as stream:  # type: ignore[type-var]
            yield Watching(stream)


@dataclass
class Watching:
    stream: AsyncIterator[Observed]
    seen: list[Observed] = field(default_factory=list)

    async def until(self, condition: Callable[[Observed], bool], seconds: float = 20) -> Observed:
        try:
            async with asyncio.timeout(seconds * support.SCALE):
                async for one in self.stream:
                    self.seen.append(one)
                    if condition(one):
                        return one
        except TimeoutError:
            names = [(one.kind, one.fact and one.fact.ref.name) for one in self.seen]
            raise AssertionError(f"the watch did not show it within {seconds} s; it showed {names}") from None
        raise AssertionError("the watch ended")


class Kube:
    """A foreign writer: any verb, any manager, subresources, without a field that says it was us."""

    def __init__(self, connection: transport.Transport) -> None:
        self._transport = connection
        self._paths: dict[tuple[str, str], tuple[str, bool]] = {}

    async def send(
        self,
        verb: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = transport.JSON,
        **query: str,
    ) -> Any:
        raw = None if body is None else wire.dumps(body)
        answer = await self._transport.request(
            verb, path, raw, doing=f"{verb} {path}", query=query, content_type=content_type
        )
        return answer.body

    async def path(self, body: dict[str, Any], sub: str = "", version: str = "") -> str:
        api_version = version or body["apiVersion"]
        key = (api_version, body["kind"])
        base = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
        if key not in self._paths:
            for one in (await self.send("GET", base))["resources"]:
                if "/" not in one["name"]:
                    self._paths[api_version, one["kind"]] = one["name"], one["namespaced"]
        plural, namespaced = self._paths[key]
        inside = f"/namespaces/{body['metadata']['namespace']}" if namespaced else ""
        return f"{base}{inside}/{plural}/{body['metadata']['name']}" + (f"/{sub}" if sub else "")

    async def get(self, body: dict[str, Any], version: str = "") -> dict[str, Any]:
        return await self.send("GET", await self.path(body, version=version))

    async def create(self, body: dict[str, Any], manager: str = "someone") -> dict[str, Any]:
        path = (await self.path(body)).rpartition("/")[0]
        return await self.send("POST", path, body, fieldManager=manager)

    async def merge(
        self, body: dict[str, Any], change: Any, manager: str = "someone", sub: str = "", version: str = ""
    ) -> dict[str, Any]:
        path = await self.path(body, sub, version)
        return await self.send("PATCH", path, change, content_type=transport.MERGE_PATCH, fieldManager=manager)

    async def json_patch(self, body: dict[str, Any], change: Any, manager: str = "someone") -> dict[str, Any]:
        return await self.send(
            "PATCH", await self.path(body), change, content_type=transport.JSON_PATCH, fieldManager=manager
        )

    async def put(self, body: dict[str, Any], whole: dict[str, Any], manager: str = "someone") -> dict[str, Any]:
        return await self.send("PUT", await self.path(body), whole, fieldManager=manager)

    async def edit(
        self, body: dict[str, Any], change: Callable[[dict[str, Any]], Any], manager: str = "kubectl-edit"
    ) -> dict[str, Any]:
        """GET, change, PUT: what `kubectl edit` and most controllers amount to."""
        while True:
            live = await self.get(body)
            live["metadata"].pop("managedFields", None)
            change(live)
            try:
                return await self.put(body, live, manager)
            except transport.errors.Stale:
                continue

    async def delete(self, body: dict[str, Any]) -> None:
        with contextlib.suppress(transport.errors.Missing, transport.errors.NotServed):
            await self.send("DELETE", await self.path(body), propagationPolicy="Background")

    async def until(self, body: dict[str, Any], condition: Callable[[dict[str, Any]], Any], seconds: float = 20) -> Any:
        """Waits on an object's state by polling: there is no event for "nothing more happens"."""
        deadline = asyncio.get_running_loop().time() + seconds * support.SCALE
        while True:
            try:
                live = await self.get(body)
                if condition(live):
                    return live
            except (transport.errors.Missing, transport.errors.NotServed):
                live = {}
            if asyncio.get_running_loop().time() > deadline:
                raise AssertionError(f"not true within {seconds} s; last seen: {live}")
            await asyncio.sleep(0.02)


def connection(path: str, context: str) -> fleet.Connection:
    return fleet.Connection(kubeconfig.read(context=context, paths=[path]))


@contextlib.asynccontextmanager
async def on_cluster(path: str, context: str, **options: Any) -> AsyncIterator[Lab]:
    """A lab in a new namespace of a real cluster; the namespace is deleted in the background."""
    sent: list[transport.Sent] = []
    one = connection(path, context)
    real = fleet.ClusterFleet({context: one}, instance=INSTANCE, log=sent.append, **options)
    side = transport.Transport(context, one.credentials)
    kube = Kube(side)
    name = f"t-{secrets.token_hex(4)}"
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"appctl-test/run": "1"}}}
    try:
        await kube.create(namespace)
        yield Lab(real, context, name, sent, kube)
        await kube.delete(namespace)
    finally:
        await real.close()
        await side.close()
