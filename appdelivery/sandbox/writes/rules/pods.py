"""Pod templates and pod specs: what the server checks in the fields that applications use."""

from __future__ import annotations

from appdelivery.sandbox.writes import quantities
from appdelivery.sandbox.writes.rules import metadata, names, words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from appdelivery.sandbox.status import Cause
    from appdelivery.sandbox.storage import Body

PROTOCOLS = ("SCTP", "TCP", "UDP")
PULLS = ("Always", "IfNotPresent", "Never")
RESTARTS = ("Always", "OnFailure", "Never")
DNS = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc", "sleep")
PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
UNCHANGEABLE = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
COUNTS = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")
SOURCES = "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
OPERATORS = ("Exists", "Equal")
FRACTIONS = ("m", "u", "n")  # of canonical quantities that are no whole number
SOURCES_IN_ORDER = (  # as the server looks at them
    "emptyDir", "hostPath", "gitRepo", "gcePersistentDisk", "awsElasticBlockStore", "secret", "nfs", "iscsi", "glusterfs",
    "flocker", "persistentVolumeClaim", "rbd", "cinder", "cephfs", "quobyte", "downwardAPI", "fc", "flexVolume", "configMap",
    "azureFile", "vsphereVolume", "photonPersistentDisk", "portworxVolume", "azureDisk", "storageos", "projected", "scaleIO",
    "csi", "ephemeral", "image",
)  # fmt: skip
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")


def template(body: Body, path: str) -> Iterator[Cause]:
    own = body.get("metadata") or {}
    yield from metadata.labels(own.get("labels"), f"{path}.labels")
    yield from metadata.notes(own.get("annotations"), f"{path}.annotations")
    yield from spec(body.get("spec") or {}, f"{path}.spec")


def spec(body: Body, path: str) -> Iterator[Cause]:
    yield from _volumes(body.get("volumes") or (), f"{path}.volumes")
    volumes = _sound_volumes(body)
    used: set[str] = set()
    if not body.get("containers"):
        yield words.required(f"{path}.containers")
    for key in ("containers", "initContainers"):
        for at, one in enumerate(body.get(key) or ()):
            below = f"{path}.{key}[{at}]"
            yield from _container(one, below, volumes, is_init=key == "initContainers")
            if one.get("name") and one["name"] in used:
                yield words.duplicate(f"{below}.name", one["name"])
            used.add(one.get("name", ""))
    yield from _one_of(body.get("restartPolicy", ""), f"{path}.restartPolicy", RESTARTS)
    yield from _one_of(body.get("dnsPolicy", ""), f"{path}.dnsPolicy", DNS)
    yield from metadata.labels(body.get("nodeSelector"), f"{path}.nodeSelector")
    yield from _spread(body.get("topologySpreadConstraints") or (), f"{path}.topologySpreadConstraints")
    for key, check in (("serviceAccountName", names.subdomain), ("nodeName", names.subdomain), ("hostname", names.label),
                       ("subdomain", names.label), ("priorityClassName", names.subdomain)):  # fmt: skip
        for said in check(body[key]) if body.get(key) else ():
            yield words.invalid(f"{path}.{key}", body[key], said)
    deadline = body.get("activeDeadlineSeconds")
    if deadline is not None and not 1 <= deadline < 2**31:
        yield words.invalid(f"{path}.activeDeadlineSeconds", deadline, "must be between 1 and 2147483647, inclusive")
    yield from _tolerations(body.get("tolerations") or (), f"{path}.tolerations")


def _one_of(value: str, path: str, known: Iterable[str]) -> Iterator[Cause]:
    if not value:
        yield words.required(path)
    elif value not in known:
        yield words.unsupported(path, value, known)


def _volumes(given: Iterable[Body], path: str) -> Iterator[Cause]:
    seen: set[str] = set()
    for at, one in enumerate(given):
        found = list(_volume(one, f"{path}[{at}]", seen))
        if not found:
            seen.add(one["name"])
        yield from found


def _sound_volumes(body: Body) -> set[str]:
    """The volumes that mounts may name: those without a fault."""
    seen: set[str] = set()
    for one in body.get("volumes") or ():
        if not list(_volume(one, "", seen)):
            seen.add(one["name"])
    return seen


def _volume(one: Body, path: str, seen: set[str]) -> Iterator[Cause]:
    name = one.get("name", "")
    sources = [key for key in SOURCES_IN_ORDER if key in one]
    for source in sources[1:]:
        yield words.forbidden(f"{path}.{source}", "may not specify more than 1 volume type")
    if len(sources) == 1:
        yield from _volume_source(one, path)
    if not name:
        yield words.required(f"{path}.name")
    else:
        for said in names.label(name):
            yield words.invalid(f"{path}.name", name, said)
    if name in seen:
        yield words.duplicate(f"{path}.name", name)


def _volume_source(one: Body, path: str) -> Iterator[Cause]:
    for source, field in (("configMap", "name"), ("secret", "secretName"), ("persistentVolumeClaim", "claimName"),
                          ("hostPath", "path")):  # fmt: skip
        if source in one and not one[source].get(field):
            yield words.required(f"{path}.{source}.{field}")


def _container(one: Body, path: str, volumes: set[str], *, is_init: bool) -> Iterator[Cause]:
    if not one.get("name"):
        yield words.required(f"{path}.name")
    else:
        for said in names.label(one["name"]):
            yield words.invalid(f"{path}.name", one["name"], said)
    if not one.get("image"):
        yield words.required(f"{path}.image")
    yield from _ports(one.get("ports") or (), f"{path}.ports")
    yield from _env(one.get("env") or (), f"{path}.env")
    yield from _mounts(one.get("volumeMounts") or (), f"{path}.volumeMounts", volumes)
    yield from _one_of(one.get("imagePullPolicy", ""), f"{path}.imagePullPolicy", PULLS)
    yield from _resources(one.get("resources") or {}, f"{path}.resources")
    for key, handler in (one.get("lifecycle") or {}).items():
        if isinstance(handler, dict):
            yield from _handler(handler, f"{path}.lifecycle.{key}")
    for key in PROBES:
        if key in one:
            if is_init and one.get("restartPolicy") != "Always":
                yield words.forbidden(f"{path}.{key}", "may not be set for init containers without restartPolicy=Always")
            else:
                yield from _probe(one[key], f"{path}.{key}", single=key != "readinessProbe")


def _ports(given: Iterable[Body], path: str) -> Iterator[Cause]:
    seen: set[str] = set()
    for at, one in enumerate(given):
        below, name = f"{path}[{at}]", one.get("name", "")
        if name:
            bad = names.port_name(name)
            for said in bad:
                yield words.invalid(f"{below}.name", name, said)
            if not bad and name in seen:
                yield words.duplicate(f"{below}.name", name)
            seen.add(name)
        if not one.get("containerPort"):
            yield words.required(f"{below}.containerPort")
        for key in ("containerPort", "hostPort"):
            for said in names.port(one[key]) if one.get(key) else ():
                yield words.invalid(f"{below}.{key}", one[key], said)
        yield from _one_of(one.get("protocol", ""), f"{below}.protocol", PROTOCOLS)


def _env(given: Iterable[Body], path: str) -> Iterator[Cause]:
    for at, one in enumerate(given):
        below = f"{path}[{at}]"
        name = one.get("name", "")
        if not name:
            yield words.required(f"{below}.name")
        elif any(not 32 <= ord(c) < 127 or c == "=" for c in name):
            said = "a valid environment variable name must consist only of printable ASCII characters other than '='"
            yield words.invalid(f"{below}.name", name, said)
        source = one.get("valueFrom")
        if source is None:
            continue
        if not source:
            yield words.invalid(f"{below}.valueFrom", "", SOURCES)
        elif one.get("value"):
            yield words.invalid(f"{below}.valueFrom", "", "may not be specified when `value` is not empty")
        elif len(source) > 1:
            yield words.invalid(f"{below}.valueFrom", "", "may not have more than one field specified at a time")
        for key in ("configMapKeyRef", "secretKeyRef"):
            if key in source and not source[key].get("key"):
                yield words.required(f"{below}.valueFrom.{key}.key")


def _mounts(given: Iterable[Body], path: str, volumes: set[str]) -> Iterator[Cause]:
    seen: set[str] = set()
    for at, one in enumerate(given):
        below = f"{path}[{at}]"
        name, place = one.get("name", ""), one.get("mountPath", "")
        if not name:
            yield words.required(f"{below}.name")
        if name not in volumes:
            yield words.missing(f"{below}.name", name)
        if not place:
            yield words.required(f"{below}.mountPath")
        if place in seen:
            yield words.invalid(f"{below}.mountPath", place, "must be unique")
        seen.add(place)


def _resources(given: Body, path: str) -> Iterator[Cause]:
    limits = given.get("limits") or {}
    for part in ("limits", "requests"):
        for name, value in (given.get(part) or {}).items():
            below = f"{path}.{part}[{name}]"
            if value.startswith("-"):
                yield words.invalid(below, value, words.NOT_NEGATIVE)
            if "/" not in name and not _standard(name):
                yield words.invalid(below, name, "must be a standard resource type or fully qualified")
                yield words.invalid(below, name, "must be a standard resource for containers")
            if part == "requests" and limits.get(name, value) != value:
                amount, most = quantities.amount(value), quantities.amount(limits[name])
                if amount is not None and most is not None and amount > most:
                    said = f"must be less than or equal to {name} limit of {limits[name]}"
                    yield words.invalid(f"{path}.requests", value, said)


def _standard(name: str) -> bool:
    return name in ("cpu", "memory", "ephemeral-storage") or name.startswith("hugepages-")


def _probe(one: Body, path: str, *, single: bool) -> Iterator[Cause]:
    yield from _handler(one, path)
    for key in COUNTS:
        if one.get(key, 0) < 0:
            yield words.invalid(f"{path}.{key}", one[key], words.NOT_NEGATIVE)
    if single and one.get("successThreshold", 1) != 1:
        yield words.invalid(f"{path}.successThreshold", one["successThreshold"], "must be 1")


def _handler(one: Body, path: str) -> Iterator[Cause]:
    handlers = [key for key in HANDLERS if key in one]
    if not handlers:
        yield words.required(path, "must specify a handler type")
    elif handlers[0] in ("httpGet", "tcpSocket", "grpc"):
        yield from port_or_name(one[handlers[0]].get("port", 0), f"{path}.{handlers[0]}.port")
    elif handlers[0] == "exec" and not one["exec"].get("command"):
        yield words.required(f"{path}.exec.command")
    for extra in handlers[1:]:
        yield words.forbidden(f"{path}.{extra}", "may not specify more than 1 handler type")


def port_or_name(value: Any, path: str) -> Iterator[Cause]:
    for said in names.port_name(value) if isinstance(value, str) else names.port(value):
        yield words.invalid(path, value, said)


def _spread(given: Iterable[Body], path: str) -> Iterator[Cause]:
    seen: set[tuple[str, str]] = set()
    for at, one in enumerate(given):
        below = f"{path}[{at}]"
        if one.get("maxSkew", 0) <= 0:
            yield words.invalid(f"{below}.maxSkew", one.get("maxSkew", 0), "must be greater than zero")
        if not one.get("topologyKey"):
            yield words.required(f"{below}.topologyKey", "can not be empty")
        what = one.get("whenUnsatisfiable", "")
        if what not in ("DoNotSchedule", "ScheduleAnyway"):
            yield words.unsupported(f"{below}.whenUnsatisfiable", what, ("DoNotSchedule", "ScheduleAnyway"))
        pair = (one.get("topologyKey", ""), what)
        if pair in seen:
            yield words.duplicate(f"{below}.{{topologyKey, whenUnsatisfiable}}", f"{{{pair[0]}, {pair[1]}}}")
        seen.add(pair)


def _tolerations(given: Iterable[Body], path: str) -> Iterator[Cause]:
    for at, one in enumerate(given):
        below = f"{path}[{at}]"
        key, operator, effect = one.get("key", ""), one.get("operator", ""), one.get("effect", "")
        if key:
            for said in names.qualified(key):
                yield words.invalid(f"{below}.key", key, said)
        elif operator != "Exists":
            said = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
            yield words.invalid(f"{below}.operator", operator, said)
        if operator == "Exists" and one.get("value"):
            said = "value must be empty when `operator` is 'Exists'"
            yield words.invalid(f"{below}.operator", one["value"], said)
        if operator and operator not in OPERATORS:
            yield words.unsupported(f"{below}.operator", operator, ("Equal", "Exists"))
        if effect and effect not in EFFECTS:
            yield words.unsupported(f"{below}.effect", effect, EFFECTS)


def change(old: Body, new: Body) -> Iterator[Cause]:
    """What may change in the spec of a pod that exists."""
    if _fixed(old, new) != _fixed(old, old):
        yield words.forbidden("spec", UNCHANGEABLE)


def _fixed(old: Body, new: Body) -> Body:
    """The spec without what may change."""
    found = {
        key: value for key, value in new.items() if key not in ("activeDeadlineSeconds", "tolerations", "schedulingGates")
    }
    for key in ("containers", "initContainers"):
        if len(old.get(key) or ()) == len(new.get(key) or ()):
            found[key] = [{**one, "image": "", "imagePullPolicy": ""} for one in new.get(key) or ()]
    return found


# --- warnings ---


def warnings(body: Body, path: str) -> Iterator[str]:
    """What the server remarks about a pod spec without refusing it."""
    for at, one in enumerate(body.get("imagePullSecrets") or ()):
        if not one.get("name"):
            yield f'{path}.imagePullSecrets[{at}].name: invalid empty name ""'
    containers = [
        (one, f"{path}.{key}[{at}]")
        for key in ("initContainers", "containers")
        for at, one in enumerate(body.get(key) or ())
    ]
    for one, below in containers:
        yield from _container_warnings(one, below)
    yield from _port_warnings(containers)


def _port_warnings(containers: list[tuple[Body, str]]) -> Iterator[str]:
    numbers: dict[tuple[int, str], list[tuple[str, Body]]] = {}
    texts: dict[str, str] = {}
    said = []
    for one, path in containers:
        for at, port in enumerate(one.get("ports") or ()):
            below = f"{path}.ports[{at}]"
            others = numbers.setdefault((port.get("containerPort", 0), port.get("protocol", "")), [])
            for other, given in others:
                if [given.get(key) for key in ("hostIP", "hostPort")] == [port.get(key) for key in ("hostIP", "hostPort")]:
                    yield f"{below}: duplicate port definition with {other}"
                elif not port.get("hostPort") or not given.get("hostPort"):
                    yield f"{below}: overlapping port definition with {other}"
            others.append((below, port))
            name = port.get("name", "")
            if name in texts:
                said.append(
                    f'{below}: duplicate port name "{name}" with {texts[name]}, services and probes that select ports by name '
                    f"will use {texts[name]}"
                )
            elif name:
                texts[name] = below
    yield from said


def _container_warnings(one: Body, path: str) -> Iterator[str]:
    seen: set[str] = set()
    for at, entry in enumerate(one.get("env") or ()):
        reference = f"$({entry.get('name', '')})"
        hides = "valueFrom" in entry or entry.get("value", "") == reference or reference not in entry.get("value", "")
        if entry.get("name", "") in seen and hides:
            yield f'{path}.env[{at}]: hides previous definition of "{entry["name"]}", which may be dropped when using apply'
        seen.add(entry.get("name", ""))
    for part in ("limits", "requests"):
        for name, value in ((one.get("resources") or {}).get(part) or {}).items():
            if name in ("memory", "ephemeral-storage") and value.endswith(FRACTIONS):
                yield f'{path}.resources.{part}[{name}]: fractional byte value "{value}" is invalid, must be an integer'
