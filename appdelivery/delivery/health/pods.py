"""Pods and their containers: the one place that reads container states, for health, the error budget and `why`."""

from __future__ import annotations

from typing import Any

from appdelivery.delivery.health.conditions import Facts, said
from appdelivery.model.live import Health
from appdelivery.model.record import record

BROKEN_WAITS = ("InvalidImageName", "CreateContainerConfigError", "CreateContainerError", "RunContainerError")


@record
class Container:
    """What one container says of itself.  failed: it cannot go on as it is."""

    name: str
    state: str  # waiting, running, terminated
    reason: str  # CrashLoopBackOff, ImagePullBackOff, OOMKilled, Error, ...
    message: str
    restarts: int
    ready: bool
    exit_code: int | None  # of the last end
    failed: bool
    init: bool = False


def pod(facts: Facts) -> Health:
    phase = facts.status.get("phase")
    if phase == "Failed":
        return Health("degraded", str(facts.status.get("reason") or "Failed"), _why_failed(facts), terminal=True)
    if phase == "Succeeded":
        return Health("healthy", "Succeeded", "every container has ended well")
    for container in containers(facts.body):
        if container.failed and (container.state == "waiting" or _restarted(facts)):
            return Health("degraded", container.reason or "Error", describe(container))
    if phase == "Running":
        if not _restarted(facts):
            return Health("progressing", "Running", "is running")
        if facts.is_true("Ready"):
            return Health("healthy", "Ready", "is running and ready")
        waits = [c for c in containers(facts.body) if not c.ready and not c.init]
        names = ", ".join(c.name for c in waits) or said(facts.condition("Ready"))
        return Health("progressing", "NotReady", f"not ready: {names}")
    scheduled = facts.condition("PodScheduled")
    if facts.is_false("PodScheduled"):
        return Health("progressing", str(scheduled.get("reason") or "Unschedulable"), said(scheduled, "no node fits"))
    waiting = next((c for c in containers(facts.body) if c.state == "waiting"), None)
    return Health("progressing", waiting.reason if waiting else "Pending", describe(waiting) if waiting else "is pending")


def _restarted(facts: Facts) -> bool:
    """A container that has ended is started again: nobody but its own failure ends it."""
    return (facts.spec.get("restartPolicy") or "Always") == "Always"


def _why_failed(facts: Facts) -> str:
    ended = [c for c in containers(facts.body) if c.exit_code not in (None, 0)]
    return (
        describe(ended[0])
        if ended
        else str(facts.status.get("message") or facts.status.get("reason") or "the pod has failed")
    )


def containers(body: dict[str, Any]) -> list[Container]:
    """Init containers first, in order."""
    status = body.get("status") or {}
    found = [_container(c, init=True) for c in status.get("initContainerStatuses") or ()]
    return found + [_container(c, init=False) for c in status.get("containerStatuses") or ()]


def _container(status: dict[str, Any], *, init: bool) -> Container:
    state: dict[str, Any] = status.get("state") or {}
    name = next(iter(state), "waiting")
    detail: dict[str, Any] = state.get(name) or {}
    last = (status.get("lastState") or {}).get("terminated") or {}
    ended = detail if name == "terminated" else last
    reason = str(detail.get("reason") or "")
    broken = name == "waiting" and (reason.endswith("BackOff") or reason.startswith("Err") or reason in BROKEN_WAITS)
    failed = broken or (name == "terminated" and detail.get("exitCode") not in (None, 0))
    if name == "waiting" and ended.get("reason") in ("OOMKilled", "ContainerCannotRun"):
        reason = f"{reason}, {ended['reason']}" if reason else str(ended["reason"])
    return Container(
        str(status.get("name", "")),
        name,
        reason,
        str(detail.get("message") or ended.get("message") or ""),
        int(status.get("restartCount") or 0),
        bool(status.get("ready")),
        ended.get("exitCode"),
        failed,
        init,
    )


def describe(container: Container) -> str:
    """container app: CrashLoopBackOff (4 restarts), exit code 1"""
    head = f"{'init ' if container.init else ''}container {container.name}: {container.reason or container.state}"
    if container.restarts:
        head += f" ({container.restarts} restart{'s' if container.restarts > 1 else ''})"
    if container.exit_code not in (None, 0):
        head += f", exit code {container.exit_code}"
    return (
        f"{head}: {container.message}"
        if container.message and container.state == "waiting" and container.exit_code is None
        else head
    )


def failures(body: dict[str, Any]) -> int:
    """What the error budget counts in one pod: ends with an exit code, image and configuration errors, eviction."""
    status = body.get("status") or {}
    count = 1 if status.get("phase") == "Failed" else 0
    for container in containers(body):
        count += container.restarts if container.exit_code not in (None, 0) else 0
        count += 1 if container.failed and container.state == "waiting" and container.restarts == 0 else 0
    return count
