"""One pass over one work item (workflow.md section 6): read, decide, record, run what is ready, record what it answered,
and again while something moves.

What steps have answered is recorded with the decision that follows from it, so that a step of many costs one commit.
The lease is the caller's: it claims, renews and releases.  Whatever is recorded carries the fence, so that a pass which
has lost its lease changes nothing.  Between two commits the process may die: the next pass finds the rows and goes on.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from appdelivery import errors
from appdelivery.delivery.ports import AttemptMoved, RunMoved, SignalConsumed, StepMoved, StepsReset
from appdelivery.model.record import changed, record
from appdelivery.model.run import ENDED, FORMAT
from appdelivery.model.run import Attempt as AttemptRow
from appdelivery.workflow import attempts, dag, decide, results

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
    from datetime import datetime

    from appdelivery.delivery.ports import Fact, Journal
    from appdelivery.delivery.ports import Work as Found
    from appdelivery.model.history import Actor, Lease
    from appdelivery.model.run import Run, StepState
    from appdelivery.workflow.decide import Decision
    from appdelivery.workflow.model import Action
    from appdelivery.workflow.work import Start

PASS_S = 50.0  # nothing new starts in a pass that is older
BURST = 4  # answers of steps recorded at once, then one lot in so many seconds:
PACE_S = 0.2
LOOK_S = 2.0  # how often a pass with steps in flight looks for signals


@dataclass(frozen=True, slots=True)
class Engine:
    """What a pass works with; made by the composition root for one work item.

    action: by the name in `use`; raises RequestError for one that does not exist.  ended: called when the run has come
    to an end, before that is recorded; safe to be called again.  given: outputs of components that exist so far.
    """

    journal: Journal
    in_thread: Callable[[Callable[[], Any]], Awaitable[Any]]
    action: Callable[[str], Action]
    actor: Actor
    world: Any
    ended: Callable[[Run], Awaitable[None]]
    moved: Callable[[Run, StepState], None] = lambda _run, _step: None
    given: Callable[[], Mapping[str, Any]] = dict
    longest: float = PASS_S
    parallelism: int = 10  # steps of the run at once


@record
class Passed:
    """run: as it is now; None = there is none.  due_at: when to look again; None = when something wakes it."""

    run: Run | None
    due_at: datetime | None
    generation: int = 0  # of the work item when it was read last: to be given to the lease before its release


async def reconcile(engine: Engine, lease: Lease) -> Passed:
    made = _Pass(engine, lease)
    try:
        return await made.go()
    finally:
        await made.close()


class _Pass:
    def __init__(self, engine: Engine, lease: Lease) -> None:
        self.engine, self.lease = engine, lease
        self.begun = time.monotonic()
        self.flying: dict[str, tuple[attempts.Attempt, asyncio.Task[Any]]] = {}
        self.found: Found | None = None
        self.read_at = 0.0
        self.dag: dag.Dag | None = None
        self.landed: list[Fact] = []  # what steps have answered; recorded with the decision that follows
        self.told: list[tuple[Run, StepState]] = []
        self.credit, self.counted_at = float(BURST), self.begun

    async def go(self) -> Passed:
        found = await self._read()
        while True:
            if found.run is None:
                return Passed(None, None, found.generation)
            if found.run.spec.format > FORMAT and found.run.state not in ENDED:
                raise errors.TooNew(
                    f"go on with run {found.run.id} of {self.lease.key}: a newer appctl has opened it (format "
                    f"{found.run.spec.format}, this one knows {FORMAT})",
                    hint="leave it to the newer one, or upgrade this one",
                )
            if not self.flying and time.monotonic() - self.begun > self.engine.longest:
                await self._keep([])
                return Passed(found.run, found.now, found.generation)
            decision = self._decide(found, found.run)
            await self._decided(found.run, decision)
            if not decision.running:
                return Passed(decision.run, None, found.generation)
            for start in decision.start:
                self._start(decision.run, start)
            if not self.flying:
                return Passed(decision.run, decision.due_at, found.generation)
            found = await self._landed()

    async def close(self) -> None:
        tasks = [task for _, task in self.flying.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def now(self) -> datetime:
        """The store's clock, carried on."""
        assert self.found is not None
        return self.found.now + timedelta(seconds=time.monotonic() - self.read_at)

    async def _read(self) -> Found:
        found: Found = await self.engine.in_thread(lambda: self.engine.journal.work(self.lease.key))
        self.found, self.read_at = found, time.monotonic()
        return found

    def _decide(self, found: Found, run: Run) -> Decision:
        if self.dag is None or self.dag.spec is not run.spec:
            self.dag = dag.Dag(run.spec)
        at = decide.At(
            found.now,
            self.lease.fence,
            found.newest,
            parallelism=self.engine.parallelism,
            given=self.engine.given(),
            busy=frozenset(self.flying),
        )
        return decide.decide(self.dag, run, found.steps, found.signals, at)

    async def _decided(self, run: Run, decision: Decision) -> None:
        """Records a decision whole, before anything that it starts."""
        for row in decision.cancelled:
            if row.name in self.flying:
                self.flying[row.name][0].cancelled = True
        if decision.run.state in ENDED and run.state not in ENDED:
            await self._keep([])  # ending it may take long, and fail
            await self.engine.ended(decision.run)
        elif decision.reset:
            await self._keep([])  # what begins anew is forgotten after what it did, not before
        facts: list[Fact] = [SignalConsumed(signal) for signal in decision.consume]
        if decision.run != run:
            facts.append(RunMoved(decision.run))
        if decision.reset:
            facts.append(StepsReset(run.id, decision.reset))
        facts += [StepMoved(run.id, row) for row in decision.moves]
        facts += [AttemptMoved(run.id, self._ended_row(row, "interrupted")) for row in decision.interrupted]
        facts += [AttemptMoved(run.id, self._row(start)) for start in decision.start]
        await self._keep(facts)
        for row in decision.moves:
            self.engine.moved(decision.run, row)

    async def _keep(self, facts: Sequence[Fact]) -> None:
        """Records what has landed, and these, in one commit."""
        landed, self.landed = self.landed, []
        if landed or facts:
            await self._record([*landed, *facts])
        told, self.told = self.told, []
        for run, row in told:
            self.engine.moved(run, row)

    def _row(self, start: Start) -> AttemptRow:
        row = start.row
        return AttemptRow(row.name, row.attempt, row.started_at or self.now(), self.lease.worker, self.lease.fence)

    def _ended_row(self, row: StepState, result: str, code: str = "", error: str = "") -> AttemptRow:
        assert self.found is not None
        ended = self.found.now  # of one look: what follows from it begins then, not before
        begun = row.started_at or ended
        return AttemptRow(
            row.name, row.attempt, begun, self.lease.worker, row.fence, ended_at=ended, result=result, code=code, error=error
        )  # fmt: skip

    def _start(self, run: Run, start: Start) -> None:
        engine = self.engine
        attempt = attempts.Attempt(
            run, start, engine.actor, engine.journal, self._record, engine.in_thread, self.now, engine.world
        )

        self.flying[start.row.name] = attempt, asyncio.create_task(attempt.carry_out(engine.action))

    async def _landed(self) -> Found:
        """Waits until a step has answered, or it is time to look for signals; what is found then, with what has come."""
        tasks = {task: name for name, (_, task) in self.flying.items()}
        done, _ = await asyncio.wait(tasks, timeout=LOOK_S, return_when=asyncio.FIRST_COMPLETED)
        if done:
            await self._company(tasks)
            done |= {task for task in tasks if task.done()}
        landed = [(self.flying.pop(tasks[task])[0], task.result()) for task in done]
        found = await self._read()
        rows = {row.name: row for row in found.steps}
        assert self.dag is not None
        for attempt, (result, same_try) in landed:
            row = attempt.start.row
            if row.name not in rows or not results.current(rows[row.name], attempt.start):
                self.landed.append(AttemptMoved(attempt.run.id, self._ended_row(row, "fenced")))
                continue
            ended = attempt.recorded(self.dag, result, list(rows.values()), same_try=same_try)
            rows[row.name] = ended.row
            self.landed += [
                StepMoved(attempt.run.id, ended.row),
                AttemptMoved(attempt.run.id, self._ended_row(row, ended.result, ended.code, ended.error)),
            ]
            self.told.append((attempt.run, ended.row))
        return changed(found, steps=tuple(rows.values()))

    async def _company(self, tasks: Collection[asyncio.Task[Any]]) -> None:
        """A look at the rows and its commit cost more than most steps: the first few answers are recorded at once, later
        ones wait a moment for company, as long as there is any to come."""
        now = time.monotonic()
        self.credit = min(BURST, self.credit + (now - self.counted_at) / PACE_S)
        self.counted_at = now
        if self.credit < 1:
            await asyncio.wait(tasks, timeout=(1 - self.credit) * PACE_S)
            self.credit, self.counted_at = 1, time.monotonic()
        else:
            await asyncio.sleep(0)  # what was set going by the same event
        self.credit -= 1

    async def _record(self, facts: Sequence[Fact]) -> None:
        await self.engine.in_thread(lambda: self.engine.journal.record(self.lease, list(facts)))
