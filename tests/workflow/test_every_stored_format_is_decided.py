"""Runs that earlier versions wrote, one file for each format that was ever released, still go on (workflow.md 13).

A file is never changed: a change of meaning gets a new number, a new file, and an upgrade of the old rows.
"""

from __future__ import annotations

import glob
import json
import os
from datetime import UTC, datetime, timedelta

import pytest

from appdelivery import errors
from appdelivery.model.run import FORMAT, Run, StepState
from appdelivery.workflow import cursor, decide, spec
from appdelivery.workflow.dag import Dag
from appdelivery.workflow.model import Approval

HERE = os.path.join(os.path.dirname(__file__), "formats")
FILES = sorted(glob.glob(f"{HERE}/*.json"))
TIMES = ("started_at", "first_started_at", "finished_at", "wake_at", "deadline", "suspended_since")
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def timed(tree):
    return {name: datetime.fromisoformat(value) if name in TIMES else value for name, value in tree.items()}


def stored(path, moment):
    with open(path) as file:
        tree = json.load(file)
    kept = spec.from_tree(tree["spec"])
    found = tree[moment]
    rows = [
        StepState(**timed({"ordinal": 0, **row, "secret_outputs": tuple(row.get("secret_outputs", ()))}))
        for row in found["rows"]
    ]
    return kept, Run(spec=kept, **timed(found["run"])), rows


def decided(path, moment, *, now, fence=2):
    kept, run, rows = stored(path, moment)
    return decide.decide(Dag(kept), run, rows, (), decide.At(now, fence, newest=run.release))


def test_there_is_a_file_for_every_format():
    assert [os.path.basename(path) for path in FILES] == [f"{number}.json" for number in range(1, FORMAT + 1)]


@pytest.mark.parametrize("path", FILES)
def test_a_run_that_backs_off_goes_on_when_its_time_has_come(path):
    early = decided(path, "backing off", now=NOON)
    assert (early.start, early.moves, early.due_at is not None) == ((), (), True)
    late = decided(path, "backing off", now=NOON + timedelta(minutes=1))
    assert [start.row.name for start in late.start] == ["verify/each[0]"]
    assert late.start[0].properties == {"zone": "a"}


@pytest.mark.parametrize("path", FILES)
def test_a_suspended_run_waits_for_its_approval(path):
    found = decided(path, "suspended", now=NOON + timedelta(days=30))
    assert (found.start, found.moves, found.due_at, found.run.state) == ((), (), None, "suspended")
    _, _, rows = stored(path, "suspended")
    asked = next(row for row in rows if row.name == "approve")
    assert cursor.approval(asked) == Approval(("group:leads",), distinct=True, digest="abc")


@pytest.mark.parametrize("path", FILES)
def test_what_is_written_again_is_the_same(path):
    kept, _, _ = stored(path, "suspended")
    with open(path) as file:
        assert spec.to_tree(kept) == json.load(file)["spec"]


def test_a_run_of_a_newer_version_is_left_alone():
    with pytest.raises(errors.TooNew, match=f"format {FORMAT + 1}, this version knows up to {FORMAT}"):
        spec.from_tree({"format": FORMAT + 1, "mode": ["DAG", "DAG"], "deadline": 1, "steps": []})
