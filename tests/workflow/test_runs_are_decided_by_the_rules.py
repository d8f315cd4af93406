"""Rules 1 to 13 of the engine, each by what a person sees of it."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
import simulated
from simulated import START, Simulated

from appdelivery.model.record import changed
from appdelivery.workflow import cursor
from appdelivery.workflow.model import Approval, Done, Fail, Suspend, Wait

OK = "succeeded"
SKIP = "skipped Skip"
NO = Fail("step.failed", "no", retryable=False)
AGAIN = Fail("step.failed", "busy", retryable=True)
THREE = "steps: [{name: a, type: x}, {name: b, type: x}, {name: c, type: x}]"


def all_done(**answers):
    """Steps answer Done, but those named."""
    script = simulated.Script(answers)
    return lambda start: script(start) if start.row.name in script.answers else Done()


# --- signals ---


def test_terminate_fails_what_has_begun_and_skips_the_rest():
    run = Simulated(THREE, all_done(b=[Wait(timedelta(seconds=9), None, "w")])).go()
    run.signal("terminate")
    run.go()
    assert run.reasons() == {"a": OK, "b": "failed Terminate", "c": SKIP}
    assert (run.run.state, run.run.message, run.due) == ("terminated", "terminated by ana", None)
    assert run.run.finished_at == run.now


def test_terminate_voids_the_attempt_in_flight():
    run = Simulated(THREE)
    run.step()
    start = run.flying["a"]
    run.signal("terminate")
    run.step()
    assert (run.flying, run.attempts) == ({}, [("a", 1, "fenced")])
    run.flying["a"] = start
    run.end("a", Done())
    assert run.rows["a"].state == "failed", "a late answer changes nothing"


def test_cancel_requested_is_terminate():
    run = Simulated(THREE, all_done(b=[Wait(timedelta(seconds=9), None, "w")])).go()
    run.run = changed(run.run, cancel_requested=True)
    assert run.go().run.state == "terminated"
    assert not run.run.cancel_requested


def test_pause_lets_running_steps_end_and_starts_none():
    run = Simulated(THREE, all_done())
    run.step()
    run.signal("pause")
    run.step()
    run.end("a")
    run.go()
    assert (run.states(), run.run.state, run.due) == ({"a": OK, "b": "pending", "c": "pending"}, "suspended", None)
    run.later(100).signal("resume")
    run.go()
    assert (run.run.state, run.run.paused, run.run.suspended_ms) == (OK, False, 100_000)


def test_time_suspended_does_not_count_against_the_deadline():
    run = Simulated("deadline: 10s\nsteps: [{name: a, type: suspend}, {name: b, type: x}]", lambda s: simulated.suspend(s) if s.step.type == "suspend" else Wait(timedelta(seconds=1), None, "w")).go()  # fmt: skip
    assert run.due is None, "the clock stands"
    run.later(3600).signal("resume", "a")
    run.go()
    assert run.run.deadline == START + timedelta(seconds=3610)
    run.later(11).go()
    assert run.reasons() == {"a": OK, "b": "failed Timeout"}


def test_approvals_are_answered_by_name_and_a_bare_resume_leaves_them():
    asks = Suspend("ship?", approval=Approval(("ana",), distinct=True))
    flow = "mode: {steps: DAG}\nsteps: [{name: a, type: x}, {name: b, type: suspend}]"

    def script(start):
        if start.step.type == "suspend":
            return simulated.suspend(start)
        return asks if start.answer is None else Done(dict(start.answer))

    run = Simulated(flow, script).go()
    assert cursor.approval(run.rows["a"]) == Approval(("ana",), distinct=True)
    run.signal("resume")
    run.go()
    assert (run.states(), run.run.state) == ({"a": "suspended", "b": OK}, "suspended")
    run.signal("approve", "a", comment="fine", payload={"digest": "d"})
    run.go()
    assert run.run.state == OK
    assert run.rows["a"].outputs == {
        "signal": "approve", "by": "ana", "comment": "fine", "at": run.now.isoformat(), "payload": {"digest": "d"},
    }  # fmt: skip


def test_reject_fails_the_step():
    run = Simulated("steps: [{name: a, type: suspend}, {name: b, type: x}]", {"b": [Done()]}).go()
    run.signal("reject", "a", comment="not today")
    run.go()
    assert run.reasons() == {"a": "failed Rejected", "b": SKIP}
    assert run.rows["a"].message == "rejected by ana: not today"
    assert run.run.state == "failed"


def test_an_answer_survives_the_worker_that_was_to_use_it():
    run = Simulated("steps: [{name: a, type: suspend}]").go()
    run.signal("resume", "a", comment="go")
    run.step()
    assert "a" in run.flying
    run.kill().go()
    assert (run.run.state, run.rows["a"].outputs["comment"]) == (OK, "go")
    assert [result for _, _, result in run.attempts] == ["suspend", "interrupted", "done"]


def test_a_suspension_with_an_end_runs_again_then_without_an_answer():
    run = Simulated("steps: [{name: a, type: suspend, properties: {seconds: 60}}]").go()
    assert run.due == START + timedelta(seconds=60)
    run.later(60).go()
    assert (run.run.state, run.rows["a"].outputs) == (OK, {})


def test_skip_frees_what_the_step_held_up():
    run = Simulated(THREE, all_done(b=[NO])).go()
    assert run.reasons() == {"a": OK, "b": "failed Action", "c": SKIP}
    run.signal("skip", "b")
    run.go()
    assert run.reasons() == {"a": OK, "b": SKIP, "c": OK}
    assert (run.run.state, run.rows["b"].message) == (OK, "skipped by ana")


def test_skip_of_a_step_that_was_not_yet_reached_lets_the_others_wait_for_each_other():
    run = Simulated(THREE, all_done(a=[Wait(timedelta(seconds=1), None, "w"), Done()])).go()
    run.signal("skip", "b")
    run.go()
    assert run.states() == {"a": "waiting", "b": "skipped", "c": "pending"}
    assert run.sleep().states() == {"a": OK, "b": "skipped", "c": OK}


def test_skip_of_a_step_in_flight_waits_for_its_end():
    run = Simulated(THREE, all_done(a=[Wait(timedelta(seconds=1), None, "w")]))
    run.step()
    run.signal("skip", "a")
    run.step()
    assert (run.states()["a"], len(run.signals)) == ("running", 1)
    run.go()
    assert run.reasons() == {"a": SKIP, "b": OK, "c": OK}


def test_retry_of_a_failed_step_reopens_the_run_and_revives_what_followed():
    run = Simulated(THREE, all_done(b=[NO, Done()])).go()
    assert run.run.state == "failed"
    run.later(60).signal("retry", "b")
    run.go()
    assert (run.states(), run.run.state) == ({"a": OK, "b": OK, "c": OK}, OK)
    assert run.run.deadline == run.now + timedelta(hours=24), "with its whole deadline"
    assert [one for one in run.attempts if one[0] == "b"] == [("b", 1, "fail"), ("b", 2, "done")]


def test_a_bare_retry_takes_all_that_failed_and_those_that_back_off():
    flow = "mode: {steps: DAG}\nsteps: [{name: a, type: x}, {name: b, type: x}, {name: c, type: x, dependsOn: [a]}]"
    run = Simulated(flow, all_done(a=[NO, Done()], b=[AGAIN, Done()])).go()
    assert run.reasons() == {"a": "failed Action", "b": "waiting Wait", "c": SKIP}
    run.signal("retry")
    run.go()
    assert run.states() == {"a": OK, "b": OK, "c": OK}
    assert run.run.state == OK


def test_retry_does_not_revive_what_somebody_skipped():
    run = Simulated(THREE, all_done(a=[Wait(timedelta(seconds=1), None, "w"), NO, Done()])).go()
    run.signal("skip", "c")
    run.go().sleep()
    assert run.reasons() == {"a": "failed Action", "b": SKIP, "c": SKIP}
    run.signal("retry", "a")
    run.go()
    assert run.states() == {"a": OK, "b": OK, "c": "skipped"}


def test_retry_of_a_step_in_a_group_opens_the_group_again():
    flow = "steps: [{name: g, type: step-group, subSteps: [{name: a, type: x}, {name: b, type: x}]}, {name: c, type: x}]"
    run = Simulated(flow, all_done(**{"g/b": [NO, Done()]})).go()
    assert run.reasons() == {"g": "failed Action", "g/a": OK, "g/b": "failed Action", "c": SKIP}
    run.signal("retry", "b")
    run.go()
    assert run.states() == {"g": OK, "g/a": OK, "g/b": OK, "c": OK}


def test_restart_of_a_step_in_a_group_that_was_not_reached_waits_for_what_is_before_the_group():
    flow = "steps: [{name: a, type: x}, {name: g, type: step-group, subSteps: [{name: b, type: x}]}]"
    run = Simulated(flow, all_done(a=[Wait(timedelta(seconds=1), None, "w"), Done()])).go()
    run.signal("restart", "b")
    run.go()
    assert run.states() == {"a": "waiting", "g": "pending", "g/b": "pending"}
    assert run.sleep().run.state == OK


def test_restart_of_a_step_in_a_group_that_was_skipped_asks_the_condition_again():
    flow = "steps: [{name: a, type: x}, {name: g, type: step-group, if: context.go == true, subSteps: [{name: b, type: x}]}]"
    run = Simulated(flow, all_done(), context={"go": False}).go()
    assert run.reasons() == {"a": OK, "g": SKIP, "g/b": SKIP}
    run.signal("restart", "b")
    assert run.go().reasons() == {"a": OK, "g": SKIP, "g/b": SKIP}
    run.run = changed(run.run, context={"go": True})
    run.signal("restart", "b")
    assert run.go().reasons() == {"a": OK, "g": OK, "g/b": OK}


def test_a_step_that_may_have_called_waits_for_a_person():
    from appdelivery.workflow import results

    run = Simulated("steps: [{name: a, type: x, effects: once}]", {"a": [Done()]})
    run.step()
    start = run.flying.pop("a")
    run.rows["a"] = results.unsure(start, "called at 12:00").row
    run.go()
    assert (run.reasons(), run.run.state) == ({"a": "suspended Unsure"}, "suspended")
    run.signal("retry", "a")
    run.step()
    assert run.flying["a"].answer["signal"] == "retry"
    assert run.go().run.state == OK


def test_a_promotion_is_handed_to_the_step_it_names():
    seen = []

    def script(start):
        seen.append(start.answer and start.answer["signal"])
        return Done() if start.answer else Wait(timedelta(hours=1), {"rollout": 1}, "canary")

    run = Simulated("steps: [{name: a, type: x}]", script).go()
    run.signal("promote", "a")
    run.go()
    assert (seen, run.run.state) == ([None, "promote"], OK)


def test_signals_for_a_superseded_run_do_nothing():
    run = Simulated(THREE, all_done(a=[Wait(timedelta(seconds=1), None, "w")]), release=3).go()
    run.newest = 4
    run.go()
    assert (run.run.state, run.run.message) == ("superseded", "superseded by release 4")
    assert run.reasons() == {"a": "failed Terminate", "b": SKIP, "c": SKIP}
    for name in ("restart", "retry", "resume", "skip"):
        run.signal(name, "a")
    run.go()
    assert (run.run.state, run.signals) == ("superseded", [])


# --- limits ---


def test_a_newer_release_waits_for_the_attempt_in_flight():
    run = Simulated(THREE, all_done(), release=3)
    run.step()
    run.newest = 4
    run.step()
    assert run.run.state == "executing"
    run.end("a")
    run.go()
    assert (run.run.state, run.reasons()) == ("superseded", {"a": OK, "b": SKIP, "c": SKIP})


def test_the_deadline_of_a_run_fails_what_has_not_ended_but_if_always():
    flow = "deadline: 10s\nsteps: [{name: a, type: x}, {name: b, type: x}, {name: c, type: x, if: always}, {name: d, type: x, if: status.a.timeout}]"
    run = Simulated(flow, all_done(a=[Wait(timedelta(seconds=30), None, "w")])).go()
    assert run.due == START + timedelta(seconds=10)
    run.later(10).go()
    assert run.reasons() == {"a": "failed Timeout", "b": "failed Timeout", "c": OK, "d": "failed Timeout"}
    assert run.run.state == "failed"


def test_what_runs_in_any_case_ends_ten_minutes_after_the_deadline():
    flow = "deadline: 10s\nsteps: [{name: a, type: x}, {name: b, type: x, if: always}]"
    waits = [Wait(timedelta(seconds=100), None, "w")]
    run = Simulated(flow, {"a": waits, "b": waits}).go().later(10).go()
    assert (run.reasons(), run.run.state) == ({"a": "failed Timeout", "b": "waiting Wait"}, "executing")
    run.sleep()
    assert run.reasons() == {"a": "failed Timeout", "b": "failed Timeout"}
    assert run.now == START + timedelta(seconds=610)


def test_a_lost_worker_is_no_failure_and_its_step_goes_on_from_its_cursor():
    seen = []

    def script(start):
        seen.append((start.cursor, start.attempt, start.row.attempt))
        return Wait(timedelta(seconds=1), {"n": 1}, "w") if len(seen) == 1 else Done()

    run = Simulated("steps: [{name: a, type: x, retry: {limit: 0}}]", script).go().later(1)
    run.step()
    run.kill().go()
    assert run.run.state == OK
    assert run.attempts == [("a", 1, "wait"), ("a", 2, "interrupted"), ("a", 3, "done")]
    assert seen == [(None, 1, 1), ({"n": 1}, 1, 3)], "the same try"


def test_the_answer_of_a_lost_worker_is_fenced():
    run = Simulated("steps: [{name: a, type: x}]", all_done())
    run.step()
    late = run.flying["a"]
    run.kill()
    run.step()
    fresh = run.flying["a"]
    run.flying["a"] = late
    run.end("a", NO)
    assert run.rows["a"].state == "running"
    run.flying["a"] = fresh
    assert run.go().run.state == OK


def test_a_timeout_counts_from_the_first_start_through_failures_and_waiting():
    run = Simulated("steps: [{name: a, type: x, timeout: 20s, retry: {interval: 8s, backoff: constant}}]", {"a": [AGAIN]})
    run.sleep()
    assert run.reasons() == {"a": "failed Timeout"}
    assert run.now == START + timedelta(seconds=20)
    assert len(run.attempts) == 3


# --- retries ---


def test_retries_back_off_until_their_limit():
    run = Simulated("steps: [{name: a, type: x, retry: {limit: 3, interval: 10s, max: 30s}}]", {"a": [AGAIN]})
    times = []
    while not times or run.due is not None:
        run.go()
        times.append((run.now - START).total_seconds())
        run.now = run.due or run.now
    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert [round(gap, -1) for gap in gaps] == [10, 20, 30]
    assert all(abs(gap - round(gap, -1)) <= round(gap, -1) * 0.1 for gap in gaps), "within a tenth"
    assert len({gap / round(gap, -1) for gap in gaps}) == 3, "not all alike"
    assert run.reasons() == {"a": "failed FailedAfterRetries"}
    assert run.rows["a"].failures == 4


@pytest.mark.parametrize(
    ("backoff", "expected"), [("constant", [2, 2, 2]), ("linear", [2, 4, 6]), ("exponential", [2, 6, 18])]
)
def test_back_off_has_three_forms(backoff, expected):
    from appdelivery.model.application import Retry
    from appdelivery.workflow import backoff as delays

    retry = Retry(interval=2.0, backoff=backoff, factor=3.0)
    found = [delays.after_failure(retry, n, "seed") for n in (1, 2, 3)]
    assert all(abs(delay - want) <= want * 0.1 for delay, want in zip(found, expected, strict=True)), found
    assert found == [delays.after_failure(retry, n, "seed") for n in (1, 2, 3)], "deterministic"
    assert delays.after_failure(Retry(), 10_000, "s") <= 330


def test_a_step_may_ask_for_more_time():
    slow = Fail("throttled", "slow down", retryable=True, after=timedelta(seconds=90))
    run = Simulated("steps: [{name: a, type: x}]", {"a": [slow]}).go()
    assert run.due == START + timedelta(seconds=90)


def test_a_verdict_is_not_tried_again_and_keeps_its_reason():
    run = Simulated(THREE, all_done(b=[Fail("step.rejected", "no", retryable=False)])).go()
    assert run.reasons()["b"] == "failed Rejected"


def test_a_failure_begins_a_new_try_and_an_error_of_the_world_does_not():
    seen = []

    def script(start):
        seen.append((start.cursor, start.attempt))
        return Wait(timedelta(seconds=1), {"job": start.attempt}, "w")

    run = Simulated("steps: [{name: a, type: x, retry: {limit: 1, interval: 1s}}]", script).go()
    for how in ({"same_try": True}, {}):
        run.later(2).step()
        script(run.flying["a"])
        run.end("a", AGAIN, **how)
        run.later(2).go()
    assert seen == [(None, 1), ({"job": 1}, 1), ({"job": 1}, 1), ({"job": 1}, 1), (None, 5)]
    run.later(2).step()
    run.end("a", AGAIN)
    assert run.rows["a"].reason == "FailedAfterRetries", "waiting does not forgive a failed try"


# --- data ---


def test_values_flow_from_outputs_to_properties():
    flow = """
steps:
- {name: a, type: x, outputs: [{name: ip, valueFrom: output.ip}]}
- name: b
  type: x
  inputs: [{from: ip, parameterKey: "hosts[0].ip"}, {from: context.zone.name, parameterKey: zone}]
  properties:
    text: "${{ inputs.ip }}:80"
    number: "${{ steps.a.outputs.port + 1 }}"
    phase: "${{ status.a.phase }}"
    region: "${{ context.region }}"
    plain: $${{ kept }}
"""
    seen = []

    def script(start):
        seen.append(start.properties)
        return Done({"ip": "10.0.0.1", "port": 8080, "big": "x" * 5000})

    run = Simulated(flow, script, context={"region": "eu", "zone": {"name": "a"}}).go()
    assert run.run.state == OK
    assert seen[1] == {
        "text": "10.0.0.1:80", "number": 8081, "phase": "succeeded", "region": "eu", "plain": "${{ kept }}",
        "hosts": [{"ip": "10.0.0.1"}], "zone": "a",
    }  # fmt: skip
    assert run.rows["a"].outputs == {"ip": "10.0.0.1", "port": 8080}, "what nobody reads is kept only while it is small"
    assert run.rows["b"].inputs == {"ip": "10.0.0.1", "context.zone.name": "a"}


@pytest.mark.parametrize(
    ("step", "why"),
    [
        ("inputs: [{from: o, parameterKey: k}]", "step 'a' ended as skipped without writing it"),
        ("inputs: [{from: context.k}]", "the context of the run has no 'k'"),
        ("inputs: [{from: elsewhere}]", "no step and no component has written it"),
        ("properties: {k: '${{ steps.a.outputs.o }}'}", "no key 'o' here"),
        ("foreach: {items: '${{ context.n }}'}", "foreach.items is"),
    ],
)
def test_what_is_missing_fails_the_step(step, why):
    flow = f"steps: [{{name: a, type: x, if: context.n == 2, outputs: [{{name: o, valueFrom: output.o}}]}}, {{name: b, type: x, {step}}}]"
    run = Simulated(flow, all_done(), context={"n": 1}).go()
    assert run.reasons() == {"a": SKIP, "b": "failed Input"}
    assert why in run.rows["b"].message


def test_outputs_of_components_are_inputs_too():
    run = Simulated("steps: [{name: b, type: x, inputs: [{from: ip, parameterKey: k}]}]", all_done(), given={"ip": 7}).go()
    assert run.rows["b"].inputs == {"ip": 7}


def test_outputs_that_are_too_large_fail_the_step_with_their_size():
    flow = "steps: [{name: a, type: x, outputs: [{name: o, valueFrom: output.o}]}]"
    run = Simulated(flow, {"a": [Done({"o": "x" * 300_000})]}).go()
    assert run.reasons() == {"a": "failed Action"}
    assert "300008 bytes, at most 262144" in run.rows["a"].message


def test_the_outputs_of_a_run_have_a_limit_together():
    steps = ", ".join(f"{{name: s{i}, type: x, outputs: [{{name: o{i}, valueFrom: output.o}}]}}" for i in range(6))
    run = Simulated(f"steps: [{steps}]", lambda _: Done({"o": "x" * 250_000})).go()
    assert [row.state for row in run.rows.values()] == [OK] * 4 + ["failed", "skipped"]


def test_a_cursor_that_is_too_large_fails_the_step():
    run = Simulated("steps: [{name: a, type: x}]", {"a": [Wait(None, "x" * 20_000, "w")]}).go()
    assert "its cursor is 20002 bytes" in run.rows["a"].message


@pytest.mark.parametrize("answer", [Done({"o": {1, 2}}), Wait(None, object(), "w"), Suspend("s", cursor=b"x")])
def test_what_is_no_json_fails_the_step_and_nothing_else(answer):
    run = Simulated("steps: [{name: a, type: x}, {name: b, type: x, if: always}]", all_done(a=[answer])).go()
    assert (run.reasons(), run.run.state) == ({"a": "failed Action", "b": OK}, "failed")
    assert "no JSON" in run.rows["a"].message


def test_a_group_that_is_opened_again_has_its_whole_time():
    flow = "steps: [{name: g, type: step-group, timeout: 10s, subSteps: [{name: a, type: x}]}]"
    waits = Wait(timedelta(seconds=6), None, "w")
    run = Simulated(flow, all_done(**{"g/a": [waits, waits, waits, Done()]})).go().sleep()
    assert run.reasons() == {"g": "failed Timeout", "g/a": "failed Timeout"}
    run.later(100).signal("retry", "g")
    assert run.go().rows["g"].deadline == run.now + timedelta(seconds=10)
    assert run.sleep().run.state == OK


def test_secret_outputs_are_named():
    flow = "steps: [{name: a, type: x, outputs: [{name: p, valueFrom: output.p, secret: true}]}]"
    run = Simulated(flow, {"a": [Done({"p": "s3cret", "q": "t"}, secret=("q",))]}).go()
    assert run.rows["a"].secret_outputs == ("p", "q")


# --- groups and foreach ---


def test_foreach_runs_one_step_for_each_item_and_collects_outputs_in_their_order():
    flow = """
steps:
- name: a
  type: x
  foreach: {items: "${{ context.zones }}", as: zone}
  properties: {name: "n-${{ zone.name }}-${{ index }}"}
  outputs: [{name: o, valueFrom: output.o}]
- {name: b, type: x, inputs: [{from: o, parameterKey: all}]}
"""
    run = Simulated(
        flow, lambda s: Done({"o": s.properties.get("name", "")}), context={"zones": [{"name": "x"}, {"name": "y"}]}
    )
    run.go(max)
    assert run.states() == {"a": OK, "b": OK, "a[0]": OK, "a[1]": OK}
    assert run.rows["b"].inputs == {"o": ["n-x-0", "n-y-1"]}
    assert run.rows["a[1]"].item == {"name": "y"}


def test_foreach_over_nothing_succeeds():
    run = Simulated("steps: [{name: a, type: x, foreach: {items: []}}, {name: b, type: x}]", all_done()).go()
    assert run.states() == {"a": OK, "b": OK}


def test_foreach_over_too_much_fails():
    run = Simulated("steps: [{name: a, type: x, foreach: {items: '${{ context.l }}'}}]", context={"l": [0] * 101}).go()
    assert run.rows["a"].message == "foreach.items holds 101 items, at most 100 are allowed"


@pytest.mark.parametrize(("fast", "last"), [(True, "skipped"), (False, OK)])
def test_foreach_stops_after_a_failure_unless_told_otherwise(fast, last):
    flow = f"steps: [{{name: a, type: x, foreach: {{items: [0, 1, 2], parallelism: 1, failFast: {str(fast).lower()}}}}}]"
    run = Simulated(flow, all_done(**{"a[1]": [NO, Done()]})).go()
    assert run.states() == {"a": "failed", "a[0]": OK, "a[1]": "failed", "a[2]": last}
    assert "[1] failed: no" in run.rows["a"].message
    run.signal("retry", "a[1]")
    run.go()
    assert run.states() == {"a": OK, "a[0]": OK, "a[1]": OK, "a[2]": OK}


def test_foreach_keeps_its_items_when_the_data_changes():
    run = Simulated(
        "steps: [{name: a, type: x, foreach: {items: '${{ context.l }}', parallelism: 1}}]",
        all_done(),
        context={"l": [1, 2]},
    )
    run.step()
    run.run = changed(run.run, context={"l": []})
    assert run.go().states() == {"a": OK, "a[0]": OK, "a[1]": OK}


def test_restart_of_a_foreach_goes_over_the_items_of_now():
    run = Simulated(
        "steps: [{name: a, type: x, foreach: {items: '${{ context.l }}'}}]", all_done(), context={"l": [1, 2]}
    ).go()
    run.run = changed(run.run, context={"l": [3]})
    run.signal("restart", "a")
    found = run.look()
    assert set(found.reset) == {"a", "a[0]", "a[1]"}
    run.go()
    assert run.states() == {"a": OK, "a[0]": OK, "a[1]": "skipped"}
    assert (run.rows["a[0]"].item, run.rows["a[0]"].attempt) == (3, 2)


@pytest.mark.parametrize(
    ("flow", "most"),
    [
        ("steps: [{name: g, type: step-group, concurrency: 2, subSteps: [" + ", ".join(f"{{name: s{i}, type: x}}" for i in range(6)) + "]}]", 2),
        ("steps: [{name: a, type: x, foreach: {items: [0, 1, 2, 3, 4, 5], parallelism: 3}}]", 3),
        ("mode: {steps: DAG}\nsteps: [" + ", ".join(f"{{name: s{i}, type: x}}" for i in range(15)) + "]", 10),
    ],
)  # fmt: skip
def test_parallelism_is_bounded_and_used(flow, most):
    run = Simulated(flow, all_done())
    run.step()
    assert len(run.flying) == most
    while run.flying:
        run.end(min(run.flying))
        run.step()
        assert len(run.flying) <= most
    assert run.run.state == OK


def test_a_step_that_waits_keeps_its_place_in_its_group():
    flow = "steps: [{name: g, type: step-group, concurrency: 1, subSteps: [{name: a, type: x}, {name: b, type: x}]}]"
    run = Simulated(flow, all_done(**{"g/a": [Wait(timedelta(seconds=1), None, "w"), Done()]})).go()
    assert run.states() == {"g": "running", "g/a": "waiting", "g/b": "pending"}
    assert run.sleep().run.state == OK


def test_restart_does_not_start_a_step_whose_attempt_is_still_on_its_way_out():
    run = Simulated("steps: [{name: a, type: x}]", all_done())
    run.step()
    run.signal("restart", "a")
    found = run.look()
    assert ([row.name for row in found.cancelled], found.start, found.due_at) == (["a"], (), run.now)
    run.step()
    assert run.rows["a"].state == "pending"
    assert run.go().attempts == [("a", 1, "fenced"), ("a", 2, "done")]


def test_a_busy_step_does_not_start():
    from appdelivery.workflow import decide

    run = Simulated("steps: [{name: a, type: x}]", all_done())
    at = changed(run.at(), busy=frozenset({"a"}))
    assert decide.decide(run.dag, run.run, run.rows.values(), (), at).start == ()


def test_a_foreach_takes_one_place_in_its_group_and_what_has_begun_keeps_its_own():
    """Two steps that each waited for the other's place would wait for ever."""
    flow = "steps: [{name: g, type: step-group, concurrency: 1, subSteps: [{name: a, type: x}, {name: b, type: x, foreach: {items: [0, 1]}}]}]"
    run = Simulated(flow, all_done(**{"g/a": [AGAIN, Done()]})).go()
    assert run.states() == {"g": "running", "g/a": "waiting", "g/b": "pending"}
    assert run.sleep().run.state == OK
