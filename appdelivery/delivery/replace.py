"""Objects whose change needs a new object: which fields, whether it is allowed, and how the old one goes (delivery.md 7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from appdelivery.model import fieldpath
from appdelivery.model.secret import Secret

if TYPE_CHECKING:
    from appdelivery.delivery.desired import Desired
    from appdelivery.delivery.plan import Consent

IMMUTABLE = {
    "Job": ("spec.template", "spec.selector", "spec.completions", "spec.completionMode"),
    "StatefulSet": ("spec.selector", "spec.serviceName", "spec.volumeClaimTemplates", "spec.podManagementPolicy"),
    "PersistentVolumeClaim": (
        "spec.accessModes",
        "spec.storageClassName",
        "spec.volumeName",
        "spec.volumeMode",
        "spec.dataSource",
    ),
    "Pod": ("spec.restartPolicy", "spec.serviceAccountName", "spec.nodeName", "spec.volumes"),
}
AUTOMATIC = frozenset(("Job",))
BY_NAME = frozenset(("PersistentVolumeClaim", "PersistentVolume", "Namespace", "CustomResourceDefinition"))


@dataclass(frozen=True, slots=True)
class Rule:
    allowed: bool
    propagation: str  # of the deletion
    hint: str = ""


def rule(item: Desired, *, consent: Consent) -> Rule:
    """Whether an object may be deleted and created again, and how."""
    kind, name = item.subject.ref.kind, item.subject.ref.name
    propagation = "Orphan" if kind == "StatefulSet" else "Foreground"
    if kind in BY_NAME:
        hint = f"it holds data or other objects; if that is meant: --delete {kind}/{name}"
        return Rule(consent.by_name(item.subject), propagation, hint)
    hint = f'to allow it: annotation appdelivery.dev/recreate: "true" on the {kind}, or --recreate'
    return Rule(kind in AUTOMATIC or item.recreate or consent.recreate, propagation, hint)


def changed_fields(desired: dict[str, Any], live: dict[str, Any]) -> list[str]:
    """Immutable fields whose wanted value is not what the live object holds.  A guess: the server's answer decides."""
    fields = []
    for path in IMMUTABLE.get(desired["kind"], ()):
        steps = fieldpath.parse(f".{path}")
        wanted = fieldpath.get(desired, steps)
        if wanted is not None and not _within(wanted, fieldpath.get(live, steps)):
            fields.append(path)
    return fields


def _within(wanted: Any, live: Any) -> bool:
    """Whether a live value, with the server's defaults, holds all that is wanted."""
    if isinstance(wanted, Secret):
        return True
    if isinstance(wanted, dict):
        return isinstance(live, dict) and all(
            _within(value, live.get(key)) for key, value in wanted.items() if value not in ({}, None)
        )
    if isinstance(wanted, list):
        if not isinstance(live, list) or len(live) < len(wanted):
            return not wanted
        return all(_within(one, other) for one, other in zip(wanted, live, strict=False))
    return bool(wanted == live) or str(wanted) == str(live) or (not wanted and live is None)
