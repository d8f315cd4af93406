"""Filters, functions, tests and methods (language.md 6.2): what each gives, for every kind of input."""

from __future__ import annotations

import pytest
import support
from compiling import refused, said, value
from hypothesis import given, settings
from hypothesis import strategies as st

from appdelivery.language import budget
from appdelivery.language.expressions import filters
from appdelivery.language.problems import RenderError
from appdelivery.model.secret import Secret

P = {
    "open": {"b": 2, "a": 1},
    "xs": [{"kind": "A", "m": {"n": 1}}, {"kind": "B", "m": {"n": 2}}, {"kind": "A", "m": {"n": 2}}],
    "s": " Ab c ",
}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("parameters.open | items", [["b", 2], ["a", 1]]),
        ("parameters.open | keys", ["b", "a"]),
        ("parameters.open | values", [2, 1]),
        ("none | items", []),
        ("[3, 1, 2] | sort", [1, 2, 3]),
        ("['b', 'a'] | sort", ["a", "b"]),
        ("parameters.xs | sort('m.n') | pluck('kind')", ["A", "B", "A"]),
        ("parameters.xs | sort(by='kind') | pluck('m.n')", [1, 2, 2]),
        ("[1, 2, 1, true, 1.0] | unique", [1, 2, True]),
        ("parameters.xs | unique('m.n') | pluck('kind')", ["A", "B"]),
        ("[[1], [1], {'a': 1}, {'a': 1}] | unique", [[1], {"a": 1}]),
        ("[1, 2] | reverse", [2, 1]),
        ("parameters.xs | where('kind', 'A') | length", 2),
        ("parameters.xs | where('m.n', 2) | pluck('kind')", ["B", "A"]),
        ("parameters.xs | where('m.x', none) | length", 3),
        ("parameters.xs | pluck('m.x')", [None, None, None]),
        ("[[1], [2, [3]], 4] | flatten", [1, 2, [3], 4]),
        ("[1, 2] | first", 1),
        ("[1, 2] | last", 2),
        ("[] | first", None),
        ("none | last", None),
        ("[1, 2] | length", 2),
        ("'abc' | length", 3),
        ("none | length", 0),
        ("[1, 'a', true] | join(', ')", "1, a, true"),
        ("none | join", ""),
        ("[2, 1.5] | min", 1.5),
        ("[2, 1.5] | max", 2),
        ("[] | max", None),
        ("[1, 2, 3.5] | sum", 6.5),
        ("none | sum", 0),
        ("2.5 | round", 2),
        ("2.567 | round(1)", 2.6),
        ("{'a': {'b': 1, 'c': [1]}, 'd': 1} | merge({'a': {'b': 2, 'c': [2]}, 'd': none})", {"a": {"b": 2, "c": [2]}}),
        ("none | merge({'a': 1})", {"a": 1}),
        ("{'a': 1, 'b': 2} | pick('b', 'x')", {"b": 2}),
        ("{'a': 1, 'b': 2} | omit('b', 'x')", {"a": 1}),
        ("parameters.s | trim | lower", "ab c"),
        ("parameters.s | upper", " AB C "),
        ("'a.b.c' | replace('.', '-')", "a-b-c"),
        ("'a:b' | split(':')", ["a", "b"]),
        ("'a\\nb' | indent(2)", "a\n  b"),
        ("'a\\n\\nb' | indent(2, first=true)", "  a\n\n  b"),
        ("'12' | int", 12),
        ("' -3 ' | int", -3),
        ("3.9 | int", 3),
        ("'1.5' | float", 1.5),
        ("1 | string", "1"),
        ("true | string", "true"),
        ("{'b': [1, none], 'a': 'x'} | tojson", '{"b":[1,null],"a":"x"}'),
        ("{'b': [1]} | toyaml", "b:\n- 1\n"),
        ("'hällo' | b64encode", "aMOkbGxv"),
        ("'aMOkbGxv' | b64decode", "hällo"),
        ("'a' | sha256", "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"),
        ("'My_App.x' | dnsname", "my-app-x"),
        ("'abcdefghijklmnopqrst' | dnsname(20)", "abcdefghijklmnopqrst"),
        ("'abcdefghijklmnopqrstu' | dnsname(n=20) | length", 20),
        ("'500m' | quantity", 0.5),
        ("'8Gi' | quantity", 8589934592),
        ("0.5 | cpu", "500m"),
        ("2 | cpu", "2"),
        ("8589934592 | bytes", "8Gi"),
        ("range(3)", [0, 1, 2]),
        ("range(1, 6, 2)", [1, 3, 5]),
        ("range(3, 0, -1)", [3, 2, 1]),
        ("range(start=2, stop=4)", [2, 3]),
        ("enumerate(['a'])", [[0, "a"]]),
        ("enumerate(none)", []),
        ("'a' is string", True),
        ("1 is number", True),
        ("true is number", False),
        ("1.0 is integer", True),
        ("1.5 is integer", False),
        ("true is boolean", True),
        ("{} is mapping", True),
        ("[] is sequence", True),
        ("none is none", True),
        ("1 is not string", True),
        ("'a,b'.split(',')", ["a", "b"]),
        ("'xxaxx'.strip('x')", "a"),
        ("' a '.strip()", "a"),
        ("'abc'.startswith('ab')", True),
        ("'abc'.endswith('ab')", False),
        ("'aB'.upper() ~ 'aB'.lower()", "ABab"),
        ("parameters.open.keys()", ["b", "a"]),
        ("parameters.open.values()", [2, 1]),
        ("parameters.open.items()", [["b", 2], ["a", 1]]),
    ],
)
def test_every_filter_gives_what_its_row_says(expression, expected):
    found = value(expression, P)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("expression", "code", "message"),
    [
        ("none | lower", "render.null", "'lower' needs a string, not null"),
        ("1 | trim", "render.type", "'trim' needs a string, not a number"),
        ("'a' | items", "render.type", "'items' needs a map, not a string"),
        ("1 | first", "render.type", "'first' needs a list, not a number"),
        ("[1, 'a'] | sort", "render.type", "'sort' orders all numbers or all strings, not a number and a string"),
        ("[true, false] | sort", "render.type", "'sort' orders all numbers or all strings, not a boolean"),
        ("['a'] | sum", "render.type", "'sum' needs a list of numbers, not a string"),
        ("'x' | int", "render.type", "'x' is not an integer"),
        ("'1.5' | int", "render.type", "'1.5' is not an integer"),
        ("'99999999999999999999' | int", "render.limit", "the result does not fit into a 64-bit integer"),
        ("'nan' | float", "render.limit", "the result is not a finite number"),
        ("'x' | quantity", "render.type", "'x' is not a quantity such as 500m or 8Gi"),
        ("'%' | b64decode", "render.type", "'%' is not base64 of UTF-8 text"),
        ("'a' | replace('', 'b')", "render.type", "'replace' needs a text to look for, not ''"),
        ("'a' | split('')", "render.type", "'split' needs a text to split at, not ''"),
        ("1 | round(99)", "render.limit", "'round' takes an integer from -15 to 15, not 99"),
        ("range(1, 2, 0)", "render.type", "'range' needs a step other than 0"),
        ("[[1]] | join", "render.text", "a list inside text; use tojson"),
        ("'a' | upcase", "expression.function", "unknown filter 'upcase', did you mean 'upper'?"),
        ("'a' | uper", "expression.function", "unknown filter 'uper', did you mean 'upper'?"),
        ("now()", "expression.function", "unknown function 'now'"),
        ("1 is odd", "expression.function", "unknown test 'odd'"),
        ("1 is divisibleby 3", "expression.function", "unknown test 'divisibleby'"),
        ("'a' | lower('x')", "expression.function", "'lower' takes no argument, not 1"),
        ("'a' | replace('x')", "expression.function", "'replace' needs the argument 'b'"),
        ("'a' | indent(2, frist=true)", "expression.function", "'indent' has no argument 'frist', did you mean 'first'?"),
        ("'a' | default", "expression.function", "'default' takes one value: a | default(b)"),
        ("'a' | default('', true)", "expression.function", "'default' takes one value: a | default(b)"),
        ("'a'.join([])", "expression.function", "method '.join()' is not available"),
    ],
)
def test_what_a_filter_cannot_take_is_named(expression, code, message):
    found = refused(expression, P)
    assert (found[0], said(found[1], message)) == (code, message)


SMALL = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=5,
)
TABLE = [
    *[(f"filter {name}", callee) for name, callee in filters.FILTERS.items()],
    *[(f"method {name}", callee) for name, callee in filters.METHODS.items()],
    *[(f"function {name}", callee) for name, callee in filters.FUNCTIONS.items()],
]


@pytest.mark.parametrize(("name", "callee"), TABLE, ids=[name for name, _ in TABLE])
@settings(max_examples=support.examples(15))
@given(data=st.data())
def test_every_callee_is_total(name, callee, data):
    """A value or a named error for every input; never an exception of Python's, never a change of what it got."""
    arguments = [data.draw(SMALL | st.integers(-20, 20)) for _ in range(1 + callee.required)]
    if callee.arguments and data.draw(st.booleans()):
        arguments = [data.draw(SMALL) for _ in range(1 + len(callee.arguments))]
    if name.startswith("function"):
        arguments = arguments[: len(callee.arguments)]
    before = repr(arguments)
    outcome = outcome_of(callee, arguments)
    if isinstance(outcome, RenderError):
        assert outcome.code in ("render.null", "render.type", "render.text", "render.limit")
        assert not any(word in outcome.message for word in ("NoneType", "dict", "str ", "object"))
    assert repr(arguments) == before


def outcome_of(callee, arguments):
    try:
        return callee.call(budget.fresh(), *arguments)
    except RenderError as wrong:
        return wrong


def test_a_secret_leaks_through_no_filter():
    for name, callee in filters.FILTERS.items():
        outcome = outcome_of(callee, [Secret("hidden"), *["x"] * callee.required])
        if isinstance(outcome, RenderError):
            assert "hidden" not in outcome.message
        else:
            assert isinstance(outcome, Secret), name
            assert outcome.encoded


@pytest.mark.parametrize(
    ("expression", "code"),
    [
        ("parameters.secret ~ 'x'", "expression.forbidden"),
        ("parameters.secret + 'x'", "expression.forbidden"),
        ("parameters.secret == 'x'", "expression.forbidden"),
        ("parameters.secret in ['x']", "expression.forbidden"),
        ("parameters.secret | sha256", "expression.forbidden"),
        ("parameters.secret | length", "expression.forbidden"),
        ("parameters.secret[0:1]", "expression.forbidden"),
        ("parameters.any ~ 'x'", "render.text"),
        ("parameters.any == 'x'", "render.type"),
        ("parameters.any in ['x']", "render.type"),
        ("'hidden' in [parameters.any]", None),
        ("[parameters.any] | unique", None),
        ("[parameters.any] | where('x', 1)", None),
        ("[parameters.any] | tojson", "render.text"),
        ("parameters.any | lower", "render.type"),
        ("{'a': parameters.any} == {'a': 'hidden'}", "render.type"),
    ],
)
def test_a_secret_is_only_ever_a_whole_leaf(expression, code):
    parameters = {"secret": "hidden", "any": Secret("hidden")}
    if code is None:
        assert "hidden" not in str(value(expression, parameters))
        return
    found = refused(expression, parameters)
    assert found[0] == code
    assert "hidden" not in found[1]


def test_a_secret_may_be_tested_passed_on_and_encoded():
    parameters = {"secret": "hidden"}
    assert value("parameters.secret or 'none'", parameters) == Secret("hidden")
    assert value("parameters.secret is none", parameters) is False
    assert value("parameters.secret | b64encode", parameters) == Secret("hidden").as_base64()
    assert value("'yes' if parameters.secret else 'no'", parameters) == "yes"
