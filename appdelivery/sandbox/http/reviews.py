"""Questions about access that are asked by creating an object: access and rules reviews, token reviews, tokens of accounts.

Nothing of them is stored; the answer is the object that was sent, with a status.
"""

from __future__ import annotations

import secrets
from datetime import timedelta

from appdelivery.sandbox import status
from appdelivery.sandbox.http import access, answers, bodies

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from appdelivery.sandbox.http.access import Identity
    from appdelivery.sandbox.http.answers import Answer
    from appdelivery.sandbox.http.serving import Call
    from appdelivery.sandbox.kinds import Kind

    Body = dict[str, Any]

AUTHORIZATION, AUTHENTICATION = "authorization.k8s.io", "authentication.k8s.io"
KINDS = frozenset([
    (AUTHORIZATION, "selfsubjectaccessreviews"), (AUTHORIZATION, "selfsubjectrulesreviews"),
    (AUTHORIZATION, "subjectaccessreviews"), (AUTHORIZATION, "localsubjectaccessreviews"),
    (AUTHENTICATION, "selfsubjectreviews"), (AUTHENTICATION, "tokenreviews"),
])  # fmt: skip
MASTERS = "system:masters"
LASTING = 3600  # seconds of a token that names no time


def serve(call: Call, kind: Kind) -> Answer:
    if call.request.verb != "create":
        raise status.method_not_allowed()
    body = bodies.read(kind, call.request.content_type, call.body).tree
    spec = body.get("spec") or {}
    match kind.plural:
        case "selfsubjectaccessreviews":
            said = _access(call, _asker(call), spec)
        case "selfsubjectrulesreviews":
            return _reviewed(kind, body, _rules(call, spec), spec={})
        case "selfsubjectreviews":
            return _reviewed(kind, body, {"userInfo": _user(_asker(call))}, stamp=call.cluster.clock.stamp())
        case "tokenreviews":
            said = _token(call, spec)
        case _:
            said = _access(call, _named(call, spec), spec)
    if call.request.namespace:
        body = {**body, "metadata": {**(body.get("metadata") or {}), "namespace": call.request.namespace}}
    return _reviewed(kind, body, said, spec=spec)


def token(call: Call, kind: Kind) -> Answer:
    """POST serviceaccounts/NAME/token: a token that is good for this sandbox until it ends."""
    item = call.cluster.collection(kind).get(call.request.key)
    if item is None:
        raise status.not_found(kind, call.request.name)
    sent = bodies.read(kind, call.request.content_type, call.body).tree
    spec = {"audiences": [_issuer(call)], "expirationSeconds": LASTING, "boundObjectRef": None, **(sent.get("spec") or {})}
    namespace, name = call.request.key
    user = f"{access.SERVICE_ACCOUNT}{namespace}:{name}"
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
    known = call.serving.access.users.get(user, access.Identity(user, groups, uid=item.uid))
    made = secrets.token_urlsafe(32)
    call.serving.access.tokens[made] = known
    now = call.cluster.clock.now()
    expires = (now + timedelta(seconds=spec["expirationSeconds"])).strftime("%Y-%m-%dT%H:%M:%SZ")
    metadata = {"name": name, "namespace": namespace, "uid": item.uid, "creationTimestamp": call.cluster.clock.stamp()}
    body = {"kind": "TokenRequest", "apiVersion": f"{AUTHENTICATION}/v1", "metadata": metadata, "spec": spec}
    return answers.of({**body, "status": {"token": made, "expirationTimestamp": expires}}, status=201)


def _reviewed(kind: Kind, body: Body, said: Body, *, spec: Body | None = None, stamp: str = "") -> Answer:
    metadata = dict(body.get("metadata") or {})
    if stamp:
        metadata["creationTimestamp"] = stamp
    answer: Body = {"kind": kind.kind, "apiVersion": kind.api_version, "metadata": metadata}
    if spec is not None:
        answer["spec"] = spec
    return answers.of({**answer, "status": said}, status=201)


def _access(call: Call, identity: Identity, spec: Body) -> Body:
    asked, url = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if (asked is None) == (url is None):
        message = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        cause = status.Cause("FieldValueInvalid", f"Invalid value: null: {message}", "spec.resourceAttributes")
        details = {"group": AUTHORIZATION, "causes": [cause.body()]}
        raise status.Refusal(
            422, "Invalid", f'.{AUTHORIZATION} "" is invalid: {cause.field}: {cause.message}', details=details
        )
    if url is not None:
        action = access.Action(url.get("verb", ""), url=url.get("path", ""))
    else:
        keys = ("verb", "group", "resource", "subresource", "namespace", "name")
        action = access.Action(*[(asked or {}).get(key, "") for key in keys])
    return {"allowed": call.serving.access.allows(identity, action)}


def _rules(call: Call, spec: Body) -> Body:
    namespace = spec.get("namespace", "")
    if not namespace:
        raise status.bad_request("no namespace on request")
    identity = _asker(call)
    resources, urls = [], []
    for rule in access.rules(identity):
        if rule.urls:
            urls.append({"verbs": list(rule.verbs), "nonResourceURLs": list(rule.urls)})
        elif not rule.namespaces or namespace in rule.namespaces or access.ANY in rule.namespaces:
            entry = {"verbs": list(rule.verbs), "apiGroups": list(rule.groups), "resources": list(rule.kinds)}
            resources.append({**entry, "resourceNames": list(rule.names)} if rule.names else entry)
    said: Body = {"resourceRules": resources, "nonResourceRules": urls, "incomplete": bool(identity.deny)}
    if identity.deny:
        said["evaluationError"] = "there are rules that deny, which this list cannot show"
    return said


def _token(call: Call, spec: Body) -> Body:
    given = spec.get("token")
    if not given:
        raise status.bad_request("token is required for TokenReview in authentication")
    identity = call.serving.access.of(given)
    if identity is None:
        return {"user": {}, "error": "invalid bearer token"}
    return {"authenticated": True, "user": _user(identity), "audiences": spec.get("audiences") or [_issuer(call)]}


def _user(identity: Identity) -> Body:
    found: Body = {
        "username": identity.user,
        "uid": identity.uid,
        "groups": list(identity.groups),
        "extra": dict(identity.extra),
    }
    return {key: value for key, value in found.items() if value}


def _asker(call: Call) -> Identity:
    return call.request.identity or call.serving.access.anonymous


def _named(call: Call, spec: Body) -> Identity:
    user = spec.get("user", "")
    if MASTERS in (spec.get("groups") or ()):
        return access.administrator(user)
    return call.serving.access.users.get(user, access.Identity(user))


def _issuer(call: Call) -> str:
    return f"https://{call.request.host}"
