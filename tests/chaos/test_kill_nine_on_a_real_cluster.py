"""kill -9 of `appctl up` at random moments on a real control plane, then once more: the same state, one truthful history.

APPCTL_TEST_KILLS kills in all (default 30) with a printed seed (APPCTL_TEST_SEED).
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "end_to_end"))
import laboratory

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.chaos,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.xdist_group("plane"),
]
KILLS = int(os.environ.get("APPCTL_TEST_KILLS", "30"))
SEED = int(os.environ.get("APPCTL_TEST_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 30)
KINDS = "deployments,statefulsets,services,ingresses,hpa,secrets,configmaps"


@pytest.fixture
def lab(full_plane, kubectl_program: str, tmp_path):
    made = laboratory.Laboratory(str(tmp_path), full_plane.kubeconfig, full_plane.contexts[0], kubectl_program)
    yield made
    made.kubectl("delete", "namespace", made.namespace, "--wait=false", "--ignore-not-found")


def start(lab: laboratory.Laboratory, *words: str) -> subprocess.Popen[bytes]:
    environment = {"PATH": os.environ["PATH"], "HOME": lab.home, "LANG": "C.UTF-8", **lab.env}
    return subprocess.Popen(
        [sys.executable, "-m", "appdelivery.cli", *words],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_a_killed_delivery_is_finished_by_the_next(lab: laboratory.Laboratory) -> None:
    print(f"seed {SEED}, {KILLS} kills")
    chance = random.Random(SEED)
    app, name = lab.example(), f"{lab.namespace}/inference"
    started = time.monotonic()
    lab.appctl("up", app, "--create-namespace", "--wait", "applied")
    usual = time.monotonic() - started
    tag, killed = 0, 0
    while killed < KILLS:
        tag += 1
        change = [word for c in ("api", "frontend", "cache", "db") for word in ("--set", f"{c}.image=example/{c}:{tag}")]
        process = start(lab, "up", app, *change, "--wait", "applied")
        try:
            process.wait(chance.uniform(0.15, 1.2) * usual)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            killed += 1
        lab.appctl("up", app, *change, "--wait", "applied")
        for workload in ("deployment/api", "deployment/frontend", "deployment/cache", "statefulset/db"):
            kind, _, component = workload.partition("/")
            image = lab.get(kind, component)["spec"]["template"]["spec"]["containers"][0]["image"]
            assert image == f"example/{component}:{tag}", f"seed {SEED}, kill {killed}"
    check_history(lab, name)
    assert len([n for n in lab.names(KINDS) if not n.endswith("kube-root-ca.crt")]) == 20
    lab.appctl("db", "check")
    lab.appctl("delete", name, "--yes")
    assert [n for n in lab.names(KINDS) if not n.endswith("kube-root-ca.crt")] == []


def check_history(lab: laboratory.Laboratory, name: str) -> None:
    """Numbers without a gap, newest first; nothing but the newest may still be running, and it is not."""
    releases = json.loads(lab.appctl("history", name, "-o", "json", "--limit", "500").out)["items"]
    numbers = [r["release"] for r in releases]
    assert numbers == list(range(len(numbers), 0, -1))
    assert {r["outcome"] for r in releases} <= {"succeeded", "superseded"}
    assert releases[0]["outcome"] == "succeeded"
