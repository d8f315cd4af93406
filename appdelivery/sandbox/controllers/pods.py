"""The kubelets of all nodes: pods that were given a node run, fail or end as their weather says, and stop with grace.

Probes and commands are not executed; images are not pulled.  `weather` says what shall happen, `pod_status` how that
looks, this module when.
"""

from __future__ import annotations

from appdelivery.sandbox.controllers import addresses, objects, pod_status, queue, weather, writing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from appdelivery.sandbox.controllers.context import Context
    from appdelivery.sandbox.controllers.weather import Weather
    from appdelivery.sandbox.storage import Body, Event, Key

NAME = "kubelet"
SOON = 0.001  # seconds: a timer rings a little after what it waits for


def reconcile(context: Context, key: Key) -> None:
    pod = context.item(objects.PODS, key)
    if pod is None or not pod["spec"].get("nodeName"):
        return
    forecast = weather.of(pod)
    if objects.deleting(pod):
        _stop(context, pod, forecast)
    elif objects.phase(pod) == "Pending":
        _start(context, pod, forecast)
    elif objects.phase(pod) == "Running":
        _live(context, pod, forecast)


def _stop(context: Context, pod: Body, forecast: Weather) -> None:
    waited = context.mark(pod["metadata"]["uid"], "weather", "stopping")
    if not waited and not objects.is_finished(pod):
        for container in pod["spec"]["containers"]:
            _say(context, pod, "Killing", f"Stopping container {container['name']}", container=container)
    if not _wait(context, pod, "stopping", forecast.terminates_after):
        return
    if pod["metadata"].get("finalizers") and pod["metadata"].get("deletionGracePeriodSeconds") == 0:
        return  # somebody else's to take away
    writing.delete(context, pod, grace=0)


def _start(context: Context, pod: Body, forecast: Weather) -> None:
    status = pod["status"]
    if forecast.word == weather.IMAGE:
        if not _has_waiting(pod, "ImagePullBackOff"):
            _report(context, pod, pod_status.without_image(pod, context.stamp(), addresses.of(context, pod)))
            _say_image(context, pod)
        return
    if forecast.word == weather.FAILS or (forecast.fails_times and _fails_yet(context, pod, forecast)):
        if _wait(context, pod, "failing", forecast.runs_for or 0.0):
            _report(context, pod, pod_status.ended(pod, context.stamp(), well=False))
        return
    if not forecast.word and not _wait(context, pod, "starting", forecast.ready_after):
        if "containerStatuses" not in status:
            _report(context, pod, pod_status.starting(pod))
        return
    stamp, where = context.stamp(), addresses.of(context, pod)
    if forecast.word in (weather.CRASH, weather.OOM):
        code, reason = (137, "OOMKilled") if forecast.word == weather.OOM else (1, "Error")
        crashed = pod_status.crashed(pod, stamp, where, code=code, reason=reason, restarts=weather.RESTARTS)
        _report(context, pod, crashed)
        _say_started(context, pod)
        _say_crash(context, pod)
        return
    ready = forecast.word != weather.NEVER_READY
    _report(context, pod, pod_status.running(pod, stamp, where, ready=ready))
    _say_started(context, pod)
    if not ready:
        message = "Readiness probe failed: HTTP probe failed with statuscode: 503"
        for container in pod["spec"]["containers"]:
            _say(context, pod, "Unhealthy", message, container=container, warn=True)


def _live(context: Context, pod: Body, forecast: Weather) -> None:
    if not objects.is_ready(pod):
        return
    if forecast.runs_for is not None and not forecast.word and _wait(context, pod, "running", forecast.runs_for):
        _report(context, pod, pod_status.ended(pod, context.stamp(), well=True))
    elif forecast.degraded_after is not None and _wait(context, pod, "running", forecast.degraded_after):
        where = addresses.of(context, pod)
        _report(context, pod, pod_status.crashed(pod, context.stamp(), where, code=1, reason="Error", restarts=1))
        _say_crash(context, pod)


def _fails_yet(context: Context, pod: Body, forecast: Weather) -> bool:
    owner = objects.controller_of(pod)
    job = None if owner is None else context.item(objects.JOBS, (pod["metadata"]["namespace"], owner["name"]))
    status = {} if job is None else job.get("status") or {}
    failed: int = status.get("failed", 0) + len((status.get("uncountedTerminatedPods") or {}).get("failed") or ())
    return failed < forecast.fails_times


def _wait(context: Context, pod: Body, what: str, seconds: float) -> bool:
    """Whether this state has lasted long enough; else the pod is looked at again when it has."""
    if not seconds:
        return True
    left = seconds - context.mark(pod["metadata"]["uid"], "weather", what)
    if left <= 0:
        return True
    context.again("kubelets", objects.key(pod), left + SOON)
    return False


def _report(context: Context, pod: Body, status: dict[str, Any]) -> None:
    writing.status(context, pod, status, manager=writing.KUBELET)


def _has_waiting(pod: Body, reason: str) -> bool:
    listed = pod["status"].get("containerStatuses") or ()
    return any(one["state"].get("waiting", {}).get("reason") == reason for one in listed)


def _say_started(context: Context, pod: Body) -> None:
    for container in [*(pod["spec"].get("initContainers") or ()), *pod["spec"]["containers"]]:
        image = container["image"]
        if container.get("imagePullPolicy") == "Always":
            _say(context, pod, "Pulling", f'Pulling image "{image}"', container=container)
            pulled = f'Successfully pulled image "{image}" in 1s (1s including waiting). Image size: 20000000 bytes.'
        else:
            pulled = f'Container image "{image}" already present on machine and can be accessed by the pod'
        _say(context, pod, "Pulled", pulled, container=container)
        _say(context, pod, "Created", "Container created", container=container)
        _say(context, pod, "Started", "Container started", container=container)


def _say_crash(context: Context, pod: Body) -> None:
    metadata = pod["metadata"]
    named = f"{metadata['name']}_{metadata['namespace']}({metadata['uid']})"
    for container in pod["spec"]["containers"]:
        message = f"Back-off restarting failed container {container['name']} in pod {named}"
        _say(context, pod, "BackOff", message, container=container, warn=True)


def _say_image(context: Context, pod: Body) -> None:
    for container in pod["spec"]["containers"]:
        image = container["image"]
        _say(context, pod, "Pulling", f'Pulling image "{image}"', container=container)
        _say(context, pod, "Failed", f'Failed to pull image "{image}": not found', container=container, warn=True)
        _say(context, pod, "Failed", "Error: ErrImagePull", container=container, warn=True)
        _say(context, pod, "BackOff", f'Back-off pulling image "{image}"', container=container)
        _say(context, pod, "Failed", "Error: ImagePullBackOff", container=container, warn=True)


def _say(context: Context, pod: Body, reason: str, message: str, *, container: dict[str, Any], warn: bool = False) -> None:
    section = "containers" if container in pod["spec"]["containers"] else "initContainers"
    record = context.events.warning if warn else context.events.normal
    path = f"spec.{section}{{{container['name']}}}"
    record(pod, reason, message, by=NAME, host=pod["spec"]["nodeName"], path=path)


def _hear(context: Context, event: Event) -> Iterable[Key]:
    if event.type == "DELETED":
        addresses.release(context, event.item.body)
        return ()
    body = event.item.body
    if event.old is None and "podIP" in (body.get("status") or {}):  # of a restored cluster
        context.addresses.know(body["status"]["podIP"])
    return (event.item.key,) if body["spec"].get("nodeName") else ()


CONTROLLER = queue.Controller("kubelets", reconcile, {objects.PODS: _hear})
