"""Findings of validate and lint, and progress of a release as lines: what is counted, what is said once."""

from __future__ import annotations

import json
from argparse import Namespace
from typing import Any

import pytest

from appdelivery.cli import findings, progress
from appdelivery.delivery.work import Seen, Started
from appdelivery.model.change import Change, Outcome, Subject, Why
from appdelivery.model.live import Health
from appdelivery.model.problem import Problem
from appdelivery.model.refs import Ref

ERROR = Problem("it is wrong\x1b[2J", code="bad", file="a.yaml", line=3, column=5, path=("spec", 0), hint="do this")
WARNING = Problem("it is odd", code="odd", file="b.yaml", line=1, column=1, level="warning")


def report(found: list[Problem], capsys: pytest.CaptureFixture[str], **flags: Any) -> tuple[int, str, str]:
    args = Namespace(**{"strict": False, "output": None, "quiet": False, **flags})
    code = findings.report(found, args)
    out = capsys.readouterr()
    return code, out.out, out.err


def test_errors_count_and_warnings_only_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert report([], capsys) == (0, "", "no findings\n")
    code, out, err = report([ERROR, WARNING], capsys)
    assert (code, out) == (1, "")
    assert err.startswith("a.yaml:3:5: it is wrong")
    assert "warning: it is odd" in err
    assert err.endswith("1 error, 1 warning\n")
    assert "\x1b" not in err
    assert report([WARNING], capsys)[0] == 0
    assert report([WARNING, WARNING], capsys, strict=True)[0] == 1


def test_findings_as_json_hold_everything(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = report([ERROR, WARNING], capsys, output="json")
    assert (code, err) == (1, "")
    first, second = json.loads(out)["items"]
    assert (first["file"], first["line"], first["column"], first["path"]) == ("a.yaml", 3, 5, ["spec", 0])
    assert (first["level"], second["level"], first["hint"], first["code"]) == ("error", "warning", "do this", "bad")


def test_many_problems_are_cut_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    _, _, err = report([ERROR] * 35, capsys)
    assert err.count("a.yaml:3:5:") == 20
    assert "and 15 more problems" in err
    assert "35 errors" in err


# --- progress -------------------------------------------------------------------------------------------------------
def subject(name: str = "web") -> Subject:
    return Subject("one", Ref("apps", "v1", "Deployment", "shop", name), "web")


def change(action: str = "create", name: str = "web") -> Change:
    return Change(subject(name), action, Why("", "", {}), "", "")


def shown(capsys: pytest.CaptureFixture[str], told: list[Any], **flags: Any) -> list[str]:
    args = Namespace(**{"quiet": False, "progress": "lines", "events": None, "color": None, **flags})
    with progress.showing(args) as show:
        for event in told:
            show(event)
    return [line[9:] for line in capsys.readouterr().err.splitlines()]


def test_every_change_of_state_is_one_line_and_nothing_is_said_twice(capsys: pytest.CaptureFixture[str]) -> None:
    waits, well = Seen(subject(), Health("progressing", "", "1 of 3\x1b[2J")), Seen(subject(), Health("healthy"))
    events = [Started(change()), Outcome(change(), "done"), waits, waits, well, "waiting for the lease"]
    assert shown(capsys, events) == [
        "Deployment shop/web: created",
        "Deployment shop/web: progressing, 1 of 3\ufffd[2J",
        "Deployment shop/web: healthy",
        "waiting for the lease",
    ]


def test_a_failure_says_what_failed(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(capsys, [Started(change("update")), Outcome(change("update"), "failed", "the server refused it")])
    assert lines == ["Deployment shop/web: update failed: the server refused it"]


def test_what_was_not_touched_is_told_only_when_it_is_not_well(capsys: pytest.CaptureFixture[str]) -> None:
    events = [Seen(subject("a"), Health("healthy")), Seen(subject("b"), Health("degraded", "", "it crashes"))]
    assert shown(capsys, events) == ["Deployment shop/b: degraded, it crashes"]


def test_quiet_and_none_say_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    events = [Started(change()), Outcome(change(), "done")]
    assert shown(capsys, events, quiet=True) == []
    assert shown(capsys, events, progress="none") == []


def test_events_are_written_as_json_lines(tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / "events.jsonl")
    events = [Started(change()), Outcome(change(), "done"), Seen(subject(), Health("healthy", "Available", "3 of 3"))]
    shown(capsys, events, progress="none", events=path)
    with open(path, encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    assert [line["kind"] for line in lines] == ["object.started", "object.changed", "health.changed"]
    assert all(line["subject"] == "Deployment shop/web" for line in lines)
    assert lines[2]["state"] == "healthy"
    assert all(line["at"].endswith("+00:00") for line in lines)
