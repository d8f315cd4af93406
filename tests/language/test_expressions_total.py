"""Whatever is written as an expression: a value, or located problems in words of the language.  Never anything else."""

from __future__ import annotations

import json

import support
from compiling import CONTEXT, bound
from hypothesis import given, settings
from hypothesis import strategies as st

from appdelivery import errors
from appdelivery.language.expressions import filters, grammar
from appdelivery.language.problems import Wrong
from appdelivery.model.secret import Secret

SCHEMA = """
parameters:
  properties:
    n: {type: integer}
    s: {type: string}
    xs: {type: array, items: {type: integer}}
    ms: {type: array, items: {properties: {a: {type: string}, b: {}}}}
    m: {type: object, additionalProperties: {}}
    u: {oneOf: [{type: string}, {properties: {a: {type: integer}}}]}
    any: {}
"""
ATOMS = st.sampled_from(
    [*[f"parameters.{name}" for name in ("n", "s", "xs", "ms", "m", "u", "any")], "1", "0", "1.5", "'a'", "''", "true", "none", "[]",
     "{}", "[1, 'a']", "{'a': 1}", "context.name", "context.owned", "v", "range(3)", "enumerate(parameters.xs)"]
)  # fmt: skip
BINARY = ["+", "-", "*", "/", "//", "%", "~", "==", "!=", "<", "<=", ">", ">=", "in", "not in", "and", "or"]
ARGUMENTS = {
    "where": "('a', 1)",
    "pluck": "('a')",
    "merge": "({'a': none})",
    "pick": "('a')",
    "omit": "('a')",
    "indent": "(2)",
}
ARGUMENTS |= {
    "replace": "('a', 'b')",
    "split": "('a')",
    "default": "(1)",
    "startswith": "('a')",
    "endswith": "('a')",
    "get": "('a')",
}


def grown(inner):
    return st.one_of(
        st.builds(lambda a, op, b: f"({a} {op} {b})", inner, st.sampled_from(BINARY), inner),
        st.builds(lambda a, f: f"({a} | {f}{ARGUMENTS.get(f, '')})", inner, st.sampled_from([*filters.FILTERS, "default"])),
        st.builds(lambda a, m: f"({a}).{m}{ARGUMENTS.get(m, '()')}", inner, st.sampled_from(list(filters.METHODS))),
        st.builds(lambda a, t: f"({a} is {t})", inner, st.sampled_from(list(filters.TESTS))),
        st.builds(lambda a, b, c: f"({a} if {b} else {c})", inner, inner, inner),
        st.builds(lambda a, k: f"({a}).{k}", inner, st.sampled_from(["a", "b", "items"])),
        st.builds(lambda a, b: f"({a})[{b}]", inner, inner),
        st.builds(lambda a, b: f"({a})[{b}:]", inner, inner),
        st.builds(lambda a: f"(not {a})", inner),
        st.builds(lambda a: f"(-{a})", inner),
        st.builds(lambda a, b: f"[{a}, {b}]", inner, inner),
        st.builds(lambda a, b: f"{{'a': {a}, {b}: 1}}", inner, inner),
    )


EXPRESSIONS = st.recursive(ATOMS, grown, max_leaves=5)
SCALARS = st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from([0.5, "a", "", "1", "${{ n }}", Secret("hidden")])
ANY = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=4,
)
GIVEN = st.fixed_dictionaries(
    {},
    optional={
        "n": st.integers(-3, 3) | st.just("${{ later }}"),
        "s": st.sampled_from(["", "a", "12"]),
        "xs": st.lists(st.integers(0, 3), max_size=3),
        "ms": st.lists(st.fixed_dictionaries({}, optional={"a": st.just("x"), "b": ANY}), max_size=2),
        "m": st.dictionaries(st.sampled_from("abc"), ANY, max_size=2),
        "u": st.just("t") | st.just({"a": 1}) | st.just({}) | st.just("${{ later }}"),
        "any": ANY,
    },
)


@settings(max_examples=support.examples(150))
@given(EXPRESSIONS, GIVEN, st.sampled_from(["patch", "loop", "text", "health"]))
def test_an_expression_gives_a_value_or_problems(expression, parameters, place):
    quoted = "'" + expression.replace("'", "''") + "'"
    body = {
        "patch": f"patch: {{v: {'${{ @ }}'!r}}}",
        "loop": "patch: {v: [{$for: 'x in @', $value: '${{ x }}'}]}",
        "text": "patch: {v: 'a ${% if @ %}${{ @ }}${% endif %}'}",
        "health": "patch: {}\nhealth: {healthy: '${{ @ }}', message: 'm ${{ @ }}'}",
    }[place].replace("@", quoted[1:-1])
    found = outcome(f"{SCHEMA}\nlet: {{v: '${{{{ parameters.any }}}}'}}\n{body}", parameters, live=place == "health")
    if not isinstance(found, errors.SpecError):
        assert "hidden" not in json.dumps(found, default=repr)
        return
    for problem in found.problems:
        assert problem.file == "probe.yaml"
        assert problem.line
        assert problem.code.startswith(("expression.", "render."))
        for word in ("hidden", "NoneType", "'dict'", "object has", "Traceback"):
            assert word not in problem.message


def outcome(body, parameters, *, live=False):
    """What a definition makes, or the error that says why it cannot."""
    try:
        module = bound(body)
        made = module.render(parameters, CONTEXT).patch
        scope = {"parameters": parameters, "context": CONTEXT, "output": {}, "outputs": {}}
        return module.health(scope) if live else made
    except errors.SpecError as wrong:
        return wrong


@settings(max_examples=support.examples(300))
@given(st.text(alphabet="ab.[](){}'\"|~+-*/%<>=!&,: 01ifnotr", max_size=25))
def test_any_text_is_an_expression_or_a_syntax_problem(text):
    try:
        grammar.expression(text)
    except Wrong as wrong:
        refused = wrong
    else:
        return
    assert refused.code in ("expression.syntax", "expression.limit")
    assert refused.message


@settings(max_examples=support.examples(200))
@given(st.text(alphabet="${}% \nabifelsendor'-", max_size=40))
def test_any_text_is_a_leaf_or_has_problems(text):
    found = outcome("patch:\n  v: " + json.dumps(text), {})
    if isinstance(found, errors.SpecError):
        assert all(problem.line and problem.message for problem in found.problems)
    elif "${{" not in text and "${%" not in text:
        assert found == {"v": text}
