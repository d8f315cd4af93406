"""What one metric of an autoscaler asks for: its name in messages, the replicas, and its entry in the status."""

from __future__ import annotations

from dataclasses import dataclass

from appdelivery.model import quantity
from appdelivery.sandbox.controllers import objects, scaling
from appdelivery.sandbox.controllers.scheduler import amounts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from appdelivery.sandbox.controllers.context import Context
    from appdelivery.sandbox.storage import Body

NONE_KNOWN = "no metrics returned from {} metrics API"


class Unknown(Exception):
    """No answer.  reason: of the condition; what: of the metric, for the message around it."""

    def __init__(self, reason: str, what: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.what = what
        self.message = message


@dataclass(frozen=True, slots=True)
class Proposal:
    replicas: int
    name: str
    status: dict[str, Any]


def propose(context: Context, namespace: str, metric: dict[str, Any], current: int, pods: list[Body]) -> Proposal:
    """Raises Unknown."""
    kind = metric["type"]
    if kind == "Resource":
        return _resource(context, metric["resource"], "", current, pods)
    if kind == "ContainerResource":
        return _resource(context, metric["containerResource"], metric["containerResource"]["container"], current, pods)
    if kind == "Pods":
        return _pods(context, metric["pods"], current, pods)
    if kind == "Object":
        return _object(context, namespace, metric["object"], current, pods)
    return _external(context, namespace, metric["external"], current, pods)


def _resource(context: Context, source: dict[str, Any], container: str, current: int, pods: list[Body]) -> Proposal:
    resource, target = source["name"], source["target"]
    reason = "FailedGetContainerResourceMetric" if container else "FailedGetResourceMetric"
    what = f"{resource} {'container ' if container else ''}resource metric value"
    measured = "utilization" if "averageUtilization" in target else "usage"

    def unknown(why: str) -> Unknown:
        return Unknown(reason, what, f"failed to get {resource} {measured}: {why}")

    values = _values(context, pods, resource)
    living = [pod for pod in pods if objects.is_active(pod)]
    if not living:
        raise unknown("no pods returned by selector while calculating replica count")
    if not any(value is not None for value in values.values()):
        raise unknown(f"unable to get metrics for resource {resource}: {NONE_KNOWN.format('resource')}")
    of_container = f"{resource} container" if container else resource
    if "averageUtilization" in target:
        weights = {}
        for pod in living:
            weights[objects.key(pod)] = _requested(pod, resource, container, unknown)
        samples = _samples(living, values, weights)
        _some_ready(samples, unknown)
        wished = target["averageUtilization"] / 100
        replicas, now = scaling.from_pods(current, samples, wished, missing_weight=max(1.0, wished))
        known = [one.value for one in samples if one.ready and one.value is not None]
        shown = {"averageUtilization": int(round(now * 100, 6)), "averageValue": _shown(resource, sum(known) / len(known))}
        name = f"{of_container} resource utilization (percentage of request)"
    else:
        wished = float(quantity.parse(target["averageValue"]))
        samples = _samples(living, values, {})
        _some_ready(samples, unknown)
        replicas, now = scaling.from_pods(current, samples, wished, missing_weight=wished)
        shown = {"averageValue": _shown(resource, now)}
        name = f"{of_container} resource"
    entry = {"name": resource, **({"container": container} if container else {}), "current": shown}
    key = "containerResource" if container else "resource"
    return Proposal(replicas, name, {"type": key[0].upper() + key[1:], key: entry})


def _pods(context: Context, source: dict[str, Any], current: int, pods: list[Body]) -> Proposal:
    metric = source["metric"]["name"]

    def unknown(why: str) -> Unknown:
        return Unknown("FailedGetPodsMetric", "pods metric value", why)

    values = _values(context, pods, metric)
    living = [pod for pod in pods if objects.is_active(pod)]
    if not any(value is not None for value in values.values()):
        raise unknown(f"unable to get metric {metric}: {NONE_KNOWN.format('custom')}")
    samples = _samples(living, values, {})
    _some_ready(samples, unknown)
    wished = float(quantity.parse(source["target"]["averageValue"]))
    replicas, now = scaling.from_pods(current, samples, wished, missing_weight=wished)
    entry = {"metric": source["metric"], "current": {"averageValue": _shown(metric, now)}}
    return Proposal(replicas, f"pods metric {metric}", {"type": "Pods", "pods": entry})


def _object(context: Context, namespace: str, source: dict[str, Any], current: int, pods: list[Body]) -> Proposal:
    metric, about = source["metric"]["name"], source["describedObject"]
    value = context.figures.of(namespace, f"{about['kind']}/{about['name']}", metric)
    if value is None:
        why = f"unable to get metric {metric}: {about['kind']} on {namespace} {about['name']}/{NONE_KNOWN.format('custom')}"
        raise Unknown("FailedGetObjectMetric", "object metric value", why)
    replicas, shown = _from_one(value, source["target"], current, pods)
    entry = {"metric": source["metric"], "describedObject": about, "current": shown}
    return Proposal(replicas, f"{about['kind']} metric {metric}", {"type": "Object", "object": entry})


def _external(context: Context, namespace: str, source: dict[str, Any], current: int, pods: list[Body]) -> Proposal:
    metric = source["metric"]["name"]
    value = context.figures.of(namespace, f"External/{metric}", metric)
    if value is None:
        why = f"unable to get external metric {namespace}/{metric}/nil: {NONE_KNOWN.format('external')}"
        raise Unknown("FailedGetExternalMetric", f"external metric value {metric}", why)
    replicas, shown = _from_one(value, source["target"], current, pods)
    entry = {"metric": source["metric"], "current": shown}
    return Proposal(replicas, f"external metric {metric}(nil)", {"type": "External", "external": entry})


def _from_one(value: float, target: dict[str, Any], current: int, pods: list[Body]) -> tuple[int, dict[str, str]]:
    if "averageValue" in target:
        replicas = scaling.from_total(current, value, float(quantity.parse(target["averageValue"])))
        return replicas, {"averageValue": _shown("", value / max(current, 1))}
    ready = sum(map(objects.is_ready, pods))
    replicas = scaling.from_value(current, value, float(quantity.parse(target["value"])), ready)
    return replicas, {"value": _shown("", value)}


def _values(context: Context, pods: list[Body], metric: str) -> dict[tuple[str, str], float | None]:
    """Of the pods that run: one that does not is not measured."""
    running = [pod for pod in pods if objects.phase(pod) == "Running" and objects.is_active(pod)]
    ready = sum(map(objects.is_ready, running))
    return {objects.key(pod): context.figures.of_pod(context, pod, metric, ready) for pod in running}


def _samples(
    pods: list[Body], values: dict[tuple[str, str], float | None], weights: dict[tuple[str, str], float]
) -> list[scaling.Sample]:
    return [
        scaling.Sample(values.get(key), weights.get(key, 1.0), ready=objects.is_ready(pod))
        for pod in pods
        if (key := objects.key(pod))
    ]


def _some_ready(samples: list[scaling.Sample], unknown: Any) -> None:
    if not any(one.ready and one.value is not None for one in samples):
        raise unknown("did not receive metrics for targeted pods (pods might be unready)")


def _requested(pod: Body, resource: str, container: str, unknown: Any) -> float:
    total = 0
    for one in pod["spec"]["containers"]:
        if container and one["name"] != container:
            continue
        given = (one.get("resources") or {}).get("requests") or {}
        if resource not in given:
            raise unknown(f"missing request for {resource} in container {one['name']} of Pod {pod['metadata']['name']}")
        total += amounts.whole(resource, given[resource])
    return total / 1000 if resource == "cpu" else float(total)


def _shown(resource: str, value: float) -> str:
    if resource == "memory":
        return str(round(value))
    return quantity.cpu(value)
