"""The status that a kubelet reports: containers, conditions and phase for each thing that can become of a pod.  Pure."""

from __future__ import annotations

from appdelivery.sandbox.controllers import weather

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from appdelivery.sandbox.storage import Body

    Status = dict[str, Any]


def running(pod: Body, stamp: str, addresses: Status, *, ready: bool = True) -> Status:
    """ready: False = the containers run and their readiness probe never succeeds."""
    state = {"running": {"startedAt": stamp}}
    listed = [_container(one, state, ready=ready, started=True) for one in pod["spec"]["containers"]]
    return _began(pod, stamp, addresses) | {
        "conditions": _conditions(pod, stamp, ready=ready, gates=ready),
        "containerStatuses": listed,
        "phase": "Running",
    }


def starting(pod: Body) -> Status:
    """Before its first container runs."""
    inits = pod["spec"].get("initContainers") or ()
    reason = "PodInitializing" if inits else "ContainerCreating"
    state = weather.waiting(reason, "")
    return {**pod["status"], "containerStatuses": [_container(one, state) for one in pod["spec"]["containers"]]}


def crashed(pod: Body, stamp: str, addresses: Status, *, code: int, reason: str, restarts: int) -> Status:
    delay = 10 * 2 ** (restarts - 1)
    state = weather.waiting("CrashLoopBackOff", f"back-off {delay}s restarting failed container")
    last = weather.terminated(stamp, code, reason)
    listed = [_container(one, state, last=last, restarts=restarts) for one in pod["spec"]["containers"]]
    return _began(pod, stamp, addresses) | {
        "conditions": _conditions(pod, stamp, ready=False),
        "containerStatuses": listed,
        "phase": "Running",
    }


def without_image(pod: Body, stamp: str, addresses: Status) -> Status:
    state = weather.waiting("ImagePullBackOff", "Back-off pulling image: not found")
    listed = [_container(one, state) for one in pod["spec"]["containers"]]
    return _began(pod, stamp, addresses) | {
        "conditions": _conditions(pod, stamp, ready=False),
        "containerStatuses": listed,
        "phase": "Pending",
    }


def ended(pod: Body, stamp: str, *, well: bool) -> Status:
    code, reason, why, phase = (0, "Completed", "PodCompleted", "Succeeded") if well else (1, "Error", "PodFailed", "Failed")
    state = weather.terminated(stamp, code, reason)
    new = [_condition(type, "False", stamp, reason=why) for type in ("Ready", "ContainersReady")]
    listed = [_container(one, state) for one in pod["spec"]["containers"]]
    return {**pod["status"], "conditions": _merged(pod, new), "containerStatuses": listed, "phase": phase}


def _began(pod: Body, stamp: str, addresses: Status) -> Status:
    inits = [_init(one, stamp) for one in pod["spec"].get("initContainers") or ()]
    status = {**pod["status"], **addresses, "startTime": pod["status"].get("startTime", stamp)}
    return status | {"initContainerStatuses": inits} if inits else status


def _init(container: Status, stamp: str) -> Status:
    if container.get("restartPolicy") == "Always":
        return _container(container, {"running": {"startedAt": stamp}}, ready=True, started=True)
    ended = _container(container, weather.terminated(stamp, 0, "Completed"), ready=True)
    return {key: value for key, value in ended.items() if key != "started"}


def _container(
    container: Status, state: Status, *, ready: bool = False, started: bool = False, last: Status | None = None,
    restarts: int = 0,
) -> Status:  # fmt: skip
    return {
        "name": container["name"],
        "state": state,
        "lastState": last or {},
        "ready": ready,
        "restartCount": restarts,
        "image": container["image"],
        "imageID": "",
        "started": started,
    }


def _conditions(pod: Body, stamp: str, *, ready: bool, gates: bool = False) -> list[Status]:
    value = "True" if ready else "False"
    new = [
        _condition("Initialized", "True", stamp),
        _condition("Ready", value, stamp),
        _condition("ContainersReady", value, stamp),
    ]
    if gates:
        new += [_condition(one["conditionType"], "True", stamp) for one in pod["spec"].get("readinessGates") or ()]
    return _merged(pod, new)


def _condition(type: str, status: str, stamp: str, *, reason: str = "") -> Status:
    found = {"type": type, "status": status, "lastProbeTime": None, "lastTransitionTime": stamp}
    return {**found, "reason": reason} if reason else found


def _merged(pod: Body, new: Sequence[Status]) -> list[Status]:
    """New conditions stand before those that were there, changed ones in their old place."""
    old: list[Status] = pod["status"].get("conditions") or []
    changed = {one["type"]: one for one in new}
    known = {one["type"]: one for one in old}
    for type, one in changed.items():
        if type in known and known[type]["status"] == one["status"]:
            one["lastTransitionTime"] = known[type]["lastTransitionTime"]
    return [one for one in new if one["type"] not in known] + [changed.get(one["type"], one) for one in old]
