"""What plain scalars mean, what is text, and the forms a file may have."""

from __future__ import annotations

import math

import pytest

from appdelivery import errors
from appdelivery.language.text import yaml_in


def value(text: str):
    [found] = yaml_in.load(f"v: {text}".encode(), "app.yaml")
    return found["v"]


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("true", True), ("True", True), ("TRUE", True), ("false", False),
        ("null", None), ("~", None), ("Null", None), ("", None),
        ("0", 0), ("-0", 0), ("+12", 12), ("-7", -7), ("0x1F", 31), ("0o17", 15),
        ("9223372036854775807", 2**63 - 1), ("-9223372036854775808", -(2**63)),
        ("1.5", 1.5), ("1.", 1.0), (".5", 0.5), ("-1e3", -1000.0), ("1e-7", 1e-7), ("72044e07", 72044e07),
        (".inf", math.inf), ("-.INF", -math.inf),
    ],
)  # fmt: skip
def test_core_words_and_numbers_have_their_type(text, meaning):
    found = value(text)
    assert (type(found), found) == (type(meaning), meaning)


def test_nan_is_a_number():
    assert math.isnan(value(".nan"))


@pytest.mark.parametrize(
    "text",
    ["yes", "no", "on", "off", "y", "n", "tRue", "nULL", "12:30:45", "2001-12-14", "2001-12-14t21:59:43.10-05:00", "010",
     "00", "01.5", "1_000", "0b11", "0X1F", "-0x1F", "0o8", "1e", "e3", "+", "-.", ".", "1.2.3", "inf", "nan", "=", "0x"],
)  # fmt: skip
def test_everything_else_is_text(text):
    assert value(text) == text


@pytest.mark.parametrize("text", ["'12'", '"12"', "! 12", "!!str 12", '! "12"', "&a !!str 12", "|-\n  12"])
def test_quotes_and_text_tags_make_text(text):
    assert value(text) == "12"


def test_keys_are_text_whatever_they_look_like():
    assert yaml_in.load(b"1: a\ntrue: b\n~: c\n1.10: d\n0x1: e\n'q': f\n", "f") == [
        {"1": "a", "true": "b", "~": "c", "1.10": "d", "0x1": "e", "q": "f"}
    ]


def test_several_documents_are_read_and_empty_ones_are_skipped():
    text = b"# nothing\n---\n---\na: 1\n...\n---\n# still nothing\n---\n- 2\n---\nnull\n--- ''\n"
    assert yaml_in.load(text, "f") == [{"a": 1}, [2], None, ""]
    assert [yaml_in.to_plain(n) for n in yaml_in.compose(text, "f")] == [{"a": 1}, [2], None, ""]


@pytest.mark.parametrize("text", [b"", b"\n", b"# only a comment\n", b"\xef\xbb\xbf", b"---\n"])
def test_a_text_without_documents_is_an_empty_list(text):
    assert yaml_in.load(text, "f") == [] == yaml_in.compose(text, "f")


def test_a_byte_order_mark_moves_no_column():
    [node] = yaml_in.compose(b"\xef\xbb\xbfa: b\n", "f")
    assert [(s.line, s.column) for pair in node.pairs for s in pair] == [(1, 1), (1, 4)]


def test_line_ends_of_windows_read_as_others():
    assert yaml_in.load(b"a: |\r\n  x\r\n  y\r\nb: c\r\n", "f") == [{"a": "x\ny\n", "b": "c"}]


def test_an_alias_repeats_what_its_anchor_names():
    assert yaml_in.load(b"a: &x {k: [1]}\nb: *x\nc: &y t\n*y : *y\n", "f") == [
        {"a": {"k": [1]}, "b": {"k": [1]}, "c": "t", "t": "t"}
    ]


def test_anchors_end_with_their_document():
    with pytest.raises(errors.SpecError) as refused:
        yaml_in.load(b"a: &x 1\n---\nb: *x\n", "f")
    assert refused.value.problems[0].code == "yaml.alias"


MERGE = b"""\
one: &one {a: 1, b: 1}
two: &two {b: 2, c: 2}
explicit: {b: 0, <<: *one}
earlier: {<<: [*two, *one], d: 3}
inline: {<<: {x: 1}, y: 2}
chained: &chained {<<: *one, e: 5}
again: {<<: *chained}
quoted: {"<<": *one}
"""


def test_merge_keys_let_explicit_keys_win_and_earlier_maps_before_later():
    for found in (yaml_in.load(MERGE, "f")[0], yaml_in.to_plain(yaml_in.compose(MERGE, "f")[0])):
        assert found["explicit"] == {"a": 1, "b": 0}
        assert found["earlier"] == {"b": 2, "c": 2, "a": 1, "d": 3}
        assert found["inline"] == {"x": 1, "y": 2}
        assert found["again"] == {"a": 1, "b": 1, "e": 5}
        assert found["quoted"] == {"<<": {"a": 1, "b": 1}}
        assert found["one"] == {"a": 1, "b": 1}


def test_merging_changes_no_map_that_others_share():
    [found] = yaml_in.load(b"base: &b {a: {x: 1}}\none: {<<: *b, a: 2}\ntwo: {<<: *b}\n", "f")
    assert found == {"base": {"a": {"x": 1}}, "one": {"a": 2}, "two": {"a": {"x": 1}}}


def test_a_question_mark_is_a_key_like_any_other():
    assert yaml_in.load(b"'?': []\n'': {a: 1}\n'(no text)': [1]\nb: 2\n", "f") == [
        {"?": [], "": {"a": 1}, "(no text)": [1], "b": 2}
    ]
