"""Opens a store and runs transactions on it: `open`, `Store.read`, `Store.write` (store.md sections 6, 8, 9).

Called by platform, which hands in worker, clock and ids.  Every other module of the room takes the Store.
"""

from __future__ import annotations

import functools
import os
import random
import sqlite3
import time
from typing import TYPE_CHECKING, Literal, TypeVar

import sqlalchemy as sa

from appdelivery import errors
from appdelivery.store import cipher, create, files, gate, keys, postgres, sqlite, trouble, types
from appdelivery.store.tables import installation as tables
from appdelivery.store.tables.version import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from typing import Any

    from appdelivery.model.run import Spec, WorkKey

T = TypeVar("T")
_clock = sa.select(sa.type_coerce(sa.func.clock_timestamp(), types.Time()))
_notify = sa.select(sa.func.pg_notify(postgres.CHANNEL, ""))
_state = sa.select(tables.installation.c.schema, tables.installation.c.usable_from, tables.installation.c.master_key)


class Store:
    """An open store.  where names it in messages; notices are lines for the user about what opening changed.

    enqueue: what else a dispatcher does in a transaction that wakes; listeners: told of woken items after the commit.
    """

    def __init__(
        self,
        engine: sa.Engine,
        *,
        where: str,
        path: str,
        worker: str,
        alive: Callable[[str], bool | None],
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
        lock_timeout_s: float,
        master: Callable[[], bytes | None],
        key_file: str,
        writable: bool,
    ) -> None:
        self.engine = engine
        self.where = where
        self.path = path  # '' = PostgreSQL, or a store in memory
        self.worker = worker
        self.alive = alive
        self.clock = clock
        self.new_id = new_id
        self.keys = cipher.Keys(master, key_file)
        self.writable = writable
        self.sqlite = engine.dialect.name == "sqlite"
        self.notices: list[str] = []
        self.enqueue: Callable[[sa.Connection, Sequence[WorkKey], int], None] | None = None
        self.listeners: list[Callable[[Sequence[WorkKey]], None]] = []
        self.digest_key: bytes | None = None  # opened once, by installation.digest_key
        self.specs: dict[tuple[str, str, int], tuple[Spec, Mapping[str, Any]]] = {}  # of runs, by their digests
        self._gate = gate.Gate(path, lock_timeout_s)
        self._tried = 0  # size of the WAL when a reader last kept it from being emptied
        options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        self._readers = engine if self.sqlite else engine.execution_options(**options)
        self._writers: sa.Engine
        if self.sqlite:
            self._writers = engine.execution_options(appctl_write=True)
        else:
            self._writers = engine if writable else self._readers

    def read(self, work: Callable[[sa.Connection], T]) -> T:
        """One transaction that sees one moment."""
        with trouble.told(self.where), self._readers.begin() as connection:
            return work(connection)

    def write(self, work: Callable[[sa.Connection], T]) -> T:
        """One transaction, kept whole or not at all.  In PostgreSQL `work` may run again after a serialisation failure."""
        if not self.writable:
            raise errors.ReadOnly(f"write to the store {self.where}: it was opened for reading", hint="open it for writing")
        with trouble.told(self.where):
            if self.sqlite:
                with self._gate.held():
                    made, woken = self._once(work)
                    self._checkpoint()
            else:
                made, woken = self._retried(work)
        if woken:
            for tell in self.listeners:
                tell(woken)
        return made

    def hint(self, connection: sa.Connection, keys: Sequence[WorkKey], priority: int) -> None:
        """Inside a transaction that makes items due: whoever serves them need not wait for its next look."""
        if (woken := connection.get_execution_options().get("appctl_woken")) is not None:
            woken.extend(keys)
        if not self.sqlite:
            connection.execute(_notify)
        if self.enqueue is not None:
            self.enqueue(connection, keys, priority)

    def now(self, connection: sa.Connection) -> datetime:
        """PostgreSQL: the database's clock, since clocks of two computers are never compared."""
        if self.sqlite:
            return self.clock()
        now: datetime = connection.execute(_clock).scalar_one()
        return now

    @functools.cached_property
    def dictionary(self) -> bytes:
        from appdelivery.store import blobs

        return blobs.dictionary()

    def close(self) -> None:
        if self.path and self.writable:
            # The last connection to close moves the WAL into the file: also a checkpoint.
            with self._gate.held():
                self.engine.dispose()
            self._gate.close()
        else:
            self.engine.dispose()

    def _once(self, work: Callable[[sa.Connection], T]) -> tuple[T, list[WorkKey]]:
        woken: list[WorkKey] = []
        with self._writers.begin() as connection:
            # Whoever begins to listen while this runs looks for due work only once: it must be told, too.
            connection.execution_options(appctl_woken=woken)
            made = work(connection)
        return made, woken

    def _retried(self, work: Callable[[sa.Connection], T]) -> tuple[T, list[WorkKey]]:
        for attempt in range(postgres.TRIES):
            try:
                return self._once(work)
            except sa.exc.DBAPIError as error:
                if attempt + 1 == postgres.TRIES or not postgres.again(error):
                    raise
                time.sleep(random.uniform(0.01, 0.05) * 2**attempt)  # noqa: S311 - jitter, not a secret
        raise errors.Bug("unreachable")

    def _checkpoint(self) -> None:
        if not self.path:
            return
        size = sqlite.wal_size(self.path)
        if size <= sqlite.CHECKPOINT:
            self._tried = 0
        elif size > self._tried + sqlite.CHECKPOINT:
            raw = self.engine.raw_connection()
            try:
                connection = raw.driver_connection
                assert isinstance(connection, sqlite3.Connection)
                self._tried = 0 if sqlite.checkpoint(connection) else size
            finally:
                raw.close()


def open(
    location: str,
    *,
    mode: Literal["write", "read"],
    worker: str,
    alive: Callable[[str], bool | None],
    clock: Callable[[], datetime],
    new_id: Callable[[], str],
    lock_timeout_s: float = 30,
    master_key_file: str = "",
) -> Store:
    """A path or a postgresql:// URL.  master_key_file '' = `<store>.key` of a file, APPCTL_MASTER_KEY_FILE in PostgreSQL."""
    remote = postgres.is_url(location)
    path = "" if remote else os.path.abspath(location.removeprefix("sqlite:///"))
    key_file = master_key_file or (os.environ.get(keys.VARIABLE, "") if remote else keys.path_beside(path))

    def made(engine: sa.Engine, path: str = path, *, writable: bool = mode == "write") -> Store:
        return Store(
            engine,
            where=postgres.shown(location) if remote else path or f"{location} (in memory)",
            path=path,
            worker=worker,
            alive=alive,
            clock=clock,
            new_id=new_id,
            lock_timeout_s=lock_timeout_s,
            master=(lambda: keys.read(key_file)) if key_file else (lambda: None),
            key_file=key_file,
            writable=writable,
        )

    if remote:
        engine = postgres.engine(location, worker=worker, lock_timeout_s=lock_timeout_s, read=mode == "read")
        return _checked(made(engine), _open_postgres)
    if mode == "read":
        reading = _reading_engine(path, lock_timeout_s)
        if reading is not None:
            return _checked(made(reading), _open_file)
        return _checked(made(sqlite.engine(path, "memory", lock_timeout_s), "", writable=True), _fill_memory)
    files.make_folder(path)
    files.make_file(path)
    notices = files.check_owner(path, write=True)
    files.check_disk(path)
    store = _checked(made(sqlite.engine(path, "rw", lock_timeout_s)), lambda store: _open_or_make(store, key_file))
    store.notices[:0] = notices
    return store


def _checked(store: Store, check: Callable[[Store], None]) -> Store:
    try:
        with trouble.told(store.where):
            check(store)
    except BaseException:
        store.engine.dispose()
        raise
    return store


def _reading_engine(path: str, busy_s: float) -> sa.Engine | None:
    """None where there is no store: reading never makes one, an empty store in memory answers."""
    if not os.path.exists(path):
        return None
    files.check_owner(path, write=False)
    files.check_disk(path)
    made = sqlite.engine(path, "ro", busy_s)
    try:
        with trouble.told(path), made.connect() as connection:
            if sqlite.kind_of(connection, path) == "ours":
                return made
    except errors.StoreError as error:
        made.dispose()
        if error.code not in ("store.read-only", "store.cannot-open"):
            raise
        return _immutable_engine(path, busy_s)
    made.dispose()
    return None


def _immutable_engine(path: str, busy_s: float) -> sa.Engine:
    """A read-only folder has no room for the log's index: read without it, provided that nothing stands in the log."""
    if sqlite.wal_size(path):
        raise errors.ReadOnly(
            f"read the store {path}: its folder is read-only and a part of the store still stands in {path}-wal",
            hint="make the folder writable once, or copy both files to another folder",
        )
    return sqlite.engine(path, "immutable", busy_s)


def _fill_memory(store: Store) -> None:
    store.write(lambda c: create.fill(c, master=None, now=store.clock(), by=store.worker))
    store.writable = False


def _open_file(store: Store) -> None:
    def look(connection: sa.Connection) -> bool:
        return sqlite.kind_of(connection, store.path) == "ours" and check_schema(connection, store)

    if not store.read(look):
        _upgrade(store)


def _open_or_make(store: Store, key_file: str) -> None:
    with store.engine.connect() as connection:
        empty = sqlite.kind_of(connection, store.path) == "empty"
    if empty:
        _make(store, key_file)
    _open_file(store)


def _make(store: Store, key_file: str) -> None:
    """Under the gate: of two processes that find an empty file one makes the store, the other finds it made."""
    with store._gate.held():
        with store.engine.connect() as connection:
            if sqlite.kind_of(connection, store.path) == "ours":
                return
        sqlite.prepare(store.engine)
        master = keys.make(key_file)
        with store._writers.begin() as connection:
            create.fill(connection, master=master, now=store.clock(), by=store.worker)


def _upgrade(store: Store) -> None:
    from appdelivery.store import migrate

    store.engine.dispose()
    store.notices.append(migrate.local(store.path))


def _open_postgres(store: Store) -> None:
    def look(connection: sa.Connection) -> bool:
        postgres.check_version(connection, store.where)
        return check_schema(connection, store)

    if not store.read(look):
        raise errors.StoreError(
            f"open the store {store.where}: its schema is older than this appctl needs",
            code="store.too-old",
            hint="run: appctl db migrate",
        )
    if store.writable and store.keys.peek() is not None:
        store.write(lambda c: _adopt_key(c, store))


def _adopt_key(connection: sa.Connection, store: Store) -> None:
    """The first master key that a store without one is opened with becomes its own."""
    row = connection.execute(_state.with_for_update()).one()
    if row.master_key is None:
        connection.execute(sa.update(tables.installation), create.sealed_keys(store.keys.peek()))


def check_schema(connection: sa.Connection, store: Store) -> bool:
    """False when migrations are due; raises TooNew before anything is written."""
    row = connection.execute(_state).first()
    if row is None:
        raise trouble.damaged(store.where, "the row of the installation is missing")
    if row.usable_from > SCHEMA:
        raise errors.TooNew(
            f"open the store {store.where}: it was changed by a newer appctl (schema {row.schema}, usable from "
            f"{row.usable_from}; this appctl knows {SCHEMA})",
            hint="install the newer appctl, or restore a copy: appctl db restore FILE --replace",
        )
    return bool(row.schema >= SCHEMA)
