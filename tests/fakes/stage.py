"""A small theatre for delivery: an application rendered by hand, fake clusters, a fake journal, and the use cases in one line.

`deliver` is what platform does: claim, look, plan, open a release, carry it out.  After a crash `resume` does what a new
process does: claim, find the running release, carry it out again.
"""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from fakes.clock import FakeClock
from fakes.crash import CrashPoints
from fakes.fleet import FakeFleet
from fakes.journal import FakeJournal

from appdelivery.delivery import consent as consents
from appdelivery.delivery import desired, health, look, plan, policies, ports, release
from appdelivery.model import canonical, marks
from appdelivery.model.application import Policy
from appdelivery.model.history import Actor
from appdelivery.model.manifest import Manifest, Origin, Rendered, RenderedComponent
from appdelivery.model.refs import AppKey, Ref, ref_of
from appdelivery.model.run import WorkKey

if TYPE_CHECKING:
    from collections.abc import Sequence

    from appdelivery.delivery.desired import Desired
    from appdelivery.delivery.look import Known
    from appdelivery.delivery.work import Ended
    from appdelivery.model.change import Plan
    from appdelivery.model.history import Release

SHOP = AppKey("shop", "web")
ANA = Actor("user", "ana@laptop", "cli")


# --- manifests ------------------------------------------------------------------------------------------------------
def config(name: str, *, namespace: str = "shop", annotations: dict[str, str] | None = None, **data: str) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "namespace": namespace}
    if annotations:
        metadata["annotations"] = annotations
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data or {"key": "value"}}


def secret(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "shop"}, "stringData": data}


def service(name: str, port: int = 80) -> dict[str, Any]:
    spec = {"selector": {"app": name}, "ports": [{"port": port, "protocol": "TCP"}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "shop"}, "spec": spec}


def deployment(
    name: str, *, image: str = "example/web:1", replicas: int | None = None, env_from: str = ""
) -> dict[str, Any]:
    container: dict[str, Any] = {"name": name, "image": image}
    if env_from:
        container["envFrom"] = [{"configMapRef": {"name": env_from}}]
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec: dict[str, Any] = {"selector": {"matchLabels": labels}, "template": template}
    if replicas is not None:
        spec["replicas"] = replicas
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "shop"}, "spec": spec}


def job(name: str, image: str = "example/job:1") -> dict[str, Any]:
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": name, "image": image}]}}
    metadata = {"name": name, "namespace": "shop"}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {"template": template}}


def hpa(name: str, low: int = 2, high: int = 6) -> dict[str, Any]:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    spec = {"scaleTargetRef": target, "minReplicas": low, "maxReplicas": high}
    metadata = {"name": name, "namespace": "shop"}
    return {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": metadata, "spec": spec}


def claim(name: str) -> dict[str, Any]:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    metadata = {"name": name, "namespace": "shop"}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}


def namespace(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def crd(kind: str = "Widget", group: str = "example.com", **schema: Any) -> dict[str, Any]:
    plural = kind.lower() + "s"
    version = {"name": "v1", "served": True, "storage": True}
    version["schema"] = {"openAPIV3Schema": schema or {"type": "object"}}
    names = {"kind": kind, "plural": plural}
    spec = {"group": group, "scope": "Namespaced", "names": names, "versions": [version]}
    metadata = {"name": f"{plural}.{group}"}
    return {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": metadata, "spec": spec}


def widget(name: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "shop"}
    return {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": metadata, "spec": {"size": 1}}


def ref(body: dict[str, Any]) -> Ref:
    return ref_of(body)


# --- an application -------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Part:
    """A component: its objects (the first is the workload), and what it depends on."""

    name: str
    bodies: Sequence[dict[str, Any]]
    depends_on: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()  # of the bodies, where not DefaultDispatch
    trait: str = ""  # of all bodies but the first
    waits_for: tuple[Any, ...] = ()
    type: str = "raw"
    clusters: tuple[str, ...] = ()  # () = every one


def rendered(*parts: Part, app: AppKey = SHOP) -> Rendered:
    components = []
    for part in parts:
        manifests = []
        for index, body in enumerate(part.bodies):
            stage = part.stages[index] if index < len(part.stages) else "DefaultDispatch"
            origin = Origin(part.name, part.trait if index else "", f"output{index}" if index else "")
            manifests.append(Manifest(ref_of(body), body, origin, stage, workload=not index))
        components.append(
            RenderedComponent(
                part.name, part.type, tuple(manifests), part.depends_on, f"{part.name}-v1", "hash", part.waits_for
            )
        )
    bodies = [[part.name, part.depends_on, list(part.bodies)] for part in parts]
    return Rendered(app, canonical.digest(bodies), tuple(components), ())


def policy(type: str, **properties: Any) -> Policy:
    return Policy(type, type, properties, ())


# --- the theatre ----------------------------------------------------------------------------------------------------
@dataclass
class Stage:
    clusters: tuple[str, ...] = ("one",)
    namespaces: tuple[str, ...] = ("default", "shop")
    weather: str = "fair"
    app: AppKey = SHOP
    progress: list[Any] = field(default_factory=list)
    _workers: Any = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.clock = FakeClock()
        self.crash = CrashPoints()
        self.journal = FakeJournal(clock=self.clock.now, crash=self.crash)
        self.installation = self.journal.installation()
        self.fleet = FakeFleet(
            clusters=self.clusters,
            instance=self.installation.label,
            namespaces=self.namespaces,
            weather=self.weather,
            clock=self.clock.now,
            crash=self.crash,
            bare=self._bare,
        )

    @property
    def rows(self) -> dict[Any, Any]:
        return {key[1]: row for key, row in self.journal.state.rows.items() if row.state != "gone" and key[0] == self.app}

    @property
    def newest(self) -> Any:
        return self.journal.state.releases[self.app][-1]

    def live(self, body: dict[str, Any], cluster: str = "") -> dict[str, Any] | None:
        return self.fleet.live(ref_of(body), cluster)

    def owned(self, cluster: str = "") -> set[tuple[str, str]]:
        """(kind, name) of everything in a cluster that carries our mark."""
        world = self.fleet.world(cluster)
        return {
            (identity[1], identity[3])
            for identity, body in world.objects.items()
            if marks.OWNER in (body["metadata"].get("annotations") or {})
        }

    def managers(self, body: dict[str, Any]) -> list[str]:
        live = self.live(body)
        assert live is not None
        return [entry["manager"] for entry in live["metadata"]["managedFields"] if not entry.get("subresource")]

    # the use cases
    async def desired(
        self, parts: Sequence[Part], given: policies.Policies, clusters: Sequence[str] = ()
    ) -> tuple[Desired, ...]:
        made = rendered(*parts, app=self.app)
        places = {part.name: part.clusters for part in parts}
        out: list[Desired] = []
        for cluster in clusters or self.clusters:
            try:
                facts = await self.fleet.facts(cluster)
            except Exception:  # an unreachable cluster: the facts of last time
                facts = ports_facts(self.fleet, cluster)
            out += desired.desired(made, facts, self.installation, given)
        return tuple([one for one in out if one.subject.cluster in (places[one.subject.component] or self.clusters)])

    async def planned(
        self,
        *parts: Part,
        given: Sequence[Policy] = (),
        consent: consents.Consent = consents.Consent(),
        clusters: Sequence[str] = (),
        request: str = "apply",
        trusted: bool = True,
    ) -> tuple[Plan, tuple[Desired, ...], Known]:
        read = policies.read(given)
        wanted = await self.desired(parts, read, clusters) if parts else ()
        inventory = self.journal.inventory(self.app)
        known = await look.look(self.fleet, self.installation, self.app, wanted, inventory)
        newest = self.journal.newest(self.app)
        situation = plan.Situation(
            self.installation,
            newest.number if newest else 0,
            request,
            {part.name: part.depends_on for part in parts},
            trusted=trusted,
        )
        return plan.plan(self.app, wanted, inventory, known, situation=situation, given=read, consent=consent), wanted, known

    async def deliver(self, *parts: Part, wait: str = "ready", how: Any = None, **options: Any) -> Ended:
        lease = self._claimed()
        newest = self.journal.newest(self.app)
        made, wanted, known = await self.planned(*parts, **options)
        if newest is not None and newest.outcome == "running":
            known = None
        if (refusal := plan.blocked(made)) is not None:
            self.journal.release(lease)
            raise refusal
        opened = self.open(parts, made, wanted, **options)
        work = self._work(opened, parts, wanted, known=known, **options)
        work = replace(work, **how) if how else work
        ended = await release.carry_out(self.fleet, self.journal, work, lease, self.hooks(wait))
        self.journal.release(lease)
        return ended

    def open(self, parts: Sequence[Part], made: Plan, wanted: Sequence[Desired], **options: Any) -> Release:
        request = ports.ReleaseRequest(
            self.app,
            {},
            rendered(*parts, app=self.app),
            made,
            tuple([(one.digest, one.subject.component, {}, one.body) for one in wanted]),
            ANA,
            "user",
            after=made.base.release,
            request=options.get("request", "apply"),
            options={"parts": parts, "options": options},
        )
        opened, _ = self.journal.open_release(request)
        return opened

    async def delete(self, *parts: Part, **options: Any) -> Ended:
        """parts: what stood there last, for the order in which it goes."""
        options.setdefault("depends", {part.name: part.depends_on for part in parts})
        depends = options.pop("depends")
        return await self.deliver(request="delete", how={"depends_on": depends}, **options)

    async def resume(self) -> Ended | None:
        """A new process: carries on what the journal says is running."""
        lease = self._claimed()
        newest = self.journal.newest(self.app)
        if newest is None or newest.outcome not in ("running", "partial"):
            self.journal.release(lease)
            return None
        kept = self.journal.state.requests[self.app, newest.number].options
        parts, options = kept["parts"], kept["options"]
        read = policies.read(options.get("given", ()))
        wanted = await self.desired(parts, read, options.get("clusters", ())) if parts else ()
        work = self._work(newest, parts, wanted, known=None, **options)
        ended = await release.carry_out(self.fleet, self.journal, work, lease, self.hooks())
        self.journal.release(lease)
        return ended

    def _claimed(self) -> Any:
        """A new process; the lease of a dead one runs out first."""
        worker = f"worker-{next(self._workers)}"
        lease = self.journal.claim(WorkKey("app", str(self.app)), worker, 30)
        if lease is None:
            self.clock.time += timedelta(seconds=31)
            lease = self.journal.claim(WorkKey("app", str(self.app)), worker, 30)
        assert lease is not None
        return lease

    def hooks(self, wait: str = "ready") -> release.Hooks:
        async def in_thread(work: Any) -> Any:
            await asyncio.sleep(0)  # others go on meanwhile, as beside a thread
            return work()

        return release.Hooks(
            clock=self.clock.now,
            judge=lambda live: health.judge(live, now=self.clock.now()),
            in_thread=in_thread,
            progress=self.progress.append,
            sleep=self.clock.sleep,
            wait=wait,
        )

    def _work(self, opened: Any, parts: Sequence[Part], wanted: Any, *, known: Any, **options: Any) -> release.Work:
        return release.Work(
            release=opened,
            installation=self.installation,
            desired=wanted,
            policies=policies.read(options.get("given", ())),
            consent=options.get("consent", consents.Consent()),
            depends_on={part.name: part.depends_on for part in parts},
            waits_for={(0, part.name): part.waits_for for part in parts},
            known=known,
            settled=known is not None,
            trusted=options.get("trusted", True),
        )

    def _bare(self, cluster: str, ref: Ref) -> Any:
        row = self.rows.get((cluster, ref.identity))
        return row.bare if row else ()


def ports_facts(fleet: FakeFleet, cluster: str) -> Any:
    from appdelivery.model.live import ClusterFacts

    world = fleet.worlds[cluster]
    return ClusterFacts(cluster, world.uid, "v1.36.3", world.served(), fleet.clock())
