"""What the clusters of the fake Fleet serve, which fields cannot change, and what their controllers write."""

from __future__ import annotations

from typing import Any

from appdelivery.model.live import Served
from appdelivery.model.refs import Kind

VERBS = frozenset(("get", "list", "watch", "create", "update", "patch", "delete"))

_SERVED = """
v1 ConfigMap configmaps; v1 Secret secrets; v1 Service services; v1 ServiceAccount serviceaccounts; v1 Pod pods;
v1 PersistentVolumeClaim persistentvolumeclaims; v1 PersistentVolume persistentvolumes -; v1 Namespace namespaces -;
v1 ResourceQuota resourcequotas; v1 LimitRange limitranges; v1 Node nodes -; v1 Event events;
apps/v1 Deployment deployments; apps/v1 StatefulSet statefulsets; apps/v1 DaemonSet daemonsets; apps/v1 ReplicaSet replicasets;
batch/v1 Job jobs; batch/v1 CronJob cronjobs; autoscaling/v2 HorizontalPodAutoscaler horizontalpodautoscalers;
policy/v1 PodDisruptionBudget poddisruptionbudgets; networking.k8s.io/v1 Ingress ingresses;
networking.k8s.io/v1 IngressClass ingressclasses -; networking.k8s.io/v1 NetworkPolicy networkpolicies;
rbac.authorization.k8s.io/v1 Role roles; rbac.authorization.k8s.io/v1 RoleBinding rolebindings;
rbac.authorization.k8s.io/v1 ClusterRole clusterroles -; rbac.authorization.k8s.io/v1 ClusterRoleBinding clusterrolebindings -;
storage.k8s.io/v1 StorageClass storageclasses -; scheduling.k8s.io/v1 PriorityClass priorityclasses -;
apiextensions.k8s.io/v1 CustomResourceDefinition customresourcedefinitions -;
admissionregistration.k8s.io/v1 ValidatingWebhookConfiguration validatingwebhookconfigurations -;
admissionregistration.k8s.io/v1 MutatingWebhookConfiguration mutatingwebhookconfigurations -
"""


def served() -> dict[Kind, Served]:
    out = {}
    for line in _SERVED.replace("\n", " ").split(";"):
        api_version, kind, plural, *scope = line.split()
        group, _, version = api_version.rpartition("/")
        of = Kind(group, version, kind)
        out[of] = Served(of, plural, not scope, VERBS, frozenset(("scale",)) if kind in SCALABLE else frozenset())
    return out


SCALABLE = ("Deployment", "StatefulSet", "ReplicaSet")
WITH_GENERATION = frozenset(
    (
        "Deployment",
        "StatefulSet",
        "DaemonSet",
        "ReplicaSet",
        "Job",
        "CronJob",
        "Ingress",
        "NetworkPolicy",
        "PodDisruptionBudget",
    )
)
IMMUTABLE = {
    "Job": ("spec.template", "spec.selector", "spec.completions"),
    "Deployment": ("spec.selector",),
    "DaemonSet": ("spec.selector",),
    "StatefulSet": ("spec.selector", "spec.serviceName", "spec.volumeClaimTemplates"),
    "PersistentVolumeClaim": ("spec.accessModes", "spec.storageClassName"),
    "Service": ("spec.clusterIP",),
    "StorageClass": ("provisioner", "parameters"),
}


def defaulted(body: dict[str, Any], number: int) -> dict[str, Any]:
    """The few defaults that the tests rely on: replicas, a Service's address and type."""
    spec = body.get("spec")
    kind = body["kind"]
    if kind in SCALABLE and isinstance(spec, dict) and "replicas" not in spec:
        return {**body, "spec": {**spec, "replicas": 1}}
    if kind == "Service" and isinstance(spec, dict) and spec.get("type") != "ExternalName":
        return {**body, "spec": {"type": "ClusterIP", "clusterIP": f"10.0.{number // 256 % 256}.{number % 256}", **spec}}
    return body


def fair(body: dict[str, Any]) -> dict[str, Any] | None:
    """The status that controllers write when all goes well; None for kinds that get none."""
    spec = body.get("spec") or {}
    generation = body["metadata"].get("generation", 0)
    count = spec.get("replicas", 1)
    kind = body["kind"]
    if kind == "Deployment":
        return {
            "observedGeneration": generation,
            "replicas": count,
            "updatedReplicas": count,
            "readyReplicas": count,
            "availableReplicas": count,
            "conditions": [
                {"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable"},
                {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"},
            ],
        }
    if kind == "StatefulSet":
        return {
            "observedGeneration": generation,
            "replicas": count,
            "readyReplicas": count,
            "updatedReplicas": count,
            "availableReplicas": count,
            "currentReplicas": count,
            "currentRevision": "r1",
            "updateRevision": "r1",
        }
    if kind == "DaemonSet":
        numbers = (
            "desiredNumberScheduled",
            "currentNumberScheduled",
            "updatedNumberScheduled",
            "numberReady",
            "numberAvailable",
        )
        return {"observedGeneration": generation} | dict.fromkeys(numbers, 1)
    if kind == "Job":
        return {"succeeded": 1, "conditions": [{"type": "Complete", "status": "True"}]}
    if kind == "PersistentVolumeClaim":
        return {"phase": "Bound"}
    if kind == "Namespace":
        return {"phase": "Active"}
    if kind == "Pod":
        return {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    if kind == "Ingress":
        return {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}
    if kind == "Service" and spec.get("type") == "LoadBalancer":
        return {"loadBalancer": {"ingress": [{"ip": "192.0.2.2"}]}}
    if kind == "HorizontalPodAutoscaler":
        return {
            "currentReplicas": 1,
            "desiredReplicas": 1,
            "conditions": [{"type": "AbleToScale", "status": "True"}, {"type": "ScalingActive", "status": "True"}],
        }
    if kind == "PodDisruptionBudget":
        return {"observedGeneration": generation, "disruptionsAllowed": 1}
    if kind == "CustomResourceDefinition":
        return {"conditions": [{"type": "Established", "status": "True"}, {"type": "NamesAccepted", "status": "True"}]}
    return None


def failing(body: dict[str, Any]) -> dict[str, Any] | None:
    """The status of a workload whose pods never come up, for as long as a rollout may take and beyond."""
    generation = body["metadata"].get("generation", 0)
    if body["kind"] == "Job":
        return {"failed": 1, "conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]}
    return {
        "observedGeneration": generation,
        "replicas": 1,
        "updatedReplicas": 1,
        "unavailableReplicas": 1,
        "conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}],
    }
