"""The scenarios of KubeVela's workflow executor by their names (kubevela/workflow pkg/executor/workflow_test.go).

Two words differ on purpose.  A step that failed and will be tried again is running there failed, here waiting (phase
running).  A run is suspending there as soon as one step suspends, here suspended once nothing else can go on.
"""

from __future__ import annotations

import pytest
import simulated
from simulated import Simulated

from appdelivery.model.run import Spec, StepSpec
from appdelivery.workflow.model import Done

F = "failed FailedAfterRetries"
T = "failed Timeout"
S = "skipped Skip"
OK = "succeeded"
# failed-after-retries of the original is a verdict; here it is the end of no retries.
FAR = "{limit: 0}"

CASES = {
    "Workflow test for failed": (
        "steps: [{name: s1, type: success}, {name: s2, type: failed}, {name: s3, type: success}]",
        {"s1": OK, "s2": "waiting Wait", "s3": "pending"},
        "executing",
    ),
    "Workflow test for failed: all succeed": (
        "steps: [{name: s1, type: success}, {name: s2, type: success}, {name: s3, type: success}]",
        {"s1": OK, "s2": OK, "s3": OK},
        "succeeded",
    ),
    "Workflow test failed with sub steps": (
        """
steps:
- {name: s1, type: success}
- {name: s2, type: step-group, subSteps: [{name: s2-sub1, type: success}, {name: s2-sub2, type: failed}]}
- {name: s3, type: success}
""",
        {"s1": OK, "s2": "running", "s2/s2-sub1": OK, "s2/s2-sub2": "waiting Wait", "s3": "pending"},
        "executing",
    ),
    "Workflow test skipped with sub steps": (
        """
steps:
- {name: s1, type: failed, retry: {limit: 0}}
- {name: s2, type: step-group, subSteps: [{name: s2-sub1, type: success}, {name: s2-sub2, type: failed}]}
- {name: s3, type: success}
""",
        {"s1": F, "s2": S, "s2/s2-sub1": S, "s2/s2-sub2": S, "s3": S},
        "failed",
    ),
    "Workflow test if-always with sub steps": (
        """
steps:
- {name: s1, type: failed, retry: {limit: 0}}
- name: s2
  type: step-group
  if: always
  subSteps:
  - {name: s2-sub1, type: success, if: always, dependsOn: [s2-sub2]}
  - {name: s2-sub2, type: failed, retry: {limit: 0}}
  - {name: s2-sub3, type: terminate}
- {name: s3, type: success}
""",
        {"s1": F, "s2": F, "s2/s2-sub1": OK, "s2/s2-sub2": F, "s2/s2-sub3": "failed Terminate", "s3": S},
        "failed",
    ),
    "Workflow test success with sub steps": (
        """
steps:
- {name: s1, type: success}
- {name: s2, type: step-group, subSteps: [{name: s2-sub1, type: success}, {name: s2-sub2, type: success}]}
- {name: s3, type: success}
""",
        {"s1": OK, "s2": OK, "s2/s2-sub1": OK, "s2/s2-sub2": OK, "s3": OK},
        "succeeded",
    ),
    # There behind a gate that suspends the run; without the gate, which is the default, it fails.
    "Workflow test for failed after retries with suspend: StepByStep": (
        "steps: [{name: s1, type: success}, {name: s2, type: failed, retry: {limit: 0}}, {name: s3, type: success}]",
        {"s1": OK, "s2": F, "s3": S},
        "failed",
    ),
    "Workflow test for failed after retries with suspend: DAG": (
        """
mode: {steps: DAG}
steps: [{name: s1, type: success}, {name: s2, type: failed, retry: {limit: 0}}, {name: s3, type: success}]
""",
        {"s1": OK, "s2": F, "s3": OK},
        "failed",
    ),
    "Workflow test if always: StepByStep": (
        """
steps:
- {name: s1, type: success}
- {name: s2, type: failed, retry: {limit: 0}}
- {name: s3, type: success, if: always}
- {name: s4, type: success}
- {name: s5, type: success, if: always}
""",
        {"s1": OK, "s2": F, "s3": OK, "s4": S, "s5": OK},
        "failed",
    ),
    "Workflow test if always: DAG": (
        """
mode: {steps: DAG}
steps:
- {name: s1, type: success}
- {name: s2, type: failed, retry: {limit: 0}}
- {name: s3, type: success, if: always, dependsOn: [s2]}
- {name: s4, type: success, dependsOn: [s3]}
- {name: s5, type: success, if: always, dependsOn: [s3]}
- {name: s6, type: success, dependsOn: [s1, s5]}
""",
        {"s1": OK, "s2": F, "s3": OK, "s4": S, "s5": OK, "s6": S},
        "failed",
    ),
    "Workflow test if expressions: StepByStep": (
        """
steps:
- {name: s1, type: success}
- {name: s2, type: success, if: status.s1.failed}
- {name: s3, type: success, if: status.s1.succeeded, outputs: [{name: test, valueFrom: context.name}]}
- {name: s4, type: success, if: 'inputs.test == "app"', inputs: [{from: test}]}
""",
        {"s1": OK, "s2": S, "s3": OK, "s4": OK},
        "succeeded",
    ),
    "Workflow test if expressions: DAG": (
        """
mode: {steps: DAG}
steps:
- {name: s1, type: success}
- {name: s2, type: success, if: status.s1.failed}
- {name: s3, type: success, if: status.s1.succeeded, dependsOn: [s2], outputs: [{name: test, valueFrom: context.name}]}
- {name: s4, type: success, if: 'inputs.test == "app"', dependsOn: [s3], inputs: [{from: test}]}
""",
        {"s1": OK, "s2": S, "s3": OK, "s4": OK},
        "succeeded",
    ),
    "Workflow test if expressions with sub steps": (
        """
steps:
- {name: s1, type: success}
- name: s2
  type: step-group
  if: status.s1.timeout
  subSteps: [{name: s2_sub1, type: success, if: always}, {name: s2_sub2, type: failed, retry: {limit: 0}}]
- name: s3
  type: step-group
  if: status.s1.succeeded
  subSteps:
  - {name: s3_sub1, type: success, if: status.s2_sub1.skipped}
  - {name: s3_sub2, type: failed, retry: {limit: 0}}
""",
        {"s1": OK, "s2": S, "s2/s2_sub1": S, "s2/s2_sub2": S, "s3": F, "s3/s3_sub1": OK, "s3/s3_sub2": F},
        "failed",
    ),
    "Test failed after retries with sub steps": (
        """
steps:
- {name: s1, type: success}
- name: s2
  type: step-group
  subSteps: [{name: s2-sub1, type: success}, {name: s2-sub2, type: failed, retry: {limit: 0}}]
- {name: s3, type: success}
""",
        {"s1": OK, "s2": F, "s2/s2-sub1": OK, "s2/s2-sub2": F, "s3": S},
        "failed",
    ),
    "test for suspend with sub steps": (
        """
steps:
- {name: s1, type: success}
- {name: s2, type: step-group, subSteps: [{name: s2-sub1, type: success}, {name: s2-sub2, type: suspend}]}
- {name: s3, type: success}
""",
        {"s1": OK, "s2": "running", "s2/s2-sub1": OK, "s2/s2-sub2": "suspended", "s3": "pending"},
        "suspended",
    ),
    "test for terminate": (
        "steps: [{name: s1, type: success}, {name: s2, type: terminate}]",
        {"s1": OK, "s2": "failed Terminate"},
        "terminated",
    ),
    "test for terminate with sub steps": (
        """
steps:
- {name: s1, type: success}
- {name: s2, type: step-group, subSteps: [{name: s2-sub1, type: success}, {name: s2-sub2, type: terminate}]}
""",
        {"s1": OK, "s2": "failed Terminate", "s2/s2-sub1": OK, "s2/s2-sub2": "failed Terminate"},
        "terminated",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_scenario_ends_as_in_kubevela(name):
    flow, expected, state = CASES[name]
    run = Simulated(flow, context={"name": "app"}).go()
    assert (run.reasons(), run.run.state) == (expected, state)
    if state not in ("executing", "suspended"):
        assert run.due is None
        before = dict(run.rows)
        assert not run.later(3600).step(), "a run that ended does nothing"
        assert run.rows == before


def test_success_with_step_group_and_empty_sub_steps():
    """Refused in a document; rows of such a run, from wherever, end all the same."""
    steps = (
        StepSpec("s1", "success", "success", {}, 0),
        StepSpec("s2", "step-group", "", {}, 1, needs=("s1",), depends_on=("s1",)),
        StepSpec("s3", "success", "success", {}, 2, needs=("s2",), depends_on=("s2",)),
    )
    run = Simulated(Spec(steps, ("StepByStep", "DAG"))).go()
    assert run.states() == {"s1": OK, "s2": OK, "s3": OK}
    assert run.run.state == "succeeded"


def test_workflow_test_for_timeout():
    run = Simulated("""
steps:
- {name: s1, type: success}
- {name: s2, type: running, if: status.s1.succeeded, timeout: 1s}
- {name: s3, type: success}
- {name: s4, type: success, if: status.s2.timeout}
""").go()
    assert run.run.state == "executing"
    run.later(1).go()
    assert run.reasons() == {"s1": OK, "s2": T, "s3": S, "s4": OK}
    assert run.run.state == "failed"


def test_workflow_test_for_timeout_with_suspend():
    run = Simulated("""
steps:
- {name: s1, type: success}
- {name: s2, type: suspend, if: status.s1.timeout, timeout: 1s}
- {name: s3, type: success}
- {name: s4, type: suspend, if: status.s1.succeeded, timeout: 1s}
- {name: s5, type: success}
""").go()
    assert run.run.state == "suspended"
    run.later(1).go()
    assert run.reasons() == {"s1": OK, "s2": S, "s3": OK, "s4": T, "s5": S}
    assert run.run.state == "failed"


@pytest.mark.parametrize("inner", [True, False])
def test_workflow_test_for_timeout_with_sub_steps(inner):
    limit, outer = (", timeout: 1s", "") if inner else ("", "timeout: 1s,")
    run = Simulated(f"""
steps:
- {{name: s1, type: success}}
- name: s2
  type: step-group
  {outer.rstrip(",")}
  subSteps:
  - {{name: s2-sub1, type: success}}
  - {{name: s2-sub2, type: running{limit}}}
  - {{name: s2-suspend, type: suspend{limit}}}
- {{name: s3, type: success}}
""").go()
    assert run.rows["s2/s2-suspend"].state == "suspended"
    run.later(1).go()
    assert run.reasons() == {"s1": OK, "s2": T, "s2/s2-sub1": OK, "s2/s2-sub2": T, "s2/s2-suspend": T, "s3": S}
    assert run.run.state == "failed"


def test_get_backoff_time_and_clean():
    """There 1 s, doubling to 60 s, kept in memory and lost with it; here the time waited so far says it."""
    from appdelivery.workflow.model import Wait

    run = Simulated("steps: [{name: s1, type: x}]", {"s1": [Wait(None, None, "later")]}).go()
    pauses = []
    for _ in range(10):
        pauses.append((run.due - run.now).total_seconds())
        run.now = run.due
        run.go()
    assert pauses == [1, 1, 2, 4, 8, 16, 32, 60, 60, 60]
    run.kill().go()
    run.now = run.due
    assert (run.go().due - run.now).total_seconds() == 60


def test_get_backoff_time_with_timeout():
    from appdelivery.workflow.model import Wait

    run = Simulated("steps: [{name: s1, type: x, timeout: 30s}]", {"s1": [Wait(None, None, "later")]}).go()
    for _ in range(5):
        run.now = run.due
        run.go()
    assert run.due == simulated.START.replace(second=30)


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ("", None),
        ("timeout: 1m", 60),
        ("properties: {seconds: 30}", 30),
        ("timeout: 1m, properties: {seconds: 30}", 30),
        ("timeout: 30s, properties: {seconds: 60}", 30),
    ],
)
def test_get_suspend_backoff_time(fields, seconds):
    run = Simulated(f"steps: [{{name: s1, type: suspend, {fields}}}]", script=None)
    run.spec = run.spec
    run.go()
    assert (None if run.due is None else (run.due - run.now).total_seconds()) == seconds


def test_get_suspend_backoff_time_of_an_invalid_timeout_is_refused():
    with pytest.raises(AssertionError, match="not a duration"):
        simulated.written("steps: [{name: s1, type: suspend, timeout: test}]")


def test_test_for_suspend():
    run = Simulated("steps: [{name: s1, type: success}, {name: s2, type: suspend}, {name: s3, type: success}]").go()
    assert (run.run.state, run.states()) == ("suspended", {"s1": OK, "s2": "suspended", "s3": "pending"})
    assert not run.later(60).step(), "still suspended"
    run.signal("resume", "s2", comment="go")
    run.go()
    assert (run.run.state, run.states()) == ("succeeded", {"s1": OK, "s2": OK, "s3": OK})
    assert run.rows["s2"].outputs == {"by": "ana", "comment": "go", "at": run.now.isoformat()}


def test_test_for_error():
    """An error while a step is executed leaves the run executing, and it is tried again."""
    from appdelivery.workflow.model import Fail

    run = Simulated(
        "steps: [{name: s1, type: success}, {name: s2, type: x}]", {"s2": [Fail("internal", "bug", retryable=True), Done()]}
    ).go()
    assert (run.run.state, run.states()) == ("executing", {"s1": OK, "s2": "waiting"})
    assert run.sleep().run.state == "succeeded"


def test_skip_workflow():
    run = Simulated(Spec((), ("StepByStep", "DAG"))).go()
    assert run.run.state == "succeeded"


def test_test_for_dag():
    from datetime import timedelta

    from appdelivery.workflow.model import Wait

    pending = Wait(timedelta(seconds=1), None, "pending")
    run = Simulated(
        "mode: {steps: DAG}\nsteps: [{name: s1, type: success}, {name: s2, type: x}, {name: s3, type: success}]",
        {"s2": [pending, Done()]},
    ).go()
    assert (run.run.state, run.states()) == ("executing", {"s1": OK, "s2": "waiting", "s3": OK})
    assert run.sleep().states() == {"s1": OK, "s2": OK, "s3": OK}
    assert run.run.state == "succeeded"


def test_step_commit_data_without_success():
    """What a step keeps between two looks is its cursor."""
    from datetime import timedelta

    from appdelivery.workflow import cursor
    from appdelivery.workflow.model import Wait

    waits = Wait(timedelta(seconds=1), {"saved": True}, "set")
    run = Simulated("steps: [{name: s1, type: x}, {name: s2, type: success}]", {"s1": [waits]}).go()
    assert run.run.state == "executing"
    assert cursor.own(run.rows["s1"]) == {"saved": True}
    seen = []
    run.script = lambda start: seen.append(start.cursor) or Done()
    run.sleep()
    assert seen == [{"saved": True}, None]


FLOW = """
steps:
- {name: s1, type: success, outputs: [{name: o, valueFrom: output.value}]}
- {name: s2, type: step-group, subSteps: [{name: a, type: success}, {name: b, type: success, inputs: [{from: o, parameterKey: x}]}]}
- {name: s3, type: success}
"""


@pytest.mark.parametrize(
    ("step", "again"),
    [
        ("s1", {"s1", "s2/a", "s2/b", "s3"}),
        ("s2", {"s2/a", "s2/b", "s3"}),
        ("s3", {"s3"}),
        ("a", {"s2/a", "s3"}),
        ("", {"s1", "s2/a", "s2/b", "s3"}),
    ],
)
def test_restart_from_a_step(step, again):
    run = Simulated(FLOW).go()
    assert run.run.state == "succeeded"
    run.log.clear()
    run.signal("restart", step)
    run.go()
    assert {name for state, name in run.log if state == "running" and name != "s2"} == again
    assert run.run.state == "succeeded"
    assert run.rows["s2/b"].inputs == {"o": "app"}


def test_restart_of_a_failed_run_from_the_failed_step():
    from appdelivery.workflow.model import Fail

    run = Simulated(
        "steps: [{name: s1, type: success}, {name: s2, type: x}, {name: s3, type: success}]",
        {"s2": [Fail("step.failed", "no", retryable=False), Done()]},
    ).go()
    assert run.run.state == "failed"
    run.signal("restart", "s2")
    assert run.go().states() == {"s1": OK, "s2": OK, "s3": OK}
    assert run.run.state == "succeeded"
    assert [one for one in run.attempts if one[0] == "s1"] == [("s1", 1, "done")]


def test_restart_of_an_unknown_step_changes_nothing():
    run = Simulated(FLOW).go()
    run.signal("restart", "nowhere")
    run.step()
    assert (run.run.state, run.signals) == ("succeeded", [])


@pytest.mark.parametrize(
    "condition", ["strconv.Atoi(context.name) > 3", "${{ context.name | int > 3 }}", "context.name", "context.no"]
)
def test_an_if_that_cannot_be_evaluated_fails_the_step(condition):
    """The one deliberate difference: KubeVela skips it silently."""
    flow = {"steps": [{"name": "s1", "type": "success", "if": condition}, {"name": "s2", "type": "success"}]}
    run = Simulated(simulated.made(flow), context={"name": "app"}).go()
    assert run.reasons() == {"s1": "failed Input", "s2": S}
    assert run.rows["s1"].message, "the text of the problem"
