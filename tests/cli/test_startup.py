"""The import budget: one careless import costs more than a whole render."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from support import ROOT

HEAVY = {
    "kr8s",
    "aiohttp",
    "sqlalchemy",
    "fastapi",
    "httpx",
    "httpx2",
    "pydantic",
    "rich",
    "git",
    "asyncio",
    "jinja2",
    "jsonschema",
    "referencing",
    "re2",
}
# The render path itself avoids these too: dataclasses drags inspect in, hashlib loads OpenSSL.
RENDER = {*HEAVY, "dataclasses", "typing", "inspect", "pathlib", "uuid", "logging", "hashlib", "shutil"}
# A warm render of plain YAML does without these as well.
PLAIN = {*RENDER, "yaml", "json", "contextlib"}
EXAMPLE = f"{ROOT}/examples/inference.yaml"
COMMANDS = {
    "help": ([], RENDER),
    "--help of a command": (["render", "--help"], RENDER),
    "version": (["version"], RENDER),
    "completion": (["completion", "bash"], RENDER),
    "render": (["render", EXAMPLE], PLAIN),
    "explain": (["explain", "webservice"], RENDER),
    "schema": (["schema", "values", "webservice"], RENDER),
    "validate": (["validate", EXAMPLE], HEAVY),
    "lint of an application": (["lint", EXAMPLE], HEAVY),
}
PROBE = """
import sys
from appdelivery.cli import main
code = main({words!r})
sys.stdout.flush()
print("\\nIMPORTED", code, " ".join(sorted(sys.modules)), file=sys.stderr)
"""
STORE_ONLY = [["list"], ["history", "x"], ["status", "x"], ["events"]]


def imported(words: list[str], home: str, env: dict[str, str] | None = None) -> tuple[int, set[str]]:
    environment = {"PATH": os.environ["PATH"], "HOME": home, **(env or {})}
    done = subprocess.run(
        [sys.executable, "-c", PROBE.format(words=words)], capture_output=True, text=True, env=environment, check=False
    )
    line = done.stderr.rpartition("IMPORTED ")[2].split()
    assert line, done.stderr
    return int(line[0]), set(line[1:])


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_a_light_command_imports_nothing_heavy(name: str, tmp_path) -> None:
    words, banned = COMMANDS[name]
    imported(words, str(tmp_path))  # fills the cache of compiled definitions
    code, modules = imported(words, str(tmp_path))
    assert code == 0
    assert sorted(modules & banned) == []


@pytest.mark.slow
@pytest.mark.parametrize("words", STORE_ONLY, ids=" ".join)
def test_a_store_only_command_imports_neither_clusters_nor_templates(words: list[str], tmp_path) -> None:
    _, modules = imported(words, str(tmp_path))
    banned = {
        "kr8s",
        "httpx",
        "sqlalchemy.orm",
        "alembic",
        "psycopg",
        "fastapi",
        "pydantic",
        "aiohttp",
        "jinja2",
        "jsonschema",
    }
    assert sorted(modules & banned) == []


@pytest.mark.slow
def test_help_costs_little_cpu(tmp_path) -> None:
    imported([], str(tmp_path))
    best = min(_cpu(["--help"], str(tmp_path)) for _ in range(5))
    assert best <= 0.150, f"appctl --help took {best * 1000:.0f} ms of CPU"


def _cpu(words: list[str], home: str) -> float:
    code = "import resource, subprocess, sys; subprocess.run([sys.executable, '-m', 'appdelivery.cli', *sys.argv[1:]], stdout=subprocess.DEVNULL); r = resource.getrusage(resource.RUSAGE_CHILDREN); print(r.ru_utime + r.ru_stime)"
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "HOME": home},
        check=True,
    )
    return float(done.stdout)
