"""Pods and their hashes out of pod templates: the same for every controller that makes pods."""

from __future__ import annotations

import json

from appdelivery.sandbox import status
from appdelivery.sandbox.controllers import objects, writing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from appdelivery.sandbox.controllers.context import Context
    from appdelivery.sandbox.storage import Body

HASH = "pod-template-hash"
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


def hashed(template: dict[str, Any], collisions: int = 0) -> str:
    """In the form of a real one (FNV-1a as safe letters); the number differs, as Go prints its structures."""
    text = json.dumps(template, sort_keys=True, separators=(",", ":")) + (str(collisions) if collisions else "")
    number = 2166136261
    for byte in text.encode():
        number = ((number ^ byte) * 16777619) & 0xFFFFFFFF
    return "".join(_ALPHABET[ord(digit) % len(_ALPHABET)] for digit in str(number))


def without_hash(template: dict[str, Any]) -> dict[str, Any]:
    """A ReplicaSet's template as its Deployment wrote it."""
    metadata = template.get("metadata") or {}
    labels = {key: value for key, value in (metadata.get("labels") or {}).items() if key != HASH}
    rest = {key: value for key, value in metadata.items() if key not in ("labels", "creationTimestamp") and value}
    return {**template, "metadata": {**rest, **({"labels": labels} if labels else {})}}


def pod(
    owner: Body,
    name: str,
    *,
    template: dict[str, Any] | None = None,
    labels: dict[str, str] | None = None,
    generated: str = "",
) -> Body:
    """generated: the prefix of a random name."""
    template = template or owner["spec"]["template"]
    given = template.get("metadata") or {}
    metadata: dict[str, Any] = {"name": name}
    if generated:
        metadata["generateName"] = generated
    metadata["namespace"] = owner["metadata"]["namespace"]
    all_labels = {**(given.get("labels") or {}), **(labels or {})}
    if all_labels:
        metadata["labels"] = all_labels
    if given.get("annotations"):
        metadata["annotations"] = dict(given["annotations"])
    if given.get("finalizers"):
        metadata["finalizers"] = list(given["finalizers"])
    metadata["ownerReferences"] = [objects.owner_reference(owner)]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": dict(template["spec"])}


def create(context: Context, owner: Body, body: Body, *, by: str) -> Body:
    """The pod, with the owner's event for it, or for why it could not be."""
    try:
        made = writing.create(context, body)
    except status.Refusal as refusal:
        if not refusal.details or not _ends(refusal):
            context.events.warning(owner, "FailedCreate", f"Error creating: {refusal.message}", by=by)
        raise
    context.events.normal(owner, "SuccessfulCreate", f"Created pod: {made['metadata']['name']}", by=by)
    return made


def _ends(refusal: status.Refusal) -> bool:
    """A namespace on its way out: nothing more to say."""
    causes = (refusal.details or {}).get("causes") or ()
    return any(cause["reason"] == "NamespaceTerminating" for cause in causes)


def delete(context: Context, owner: Body, body: Body, *, by: str) -> None:
    writing.delete(context, body)
    context.events.normal(owner, "SuccessfulDelete", f"Deleted pod: {body['metadata']['name']}", by=by)
