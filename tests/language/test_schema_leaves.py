"""Expressions and secrets inside a value: accepted where they are judged elsewhere, by both evaluators alike."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appdelivery import errors
from appdelivery.language import schema, secrets
from appdelivery.language.schema import explain
from appdelivery.model.secret import Secret, SecretRef

EXPRESSION = "${{ components.db.output.spec.port }}"


def checked(tree):
    closed = schema.close({"properties": {"v": tree}}, {})
    space = dict(schema.NAMESPACE)
    exec(schema.source(closed), space)

    def check(value):
        try:
            filled = space["check"]({"v": value})
        except schema.Refusal:
            assert explain.findings(closed, {"v": value})
            return None
        assert explain.findings(closed, {"v": value}) == []
        return filled["v"]

    return check


@pytest.mark.parametrize(
    "tree",
    [
        {"type": "integer", "minimum": 3},
        {"type": "boolean"},
        {"enum": ["a", "b"]},
        {"const": 1},
        {"type": "string", "maxLength": 3, "pattern": "^a$"},
        {"type": "array", "items": {"type": "string"}},
        {"properties": {"a": {}}, "required": ["a"]},
        {"oneOf": [{"type": "integer"}, {"type": "string"}, {"properties": {"a": {}}}]},
        {"type": ["integer", "null"]},
        {"not": {"type": "string"}},
        {"if": {"type": "string"}, "then": {"minLength": 99}},
    ],
)
def test_a_leaf_with_an_expression_is_checked_when_it_is_resolved(tree):
    assert checked(tree)(EXPRESSION) == EXPRESSION


def test_text_around_an_expression_and_statements_count_too():
    check = checked({"type": "string", "maxLength": 2})
    assert check("http://${{ a }}/") == "http://${{ a }}/"
    assert check("${% if a %}x${% endif %}") is not None
    assert check("${HOME}") is None


def test_an_expression_satisfies_required_and_is_found_inside_lists_and_maps():
    check = checked({"required": ["a"], "properties": {"a": {"type": "array", "items": {"type": "integer"}}}})
    assert check({"a": [1, EXPRESSION]}) == {"a": [1, EXPRESSION]}
    assert check({"a": [1, "x"]}) is None


SECRET = {"type": "string", "x-secret": True, "minLength": 2}


def test_a_secret_parameter_takes_every_spelling():
    check = checked(SECRET)
    assert check("hunter2") == Secret("hunter2")
    assert check(Secret("x")) == Secret("x")
    assert check({"$age": "AGE"}) == secrets.Spelling("$age", ("AGE",))
    assert check({"$secretRef": {"key": "db"}}) == secrets.Spelling("$secretRef", ("installation", "db", 0))
    assert check({"$secretRef": {"store": "application", "key": "db", "version": 3}}).arguments == ("application", "db", 3)
    assert check({"$generate": 32}) == secrets.Spelling("$generate", (32, ""))
    assert check({"$generate": {"length": 8, "alphabet": "ab"}}) == secrets.Spelling("$generate", (8, "ab"))
    assert check(EXPRESSION) == EXPRESSION
    spelled = check({"$generate": 32})
    assert check(spelled) is spelled


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("x", "shorter than 2"),
        (3, "expected a string, got the number 3"),
        ({}, "a map with one of $age, $secretRef, $generate"),
        ({"$generate": 0}, "a length from 1 to 1024"),
        ({"$generate": "32"}, "$generate: expected a map with length, alphabet"),
        ({"$generate": {"size": 3}}, "$generate has no field 'size'"),
        ({"$generate": {"length": 3, "alphabet": "aa"}}, "two different characters"),
        ({"$generate": 1, "$age": "x"}, "a map with one of"),
        ({"$secretRef": "db"}, "$secretRef: expected a map with store, key, version"),
        ({"$secretRef": {"store": "x", "key": "a"}}, "$secretRef.store: expected one of installation, application"),
        ({"$secretRef": {"store": "installation"}}, "$secretRef.key"),
        ({"$secretRef": {"key": "a", "version": -1}}, "$secretRef.version"),
        ({"$age": 3}, "$age: expected the encrypted text"),
    ],
)
def test_a_wrong_spelling_is_explained(value, message):
    assert checked(SECRET)(value) is None
    closed = schema.close({"properties": {"v": SECRET}}, {})
    found = explain.findings(closed, {"v": value})
    assert len(found) == 1
    assert message in found[0].message
    assert found[0].path == ("v",)


def test_a_secret_from_elsewhere_passes_where_text_passes():
    secret = Secret("hunter2")
    assert checked({"type": "string", "pattern": "^x", "maxLength": 1})(secret) is secret
    assert checked({"enum": ["a"]})(secret) is secret
    assert checked({"oneOf": [{"type": "integer"}, {"type": "string"}]})(secret) is secret
    assert checked({"type": "integer"})(secret) is None
    assert checked({"type": "array"})(secret) is None


def test_no_spelling_is_read_where_nothing_is_secret():
    assert checked({"type": "string"})({"$generate": 32}) is None
    assert checked({"type": "object"})({"$generate": 32}) == {"$generate": 32}


def test_a_secret_never_shows_in_an_explanation():
    closed = schema.close({"properties": {"v": {"type": "integer"}, "w": {"enum": [1]}}}, {})
    found = explain.findings(closed, {"v": Secret("hunter2"), "w": [Secret("hunter2")]})
    assert found
    assert "hunter2" not in repr(found)


def test_settling_names_each_value_by_where_it_stands():
    tree = {
        "a": [{"password": secrets.Spelling("$generate", (24, ""))}],
        "b": secrets.Spelling("$secretRef", ("application", "k", 2)),
        "c": 1,
    }
    settled = secrets.settle(tree, owner="prod/shop", path_prefix="db")
    assert settled["a"][0]["password"].ref == SecretRef("application", "prod/shop", "db/a[0].password", length=24)
    assert settled["b"].ref == SecretRef("application", "prod/shop", "k", 2)
    assert settled["c"] == 1
    assert tree["a"][0]["password"] == secrets.Spelling("$generate", (24, ""))
    shared = secrets.settle(secrets.Spelling("$secretRef", ("installation", "k", 0)), owner="prod/shop", path_prefix="db")
    assert shared.ref == SecretRef("installation", "", "k", 0)


def test_settling_shares_what_holds_no_secret():
    tree = {"a": {"b": [1]}}
    assert secrets.settle(tree, owner="a/b", path_prefix="c") is tree


def test_age_is_refused_with_what_to_write_instead():
    with pytest.raises(errors.SpecError) as caught:
        secrets.settle({"a": [secrets.Spelling("$age", ("X",))]}, owner="a/b", path_prefix="c")
    problem = caught.value.problems[0]
    assert "not available until Git sources exist" in problem.message
    assert "appctl secret set" in problem.hint
    assert problem.path == ("a", 0)


@given(
    st.recursive(
        st.one_of(st.none(), st.integers(), st.text(max_size=3)),
        lambda s: st.dictionaries(
            st.sampled_from(["$generate", "$secretRef", "$age", "length", "key", "alphabet", "store"]), s, max_size=2
        ),
        max_leaves=5,
    )
)
def test_both_evaluators_agree_on_every_spelling(value):
    checked(SECRET)(value)
