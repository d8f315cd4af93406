"""The import rule is enforced: each planted fault is named with its file and line."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest
from support import ROOT

FAULTS = {
    "an upward import": (
        "appdelivery/model/names.py",
        "from appdelivery.cli import clean as _clean\n",
        "appdelivery.model.names -> appdelivery.cli",
    ),
    "a library outside its room": (
        "appdelivery/delivery/plan.py",
        "import kr8s as _kr8s\n",
        "appdelivery.delivery.plan -> kr8s",
    ),
    "an undeclared room": ("appdelivery/attic/__init__.py", "X = 1\n", "attic"),
}


def lint(folder: str) -> subprocess.CompletedProcess[str]:
    program = os.path.join(os.path.dirname(sys.executable), "lint-imports")
    environment = {**os.environ, "PYTHONPATH": folder, "PYTHONSAFEPATH": ""}
    return subprocess.run([program, "--no-cache"], cwd=folder, env=environment, capture_output=True, text=True, check=False)


def copied(folder: str) -> str:
    shutil.copytree(f"{ROOT}/appdelivery", f"{folder}/appdelivery", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(f"{ROOT}/pyproject.toml", folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_named(fault: str, tmp_path) -> None:
    path, line, named = FAULTS[fault]
    folder = copied(str(tmp_path))
    os.makedirs(os.path.dirname(f"{folder}/{path}"), exist_ok=True)
    with open(f"{folder}/{path}", "a", encoding="utf-8") as file:
        file.write(line)
    done = lint(folder)
    assert done.returncode != 0
    assert named in done.stdout + done.stderr


@pytest.mark.slow
def test_the_rooms_look_down_only(tmp_path) -> None:
    done = lint(copied(str(tmp_path)))
    assert done.returncode == 0, done.stdout
