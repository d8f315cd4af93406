"""The answers in recorded.json were given by Kubernetes 1.36.3: codes, bodies, managedFields, warnings."""

from __future__ import annotations

import json
import os
import re

import pytest
from sandbox.writes.lab_of_writes import Lab, comparable

with open(os.path.join(os.path.dirname(__file__), "recorded.json"), encoding="utf-8") as _file:
    SEQUENCES = json.load(_file)


@pytest.mark.parametrize("sequence", SEQUENCES, ids=lambda one: one["title"])
def test_the_same_requests_get_the_same_answers(sequence):
    lab = Lab(namespace="a")
    for step in sequence["steps"]:
        code, body, warnings = lab.play(step)
        answer = step["answer"]
        assert code == answer["code"]
        assert _plain(body) == json.loads(json.dumps(_record_free(answer["body"])).replace("NAMESPACE", "a"))
        if code < 400:
            assert sorted(warnings) == answer["warnings"]


def _plain(body):
    return _record_free(json.loads(json.dumps(comparable(body))))


def _record_free(body):
    """Messages may name a resourceVersion."""
    if body.get("message"):
        body["message"] = re.sub(r"in record \(\d+\)", "in record (N)", body["message"])
    return body
