"""appctl demo: the whole tour as a process, in an empty home, beside what the page about sandboxes shows of it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys

import docs_pages
import pytest
import running
import support

PAGE = "docs/how-to/sandbox.md"
UID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
POD = re.compile(r"-[0-9a-z]{8,10}-[0-9a-z]{5}_")
TIME = re.compile(r"\d\d:\d\d:\d\d")
USER = re.compile(r"\b[\w.-]+@[\w.-]+")
BLOCK = re.compile(r"^```text demo\n\$ appctl demo\n(.*?)^```$", re.DOTALL | re.MULTILINE)

pytestmark = pytest.mark.slow


UNSETTLED = re.compile(r"^.*(HorizontalPodAutoscaler|Ingress) .*\n", re.MULTILINE)  # nothing waits for them


def steady(text: str) -> str:
    text = UNSETTLED.sub("", text)
    return docs_pages.steady(TIME.sub("00:00:00", UID.sub("UID", POD.sub("-NAME_", text))))


def test_the_tour_goes_as_the_page_shows_and_leaves_nothing(tmp_path, request):
    home = str(tmp_path)
    done = running.appctl("demo", home=home, cwd=support.ROOT)
    assert done.code == 0, done.err
    text = docs_pages.read(PAGE)
    shown = BLOCK.search(text)
    if request.config.getoption("--update"):
        said = USER.sub("ana@laptop", done.out)
        with open(f"{support.ROOT}/{PAGE}", "w", encoding="utf-8") as file:
            file.write(text[: shown.start(1)] + said.lstrip("\n") + text[shown.end(1) :])
    else:
        assert steady(done.out).lstrip("\n") == steady(shown[1])
    assert "Deployment ai/api: healthy" in done.err  # live progress
    assert not os.path.exists(f"{home}/.local")
    assert running.appctl("sandbox", "status", home=home).code == 1


def test_kept_it_can_be_looked_at(tmp_path):
    home = str(tmp_path)
    try:
        done = running.appctl("demo", "--keep", home=home, cwd=support.ROOT)
        assert done.code == 0, done.err
        kubeconfig = running.appctl("sandbox", "kubeconfig", home=home).out.strip()
        assert f"$ export KUBECONFIG={kubeconfig}" in done.out
        status = running.appctl("status", "ai/inference", home=home, env={"KUBECONFIG": kubeconfig})
        assert "ai/inference  inference-v2  healthy" in status.out
    finally:
        running.appctl("sandbox", "stop", home=home)


def test_ctrl_c_ends_the_tour_and_leaves_nothing(tmp_path):
    home, scratch = str(tmp_path), f"{tmp_path}/scratch"
    os.mkdir(scratch)
    environment = {"PATH": os.environ["PATH"], "HOME": home, "TMPDIR": scratch, "NO_COLOR": "1"}
    words = [sys.executable, "-m", "appdelivery.cli", "demo"]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, text=True, cwd=support.ROOT
    ) as process:
        while not process.stdout.readline().startswith("$ appctl up"):
            assert process.poll() is None
        assert os.listdir(scratch)
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        assert process.wait(20) == 130
    assert os.listdir(scratch) == []
