"""Validation as the server words it: `created` and `updated` refuse an invalid object with all that is wrong with it.

The rules are hand-written for the kinds that applications consist of; other kinds are checked in their metadata only.
Custom objects are checked by the schema of their definition.
"""

from __future__ import annotations

from appdelivery.sandbox import status
from appdelivery.sandbox.writes import structural, types
from appdelivery.sandbox.writes.rules import limits, metadata, others, pods, services, workloads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from appdelivery.sandbox.cluster import Cluster
    from appdelivery.sandbox.kinds import Kind
    from appdelivery.sandbox.status import Cause
    from appdelivery.sandbox.storage import Body

    Check = Callable[["Body | None", "Body"], "Iterator[Cause]"]

RBAC = "rbac.authorization.k8s.io"
CHECKS: dict[tuple[str, str], Check] = {
    ("", "configmaps"): others.config_map,
    ("", "secrets"): others.secret,
    ("", "services"): services.service,
    ("", "persistentvolumeclaims"): others.claim,
    ("apps", "deployments"): workloads.deployment,
    ("apps", "replicasets"): workloads.replica_set,
    ("apps", "daemonsets"): workloads.daemon_set,
    ("apps", "statefulsets"): workloads.stateful_set,
    ("batch", "jobs"): workloads.job,
    ("batch", "cronjobs"): workloads.cron_job,
    ("networking.k8s.io", "ingresses"): others.ingress,
    ("networking.k8s.io", "ingressclasses"): others.ingress_class,
    ("", "persistentvolumes"): others.volume,
    ("", "limitranges"): limits.limit_range,
    ("policy", "poddisruptionbudgets"): others.budget,
    ("autoscaling", "horizontalpodautoscalers"): others.autoscaler,
    ("apiextensions.k8s.io", "customresourcedefinitions"): others.definition,
    (RBAC, "roles"): others.role,
    (RBAC, "clusterroles"): others.role,
    (RBAC, "rolebindings"): others.binding,
    (RBAC, "clusterrolebindings"): others.binding,
}
TEMPLATES = frozenset([
    ("apps", "deployments"), ("apps", "replicasets"), ("apps", "daemonsets"), ("apps", "statefulsets"), ("batch", "jobs"),
])  # fmt: skip
OLD_KINDS = {("", "endpoints"): "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"}


def created(cluster: Cluster, kind: Kind, new: Body) -> tuple[str, ...]:
    """Refuses an invalid new object; gives warnings."""
    causes = [*metadata.created(kind, new), *_own(cluster, kind, None, new)]
    if causes:
        raise status.invalid(kind, new["metadata"].get("name", ""), causes)
    return remarks(kind, new)


def updated(cluster: Cluster, kind: Kind, old: Body, new: Body, subresource: str) -> tuple[str, ...]:
    """Refuses an invalid change; gives warnings."""
    causes = list(metadata.updated(kind, old, new))
    if subresource in ("", "scale"):
        if _content(old) != _content(new):
            causes += _own(cluster, kind, old, new)
    elif kind.definition is not None:
        causes += _own(cluster, kind, old, new)
    elif kind.family == ("", "services"):
        causes += services.status(old, new)
    if causes:
        raise status.invalid(kind, new["metadata"]["name"], causes)
    changed = new["metadata"].get("generation") != old["metadata"].get("generation")
    return remarks(kind, new) if not subresource and (changed or kind.family not in TEMPLATES) else ()


def _content(body: Body) -> Body:
    return {key: value for key, value in body.items() if key not in ("metadata", "status")}


def _own(cluster: Cluster, kind: Kind, old: Body | None, new: Body) -> Iterator[Cause]:
    if kind.definition is not None:
        yield from structural.problems(types.of(cluster.schemas, kind.schema), new)
    elif kind.family in CHECKS:
        yield from CHECKS[kind.family](old, new)
    elif kind.family == ("", "pods"):
        yield from pods.spec(new["spec"], "spec")
        if old is not None:
            yield from pods.change(old["spec"], new["spec"])


def remarks(kind: Kind, new: Body) -> tuple[str, ...]:
    """Warnings about an object that is accepted."""
    if kind.family in OLD_KINDS:
        return (OLD_KINDS[kind.family],)
    if kind.family == ("", "services"):
        return tuple(services.warnings(new["spec"]))
    if kind.family in TEMPLATES:
        return tuple(pods.warnings(new["spec"]["template"].get("spec") or {}, "spec.template.spec"))
    return tuple(pods.warnings(new["spec"], "spec")) if kind.family == ("", "pods") else ()
