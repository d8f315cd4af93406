"""A probe of one cluster: does it answer, may we list, and (a full one) what may we do, what does it serve, how far is it.

Called by platform for `appctl cluster add` and `probe`, and by whoever watches a cluster, with `full=False`: two requests.
A probe that finds no answer is an answer too, so nothing of the kind is raised.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from appdelivery import errors
from appdelivery.clusters import cluster, expiry, together, transport, wire
from appdelivery.model import canonical, reach
from appdelivery.model.record import changed, record

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from appdelivery.clusters.credentials import Credentials
    from appdelivery.model.live import ClusterFacts

LIMITS = transport.Limits(read_s=10.0, total_s=15.0, throttled=2)
TRIES = 3  # of a person who asks once: as many failures as make a cluster unreachable
PAUSE = 1.0  # seconds between them
TURNS = 3  # requests that the round trip is measured on
SKEWED_S = 5.0  # a Date counts whole seconds, and an answer takes its time

WRITING = ("get", "list", "watch", "create", "patch", "delete")
# What we may ask a cluster for, by what it is good for: (verbs, API group, resource).
RIGHTS: dict[str, tuple[tuple[tuple[str, ...], str, str], ...]] = {
    "deliver": (
        (WRITING, "apps", "deployments"),
        (WRITING, "apps", "statefulsets"),
        (WRITING, "batch", "jobs"),
        (WRITING, "", "services"),
        (WRITING, "", "configmaps"),
        (WRITING, "", "secrets"),
    ),
    "create namespaces": ((("get", "create"), "", "namespaces"),),
    "say why": ((("get", "list"), "", "pods"), (("list",), "", "events"), (("get",), "", "pods/log")),
    "install definitions": ((("get", "create", "patch"), "apiextensions.k8s.io", "customresourcedefinitions"),),
    "see capacity": ((("list", "watch"), "", "nodes"), (("list", "watch"), "", "pods")),
}
GATEWAY_CLASSES = "/apis/gateway.networking.k8s.io/v1/gatewayclasses"
# API groups beyond Kubernetes' own that features of ours use where they are served.
EXTENSIONS = {
    "gateway.networking.k8s.io": "Gateway API",
    "resource.k8s.io": "dynamic resource allocation",
    "nvidia.com": "NVIDIA GPU operator",
    "keda.sh": "KEDA",
    "monitoring.coreos.com": "Prometheus operator",
    "cert-manager.io": "cert-manager",
    "external-secrets.io": "External Secrets",
    "leaderworkerset.x-k8s.io": "LeaderWorkerSet",
    "kueue.x-k8s.io": "Kueue",
    "snapshot.storage.k8s.io": "volume snapshots",
}


@record
class Probe:
    name: str
    reach: str  # ready, unreachable, unauthorized
    reason: str = ""  # one sentence; '' = all is well
    hint: str = ""
    code: str = ""  # of the error that the reason is taken from
    facts: ClusterFacts | None = None
    round_trip_ms: float | None = None
    skew_s: float | None = None  # the cluster's clock minus ours
    missing: dict[str, tuple[str, ...]] | None = None  # by use, rights that are lacking; None = not asked
    extensions: tuple[str, ...] = ()
    gateway_classes: tuple[str, ...] = ()
    expires: datetime | None = None
    tries: int = 1

    @property
    def skewed(self) -> bool:
        return self.skew_s is not None and abs(self.skew_s) >= SKEWED_S

    def to_tree(self) -> dict[str, Any]:
        """What the registry keeps of it beside version and reach."""
        found = {
            "roundTripMs": self.round_trip_ms,
            "skewSeconds": self.skew_s,
            "kinds": len(self.facts.served) if self.facts else None,
            "missing": {use: list(lacking) for use, lacking in (self.missing or {}).items() if lacking},
            "extensions": list(self.extensions),
            "gatewayClasses": list(self.gateway_classes),
            "expires": self.expires.isoformat() if self.expires else None,
        }
        return {name: value for name, value in found.items() if value is not None}


def served_digest(facts: ClusterFacts) -> str:
    """Changes when the cluster begins or ceases to serve a kind."""
    return canonical.digest(sorted([str(kind) for kind in facts.served]))


async def probe(
    name: str,
    credentials: Credentials,
    *,
    full: bool = True,
    log: Callable[[transport.Sent], None] | None = None,
    limits: transport.Limits = LIMITS,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Probe:
    """One probe, over connections of its own."""
    way = transport.Transport(name, credentials, limits=limits, log=log)
    found = Probe(name, reach.READY, expires=expiry.of(credentials))
    try:
        skew = await _answers(way, clock)
        found = changed(found, skew_s=skew)
        found = await _looked(way, found) if full else found
        await _may_list(way)
    except errors.Forbidden as error:
        return _failed(found, reach.UNAUTHORIZED, error)
    except errors.Unauthorized as error:
        return _failed(found, reach.UNAUTHORIZED, error)
    except errors.ClusterError as error:
        return _failed(found, reach.UNREACHABLE, error)
    finally:
        await way.close()
    return found


async def patiently(
    once: Callable[[], Awaitable[Probe]], *, tries: int = TRIES, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> Probe:
    """Again, when there was no answer: of a single request nobody knows whether it was lost on the way."""
    for turn in range(1, tries + 1):
        found = await once()
        if found.reach != reach.UNREACHABLE or turn == tries or found.code in ("cluster.untrusted", "cluster.redirect"):
            return changed(found, tries=turn)
        await sleep(PAUSE * turn)
    raise AssertionError("there is at least one try")


async def _answers(way: transport.Transport, clock: Callable[[], datetime]) -> float | None:
    """Raises when nobody answers or the server is not ready; else the skew of its clock."""
    doing = f"probe cluster {way.name}"
    before = clock()
    try:
        answer = await way.request("GET", "/readyz", doing=doing, accept="*/*")
    except errors.Forbidden:  # closed to some by their administrators: the version tells as much about the way
        answer = await way.request("GET", "/version", doing=doing)
    return _skew(answer.date, before, clock())


def _skew(date: str, before: datetime, after: datetime) -> float | None:
    """A Date is cut to seconds, and was written between the two times."""
    try:
        told = parsedate_to_datetime(date)
    except (TypeError, ValueError):
        return None
    if told.tzinfo is None:
        return None
    lead = (told - after).total_seconds()
    lag = (told - before).total_seconds() + 1.0
    return round(lead if lead > 0 else lag if lag < 0 else 0.0, 1)


async def _may_list(way: transport.Transport) -> None:
    await way.request("GET", "/api/v1/namespaces", query={"limit": "1"}, doing=f"list namespaces of cluster {way.name}")


async def _looked(way: transport.Transport, found: Probe) -> Probe:
    # One after another: the round trip is to be that of an idle connection, and a server that is none says so first.
    facts = await cluster.Cluster(way).facts()
    quick = await _round_trip(way)
    missing = await _missing(way)
    groups = {kind.group for kind in facts.served}
    classes: Sequence[str] = ()
    if "gateway.networking.k8s.io" in groups:
        classes = await _gateway_classes(way)
    return changed(
        found,
        facts=facts,
        missing=missing,
        round_trip_ms=quick,
        extensions=tuple([name for group, name in EXTENSIONS.items() if group in groups]),
        gateway_classes=tuple(classes),
    )


async def _round_trip(way: transport.Transport) -> float:
    """The quickest of a few, one after another over an open connection."""
    took = []
    for _ in range(TURNS):
        begun = time.monotonic()
        await way.request("GET", "/version", doing=f"probe cluster {way.name}")
        took.append(time.monotonic() - begun)
    return round(min(took) * 1000, 1)


async def _missing(way: transport.Transport) -> dict[str, tuple[str, ...]]:
    """What the server says we may not do.  One question is enough for somebody who may do everything."""
    if await _can(way, "*", "*", "*"):
        return dict.fromkeys(RIGHTS, ())
    asked = sorted({(verb, group, plural) for uses in RIGHTS.values() for verbs, group, plural in uses for verb in verbs})
    allowed = dict(zip(asked, await together.all_of([_can(way, *one) for one in asked]), strict=True))
    return {
        use: tuple(
            [_right(*one) for verbs, group, plural in uses for verb in verbs if not allowed[one := (verb, group, plural)]]
        )
        for use, uses in RIGHTS.items()
    }


def _right(verb: str, group: str, plural: str) -> str:
    return f"{verb} {plural}.{group}" if group else f"{verb} {plural}"


async def _can(way: transport.Transport, verb: str, group: str, resource: str) -> bool:
    plural, _, sub = resource.partition("/")
    attributes = {"verb": verb, "group": group, "resource": plural} | ({"subresource": sub} if sub else {})
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    answer = await way.request(
        "POST",
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        wire.dumps(body),
        doing=f"ask cluster {way.name} what we may do",
    )
    told = answer.body.get("status") if isinstance(answer.body, dict) else None
    if not isinstance(told, dict):
        raise errors.ClusterError(f"ask cluster {way.name} what we may do: no review came back", code="cluster.malformed")
    return bool(told.get("allowed"))


async def _gateway_classes(way: transport.Transport) -> Sequence[str]:
    # Who may not see them, or has another version of the API, simply does not know them.
    with contextlib.suppress(errors.Forbidden, errors.NotServed):
        answer = await way.request("GET", GATEWAY_CLASSES, query={"limit": "50"}, doing=f"read cluster {way.name}")
        return sorted([item["metadata"]["name"] for item in answer.body["items"]])
    return ()


def _failed(found: Probe, how: str, error: errors.ClusterError) -> Probe:
    return changed(found, reach=how, reason=error.message, hint=error.hint, code=error.code)
