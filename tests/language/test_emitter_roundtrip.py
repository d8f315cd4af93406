"""What the emitter writes is read back identically by our loader and by two other parsers, 1.1 and 1.2."""

from __future__ import annotations

import math

import pytest
import support
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from appdelivery.language.text import yaml_in, yaml_out
from appdelivery.model.secret import Secret, SecretRef

# Words, signs and line forms that some reader takes for something else.
TRAPS = st.sampled_from(
    ["yes", "No", "ON", "off", "null", "Null", "~", "y", "N", "=", "<<", "true", "False", "1", "0o7", "010", "0x1F", "1_0",
     "1e3", "1.0", ".5", "+1", "-", "- a", "?", "? a", ":", "a:", "a: b", "a #b", "#a", " a", "a ", "'", "''", '"', "it's",
     "\\", "%a", "@a", "`a", "!a", "&a", "*a", "|", ">", "[", "{}", "---", "...", "--- a", "12:30:45", "2001-12-14", "NaN",
     ".nan", ".inf", "-.inf", "a\n", "\n", "\n\n", "\na", "a\n\n", " a\nb", "a\n b\n", "a \nb", "\ta\nb", "a\n\tb\n", "\t",
     "a\r\nb", "\x85", "\u2028a", "\ufeff", "\x00", "\x7f", "é", "\xa0", "\u200b", "\U0001f600", "{{ x }}", "${{ x }}",
     "${{ {'a': 1} }}", "a\n---\nb\n", "#!/bin/sh\nset -e\n", "\n  a\n", "a\n\n\n"]
)  # fmt: skip
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.text(" \n\ta:#-'\"\\", max_size=8) | TRAPS
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | TEXT
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


def exactly(value):
    """Comparable with types: 1 is neither True nor 1.0."""
    if isinstance(value, dict):
        return {k: exactly(v) for k, v in value.items()}
    if isinstance(value, list):
        return [exactly(v) for v in value]
    return type(value), repr(value)


@given(VALUES)
@example({"a": 1e16, "b": 1e-7, "c": -0.0, "d": math.inf, "e": -math.inf, "f": 5e-324})
@example([[["a"]], [], {}, {"a": [{"b": [[]]}]}, [{"a": "x\ny", "b": 1}]])
@example({"?": [], "": None})
@example({"a": [" x\ny\n", {"b": " x\ny\n\n"}], "b": {"c": {"d": "\n x\n"}}})
def test_our_loader_reads_the_same(value):
    text = yaml_out.dump(value)
    assert text.startswith("---\n")
    assert exactly(yaml_in.load(text.encode(), "f")) == exactly([value])
    assert exactly(yaml_in.to_plain(yaml_in.compose(text.encode(), "f")[0])) == exactly(value)


@given(VALUES)
def test_a_parser_of_yaml_1_1_reads_the_same(value):
    assert exactly(yaml.load(yaml_out.dump(value), yaml.SafeLoader)) == exactly(value)


@settings(max_examples=support.examples(30))
@given(VALUES)
def test_a_parser_of_yaml_1_2_reads_the_same(value):
    assert exactly(YAML(typ="safe", pure=True).load(yaml_out.dump(value))) == exactly(value)


@given(VALUES)
def test_writing_what_was_read_changes_nothing(value):
    text = yaml_out.dump(value)
    assert yaml_out.dump(yaml_in.load(text.encode(), "f")[0]) == text


@given(st.lists(VALUES, max_size=4))
def test_several_documents_are_several_documents(values):
    text = yaml_out.dump_all(values)
    assert text == "".join(map(yaml_out.dump, values))
    assert exactly(yaml_in.load(text.encode(), "f")) == exactly(values)


# Sample texts of other emitters: what 1.1 leaves plain and 1.2 reads as a number is left out.
PLAIN = st.text(st.characters(exclude_categories=["Cs"]), max_size=10).filter(lambda s: yaml_in.typed(s) == s)
FOREIGN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | PLAIN,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(PLAIN, inner, max_size=4),
    max_leaves=12,
)


@given(
    FOREIGN,
    st.fixed_dictionaries(
        {
            "default_flow_style": st.sampled_from([None, True, False]),
            "default_style": st.sampled_from([None, "'", '"', "|", ">"]),
            "width": st.sampled_from([10, 80]),
            "indent": st.sampled_from([2, 4]),
        }
    ),
)
def test_our_loader_reads_what_another_emitter_writes_in_any_style(value, how):
    text = yaml.safe_dump(value, allow_unicode=False, **how)
    if "!!" in text:
        return  # a number in quotes, marked by a tag
    assert exactly(yaml_in.load(text.encode(), "f")) == exactly([value])


def test_nan_is_written_as_yaml_has_it():
    assert math.isnan(yaml_in.load(yaml_out.dump([math.nan]).encode(), "f")[0][0])
    assert yaml_out.dump([math.nan, 1e16]) == "---\n- .nan\n- 1.0e+16\n"


def test_the_layout():
    tree = {
        "kind": "ConfigMap",
        "metadata": {"name": "web", "labels": {}, "list": []},
        "data": {"run.sh": "#!/bin/sh\necho hi\n", "kept": "a\n\n", "cut": "a\nb", "port": "8080", "on": "it's: so"},
        "items": [{"name": "a", "args": ["x", "--y"]}, [1, [2]], "z"],
    }
    assert yaml_out.dump(tree) == (
        "---\nkind: ConfigMap\nmetadata:\n  name: web\n  labels: {}\n  list: []\ndata:\n  run.sh: |\n    #!/bin/sh\n"
        "    echo hi\n  kept: |+\n    a\n\n  cut: |-\n    a\n    b\n  port: '8080'\n  'on': \"it's: so\"\nitems:\n"
        "- name: a\n  args:\n  - x\n  - '--y'\n- - 1\n  - - 2\n- z\n"
    )


def test_characters_nobody_sees_are_escaped():
    assert yaml_out.dump({"a": "x\u202ey\u200bz\xa0\x1b"}) == '---\na: "x\\u202ey\\u200bz\\xa0\\x1b"\n'


def test_long_keys_are_written_so_that_parsers_find_them():
    tree = {"k" * 1200: {"a": [1]}, "l" * 1200: ["x"], "m" * 1200: "a\nb", "n" * 1200: {}}
    text = yaml_out.dump([tree, tree])
    assert yaml_in.load(text.encode(), "f") == [[tree, tree]] == [yaml.load(text, yaml.SafeLoader)]


def test_secrets_are_written_as_their_mask():
    given = {"a": Secret("hunter2"), "b": [Secret(ref=SecretRef("application", "shop/web", "db"))]}
    assert yaml_out.dump(given) == "---\na: '<redacted>'\nb:\n- '<redacted:db>'\n"
    assert "hunter2" not in yaml_out.dump(Secret("hunter2"))


@pytest.mark.parametrize("value", [{1, 2}, (1,), b"x", object()])
def test_what_is_no_tree_of_json_values_is_refused(value):
    with pytest.raises(TypeError, match="cannot be written as YAML"):
        yaml_out.dump({"a": value})
