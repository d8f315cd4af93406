"""Exit codes by table (interface.md 1.5): 0 done, 1 the answer is no, 2 could not be done, 64 usage, 70 our bug, 130 Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest
import running
import seeded

from appdelivery import errors
from appdelivery.cli import failures

pytestmark = pytest.mark.slow
WEB = """apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: shop}
spec:
  components:
    - {name: web, type: webservice, properties: {image: "example/web:1"}}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Two applications: one is well, one has failed; documents that are right and wrong; no cluster."""
    home = str(tmp_path_factory.mktemp("home"))
    seeded.deliver(home, WEB)
    seeded.deliver(home, WEB.replace("name: shop", "name: broken"), health="degraded", outcome="failed", message="it broke")
    seeded.deliver(home, WEB.replace("name: shop", "name: broken").replace("web:1", "web:2"), health="degraded")
    for name, text in (
        ("web.yaml", WEB),
        ("bad.yaml", WEB.replace("image", "imagee")),
        ("text.txt", "hello"),
        ("broken.yaml", "a: ["),
        ("nodoc.yaml", "{}"),
        ("kube.yaml", "apiVersion: v1\nkind: Config\n"),
        ("def.yaml", "apiVersion: appdelivery.dev/v1\nkind: ComponentDefinition\nmetadata: {name: x}\n"),
    ):
        with open(f"{home}/{name}", "w", encoding="utf-8") as file:
            file.write(text)
    return home


@pytest.mark.parametrize(
    ("words", "code"),
    [
        # 0: done, no difference, well
        ("render web.yaml", 0),
        ("validate web.yaml", 0),
        ("list", 0),
        ("status shop --exit-code", 0),
        ("status broken", 0),
        ("compare broken 1 1", 0),
        ("plan web.yaml --local --exit-code", 0),
        # 1: the answer is no
        ("validate bad.yaml", 1),
        ("validate broken.yaml", 1),
        ("lint def.yaml", 1),
        ("status broken --exit-code", 1),
        ("compare broken 1 2", 1),
        # 2: could not be done
        ("render bad.yaml", 2),
        ("render nope.yaml", 2),
        ("validate nope.yaml", 2),
        ("lint nope.yaml", 2),
        ("render nodoc.yaml", 2),
        ("status nope", 2),
        ("show shop --revision 9", 2),
        ("up web.yaml", 2),
        ("why shop", 2),
        ("delete shop --yes", 2),
        ("secret remove nope", 2),
        ("explain nope", 2),
        ("list --store text.txt", 2),
        # 64: usage
        ("render", 64),
        ("render web.yaml --set web", 64),
        ("render web.yaml --kube-version new", 64),
        ("show shop --revision nine", 64),
        ("list --limit 0", 64),
        ("list -l team", 64),
        ("wait shop --timeout soon", 64),
        ("status Shop", 64),
        ("secret set", 64),
        ("db backup", 64),
        ("plan web.yaml --force-conflicts --fail-on-conflict", 64),
    ],
)
def test_every_ending_has_its_code(words: str, code: int, home: str) -> None:
    done = running.appctl(*words.split(), home=home, cwd=home)
    assert done.code == code, done.err
    assert "Traceback" not in done.err
    if code in (2, 64):
        assert done.out == ""
        assert done.err.strip()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("status nope -o json", "not-found"),
        ("render bad.yaml -o json", "spec"),
        ("list --nope --output=json", "usage"),
        ("render nope.yaml -ojson", "source"),
    ],
)
def test_with_json_an_error_is_a_problem_document(words: str, code: str, home: str) -> None:
    done = running.appctl(*words.split(), home=home, cwd=home)
    assert done.out == ""
    problem = json.loads(done.err)
    assert problem["code"] == code
    assert problem["type"].endswith(f"/{code}")
    assert problem["detail"]
    assert set(problem) >= {"type", "title", "code", "detail", "hint", "problems"}
    for one in problem["problems"]:
        assert one["file"] == "bad.yaml"
        assert one["line"] > 0
        assert one["message"]


def test_a_bug_of_ours_is_told_in_two_lines_and_its_trace_is_kept(
    tmp_path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for error in (ZeroDivisionError("division by zero"), errors.Bug("an invariant\x1b[2J does not hold")):
        monkeypatch.setenv("XDG_CACHE_HOME", f"{tmp_path}/{type(error).__name__}")
        with pytest.raises(type(error)) as caught:
            raise error
        assert failures.report(caught.value, ["list"]) == 70
        said = capsys.readouterr().err
        assert said.count("\n") == 2
        assert "this is a bug in appctl" in said
        assert "\x1b" not in said
    traces = [f"{folder}/{name}" for folder, _, names in os.walk(tmp_path) for name in names]
    assert len(traces) == 2
    for path in traces:
        assert os.stat(path).st_mode & 0o777 == 0o600
        with open(path, encoding="utf-8") as file:
            assert "Traceback" in file.read()


def test_a_time_out_has_a_code_of_its_own() -> None:
    assert failures.exit_code(errors.TimedOut("wait", code="release.timed-out")) == 3
    assert failures.exit_code(errors.TimedOut("read")) == 2


def test_ctrl_c_ends_with_130_and_without_a_trace(home: str) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": home}
    words = [sys.executable, "-m", "appdelivery.cli", "render", "-"]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
    assert process.stdin
    process.stdin.write(b"a: b\n" * 20_000)  # more than a pipe holds: written means that it is being read
    process.stdin.flush()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert b"Traceback" not in err
    assert out == b""


def test_a_reader_that_goes_away_is_no_error(home: str) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": home}
    words = f"{sys.executable} -m appdelivery.cli definition list -o json | head -c 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", words], capture_output=True, env=environment, check=False)
    assert done.returncode == 0
    assert done.stderr == b""
    assert done.stdout == b"{"


def test_an_output_that_cannot_be_written_is_an_error(home: str) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("not here: /dev/full")
    environment = {"PATH": os.environ["PATH"], "HOME": home}
    with open("/dev/full", "wb") as full:
        words = [sys.executable, "-m", "appdelivery.cli", "definition", "list"]
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, env=environment, check=False)
    assert done.returncode == 2
    assert done.stderr == b"error: write the answer: No space left on device\n"


def test_without_an_output_the_exit_code_is_the_answer(home: str) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": home}
    words = f"{sys.executable} -m appdelivery.cli compare broken 1 2 >&-"
    done = subprocess.run(["bash", "-c", words], stderr=subprocess.PIPE, env=environment, check=False)
    assert (done.returncode, done.stderr) == (1, b"")
