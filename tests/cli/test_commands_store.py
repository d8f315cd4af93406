"""The store by the command line: migrate, check, back up, restore; doctor; plugins; nothing written by what only reads."""

from __future__ import annotations

import json
import os
import sqlite3

import pytest
import running
import seeded

pytestmark = pytest.mark.slow
WEB = """apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: shop}
spec:
  components:
    - {name: web, type: webservice, properties: {image: "example/web:1"}}
"""


def test_what_only_reads_makes_no_store(tmp_path) -> None:
    home = str(tmp_path)
    for words in (["list"], ["events"], ["secret", "list"], ["db", "check"], ["doctor"], ["status", "x"]):
        done = running.appctl(*words, home=home)
        assert done.code in (0, 2), done.err
    assert not os.path.exists(f"{home}/.local/share/appctl/store.db")


def test_a_store_is_migrated_checked_saved_and_brought_back(tmp_path) -> None:
    home = str(tmp_path)
    assert "was empty" in running.appctl("db", "migrate", home=home).err
    again = running.appctl("db", "migrate", home=home)
    assert (again.code, "was" in again.err) == (0, False)
    seeded.deliver(home, WEB)
    running.appctl("secret", "set", "token", home=home, stdin="hunter-canary")
    whole = running.appctl("db", "check", "--deep", home=home)
    assert (whole.code, whole.err) == (0, "the store is whole\n")
    saved = running.appctl("db", "backup", f"{home}/b.gz", home=home)
    assert "The master key is not in it" in saved.err
    assert os.stat(f"{home}/b.gz").st_mode & 0o777 == 0o600
    refused = running.appctl("db", "restore", f"{home}/b.gz", home=home)
    assert refused.code == 2
    replaced = running.appctl("db", "restore", f"{home}/b.gz", "--replace", home=home)
    assert replaced.code == 0, replaced.err
    assert running.appctl("list", "-o", "name", home=home).out == "application/default/shop\n"
    assert running.appctl("db", "check", home=home).code == 0


def test_a_backup_can_be_brought_to_another_place(tmp_path) -> None:
    home, other = str(tmp_path / "a"), str(tmp_path / "b")
    os.makedirs(home)
    os.makedirs(other)
    seeded.deliver(home, WEB)
    assert running.appctl("db", "backup", f"{home}/b.gz", home=home).code == 0
    done = running.appctl("db", "restore", f"{home}/b.gz", home=other)
    assert done.code == 0, done.err
    releases = json.loads(running.appctl("history", "shop", "-o", "json", home=other).out)["items"]
    assert releases[-1]["release"] == 1
    assert releases[-1]["outcome"] == "succeeded"
    shown = json.loads(running.appctl("show", "shop", "-o", "json", "--revision", "1", home=other).out)
    assert shown["manifests"][0]["kind"] == "Deployment"


def test_damage_is_found_and_said(tmp_path) -> None:
    home = str(tmp_path)
    seeded.deliver(home, WEB)
    with sqlite3.connect(seeded.store_path(home)) as connection:
        connection.execute("update blob set body = x'00' where digest in (select digest from blob limit 1)")
    connection.close()
    done = running.appctl("db", "check", "--deep", "-o", "json", home=home)
    assert done.code == 1
    findings = json.loads(done.out)["items"]
    assert findings[0]["level"] == "error"
    assert findings[0]["message"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["db", "backup", "/nope/b.gz"], "/nope/b.gz"),
        (["db", "restore", "nope.gz"], "nope.gz"),
        (["db", "restore", "text.gz"], "text.gz"),
        (["list", "--store", "text.gz"], "text.gz"),
        (["list", "--store", "mysql://x/y"], "mysql"),
    ],
    ids=" ".join,
)
def test_a_file_that_is_none_of_ours_is_refused_by_name(words: list[str], says: str, tmp_path) -> None:
    (tmp_path / "text.gz").write_text("hello")
    done = running.appctl(*words, home=str(tmp_path), cwd=str(tmp_path))
    assert done.code in (2, 64), done.err
    assert says in done.err
    assert "Traceback" not in done.err
    assert (tmp_path / "text.gz").read_text() == "hello"


def test_doctor_says_what_is_there_and_what_is_missing(tmp_path) -> None:
    home = str(tmp_path)
    done = running.appctl("doctor", "-o", "json", home=home)
    rows = {row["name"]: row for row in json.loads(done.out)["items"]}
    assert done.code == 0
    assert rows["appctl"]["state"] == "ok"
    assert "component types" in rows["definitions"]["message"]
    assert rows["cluster"]["state"] == "missing"
    os.makedirs(f"{home}/.local/share/appctl")
    with open(seeded.store_path(home), "w", encoding="utf-8") as file:
        file.write("this is no database, and it is long enough to be looked at as one: " * 100)
    broken = running.appctl("doctor", home=home)
    assert broken.code == 1
    assert "failed" in broken.out


def test_a_plugin_on_the_path_is_a_command(tmp_path) -> None:
    program = tmp_path / "appctl-hello"
    program.write_text('#!/bin/sh\necho "hello $*"\nexit 7\n')
    program.chmod(0o755)
    done = running.appctl("hello", "a b", "--x", home=str(tmp_path), env={"PATH": f"{tmp_path}:/usr/bin:/bin"})
    assert (done.code, done.out) == (7, "hello a b --x\n")
    unknown = running.appctl("./appctl-hello", home=str(tmp_path), cwd=str(tmp_path))
    assert unknown.code == 64
