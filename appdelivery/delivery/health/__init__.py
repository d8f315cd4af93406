"""Health of an object: which rule judges it, and its verdict.  Pure functions of the live object and the time.

Order: an application's own rule, then the rule of its kind, the table of well-known custom resources, the generic rule;
kinds that have nothing to say (ConfigMap, Secret, RBAC) are healthy when present.  Every tie goes to progressing: a false
"healthy" lets a broken release pass.  Called by clusters (as the `judge` handed in), wait and why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appdelivery.delivery.health import (
    cluster,
    generic,
    jobs,
    network,
    pods,
    progressive,
    rows,
    scaling,
    storage,
    table,
    workloads,
)
from appdelivery.delivery.health.conditions import Facts
from appdelivery.model.live import Health

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from appdelivery.delivery.health.rule import Rule
    from appdelivery.model.live import Live
    from appdelivery.model.refs import Ref

TERMINATING_S = 60.0

BUILT_IN: dict[tuple[str, str], Callable[[Facts], Health]] = {
    ("apps", "Deployment"): workloads.deployment,
    ("apps", "StatefulSet"): workloads.stateful_set,
    ("apps", "DaemonSet"): workloads.daemon_set,
    ("apps", "ReplicaSet"): workloads.replica_set,
    ("", "ReplicationController"): workloads.replica_set,
    ("", "Pod"): pods.pod,
    ("batch", "Job"): jobs.job,
    ("batch", "CronJob"): jobs.cron_job,
    ("", "Service"): network.service,
    ("networking.k8s.io", "Ingress"): network.ingress,
    ("extensions", "Ingress"): network.ingress,
    ("gateway.networking.k8s.io", "Gateway"): network.gateway,
    ("gateway.networking.k8s.io", "HTTPRoute"): network.route,
    ("gateway.networking.k8s.io", "GRPCRoute"): network.route,
    ("gateway.networking.k8s.io", "TLSRoute"): network.route,
    ("gateway.networking.k8s.io", "TCPRoute"): network.route,
    ("gateway.networking.k8s.io", "UDPRoute"): network.route,
    ("", "PersistentVolumeClaim"): storage.claim,
    ("resource.k8s.io", "ResourceClaim"): storage.resource_claim,
    ("autoscaling", "HorizontalPodAutoscaler"): scaling.autoscaler,
    ("keda.sh", "ScaledObject"): scaling.scaled_object,
    ("keda.sh", "ScaledJob"): scaling.scaled_object,
    ("policy", "PodDisruptionBudget"): scaling.disruption_budget,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): cluster.definition,
    ("apiregistration.k8s.io", "APIService"): cluster.api_service,
    ("", "Namespace"): cluster.namespace,
    ("leaderworkerset.x-k8s.io", "LeaderWorkerSet"): workloads.leader_worker_set,
    ("trainer.kubeflow.org", "TrainJob"): jobs.training,
    ("kubeflow.org", "PyTorchJob"): jobs.training,
    ("kubeflow.org", "TFJob"): jobs.training,
    ("kubeflow.org", "MPIJob"): jobs.training,
    ("jobset.x-k8s.io", "JobSet"): jobs.training,
    ("ray.io", "RayJob"): jobs.ray_job,
    ("argoproj.io", "Rollout"): progressive.rollout,
    ("apps.kruise.io", "CloneSet"): progressive.clone_set,
    ("opentelemetry.io", "OpenTelemetryCollector"): progressive.collector,
    ("route.openshift.io", "Route"): progressive.admitted,
}
# Groups of the Kubernetes API itself: what is in none of the rules above has nothing to say about health.
SILENT_GROUPS = frozenset(
    (
        "",
        "apps",
        "batch",
        "autoscaling",
        "policy",
        "networking.k8s.io",
        "rbac.authorization.k8s.io",
        "storage.k8s.io",
        "scheduling.k8s.io",
        "node.k8s.io",
        "admissionregistration.k8s.io",
        "coordination.k8s.io",
        "discovery.k8s.io",
        "events.k8s.io",
        "certificates.k8s.io",
        "flowcontrol.apiserver.k8s.io",
        "resource.k8s.io",
        "authentication.k8s.io",
        "authorization.k8s.io",
    )
)
OPTIONAL = frozenset(
    (
        ("autoscaling", "HorizontalPodAutoscaler"),
        ("keda.sh", "ScaledObject"),
        ("route.openshift.io", "Route"),
        ("gateway.networking.k8s.io", "TLSRoute"),
        ("gateway.networking.k8s.io", "TCPRoute"),
        ("gateway.networking.k8s.io", "UDPRoute"),
        ("policy", "PodDisruptionBudget"),
        ("networking.k8s.io", "Ingress"),
        ("extensions", "Ingress"),
        ("gateway.networking.k8s.io", "HTTPRoute"),
        ("gateway.networking.k8s.io", "GRPCRoute"),
        ("gateway.networking.k8s.io", "Gateway"),
        ("cert-manager.io", "Certificate"),
    )
)


def judge(live: Live, *, now: datetime, rules: Sequence[Rule] = ()) -> Health:
    """The verdict on one object; `rules` are an application's own, the first that applies decides."""
    try:
        facts = Facts(live.body, now)
        if facts.deleting:
            return _terminating(facts)
        for rule in rules:
            if rule.applies(live.ref):
                verdict = rule.verdict(live.body)
                if verdict is not None:
                    return verdict
        return _by_kind(live.ref.group, live.ref.kind, facts)
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        # A status of a shape no rule expects (a hostile or broken cluster) is not a crash and never "healthy".
        return Health("unknown", "UnreadableStatus", f"the status cannot be read: {error}")


def _by_kind(group: str, kind: str, facts: Facts) -> Health:
    rule = BUILT_IN.get((group, kind))
    if rule is not None:
        return rule(facts)
    if group in SILENT_GROUPS:
        return Health("healthy", "Present")
    row = table.row_of(rows.ROWS, group, kind)
    return table.judge(row, facts) if row is not None else generic.judge(facts)


def _terminating(facts: Facts) -> Health:
    names: list[Any] = facts.metadata.get("finalizers") or []
    old = facts.age(facts.metadata.get("deletionTimestamp")) > TERMINATING_S
    waits = f", waits for finalizers {', '.join(map(str, names))}" if old and names else ""
    return Health("progressing", "Terminating", f"is being deleted{waits}")


def wait_class(ref: Ref, body: dict[str, Any], rules: Sequence[Rule] = ()) -> str:
    """required: gates a release; optional: reported, never gates; none: not looked at."""
    for rule in rules:
        if rule.wait and rule.applies(ref):
            return rule.wait
    key = (ref.group, ref.kind)
    if key in OPTIONAL:
        return "optional"
    if key == ("", "Service"):
        return "required" if (body.get("spec") or {}).get("type") == "LoadBalancer" else "none"
    if key in BUILT_IN or ref.group not in SILENT_GROUPS:
        return "required"
    return "none"


def worst(verdicts: Sequence[Health]) -> Health:
    """The verdict that speaks for all: terminal first, then by state."""
    order = ("degraded", "missing", "unknown", "progressing", "suspended", "healthy")
    if not verdicts:
        return Health("healthy", "Nothing", "there is nothing to judge")
    return min(verdicts, key=lambda v: (not v.terminal, order.index(v.state)))
