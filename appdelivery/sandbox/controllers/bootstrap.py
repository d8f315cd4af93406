"""What every cluster has from its first second: namespaces, each with its account and certificate bundle, the service
`kubernetes`, priority classes, a storage class, nodes."""

from __future__ import annotations

import copy

from appdelivery.sandbox import status as statuses
from appdelivery.sandbox import writes
from appdelivery.sandbox.controllers import objects, queue, writing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from appdelivery.sandbox.cluster import Cluster
    from appdelivery.sandbox.controllers.context import Context
    from appdelivery.sandbox.storage import Body, Event, Key

SERVER = "kube-apiserver"
NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
ACCOUNTS = ("", "serviceaccounts")
BUNDLES = ("", "configmaps")
BUNDLE = "kube-root-ca.crt"
ABOUT_BUNDLE = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal"
    " service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters."
)
NO_BUNDLE = "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"
PRIORITIES = (
    ("system-node-critical", 2_000_001_000, "Used for system critical pods that must not be moved from their current node."),
    (
        "system-cluster-critical",
        2_000_000_000,
        "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
    ),
)


def populate(cluster: Cluster, nodes: Sequence[Body]) -> None:
    """Makes what is not there yet: a restored cluster keeps its own."""
    for name in NAMESPACES:
        _make(cluster, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    for name, value, about in PRIORITIES:
        _make(
            cluster,
            {
                "apiVersion": "scheduling.k8s.io/v1",
                "kind": "PriorityClass",
                "metadata": {"name": name},
                "value": value,
                "description": about,
            },
        )
    _make(cluster, _service())
    _make(cluster, _storage_class())
    _make(cluster, _ingress_class())
    for node in nodes:
        _register(cluster, copy.deepcopy(node))


def _make(cluster: Cluster, body: Body) -> None:
    kind = cluster.kind(body["apiVersion"], body["kind"])
    namespace = body["metadata"].get("namespace", "")
    if cluster.get(kind, namespace, body["metadata"]["name"]) is None:
        writes.create(cluster, kind, namespace, body, writes.Options(manager=SERVER))


def _register(cluster: Cluster, node: Body) -> None:
    """As a kubelet does: the node, then what it has."""
    kind = cluster.kind("v1", "Node")
    name = node["metadata"]["name"]
    if cluster.get(kind, "", name) is not None:
        return
    made = writes.create(cluster, kind, "", node, writes.Options(manager=writing.KUBELET)).body
    if node.get("status") and made.get("status") != node["status"]:
        options = writes.Options(manager=writing.KUBELET, subresource="status")
        writes.replace(cluster, kind, ("", name), {**made, "status": node["status"]}, options)


def _service() -> Body:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"component": "apiserver", "provider": "kubernetes"},
        },
        "spec": {
            "clusterIP": "10.96.0.1",
            "ports": [{"name": "https", "protocol": "TCP", "port": 443, "targetPort": 6443}],
            "sessionAffinity": "None",
            "type": "ClusterIP",
        },
    }


def _storage_class() -> Body:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "standard", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        "provisioner": "kubernetes.io/host-path",
    }


def _ingress_class() -> Body:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": {"name": "nginx"},
        "spec": {"controller": "k8s.io/ingress-nginx"},
    }


def reconcile(context: Context, key: Key) -> None:
    """A namespace's account and bundle, made again when somebody deletes them."""
    namespace = context.item(objects.NAMESPACES, ("", key[1]))
    if namespace is None or objects.deleting(namespace):
        return
    if context.item(ACCOUNTS, (key[1], "default")) is None:
        _create(
            context, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": key[1]}}
        )
    wanted = {"ca.crt": context.certificate or NO_BUNDLE}
    bundle = context.item(BUNDLES, (key[1], BUNDLE))
    if bundle is None:
        metadata = {"name": BUNDLE, "namespace": key[1], "annotations": {"kubernetes.io/description": ABOUT_BUNDLE}}
        _create(context, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": wanted})
    elif bundle.get("data") != wanted:
        writing.update(context, {**bundle, "data": wanted})


def _create(context: Context, body: dict[str, Any]) -> None:
    try:
        writing.create(context, body)
    except statuses.Refusal as refusal:
        if refusal.reason not in ("AlreadyExists", "Forbidden"):  # a namespace that began to end
            raise


def _of_namespace(names: tuple[str, ...]) -> queue.Hear:
    def hear(_: Context, event: Event) -> Iterable[Key]:
        namespace, name = event.item.key
        return (("", namespace),) if name in names and event.type != "ADDED" else ()

    return hear


CONTROLLER = queue.Controller(
    "namespace-contents",
    reconcile,
    {
        objects.NAMESPACES: queue.itself,
        ACCOUNTS: _of_namespace(("default",)),
        BUNDLES: _of_namespace((BUNDLE,)),
    },
)
