"""What the server itself puts into objects: the defaulting admission plugins of a standard cluster, and what some kinds
gain before they are first stored.  Nobody is recorded as the owner of these fields."""

from __future__ import annotations

import secrets

from appdelivery.sandbox.writes import identity, limits, services

TYPE_CHECKING = False
if TYPE_CHECKING:
    from appdelivery.sandbox.cluster import Cluster
    from appdelivery.sandbox.kinds import Kind
    from appdelivery.sandbox.storage import Body

TOLERATED = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
DEFAULT_CLASS = {
    ("", "persistentvolumeclaims"): ("storage.k8s.io", "storageclasses", "storageclass.kubernetes.io/is-default-class"),
    ("networking.k8s.io", "ingresses"): (
        "networking.k8s.io",
        "ingressclasses",
        "ingressclass.kubernetes.io/is-default-class",
    ),
}
CLASS_FIELD = {("", "persistentvolumeclaims"): "storageClassName", ("networking.k8s.io", "ingresses"): "ingressClassName"}
PROTECTED = {
    ("", "persistentvolumeclaims"): "kubernetes.io/pvc-protection",
    ("", "persistentvolumes"): "kubernetes.io/pv-protection",
}
ACCOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
PRIORITIES = {"system-cluster-critical": 2000000000, "system-node-critical": 2000001000}


def admit(cluster: Cluster, kind: Kind, new: Body) -> None:
    """Of a new object, before it is prepared."""
    family = kind.family
    if family in PROTECTED:
        finalizers = new["metadata"].get("finalizers") or []
        if PROTECTED[family] not in finalizers:
            new["metadata"]["finalizers"] = [*finalizers, PROTECTED[family]]
    if family in DEFAULT_CLASS:
        _default_class(cluster, kind, new)
    if family == ("", "pods"):
        _pod(cluster, new)
    elif family == ("", "nodes"):
        _node(new)


def prepare(cluster: Cluster, kind: Kind, new: Body) -> None:
    """Of a new object, after its identity is known."""
    family = kind.family
    if family == services.FAMILY:
        services.create(cluster, kind, new)
    elif family == ("batch", "jobs"):
        _job(new)
    elif family == ("", "namespaces"):
        new["spec"]["finalizers"] = ["kubernetes"]
    elif family == ("", "pods"):
        new["status"] |= {"phase": "Pending", "qosClass": _quality(new["spec"])}
    elif family == ("", "persistentvolumes"):
        new["status"]["lastPhaseTransitionTime"] = cluster.clock.stamp()


def change(cluster: Cluster, kind: Kind, old: Body, new: Body, subresource: str) -> None:
    """Of a changed object."""
    if kind.family == services.FAMILY and not subresource:
        services.update(cluster, kind, old, new)
    elif kind.family == ("", "pods") and not subresource:
        _tolerations(new["spec"])


def _default_class(cluster: Cluster, kind: Kind, new: Body) -> None:
    field = CLASS_FIELD[kind.family]
    if field in new["spec"] or "kubernetes.io/ingress.class" in (new["metadata"].get("annotations") or {}):
        return
    group, plural, mark = DEFAULT_CLASS[kind.family]
    for item in cluster.storage.family((group, plural)).items():
        if (item.body["metadata"].get("annotations") or {}).get(mark) == "true":
            new["spec"][field] = item.body["metadata"]["name"]


def _pod(cluster: Cluster, new: Body) -> None:
    limits.fill(cluster, new)
    spec = new["spec"]
    name = spec.get("priorityClassName", "")
    spec["priority"], policy = _priority(cluster, spec, name)
    spec.setdefault("preemptionPolicy", policy)
    _tolerations(spec)
    _account(new)


def _account(new: Body) -> None:
    """The pod's service account, and its token where every container finds it."""
    spec = new["spec"]
    name = spec.get("serviceAccountName") or "default"
    spec["serviceAccountName"] = spec["serviceAccount"] = name
    containers = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    lacking = [
        one for one in containers if all(mount.get("mountPath") != ACCOUNT_PATH for mount in one.get("volumeMounts") or ())
    ]
    if spec.get("automountServiceAccountToken") is False or not lacking:
        return
    volume = "kube-api-access-" + "".join(secrets.choice(identity.ALPHABET) for _ in range(5))
    for one in lacking:
        one["volumeMounts"] = [
            *(one.get("volumeMounts") or ()),
            {"name": volume, "readOnly": True, "mountPath": ACCOUNT_PATH},
        ]
    sources = [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {
            "downwardAPI": {
                "items": [{"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]
            }
        },
    ]
    projected = {"name": volume, "projected": {"sources": sources, "defaultMode": 420}}
    spec["volumes"] = [*(spec.get("volumes") or ()), projected]


def _tolerations(spec: Body) -> None:
    """A pod stays five minutes on a node that is not ready."""
    keys = {toleration.get("key", "") for toleration in spec.get("tolerations") or ()}
    if "" not in keys:
        added = [
            {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
            for key in TOLERATED
            if key not in keys
        ]
        spec["tolerations"] = [*(spec.get("tolerations") or ()), *added]


def _priority(cluster: Cluster, spec: Body, name: str) -> tuple[int, str]:
    if name in PRIORITIES:
        return PRIORITIES[name], "PreemptLowerPriority"
    for item in cluster.storage.family(("scheduling.k8s.io", "priorityclasses")).items():
        body = item.body
        if body["metadata"]["name"] == name or (not name and body.get("globalDefault")):
            spec["priorityClassName"] = body["metadata"]["name"]
            return body["value"], body["preemptionPolicy"]
    return 0, "PreemptLowerPriority"


def _node(new: Body) -> None:
    taint = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}
    taints = new["spec"].get("taints") or []
    if not any(one.get("key") == taint["key"] and one.get("effect") == taint["effect"] for one in taints):
        new["spec"]["taints"] = [*taints, taint]


def _job(new: Body) -> None:
    """Selector and labels of a job without a selector of its own."""
    spec, metadata = new["spec"], new["metadata"]
    if spec.get("manualSelector"):
        return
    uid, name = metadata["uid"], metadata["name"]
    labels = {
        "batch.kubernetes.io/controller-uid": uid, "batch.kubernetes.io/job-name": name, "controller-uid": uid, "job-name": name,
    }  # fmt: skip
    of_pods = spec["template"].setdefault("metadata", {}).setdefault("labels", {})
    of_pods.update(labels)
    if not metadata.get("labels"):
        metadata["labels"] = dict(of_pods)
    selector = spec.setdefault("selector", {})
    selector.setdefault("matchLabels", {})["batch.kubernetes.io/controller-uid"] = uid


def _quality(spec: Body) -> str:
    """BestEffort, Burstable or Guaranteed."""
    containers = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
    wanted = [container["resources"] for container in containers]
    if not any((one.get("requests") or {}) or (one.get("limits") or {}) for one in wanted):
        return "BestEffort"
    sure = all(
        {"cpu", "memory"} <= set(one.get("limits") or ()) and one.get("requests") == one.get("limits") for one in wanted
    )
    return "Guaranteed" if sure else "Burstable"
