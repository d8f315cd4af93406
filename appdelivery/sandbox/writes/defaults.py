"""What the server sets when a field is absent, by Go type: constants in `TABLE`, what depends on other fields in functions.

`types` looks both up when it compiles a type, so that decoding a body fills it in the same walk.  The list is that of the
defaulting functions of Kubernetes for the kinds that applications consist of.
"""

from __future__ import annotations

import base64

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from appdelivery.sandbox.storage import Body

TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"
CORE = "io.k8s.api.core.v1."
MODE = {"defaultMode": 420}
CONTAINER = {"terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"}
HISTORY = {"replicas": 1, "revisionHistoryLimit": 10}
WEBHOOK = {
    "failurePolicy": "Fail", "matchPolicy": "Equivalent", "namespaceSelector": {}, "objectSelector": {}, "timeoutSeconds": 10,
}  # fmt: skip
TABLE: dict[str, dict[str, Any]] = {
    CORE + "ConfigMapVolumeSource": MODE,
    CORE + "Container": CONTAINER,
    CORE + "DownwardAPIVolumeSource": MODE,
    CORE + "EndpointPort": {"protocol": "TCP"},
    CORE + "EphemeralContainer": CONTAINER,
    CORE + "GRPCAction": {"service": ""},
    CORE + "HTTPGetAction": {"path": "/", "scheme": "HTTP"},
    CORE + "HostPathVolumeSource": {"type": ""},
    CORE + "NamespaceStatus": {"phase": "Active"},
    CORE + "ObjectFieldSelector": {"apiVersion": "v1"},
    CORE + "PersistentVolumeClaimSpec": {"volumeMode": "Filesystem"},
    CORE + "PersistentVolumeClaimStatus": {"phase": "Pending"},
    CORE + "PersistentVolumeSpec": {"persistentVolumeReclaimPolicy": "Retain", "volumeMode": "Filesystem"},
    CORE + "PersistentVolumeStatus": {"phase": "Pending"},
    CORE + "PodSpec": {
        "dnsPolicy": "ClusterFirst", "restartPolicy": "Always", "securityContext": {}, "terminationGracePeriodSeconds": 30,
        "schedulerName": "default-scheduler",
    },
    CORE + "Probe": {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3},
    CORE + "ProjectedVolumeSource": MODE,
    CORE + "Secret": {"type": "Opaque"},
    CORE + "SecretVolumeSource": MODE,
    CORE + "ServiceAccountTokenProjection": {"expirationSeconds": 3600},
    "io.k8s.api.apps.v1.DaemonSetSpec": {"revisionHistoryLimit": 10},
    "io.k8s.api.apps.v1.DaemonSetUpdateStrategy": {"type": "RollingUpdate"},
    "io.k8s.api.apps.v1.DeploymentSpec": {**HISTORY, "progressDeadlineSeconds": 600},
    "io.k8s.api.apps.v1.DeploymentStrategy": {"type": "RollingUpdate"},
    "io.k8s.api.apps.v1.ReplicaSetSpec": {"replicas": 1},
    "io.k8s.api.apps.v1.StatefulSetPersistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
    "io.k8s.api.apps.v1.StatefulSetSpec": {
        **HISTORY, "podManagementPolicy": "OrderedReady",
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"},
    },
    "io.k8s.api.autoscaling.v1.HorizontalPodAutoscalerSpec": {"minReplicas": 1},
    "io.k8s.api.batch.v1.CronJobSpec": {
        "concurrencyPolicy": "Allow", "suspend": False, "successfulJobsHistoryLimit": 3, "failedJobsHistoryLimit": 1,
    },
    "io.k8s.api.batch.v1.PodFailurePolicyOnPodConditionsPattern": {"status": "True"},
    "io.k8s.api.discovery.v1.EndpointPort": {"name": "", "protocol": "TCP"},
    "io.k8s.api.networking.v1.IngressClassParametersReference": {"scope": "Cluster"},
    "io.k8s.api.networking.v1.NetworkPolicyPort": {"protocol": "TCP"},
    "io.k8s.api.rbac.v1.RoleRef": {"apiGroup": "rbac.authorization.k8s.io"},
    "io.k8s.api.scheduling.v1.PriorityClass": {"preemptionPolicy": "PreemptLowerPriority"},
    "io.k8s.api.storage.v1.StorageClass": {"reclaimPolicy": "Delete", "volumeBindingMode": "Immediate"},
    "io.k8s.api.storage.v1.CSIDriverSpec": {
        "attachRequired": True, "podInfoOnMount": False, "storageCapacity": False, "requiresRepublish": False,
        "fsGroupPolicy": "ReadWriteOnceWithFSType", "volumeLifecycleModes": ["Persistent"], "seLinuxMount": False,
    },
    "io.k8s.api.admissionregistration.v1.MutatingWebhook": {**WEBHOOK, "reinvocationPolicy": "Never"},
    "io.k8s.api.admissionregistration.v1.RuleWithOperations": {"scope": "*"},
    "io.k8s.api.admissionregistration.v1.ServiceReference": {"port": 443},
    "io.k8s.api.admissionregistration.v1.ValidatingWebhook": WEBHOOK,
    "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.ServiceReference": {"port": 443},
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceConversion": {"strategy": "None"},
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.ServiceReference": {"port": 443},
}  # fmt: skip


def _container(found: Body) -> None:
    if not found.get("imagePullPolicy"):
        found["imagePullPolicy"] = _pull(found.get("image", ""))


def _pull(image: str) -> str:
    """Always for the tag latest, stated or meant."""
    name, _, digest = image.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    return "Always" if image and (tag == "latest" or (not tag and not digest)) else "IfNotPresent"


def _volume(found: Body) -> None:
    if not any(key != "name" for key in found):
        found["emptyDir"] = {}
    image = found.get("image")
    if image is not None and not image.get("pullPolicy"):
        image["pullPolicy"] = _pull(image.get("reference", ""))


def _pod_spec(found: Body) -> None:
    name = found.get("serviceAccountName") or found.get("serviceAccount")
    if name:
        found["serviceAccountName"] = found["serviceAccount"] = name


def _pod(found: Body) -> None:
    spec = found["spec"]
    spec.setdefault("enableServiceLinks", True)
    for container in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]:
        resources = container["resources"]
        if resources.get("limits"):
            resources["requests"] = {**resources["limits"], **(resources.get("requests") or {})}
        if spec.get("hostNetwork"):
            for port in container.get("ports") or ():
                port.setdefault("hostPort", port["containerPort"])


def _replication_controller(found: Body) -> None:
    labels = found["spec"].get("template", {}).get("metadata", {}).get("labels")
    if labels:
        if not found["spec"].get("selector"):
            found["spec"]["selector"] = dict(labels)
        if not found["metadata"].get("labels"):
            found["metadata"]["labels"] = dict(labels)


def _service_port(found: Body) -> None:
    if found.get("targetPort") in (0, "", None):
        found["targetPort"] = found["port"]


def _service(found: Body) -> None:
    spec = found["spec"]
    affinity = spec.setdefault("sessionAffinity", "None")
    if affinity == "None":
        spec.pop("sessionAffinityConfig", None)
    elif affinity == "ClientIP" and not ((spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}).get(
        "timeoutSeconds"
    ):
        spec["sessionAffinityConfig"] = {"clientIP": {"timeoutSeconds": 10800}}
    type = spec.setdefault("type", "ClusterIP")
    if type in ("NodePort", "LoadBalancer") or (type == "ClusterIP" and spec.get("externalIPs")):
        spec.setdefault("externalTrafficPolicy", "Cluster")
    if type in ("NodePort", "LoadBalancer", "ClusterIP"):
        spec.setdefault("internalTrafficPolicy", "Cluster")
    if type == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
        for ingress in (found["status"].get("loadBalancer") or {}).get("ingress") or ():
            if ingress.get("ip"):
                ingress.setdefault("ipMode", "VIP")


def _namespace(found: Body) -> None:
    name = found["metadata"].get("name")
    if name:
        found["metadata"]["labels"] = {**(found["metadata"].get("labels") or {}), "kubernetes.io/metadata.name": name}


def _node_status(found: Body) -> None:
    if found.get("capacity") and not found.get("allocatable"):
        found["allocatable"] = dict(found["capacity"])


def _limits(found: Body) -> None:
    if found.get("type") != "Container":
        return
    default = {**(found.get("max") or {}), **(found.get("default") or {})}
    request = {**(found.get("min") or {}), **default, **(found.get("defaultRequest") or {})}
    for key, value in (("default", default), ("defaultRequest", request)):
        if value:
            found[key] = value


def _deployment_strategy(found: Body) -> None:
    if found["type"] == "RollingUpdate":
        found["rollingUpdate"] = {"maxUnavailable": "25%", "maxSurge": "25%", **(found.get("rollingUpdate") or {})}


def _daemon_strategy(found: Body) -> None:
    if found["type"] == "RollingUpdate":
        found["rollingUpdate"] = {"maxUnavailable": 1, "maxSurge": 0, **(found.get("rollingUpdate") or {})}


def _stateful_strategy(found: Body) -> None:
    if not found.get("type"):
        found["type"] = "RollingUpdate"
        found.setdefault("rollingUpdate", {})
    if found["type"] == "RollingUpdate" and found.get("rollingUpdate") is not None:
        found["rollingUpdate"].setdefault("partition", 0)


def _daemon_set(found: Body) -> None:
    metadata = found["metadata"]
    metadata["annotations"] = {TEMPLATE_GENERATION: "0", **(metadata.get("annotations") or {})}


def _stateful_set(found: Body) -> None:
    for claim in found.get("volumeClaimTemplates") or ():
        claim.setdefault("apiVersion", "v1")
        claim.setdefault("kind", "PersistentVolumeClaim")


def _secret(found: Body) -> None:
    given = found.pop("stringData", None)
    if given:
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in given.items()}
        found["data"] = {**(found.get("data") or {}), **encoded}


def _definition(found: Body) -> None:
    spec = found["spec"]
    names = spec["names"]
    names.setdefault("singular", names.get("kind", "").lower())
    if names.get("kind"):
        names.setdefault("listKind", f"{names['kind']}List")
    spec.setdefault("conversion", {"strategy": "None"})
    if not found["status"].get("storedVersions"):
        found["status"]["storedVersions"] = [one["name"] for one in spec.get("versions") or () if one.get("storage")][
            :1
        ] or None


def _job(found: Body) -> None:
    spec = found["spec"]
    if "completions" not in spec and "parallelism" not in spec:
        spec["completions"] = 1
    spec.setdefault("parallelism", 1)
    spec.setdefault("backoffLimit", 2**31 - 1 if "backoffLimitPerIndex" in spec else 6)
    labels = spec["template"].get("metadata", {}).get("labels")
    if labels and not found["metadata"].get("labels"):
        found["metadata"]["labels"] = labels  # the same map: labels that the template gains, the job gains too
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    spec.setdefault("podReplacementPolicy", "Failed" if "podFailurePolicy" in spec else "TerminatingOrFailed")
    spec.setdefault("manualSelector", False)


def _autoscaler(found: Body) -> None:
    spec = found["spec"]
    spec.setdefault("minReplicas", 1)
    if not spec.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": 80}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    behavior = spec.get("behavior")
    if behavior is not None:
        percent = {"type": "Percent", "value": 100, "periodSeconds": 15}
        pods = {"type": "Pods", "value": 4, "periodSeconds": 15}
        behavior["scaleUp"] = {
            "stabilizationWindowSeconds": 0, "selectPolicy": "Max", "policies": [pods, percent],
            **(behavior.get("scaleUp") or {}),
        }  # fmt: skip
        behavior["scaleDown"] = {"selectPolicy": "Max", "policies": [dict(percent)], **(behavior.get("scaleDown") or {})}


def _old_autoscaler(found: Body) -> None:
    notes = found["metadata"].get("annotations") or {}
    if "autoscaling.alpha.kubernetes.io/metrics" not in notes:
        found["spec"].setdefault("targetCPUUtilizationPercentage", 80)


def _network_policy(found: Body) -> None:
    if not found["spec"].get("policyTypes"):
        found["spec"]["policyTypes"] = ["Ingress", *(["Egress"] if found["spec"].get("egress") else [])]


def _subject(found: Body) -> None:
    if found.get("kind") in ("User", "Group"):
        found.setdefault("apiGroup", "rbac.authorization.k8s.io")


FUNCTIONS: dict[str, Callable[[Body], None]] = {
    CORE + "Container": _container,
    CORE + "EphemeralContainer": _container,
    CORE + "LimitRangeItem": _limits,
    CORE + "Namespace": _namespace,
    CORE + "NodeStatus": _node_status,
    CORE + "Pod": _pod,
    CORE + "PodSpec": _pod_spec,
    CORE + "ReplicationController": _replication_controller,
    CORE + "Secret": _secret,
    CORE + "Service": _service,
    CORE + "ServicePort": _service_port,
    CORE + "Volume": _volume,
    "io.k8s.api.apps.v1.DaemonSet": _daemon_set,
    "io.k8s.api.apps.v1.DaemonSetUpdateStrategy": _daemon_strategy,
    "io.k8s.api.apps.v1.DeploymentStrategy": _deployment_strategy,
    "io.k8s.api.apps.v1.StatefulSetSpec": _stateful_set,
    "io.k8s.api.apps.v1.StatefulSetUpdateStrategy": _stateful_strategy,
    "io.k8s.api.autoscaling.v1.HorizontalPodAutoscaler": _old_autoscaler,
    "io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler": _autoscaler,
    "io.k8s.api.batch.v1.Job": _job,
    "io.k8s.api.networking.v1.NetworkPolicy": _network_policy,
    "io.k8s.api.rbac.v1.Subject": _subject,
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition": _definition,
}
