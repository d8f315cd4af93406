"""Rows of runs: their events, what is sealed, what people are shown, what goes in time, what a check finds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from store import making

from appdelivery.delivery import ports
from appdelivery.model.record import changed
from appdelivery.model.run import Attempt, Effect, Signal, StepState
from appdelivery.model.secret import Secret
from appdelivery.store import backup, check, events, retention, run_history
from appdelivery.store import journal as journals

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def journal(store: Any) -> journals.SqlJournal:
    made = journals.SqlJournal(store)
    made.open_release(making.request(), making.run_request("run-1", making.WEB))
    return made


@pytest.fixture
def lease(journal: Any) -> Any:
    return journal.claim(making.key(), "here:1:1", 30)


def kinds(store: Any) -> list[str]:
    return [event.kind for event in events.page(store, making.WEB).items]


def moved(journal: Any, lease: Any, **fields: Any) -> None:
    step = journal.work(making.key()).steps[0]
    journal.record(lease, [ports.StepMoved("run-1", changed(step, **fields))])


def test_every_move_is_an_event_and_a_poll_is_none(store: Any, journal: Any, lease: Any) -> None:
    journal.signal(making.WEB, Signal("s1", "pause", making.ANA, store.clock(), step="one"))
    moved(journal, lease, state="running", attempt=1)
    moved(journal, lease, state="waiting", wake_at=store.clock())
    moved(journal, lease, state="running", attempt=2)
    moved(journal, lease, state="suspended")
    moved(journal, lease, state="suspended", message="still")
    moved(journal, lease, state="failed", reason="Rejected")
    moved(journal, lease, state="failed", message="said again")
    run = journal.work(making.key()).run
    for state in ("suspended", "executing", "failed"):
        run = changed(run, state=state, finished_at=store.clock() if state == "failed" else None)
        journal.record(lease, [ports.RunMoved(run)])
    assert kinds(store) == [
        "release.opened", "run.started", "signal.given", "step.started", "step.suspended", "step.ended", "run.suspended",
        "run.resumed", "run.ended",
    ]  # fmt: skip
    found = {event.kind: event for event in events.page(store, making.WEB).items}
    assert found["step.ended"].data["reason"] == "Rejected"
    assert found["run.ended"].data == {"run": "run-1", "state": "failed"}
    assert (found["signal.given"].actor, found["signal.given"].data["step"]) == (making.ANA, "one")


def test_no_secret_value_stands_in_any_row(store: Any, journal: Any, lease: Any) -> None:
    moved(journal, lease, outputs={"p": "hunter2", "n": {"deep": ["hunter2"]}}, secret_outputs=("p", "n"))
    moved(journal, lease, inputs={"p": Secret("hunter2")}, cursor={"p": Secret("hunter2")}, item=[Secret("hunter2")])
    journal.open_release(
        making.request(after=1), making.run_request("run-2", making.WEB, context={"parameters": {"p": Secret("hunter2")}})
    )
    store.close()
    for end in ("", "-wal"):
        try:
            with open(f"{store.path}{end}", "rb") as file:
                assert b"hunter2" not in file.read()
        except FileNotFoundError:
            pass


def test_people_are_shown_masks_and_need_no_key(store: Any, journal: Any, lease: Any) -> None:
    moved(journal, lease, outputs={"p": "hunter2", "n": {"pin": 1234}, "x": 1}, secret_outputs=("p", "n"))
    store.keys._open.clear()
    store.keys._master, store.keys._asked = None, True
    shown = run_history.newest(store, making.WEB)
    assert shown.steps[0].outputs == {"p": "<redacted>", "n": "<redacted>", "x": 1}
    assert run_history.get(store, "run-1") == shown


def test_a_cipher_of_another_step_does_not_open(store: Any, journal: Any, lease: Any) -> None:
    moved(journal, lease, outputs={"p": "hunter2"}, secret_outputs=("p",))
    sealed = "UPDATE workflow_step SET sealed = (SELECT sealed FROM workflow_step WHERE name = 'one') WHERE name = 'two'"
    store.write(lambda c: c.exec_driver_sql(sealed))
    assert [(f.what, "step two of run run-1" in f.message) for f in check.check(store, deep=True)] == [("secrets", True)]


def test_runs_are_listed_newest_first_in_pages(store: Any, journal: Any) -> None:
    for number in range(2, 6):
        journal.open_release(making.request(after=number - 1), making.run_request(f"run-{number}", making.WEB))
    first = run_history.page(store, making.WEB, 3)
    assert ([run.id for run in first.items], first.next) == (["run-5", "run-4", "run-3"], "run-3")
    rest = run_history.page(store, making.WEB, 3, before=first.next)
    assert ([run.id for run in rest.items], rest.next) == (["run-2", "run-1"], "")
    journal.open_run(making.run_request("alone", None))
    assert [run.id for run in run_history.page(store, "shop").items] == ["alone"]


def test_long_after_the_end_of_a_run_its_attempts_go_and_its_steps_stay(
    store: Any, clock: Any, journal: Any, lease: Any
) -> None:
    attempt = Attempt("one", 1, clock(), "a", 1, clock(), "done")
    effect = Effect("one", "call", making.digest("r"), False, clock(), {}, clock())
    moved(journal, lease, state="succeeded", attempt=1)
    run = changed(journal.work(making.key()).run, state="succeeded", finished_at=clock())
    journal.record(
        lease,
        [ports.AttemptMoved("run-1", attempt), ports.EffectNoted("run-1", effect), ports.RunMoved(run), making.ended(1)],
    )
    journal.release(lease)
    journal.heartbeat(ports.Worker("gone:1:1", (), "1", clock()))
    clock.move(days=89)
    retention.sweep(store, 10)
    assert len(run_history.attempts(store, "run-1")) == 1
    clock.move(days=2)
    assert retention.sweep(store, 10) > 0
    assert run_history.attempts(store, "run-1") == []
    assert journal.effect("run-1", "one", "call") is None
    assert [s.state for s in run_history.get(store, "run-1").steps] == ["succeeded", "pending"]
    assert [w.id for w in journal.heartbeat(ports.Worker("new:1:1", (), "1", clock()))] == ["new:1:1"]
    assert check.check(store, deep=True) == []


def test_bodies_of_runs_outlive_every_sweep(store: Any, clock: Any, journal: Any) -> None:
    journal.open_run(making.run_request("alone", None, making.rich_spec(), document={"kind": "WorkflowRun"}))
    clock.move(days=100)
    while retention.sweep_blobs(store):
        pass
    assert run_history.get(store, "alone").run.spec == making.rich_spec()
    assert [f for f in check.check(store, deep=True) if f.what == "content"] == []


@pytest.mark.parametrize(
    ("harm", "what"),
    [
        ("UPDATE workflow_run SET state = 'failed'", "run run-1 is failed, but its end is not noted"),
        ("UPDATE workflow_run SET finished_at = 1", "run run-1 is executing, but its end is"),
        (
            "UPDATE workflow_run SET state = 'failed', finished_at = 1; UPDATE workflow_step SET state = 'running' WHERE name = 'one'",
            "step one of run run-1 is running, but the run is failed",
        ),
        ("INSERT INTO step_attempt VALUES ('run-1', 'one', 4, 1, 2, 'done', NULL, NULL, 'w', 1)", "counts fewer attempts than 4"),
        ("UPDATE workflow_run SET spec = zeroblob(32)", "workflow_run.spec names 000000000000, which is missing"),
    ],
)  # fmt: skip
def test_a_check_finds_runs_that_contradict_themselves(store: Any, journal: Any, harm: str, what: str) -> None:
    assert check.check(store, deep=True) == []
    for statement in harm.split(";"):
        store.write(lambda c, statement=statement: c.exec_driver_sql(statement))
    assert any(what in finding.message for finding in check.check(store))


def test_a_restored_run_comes_back_whole_and_is_due_to_be_superseded(
    store: Any, journal: Any, lease: Any, tmp_path: Any, opened: Callable[..., Any]
) -> None:
    state = StepState("one", "wait", 0, "running", attempt=1, fence=lease.fence, outputs={"p": "x"}, secret_outputs=("p",))
    journal.record(lease, [ports.StepMoved("run-1", state)])
    journal.signal(making.WEB, Signal("s1", "pause", making.ANA, store.clock()))
    before = journal.work(making.key())
    backup.backup(store, str(tmp_path / "dump"))
    backup.restore(str(tmp_path / "dump"), str(tmp_path / "r" / "store.db"))
    (tmp_path / "r" / "store.db.key").touch(mode=0o600)
    with open(f"{store.path}.key", "rb") as key:
        (tmp_path / "r" / "store.db.key").write_bytes(key.read())
    again = journals.SqlJournal(opened(tmp_path / "r" / "store.db"))
    after = again.work(making.key())
    assert (after.run, after.steps, after.signals) == (before.run, before.steps, before.signals)
    assert after.newest > before.newest
    assert again.due(None, {"app"}, 10) == [making.key()]
    assert again.claim(making.key(), "other", 30).fence > lease.fence + 1000
