"""Problems that know document and path get line, column and excerpt from a second parse."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from appdelivery.language.text import source, yaml_out
from appdelivery.model.problem import Problem

APP = b"""\
kind: Application
spec:
  components:
    - name: web
      type: webservice
      properties:
          image: 1.10
          enabled: true
    - name: api
      properties:
        ports:
          - name: main
            port: 8080
          - name: admin
            port: 99090
---
kind: Other
empty:
"""


def located(path, *, message="wrong", document=0, at_key=False, hint=""):
    given = Problem(message, file="app.yaml", path=path, document=document, at_key=at_key, hint=hint)
    [found] = source.locate([given], {"app.yaml": APP})
    return found


def test_a_value_is_shown_with_the_line_before_and_carets_under_it():
    found = located(("spec", "components", 1, "properties", "ports", 1, "port"), message="99090 is greater than 65535")
    assert str(found) == "app.yaml:15:19: 99090 is greater than 65535"
    assert found.excerpt == (
        "    14 |           - name: admin\n    15 |             port: 99090\n       |                   ^^^^^"
    )


def test_a_key_is_shown_when_the_key_is_wrong():
    found = located(("spec", "components", 0, "properties", "image"), at_key=True)
    assert (found.line, found.column, found.excerpt.count("^")) == (7, 11, len("image"))


def test_a_missing_key_stands_at_the_map_that_lacks_it():
    found = located(("spec", "components", 0, "properties", "ports", 0, "port"))
    assert (found.line, found.column) == (7, 11)
    assert found.excerpt.splitlines()[-1] == "       |           ^^^^^"


def test_a_missing_item_stands_at_the_list_that_lacks_it():
    found = located(("spec", "components", 1, "properties", "ports", 7))
    assert (found.line, found.column) == (12, 11)


def test_the_document_counts():
    assert (located(("kind",)).line, located(("kind",), document=1).line) == (1, 17)
    assert located((), document=1).line == 17
    assert (located(("empty",), document=1).line, located(("empty",), document=1).column) == (18, 7)


def test_text_that_yaml_reads_as_a_number_is_told_so_with_what_was_written():
    path = ("spec", "components", 0, "properties")
    found = located((*path, "image"), message="expected a string, got the number 1.1", hint="write it in quotes")
    assert found.hint == 'write "1.10" in quotes; YAML reads 1.10 as a number and drops the zero'
    assert located((*path, "enabled"), message="expected a string, got true").hint == 'write "true" in quotes'
    assert located((*path, "ports"), message="expected a string, got the number 1", hint="kept").hint == "kept"


def test_problems_come_sorted_by_file_and_position_and_those_without_text_stay():
    problems = [
        Problem("late", file="b.yaml", path=("b",)),
        Problem("early", file="b.yaml", path=("a",)),
        Problem("elsewhere", file="gone.yaml", path=("a",)),
        Problem("known", file="b.yaml", line=2, column=1),
        Problem("nowhere"),
        Problem("no such document", file="b.yaml", document=4),
    ]
    found = source.locate(problems, {"b.yaml": b"a: 1\n\nb: 2\n"})
    assert [(p.message, p.line) for p in found] == [
        ("nowhere", 0), ("no such document", 0), ("early", 1), ("known", 2), ("late", 3), ("elsewhere", 0)
    ]  # fmt: skip


def test_a_text_that_cannot_be_read_locates_nothing():
    given = Problem("wrong", file="b.yaml", path=("a",))
    assert source.locate([given], {"b.yaml": b"a: ["}) == [given]
    assert source.position(b"a: [", "b.yaml", 0, ("a",)) is None


def test_positions_in_json():
    text = json.dumps({"a": [{"b": 1}, {"c": "é", "d": None}]}, ensure_ascii=False)
    assert source.position(text.encode(), "f.json", 0, ("a", 1, "d")) == (1, text.index("null") + 1)


def test_excerpts_of_tabs_and_windows_lines():
    assert source.excerpt(b"a: 1\r\nb:\t2\r\n", 2, 4, 5) == "     1 | a: 1\n     2 | b: 2\n       |    ^"
    assert source.excerpt("é: x", 1, 4) == "     1 | é: x\n       |    ^"
    assert source.excerpt(b"a", 7, 1) == ""


def leaves(tree, path=()):
    if isinstance(tree, dict) and tree:
        return [x for k, v in tree.items() for x in leaves(v, (*path, k))]
    if isinstance(tree, list) and tree:
        return [x for i, v in enumerate(tree) for x in leaves(v, (*path, i))]
    return [(path, tree)]


NAMES = st.text("abcdef", min_size=1, max_size=5)


@given(
    st.recursive(
        st.integers(0, 10**6), lambda i: st.lists(i, max_size=3) | st.dictionaries(NAMES, i, max_size=3), max_leaves=10
    )
)
def test_every_leaf_of_a_tree_is_found_by_its_path(tree):
    for text, file in ((yaml_out.dump(tree), "f.yaml"), (json.dumps(tree, indent=2), "f.json")):
        lines = text.split("\n")
        for path, value in leaves(tree):
            line, column = source.position(text.encode(), file, 0, path)
            assert lines[line - 1][column - 1 :].rstrip(",") == json.dumps(value)
