"""Config maps, secrets, claims, routes, budgets, autoscalers, roles, definitions: their commonest faults."""

from __future__ import annotations

from appdelivery.sandbox.writes.rules import names, words, workloads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from appdelivery.sandbox.status import Cause
    from appdelivery.sandbox.storage import Body

SET = "field is immutable when `immutable` is set"
MODES = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")
SCHEMA_TYPES = ("array", "boolean", "integer", "number", "object", "string")


def config_map(old: Body | None, new: Body) -> Iterator[Cause]:
    for part in ("data", "binaryData"):
        for key in new.get(part) or {}:
            for said in names.key(key):
                yield words.invalid(f"{part}[{key}]", key, said)
    for key in new.get("data") or {}:
        if key in (new.get("binaryData") or {}):
            yield words.invalid(f"data[{key}]", key, "duplicate of key present in binaryData")
    yield from _sealed(old, new, "data", "binaryData")


def secret(old: Body | None, new: Body) -> Iterator[Cause]:
    for key in new.get("data") or {}:
        for said in names.key(key):
            yield words.invalid(f"data[{key}]", key, said)
    if old is not None and old.get("type") != new.get("type"):
        yield words.invalid("type", new.get("type"), words.IMMUTABLE)
    yield from _sealed(old, new, "data")


def _sealed(old: Body | None, new: Body, *keys: str) -> Iterator[Cause]:
    if old is None or not old.get("immutable"):
        return
    if not new.get("immutable"):
        yield words.forbidden("immutable", SET)
    for key in keys:
        if old.get(key) != new.get(key):
            yield words.forbidden(key, SET)


def claim(old: Body | None, new: Body) -> Iterator[Cause]:
    spec = new["spec"]
    if not spec.get("accessModes"):
        yield words.required("spec.accessModes", "at least 1 access mode is required")
    for mode in spec.get("accessModes") or ():
        if mode not in MODES:
            yield words.unsupported("spec.accessModes", mode, MODES)
    if "storage" not in ((spec.get("resources") or {}).get("requests") or {}):
        yield words.required("spec.resources[storage]")
    if old is not None:
        changeable = ("resources", "volumeName", "volumeAttributesClassName")
        before = {key: value for key, value in old["spec"].items() if key not in changeable}
        after = {key: value for key, value in spec.items() if key not in changeable}
        if before != after:
            yield words.forbidden(
                "spec",
                "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims",
            )


def ingress(old: Body | None, new: Body) -> Iterator[Cause]:
    del old
    spec = new["spec"]
    if not spec.get("rules") and not spec.get("defaultBackend"):
        yield words.invalid("spec", None, "either `defaultBackend` or `rules` must be specified")
    for at, rule in enumerate(spec.get("rules") or ()):
        below = f"spec.rules[{at}]"
        host = rule.get("host", "").removeprefix("*.")
        for said in names.subdomain(host) if host else ():
            yield words.invalid(f"{below}.host", rule["host"], said)
        for index, path in enumerate((rule.get("http") or {}).get("paths") or ()):
            yield from _ingress_path(path, f"{below}.http.paths[{index}]")


def _ingress_path(path: Body, below: str) -> Iterator[Cause]:
    type, text = path.get("pathType"), path.get("path", "")
    if type is None:
        yield words.required(f"{below}.pathType", "pathType must be specified")
    elif type not in PATH_TYPES:
        yield words.unsupported(f"{below}.pathType", type, PATH_TYPES)
    elif type != "ImplementationSpecific" and not text.startswith("/"):
        yield words.invalid(f"{below}.path", text, "must be an absolute path")
    service = (path.get("backend") or {}).get("service")
    if service is not None:
        if not service.get("name"):
            yield words.required(f"{below}.backend.service.name")
        port = service.get("port") or {}
        if not port.get("name") and not port.get("number"):
            yield words.required(f"{below}.backend", "port name or number is required")


def budget(old: Body | None, new: Body) -> Iterator[Cause]:
    del old
    spec = new["spec"]
    if spec.get("minAvailable") is not None and spec.get("maxUnavailable") is not None:
        value = {
            "MinAvailable": spec["minAvailable"], "Selector": spec.get("selector"), "MaxUnavailable": spec["maxUnavailable"],
            "UnhealthyPodEvictionPolicy": spec.get("unhealthyPodEvictionPolicy"),
        }  # fmt: skip
        yield words.invalid("spec", value, "minAvailable and maxUnavailable cannot be both set")
    for key in ("minAvailable", "maxUnavailable"):
        yield from workloads.share(spec.get(key), f"spec.{key}")
    if spec.get("selector"):
        yield from workloads.selector(spec["selector"], "spec.selector")


def autoscaler(old: Body | None, new: Body) -> Iterator[Cause]:
    del old
    spec = new["spec"]
    least, most = spec.get("minReplicas"), spec.get("maxReplicas", 0)
    if least is not None and least < 1:
        yield words.invalid("spec.minReplicas", least, "must be greater than or equal to 1")
    if most < 1:
        yield words.required("spec.maxReplicas", "must be set and greater than 0")
    elif least is not None and most < least:
        yield words.invalid("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`")
    target = spec.get("scaleTargetRef") or {}
    for key in ("kind", "name"):
        if not target.get(key):
            yield words.required(f"spec.scaleTargetRef.{key}")
    if "/" not in target.get("apiVersion", "") and target.get("apiVersion") != "v1":
        said = "apiVersion must specify API group"
        yield words.invalid("spec.scaleTargetRef.apiVersion", target.get("apiVersion", ""), said)
    if least == 0 and not any(one.get("type") in ("Object", "External") for one in spec.get("metrics") or ()):
        said = "must specify at least one Object or External metric to support scaling to zero replicas"
        yield words.forbidden("spec.metrics", said)


def binding(old: Body | None, new: Body) -> Iterator[Cause]:
    reference = new.get("roleRef") or {}
    if old is not None and old.get("roleRef") != reference:
        value = {
            "APIGroup": reference.get("apiGroup", ""),
            "Kind": reference.get("kind", ""),
            "Name": reference.get("name", ""),
        }
        yield words.invalid("roleRef", value, "cannot change roleRef")
    if reference.get("kind") not in ("Role", "ClusterRole"):
        yield words.unsupported("roleRef.kind", reference.get("kind", ""), ("Role", "ClusterRole"))
    if not reference.get("name"):
        yield words.required("roleRef.name")
    for at, one in enumerate(new.get("subjects") or ()):
        yield from _subject(one, f"subjects[{at}]", is_namespaced="namespace" in new["metadata"])


def _subject(one: Body, path: str, *, is_namespaced: bool) -> Iterator[Cause]:
    name, kind = one.get("name", ""), one.get("kind", "")
    if not name:
        yield words.required(f"{path}.name")
    if kind == "ServiceAccount":
        for said in names.subdomain(name) if name else ():
            yield words.invalid(f"{path}.name", name, said)
        if not is_namespaced and not one.get("namespace"):
            yield words.required(f"{path}.namespace")
    elif kind not in ("User", "Group"):
        yield words.unsupported(f"{path}.kind", kind, ("ServiceAccount", "User", "Group"))


def ingress_class(old: Body | None, new: Body) -> Iterator[Cause]:
    spec = new.get("spec") or {}
    if not spec.get("controller"):
        yield words.required("spec.controller")
    if old is not None and (old.get("spec") or {}).get("controller") != spec.get("controller"):
        yield words.invalid("spec.controller", spec.get("controller", ""), words.IMMUTABLE)


def volume(old: Body | None, new: Body) -> Iterator[Cause]:
    del old
    spec = new["spec"]
    modes = spec.get("accessModes") or []
    if not modes:
        yield words.required("spec.accessModes")
    for mode in modes:
        if mode not in MODES:
            yield words.unsupported("spec.accessModes", mode, MODES)
    if not spec.get("capacity"):
        yield words.required("spec.capacity")


def role(old: Body | None, new: Body) -> Iterator[Cause]:
    del old
    for at, rule in enumerate(new.get("rules") or ()):
        path = f"rules[{at}]"
        if not rule.get("verbs"):
            yield words.required(f"{path}.verbs", "verbs must contain at least one value")
        if rule.get("nonResourceURLs"):
            continue
        if not rule.get("apiGroups"):
            yield words.required(f"{path}.apiGroups", "resource rules must supply at least one api group")
        if not rule.get("resources"):
            yield words.required(f"{path}.resources", "resource rules must supply at least one resource")


def definition(old: Body | None, new: Body) -> Iterator[Cause]:
    spec = new["spec"]
    group, given = spec.get("group", ""), spec.get("names") or {}
    wanted = f"{given.get('plural', '')}.{group}"
    if old is None and new["metadata"].get("name") != wanted:
        yield words.invalid("metadata.name", new["metadata"].get("name", ""), 'must be spec.names.plural+"."+spec.group')
    if not group:
        yield words.required("spec.group")
    elif "." not in group:
        yield words.invalid("spec.group", group, "should be a domain with at least one dot")
    if spec.get("scope") not in ("Cluster", "Namespaced"):
        yield words.unsupported("spec.scope", spec.get("scope", ""), ("Cluster", "Namespaced"))
    versions = spec.get("versions") or []
    if sum(bool(one.get("storage")) for one in versions) != 1:
        yield words.invalid("spec.versions", versions, "must have exactly one version marked as storage version")
        if not any(one.get("storage") for one in versions):
            yield words.invalid("status.storedVersions", None, "must have at least one stored version")
    schemas = [(one.get("schema") or {}).get("openAPIV3Schema") for one in versions]
    shared = bool(schemas) and all(one == schemas[0] for one in schemas)  # the server keeps one schema for all, then
    for at, schema in enumerate(schemas[:1] if shared else schemas):
        path = f"spec.versions[{at}].schema.openAPIV3Schema"
        if schema is None:
            yield words.required(path)
        else:
            yield from _structural(schema, "spec.validation.openAPIV3Schema" if shared else path, is_root=True)
    for key in ("plural", "singular", "kind", "listKind"):
        if not given.get(key):
            yield words.required(f"spec.names.{key}")
    if old is not None:
        for key in ("group", "scope"):
            if old["spec"].get(key) != spec.get(key):
                yield words.invalid(f"spec.{key}", spec.get(key), words.IMMUTABLE)


def _structural(schema: Body, path: str, *, is_root: bool = False) -> Iterator[Cause]:
    """Every level states its type, and nothing stands in places where it could not be pruned."""
    type = schema.get("type", "")
    free = schema.get("x-kubernetes-preserve-unknown-fields") or schema.get("x-kubernetes-int-or-string")
    if not type and (is_root or not free):
        yield words.required(
            f"{path}.type", "must not be empty at the root" if is_root else "must not be empty for specified object fields"
        )
    elif type and type not in SCHEMA_TYPES:
        yield words.unsupported(f"{path}.type", type, SCHEMA_TYPES)
    elif is_root and type != "object":
        yield words.invalid(f"{path}.type", type, "must be object at the root")
    if schema.get("additionalProperties") and is_root:
        yield words.forbidden(f"{path}.additionalProperties", "must not be used at the root")
    if schema.get("properties") and schema.get("additionalProperties"):
        yield words.forbidden(f"{path}.additionalProperties", "additionalProperties and properties are mutual exclusive")
    for key, inner in (schema.get("properties") or {}).items():
        yield from _structural(inner, f"{path}.properties[{key}]")
    if isinstance(schema.get("items"), dict):
        yield from _structural(schema["items"], f"{path}.items")
    elif type == "array":
        yield words.required(f"{path}.items", "must be specified")
    if isinstance(schema.get("additionalProperties"), dict):
        yield from _structural(schema["additionalProperties"], f"{path}.additionalProperties")
    yield from _list_type(schema, path)


def _list_type(schema: Body, path: str) -> Iterator[Cause]:
    stated = schema.get("x-kubernetes-list-type")
    keys = schema.get("x-kubernetes-list-map-keys")
    if stated is not None and stated not in ("atomic", "set", "map"):
        yield words.unsupported(f"{path}.x-kubernetes-list-type", stated, ("atomic", "map", "set"))
    if stated == "map" and not keys:
        yield words.required(f"{path}.x-kubernetes-list-map-keys", "must not be empty if x-kubernetes-list-type is map")
    known = (schema.get("items") or {}).get("properties") or {}
    if any(key not in known for key in keys or ()):
        said = "entries must all be names of item properties"
        yield words.invalid(f"{path}.x-kubernetes-list-map-keys", keys, said)
