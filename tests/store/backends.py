"""The journals of the contract suite: the fake, SQLite and PostgreSQL, with time that a test moves."""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from fakes.clock import FakeClock
from fakes.journal import FakeJournal

from appdelivery.model.refs import AppKey
from appdelivery.store import journal as journals
from appdelivery.store import migrate
from appdelivery.store import open as opening

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

COUNT = itertools.count(1)
DEAD: set[str] = set()  # of the PostgreSQL store, which a module shares


@dataclass
class Backend:
    journal: Any
    pass_time: Callable[[float], None]  # seconds, as far as leases and due times are concerned
    dead: set[str]  # workers of this computer whose process is known to have died


def _store(location: str, clock: FakeClock, dead: set[str]) -> opening.Store:
    ids = itertools.count(1)
    return opening.open(
        location,
        mode="write",
        worker="a",
        alive=lambda worker: False if worker in dead else None,
        clock=clock.now,
        new_id=lambda: f"{next(ids):026}",
    )


@pytest.fixture(scope="module")
def postgres_store(new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[opening.Store]:
    key = tmp_path_factory.mktemp("key") / "master"
    key.touch(mode=0o600)
    key.write_bytes(os.urandom(32))
    os.environ["APPCTL_MASTER_KEY_FILE"] = str(key)
    try:
        location = new_database()
        migrate.migrate(location)
        store = _store(location, FakeClock(), DEAD)
    finally:
        del os.environ["APPCTL_MASTER_KEY_FILE"]
    yield store
    store.close()


@pytest.fixture(params=["fake", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def backend(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[Backend]:
    clock, dead = FakeClock(), set()
    DEAD.clear()

    def move(seconds: float) -> None:
        clock.time += timedelta(seconds=seconds)

    if request.param == "fake":
        yield Backend(FakeJournal(clock=clock.now, alive=lambda worker: False if worker in dead else None), move, dead)
    elif request.param == "sqlite":
        store = _store(str(tmp_path / "data" / "store.db"), clock, dead)
        yield Backend(journals.SqlJournal(store), move, dead)
        store.close()
    else:
        store = request.getfixturevalue("postgres_store")

        def shorten(seconds: float) -> None:
            """The database's clock is nobody's to move: the rows move instead."""
            for table, column in (("work_item", "lease_until"), ("work_item", "due_at"), ("worker", "seen_at")):
                statement = f"UPDATE {table} SET {column} = {column} - interval '{seconds} s'"
                store.write(lambda c, statement=statement: c.execute(sa.text(statement)))

        yield Backend(journals.SqlJournal(store), shorten, DEAD)


@pytest.fixture
def journal(backend: Backend) -> Any:
    return backend.journal


@pytest.fixture
def app() -> AppKey:
    """Another one for every test: databases are shared by a module."""
    return AppKey("shop", f"web{next(COUNT)}")
