"""Services: ports, addresses, types, and what may not change."""

from __future__ import annotations

import ipaddress

from appdelivery.sandbox.writes.rules import metadata, names, pods, words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from appdelivery.sandbox.status import Cause
    from appdelivery.sandbox.storage import Body

TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
HEADLESS = "None"


def service(old: Body | None, new: Body) -> Iterator[Cause]:
    spec = new["spec"]
    if old is not None:
        yield from _address_change(old["spec"], spec)
    ports = spec.get("ports") or []
    type, is_headless = spec.get("type", ""), spec.get("clusterIP") == HEADLESS
    if not ports and not is_headless and type != "ExternalName":
        yield words.required("spec.ports")
    if type in ("LoadBalancer", "NodePort") and is_headless:
        yield words.invalid("spec.clusterIPs[0]", HEADLESS, f"may not be set to 'None' for {type} services")
    if type == "ExternalName":
        yield from _external(spec)
    seen: set[str] = set()
    for at, port in enumerate(ports):
        yield from _port(port, f"spec.ports[{at}]", seen, needs_name=len(ports) > 1)
    yield from metadata.labels(spec.get("selector"), "spec.selector")
    affinity = spec.get("sessionAffinity", "")
    if affinity not in ("ClientIP", "None"):
        yield words.unsupported("spec.sessionAffinity", affinity, ("ClientIP", "None"))
    yield from _addresses(spec)
    if type not in TYPES:
        yield words.unsupported("spec.type", type, TYPES)
    yield from _node_ports(spec, ports)
    yield from _twice(ports)
    yield from _external_traffic(spec, type)


def status(old: Body, new: Body) -> Iterator[Cause]:
    del old
    if (new.get("status", {}).get("loadBalancer") or {}).get("ingress") and new["spec"].get("type") != "LoadBalancer":
        yield words.forbidden("status.loadBalancer.ingress", "may only be used when `spec.type` is 'LoadBalancer'")


def _external(spec: Body) -> Iterator[Cause]:
    for key in ("clusterIPs", "ipFamilies", "ipFamilyPolicy"):
        if spec.get(key):
            yield words.forbidden(f"spec.{key}", "may not be set for ExternalName services")
    name = (spec.get("externalName") or "").rstrip(".")
    if not name:
        yield words.required("spec.externalName")
    else:
        for said in names.subdomain(name):
            yield words.invalid("spec.externalName", name, said)


def _port(port: Body, path: str, seen: set[str], *, needs_name: bool) -> Iterator[Cause]:
    name = port.get("name", "")
    if name:
        for said in names.label(name):
            yield words.invalid(f"{path}.name", name, said)
        if name in seen:
            yield words.duplicate(f"{path}.name", name)
        seen.add(name)
    elif needs_name:
        yield words.required(f"{path}.name")
    for said in names.port(port.get("port", 0)):
        yield words.invalid(f"{path}.port", port.get("port", 0), said)
    if port.get("protocol") not in pods.PROTOCOLS:
        yield words.unsupported(f"{path}.protocol", port.get("protocol", ""), pods.PROTOCOLS)
    yield from pods.port_or_name(port.get("targetPort", 0), f"{path}.targetPort")


def _addresses(spec: Body) -> Iterator[Cause]:
    if spec.get("type") == "ExternalName":
        return
    address, plural = spec.get("clusterIP", ""), spec.get("clusterIPs") or []
    if address and not plural:
        yield words.required("spec.clusterIPs")
    elif address and plural[0] != address:
        yield words.invalid("spec.clusterIPs", plural, "first value must match `clusterIP`")
    elif plural and not address:
        yield words.invalid("spec.clusterIPs", plural, "must be empty when `clusterIP` is not specified")
    for at, one in enumerate(plural):
        if not (at == 0 and one == HEADLESS) and not _is_address(one):
            said = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
            yield words.invalid(f"spec.clusterIPs[{at}]", one, said)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _node_ports(spec: Body, ports: list[Body]) -> Iterator[Cause]:
    used: set[tuple[str, int]] = set()
    for at, port in enumerate(ports):
        number = port.get("nodePort")
        if not number:
            continue
        if spec.get("type") == "ClusterIP":
            yield words.forbidden(f"spec.ports[{at}].nodePort", "may not be used when `type` is 'ClusterIP'")
        key = (port.get("protocol", ""), number)
        if key in used:
            yield words.duplicate(f"spec.ports[{at}].nodePort", number)
        used.add(key)


def _twice(ports: list[Body]) -> Iterator[Cause]:
    seen: set[tuple[str, int]] = set()
    for at, port in enumerate(ports):
        key = (port.get("protocol", ""), port.get("port", 0))
        if key in seen:
            value = {
                "Name": "", "Protocol": key[0], "AppProtocol": None, "Port": key[1], "TargetPort": 0, "NodePort": 0,
            }  # fmt: skip
            yield words.duplicate(f"spec.ports[{at}]", value)
        seen.add(key)


def _external_traffic(spec: Body, type: str) -> Iterator[Cause]:
    policy = spec.get("externalTrafficPolicy")
    reachable = type in ("LoadBalancer", "NodePort") or (type == "ClusterIP" and spec.get("externalIPs"))
    if not reachable:
        if policy:
            said = "may only be set for externally-accessible services"
            yield words.invalid("spec.externalTrafficPolicy", policy, said)
    elif policy not in ("Cluster", "Local"):
        yield words.unsupported("spec.externalTrafficPolicy", policy or "", ("Cluster", "Local"))


def _address_change(old: Body, new: Body) -> Iterator[Cause]:
    if "ExternalName" in (old.get("type"), new.get("type")):
        return
    before, after = old.get("clusterIPs") or [], new.get("clusterIPs") or []
    if before and after and before[0] != after[0]:
        yield words.invalid("spec.clusterIPs[0]", after, "may not change once set")
    elif before and not after:
        yield words.invalid("spec.clusterIPs[0]", after or None, "primary clusterIP can not be unset")


def warnings(spec: Body) -> Iterator[str]:
    """What the server remarks about a service without refusing it."""
    if spec.get("clusterIP") == HEADLESS:
        for key in ("loadBalancerIP", "externalIPs"):
            if spec.get(key):
                yield f"spec.{key} is ignored for headless services"
        if spec.get("sessionAffinity") != "None":
            yield "spec.SessionAffinity is ignored for headless services"
    elif spec.get("externalIPs") and spec.get("type") != "ExternalName":
        yield "spec.externalIPs is deprecated and may no longer be implemented in some clusters"
    if spec.get("type") == "ExternalName" and spec.get("externalIPs"):
        yield 'spec.externalIPs is ignored when spec.type is "ExternalName"'
    if spec.get("type") != "ExternalName" and spec.get("externalName"):
        yield 'spec.externalName is ignored when spec.type is not "ExternalName"'
    if spec.get("trafficDistribution") == "PreferClose":
        yield 'spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"'
