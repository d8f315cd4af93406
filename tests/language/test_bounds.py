"""Bounds of language.md 18 that a definition meets: where each lies, and that it names limit, value and setting."""

from __future__ import annotations

import pytest
from compiling import bound, problems, refused, tree, value

from appdelivery import errors
from appdelivery.language import budget

OPEN = "parameters: {properties: {text: {type: string}, xs: {type: array, items: {}}, any: {}}}\n"


def failed(body, parameters=None):
    with pytest.raises(errors.SpecError) as wrong:
        bound(OPEN + body).render(parameters or {}, {})
    return wrong.value.problems[0]


def test_one_list_has_ten_thousand_turns():
    body = "patch: {v: [{$for: x in parameters.xs, $value: 1}]}"
    assert len(bound(OPEN + body).render({"xs": [0] * 10_000}, {}).patch["v"]) == 10_000
    found = failed(body, {"xs": [0] * 10_001})
    assert (found.code, found.message) == ("render.limit", "more than 10,000 items in one list of a loop")
    assert found.hint == "setting limits.loopItems"


def test_one_render_has_a_hundred_thousand_turns():
    loop = "[{$for: x in parameters.xs, $value: [{$for: y in parameters.xs, $if: false, $value: 1}]}]"
    assert bound(OPEN + f"patch: {{v: {loop}}}").render({"xs": [0] * 300}, {}).patch == {}
    found = failed(f"patch: {{v: {loop}}}", {"xs": [0] * 320})
    assert found.message == "more than 100,000 loop turns in one render"
    assert found.hint == "setting limits.loopTurns"


@pytest.mark.parametrize(
    "expression",
    [
        "parameters.xs + parameters.xs",
        "parameters.xs | sort",
        "parameters.xs | where('a', 1)",
        "parameters.xs | pluck('a')",
        "parameters.xs | flatten",
        "parameters.xs | reverse",
        "parameters.xs | unique",
        "parameters.xs | join",
        "parameters.xs | sum",
        "parameters.xs | min",
        "enumerate(parameters.xs)",
        "parameters.xs[0:9]",
        "1 in parameters.xs",
        "parameters.xs == parameters.xs[0:]",
        "parameters.xs | tojson",
        "range(9000)",
    ],
)
def test_work_over_a_list_counts_as_turns(expression):
    quoted = f"({expression}) is none".replace("'", "''")
    body = f"patch: {{v: [{{$for: 'x in range(20)', $value: '${{{{ {quoted} }}}}'}}]}}"
    assert failed(body, {"xs": [0] * 9_000}).message == "more than 100,000 loop turns in one render"


def test_what_a_turn_costs_depends_on_what_it_makes():
    body = "patch: {v: [{$for: 'x in range(9000)', $value: [" + "1, " * 60 + "1]}]}"
    assert failed(body).message == "more than 250,000 values made in loops of one render"


@pytest.mark.parametrize(
    "expression",
    [
        "parameters.text ~ parameters.text",
        "parameters.text + parameters.text",
        "[parameters.text, parameters.text] | join",
        "parameters.text | replace('a', 'bbb')",
        "('\\n' ~ parameters.text | replace('a', '\\na')) | indent(10)",
        "parameters.text | b64encode",
        "[parameters.text, parameters.text] | tojson",
        "[parameters.text, parameters.text] | toyaml",
    ],
)
def test_a_text_has_a_mebibyte_and_is_not_built_beyond(expression):
    found = refused(expression, {"text": "a" * 900_000}, schema=OPEN)
    assert found == ("render.limit", "more than 1,048,576 characters in one text")


def test_a_text_of_exactly_a_mebibyte_is_built():
    half = "a" * (budget.TEXT // 2)
    assert len(value("parameters.text ~ parameters.text", {"text": half}, schema=OPEN)) == budget.TEXT


def test_output_has_two_hundred_thousand_nodes_and_a_hundred_levels():
    many = failed(
        "patch: {a: '${{ parameters.any }}', b: '${{ parameters.any }}'}", {"any": [[0] * 1_000 for _ in range(100)]}
    )
    assert many.message == "more than 200,000 nodes in the output of one definition"
    nested = None
    for _ in range(100):
        nested = [nested]
    deep = failed("patch: {a: '${{ parameters.any }}'}", {"any": nested})
    assert deep.message == "more than 100 levels in the output of one definition"
    assert (many.code, deep.code, deep.file) == ("render.limit", "render.limit", "probe.yaml")


def test_outputs_made_in_a_loop_are_counted():
    body = "outputs: {$for: 'i in range(201)', 'o${{ i }}': {apiVersion: v1, kind: A}}"
    assert failed(body).message == "more than 200 outputs of one definition"


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("1" + " " * 4100 + "+ 1", "the expression has 4,104 characters; 4,096 are allowed"),
        ("(" * 51 + "1" + ")" * 51, "brackets are nested more than 50 deep: " + "(" * 51 + "1" + ")" * 25 + "..."),
    ],
)
def test_an_expression_has_a_length_and_a_depth(expression, message):
    found = problems(f"patch: {{v: '${{{{ {expression}}}}}'}}")
    assert [(p.code, p.message) for p in found] == [("expression.limit", message)]


def test_an_expression_inside_the_bounds_is_accepted():
    assert tree("v: ${{ " + "(" * 50 + "1" + ")" * 50 + " }}") == {"v": 1}
    assert tree("v: ${{ 1" + " " * 4000 + "+ 1 }}") == {"v": 2}


def test_expressions_of_a_definition_have_a_number_and_a_length_together():
    found = problems("let: {a: 1}\npatch:\n" + "".join(f"  k{n}: ${{{{ a }}}}\n" for n in range(5_001)))
    assert [p.message for p in found] == ["the definition has more than 5,000 expressions"]
    found = problems("patch:\n" + "".join(f"  k{n}: ${{{{ '{'x' * 1000}' }}}}\n" for n in range(40)))
    assert {p.message for p in found} == {"the expressions have more than 32,768 characters together"}


def test_a_budget_belongs_to_one_evaluation():
    module_ = bound(OPEN + "patch: {v: [{$for: 'x in range(9000)', $value: 1}]}")
    for _ in range(30):
        assert len(module_.render({}, {}).patch["v"]) == 9_000
