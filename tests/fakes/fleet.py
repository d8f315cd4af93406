"""FakeFleet: the Protocol `delivery.ports.Fleet` over clusters in memory, with true field ownership, weather and a request log.

It passes the same contract suite as the real one.  Weather: "fair" (controllers answer every write at once), "still" (a test
says when, by `settle`) or "bad" (workloads fail), per fleet or per object name.  Crash points and faults are at every request.
"""

from __future__ import annotations

import asyncio
import fnmatch
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from fakes import kinds, ssa
from fakes.crash import CrashPoints
from fakes.world import World, matches

from appdelivery import errors
from appdelivery.clusters import facts, fleet, ownership
from appdelivery.delivery import health
from appdelivery.delivery.ports import Applied, ApplyOptions, DeleteOptions, LogOptions, Observed
from appdelivery.model import marks, secret
from appdelivery.model.live import ClusterFacts, KubeEvent, Live, LiveFact
from appdelivery.model.refs import Kind, Ref, Selector

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from appdelivery.delivery.ports import BareOf, Judge, ManagerOf, ResolveSecret
    from appdelivery.model.refs import AppKey


@dataclass(frozen=True)
class Request:
    """One line of the request log."""

    verb: str  # get, list, watch, apply, delete, facts, events, logs, patch
    cluster: str
    kind: str
    name: str = ""  # namespace/name
    manager: str = ""
    dry_run: bool = False

    @property
    def writes(self) -> bool:
        return self.verb in ("apply", "delete", "patch") and not self.dry_run


@dataclass
class Fault:
    """Raised at requests that match; times counts down, -1 = for ever.  after: the request took effect before."""

    error: Callable[[], Exception]
    verb: str = "*"
    cluster: str = "*"
    kind: str = "*"
    name: str = "*"
    times: int = 1
    after: bool = False

    def hits(self, request: Request, *, after: bool) -> bool:
        if not self.times or self.after is not after:
            return False
        pairs = (
            (request.verb, self.verb),
            (request.cluster, self.cluster),
            (request.kind, self.kind),
            (request.name, self.name),
        )
        if not all(fnmatch.fnmatchcase(value, glob) for value, glob in pairs):
            return False
        self.times -= 1
        return True


@dataclass
class FakeFleet:
    clusters: Sequence[str] = ("one",)
    instance: str = "0a1b2c3d"
    judge: Judge | None = None
    manager: ManagerOf = fleet.owner_manager
    bare: BareOf = fleet.nothing_bare
    resolve_secret: ResolveSecret | None = None
    clock: Callable[[], datetime] = lambda: datetime(2026, 1, 1, 12, tzinfo=UTC)
    crash: CrashPoints = field(default_factory=CrashPoints)
    namespaces: Sequence[str] = ("default", "kube-system")
    weather: str = "fair"
    weather_of: dict[str, str] = field(default_factory=dict)  # object name to weather
    requests: list[Request] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    down: set[str] = field(default_factory=set)
    forbidden: set[tuple[str, str]] = field(default_factory=set)  # (cluster, kind)
    event_lines: dict[tuple[str, str, str], list[KubeEvent]] = field(default_factory=lambda: defaultdict(list))
    log_lines: dict[tuple[str, str], list[str]] = field(default_factory=lambda: defaultdict(list))  # (pod, container)

    def __post_init__(self) -> None:
        self.worlds = {name: World(name, self.clock, self._weather) for name in self.clusters}
        for world in self.worlds.values():
            for namespace in self.namespaces:
                body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
                world.put(body, {}, manager="kube-apiserver")
        if self.judge is None:
            self.judge = lambda live: health.judge(live, now=self.clock())

    # --- the Protocol -----------------------------------------------------------------------------------------------
    async def facts(self, cluster: str, *, refresh: bool = False) -> ClusterFacts:
        world = await self._enter(Request("facts", cluster, ""))
        self._leave()
        return ClusterFacts(cluster, world.uid, "v1.36.3", world.served(), self.clock())

    async def read(self, cluster: str, refs: Sequence[Ref]) -> Mapping[Ref, Live]:
        found = {}
        for ref in refs:
            world = await self._enter(Request("get", cluster, ref.kind, _name(ref)))
            world.must_serve(ref.of)
            if (body := world.get(ref)) is not None:
                found[ref] = Live(ref, body)
            self._leave()
        return found

    async def list(self, cluster: str, kind: Kind, namespace: str, selector: Selector) -> Sequence[Live]:
        world = await self._enter(Request("list", cluster, kind.kind, namespace))
        world.must_serve(kind)
        found = [Live(_ref(kind, body), body) for body in world.select(kind, namespace, selector)][:500]
        self._leave()
        return found

    async def owned(
        self, cluster: str, kinds: Mapping[Kind, int], namespaces: Sequence[str], app: AppKey | None = None
    ) -> Mapping[Kind, Sequence[LiveFact] | Exception]:
        labels = f"{marks.INSTANCE}={self.instance}"
        if app is not None:
            labels += f",{marks.NAME}={app.name},{marks.NAMESPACE}={app.namespace}"
        out: dict[Kind, Sequence[LiveFact] | Exception] = {}
        for kind in kinds:
            try:
                world = await self._enter(Request("list", cluster, kind.kind))
                world.must_serve(kind)
                bodies = world.select(kind, "", Selector(labels))
                out[kind] = [self._fact(cluster, Live(_ref(kind, body), body)) for body in bodies]
                self._leave()
            except (errors.Forbidden, errors.NotServed) as error:
                out[kind] = error
        return out

    async def apply(self, cluster: str, ref: Ref, body: dict[str, Any], how: ApplyOptions) -> Applied:
        request = Request("apply", cluster, ref.kind, _name(ref), how.manager, how.dry_run)
        world = await self._enter(request)
        world.must_serve(ref.of)
        sent = secret.opened(await self._resolved(body))
        before = world.get(ref)
        after = world.apply(ref, sent, how)
        requests = 1
        if (
            how.absorb
            and not how.dry_run
            and (managed := ownership.without_ours(after, how.manager, how.absorb)) is not None
        ):
            after = world.rewrite(ref, managed, forget=ownership.LAST_APPLIED)
            self.requests.append(Request("patch", cluster, ref.kind, _name(ref), how.manager))
            requests = 2
        self._leave(request)
        return self._applied(before, after, sent, how, requests)

    async def delete(self, cluster: str, ref: Ref, how: DeleteOptions) -> str:
        request = Request("delete", cluster, ref.kind, _name(ref), dry_run=how.dry_run)
        world = await self._enter(request)
        answer = world.delete(ref, how)
        self._leave(request)
        return answer

    async def fact_of(self, cluster: str, live: Live) -> LiveFact:
        return self._fact(cluster, live)

    async def events(self, cluster: str, ref: Ref, limit: int) -> Sequence[KubeEvent]:
        await self._enter(Request("events", cluster, ref.kind, _name(ref)))
        self._leave()
        return self.event_lines[cluster, ref.kind, ref.name][:limit]

    async def logs(self, cluster: str, pod: Ref, how: LogOptions) -> AsyncIterator[str]:
        await self._enter(Request("logs", cluster, "Pod", _name(pod)))
        lines = self.log_lines[pod.name, how.container]
        self._leave()
        for line in lines[-how.tail :] if how.tail else lines:
            yield line

    async def watch(
        self, cluster: str, kinds: Sequence[Kind], namespaces: Sequence[str], selector: Selector
    ) -> AsyncIterator[Observed]:
        queue: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue()
        for kind in kinds:
            world = await self._enter(Request("watch", cluster, kind.kind))
            world.must_serve(kind)
        world.listeners.append(queue.put_nowait)
        try:
            for kind in kinds:
                for body in world.select(kind, "", selector):
                    if _inside(body, namespaces):
                        yield self._observed(cluster, "seen", kind, body)
                yield Observed("resync", kind)
            self._leave()
            while True:
                what, body = await queue.get()
                for kind in kinds:
                    same = (kind.group, kind.kind) == ssa.group_kind(body)
                    if same and _inside(body, namespaces) and matches(body, selector):
                        yield self._observed(cluster, what, kind, body)
        finally:
            world.listeners.remove(queue.put_nowait)

    # --- what tests say ---------------------------------------------------------------------------------------------
    def world(self, cluster: str = "") -> World:
        return self.worlds[cluster or self.clusters[0]]

    def live(self, ref: Ref, cluster: str = "") -> dict[str, Any] | None:
        return self.world(cluster).get(ref)

    def edit(
        self, ref: Ref, patch: dict[str, Any], *, manager: str = "kubectl-edit", subresource: str = "", cluster: str = ""
    ) -> dict[str, Any]:
        """A foreign merge patch (null removes), owned by `manager` with operation Update."""
        return self.world(cluster).edit(ref, patch, manager=manager, subresource=subresource)

    def foreign(self, body: dict[str, Any], *, manager: str = "kubectl-create", cluster: str = "") -> dict[str, Any]:
        """An object that somebody else creates."""
        return self.world(cluster).put(body, {}, manager=manager)

    def settle(self, ref: Ref, status: dict[str, Any] | None = None, cluster: str = "") -> None:
        """The controllers have worked: by default as in fair weather."""
        world = self.world(cluster)
        body = world.get(ref)
        assert body is not None, f"{ref} does not exist"
        world.set_status(ref, status if status is not None else kinds.fair(body) or {})

    def fault(self, error: Callable[[], Exception], **match: Any) -> Fault:
        self.faults.append(Fault(error, **match))
        return self.faults[-1]

    def log(self, *verbs: str) -> list[Request]:
        return [request for request in self.requests if not verbs or request.verb in verbs]

    @property
    def writes(self) -> list[Request]:
        return [request for request in self.requests if request.writes]

    # --- inside -----------------------------------------------------------------------------------------------------
    async def _enter(self, request: Request) -> World:
        if request.cluster not in self.worlds:
            raise errors.Unreachable(f"reach cluster {request.cluster}: unknown", code="cluster.unknown", retryable=False)
        label = f"{request.verb} {request.cluster} {request.kind} {request.name}".rstrip()
        self.crash.before(label)
        self._label = label
        await asyncio.sleep(0)  # every request gives others a turn, as a network does
        await self.crash.elsewhere()
        self.crash.before_effect()
        self.requests.append(request)
        doing = f"{request.verb} {request.kind} {request.name} on cluster {request.cluster}".replace("  ", " ")
        if request.cluster in self.down:
            raise errors.Unreachable(f"{doing}: no answer")
        if (request.cluster, request.kind) in self.forbidden:
            raise errors.Forbidden(f"{doing}: forbidden")
        for fault in self.faults:
            if fault.hits(request, after=False):
                raise fault.error()
        return self.worlds[request.cluster]

    def _leave(self, request: Request | None = None) -> None:
        self.crash.after(self._label)
        for fault in self.faults:
            if request is not None and fault.hits(request, after=True):
                raise fault.error()

    def _weather(self, body: dict[str, Any]) -> dict[str, Any] | None:
        name = body["metadata"]["name"]
        weather = self.weather_of.get(name, self.weather)
        if weather == "bad" and body["kind"] in ("Deployment", "StatefulSet", "DaemonSet", "Job"):
            return kinds.failing(body)
        return kinds.fair(body) if weather != "still" else None

    async def _resolved(self, tree: Any) -> Any:
        if isinstance(tree, secret.Secret) and tree.ref is not None:
            if self.resolve_secret is None:
                raise errors.Bug("an object refers to stored secrets, but this fleet was made without resolve_secret")
            value = await self.resolve_secret(tree.ref)
            return value.as_base64() if tree.encoded else value
        if isinstance(tree, dict):
            return {key: await self._resolved(value) for key, value in tree.items()}
        if isinstance(tree, list):
            return [await self._resolved(value) for value in tree]
        return tree

    def _fact(self, cluster: str, live: Live) -> LiveFact:
        return facts.fact(cluster, live, facts.Eyes(self.manager, self.bare, self.judge))

    def _observed(self, cluster: str, what: str, kind: Kind, body: dict[str, Any]) -> Observed:
        live = Live(_ref(kind, body), body)
        return Observed(what, kind, self._fact(cluster, live), live if what == "seen" and kind.kind != "Secret" else None)

    @staticmethod
    def _applied(
        before: dict[str, Any] | None, after: dict[str, Any], sent: dict[str, Any], how: ApplyOptions, requests: int
    ) -> Applied:
        metadata = after["metadata"]
        version = int(metadata["resourceVersion"])
        bare = tuple(ownership.bare_paths(ownership.tree_of(after, how.manager), sent))
        same = (how.known_version or how.expect_version) == version
        return Applied(
            result="created" if before is None else "unchanged" if same else "configured",
            uid=metadata["uid"],
            version=version,
            generation=int(metadata.get("generation") or 0),
            own_digest=ownership.own_digest(after, how.manager, bare),
            tree_digest=ownership.tree_digest(after, how.manager),
            bare=bare,
            body=after,
            requests=requests,
        )


def _name(ref: Ref) -> str:
    return f"{ref.namespace}/{ref.name}" if ref.namespace else ref.name


def _ref(kind: Kind, body: dict[str, Any]) -> Ref:
    metadata = body["metadata"]
    return Ref(kind.group, kind.version, kind.kind, metadata.get("namespace", ""), metadata["name"])


def _inside(body: dict[str, Any], namespaces: Sequence[str]) -> bool:
    namespace = body["metadata"].get("namespace", "")
    return not namespaces or not namespace or namespace in namespaces
