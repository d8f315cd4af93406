"""One snapshot, the same for both databases; a restore never makes marks in the clusters newer than ours (store.md 11)."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import stat
from typing import TYPE_CHECKING, Any

import pytest
from store import making

from appdelivery import errors
from appdelivery.delivery import ports
from appdelivery.model.history import Event
from appdelivery.model.secret import Secret, SecretRef
from appdelivery.store import applications, backup, check, clusters, events, inventory, migrate, secrets
from appdelivery.store import journal as journals
from appdelivery.store.tables import version

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def filled(store: Any) -> Any:
    """A store with something in every table."""
    fill(store)
    return store


def fill(store: Any) -> None:
    journal = journals.SqlJournal(store)
    key = journal.installation().digest_key
    bodies = [making.config_map(name=f"n{n}") for n in range(3)]
    bodies[0]["data"] = {"password": Secret("canary", encoded=True)}
    making.delivered(journal, bodies=bodies, key=key, labels={"tier": "front"}, context={"a": [1, {"b": 1.5}]})
    making.delivered(journal, making.AppKey("shop", "api"))
    journal.open_release(making.request(making.AppKey("shop", "half")))
    lease = journal.claim(making.key(making.AppKey("shop", "half")), "here:1:1", 30)
    journal.record(
        lease, [ports.EventAdded(Event("note", "shop/half", making.ANA, store.clock(), {"text": "b\u00e4r"}, lease.app))]
    )
    secrets.put(store, scope="installation", owner="", name="mail", value="s3cret", actor=making.ANA)
    clusters.add(
        store,
        name="west",
        uid="u-west",
        credentials={"token": "t"},
        labels={"a": "b"},
        server_version="v1",
        actor=making.ANA,
    )


def rows(path: Any) -> dict[str, list[Any]]:
    """The tables of a backup."""
    found: dict[str, list[Any]] = {}
    name = ""
    for line in gzip.open(path, "rt"):
        value = json.loads(line)
        if isinstance(value, dict):
            name = value.get("table", "")
            found.setdefault(name, [])
        else:
            found[name].append(value)
    return found


def dumped(store: Any, folder: Any, name: str = "dump") -> dict[str, list[Any]]:
    backup.backup(store, str(folder / name))
    return rows(folder / name)


def same(one: dict[str, list[Any]], other: dict[str, list[Any]]) -> None:
    """Equal but for what every restore changes: fences, releases, times of the restore and the events' transaction ids."""
    changing = {"installation", "work_item", "application", "release", "event"}
    assert one.keys() == other.keys()
    for table in one.keys() - changing:
        assert one[table] == other[table], table
    assert [row[2:] for row in one["event"]] == [row[2:] for row in other["event"]]


def test_a_backup_is_private_whole_and_says_what_is_in_it(filled: Any, tmp_path: Any) -> None:
    counts = backup.backup(filled, str(tmp_path / "dump.gz"))
    assert counts["application"] == 3
    assert stat.S_IMODE(os.stat(tmp_path / "dump.gz").st_mode) == 0o600
    lines = gzip.open(tmp_path / "dump.gz").read().splitlines()
    header, trailer = json.loads(lines[0]), json.loads(lines[-1])
    assert header["format"] == backup.FORMAT
    assert (header["schema"], len(header["instance"]), len(header["masterKey"])) == (version.SCHEMA, 32, 16)
    assert trailer["counts"] == counts
    assert os.listdir(tmp_path) == ["data", "dump.gz"] or sorted(os.listdir(tmp_path)) == ["data", "dump.gz"]


def test_a_restored_store_holds_the_same_rows_and_goes_on(filled: Any, tmp_path: Any, opened: Callable[..., Any]) -> None:
    before = dumped(filled, tmp_path)
    place = tmp_path / "restored" / "store.db"
    backup.restore(str(tmp_path / "dump"), str(place))
    shutil.copy2(f"{filled.path}.key", f"{place}.key")
    again = opened(place)
    same(before, dumped(again, tmp_path, "second"))
    assert check.check(again, deep=True) == []
    assert secrets.get(again, SecretRef("installation", "", "mail")).open() == "s3cret"
    journal = journals.SqlJournal(again)
    newest = journal.newest(making.WEB)
    assert (newest.number, newest.message) == (1 + backup.RELEASES, "restored from a backup")
    making.delivered(journal)
    assert journal.newest(making.WEB).number == 2 + backup.RELEASES
    assert len(applications.manifests(again, making.WEB, 1)) == 3


def test_after_a_restore_fences_are_higher_than_any_written_after_the_backup(
    filled: Any, tmp_path: Any, opened: Callable[..., Any]
) -> None:
    backup.backup(filled, str(tmp_path / "dump"))
    journal = journals.SqlJournal(filled)
    later = journal.claim(making.key(making.WEB), "here:1:1", 30)
    backup.restore(str(tmp_path / "dump"), str(tmp_path / "r" / "store.db"))
    restored = journals.SqlJournal(opened(tmp_path / "r" / "store.db")).claim(making.key(), "other", 30)
    assert restored.fence > later.fence


def test_a_release_that_ran_when_the_backup_was_taken_is_terminated(
    filled: Any, tmp_path: Any, opened: Callable[..., Any]
) -> None:
    backup.backup(filled, str(tmp_path / "dump"))
    backup.restore(str(tmp_path / "dump"), str(tmp_path / "r" / "store.db"))
    found = applications.releases(opened(tmp_path / "r" / "store.db"), making.AppKey("shop", "half"))
    assert [r.outcome for r in found] == ["terminated", "terminated"]


def test_a_store_that_is_there_is_replaced_only_on_demand_and_kept_aside(
    filled: Any, tmp_path: Any, opened: Callable[..., Any]
) -> None:
    backup.backup(filled, str(tmp_path / "dump"))
    making.delivered(journals.SqlJournal(filled))
    filled.close()
    with pytest.raises(errors.Conflict, match="a store is there") as caught:
        backup.restore(str(tmp_path / "dump"), filled.path)
    assert "--replace" in caught.value.hint
    backup.restore(str(tmp_path / "dump"), filled.path, replace=True)
    assert applications.get(opened(filled.path), making.WEB).release == 1 + backup.RELEASES
    aside = [name for name in os.listdir(tmp_path / "data") if ".replaced-" in name]
    assert len(aside) == 1
    assert applications.get(opened(tmp_path / "data" / aside[0], "read"), making.WEB).release == 2


def test_a_copy_as_new_owns_nothing(filled: Any, tmp_path: Any, opened: Callable[..., Any]) -> None:
    backup.backup(filled, str(tmp_path / "dump"))
    backup.restore(str(tmp_path / "dump"), str(tmp_path / "n" / "store.db"), as_new=True)
    new = opened(tmp_path / "n" / "store.db")
    assert journals.SqlJournal(new).installation().id != journals.SqlJournal(filled).installation().id
    assert inventory.rows(new) == []
    assert applications.get(new, making.WEB).objects == 0
    assert [f for f in check.check(new) if f.level == "error"] == []


@pytest.mark.parametrize("damage", ["cut", "changed", "text", "empty", "absent"])
def test_a_damaged_backup_is_refused_and_nothing_is_touched(filled: Any, tmp_path: Any, damage: str) -> None:
    path = tmp_path / "dump"
    backup.backup(filled, str(path))
    whole = path.read_bytes()
    if damage == "cut":
        path.write_bytes(whole[: len(whole) // 2])
    elif damage == "changed":
        lines = gzip.decompress(whole).splitlines(keepends=True)
        path.write_bytes(gzip.compress(b"".join(lines[:5] + lines[6:])))
    elif damage == "text":
        path.write_bytes(b"hello")
    elif damage == "empty":
        path.write_bytes(b"")
    else:
        path.unlink()
    with pytest.raises(errors.SourceError, match="restore "):
        backup.restore(str(path), str(tmp_path / "r" / "store.db"))
    assert not (tmp_path / "r").exists()


def test_a_backup_of_a_newer_program_is_refused(filled: Any, tmp_path: Any) -> None:
    path = tmp_path / "dump"
    filled.write(lambda c: c.exec_driver_sql("UPDATE installation SET schema = 9"))
    backup.backup(filled, str(path))
    with pytest.raises(errors.TooNew, match="schema 9"):
        backup.restore(str(path), str(tmp_path / "r" / "store.db"))


def test_a_backup_that_finds_no_room_leaves_nothing_behind(filled: Any, tmp_path: Any) -> None:
    with pytest.raises(errors.StoreError, match="write the backup"):
        backup.backup(filled, str(tmp_path / "none" / "dump"))
    assert sorted(os.listdir(tmp_path)) == ["data"]


@pytest.mark.postgres
def test_a_backup_of_one_database_restores_on_the_other_and_back(
    filled: Any, tmp_path: Any, new_database: Callable[[], str], opened: Callable[..., Any]
) -> None:
    first = dumped(filled, tmp_path)
    location = new_database()
    key = f"{filled.path}.key"
    backup.restore(str(tmp_path / "dump"), location)
    remote = opened(location, master_key_file=key)
    second = dumped(remote, tmp_path, "second")
    same(first, second)
    assert check.check(remote, deep=True) == []
    making.delivered(journals.SqlJournal(remote), making.AppKey("shop", "new"))
    assert len(events.page(remote, limit=100).items) == len(first["event"]) + 1
    with pytest.raises(errors.Conflict, match="a store is there"):
        backup.restore(str(tmp_path / "dump"), location)
    backup.restore(str(tmp_path / "second"), str(tmp_path / "back" / "store.db"))
    shutil.copy2(key, tmp_path / "back" / "store.db.key")
    back = opened(tmp_path / "back" / "store.db")
    same(first, dumped(back, tmp_path, "third"))
    assert applications.manifests(back, making.WEB, 1) == applications.manifests(filled, making.WEB, 1)
    remote.close()
    backup.restore(str(tmp_path / "second"), location, replace=True)
    assert migrate.migrate(location) == (version.SCHEMA, version.SCHEMA)
