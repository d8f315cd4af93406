"""Help: of every command, in one form, complete, and on one screen."""

from __future__ import annotations

import importlib
import re

import pytest
import running

from appdelivery.cli import commands, parsers

SCREEN = 62


def helped(name: str) -> str:
    return parsers.parser(name, importlib.import_module(commands.module(name))).format_help()


@pytest.mark.parametrize("name", commands.COMMANDS)
def test_help_begins_with_the_purpose_and_an_example_and_ends_with_the_exit_codes(name: str) -> None:
    lines = helped(name).rstrip("\n").split("\n")
    assert lines[0].endswith((".", "is."))
    assert f"appctl {name}" in lines[2], "the third line is the example"
    assert lines[3:5] == ["", lines[4]]
    assert lines[4].startswith(f"usage: appctl {name}")
    assert lines[-1].startswith("exit codes: 0 ")
    assert len(lines) <= SCREEN
    assert max(map(len, lines)) <= 120


@pytest.mark.parametrize("name", commands.COMMANDS)
def test_every_flag_and_argument_says_what_it_does(name: str) -> None:
    made = parsers.parser(name, importlib.import_module(commands.module(name)))
    for action in made._actions:
        assert action.help, f"{action.option_strings or action.dest} of {name} is not described"
        long = [option for option in action.option_strings if option.startswith("--")]
        assert all(re.fullmatch(r"--[a-z][a-z-]*", option) for option in long)


def test_the_same_flag_means_the_same_everywhere() -> None:
    seen: dict[str, set[tuple[str, str]]] = {}
    for name in commands.COMMANDS:
        made = parsers.parser(name, importlib.import_module(commands.module(name)))
        for action in made._actions:
            for option in action.option_strings:
                seen.setdefault(option, set()).add((action.dest, type(action).__name__))
    # kubectl's habits: -f is a file, but follows a log; -l selects by labels, and gives them to a cluster.
    different = {option: found for option, found in seen.items() if len(found) > 1 and option not in ("-f", "-l")}
    assert not different


def test_every_command_has_its_module_and_its_line_in_the_overview() -> None:
    for name, text in commands.COMMANDS.items():
        module = importlib.import_module(commands.module(name))
        assert module.EXAMPLE
        assert callable(module.run)
        assert text[0].islower()
        assert len(text) <= 80
    assert set(commands.ALIASES.values()) <= set(commands.COMMANDS)


@pytest.mark.slow
def test_help_is_printed_by_the_real_command_in_every_way_people_ask(tmp_path) -> None:
    overview = running.appctl(home=str(tmp_path))
    assert (overview.code, overview.err) == (0, "")
    for name in commands.COMMANDS:
        assert re.search(rf"^  {name} ", overview.out, re.MULTILINE)
    assert running.appctl("--help", home=str(tmp_path)) == overview
    asked = running.appctl("up", "--help", home=str(tmp_path))
    assert asked.out == helped("up")
    assert running.appctl("help", "apply", home=str(tmp_path)) == asked


@pytest.mark.slow
@pytest.mark.parametrize("tool", ["helm", "kubectl", "vela", "argocd"])
def test_people_of_other_tools_find_their_commands(tool: str, tmp_path) -> None:
    done = running.appctl("help", tool, home=str(tmp_path))
    assert done.code == 0
    for line in done.out.splitlines():
        ours = line.split("appctl ")[1]
        assert all(word.split()[0] in commands.COMMANDS for word in ours.split(", ")), line


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["lst"], "there is no command 'lst', did you mean 'list'?"),
        (["rendr", "x"], "did you mean 'render'?"),
        (["help", "nope"], "there is no command 'nope'"),
        (["list", "--nope"], "unrecognized arguments: --nope"),
        (["list", "--out", "json"], "unrecognized arguments: --out"),
        (["wait"], "the following arguments are required: application"),
    ],
)
def test_a_wrong_word_is_answered_with_the_right_one(words: list[str], says: str, tmp_path) -> None:
    done = running.appctl(*words, home=str(tmp_path))
    assert done.code == 64
    assert done.out == ""
    assert says in done.err
    assert "help" in done.err
