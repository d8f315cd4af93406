"""PostgreSQL for tests: one server per run, one database per module (testing.md section 11).

APPCTL_TEST_DATABASE_URL names an existing server; else initdb is looked for in PATH, by pg_config and in the folders of
distributions, and run as the user `postgres` when we are root, whom initdb refuses.
"""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from support import missing

if TYPE_CHECKING:
    from collections.abc import Iterator

USER = "postgres"
SETTINGS = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=60 -c listen_addresses=''"


def programs() -> str:
    """The folder of initdb and pg_ctl, '' when there is none."""
    places = [os.path.dirname(os.path.realpath(found)) for found in [shutil.which("initdb")] if found]
    if config := shutil.which("pg_config"):
        places.append(subprocess.run([config, "--bindir"], capture_output=True, text=True, check=True).stdout.strip())
    places += sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True)
    return next((place for place in places if os.access(f"{place}/pg_ctl", os.X_OK)), "")


@contextmanager
def running(folder: str) -> Iterator[str]:
    """A server on a socket of its own; the URL without a database."""
    found = programs()
    who = {"user": USER, "group": USER, "extra_groups": []} if os.geteuid() == 0 else {}
    if who:
        shutil.chown(folder, USER)

    def run(*command: str) -> None:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, **who)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr or done.stdout}"

    data, log = f"{folder}/data", f"{folder}/log"
    run(f"{found}/initdb", "-D", data, "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
    # pg_ctl leaves the server its own standard output: a pipe would never end.
    with open(os.devnull, "w") as nowhere:
        command = [f"{found}/pg_ctl", "-D", data, "-w", "-l", log, "-o", f"{SETTINGS} -k {folder}", "start"]
        subprocess.run(command, cwd=folder, stdout=nowhere, stderr=nowhere, check=True, **who)
    try:
        yield f"postgresql://{USER}@/{{}}?host={folder}"
    finally:
        run(f"{found}/pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A URL with {} where the name of the database stands."""
    if given := os.environ.get("APPCTL_TEST_DATABASE_URL"):
        front, _, rest = given.partition("?")
        yield f"{front.rstrip('/').rsplit('/', 1)[0] if front.count('/') > 2 else front}/{{}}" + (f"?{rest}" if rest else "")
        return
    if not programs():
        missing("initdb of PostgreSQL (PATH, pg_config, /usr/lib/postgresql)", "POSTGRES")
    # Not below pytest's folders: those are closed to the user postgres, and a socket's path must be short.
    folder = tempfile.mkdtemp(prefix="appctl-pg-")
    try:
        with running(folder) as url:
            yield url
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def new_database(postgres_server: str) -> Iterator[object]:
    """Makes empty databases; each call gives the URL of another one."""
    import psycopg

    made: list[str] = []
    stem = f"appctl_test_{os.getpid()}_{os.urandom(3).hex()}"

    def make() -> str:
        name = f"{stem}_{len(made)}"
        with psycopg.connect(postgres_server.format("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        made.append(name)
        return postgres_server.format(name)

    yield make
    with psycopg.connect(postgres_server.format("postgres"), autocommit=True) as connection:
        for name in made:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
