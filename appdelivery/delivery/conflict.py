"""Who keeps a field that another manager owns (delivery.md section 6.1).  Pure; called by send.

Default: give up what autoscalers and certificate injectors own, keep the rest and say so.  Narrowest wins: the autoscaler
over everything, an author's new value, the policy `conflict`, the command line, the default.
"""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING

from appdelivery.model import marks
from appdelivery.model.record import record

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from appdelivery.delivery.consent import Consent
    from appdelivery.delivery.desired import Desired
    from appdelivery.delivery.policies import Policies

    Owner = tuple[str, str, str, str]  # manager, operation, subresource, path

REPLICAS = ".spec.replicas"
AUTOSCALER = "autoscaler"  # the manager in `yielded` while replicas are left to an autoscaler
VERTICAL_SCALERS = ("vpa-*", "*vertical-pod-autoscaler*")
ALWAYS_OTHERS = (".metadata.finalizers", ".metadata.ownerReferences")


@record
class Decision:
    """Pairs of path and manager."""

    yielded: tuple[tuple[str, str], ...] = ()
    forced: tuple[tuple[str, str], ...] = ()
    refused: tuple[tuple[str, str], ...] = ()


def decide(
    owners: Iterable[Owner],
    item: Desired,
    *,
    given: Policies,
    consent: Consent,
    scaled: bool = False,
    retake: Sequence[str] = (),
) -> Decision:
    """scaled: an autoscaler owns the replicas of this object.  retake: fields whose author wrote a new value."""
    found: dict[str, list[tuple[str, str]]] = {"yield": [], "force": [], "fail": []}
    for owner in sorted(set(owners)):
        manager, _, _, path = owner
        found[_one(owner, item, given=given, consent=consent, scaled=scaled, retake=retake)].append((path, manager))
    return Decision(tuple(found["yield"]), tuple(found["force"]), tuple(found["fail"]))


def _one(owner: Owner, item: Desired, *, given: Policies, consent: Consent, scaled: bool, retake: Sequence[str]) -> str:
    manager, _, _, path = owner
    if path == REPLICAS and scaled:
        return "yield"
    if manager.partition(":")[0].startswith((f"{marks.MANAGER}-",)):
        return "force"  # the second managers are ourselves
    if path in retake:
        return "force"
    for rule in given.conflict:
        if rule.matches(item, path, manager):
            return rule.do
    usual = _usual(owner)
    if usual == "yield":
        return "force" if consent.force_conflicts else "yield"
    return "fail" if consent.fail_on_conflict else "force"


def _usual(owner: Owner) -> str:
    manager, _, subresource, path = owner
    if path == REPLICAS and subresource == "scale":
        return "yield"
    if ".resources" in path and any(fnmatch.fnmatchcase(manager, glob) for glob in VERTICAL_SCALERS):
        return "yield"
    if path.endswith(".caBundle") or path.startswith(ALWAYS_OTHERS):
        return "yield"
    return "force"


def explain(decision: Decision) -> str:
    """Why an object is not applied."""
    fields = ", ".join([f"{path} (owned by {manager})" for path, manager in decision.refused])
    return f"fields belong to other managers: {fields}"
