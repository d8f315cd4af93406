"""Models and migrations agree; older stores are brought up to date; neighbouring versions run side by side."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from store import making

from appdelivery import errors
from appdelivery.delivery import ports
from appdelivery.model.record import changed
from appdelivery.store import applications, check, create, migrate, postgres, sqlite
from appdelivery.store import journal as journals
from appdelivery.store.tables import all as tables
from appdelivery.store.tables import version

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SCHEMA = version.SCHEMA


def as_text(connection: sa.Connection) -> str:
    """Columns, types, defaults, keys, checks, index columns and conditions of every table."""
    found = sa.inspect(connection)
    lines = []
    for table in sorted(found.get_table_names()):
        lines.append(f"table {table} {_options(connection, found, table)}")
        columns = [
            f"{c['name']} {c['type']!r} null={c['nullable']} default={c['default']} identity={c.get('identity')}"
            for c in found.get_columns(table)
        ]
        lines += sorted(f"  column {column}" for column in columns)
        lines.append(f"  primary key {found.get_pk_constraint(table)}")
        for kind, listed in (
            ("foreign key", found.get_foreign_keys(table)),
            ("unique", found.get_unique_constraints(table)),
            ("check", found.get_check_constraints(table)),
            ("index", found.get_indexes(table)),
        ):
            lines += sorted(f"  {kind} {_plain(one)}" for one in listed)
    return "\n".join(lines)


def _plain(value: Any) -> str:
    """SQL expressions by their text."""
    return f"{{{', '.join(f'{k}: {_plain(value[k])}' for k in sorted(value))}}}" if isinstance(value, dict) else str(value)


def _options(connection: sa.Connection, found: sa.Inspector, table: str) -> str:
    if connection.dialect.name == "sqlite":
        text = connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE name = ?", (table,)).scalar_one()
        return (
            f"{found.get_table_options(table)} autoincrement={'AUTOINCREMENT' in text} rowid={'WITHOUT ROWID' not in text}"
        )
    statement = (
        "SELECT reloptions::text || coalesce(pg_get_partkeydef(oid), '') || pg_get_expr(relpartbound, oid) FROM pg_class"
    )
    return str(connection.exec_driver_sql(f"{statement} WHERE relname = '{table}'").scalar())


def by_tables(connection: sa.Connection) -> None:
    create.build(connection, datetime.now(UTC))


def by_migrations(connection: sa.Connection) -> None:
    migrate.build(connection, version.SCHEMA)


def _file(path: Any) -> sa.Engine:
    path.touch()
    return sqlite.engine(str(path), "rw", 5)


def on_sqlite(path: Any, build: Callable[[sa.Connection], None]) -> str:
    engine = _file(path)
    with engine.begin() as connection:
        build(connection)
    with engine.connect() as connection:
        text = as_text(connection)
    engine.dispose()
    return text


def on_postgres(location: str, build: Callable[[sa.Connection], None]) -> str:
    engine = postgres.engine(location, worker="test", lock_timeout_s=5, read=False)
    with engine.begin() as connection:
        build(connection)
        text = as_text(connection)
    engine.dispose()
    return text


def test_tables_and_migrations_make_the_same_sqlite_store(tmp_path: Any) -> None:
    made = on_sqlite(tmp_path / "made.db", by_tables)
    assert on_sqlite(tmp_path / "migrated.db", by_migrations) == made
    assert made.count("table ") == len(tables.metadata.tables)


@pytest.mark.postgres
def test_tables_and_migrations_make_the_same_postgres_store(new_database: Callable[[], str]) -> None:
    made = on_postgres(new_database(), by_tables)
    assert on_postgres(new_database(), by_migrations) == made
    assert "event_default" in made


def test_a_changed_column_is_noticed_by_the_comparison(tmp_path: Any) -> None:
    def changed(connection: sa.Connection) -> None:
        by_tables(connection)
        connection.exec_driver_sql("ALTER TABLE release ADD COLUMN extra TEXT")

    assert on_sqlite(tmp_path / "a.db", by_tables) != on_sqlite(tmp_path / "b.db", changed)


def test_alembic_finds_nothing_to_do_after_the_migrations(tmp_path: Any) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    engine = _file(tmp_path / "a.db")
    with engine.begin() as connection:
        by_migrations(connection)
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert compare_metadata(context, tables.metadata) == []
    engine.dispose()


def test_the_words_of_every_check_are_the_words_of_the_model(tmp_path: Any) -> None:
    from appdelivery.model import history, run

    text = on_sqlite(tmp_path / "a.db", by_tables)
    kept = (run.RUN_STATES, run.STEP_STATES, run.RESULTS, run.SIGNALS, run.WORK_KINDS)
    for words in (history.CAUSES, history.OUTCOMES, *kept):
        assert ", ".join(f"'{word}'" for word in words) in text


def test_the_newest_migration_is_the_schema_of_the_program() -> None:
    assert migrate.newest() == version.SCHEMA


# --- a newer program, made of this one and one more migration --------------------------------------------------------------

NEXT = '''
"""One more column."""
import sqlalchemy as sa
from alembic import op

revision = "{number:04}"
down_revision = "{before:04}"
kind = "{kind}"


def upgrade() -> None:
    with op.batch_alter_table("application") as table:
        table.add_column(sa.Column("motto", sa.Text(), nullable=False, server_default="onwards"))
'''
PROGRAM = """
import sys
from datetime import UTC, datetime
from appdelivery.model.refs import AppKey
from appdelivery.store import applications, open as opening
store = opening.open(sys.argv[1], mode=sys.argv[2], worker="w", alive=lambda _: None, clock=lambda: datetime.now(UTC), new_id=str)
print(*store.notices, sep="\\n")
print(applications.get(store, AppKey("shop", "web")).release)
store.close()
"""


def scripts_with(tmp_path: Any, kind: str) -> str:
    folder = tmp_path / "migrations"
    shutil.copytree(migrate.SCRIPTS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    number = version.SCHEMA + 1
    (folder / "versions" / f"{number:04}_motto.py").write_text(NEXT.format(number=number, before=number - 1, kind=kind))
    return str(folder)


def newer_program(tmp_path: Any, kind: str) -> str:
    """A copy of the package whose schema is one further; the folder for PYTHONPATH."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(migrate.SCRIPTS)))
    copy = tmp_path / "newer"
    shutil.copytree(f"{root}/appdelivery", copy / "appdelivery", ignore=shutil.ignore_patterns("__pycache__", "_shipped"))
    shutil.rmtree(copy / "appdelivery" / "store" / "migrations")
    shutil.move(scripts_with(tmp_path, kind), copy / "appdelivery" / "store" / "migrations")
    (copy / "appdelivery" / "store" / "tables" / "version.py").write_text(
        f"SCHEMA = {version.SCHEMA + 1}\nUSABLE_FROM = {version.SCHEMA + 1 if kind == 'contract' else 1}\n"
    )
    return str(copy)


def run_newer(program: str, path: Any, how: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(path), how], capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONPATH": program, "PYTHONDONTWRITEBYTECODE": "1"}, cwd="/",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")


@pytest.fixture
def old_store(tmp_path: Any, opened: Callable[..., Any]) -> Any:
    store = opened(tmp_path / "data" / "store.db")
    making.delivered(journals.SqlJournal(store))
    store.close()
    return tmp_path / "data" / "store.db"


@pytest.mark.slow
def test_the_first_command_of_a_newer_program_copies_and_migrates_even_when_it_only_reads(
    tmp_path: Any, old_store: Any
) -> None:
    program = newer_program(tmp_path, "expand")
    said = run_newer(program, old_store, "read")
    assert said[0].startswith(
        f"the store {old_store} was brought from schema {SCHEMA} to {SCHEMA + 1}; a copy as it was: {old_store}.before-{SCHEMA}"
    )
    assert said[1] == "1"
    assert run_newer(program, old_store, "write")[:2] == ["", "1"]
    connection = sqlite3.connect(f"{old_store}.before-{SCHEMA}")
    assert connection.execute("SELECT last_release FROM application").fetchall() == [(1,)]
    with pytest.raises(sqlite3.OperationalError):
        connection.execute("SELECT motto FROM application")
    connection.close()


@pytest.mark.slow
def test_an_older_program_works_on_after_a_migration_that_expands(
    tmp_path: Any, old_store: Any, opened: Callable[..., Any]
) -> None:
    running = opened(old_store)
    migrate.local(str(old_store), scripts=scripts_with(tmp_path, "expand"))
    making.delivered(journals.SqlJournal(running))
    again = opened(old_store)
    making.delivered(journals.SqlJournal(again))
    assert applications.get(again, making.WEB).release == 3


@pytest.mark.slow
def test_an_older_program_is_refused_after_a_migration_that_contracts(
    tmp_path: Any, old_store: Any, opened: Callable[..., Any]
) -> None:
    migrate.local(str(old_store), scripts=scripts_with(tmp_path, "contract"))
    with pytest.raises(errors.TooNew, match=f"schema {SCHEMA + 1}, usable from {SCHEMA + 1}"):
        opened(old_store)


def test_a_failing_migration_leaves_the_store_as_it_was(tmp_path: Any, old_store: Any, opened: Callable[..., Any]) -> None:
    folder = scripts_with(tmp_path, "expand")
    script = f"{folder}/versions/{SCHEMA + 1:04}_motto.py"
    with open(script, "a") as file:
        file.write("    op.execute('INSERT INTO release (id) VALUES (1)')\n")
    with pytest.raises(errors.AppError):
        migrate.local(str(old_store), scripts=folder)
    assert applications.get(opened(old_store), making.WEB).release == 1
    connection = sqlite3.connect(old_store)
    assert connection.execute("SELECT schema FROM installation").fetchall() == [(SCHEMA,)]
    assert "motto" not in connection.execute("SELECT sql FROM sqlite_master WHERE name = 'application'").fetchone()[0]
    connection.close()


def test_only_three_copies_are_kept(old_store: Any) -> None:
    for number in range(5):
        migrate._copied(str(old_store), number)
    folder = os.path.dirname(old_store)
    assert len([name for name in os.listdir(folder) if ".before-" in name]) == 3
    assert os.path.exists(f"{old_store}.before-4")


@pytest.mark.postgres
def test_a_postgres_store_is_made_and_migrated_only_by_the_command(
    tmp_path: Any, new_database: Callable[[], str], opened: Callable[..., Any]
) -> None:
    location = new_database()
    with pytest.raises(errors.StoreError) as caught:
        opened(location)
    assert "appctl db migrate" in caught.value.hint
    assert migrate.migrate(location) == (0, SCHEMA)
    making.delivered(journals.SqlJournal(opened(location)))
    assert migrate.migrate(location, scripts=scripts_with(tmp_path, "expand")) == (SCHEMA, SCHEMA + 1)
    assert applications.get(opened(location), making.WEB).release == 1


@pytest.mark.slow
def test_migrating_by_command_answers_both_schemas(tmp_path: Any) -> None:
    path = tmp_path / "data" / "store.db"
    assert migrate.migrate(str(path)) == (0, SCHEMA)
    assert migrate.migrate(str(path)) == (SCHEMA, SCHEMA)
    assert migrate.migrate(f"sqlite:///{path}", scripts=scripts_with(tmp_path, "expand")) == (SCHEMA, SCHEMA + 1)


# --- stores of the first schema, which knew no runs -----------------------------------------------------------------------


def first_schema(path: Any, full: Any) -> None:
    """A file as the first release made it, with what stands in another store."""
    engine = _file(path)
    with engine.execution_options(appctl_write=True).begin() as connection:
        migrate.build(connection, 1)
    engine.dispose()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA foreign_keys=OFF")
        connection.execute("ATTACH ? AS full", (str(full),))
        names = [row[0] for row in connection.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'")]
        for name in names:
            if name in ("alembic_version", "sqlite_sequence"):
                continue
            columns = ", ".join(f'"{row[1]}"' for row in connection.execute(f"PRAGMA main.table_info({name})"))
            connection.execute(f'INSERT INTO main."{name}" ({columns}) SELECT {columns} FROM full."{name}"')
        connection.execute("UPDATE main.installation SET schema = 1, usable_from = 1")
        connection.commit()
    path.chmod(0o600)
    shutil.copy(f"{full}.key", f"{path}.key")


def test_a_store_of_the_first_schema_is_migrated_and_runs_workflows(
    tmp_path: Any, old_store: Any, opened: Callable[..., Any]
) -> None:
    path = tmp_path / "old" / "store.db"
    path.parent.mkdir(mode=0o700)
    first_schema(path, old_store)
    store = opened(path)
    assert [f"from schema 1 to {SCHEMA}" in notice for notice in store.notices] == [True]
    journal = journals.SqlJournal(store)
    assert (journal.newest(making.WEB).number, journal.work(making.key()).run) == (1, None)
    journal.open_release(making.request(after=1), making.run_request("run-1", making.WEB))
    lease = journal.claim(making.key(), "here:1:1", 30)
    run = journal.work(making.key()).run
    journal.record(lease, [ports.RunMoved(changed(run, state="succeeded", finished_at=NOW)), making.ended(2)])
    journal.release(lease)
    assert journal.work(making.key()).run.state == "succeeded"
    assert check.check(store, deep=True) == []


def test_a_release_that_ran_under_the_first_schema_can_still_end(
    tmp_path: Any, old_store: Any, opened: Callable[..., Any]
) -> None:
    store = opened(old_store)
    journals.SqlJournal(store).open_release(making.request(after=1))
    store.close()
    path = tmp_path / "old" / "store.db"
    path.parent.mkdir(mode=0o700)
    first_schema(path, old_store)
    journal = journals.SqlJournal(opened(path))
    assert journal.due(None, {"app"}, 10) == [making.key()]
    lease = journal.claim(making.key(), "here:1:1", 30)
    journal.record(lease, [making.ended(2)])
    assert journal.newest(making.WEB).outcome == "succeeded"


@pytest.mark.postgres
def test_a_postgres_store_of_the_first_schema_is_migrated(
    new_database: Callable[[], str], opened: Callable[..., Any]
) -> None:
    location = new_database()
    engine = postgres.engine(location, worker="test", lock_timeout_s=5, read=False)
    with engine.begin() as connection:
        migrate.build(connection, 1)
        row = {"id": 1, "instance": "a" * 32, "schema": 1, "usable_from": 1, "created_at": NOW, "created_by": "test"}
        connection.execute(sa.insert(tables.installation.installation), row)
    engine.dispose()
    with pytest.raises(errors.StoreError, match="older than this appctl needs"):
        opened(location)
    assert migrate.migrate(location) == (1, SCHEMA)
    store = opened(location)
    run = journals.SqlJournal(store).open_run(making.run_request("run-1", None))
    assert journals.SqlJournal(store).work(run.key).run == run
    assert check.check(store) == []
