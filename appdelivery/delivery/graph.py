"""The change graph: which object waits until another is present, ready or gone (delivery.md section 5).  Pure.

Edges are structural (hard), by reference (soft) and explicit.  A component as a whole is a node of its own, so that
"B waits for all of A" costs |A| + |B| edges.  Called by plan; `circles` also by desired, for `validate`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appdelivery import errors
from appdelivery.delivery import references
from appdelivery.model import circles as circles_
from appdelivery.model import fieldpath, suggest
from appdelivery.model.change import Edge
from appdelivery.model.problem import Problem
from appdelivery.model.refs import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from appdelivery.delivery.desired import Desired
    from appdelivery.delivery.ports import Identity
    from appdelivery.model.manifest import Rendered

WHOLE, GONE = "Component", "ComponentGone"  # kinds of the nodes that stand for a component
OURS = "appdelivery.dev"
DEPENDS_ON = "appdelivery.dev/depends-on"
QUOTAS = ("ResourceQuota", "LimitRange")
SELECTING = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Pod")


def whole(cluster: str, component: str) -> Identity:
    """The node that is ready when every object of a component in a cluster is."""
    return cluster, (OURS, WHOLE, "", component)


def is_join(identity: Identity) -> bool:
    return identity[1][0] == OURS and identity[1][1] in (WHOLE, GONE)


def defines(body: Mapping[str, Any]) -> tuple[str, str] | None:
    """(group, kind) that a CustomResourceDefinition brings."""
    if body.get("kind") != "CustomResourceDefinition":
        return None
    kind = fieldpath.get(body, ("spec", "names", "kind"))
    group = fieldpath.get(body, ("spec", "group"))
    return (str(group), str(kind)) if group and kind else None


def circles(rendered: Rendered) -> list[Problem]:
    """Components that wait for each other, or for nobody."""
    names = {component.name: component.depends_on for component in rendered.components}
    problems = [
        Problem(
            f"component {name} depends on '{other}', which does not exist{suggest.meant(other, names)}",
            code="delivery.unknown-dependency",
        )
        for name, others in names.items()
        for other in others
        if other not in names
    ]
    if circle := circles_.find({name: [o for o in others if o in names] for name, others in names.items()}):
        text = f"components wait for each other: {' -> '.join(circle)}"
        problems.append(Problem(text, code="delivery.dependency-cycle", hint="remove one of these dependencies"))
    return problems


def build(
    desired: Sequence[Desired],
    gone: Mapping[Identity, tuple[str, dict[str, Any] | None]],
    depends_on: Mapping[str, Sequence[str]],
) -> tuple[tuple[Edge, ...], tuple[str, ...]]:
    """Edges and warnings.  gone: what is deleted, with its component and, where known, its body."""
    nodes = {item.identity: item for item in desired}
    edges: dict[tuple[Identity, Identity], Edge] = {}
    for edge in _all(nodes, gone, depends_on):
        if edge.waiter != edge.other:
            key = (edge.waiter, edge.other)
            edges[key] = _stronger(edges.get(key), edge)
    return _acyclic(sorted(edges.values(), key=lambda e: (not e.hard, e.waiter, e.other)))


def explicit(item: Desired) -> list[tuple[Identity, str, Kind]]:
    """What the annotation depends-on names: identity, until, kind.  SpecError when it is malformed."""
    text = (item.body["metadata"].get("annotations") or {}).get(DEPENDS_ON, "")
    found = []
    for part in filter(None, [one.strip() for one in str(text).split(",")]):
        address, _, until = part.partition("=")
        fields = address.split("/")
        if len(fields) not in (4, 5) or (until or "ready") not in ("ready", "present"):
            raise errors.SpecError(
                [
                    Problem(
                        f"{item.origin}: annotation {DEPENDS_ON} of {item.subject.ref}: '{part}' is not understood",
                        code="delivery.depends-on",
                        hint="for example apps/v1/Deployment/shop/db=ready or v1/Secret/shop/key=present",
                    )
                ]
            )
        group, (version, kind, namespace, name) = (fields[0] if len(fields) == 5 else ""), fields[-4:]
        found.append(((item.subject.cluster, (group, kind, namespace, name)), until or "ready", Kind(group, version, kind)))
    return found


def _all(
    nodes: Mapping[Identity, Desired],
    gone: Mapping[Identity, tuple[str, dict[str, Any] | None]],
    depends_on: Mapping[str, Sequence[str]],
) -> Iterator[Edge]:
    by_cluster: dict[str, list[Desired]] = {}
    for item in nodes.values():
        by_cluster.setdefault(item.subject.cluster, []).append(item)
    for items in by_cluster.values():
        yield from _structure(items)
    for item in nodes.values():
        for named in references.of(item.body):
            other = (item.subject.cluster, named.identity)
            if other in nodes:
                yield Edge(item.identity, other, "present", named.hard)
        for other, until, _ in explicit(item):
            yield Edge(item.identity, other, until)
    yield from _components(nodes, depends_on)
    yield from _stages(nodes)
    yield from _deletes(gone, depends_on)


def _structure(items: Sequence[Desired]) -> Iterator[Edge]:
    definitions = {found: item for item in items if (found := defines(item.body))}
    namespaces = {i.subject.ref.name: i for i in items if _is(i, "", "Namespace")}
    quotas: dict[str, list[Desired]] = {}
    for item in items:
        if item.subject.ref.kind in QUOTAS:
            quotas.setdefault(item.subject.ref.namespace, []).append(item)
    for item in items:
        ref = item.subject.ref
        if (ref.group, ref.kind) in definitions:
            yield Edge(item.identity, definitions[ref.group, ref.kind].identity, "ready")
        if ref.namespace in namespaces:
            yield Edge(item.identity, namespaces[ref.namespace].identity, "present")
        if ref.kind not in QUOTAS:
            for quota in quotas.get(ref.namespace, ()):
                yield Edge(item.identity, quota.identity, "present")
        for namespace, name in references.services_of(item.body):
            yield from _behind(item, namespace, name, items)


def _behind(item: Desired, namespace: str, name: str, items: Sequence[Desired]) -> Iterator[Edge]:
    """A webhook must not block its own installation: it waits for its Service and for the pods behind that."""
    for service in items:
        if _is(service, "", "Service") and (service.subject.ref.namespace, service.subject.ref.name) == (namespace, name):
            yield Edge(item.identity, service.identity, "present")
            selector = fieldpath.get(service.body, ("spec", "selector")) or {}
            for other in items:
                if other.subject.ref.kind in SELECTING and other.subject.ref.namespace == namespace:
                    labels = fieldpath.get(other.body, ("spec", "template", "metadata", "labels")) or {}
                    if selector and selector.items() <= labels.items():
                        yield Edge(item.identity, other.identity, "ready")


def _components(nodes: Mapping[Identity, Desired], depends_on: Mapping[str, Sequence[str]]) -> Iterator[Edge]:
    """Per cluster; a component that is not placed there is waited for wherever it is."""
    where: dict[str, dict[str, list[Identity]]] = {}
    for identity, item in nodes.items():
        where.setdefault(item.subject.component, {}).setdefault(item.subject.cluster, []).append(identity)
    joined: set[Identity] = set()
    for component, others in depends_on.items():
        for cluster, waiters in where.get(component, {}).items():
            for other in others:
                found = where.get(other, {})
                for place in [cluster] if cluster in found else sorted(found):
                    node = whole(place, other)
                    if node not in joined:
                        joined.add(node)
                        for identity in found[place]:
                            yield Edge(node, identity, "ready")
                    for waiter in waiters:
                        yield Edge(waiter, node, "ready")


def _stages(nodes: Mapping[Identity, Desired]) -> Iterator[Edge]:
    by_component: dict[tuple[str, str], list[Desired]] = {}
    for item in nodes.values():
        by_component.setdefault((item.subject.cluster, item.subject.component), []).append(item)
    for items in by_component.values():
        for workload in [item for item in items if item.workload]:
            for item in items:
                if item.stage == "PreDispatch":
                    yield Edge(workload.identity, item.identity, "ready")
                elif item.stage == "PostDispatch":
                    yield Edge(item.identity, workload.identity, "ready")


def _deletes(
    gone: Mapping[Identity, tuple[str, dict[str, Any] | None]],
    depends_on: Mapping[str, Sequence[str]],
) -> Iterator[Edge]:
    """Backwards: what names something goes before it, dependants before what they depend on, webhooks before all."""
    first = [i for i in gone if i[1][1] in references.WEBHOOKS or i[1][1] == "APIService"]
    for identity, (_, body) in gone.items():
        cluster, (_, kind, _, name) = identity
        if kind == "Namespace":
            for other in gone:
                if other[0] == cluster and other[1][2] == name:
                    yield Edge(identity, other, "gone")
        if body is not None and (made := defines(body)):
            for other in gone:
                if other[0] == cluster and other[1][:2] == made:
                    yield Edge(identity, other, "gone")
        for other in first if identity not in first else ():
            if other[0] == cluster:
                yield Edge(identity, other, "gone")
        for named in references.of(body) if body is not None else ():
            if (cluster, named.identity) in gone:
                yield Edge((cluster, named.identity), identity, "gone", hard=False)
    yield from _dependants(gone, depends_on)


def _dependants(
    gone: Mapping[Identity, tuple[str, dict[str, Any] | None]], depends_on: Mapping[str, Sequence[str]]
) -> Iterator[Edge]:
    where: dict[tuple[str, str], list[Identity]] = {}
    for identity, (component, _) in gone.items():
        where.setdefault((identity[0], component), []).append(identity)
    for (cluster, component), dependants in where.items():
        wanted = [other for other in depends_on.get(component, ()) if (cluster, other) in where]
        node = cluster, (OURS, GONE, "", component)
        for identity in dependants if wanted else ():
            yield Edge(node, identity, "gone")
        for other in wanted:
            for identity in where[cluster, other]:
                yield Edge(identity, node, "gone")


def _stronger(one: Edge | None, two: Edge) -> Edge:
    """Of two edges between the same objects the hard one counts, and ready before present."""
    if one is None:
        return two
    until = one.until if one.until in ("ready", "gone") else two.until
    return Edge(one.waiter, one.other, until, one.hard or two.hard)


def _acyclic(edges: Iterable[Edge]) -> tuple[tuple[Edge, ...], tuple[str, ...]]:
    """Without the soft edges that close a circle; SpecError when hard ones do."""
    kept = list(edges)
    warnings = []
    while circle := _circle(kept):
        soft = [edge for edge in circle if not edge.hard]
        if not soft:
            names = [show(edge.waiter) for edge in circle]
            raise errors.SpecError(
                [
                    Problem(
                        f"objects wait for each other: {' -> '.join([*names, names[0]])}",
                        code="delivery.dependency-cycle",
                        hint="remove one of these dependencies",
                    )
                ]
            )
        dropped = max(soft, key=lambda edge: (edge.waiter, edge.other))
        kept.remove(dropped)
        warnings.append(f"{show(dropped.waiter)} does not wait for {show(dropped.other)}: they wait for each other")
    return tuple(kept), tuple(warnings)


def _circle(edges: Sequence[Edge]) -> list[Edge]:
    """The edges of one circle, in order; [] when there is none."""
    out: dict[Identity, list[Edge]] = {}
    for edge in edges:
        out.setdefault(edge.waiter, []).append(edge)
    done: set[Identity] = set()
    for start in sorted(out):
        trail: list[Edge] = []
        step: Edge | None
        on_trail = {start: 0}
        ways = [iter(out[start])] if start not in done else []
        while ways:
            step = next(ways[-1], None)
            if step is None:
                ways.pop()
                done.add(trail.pop().other if trail else start)
                if ways:
                    on_trail.popitem()
            elif step.other in on_trail:
                return [*trail[on_trail[step.other] :], step]
            elif step.other not in done:
                trail.append(step)
                on_trail[step.other] = len(trail)
                ways.append(iter(out.get(step.other, ())))
    return []


def order(identities: Iterable[Identity], edges: Iterable[Edge]) -> list[Identity]:
    """A walk order: everything after what it waits for; ties by name.  For display and for tests."""
    waits: dict[Identity, set[Identity]] = {identity: set() for identity in identities}
    for edge in edges:
        waits.setdefault(edge.waiter, set()).add(edge.other)
        waits.setdefault(edge.other, set())
    out: list[Identity] = []
    done: set[Identity] = set()
    while ready := sorted(identity for identity, others in waits.items() if not others - done):
        out += ready
        done.update(ready)
        for identity in ready:
            del waits[identity]
    return out


def show(identity: Identity) -> str:
    _, (_, kind, namespace, name) = identity
    return f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"


def _is(item: Desired, group: str, kind: str) -> bool:
    return (item.subject.ref.group, item.subject.ref.kind) == (group, kind)
