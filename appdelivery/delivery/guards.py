"""What stands between an object and its deletion: the guards of delivery.md section 9 that a plan can judge.  Pure.

G1 (nothing that the newest release wants) is checked here by construction, again by the journal when the intent is recorded
and once more before the request (prune.py).  A refused candidate stays in the inventory as a pending deletion.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appdelivery.delivery import desired, sharing
from appdelivery.model import fieldpath, marks
from appdelivery.model.change import Change, Why

if TYPE_CHECKING:
    from collections.abc import Sequence

    from appdelivery.delivery.consent import Consent
    from appdelivery.delivery.policies import Policies
    from appdelivery.delivery.ports import Installation
    from appdelivery.model.change import Subject
    from appdelivery.model.history import Managed
    from appdelivery.model.live import LiveFact
    from appdelivery.model.refs import AppKey

SHARE, COUNT = 0.30, 20
BY_NAME = frozenset(("PersistentVolumeClaim", "PersistentVolume", "Namespace", "CustomResourceDefinition"))
CONFIRM = "appdelivery.dev/confirm-delete"


def released(row: Managed, fact: LiveFact, installation: Installation, app: AppKey) -> bool:
    """G7: another object under the same name, or no longer ours.  The row is closed, the object untouched."""
    if row.mode == "read-only":
        return True
    if row.uid and row.uid != fact.uid:
        return True
    return not marks.is_self(fact.owner, row.ref) or marks.owner_app(fact.owner) != (installation.label, app)


def refusal(
    row: Managed,
    fact: LiveFact,
    body: dict[str, Any] | None,
    *,
    subject: Subject,
    consent: Consent,
    given: Policies,
    request: str,
    trusted: bool,
) -> Why | None:
    """Why a candidate is not deleted now; None when nothing is against it."""
    annotations: dict[str, Any] = ((body or {}).get("metadata") or {}).get("annotations") or {}
    if not trusted:  # G2
        return Why("prune-disabled", "not everything could be rendered, so nothing is deleted in this run", {})
    if given.keep_legacy and request != "delete":
        return Why("prune-disabled", "policy garbage-collect says keepLegacyResource", {})
    if sharers := sharing.sharers(body, but=row.app):  # G8
        heir = sharers[0]
        return Why("shared-not-owner", f"it is handed over to application {heir}, which shares it", {"heir": str(heir)})
    rule = given.collects_row(row)
    strategy = row.gc if rule is None or row.gc == "never" else rule.strategy
    if desired.keeps(annotations) or strategy == "never":  # G6
        return Why("gc-never", "its annotations or the policy garbage-collect keep it", {})
    if strategy == "onAppDelete" and request != "delete":
        return Why("gc-on-app-delete", "it is deleted with the application", {})
    if (reason := by_name(row, body)) and not consent.by_name(subject):  # G5
        ref = row.ref
        return Why("needs-consent", reason, {"hint": f"if that is meant: --delete {ref.kind}/{ref.name}", "uid": fact.uid})
    return None


def by_name(row: Managed, body: dict[str, Any] | None) -> str:
    """Why an object is deleted only when it was named; '' for most."""
    if row.ref.kind in BY_NAME:
        return f"a {row.ref.kind} holds what cannot be made again"
    annotations = ((body or {}).get("metadata") or {}).get("annotations") or {}
    if str(annotations.get(CONFIRM)) == "true":
        return f"annotation {CONFIRM} asks for it"
    retention = fieldpath.get(body or {}, ("spec", "persistentVolumeClaimRetentionPolicy", "whenDeleted"))
    if row.ref.kind == "StatefulSet" and retention == "Delete":
        return "its volumes are deleted with it"
    return ""


def within_budget(
    changes: Sequence[Change], inventory: Sequence[Managed], *, consent: Consent, request: str
) -> list[Change]:
    """G4: more than 30 % or more than 20 of an application's objects need consent.  One object of several is no mass
    deletion whatever its share: an application of three may lose one."""
    going = [change for change in changes if change.action == "delete"]
    total = len([row for row in inventory if row.mode in ("owned", "shared-writer")])
    few = len(going) <= COUNT and (len(going) <= SHARE * total or (len(going) == 1 and total > 1))
    if request == "delete" or few or len(going) <= consent.allow_deletes:
        return list(changes)
    text = f"{len(going)} of {total} objects would be deleted in one release"
    why = Why("over-budget", text, {"hint": f"if that is meant: --allow-deletes {len(going)}"})
    return [Change(c.subject, "skip", why, c.before) if c.action == "delete" else c for c in changes]
