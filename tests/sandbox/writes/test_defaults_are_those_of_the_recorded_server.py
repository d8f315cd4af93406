"""What Kubernetes 1.36.3 made of 46 objects of 30 kinds: recorded_defaults.json holds what was sent and what came back."""

from __future__ import annotations

import json
import os

import pytest
from sandbox.writes.lab_of_writes import Lab, comparable

with open(os.path.join(os.path.dirname(__file__), "recorded_defaults.json"), encoding="utf-8") as _file:
    OBJECTS = json.loads(_file.read().replace("NAMESPACE", "a"))


@pytest.fixture(scope="module")
def lab():
    return Lab()


@pytest.mark.parametrize("pair", OBJECTS, ids=lambda one: f"{one['sent']['kind']}-{one['sent']['metadata']['name']}")
def test_a_created_object_is_filled_as_the_server_fills_it(lab, pair):
    found = comparable(lab.create(pair["sent"]))
    del found["metadata"]["managedFields"]
    assert _named(found) == _named(pair["got"])


def _named(body):
    """Without what names one run: a job's uid, node ports, moments."""
    uid = (
        ((body["spec"].get("selector") or {}).get("matchLabels") or {}).get("batch.kubernetes.io/controller-uid", "~")
        if (body["kind"] == "Job")
        else "~"
    )
    found = json.loads(json.dumps(body).replace(uid, "UID"))
    if "lastPhaseTransitionTime" in found.get("status", {}):
        found["status"]["lastPhaseTransitionTime"] = "*"
    if "healthCheckNodePort" in (found.get("spec") or {}):
        found["spec"]["healthCheckNodePort"] = "*"
    return found
