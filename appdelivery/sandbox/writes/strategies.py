"""How the server treats each kind on the way in: what it resets, who may write which part, when the generation rises.

Built-in kinds follow the registry strategies of Kubernetes; custom kinds follow their definition.
"""

from __future__ import annotations

from appdelivery.sandbox.writes import decoding, defaults

TYPE_CHECKING = False
if TYPE_CHECKING:
    from appdelivery.sandbox.kinds import Kind
    from appdelivery.sandbox.storage import Body
    from appdelivery.sandbox.writes.fieldsets import Path
    from appdelivery.sandbox.writes.types import Type

NONE: frozenset[Path] = frozenset()
DAEMONS = ("apps", "daemonsets")
METADATA, SPEC, STATUS = ("f:metadata",), ("f:spec",), ("f:status",)
LABELS = ("f:metadata", "f:labels")
COUNTED = frozenset([  # kinds with a generation, from 1 on
    ("apps", "daemonsets"), ("apps", "deployments"), ("apps", "replicasets"), ("apps", "statefulsets"),
    ("batch", "cronjobs"), ("batch", "jobs"), ("networking.k8s.io", "ingresses"), ("networking.k8s.io", "ingressclasses"),
    ("networking.k8s.io", "networkpolicies"), ("policy", "poddisruptionbudgets"), ("discovery.k8s.io", "endpointslices"),
    ("scheduling.k8s.io", "priorityclasses"), ("resource.k8s.io", "resourceslices"), ("resource.k8s.io", "deviceclasses"),
    ("flowcontrol.apiserver.k8s.io", "flowschemas"), ("flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations"),
    ("", "pods"), ("", "podtemplates"), ("", "replicationcontrollers"), ("apiextensions.k8s.io", "customresourcedefinitions"),
    ("admissionregistration.k8s.io", "validatingadmissionpolicies"),
    ("admissionregistration.k8s.io", "mutatingadmissionpolicies"),
    ("admissionregistration.k8s.io", "mutatingwebhookconfigurations"),
    ("admissionregistration.k8s.io", "validatingwebhookconfigurations"),
    ("admissionregistration.k8s.io", "mutatingadmissionpolicybindings"),
    ("admissionregistration.k8s.io", "validatingadmissionpolicybindings"),
])  # fmt: skip
MADE_BY_PUT = frozenset([  # a PUT creates them
    ("node.k8s.io", "runtimeclasses"), ("rbac.authorization.k8s.io", "rolebindings"),
    ("rbac.authorization.k8s.io", "clusterrolebindings"), ("rbac.authorization.k8s.io", "roles"),
    ("rbac.authorization.k8s.io", "clusterroles"), ("coordination.k8s.io", "leases"), ("", "limitranges"),
    ("", "events"), ("", "services"), ("", "endpoints"),
])  # fmt: skip
GUARDED = frozenset([  # a PUT must name the resourceVersion
    ("node.k8s.io", "runtimeclasses"), ("policy", "poddisruptionbudgets"), ("storage.k8s.io", "csidrivers"),
    ("storage.k8s.io", "csistoragecapacities"), ("storage.k8s.io", "volumeattachments"), ("storage.k8s.io", "csinodes"),
    ("coordination.k8s.io", "leases"), ("admissionregistration.k8s.io", "validatingadmissionpolicies"),
    ("admissionregistration.k8s.io", "mutatingadmissionpolicies"),
    ("admissionregistration.k8s.io", "mutatingwebhookconfigurations"),
    ("admissionregistration.k8s.io", "validatingwebhookconfigurations"),
    ("admissionregistration.k8s.io", "mutatingadmissionpolicybindings"),
    ("admissionregistration.k8s.io", "validatingadmissionpolicybindings"),
    ("apiextensions.k8s.io", "customresourcedefinitions"), ("apiregistration.k8s.io", "apiservices"),
])  # fmt: skip
WHOLE_METADATA = frozenset([  # kinds whose status writes leave all of metadata alone
    "flowcontrol.apiserver.k8s.io", "resource.k8s.io", "storage.k8s.io",
])  # fmt: skip
ORPHANED = frozenset([("batch", "jobs"), ("", "replicationcontrollers")])  # dependents stay unless the request says more
KEEPS_STATUS = frozenset([("", "nodes")])  # a create may state it: kubelets register with theirs


def has_status(kind: Kind) -> bool:
    return "status" in kind.subresources


def resets(kind: Kind, subresource: str) -> frozenset[Path]:
    """Paths that writes on this way never change and never own."""
    if not has_status(kind):
        return NONE
    if not subresource:
        return frozenset([STATUS])
    if subresource != "status":
        return NONE
    if kind.definition is not None or kind.group in WHOLE_METADATA or kind.plural == "customresourcedefinitions":
        return frozenset([METADATA, SPEC])
    if kind.family == ("apps", "deployments"):
        return frozenset([SPEC, LABELS])
    return frozenset([SPEC])


def begin(kind: Kind, type: Type, body: Body) -> None:
    """What the server does to an object before it is created: its status is the server's to set."""
    if has_status(kind):
        if kind.definition is not None:
            body.pop("status", None)
        elif kind.family not in KEEPS_STATUS:
            member = type.member("status")
            body["status"] = decoding.defaulted(member) if member is not None else {}
    if kind.family in COUNTED or kind.definition is not None:
        body["metadata"]["generation"] = 1
    if kind.family == DAEMONS:
        body["metadata"]["annotations"][defaults.TEMPLATE_GENERATION] = "1"


def change(kind: Kind, old: Body, new: Body, subresource: str) -> None:
    """Puts back what a write on this way may not change, and counts the generation."""
    if subresource == "status":
        _only_status(kind, old, new)
    elif subresource == "finalize":
        _only_finalizers(old, new)
    elif has_status(kind):
        if "status" in old:
            new["status"] = old["status"]
        else:
            new.pop("status", None)
    elif kind.family == ("", "namespaces"):
        new["status"] = old["status"]
    if kind.family == ("", "services") and not subresource and new["spec"].get("type") != "LoadBalancer":
        new["status"] = {**new["status"], "loadBalancer": {}}
    if kind.family == ("", "namespaces") and subresource != "finalize":
        new["spec"] = old["spec"]
    if kind.family == DAEMONS:
        _template_generation(old, new)
    generation = old["metadata"].get("generation")
    if generation is not None:
        new["metadata"]["generation"] = (
            generation + 1 if subresource in ("", "scale") and counts(kind, old, new) else generation
        )
    else:
        new["metadata"].pop("generation", None)


def _only_finalizers(old: Body, new: Body) -> None:
    """The subresource finalize of a namespace."""
    finalizers = (new.get("spec") or {}).get("finalizers")
    new["spec"] = {**old["spec"], "finalizers": finalizers}
    if not finalizers:
        del new["spec"]["finalizers"]
    new["status"] = old["status"]


def _template_generation(old: Body, new: Body) -> None:
    """The count of a daemon set's templates, which is kept in an annotation."""
    count = int((old["metadata"].get("annotations") or {}).get(defaults.TEMPLATE_GENERATION, "0") or 0)
    count += old["spec"].get("template") != new["spec"].get("template")
    new["metadata"]["annotations"] = {**new["metadata"]["annotations"], defaults.TEMPLATE_GENERATION: str(count)}


def _only_status(kind: Kind, old: Body, new: Body) -> None:
    for key in [key for key in new if key not in ("apiVersion", "kind", "metadata", "status")]:
        del new[key]
    new.update({key: value for key, value in old.items() if key not in ("apiVersion", "kind", "metadata", "status")})
    if METADATA in resets(kind, "status"):
        sent = new["metadata"]
        new["metadata"] = {**old["metadata"]}
        new["metadata"].pop("managedFields", None)
        if "managedFields" in sent:
            new["metadata"]["managedFields"] = sent["managedFields"]
    elif LABELS in resets(kind, "status"):
        new["metadata"].pop("labels", None)
        if "labels" in old["metadata"]:
            new["metadata"]["labels"] = old["metadata"]["labels"]


def counts(kind: Kind, old: Body, new: Body) -> bool:
    """Whether the generation rises."""
    if kind.family == ("apps", "deployments") and old["metadata"].get("annotations") != new["metadata"].get("annotations"):
        return True
    if kind.definition is None and "spec" in old:
        return bool(old.get("spec") != new.get("spec"))
    left_out = {"metadata", "apiVersion", "kind"} | ({"status"} if has_status(kind) else set())
    return any(old.get(key) != new.get(key) for key in (old.keys() | new.keys()) - left_out)
