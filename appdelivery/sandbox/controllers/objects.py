"""Small truths about bodies that every controller needs: owners, selectors, amounts, readiness."""

from __future__ import annotations

import math

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from appdelivery.sandbox.storage import Body, Key

DEPLOYMENTS = ("apps", "deployments")
REPLICA_SETS = ("apps", "replicasets")
STATEFUL_SETS = ("apps", "statefulsets")
DAEMON_SETS = ("apps", "daemonsets")
REVISIONS = ("apps", "controllerrevisions")
JOBS = ("batch", "jobs")
CRON_JOBS = ("batch", "cronjobs")
PODS = ("", "pods")
NODES = ("", "nodes")
SERVICES = ("", "services")
CLAIMS = ("", "persistentvolumeclaims")
VOLUMES = ("", "persistentvolumes")
QUOTAS = ("", "resourcequotas")
NAMESPACES = ("", "namespaces")
SLICES = ("discovery.k8s.io", "endpointslices")
INGRESSES = ("networking.k8s.io", "ingresses")
BUDGETS = ("policy", "poddisruptionbudgets")
AUTOSCALERS = ("autoscaling", "horizontalpodautoscalers")
LEASES = ("coordination.k8s.io", "leases")

CONTROLLER_FAMILIES = {
    ("apps", "Deployment"): DEPLOYMENTS,
    ("apps", "ReplicaSet"): REPLICA_SETS,
    ("apps", "StatefulSet"): STATEFUL_SETS,
    ("apps", "DaemonSet"): DAEMON_SETS,
    ("batch", "Job"): JOBS,
    ("batch", "CronJob"): CRON_JOBS,
}


def key(body: Body) -> Key:
    metadata = body["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


def group(body: Body) -> str:
    return body["apiVersion"].rpartition("/")[0]  # type: ignore[no-any-return]


def labels(body: Body) -> dict[str, str]:
    return body["metadata"].get("labels") or {}


def notes(body: Body) -> dict[str, str]:
    """Annotations: the word itself is taken in every module."""
    return body["metadata"].get("annotations") or {}


def deleting(body: Body) -> bool:
    return "deletionTimestamp" in body["metadata"]


def controller_of(body: Body) -> dict[str, Any] | None:
    """The one owner reference that is marked as the controller."""
    for reference in body["metadata"].get("ownerReferences", ()):
        if reference.get("controller"):
            return reference  # type: ignore[no-any-return]
    return None


def owner_reference(owner: Body) -> dict[str, Any]:
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def matches(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """A LabelSelector: none matches nothing, an empty one everything."""
    if selector is None:
        return False
    for name, value in (selector.get("matchLabels") or {}).items():
        if labels.get(name) != value:
            return False
    return all(_requirement(one, labels) for one in selector.get("matchExpressions") or ())


def _requirement(one: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    name, operator = one["key"], one["operator"]
    if operator == "In":
        return labels.get(name) in list(one.get("values") or ())
    if operator == "NotIn":
        return labels.get(name) not in list(one.get("values") or ())
    return (name in labels) is (operator == "Exists")


def share(value: int | str, whole: int, *, up: bool) -> int:
    """An IntOrString of a whole: 3, "3" or "25%"."""
    if isinstance(value, int):
        return value
    if not value.endswith("%"):
        return int(value)
    part = int(value[:-1]) * whole
    return math.ceil(part / 100) if up else part // 100


def condition(body: Body, type: str) -> dict[str, Any] | None:
    for one in body.get("status", {}).get("conditions") or ():
        if one["type"] == type:
            return one  # type: ignore[no-any-return]
    return None


def is_true(body: Body, type: str) -> bool:
    found = condition(body, type)
    return found is not None and found["status"] == "True"


def is_ready(pod: Body) -> bool:
    return is_true(pod, "Ready")


def phase(pod: Body) -> str:
    return pod.get("status", {}).get("phase", "")  # type: ignore[no-any-return]


def is_finished(pod: Body) -> bool:
    return phase(pod) in ("Succeeded", "Failed")


def is_active(pod: Body) -> bool:
    """Counts as a replica: neither finished nor on its way out."""
    return not is_finished(pod) and not deleting(pod)
