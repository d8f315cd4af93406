"""Leaves (language.md 3.1): typed values, texts around expressions, texts with statements, escapes."""

from __future__ import annotations

import pytest
from compiling import CONTEXT, bound, only, said, tree

from appdelivery import errors

P = {"n": 3, "s": "x", "t": True, "xs": ["a", "b"], "open": {"k": 1}}


@pytest.mark.parametrize(
    ("leaf", "expected"),
    [
        ("${{ parameters.n }}", 3),
        ("${{ parameters.t }}", True),
        ("${{ parameters.xs }}", ["a", "b"]),
        ("${{parameters.s}}", "x"),
        ("'a ${{ parameters.n }} b ${{ parameters.t }}'", "a 3 b true"),
        ("'${{ parameters.n }}${{ parameters.s }}'", "3x"),
        ("' ${{ parameters.n }}'", " 3"),
        ("$${{ parameters.n }}", "${{ parameters.n }}"),
        ("$${% if %}", "${% if %}"),
        ("'$${{ x }} ${{ parameters.n }}'", "${{ x }} 3"),
        ("'$$${{ x }}'", "$${{ x }}"),
        ("${HOME} ${#X} $(X) {{ x }}", "${HOME} ${#X} $(X) {{ x }}"),
        ("\"${{ {'a': {'b': 1}} }}\"", {"a": {"b": 1}}),
        ("\"${{ '}}' }}\"", "}}"),
        ("\"${{ 'it''s' }}\"", "its"),
        ('"${{ \\"a\'b\\" }}"', "a'b"),
        ("1.10", 1.1),
        ("'1.10'", "1.10"),
        ("72044e07", 72044e07),
    ],
)
def test_a_leaf_gives_a_typed_value_or_a_text(leaf, expected):
    found = tree(f"v: {leaf}", P)["v"]
    assert found == expected
    assert type(found) is type(expected)


def text(block, parameters=P):
    return tree("v: |\n" + "".join(f"  {line}\n" for line in block.split("\n")), parameters)["v"]


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("a\n${% if parameters.t %}\nb\n${% endif %}\nc", "a\nb\nc\n"),
        ("a\n  ${% if not parameters.t %}\nb\n  ${% endif %}\nc", "a\nc\n"),
        ("${% if parameters.n == 1 %}\none\n${% elif parameters.n == 3 %}\nthree\n${% else %}\nother\n${% endif %}", "three\n"),
        ("${% if false %}\na\n${% elif false %}\nb\n${% else %}\nc\n${% endif %}", "c\n"),
        ("${% for x in parameters.xs %}\n- ${{ x }}\n${% endfor %}\nend", "- a\n- b\nend\n"),
        ("${% for x in parameters.xs if x == 'b' %}\n- ${{ x }}\n${% endfor %}", "- b\n"),
        ("${% for k, v in parameters.open | items %}\n${{ k }}=${{ v }}\n${% endfor %}", "k=1\n"),
        ("${% for x in parameters.xs %}${% if x == 'a' %}${{ x }}!${% endif %}${% endfor %}", "a!\n"),
        ("listen ${% if parameters.t %}443${% else %}80${% endif %}\nnext", "listen 443\nnext\n"),
        ("a ${%- if parameters.t -%} b ${%- endif %} c", "ab c\n"),
        ("${% for x in parameters.xs %}\n  ${% for y in parameters.xs %}\n${{ x }}${{ y }}\n  ${% endfor %}\n${% endfor %}", "aa\nab\nba\nbb\n"),
        ("echo $${{ x }} ${HOME} ${% if parameters.t %}yes${% endif %}", "echo ${{ x }} ${HOME} yes\n"),
        ("    ${% if parameters.t %}\n    indented\n    ${% endif %}", "    indented\n"),
    ],
)  # fmt: skip
def test_statements_in_a_text_leave_no_line_of_their_own(block, expected):
    if block.startswith("    "):
        assert tree("v: |4\n" + "".join(f"      {line}\n" for line in block.split("\n")), P)["v"].strip() == expected.strip()
        return
    assert text(block) == expected


@pytest.mark.parametrize(
    ("leaf", "code", "message"),
    [
        ("${{ parameters.s", "expression.syntax", "expected '}}', got 'end of text' in expression: parameters.s"),
        ("${{ }}", "expression.syntax", "the expression is empty"),
        ("${{ parameters.s s }}", "expression.syntax", "expected the end, got 's' in expression: parameters.s s"),
        ("${{ parameters. }}", "expression.syntax", "expected name or number in expression: parameters."),
        ("${{ (parameters.s }}", "expression.syntax", "unexpected end of text, expected ')'. in expression: (parameters.s"),
        ("${{ a && b }}", "expression.syntax", "unexpected char '&' at 2 in expression: a && b"),
        ("${% set x = 1 %}", "expression.forbidden", "the statement 'set' is not available"),
        ("${% include 'x' %}", "expression.forbidden", "the statement 'include' is not available"),
        ("${% macro m() %}${% endmacro %}", "expression.forbidden", "the statement 'macro' is not available"),
        ("${% raw %}", "expression.forbidden", "the statement 'raw' is not available"),
        ("${% if true %}", "expression.syntax", "expected 'endif', got 'end of text'"),
        ("${% for x in [] %}", "expression.syntax", "expected 'endfor', got 'end of text'"),
        ("${% endif %}", "expression.syntax", "'endif' stands without its beginning"),
        ("${% if true %}${% endfor %}", "expression.syntax", "'endfor' stands without its beginning"),
        ("${% for x in [1] %}${% else %}${% endfor %}", "expression.syntax", "'else' stands without its beginning"),
        ("${% if true %}${% else x %}${% endif %}", "expression.syntax", "'else' takes nothing behind it"),
    ],
)
def test_what_a_leaf_cannot_mean_is_refused(leaf, code, message):
    found = only(f"parameters: {{properties: {{s: {{type: string}}}}}}\npatch: {{v: {leaf!r}}}".replace("\\'", "''"))
    assert (found.code, said(found.message, message)) == (code, message)


def test_a_number_that_json_does_not_have_is_refused():
    assert only("patch: {v: .inf}").message == ".inf has no form in JSON; a value is a finite number"


@pytest.mark.parametrize(
    ("leaf", "message"),
    [
        ("'a ${{ parameters.n }}'", "null inside text; use default('') (the optional parameter 'n' was not given?)"),
        ("'a ${{ parameters.any }}'", "a list inside text; use tojson"),
    ],
)
def test_only_scalars_go_into_a_text(leaf, message):
    with pytest.raises(errors.SpecError) as wrong:
        tree(f"v: {leaf}", {"any": []})
    assert wrong.value.problems[0].message.startswith(message.split(" (")[0])


def test_the_place_in_a_text_is_that_of_the_expression():
    body = "parameters: {properties: {n: {type: integer}}}\npatch:\n  v: |\n    first\n    second ${{ parameters.n }} x\n"
    with pytest.raises(errors.SpecError) as wrong:
        bound(body).render({}, CONTEXT)
    found = wrong.value.problems[0]
    assert (found.line, found.column) == (8, 12)
    assert found.excerpt.splitlines()[-1].endswith("| " + " " * 11 + "^" * len("${{ parameters.n }}"))
