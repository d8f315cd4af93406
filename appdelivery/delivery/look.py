"""Reads what a plan needs to know of the clusters, with as few requests as that takes (delivery.md section 3).

One list per kind that the inventory mentions; an unlabelled list or a GET for wanted objects that were not among them.
A cluster that does not answer, or a kind that may not be read, becomes an entry of `Known`, never an exception.
Called by platform and by release.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from appdelivery import errors
from appdelivery.delivery import crds, graph, handover, plan, references
from appdelivery.model import marks
from appdelivery.model.refs import Kind, Ref, Selector

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from appdelivery.delivery.desired import Desired
    from appdelivery.delivery.ports import Fleet, Identity, Installation
    from appdelivery.model.history import Managed
    from appdelivery.model.live import ClusterFacts, Live, LiveFact
    from appdelivery.model.refs import AppKey

PAGE = 500  # what Fleet.list is bounded to
SMALL = 3  # of so few objects is asked in the same moment as of their namespaces
FEW = 1  # so many objects of a kind and namespace are read one by one
NAMESPACE = Kind("", "v1", "Namespace")
# Kinds of which a change may mean a replacement: their live body is compared field by field.
COMPARED = frozenset(("Job", "Pod", "StatefulSet", "PersistentVolumeClaim", "PersistentVolume", "CustomResourceDefinition"))
AUTOSCALERS = (("autoscaling", "HorizontalPodAutoscaler"), ("keda.sh", "ScaledObject"))
ALWAYS_THERE = frozenset((("ServiceAccount", "default"), ("ConfigMap", "kube-root-ca.crt")))
MOST_REFERENCES = 20


@dataclass(frozen=True, slots=True)
class Known:
    """Live facts, and where they are missing, why.  A cluster in `errors` told nothing at all."""

    facts: Mapping[Identity, LiveFact] = field(default_factory=dict)
    bodies: Mapping[Identity, dict[str, Any]] = field(default_factory=dict)
    clusters: Mapping[str, ClusterFacts] = field(default_factory=dict)
    errors: Mapping[str, errors.ClusterError] = field(default_factory=dict)
    kinds: Mapping[tuple[str, str, str], Exception] = field(default_factory=dict)  # (cluster, group, kind)
    no_namespace: frozenset[tuple[str, str]] = frozenset()  # (cluster, namespace) that does not exist
    absent: tuple[tuple[Identity, str], ...] = ()  # who names what neither the application nor the cluster has
    instances: Mapping[Identity, int] = field(default_factory=dict)  # of a CRD: live objects of its kind, at most PAGE
    former: Mapping[Identity, dict[str, Any]] = field(default_factory=dict)  # what was last applied, where that is enough

    def error(self, identity: Identity) -> Exception | None:
        """Why nothing is known of an object; None when its absence from `facts` means that it does not exist."""
        cluster, (group, kind, _, _) = identity
        return self.errors.get(cluster) or self.kinds.get((cluster, group, kind))


async def look(
    fleet: Fleet, installation: Installation, app: AppKey, desired: Sequence[Desired], inventory: Sequence[Managed]
) -> Known:
    clusters = sorted({item.subject.cluster for item in desired} | {row.cluster for row in inventory})
    views = [
        _View(
            fleet,
            installation,
            app,
            cluster,
            {item.identity: item for item in desired if item.subject.cluster == cluster},
            {row.identity: row for row in inventory if row.cluster == cluster},
        )
        for cluster in clusters
    ]
    seen = await asyncio.gather(*[_at(view) for view in views])
    return Known(
        facts={k: v for one in views for k, v in one.facts.items()},
        bodies={k: v for one in views for k, v in one.bodies.items()},
        clusters={one.cluster: one.served for one in views if one.served is not None},
        errors={one.cluster: error for one, error in zip(views, seen, strict=True) if error is not None},
        kinds={(one.cluster, *key): error for one in views for key, error in one.refused.items()},
        no_namespace=frozenset([(one.cluster, name) for one in views for name in one.no_namespace]),
        absent=tuple([pair for one in views for pair in one.absent]),
        instances={k: v for one in views for k, v in one.instances.items()},
    )


@dataclass(slots=True)
class _View:
    """What is being found out about one cluster."""

    fleet: Fleet
    installation: Installation
    app: AppKey
    cluster: str
    desired: Mapping[Identity, Desired]
    rows: Mapping[Identity, Managed]
    served: ClusterFacts | None = None
    facts: dict[Identity, LiveFact] = field(default_factory=dict)
    bodies: dict[Identity, dict[str, Any]] = field(default_factory=dict)
    refused: dict[tuple[str, str], Exception] = field(default_factory=dict)
    no_namespace: set[str] = field(default_factory=set)
    absent: list[tuple[Identity, str]] = field(default_factory=list)
    instances: dict[Identity, int] = field(default_factory=dict)

    def unseen(self) -> list[Ref]:
        """Addresses that no list has shown yet and that could be there."""
        out = []
        for identity, ref in self.addresses().items():
            if identity in self.facts or (ref.group, ref.kind) in self.refused or ref.namespace in self.no_namespace:
                continue
            if (spoken := self.spoken(ref)) is not None:
                out.append(spoken)
        return out

    def addresses(self) -> dict[Identity, Ref]:
        return {identity: item.subject.ref for identity, item in self.desired.items()} | {
            identity: row.ref for identity, row in self.rows.items()
        }

    def spoken(self, ref: Ref) -> Ref | None:
        """The address at a version the cluster serves; None for a kind it does not serve (yet)."""
        assert self.served is not None
        if ref.of in self.served.served:
            return ref
        other = self.served.find(ref.group, ref.kind)
        return Ref(ref.group, other.kind.version, ref.kind, ref.namespace, ref.name) if other else None

    async def keep(self, live: Live, *, body: bool = False) -> None:
        identity = self.cluster, live.ref.identity
        self.facts[identity] = await self.fleet.fact_of(self.cluster, live)
        if body:
            self.bodies[identity] = live.body


async def _at(view: _View) -> errors.ClusterError | None:
    """Fills a view; the error of the cluster when it does not answer."""
    try:
        view.served = await view.fleet.facts(view.cluster)
        if any(view.spoken(row.ref) is None for row in view.rows.values()):
            # Nothing is given up for gone because of what was known of the cluster some time ago.
            view.served = await view.fleet.facts(view.cluster, refresh=True)
        await _ours(view)
        if len(view.addresses()) <= SMALL:
            await asyncio.gather(_namespaces(view), _others(view))
        else:  # one that does not exist spares every question about its content
            await _namespaces(view)
            await _others(view)
        await asyncio.gather(_compared(view), _autoscalers(view))
        await _named(view)
    except (errors.Unreachable, errors.Unauthorized, errors.TimedOut, errors.Throttled) as error:
        return error
    return None


async def _ours(view: _View) -> None:
    """One list per kind of the inventory; with bodies where something may be deleted, for its annotations say so."""
    kinds: dict[Kind, int] = {}
    whole: set[Kind] = set()
    for row in view.rows.values():
        if (ref := view.spoken(row.ref)) is None:
            view.refused.setdefault(
                (row.ref.group, row.ref.kind),
                errors.NotServed(f"cluster {view.cluster} no longer serves {row.ref.kind} of {row.ref.api_version}"),
            )
            continue
        kinds[ref.of] = max(kinds.get(ref.of, 0), row.resource_version)
        if row.identity not in view.desired:
            whole.add(ref.of)
    plain = {kind: version for kind, version in kinds.items() if kind not in whole}
    namespaces = sorted({ref.namespace for ref in view.addresses().values() if ref.namespace})
    if plain:
        for kind, found in (await view.fleet.owned(view.cluster, plain, namespaces, view.app)).items():
            if isinstance(found, Exception):
                view.refused[kind.group, kind.kind] = found
                continue
            view.facts.update({(view.cluster, fact.ref.identity): fact for fact in found})
    await asyncio.gather(*[_whole(view, kind, namespaces) for kind in sorted(whole, key=str)])


async def _whole(view: _View, kind: Kind, namespaces: Sequence[str]) -> None:
    labels = (
        f"{marks.INSTANCE}={view.installation.label},{marks.NAME}={view.app.name},{marks.NAMESPACE}={view.app.namespace}"
    )
    scopes = [""] if len(namespaces) != 1 or not _namespaced(view, kind) else list(namespaces)
    try:
        try:
            found = [live for one in scopes for live in await view.fleet.list(view.cluster, kind, one, Selector(labels))]
        except errors.Forbidden:
            if scopes != [""] or not _namespaced(view, kind):
                raise
            found = [live for one in namespaces for live in await view.fleet.list(view.cluster, kind, one, Selector(labels))]
    except (errors.Forbidden, errors.NotServed) as error:
        view.refused[kind.group, kind.kind] = error
        return
    for live in found:
        await view.keep(live, body=(view.cluster, live.ref.identity) in view.rows)


async def _namespaces(view: _View) -> None:
    """Whether the namespaces exist in which nothing of ours was seen."""
    seen = {identity[1][2] for identity in view.facts}
    names = sorted({ref.namespace for ref in view.unseen() if ref.namespace} - seen)
    refs = [Ref("", "v1", "Namespace", "", name) for name in names]
    if not refs:
        return
    try:
        found = await view.fleet.read(view.cluster, refs)
    except errors.Forbidden:
        return  # an identity bound to its namespaces: the server will say it when something is applied
    view.no_namespace |= {ref.name for ref in refs if ref not in found}
    for ref, live in found.items():
        if (view.cluster, ref.identity) in view.addresses():
            await view.keep(live)


async def _others(view: _View) -> None:
    """Wanted or recorded objects without our label: absent, foreign, or somebody took the label off."""
    by_place: dict[tuple[Kind, str], list[Ref]] = {}
    for ref in view.unseen():
        by_place.setdefault((ref.of, ref.namespace), []).append(ref)
    await asyncio.gather(*[_place(view, kind, namespace, refs) for (kind, namespace), refs in by_place.items()])


async def _place(view: _View, kind: Kind, namespace: str, refs: Sequence[Ref]) -> None:
    wanted = {ref.identity for ref in refs}
    try:
        if len(refs) > FEW:
            found = await view.fleet.list(view.cluster, kind, namespace, Selector())
            for live in found:
                if live.ref.identity in wanted:
                    await view.keep(live, body=_unwanted(view, live.ref))
            refs = view_left(view, refs) if len(found) >= PAGE else ()
        if refs:
            for live in (await view.fleet.read(view.cluster, refs)).values():
                await view.keep(live, body=_unwanted(view, live.ref))
    except (errors.Forbidden, errors.NotServed) as error:
        view.refused[kind.group, kind.kind] = error


def view_left(view: _View, refs: Sequence[Ref]) -> list[Ref]:
    return [ref for ref in refs if (view.cluster, ref.identity) not in view.facts]


def _unwanted(view: _View, ref: Ref) -> bool:
    """Whether the body is asked for: of what may be deleted, and of what is shared, for its annotations say with whom."""
    item = view.desired.get((view.cluster, ref.identity))
    return item is None or item.shared


async def _autoscalers(view: _View) -> None:
    """Autoscalers of others that own the replicas of what is about to be changed: one list, and none for what is new."""
    assert view.served is not None
    ours = {(ref.namespace, *target) for ref, target in _targets(view)}
    spaces = set()
    for identity, item in view.desired.items():
        row, fact, ref = view.rows.get(identity), view.facts.get(identity), item.subject.ref
        if fact is None or (row is not None and plan.unchanged(item, row, fact)) or ref.kind not in handover.SCALABLE:
            continue
        if "replicas" in (item.body.get("spec") or {}) and (ref.namespace, ref.kind, ref.name) not in ours:
            spaces.add(ref.namespace)
    kinds = [served.kind for pair in AUTOSCALERS if (served := view.served.find(*pair)) is not None]
    await asyncio.gather(*[_scaling(view, kind, space) for kind in kinds for space in sorted(spaces)])


def _targets(view: _View) -> Iterator[tuple[Ref, tuple[str, str]]]:
    for item in view.desired.values():
        if (target := references.scale_target(item.body)) is not None:
            yield item.subject.ref, target


async def _scaling(view: _View, kind: Kind, namespace: str) -> None:
    try:
        for live in await view.fleet.list(view.cluster, kind, namespace, Selector()):
            if (view.cluster, live.ref.identity) not in view.facts:
                await view.keep(live)
    except (errors.Forbidden, errors.NotServed):
        return  # not ours to know


async def _compared(view: _View) -> None:
    """Bodies of changed objects of which a change may mean more than an update."""
    refs = []
    for identity, item in view.desired.items():
        row, fact = view.rows.get(identity), view.facts.get(identity)
        kind = item.subject.ref.kind
        asked = (
            kind in COMPARED
            or item.recreate_fields
            or (kind == "Service" and (item.body.get("spec") or {}).get("clusterIP"))
        )
        if fact is not None and asked and (row is None or row.desired_digest != item.digest):
            refs.append(fact.ref)
    if not refs:
        return
    for ref, live in (await view.fleet.read(view.cluster, refs)).items():
        identity = view.cluster, ref.identity
        view.bodies[identity] = live.body
        if ref.kind == "CustomResourceDefinition" and crds.harm(live.body, view.desired[identity].body):
            view.instances[identity] = await _instances(view, live.body)


async def _instances(view: _View, definition: dict[str, Any]) -> int:
    assert view.served is not None
    served = view.served.find(*(graph.defines(definition) or ("", "")))
    if served is None:
        return 0
    try:
        return len(await view.fleet.list(view.cluster, served.kind, "", Selector()))
    except errors.Forbidden:
        return PAGE


async def _named(view: _View) -> None:
    """What new or changed objects name outside the application: asked once, so that a typo shows in the plan."""
    asked: dict[Ref, list[tuple[Identity, str]]] = {}
    for identity, item in view.desired.items():
        row = view.rows.get(identity)
        if row is not None and row.desired_digest == item.digest:
            continue
        for ref in _outside(view, item):
            asked.setdefault(ref, []).append((identity, str(ref)))
    refs = [ref for ref in asked if ref.namespace not in view.no_namespace][:MOST_REFERENCES]
    if not refs:
        return
    answers = await asyncio.gather(*[_exists(view, ref) for ref in refs])
    for ref, there in zip(refs, answers, strict=True):
        if not there:
            view.absent += asked[ref]


def _outside(view: _View, item: Desired) -> list[Ref]:
    out = []
    for named in references.of(item.body):
        known = (view.cluster, named.identity) in view.desired or (named.kind, named.name) in ALWAYS_THERE
        if not known and not named.optional and view.served and (served := view.served.find(named.group, named.kind)):
            out.append(Ref(named.group, served.kind.version, named.kind, named.namespace, named.name))
    for (cluster, identity), _, kind in graph.explicit(item):
        if (cluster, identity) not in view.desired:
            out.append(Ref(kind.group, kind.version, kind.kind, identity[2], identity[3]))
    return list(dict.fromkeys(out))


async def _exists(view: _View, ref: Ref) -> bool:
    try:
        found = await view.fleet.read(view.cluster, [ref])
    except (errors.Forbidden, errors.NotServed):
        return True  # not ours to know
    for live in found.values():
        await view.keep(live)
    return bool(found)


def _namespaced(view: _View, kind: Kind) -> bool:
    served = view.served.served.get(kind) if view.served else None
    return served is not None and served.namespaced
