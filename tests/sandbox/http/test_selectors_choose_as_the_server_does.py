"""Label selectors: meaning and refusals."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appdelivery.sandbox import status
from appdelivery.sandbox.http import selectors

KEY = st.sampled_from(["a", "b", "example.org/name"])
VALUE = st.sampled_from(["x", "y", "7", "12", ""])
LABELS = st.dictionaries(KEY, VALUE)
SOME = st.lists(st.sampled_from(["x", "y", "7"]), min_size=1, max_size=3)
TERM = st.one_of(
    st.tuples(st.just("="), KEY, VALUE), st.tuples(st.just("=="), KEY, VALUE), st.tuples(st.just("!="), KEY, VALUE),
    st.tuples(st.just("in"), KEY, SOME), st.tuples(st.just("notin"), KEY, SOME), st.tuples(st.just("there"), KEY, st.none()),
    st.tuples(st.just("!"), KEY, st.none()), st.tuples(st.sampled_from("<>"), KEY, st.sampled_from(["8", "0"])),
)  # fmt: skip


def written(term) -> str:
    sign, key, value = term
    if sign in ("in", "notin"):
        return f"{key} {sign} ({', '.join(value)})"
    return {"there": key, "!": f"!{key}"}.get(sign) or f"{key}{sign}{value}"


def meant(term, labels) -> bool:
    sign, key, value = term
    found = labels.get(key)
    if sign in ("=", "=="):
        return found == value
    if sign in ("!=", "notin"):
        return found is None or found not in (value if sign == "notin" else [value])
    if sign == "in":
        return found in value
    if sign in "<>":
        number = bool(found) and re.fullmatch(r"\d+", found) is not None
        return number and (int(found) > int(value) if sign == ">" else int(found) < int(value))
    return (found is not None) is (sign == "there")


@settings(max_examples=150, deadline=None)
@given(terms=st.lists(TERM, min_size=1, max_size=3), labels=LABELS)
def test_all_terms_must_hold(terms, labels):
    assert selectors.label(",".join(map(written, terms)))(labels) is all(meant(term, labels) for term in terms)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a===b,,", "unable to parse requirement: found '=', expected: identifier"),
        ("a in b", "unable to parse requirement: found 'b' expected: '('"),
        ("a in (b", "unable to parse requirement: found '', expected: ',' or ')'"),
        ("a in (", "unable to parse requirement: found '', expected: ',', ')' or identifier"),
        ("a in (=)", "unable to parse requirement: found '=', expected: ',', ')' or identifier"),
        ("a in (b c)", "unable to parse requirement: found 'c', expected: ',' or ')'"),
        ("a notin", "unable to parse requirement: found '' expected: '('"),
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("a=b c", "found 'c', expected: ',' or 'end of string'"),
        ("!a=b", "found '=', expected: ',' or 'end of string'"),
        ("!", "unable to parse requirement: found '', expected: identifier"),
        (",", "found ',', expected: !, identifier, or 'end of string'"),
        (
            "a>x",
            "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value must be an integer",
        ),
        ("a,,b", "found ',', expected: identifier after ','"),
        ("-a", 'unable to parse requirement: <nil>: Invalid value: "-a": name part must consist of alphanumeric'),
    ],
)
def test_what_cannot_be_read_is_refused_in_the_servers_words(text, said):
    with pytest.raises(status.Refusal) as refusal:
        selectors.label(text)
    assert refusal.value.code == 400
    assert refusal.value.message.startswith(said)


@pytest.mark.parametrize("text", ["a in ()", "a in (,)", "a in (b,,c)", "a=", "a=="])
def test_nothing_is_a_value_too(text):
    assert selectors.label(text)({"a": ""})
