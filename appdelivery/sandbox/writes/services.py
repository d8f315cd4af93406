"""Services on the way in: cluster addresses and node ports are allocated, and cleared when the type no longer has them."""

from __future__ import annotations

import ipaddress
import secrets

from appdelivery.sandbox import status
from appdelivery.sandbox.writes import fieldsets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, NoReturn

    from appdelivery.sandbox.cluster import Cluster
    from appdelivery.sandbox.kinds import Kind
    from appdelivery.sandbox.storage import Body

FAMILY = ("", "services")
ADDRESSES = ipaddress.IPv4Network("10.96.0.0/16")
FIRST_PORT, LAST_PORT = 30000, 32767
HEADLESS = "None"
HIDDEN = "f:internalTrafficPolicy"


def create(cluster: Cluster, kind: Kind, new: Body) -> None:
    spec = new["spec"]
    if spec.get("clusterIP") and not spec.get("clusterIPs"):
        spec["clusterIPs"] = [spec["clusterIP"]]
    _allocate(cluster, kind, new)


def update(cluster: Cluster, kind: Kind, old: Body, new: Body) -> None:
    _carry(old["spec"], new["spec"])
    _same_addresses(old["spec"], new["spec"])
    _drop(old["spec"], new["spec"])
    _allocate(cluster, kind, new, old)


def kept(kind: Kind, body: Body) -> Body:
    """A service with what the server keeps but does not show while it is an ExternalName; somebody owns it, then."""
    if kind.family != FAMILY or body["spec"].get("type") != "ExternalName":
        return body
    entries = body["metadata"].get("managedFields") or ()
    if not any(HIDDEN in (entry.get("fieldsV1") or {}).get("f:spec", {}) for entry in entries):
        return body
    return {**body, "spec": {**body["spec"], "internalTrafficPolicy": "Cluster"}}


def show(kind: Kind, new: Body) -> None:
    """Of an accepted body: hides what the server does not show, completes what it completes when it is read."""
    spec = new["spec"] if kind.family == FAMILY else {}
    if spec.get("type") == "ExternalName":
        spec.pop("internalTrafficPolicy", None)
        if spec.get("clusterIP") and not spec.get("clusterIPs"):
            spec["clusterIPs"] = [spec["clusterIP"]]


def has_address(spec: Body) -> bool:
    return bool(spec.get("type") != "ExternalName")


def has_node_ports(spec: Body) -> bool:
    return spec.get("type") == "NodePort" or (
        spec.get("type") == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts", True) is not False
    )


def checks_health(spec: Body) -> bool:
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


# --- what an update keeps and clears ---


def _carry(old: Body, new: Body) -> None:
    """Keeps what was allocated when the request leaves it out."""
    if has_address(old) and has_address(new):
        for key in ("clusterIP", "clusterIPs"):
            if not new.get(key) and old.get(key):
                new[key] = old[key]
    if has_node_ports(old) and has_node_ports(new):
        before = {port.get("name", ""): port.get("nodePort", 0) for port in old.get("ports") or ()}
        used = set(before.values()) & {port.get("nodePort", 0) for port in new.get("ports") or ()}
        for port in new.get("ports") or ():
            known = before.get(port.get("name", ""), 0)
            if not port.get("nodePort") and known and known not in used:
                port["nodePort"] = known
    if checks_health(old) and checks_health(new) and not new.get("healthCheckNodePort") and old.get("healthCheckNodePort"):
        new["healthCheckNodePort"] = old["healthCheckNodePort"]


def _same_addresses(old: Body, new: Body) -> None:
    """Clients that know only clusterIP leave clusterIPs behind."""
    if old.get("clusterIPs") and not new.get("clusterIPs") and old.get("clusterIP") == new.get("clusterIP"):
        new["clusterIPs"] = old["clusterIPs"]
    if old.get("clusterIP", "") == new.get("clusterIP", "") or old.get("clusterIPs") != new.get("clusterIPs"):
        return
    if not new.get("clusterIP"):
        new.pop("clusterIPs", None)
    else:
        new["clusterIPs"] = [new["clusterIP"]]


def _drop(old: Body, new: Body) -> None:
    """Takes away what the new type has no use for, unless the request changed it as well."""
    if has_address(old) and not has_address(new):
        if old.get("clusterIP") == new.get("clusterIP") and old.get("clusterIPs") == new.get("clusterIPs"):
            new.pop("clusterIP", None)
            new.pop("clusterIPs", None)
        for key in ("ipFamilies", "ipFamilyPolicy"):
            if old.get(key) == new.get(key):
                new.pop(key, None)
    exposed = ("NodePort", "LoadBalancer")
    if old["type"] in exposed and new["type"] not in exposed and _node_ports(new) <= _node_ports(old):
        for port in new.get("ports") or ():
            port.pop("nodePort", None)
    for key, test in (
        ("healthCheckNodePort", checks_health),
        ("allocateLoadBalancerNodePorts", lambda spec: spec["type"] == "LoadBalancer"),
        ("loadBalancerClass", lambda spec: spec["type"] == "LoadBalancer"),
        ("externalTrafficPolicy", lambda spec: spec["type"] in exposed or bool(spec.get("externalIPs"))),
    ):
        if test(old) and not test(new) and old.get(key) == new.get(key):
            new.pop(key, None)


def _node_ports(spec: Body) -> set[int]:
    return {port["nodePort"] for port in spec.get("ports") or () if port.get("nodePort")}


# --- allocation ---


def _allocate(cluster: Cluster, kind: Kind, new: Body, old: Body | None = None) -> None:
    spec = new["spec"]
    before = old["spec"] if old is not None else {}
    if has_address(spec):
        _families(spec, before)
        _single_stack(kind, new)
        if not spec.get("clusterIPs"):
            spec["clusterIP"] = _address(cluster)
            spec["clusterIPs"] = [spec["clusterIP"]]
        elif spec.get("clusterIP") not in (HEADLESS, before.get("clusterIP")):
            _check_address(cluster, kind, new)
    if has_node_ports(spec):
        taken = set(_taken_ports(cluster)) - _node_ports(before)
        for at, port in enumerate(spec.get("ports") or ()):
            if not port.get("nodePort"):
                port["nodePort"] = _free_port(taken | _node_ports(spec))
            elif not FIRST_PORT <= port["nodePort"] <= LAST_PORT:
                why = f"provided port is not in the valid range. The range of valid ports is {FIRST_PORT}-{LAST_PORT}"
                _refuse(kind, new, f"spec.ports[{at}].nodePort", port["nodePort"], why)
            elif port["nodePort"] in taken:
                _refuse(kind, new, f"spec.ports[{at}].nodePort", port["nodePort"], "provided port is already allocated")
    if checks_health(spec) and not spec.get("healthCheckNodePort"):
        spec["healthCheckNodePort"] = _free_port(set(_taken_ports(cluster)) | _node_ports(spec))


def _families(spec: Body, before: Body) -> None:
    unselective = spec.get("clusterIP") == HEADLESS and not spec.get("selector")
    policy = before.get("ipFamilyPolicy") or ("RequireDualStack" if unselective else "SingleStack")
    policy = spec.setdefault("ipFamilyPolicy", policy)
    if not spec.get("ipFamilies"):
        address = (spec.get("clusterIPs") or [""])[0]
        spec["ipFamilies"] = ["IPv6" if ":" in address else "IPv4"]
    if unselective and policy != "SingleStack" and len(spec["ipFamilies"]) == 1:
        spec["ipFamilies"] = [*spec["ipFamilies"], "IPv6" if spec["ipFamilies"][0] == "IPv4" else "IPv4"]


def _single_stack(kind: Kind, new: Body) -> None:
    """A sandbox has IPv4 only."""
    spec = new["spec"]
    if spec.get("clusterIP") == HEADLESS and not spec.get("selector"):
        return
    causes = []
    if spec.get("ipFamilyPolicy") == "RequireDualStack":
        said = 'Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services'
        causes.append(status.Cause("FieldValueInvalid", said, "spec.ipFamilyPolicy"))
    for at, one in enumerate(spec["ipFamilies"]):
        if one != "IPv4":
            said = f'Invalid value: "{one}": not configured on this cluster'
            causes.append(status.Cause("FieldValueInvalid", said, f"spec.ipFamilies[{at}]"))
    if causes:
        raise status.invalid(kind, new["metadata"]["name"], causes)


def _specs(cluster: Cluster) -> Iterator[Body]:
    for item in cluster.storage.family(FAMILY).items():
        yield item.body["spec"]


def _address(cluster: Cluster) -> str:
    taken = {spec.get("clusterIP") for spec in _specs(cluster)}
    size = ADDRESSES.num_addresses
    while True:  # the network is far larger than any sandbox
        address = str(ADDRESSES[1 + secrets.randbelow(size - 2)])
        if address not in taken:
            return address


def _check_address(cluster: Cluster, kind: Kind, new: Body) -> None:
    address = new["spec"]["clusterIP"]
    try:
        inside = ipaddress.ip_address(address) in ADDRESSES
    except ValueError:
        said = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
        _refuse(kind, new, "spec.clusterIPs[0]", address, said)
    if not inside:
        why = "failed to allocate IP {}: the provided network does not match the current range"
        _refuse(kind, new, "spec.clusterIPs", [address], why.format(address))
    if any(spec.get("clusterIP") == address for spec in _specs(cluster)):
        _refuse(
            kind, new, "spec.clusterIPs", [address], f"failed to allocate IP {address}: provided IP is already allocated"
        )


def _taken_ports(cluster: Cluster) -> Iterator[int]:
    for spec in _specs(cluster):
        yield from _node_ports(spec)
        if spec.get("healthCheckNodePort"):
            yield spec["healthCheckNodePort"]


def _free_port(taken: set[int]) -> int:
    free = [port for port in range(FIRST_PORT, LAST_PORT + 1) if port not in taken]
    if not free:
        raise status.Refusal(500, "InternalError", "Internal error occurred: failed to allocate a nodePort: range is full")
    return secrets.choice(free)


def _refuse(kind: Kind, new: Body, field: str, value: Any, why: str) -> NoReturn:
    cause = status.Cause("FieldValueInvalid", f"Invalid value: {fieldsets.shown(value)}: {why}", field)
    raise status.invalid(kind, new["metadata"]["name"], [cause])
