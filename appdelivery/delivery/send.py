"""Brings one object to its wanted state: the requests of delivery.md sections 6 and 7 and what is recorded of them.

Called by apply for every node of the graph whose turn has come.  What the world answers becomes an Outcome; only the
journal's errors and what nobody can go on from leave as exceptions.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from appdelivery import errors
from appdelivery.delivery import adopt, conflict, desired, handover, plan, replace, sharing
from appdelivery.delivery.ports import Applied, ApplyOptions, DeleteOptions, ObjectApplied
from appdelivery.model import fieldpath, marks, names, redact
from appdelivery.model.change import Outcome
from appdelivery.model.history import Managed
from appdelivery.model.record import changed
from appdelivery.model.refs import Ref

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from appdelivery.delivery.desired import Desired
    from appdelivery.delivery.work import Run
    from appdelivery.model.change import Change
    from appdelivery.model.live import LiveFact

    Gone = Callable[[str, Ref, str], Awaitable[None]]  # (cluster, ref, uid): returns when that object is gone

BACKOFF = (1.0, 2.0, 4.0, 8.0, 16.0)
STALE_TRIES = 3
FORM = 1  # of applied_digest and tree_digest, as clusters makes them
KIND_TRIES, KIND_PAUSE = 15, 2.0
NOTED = "shared-not-owner"  # an update of that reason only notes on the object that it is shared


@dataclass(slots=True)
class _Sending:
    """One object on its way."""

    run: Run
    change: Change
    item: Desired
    row: Managed | None
    fact: LiveFact | None
    gone: Gone
    requests: int = 0
    yielded: tuple[tuple[str, str, str], ...] = ()
    given_up: tuple[tuple[str, str], ...] = ()
    taken: tuple[tuple[str, str], ...] = ()

    @property
    def cluster(self) -> str:
        return self.item.subject.cluster

    @property
    def ref(self) -> Ref:
        return self.item.subject.ref


async def send(run: Run, change: Change, item: Desired, gone: Gone) -> tuple[Outcome, Applied | None]:
    """Carries a planned create, update or replace out and records it."""
    one = _Sending(run, change, item, run.rows.get(item.identity), run.known.facts.get(item.identity), gone)
    try:
        with run.recorder.coming():
            applied = await _carried_out(one)
    except (errors.ClusterError, errors.RequestError) as error:
        return _failed(one, error), None
    row = _row(one, applied)
    if change.why.code == NOTED:
        row = changed(row, mode="shared-observer", desired_digest="")
    change = one.change  # an update may have become a replacement
    result = applied.result if change.action != "replace" else "replaced"
    event = run.recorder.event(
        "object.changed",
        str(item.subject.ref),
        cluster=one.cluster,
        component=item.subject.component,
        action=change.action,
        code=change.why.code,
        result=result,
        release=run.work.release.number,
        taken=[list(pair) for pair in one.taken],
        given_up=[list(pair) for pair in one.given_up],
    )
    await run.recorder.record([ObjectApplied(row), event])
    run.rows[item.identity] = row
    outcome = Outcome(change, "done", requests=one.requests, version=applied.version, given_up=one.given_up)
    return outcome, applied


async def _carried_out(one: _Sending) -> Applied:
    if one.fact is not None and one.fact.deleting:
        await one.gone(one.cluster, one.ref, one.fact.uid)
        one.fact = None
    for attempt in range(STALE_TRIES):
        try:
            return await _patient(one)
        except errors.Stale:
            if attempt == STALE_TRIES - 1:
                raise
    raise AssertionError


async def _patient(one: _Sending) -> Applied:
    """Repeats what may pass: a webhook that is not up yet, a namespace on its way out, a cluster in trouble."""
    for pause in (*BACKOFF, None):
        try:
            return await _whole(one)
        except errors.ClusterError as error:
            if not error.retryable or pause is None:
                raise
            pause = error.after or pause
            one.run.hooks.progress(f"{redact.text(error.message, one.run.secrets)}; tried again in {pause:g}s")
            await one.run.hooks.sleep(pause)
    raise AssertionError


async def _whole(one: _Sending) -> Applied:
    """Whatever the change says, an apply comes first: only the server knows whether a field can change.  Unless the
    object shall go for a field that can."""
    if one.change.why.code == "recreate-field" and one.fact is not None:
        await _remove(one, replace.rule(one.item, consent=one.run.work.consent).propagation)
    try:
        return await _with_place(one)
    except errors.Rejected as error:
        if not error.immutable or one.fact is None:
            raise
        rule = replace.rule(one.item, consent=one.run.work.consent)
        planned = one.change.action == "replace" or one.run.work.exact is None
        if not rule.allowed or not planned:
            fields = ", ".join([field for field, _ in error.fields])
            hint = rule.hint if not rule.allowed else "the saved plan does not replace it; make a new one"
            raise errors.Refused(
                f"{_doing(one)}: {fields} cannot change", code="cluster.immutable-field", hint=hint
            ) from error
    one.change = changed(one.change, action="replace", why=changed(one.change.why, code="immutable-field"))
    await _remove(one, rule.propagation)
    return await _with_place(one)


async def _remove(one: _Sending, propagation: str) -> None:
    assert one.fact is not None
    uid = one.fact.uid
    how = DeleteOptions(uid=uid, propagation=propagation)
    one.requests += 1
    if await one.run.fleet.delete(one.cluster, one.fact.ref, how) == "deleting":
        await one.gone(one.cluster, one.ref, uid)
    one.fact = None


async def _with_place(one: _Sending) -> Applied:
    """Makes the namespace where that is agreed, and waits until a kind that this release brings is served."""
    if (one.cluster, one.ref.namespace) in one.run.known.no_namespace and one.run.work.consent.create_namespace:
        await _make_namespace(one)
    for attempt in range(KIND_TRIES):
        try:
            return await _update(one)
        except errors.NotServed:
            if one.change.action != "create" or attempt == KIND_TRIES - 1 or not _brought(one):
                raise
            await one.run.fleet.facts(one.cluster, refresh=True)
            await one.run.hooks.sleep(KIND_PAUSE if attempt else 0)
        except errors.Missing:
            if attempt or not one.ref.namespace or not one.run.work.consent.create_namespace:
                raise
            await _make_namespace(one)
    raise AssertionError


def _brought(one: _Sending) -> bool:
    from appdelivery.delivery import graph

    kind = one.ref.group, one.ref.kind
    return any(graph.defines(item.body) == kind for item in one.run.work.desired)


async def _make_namespace(one: _Sending) -> None:
    """Once for all who need it.  Not ours afterwards: it may hold what others put there, so it is never deleted by us."""
    ref = Ref("", "v1", "Namespace", "", one.ref.namespace)
    places = one.run.namespaces
    if (one.cluster, ref.identity) in one.run.wanted:
        return  # an object of the application itself, which stands before everything inside
    if (one.cluster, ref.name) not in places:
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ref.name}}
        one.requests += 1
        made = one.run.fleet.apply(one.cluster, ref, body, ApplyOptions(one.run.manager))
        places[one.cluster, ref.name] = asyncio.ensure_future(made)
    await asyncio.shield(places[one.cluster, ref.name])


async def _update(one: _Sending) -> Applied:
    if one.change.why.code == NOTED:
        one.requests += 1
        return await sharing.note(one.run.fleet, one.cluster, one.ref, one.run.work.app)
    scaled = plan.targeted(one.run.scaled, one.item.subject)
    retake = () if one.row is None else _retaken(one, scaled is not None)
    left = _left_out(one, scaled, retake)
    if scaled is not None and one.fact is not None and one.fact.owns_replicas:
        one.requests += await handover.hold(one.run.fleet, one.cluster, one.ref)
    body, version = _body(one, scaled), 0
    if one.fact is not None and (kept := desired.kept_fields(one.item, left)):
        body, version = await _with_live(one, body, kept)
    applied = await _apply(one, body, left, scaled=scaled is not None, retake=retake, version=version)
    if let := await handover.let_go(one.run.fleet, one.cluster, one.ref, applied.body):
        # The object's version moved, our fields did not: what was recorded of them stays true.
        one.requests += let.requests
        applied = changed(applied, version=let.version, body=let.body, generation=let.generation)
    return applied


async def _with_live(one: _Sending, body: dict[str, Any], fields: Sequence[str]) -> tuple[dict[str, Any], int]:
    """The object with some fields as they are, and the version they were read at."""
    one.requests += 1
    live = (await one.run.fleet.read(one.cluster, [one.ref])).get(one.ref)
    if live is None:
        return body, 0
    return desired.as_live(body, live.body, fields), live.version


def _retaken(one: _Sending, scaled: bool) -> tuple[str, ...]:
    assert one.row is not None
    return () if scaled else plan.retaken(one.item, one.row)


def _left_out(one: _Sending, scaled: Any, retake: Sequence[str]) -> tuple[str, ...]:
    """Fields that others keep, as recorded, and replicas under an autoscaler (sent once, when the object is created)."""
    kept: list[tuple[str, str, str]] = []
    for path, manager, _ in one.row.yielded if one.row is not None and one.fact is not None else ():
        value = fieldpath.get(one.item.body, fieldpath.parse(path))
        if path == conflict.REPLICAS and scaled is not None:
            continue
        if path not in retake and value is not None:
            kept.append((path, manager, json.dumps(value, sort_keys=True) if _plain(value) else ""))
    if scaled is not None and one.ref.kind in handover.SCALABLE:
        value = fieldpath.get(one.item.body, ("spec", "replicas"))
        kept.append((conflict.REPLICAS, conflict.AUTOSCALER, json.dumps(value) if value is not None else ""))
    one.yielded = tuple(kept)
    one.given_up = tuple([(path, manager) for path, manager, _ in kept if manager != conflict.AUTOSCALER])
    if one.fact is None:
        return tuple([path for path, _, _ in kept if path != conflict.REPLICAS])
    return tuple([path for path, _, _ in kept])


def _body(one: _Sending, scaled: Any) -> dict[str, Any]:
    """The object with the two keys that say which write was last."""
    run, body = one.run, one.item.body
    metadata = body["metadata"]
    revision = names.dnsname(f"{run.work.app.name}-v{run.work.release.revision}")
    labels = {**(metadata.get("labels") or {}), marks.APP_REVISION: revision}
    annotations = {**(metadata.get("annotations") or {}), marks.FENCE: f"{run.work.release.number}.{run.fence}"}
    body = {**body, "metadata": {**metadata, "labels": labels, "annotations": annotations}}
    if scaled is not None and one.fact is None and one.ref.kind in handover.SCALABLE and scaled in run.minimum:
        body = {**body, "spec": {**(body.get("spec") or {}), "replicas": run.minimum[scaled]}}
    return body


async def _apply(
    one: _Sending,
    body: dict[str, Any],
    left: tuple[str, ...],
    *,
    scaled: bool,
    retake: Sequence[str],
    version: int = 0,
) -> Applied:
    """version: that the body was made from; 0 = from none."""
    run, fact = one.run, one.fact
    whole = one.item.put and fact is not None
    how = ApplyOptions(
        run.manager,
        mode="replace" if whole else "apply",
        leave_out=() if whole else left,
        expect_version=version,
        known_version=fact.version if fact else 0,
        absorb=_absorbed(one),
    )
    one.requests += 1
    try:
        applied = await run.fleet.apply(one.cluster, one.ref, body, how)
    except errors.FieldConflict as error:
        if fact is None:
            await _still_free(one)
        decision = conflict.decide(
            error.owners, one.item, given=run.work.policies, consent=run.work.consent, scaled=scaled, retake=retake
        )
        if decision.refused:
            raise errors.Refused(
                f"{_doing(one)}: {conflict.explain(decision)}",
                code="cluster.field-conflict",
                hint="take the field out, or decide with the policy conflict or --force-conflicts",
            ) from error
        _give_up(one, decision)
        one.requests += 1
        left = tuple(dict.fromkeys((*left, *[path for path, _ in decision.yielded])))
        applied = await run.fleet.apply(one.cluster, one.ref, body, changed(how, force=True, leave_out=left))
    one.requests += applied.requests - 1
    return applied


async def _still_free(one: _Sending) -> None:
    """What did not exist when it was planned, and has a field owner now, was made by somebody in between."""
    one.requests += 1
    live = (await one.run.fleet.read(one.cluster, [one.ref])).get(one.ref)
    if live is None or one.item.take_over or one.run.work.consent.take_ownership:
        return
    mark = str((live.body["metadata"].get("annotations") or {}).get(marks.OWNER, ""))
    ours = marks.is_self(mark, one.ref) and marks.owner_app(mark) == (one.run.work.installation.label, one.run.work.app)
    if not ours:
        raise errors.Refused(
            f"{_doing(one)}: somebody else has created it meanwhile",
            code="delivery.not-ours",
            hint="a new plan says whose it is",
        )


def _absorbed(one: _Sending) -> tuple[str, ...]:
    """Managers whose entries lose our fields."""
    found = adopt.managers(one.run.work.legacy_managers) if _foreign_before(one) else ()
    inherited = one.row is not None and one.row.mode == "shared-observer"
    return (*found, f"{marks.MANAGER}:*") if inherited else found


def _foreign_before(one: _Sending) -> bool:
    """Whether entries of former tools may hold our fields: on adoption, and after managedFields were wiped."""
    if one.fact is None:
        return False
    return one.change.why.code == "adopted" or not one.fact.entry_version or one.row is None or not one.row.uid


def _give_up(one: _Sending, decision: conflict.Decision) -> None:
    known = {path for path, _, _ in one.yielded}
    more = []
    for path, manager in decision.yielded:
        if path not in known:
            known.add(path)
            value = fieldpath.get(one.item.body, fieldpath.parse(path))
            more.append((path, manager, json.dumps(value, sort_keys=True) if _plain(value) else ""))
    one.yielded = (*one.yielded, *more)
    one.given_up = tuple(dict.fromkeys((*one.given_up, *decision.yielded)))
    one.taken = decision.forced


def _plain(value: Any) -> bool:
    return value is not None and not redact.values(value)


def _row(one: _Sending, applied: Applied) -> Managed:
    item, run = one.item, one.run
    release = run.work.release
    return Managed(
        app=run.work.app,
        cluster=one.cluster,
        ref=one.ref,
        component=item.subject.component,
        origin=str(item.origin),
        mode="shared-writer" if item.shared else "owned",
        state="present",
        wanted=release.number,
        release=release.number,
        revision=release.revision,
        fence=run.fence,
        uid=applied.uid,
        desired_digest=item.digest,
        applied_digest=applied.own_digest,
        tree_digest=applied.tree_digest,
        digest_form=FORM,
        generation=applied.generation,
        resource_version=applied.version,
        bare=applied.bare,
        yielded=one.yielded,
        gc=item.gc,
        propagation=item.propagation,
        wait=run.wait_class(item),
        health=one.row.health if one.row else "unknown",
        health_reason=one.row.health_reason if one.row else "",
        health_since=one.row.health_since if one.row else None,
    )


def _failed(one: _Sending, error: errors.AppError) -> Outcome:
    text = error.message
    if isinstance(error, errors.Rejected):
        text = f"{one.item.origin}: {text}"
    fields = tuple([field for field, _ in error.fields if field]) if isinstance(error, errors.Rejected) else ()
    said = redact.text(text, one.run.secrets)
    return Outcome(one.change, "failed", said, hint=error.hint, requests=one.requests, fields=fields)


def _doing(one: _Sending) -> str:
    return f"apply {one.ref} to cluster {one.cluster}"
