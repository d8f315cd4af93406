"""No control sequence reaches a terminal: not from documents, names, labels, messages or logs, in no form of output."""

from __future__ import annotations

import json
import subprocess

import pytest
import running
import seeded
import yaml
from hypothesis import given
from hypothesis import strategies as st

from appdelivery.cli import clean

EVIL = "e\x1b[2J\x1b]0;owned\x07\x9b31m\u202edrow\u2028\u2066\x7f\rz"
FORBIDDEN = {chr(c) for c in (*range(9), 11, 12, *range(13, 32), *range(127, 160), 0x2028, 0x2029)} | set(clean.BIDI)
texts = st.text(st.one_of(st.characters(), st.sampled_from(sorted(FORBIDDEN))), max_size=60)


def harmless(text: str) -> bool:
    return not set(text) & FORBIDDEN and not any("\ud800" <= char <= "\udfff" for char in text)


@given(texts)
def test_a_line_holds_no_control_and_no_line_end(value: str) -> None:
    out = clean.text(value)
    assert harmless(out)
    assert not set(out) & set("\n\t\r")
    out.encode()


@given(texts)
def test_lines_keep_their_ends_and_nothing_else(value: str) -> None:
    out = clean.lines(value)
    assert harmless(out)
    assert out.count("\n") == value.replace("\r\n", "\n").count("\n")
    out.encode()


@given(
    st.recursive(texts, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=8)
)
def test_json_says_the_same_without_a_control(value: object) -> None:
    out = clean.json(json.dumps(value, indent=2, ensure_ascii=False))
    assert harmless(out)
    assert json.loads(out) == value
    out.encode()


@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Cf", "Zl", "Zp"])))
def test_what_is_harmless_stays_as_it_is(value: str) -> None:
    assert clean.text(value) == value
    assert clean.lines(value) == value


# --- the real command line ------------------------------------------------------------------------------------------
WEB = """apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: shop, labels: {team: web}}
spec:
  components:
    - name: web
      type: webservice
      properties: {image: example/web:1, env: [{name: A, value: VALUE}]}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store into which a hostile cluster has written."""
    home = str(tmp_path_factory.mktemp("hostile"))
    told = ({"message": EVIL, EVIL: EVIL},)
    seeded.deliver(home, WEB.replace("VALUE", json.dumps("one" + EVIL)))
    seeded.deliver(
        home,
        WEB.replace("VALUE", json.dumps("two" + EVIL)),
        cluster=f"lab{EVIL}",
        health="degraded",
        reason=EVIL,
        outcome="failed",
        message=f"failed: {EVIL}",
        events=told,
    )
    return home


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        "list",
        "list -o json",
        "status shop",
        "status shop --tree",
        "status shop -o yaml",
        "history shop",
        "history shop -o json",
        "show shop -o json",
        "show shop",
        "compare shop 1 2",
        "compare shop 1 2 -o json",
        "events",
        "events -o yaml",
    ],
)
def test_what_a_hostile_cluster_has_written_is_shown_harmlessly(words: str, home: str) -> None:
    done = running.appctl(*words.split(), home=home, env={"CLICOLOR_FORCE": "0"})
    assert done.code in (0, 1), done.err
    assert harmless(done.out)
    assert harmless(done.err)
    assert "owned" in done.out or words in ("list", "list -o json"), "the hostile text was not even shown"
    if words.endswith("json"):
        json.loads(done.out)
    if words.endswith("yaml"):
        assert "owned" in str(yaml.safe_load(done.out))


@pytest.mark.slow
def test_hostile_file_names_and_arguments_are_answered_harmlessly(tmp_path) -> None:
    (tmp_path / f"{EVIL}.yaml").write_text("a: [\n")
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "LANG": "C.UTF-8"}
    for words in (
        ["render", f"{EVIL}.yaml"],
        ["status", EVIL],
        [EVIL],
        ["list", "--" + EVIL],
        ["render", "x", "-o", "json"],
    ):
        done = running.appctl(*words, home=str(tmp_path), cwd=str(tmp_path))
        assert done.code in (2, 64)
        assert harmless(done.err), done.err
    raw = [running.sys.executable, "-m", "appdelivery.cli", "status", b"caf\xe9\x9b"]
    done = subprocess.run(raw, capture_output=True, env=environment, cwd=tmp_path, check=False)
    assert done.returncode == 64
    assert b"Traceback" not in done.stderr
    assert harmless(done.stderr.decode())


@pytest.mark.slow
def test_hostile_values_are_rendered_as_escapes(tmp_path) -> None:
    document = WEB.replace("VALUE", json.dumps(EVIL))
    for form in ("yaml", "json"):
        done = running.appctl("render", "-", "-o", form, home=str(tmp_path), stdin=document)
        assert done.code == 0, done.err
        assert harmless(done.out)
        read = json.loads(done.out)["items"][0] if form == "json" else yaml.safe_load(done.out)
        assert read["spec"]["template"]["spec"]["containers"][0]["env"] == [{"name": "A", "value": EVIL}]
