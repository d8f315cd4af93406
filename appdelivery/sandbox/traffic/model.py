"""`Traffic`: what flows in a cluster, worked out from its objects: routes, their weights, Services, ready pods.

It listens to the storage and works out anew the namespaces where something has moved; nothing ticks.  Time here is the
wall's, because whoever measures asks for points of it; the speed of controllers does not move it.
"""

from __future__ import annotations

import time

from appdelivery.model import duration
from appdelivery.sandbox import storage
from appdelivery.sandbox.traffic import series
from appdelivery.sandbox.traffic.flows import Behaviour, Flow
from appdelivery.sandbox.traffic.script import Script

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from appdelivery.sandbox.cluster import Cluster
    from appdelivery.sandbox.storage import Body, Event
    from appdelivery.sandbox.traffic.series import Group

    Service = tuple[str, str]  # namespace, name

PODS, SERVICES = ("", "pods"), ("", "services")
ROUTES = ("gateway.networking.k8s.io", "httproutes")
SCRAPE = 5.0  # seconds between samples
REMEMBERED = 6 * 3600.0  # series of pods that are gone
ERRORS, LATENCY = "test.appdelivery.dev/error-rate", "test.appdelivery.dev/latency"  # annotations of pods
HASHES = ("pod-template-hash", "controller-revision-hash")
NOBODY: Group = ("", "", "")


class Traffic:
    """now: Unix seconds.  soon: calls once in a moment, when more changes may have come; None = whoever asks calls `settle`."""

    def __init__(
        self,
        cluster: Cluster,
        *,
        now: Callable[[], float] = time.time,
        soon: Callable[[Callable[[], None]], object] | None = None,
    ) -> None:
        self.cluster = cluster
        self.now = now
        self.script = Script()
        self.database = series.Database(SCRAPE)
        self._soon = soon
        self._moved: set[str] = set()
        self._came_in: dict[Service, float] = {}  # requests a second at every Service
        self._weights: dict[Service, list[dict[str, Any]]] = {}  # rules of a route as the data plane has them
        cluster.storage.listen(self._hear)
        self.move()

    def _hear(self, event: Event) -> None:
        if event.family == ROUTES and event.type == storage.DELETED:
            self._weights.pop(event.item.key, None)
        if event.family in (PODS, SERVICES, ROUTES):
            self.move(event.item.key[0])

    def move(self, namespace: str | None = None) -> None:
        """Something has changed in a namespace, or everywhere."""
        waiting = bool(self._moved)
        if namespace is None:
            held = [self.cluster.storage.family(family).items() for family in (PODS, SERVICES, ROUTES)]
            self._moved |= {item.key[0] for items in held for item in items}
        else:
            self._moved.add(namespace)
        if self._moved and not waiting and self._soon is not None:
            self._soon(self.settle)

    def settle(self) -> None:
        """Works out what has moved."""
        moved, self._moved = self._moved, set()
        if not moved:
            return
        at = self.now()
        before, self._came_in = self._came_in, self._loads()
        loads = self._came_in
        for namespace in moved | {service[0] for service, _ in before.items() ^ loads.items()}:
            self._work_out(namespace, {service[1]: load for service, load in loads.items() if service[0] == namespace}, at)
        self.database.prune(at - REMEMBERED)

    # --- what comes in at Services ---

    def _loads(self) -> dict[Service, float]:
        found: dict[Service, float] = {}
        routed: set[Service] = set()
        for item in self.cluster.storage.family(ROUTES).items():
            namespace, name = item.key
            rules = self._effective(item.body)
            requests = self.script.requests(namespace, route=name)
            for service, share in shares(rules, namespace):
                routed.add(service)
                found[service] = found.get(service, 0.0) + requests * share
        for item in self.cluster.storage.family(SERVICES).items():
            if item.key not in routed and item.body.get("spec", {}).get("selector"):
                found[item.key] = self.script.requests(item.key[0], service=item.key[1])
        return found

    def _effective(self, route: Body) -> list[dict[str, Any]]:
        """The rules that a controller has reported as taken over; those of before while it has not."""
        metadata = route["metadata"]
        key = metadata.get("namespace", ""), metadata["name"]
        conditions = [one for parent in route.get("status", {}).get("parents", ()) for one in parent.get("conditions", ())]
        observed = [one.get("observedGeneration", 0) for one in conditions]
        if key not in self._weights or not observed or max(observed) >= metadata.get("generation", 0):
            self._weights[key] = route.get("spec", {}).get("rules") or []
        return self._weights[key]

    # --- who answers ---

    def _work_out(self, namespace: str, loads: dict[str, float], at: float) -> None:
        groups = _groups([item.body for item in self.cluster.storage.family(PODS).items(namespace)])
        index = _Index([(labels, group) for group, pods in groups.items() for labels in {_labels(pod) for pod in pods}])
        flowing = set()
        for service, load in loads.items():
            kept = self.cluster.storage.family(SERVICES).get((namespace, service))
            selector = (kept.body.get("spec", {}).get("selector") if kept is not None else None) or {}
            chosen = {group: groups[group] for group in index.matching(selector)}
            for group, share, behaviour in self._answering(namespace, service, chosen, missing=kept is None):
                key = (namespace, service, group)
                flowing.add(key)
                self._flow(key).set(at, load * share, behaviour)
        for key, flow in self.database.flows():
            if key[0] == namespace and key not in flowing:
                flow.end(at)

    def _answering(
        self, namespace: str, service: str, chosen: dict[Group, list[Body]], *, missing: bool
    ) -> Iterator[tuple[Group, float, Behaviour]]:
        ready = {group: [pod for pod in pods if is_ready(pod)] for group, pods in chosen.items()}
        total = sum(map(len, ready.values()))
        if not total:
            yield NOBODY, 1.0, Behaviour(errors=1.0, failure="500" if missing else "503", latency=0.005)
        for group, pods in ready.items():
            behaviour = self.script.behaviour(_named(namespace, service, group), _annotated(chosen[group][0]))
            yield group, len(pods) / total if total else 0.0, behaviour

    def _flow(self, key: tuple[str, str, Group]) -> Flow:
        return self.database.flow(key, lambda: Flow(_named(*key)))

    def shown(self) -> list[dict[str, Any]]:
        """Who gets how much now."""
        self.settle()
        return [{**_named(*key), "requests": round(flow.rate, 3)} for key, flow in self.database.flows() if flow.rate >= 0]


class _Index:
    """Selectors are met by one of their labels first, or a thousand Services would look at every pod."""

    def __init__(self, pairs: list[tuple[frozenset[tuple[str, str]], Group]]) -> None:
        self._by_label: dict[tuple[str, str], list[tuple[frozenset[tuple[str, str]], Group]]] = {}
        for labels, group in pairs:
            for one in labels:
                self._by_label.setdefault(one, []).append((labels, group))

    def matching(self, selector: dict[str, str]) -> list[Group]:
        wanted = frozenset(selector.items())
        if not wanted:
            return []
        fewest = min([self._by_label.get(one, []) for one in wanted], key=len)
        return list(dict.fromkeys([group for labels, group in fewest if wanted <= labels]))


def shares(rules: list[dict[str, Any]], namespace: str) -> Iterator[tuple[Service, float]]:
    """Every rule gets as much as the next; inside a rule the weights decide."""
    for rule in rules:
        references = [one for one in rule.get("backendRefs") or () if one.get("kind", "Service") == "Service"]
        total = sum(one.get("weight", 1) for one in references)
        for one in references:
            if total:
                yield (one.get("namespace", namespace), one["name"]), one.get("weight", 1) / total / len(rules)


def is_ready(pod: Body) -> bool:
    conditions = pod.get("status", {}).get("conditions", ())
    ready = any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)
    return ready and "deletionTimestamp" not in pod["metadata"]


def _groups(pods: list[Body]) -> dict[Group, list[Body]]:
    found: dict[Group, list[Body]] = {}
    for pod in pods:
        found.setdefault(_group(pod), []).append(pod)
    return found


def _group(pod: Body) -> Group:
    metadata = pod["metadata"]
    revision = next((value for name in HASHES if (value := metadata.get("labels", {}).get(name))), "")
    owners = metadata.get("ownerReferences") or ()
    owner = next((one["name"] for one in owners if one.get("controller")), metadata["name"])
    image = (pod.get("spec", {}).get("containers") or [{}])[0].get("image", "")
    _, _, tag = image.rpartition("/")[2].partition(":")
    return owner.removesuffix(f"-{revision}"), revision, tag.partition("@")[0]


def _labels(pod: Body) -> frozenset[tuple[str, str]]:
    return frozenset((pod["metadata"].get("labels") or {}).items())


def _named(namespace: str, service: str, group: Group) -> dict[str, str]:
    return {
        "namespace": namespace, "service": service, "deployment": group[0], "revision": group[1], "version": group[2],
    }  # fmt: skip


def _annotated(pod: Body) -> Behaviour:
    """What the pods say of themselves, so that an application can bring its own weather."""
    annotations = pod["metadata"].get("annotations") or {}
    plain = Behaviour()
    try:
        errors = min(max(float(annotations.get(ERRORS, 0)), 0.0), 1.0)
        latency = duration.parse(annotations[LATENCY]) if LATENCY in annotations else plain.latency
    except ValueError:
        return plain
    return Behaviour(errors=errors, latency=latency if latency > 0 else plain.latency)
