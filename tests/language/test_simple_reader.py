"""The reader without libyaml answers what libyaml answers, or says that it cannot."""

from __future__ import annotations

import glob
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import ROOT, examples

from appdelivery import errors
from appdelivery.language.text import simple, simple_words, syntax, yaml_events, yaml_in, yaml_out
from appdelivery.language.text.limits import LIMITS, Limits

FILES = sorted(glob.glob(f"{ROOT}/components/**/*.yaml", recursive=True) + glob.glob(f"{ROOT}/traits/*.yaml"))
EXAMPLES = sorted(glob.glob(f"{ROOT}/examples/**/*.yaml", recursive=True))
PIECES = [
    *"- :#,{}[]\"'|>&*!?%@`\\\nab1~.0eE+$<=/_", "  ", "- ", ": ", " #", "\n- ", "\n  ", "\n    ", "---\n", "...\n",
    "|\n", "|-\n", "|+\n", ">\n", "''", "\\n", '\\"', "\\x41", "null", "true", "1.5", "0x1f", "010", "-7", "<<: ", "${{ a }}",
    '"a"', "'b'", "{a: 1}", "[x, y]", '"k": ', '{"k":', "a: b\n", "- a\n", "- a: b\n", "a:\n", "é", "\u2028", "\t", "\r\n", "\ufeff",
]  # fmt: skip
with open(f"{ROOT}/examples/inference.yaml", encoding="utf-8") as seed:
    TEXT = seed.read()


def by_libyaml(text: str):
    faults = syntax.Faults(text.encode(), "f")
    return yaml_events.read(syntax.decoded(faults.data, faults, LIMITS), faults, LIMITS, marked=False)


def agrees(text: str) -> bool:
    """False: the simple reader left the text to the other.  Values are compared with types and order of keys."""
    try:
        found = simple.read(text.encode(), LIMITS)
    except simple_words.NotSimple:
        return False
    try:
        wanted = by_libyaml(text)
    except errors.SpecError as error:
        pytest.fail(f"{text!r} was read as {found!r}, but libyaml refuses it: {error}")
    assert repr(found) == repr(wanted), text
    return True


@pytest.mark.parametrize("file", [*FILES, *EXAMPLES], ids=lambda f: f[len(ROOT) + 1 :])
def test_real_files_mean_the_same(file):
    with open(file, encoding="utf-8") as opened:
        agrees(opened.read())


def test_most_real_files_are_simple():
    simple_ones = 0
    for file in EXAMPLES:
        with open(file, encoding="utf-8") as opened:
            simple_ones += agrees(opened.read())
    assert simple_ones >= 0.9 * len(EXAMPLES) > 0


@settings(max_examples=examples(400), deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
def test_made_up_texts_mean_the_same(text):
    agrees(text)


@settings(max_examples=examples(300), deadline=None)
@given(st.data())
def test_damaged_texts_mean_the_same(data):
    rows = TEXT.split("\n")
    start = data.draw(st.integers(0, len(rows) - 1))
    text = "\n".join(rows[start : start + data.draw(st.integers(1, 8))])
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(text)))
        text = text[:place] + data.draw(st.sampled_from(PIECES)) + text[place + data.draw(st.integers(0, 2)) :]
    agrees(text)


LEAVES = (
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 63) - 1) | st.floats(allow_nan=False) | st.text(max_size=30)
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(min_size=1, max_size=9), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=examples(150), deadline=None)
@given(st.dictionaries(st.text(min_size=1, max_size=9), TREES, min_size=1, max_size=4), st.booleans())
def test_what_other_writers_write_means_the_same(tree, flow):
    import yaml

    agrees(yaml.safe_dump(tree, default_flow_style=flow, allow_unicode=True, width=40))
    agrees(yaml_out.dump(tree))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: |\n  x\n   y\n\n  z\nb: 1\n", {"a": "x\n y\n\nz\n", "b": 1}),
        ("a: |-\n  x\n\n", {"a": "x"}),
        ("a: |+\n  x\n\n", {"a": "x\n\n"}),
        ("a: one\n  two\n  - three\nb: 2", {"a": "one two - three", "b": 2}),
        ("a: 'it''s\n\n  so'  # why\n", {"a": "it's\nso"}),
        ('a: "one\n  two"\n', {"a": "one two"}),
        ("- - 1\n  - b: 2\n    c:\n    - 3\n-\n  d:\n", [[1, {"b": 2, "c": [3]}], {"d": None}]),
        ('a: {b: [c, {"d": "e, f"}], $g: 1.4.2, h: {}} # i', {"a": {"b": ["c", {"d": "e, f"}], "$g": "1.4.2", "h": {}}}),
        ("image: redis:7.4\nurl: http://a:1/#b\ncpu: 100m\n", {"image": "redis:7.4", "url": "http://a:1/#b", "cpu": "100m"}),
    ],
)
def test_the_usual_forms_need_no_libyaml(text, value):
    assert simple.read(text.encode(), LIMITS) == [value]
    assert agrees(text)


@pytest.mark.parametrize(
    "text",
    ["a: &x 1", "a: *x", "a: !!str 1", "a: >\n  x\n", "? a\n: b", "<<: {a: 1}", "%YAML 1.2\n---\na: 1", "a: [1,\n  2]", "a: 1\na: 2",
     "a: b: c", "a: 'b", "a: {b: 1", "a: [b: 1]", "a: 99999999999999999999", 'a: "\\x41"', "a:\tb", "a", "--- a", "[a]"],
)  # fmt: skip
def test_anything_else_is_left_to_libyaml(text):
    with pytest.raises(simple_words.NotSimple):
        simple.read(text.encode(), LIMITS)


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("a: [1, 2, 3]\n", Limits(nodes=5)),
        ("---\na: 1\n---\nb: 1\n", Limits(documents=1)),
        ("a: {b: {c: 1}}\n", Limits(depth=2)),
        ("a:\n  b:\n    - c\n", Limits(depth=2)),
        ("a: 12345678901\n", Limits(scalar=10)),
        ("a: |\n  12345\n  67890\n", Limits(scalar=10)),
    ],
)
def test_limits_are_the_same(text, limits):
    with pytest.raises(simple_words.NotSimple):
        simple.read(text.encode(), limits)
    with pytest.raises(errors.SpecError):
        yaml_in.load(text.encode(), "f", limits)


@pytest.mark.parametrize(
    "text",
    ["a: " + "[" * 90 + "x," * 60_000, 'a: "' + "\\n" * 400_000 + '"', "a: ['" + "''" * 400_000 + "']", "- " * 60_000 + "a",
     'a: ["' + '", "' * 60_000 + '"]', "a: 'b\n" + "  c\n" * 60_000, "a: b\n" + "  c\n" * 60_000, "a: |\n" + " \n" * 60_000],
    ids=range(8),
)  # fmt: skip
def test_time_grows_with_the_text_only(text):
    begin = time.process_time()
    agrees(text)
    assert time.process_time() - begin < 2
