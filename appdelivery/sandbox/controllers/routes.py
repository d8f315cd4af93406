"""The Gateway API, where its kinds are installed: Gateways are programmed, HTTPRoutes and GRPCRoutes accepted and resolved.

There is no data plane; the traffic model reads the same routes.  `test.appdelivery.dev/lag` on a route or Gateway says
how long its controller takes.
"""

from __future__ import annotations

from appdelivery.model import duration
from appdelivery.sandbox.controllers import conditions, objects, queue, writing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from appdelivery.sandbox.controllers.context import Context
    from appdelivery.sandbox.kinds import Family
    from appdelivery.sandbox.storage import Body, Event, Key

GROUP = "gateway.networking.k8s.io"
CLASSES: Family = (GROUP, "gatewayclasses")
GATEWAYS: Family = (GROUP, "gateways")
ROUTES: tuple[Family, ...] = ((GROUP, "httproutes"), (GROUP, "grpcroutes"))
CONTROLLER_NAME = "sandbox.appdelivery.dev/gateway"
MANAGER = "gateway-controller"
LAG = "test.appdelivery.dev/lag"
KINDS = {"HTTP": "HTTPRoute", "HTTPS": "HTTPRoute", "TLS": "TLSRoute", "TCP": "TCPRoute", "UDP": "UDPRoute"}
SOON = 0.001


def _class(context: Context, key: Key) -> None:
    body = context.item(CLASSES, key)
    if body is None or objects.deleting(body):
        return
    new = _condition(context, body, "Accepted", "True", "Accepted", "the sandbox serves this class")
    _write(context, body, {"conditions": conditions.kept(_listed(body.get("status")), new)})


def _gateway(context: Context, key: Key) -> None:
    gateway = context.item(GATEWAYS, key)
    if gateway is None or objects.deleting(gateway) or not _is_time(context, gateway, "gateways", key):
        return
    status = gateway.get("status") or {}
    listed = _without_waiting(status)
    for type, reason in (("Accepted", "Accepted"), ("Programmed", "Programmed")):
        listed = conditions.kept(listed, _condition(context, gateway, type, "True", reason, ""))
    before = {one["name"]: one for one in status.get("listeners") or ()}
    listeners = [_listener(context, gateway, one, before.get(one["name"], {})) for one in _listeners(gateway)]
    address = status.get("addresses") or [{"type": "IPAddress", "value": context.entry()}]
    _write(context, gateway, {"addresses": address, "conditions": listed, "listeners": listeners})


def _listener(context: Context, gateway: Body, listener: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    listed: list[dict[str, Any]] = list(before.get("conditions") or ())
    for type, reason in (("Accepted", "Accepted"), ("ResolvedRefs", "ResolvedRefs"), ("Programmed", "Programmed")):
        listed = conditions.kept(listed, _condition(context, gateway, type, "True", reason, ""))
    kind = KINDS.get(listener["protocol"], "HTTPRoute")
    return {
        "name": listener["name"],
        "supportedKinds": [{"group": GROUP, "kind": kind}],
        "attachedRoutes": _attached(context, gateway, listener["name"]),
        "conditions": listed,
    }


def _attached(context: Context, gateway: Body, listener: str) -> int:
    found = 0
    for family in ROUTES:
        for item in context.cluster.storage.family(family).items():
            for parent in _spec(item.body).get("parentRefs") or ():
                same = _parent_key(item.body, parent) == objects.key(gateway)
                found += same and parent.get("sectionName", listener) == listener
    return found


def _route_of(family: Family) -> Callable[[Context, Key], None]:
    def reconcile(context: Context, key: Key) -> None:
        route = context.item(family, key)
        if route is None or objects.deleting(route) or not _is_time(context, route, family[1], key):
            return
        known = (route.get("status") or {}).get("parents") or []
        others = [one for one in known if one.get("controllerName") != CONTROLLER_NAME]
        own = [one for one in known if one.get("controllerName") == CONTROLLER_NAME]
        parents = [_parent(context, route, parent, own) for parent in _spec(route).get("parentRefs") or ()]
        _write(context, route, {"parents": [*others, *parents]})

    return reconcile


def _parent(context: Context, route: Body, parent: dict[str, Any], known: list[dict[str, Any]]) -> dict[str, Any]:
    before = next((one for one in known if one["parentRef"] == parent), {})
    listed: list[dict[str, Any]] = list(before.get("conditions") or ())
    accepted = _judged_parent(context, route, parent)
    resolved = _judged_backends(context, route)
    listed = conditions.kept(listed, _condition(context, route, "Accepted", *accepted))
    listed = conditions.kept(listed, _condition(context, route, "ResolvedRefs", *resolved))
    return {"parentRef": parent, "controllerName": CONTROLLER_NAME, "conditions": listed}


def _judged_parent(context: Context, route: Body, parent: dict[str, Any]) -> tuple[str, str, str]:
    if parent.get("kind", "Gateway") != "Gateway":
        return "True", "Accepted", "Route is accepted"
    gateway = context.item(GATEWAYS, _parent_key(route, parent))
    if gateway is None:
        return "False", "NoMatchingParent", f"there is no Gateway {parent['name']}"
    section = parent.get("sectionName")
    if section is not None and section not in [one["name"] for one in _listeners(gateway)]:
        return "False", "NoMatchingParent", f"Gateway {parent['name']} has no listener {section}"
    return "True", "Accepted", "Route is accepted"


def _judged_backends(context: Context, route: Body) -> tuple[str, str, str]:
    for rule in _spec(route).get("rules") or ():
        for backend in rule.get("backendRefs") or ():
            if backend.get("kind", "Service") != "Service" or backend.get("group"):
                return "False", "InvalidKind", f"backends of kind {backend.get('kind')} are not supported"
            key = backend.get("namespace") or route["metadata"]["namespace"], backend["name"]
            if context.item(objects.SERVICES, key) is None:
                return "False", "BackendNotFound", f"service {key[0]}/{key[1]} not found"
    return "True", "ResolvedRefs", "All references are resolved"


def _parent_key(route: Body, parent: dict[str, Any]) -> Key:
    return parent.get("namespace") or route["metadata"]["namespace"], parent["name"]


def _is_time(context: Context, body: Body, name: str, key: Key) -> bool:
    """Whether the lag is over since this generation came."""
    try:
        lag = duration.parse(objects.notes(body).get(LAG, "0s"))
    except ValueError:
        return True
    left = lag - context.mark(body["metadata"]["uid"], "began", body["metadata"].get("generation"))
    if lag and left > 0:
        context.again(name, key, left + SOON)
        return False
    return True


def _spec(body: Body) -> dict[str, Any]:
    """A custom kind has what its definition asks for, which may be nothing."""
    found = body.get("spec")
    return found if isinstance(found, dict) else {}


def _listeners(gateway: Body) -> list[dict[str, Any]]:
    return [one for one in _spec(gateway).get("listeners") or () if "name" in one and "protocol" in one]


def _condition(context: Context, body: Body, type: str, *said: str) -> dict[str, Any]:
    """said: status, reason and message."""
    value, reason, message = said
    return {
        "type": type, "status": value, "observedGeneration": body["metadata"].get("generation", 1),
        "lastTransitionTime": context.stamp(), "reason": reason, "message": message,
    }  # fmt: skip


def _listed(status: dict[str, Any] | None) -> list[dict[str, Any]]:
    return list((status or {}).get("conditions") or ())


def _without_waiting(status: dict[str, Any]) -> list[dict[str, Any]]:
    """The defaults of the definition say Pending for what nobody has looked at."""
    return [one for one in _listed(status) if one.get("reason") != "Pending"]


def _write(context: Context, body: Body, status: dict[str, Any]) -> None:
    writing.status(context, body, {**(body.get("status") or {}), **status}, manager=MANAGER)


def _gateways_of(_: Context, event: Event) -> Iterable[Key]:
    bodies = [event.item.body] if event.old is None else [event.item.body, event.old.body]
    if event.type == "MODIFIED" and _spec(bodies[0]) == _spec(bodies[1]):
        return ()
    return dict.fromkeys(_parent_key(body, parent) for body in bodies for parent in _spec(body).get("parentRefs") or ())


def _routes_of_gateway(family: Family) -> queue.Hear:
    def hear(context: Context, event: Event) -> Iterable[Key]:
        if event.type == "MODIFIED" and event.old is not None and _spec(event.old.body) == _spec(event.item.body):
            return
        for item in context.cluster.storage.family(family).items():
            if event.item.key in [_parent_key(item.body, parent) for parent in _spec(item.body).get("parentRefs") or ()]:
                yield item.key

    return hear


def _routes_of_service(family: Family) -> queue.Hear:
    def hear(context: Context, event: Event) -> Iterable[Key]:
        if event.type == "MODIFIED":
            return
        for item in context.cluster.storage.family(family).items():
            rules = _spec(item.body).get("rules") or ()
            if any(one.get("name") == event.item.key[1] for rule in rules for one in rule.get("backendRefs") or ()):
                yield item.key

    return hear


CONTROLLERS = (
    queue.Controller("gatewayclasses", _class, {CLASSES: queue.itself}),
    queue.Controller("gateways", _gateway, {GATEWAYS: queue.itself, **dict.fromkeys(ROUTES, _gateways_of)}),
    *(
        queue.Controller(
            family[1],
            _route_of(family),
            {
                family: queue.itself,
                GATEWAYS: _routes_of_gateway(family),
                objects.SERVICES: _routes_of_service(family),
            },
        )
        for family in ROUTES
    ),
)
