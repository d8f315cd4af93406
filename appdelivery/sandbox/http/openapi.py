"""OpenAPI v2 and v3 of what is served: enough for `kubectl explain`, for validation and for clients that ask what a path takes.

Descriptions are not recorded, so there are none.
"""

from __future__ import annotations

import hashlib
import json

from appdelivery.sandbox import status
from appdelivery.sandbox.http import answers, bodies, documents, negotiate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from appdelivery.sandbox.http.answers import Answer
    from appdelivery.sandbox.http.requests import Request
    from appdelivery.sandbox.http.serving import Serving
    from appdelivery.sandbox.kinds import Kind

    Body = dict[str, Any]

INFO = {"title": "Kubernetes", "version": "1.36"}
GVK = "x-kubernetes-group-version-kind"
UNIONS: dict[str, Body] = {  # which the definitions of version 2 cannot say
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {"oneOf": [{"type": "string"}, {"type": "number"}]},
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {
        "format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}],
    },
}  # fmt: skip
WRITING = ("dryRun", "fieldManager", "fieldValidation")
READING = ("labelSelector", "fieldSelector", "limit", "continue", "resourceVersion", "resourceVersionMatch", "watch")
METHODS = {
    "get": ("get", "get", ()), "list": ("get", "list", READING), "create": ("post", "post", WRITING),
    "update": ("put", "put", WRITING), "patch": ("patch", "patch", (*WRITING, "force")),
    "delete": ("delete", "delete", ("dryRun", "gracePeriodSeconds", "propagationPolicy")),
    "deletecollection": ("delete", "deletecollection", ("dryRun", *READING)),
}  # fmt: skip
ONE = frozenset(["get", "update", "patch", "delete"])


def answer(serving: Serving, request: Request, parts: list[str]) -> Answer:
    """parts: of the path, /openapi/..."""
    if parts == ["openapi", "v2"]:
        return _tagged(request, documents.kept(serving, "openapi v2", lambda: answers.encode(_second(serving))))
    if parts == ["openapi", "v3"]:
        return answers.of(documents.kept(serving, "openapi v3", lambda: {"paths": _index(serving)}))
    if parts[:2] != ["openapi", "v3"]:
        return answers.text("404 page not found\n", status=404)
    group, version = _group_version(parts[2:])
    served = serving.cluster.kinds.groups().get(group, {}).get(version)
    if served is None:
        return answers.Answer(b"", status=404)
    place = _place(serving, group, version, served)
    if request.query.get("hash") not in (None, place.rpartition("=")[2]):
        return answers.Answer(b"", status=301, headers={"location": place, "vary": "Accept"})
    made = documents.kept(serving, ("openapi v3", group, version), lambda: answers.encode(_third(serving, served)))
    answered = _tagged(request, made)
    if "hash" in request.query:
        answered.headers = {**answered.headers, "cache-control": "public, immutable"}
    return answered


def _tagged(request: Request, body: bytes) -> Answer:
    if request.accept and not any(
        clause.media in ("*/*", "application/*", "application/json") for clause in negotiate.clauses(request.accept)
    ):
        raise status.Refusal(406, "NotAcceptable", "only the following media types are accepted: application/json")
    tag = f'"{hashlib.sha512(body).hexdigest().upper()}"'
    known = request.condition == tag
    return answers.Answer(b"" if known else body, status=304 if known else 200, headers={"etag": tag, "vary": "Accept"})


def _group_version(parts: list[str]) -> tuple[str, str]:
    if len(parts) == 2 and parts[0] == "api":
        return "", parts[1]
    if len(parts) == 3 and parts[0] == "apis":
        return parts[1], parts[2]
    return "", ""


def _index(serving: Serving) -> Body:
    """Every document with a hash: clients keep what has not changed."""
    return {
        f"apis/{group}/{version}" if group else f"api/{version}": {
            "serverRelativeURL": _place(serving, group, version, kinds)
        }
        for group, versions in serving.cluster.kinds.groups().items()
        for version, kinds in versions.items()
    }


def _place(serving: Serving, group: str, version: str, kinds: Mapping[str, Kind]) -> str:
    """The hash is of what a document is made from: to make them all for the index would take long."""
    custom = any(kind.definition is not None for kind in kinds.values())
    said = f"{group}/{version} {sorted(kinds)} {serving.cluster.version['gitVersion']}"
    if custom:
        said += f" {serving.cluster.kinds.revision}"
    hashed = hashlib.sha512(said.encode()).hexdigest().upper()
    return f"/openapi/v3/{f'apis/{group}/{version}' if group else f'api/{version}'}?hash={hashed}"


def _second(serving: Serving) -> Body:
    kinds = list(serving.cluster.kinds)
    definitions = dict(serving.cluster.schemas.definitions)
    paths: Body = {}
    for kind in kinds:
        if kind.definition is not None:
            definitions[_own_name(kind)] = _custom(kind)
        paths |= _paths(kind, third=False)
    return {"swagger": "2.0", "info": INFO, "paths": paths, "definitions": definitions}


def _third(serving: Serving, served: Mapping[str, Kind]) -> Body:
    names = documents.kept(serving, "definitions", lambda: _names(serving))
    wanted, paths, found = [], {}, {}
    for kind in served.values():
        if kind.definition is not None:
            found[_own_name(kind)] = _custom(kind)
        elif (kind.group, kind.version, kind.kind) in names:
            wanted.append(names[kind.group, kind.version, kind.kind])
        paths.update(_paths(kind, third=True))
    definitions = serving.cluster.schemas.definitions
    for tree in found.values():
        wanted += _references(tree)
    while wanted:
        name = wanted.pop()
        if name not in found and name in definitions:
            found[name] = UNIONS.get(name) or definitions[name]
            wanted += _references(definitions[name])
    document = {"openapi": "3.0.0", "info": INFO, "paths": paths, "components": {"schemas": dict(sorted(found.items()))}}
    moved: Body = json.loads(json.dumps(document).replace("#/definitions/", "#/components/schemas/"))
    return moved


def _names(serving: Serving) -> dict[tuple[str, str, str], str]:
    return {
        (gvk["group"], gvk["version"], gvk["kind"]): name
        for name, definition in serving.cluster.schemas.definitions.items()
        for gvk in definition.get(GVK, ())
    }


def _references(tree: Any) -> list[str]:
    if isinstance(tree, dict):
        own = [tree["$ref"].rpartition("/")[2]] if isinstance(tree.get("$ref"), str) else []
        return own + [name for value in tree.values() for name in _references(value)]
    if isinstance(tree, list):
        return [name for value in tree for name in _references(value)]
    return []


def _own_name(kind: Kind) -> str:
    """As the server names the definitions of custom kinds: the group turned round."""
    return ".".join([*reversed(kind.group.split(".")), kind.version, kind.kind])


def _custom(kind: Kind) -> Body:
    return {"type": "object", **kind.schema, GVK: [_gvk(kind)]}


def _gvk(kind: Kind) -> Body:
    return {"group": kind.group, "version": kind.version, "kind": kind.kind}


def _paths(kind: Kind, *, third: bool) -> Body:
    """third: as OpenAPI 3 writes operations."""
    base = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
    where = f"{base}/namespaces/{{namespace}}/{kind.plural}" if kind.namespaced else f"{base}/{kind.plural}"
    verbs = kind.verbs & METHODS.keys()
    served = {where: verbs - ONE, f"{where}/{{name}}": verbs & ONE}
    for sub in kind.discovery.get("subresources", ()):
        served[f"{where}/{{name}}/{sub['subresource']}"] = frozenset(sub["verbs"]) & METHODS.keys()
    return {path: _operations(kind, sorted(verbs), third=third) for path, verbs in served.items() if verbs}


def _operations(kind: Kind, verbs: Iterable[str], *, third: bool) -> Body:
    found: Body = {}
    for verb in verbs:
        method, action, parameters = METHODS[verb]
        type: Body = {"schema": {"type": "string"}} if third else {"type": "string", "uniqueItems": True}
        operation: Body = {
            "x-kubernetes-action": action, GVK: _gvk(kind),
            "parameters": [{"name": name, "in": "query", **type} for name in parameters],
            "responses": {"200": {"description": "OK"}},
        }  # fmt: skip
        if third and method in ("post", "put", "patch"):
            media = _patches(kind) if method == "patch" else ("*/*",)
            operation["requestBody"] = {
                "content": {name: {"schema": {"type": "object"}} for name in media},
                "required": True,
            }
        found[method] = operation
    return found


def _patches(kind: Kind) -> list[str]:
    return [media for media, form in bodies.PATCHES.items() if form != "strategic" or kind.definition is None]
