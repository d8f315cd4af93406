"""What workloads use and stand on: services, storage, nodes, events, access."""

from __future__ import annotations

from appdelivery.sandbox.http.printers import words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from typing import Any

    Body = Mapping[str, Any]

ROLE, OLD_ROLE = "node-role.kubernetes.io/", "kubernetes.io/role"
LONGEST_ADDRESS = 16
DEFAULT_CLASSES = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")


def _name(body: Body) -> str:
    return str(body["metadata"]["name"])


def _age(body: Body, now: datetime) -> str:
    return words.since(now, body["metadata"].get("creationTimestamp"))


def namespace(body: Body, now: datetime) -> list[Any]:
    return [_name(body), words.at(body, "status", "phase") or "", _age(body, now)]


def config_map(body: Body, now: datetime) -> list[Any]:
    return [_name(body), len(body.get("data") or ()) + len(body.get("binaryData") or ()), _age(body, now)]


def secret(body: Body, now: datetime) -> list[Any]:
    return [_name(body), body.get("type", ""), len(body.get("data") or ()), _age(body, now)]


def service_account(body: Body, now: datetime) -> list[Any]:
    return [_name(body), _age(body, now)]


def node(body: Body, now: datetime) -> list[Any]:
    spec, said = body.get("spec") or {}, body.get("status") or {}
    ready = next((one for one in said.get("conditions") or () if one.get("type") == "Ready"), None)
    state = "Unknown" if ready is None else "Ready" if ready.get("status") == "True" else "NotReady"
    labels = body["metadata"].get("labels") or {}
    roles = {key.removeprefix(ROLE) for key in labels if key.startswith(ROLE)} | {labels.get(OLD_ROLE, "")}
    info = said.get("nodeInfo") or {}
    kernel = info.get("kernelVersion") or words.UNKNOWN
    if info.get("architecture"):
        kernel += f" ({info['architecture']})"
    return [
        _name(body), f"{state},SchedulingDisabled" if spec.get("unschedulable") else state,
        ",".join(sorted(roles - {""})) or words.NONE, _age(body, now), info.get("kubeletVersion", ""),
        _address(said, "InternalIP"), _address(said, "ExternalIP"), info.get("osImage") or words.UNKNOWN, kernel,
        info.get("containerRuntimeVersion") or words.UNKNOWN,
    ]  # fmt: skip


def _address(said: Body, type: str) -> str:
    return next((one["address"] for one in said.get("addresses") or () if one.get("type") == type), words.NONE)


def service(body: Body, now: datetime) -> list[Any]:
    spec = body.get("spec") or {}
    ports = []
    for port in spec.get("ports") or ():
        outside = f":{port['nodePort']}" if port.get("nodePort") else ""
        ports.append(f"{port['port']}{outside}/{port.get('protocol', 'TCP')}")
    inside = (spec.get("clusterIPs") or [words.NONE])[0]
    return [
        _name(body), spec.get("type", ""), inside, _outside(body, spec), ",".join(ports) or words.NONE, _age(body, now),
        words.labels(spec.get("selector")),
    ]  # fmt: skip


def _outside(body: Body, spec: Body) -> str:
    given, type = spec.get("externalIPs") or [], spec.get("type", "")
    if type in ("ClusterIP", "NodePort"):
        return ",".join(given) or words.NONE
    if type == "LoadBalancer":
        balanced = _balancer(body)
        return ",".join([*([balanced] if balanced else []), *given]) or "<pending>"
    return str(spec.get("externalName", "")) if type == "ExternalName" else words.UNKNOWN


def _balancer(body: Body) -> str:
    entries = words.at(body, "status", "loadBalancer", "ingress") or ()
    return ",".join(sorted({found for one in entries if (found := one.get("ip") or one.get("hostname"))}))


def ingress(body: Body, now: datetime) -> list[Any]:
    spec = body.get("spec") or {}
    rules = spec.get("rules") or ()
    hosts = [rule["host"] for rule in rules if rule.get("host")]
    shown = words.more(hosts, empty="*") if len(hosts) > words.SHOWN else ",".join(hosts) or "*"
    ports = "80, 443" if spec.get("tls") else "80"
    return [_name(body), spec.get("ingressClassName") or words.NONE, shown, _balancer(body), ports, _age(body, now)]


def ingress_class(body: Body, now: datetime) -> list[Any]:
    annotations = body["metadata"].get("annotations") or {}
    default = " (default)" if annotations.get("ingressclass.kubernetes.io/is-default-class") == "true" else ""
    given = words.at(body, "spec", "parameters")
    shown = words.NONE
    if given:
        shown = f"{given['kind']}{'.' + given['apiGroup'] if given.get('apiGroup') else ''}/{given['name']}"
    return [_name(body) + default, words.at(body, "spec", "controller") or "", shown, _age(body, now)]


def endpoints(body: Body, now: datetime) -> list[Any]:
    found: list[str] = []
    for subset in body.get("subsets") or ():
        addresses = [one["ip"] for one in subset.get("addresses") or ()]
        ports = subset.get("ports") or ()
        found += [f"{address}:{port['port']}" for port in ports for address in addresses] if ports else addresses
    return [_name(body), words.more(found, empty=words.NONE if not body.get("subsets") else ""), _age(body, now)]


def endpoint_slice(body: Body, now: datetime) -> list[Any]:
    ports = [str(port.get("port") or port.get("name") or "*") for port in body.get("ports") or ()]
    addresses = [address for one in body.get("endpoints") or () for address in one.get("addresses") or ()]
    return [_name(body), body.get("addressType", ""), words.more(ports), words.more(addresses), _age(body, now)]


def network_policy(body: Body, now: datetime) -> list[Any]:
    return [_name(body), words.selector(words.at(body, "spec", "podSelector")), _age(body, now)]


def claim(body: Body, now: datetime) -> list[Any]:
    spec, said = body.get("spec") or {}, body.get("status") or {}
    volume = spec.get("volumeName", "")
    return [
        _name(body), "Terminating" if body["metadata"].get("deletionTimestamp") else said.get("phase", ""), volume,
        str(words.at(said, "capacity", "storage") or "0") if volume else "",
        words.modes(said.get("accessModes")) if volume else "", spec.get("storageClassName") or "",
        spec.get("volumeAttributesClassName") or words.UNSET, _age(body, now), spec.get("volumeMode") or words.UNSET,
    ]  # fmt: skip


def volume(body: Body, now: datetime) -> list[Any]:
    spec, said = body.get("spec") or {}, body.get("status") or {}
    claimed = spec.get("claimRef")
    return [
        _name(body), str(words.at(spec, "capacity", "storage") or "0"), words.modes(spec.get("accessModes")),
        spec.get("persistentVolumeReclaimPolicy", ""),
        "Terminating" if body["metadata"].get("deletionTimestamp") else said.get("phase", ""),
        f"{claimed.get('namespace', '')}/{claimed.get('name', '')}" if claimed else "", spec.get("storageClassName") or "",
        spec.get("volumeAttributesClassName") or words.UNSET, said.get("reason", ""), _age(body, now),
        spec.get("volumeMode") or words.UNSET,
    ]  # fmt: skip


def storage_class(body: Body, now: datetime) -> list[Any]:
    annotations = body["metadata"].get("annotations") or {}
    default = " (default)" if any(annotations.get(key) == "true" for key in DEFAULT_CLASSES) else ""
    return [
        _name(body) + default, body.get("provisioner", ""), body.get("reclaimPolicy", "Delete"),
        body.get("volumeBindingMode", "Immediate"), bool(body.get("allowVolumeExpansion")), _age(body, now),
    ]  # fmt: skip


def quota(body: Body, now: datetime) -> list[Any]:
    hard, used = words.at(body, "status", "hard") or {}, words.at(body, "status", "used") or {}
    shown = [(name, f"{name}: {used.get(name, '0')}/{hard[name]}") for name in sorted(hard)]
    requests = ", ".join([said for name, said in shown if not name.startswith("limits.")])
    return [_name(body), requests, ", ".join([said for name, said in shown if name.startswith("limits.")]), _age(body, now)]


def priority_class(body: Body, now: datetime) -> list[Any]:
    preemption = body.get("preemptionPolicy", "")
    return [_name(body), body.get("value", 0), bool(body.get("globalDefault")), _age(body, now), preemption]


def lease(body: Body, now: datetime) -> list[Any]:
    return [_name(body), words.at(body, "spec", "holderIdentity") or "", _age(body, now)]


def binding(body: Body, now: datetime) -> list[Any]:
    """RoleBinding and ClusterRoleBinding."""
    role, subjects = body.get("roleRef") or {}, body.get("subjects") or ()
    accounts = [f"{one.get('namespace', '')}/{one['name']}" for one in subjects if one["kind"] == "ServiceAccount"]
    users, groups = [[one["name"] for one in subjects if one["kind"] == kind] for kind in ("User", "Group")]
    wide = [", ".join(found) for found in (users, groups, accounts)]
    return [_name(body), f"{role.get('kind', '')}/{role.get('name', '')}", _age(body, now), *wide]


def event(body: Body, now: datetime) -> list[Any]:
    """Of the core group and of events.k8s.io, which calls the same things otherwise."""
    first = words.since(now, body.get("firstTimestamp") or body.get("deprecatedFirstTimestamp") or body.get("eventTime"))
    last = body.get("lastTimestamp") or body.get("deprecatedLastTimestamp")
    ago = words.since(now, last) if last else first
    count, series = body.get("count") or body.get("deprecatedCount") or 1, body.get("series")
    if series:
        ago, count = words.since(now, series.get("lastObservedTime")), series.get("count", 0)
    about = body.get("involvedObject") or body.get("regarding") or {}
    target = about.get("kind", "").lower() + (f"/{about['name']}" if about.get("name") else "")
    message = body.get("message") or body.get("note") or ""
    return [
        ago, body.get("type", ""), body.get("reason", ""), target, about.get("fieldPath", ""), _source(body),
        message.strip(), first, count, _name(body),
    ]  # fmt: skip


def _source(body: Body) -> str:
    given = body.get("source") or body.get("deprecatedSource") or {}
    component = given.get("component") or body.get("reportingComponent") or body.get("reportingController") or ""
    host = given.get("host") or body.get("reportingInstance") or ""
    return f"{component}, {host}" if host else component
