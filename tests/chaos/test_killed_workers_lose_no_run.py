"""kill -9 of workers at random moments, over every store and dispatcher: no run is lost, every step is recorded once, no
application has two owners at once.  A worker frozen past its lease changes nothing when it wakes.

APPCTL_TEST_KILLS kills in all (default 60) with a printed seed (APPCTL_TEST_SEED).
"""

from __future__ import annotations

import collections
import itertools
import os
import random
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import support
import worker_lab as lab

from appdelivery.model.refs import AppKey
from appdelivery.model.run import WorkKey
from appdelivery.store import migrate, run_history

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from appdelivery.platform.local import Platform

pytestmark = [pytest.mark.chaos, pytest.mark.slow, pytest.mark.timeout(1800)]
KILLS = int(os.environ.get("APPCTL_TEST_KILLS", "60"))
SEED = int(os.environ.get("APPCTL_TEST_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 30)
APPLICATIONS, PROCESSES = 40, 3
STEPS = ("noop", "noop", "sleep", "noop", "noop")
WITHIN = 60.0  # s without any progress: something is lost
PLACES = [
    ("sqlite", "local"),
    pytest.param(("postgres", "local"), marks=pytest.mark.postgres),
    pytest.param(("postgres", "procrastinate"), marks=pytest.mark.postgres),
]
ENDED = sa.text("SELECT count(*) FROM workflow_run WHERE state = 'succeeded'")


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Platform, str]]:
    kind, dispatch = request.param
    if dispatch == "procrastinate":
        pytest.importorskip("procrastinate", reason="the extra cluster is not installed")
    location = str(tmp_path / "data" / "store.db")
    if kind == "postgres":
        location = request.getfixturevalue("new_database")()
        key = tmp_path / "master"
        key.touch(mode=0o600)
        key.write_bytes(os.urandom(32))
        monkeypatch.setenv("APPCTL_MASTER_KEY_FILE", str(key))
        migrate.migrate(location, master_key_file=str(key))
    p = lab.opened(location)
    yield p, dispatch
    p.store.close()


@pytest.fixture
def nursery(place: tuple[Platform, str], tmp_path: Any) -> Iterator[Callable[[float], lab.Nursery]]:
    made: list[lab.Nursery] = []

    def make(lease_s: float) -> lab.Nursery:
        made.append(lab.Nursery(place[0].options.store, f"{tmp_path}/calls", lease_s, place[1]))
        return made[-1]

    yield make
    for one in made:
        one.close()


def opened(p: Platform, app: AppKey, number: int, *uses: str) -> None:
    p.journal.open_release(lab.request(app, number - 1), lab.run_of(app, lab.spec(*uses, seconds=0.5)))


def ended(p: Platform) -> int:
    return int(p.store.read(lambda c: c.execute(ENDED).scalar_one()))


def runs(p: Platform) -> list[Any]:
    text = sa.text("SELECT id, state, app FROM workflow_run ORDER BY id")
    return list(p.store.read(lambda c: c.execute(text).all()))


@pytest.mark.parametrize("place", PLACES, indirect=True, ids=["sqlite", "postgres", "procrastinate"])
def test_no_run_is_lost_and_every_step_is_recorded_once(
    place: tuple[Platform, str], nursery: Callable[[float], lab.Nursery], tmp_path: Any
) -> None:
    p, dispatch = place
    chance, kills = random.Random(SEED), max(KILLS // len(PLACES), 1)
    workers, killed, turn = nursery(30.0), 0, 0
    for _ in range(PROCESSES):
        workers.start()
    begun = time.monotonic()
    # Two runs of each application; while kills are left, two more of each, and so on.
    for turn in itertools.count():
        done, seen, at = turn * APPLICATIONS, ended(p), time.monotonic()
        for number in range(APPLICATIONS):
            opened(p, AppKey("chaos", f"a{number}"), turn + 1, *STEPS)
        while (now := ended(p)) < done + APPLICATIONS:
            if now != seen:
                seen, at = now, time.monotonic()
            assert time.monotonic() - at < WITHIN * support.SCALE, (
                f"seed {SEED}: {done + APPLICATIONS - now} runs do not end"
            )
            time.sleep(chance.uniform(0.02, 0.3))
            if killed < kills:
                workers.kill(chance.choice(workers.living))
                workers.start()
                killed += 1
        if turn >= 1 and killed >= kills:
            break
    found = runs(p)
    assert collections.Counter(run.state for run in found) == {"succeeded": (turn + 1) * APPLICATIONS}, f"seed {SEED}"
    results = [check(p, run.id) for run in found]
    calls = (tmp_path / "calls").read_text().splitlines()
    assert [line for line in calls if line.startswith("overlap")] == [], f"seed {SEED}"
    print(
        f"{dispatch} on {'sqlite' if p.store.sqlite else 'postgres'}: seed {SEED}, {killed} kills, {len(found)} runs, "
        f"{len(calls)} calls, {sum(results)} interrupted, {time.monotonic() - begun:.0f} s"
    )


def check(p: Platform, run: str) -> int:
    """Every step is done once; attempts of different fences do not overlap.  Answers how many were interrupted."""
    rows = run_history.attempts(p.store, run)
    done = collections.Counter(row.step for row in rows if row.result == "done")
    assert done == {f"s{n}": 1 for n in range(len(STEPS))}, f"seed {SEED}: {run}"
    assert {row.result for row in rows} <= {"done", "wait", "interrupted"}, f"seed {SEED}: {run}"
    kept = sorted([row for row in rows if row.result != "interrupted"], key=lambda row: row.started_at)
    for before, after in itertools.pairwise(kept):
        assert before.ended_at <= after.started_at, f"seed {SEED}: {before} and {after} overlap"
        assert before.fence <= after.fence, f"seed {SEED}: {before} came back before {after}"
    return sum(row.result == "interrupted" for row in rows)


@pytest.mark.parametrize("place", PLACES, indirect=True, ids=["sqlite", "postgres", "procrastinate"])
def test_a_worker_frozen_past_its_lease_changes_nothing_when_it_wakes(
    place: tuple[Platform, str], nursery: Callable[[float], lab.Nursery], tmp_path: Any
) -> None:
    """Its process lives, so that nobody may take over before the lease has run out."""
    p, calls = place[0], tmp_path / "calls"
    workers, app = nursery(3.0), AppKey("chaos", "frozen")
    opened(p, app, 1, "noop", "pause", "noop")
    frozen = workers.start()
    support.until(lambda: calls.exists() and " s1 " in calls.read_text(), 20, what="the second step")
    os.kill(frozen, signal.SIGSTOP)
    try:
        workers.start()
        support.until(lambda: ended(p) == 1, 30, what="the end by another worker")
        key, found = WorkKey("app", str(app)), runs(p)
        before = run_history.attempts(p.store, found[0].id), p.journal.work(key)
    finally:
        os.kill(frozen, signal.SIGCONT)
    time.sleep(1.5)  # longer than the step still had to go
    after = run_history.attempts(p.store, found[0].id), p.journal.work(key)
    assert after[0] == before[0]
    assert (after[1].run, after[1].steps) == (before[1].run, before[1].steps)
    assert [(row.step, row.result) for row in after[0]].count(("s1", "done")) == 1
    assert [row.result for row in after[0] if row.step == "s1"] == ["interrupted", "done"]
    assert os.path.exists(f"/proc/{frozen}")  # it goes on with other work
