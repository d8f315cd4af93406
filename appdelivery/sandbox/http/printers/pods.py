"""The line that everybody reads: a pod's readiness, status and restarts."""

from __future__ import annotations

from typing import NamedTuple

from appdelivery.sandbox.http.printers import words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from typing import Any

    Body = Mapping[str, Any]

ENDED = ("Succeeded", "Failed")
CONDITIONS = {
    "Succeeded": {
        "type": "Completed", "status": "True", "reason": "Succeeded", "message": "The pod has completed successfully.",
    },
    "Failed": {"type": "Completed", "status": "True", "reason": "Failed", "message": "The pod failed."},
}  # fmt: skip


class Seen(NamedTuple):
    """What one set of containers says."""

    reason: str
    ready: int = 0
    restarts: int = 0
    last: str = ""  # when a container ended last
    stopped: bool = False  # initialisation is not over


def pod(body: Body, now: datetime) -> list[Any]:
    spec, said = body.get("spec") or {}, body.get("status") or {}
    first = _reason(said)
    before = _initial(spec, said, first)
    seen = before
    if not before.stopped or words.ready("Initialized", said.get("conditions")):
        sidecars = [one for one in said.get("initContainerStatuses") or () if _restartable(spec, one["name"])]
        seen = _running(said, before._replace(restarts=sum(map(_restarts, sidecars)), last=_last(sidecars)))
    reason = seen.reason
    if body["metadata"].get("deletionTimestamp"):
        if said.get("reason") == "NodeLost":
            reason = "Unknown"
        elif said.get("phase") not in ENDED:
            reason = "Terminating"
    total = len(spec.get("containers") or ()) + sum(
        _restartable(spec, one["name"]) for one in spec.get("initContainers") or ()
    )
    restarts = f"{seen.restarts} ({words.since(now, seen.last)} ago)" if seen.restarts and seen.last else str(seen.restarts)
    return [
        body["metadata"]["name"], f"{seen.ready}/{total}", reason, restarts,
        words.since(now, body["metadata"].get("creationTimestamp")),
        ((said.get("podIPs") or [{}])[0].get("ip")) or words.NONE, spec.get("nodeName") or words.NONE,
        said.get("nominatedNodeName") or words.NONE, _gates(spec, said),
    ]  # fmt: skip


def _reason(said: Body) -> str:
    for condition in said.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("reason") == "SchedulingGated":
            return "SchedulingGated"
    return said.get("reason") or said.get("phase") or ""


def _initial(spec: Body, said: Body, reason: str) -> Seen:
    """Init containers in turn, up to the first that is not done."""
    ready, statuses = 0, said.get("initContainerStatuses") or ()
    for index, one in enumerate(statuses):
        state = one.get("state") or {}
        ended, waits = state.get("terminated"), (state.get("waiting") or {}).get("reason", "")
        if ended is not None and not ended.get("exitCode"):
            continue
        if _restartable(spec, one["name"]) and one.get("started"):
            ready += bool(one.get("ready"))
            continue
        if ended is not None:
            reason = f"Init:{_ending(ended)}"
        elif waits and waits != "PodInitializing":
            reason = f"Init:{waits}"
        else:
            reason = f"Init:{index}/{len(spec.get('initContainers') or ())}"
        done = statuses[: index + 1]
        return Seen(reason, ready, sum(map(_restarts, done)), _last(done), stopped=True)
    return Seen(reason, ready, sum(map(_restarts, statuses)), _last(statuses))


def _running(said: Body, before: Seen) -> Seen:
    """The containers proper, the first one has the last word."""
    reason, ready, running, wrong = before.reason, before.ready, False, ""
    statuses = said.get("containerStatuses") or ()
    for one in reversed(statuses):
        state = one.get("state") or {}
        ended = state.get("terminated")
        if (state.get("waiting") or {}).get("reason"):
            reason = state["waiting"]["reason"]
        elif ended is not None:
            reason = _ending(ended)
            wrong = reason if ended.get("exitCode") else wrong
        elif one.get("ready") and state.get("running") is not None:
            running = True
            ready += 1
    if reason == "Completed":
        if running and words.ready("Ready", said.get("conditions")):
            reason = "Running"
        elif wrong or running:
            reason = wrong or "NotReady"
    return Seen(reason, ready, before.restarts + sum(map(_restarts, statuses)), max(before.last, _last(statuses)))


def _ending(ended: Body) -> str:
    if ended.get("reason"):
        return str(ended["reason"])
    return f"Signal:{ended['signal']}" if ended.get("signal") else f"ExitCode:{ended.get('exitCode', 0)}"


def _restarts(one: Body) -> int:
    return int(one.get("restartCount") or 0)


def _last(statuses: Any) -> str:
    return max([words.at(one, "lastState", "terminated", "finishedAt") or "" for one in statuses], default="")


def _restartable(spec: Body, name: str) -> bool:
    return any(one["name"] == name and one.get("restartPolicy") == "Always" for one in spec.get("initContainers") or ())


def _gates(spec: Body, said: Body) -> str:
    gates = spec.get("readinessGates") or ()
    if not gates:
        return words.NONE
    return f"{sum(words.ready(gate['conditionType'], said.get('conditions')) for gate in gates)}/{len(gates)}"
