"""Answers "why is it not ready" in one screen: from the worst object down to a container, its events and last lines.

Bounded: one LIST of pods and six further requests per answer.  Called by platform for `why`, and by wait when something
fails; every text passes the redaction walk before it leaves.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from appdelivery import errors
from appdelivery.delivery import causes, health
from appdelivery.delivery.health import pods
from appdelivery.delivery.ports import LogOptions
from appdelivery.model import redact
from appdelivery.model.live import Health, KubeEvent, Live
from appdelivery.model.refs import Kind, Ref, Selector

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from appdelivery.delivery.ports import Fleet
    from appdelivery.model.history import Managed

EVENTS = 5
LOG_LINES = 20
POD = Kind("", "v1", "Pod")
WITH_PODS = frozenset(("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "ReplicationController"))
STATES = ("degraded", "missing", "unknown", "progressing", "suspended", "healthy")


@dataclass(frozen=True, slots=True)
class Finding:
    """One object on the way down; container is '' unless one is to blame."""

    ref: Ref
    health: Health
    container: str = ""


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


async def why(
    fleet: Fleet, rows: Sequence[Managed], judge: Callable[[Live], Health], *, waiting: Sequence[tuple[str, str]] = ()
) -> Answer:
    """rows: the application's inventory.  waiting: (component, component it waits for)."""
    if not rows:
        return Answer("missing", "nothing of this application is in a cluster")
    unread: list[str] = []
    judged = await _judge_all(fleet, rows, judge, unread)
    row, verdict, live = min(judged, key=lambda found: _rank(found[1]))
    if verdict.state == "healthy":
        return Answer("healthy", f"all {len(judged)} objects are healthy", unread=tuple(unread))
    chain = [Finding(row.ref, verdict)]
    if live is not None and row.ref.kind in WITH_PODS:
        chain += await _worst_pod(fleet, row.cluster, live, judge, unread)
    leaf = chain[-1]
    events = await _events(fleet, row.cluster, chain, unread)
    log = await _log(fleet, row.cluster, leaf, unread)
    cause, advice = causes.match(leaf.health, events, log)
    behind = tuple(f"component {waiter}" for waiter, other in waiting if other == row.component)
    summary = f"{row.ref} (cluster {row.cluster}): {verdict.message or verdict.reason or verdict.state}"
    return Answer(verdict.state, summary, row.cluster, tuple(chain), events, log, cause, advice, behind, tuple(unread))


async def _judge_all(
    fleet: Fleet, rows: Sequence[Managed], judge: Callable[[Live], Health], unread: list[str]
) -> list[tuple[Managed, Health, Live | None]]:
    judged: list[tuple[Managed, Health, Live | None]] = []
    for cluster in sorted({row.cluster for row in rows}):
        here = [row for row in rows if row.cluster == cluster]
        suspects = sorted(here, key=lambda row: STATES.index(row.health) if row.health in STATES else 2)
        try:
            found = await fleet.read(cluster, [row.ref for row in suspects])
        except errors.ClusterError as error:
            unread.append(error.message)
            judged += [(row, Health("unknown", "Unreadable", error.message), None) for row in here]
            continue
        for row in suspects:
            live = found.get(row.ref)
            verdict = Health("missing", "Missing", "it is not in the cluster") if live is None else judge(live)
            if (
                row.mode != "read-only"
                and live is not None
                and health.wait_class(row.ref, live.body) == "none"
                and verdict.state != "degraded"
            ):
                verdict = Health("healthy", verdict.reason, verdict.message)
            judged.append((row, verdict, live))
    return judged


def _rank(verdict: Health) -> tuple[bool, int]:
    return not verdict.terminal, STATES.index(verdict.state)


async def _worst_pod(
    fleet: Fleet, cluster: str, live: Live, judge: Callable[[Live], Health], unread: list[str]
) -> list[Finding]:
    labels = ((live.body.get("spec") or {}).get("selector") or {}).get("matchLabels") or {}
    selector = ",".join(f"{k}={v}" for k, v in labels.items())
    if not selector:
        return []
    try:
        found = await fleet.list(cluster, POD, live.ref.namespace, Selector(labels=selector))
    except errors.ClusterError as error:
        unread.append(error.message)
        return []
    verdicts = [(pod, judge(pod)) for pod in found]
    bad = [(pod, verdict) for pod, verdict in verdicts if verdict.state != "healthy"]
    if not bad:
        return []
    pod, verdict = min(bad, key=lambda entry: (_rank(entry[1]), -pods.failures(entry[0].body)))
    blamed = next((c.name for c in pods.containers(pod.body) if c.failed or not c.ready), "")
    return [Finding(pod.ref, verdict, blamed)]


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
    lines: list[str] = []
    for previous in (True, False):
        how = LogOptions(container=leaf.container, tail=LOG_LINES, previous=previous)
        try:
            lines = [redact.text(line) async for line in fleet.logs(cluster, leaf.ref, how)]
        except errors.ClusterError as error:
            if not previous:
                unread.append(error.message)
        if lines:
            break
    return tuple(lines[-LOG_LINES:])


def as_tree(answer: Answer) -> dict[str, Any]:
    """As -o json prints it."""
    return {
        "state": answer.state,
        "summary": answer.summary,
        "cluster": answer.cluster or None,
        "chain": [
            {
                "kind": f.ref.kind,
                "namespace": f.ref.namespace,
                "name": f.ref.name,
                "container": f.container or None,
                "state": f.health.state,
                "reason": f.health.reason,
                "message": redact.text(f.health.message),
            }
            for f in answer.chain
        ],
        "events": [
            {
                "reason": e.reason,
                "message": redact.text(e.message),
                "count": e.count,
                "at": e.at.isoformat() if e.at else None,
            }
            for e in answer.events
        ],
        "log": list(answer.log),
        "cause": answer.cause or None,
        "advice": answer.advice or None,
        "behind": list(answer.behind),
        "unread": list(answer.unread),
    }
