"""An object without what belongs to the server, and with what an apply would refuse named before it is sent.  Pure."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from appdelivery import errors
from appdelivery.delivery import listkeys
from appdelivery.model import redact
from appdelivery.model.problem import Problem
from appdelivery.model.refs import kind_of
from appdelivery.model.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator

    from appdelivery.model.refs import Kind

SERVERS = frozenset(
    ("managedFields", "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp", "selfLink")
)
DEEPEST = 100


def flattened(body: Any, depth: int = 0) -> Iterator[dict[str, Any]]:
    """The objects of a List, of whatever kind; other objects as they are."""
    is_list = isinstance(body, dict) and str(body.get("kind", "")).endswith("List") and isinstance(body.get("items"), list)
    if not is_list or depth > 3:
        yield body
        return
    for item in body["items"]:
        if isinstance(item, dict) and "kind" not in item and body["kind"] != "List":
            item = {"apiVersion": body.get("apiVersion"), "kind": body["kind"].removesuffix("List"), **item}
        yield from flattened(item, depth + 1)


def normalised(body: Any, warnings: list[str]) -> dict[str, Any]:
    """SpecError when it is no object that can be owned."""
    _is_object(body)
    metadata = {key: value for key, value in body["metadata"].items() if key not in SERVERS}
    clean = {key: value for key, value in body.items() if key != "status"} | {"metadata": metadata}
    name = f"{clean['kind']} {metadata['name']}"
    if _deeper(clean, DEEPEST):
        raise _wrong(f"{name} is nested more than {DEEPEST} levels deep")
    if redact.is_masked(clean):
        raise errors.SpecError(
            [
                Problem(
                    f"{name} holds a masked value; masked text is never applied",
                    code="delivery.masked-value",
                    hint="take the manifest from its source, not from a listing",
                )
            ]
        )
    kind = kind_of(clean)
    if (kind.group, kind.kind) == ("", "Secret"):
        return _secret(clean)
    if kind.kind == "ClusterRole" and clean.get("aggregationRule") and clean.get("rules"):
        warnings.append(f"{name}: rules are left out, the aggregation controller owns them")
        return {key: value for key, value in clean.items() if key != "rules"}
    return clean


def in_namespace(body: dict[str, Any], namespace: str) -> dict[str, Any]:
    metadata = body["metadata"]
    if metadata.get("namespace", "") == namespace:
        return body
    rest = {key: value for key, value in metadata.items() if key != "namespace"}
    return {**body, "metadata": {**rest, "namespace": namespace} if namespace else rest}


def doubled_keys(body: dict[str, Any]) -> list[Problem]:
    """Entries of a list that share a key: client-side tools accept them, a server-side apply does not."""
    problems: list[Problem] = []
    _walk(kind_of(body), body, (), f"{body['kind']} {body['metadata']['name']}", problems)
    return problems


def _walk(of: Kind, tree: Any, fields: tuple[str, ...], name: str, problems: list[Problem]) -> None:
    if isinstance(tree, dict):
        for key, value in tree.items():
            if isinstance(value, dict | list):
                _walk(of, value, (*fields, key), name, problems)
    elif isinstance(tree, list):
        keys = listkeys.keys(of, fields)
        seen: set[str] = set()
        for entry in tree:
            if keys and (found := listkeys.key_of(entry, keys)):
                shown = ", ".join([f"{field} {value!r}" for field, value in found])
                if shown in seen:
                    text = f"{name}: {'.'.join(fields)} has {shown} twice"
                    problems.append(Problem(text, code="delivery.duplicate-key", hint="remove one of the two entries"))
                seen.add(shown)
            _walk(of, entry, fields, name, problems)


def _is_object(body: Any) -> None:
    if not isinstance(body, dict) or not isinstance(body.get("kind"), str) or not isinstance(body.get("apiVersion"), str):
        raise _wrong("this is no Kubernetes object: apiVersion and kind are missing")
    metadata = body.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    if isinstance(metadata, dict) and not name and metadata.get("generateName"):
        raise errors.SpecError(
            [
                Problem(
                    f"{body['kind']} uses generateName: an object without a fixed name cannot be owned",
                    code="delivery.generate-name",
                    hint="write metadata.name",
                )
            ]
        )
    if not isinstance(name, str) or not name:
        raise _wrong(f"{body['kind']} has no metadata.name")


def _secret(body: dict[str, Any]) -> dict[str, Any]:
    """stringData folded into data (the server never shows it again), every value wrapped so that no output holds it."""
    data = {key: _data(key, value, body) for key, value in (body.get("data") or {}).items()}
    for key, value in (body.get("stringData") or {}).items():
        data[key] = value.as_base64() if isinstance(value, Secret) else Secret(str(value), encoded=True)
    rest = {key: value for key, value in body.items() if key not in ("data", "stringData")}
    return {**rest, "data": data} if data else rest


def _data(key: str, value: Any, body: dict[str, Any]) -> Secret:
    if isinstance(value, Secret):
        return value
    try:
        decoded = base64.b64decode(str(value), validate=True)
    except (binascii.Error, ValueError):
        raise _wrong(
            f"Secret {body['metadata']['name']}: data.{key} is not base64", hint="plain text belongs into stringData"
        ) from None
    try:
        return Secret(decoded.decode(), encoded=True)
    except UnicodeDecodeError:
        return Secret(str(value))  # bytes that are no text: kept as they are written


def _deeper(tree: Any, limit: int) -> bool:
    if limit < 0:
        return True
    if isinstance(tree, dict):
        return any(_deeper(value, limit - 1) for value in tree.values() if isinstance(value, dict | list))
    if isinstance(tree, list):
        return any(_deeper(value, limit - 1) for value in tree if isinstance(value, dict | list))
    return False


def _wrong(text: str, *, hint: str = "") -> errors.SpecError:
    return errors.SpecError([Problem(text, code="delivery.object", hint=hint)])
