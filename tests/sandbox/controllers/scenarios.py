"""What is done to a real plane once (record.py) and to the sandbox in every test run, and how the two are compared.

A story is a list of steps: a body to make, (kind, name, strategic patch), or seconds to wait.  What is compared, with
names, times and addresses put into one form: every object's labels, annotations, owners, size and status at the end, the
order in which conditions came, and the events of all controllers.  Kubelets are apart: a real plane's write no events.
"""

from __future__ import annotations

import json
import re

from small_world import daemon_set, deployment, job, pod, stateful_set

KINDS = {
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "ReplicaSet": "/apis/apps/v1/namespaces/{}/replicasets",
    "StatefulSet": "/apis/apps/v1/namespaces/{}/statefulsets",
    "DaemonSet": "/apis/apps/v1/namespaces/{}/daemonsets",
    "Job": "/apis/batch/v1/namespaces/{}/jobs",
    "Pod": "/api/v1/namespaces/{}/pods",
    "Service": "/api/v1/namespaces/{}/services",
    "Endpoints": "/api/v1/namespaces/{}/endpoints",
    "EndpointSlice": "/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices",
    "PodDisruptionBudget": "/apis/policy/v1/namespaces/{}/poddisruptionbudgets",
    "PersistentVolumeClaim": "/api/v1/namespaces/{}/persistentvolumeclaims",
    "HorizontalPodAutoscaler": "/apis/autoscaling/v2/namespaces/{}/horizontalpodautoscalers",
    "Event": "/api/v1/namespaces/{}/events",
}
OWN = ("Deployment", "StatefulSet", "DaemonSet", "Job", "HorizontalPodAutoscaler")  # whose conditions are followed


def _image(kind, name, image):
    return kind, name, {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": image}]}}}}


def _claims():
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return [{"metadata": {"name": "data"}, "spec": spec}]


WEB = {"matchLabels": {"app": "web"}}
SERVICE = {
    "kind": "Service",
    "metadata": {"name": "web"},
    "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]},
}
AUTOSCALER = {
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "web"},
    "spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "none"},
        "maxReplicas": 3,
        "metrics": [
            {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}
        ],
    },
}

STORIES = {
    "rollout": [deployment(replicas=3), 2, _image("Deployment", "web", "app:v2"), 2, ("Deployment", "web", {"spec": {"replicas": 5}}), 2],
    "broken-image": [deployment(replicas=2, progressDeadlineSeconds=2), 2, _image("Deployment", "web", "app:v2-bad"), 5],
    "rollback": [deployment(), 2, _image("Deployment", "web", "app:v2"), 2, _image("Deployment", "web", "app:v1"), 2],
    "recreate": [deployment(replicas=2, strategy={"type": "Recreate"}), 2, _image("Deployment", "web", "app:v2"), 3],
    "paused": [
        deployment(), 2, ("Deployment", "web", {"spec": {"paused": True}}), 1, _image("Deployment", "web", "app:v2"), 1,
        ("Deployment", "web", {"spec": {"replicas": 2}}), 1, ("Deployment", "web", {"spec": {"paused": None}}), 3,
    ],
    "stateful-set": [stateful_set(replicas=2, volumeClaimTemplates=_claims()), 3, _image("StatefulSet", "db", "app:v2"), 4],
    "stateful-set-partition": [
        stateful_set(replicas=3, updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}), 3,
        _image("StatefulSet", "db", "app:v2"), 3,
    ],
    "daemon-set": [daemon_set(nodeSelector={"topology.kubernetes.io/zone": "eu-a"}), 2, _image("DaemonSet", "agent", "app:v2"), 3],
    "job": [job(completions=3, parallelism=2), 4],
    "job-fails": [job(backoffLimit=0, notes={"weather": "job-fails"}), 3],
    "job-late": [job(activeDeadlineSeconds=2, notes={"weather": "never-ready"}), 5],
    "job-suspended": [job(suspend=True), 1, ("Job", "work", {"spec": {"suspend": False}}), 3],
    "job-indexed": [job(completions=2, parallelism=2, completionMode="Indexed"), 4],
    "service": [
        SERVICE, 1, deployment(replicas=2), 2,
        {"kind": "PodDisruptionBudget", "metadata": {"name": "web"}, "spec": {"maxUnavailable": 1, "selector": WEB}}, 2,
    ],
    "weather": [
        pod("crash", notes={"weather": "crash"}), pod("oom", notes={"weather": "oom"}),
        pod("never", notes={"weather": "never-ready"}), pod("image", notes={"weather": "image-pull-error"}),
        pod("bad", image="app:v1-bad"), pod("later", notes={"degraded-after": "1s"}),
        pod("init", initContainers=[{"name": "a", "image": "a"}, {"name": "b", "image": "b", "restartPolicy": "Always"}]),
        pod("gated", readinessGates=[{"conditionType": "example.com/up"}]), 4,
    ],
    "unschedulable": [
        pod("gpu", requests={"nvidia.com/gpu": "9", "cpu": "1"}), pod("selector", nodeSelector={"a": "b"}),
        pod("both", nodeSelector={"topology.kubernetes.io/zone": "eu-a"}, requests={"cpu": "100", "memory": "1Ti"}),
        pod("claim", volumes=[{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]), 2,
    ],
    "autoscaler": [AUTOSCALER, 3],
    "slow-to-be-available": [deployment(replicas=2, minReadySeconds=2), 4, _image("Deployment", "web", "app:v2"), 9],
    "never-ready": [deployment(replicas=2, notes={"weather": "never-ready"}, progressDeadlineSeconds=2), 5],
    "no-deadline": [deployment(replicas=2, progressDeadlineSeconds=2147483647), 2, _image("Deployment", "web", "app:v2"), 2],
    "scaled-in-between": [
        deployment(replicas=4, strategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 2, "maxUnavailable": 1}}), 2,
        _image("Deployment", "web", "app:v2-bad"), 2, ("Deployment", "web", {"spec": {"replicas": 8}}), 3,
    ],
    "to-zero-and-back": [
        deployment(replicas=2), 2, ("Deployment", "web", {"spec": {"replicas": 0}}), 2,
        ("Deployment", "web", {"spec": {"replicas": 1}}), 2,
    ],
    "little-history": [
        deployment(revisionHistoryLimit=1), 2, _image("Deployment", "web", "app:v2"), 2, _image("Deployment", "web", "app:v3"), 2,
    ],
    "annotated": [
        deployment(), 2, ("Deployment", "web", {"metadata": {"annotations": {"team": "a"}}}), 2,
        _image("Deployment", "web", "app:v2"), 2,
    ],
    "stateful-set-parallel": [stateful_set(replicas=3, podManagementPolicy="Parallel"), 2, _image("StatefulSet", "db", "app:v2"), 4],
    "stateful-set-on-delete": [
        stateful_set(replicas=2, updateStrategy={"type": "OnDelete"}), 2, _image("StatefulSet", "db", "app:v2"), 2,
    ],
    "stateful-set-broken": [stateful_set(replicas=2), 2, _image("StatefulSet", "db", "app:v2-bad"), 3],
    "stateful-set-shrinks": [stateful_set(replicas=3), 3, ("StatefulSet", "db", {"spec": {"replicas": 1}}), 3],
    "daemon-set-surge": [
        daemon_set(updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
                   nodeSelector={"topology.kubernetes.io/zone": "eu-a"}), 2, _image("DaemonSet", "agent", "app:v2"), 4,
    ],
    "daemon-set-nowhere": [daemon_set(nodeSelector={"a": "b"}), 2],
    "job-no-completions": [job(parallelism=2, completions=None), 4],
    "job-fails-twice": [job(backoffLimit=1, notes={"weather": "job-fails"}), 14],
    "not-ready-behind-a-service": [SERVICE, 1, deployment(replicas=2, notes={"weather": "never-ready"}), 3],
    "headless": [
        {"kind": "Service", "metadata": {"name": "db"}, "spec": {"clusterIP": "None", "selector": {"app": "db"}, "ports": [{"port": 80}]}},
        stateful_set(replicas=1), 3,
    ],
    "budget-of-nobody": [
        {"kind": "PodDisruptionBudget", "metadata": {"name": "web"}, "spec": {"minAvailable": "50%", "selector": WEB}}, 2,
    ],
}  # fmt: skip
for _one in STORIES["unschedulable"]:  # an extended resource is a limit too
    if isinstance(_one, dict) and "resources" in _one["spec"]["containers"][0]:
        _resources = _one["spec"]["containers"][0]["resources"]
        if "nvidia.com/gpu" in _resources["requests"]:
            _resources["limits"] = {"nvidia.com/gpu": _resources["requests"]["nvidia.com/gpu"]}

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
ADDRESS = re.compile(r"\b(10\.244|172\.18|127\.0|10\.96)\.\d+\.\d+\b")
UID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
LETTERS = "[bcdfghjklmnpqrstvwxz2456789]"
HASH = re.compile(rf"\b(web|db|agent|work)-({LETTERS}{{6,10}})\b")
BARE = re.compile(rf"^{LETTERS}{{6,10}}$")
SUFFIX = re.compile(rf"-{LETTERS}{{5}}\b")
ASSIGNED = re.compile(r" to (cpu|gpu)-[ab]$")
LEFT_OUT = {
    "uid", "resourceVersion", "managedFields", "creationTimestamp", "nodeName", "zone", "deletionTimestamp", "namespace",
    "topology.kubernetes.io/zone", "topology.kubernetes.io/region", "selfLink", "hostIPs", "podIPs", "hostIP",
}  # fmt: skip


def told(bodies, history):
    """(what is compared): objects at the end, conditions in the order in which they came, events."""
    marks = {}
    for body in sorted((one for one in bodies if one["kind"] in {"ReplicaSet", "ControllerRevision"}), key=_age):
        found = HASH.search(body["metadata"]["name"])
        if found:
            marks.setdefault(found.group(2), f"hash{len(marks) + 1}")
    objects = {}
    for body in bodies:
        if body["kind"] in {"Event", "ControllerRevision"}:
            continue
        shown = {
            "metadata": {k: body["metadata"].get(k) for k in ("labels", "annotations", "ownerReferences", "finalizers")}
        }
        shown |= {key: body[key] for key in ("status", "subsets", "endpoints", "ports") if key in body}
        if "replicas" in body.get("spec", {}):
            shown["replicas"] = body["spec"]["replicas"]
        objects.setdefault(_plain(f"{body['kind']}/{body['metadata']['name']}", marks), []).append(_form(shown, marks))
    events = sorted({_event(one, marks) for one in bodies if one["kind"] == "Event"} - {None})
    return {
        "objects": {key: sorted(value, key=json.dumps) for key, value in sorted(objects.items())},
        "conditions": {name: _order(bodies_, marks) for name, bodies_ in sorted(history.items())},
        "events": [list(one) for one in events],
    }


def _age(body):
    return int(body["metadata"].get("annotations", {}).get("deployment.kubernetes.io/revision", body.get("revision", 0)))


def _order(bodies, marks):
    """Each condition when it first has a new status or reason."""
    found = []
    for body in bodies:
        for one in (body.get("status") or {}).get("conditions") or ():
            entry = [one["type"], one["status"], one.get("reason", ""), _plain(one.get("message", ""), marks)]
            if entry not in found:
                found.append(entry)
    return found


def _event(body, marks):
    if body.get("reportingComponent") == "kubelet" or "PersistentVolumeClaims" in body["message"]:
        return None  # no kubelet there; whether a claim is bound in time is a matter of luck
    about = body["involvedObject"]
    said = ASSIGNED.sub(" to a node", body["message"].replace(f"{about['namespace']}/", "ns/"))
    by = body["reportingComponent"]
    return about["kind"], _plain(about["name"], marks), body["type"], body["reason"], _plain(said, marks), by


def _plain(text, marks):
    for mark, name in marks.items():
        text = text.replace(mark, name)
    text = UID.sub("UID", TIME.sub("TIME", ADDRESS.sub("IP", text)))
    return SUFFIX.sub("-xxxxx", HASH.sub(r"\1-hash", text))


def _form(value, marks):
    if isinstance(value, dict):
        found = {}
        for key, one in value.items():
            if key in LEFT_OUT or one in (None, [], {}):
                continue
            if key in {"pod-template-hash", "controller-revision-hash"}:
                one = marks.get(one, "hash") if BARE.match(one) else _plain(one, marks)
            found[key] = _form(one, marks)
        return found
    if isinstance(value, list):
        return [_form(one, marks) for one in value]
    return _plain(value, marks) if isinstance(value, str) else value
