"""Completion: what may stand at the word under the cursor, and that each shell's script asks for it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest
import running

from appdelivery.cli import commands, completion


def choices(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    assert completion.complete(list(words)) == 0
    return capsys.readouterr().out.split()


def test_commands_complete_with_their_aliases(capsys: pytest.CaptureFixture[str]) -> None:
    assert set(choices(capsys, "")) == {*commands.COMMANDS, *commands.ALIASES}
    assert choices(capsys, "ro") == ["rollback"]
    assert choices(capsys, "help", "ver") == ["version"]
    assert choices(capsys, "nope", "x") == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("list", "-o", ""), ["json", "name", "table", "yaml"]),
        (("ls", "--output", "j"), ["json"]),
        (("list", "--color", ""), ["always", "auto", "never"]),
        (("up", "--wai"), ["--wait"]),
        (("up", "--wait", ""), ["applied", "ready"]),
        (("secret", ""), ["list", "remove", "set"]),
        (("completion", ""), ["bash", "fish", "powershell", "zsh"]),
        (("explain", "webs"), ["webservice"]),
        (("list", "--columns", ""), []),
        (("db", "back"), ["backup"]),
    ],
)
def test_flags_values_and_names_complete(
    words: tuple[str, ...], expected: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert choices(capsys, *words) == expected


def test_every_flag_of_a_command_completes(capsys: pytest.CaptureFixture[str]) -> None:
    found = choices(capsys, "up", "-")
    assert {"--set", "--values", "--dry-run", "--yes", "-y", "-n", "--debug"} <= set(found)


def test_completion_is_silent_about_trouble(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("APPCTL_COLOR", "blue")
    assert choices(capsys, "list", "-o", "") == []
    assert capsys.readouterr().err == ""


def test_a_name_that_a_shell_would_expand_is_not_offered(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(commands.ALIASES, "$(touch owned)", "up")
    monkeypatch.setitem(commands.ALIASES, "a b", "up")
    assert not {"$(touch", "owned)", "a", "b"} & set(choices(capsys, ""))


@pytest.mark.slow
def test_a_script_is_printed_for_every_shell(tmp_path) -> None:
    for shell in completion.SCRIPTS:
        done = running.appctl("completion", shell, home=str(tmp_path))
        assert (done.code, done.err) == (0, "")
        assert "appctl __complete" in done.out
        program = shutil.which({"powershell": "pwsh"}.get(shell, shell))
        if program and shell != "powershell":
            checked = subprocess.run([program, "-n"], input=done.out, capture_output=True, text=True, check=False)
            assert checked.returncode == 0, checked.stderr
    assert running.appctl("completion", "csh", home=str(tmp_path)).code == 64


@pytest.mark.slow
def test_bash_completes_by_the_script(tmp_path) -> None:
    program = tmp_path / "bin" / "appctl"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m appdelivery.cli "$@"\n')
    program.chmod(0o755)
    ask = """source <(appctl completion bash)
try() { COMP_WORDS=("$@"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMPREPLY=(); _appctl; echo "${COMPREPLY[*]}"; }
try appctl roll
try appctl list -o ""
try appctl up --dry
"""
    environment = {"PATH": f"{program.parent}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    done = subprocess.run(["bash", "-c", ask], capture_output=True, text=True, env=environment, check=False)
    assert done.stdout.splitlines() == ["rollback", "json name table yaml", "--dry-run"], done.stderr
