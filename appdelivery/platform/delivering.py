"""Changes: up, a saved plan, rollback, delete, wait.  Each opens a release and hands it to the one function that
carries releases out; nothing here knows how that is done.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from appdelivery import errors
from appdelivery.delivery import plan as planner
from appdelivery.delivery import saved
from appdelivery.delivery.ports import ReleaseRequest
from appdelivery.delivery.work import Hooks, Work
from appdelivery.model.record import changed, record
from appdelivery.model.run import WorkKey
from appdelivery.platform import checking, expressions, identity, planning, reaching, rendering, running, stored, worlds
from appdelivery.platform.guard import guard

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from appdelivery.delivery.desired import Desired
    from appdelivery.delivery.saved import Saved
    from appdelivery.delivery.work import Ended, Values
    from appdelivery.model.change import Plan
    from appdelivery.model.history import Lease, Release
    from appdelivery.model.refs import AppKey
    from appdelivery.platform.local import Platform
    from appdelivery.platform.planning import Ask, Planned

LEASE_S = 30.0
RENEW_S = 10.0
TURN_S = 2.0  # between two tries to get the lease of an application that somebody works on


@record
class How:
    """How a release is carried out, beside what it is."""

    reason: str = ""
    timeout: float = 0.0  # seconds; 0 = the deadlines of the application alone
    wait: str = "ready"  # ready, applied
    progress: Callable[[Any], None] = lambda _: None
    exact: bool = False  # a saved plan: nothing beyond its changes


async def plans(p: Platform, work: rendering.Work, ask: Ask) -> tuple[Planned, ...]:
    """What `up` would do, for every application of the documents."""
    made = []
    for app in work.loaded.applications:
        guard(p.actor, "get", str(app.key))
        try:
            expressions.check(app)
            checking.check_steps(app, work.catalog)
            made.append(await planning.of_application(p, work, app, ask))
        except errors.SpecError as error:
            raise errors.SpecError(rendering.located(work, error.problems)) from None
    return tuple(made)


async def rollback(p: Platform, app: AppKey, number: int, ask: Ask) -> Planned:
    guard(p.actor, "rollback", str(app))
    return await planning.of_revision(p, app, number, ask)


async def deletion(p: Platform, app: AppKey, ask: Ask) -> Planned:
    guard(p.actor, "delete", str(app))
    return await planning.of_deletion(p, app, ask)


def allowed(planned: Planned) -> None:
    """Raises what stands in the way of carrying a plan out: foreign objects, unreachable clusters, missing kinds."""
    blocked = planner.blocked(planned.plan)
    if blocked is not None:
        raise blocked
    failed = [planned.known.errors.get(name) for name in planned.clusters]
    if failed and failed[0] is not None and all(failed):
        raise failed[0]


async def deliver(p: Platform, planned: Planned, how: How) -> Ended:
    """Opens the release and carries it out.  Run again after a crash, the same content goes on where it stopped."""
    guard(p.actor, "delete" if planned.request == "delete" else "update", str(planned.app))
    allowed(planned)
    targets = planned.targets
    for name, facts in targets.facts.items():
        targets.fleet.expect(name, sum(change.subject.cluster == name for change in planned.plan.writes))
        await reaching.seen(p, facts, targets.server(name))
    release = await p.in_thread(lambda: _opened(p, planned, how))
    return await carry_out(p, planned, release, how)


def _opened(p: Platform, planned: Planned, how: How) -> Release:
    """The interrupted release of the same content is taken up again; anything else is a new one."""
    newest = p.journal.newest(planned.app)
    if newest is not None and newest.outcome == "running" and _same(p, newest, planned):
        return newest
    made, _ = p.journal.open_release(request(p, planned, how), running.opened(p, planned))
    return made


def _same(p: Platform, newest: Release, planned: Planned) -> bool:
    from appdelivery.store import applications

    if newest.request != planned.request or (planned.revision and newest.revision != planned.revision):
        return False
    return applications.revision(p.store, planned.app, newest.revision).key == planned.rendered.key


def request(p: Platform, planned: Planned, how: How) -> ReleaseRequest:
    kept = tuple(
        [
            (
                item.digest,
                item.subject.component,
                stored.origin_tree(item, planned.depends_on.get(item.subject.component, ()), part.place),
                item.body,
            )
            for part in planned.parts
            for item in part.desired
        ]
    )
    return ReleaseRequest(
        app=planned.app,
        document=planned.document,
        rendered=planned.rendered,
        plan=planned.plan,
        desired=kept,
        actor=p.actor,
        cause=planned.cause,
        after=planned.plan.base.release,
        request=planned.request,
        reason=how.reason,
        cause_ref=planned.cause_ref,
        context=planned.context,
        labels=planned.labels,
        options={"cluster": planned.targets.home, "wait": how.wait, "consent": planned.consent.tree()},
        lenient=planned.lenient,
        revision=planned.revision,
    )


async def carry_out(p: Platform, planned: Planned, release: Release, how: How) -> Ended:
    """Holds the application's lease while the release is carried out."""
    import asyncio

    lease = await _lease(p, planned.app, how)
    renewal = asyncio.create_task(_renewing(p, lease))
    delivery = prepared(p, planned, release, how, lease)
    try:
        made = delivery.carry_on()
        ended = await (asyncio.wait_for(made, how.timeout) if how.timeout else made)
    except TimeoutError:
        raise errors.TimedOut(
            f"deliver {planned.app}: not healthy within the time-out; what was applied stays as it is",
            code="release.timed-out",
            hint=f"see why: appctl why {planned.app}\ngo on waiting: appctl wait {planned.app}",
        ) from None
    finally:
        renewal.cancel()
        await p.in_thread(lambda: p.journal.release(delivery.lease, delivery.due_at))
    return await _further(p, release, how) or ended


async def _further(p: Platform, release: Release, how: How) -> Ended | None:
    """Carries out what a step of the release's own workflow has opened in its place: the way back."""
    newest = await p.in_thread(lambda: p.journal.newest(release.app))
    if newest is None or newest.outcome != "running" or (newest.options or {}).get(worlds.BY) != worlds.by(release):
        return None
    run = (await p.in_thread(lambda: p.journal.work(WorkKey("app", str(release.app))))).run
    spec = run.spec if run is not None and run.release == newest.number else None
    how.progress(f"{release.app}: its workflow goes back, as release {newest.number}")
    return await carry_out(p, await planning.of_release(p, newest, spec), newest, how)


def prepared(p: Platform, planned: Planned, release: Release, how: How, lease: Lease) -> running.Delivery:
    """What carries a release on under a lease that is held."""
    work = Work(
        release=release,
        installation=p.journal.installation(),
        desired=planned.desired,
        policies=planned.policies,
        consent=planned.consent,
        depends_on=planned.depends_on,
        known=planned.known,
        settled=planned.settled and release.number == planned.plan.base.release + 1,
        waits_for={
            (number, c.name): c.waits_for
            for number, part in enumerate(planned.parts)
            for c in part.rendered.components
            if c.waits_for
        },
        exact=planned.plan if how.exact else None,
        anew=_anew(p, planned) if any(part.again is not None for part in planned.parts) else None,
    )
    hooks = Hooks(
        clock=identity.clock,
        judge=planned.targets.verdicts.judge,
        in_thread=p.in_thread,
        wait_class=planned.targets.verdicts.wait_class,
        progress=how.progress,
        wait=how.wait,
    )
    return running.Delivery(p, planned, work, hooks, planned.catalog or rendering.open_catalog(), lease)


def _anew(p: Platform, planned: Planned) -> Callable[[int, Values], Sequence[Desired]]:
    from appdelivery.delivery import desired as wanting

    def anew(number: int, live: Values) -> Sequence[Desired]:
        part = planned.parts[number]
        assert part.again is not None
        facts, installation = planned.targets.facts[part.cluster], p.journal.installation()
        return wanting.desired(
            part.again(live), facts, installation, planned.policies, namespace=part.namespace, part=number
        )

    return anew


async def _lease(p: Platform, app: AppKey, how: How) -> Lease:
    """Waits its turn while another living process works on the application."""
    import asyncio
    import time

    until = time.monotonic() + (how.timeout or 900.0)
    told = False
    while True:
        lease = await p.in_thread(lambda: p.journal.claim(WorkKey("app", str(app)), p.worker, LEASE_S))
        if lease is not None:
            return lease
        if not told:
            how.progress(f"another process works on {app}; waiting for it to end")
            told = True
        if time.monotonic() > until:
            raise errors.TimedOut(
                f"deliver {app}: another process has been working on it all the time", code="release.timed-out"
            )
        await asyncio.sleep(TURN_S)


async def _renewing(p: Platform, lease: Lease) -> None:
    """Keeps the lease; when it is lost, the next record of the run says so and stops it."""
    import asyncio

    held: Lease | None = lease
    while held is not None:
        await asyncio.sleep(RENEW_S)
        held = await p.in_thread(partial(p.journal.renew, held, LEASE_S))


async def save(p: Platform, planned: Planned, path: str) -> None:
    """Writes a plan file: reviewed by people, carried out exactly by `up FILE`."""
    text = saved.write(
        planned.plan,
        desired=planned.desired,
        installation=p.journal.installation(),
        revision=planned.rendered.key,
        now=identity.clock(),
        document=planned.document,
        consent=planned.consent,
    )
    await p.in_thread(partial(_write, path, text))


def _write(path: str, text: str) -> None:
    import os

    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise errors.SourceError(f"save the plan to {path}: {error.strerror}") from error


async def planned_from(p: Platform, read: Saved) -> Planned:
    """A saved plan against the world as it is now; Conflict with what moved when anything did."""
    from appdelivery.catalog.catalog import Catalog
    from appdelivery.model import reading
    from appdelivery.platform import documents

    saved.check(read, installation=p.journal.installation(), now=identity.clock())
    app = reading.application(read.document, "the plan file", 0)
    catalog: Catalog = rendering.open_catalog()
    work = rendering.Work(documents.Loaded((app,), {}, ()), catalog)
    fresh = await planning.of_application(p, work, app, planning.Ask(read.consent))
    saved.compare(read, fresh.plan)
    return changed(fresh, plan=read.plan)


def settled(made: Plan) -> bool:
    """Whether there is nothing to do."""
    return not made.writes
