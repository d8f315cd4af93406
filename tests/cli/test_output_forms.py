"""Forms of an answer: tables, JSON, YAML, names, columns; colour by meaning; nothing but the answer on stdout."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys

import pytest
import running
import seeded
import yaml

pytestmark = pytest.mark.slow
WEB = """apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: NAME, labels: {team: TEAM}}
spec:
  components:
    - {name: web, type: webservice, properties: {image: "example/web:1"}}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> str:
    home = str(tmp_path_factory.mktemp("home"))
    seeded.deliver(home, WEB.replace("NAME", "well").replace("TEAM", "a"))
    seeded.deliver(
        home, WEB.replace("NAME", "sick").replace("TEAM", "b"), health="degraded", outcome="failed", message="it broke"
    )
    return home


def out(home: str, *words: str, **env: str) -> str:
    done = running.appctl(*words, home=home, env=env)
    assert done.code == 0, done.err
    assert done.err == ""
    return done.out


def test_one_list_in_every_form(home: str) -> None:
    table = out(home, "list").splitlines()
    assert re.split(r" {3,}", table[0]) == ["NAME", "HEALTH", "REVISION", "CLUSTERS", "AGE", "MESSAGE"]
    assert [line.split()[:3] for line in table[1:]] == [["sick", "degraded", "sick-v1"], ["well", "healthy", "well-v1"]]
    starts = [table[0].index(word) for word in ("HEALTH", "REVISION")]
    assert all(line[start - 3 : start] == "   " and line[start] != " " for line in table[1:] for start in starts)
    read = json.loads(out(home, "list", "-o", "json"))
    assert [one["name"] for one in read["items"]] == ["sick", "well"]
    assert read["next"] is None
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)", read["items"][0]["updatedAt"])
    same = yaml.safe_load(out(home, "list", "--output", "yaml"))
    assert [{k: v for k, v in one.items() if k != "age"} for one in same["items"]] == [
        {k: v for k, v in one.items() if k != "age"} for one in read["items"]
    ]
    assert out(home, "list", "-o", "name") == "application/default/sick\napplication/default/well\n"


def test_columns_and_headers_are_chosen(home: str) -> None:
    assert out(home, "list", "--columns", "health,name", "--no-headers") == "degraded   sick\nhealthy    well\n"
    done = running.appctl("list", "--columns", "name,helth", home=home)
    assert done.code == 64
    assert "there is no column 'helth'; known: namespace, name, health" in done.err


def test_labels_and_namespaces_select(home: str) -> None:
    assert out(home, "list", "-l", "team=a", "-o", "name") == "application/default/well\n"
    assert out(home, "list", "-A", "--no-headers", "--columns", "namespace,name", "-l", "team==b") == "default   sick\n"
    done = running.appctl("list", "-n", "other", home=home)
    assert (done.code, done.out.count("\n")) == (0, 1)
    assert "no applications in namespace other" in done.err
    quiet = running.appctl("list", "-n", "other", "-q", home=home)
    assert quiet.err == ""


def test_a_long_list_has_pages(home: str) -> None:
    first = json.loads(out(home, "list", "-o", "json", "--limit", "1"))
    assert [one["name"] for one in first["items"]] == ["sick"]
    second = json.loads(out(home, "list", "-o", "json", "--limit", "1", "--cursor", first["next"]))
    assert [one["name"] for one in second["items"]] == ["well"]
    done = running.appctl("list", "--limit", "1", home=home)
    assert f"there are more: --cursor {first['next']}" in done.err


def test_names_of_rendered_objects_fit_for_pipes(home: str) -> None:
    done = running.appctl("render", "-", "-o", "name", home=home, stdin=WEB.replace("NAME", "x"))
    assert done.out == "deployment/web\n"


# --- colour ---------------------------------------------------------------------------------------------------------
def coloured(text: str) -> bool:
    return "\x1b[31mdegraded\x1b[0m" in text


def test_colour_is_asked_for_by_flag_before_environment(home: str) -> None:
    plain, forced = {"NO_COLOR": "1"}, {"NO_COLOR": "", "CLICOLOR_FORCE": "1"}
    assert coloured(out(home, "list", "--color", "always", **plain))
    assert not coloured(out(home, "list", "--color", "never", **forced))
    assert coloured(out(home, "list", **forced))
    assert not coloured(out(home, "list", NO_COLOR="1", CLICOLOR_FORCE="1"))
    assert not coloured(out(home, "list", NO_COLOR=""))  # a pipe is no terminal
    assert not coloured(out(home, "list", "-o", "json", **forced))


def on_a_terminal(home: str, *words: str, **env: str) -> str:
    ours, theirs = pty.openpty()
    environment = {"PATH": os.environ["PATH"], "HOME": home, "TERM": "xterm", "LANG": "C.UTF-8", **env}
    command = [sys.executable, "-m", "appdelivery.cli", *words]
    done = subprocess.run(command, stdin=theirs, stdout=theirs, stderr=subprocess.PIPE, env=environment, check=False)
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 65536):
            shown += piece
    except OSError:  # nobody holds the other end any more
        pass
    os.close(ours)
    assert done.returncode == 0, done.stderr
    return shown.decode()


def test_a_terminal_gets_colour_unless_it_cannot_show_it(home: str) -> None:
    assert coloured(on_a_terminal(home, "list"))
    assert not coloured(on_a_terminal(home, "list", TERM="dumb"))
    assert not coloured(on_a_terminal(home, "list", NO_COLOR="1"))
