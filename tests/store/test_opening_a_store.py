"""Files and folders, wrong files, other versions, read-only places (store.md sections 8, 9, 14)."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING, Any

import pytest
from store import making

from appdelivery import errors
from appdelivery.store import applications, files, keys, sqlite
from appdelivery.store import journal as journals

if TYPE_CHECKING:
    from collections.abc import Callable


def mode(path: Any) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


def raw(path: Any, *statements: str) -> list[Any]:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        return [connection.execute(statement).fetchall() for statement in statements]
    finally:
        connection.close()


def test_a_new_store_is_private_whatever_the_umask(tmp_path: Any, opened: Callable[..., Any]) -> None:
    before = os.umask(0)
    try:
        journals.SqlJournal(opened(tmp_path / "data" / "store.db")).installation()
    finally:
        os.umask(before)
    assert mode(tmp_path / "data") == 0o700
    for name in os.listdir(tmp_path / "data"):
        assert mode(tmp_path / "data" / name) == 0o600, name


def test_a_store_that_others_can_read_is_tightened_and_said(tmp_path: Any, opened: Callable[..., Any]) -> None:
    path = tmp_path / "store.db"
    opened(path).close()
    os.chmod(path, 0o644)
    again = opened(path)
    assert mode(path) == 0o600
    assert again.notices == [f"{path} had mode 0644, so others could read it: now 0600"]


def test_the_settings_of_every_connection_are_the_designs(store: Any) -> None:
    wanted = {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "mmap_size": 0,
        "trusted_schema": 0,
        "wal_autocheckpoint": 0,
        "auto_vacuum": 2,
        "application_id": sqlite.APPLICATION_ID,
    }
    found = store.read(lambda c: {name: c.exec_driver_sql(f"PRAGMA {name}").scalar() for name in wanted})
    assert found == {**wanted, "mmap_size": found["mmap_size"]}
    assert not found["mmap_size"]


def test_reading_where_there_is_no_store_makes_none(tmp_path: Any, opened: Callable[..., Any]) -> None:
    empty = opened(tmp_path / "none" / "store.db", "read")
    assert applications.page(empty).items == ()
    assert journals.SqlJournal(empty).newest(making.WEB) is None
    assert os.listdir(tmp_path) == []


def test_a_store_open_for_reading_refuses_writes(tmp_path: Any, opened: Callable[..., Any]) -> None:
    opened(tmp_path / "store.db").close()
    reading = opened(tmp_path / "store.db", "read")
    with pytest.raises(errors.ReadOnly, match=r"write to the store .*store\.db"):
        journals.SqlJournal(reading).claim(making.key(), "a", 30)


def test_a_reader_sees_what_a_writer_wrote_meanwhile(store: Any, opened: Callable[..., Any]) -> None:
    reading = opened(store.path, "read")
    making.delivered(journals.SqlJournal(store))
    assert applications.get(reading, making.WEB).release == 1


@pytest.mark.parametrize("content", [b"kind: Application\n" * 100, b"SQLite format 3\0" + b"\0" * 100, os.urandom(5000)])
@pytest.mark.parametrize("how", ["write", "read"])
def test_a_file_that_is_no_database_is_refused_and_left_alone(
    tmp_path: Any, opened: Callable[..., Any], content: bytes, how: str
) -> None:
    path = tmp_path / "store.db"
    path.touch(mode=0o600)
    path.write_bytes(content)
    with pytest.raises(errors.Corrupt, match="damaged or no store of appctl") as caught:
        opened(path, how)
    assert "db restore" in caught.value.hint
    assert path.read_bytes() == content


@pytest.mark.parametrize("how", ["write", "read"])
def test_the_database_of_another_program_is_refused_and_left_alone(
    tmp_path: Any, opened: Callable[..., Any], how: str
) -> None:
    path = tmp_path / "store.db"
    raw(path, "CREATE TABLE bookmarks (url TEXT)", "PRAGMA application_id=7")
    content = path.read_bytes()
    with pytest.raises(errors.Corrupt, match="another program"):
        opened(path, how)
    assert path.read_bytes() == content


def test_a_damaged_page_is_told_and_names_the_newest_copy(tmp_path: Any, opened: Callable[..., Any]) -> None:
    path = tmp_path / "store.db"
    store = opened(path)
    making.delivered(journals.SqlJournal(store))
    store.close()
    (tmp_path / "store.db.before-1").write_bytes(b"")
    page = raw(path, "SELECT rootpage FROM sqlite_master WHERE name='release'")[0][0][0]
    with open(path, "r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(os.urandom(4096))
    with pytest.raises(errors.Corrupt, match=r"store\.db\.before-1"):
        journals.SqlJournal(opened(path)).newest(making.WEB)


@pytest.mark.parametrize(("usable_from", "works"), [(1, True), (99, False)])
def test_a_newer_schema_works_as_long_as_it_says_so(
    tmp_path: Any, opened: Callable[..., Any], usable_from: int, works: bool
) -> None:
    path = tmp_path / "store.db"
    opened(path).close()
    raw(path, f"UPDATE installation SET schema = 99, usable_from = {usable_from}")
    if works:
        making.delivered(journals.SqlJournal(opened(path)))
        return
    content = path.read_bytes()
    for how in ("write", "read"):
        with pytest.raises(errors.TooNew, match="schema 99, usable from 99"):
            opened(path, how)
    assert path.read_bytes() == content


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/home/ana/data", "nfs4"),
        ("/home/ana", "ext4"),
        ("/mnt/with space/x", "fuse.sshfs"),
        ("/", "overlay"),
        ("/homely", "overlay"),
    ],
)
def test_the_mount_table_tells_the_file_system_of_a_folder(tmp_path: Any, folder: str, kind: str) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(
        "22 1 0:20 / / rw - overlay overlay rw\n"
        "23 22 8:1 / /home rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
        "24 23 0:44 / /home/ana/data rw - nfs4 server:/x rw\n"
        "25 22 0:45 / /mnt/with\\040space rw - fuse.sshfs x rw\n"
    )
    assert files.file_system(folder, str(table)) == kind


def test_a_store_on_a_network_file_system_is_refused(tmp_path: Any) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(f"22 1 0:20 / / rw - ext4 x rw\n24 22 0:44 / {tmp_path} rw - nfs4 server:/x rw\n")
    with pytest.raises(errors.StoreError, match="network file system") as caught:
        files.check_disk(str(tmp_path / "store.db"), str(table))
    assert caught.value.code == "store.network-file-system"


def test_a_symbolic_link_in_the_place_of_the_key_is_not_followed(tmp_path: Any, opened: Callable[..., Any]) -> None:
    elsewhere = tmp_path / "elsewhere"
    os.symlink(elsewhere, tmp_path / "store.db.key")
    with pytest.raises(errors.StoreError, match="master key"):
        opened(tmp_path / "store.db")
    assert not elsewhere.exists()


@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_master_key_of_another_length_is_refused(tmp_path: Any, size: int) -> None:
    path = tmp_path / "key"
    path.touch(mode=0o600)
    path.write_bytes(b"x" * size)
    with pytest.raises(errors.StoreError, match="32 bytes"):
        keys.read(str(path))


def as_nobody(work: Callable[[], object]) -> str:
    """What another user gets, in a process of its own: root would be refused nothing."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to become a user who is not")
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            said = str(work())
        except errors.AppError as error:
            said = f"{type(error).__name__} {error.message}"
        except BaseException as error:
            said = f"bug: {error!r}"
        os.write(writing, said.encode()[:60000])
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return said


@pytest.fixture
def open_folder() -> Any:
    """A folder that every user can reach."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield folder


def newest_release(opened: Callable[..., Any], path: str, how: str) -> Callable[[], int]:
    return lambda: applications.get(opened(path, how), making.WEB).release


@pytest.mark.slow
def test_a_read_only_folder_is_read_without_a_log_and_never_written(open_folder: str, opened: Callable[..., Any]) -> None:
    store = opened(f"{open_folder}/store.db")
    making.delivered(journals.SqlJournal(store))
    store.close()
    for name in os.listdir(open_folder):
        os.chown(f"{open_folder}/{name}", 65534, 65534)
    before = sorted(os.listdir(open_folder))
    assert as_nobody(newest_release(opened, f"{open_folder}/store.db", "read")) == "1"
    assert as_nobody(newest_release(opened, f"{open_folder}/store.db", "write")).startswith("ReadOnly")
    assert sorted(os.listdir(open_folder)) == before


@pytest.mark.slow
def test_a_read_only_folder_with_a_log_is_refused_because_its_end_would_be_missed(
    tmp_path: Any, open_folder: str, opened: Callable[..., Any]
) -> None:
    store = opened(tmp_path / "store.db")
    making.delivered(journals.SqlJournal(store))
    for name in ("store.db", "store.db-wal"):  # as a killed process leaves them
        shutil.copy(tmp_path / name, f"{open_folder}/{name}")
        os.chown(f"{open_folder}/{name}", 65534, 65534)
    said = as_nobody(newest_release(opened, f"{open_folder}/store.db", "read"))
    assert said.startswith("ReadOnly")
    assert "still stands in" in said


@pytest.mark.slow
def test_the_store_of_another_user_is_never_written(open_folder: str, opened: Callable[..., Any]) -> None:
    store = opened(f"{open_folder}/store.db")
    store.close()
    os.chmod(f"{open_folder}/store.db", 0o666)
    os.chmod(open_folder, 0o777)
    assert as_nobody(newest_release(opened, f"{open_folder}/store.db", "write")).startswith("ReadOnly open the store")


def test_opening_and_reading_leave_the_object_mapper_and_the_migrations_unimported(
    tmp_path: Any, opened: Callable[..., Any]
) -> None:
    program = """
import sys
from datetime import UTC, datetime
from appdelivery.store import applications, inventory, open as opening
store = opening.open(sys.argv[1], mode="read", worker="w", alive=lambda _: None, clock=lambda: datetime.now(UTC), new_id=str)
applications.page(store), inventory.rows(store)
heavy = ("sqlalchemy.orm", "alembic", "psycopg", "cryptography", "aiohttp", "jinja2", "jsonschema", "kr8s")
print([name for name in heavy if name in sys.modules])
"""
    making.delivered(journals.SqlJournal(opened(tmp_path / "store.db")))
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "store.db")], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
