"""Which printer a kind has; custom kinds by their columns; name and age for the rest."""

from __future__ import annotations

from appdelivery.sandbox.http.printers import cluster, jsonpath, pods, words, workloads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from typing import Any

    from appdelivery.sandbox.kinds import Kind

    Body = Mapping[str, Any]
    Printer = Callable[[Body, datetime], list[Any]]

PRINTERS: dict[tuple[str, str], Printer] = {
    ("", "pods"): pods.pod,
    ("", "namespaces"): cluster.namespace,
    ("", "nodes"): cluster.node,
    ("", "services"): cluster.service,
    ("", "endpoints"): cluster.endpoints,
    ("", "configmaps"): cluster.config_map,
    ("", "secrets"): cluster.secret,
    ("", "serviceaccounts"): cluster.service_account,
    ("", "events"): cluster.event,
    ("", "persistentvolumeclaims"): cluster.claim,
    ("", "persistentvolumes"): cluster.volume,
    ("", "resourcequotas"): cluster.quota,
    ("", "replicationcontrollers"): workloads.replication_controller,
    ("apps", "deployments"): workloads.deployment,
    ("apps", "replicasets"): workloads.replica_set,
    ("apps", "statefulsets"): workloads.stateful_set,
    ("apps", "daemonsets"): workloads.daemon_set,
    ("apps", "controllerrevisions"): workloads.controller_revision,
    ("autoscaling", "horizontalpodautoscalers"): workloads.autoscaler,
    ("batch", "jobs"): workloads.job,
    ("batch", "cronjobs"): workloads.cron_job,
    ("policy", "poddisruptionbudgets"): workloads.disruption_budget,
    ("coordination.k8s.io", "leases"): cluster.lease,
    ("discovery.k8s.io", "endpointslices"): cluster.endpoint_slice,
    ("networking.k8s.io", "ingresses"): cluster.ingress,
    ("networking.k8s.io", "ingressclasses"): cluster.ingress_class,
    ("networking.k8s.io", "networkpolicies"): cluster.network_policy,
    ("rbac.authorization.k8s.io", "rolebindings"): cluster.binding,
    ("rbac.authorization.k8s.io", "clusterrolebindings"): cluster.binding,
    ("scheduling.k8s.io", "priorityclasses"): cluster.priority_class,
    ("storage.k8s.io", "storageclasses"): cluster.storage_class,
}
EMPTY = {"integer": 0, "boolean": False}


def cells(kind: Kind, body: Body, now: datetime) -> list[Any]:
    printer = PRINTERS.get(kind.family)
    if printer is not None:
        return printer(body, now)
    return [_cell(column, body, now) for column in kind.columns]


def _cell(column: Mapping[str, Any], body: Body, now: datetime) -> Any:
    if "jsonPath" in column:
        return _custom(column, jsonpath.find(body, column["jsonPath"]), now)
    name = column["name"]
    if name == "Name":
        return body["metadata"].get("name", "")
    stamp = body["metadata"].get("creationTimestamp")
    if name == "Age":
        return words.since(now, stamp)
    if name == "Created At":
        return stamp
    return EMPTY.get(column["type"], words.NONE)


def _custom(column: Mapping[str, Any], values: list[Any], now: datetime) -> Any:
    if not values or values[0] is None:
        return None
    value, type = values[0], column["type"]
    if type == "string":
        return jsonpath.said(values)
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if type == "integer":
        return int(value) if number else None
    if type == "number":
        return float(value) if number else None
    if type == "boolean":
        return value if isinstance(value, bool) else None
    try:
        return words.since(now, value) if isinstance(value, str) else None
    except ValueError:
        return "<invalid>"
