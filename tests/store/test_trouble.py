"""Killed writers, several writers, full disks, locked files (store.md sections 6, 14)."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from store import making

from appdelivery import errors
from appdelivery.model.refs import AppKey
from appdelivery.store import applications, check, events, gate, migrate, sqlite
from appdelivery.store import journal as journals
from appdelivery.store import open as opening

if TYPE_CHECKING:
    from collections.abc import Callable

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

WRITER = """
import itertools, os, sys
from datetime import UTC, datetime
from store import making
from appdelivery.delivery import ports
from appdelivery.model.refs import AppKey
from appdelivery.store import journal as journals, open as opening
location, name, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
ids = itertools.count(1)
store = opening.open(location, mode="write", worker=name, alive=lambda _: None, clock=lambda: datetime.now(UTC),
                     new_id=lambda: f"{os.getpid():013}{next(ids):013}")
journal = journals.SqlJournal(store)
app = AppKey("shop", name)
for number in range(rounds):
    making.delivered(journal, app, [making.config_map(f"{name}{n}", round=str(number)) for n in range(5)])
    print(number, flush=True)
"""


def writer(location: str, name: str, rounds: int) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([TESTS, os.path.dirname(TESTS)])}
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, location, name, str(rounds)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip


# --- killed --------------------------------------------------------------------------------------------------------------


@pytest.mark.chaos
@pytest.mark.slow
@pytest.mark.parametrize("after", [0, 2, 5])
def test_a_killed_writer_leaves_whole_releases_and_a_whole_file(
    tmp_path: Any, opened: Callable[..., Any], after: int
) -> None:
    path = tmp_path / "data" / "store.db"
    opened(path).close()
    process = writer(str(path), "web", 10_000)
    assert process.stdout is not None
    said = [process.stdout.readline() for _ in range(after + 1)]
    process.send_signal(signal.SIGKILL)
    rest = process.communicate()[0].split()
    told = int((rest or said)[-1])  # the last delivery whose end was acknowledged
    store = opened(path)
    assert [f for f in check.check(store, deep=True) if f.what != "leases"] == []
    newest = applications.get(store, AppKey("shop", "web"))
    assert newest.release >= told + 1
    outcomes = [r.outcome for r in applications.releases(store, AppKey("shop", "web"), 500)]
    assert outcomes[-told - 1 :] == ["succeeded"] * (told + 1)
    making.delivered(journals.SqlJournal(store), AppKey("shop", "other"))


CUT = """
import os, signal, sys
from datetime import UTC, datetime
from store import making
from appdelivery.delivery import ports
from appdelivery.store import journal as journals, open as opening
location, statement = sys.argv[1], int(sys.argv[2])
store = opening.open(location, mode="write", worker="w", alive=lambda _: None, clock=lambda: datetime.now(UTC), new_id=iter(
    [f"{n:026}" for n in range(50, 99)]).__next__)
journal = journals.SqlJournal(store)
lease = journal.claim(making.key(making.WEB), "w", 30)
seen = 0
def count(connection, cursor, text, *rest):
    global seen
    seen += 1
    if seen == statement:
        os.kill(os.getpid(), signal.SIGKILL)
import sqlalchemy as sa
sa.event.listen(store.engine, "before_cursor_execute", count)
ACT
print("survived", seen)
"""
ACTS = {
    "open_release": "journal.open_release(making.request(after=1, bodies=[making.config_map(mode='new')]))",
    "record": "row = making.row(lease, making.config_map('new'))\n"
    "journal.record(lease, [ports.ObjectIntended(row), making.applied(row), making.ended(1)])",
}


@pytest.mark.chaos
@pytest.mark.slow
@pytest.mark.parametrize("act", ACTS)
def test_a_process_killed_before_any_statement_of_a_transaction_kept_nothing_of_it(
    tmp_path: Any, opened: Callable[..., Any], act: str
) -> None:
    """Every third statement, and the one before the commit; all of them when told to be thorough."""
    path = tmp_path / "data" / "store.db"
    store = opened(path)
    making.delivered(journals.SqlJournal(store))
    store.close()
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([TESTS, os.path.dirname(TESTS)])}

    def run(statement: int) -> str:
        command = [sys.executable, "-c", CUT.replace("ACT", ACTS[act]), str(path), str(statement)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        assert done.returncode == -signal.SIGKILL or "survived" in done.stdout, done.stderr
        return done.stdout

    def state() -> Any:
        reading = opened(path, "read")
        found = (
            applications.get(reading, making.WEB).release,
            [
                (r.name, r.state)
                for r in reading.read(lambda c: c.exec_driver_sql("SELECT name, state FROM inventory").all())
            ],
            reading.read(lambda c: c.exec_driver_sql("SELECT count(*) FROM blob").scalar()),
            [f for f in check.check(reading, deep=True) if f.what != "leases"],
        )
        reading.close()
        return found

    before = state()
    assert before[3] == []
    step = 1 if os.environ.get("APPCTL_TEST_PROFILE") == "deep" else 6
    statement = 2
    while "survived" not in run(statement):
        assert state() == before, f"killed before statement {statement}"
        statement += step
    assert state()[3] == []
    assert statement > 2


# --- several writers -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_two_processes_that_open_an_absent_store_make_one(tmp_path: Any, opened: Callable[..., Any]) -> None:
    path = str(tmp_path / "data" / "store.db")
    both = [writer(path, name, 8) for name in ("web", "api")]
    for process in both:
        out, err = process.communicate(timeout=50)
        assert (process.returncode, err) == (0, ""), out
    store = opened(path)
    assert [(str(s.app), s.release) for s in applications.page(store).items] == [("shop/api", 8), ("shop/web", 8)]
    assert check.check(store, deep=True) == []


@pytest.mark.slow
@pytest.mark.postgres
def test_processes_writing_to_postgres_disturb_nobody(new_database: Callable[[], str], opened: Callable[..., Any]) -> None:
    location = new_database()
    migrate.migrate(location)
    both = [writer(location, name, 8) for name in ("web", "api")]
    for process in both:
        out, err = process.communicate(timeout=50)
        assert (process.returncode, err) == (0, ""), out
    store = opened(location)
    assert [(str(s.app), s.release) for s in applications.page(store).items] == [("shop/api", 8), ("shop/web", 8)]
    assert check.check(store, deep=True) == []


@pytest.mark.parametrize("backend", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_of_threads_that_open_the_next_release_one_wins(
    backend: str, request: pytest.FixtureRequest, tmp_path: Any, opened: Callable[..., Any]
) -> None:
    if backend == "sqlite":
        store = opened(tmp_path / "data" / "store.db")
    else:
        location = request.getfixturevalue("new_database")()
        migrate.migrate(location)
        store = opened(location)
    journal = journals.SqlJournal(store)

    def race(number: int) -> str:
        body = making.config_map(mode=str(number))
        try:
            journal.open_release(making.request(bodies=[body], after=0))
        except errors.Conflict as error:
            return error.code
        return "won"

    with ThreadPoolExecutor(5) as pool:
        assert sorted(pool.map(race, range(5))) == ["release.moved"] * 4 + ["won"]
    with ThreadPoolExecutor(5) as pool:
        claimed = list(pool.map(lambda n: journal.claim(making.key(making.WEB), f"worker{n}", 30), range(5)))
    assert len([lease for lease in claimed if lease]) == 1
    assert len(events.page(store).items) == 1


def test_threads_wait_at_the_gate_and_lose_nothing(store: Any) -> None:
    journal = journals.SqlJournal(store)

    def deliver(number: int) -> None:
        for _ in range(5):
            making.delivered(journal, AppKey("shop", f"a{number}"), [making.config_map(f"a{number}")])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(deliver, range(8)))
    assert [s.release for s in applications.page(store).items] == [5] * 8
    assert check.check(store, deep=True) == []


def test_a_dead_workers_application_is_taken_over_at_once(tmp_path: Any, opened: Callable[..., Any]) -> None:
    living = {"dead": False, "living": True}
    journal = journals.SqlJournal(opened(tmp_path / "store.db", alive=living.get))
    dead, web = AppKey("shop", "dead"), AppKey("shop", "web")
    first = journal.claim(making.key(dead), "dead", 30)
    second = journal.claim(making.key(dead), "me", 30)
    assert second is not None
    assert second.fence > first.fence
    journal.claim(making.key(web), "living", 30)
    assert journal.claim(making.key(web), "me", 30) is None
    elsewhere = AppKey("shop", "elsewhere")
    journal.claim(making.key(elsewhere), "on another computer", 30)
    assert journal.claim(making.key(elsewhere), "me", 30) is None


def test_a_gate_that_stays_shut_says_so(tmp_path: Any) -> None:
    path = str(tmp_path / "store.db")
    with gate.Gate(path, 5).held(), pytest.raises(errors.Busy, match=r"another process has been writing for 0\.05s"):
        with gate.Gate(path, 0.05).held():
            pass


def test_a_file_locked_by_a_foreign_program_is_busy(tmp_path: Any, opened: Callable[..., Any]) -> None:
    opened(tmp_path / "store.db").close()
    store = opened(tmp_path / "store.db", lock_timeout_s=0.05)
    foreign = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    foreign.execute("BEGIN IMMEDIATE")
    with pytest.raises(errors.Busy, match="another program holds it locked") as caught:
        journals.SqlJournal(store).claim(making.key(), "w", 30)
    assert caught.value.retryable
    foreign.execute("ROLLBACK")
    foreign.close()
    assert journals.SqlJournal(store).claim(making.key(), "w", 30) is not None


def test_the_log_is_moved_into_the_file_and_stays_small(store: Any) -> None:
    journal = journals.SqlJournal(store)
    largest = 0
    for number in range(12):
        making.delivered(journal, bodies=[making.config_map(noise=os.urandom(600_000).hex(), n=str(number))])
        largest = max(largest, sqlite.wal_size(store.path))
    assert largest < 2 * sqlite.CHECKPOINT
    assert os.path.getsize(store.path) > sqlite.CHECKPOINT
    assert check.check(store, deep=True) == []


def test_a_reader_that_never_ends_keeps_nobody_from_writing(store: Any, opened: Callable[..., Any]) -> None:
    reading = opened(store.path, "read")
    journal = journals.SqlJournal(store)
    making.delivered(journal)
    with reading.engine.begin() as connection:
        count = connection.exec_driver_sql("SELECT count(*) FROM release").scalar()
        for number in range(6):
            making.delivered(journal, bodies=[making.config_map(noise=os.urandom(600_000).hex(), n=str(number))])
        assert connection.exec_driver_sql("SELECT count(*) FROM release").scalar() == count
    making.delivered(journal)
    assert applications.get(reading, making.WEB).release == 8


# --- full disks ----------------------------------------------------------------------------------------------------------


def fill(store: Any) -> int:
    """Delivers ever more until it cannot; the number of the last release that was acknowledged."""
    journal = journals.SqlJournal(store)
    done = 0
    with pytest.raises(errors.Full, match="disk is full; nothing of this step was kept") as caught:
        for number in range(1000):
            body = making.config_map(noise=os.urandom(100_000).hex(), n=str(number))
            release, _ = journal.open_release(making.request(bodies=[body], after=done))
            done = release.number
    assert "run the command again" in caught.value.hint
    return done


@pytest.mark.slow
def test_a_full_disk_loses_nothing_that_was_acknowledged(tmp_path: Any, opened: Callable[..., Any]) -> None:
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m,mode=0700", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small disk")
    try:
        store = opened(place / "store.db")
        done = fill(store)
        assert applications.get(store, making.WEB).release == done
        store.close()
        (place / "store.db.room").unlink(missing_ok=True)
        subprocess.run(["mount", "-o", "remount,size=30m", str(place)], check=True)
        again = opened(place / "store.db")
        assert [f for f in check.check(again, deep=True) if f.what != "leases"] == []
        journals.SqlJournal(again).open_release(making.request(after=done))
        again.close()
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False)


@pytest.mark.slow
def test_a_file_that_may_not_grow_is_a_full_disk(tmp_path: Any, opened: Callable[..., Any]) -> None:
    """The same where nobody may mount: a limit of the process on the size of a file."""
    store = opened(tmp_path / "data" / "store.db")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, hard))
    try:
        done = fill(store)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert applications.get(store, making.WEB).release == done
    assert [f for f in check.check(store, deep=True) if f.what != "leases"] == []
    journals.SqlJournal(store).open_release(making.request(after=done))


# --- PostgreSQL ----------------------------------------------------------------------------------------------------------


@pytest.mark.postgres
def test_transactions_that_lock_each_other_are_run_again(
    new_database: Callable[[], str], opened: Callable[..., Any]
) -> None:
    """Two transactions take two rows in opposite order: the database breaks one of them, and it goes through."""
    location = new_database()
    migrate.migrate(location)
    store = opened(location)
    journal = journals.SqlJournal(store)
    for name in ("a", "b"):
        making.delivered(journal, AppKey("shop", name))
    both = threading.Barrier(2, timeout=10)
    tries = {"a": 0, "b": 0}

    def crossing(first: str, second: str) -> None:
        def work(connection: Any) -> None:
            tries[first] += 1
            for position, name in enumerate((first, second)):
                connection.exec_driver_sql(f"UPDATE application SET message = message || '{first}' WHERE name = '{name}'")
                if position == 0 and tries[first] == 1:
                    both.wait()

        store.write(work)

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(crossing, "a", "b"), pool.submit(crossing, "b", "a")]:
            done.result()
    assert sorted(tries.values()) == [1, 2]
    assert [sorted(s.message) for s in applications.page(store).items] == [["a", "b"], ["a", "b"]]


@pytest.mark.postgres
def test_a_database_that_is_not_there_is_told_without_its_password(opened: Callable[..., Any]) -> None:
    with pytest.raises(errors.StoreError, match="cannot be reached") as caught:
        opened("postgresql://ana:pa55word@127.0.0.1:1/shop")
    assert "pa55word" not in str(caught.value)
    assert caught.value.retryable


@pytest.mark.postgres
def test_a_store_opened_for_reading_never_writes_to_postgres(
    new_database: Callable[[], str], opened: Callable[..., Any]
) -> None:
    location = new_database()
    migrate.migrate(location)
    reading = opened(location, "read")
    with pytest.raises(errors.ReadOnly):
        journals.SqlJournal(reading).claim(making.key(), "w", 30)
    reading.writable = True  # even if we forgot, the database would not
    with pytest.raises(errors.ReadOnly, match="the database is read-only"):
        journals.SqlJournal(reading).claim(making.key(), "w", 30)


def test_a_store_that_was_used_for_a_while_is_closed_without_a_log(tmp_path: Any) -> None:
    store = opening.open(
        str(tmp_path / "store.db"),
        mode="write",
        worker="w",
        alive=lambda _: None,
        clock=lambda: datetime.now(UTC),
        new_id=str,
    )
    journal = journals.SqlJournal(store)
    lease = journal.claim(making.key(making.WEB), "w", 30)
    journal.release(lease)
    store.close()
    assert sorted(os.listdir(tmp_path)) == ["store.db", "store.db.key", "store.db.lock"]
