"""The state file: what was flushed is there again, and what is no state file is refused by name."""

from __future__ import annotations

import os
import sqlite3
import stat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appdelivery import errors
from appdelivery.sandbox import state, storage
from appdelivery.sandbox.cluster import Cluster

CONFIG_MAPS = ("", "configmaps")


def body(name, value="1", namespace="shop"):
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace, "uid": f"uid-{name}"},
        "data": {"value": value},
    }


def held(cluster):
    return {
        (family, item.key): (item.body, item.revision)
        for family, kept in cluster.storage.families()
        for item in kept.items()
    }


def opened(path, *names):
    file = state.State(str(path))
    clusters = [Cluster(name) for name in names]
    known = [file.attach(cluster) for cluster in clusters]
    return file, clusters, known


def test_what_is_written_into_a_cluster_after_a_reset_took_it_away_is_not_kept(tmp_path):
    file, (old,), _ = opened(tmp_path / "s.db", "sandbox")
    file.wipe()
    new = Cluster("sandbox")
    file.attach(new)
    old.storage.commit(storage.ADDED, CONFIG_MAPS, body("late"))
    new.storage.commit(storage.ADDED, CONFIG_MAPS, body("kept"))
    file.close()

    file, (again,), _ = opened(tmp_path / "s.db", "sandbox")
    assert [key for _, key in held(again)] == [("shop", "kept")]
    file.close()


def test_objects_and_revision_are_there_again(tmp_path):
    file, (cluster,), known = opened(tmp_path / "s.db", "sandbox")
    assert known == [False]
    cluster.storage.commit(storage.ADDED, CONFIG_MAPS, body("a"))
    cluster.storage.commit(storage.MODIFIED, CONFIG_MAPS, body("a", "2"))
    cluster.storage.commit(storage.ADDED, CONFIG_MAPS, body("b"))
    cluster.storage.commit(storage.DELETED, CONFIG_MAPS, body("b"))
    file.close()

    file, (again,), known = opened(tmp_path / "s.db", "sandbox")
    assert known == [True]
    assert held(again) == held(cluster)
    assert again.storage.revision == cluster.storage.revision
    assert again.storage.family(CONFIG_MAPS).floor == cluster.storage.revision
    file.close()


def test_clusters_are_kept_apart(tmp_path):
    file, (one, two), _ = opened(tmp_path / "s.db", "sandbox-1", "sandbox-2")
    one.storage.commit(storage.ADDED, CONFIG_MAPS, body("a"))
    file.close()

    file, (one, two), _ = opened(tmp_path / "s.db", "sandbox-1", "sandbox-2")
    assert file.names() == ["sandbox-1", "sandbox-2"]
    assert [len(held(cluster)) for cluster in (one, two)] == [1, 0]
    file.close()


@settings(max_examples=10, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.booleans()), max_size=30))
def test_whatever_was_committed_is_there_after_any_flushes(tmp_path_factory, steps):
    path = tmp_path_factory.mktemp("state") / "s.db"
    file, (cluster,), _ = opened(path, "sandbox")
    for number, (name, removes, flushes) in enumerate(steps):
        there = cluster.storage.family(CONFIG_MAPS).get(("shop", name))
        if removes and there is None:
            continue
        type = storage.DELETED if removes else storage.MODIFIED if there else storage.ADDED
        cluster.storage.commit(type, CONFIG_MAPS, body(name, str(number)))
        if flushes:
            file.flush()
    file.close()
    file, (again,), _ = opened(path, "sandbox")
    assert held(again) == held(cluster)
    assert again.storage.revision == cluster.storage.revision
    file.close()


def test_what_was_flushed_is_in_the_file_before_it_is_closed(tmp_path):
    file, (cluster,), _ = opened(tmp_path / "s.db", "sandbox")
    cluster.storage.commit(storage.ADDED, CONFIG_MAPS, body("a"))
    file.flush()
    for part in ("", "-wal"):
        (tmp_path / f"copy.db{part}").write_bytes((tmp_path / f"s.db{part}").read_bytes())
    _, (again,), _ = opened(tmp_path / "copy.db", "sandbox")
    assert held(again) == held(cluster)
    file.close()


def test_a_wiped_file_is_empty(tmp_path):
    file, (cluster,), _ = opened(tmp_path / "s.db", "sandbox")
    cluster.storage.commit(storage.ADDED, CONFIG_MAPS, body("a"))
    file.wipe()
    file.close()
    _, (again,), known = opened(tmp_path / "s.db", "sandbox")
    assert (held(again), known) == ({}, [False])


def test_the_file_is_for_its_owner_alone(tmp_path):
    file, _, _ = opened(tmp_path / "s.db", "sandbox")
    assert stat.S_IMODE(os.stat(tmp_path / "s.db").st_mode) == 0o600
    file.close()


def refused(path):
    with pytest.raises(errors.SourceError) as caught:
        state.State(str(path)).attach(Cluster("sandbox"))
    assert str(path) in caught.value.message
    assert caught.value.hint
    return caught.value.message


def test_a_text_is_no_state_file(tmp_path):
    (tmp_path / "s.db").write_text("no database at all, but long enough to be looked at" * 100)
    assert "damaged or no state file" in refused(tmp_path / "s.db")


def test_a_database_of_something_else_is_left_alone(tmp_path):
    other = sqlite3.connect(tmp_path / "s.db")
    other.execute("create table mine (a)")
    other.commit()
    other.close()
    before = (tmp_path / "s.db").read_bytes()
    assert "something else" in refused(tmp_path / "s.db")
    assert (tmp_path / "s.db").read_bytes() == before


def test_a_newer_format_is_refused(tmp_path):
    opened(tmp_path / "s.db", "sandbox")[0].close()
    raw = sqlite3.connect(tmp_path / "s.db", isolation_level=None)
    raw.execute("pragma user_version = 9")
    raw.close()
    assert "format 9 is newer" in refused(tmp_path / "s.db")


def test_a_torn_page_is_found(tmp_path):
    file, (cluster,), _ = opened(tmp_path / "s.db", "sandbox")
    for number in range(200):
        cluster.storage.commit(storage.ADDED, CONFIG_MAPS, body(f"a{number}", "x" * 200))
    file.close()
    data = bytearray((tmp_path / "s.db").read_bytes())
    for start in range(4096 * 3, 4096 * 6):
        data[start] = 0xAA
    (tmp_path / "s.db").write_bytes(data)
    assert "damaged" in refused(tmp_path / "s.db")


def test_an_unreadable_object_is_named(tmp_path):
    file, (cluster,), _ = opened(tmp_path / "s.db", "sandbox")
    cluster.storage.commit(storage.ADDED, CONFIG_MAPS, body("a"))
    file.close()
    raw = sqlite3.connect(tmp_path / "s.db", isolation_level=None)
    raw.execute("update objects set body = '{'")
    raw.close()
    assert "configmaps shop/a of cluster sandbox cannot be read" in refused(tmp_path / "s.db")


def test_one_file_serves_one_sandbox(tmp_path):
    file, _, _ = opened(tmp_path / "s.db", "sandbox")
    assert "another sandbox has it open" in refused(tmp_path / "s.db")
    file.close()


def test_a_folder_that_is_not_there_is_told(tmp_path):
    assert "No such file or directory" in refused(tmp_path / "none" / "s.db")
