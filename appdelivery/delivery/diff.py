"""What a plan would change, field by field, as the servers themselves say (delivery.md section 12).

One server-side apply with dry run for every object that is not unchanged, on the same path as the real one.  Everything
shown is redacted, before and after alike, with keyed masks, so that a changed secret shows as changed and nothing more.
Called by platform for `diff`, `plan --diff` and `compare`.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
from typing import TYPE_CHECKING, Any

from appdelivery import errors
from appdelivery.delivery import compare, plan, send
from appdelivery.delivery import conflict as conflicts
from appdelivery.delivery import consent as consents
from appdelivery.delivery import desired as wanting
from appdelivery.delivery.look import Known
from appdelivery.delivery.policies import Policies
from appdelivery.delivery.ports import ApplyOptions
from appdelivery.model import fieldpath, marks, redact, secret
from appdelivery.model.record import changed, record
from appdelivery.model.refs import ref_of
from appdelivery.model.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from appdelivery.delivery.consent import Consent
    from appdelivery.delivery.desired import Desired
    from appdelivery.delivery.policies import ConflictRule
    from appdelivery.delivery.ports import Fleet, Identity
    from appdelivery.model.change import Change, Plan
    from appdelivery.model.history import Managed
    from appdelivery.model.live import Live
    from appdelivery.model.refs import Ref

IN_FLIGHT = 16


@record
class Asking:
    fleet: Fleet
    known: Known
    rows: Mapping[Identity, Managed]
    key: bytes  # the installation's digest key, for masks
    masks: Mapping[str, str]  # secret value to what is shown for it
    given: Policies
    consent: Consent
    there: Mapping[Identity, Live]


async def live(
    fleet: Fleet,
    made: Plan,
    desired: Sequence[Desired],
    *,
    key: bytes,
    conflict: Sequence[ConflictRule] = (),
    consent: Consent | None = None,
    inventory: Sequence[Managed] = (),
    known: Known | None = None,
) -> list[dict[str, Any]]:
    """{object, cluster, action, code, operations, notes} for every change but unchanged and unknown ones."""
    items = {item.identity: item for item in desired}
    given = Policies(conflict=tuple(conflict))
    rows = {row.identity: row for row in inventory}
    seen = known or Known()
    there = await _there(fleet, made, items, seen)
    # Values that secrets have now are hidden as well as those they are to have: both re-appear in what is shown.
    hide = {**masks(desired, key), **_live_masks(there.values(), key)}
    asking = Asking(fleet, seen, rows, key, hide, given, consent or consents.Consent(), there)
    limit = asyncio.Semaphore(IN_FLIGHT)
    scaled = plan.autoscaled(desired, asking.known)

    async def one(change: Change) -> dict[str, Any]:
        async with limit:
            return await _shown(asking, change, items.get(change.subject.identity), scaled)

    return list(
        await asyncio.gather(*[one(c) for c in made.changes if c.action in ("create", "update", "replace", "delete")])
    )


async def _there(fleet: Fleet, made: Plan, items: Mapping[Identity, Desired], known: Known) -> dict[Identity, Live]:
    """The live objects that a plan updates or replaces, as they are now."""
    wanted: dict[str, list[Ref]] = {}
    for change in made.changes:
        identity = change.subject.identity
        if change.action in ("update", "replace") and identity in items:
            fact = known.facts.get(identity)
            wanted.setdefault(change.subject.cluster, []).append(fact.ref if fact is not None else change.subject.ref)
    read = await asyncio.gather(*[fleet.read(cluster, refs) for cluster, refs in wanted.items()])
    return {
        (cluster, ref.identity): live for cluster, found in zip(wanted, read, strict=True) for ref, live in found.items()
    }


def _live_masks(there: Iterable[Live], key: bytes) -> dict[str, str]:
    found = {}
    for live in there:
        if (live.ref.group, live.ref.kind) == ("", "Secret"):
            for value in (live.body.get("data") or {}).values():
                with contextlib.suppress(ValueError):  # bytes that are no text cannot re-appear as text
                    plain = base64.b64decode(str(value), validate=True).decode()
                    if len(plain) >= redact.SHORTEST:
                        found[plain] = Secret(plain).mask(key)
    return found


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


def name(body: dict[str, Any]) -> str:
    """Deployment shop/web, as a hunk is headed."""
    return str(ref_of(body))


def comparable(body: dict[str, Any]) -> dict[str, Any]:
    return compare.visible(body)


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
        await tried(asking, item, (), scaled=False)
    except (errors.NotServed, errors.Missing):
        notes.append("not tried on the server: its kind or namespace comes with this plan")
    except errors.ClusterError as error:
        notes.append(f"the server would refuse it: {redact.text(error.message, asking.masks)}")
    body = masked(compare.visible(item.body), asking.masks, asking.key)
    return _hunk(name, "create", [{"op": "add", "path": "", "new": body}], notes)


async def _updated(
    asking: Asking, name: str, change: Change, item: Desired, scaled: Mapping[tuple[str, str, str, str], Identity]
) -> dict[str, Any]:
    live = asking.there.get(item.identity)
    if live is None:
        return await _created(asking, name, item)
    if change.why.code == send.NOTED:
        return _hunk(name, change.action, [], [change.why.text])
    left, notes = left_out(item, asking.rows.get(item.identity), scaled, change)
    if change.action == "update" and (kept := wanting.kept_fields(item, left)):
        item = changed(item, body=wanting.as_live(item.body, live.body, kept))
    try:
        by_scaler = plan.targeted(scaled, item.subject) is not None
        answer, yielded, more = await tried(asking, item, left, scaled=by_scaler, change=change)
        notes += more
    except errors.ClusterError as error:
        wanted = {**live.body, **{k: v for k, v in item.body.items() if k != "metadata"}}
        refused = isinstance(error, errors.Rejected) and error.immutable
        if not refused:
            notes.append(f"the server would refuse it: {redact.text(error.message, asking.masks)}")
        return _hunk(name, change.action, _operations(asking, live.body, wanted) if refused else [], notes)
    # What is left to others is not ours to change: a dry run shows it as dropped, the real run hands it over (6.3).
    theirs = {*left, *yielded, *((conflicts.REPLICAS,) if by_scaler else ())}
    operations = _operations(asking, *[_without(body, theirs) for body in (live.body, answer)])
    if not operations:
        notes.append("no value changes; who owns its fields is put right")
    return _hunk(name, change.action, operations, notes)


def _without(body: dict[str, Any], paths: Iterable[str]) -> dict[str, Any]:
    for path in paths:
        body = fieldpath.without(body, fieldpath.parse(path))
    return body


def left_out(
    item: Desired, row: Managed | None, scaled: Mapping[tuple[str, str, str, str], Identity], change: Change | None = None
) -> tuple[tuple[str, ...], list[str]]:
    """Paths that an apply would leave to others, and how that is said."""
    retake = change.why.detail.get("paths", ()) if change is not None and change.why.code == "field-retaken" else ()
    found = {path: manager for path, manager, _ in (row.yielded if row else ()) if path not in retake}
    if plan.targeted(scaled, item.subject) is not None and fieldpath.get(item.body, ("spec", "replicas")) is not None:
        found.setdefault(conflicts.REPLICAS, "autoscaler")
    return tuple(found), [f"{path} is left to {manager}" for path, manager in found.items()]


async def tried(
    asking: Asking, item: Desired, left: tuple[str, ...], *, scaled: bool, change: Change | None = None
) -> tuple[dict[str, Any], tuple[str, ...], list[str]]:
    """The answer of a dry run that decides conflicts as the real one would, the paths it yields, and what is said."""
    owner = marks.owner_app(item.body["metadata"]["annotations"][marks.OWNER])
    assert owner is not None
    whole = item.put and change is not None and change.action == "update"
    how = ApplyOptions(
        marks.manager_of(owner[1]), dry_run=True, mode="replace" if whole else "apply", leave_out=() if whole else left
    )
    place = item.subject.cluster, item.subject.ref, item.body
    try:
        return (await asking.fleet.apply(*place, how)).body, (), []
    except errors.FieldConflict as error:
        retake = change.why.detail.get("paths", ()) if change is not None else ()
        made = conflicts.decide(error.owners, item, given=asking.given, consent=asking.consent, scaled=scaled, retake=retake)
    notes = [f"{path} is left to {manager}" for path, manager in made.yielded]
    notes += [f"{path} is taken from {manager}" for path, manager in made.forced if not manager.startswith(marks.MANAGER)]
    notes += [f"{path} is refused: {manager} owns it" for path, manager in made.refused]
    yielded = tuple([path for path, _ in made.yielded])
    how = changed(how, force=True, leave_out=(*left, *yielded))
    return (await asking.fleet.apply(*place, how)).body, yielded, notes


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
