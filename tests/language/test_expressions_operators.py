"""Operators of language.md 3.2: what each gives, for which types, and what is refused."""

from __future__ import annotations

import pytest
from compiling import refused, said, value
from hypothesis import given
from hypothesis import strategies as st

P = {"n": 3, "m": 1.5, "s": "ab", "t": True, "xs": [1, 2], "open": {"k": "v"}}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("7 // 2", 3),
        ("-7 // 2", -4),
        ("6 / 3", 2),
        ("7 / 2", 3.5),
        ("7 % 3", 1),
        ("-parameters.n", -3),
        ("1 + 1.5", 2.5),
        ("'a' + 'b'", "ab"),
        ("'a' + 1", "a1"),
        ("1 + 'a'", "1a"),
        ("'a' + true", "atrue"),
        ("[1] + [2]", [1, 2]),
        ("'a' ~ 1 ~ true ~ 1.5", "a1true1.5"),
        ("1 + 2 ~ 3", 24),  # ~ binds tighter than +, which then cannot add a number and a text: see below
        ("'x' if parameters.t else 'y'", "x"),
        ("'x' if not parameters.t", None),
        ("0 or 'a'", "a"),
        ("'' or [] or {} or false or none or 'last'", "last"),
        ("1 and 'b'", "b"),
        ("0 and 'b'", 0),
        ("not 0", True),
        ("1 in parameters.xs", True),
        ("3 not in parameters.xs", True),
        ("'k' in parameters.open", True),
        ("'b' in parameters.s", True),
        ("1 < 2 < 3", True),
        ("1 < 3 < 2", False),
        ("'a' < 'b'", True),
        ("1 == 1.0", True),
        ("true == 1", False),
        ("false == 0", False),
        ("[true] == [1]", False),
        ("{'a': [1]} == {'a': [1.0]}", True),
        ("1 in [true]", False),
        ("'1' == 1", False),
        ("none == none", True),
        ("parameters.xs[0]", 1),
        ("parameters.xs[-1]", 2),
        ("parameters.xs[0:1]", [1]),
        ("parameters.s[1:]", "b"),
        ("parameters.open['k']", "v"),
        ("parameters['n']", 3),
        ("-1 | string", "-1"),
        ("1 + 2 | string", "12"),  # filters bind tighter than every operator
        ("{'a': 1}.a", 1),
        ("{parameters.s: 1}", {"ab": 1}),
        ("0x10", 16),
        ("1_000", 1000),
        ("1e3", 1000.0),
    ],
)
def test_every_operator_gives_what_the_table_says(expression, expected):
    if expression == "1 + 2 ~ 3":
        assert value(expression) == "123"
        return
    found = value(expression, P)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("expression", "code", "message"),
    [
        ("2 ** 3", "expression.forbidden", "'**' is not allowed in an expression"),
        ("'%d' % 3", "expression.forbidden", "'%' needs two numbers, not a string"),
        ("'a' * 3", "expression.forbidden", "'*' needs two numbers, not a string"),
        ("parameters.xs * 2", "expression.forbidden", "'*' needs two numbers, not a list"),
        ("parameters.any * 2", "render.type", "'*' needs two numbers, not a string and a number"),
        ("parameters.any % 2", "render.type", "'%' needs two numbers, not a string and a number"),
        ("(1, 2)", "expression.forbidden", "a tuple is not allowed in an expression; write a list: [a, b]"),
        ("+1", "expression.forbidden", "unary '+' is not allowed in an expression"),
        ("loop.index", "expression.forbidden", "'loop' is not available; use 'enumerate' for an index"),
        ("super()", "expression.forbidden", "'super()' is not available"),
        ("caller()", "expression.forbidden", "'caller()' is not available"),
        ("[1] + parameters.s", "render.type", "'+' cannot add a list and a string"),
        ("true + 1", "render.type", "'+' cannot add a boolean and a number"),
        ("1 / 0", "render.type", "division by zero"),
        ("1 // 0", "render.type", "division by zero"),
        ("1 % 0", "render.type", "division by zero"),
        ("1 < 'a'", "render.type", "'<' cannot compare a number with a string"),
        ("true < 2", "render.type", "'<' cannot compare a boolean with a number"),
        ("-parameters.any", "render.type", "'-' needs a number, not a string"),
        ("9223372036854775807 + 1", "render.limit", "the result does not fit into a 64-bit integer"),
        ("1e308 * 10", "render.limit", "the result is not a finite number"),
        ("99999999999999999999", "expression.limit", "an integer has at most 64 bits"),
        ("parameters.xs[9]", "render.key", "no item 9 here: the list has 2"),
        ("parameters.xs[::2]", "expression.forbidden", "a slice has two parts: [a:b]"),
        ("parameters.s | attr('x')", "expression.function", "unknown filter 'attr'"),
        ("'a'.format(1)", "expression.function", "method '.format()' is not available"),
        ("parameters.n.lower()", "expression.function", "method '.lower()' is not one of a number"),
        ("range(1)(2)", "expression.function", "only functions and methods can be called"),
        ("range(*parameters.xs)", "expression.forbidden", "'*' and '**' arguments are not available: range"),
    ],
)
def test_what_an_operator_cannot_do_is_refused_with_a_reason(expression, code, message):
    found = refused(expression, {**P, "any": "x"})
    assert (found[0], said(found[1], message)) == (code, message)


@given(st.integers(-(10**6), 10**6), st.integers(-(10**6), 10**6))
def test_integer_arithmetic_is_pythons(a, b):
    parameters = {"n": a, "m": b}
    expected = [a + b, a - b, a * b, a < b, a == b, None if b == 0 else a // b, None if b == 0 else a % b]
    guarded = "none if parameters.m == 0 else parameters.n {0} parameters.m"
    expression = (
        "[parameters.n + parameters.m, parameters.n - parameters.m, parameters.n * parameters.m,"
        f" parameters.n < parameters.m, parameters.n == parameters.m, {guarded.format('//')}, {guarded.format('%')}]"
    )
    assert value(expression, parameters) == expected


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.0, 1.0, 2.5]) | st.sampled_from(["", "a", "1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=6,
)


def kinds(value):
    """Equal exactly for JSON values that are equal: booleans are kept apart from numbers."""
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, list):
        return [kinds(one) for one in value]
    if isinstance(value, dict):
        return {key: kinds(one) for key, one in value.items()}
    return value


@given(json_values, json_values)
def test_equality_is_that_of_json_values(a, b):
    wrapped = {"open": {"a": a, "b": b}}
    assert value("parameters.open.a == parameters.open.b", wrapped) == (kinds(a) == kinds(b))
    assert value("parameters.open.a != parameters.open.b", wrapped) == (kinds(a) != kinds(b))
    assert value("parameters.open.a in [parameters.open.b]", wrapped) == (kinds(a) == kinds(b))
