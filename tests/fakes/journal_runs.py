"""The runs of FakeJournal: what is committed of them and how each fact changes it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from appdelivery import errors
from appdelivery.delivery import ports
from appdelivery.model.history import Actor, Event
from appdelivery.model.record import changed
from appdelivery.model.refs import AppKey
from appdelivery.model.run import ENDED, SIGNALS, TERMINAL, Attempt, Effect, Run, Signal, StepState, WorkKey
from appdelivery.model.secret import Secret

if TYPE_CHECKING:
    from datetime import datetime

SYSTEM = Actor("system", "appctl", "engine")


@dataclass
class Given:
    to: AppKey | str
    signal: Signal
    consumed: bool = False


@dataclass
class Runs:
    runs: dict[str, Run] = field(default_factory=dict)
    steps: dict[tuple[str, str], StepState] = field(default_factory=dict)
    attempts: dict[tuple[str, str, int], Attempt] = field(default_factory=dict)
    effects: dict[tuple[str, str, str], Effect] = field(default_factory=dict)
    signals: dict[str, Given] = field(default_factory=dict)
    workers: dict[str, ports.Worker] = field(default_factory=dict)

    def copy(self) -> Runs:
        return Runs(
            dict(self.runs),
            dict(self.steps),
            dict(self.attempts),
            dict(self.effects),
            {key: replace(given) for key, given in self.signals.items()},
            dict(self.workers),
        )

    def add(
        self, request: ports.RunRequest, now: datetime, app: AppKey | None = None, release: int = 0
    ) -> tuple[Run, Event]:
        run = changed(request.run, started_at=now, app=app, release=release)
        self.runs[run.id] = run
        for step in request.steps:
            self.steps[run.id, step.name] = _kept(step)
        data = {"run": run.id} | ({"release": release} if release else {})
        return run, Event("run.started", _subject(run), request.actor, now, data, app)

    def of(self, key: WorkKey) -> tuple[Run | None, bool]:
        """(the run to look at, whether signals to the application are its)."""
        if key.kind == "run":
            run = self.runs.get(key.id)
            return (run, False) if run is not None and run.app is None else (None, False)
        mine = sorted((run for run in self.runs.values() if run.key == key), key=lambda run: run.id)
        if not mine:
            return None, False
        run = next((run for run in mine if run.finished_at is None), mine[-1])
        return run, run is mine[-1]

    def unheeded(self, run: Run, *, newest: bool) -> tuple[Signal, ...]:
        mine = {run.id} | ({run.app} if newest and run.app is not None else set())
        return tuple([self.signals[i].signal for i in sorted(self.signals) if self._open(i) and self.signals[i].to in mine])

    def _open(self, signal: str) -> bool:
        return not self.signals[signal].consumed

    def give(self, to: AppKey | str, signal: Signal, known: set[AppKey], now: datetime) -> tuple[WorkKey, Event]:
        if signal.name not in SIGNALS:
            raise errors.UsageError(f"'{signal.name}' is not a signal")
        run = self.runs.get(to) if isinstance(to, str) else None
        if (isinstance(to, str) and run is None) or (isinstance(to, AppKey) and to not in known):
            raise errors.NotFound(f"signal {to}: there is no such run or application")
        self.signals[signal.id] = Given(to, changed(signal, created_at=now))
        app = to if isinstance(to, AppKey) else run.app
        data = {"signal": signal.name, "step": signal.step, "id": signal.id, "comment": signal.comment}
        subject = str(app) if app is not None else _subject(run)
        key = WorkKey("app", str(to)) if isinstance(to, AppKey) else run.key
        return key, Event("signal.given", subject, signal.actor, now, data, app)

    def take(self, key: WorkKey, fact: Any, now: datetime) -> list[Event]:
        if isinstance(fact, ports.SignalConsumed):
            given = self.signals[fact.id]
            mine = WorkKey("app", str(given.to)) if isinstance(given.to, AppKey) else self.runs[given.to].key
            if given.consumed or mine != key:
                raise errors.Bug(f"signal {fact.id} was consumed before, or is another's")
            given.consumed = True
            return []
        run = self.runs.get(fact.run.id if isinstance(fact, ports.RunMoved) else fact.run)
        if run is None or run.key != key:
            raise errors.Bug(f"record for {key}: the run does not belong to it")
        if isinstance(fact, ports.RunMoved):
            kept = {"spec": run.spec, "context": run.context, "release": run.release, "started_at": run.started_at}
            self.runs[run.id] = changed(fact.run, **kept)
            return _run_events(run, fact.run, now)
        if isinstance(fact, ports.StepMoved):
            before = self.steps.get((run.id, fact.state.name))
            self.steps[run.id, fact.state.name] = _kept(fact.state)
            return _step_events(run, before, fact.state, now)
        if isinstance(fact, ports.StepsReset):
            self._reset(run.id, set(fact.names))
        elif isinstance(fact, ports.AttemptMoved):
            place = (run.id, fact.attempt.step, fact.attempt.number)
            if (old := self.attempts.get(place)) is None or old.ended_at is None:
                new = fact.attempt
                self.attempts[place] = new if old is None else changed(new, started_at=old.started_at, fence=old.fence)
        elif isinstance(fact, ports.EffectNoted):
            place = (run.id, fact.effect.step, fact.effect.key)
            if (old := self.effects.get(place)) is None:
                self.effects[place] = fact.effect
            elif old.done_at is None:
                self.effects[place] = changed(old, result=fact.effect.result, done_at=fact.effect.done_at)
        return []

    def _reset(self, run: str, names: set[str]) -> None:
        def of(name: str) -> str:
            return name.rpartition("[")[0] if name.endswith("]") and name not in names else ""

        for place in [p for p in self.effects if p[0] == run and (p[1] in names or of(p[1]) in names)]:
            del self.effects[place]
        for place in [p for p in self.attempts if p[0] == run and of(p[1]) in names]:
            del self.attempts[place]
        for place in [p for p in self.steps if p[0] == run]:
            if of(place[1]) in names:
                del self.steps[place]
            elif place[1] in names:
                old = self.steps[place]
                self.steps[place] = StepState(old.name, old.type, old.ordinal, attempt=old.attempt, item=old.item)


def _kept(step: StepState) -> StepState:
    """As the store gives it back: texts of secret outputs are Secrets."""
    outputs = {n: _secret(v) if n in step.secret_outputs else v for n, v in step.outputs.items()}
    return changed(step, outputs=outputs)


def _secret(tree: Any) -> Any:
    if isinstance(tree, str):
        return Secret(tree)
    if isinstance(tree, dict):
        return {key: _secret(value) for key, value in tree.items()}
    return [_secret(value) for value in tree] if isinstance(tree, list) else tree


def _subject(run: Run) -> str:
    return f"{run.namespace}/{run.name}"


def _run_events(before: Run, run: Run, now: datetime) -> list[Event]:
    if before.state == run.state:
        return []
    kind = "run.ended" if run.state in ENDED else "run.suspended" if run.state == "suspended" else "run.resumed"
    return [Event(kind, _subject(run), SYSTEM, now, {"run": run.id, "state": run.state}, run.app)]


def _step_events(run: Run, before: StepState | None, state: StepState, now: datetime) -> list[Event]:
    was, attempt = (before.state, before.attempt) if before is not None else ("pending", 0)
    kind = ""
    if state.state in TERMINAL and was != state.state:
        kind = "step.ended"
    elif state.state == "running" and (was, attempt) != (state.state, state.attempt) and was != "waiting":
        kind = "step.started"
    elif state.state == "suspended" and (was, attempt) != (state.state, state.attempt):
        kind = "step.suspended"
    data = {"run": run.id, "step": state.name, "state": state.state, "attempt": state.attempt}
    return [Event(kind, _subject(run), SYSTEM, now, data, run.app)] if kind else []
