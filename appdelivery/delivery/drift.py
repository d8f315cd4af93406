"""Whether live objects are still as we left them (delivery.md sections 3.1 and 11): seen, explained, not repaired.

A candidate is found from the record and the live fact alone; one dry run then tells a changed value from changed ownership
and from changed order.  Called by platform for `diff` and `status --live`.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from appdelivery import errors
from appdelivery.delivery import compare, diff, look, paths, plan
from appdelivery.delivery.ports import ApplyOptions
from appdelivery.model import marks
from appdelivery.model.record import changed, record
from appdelivery.model.refs import kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from appdelivery.delivery.desired import Desired
    from appdelivery.delivery.look import Known
    from appdelivery.delivery.policies import Policies
    from appdelivery.delivery.ports import Fleet, Identity, Installation
    from appdelivery.model.history import Managed
    from appdelivery.model.live import Live, LiveFact
    from appdelivery.model.refs import AppKey

# Fields that servers and controllers fill, for objects that render them themselves.
IGNORED = {
    "Service": (".spec.clusterIP", ".spec.clusterIPs", ".spec.healthCheckNodePort", ".spec.ports.*.nodePort"),
    "PersistentVolumeClaim": (".spec.volumeName", ".spec.storageClassName"),
    "Pod": (".spec.nodeName",),
    "Namespace": (".spec.finalizers",),
    "ServiceAccount": (".secrets",),
}
IGNORED_EVERYWHERE = ("/**/caBundle", "/metadata/annotations/deployment.kubernetes.io~1revision")


@record
class Drift:
    """kind: changed, missing, ownership (values right, ownership gone), order, schema (a CRD moved), unknown.

    mode: what the policies say is done about it.  paths: fields that count; leave: changed ones that are not to be healed.
    """

    identity: Identity
    component: str
    kind: str
    text: str
    operations: tuple[dict[str, Any], ...] = ()
    managers: tuple[str, ...] = ()
    mode: str = "observe"
    paths: tuple[str, ...] = ()
    leave: tuple[str, ...] = ()


def candidate(row: Managed, fact: LiveFact | None, digest_form: int) -> str:
    """'' while there is nothing to say; missing, or changed until a dry run has looked closer."""
    if row.state in ("intended", "deleting") or row.mode not in ("owned", "shared-writer"):
        return ""
    if fact is None:
        return "missing"
    if row.uid != fact.uid:
        return "missing"
    if _newer_write(fact.fence, row) or fact.version < row.resource_version:
        return ""  # our own write is on its way, or what was read is older than it
    if row.digest_form != digest_form or plan.untouched(row, fact):
        return ""
    return "changed"


async def observe(
    fleet: Fleet,
    inventory: Sequence[Managed],
    desired: Sequence[Desired],
    *,
    known: Known,
    given: Policies,
    key: bytes,
    digest_form: int = 1,
) -> list[Drift]:
    """Drift of every object of an application; objects that could not be read are unknown."""
    items = {item.identity: item for item in desired}
    scaled = plan.autoscaled(desired, known)
    hide = diff.masks(desired, key)
    found: list[Drift] = []
    close: list[tuple[Managed, Desired, LiveFact]] = []
    for row in inventory:
        error = known.error(row.identity)
        if error is not None:
            found.append(Drift(row.identity, row.component, "unknown", str(error)))
            continue
        fact, item = known.facts.get(row.identity), items.get(row.identity)
        verdict = candidate(row, fact, digest_form)
        if verdict == "missing":
            text = "it was deleted and created again by somebody" if fact else "it was deleted by somebody"
            mode = given.drift_of(item, "") if item is not None else "observe"
            if mode != "off":
                found.append(Drift(row.identity, row.component, "missing", text, mode=mode))
        elif verdict and item is not None and fact is not None:
            close.append((row, item, fact))
    looked = await asyncio.gather(*[_closer(fleet, *one, scaled=scaled, given=given, hide=hide, key=key) for one in close])
    return found + [one for one in looked if one is not None]


async def rows(
    fleet: Fleet, installation: Installation, app: AppKey, inventory: Sequence[Managed], *, clock: Callable[[], datetime]
) -> list[Managed]:
    """The inventory with health as the clusters show it now, and a reason for what is missing or has drifted."""
    known = await look.look(fleet, installation, app, (), inventory)
    return [_row(row, known, clock()) for row in inventory]


def _row(row: Managed, known: Known, now: datetime) -> Managed:
    error, fact = known.error(row.identity), known.facts.get(row.identity)
    if error is not None:
        state, reason = "unknown", str(error)
    elif fact is None:
        state, reason = "missing", "Missing"
    else:
        verdict = candidate(row, fact, row.digest_form)
        health = fact.health
        state, reason = (health.state, health.reason) if health is not None else ("unknown", "NotJudged")
        if verdict == "missing":
            state, reason = "missing", "Replaced"
        elif verdict:
            reason = f"Drifted (by {fact.managers[-1]})" if fact.managers else "Drifted"
    since = row.health_since if state == row.health and row.health_since else now
    return changed(row, health=state, health_reason=reason, health_since=since)


async def _closer(
    fleet: Fleet,
    row: Managed,
    item: Desired,
    fact: LiveFact,
    *,
    scaled: Mapping[tuple[str, str, str, str], Identity],
    given: Policies,
    hide: Mapping[str, str],
    key: bytes,
) -> Drift | None:
    """One read and one dry run."""
    cluster, ref = row.cluster, fact.ref
    others = tuple([name for name in fact.managers if not name.startswith(marks.MANAGER)])

    whole = given.drift_of(item, "")

    def drift(kind: str, text: str, operations: Sequence[dict[str, Any]] = (), mode: str = whole, **fields: Any) -> Drift:
        return Drift(row.identity, row.component, kind, text, tuple(operations), others, mode, **fields)

    live = (await fleet.read(cluster, [ref])).get(ref)
    if live is None:
        return drift("missing", "it was deleted by somebody")
    if not fact.entry_version:
        return drift("ownership", "somebody removed who owns its fields")
    left, _ = diff.left_out(item, row, scaled)
    how = ApplyOptions(marks.manager_of(row.app), force=True, dry_run=True, leave_out=left)
    try:
        answer = await fleet.apply(cluster, item.subject.ref, item.body, how)
    except errors.Rejected as error:
        return drift("schema", f"the server no longer accepts it as it was applied: {error.message}")
    except errors.ClusterError as error:
        return drift("unknown", error.message)
    return _verdict(drift, live, answer.body, item, given=given, hide=hide, key=key)


def _verdict(
    drift: Any, live: Live, answer: dict[str, Any], item: Desired, *, given: Policies, hide: Mapping[str, str], key: bytes
) -> Drift | None:
    before, after = (diff.masked(compare.visible(body), hide, key) for body in (live.body, answer))
    changes = compare.changes(kind_of(after), before, after)
    kept = [(op, path) for op, path in changes if not ignored(item, path) and given.drift_of(item, path) != "off"]
    if not changes:
        found: Drift = drift("ownership", "values are right, somebody else owns fields of ours")
        return found if found.mode != "off" else None
    if not kept:
        return None
    operations = [op for op, _ in kept]
    healed = [path for _, path in kept if given.drift_of(item, path) == "heal"]
    if compare.only_order(kept):
        return drift("order", "entries stand in another order", operations)  # type: ignore[no-any-return]
    fields = ", ".join([path for _, path in kept[:3]]) + (f" and {len(kept) - 3} more" if len(kept) > 3 else "")
    leave = tuple([path for _, path in changes if path not in healed])
    return drift(  # type: ignore[no-any-return]
        "changed",
        f"changed: {fields}",
        operations,
        "heal" if healed else "observe",
        paths=tuple([path for _, path in kept]),
        leave=leave,
    )


def ignored(item: Desired, path: str) -> bool:
    patterns = (*IGNORED.get(item.subject.ref.kind, ()), *IGNORED_EVERYWHERE)
    return any(paths.covers(pattern, path) for pattern in patterns)


def _newer_write(fence: str, row: Managed) -> bool:
    release, _, number = fence.partition(".")
    if not release.isdigit() or not number.isdigit():
        return False
    return (int(release), int(number)) > (row.release, row.fence)
