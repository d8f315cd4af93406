"""Every broken input gets its documented error: place, reason, exit code; no traceback; nothing written."""

from __future__ import annotations

import os
import re

import broken_inputs
import pytest
import running

pytestmark = pytest.mark.slow


def test_there_are_a_hundred_of_them() -> None:
    assert len(broken_inputs.CASES) >= 100
    assert len({case.name for case in broken_inputs.CASES}) == len(broken_inputs.CASES)


@pytest.mark.parametrize("case", broken_inputs.CASES, ids=lambda case: case.name)
def test_a_broken_input_is_answered(case: broken_inputs.Case, tmp_path) -> None:
    for name, text in case.files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    home = tmp_path / "home"
    home.mkdir()
    done = running.appctl(*case.words, home=str(home), cwd=str(tmp_path))
    assert done.code == case.code, f"exit code {done.code}\n{done.err}"
    for text in case.says:
        assert text in done.err, done.err
    if case.at:
        assert re.search(rf":{case.at}", done.err), done.err
    for text in ("Traceback", "NoneType", "KeyError", "object at 0x", "appdelivery/", *case.silent):
        assert text not in done.err, done.err
    assert done.out == ""
    assert [f for _, _, files in os.walk(home) for f in files if f.endswith(".db")] == []
