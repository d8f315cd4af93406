"""A cluster with its controllers for tests: time stands still until a test lets it pass."""

from __future__ import annotations

import copy

from appdelivery.sandbox import clock, cluster, controllers, writes
from appdelivery.sandbox.controllers import presets

ME = writes.Options(manager="test")
STATUS = writes.Options(manager="test", subresource="status")
WEATHER = "test.appdelivery.dev/"
VERSIONS = {
    "Deployment": "apps/v1", "ReplicaSet": "apps/v1", "StatefulSet": "apps/v1", "DaemonSet": "apps/v1",
    "ControllerRevision": "apps/v1", "Job": "batch/v1", "CronJob": "batch/v1", "Pod": "v1", "Node": "v1", "Service": "v1",
    "Endpoints": "v1", "EndpointSlice": "discovery.k8s.io/v1", "Event": "v1", "Namespace": "v1", "ConfigMap": "v1",
    "ServiceAccount": "v1", "PersistentVolume": "v1", "PersistentVolumeClaim": "v1", "ResourceQuota": "v1",
    "StorageClass": "storage.k8s.io/v1", "PodDisruptionBudget": "policy/v1", "Ingress": "networking.k8s.io/v1",
    "HorizontalPodAutoscaler": "autoscaling/v2", "Lease": "coordination.k8s.io/v1",
    "PriorityClass": "scheduling.k8s.io/v1",
}  # fmt: skip


class World:
    def __init__(self, nodes="small", *, seed=0):
        self.cluster = cluster.Cluster("test", clock=clock.Clock(speed=0))
        bodies = presets.nodes(nodes) if isinstance(nodes, str) else nodes
        self.controllers = controllers.start(self.cluster, nodes=bodies, seed=seed)
        self.heard = []
        self.cluster.storage.listen(self.heard.append)

    def kind(self, name):
        return self.cluster.kind(VERSIONS[name], name)

    def make(self, body, *, settle=True):
        body = {"apiVersion": VERSIONS[body["kind"]], **copy.deepcopy(body)}
        kind = self.kind(body["kind"])
        namespace = body["metadata"].get("namespace", "default") if kind.namespaced else ""
        made = writes.create(self.cluster, kind, namespace, body, ME).body
        if body["kind"] == "Node":  # as a kubelet registers: what it has comes with its status
            made = writes.replace(
                self.cluster, kind, ("", made["metadata"]["name"]), {**made, "status": body["status"]}, STATUS
            ).body
        if settle:
            self.controllers.settle()
        return made

    def change(self, kind, name, change, *, form="merge", namespace="default"):
        kind = self.kind(kind)
        writes.patch(self.cluster, kind, (namespace if kind.namespaced else "", name), form, change, ME)
        self.controllers.settle()

    def image(self, kind, name, image, *, namespace="default"):
        containers = [{"name": "main", "image": image}]
        change = {"spec": {"template": {"spec": {"containers": containers}}}}
        self.change(kind, name, change, form="strategic", namespace=namespace)

    def delete(self, kind, name, *, namespace="default", propagation="Background", grace=None):
        kind = self.kind(kind)
        key = (namespace if kind.namespaced else "", name)
        writes.delete(self.cluster, kind, key, writes.Deletion(propagation=propagation, grace=grace))
        self.controllers.settle()

    def after(self, seconds):
        self.cluster.clock.advance(seconds)
        self.controllers.settle()

    def get(self, kind, name, *, namespace="default"):
        item = self.cluster.get(self.kind(kind), namespace, name)
        return None if item is None else item.body

    def all(self, kind, *, namespace="default", prefix=""):
        kind = self.kind(kind)
        items = self.cluster.collection(kind).items(namespace if kind.namespaced else "")
        return [item.body for item in items if item.body["metadata"]["name"].startswith(prefix)]

    def pods(self, **more):
        return self.all("Pod", **more)

    def said(self, kind="", *, namespace="default"):
        """(type, reason, message) of events, in the order in which they came."""
        found = sorted(self.all("Event", namespace=namespace), key=lambda one: int(one["metadata"]["resourceVersion"]))
        return [
            (one["type"], one["reason"], one["message"])
            for one in found
            if not kind or one["involvedObject"]["kind"] == kind
        ]


def template(app, *, image="app:v1", notes=None, labels=None, **spec):
    metadata = {"labels": {"app": app, **(labels or {})}}
    if notes:
        metadata["annotations"] = {key if "/" in key else WEATHER + key: value for key, value in notes.items()}
    requests = spec.pop("requests", None)
    container = {"name": "main", "image": image, **({"resources": {"requests": requests}} if requests else {})}
    return {"metadata": metadata, "spec": {"containers": [container], **spec}}


def _set(kind, name, given, **more):
    spec = {key: given.pop(key) for key in list(given) if key in FIELDS}
    body = {"selector": {"matchLabels": {"app": name}}, "template": template(name, **given), **spec, **more}
    return {"kind": kind, "metadata": {"name": name}, "spec": body}


FIELDS = frozenset(
    {
        "replicas", "strategy", "paused", "minReadySeconds", "progressDeadlineSeconds", "revisionHistoryLimit",
        "updateStrategy", "podManagementPolicy", "volumeClaimTemplates", "serviceName", "ordinals",
        "persistentVolumeClaimRetentionPolicy", "parallelism", "completions", "backoffLimit", "activeDeadlineSeconds",
        "ttlSecondsAfterFinished", "suspend", "completionMode",
    }
)  # fmt: skip


def deployment(name="web", **given):
    return _set("Deployment", name, given)


def stateful_set(name="db", **given):
    return _set("StatefulSet", name, {"serviceName": name, **given})


def daemon_set(name="agent", **given):
    return _set("DaemonSet", name, given)


def job(name="work", **given):
    body = _set("Job", name, {"restartPolicy": "Never", **given})
    del body["spec"]["selector"]
    return body


def pod(name, **given):
    spec = template(name, **given)
    return {"kind": "Pod", "metadata": {"name": name, **spec["metadata"]}, "spec": spec["spec"]}


def node(name, *, zone="a", cpu="8", memory="32Gi", labels=None, taints=None, **more):
    has = {"cpu": cpu, "memory": memory, "pods": "110", **more}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"topology.kubernetes.io/zone": zone, **(labels or {})}},
        "spec": {"taints": taints} if taints else {},
        "status": {"capacity": dict(has), "allocatable": dict(has)},
    }


def ready(pods):
    return [
        one
        for one in pods
        if any(c["type"] == "Ready" and c["status"] == "True" for c in one["status"].get("conditions", ()))
    ]


def conditions(body):
    return {one["type"]: (one["status"], one.get("reason", "")) for one in body["status"].get("conditions", ())}
