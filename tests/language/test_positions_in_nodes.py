"""Marks of nodes: every node stands at its token, every offset of a text leads to its character."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import assume, example, given
from hypothesis import strategies as st

from appdelivery.language.text import yaml_in, yaml_out

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=14) | st.text("ab \n'\"\\\t:#${}é", max_size=24)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-999, 999) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
STYLES = st.fixed_dictionaries(
    {
        "default_flow_style": st.sampled_from([None, True, False]),
        "default_style": st.sampled_from([None, "'", '"', "|", ">"]),
        "width": st.sampled_from([8, 80]),
        "indent": st.sampled_from([2, 4]),
    }
)


def scalars(node):
    if isinstance(node, yaml_in.Scalar):
        return [node]
    inner = [n for pair in node.pairs for n in pair] if isinstance(node, yaml_in.Mapping) else node.items
    return [s for n in inner for s in scalars(n)]


def check(text: str, file: str) -> None:
    """Against the source itself, not against the code that found the places."""
    lines = text.split("\n")
    [root] = yaml_in.compose(text.encode(), file)
    for scalar in scalars(root):
        rest = lines[scalar.line - 1][scalar.column - 1 :]
        if scalar.style:
            assert rest.startswith(scalar.style)
        elif scalar.line == scalar.end_line:
            assert rest.startswith(scalar.text)
            assert scalar.end_column == scalar.column + len(scalar.text)
        for offset, character in enumerate(scalar.text):
            if character in " \t\n\r":
                continue
            line, column = yaml_in.position(scalar, offset)
            found = lines[line - 1][column - 1]
            assert found == character or (scalar.style == '"' and found == "\\"), (scalar.text, offset, line, column)


@given(VALUES)
@example({"a": " lead\n\n  deep\nx\n", "b": [{"c": "\n\nx\n"}]})
def test_in_what_the_emitter_writes(value):
    check(yaml_out.dump(value), "f.yaml")


@given(VALUES, STYLES)
@example(
    ["aaaa bbbb cccc\n\ndddd eeee ffff gggg"], {"default_style": ">", "width": 8, "default_flow_style": False, "indent": 2}
)
def test_in_folded_quoted_and_flow_text(value, how):
    text = yaml.safe_dump(value, allow_unicode=False, **how)
    assume("!!" not in text)  # a number in quotes, marked by a tag
    check(text, "f.yaml")


@given(VALUES)
def test_in_json(value):
    check(json.dumps(value, indent=1), "f.json")


def node(text: str, *path: int):
    [found] = yaml_in.compose(text.encode(), "f.yaml")
    for step in path:
        found = found.pairs[step][1] if isinstance(found, yaml_in.Mapping) else found.items[step]
    return found


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a: ${{ x }}", (1, 4)),
        ("a: text ${{ x }}", (1, 9)),
        ("a: 'it''s ${{ x }}'", (1, 11)),
        ('a: "\\tq \\u00e9 ${{ x }}"', (1, 16)),
        ("a: |\n  one\n  two ${{ x }}\n", (3, 7)),
        ("a: |\n\n    one\n      ${{ x }}\n", (4, 7)),
        ("a: |2\n    one\n   ${{ x }}\n", (3, 4)),
        ("a: | # why\n  ${{ x }}", (2, 3)),
        ("a: >-\n  one\n  two ${{ x }}\n", (3, 7)),
        ("a: &n !!str |\n  ${{ x }}", (2, 3)),
        ("a: &n\n  ${{ x }}", (2, 3)),
        ("a: !!str ${{ x }}", (1, 10)),
        ("a: one\n  two ${{ x }}", (2, 7)),
        ("a: 'one\n\n  two ${{ x }}'", (3, 7)),
    ],
)
def test_the_place_of_an_expression(text, place):
    scalar = node(text, 0)
    assert yaml_in.position(scalar, scalar.text.index("${{")) == place


def test_containers_begin_at_their_bracket_or_first_entry():
    root = node("a:\n  - x\n  - {b: 1,\n     c: [2]}\nd: 3\n")
    assert (root.line, root.column) == (1, 1)
    items = root.pairs[0][1]
    assert (items.line, items.column) == (2, 3)
    flow = items.items[1]
    assert (flow.line, flow.column, flow.end_line, flow.end_column) == (3, 5, 4, 13)


def test_scalars_know_how_they_were_written():
    found = {
        k.text: (v.value, v.text, v.plain, v.style)
        for k, v in node("a: 1.10\nb: '1.10'\nc: |\n  x\nd: >\n  y\ne: ~\nf: \"z\"").pairs
    }
    assert found == {
        "a": (1.1, "1.10", True, ""),
        "b": ("1.10", "1.10", False, "'"),
        "c": ("x\n", "x\n", False, "|"),
        "d": ("y\n", "y\n", False, ">"),
        "e": (None, "~", True, ""),
        "f": ("z", "z", False, '"'),
    }


def test_what_an_alias_repeats_stands_where_it_was_written():
    assert node("a: &x {b: 1}\nc: *x\n", 1).line == 1
