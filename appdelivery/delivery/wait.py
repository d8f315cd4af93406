"""When waiting ends: ready, terminal failure, error budget, no activity, deadline (delivery.md section 10.2).  Pure.

The walk asks after every event and at `next_moment`; it is told which component failed, through which object, and why.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from appdelivery.delivery.health import pods
from appdelivery.model import duration, fieldpath
from appdelivery.model.live import Health

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from appdelivery.delivery.policies import Patience

DEGRADED_S = 30.0  # for kinds without an error budget
NO_STATUS_S = 60.0
PODS_AFTER_S = 5.0  # what is ready sooner never costs a watch of pods
SLOW_START_S = 900.0  # instead of no-activity, while an image is pulled or a start-up probe runs
BUDGETED = frozenset(("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"))


@dataclass(slots=True)
class Waiting:
    """One object that is there and not yet as it should be."""

    kind: str
    component: str
    since: datetime  # of its apply, or of the start of this run when it is unchanged
    health: Health
    health_since: datetime
    replicas: int = 1
    failures: dict[str, int] = field(default_factory=dict)  # pod uid to failures counted
    baseline: dict[str, int] = field(default_factory=dict)  # of pods that were there before
    slow: bool = False  # pulling an image, or in a start-up probe

    @property
    def failed(self) -> int:
        return sum(max(count - self.baseline.get(uid, 0), 0) for uid, count in self.failures.items())


@dataclass(slots=True)
class Tracker:
    """One component: when it began and when anything of it last changed."""

    began: datetime
    active: datetime


def settled(health: Health, wait: str, since: datetime, now: datetime) -> bool:
    """Whether an object counts as ready.  What its author has suspended is not going to change."""
    if wait == "none" or health.state in ("healthy", "suspended"):
        return True
    return health.reason == "NoStatus" and (now - since).total_seconds() >= NO_STATUS_S


def ending(one: Waiting, tracker: Tracker, patience: Patience, now: datetime) -> str:
    """Why an object's component has failed; '' while there is hope."""
    said = one.health.message or one.health.reason or one.health.state
    if one.health.terminal:
        return said
    if one.kind not in BUDGETED:
        if one.health.state == "degraded" and _past(one.health_since, DEGRADED_S, now):
            return f"{said} (for {duration.show(DEGRADED_S)})"
    elif one.failed > patience.error_budget * max(one.replicas, 1):
        return f"{said}; {one.failed} failures, {patience.error_budget * max(one.replicas, 1):g} are allowed"
    quiet = max(patience.no_activity, SLOW_START_S) if one.slow else patience.no_activity
    if _past(tracker.began, patience.deadline, now):
        return f"{said}; not ready within {duration.show(patience.deadline)}"
    if _past(tracker.active, quiet, now):
        return f"{said}; nothing has changed for {duration.show(quiet)}"
    return ""


def next_moment(waiting: Iterable[tuple[Waiting, Tracker]], patience: Patience, now: datetime) -> float | None:
    """Seconds until the clock alone may change a verdict."""
    moments = [moment for one, tracker in waiting for moment in _moments(one, tracker, patience)]
    ahead = [(moment - now).total_seconds() for moment in moments if moment > now]
    return min(ahead, default=None)


def _moments(one: Waiting, tracker: Tracker, patience: Patience) -> Iterator[datetime]:
    quiet = max(patience.no_activity, SLOW_START_S) if one.slow else patience.no_activity
    yield tracker.began + timedelta(seconds=patience.deadline)
    yield tracker.active + timedelta(seconds=quiet)
    if one.kind in BUDGETED:
        yield one.since + timedelta(seconds=PODS_AFTER_S)
    elif one.health.state == "degraded":
        yield one.health_since + timedelta(seconds=DEGRADED_S)
    if one.health.reason == "NoStatus":
        yield one.since + timedelta(seconds=NO_STATUS_S)


def wants_pods(one: Waiting, now: datetime) -> bool:
    return one.kind in BUDGETED and _past(one.since, PODS_AFTER_S, now)


def count_pod(one: Waiting, body: dict[str, Any], *, old: bool) -> None:
    """old: the pod was there before the change, so only failures from now on count."""
    uid = str(body["metadata"].get("uid", ""))
    count = pods.failures(body)
    if old:
        one.baseline.setdefault(uid, count)
    # A container that cannot start is one failure however often it is seen; restarts only ever rise.
    one.failures[uid] = max(count, one.failures.get(uid, 0))
    one.slow = one.slow or _starting(body)


def _starting(body: dict[str, Any]) -> bool:
    probed = {str(c.get("name")) for c in fieldpath.get(body, ("spec", "containers")) or () if c.get("startupProbe")}
    statuses = fieldpath.get(body, ("status", "containerStatuses")) or ()
    return any(
        s.get("started") is False and "running" in (s.get("state") or {}) and s.get("name") in probed for s in statuses
    )


def selector_of(body: dict[str, Any]) -> dict[str, str]:
    """matchLabels of a workload: which pods are its."""
    labels = fieldpath.get(body, ("spec", "selector", "matchLabels"))
    return {str(key): str(value) for key, value in labels.items()} if isinstance(labels, dict) else {}


def _past(since: datetime, seconds: float, now: datetime) -> bool:
    return (now - since).total_seconds() >= seconds
