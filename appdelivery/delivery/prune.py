"""Deletes what the newest release no longer wants, behind the guards of delivery.md section 9.  Called by release.

The guards that a plan can judge stand in guards.py.  Here is the rest of G1: the journal refuses the intent when a newer
release exists or the row is wanted again, and the release number is compared once more directly before the request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from appdelivery import errors
from appdelivery.delivery import guards, sharing
from appdelivery.delivery.ports import DeleteOptions, ObjectDeleting, ObjectGone
from appdelivery.model import redact
from appdelivery.model.change import Outcome
from appdelivery.model.refs import AppKey

if TYPE_CHECKING:
    from collections.abc import Awaitable, Collection, Iterable

    from appdelivery.delivery.look import Known
    from appdelivery.delivery.observe import Observer
    from appdelivery.delivery.ports import Applied, Fact, Identity, Installation
    from appdelivery.delivery.work import Run
    from appdelivery.model.change import Change, Plan
    from appdelivery.model.history import Managed

BACKOFF = (1.0, 2.0, 4.0)


async def delete(run: Run, change: Change, observer: Observer, *, waited_for: bool) -> tuple[Outcome, Applied | None]:
    """One deletion: intent, last look, request, result.  waited_for: something waits until it is really gone."""
    identity = change.subject.identity
    row, fact = run.rows[identity], run.known.facts[identity]
    recorder = run.recorder
    try:
        await recorder.alone([ObjectDeleting(identity, run.work.release.number)])
    except errors.Conflict as error:
        await recorder.look()
        return Outcome(change, "skipped", error.message), None
    await recorder.look()
    if recorder.superseded:
        return Outcome(change, "skipped", f"release {recorder.newest} has taken its place"), None
    how = DeleteOptions(
        uid=fact.uid,
        version=fact.version if row.ref.kind in guards.BY_NAME else 0,
        propagation=_propagation(run, row, waited_for=waited_for),
    )
    try:
        with recorder.coming():
            answer = await _request(run, change, how)
        if answer == "deleting":
            patience = run.work.policies.patience.deadline
            await observer.gone(change.subject.cluster, fact.ref, fact.uid, within=patience)
    except errors.Stale as error:
        return await _moved(run, change, fact.uid, error)
    except errors.ClusterError as error:
        return Outcome(change, "failed", redact.text(error.message, run.secrets), hint=error.hint, requests=1), None
    why = "absent" if answer == "absent" else "deleted"
    event = recorder.event(
        "object.changed",
        str(row.ref),
        cluster=change.subject.cluster,
        component=row.component,
        action="delete",
        code=change.why.code,
        result=why,
        release=run.work.release.number,
    )
    await recorder.record([ObjectGone(identity, why), event])
    return Outcome(change, "done", requests=1), None


async def _request(run: Run, change: Change, how: DeleteOptions) -> str:
    fact = run.known.facts[change.subject.identity]
    for pause in (*BACKOFF, None):
        try:
            return await run.fleet.delete(change.subject.cluster, fact.ref, how)
        except errors.Missing:
            return "absent"
        except errors.ClusterError as error:
            if not error.retryable or pause is None:
                raise
            await run.hooks.sleep(error.after or pause)
    raise AssertionError


async def _moved(run: Run, change: Change, uid: str, error: errors.Stale) -> tuple[Outcome, Applied | None]:
    """Another object under the same name is not ours to delete; the same one in a new version asks for a new plan."""
    fact = run.known.facts[change.subject.identity]
    live = (await run.fleet.read(change.subject.cluster, [fact.ref])).get(fact.ref)
    if live is not None and live.uid == uid:
        hint = "it changed while it was to be deleted; run again"
        return Outcome(change, "failed", error.message, hint=hint, requests=2), None
    why = "absent" if live is None else "released"
    await run.recorder.record([ObjectGone(change.subject.identity, why)])
    return Outcome(change, "done" if live is None else "skipped", "" if live is None else "it is another object now"), None


def _propagation(run: Run, row: Managed, *, waited_for: bool) -> str:
    rule = run.work.policies.collects_row(row)
    if (rule.propagation if rule is not None and rule.propagation else row.propagation) == "orphan":
        return "Orphan"
    return "Foreground" if waited_for else "Background"


async def part(run: Run, made: Plan) -> frozenset[Identity]:
    """Parts with objects that others share: the writer hands them over, who only noted its need takes the note off.
    Answers what was handed over; what could not be stays pending."""
    installation, app = run.work.installation, run.work.app
    given: set[Identity] = set()
    for change in made.changes:
        heir = change.why.detail.get("heir", "") if change.action == "skip" and not change.after else ""
        if heir:
            namespace, _, name = heir.partition("/")
            fact = run.known.facts[change.subject.identity]
            to = AppKey(namespace, name)
            if await _told(run, sharing.hand_over(run.fleet, change.subject.cluster, fact.ref, to, installation)):
                given.add(change.subject.identity)
    for row in run.rows.values():
        left = run.known.facts.get(row.identity) if row.mode == "shared-observer" else None
        if left is not None and row.identity not in run.wanted and guards.released(row, left, installation, app):
            await _told(run, sharing.leave(run.fleet, row.cluster, left.ref, app))
    return frozenset(given)


async def _told(run: Run, request: Awaitable[None]) -> bool:
    try:
        await request
    except errors.ClusterError as error:
        run.warnings.append(redact.text(error.message, run.secrets))
        return False
    return True


def closing(
    inventory: Iterable[Managed],
    wanted: Collection[Identity],
    known: Known,
    *,
    installation: Installation,
    app: AppKey,
    request: str,
    kept: Collection[Identity],
    given: Collection[Identity] = (),
) -> list[Fact]:
    """Rows that end without a deletion: the object is absent, or not ours (G7), or stays when its application goes.

    kept: candidates that a rule (G6) keeps.  While the application lives they stay pending; when it is deleted they are
    let go, for nobody would be left to ask.  given: what was handed over to another application.
    """
    facts: list[Fact] = []
    for row in inventory:
        if row.identity in wanted:
            continue
        error = known.error(row.identity)
        if error is not None and not isinstance(error, errors.NotServed):
            continue
        fact = known.facts.get(row.identity)
        if fact is None:
            facts.append(ObjectGone(row.identity, "absent"))
        elif (
            guards.released(row, fact, installation, app)
            or row.identity in given
            or (request == "delete" and row.identity in kept)
        ):
            facts.append(ObjectGone(row.identity, "released"))
    return facts
