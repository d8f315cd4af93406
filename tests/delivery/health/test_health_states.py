"""One file per kind and state: <kind>/<state>[-words].yaml is a live object; its file name begins with the verdict.

Comments at its head say more: `# reason: R` (the verdict's reason), `# says: text` (stands in its message), `# terminal`,
`# now: TIME` (the moment of judgement, noon of 2026-01-01 unless said).
"""

from __future__ import annotations

import glob
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from appdelivery.delivery import health
from appdelivery.language.text import yaml_in
from appdelivery.model.live import STATES, Live
from appdelivery.model.refs import ref_of

HERE = os.path.dirname(os.path.abspath(__file__))
FILES = sorted(glob.glob(f"{HERE}/*/*.yaml"))
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@dataclass
class State:
    want: str
    body: dict[str, Any]
    notes: dict[str, str]


def read(path: str) -> State:
    with open(path, "rb") as file:
        data = file.read()
    text = data.decode()
    heads = [line[1:].strip() for line in text.splitlines() if line.startswith("#")]
    notes = {name.strip(): value.strip() for name, _, value in (head.partition(":") for head in heads)}
    (body,) = yaml_in.load(data, path)
    return State(os.path.basename(path).removesuffix(".yaml").partition("-")[0], body, notes)


@pytest.mark.parametrize("path", FILES, ids=lambda path: os.path.relpath(path, HERE).removesuffix(".yaml"))
def test_an_object_is_judged_as_its_file_name_says(path: str) -> None:
    state = read(path)
    assert state.want in STATES
    assert not set(state.notes) - {"reason", "says", "terminal", "now"}
    now = datetime.fromisoformat(state.notes["now"]) if "now" in state.notes else NOON
    verdict = health.judge(Live(ref_of(state.body), state.body), now=now)
    assert verdict.state == state.want, verdict
    assert verdict.terminal is ("terminal" in state.notes), verdict
    assert verdict.reason == state.notes.get("reason", verdict.reason)
    assert state.notes.get("says", "") in verdict.message
    assert verdict.reason, "a verdict always has a reason"


def test_every_built_in_rule_has_its_states() -> None:
    """A kind of the table of built-in rules without a fixture would be judged by nobody's eyes."""
    same_rule = {rule: kind for (_, kind), rule in health.BUILT_IN.items()}
    covered = {health.BUILT_IN.get((ref.group, ref.kind)) for ref in (ref_of(read(path).body) for path in FILES)}
    corpus_only = {"OpenTelemetryCollector", "Route"}
    missing = {kind for rule, kind in same_rule.items() if rule not in covered} - corpus_only
    assert not missing
