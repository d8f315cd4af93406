"""The Protocol Journal where runs are concerned, on the fake, SQLite and PostgreSQL."""

# ruff: noqa: F811 - fixtures are imported, and named again where they are used
from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from store import making
from store.backends import app, backend, journal, postgres_store  # noqa: F401 - fixtures

from appdelivery import errors
from appdelivery.delivery import ports
from appdelivery.model.record import changed
from appdelivery.model.run import FORMAT, SIGNALS, Attempt, Effect, Signal, StepState, WorkKey
from appdelivery.model.secret import Secret

if TYPE_CHECKING:
    from store.backends import Backend

    from appdelivery.model.refs import AppKey

AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
ALL = frozenset({"app", "run", "cluster", "schedule"})
IDS = itertools.count(1)


def new_id() -> str:
    return f"run{next(IDS):023}"


def signal(name: str = "resume", **more: Any) -> Signal:
    return Signal(new_id(), name, making.ANA, AT, **more)


@pytest.fixture
def opened(journal: Any, app: AppKey) -> Any:
    """A release with a run of two steps."""
    run = making.run_request(new_id(), app)
    journal.open_release(making.request(app), run)
    return run.run


@pytest.fixture
def lease(journal: Any, app: AppKey, opened: Any) -> Any:
    return journal.claim(making.key(app), "a", 30)


def work(journal: Any, app: AppKey) -> Any:
    return journal.work(making.key(app))


def step(journal: Any, app: AppKey, name: str = "one") -> StepState:
    return next(s for s in work(journal, app).steps if s.name == name)


# --- opening -------------------------------------------------------------------------------------------------------------


def test_a_release_opens_with_its_run_and_is_due_at_once(journal: Any, app: AppKey, opened: Any) -> None:
    found = work(journal, app)
    assert found.run == changed(opened, app=app, release=1, started_at=found.run.started_at)
    assert found.run.key == making.key(app)
    assert [(s.name, s.type, s.state) for s in found.steps] == [("one", "wait", "pending"), ("two", "deploy", "pending")]
    assert (found.newest, found.signals) == (1, ())
    assert making.key(app) in journal.due(None, ALL, 1000)


def test_every_word_of_a_spec_comes_back(journal: Any, app: AppKey) -> None:
    request = making.run_request(new_id(), app, making.rich_spec(), context={"parameters": {"password": Secret("hunter2")}})
    journal.open_release(making.request(app), request)
    found = work(journal, app).run
    assert found.spec == request.run.spec
    assert found.context == request.run.context


def test_a_release_that_is_refused_opens_no_run(journal: Any, app: AppKey) -> None:
    making.delivered(journal, app)
    with pytest.raises(errors.Conflict):
        journal.open_release(making.request(app, after=0), making.run_request(new_id(), app))
    assert work(journal, app).run is None


def test_an_application_never_delivered_has_no_work(journal: Any, app: AppKey) -> None:
    found = work(journal, app)
    assert (found.key, found.run, found.steps, found.signals, found.newest) == (making.key(app), None, (), (), 0)
    assert found.now.utcoffset() is not None


def test_a_run_without_application_has_a_work_item_of_its_own(journal: Any) -> None:
    request = making.run_request(new_id(), None, document={"kind": "WorkflowRun"})
    run = journal.open_run(request)
    key = WorkKey("run", run.id)
    assert run.key == key
    assert key in journal.due(None, ALL, 1000)
    found = journal.work(key)
    assert (found.run, len(found.steps), found.newest) == (run, 2, 0)
    lease = journal.claim(key, "a", 30)
    ended = changed(run, state="succeeded", finished_at=AT)
    assert journal.record(lease, [ports.RunMoved(ended)]) == 0
    assert journal.work(key).run == ended
    journal.release(lease)
    assert key not in journal.due(None, ALL, 1000)


def test_the_older_run_is_looked_at_first_so_that_it_can_be_superseded(journal: Any, app: AppKey, opened: Any) -> None:
    second = making.run_request(new_id(), app)
    journal.open_release(making.request(app, after=1), second)
    found = work(journal, app)
    assert (found.run.id, found.run.release, found.newest) == (opened.id, 1, 2)
    lease = journal.claim(making.key(app), "a", 30)
    journal.record(lease, [ports.RunMoved(changed(found.run, state="superseded", finished_at=AT))])
    assert work(journal, app).run.id == second.run.id


def test_without_an_open_run_the_newest_is_looked_at(journal: Any, app: AppKey, opened: Any, lease: Any) -> None:
    ended = changed(work(journal, app).run, state="failed", reason="Action", message="it broke", finished_at=AT)
    journal.record(lease, [ports.RunMoved(ended)])
    assert work(journal, app).run == ended


def test_a_run_of_a_newer_format_keeps_its_number_and_shows_no_steps(journal: Any, app: AppKey) -> None:
    spec = changed(making.spec(), format=FORMAT + 1)
    if type(journal).__name__ == "FakeJournal":
        pytest.skip("the fake keeps values, not rows")
    journal.open_release(making.request(app), making.run_request(new_id(), app, spec))
    assert (work(journal, app).run.spec.format, work(journal, app).run.spec.steps) == (FORMAT + 1, ())


# --- leases and wakes ----------------------------------------------------------------------------------------------------


def test_of_two_claimers_one_gets_the_work(journal: Any, app: AppKey, opened: Any) -> None:
    key = making.key(app)
    leases = [journal.claim(key, worker, 30) for worker in ("a", "b")]
    assert [lease is not None for lease in leases] == [True, False]
    assert key not in journal.due(None, ALL, 1000)


def test_what_a_dead_process_of_this_computer_holds_is_taken_at_once(backend: Backend, app: AppKey, opened: Any) -> None:
    key = making.key(app)
    first = backend.journal.claim(key, "dead", 30)
    assert key not in backend.journal.due(None, ALL, 1000)
    backend.dead.add("dead")
    assert key in backend.journal.due(None, ALL, 1000)
    second = backend.journal.claim(key, "b", 30)
    assert second.fence > first.fence
    with pytest.raises(errors.LostLease):
        backend.journal.record(first, [])


def test_after_its_lease_held_work_is_due_again(backend: Backend, app: AppKey, opened: Any) -> None:
    backend.journal.claim(making.key(app), "a", 30)
    assert making.key(app) not in backend.journal.due(None, ALL, 1000)
    backend.pass_time(31)
    assert making.key(app) in backend.journal.due(None, ALL, 1000)


def test_released_work_sleeps_until_it_is_due(backend: Backend, app: AppKey, lease: Any) -> None:
    key = making.key(app)
    backend.journal.release(lease, work(backend.journal, app).now + timedelta(seconds=60))
    assert key not in backend.journal.due(None, ALL, 1000)
    backend.pass_time(61)
    assert key in backend.journal.due(None, ALL, 1000)


def test_work_released_without_a_time_sleeps_until_it_is_woken(backend: Backend, app: AppKey, lease: Any) -> None:
    backend.journal.release(lease)
    backend.pass_time(10**6)
    assert making.key(app) not in backend.journal.due(None, ALL, 1000)
    backend.journal.signal(app, signal())
    assert making.key(app) in backend.journal.due(None, ALL, 1000)


def test_a_wake_during_a_pass_is_never_overwritten(journal: Any, app: AppKey, lease: Any) -> None:
    journal.signal(app, signal())
    journal.release(lease, work(journal, app).now + timedelta(hours=1))
    assert making.key(app) in journal.due(None, ALL, 1000)


def test_a_wake_that_the_pass_heeded_lets_it_sleep(journal: Any, app: AppKey, lease: Any) -> None:
    journal.signal(app, signal())
    seen = work(journal, app)
    journal.release(changed(lease, generation=seen.generation), seen.now + timedelta(hours=1))
    assert making.key(app) not in journal.due(None, ALL, 1000)


def test_a_failed_pass_is_due_again_after_a_while_that_doubles(backend: Backend, app: AppKey, lease: Any) -> None:
    key, journal = making.key(app), backend.journal
    for wait in (1, 2, 4):
        journal.release(lease, error="the database of the step is away")
        backend.pass_time(wait - 0.5)
        assert key not in journal.due(None, ALL, 1000)
        backend.pass_time(0.6)
        assert key in journal.due(None, ALL, 1000)
        lease = journal.claim(key, "a", 30)
    journal.release(lease)
    journal.signal(app, signal())
    lease = journal.claim(key, "a", 30)
    journal.release(lease, error="again")
    backend.pass_time(1.1)
    assert key in journal.due(None, ALL, 1000)


def test_the_urgent_is_due_first(backend: Backend, app: AppKey) -> None:
    journal = backend.journal
    making.delivered(journal, app)
    other = type(app)("urgent", app.name)
    journal.open_release(making.request(other, cause="source"))
    backend.pass_time(5)
    journal.signal(app, signal())  # later, but a person waits
    mine = [key for key in journal.due(None, ALL, 1000) if key.id in (str(app), str(other))]
    assert mine == [making.key(app), making.key(other)]
    assert len(journal.due(None, ALL, 1)) == 1
    assert journal.due(None, {"cluster"}, 10) == []


def test_a_fact_may_wake_other_work(journal: Any, app: AppKey, lease: Any) -> None:
    key = WorkKey("schedule", app.name)
    journal.record(lease, [ports.Woken(key)])
    assert key in journal.due(None, {"schedule"}, 1000)


def test_any_kind_of_work_is_claimed_and_released(journal: Any, app: AppKey) -> None:
    key = WorkKey("cluster", app.name)
    lease = journal.claim(key, "a", 30)
    assert (lease.key, lease.fence) == (key, 1)
    assert journal.claim(key, "b", 30) is None
    journal.release(lease, AT)
    assert journal.due(None, {"cluster"}, 10) == [key]
    journal.release(journal.claim(key, "b", 30))


# --- what is recorded ----------------------------------------------------------------------------------------------------


def test_a_step_comes_back_as_it_was_recorded(journal: Any, app: AppKey, opened: Any, lease: Any) -> None:
    state = StepState(
        "one", "wait", 0, "waiting", "Wait", "until ten", 2, 1, AT, AT + timedelta(seconds=1), None,
        AT + timedelta(minutes=1), AT + timedelta(hours=1), lease.fence, {"a": [1]}, {"b": {"c": None}}, (), {"page": 3}, "x",
    )  # fmt: skip
    journal.record(lease, [ports.StepMoved(opened.id, state)])
    assert step(journal, app) == state


def test_an_item_of_a_foreach_gets_a_row_when_it_first_moves(journal: Any, app: AppKey, opened: Any, lease: Any) -> None:
    items = [StepState(f"two[{n}]", "deploy", 1, item={"n": n}) for n in range(3)]
    journal.record(lease, [ports.StepMoved(opened.id, item) for item in items])
    assert [s.name for s in work(journal, app).steps] == ["one", "two", "two[0]", "two[1]", "two[2]"]
    assert step(journal, app, "two[2]").item == {"n": 2}


def test_secret_outputs_come_back_as_secrets(journal: Any, app: AppKey, opened: Any, lease: Any) -> None:
    outputs = {"password": "hunter2", "host": "db", "both": {"user": "u", "port": 5432}}
    state = StepState("one", "x", 0, "succeeded", outputs=outputs, secret_outputs=("password", "both"))
    journal.record(lease, [ports.StepMoved(opened.id, state)])
    found = step(journal, app)
    assert found.outputs == {
        "password": Secret("hunter2"),
        "host": "db",
        "both": {"user": Secret("u"), "port": 5432},
    }
    assert "hunter2" not in str(found)
    user = StepState("two", "x", 1, "waiting", inputs={"p": found.outputs["password"]}, cursor={"p": Secret("hunter2")})
    journal.record(lease, [ports.StepMoved(opened.id, user)])
    assert step(journal, app, "two") == user


def test_the_run_moves_and_its_spec_stays(journal: Any, app: AppKey, opened: Any, lease: Any) -> None:
    run = work(journal, app).run
    moved = changed(
        run, state="suspended", suspended_since=AT, suspended_ms=5, paused=True, cancel_requested=True, reason="r", message="m",
        deadline=AT,
    )  # fmt: skip
    journal.record(lease, [ports.RunMoved(moved)])
    assert work(journal, app).run == moved


def test_facts_about_runs_and_releases_commit_together(journal: Any, app: AppKey, opened: Any, lease: Any) -> None:
    run = work(journal, app).run
    done = [ports.RunMoved(changed(run, state="succeeded", finished_at=AT)), making.ended(1)]
    assert journal.record(lease, done) == 1
    assert (work(journal, app).run.state, journal.newest(app).outcome) == ("succeeded", "succeeded")


def test_a_worker_that_lost_its_lease_moves_nothing(backend: Backend, app: AppKey, opened: Any, lease: Any) -> None:
    journal = backend.journal
    journal.signal(app, signal())
    before = work(journal, app)
    backend.pass_time(31)
    assert journal.claim(making.key(app), "b", 30) is not None
    facts = [
        ports.RunMoved(changed(before.run, state="failed")),
        ports.StepMoved(opened.id, changed(before.steps[0], state="running")),
        ports.StepsReset(opened.id, ("one",)),
        ports.EffectNoted(opened.id, Effect("one", "k", making.digest("r"), False, AT)),
        ports.SignalConsumed(before.signals[0].id),
    ]
    for fact in facts:
        with pytest.raises(errors.LostLease):
            journal.record(lease, [fact])
    after = work(journal, app)
    assert (after.run, after.steps, after.signals) == (before.run, before.steps, before.signals)
    assert journal.effect(opened.id, "one", "k") is None


def test_a_refused_fact_takes_the_others_with_it(journal: Any, app: AppKey, opened: Any, lease: Any) -> None:
    journal.signal(app, signal())
    given = work(journal, app).signals[0]
    state = changed(step(journal, app), state="running")
    with pytest.raises(errors.Conflict):
        journal.record(
            lease,
            [
                ports.StepMoved(opened.id, state),
                ports.SignalConsumed(given.id),
                ports.ObjectDeleting(making.row(lease).identity, 0),
            ],
        )
    assert step(journal, app).state == "pending"
    assert work(journal, app).signals == (given,)


def test_a_run_of_somebody_else_is_not_moved(journal: Any, app: AppKey, opened: Any) -> None:
    other = type(app)("other", app.name)
    journal.open_release(making.request(other), making.run_request(new_id(), other))
    stranger = journal.claim(making.key(other), "a", 30)
    with pytest.raises(errors.Bug):
        journal.record(stranger, [ports.StepMoved(opened.id, StepState("one", "x", 0, "failed"))])
    with pytest.raises(errors.Bug):
        journal.record(stranger, [ports.RunMoved(changed(opened, app=app, state="failed"))])
    assert step(journal, app).state == "pending"


def test_an_attempt_that_has_ended_never_changes(journal: Any, app: AppKey, opened: Any, lease: Any) -> None:
    started = Attempt("one", 1, AT, "a", lease.fence)
    journal.record(lease, [ports.AttemptMoved(opened.id, started)])
    ended = changed(started, ended_at=AT, result="fail", code="x.y", error="no")
    journal.record(lease, [ports.AttemptMoved(opened.id, ended)])
    journal.record(lease, [ports.AttemptMoved(opened.id, changed(ended, result="done", error=""))])
    assert making.attempts(journal, opened.id) == [ended]


def test_a_step_that_is_reset_begins_anew_and_counts_on(journal: Any, app: AppKey, opened: Any, lease: Any) -> None:
    done = StepState(
        "one", "wait", 0, "succeeded", "r", "m", 3, 2, AT, AT, AT, None, None, lease.fence, {"a": 1}, {"b": "x"}, ("b",), 5
    )
    item = StepState("two[0]", "deploy", 1, "succeeded", attempt=1, item="x")
    noted = Effect("one", "call", making.digest("r"), False, AT, {"status": 200}, AT)
    attempt = Attempt("two[0]", 1, AT, "a", lease.fence, AT, "done")
    journal.record(
        lease,
        [
            ports.StepMoved(opened.id, done),
            ports.StepMoved(opened.id, item),
            ports.EffectNoted(opened.id, noted),
            ports.AttemptMoved(opened.id, attempt),
        ],
    )
    journal.record(lease, [ports.StepsReset(opened.id, ("one", "two"))])
    assert work(journal, app).steps == (StepState("one", "wait", 0, attempt=3), StepState("two", "deploy", 1))
    assert journal.effect(opened.id, "one", "call") is None
    assert making.attempts(journal, opened.id) == []


# --- effects -------------------------------------------------------------------------------------------------------------


def test_an_effect_is_kept_once(journal: Any, app: AppKey, opened: Any, lease: Any) -> None:
    noted = Effect("one", "call", making.digest("request"), True, AT)
    journal.record(lease, [ports.EffectNoted(opened.id, noted)])
    assert journal.effect(opened.id, "one", "call") == noted
    done = changed(noted, result={"status": 201}, done_at=AT + timedelta(seconds=1))
    journal.record(lease, [ports.EffectNoted(opened.id, done)])
    assert journal.effect(opened.id, "one", "call") == done
    again = changed(noted, result={"status": 500}, done_at=AT + timedelta(seconds=9))
    journal.record(lease, [ports.EffectNoted(opened.id, again)])
    assert journal.effect(opened.id, "one", "call") == done
    assert journal.effect(opened.id, "two", "call") is None


# --- signals -------------------------------------------------------------------------------------------------------------


def test_signals_come_in_the_order_of_their_ids(journal: Any, app: AppKey, opened: Any) -> None:
    given = [signal(name, step="one", comment=name, payload={"n": n}) for n, name in enumerate(SIGNALS)]
    for one in reversed(given):
        journal.signal(app, one)
    found = work(journal, app).signals
    assert [s.id for s in found] == [s.id for s in given]
    assert [(s.name, s.step, s.comment, s.payload, s.actor) for s in found] == [
        (s.name, "one", s.name, {"n": n}, making.ANA) for n, s in enumerate(given)
    ]


def test_a_signal_is_consumed_once(journal: Any, app: AppKey, opened: Any, lease: Any) -> None:
    journal.signal(opened.id, signal())
    journal.signal(app, signal("pause"))
    first, second = work(journal, app).signals
    journal.record(lease, [ports.SignalConsumed(first.id)])
    assert work(journal, app).signals == (second,)
    with pytest.raises(errors.Bug):
        journal.record(lease, [ports.SignalConsumed(first.id)])


def test_a_signal_of_somebody_else_is_not_consumed(journal: Any, app: AppKey, opened: Any) -> None:
    journal.signal(app, signal())
    other = type(app)("other", app.name)
    journal.open_release(making.request(other), making.run_request(new_id(), other))
    stranger = journal.claim(making.key(other), "a", 30)
    with pytest.raises(errors.Bug):
        journal.record(stranger, [ports.SignalConsumed(work(journal, app).signals[0].id)])
    assert len(work(journal, app).signals) == 1


def test_a_signal_to_the_application_is_for_its_newest_run(journal: Any, app: AppKey, opened: Any, lease: Any) -> None:
    newer = making.run_request(new_id(), app)
    journal.open_release(making.request(app, after=1), newer)
    journal.signal(app, signal("resume"))
    journal.signal(opened.id, signal("terminate"))
    assert [s.name for s in work(journal, app).signals] == ["terminate"]
    old = work(journal, app).run
    journal.record(lease, [ports.RunMoved(changed(old, state="superseded", finished_at=AT))])
    assert [s.name for s in work(journal, app).signals] == ["resume"]


def test_a_run_without_application_is_signalled_by_its_id(journal: Any) -> None:
    run = journal.open_run(making.run_request(new_id(), None))
    journal.signal(run.id, signal("approve"))
    given = journal.work(run.key).signals
    assert [s.name for s in given] == ["approve"]
    journal.record(journal.claim(run.key, "a", 30), [ports.SignalConsumed(given[0].id)])
    assert journal.work(run.key).signals == ()


def test_signals_to_nobody_and_of_no_name_are_refused(journal: Any, app: AppKey) -> None:
    with pytest.raises(errors.NotFound):
        journal.signal(app, signal())
    with pytest.raises(errors.NotFound):
        journal.signal("no-such-run", signal())
    making.delivered(journal, app)
    with pytest.raises(errors.UsageError):
        journal.signal(app, signal("explode"))


# --- workers -------------------------------------------------------------------------------------------------------------


def test_a_heartbeat_answers_the_living_workers(backend: Backend, app: AppKey) -> None:
    def beat(name: str) -> list[str]:
        me = ports.Worker(f"{app.name}-{name}", ("engine",), "1.0.0", AT, {"slots": 3})
        found = backend.journal.heartbeat(me)
        assert next(w for w in found if w.id == me.id) == changed(me, seen_at=found[0].seen_at) or len(found) > 1
        return [w.id.removeprefix(f"{app.name}-") for w in found if w.id.startswith(f"{app.name}-")]

    assert beat("one") == ["one"]
    backend.pass_time(20)
    assert beat("two") == ["one", "two"]
    backend.pass_time(20)
    assert beat("two") == ["two"]
    beat("one")
    backend.dead.add(f"{app.name}-one")
    assert beat("two") == ["two"]


def test_a_run_that_goes_on_after_its_end_takes_its_release_with_it(
    journal: Any, app: AppKey, opened: Any, lease: Any
) -> None:
    run = journal.work(lease.key).run
    ended = changed(run, state="failed", message="no", finished_at=run.started_at)
    journal.record(lease, [ports.ReleaseEnded(run.release, "failed", "no", {"failed": 1}), ports.RunMoved(ended)])
    assert journal.newest(app).outcome == "failed"
    journal.record(lease, [ports.RunMoved(changed(run, state="executing"))])
    again = journal.newest(app)
    assert (again.outcome, again.message, again.ended_at) == ("running", "", None)
