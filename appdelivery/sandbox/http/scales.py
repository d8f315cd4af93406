"""The scale subresource: how many, as one kind whatever is scaled."""

from __future__ import annotations

from appdelivery.sandbox import status, writes
from appdelivery.sandbox.http import answers, bodies, gojson, negotiate, parameters
from appdelivery.sandbox.http.printers import words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from appdelivery.sandbox.http.answers import Answer
    from appdelivery.sandbox.http.serving import Call
    from appdelivery.sandbox.kinds import Kind
    from appdelivery.sandbox.storage import Body

API_VERSION, GROUP = "autoscaling/v1", "autoscaling"
USUAL = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}


def serve(call: Call, kind: Kind) -> Answer:
    item = call.cluster.collection(kind).get(call.request.key)
    if call.request.verb == "get":
        negotiate.form(call.request.accept)
        if item is None:
            raise status.not_found(kind, call.request.name)
        return answers.of(shown(kind, writes.read(call.cluster, kind, item)))
    applied = call.request.verb == "patch" and bodies.form_of_patch(call.request.content_type) == "apply"
    options = parameters.writing(call.request, apply=applied)
    sent = _sent(call, kind)
    if item is None:
        raise status.not_found(kind, call.request.name)
    if call.request.verb == "patch" and not applied:
        sent = _changed(shown(kind, writes.read(call.cluster, kind, item)), sent)
    change = _change(kind, call.request.name, sent)
    if applied:
        named = {"apiVersion": kind.api_version, "kind": kind.kind, **change}
        written = writes.apply(call.cluster, kind, call.request.key, named, options)
    else:
        written = writes.patch(call.cluster, kind, call.request.key, "merge", change, options)
    return answers.of(shown(kind, written.body))


def shown(kind: Kind, body: Body) -> Body:
    """The Scale of an object."""
    paths = _paths(kind)
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    metadata = {key: body["metadata"][key] for key in kept if key in body["metadata"]}
    wanted = words.at(body, *_steps(paths["specReplicasPath"]))
    there: dict[str, Any] = {"replicas": words.at(body, *_steps(paths["statusReplicasPath"])) or 0}
    selector = _selector(kind, body, paths.get("labelSelectorPath"))
    if selector:
        there["selector"] = selector
    spec = {"replicas": wanted} if wanted else {}
    return {"kind": "Scale", "apiVersion": API_VERSION, "metadata": metadata, "spec": spec, "status": there}


def _paths(kind: Kind) -> Mapping[str, str]:
    for version in kind.definition["spec"]["versions"] if kind.definition else ():
        if version["name"] == kind.version:
            found: Mapping[str, str] = version["subresources"]["scale"]
            return found
    return USUAL


def _steps(path: str) -> list[str]:
    return [step for step in path.split(".") if step]


def _selector(kind: Kind, body: Body, path: str | None) -> str:
    if kind.definition is not None:
        return str(words.at(body, *_steps(path)) or "") if path else ""
    found = words.at(body, "spec", "selector")
    if kind.plural == "replicationcontrollers":
        return words.labels(found) if found else ""
    return words.selector(found, empty="")


def _sent(call: Call, kind: Kind) -> Any:
    if call.request.verb == "patch":
        return bodies.read_patch(bodies.form_of_patch(call.request.content_type), call.body).tree
    return bodies.read(kind, call.request.content_type, call.body, called="Scale").tree


def _changed(scale: Body, change: Any) -> Body:
    """A patch of a Scale: what it says about the number."""
    if isinstance(change, list):
        for step in change:
            if step.get("path") == "/spec/replicas" and step.get("op") in ("replace", "add"):
                scale = {**scale, "spec": {"replicas": step.get("value")}}
            elif step.get("op") == "test" and words.at(scale, *str(step.get("path", "")).split("/")[1:]) != step.get(
                "value"
            ):
                raise status.Refusal(
                    422, "Invalid", "the server rejected our request due to an error in our request", details={}
                )
        return {"spec": scale["spec"]}
    return {"metadata": change.get("metadata") or {}, "spec": {**scale["spec"], **(change.get("spec") or {})}}


def _change(kind: Kind, name: str, sent: Body) -> Body:
    """What a Scale changes of the object that it scales."""
    wanted = (sent.get("spec") or {}).get("replicas") or 0
    if not isinstance(wanted, int):
        raise status.bad_request(
            'Scale in version "v1" cannot be handled as a Scale: json: cannot unmarshal '
            f"{gojson.kind_of(wanted)} into Go struct field ScaleSpec.spec.replicas of type int32"
        )
    if wanted < 0:
        cause = status.Cause(
            "FieldValueInvalid", f"Invalid value: {wanted}: must be greater than or equal to 0", "spec.replicas"
        )
        details = {"name": name, "group": GROUP, "kind": "Scale", "causes": [cause.body()]}
        message = f'Scale.{GROUP} "{name}" is invalid: {cause.field}: {cause.message}'
        raise status.Refusal(422, "Invalid", message, details=details)
    change: Body = {}
    given = sent.get("metadata") or {}
    conditions = {key: given[key] for key in ("resourceVersion", "uid") if given.get(key)}
    if conditions:
        change["metadata"] = conditions
    steps = _steps(_paths(kind)["specReplicasPath"])
    inner: Any = wanted
    for step in reversed(steps):
        inner = {step: inner}
    return {**change, **inner}
