"""Expressions in Applications, conditions and deferred strings (language.md 12.1, oam.md 8)."""

from __future__ import annotations

import pytest
from compiling import said

from appdelivery import errors
from appdelivery.language import inline

NAMES = {
    "components": {"db": None, "my-db": None, "my-db-2": None},
    "context": frozenset({"appName", "namespace"}),
}
VALUES = {
    "components": {
        "db": {"name": "db", "outputs": {"svc": {"metadata": {"name": "db-svc"}, "spec": {"ports": [{"port": 5432}]}}}},
        "my-db": {"name": "my"},
        "my-db-2": {"name": "two"},
    },
    "context": {"appName": "shop", "namespace": "prod"},
}


def test_an_inline_expression_tells_what_it_reads_and_gives_its_value():
    made = inline.compile("${{ components.db.outputs.svc.metadata.name }}.${{ context.namespace }}.svc", NAMES)
    assert made.components == {"db"}
    assert made.paths == (
        ("components", "db", "outputs", "svc", "metadata", "name"),
        ("context", "namespace"),
    )
    assert made.value(VALUES) == "db-svc.prod.svc"


@pytest.mark.parametrize(
    ("text", "expected", "path"),
    [
        ("${{ components.db.outputs.svc.spec.ports[0].port }}", 5432, ("components", "db", "outputs", "svc", "spec", "ports", 0, "port")),
        ("${{ components['db'].name }}", "db", ("components", "db", "name")),
        ("${{ components.my-db.name }}", "my", ("components", "my-db", "name")),
        ("${{ components.my-db-2.name ~ '-x' }}", "two-x", ("components", "my-db-2", "name")),
        ("${{ 'components.my-db' }}", "components.my-db", None),
        ("${{ components.db.nothing | default('x') }}", "x", ("components", "db", "nothing")),
        ("plain $${{ not }}", "plain ${{ not }}", None),
    ],
)  # fmt: skip
def test_typed_values_dashes_and_escapes(text, expected, path):
    made = inline.compile(text, NAMES)
    assert made.value(VALUES) == expected
    assert made.paths == (() if path is None else (path,))


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("${{ components.dbb.name }}", "expression.path", "components has no property 'dbb', did you mean 'db'?"),
        ("${{ components }}", "expression.forbidden", "say which part of 'components' is meant: components.NAME"),
        ("${{ components[context.appName] }}", "expression.forbidden", "say which part of 'components' is meant: components.NAME"),
        ("${{ context.cluster }}", "expression.path", "context has no property 'cluster'"),
        ("${{ parameters.x }}", "expression.name", "unknown name 'parameters'"),
        ("${{ components.db-x }}", "expression.name", "unknown name 'x'"),
        ("${{ components.db", "expression.syntax", "expected '}}', got 'end of text' in expression: components.db"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_without_a_place(text, code, message):
    with pytest.raises(errors.SpecError) as wrong:
        inline.compile(text, NAMES)
    found = wrong.value.problems[0]
    assert (found.code, said(found.message, message)) == (code, message)
    assert (found.file, found.line, found.path) == ("", 0, ())


def test_what_a_value_makes_impossible_is_said_without_a_place():
    with pytest.raises(errors.SpecError) as wrong:
        inline.compile("x ${{ components.db.gone.far }}", NAMES).value(VALUES)
    found = wrong.value.problems[0]
    assert (found.code, found.message) == ("render.key", "no key 'gone' here; use .get('gone') or default()")
    assert (found.file, found.line, found.path) == ("", 0, ())


def test_live_mode_reads_what_is_not_there_as_null():
    made = inline.compile("${{ output.status.x }}", frozenset({"output"}), mode="live")
    assert made.value({"output": {}}) is None
    assert made.value({}) is None


def test_find_gives_leaves_with_expressions_in_document_order():
    tree = {
        "a": "${{ x }}",
        "b": ["text", "$${{ y }}", {"c": "z ${% if x %}1${% endif %}"}],
        "d": 1,
        "e": "$${{ y }} ${{ x }}",
    }
    assert inline.find(tree) == [
        (("a",), "${{ x }}"),
        (("b", 2, "c"), "z ${% if x %}1${% endif %}"),
        (("e",), "$${{ y }} ${{ x }}"),
    ]


def test_find_leaves_deferred_strings_alone():
    schema = {
        "properties": {
            "q": {"type": "string", "x-deferred": ["args"]},
            "list": {"type": "array", "items": {"properties": {"q": {"x-deferred": ["args"]}, "r": {}}}},
        }
    }
    tree = {"q": "${{ args.x }}", "list": [{"q": "${{ args.x }}", "r": "${{ here }}"}]}
    assert inline.find(tree, schema) == [(("list", 0, "r"), "${{ here }}")]


def test_unescape_changes_only_what_it_must():
    same = {"a": ["${{ x }}", "${HOME}", 1]}
    assert inline.unescape(same) is same
    tree = {"a": ["$${{ x }}", "$${% y %}"], "b": same}
    assert inline.unescape(tree) == {"a": ["${{ x }}", "${% y %}"], "b": same}
    assert inline.unescape(tree)["b"] is same


def test_a_bare_expression_needs_no_brackets():
    assert inline.bare("result[0] < 0.01 and result | length == 1", frozenset({"result"})).value({"result": [0.001]}) is True


STEPS = {"status": {"my-step": frozenset({"failed", "phase"})}, "inputs": None, "context": frozenset({"appName"})}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${{ status.my-step.failed }}", True),
        ("status.my-step.failed", True),
        ('status.my-step.phase == "failed" && inputs.n > 1', True),
        ("!status.my-step.failed || inputs.missing", None),
        ("inputs.x.y.z", None),
    ],
)
def test_a_condition_is_read_in_both_spellings(text, expected):
    values = {"status": {"my-step": {"failed": True, "phase": "failed"}}, "inputs": {"n": 2}, "context": {"appName": "a"}}
    assert inline.condition(text, STEPS).value(values) == expected


@pytest.mark.parametrize("text", ["status.my-stp.failed", "${{ status.my-step.faild }}", "status.my-step.failed &"])
def test_a_wrong_condition_is_refused(text):
    with pytest.raises(errors.SpecError):
        inline.condition(text, STEPS)


@pytest.mark.parametrize(
    "text",
    [
        "${% if true %}" * 2000 + "${% endif %}" * 2000,
        "${{ " + "(" * 60 + "1" + ")" * 60 + " }}",
        "${{ " + "not " * 900 + "1 }}",
        "${{ 1 }}" * 6000,
        "${{ range(100000000) }}",
        "${{ 'a' * 100 }}",
        "${{ '" + "x" * 5000 + "' }}",
    ],
)
def test_a_hostile_expression_is_refused(text):
    with pytest.raises(errors.SpecError) as wrong:
        inline.compile(text, NAMES).value(VALUES)
    assert wrong.value.problems[0].code in ("expression.limit", "expression.forbidden", "render.limit")
