"""Properties of the engine over random workflows, answers, orders, lost workers and signals."""

from __future__ import annotations

import json
from datetime import timedelta

import simulated
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated import Simulated

from appdelivery.model.run import ENDED, TERMINAL
from appdelivery.workflow import decide, spec
from appdelivery.workflow.dag import Dag
from appdelivery.workflow.model import Done, Fail, Suspend, Wait

SLOW = settings(max_examples=60, deadline=None)
OUTCOMES = ("ok", "ok", "ok", "verdict", "flaky", "hopeless", "waits", "asks", "refused")


def answer(start):
    """By the type of the step, its failures, cursor and answer: what a repeatable step does."""
    kind = start.step.type
    if kind == "verdict":
        return Fail("step.failed", "no", retryable=False)
    if kind == "hopeless" or (kind == "flaky" and start.row.failures == 0):
        return Fail("step.failed", "busy", retryable=True)
    if kind == "waits" and start.cursor != 2:
        return Wait(timedelta(seconds=3), (start.cursor or 0) + 1, "waits")
    if kind in ("asks", "refused") and start.answer is None:
        return Suspend("asks")
    return Done({"value": start.row.name})


@st.composite
def flows(draw, *, fail_fast=False):
    count = draw(st.integers(1, 7))
    dag = draw(st.booleans())
    known = []
    steps = []
    for index in range(count):
        name = f"s{index}"
        if draw(st.integers(0, 3)) == 0:
            inside, subs = [], []
            for inner in range(draw(st.integers(1, 3))):
                subs.append(_step(draw, f"{name}-{inner}", known + inside, fail_fast))
                inside.append((f"{name}-{inner}", ""))
            step = {"name": name, "type": "step-group", "subSteps": subs, **_where(draw, known)}
            step |= draw(st.sampled_from([{}, {"concurrency": 1}, {"mode": "StepByStep"}]))
            known += inside
        else:
            step = _step(draw, name, known, fail_fast)
        steps.append(step)
        known = [*known, (name, "")]
    return {"mode": {"steps": "DAG" if dag else "StepByStep"}, "steps": steps}


def _where(draw, known):
    found = {}
    names = [name for name, _ in known]
    if names and draw(st.booleans()):
        found["dependsOn"] = draw(st.lists(st.sampled_from(names), max_size=2, unique=True))
    word = draw(st.sampled_from(["", "", "", "always", "failed", "succeeded", "skipped", "failed || context.no == 1"]))
    if word == "always":
        found["if"] = word
    elif word and names:
        found["if"] = f"status.{draw(st.sampled_from(names))}.{word}"
    return found


def _step(draw, name, known, fail_fast):
    step = {"name": name, "type": draw(st.sampled_from(OUTCOMES)), **_where(draw, known)}
    step["retry"] = {"limit": 2, "interval": "1s"}
    step["outputs"] = [{"name": f"o-{name}", "valueFrom": "output.value"}]
    plain = [one for one, _ in known if not one.startswith("g")]
    if plain and draw(st.integers(0, 3)) == 0:
        step["inputs"] = [{"from": f"o-{draw(st.sampled_from(plain))}", "parameterKey": "k"}]
    if draw(st.integers(0, 4)) == 0:
        step["foreach"] = {"items": list(range(draw(st.integers(0, 3)))), "failFast": fail_fast}
    return step


def usable(flow):
    """Inputs of groups, which write nothing, are left out."""
    groups = {step["name"] for step in flow["steps"] if step["type"] == "step-group"}
    for top in flow["steps"]:
        for step in (top, *top.get("subSteps", ())):
            step["inputs"] = [one for one in step.get("inputs", ()) if one["from"][2:] not in groups]
    return flow


class Checked(Simulated):
    """A run in which every decision is checked."""

    def step(self):
        before = dict(self.rows)
        found = self.look()
        assert found == self.look(), "the same question has the same answer"
        moved = super().step()
        for start in found.start:
            self.holds(start.row.name, before)
        if not found.cancelled:
            again = self.look()
            assert not again.moves, [(row, self.rows.get(row.name)) for row in again.moves]
            assert not again.start
            assert (again.consume, again.run) == ((), self.run), "what was recorded decides to nothing"
        for row in self.rows.values():
            if before.get(row.name) and before[row.name].state in TERMINAL and not self.reviving:
                assert row.state == before[row.name].state, f"{row.name} ended twice"
        return moved

    reviving = False

    def holds(self, name, before):
        """No step starts before its needs have ended."""
        if name in before and before[name].state != "pending":
            return
        step = self.dag.of(name)
        for need in step.needs:
            assert self.rows[need].state in TERMINAL, f"{name} started before {need}"
        if step.group:
            assert self.rows[step.group].state == "running"
            for need in self.dag.steps[step.group].needs:
                assert self.rows[need].state in TERMINAL


def carried_out(flow, pick, *, kills=None, parallelism=10, order=sorted):
    run = Checked(simulated.made(flow), answer, parallelism=parallelism)
    for _ in range(300):
        for _ in range(5000):
            run.step()
            if not run.flying:
                break
            if kills is not None and kills():
                run.kill()
                continue
            run.end(pick(sorted(run.flying)))
        if run.run.state in ENDED:
            return run
        if run.due is not None:
            run.now = max(run.due, run.now)
            continue
        assert run.run.state == "suspended", (run.run.state, run.reasons())
        for name in order([row.name for row in run.rows.values() if row.state == "suspended"]):
            run.signal("reject" if run.dag.of(name).type == "refused" else "approve", name)
    raise AssertionError("it does not come to an end")


def shown(run):
    return {name: (row.state, row.reason, row.failures, dict(row.outputs)) for name, row in run.rows.items()}


@SLOW
@given(flows().map(usable), st.randoms(use_true_random=False), st.integers(1, 10))
def test_order_parallelism_and_lost_workers_do_not_change_the_end(flow, random, parallelism):
    plain = carried_out(flow, min)
    budget = [12]

    def kills():
        budget[0] -= 1
        return budget[0] > 0 and random.random() < 0.3

    def shuffled(names):
        random.shuffle(names)
        return names

    other = carried_out(flow, random.choice, kills=kills, parallelism=parallelism, order=shuffled)
    assert shown(other) == shown(plain)
    assert (other.run.state, other.run.message) == (plain.run.state, plain.run.message)
    assert all(row.state in TERMINAL for row in plain.rows.values())


@SLOW
@given(flows(fail_fast=True).map(usable), st.randoms(use_true_random=False))
def test_groups_and_foreach_are_the_sum_of_their_parts(flow, random):
    run = carried_out(flow, random.choice)
    for step in run.spec.steps:
        row = run.rows[step.name]
        if step.use and step.foreach is None:
            continue
        names = run.dag.children.get(step.name, ()) if step.foreach is None else [f"{step.name}[{i}]" for i in range(len(row.item or ()))]  # fmt: skip
        inner = [run.rows[name].state for name in names]
        if row.first_started_at is None:
            assert row.state in ("skipped", "failed")
            assert all(run.rows[name].state == "skipped" for name in run.dag.children.get(step.name, ()))
        elif "failed" in inner:
            assert row.state == "failed"
        elif inner and set(inner) == {"skipped"}:
            assert row.state == "skipped"
        else:
            assert row.state == "succeeded"
        if row.state == "succeeded" and step.foreach is not None and inner:
            assert row.outputs["value"] == [run.rows[name].outputs.get("value") for name in names]
    failed = [row for row in run.rows.values() if row.state == "failed" and "/" not in row.name and "[" not in row.name]
    assert (run.run.state in ("failed", "terminated")) == bool(failed)


SIGNALS = ("terminate", "pause", "resume", "approve", "reject", "retry", "skip", "restart", "promote", "abort")


@SLOW
@given(flows().map(usable), st.data())
def test_no_signal_at_any_time_leaves_a_run_stuck_or_breaks_its_rules(flow, data):
    run = Checked(simulated.made(flow), answer)
    run.reviving = True
    names = ["", *[step.name for step in run.spec.steps], "nowhere"]
    for _ in range(data.draw(st.integers(1, 12))):
        run.step()
        what = data.draw(st.sampled_from(["end", "end", "signal", "signal", "time", "kill"]))
        if what == "end" and run.flying:
            run.end(data.draw(st.sampled_from(sorted(run.flying))))
        elif what == "signal":
            run.signal(data.draw(st.sampled_from(SIGNALS)), data.draw(st.sampled_from(names)))
        elif what == "time":
            run.later(data.draw(st.integers(1, 100)))
        elif what == "kill":
            run.kill()
    run.signal("resume")
    for _ in range(300):
        run.go()
        assert not run.signals, "every signal is consumed once nothing is in flight"
        if run.run.state in ENDED:
            break
        if run.due is not None:
            run.now = max(run.due, run.now)
        else:
            assert run.run.state == "suspended", (run.run.state, run.reasons())
            run.signal("resume")
            for row in list(run.rows.values()):
                if row.state == "suspended":
                    run.signal("approve", row.name)
    assert run.run.state in ENDED
    numbers = [(name, number) for name, number, _ in run.attempts]
    assert len(numbers) == len(set(numbers)), "an attempt is recorded once"


@SLOW
@given(flows(fail_fast=True).map(usable))
def test_a_spec_survives_its_row(flow):
    made = simulated.made(flow)
    tree = json.loads(json.dumps(spec.to_tree(made)))
    assert spec.from_tree(tree) == made
    assert spec.to_tree(spec.from_tree(tree)) == tree
    assert decide.first_rows(made) == decide.first_rows(spec.from_tree(tree))


@SLOW
@given(flows().map(usable))
def test_needs_are_complete_in_every_order(flow):
    """The needs of a step name what the author wrote, what comes before it where order is the rule, and writers."""
    made = simulated.made(flow)
    dag = Dag(made)
    names = {step.name.rpartition("/")[2]: step.name for step in made.steps}
    before = None
    for top in flow["steps"]:
        step = dag.steps[top["name"]]
        for name in top.get("dependsOn", ()):
            assert names[name] in step.needs
            assert names[name] in step.depends_on
        if flow["mode"]["steps"] == "StepByStep" and before is not None:
            assert dag.before[step.name] & dag.bit[before]
        before = step.name
        for one in top.get("inputs", ()):
            assert names[one["from"][2:]] in step.needs
    assert [step.ordinal for step in dag.order] == list(range(len(made.steps)))
