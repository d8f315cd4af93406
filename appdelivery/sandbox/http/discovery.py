"""Discovery in all of its forms: /api, /apis, groups, resource lists, and everything in one document (v2)."""

from __future__ import annotations

import hashlib

from appdelivery.sandbox import status
from appdelivery.sandbox.http import answers, documents, negotiate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from appdelivery.sandbox.http.requests import Request
    from appdelivery.sandbox.http.serving import Serving
    from appdelivery.sandbox.kinds import Kind

    Body = dict[str, Any]

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
NOWHERE = "404 page not found\n"


def answer(serving: Serving, request: Request, parts: list[str]) -> answers.Answer:
    """parts: of the path, /api... or /apis..."""
    if parts in (["api"], ["apis"]):
        if negotiate.aggregated(request.accept):
            return _aggregated(serving, request, core=parts == ["api"])
        return _json(serving, tuple(parts), lambda: versions(request) if parts == ["api"] else groups(serving))
    served = serving.cluster.kinds.groups()
    if parts[0] == "api" and len(parts) == 2:
        return _resources(serving, "", parts[1])
    if parts[0] == "apis" and len(parts) == 2:
        if parts[1] not in served or not parts[1]:
            return answers.text(NOWHERE, status=404)
        return _json(
            serving, tuple(parts), lambda: {"kind": "APIGroup", "apiVersion": "v1", **group(parts[1], served[parts[1]])}
        )
    return _resources(serving, parts[1], parts[2])


def versions(request: Request) -> Body:
    address = {"clientCIDR": "0.0.0.0/0", "serverAddress": request.host}
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [address]}


def groups(serving: Serving) -> Body:
    served = serving.cluster.kinds.groups()
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [group(name, served[name]) for name in served if name]}


def group(name: str, served: Mapping[str, Any]) -> Body:
    listed = [{"groupVersion": f"{name}/{version}", "version": version} for version in served]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}


def resources(group: str, version: str, served: Mapping[str, Kind]) -> Body:
    entries = [entry for kind in served.values() for entry in _entries(kind)]
    found = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": f"{group}/{version}" if group else version}
    if not group:
        del found["apiVersion"]  # the oldest list of all never had one
    return {**found, "resources": entries}


def _entries(kind: Kind) -> Iterator[Body]:
    given = kind.discovery
    entry: Body = {
        "name": kind.plural, "singularName": given.get("singularResource", ""), "namespaced": kind.namespaced,
        "kind": kind.kind, "verbs": given["verbs"],
    }  # fmt: skip
    for key in ("shortNames", "categories"):
        if given.get(key):
            entry[key] = given[key]
    if "list" in given["verbs"]:
        entry["storageVersionHash"] = _hash(f"{kind.family}".encode())[:11] + "="
    yield entry
    for sub in given.get("subresources", ()):
        answered = sub.get("responseKind") or {}
        below: Body = {"name": f"{kind.plural}/{sub['subresource']}", "singularName": "", "namespaced": kind.namespaced}
        for key in ("group", "version"):
            if answered.get(key):
                below[key] = answered[key]
        yield {**below, "kind": answered.get("kind") or kind.kind, "verbs": sub["verbs"]}


def _resources(serving: Serving, group: str, version: str) -> answers.Answer:
    served = serving.cluster.kinds.groups().get(group, {}).get(version)
    if served is None:
        raise status.no_such_path()
    return _json(serving, (group, version), lambda: resources(group, version, served))


def _aggregated(serving: Serving, request: Request, *, core: bool) -> answers.Answer:
    body = documents.kept(serving, ("aggregated", core), lambda: answers.encode(_everything(serving, core=core)))
    tag = documents.kept(serving, ("aggregated tag", core), lambda: f'"{_hash(body)}"')
    headers = {"etag": tag, "vary": "Accept"}
    if request.condition == tag:
        return answers.Answer(b"", status=304, content_type=AGGREGATED, headers=headers)
    return answers.Answer(body, content_type=AGGREGATED, headers=headers)


def _everything(serving: Serving, *, core: bool) -> Body:
    items = []
    for name, served in serving.cluster.kinds.groups().items():
        if (not name) is core:
            listed = [
                {"version": version, "resources": [kind.discovery for kind in kinds.values()], "freshness": "Current"}
                for version, kinds in served.items()
            ]
            items.append({"metadata": {"name": name} if name else {}, "versions": listed})
    return {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}


def _json(serving: Serving, key: tuple[Any, ...], make: Any) -> answers.Answer:
    return answers.Answer(documents.kept(serving, ("discovery", *key), lambda: answers.encode(make())))


def _hash(text: bytes) -> str:
    return hashlib.sha512(text).hexdigest().upper()
