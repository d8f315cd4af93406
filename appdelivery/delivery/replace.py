"""Objects whose change needs a new object: which fields, whether it is allowed, and how the old one goes (delivery.md 7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appdelivery.delivery import paths
from appdelivery.model import canonical, fieldpath, redact
from appdelivery.model.record import record
from appdelivery.model.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from appdelivery.delivery.consent import Consent
    from appdelivery.delivery.desired import Desired

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
    "Deployment": ("spec.selector",),
    "DaemonSet": ("spec.selector",),
    "ReplicaSet": ("spec.selector",),
    "Service": ("spec.clusterIP",),
    "Pod": ("spec.restartPolicy", "spec.serviceAccountName", "spec.nodeName", "spec.volumes"),
}
BY_FORMER = frozenset(("Deployment", "DaemonSet", "ReplicaSet"))  # compared with what was last applied: no request
SHOWN = 80  # characters of a value
AUTOMATIC = frozenset(("Job",))
BY_NAME = frozenset(("PersistentVolumeClaim", "PersistentVolume", "Namespace", "CustomResourceDefinition"))


@record
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
    hint = (
        f'to let it be deleted and created again: annotation appdelivery.dev/recreate: "true" on the {kind}, or '
        f"recreateFields of policy resource-update"
    )
    return Rule(kind in AUTOMATIC or item.recreate or consent.recreate, propagation, hint)


def changed_fields(desired: dict[str, Any], live: dict[str, Any], *, whole: bool = True) -> dict[str, tuple[Any, Any]]:
    """Immutable fields whose wanted value is not what the live object holds, as (is, wanted).  A guess: the server's
    answer decides.  whole=False: `live` is what was last applied, so a field that it lacks may have any value."""
    fields = {}
    for path in IMMUTABLE.get(desired["kind"], ()):
        steps = fieldpath.parse(f".{path}")
        wanted, is_now = fieldpath.get(desired, steps), fieldpath.get(live, steps)
        if wanted is not None and not _within(wanted, is_now) and (whole or is_now is not None):
            fields[path] = (is_now, wanted)
    return fields


def recreated_fields(item: Desired, live: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Fields whose change means a new object because the policy resource-update says so, as (is, wanted)."""
    fields = {}
    for pattern in item.recreate_fields:
        for steps in paths.find(item.body, pattern):
            wanted, is_now = fieldpath.get(item.body, steps), fieldpath.get(live, steps)
            if not _within(wanted, is_now):
                fields[fieldpath.show(steps).removeprefix(".")] = (is_now, wanted)
    return fields


def explained(fields: Mapping[str, tuple[Any, Any]]) -> str:
    """spec.serviceName cannot change (is a, wanted b)"""
    return "; ".join([f"{path} cannot change{_values(*both)}" for path, both in fields.items()])


def asked_for(fields: Mapping[str, tuple[Any, Any]]) -> str:
    """spec.image changes (is a, wanted b)"""
    return "; ".join([f"{path} changes{_values(*both)}" for path, both in fields.items()])


def _values(is_now: Any, wanted: Any) -> str:
    if redact.values([is_now, wanted]):
        return ""
    before, after = [canonical.text(one) if isinstance(one, dict | list) else str(one) for one in (is_now, wanted)]
    return f" (is {before}, wanted {after})" if max(len(before), len(after)) <= SHOWN else ""


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
