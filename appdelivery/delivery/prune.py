"""Deletes what the newest release no longer wants, behind the guards of delivery.md section 9.  Called by release.

The guards that a plan can judge stand in guards.py.  Here is the rest of G1: the journal refuses the intent when a newer
release exists or the row is wanted again, and the release number is compared once more directly before the request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from appdelivery import errors
from appdelivery.delivery import guards
from appdelivery.delivery.ports import DeleteOptions, ObjectDeleting, ObjectGone
from appdelivery.model import redact
from appdelivery.model.change import Outcome

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from appdelivery.delivery.look import Known
    from appdelivery.delivery.observe import Observer
    from appdelivery.delivery.ports import Applied, Fact, Identity, Installation
    from appdelivery.delivery.work import Run
    from appdelivery.model.change import Change
    from appdelivery.model.history import Managed
    from appdelivery.model.refs import AppKey

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
        propagation=_propagation(row, waited_for=waited_for),
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


def _propagation(row: Managed, *, waited_for: bool) -> str:
    if row.propagation == "orphan":
        return "Orphan"
    return "Foreground" if waited_for else "Background"


def closing(
    inventory: Iterable[Managed],
    wanted: Collection[Identity],
    known: Known,
    *,
    installation: Installation,
    app: AppKey,
    request: str,
    kept: Collection[Identity],
) -> list[Fact]:
    """Rows that end without a deletion: the object is absent, or not ours (G7), or stays when its application goes.

    kept: candidates that a rule (G6) keeps.  While the application lives they stay pending; when it is deleted they are
    let go, for nobody would be left to ask.
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
        elif guards.released(row, fact, installation, app) or (request == "delete" and row.identity in kept):
            facts.append(ObjectGone(row.identity, "released"))
    return facts
