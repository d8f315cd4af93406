"""Who an object is: names, namespaces, uid, stamps, versions that must match, and the namespace it is born into."""

from __future__ import annotations

import secrets
import uuid

from appdelivery.sandbox import status
from appdelivery.sandbox.writes import fieldsets
from appdelivery.sandbox.writes.rules import words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from appdelivery.sandbox.cluster import Cluster
    from appdelivery.sandbox.kinds import Kind
    from appdelivery.sandbox.storage import Body, Key

ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
LONGEST = 63 - 5
GIVEN = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "resourceVersion")


def received(cluster: Cluster, kind: Kind, body: Body, namespace: str, name: str | None) -> Body:
    """A shallow copy with its kind stated, after the checks a request must pass before it is decoded."""
    if kind.definition is not None:
        _custom(kind, body)
    elif why := other(cluster, kind, body):
        version, named = (body.get("apiVersion") or kind.api_version).rpartition("/")[2], body.get("kind") or kind.kind
        raise status.bad_request(f'{named} in version "{version}" cannot be handled as a {kind.kind}: {why}')
    return addressed(kind, body, namespace, name)


def _custom(kind: Kind, body: Body) -> None:
    """A custom object must say what it is."""
    stated = body.get("apiVersion", "")
    if not body.get("kind"):
        text = fieldsets.plain(body)
        raise status.bad_request(
            f"the object provided is unrecognized (must be of type {kind.kind}): Object 'Kind' is missing in '{text}' "
            f"({text[:30]} ...)"
        )
    if stated != kind.api_version:
        raise status.bad_request(
            f"the API version in the data ({stated}) does not match the expected API version ({kind.api_version})"
        )
    _same_kind(kind, body)


def _same_kind(kind: Kind, body: Body) -> None:
    causes = []
    if body.get("kind") != kind.kind:
        causes.append(words.invalid("kind", body.get("kind"), f"must be {kind.kind}"))
    if body.get("apiVersion") != kind.api_version:
        causes.append(words.invalid("apiVersion", body.get("apiVersion"), f"must be {kind.api_version}"))
    if not causes:
        return
    named, group = body.get("kind", ""), body.get("apiVersion", "").rpartition("/")[0]
    name = (body.get("metadata") or {}).get("name", "")
    said = [f"{cause.field}: {cause.message}" for cause in causes]
    message = f'{named}{"." if group else ""}{group} "{name}" is invalid: '
    message += said[0] if len(said) == 1 else f"[{', '.join(said)}]"
    details = {"name": name, "group": group, "kind": named, "causes": [cause.body() for cause in causes]}
    raise status.Refusal(422, "Invalid", message, details={key: value for key, value in details.items() if value})


def patched(cluster: Cluster, kind: Kind, body: Body) -> str:
    """What keeps the server from reading a patched body as the kind; '' when nothing does."""
    if kind.definition is None:
        return other(cluster, kind, body)
    _same_kind(kind, body)
    return ""


def addressed(kind: Kind, body: Body, namespace: str, name: str | None) -> Body:
    """A shallow copy with its kind stated, whose name and namespace are those of the request."""
    metadata = body.get("metadata")
    if metadata is not None and not isinstance(metadata, dict):
        return body  # the decoder says what is wrong
    metadata = dict(metadata or {})
    if kind.namespaced:
        if metadata.get("namespace") not in (None, "", namespace):
            raise status.bad_request("the namespace of the provided object does not match the namespace sent on the request")
        metadata["namespace"] = namespace
    else:
        metadata.pop("namespace", None)
    if name is not None:
        if not metadata.get("name"):
            raise status.bad_request(
                f"the name of the object ({name} based on URL) was undeterminable: name must be provided"
            )
        if metadata["name"] != name:
            raise status.bad_request(
                f"the name of the object ({metadata['name']}) does not match the name on the URL ({name})"
            )
    return {**body, "apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata}


def other(cluster: Cluster, kind: Kind, body: Body) -> str:
    """What is wrong with the apiVersion and kind of a body; '' when they are those of the kind, or not stated."""
    stated, named = body.get("apiVersion") or kind.api_version, body.get("kind") or kind.kind
    if (stated, named) == (kind.api_version, kind.kind):
        return ""
    found = cluster.kinds.named(stated, named)
    if found is None or found.definition is not None:
        return f'no kind "{named}" is registered for version "{stated}" in scheme "pkg/runtime/scheme.go:111"'
    return f"converting ({found.version}.{named}) to ({kind.group or 'core'}.{kind.kind}): unknown conversion"


def born(cluster: Cluster, metadata: Body) -> None:
    """What every new object gets."""
    for key in GIVEN:
        metadata.pop(key, None)
    if not metadata.get("name") and metadata.get("generateName"):
        metadata["name"] = metadata["generateName"][:LONGEST] + "".join(secrets.choice(ALPHABET) for _ in range(5))
    metadata["uid"] = str(uuid.uuid4())
    metadata["creationTimestamp"] = cluster.clock.stamp()


def kept(old: Body, new: Body) -> None:
    """What no update changes."""
    for key in ("uid", "creationTimestamp", "deletionTimestamp", "selfLink"):
        if key in old:
            new[key] = old[key]
        else:
            new.pop(key, None)
    if "deletionGracePeriodSeconds" in old:
        new.setdefault("deletionGracePeriodSeconds", old["deletionGracePeriodSeconds"])
    else:
        new.pop("deletionGracePeriodSeconds", None)


def home(cluster: Cluster, kind: Kind, namespace: str, name: str) -> None:
    """The namespace must be there, and not on its way out."""
    if not kind.namespaced:
        return
    found = cluster.storage.family(("", "namespaces")).get(("", namespace))
    if found is None:
        details = {"name": namespace, "kind": "namespaces"}
        raise status.Refusal(404, "NotFound", f'namespaces "{namespace}" not found', details=details)
    if found.body.get("status", {}).get("phase") == "Terminating" or "deletionTimestamp" in found.body["metadata"]:
        refused: Body = kind.details(name) | {
            "causes": [{
                "reason": "NamespaceTerminating",
                "message": f"namespace {namespace} is being terminated",
                "field": "metadata.namespace",
            }]
        }  # fmt: skip
        raise status.Refusal(
            403, "Forbidden",
            f'{kind.qualified} "{name}" is forbidden: unable to create new content in namespace {namespace} '
            "because it is being terminated",
            details=refused,
        )  # fmt: skip


def matches(kind: Kind, key: Key, old: Body, metadata: Body, *, is_put: bool = False) -> None:
    """The uid and version that a write names must be those of the stored object."""
    version, uid = metadata.get("resourceVersion", ""), metadata.get("uid", "")
    if uid and uid != old["metadata"]["uid"]:
        if not is_put:
            raise status.invalid(kind, key[1], [words.invalid("metadata.uid", uid, words.IMMUTABLE)] * 2)
        place = "/".join(part for part in ("/registry", kind.plural, *key) if part)
        raise status.conflict(
            kind, key[1],
            f"StorageError: invalid object, Code: 4, Key: {place}, ResourceVersion: 0, AdditionalErrorMsg: "
            f"Precondition failed: UID in precondition: {uid}, UID in object meta: {old['metadata']['uid']}",
        )  # fmt: skip
    if version and version != old["metadata"]["resourceVersion"]:
        raise status.modified(kind, key[1])


def unversioned(kind: Kind, name: str) -> status.Refusal:
    """A PUT that names no version, of a kind that wants one."""
    cause = status.Cause(
        "FieldValueInvalid", "Invalid value: 0: must be specified for an update", "metadata.resourceVersion"
    )
    message = f'{kind.qualified} "{name}" is invalid: {cause.field}: {cause.message}'
    return status.Refusal(422, "Invalid", message, details=kind.details(name) | {"causes": [cause.body()]})
