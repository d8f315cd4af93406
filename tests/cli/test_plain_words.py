"""Words in plain forms are read without argparse, and mean what argparse reads in them."""

from __future__ import annotations

import importlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appdelivery import errors
from appdelivery.cli import commands, flags, parsers, words

NAMES = sorted(commands.COMMANDS)
VALUES = [
    "a.yaml",
    "b",
    "-",
    "",
    "json",
    "yaml",
    "name",
    "list",
    "set",
    "7",
    "-7",
    "x y",
    "k=v",
    "--",
    "-h",
    "never",
    "ready",
]


def declared(name: str) -> words.Declared:
    made = words.Declared()
    importlib.import_module(commands.module(name)).add(made)
    flags.add_common(made)
    return made


def by_argparse(name: str, given: list[str]) -> dict[str, object] | None:
    try:
        return vars(parsers.parser(name, importlib.import_module(commands.module(name))).parse_args(given))
    except (errors.UsageError, SystemExit):
        return None


def test_a_plain_render_is_read_in_full():
    given = ["app.yaml", "-n", "prod", "--set", "web.image=a=b", "--set=api.x=1", "--lenient", "-o", "json"]
    found = vars(words.read(declared("render"), given))
    assert (found["files"], found["namespace"], found["set"]) == (["app.yaml"], "prod", ["web.image=a=b", "api.x=1"])
    assert (found["lenient"], found["output"], found["debug"], found["file"]) == (True, "json", False, [])


@pytest.mark.parametrize("name", NAMES)
def test_without_words_both_agree(name, monkeypatch):
    found = words.read(declared(name), [])
    assert (vars(found) if found else None) == by_argparse(name, [])


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_what_is_read_is_what_argparse_reads(data):
    name = data.draw(st.sampled_from(NAMES))
    made = declared(name)
    known = st.sampled_from(sorted(made.flags))
    word = st.sampled_from(VALUES) | known | st.builds(lambda f, v: f"{f}={v}", known, st.sampled_from(VALUES))
    given = data.draw(st.lists(word, max_size=6))
    found = words.read(made, given)
    if found is not None:
        assert vars(found) == by_argparse(name, given), given


@pytest.mark.parametrize(
    "given", [["-h"], ["--help"], ["--nonsense"], ["-ojson"], ["--out", "json"], ["--lenient=1"], ["--set"], ["--", "a"]]
)
def test_anything_else_is_left_to_argparse(given):
    assert words.read(declared("render"), given) is None


def test_a_flag_in_the_environment_is_left_to_argparse(monkeypatch):
    monkeypatch.setenv("APPCTL_NAMESPACE", "prod")
    assert words.read(declared("render"), ["a.yaml"]) is None
    assert flags.parse("render", importlib.import_module("appdelivery.cli.render"), ["a.yaml"]).namespace == "prod"


@pytest.mark.parametrize("how", [{"required": True}, {"nargs": 2}, {"action": "count"}, {"nargs": "..."}])
def test_declarations_that_only_argparse_knows_are_left_to_it(how):
    made = words.Declared()
    made.add_argument("--flag", **how)
    assert words.read(made, []) is None
