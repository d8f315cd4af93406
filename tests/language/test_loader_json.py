"""JSON: the standard library's values, with the loader's limits, problems and nodes."""

from __future__ import annotations

import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from appdelivery import errors
from appdelivery.language.text import yaml_in

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=15,
)


@given(VALUES, st.booleans(), st.sampled_from([None, 1]))
def test_what_the_standard_library_writes_is_read_back(value, ascii_only, indent):
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    refused = "\x7f\ufeff\u2028\u2029\ufffe\uffff"  # when raw
    assume(not any(c in refused or 0x80 <= ord(c) < 0xA0 for c in text))
    data = text.encode()
    assert yaml_in.load(data, "f.json") == [value]
    [node] = yaml_in.compose(data, "f.json")
    assert yaml_in.to_plain(node) == value


@pytest.mark.parametrize("file", ["-", "<stdin>", "values.json"])
def test_standard_input_that_begins_with_a_bracket_is_json(file):
    assert yaml_in.load(b'\n {"a": "\\ud83d\\ude00"}', file) == [{"a": "\U0001f600"}]


def test_standard_input_that_does_not_is_yaml():
    assert yaml_in.load(b"a: [1]", "-") == [{"a": [1]}]


@pytest.mark.parametrize("data", [b"", b" \n", b"\xef\xbb\xbf"])
def test_an_empty_text_holds_nothing(data):
    assert yaml_in.load(data, "f.json") == [] == yaml_in.compose(data, "f.json")


@pytest.mark.parametrize(
    ("text", "code", "place", "message"),
    [
        ('{"a": 1,\n "a": 2}', "yaml.duplicate-key", (2, 2), "duplicate key 'a' (first in line 1)"),
        ('{"a": 1,\n "\\u0061": 2}', "yaml.duplicate-key", (2, 2), "duplicate key 'a' (first in line 1)"),
        ('["\\ud83d"]', "yaml.encoding", (1, 2), "half a character, U+D83D, stands here alone"),
        ('{"\\ude00\\ud83d": 1}', "yaml.encoding", (1, 2), "half a character, U+DE00, stands here alone"),
        ("[1, NaN]", "yaml.syntax", (1, 5), "NaN is not JSON"),
        ("[-Infinity]", "yaml.syntax", (1, 2), "-Infinity is not JSON"),
        ("[9223372036854775808]", "yaml.number", (1, 2), "the number 9223372036854775808 is too large"),
        ("[1e400]", "yaml.number", (1, 2), "the number 1e400 is too large"),
        ("[1,]", "yaml.syntax", (1, 4), "this is not JSON: expecting value"),
        ("[1\n2]", "yaml.syntax", (2, 1), "this is not JSON: expecting ',' delimiter"),
        ("{'a': 1}", "yaml.syntax", (1, 2), "this is not JSON: expecting property name enclosed in double quotes"),
        ("1 2", "yaml.syntax", (1, 3), "this is not JSON: extra data"),
        ("[[", "yaml.syntax", (1, 3), "this is not JSON: expecting value"),
    ],
)  # fmt: skip
def test_a_refusal_names_the_fault_and_its_place(text, code, place, message):
    for read in (yaml_in.load, yaml_in.compose):
        with pytest.raises(errors.SpecError) as refused:
            read(text.encode(), "f.json")
        [problem] = refused.value.problems
        assert (problem.code, (problem.line, problem.column), problem.message) == (code, place, message)


def test_text_that_is_large_and_broken_is_refused_for_what_is_broken():
    with pytest.raises(errors.SpecError) as refused:
        yaml_in.load(b"]" + b"," * 300_000, "f.json")
    assert refused.value.problems[0].message == "this is not JSON: expecting value"


def test_keys_longer_than_yaml_allows_are_fine():
    data = json.dumps({"k" * 5000: {"\t": [1]}}).encode()
    assert yaml_in.to_plain(yaml_in.compose(data, "f.json")[0]) == json.loads(data) == yaml_in.load(data, "f.json")[0]
