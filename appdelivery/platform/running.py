"""Carries the run of a release on in this process, until it ends or waits for somebody: what `up` does, and `resume`.

The engine decides, the two actions here deliver; all steps of a pass share one session over the clusters.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from appdelivery import errors
from appdelivery.delivery import graph
from appdelivery.delivery import release as releases
from appdelivery.delivery import session as sessions
from appdelivery.delivery.ports import RunRequest
from appdelivery.delivery.work import Ended
from appdelivery.model.record import changed
from appdelivery.model.run import ENDED, Run
from appdelivery.platform import identity, placing, worlds
from appdelivery.workflow import cursor, decide, reconcile, step_actions
from appdelivery.workflow.model import Approval, Done, Fail, Stepped, Suspend, Toward

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from appdelivery.catalog.catalog import Catalog
    from appdelivery.delivery.desired import Desired
    from appdelivery.delivery.session import Session
    from appdelivery.delivery.steps import Node
    from appdelivery.delivery.work import Hooks, Work
    from appdelivery.model.history import Lease
    from appdelivery.model.refs import AppKey
    from appdelivery.model.run import StepSpec, StepState
    from appdelivery.platform.local import Platform
    from appdelivery.platform.planning import Planned
    from appdelivery.workflow.model import Result, StepContext

LEAVES_AFTER = 300.0  # seconds: what comes later than this is not waited for in the foreground
TURN_S = 1.0  # how often a waiting process looks whether somebody has said something


@dataclass(slots=True)
class Delivery:
    """The run of one planned release in this process."""

    p: Platform
    planned: Planned
    work: Work
    hooks: Hooks
    catalog: Catalog
    lease: Lease
    session: Session | None = None
    ended: Ended | None = None
    due_at: datetime | None = None  # when somebody has to look again, after this process has let go
    longest: float = float("inf")  # seconds that a pass goes on with new steps
    _opening: asyncio.Lock = field(default_factory=asyncio.Lock)
    _children: dict[AppKey, asyncio.Task[Ended]] = field(default_factory=dict)

    async def carry_on(self) -> Ended:
        """Passes, until the run has ended; an Ended with outcome `running` when it waits for somebody or for long.
        A release without a run is carried out at once."""
        engine = self._engine()
        self.hooks.progress(Toward(tuple(self.planned.clusters)))
        try:
            if not await self._older_ended(engine):
                return await releases.carry_out(
                    self.planned.targets.fleet, self.p.journal, self.work, self.lease, self.hooks
                )
            while True:
                passed = await reconcile.reconcile(engine, self.lease)
                self.lease = changed(self.lease, generation=passed.generation)
                self.due_at = passed.due_at
                if passed.run is None or passed.run.state in ENDED:
                    return self.ended or await self._over(passed.run)
                if passed.run.state == "suspended" or self._far(passed.due_at):
                    return await self._waiting(passed.run, passed.due_at)
                await self._sleep(passed)
        finally:
            for child in self._children.values():
                child.cancel()
            await asyncio.gather(*self._children.values(), return_exceptions=True)
            if self.session is not None:
                await sessions.close(self.session)

    async def once(self) -> reconcile.Passed:
        """One bounded pass, as a worker makes it; a release without a run is carried out at once."""
        self.longest = reconcile.PASS_S
        engine = self._engine()
        try:
            if await self._older_ended(engine):
                return await reconcile.reconcile(engine, self.lease)
            await releases.carry_out(self.planned.targets.fleet, self.p.journal, self.work, self.lease, self.hooks)
            return reconcile.Passed(None, None, self.lease.generation)
        finally:
            if self.session is not None:
                await sessions.close(self.session)

    async def _older_ended(self, engine: reconcile.Engine) -> bool:
        """Lets runs of older releases end as superseded.  Answers whether this release has a run."""
        number = self.work.release.number
        while True:
            found = await self.p.in_thread(lambda: self.p.journal.work(self.lease.key))
            run = found.run
            if run is None or run.release >= number or run.state in ENDED:
                return run is not None and run.release == number
            await reconcile.reconcile(engine, self.lease)

    def _engine(self) -> reconcile.Engine:
        world = worlds.of(
            self.p,
            self.planned,
            self.work.release,
            self.hooks.judge,
            self._opened,
            children=self._children if self.longest == float("inf") else None,
        )
        deliveries = sum(step.use in (placing.DEPLOY, placing.APPLY) for step in self._steps())
        return reconcile.Engine(
            self.p.journal,
            self.p.in_thread,
            step_actions.finder(self.catalog.resolve, {placing.DEPLOY: self._deploy, placing.APPLY: self._apply_component}),
            self.p.actor,
            world,
            self._ended,
            moved=self._moved,
            longest=self.longest,
            # Deliveries are bounded by what their clusters take, not by their number.
            parallelism=10 + deliveries,
        )

    def _moved(self, run: Run, step: StepState) -> None:
        """What becomes of steps of older releases is their history, not progress of this one."""
        if run.release == self.work.release.number:
            self.hooks.progress(Stepped(run, step, self.planned.generated))

    async def _opened(self) -> Session:
        async with self._opening:
            if self.session is None:
                found = await sessions.open_(self.planned.targets.fleet, self.p.journal, self.work, self.lease, self.hooks)
                if isinstance(found, Ended):
                    raise errors.Conflict(
                        f"deliver {self.planned.app}: release {found.release} has ended as {found.outcome}"
                    )
                self.session = found
        return self.session

    async def _ended(self, run: Run) -> None:
        """Prunes and records how the release went, before the end of its run is recorded."""
        if run.state == "superseded":
            return
        if self.session is None:
            found = await sessions.open_(self.planned.targets.fleet, self.p.journal, self.work, self.lease, self.hooks)
            if isinstance(found, Ended):
                self.ended = found
                return
            self.session = found
        outcome = "" if run.state == "succeeded" else run.state
        self.ended = await sessions.finish(self.session, outcome, run.message, ran=True)

    async def _over(self, run: Run | None) -> Ended:
        newest = await self.p.in_thread(lambda: self.p.journal.newest(self.planned.app))
        number = self.work.release.number
        if newest is not None and newest.number > number:
            return Ended(number, "superseded", f"release {newest.number} took its place")
        outcome, message = (newest.outcome, newest.message) if newest is not None else ("failed", "")
        return Ended(
            number, outcome, message or (run.message if run is not None else ""), dict((newest and newest.counts) or {})
        )

    async def _waiting(self, run: Run, due_at: datetime | None) -> Ended:
        if self.session is not None:
            await sessions.note(self.session)
        found = await self.p.in_thread(lambda: self.p.journal.work(self.lease.key))
        words = [_said(row) for row in found.steps if row.state in ("suspended", "waiting")]
        until = f"; it goes on at {due_at:%Y-%m-%d %H:%M:%S} UTC" if due_at is not None else ""
        said = "; ".join(words) or run.message or "for nobody knows what"
        commands = [f"appctl {verb} {self.planned.app} {row.name}" for row in found.steps for verb in _verbs(row)]
        if run.paused:
            said, commands = "it is paused", []
        return Ended(
            self.work.release.number,
            "running",
            f"waits: {said}{until}",
            next_commands=tuple(commands or [f"appctl resume {self.planned.app}"]),
        )

    def _far(self, due_at: datetime | None) -> bool:
        return due_at is None or (due_at - identity.clock()).total_seconds() > LEAVES_AFTER

    async def _sleep(self, passed: reconcile.Passed) -> None:
        """Until the run is due, or somebody has given a signal."""
        assert passed.due_at is not None
        while (left := (passed.due_at - identity.clock()).total_seconds()) > 0:
            await asyncio.sleep(min(left, TURN_S))
            found = await self.p.in_thread(lambda: self.p.journal.work(self.lease.key))
            if found.generation != passed.generation:
                return

    # --- actions ----------------------------------------------------------------------------------------------------
    def _steps(self) -> Sequence[StepSpec]:
        return self.planned.spec.steps if self.planned.spec is not None else ()

    async def _deploy(self, at: StepContext) -> Result:
        parts = [part for part in self.planned.parts if part.place.step == at.name.partition("[")[0]]
        places = [{"cluster": part.cluster, "namespace": part.namespace or self.planned.app.namespace} for part in parts]
        if not at.properties.get("auto", True) and at.answer is None:
            where = ", ".join(dict.fromkeys([part.cluster for part in parts]))
            return Suspend(f"deploy to {where}?", approval=Approval())
        session = await self._opened()
        limit = asyncio.Semaphore(int(at.properties.get("parallelism") or 5))

        async def to(cluster: str) -> dict[Any, Node]:
            async with limit:
                items = [item for part in parts if part.cluster == cluster for item in part.desired]
                return await sessions.deliver(session, items)

        done = await asyncio.gather(*[to(cluster) for cluster in dict.fromkeys([part.cluster for part in parts])])
        nodes = [node for found in done for node in found.values()]
        return self._result(session, nodes) or Done({"placements": places}, _unreached(nodes))

    async def _apply_component(self, at: StepContext) -> Result:
        name, own = at.properties["component"], (at.properties.get("cluster"), at.properties.get("namespace"))
        step = at.name.partition("[")[0] if any(own) else ""
        items = [
            item
            for part in self.planned.parts
            if part.place.step == step
            for item in part.desired
            if item.subject.component == name
        ]
        session = await self._opened()
        nodes = list((await sessions.deliver(session, items)).values())
        return self._result(session, nodes) or Done(await self._outputs(at, items), _unreached(nodes))

    async def _outputs(self, at: StepContext, items: Sequence[Desired]) -> dict[str, Any]:
        """Live objects, read only where somebody asks for them."""
        step = next(one for one in self._steps() if one.name == at.name.partition("[")[0])
        if not step.outputs or not items:
            return {}
        found: dict[str, Any] = {"output": None, "outputs": {}}
        live = await self.planned.targets.fleet.read(items[0].subject.cluster, [item.subject.ref for item in items])
        for item in items:
            body = live[item.subject.ref].body if item.subject.ref in live else None
            if item.workload:
                found["output"] = body
            if item.origin.output:
                found["outputs"][item.origin.output] = body
        return found

    def _result(self, session: Session, nodes: Sequence[Node]) -> Result | None:
        """None when all that could be reached is as it shall be."""
        if session.run.recorder.superseded:
            return Fail("superseded", f"release {session.run.recorder.newest} took its place", retryable=False)
        failed = [node for node in nodes if node.state == "failed"] or [
            node for node in nodes if node.state == "skipped" and node.change is not None and node.change.action != "unknown"
        ]
        if failed:
            more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
            return Fail("NotDelivered", f"{graph.show(failed[0].identity)}: {failed[0].why}{more}", retryable=False)
        unknown = [node for node in nodes if node.change is not None and node.change.action == "unknown"]
        if unknown and len(unknown) == len(nodes):
            assert unknown[0].change is not None
            return Fail("Unreachable", unknown[0].change.why.text, retryable=False)
        return None


def _unreached(nodes: Sequence[Node]) -> str:
    places = sorted({node.identity[0] for node in nodes if node.change is not None and node.change.action == "unknown"})
    return f"{', '.join(places)} could not be reached" if places else ""


def _verbs(row: StepState) -> tuple[str, ...]:
    if row.state != "suspended":
        return ()
    if row.reason == "Unsure":
        return "retry", "skip"
    return ("approve", "reject") if cursor.approval(row) is not None else ("resume",)


def _said(row: StepState) -> str:
    asked = cursor.approval(row)
    kind = "approval of" if asked is not None else "step"
    return f"{kind} {row.name}{': ' + row.message if row.message else ''}"


def opened(p: Platform, planned: Planned) -> RunRequest | None:
    """The run that a release is opened with; None where everything is done at once."""
    if planned.spec is None:
        return None
    run = Run(
        identity.new_id(), planned.app.namespace, planned.app.name, "executing", planned.spec, identity.clock(),
        app=planned.app, context=_context(planned),
    )  # fmt: skip
    return RunRequest(run, decide.first_rows(planned.spec), p.actor)


def _context(planned: Planned) -> dict[str, Any]:
    """What expressions of steps see as `context`."""
    return {
        "appName": planned.app.name,
        "name": planned.app.name,
        "namespace": planned.app.namespace,
        "appRevision": f"{planned.app.name}-v{planned.revision or planned.plan.base.release + 1}",
    }
