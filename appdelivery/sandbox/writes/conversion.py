"""Objects between the versions of one kind: autoscalers (v1, v2), events (core, events.k8s.io), custom kinds (by name only).

Stored is one version of each; `served` shows another, `stored` takes it back.
"""

from __future__ import annotations

import json

from appdelivery.sandbox.writes import customs, decoding, types

TYPE_CHECKING = False
if TYPE_CHECKING:
    from appdelivery.sandbox.cluster import Cluster
    from appdelivery.sandbox.kinds import Kind
    from appdelivery.sandbox.storage import Body
    from appdelivery.sandbox.writes.ownership import Convert
    from appdelivery.sandbox.writes.types import Type

AUTOSCALERS, EVENTS = ("autoscaling", "horizontalpodautoscalers"), ("", "events")
STORED = {AUTOSCALERS: "autoscaling/v2", EVENTS: "v1"}
EVENT_FIELDS = {  # core to events.k8s.io
    "message": "note", "involvedObject": "regarding", "source": "deprecatedSource", "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp", "count": "deprecatedCount", "reportingComponent": "reportingController",
}  # fmt: skip
PREFIX = "autoscaling.alpha.kubernetes.io/"


def served(kind: Kind, body: Body) -> Body:
    """A stored body as `kind` shows it; itself when nothing differs."""
    return body if body["apiVersion"] == kind.api_version else into(kind, body, kind.api_version)


def stored(cluster: Cluster, kind: Kind, body: Body) -> Body:
    """A body of `kind` as it is stored."""
    version = customs.storage_version(kind) if kind.definition is not None else STORED.get(kind.family, kind.api_version)
    if version == kind.api_version:
        return body
    changed = into(kind, body, version)
    target = cluster.kinds.named(version, kind.kind)
    if kind.definition is not None or target is None:
        return changed
    entries = changed["metadata"].get("managedFields")
    new, _ = decoding.decode(types.of(cluster.schemas, target.schema), changed)  # the stored version's own defaults
    new["apiVersion"], new["kind"] = version, kind.kind
    if entries:
        new["metadata"]["managedFields"] = entries
    return new


def into(kind: Kind, body: Body, api_version: str) -> Body:
    """A body in another version of its kind."""
    if body.get("apiVersion") == api_version:
        return body
    if kind.family == EVENTS:
        return _event(body, api_version)
    if kind.family == AUTOSCALERS:
        return _to_v1(body) if api_version == "autoscaling/v1" else _to_v2(body)
    return {**body, "apiVersion": api_version}


def converter(cluster: Cluster, kind: Kind) -> Convert:
    """For the comparison of entries of other versions."""

    def convert(body: Body, api_version: str) -> tuple[Type, Body] | None:
        target = cluster.kinds.named(api_version, kind.kind)
        if target is None or target.family != kind.family:
            return None
        return types.of(cluster.schemas, target.schema), into(kind, body, api_version)

    return convert


# --- events ---


def _event(body: Body, api_version: str) -> Body:
    names = EVENT_FIELDS if api_version != "v1" else {new: old for old, new in EVENT_FIELDS.items()}
    return {**{names.get(key, key): value for key, value in body.items()}, "apiVersion": api_version}


# --- autoscalers: what version 1 has no field for stands in annotations ---


def _to_v1(body: Body) -> Body:
    spec, status = dict(body.get("spec") or {}), dict(body.get("status") or {})
    metrics = list(spec.pop("metrics", None) or ())
    notes = {}
    for metric in metrics:
        target = (metric.get("resource") or {}).get("target") or {}
        if (metric.get("resource") or {}).get("name") == "cpu" and "averageUtilization" in target:
            spec["targetCPUUtilizationPercentage"] = target["averageUtilization"]
            metrics.remove(metric)
            break
    if metrics:
        notes["metrics"] = [_old_metric(metric) for metric in metrics]
    if behavior := spec.pop("behavior", None):
        notes["behavior"] = behavior
    for metric in status.pop("currentMetrics", None) or ():
        current = (metric.get("resource") or {}).get("current") or {}
        if (metric.get("resource") or {}).get("name") == "cpu" and "averageUtilization" in current:
            status["currentCPUUtilizationPercentage"] = current["averageUtilization"]
    status.setdefault("currentReplicas", 0)
    if conditions := status.pop("conditions", None):
        notes["conditions"] = conditions
    return _rewritten(body, "autoscaling/v1", spec, status, notes)


def _to_v2(body: Body) -> Body:
    spec, status = dict(body.get("spec") or {}), dict(body.get("status") or {})
    annotations = body["metadata"].get("annotations") or {}
    notes = {key: json.loads(annotations[PREFIX + key]) for key in NOTES if PREFIX + key in annotations}
    metrics = [_new_metric(metric) for metric in notes.get("metrics", ())]
    percent = spec.pop("targetCPUUtilizationPercentage", None)
    if percent is not None:
        target = {"type": "Utilization", "averageUtilization": percent}
        metrics.insert(0, {"type": "Resource", "resource": {"name": "cpu", "target": target}})
    if metrics:
        spec["metrics"] = metrics
    if "behavior" in notes:
        spec["behavior"] = notes["behavior"]
    current = status.pop("currentCPUUtilizationPercentage", None)
    if current is not None:
        resource = {"name": "cpu", "current": {"averageUtilization": current, "averageValue": "0"}}
        status["currentMetrics"] = [{"type": "Resource", "resource": resource}]
    if not status.get("currentReplicas"):
        status.pop("currentReplicas", None)
    if "conditions" in notes:
        status["conditions"] = notes["conditions"]
    return _rewritten(body, "autoscaling/v2", spec, status, {})


def _old_metric(metric: Body) -> Body:
    """A metric in the words of version 2beta1, which annotations of version 1 keep; of resources only."""
    if metric.get("type") != "Resource":
        return metric
    target = metric["resource"]["target"]
    words = {"averageUtilization": "targetAverageUtilization", "averageValue": "targetAverageValue"}
    found = {words[key]: value for key, value in target.items() if key in words}
    return {"type": "Resource", "resource": {"name": metric["resource"]["name"], **found}}


def _new_metric(metric: Body) -> Body:
    resource = metric.get("resource") or {}
    if metric.get("type") != "Resource" or "target" in resource:
        return metric
    if "targetAverageUtilization" in resource:
        target = {"type": "Utilization", "averageUtilization": resource["targetAverageUtilization"]}
    else:
        target = {"type": "AverageValue", "averageValue": resource.get("targetAverageValue", "0")}
    return {"type": "Resource", "resource": {"name": resource.get("name", ""), "target": target}}


NOTES = ("metrics", "behavior", "conditions")


def _rewritten(body: Body, api_version: str, spec: Body, status: Body, notes: Body) -> Body:
    metadata = dict(body["metadata"])
    kept = {
        key: value for key, value in (metadata.get("annotations") or {}).items() if key.removeprefix(PREFIX) not in NOTES
    }
    kept |= {PREFIX + key: json.dumps(value, separators=(",", ":")) for key, value in notes.items()}
    metadata.pop("annotations", None)
    if kept:
        metadata["annotations"] = kept
    return {**body, "apiVersion": api_version, "metadata": metadata, "spec": spec, "status": status}
