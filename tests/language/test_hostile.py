"""P7 of security.md: whatever a definition contains, it ends or is refused within a second and 64 MiB."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import hostile
import pytest

SECONDS = 1.0
MEBIBYTES = 64
CHILD = f"""
import gc, json, resource, sys, time
import hostile
from compiling import CONTEXT, compiled
from appdelivery import errors
from appdelivery.language import module
from appdelivery.language.compiling import compiler
from appdelivery.language.schema import explain
from appdelivery.language.text import yaml_out
import jinja2, difflib, json, hashlib, base64, decimal
compiled("patch: {{v: '${{{{ [1] | length }}}}'}}")


def address_space():
    with open("/proc/self/statm") as stream:
        return int(stream.read().split()[0]) * resource.getpagesize()


def run(body, parameters):
    try:
        module_ = module.bind(compiled(body))
        module_.checks(parameters, CONTEXT)
        module_.render(parameters, CONTEXT)
    except errors.SpecError as wrong:
        assert wrong.problems and all(p.message and p.code for p in wrong.problems)
        return wrong.problems[0].code
    return "ended"


first, last = int(sys.argv[1]), int(sys.argv[2])
for name, body, parameters in hostile.HANGS[first:last]:
    gc.collect()
    resource.setrlimit(resource.RLIMIT_AS, (address_space() + ({MEBIBYTES} << 20), resource.RLIM_INFINITY))
    started = time.process_time()
    try:
        outcome = run(body, parameters)
    except MemoryError:
        outcome = "memory"
    spent = time.process_time() - started
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    print(json.dumps([name, outcome, spent]), flush=True)
"""


@pytest.fixture(scope="module")
def outcomes():
    found = {}
    here = os.path.dirname(os.path.abspath(__file__))
    path = os.pathsep.join([here, *sys.path])
    arguments = [sys.executable, "-c", CHILD, "0", str(len(hostile.HANGS))]
    done = subprocess.run(
        arguments, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": path}, timeout=300
    )
    for line in done.stdout.splitlines():
        name, outcome, spent = json.loads(line)
        found[name] = outcome, spent
    if done.returncode:
        found["stderr"] = done.stderr[-2000:], 0.0
    return found


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs Linux to limit the memory of a process")
@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", [name for name, _, _ in hostile.HANGS])
def test_every_hostile_definition_ends_or_is_refused(outcomes, name):
    assert name in outcomes, outcomes.get("stderr")
    outcome, spent = outcomes[name]
    assert outcome != "memory"
    assert spent < SECONDS * float(os.environ.get("APPCTL_TEST_TIME_SCALE", "1")), f"{outcome} after {spent:.2f} s"


def test_names_of_the_corpus_are_unique():
    assert len({name for name, _, _ in hostile.HANGS}) == len(hostile.HANGS)
