"""What a plan would change, field by field, as the servers themselves say (delivery.md section 12).

One server-side apply with dry run for every object that is not unchanged, on the same path as the real one.  Everything
shown is redacted, before and after alike, with keyed masks, so that a changed secret shows as changed and nothing more.
Called by platform for `diff`, `plan --diff` and `compare`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from appdelivery import errors
from appdelivery.delivery import compare, conflict, plan
from appdelivery.delivery.ports import ApplyOptions
from appdelivery.model import fieldpath, marks, redact, secret
from appdelivery.model.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from appdelivery.delivery.desired import Desired
    from appdelivery.delivery.look import Known
    from appdelivery.delivery.ports import Fleet, Identity
    from appdelivery.model.change import Change, Plan
    from appdelivery.model.history import Managed

IN_FLIGHT = 16


@dataclass(frozen=True, slots=True)
class Asking:
    fleet: Fleet
    known: Known
    rows: Mapping[Identity, Managed]
    key: bytes  # the installation's digest key, for masks
    masks: Mapping[str, str]  # secret value to what is shown for it


async def diff(
    fleet: Fleet, made: Plan, desired: Sequence[Desired], inventory: Sequence[Managed], *, known: Known, key: bytes
) -> list[dict[str, Any]]:
    """{object, cluster, action, code, operations, notes} for every change but unchanged and unknown ones."""
    items = {item.identity: item for item in desired}
    asking = Asking(fleet, known, {row.identity: row for row in inventory}, key, masks(desired, key))
    limit = asyncio.Semaphore(IN_FLIGHT)
    scaled = plan.autoscaled(desired, known)

    async def one(change: Change) -> dict[str, Any]:
        async with limit:
            return await _shown(asking, change, items.get(change.subject.identity), scaled)

    return list(
        await asyncio.gather(*[one(c) for c in made.changes if c.action in ("create", "update", "replace", "delete")])
    )


def between(before: Mapping[str, dict[str, Any]], after: Mapping[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Two revisions, object by object; the bodies are redacted already."""
    found = []
    for name in [*after, *[name for name in before if name not in after]]:
        old, new = before.get(name), after.get(name)
        if old is None:
            found.append(_hunk(name, "create", [{"op": "add", "path": "", "new": new}]))
        elif new is None:
            found.append(_hunk(name, "delete", [{"op": "remove", "path": "", "old": old}]))
        elif operations := compare.operations(compare.visible(old), compare.visible(new)):
            found.append(_hunk(name, "update", operations))
    return found


def masks(desired: Sequence[Desired], key: bytes) -> dict[str, str]:
    """Known secret values, as they may re-appear anywhere in an answer."""
    values = {value for item in desired for value in redact.values(item.body)}
    return {value: Secret(value).mask(key) for value in values if len(value) >= redact.SHORTEST}


def masked(tree: Any, hide: Mapping[str, str], key: bytes) -> Any:
    """A live or wanted object fit to be shown."""
    return _hidden(redact.objects(tree, key), hide)


async def _shown(
    asking: Asking, change: Change, item: Desired | None, scaled: Mapping[tuple[str, str, str, str], Identity]
) -> dict[str, Any]:
    subject = change.subject
    name = f"{subject.ref}"
    if item is None:
        hunk = _hunk(name, "delete", [{"op": "remove", "path": ""}])
    elif change.action == "create":
        hunk = await _created(asking, name, item)
    else:
        hunk = await _updated(asking, name, change, item, scaled)
    return {**hunk, "cluster": subject.cluster, "code": change.why.code}


async def _created(asking: Asking, name: str, item: Desired) -> dict[str, Any]:
    notes = []
    try:
        await _dry_run(asking, item, ())
    except (errors.NotServed, errors.Missing):
        notes.append("not tried on the server: its kind or namespace comes with this plan")
    except errors.ClusterError as error:
        notes.append(f"the server would refuse it: {redact.text(error.message, asking.masks)}")
    body = masked(compare.visible(item.body), asking.masks, asking.key)
    return _hunk(name, "create", [{"op": "add", "path": "", "new": body}], notes)


async def _updated(
    asking: Asking, name: str, change: Change, item: Desired, scaled: Mapping[tuple[str, str, str, str], Identity]
) -> dict[str, Any]:
    cluster = item.subject.cluster
    fact = asking.known.facts[item.identity]
    live = (await asking.fleet.read(cluster, [fact.ref])).get(fact.ref)
    if live is None:
        return await _created(asking, name, item)
    left, notes = left_out(item, asking.rows.get(item.identity), scaled, change)
    try:
        answer = await _dry_run(asking, item, left)
    except errors.ClusterError as error:
        wanted = {**live.body, **{k: v for k, v in item.body.items() if k != "metadata"}}
        refused = isinstance(error, errors.Rejected) and error.immutable
        if not refused:
            notes.append(f"the server would refuse it: {redact.text(error.message, asking.masks)}")
        return _hunk(name, change.action, _operations(asking, live.body, wanted) if refused else [], notes)
    operations = _operations(asking, live.body, answer)
    if not operations:
        notes.append("no value changes; who owns its fields is put right")
    return _hunk(name, change.action, operations, notes)


def left_out(
    item: Desired, row: Managed | None, scaled: Mapping[tuple[str, str, str, str], Identity], change: Change | None = None
) -> tuple[tuple[str, ...], list[str]]:
    """Paths that an apply would leave to others, and how that is said."""
    retake = change.why.detail.get("paths", ()) if change is not None and change.why.code == "field-retaken" else ()
    found = {path: manager for path, manager, _ in (row.yielded if row else ()) if path not in retake}
    if plan.targeted(scaled, item.subject) is not None and fieldpath.get(item.body, ("spec", "replicas")) is not None:
        found.setdefault(conflict.REPLICAS, "autoscaler")
    return tuple(found), [f"{path} is left to {manager}" for path, manager in found.items()]


async def _dry_run(asking: Asking, item: Desired, left: tuple[str, ...]) -> dict[str, Any]:
    owner = marks.owner_app(item.body["metadata"]["annotations"][marks.OWNER])
    assert owner is not None
    how = ApplyOptions(marks.manager_of(owner[1]), force=True, dry_run=True, leave_out=left)
    return (await asking.fleet.apply(item.subject.cluster, item.subject.ref, item.body, how)).body


def _operations(asking: Asking, before: dict[str, Any], after: dict[str, Any]) -> list[dict[str, Any]]:
    old, new = (masked(compare.visible(body), asking.masks, asking.key) for body in (before, after))
    return compare.operations(old, new)


def _hunk(name: str, action: str, operations: list[dict[str, Any]], notes: Sequence[str] = ()) -> dict[str, Any]:
    return {"object": name, "action": action, "operations": operations, "notes": list(notes)}


def _hidden(tree: Any, hide: Mapping[str, str]) -> Any:
    if isinstance(tree, str):
        if tree in hide:
            return hide[tree]
        return redact.text(tree, hide) if any(value in tree for value in hide) else tree
    if isinstance(tree, dict):
        return {key: _hidden(value, hide) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_hidden(value, hide) for value in tree]
    return secret.masked(tree)
