"""Services: the addresses behind them as EndpointSlices and as Endpoints, and an address before load balancers."""

from __future__ import annotations

from appdelivery.sandbox.controllers import objects, queue, writing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from appdelivery.sandbox.controllers.context import Context
    from appdelivery.sandbox.storage import Body, Event, Key

ENDPOINTS = ("", "endpoints")
SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
SLICES_BY = "endpointslice-controller.k8s.io"
ENDPOINTS_BY = "endpoint-controller"
CHANGED = "endpoints.kubernetes.io/last-change-trigger-time"
IN_SLICE = 100  # addresses
IN_ENDPOINTS = 1_000


def reconcile(context: Context, key: Key) -> None:
    service = context.item(objects.SERVICES, key)
    if service is None or objects.deleting(service):
        _drop(context, key)
        return
    spec = service["spec"]
    if spec.get("type") == "ExternalName" or not spec.get("selector"):
        return
    pods = [item.body for item in context.index.pods(key[0], {"matchLabels": spec["selector"]})]
    pods = [pod for pod in pods if pod["status"].get("podIP") and not objects.is_finished(pod)]
    by_ports: dict[str, tuple[list[dict[str, Any]], list[Body]]] = {}
    for pod in pods:
        ports = _ports(service, pod)
        by_ports.setdefault(repr(ports), (ports, []))[1].append(pod)
    _slices(context, service, list(by_ports.values()))
    _endpoints(context, service, list(by_ports.values()))
    if spec.get("type") == "LoadBalancer":
        _balance(context, service)


def _ports(service: Body, pod: Body) -> list[dict[str, Any]]:
    """As this pod listens: a named target port is looked up in its containers."""
    found = []
    for port in service["spec"].get("ports") or ():
        number = _target(port, pod)
        if number is None:
            continue
        one = {"name": port.get("name", ""), "protocol": port.get("protocol", "TCP"), "port": number}
        if port.get("appProtocol"):
            one["appProtocol"] = port["appProtocol"]
        found.append(one)
    return found


def _target(port: dict[str, Any], pod: Body) -> int | None:
    target = port.get("targetPort", port["port"])
    if isinstance(target, int):
        return target
    for container in pod["spec"]["containers"]:
        for one in container.get("ports") or ():
            if one.get("name") == target and one.get("protocol", "TCP") == port.get("protocol", "TCP"):
                return one["containerPort"]  # type: ignore[no-any-return]
    return None


def _slices(context: Context, service: Body, groups: list[tuple[list[dict[str, Any]], list[Body]]]) -> None:
    wanted = [
        (ports, [_endpoint(context, service, pod) for pod in pods[first : first + IN_SLICE]])
        for ports, pods in groups
        for first in range(0, len(pods), IN_SLICE)
    ] or [([], [])]
    known = [item.body for item in context.index.controlled(objects.SLICES, service)]
    known = [one for one in known if objects.labels(one).get(MANAGED_BY) == SLICES_BY]
    for index, (ports, endpoints) in enumerate(wanted):
        # An empty list is written as null, as a real server has it.
        body = {"addressType": "IPv4", "endpoints": endpoints or None, "ports": ports or None}
        if index < len(known):
            _update_slice(context, known[index], body)
        else:
            writing.create(context, _new_slice(context, service, body))
    for extra in known[len(wanted) :]:
        writing.delete(context, extra)


def _update_slice(context: Context, known: Body, body: dict[str, Any]) -> None:
    same = all((known.get(field) or None) == body[field] for field in ("endpoints", "ports"))
    if same:
        return
    notes = {**objects.notes(known), CHANGED: context.stamp()}
    writing.update(context, {**known, "metadata": {**known["metadata"], "annotations": notes}, **body})


def _new_slice(context: Context, service: Body, body: dict[str, Any]) -> Body:
    name = service["metadata"]["name"]
    own = {key: value for key, value in objects.labels(service).items() if key not in (SERVICE_NAME, MANAGED_BY)}
    labels = {**own, MANAGED_BY: SLICES_BY, SERVICE_NAME: name}
    if service["spec"].get("clusterIP") == "None":
        labels["service.kubernetes.io/headless"] = ""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{name}-{context.suffix()}",
            "generateName": f"{name}-",
            "namespace": service["metadata"]["namespace"],
            "labels": labels,
            "annotations": {CHANGED: context.stamp()},
            "ownerReferences": [objects.owner_reference(service)],
        },
        **body,
    }


def _endpoint(context: Context, service: Body, pod: Body) -> dict[str, Any]:
    ready, leaving = objects.is_ready(pod), objects.deleting(pod)
    shown = service["spec"].get("publishNotReadyAddresses", False)
    found: dict[str, Any] = {
        "addresses": [pod["status"]["podIP"]],
        "conditions": {"ready": shown or (ready and not leaving), "serving": ready, "terminating": leaving},
        "targetRef": _reference(pod),
        "nodeName": pod["spec"]["nodeName"],
    }
    if pod["spec"].get("subdomain") == service["metadata"]["name"] and pod["spec"].get("hostname"):
        found["hostname"] = pod["spec"]["hostname"]
    node = context.item(objects.NODES, ("", pod["spec"]["nodeName"]))
    zone = None if node is None else objects.labels(node).get("topology.kubernetes.io/zone")
    return {**found, "zone": zone} if zone else found


def _reference(pod: Body) -> dict[str, str]:
    metadata = pod["metadata"]
    return {"kind": "Pod", "namespace": metadata["namespace"], "name": metadata["name"], "uid": metadata["uid"]}


def _endpoints(context: Context, service: Body, groups: list[tuple[list[dict[str, Any]], list[Body]]]) -> None:
    """The older form of the same, which some clients still read."""
    shown = service["spec"].get("publishNotReadyAddresses", False)
    subsets = []
    for ports, pods in groups:
        living = [pod for pod in pods[:IN_ENDPOINTS] if shown or not objects.deleting(pod)]
        ready = [_address(service, pod) for pod in living if shown or objects.is_ready(pod)]
        others = [_address(service, pod) for pod in living if not (shown or objects.is_ready(pod))]
        if ready or others:
            listed = [{key: value for key, value in port.items() if value != ""} for port in ports]
            parts = {"addresses": ready, "notReadyAddresses": others, "ports": listed}
            subsets.append({key: value for key, value in parts.items() if value})
    key = objects.key(service)
    known = context.item(ENDPOINTS, key)
    body = {"subsets": subsets} if subsets else {}
    labels = {**objects.labels(service), "endpoints.kubernetes.io/managed-by": ENDPOINTS_BY}
    if service["spec"].get("clusterIP") == "None":
        labels["service.kubernetes.io/headless"] = ""
    if known is None:
        metadata = {"name": key[1], "namespace": key[0], "labels": labels, "annotations": {CHANGED: context.stamp()}}
        writing.create(context, {"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata, **body})
        return
    if (known.get("subsets") or []) == subsets and objects.labels(known) == labels:
        return
    metadata = {**known["metadata"], "labels": labels, "annotations": {**objects.notes(known), CHANGED: context.stamp()}}
    rest = {name: value for name, value in known.items() if name != "subsets"}
    writing.update(context, {**rest, "metadata": metadata, **body})


def _address(service: Body, pod: Body) -> dict[str, Any]:
    found = {"ip": pod["status"]["podIP"], "nodeName": pod["spec"]["nodeName"], "targetRef": _reference(pod)}
    if pod["spec"].get("subdomain") == service["metadata"]["name"] and pod["spec"].get("hostname"):
        found["hostname"] = pod["spec"]["hostname"]
    return found


def _drop(context: Context, key: Key) -> None:
    """Slices go by their owner; Endpoints have none."""
    known = context.item(ENDPOINTS, key)
    if known is not None and "endpoints.kubernetes.io/managed-by" in objects.labels(known):
        writing.delete(context, known)


def _balance(context: Context, service: Body) -> None:
    if (service.get("status") or {}).get("loadBalancer", {}).get("ingress"):
        return
    ingress = [{"ip": context.outside(), "ipMode": "VIP"}]
    context.events.normal(service, "EnsuringLoadBalancer", "Ensuring load balancer", by="service-controller")
    writing.status(
        context,
        service,
        {**(service.get("status") or {}), "loadBalancer": {"ingress": ingress}},
        manager="cloud-controller-manager",
    )
    context.events.normal(service, "EnsuredLoadBalancer", "Ensured load balancer", by="service-controller")


def _of_pod(context: Context, event: Event) -> Iterable[Key]:
    """Only what shows behind a Service: address, readiness, labels, leaving."""
    old, pod = event.old, event.item.body
    if event.type == "MODIFIED" and old is not None and _shown(old.body) == _shown(pod):
        return ()
    found = dict.fromkeys(context.index.selecting(objects.SERVICES, pod))
    if old is not None and objects.labels(old.body) != objects.labels(pod):
        found.update(dict.fromkeys(context.index.selecting(objects.SERVICES, old.body)))
    return list(found)


def _shown(pod: Body) -> tuple[Any, ...]:
    status = pod.get("status") or {}
    return (
        status.get("podIP"), objects.is_ready(pod), objects.deleting(pod), objects.is_finished(pod),
        pod["metadata"].get("labels"),
    )  # fmt: skip


def _of_slice(_: Context, event: Event) -> Iterable[Key]:
    name = objects.labels(event.item.body).get(SERVICE_NAME)
    return ((event.item.key[0], name),) if name and event.type == "DELETED" else ()


CONTROLLER = queue.Controller(
    "services",
    reconcile,
    {objects.SERVICES: queue.itself, objects.PODS: _of_pod, objects.SLICES: _of_slice},
)
