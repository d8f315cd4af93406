"""A store that is full, read-only, damaged, too new or without its key: said in its words, and no cluster is touched."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
from typing import TYPE_CHECKING

import parts
import pytest
import support

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import laboratory

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(420), pytest.mark.xdist_group("plane-two")]


def folder(lab: laboratory.Laboratory) -> str:
    return f"{lab.home}/.local/share/appctl"


def new(lab: laboratory.Laboratory, name: str = "new") -> str:
    return parts.application(lab, name, parts.objects(parts.config_map(name, a="b")))


def untouched(lab: laboratory.Laboratory, name: str = "new") -> bool:
    return f"configmap/{name}" not in lab.names("configmaps")


@pytest.fixture
def delivered(lab: laboratory.Laboratory) -> laboratory.Laboratory:
    """One application, `old`, in a store that nobody has open."""
    lab.appctl("up", new(lab, "old"), "--create-namespace")
    return lab


def mounted(*words: str) -> None:
    done = subprocess.run(["mount", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        support.missing(f"the right to mount: {done.stderr.strip()}", "MOUNT")


@contextlib.contextmanager
def read_only(path: str) -> Iterator[None]:
    """For its owner by mode; root, whom no mode stops, gets a read-only mount."""
    if os.geteuid():
        os.chmod(path, 0o500)
        try:
            yield
        finally:
            os.chmod(path, 0o700)
        return
    mounted("--bind", path, path)
    try:
        mounted("-o", "remount,ro,bind", path)
        yield
    finally:
        subprocess.run(["umount", "-l", path], check=True)


READS = (
    ["list", "-A"],
    ["status", "{app}"],
    ["status", "{app}", "--tree"],
    ["status", "{app}", "--live"],
    ["history", "{app}"],
    ["show", "{app}"],
    ["compare", "{app}", "1", "1"],
    ["events", "{app}"],
    ["why", "{app}"],
    ["tree", "{app}"],
    ["wait", "{app}", "--timeout", "20s"],
    ["diff", "old.yaml"],
    ["plan", "old.yaml"],
    ["secret", "list"],
    ["cluster", "list"],
    ["db", "check"],
)


def contents(path: str) -> dict[str, tuple[str, int]]:
    """Of every file what it holds and when it was written; but for the index of the log, which readers share."""
    found = {}
    for at, _, names in os.walk(path):
        for name in names:
            if name.endswith("-shm") or (name.endswith("-wal") and not os.path.getsize(os.path.join(at, name))):
                continue
            whole = os.path.join(at, name)
            with open(whole, "rb") as file:
                found[os.path.relpath(whole, path)] = (hashlib.sha256(file.read()).hexdigest(), os.stat(whole).st_mtime_ns)
    return found


def words_of(lab: laboratory.Laboratory, words: list[str]) -> list[str]:
    return [word.replace("{app}", f"{lab.namespace}/old").replace("old.yaml", f"{lab.home}/old.yaml") for word in words]


def test_commands_that_read_write_nothing(delivered: laboratory.Laboratory) -> None:
    before = contents(folder(delivered))
    for done in parts.together(delivered, *[words_of(delivered, words) for words in READS]):
        parts.answered(done, 0)
    assert contents(folder(delivered)) == before


def test_in_a_read_only_folder_everything_can_be_read_and_nothing_begun(delivered: laboratory.Laboratory) -> None:
    name = f"{delivered.namespace}/old"
    with read_only(folder(delivered)):
        for done in parts.together(delivered, *[words_of(delivered, words) for words in READS]):
            parts.answered(done, 0)
        writes = (["up", new(delivered)], ["delete", name, "--yes"], ["rollback", name, "--to", "1"], ["secret", "set", "x"])
        for done in parts.together(delivered, *writes, stdin="value"):
            parts.answered(done, 2, "error: open the store", "read-only", "--store")
    assert untouched(delivered)
    assert not untouched(delivered, "old")


def test_on_a_full_disk_nothing_is_applied_whose_intent_is_not_recorded(delivered: laboratory.Laboratory) -> None:
    if os.geteuid():
        support.missing("the right to mount a small disk: only root may", "MOUNT")
    disk = f"{delivered.home}/disk"
    os.makedirs(disk)
    mounted("-t", "tmpfs", "-o", "size=900k", "none", disk)
    try:
        shutil.copytree(folder(delivered), f"{disk}/store")
        store = f"{disk}/store/store.db"
        delivered.appctl("list", "-A", "--store", store)
        with open(f"{disk}/filling", "wb", buffering=0) as filling, contextlib.suppress(OSError):
            while True:
                filling.write(b"x" * 4096)
        done = delivered.appctl("up", new(delivered), "--store", store, code=None)
        parts.answered(
            done, 2, "error: ", "disk is full" if "disk is full" in done.err else "no space left", "free some space"
        )
        assert untouched(delivered)
        assert "old" in delivered.appctl("list", "-A", "--store", store).out
        fresh = delivered.appctl("up", new(delivered), "--store", f"{disk}/fresh/store.db", code=None)
        parts.answered(fresh, 2, "error: ", "free some space")
        assert untouched(delivered)

        os.remove(f"{disk}/filling")
        delivered.appctl("up", new(delivered), "--store", store)
        assert not untouched(delivered)
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def garbage(store: str) -> None:
    with open(store, "wb") as file:
        file.write(b"this is no database" * 500)


def cut_off(store: str) -> None:
    with open(store, "rb+") as file:
        file.truncate(4096 * 3 + 100)


def of_another_program(store: str) -> None:
    with contextlib.closing(sqlite3.connect(store)) as connection:
        connection.execute("PRAGMA application_id = 77")


def of_the_future(store: str) -> None:
    with contextlib.closing(sqlite3.connect(store)) as connection, connection:
        connection.execute("UPDATE installation SET schema = 99, usable_from = 99")


def a_folder(store: str) -> None:
    os.remove(store)
    os.makedirs(store)


@pytest.mark.parametrize(
    ("damage", "says", "hint"),
    [
        (garbage, "read the store {store}: it is damaged or no store of appctl", "appctl db restore FILE --replace"),
        (cut_off, "read the store {store}: it is damaged or no store of appctl", "appctl db restore FILE --replace"),
        (of_another_program, "it is the database of another program", "appctl db restore FILE --replace"),
        (of_the_future, "it was changed by a newer appctl (schema 99", "install the newer appctl"),
        (a_folder, "open the store {store}: it is not a file", "--store"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_store_that_cannot_be_used_is_left_as_it_is(
    delivered: laboratory.Laboratory, damage: Callable[[str], None], says: str, hint: str
) -> None:
    store = f"{folder(delivered)}/store.db"
    damage(store)
    before = None if os.path.isdir(store) else contents(folder(delivered))["store.db"][0]
    commands = (["up", new(delivered)], ["list", "-A"], ["delete", f"{delivered.namespace}/old", "--yes"])
    for done in parts.together(delivered, *commands):
        parts.answered(done, 2, f"error: {says.format(store=store)}" if "{store}" in says else says, hint)
    assert before is None or contents(folder(delivered))["store.db"][0] == before
    assert untouched(delivered)


def test_without_the_right_key_only_secrets_are_out_of_reach(delivered: laboratory.Laboratory) -> None:
    key = f"{folder(delivered)}/store.db.key"
    delivered.appctl("secret", "set", "token", stdin="correct horse battery")
    with open(key, "rb") as file:
        right = file.read()
    for content, says, hint in (
        (b"short", "a master key has 32 bytes", "check the file"),
        (os.urandom(32), "holds master key", "put the right key at"),
        (None, "does not exist", "put the right key at"),
    ):
        if content is None:
            os.remove(key)
        else:
            with open(key, "wb") as file:
                file.write(content)
        done = delivered.appctl("secret", "set", "token", code=None, stdin="another")
        parts.answered(done, 2, "error: ", says, hint)
        assert "correct horse" not in done.err
        if content != b"short":
            assert "nothing to do" in delivered.appctl("up", new(delivered, "old")).err
    assert not os.path.exists(key), "a lost key must not be made anew"
    with open(os.open(key, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
        file.write(right)
    delivered.appctl("secret", "set", "token", stdin="another")


def test_a_lost_store_is_a_new_installation_that_touches_nothing_unasked(delivered: laboratory.Laboratory) -> None:
    shutil.rmtree(folder(delivered))
    assert json.loads(delivered.appctl("list", "-A", "-o", "json").out)["items"] == []
    assert not os.path.exists(folder(delivered)), "reading has made a store"
    before = delivered.get("configmap", "old")["metadata"]["uid"]
    done = delivered.appctl("up", new(delivered, "old"), code=None)
    parts.answered(done, 2, f"it exists and belongs to application {delivered.namespace}/old of installation", "take-over")
    delivered.appctl("up", new(delivered, "old"), "--take-ownership", "--yes")
    assert delivered.get("configmap", "old")["metadata"]["uid"] == before
    delivered.appctl("delete", f"{delivered.namespace}/old", "--yes")
    assert untouched(delivered, "old")


def test_a_store_that_others_could_read_is_made_private_and_that_is_said(delivered: laboratory.Laboratory) -> None:
    store = f"{folder(delivered)}/store.db"
    os.chmod(store, 0o644)
    assert "now 0600" in delivered.appctl("up", new(delivered, "old")).err
    assert os.stat(store).st_mode & 0o777 == 0o600
