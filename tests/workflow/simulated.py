"""A tiny driver of the pure engine: rows in memory, scripted answers of steps, a clock that is moved by hand.

It does what reconcile does with a Journal: records a Decision, runs what it starts in any order, records results.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from appdelivery.language.text import yaml_in
from appdelivery.model import reading_fields, reading_workflow, run
from appdelivery.model.history import Actor
from appdelivery.workflow import decide, results, spec
from appdelivery.workflow.dag import Dag
from appdelivery.workflow.model import Done, Fail, Suspend, Wait

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
ANA = Actor("user", "ana", "cli")
OPENED = "01H00000000000000000000000"


def written(text):
    """A Workflow from the YAML of spec.workflow."""
    reader = reading_fields.Reader("flow.yaml", 0, lenient=False)
    tree = yaml_in.load(text.encode(), "flow.yaml")[0] if not isinstance(text, dict) else text
    found = reading_workflow.read(reader, ("spec", "workflow"), tree, None)
    assert found is not None, [problem.message for problem in reader.problems]
    return found


def resolve(type):
    return spec.Resolved(type)


def made(text):
    return spec.of(written(text), resolve)


class Script:
    """What steps answer: by type as KubeVela's test runners do, or by name a list of answers, the last one for ever."""

    TYPES = {
        "success": Done({"value": "app"}),
        "failed": Fail("step.failed", "no", retryable=True),
        "failed-after-retries": Fail("step.failed", "no", retryable=False),
        "terminate": Fail("step.terminated", "ends the run", retryable=False),
        "running": Wait(timedelta(seconds=5), {"n": 1}, "still running"),
    }

    def __init__(self, answers=None):
        self.answers = {name: list(given) for name, given in (answers or {}).items()}

    def __call__(self, start):
        given = self.answers.get(start.row.name)
        if given:
            found = given[0] if len(given) == 1 else given.pop(0)
            return found(start) if callable(found) else found
        if start.step.type == "suspend":
            return suspend(start)
        return self.TYPES[start.step.type]


def suspend(start):
    if start.answer is not None:
        return Done({name: start.answer.get(name) for name in ("by", "comment", "at")})
    if start.cursor:
        return Done({})
    seconds = start.properties.get("seconds")
    return Suspend("waits", START + timedelta(seconds=seconds) if seconds else None, cursor={"asked": True})


class Simulated:
    def __init__(self, what, script=None, *, context=None, release=0, fence=1, parallelism=10, given=None):
        self.spec = what if isinstance(what, run.Spec) else made(what)
        self.dag = Dag(self.spec)
        self.run = run.Run(OPENED, "default", "app", "executing", self.spec, START, context=context or {}, release=release)
        self.rows = {row.name: row for row in decide.first_rows(self.spec)}
        self.signals = []
        self.now = START
        self.fence = fence
        self.newest = release
        self.parallelism = parallelism
        self.given = given or {}
        self.script = script if callable(script) else Script(script)
        self.flying = {}
        self.log = []  # (what, name) in the order of recording
        self.attempts = []
        self.due = None
        self.counter = 0

    # What people do.
    def signal(self, name, step="", **more):
        self.counter += 1
        self.signals.append(run.Signal(f"01H{self.counter:023d}", name, ANA, self.now, step, **more))

    def later(self, seconds):
        self.now += timedelta(seconds=seconds)
        return self

    # What reconcile does.
    def at(self):
        return decide.At(self.now, self.fence, self.newest, self.parallelism, self.given)

    def look(self):
        return decide.decide(self.dag, self.run, self.rows.values(), self.signals, self.at())

    def step(self):
        """One decision, recorded; True when something moved."""
        found = self.look()
        for row in found.interrupted:
            self.attempts.append((row.name, row.attempt, "interrupted"))
        for row in found.cancelled:
            self.attempts.append((row.name, row.attempt, "fenced"))
            self.flying.pop(row.name, None)
        for row in found.moves:
            if row.state != getattr(self.rows.get(row.name), "state", ""):
                self.log.append((row.state, row.name))
            self.rows[row.name] = row
        for start in found.start:
            assert start.row.name not in self.flying, f"{start.row.name} runs twice at once"
            self.flying[start.row.name] = start
        moved = bool(found.moves or found.consume or found.run != self.run)
        self.signals = [one for one in self.signals if one.id not in found.consume]
        self.run = found.run
        self.due = found.due_at
        return moved

    def end(self, name, result=None, **how):
        """The attempt of a step ends."""
        start = self.flying.pop(name)
        row = self.rows[name]
        if not results.current(row, start):
            self.attempts.append((name, start.row.attempt, "fenced"))
            return
        answer = self.script(start) if result is None else result
        recorded = results.recorded(self.dag, self.run, start, answer, now=self.now, rows=self.rows.values(), **how)
        self.rows[name] = recorded.row
        self.log.append((recorded.row.state, name))
        self.attempts.append((name, start.row.attempt, recorded.result))

    def go(self, pick=min):
        """Until nothing moves without time passing or people acting."""
        for _ in range(5000):
            self.step()
            if not self.flying:
                if not self.step() and not self.flying:
                    return self
                continue
            self.end(pick(self.flying))
        raise AssertionError("the run does not come to rest")

    def sleep(self, pick=min, *, most=1000):
        """Until it ended or only people can help, with time passing."""
        for _ in range(most):
            self.go(pick)
            if self.due is None:
                return self
            self.now = max(self.due, self.now)
        raise AssertionError("the run does not come to an end")

    def kill(self):
        """The worker is lost, another one claims the run."""
        self.flying.clear()
        self.fence += 1
        return self

    def states(self):
        return {name: row.state for name, row in self.rows.items()}

    def reasons(self):
        return {name: f"{row.state} {row.reason}".strip() for name, row in self.rows.items()}
