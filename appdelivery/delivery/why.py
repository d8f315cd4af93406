"""Answers "why is it not ready" in one screen: from the worst object down to a container, its events and last lines.

Only objects that a release waits for can be the reason; the others that are not ready are told beside it.  Bounded: one
list per kind of the application, one list of pods, and six further requests.  Called by platform for `why`, and by a
release when something fails; every text passes the redaction walk before it leaves.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from appdelivery import errors
from appdelivery.delivery import causes, health, survey
from appdelivery.delivery.health import pods
from appdelivery.delivery.ports import LogOptions
from appdelivery.model import redact, secret
from appdelivery.model.live import Health, KubeEvent, Live
from appdelivery.model.record import changed, record
from appdelivery.model.refs import Kind, Ref, Selector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from appdelivery.delivery.ports import Fleet
    from appdelivery.delivery.survey import Judged
    from appdelivery.model.history import Managed

    WaitClass = Callable[[Ref, dict[str, Any]], str]

EVENTS = 5
LOG_LINES = 20
LONGEST = 1000  # characters of one line or message
KEY_BEGINS, KEY_ENDS, KEY = "-----BEGIN ", "-----END ", "PRIVATE KEY-----"
POD = Kind("", "v1", "Pod")
WITH_PODS = frozenset(("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "ReplicationController"))
# What can be acted on stands before what is only not known.
STATES = ("degraded", "missing", "progressing", "unknown", "suspended", "healthy")


@record
class Finding:
    """One object on the way down; container is '' unless one is to blame."""

    ref: Ref
    health: Health
    container: str = ""
    restarts: int = 0  # of that container


@dataclass(frozen=True, slots=True)
class Answer:
    """What `why` prints.  chain goes from the application's object down to the cause; empty when all is well."""

    state: str
    summary: str
    cluster: str = ""
    chain: tuple[Finding, ...] = ()
    events: tuple[KubeEvent, ...] = ()
    log: tuple[str, ...] = ()
    cause: str = ""
    advice: str = ""
    behind: tuple[str, ...] = ()  # what waits for this object
    unread: tuple[str, ...] = field(default=())  # what could not be read, and why
    optional: tuple[Finding, ...] = ()  # not required, but not ready


async def why(
    fleet: Fleet,
    rows: Sequence[Managed],
    judge: Callable[[Live], Health],
    *,
    waiting: Sequence[tuple[str, str]] = (),
    wait_class: WaitClass = health.wait_class,
    secrets: Iterable[str] = (),
) -> Answer:
    """rows: the application's inventory, or one object that is to be explained whatever its wait class.
    waiting: (component, component it waits for).  secrets: values to mask wherever they appear."""
    if not rows:
        return Answer("missing", "nothing of this application is in a cluster")
    unread: list[str] = []
    judged = [one for one in await survey.survey(fleet, rows, judge, unread) if not _left(one)]
    required = [one for one in judged if len(rows) == 1 or _gates(one, wait_class)]
    kept = {one.row.identity for one in required}
    beside = [one for one in judged if one.row.identity not in kept and one.health.state != "healthy"]
    optional = tuple([Finding(one.row.ref, one.health) for one in sorted(beside, key=_order)])
    worst = min(required, key=_order, default=None)
    if worst is None or worst.health.state == "healthy":
        objects = f"all {len(required)} required objects are" if optional else f"all {len(judged)} objects are"
        found = Answer("healthy", f"{objects} healthy", optional=optional, unread=tuple(unread))
    else:
        found = await _explained(fleet, worst, judge, unread)
        behind = tuple(f"component {waiter}" for waiter, other in waiting if other == worst.row.component)
        found = changed(found, behind=behind, optional=optional, unread=tuple(unread))
    return _redacted(found, tuple(secrets))


def _left(one: Judged) -> bool:
    """Deleted, and as it should be: absent."""
    return one.row.state == "deleting" and one.health.state == "missing"


def _gates(one: Judged, wait_class: WaitClass) -> bool:
    """Whether a release waits for the object.  One that is missing or not readable is a reason unless it is optional."""
    kept = wait_class(one.row.ref, one.body)
    return kept == "required" or (kept == "none" and one.live is None)


def _order(one: Judged) -> tuple[bool, int, float]:
    """Worst first; of equals the one that has been so for longest."""
    since = one.health.since or one.row.health_since
    return not one.health.terminal, STATES.index(one.health.state), since.timestamp() if since else float("inf")


async def _explained(fleet: Fleet, worst: Judged, judge: Callable[[Live], Health], unread: list[str]) -> Answer:
    row, verdict = worst.row, worst.health
    said = verdict.message or verdict.reason or verdict.state
    if verdict.reason == survey.UNREADABLE:
        summary = f"{row.ref} (cluster {row.cluster}) cannot be judged: {said}"
        return Answer(verdict.state, summary, row.cluster, (Finding(row.ref, verdict),))
    chain = [Finding(row.ref, verdict)]
    if worst.live is not None and row.ref.kind in WITH_PODS:
        chain += await _worst_pod(fleet, row.cluster, worst.live, judge, unread)
    elif worst.live is not None and row.ref.kind == "Pod":
        chain = [_blamed(worst.live, verdict)]
    leaf = chain[-1]
    events = await _events(fleet, row.cluster, chain, unread)
    log = await _log(fleet, row.cluster, leaf, unread)
    cause, advice = causes.match([one.health for one in reversed(chain)], events, log)
    summary = f"{row.ref} (cluster {row.cluster}): {said}"
    return Answer(verdict.state, summary, row.cluster, tuple(chain), events, log, cause, advice)


async def _worst_pod(
    fleet: Fleet, cluster: str, live: Live, judge: Callable[[Live], Health], unread: list[str]
) -> list[Finding]:
    selector = _selector(live)
    if not selector:
        return []
    try:
        found = await fleet.list(cluster, POD, live.ref.namespace, Selector(labels=selector))
    except errors.ClusterError as error:
        unread.append(error.message)
        return []
    bad = [(pod, verdict) for pod, verdict in [(pod, judge(pod)) for pod in found] if verdict.state != "healthy"]
    if not bad:
        return []
    pod, verdict = min(bad, key=lambda one: (not one[1].terminal, STATES.index(one[1].state), -pods.failures(one[0].body)))
    return [_blamed(pod, verdict)]


def _selector(live: Live) -> str:
    """The labels by which a workload finds its pods; a ReplicationController has them bare."""
    selector = (live.body.get("spec") or {}).get("selector") or {}
    labels = selector if live.ref.kind == "ReplicationController" else selector.get("matchLabels") or {}
    return ",".join(f"{key}={value}" for key, value in labels.items())


def _blamed(pod: Live, verdict: Health) -> Finding:
    containers = pods.containers(pod.body)
    blamed = next((c for c in containers if c.failed), None) or next((c for c in containers if not c.ready), None)
    return Finding(pod.ref, verdict, blamed.name, blamed.restarts) if blamed else Finding(pod.ref, verdict)


async def _events(fleet: Fleet, cluster: str, chain: Sequence[Finding], unread: list[str]) -> tuple[KubeEvent, ...]:
    """Warnings of the lowest object that has any, newest first."""
    for finding in reversed(chain):
        try:
            events = await fleet.events(cluster, finding.ref, EVENTS * 4)
        except errors.ClusterError as error:
            unread.append(error.message)
            return ()
        warnings = [e for e in events if e.type == "Warning"][:EVENTS]
        if warnings:
            return tuple(warnings)
    return ()


async def _log(fleet: Fleet, cluster: str, leaf: Finding, unread: list[str]) -> tuple[str, ...]:
    """Last lines of the blamed container; of the one before it when it has restarted."""
    if leaf.ref.kind != "Pod" or not leaf.container or leaf.health.reason in causes.NEVER_RAN:
        return ()
    for previous in (True, False) if leaf.restarts else (False,):
        how = LogOptions(container=leaf.container, tail=LOG_LINES, previous=previous)
        try:
            lines = [line async for line in fleet.logs(cluster, leaf.ref, how)]
        except errors.ClusterError as error:
            if not previous:  # the container before this one may be gone; the present one is asked then
                unread.append(error.message)
            continue
        if lines:
            return tuple(lines[-LOG_LINES:])
    return ()


def _redacted(answer: Answer, secrets: Sequence[str]) -> Answer:
    def clean(text: str) -> str:
        return redact.text(text, secrets)[:LONGEST]

    def finding(one: Finding) -> Finding:
        return changed(one, health=changed(one.health, message=clean(one.health.message)))

    return changed(
        answer,
        summary=clean(answer.summary),
        chain=tuple([finding(one) for one in answer.chain]),
        optional=tuple([finding(one) for one in answer.optional]),
        events=tuple([changed(e, message=clean(e.message)) for e in answer.events]),
        log=_redacted_log(answer.log, secrets),
        cause=clean(answer.cause),
        unread=tuple(dict.fromkeys(map(clean, answer.unread))),
    )


def _redacted_log(log: Sequence[str], secrets: Sequence[str]) -> tuple[str, ...]:
    """Private keys span lines, and the last lines of a log may begin in the middle of one."""
    shown: list[str] = []
    inside = False
    for line in log:
        if KEY_BEGINS in line and KEY in line:
            inside = True
            shown.append(f"{secret.MASK}>")
        elif KEY_ENDS in line and KEY in line:
            shown = shown if inside else [f"{secret.MASK}>"]
            inside = False
        elif not inside:
            shown.append(redact.text(line, secrets)[:LONGEST])
    return tuple(shown)


def as_tree(answer: Answer) -> dict[str, Any]:
    """As -o json prints it."""
    return {
        "state": answer.state,
        "summary": answer.summary,
        "cluster": answer.cluster or None,
        "chain": [_finding_tree(one) for one in answer.chain],
        "events": [
            {"reason": e.reason, "message": e.message, "count": e.count, "at": e.at.isoformat() if e.at else None}
            for e in answer.events
        ],
        "log": list(answer.log),
        "cause": answer.cause or None,
        "advice": answer.advice or None,
        "behind": list(answer.behind),
        "optional": [_finding_tree(one) for one in answer.optional],
        "unread": list(answer.unread),
    }


def _finding_tree(one: Finding) -> dict[str, Any]:
    return {
        "kind": one.ref.kind,
        "namespace": one.ref.namespace,
        "name": one.ref.name,
        "container": one.container or None,
        "state": one.health.state,
        "reason": one.health.reason,
        "message": one.health.message,
    }
