"""Fills the `World` of a run's steps: objects, secrets, configs, placement, other applications, HTTP.  Called by running.

Whatever a step does here it does as the actor of the release.  What stays unfilled fails the step that asks for it, with
what is missing.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from appdelivery import errors, outbound
from appdelivery.delivery import by_steps
from appdelivery.delivery import consent as consents
from appdelivery.delivery import session as sessions
from appdelivery.model import reading, secret
from appdelivery.model.record import changed
from appdelivery.model.refs import kind_of
from appdelivery.placement import topology
from appdelivery.platform import placing, reaching
from appdelivery.platform import targets as reaching_out
from appdelivery.platform.guard import guard
from appdelivery.workflow.secret_configs import SecretConfigs
from appdelivery.workflow.steps.world import AppState, HttpAnswer, Place, Wanted, World

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from appdelivery.delivery.ports import Judge
    from appdelivery.delivery.session import Session
    from appdelivery.model.history import Release
    from appdelivery.model.live import ClusterFacts
    from appdelivery.model.refs import AppKey, Ref
    from appdelivery.platform.local import Platform
    from appdelivery.platform.planning import Planned
    from appdelivery.workflow.steps.world import HttpRequest

# In the options of a release that a step has opened: its idempotency key, and the release whose workflow it was.
KEY, BY = "key", "by"
LOOKED_AT = 50  # so many releases back a key is looked for, and a revision to go back to
STATES = {
    "running": "delivering",
    "partial": "delivering",
    "succeeded": "running",
    "failed": "failed",
    "terminated": "failed",
    "superseded": "delivering",
}


def of(
    p: Platform,
    planned: Planned,
    release: Release,
    judge: Judge,
    opened: Callable[[], Awaitable[Session]],
    *,
    children: dict[AppKey, asyncio.Task[Any]] | None = None,
) -> World:
    """opened: the session of the release, which is opened when the first step needs it.  children: where what its steps
    deliver is carried on in this process; None = workers do it."""
    one = _Around(p, planned, release, opened, outbound.Client(outbound.limits(os.environ)), children)
    targets = planned.targets
    return World(
        targets.fleet,
        targets.home,
        planned.app.namespace,
        judge,
        apply_objects=one.apply_objects,
        http=one.http,
        configs=SecretConfigs(targets.fleet, targets.home),
        resolve_secret=reaching.resolver(p),
        application=one.application,
        apply_application=one.apply_application,
        placed=one.placed,
        places=one.places,
        desired=one.desired,
        rollback=one.rollback,
        may_override=one.may_override,
    )


@dataclass(frozen=True, slots=True)
class _Around:
    p: Platform
    planned: Planned
    release: Release
    opened: Callable[[], Awaitable[Session]]
    client: outbound.Client
    children: dict[AppKey, asyncio.Task[Any]] | None
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)  # of opening releases: two steps may want the same one

    # --- objects ------------------------------------------------------------------------------------------------------
    async def apply_objects(self, step: str, wanted: Sequence[Wanted]) -> Sequence[dict[str, Any]]:
        if not wanted:
            return []
        by_cluster: dict[str, list[Wanted]] = {}
        for one in wanted:
            by_cluster.setdefault(one.cluster, []).append(one)
        made: dict[int, Any] = {}
        for cluster, ones in by_cluster.items():
            facts = await self._facts(step, cluster, ones)
            bodies = [one.body for one in ones]
            items = by_steps.wanted(
                self.planned.app,
                step,
                bodies,
                facts=facts,
                installation=self.p.journal.installation(),
                given=self.planned.policies,
            )
            made |= {id(one): item for one, item in zip(ones, items, strict=True)}
        items = tuple([made[id(one)] for one in wanted])
        nodes = await sessions.apply_beside(await self.opened(), items)
        for node in nodes.values():
            if node.state in ("failed", "skipped"):
                raise errors.WorldError(f"step {step}: {node.why}", code="step.not-applied", retryable=False)
            if node.state not in ("present", "ready"):
                raise errors.Conflict(f"step {step}: a newer release has taken the place of this one")
        live: dict[tuple[str, Ref], dict[str, Any]] = {}
        for cluster in by_cluster:
            refs = [item.subject.ref for item in items if item.subject.cluster == cluster]
            found = await self.planned.targets.fleet.read(cluster, refs)
            live |= {(cluster, ref): one.body for ref, one in found.items()}
        places = [(item.subject.cluster, item.subject.ref) for item in items]
        for cluster, ref in places:
            if (cluster, ref) not in live:
                text = f"step {step}: {ref} in cluster {cluster} was deleted as soon as it was applied"
                raise errors.Missing(text, retryable=True)
        return [live[place] for place in places]

    async def _facts(self, step: str, cluster: str, wanted: Sequence[Wanted]) -> ClusterFacts:
        targets = self.planned.targets
        if cluster not in targets.facts:
            if (error := targets.errors.get(cluster)) is not None:
                raise error
            known = ", ".join(targets.names)
            text = f"step {step}: this release speaks to {known}, not to cluster {cluster}"
            raise errors.RequestError(text, code="step.cluster", hint="let a topology policy of the workflow name it")
        try:
            kinds = [kind_of(one.body) for one in wanted]
        except (KeyError, TypeError, AttributeError):
            kinds = []  # by_steps says what is wrong with it
        await reaching_out.looked_again(targets, cluster, kinds)
        return targets.facts[cluster]

    async def desired(self) -> Sequence[Wanted]:
        key = self.p.journal.installation().digest_key
        return [Wanted(item.subject.cluster, secret.masked(item.body, key)) for item in self.planned.desired]

    # --- places -------------------------------------------------------------------------------------------------------
    async def placed(self, app: AppKey) -> Sequence[str]:
        guard(self.release.actor, "get", str(app))
        rows = await self.p.in_thread(lambda: self.p.journal.inventory(app))
        return sorted({row.cluster for row in rows})

    async def places(self, names: Sequence[str]) -> Sequence[Place]:
        app = reading.application(self.planned.document, "the application of the run", 0, lenient=True)
        by_name = {policy.name: policy for policy in app.policies}
        if missing := [name for name in names if name not in by_name]:
            raise errors.RequestError(f"{app.key} has no policy '{missing[0]}'", code="step.policy")
        registered = await self.p.in_thread(partial(placing.registered, self.p))
        standing = set(await self.placed(self.planned.app))
        home = self.planned.targets.home
        found = topology.topology([by_name[name] for name in names], registered, default=home, standing=standing)
        return [Place(one.cluster or home, one.namespace or self.planned.app.namespace) for one in found]

    # --- applications -------------------------------------------------------------------------------------------------
    async def application(self, app: AppKey) -> AppState:
        guard(self.release.actor, "get", str(app))
        found = await self.p.in_thread(partial(_state, self.p, app))
        if found.state == "delivering":
            await self._carry(app)
        return found

    async def _carry(self, app: AppKey) -> None:
        """Where no worker may be there to do it: of what this release has opened, also before a kill."""
        from appdelivery.platform import delivering, operating

        newest = await self.p.in_thread(lambda: self.p.journal.newest(app))
        if self.children is None or newest is None or (newest.options or {}).get(BY) != by(self.release):
            return
        task = self.children.get(app)
        if task is None or task.done():
            if task is not None and not task.cancelled() and (error := task.exception()) is not None:
                del self.children[app]
                raise errors.WorldError(f"deliver {app}: {error}", code="step.application", retryable=True) from error
            self.children[app] = asyncio.create_task(operating.carry_on(self.p, app, delivering.How()))

    async def apply_application(self, document: dict[str, Any], key: str) -> AppKey:
        from appdelivery.platform import delivering, documents, planning, rendering

        app = reading.application(document, "the step's document", 0, namespace=self.planned.app.namespace)
        if app.key == self.planned.app:
            raise errors.RequestError(f"{app.key} cannot be delivered by its own workflow", code="step.application")
        guard(self.release.actor, "update", str(app.key))
        async with self.turn:
            if await self.p.in_thread(partial(_opened_with, self.p, app.key, key)) is not None:
                return app.key
            work = rendering.Work(documents.Loaded((app,), {}, ()), rendering.open_catalog())
            ask = planning.Ask(consents.Consent(create_namespace=self.planned.consent.create_namespace))
            (made,) = await delivering.plans(self.p, work, ask)
            delivering.allowed(made)
            if not await self.p.in_thread(partial(_stands, self.p, made)):
                await self._open(changed(made, cause="trigger"), key, f"workflow of {self.planned.app}")
        return app.key

    async def rollback(self, to: str, key: str) -> int:
        from appdelivery.platform import delivering, planning

        app = self.planned.app
        guard(self.release.actor, "rollback", str(app))
        if self.release.cause == "rollback":  # else two revisions that both fail would take turns for ever
            text = f"release {self.release.number} of {app} is on the way back itself: it goes back no further"
            raise errors.Refused(text, code="step.rollback", hint=f"appctl why {app}")
        async with self.turn:
            found = await self.p.in_thread(partial(_opened_with, self.p, app, key))
            if found is not None:
                return found.number
            revision = await self.p.in_thread(partial(_revision, self.p, self.release, to))
            made = await planning.of_revision(self.p, app, revision, planning.Ask())
            delivering.allowed(made)
            return (await self._open(made, key, f"the workflow of release {self.release.number} goes back")).number

    async def _open(self, made: Planned, key: str, reason: str) -> Release:
        from appdelivery.platform import delivering, running

        asked = delivering.request(self.p, made, delivering.How(reason=reason))
        asked = dataclasses.replace(
            asked, actor=self.release.actor, options={**asked.options, KEY: key, BY: by(self.release)}
        )
        for name, facts in made.targets.facts.items():
            await reaching.seen(self.p, facts, made.targets.server(name))
        opening = partial(self.p.journal.open_release, asked, running.opened(self.p, made))
        try:
            release, _ = await self.p.in_thread(opening)
        except errors.Conflict as error:  # somebody else has opened one since it was planned
            raise errors.WorldError(error.message, code=error.code, retryable=True) from error
        return release

    # --- the rest -----------------------------------------------------------------------------------------------------
    async def http(self, request: HttpRequest) -> HttpAnswer:
        asked = outbound.Request(request.method, request.url, request.headers, request.body, request.timeout)
        answer = await self.client.send(asked)
        return HttpAnswer(answer.status, answer.headers, answer.body)

    def may_override(self, what: str) -> bool:
        try:
            guard(self.release.actor, "override", what)
        except errors.Denied:
            return False
        return True


def by(release: Release) -> str:
    return f"{release.app} {release.number}"


def _state(p: Platform, app: AppKey) -> AppState:
    from appdelivery.model.run import WorkKey
    from appdelivery.store import applications

    newest = p.journal.newest(app)
    if newest is None or (newest.request == "delete" and newest.outcome == "succeeded"):
        return AppState("absent")
    state, message = STATES[newest.outcome], newest.message
    if newest.request == "delete":
        return AppState("failed" if state == "failed" else "delivering", message or "it is being deleted")
    if newest.outcome == "running":
        run = p.journal.work(WorkKey("app", str(app))).run
        if run is not None and run.release == newest.number and (run.paused or run.state == "suspended"):
            state, message = "suspended", run.message
    content = applications.revision(p.store, app, newest.revision)
    document = secret.masked(content.document, p.journal.installation().digest_key)
    return AppState(state, message, document)


def _opened_with(p: Platform, app: AppKey, key: str) -> Release | None:
    """The release that a step has opened with this key, before it was interrupted."""
    from appdelivery.store import applications

    if p.journal.newest(app) is None:
        return None
    found = applications.releases(p.store, app, LOOKED_AT)
    return next((one for one in found if (one.options or {}).get(KEY) == key), None)


def _stands(p: Platform, made: Planned) -> bool:
    """Whether the content is delivered, with nothing to do in the clusters, or being delivered."""
    from appdelivery.store import applications

    newest = p.journal.newest(made.app)
    if newest is None or newest.request == "delete" or newest.outcome not in ("running", "succeeded"):
        return False
    if applications.revision(p.store, made.app, newest.revision).key != made.rendered.key:
        return False
    return newest.outcome == "running" or not made.plan.writes


def _revision(p: Platform, now: Release, to: str) -> int:
    """Of 'previous', 'last-succeeded', or the number itself."""
    from appdelivery.store import applications

    if to.isdigit():
        return int(to)
    if to not in ("previous", "last-succeeded"):
        raise errors.RequestError(f"rollback to '{to}': say a revision, previous or last-succeeded", code="step.rollback")
    before = [one for one in applications.releases(p.store, now.app, LOOKED_AT) if one.number < now.number]
    for one in before:
        fits = one.revision != now.revision if to == "previous" else one.outcome == "succeeded"
        if one.request == "apply" and fits:
            return one.revision
    text = f"rollback of {now.app} to {to}: none of its last {LOOKED_AT} releases is one to go back to"
    raise errors.RequestError(text, code="step.rollback", hint=f"appctl history {now.app}")
