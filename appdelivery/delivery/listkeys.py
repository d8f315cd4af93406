"""Which lists of the built-in kinds are maps or sets to a server-side apply, and by which fields their entries are told apart.

The API server refuses two entries with one key in such a list, which client-side tools accept; `desired` finds them
before anything is sent.  Lists of custom resources are not here: only their CRD knows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from appdelivery.model.refs import Kind

NAME = ("name",)
CONTAINERS = ("containers", "initContainers", "ephemeralContainers")
DEFAULTS = {"protocol": "TCP"}  # what a key field is worth where it is not written

_POD_SPEC = dict.fromkeys((*CONTAINERS, "volumes", "imagePullSecrets", "resourceClaims", "schedulingGates"), NAME) | {
    "hostAliases": ("ip",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
}
_CONTAINER = {
    "env": NAME,
    "ports": ("containerPort", "protocol"),
    "volumeMounts": ("mountPath",),
    "volumeDevices": ("devicePath",),
}
_ELSEWHERE = {
    ("Service", ("spec", "ports")): ("port", "protocol"),
    ("ServiceAccount", ("secrets",)): NAME,
    ("MutatingWebhookConfiguration", ("webhooks",)): NAME,
    ("ValidatingWebhookConfiguration", ("webhooks",)): NAME,
    ("Gateway", ("spec", "listeners")): NAME,
}
_TEMPLATE = ("spec", "template", "spec")
_POD_SPECS = {
    "Pod": ("spec",),
    "PodTemplate": ("template", "spec"),
    "CronJob": ("spec", "jobTemplate", *_TEMPLATE),
} | dict.fromkeys(("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job"), _TEMPLATE)
_GROUPS = {"Gateway": "gateway.networking.k8s.io", "CronJob": "batch", "Job": "batch"} | dict.fromkeys(
    ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"), "apps"
)


def pod_spec(of: Kind) -> tuple[str, ...]:
    """Where a built-in kind keeps its pod spec; () when it has none."""
    return _POD_SPECS.get(of.kind, ()) if of.group == _GROUPS.get(of.kind, "") else ()


def keys(of: Kind, fields: tuple[str, ...]) -> tuple[str, ...]:
    """Key fields of the list at a path of field names (entries of lists are not counted); () = not a map list."""
    if fields == ("metadata", "ownerReferences"):
        return ("uid",)
    if fields == ("status", "conditions") and of.kind not in _ATOMIC_CONDITIONS:
        return ("type",)
    if found := _ELSEWHERE.get((of.kind, fields)):
        return found
    base = pod_spec(of)
    if not base or fields[: len(base)] != base:
        return ()
    inner = fields[len(base) :]
    if len(inner) == 1:
        return _POD_SPEC.get(inner[0], ())
    if len(inner) == 2 and inner[0] in CONTAINERS:
        return _CONTAINER.get(inner[1], ())
    if len(inner) == 3 and inner[0] in CONTAINERS and inner[1:] == ("resources", "claims"):
        return NAME
    return ()


_ATOMIC_CONDITIONS = frozenset(("HorizontalPodAutoscaler", "Job"))


def is_set(fields: tuple[str, ...]) -> bool:
    return fields == ("metadata", "finalizers")


def key_of(entry: Any, names: tuple[str, ...]) -> tuple[tuple[str, Any], ...]:
    """The key of one entry, with defaults; a key field that is neither written nor defaulted is left out."""
    if not isinstance(entry, dict):
        return ()
    pairs = [(name, entry.get(name, DEFAULTS.get(name))) for name in names]
    return tuple([(name, value) for name, value in pairs if value is not None])
