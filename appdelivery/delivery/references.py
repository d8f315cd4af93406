"""What an object names in other objects: config and accounts of pods, targets of autoscalers and routes, classes.  Pure.

Called by graph, which makes edges of them, and by look, which asks for those that the application does not bring along.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appdelivery.delivery import listkeys
from appdelivery.model import fieldpath
from appdelivery.model.record import record
from appdelivery.model.refs import kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from appdelivery.model.refs import Kind

GATEWAY = "gateway.networking.k8s.io"
ROUTES = ("HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute")
AUTOSCALERS = ("HorizontalPodAutoscaler", "ScaledObject", "VerticalPodAutoscaler")
REPLICA_SCALERS = ("HorizontalPodAutoscaler", "ScaledObject")
WEBHOOKS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
OF_GROUP = {"Deployment": "apps", "StatefulSet": "apps", "ReplicaSet": "apps", "DaemonSet": "apps"}


@record
class Named:
    """An object that another one names.  hard: the server refuses without it; else pods merely wait for it."""

    group: str
    kind: str
    namespace: str
    name: str
    hard: bool = False
    optional: bool = False  # the author says that it may be absent

    @property
    def identity(self) -> tuple[str, str, str, str]:
        return self.group, self.kind, self.namespace, self.name


def of(body: dict[str, Any]) -> Iterator[Named]:
    """Everything a body names, doubles included."""
    kind = kind_of(body)
    namespace = body["metadata"].get("namespace", "")
    given = body.get("spec")
    spec: dict[str, Any] = given if isinstance(given, dict) else {}
    if pod := pod_spec(kind, body):
        yield from _pod(pod, namespace)
    if kind.kind in AUTOSCALERS:
        yield from _scaled(spec, namespace)
    elif kind.kind == "Ingress":
        yield from _ingress(spec, namespace)
    elif kind.group == GATEWAY:
        yield from _gateway(kind.kind, spec, namespace)
    elif kind.kind == "PersistentVolumeClaim":
        yield from _some("", "PersistentVolume", "", [spec.get("volumeName")])
        yield from _some("storage.k8s.io", "StorageClass", "", [spec.get("storageClassName")], hard=True)
    elif kind.kind in ("RoleBinding", "ClusterRoleBinding"):
        yield from _binding(body, namespace)
    elif kind.kind == "ValidatingAdmissionPolicyBinding":
        group = "admissionregistration.k8s.io"
        yield from _some(group, "ValidatingAdmissionPolicy", "", [spec.get("policyName")], hard=True)


def pod_spec(kind: Kind, body: dict[str, Any]) -> dict[str, Any]:
    """The pod spec of a built-in kind, or of whatever keeps one at the usual place; {} when there is none."""
    where = listkeys.pod_spec(kind) or ("spec", "template", "spec")
    found = fieldpath.get(body, where)
    return found if isinstance(found, dict) and isinstance(found.get("containers"), list) else {}


def scale_target(body: dict[str, Any]) -> tuple[str, str] | None:
    """(kind, name) whose replicas an autoscaler owns."""
    if body["kind"] not in REPLICA_SCALERS:
        return None
    target = fieldpath.get(body, ("spec", "scaleTargetRef")) or {}
    return (str(target.get("kind") or "Deployment"), str(target["name"])) if target.get("name") else None


def services_of(body: dict[str, Any]) -> list[tuple[str, str]]:
    """(namespace, name) of the Services behind a webhook configuration or an APIService."""
    if body["kind"] == "APIService":
        found = [fieldpath.get(body, ("spec", "service"))]
    elif body["kind"] in WEBHOOKS:
        found = [fieldpath.get(hook, ("clientConfig", "service")) for hook in body.get("webhooks") or ()]
    else:
        return []
    return [(str(one.get("namespace", "")), str(one["name"])) for one in found if isinstance(one, dict) and one.get("name")]


def _pod(pod: dict[str, Any], namespace: str) -> Iterator[Named]:
    yield from _some("", "ServiceAccount", namespace, [pod.get("serviceAccountName")])
    yield from _some("", "Secret", namespace, [one.get("name") for one in _maps(pod.get("imagePullSecrets"))])
    yield from _some("scheduling.k8s.io", "PriorityClass", "", [pod.get("priorityClassName")], hard=True)
    yield from _some("node.k8s.io", "RuntimeClass", "", [pod.get("runtimeClassName")], hard=True)
    claims = [one.get("resourceClaimTemplateName") for one in _maps(pod.get("resourceClaims"))]
    yield from _some("resource.k8s.io", "ResourceClaimTemplate", namespace, claims)
    for volume in _maps(pod.get("volumes")):
        yield from _volume(volume, namespace)
    for field in listkeys.CONTAINERS:
        for container in _maps(pod.get(field)):
            for variable in _maps(container.get("env")):
                source = variable.get("valueFrom") or {}
                yield from _config(source.get("configMapKeyRef"), source.get("secretKeyRef"), namespace)
            for source in _maps(container.get("envFrom")):
                yield from _config(source.get("configMapRef"), source.get("secretRef"), namespace)


def _config(config_map: Any, secret: Any, namespace: str) -> Iterator[Named]:
    for kind, source in (("ConfigMap", config_map), ("Secret", secret)):
        if isinstance(source, dict) and isinstance(source.get("name"), str) and source["name"]:
            yield Named("", kind, namespace, source["name"], optional=bool(source.get("optional")))


def _volume(volume: dict[str, Any], namespace: str) -> Iterator[Named]:
    claim, secret = volume.get("persistentVolumeClaim") or {}, volume.get("secret") or {}
    yield from _some("", "PersistentVolumeClaim", namespace, [claim.get("claimName")])
    yield from _config(volume.get("configMap"), {**secret, "name": secret.get("secretName")}, namespace)
    for source in _maps((volume.get("projected") or {}).get("sources")):
        yield from _config(source.get("configMap"), source.get("secret"), namespace)


def _scaled(spec: dict[str, Any], namespace: str) -> Iterator[Named]:
    target = spec.get("scaleTargetRef") or spec.get("targetRef") or {}
    kind = str(target.get("kind") or "Deployment")
    group = str(target.get("apiVersion", "")).rpartition("/")[0] or OF_GROUP.get(kind, "")
    yield from _some(group, kind, namespace, [target.get("name")])


def _ingress(spec: dict[str, Any], namespace: str) -> Iterator[Named]:
    yield from _some("networking.k8s.io", "IngressClass", "", [spec.get("ingressClassName")], hard=True)
    paths = [path for rule in _maps(spec.get("rules")) for path in _maps((rule.get("http") or {}).get("paths"))]
    backends = [path.get("backend") or {} for path in paths] + [spec.get("defaultBackend") or {}]
    yield from _some("", "Service", namespace, [(backend.get("service") or {}).get("name") for backend in backends])
    yield from _some("", "Secret", namespace, [one.get("secretName") for one in _maps(spec.get("tls"))])


def _gateway(kind: str, spec: dict[str, Any], namespace: str) -> Iterator[Named]:
    if kind == "Gateway":
        yield from _some(GATEWAY, "GatewayClass", "", [spec.get("gatewayClassName")], hard=True)
    if kind not in ROUTES:
        return
    for parent in _maps(spec.get("parentRefs")):
        if parent.get("kind", "Gateway") == "Gateway":
            yield from _some(GATEWAY, "Gateway", str(parent.get("namespace") or namespace), [parent.get("name")])
    for rule in _maps(spec.get("rules")):
        for backend in _maps(rule.get("backendRefs")):
            if backend.get("kind", "Service") == "Service":
                yield from _some("", "Service", str(backend.get("namespace") or namespace), [backend.get("name")])


def _binding(body: dict[str, Any], namespace: str) -> Iterator[Named]:
    role = body.get("roleRef") or {}
    where = namespace if role.get("kind") == "Role" else ""
    yield from _some("rbac.authorization.k8s.io", str(role.get("kind") or "Role"), where, [role.get("name")])
    for subject in _maps(body.get("subjects")):
        if subject.get("kind") == "ServiceAccount":
            yield from _some("", "ServiceAccount", str(subject.get("namespace") or namespace), [subject.get("name")])


def _some(group: str, kind: str, namespace: str, names: list[Any], *, hard: bool = False) -> Iterator[Named]:
    for name in names:
        if isinstance(name, str) and name:
            yield Named(group, kind, namespace, name, hard)


def _maps(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
