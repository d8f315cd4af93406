"""Verbs on the resources that are stored: from an admitted request to a reader or a writer."""

from __future__ import annotations

import json

from appdelivery.sandbox import status, writes
from appdelivery.sandbox.http import (
    answers,
    bindings,
    bodies,
    gojson,
    lists,
    negotiate,
    parameters,
    reviews,
    routes,
    subresources,
    views,
    watches,
)  # fmt: skip
from appdelivery.sandbox.writes import options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from appdelivery.sandbox.http.answers import Answer
    from appdelivery.sandbox.http.serving import Call
    from appdelivery.sandbox.kinds import Kind
    from appdelivery.sandbox.storage import Body

DEPRECATED = {
    ("v1", "componentstatuses"): ("v1 ComponentStatus is deprecated in v1.19+",),
    ("v1", "endpoints"): ("v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",),
}
# Whose last body answers their deletion; of every other kind it is a Status.
ANSWERED_WHOLE = frozenset(
    ("", plural) for plural in ("services", "serviceaccounts", "persistentvolumeclaims", "resourcequotas", "podtemplates")
)
NAMED = frozenset(["get", "update", "patch", "delete"])


def serve(call: Call, kind: Kind, watch: str | None = None) -> Answer:
    """watch: what a fault does to the stream."""
    request = call.request
    check(call, kind)
    request.warnings = DEPRECATED.get((kind.api_version, kind.plural), ())
    if request.subresource:
        answer = subresources.own(call, kind)
        if answer is not None:
            return answer
    elif (kind.group, kind.plural) in reviews.KINDS:
        return reviews.serve(call, kind)
    elif kind.family == bindings.KIND:
        return bindings.serve(call, kind)
    match request.verb:
        case "get":
            return lists.get(call, kind)
        case "list":
            return lists.list(call, kind)
        case "watch":
            return watches.watch(call, kind, watch)
        case "create":
            return create(call, kind)
        case "update":
            return replace(call, kind)
        case "patch":
            return patch(call, kind)
        case "delete":
            return delete(call, kind)
        case _:
            return delete_all(call, kind)


def check(call: Call, kind: Kind) -> None:
    """That the path exists and takes the method."""
    request = call.request
    place = request.place
    if (place.rest and place.subresource != "proxy") or (
        place.namespace and not kind.namespaced and kind.plural != "namespaces"
    ):
        raise status.no_such_path()
    if place.name and kind.namespaced and not place.namespace:
        raise status.no_such_path()
    if place.subresource:
        if place.subresource not in kind.subresources:
            raise status.no_such_path()
        if place.verb not in subresources.verbs(kind, place.subresource):
            raise status.method_not_allowed()
        return
    everywhere = kind.namespaced and not place.namespace
    if (
        place.verb not in kind.verbs
        or request.method not in routes.VERBS
        or request.method == "HEAD"
        or (place.verb in NAMED) is not bool(place.name and place.verb != "watch")
        or (everywhere and place.verb not in ("list", "watch"))
    ):
        raise status.method_not_allowed()


def create(call: Call, kind: Kind) -> Answer:
    form = negotiate.form(call.request.accept)
    sent = bodies.read(kind, call.request.content_type, call.body)
    wanted = parameters.writing(call.request)
    body = _checked(call, kind, sent, wanted)
    written = writes.create(call.cluster, kind, call.request.namespace if kind.namespaced else "", body, wanted)
    return _written(call, kind, written, form, code=201)


def replace(call: Call, kind: Kind) -> Answer:
    form = negotiate.form(call.request.accept)
    sent = bodies.read(kind, call.request.content_type, call.body)
    wanted = parameters.writing(call.request)
    body = _checked(call, kind, sent, wanted)
    written = writes.replace(call.cluster, kind, call.request.key, body, wanted)
    return _written(call, kind, written, form)


def patch(call: Call, kind: Kind) -> Answer:
    request = call.request
    form = negotiate.form(request.accept)
    how = bodies.form_of_patch(request.content_type)
    if how == "strategic" and kind.definition is not None:
        raise status.unsupported_media_type(
            ("application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml")
        )
    wanted = parameters.writing(request, apply=how == "apply")
    if how != "apply" and call.cluster.collection(kind).get(request.key) is None:
        raise status.not_found(kind, request.name)
    sent = bodies.read_patch(how, call.body)
    change = sent.tree
    if sent.twice and wanted.validation == options.STRICT:
        raise _twice_in_patch(how, sent)
    if wanted.validation == options.WARN:
        call.request.warnings += sent.twice
    if how == "apply":
        _check_type(kind, change)
        written = writes.apply(call.cluster, kind, request.key, change, wanted)
    else:
        written = writes.patch(call.cluster, kind, request.key, how, change, wanted)
    return _written(call, kind, written, form)


def _checked(call: Call, kind: Kind, sent: gojson.Sent, wanted: options.Options) -> Body:
    """Refuses or tells of fields that were sent twice."""
    if sent.twice and wanted.validation == options.STRICT:
        raise status.bad_request(
            f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: strict decoding error: {sent.fault}'
        )
    if wanted.validation == options.WARN:
        call.request.warnings += sent.twice
    body: Body = sent.tree
    return body


def _twice_in_patch(how: str, sent: gojson.Sent) -> status.Refusal:
    if how == "apply":
        return status.bad_request(f"error strict decoding YAML: error converting YAML to JSON: {sent.fault}")
    shown = json.dumps(answers.encode(sent.tree).decode())
    cause = status.Cause("FieldValueInvalid", f"Invalid value: {shown}: strict decoding error: {sent.fault}", "patch")
    message = f' "" is invalid: {cause.field}: {cause.message}'
    return status.Refusal(422, "Invalid", message, details={"causes": [cause.body()]})


def _check_type(kind: Kind, body: Body) -> None:
    """What is applied must be of the path's type."""
    version, name = str(body.get("apiVersion") or ""), str(body.get("kind") or "")
    if (version, name) == (kind.api_version, kind.kind):
        return
    parts = version.split("/")
    if len(parts) > 2:
        version, name = "", ""
    raise status.bad_request(f"invalid object type: {version if len(parts) == 2 else f'/{version}'}, Kind={name}")


def delete(call: Call, kind: Kind) -> Answer:
    request = call.request
    form = negotiate.form(request.accept)
    given = bodies.read_options(request.content_type, call.body)
    body, gone = writes.delete(call.cluster, kind, request.key, parameters.deletion(request.query, given))
    if gone and kind.family not in ANSWERED_WHOLE:
        return answers.of(answers.success({**kind.details(request.name), "uid": body["metadata"]["uid"]}))
    return views.one(call.cluster, kind, body, form)


def delete_all(call: Call, kind: Kind) -> Answer:
    given = bodies.read_options(call.request.content_type, call.body)
    wanted = parameters.deletion(call.request.query, given)
    items, more = lists.chosen(call, kind)
    deleted = writes.delete_all(call.cluster, kind, call.request.namespace, [item.key for item in items], wanted)
    metadata = {"resourceVersion": str(call.cluster.storage.revision), **more}
    return answers.of(views.listing(kind, deleted, metadata))


def _written(call: Call, kind: Kind, written: options.Written, form: negotiate.Form, *, code: int = 200) -> Answer:
    call.request.warnings = (*written.warnings, *call.request.warnings)
    include = call.request.query.get("includeObject", "")
    if written.created:
        code = 201
    item = call.cluster.collection(kind).get(_key(kind, written.body))
    if item is not None and item.body is written.body and not form.shape and not form.yaml:
        return answers.Answer(item.text(), status=code)
    return views.one(call.cluster, kind, written.body, form, code=code, include=include)


def _key(kind: Kind, body: Body) -> tuple[str, str]:
    metadata = body["metadata"]
    return metadata.get("namespace", "") if kind.namespaced else "", metadata.get("name", "")


def warning_headers(texts: Sequence[str]) -> list[tuple[bytes, bytes]]:
    """As HTTP has warnings: code 299, no agent, the text in quotes; the same text once."""
    quoted = [text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") for text in dict.fromkeys(texts)]
    return [(b"warning", f'299 - "{text}"'.encode()) for text in quoted]
