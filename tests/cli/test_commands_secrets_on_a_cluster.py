"""Given secret values through every command that speaks to a cluster: they arrive there, and are printed nowhere."""

from __future__ import annotations

import base64
import os
import sys
from typing import TYPE_CHECKING

import pytest
from support import ROOT

sys.path.insert(0, f"{ROOT}/tests/end_to_end")
import laboratory

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(240), pytest.mark.xdist_group("plane")]
VAULT = """apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: vault}
spec:
  components:
    - name: settings
      type: config
      properties: {secrets: {db-auth: {password: VALUE}}}
"""
CANARIES = ("canary-first-hunter", "canary-second-hunter", "canary-foreign-hunter")


@pytest.fixture
def lab(full_plane, kubectl_program: str, tmp_path) -> Iterator[laboratory.Laboratory]:
    made = laboratory.Laboratory(str(tmp_path), full_plane.kubeconfig, full_plane.contexts[0], kubectl_program)
    yield made
    made.kubectl("delete", "namespace", made.namespace, "--wait=false", "--ignore-not-found")


def test_a_given_value_reaches_the_cluster_and_no_output(lab: laboratory.Laboratory) -> None:
    first = lab.write("first.yaml", VAULT.replace("VALUE", CANARIES[0]))
    second = lab.write("second.yaml", VAULT.replace("VALUE", CANARIES[1]))
    name, said = f"{lab.namespace}/vault", []

    def run(*words: str, code: int | None = 0) -> None:
        done = lab.appctl(*words, "--debug", code=code)
        said.append((" ".join(words), done.out + done.err))

    run("up", first, "--create-namespace", "--events", f"{lab.home}/events.jsonl")
    stored = lab.get("secret", "db-auth")["data"]["password"]
    assert base64.b64decode(stored).decode() == CANARIES[0]
    run("plan", second, "-o", "json")
    run("diff", second, code=1)
    run("diff", second, "-o", "json", code=1)
    foreign = base64.b64encode(CANARIES[2].encode()).decode()
    lab.kubectl("patch", "secret", "db-auth", "-p", f'{{"data": {{"password": "{foreign}"}}}}')
    run("diff", first, code=1)
    run("status", name, "--live", "-o", "json")
    run("why", name, "-o", "json")
    run("tree", name, "-o", "json")
    run("up", second)
    run("show", name, "--release", "1", "-o", "json")
    run("events", name, "-o", "json")
    run("delete", name, "--yes")
    with open(f"{lab.home}/events.jsonl", encoding="utf-8") as file:
        said.append(("--events", file.read()))
    forms = [*CANARIES, *[base64.b64encode(canary.encode()).decode() for canary in CANARIES]]
    found = {words: [form for form in forms if form in text] for words, text in said}
    assert {words: leaked for words, leaked in found.items() if leaked} == {}
    assert not os.path.exists(f"{lab.home}/.cache/appctl/traces")
