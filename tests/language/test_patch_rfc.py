"""The two RFC forms: the appendix cases, errors in our words, and inputs that stay as they are."""

from __future__ import annotations

import copy

import jsonpatch
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appdelivery.language import patch
from appdelivery.model.secret import Secret, SecretRef

RFC_7396 = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]
# From appendix A of RFC 6902.
RFC_6902 = [
    ({"foo": "bar"}, [{"op": "add", "path": "/baz", "value": "qux"}], {"baz": "qux", "foo": "bar"}),
    ({"foo": ["bar", "baz"]}, [{"op": "add", "path": "/foo/1", "value": "qux"}], {"foo": ["bar", "qux", "baz"]}),
    ({"baz": "qux", "foo": "bar"}, [{"op": "remove", "path": "/baz"}], {"foo": "bar"}),
    ({"foo": ["bar", "qux", "baz"]}, [{"op": "remove", "path": "/foo/1"}], {"foo": ["bar", "baz"]}),
    ({"baz": "qux", "foo": "bar"}, [{"op": "replace", "path": "/baz", "value": "boo"}], {"baz": "boo", "foo": "bar"}),
    ({"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}},
     [{"op": "move", "from": "/foo/waldo", "path": "/qux/thud"}],
     {"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}}),
    ({"foo": ["all", "grass", "cows", "eat"]}, [{"op": "move", "from": "/foo/1", "path": "/foo/3"}],
     {"foo": ["all", "cows", "eat", "grass"]}),
    ({"baz": "qux", "foo": ["a", 2, "c"]},
     [{"op": "test", "path": "/baz", "value": "qux"}, {"op": "test", "path": "/foo/1", "value": 2}],
     {"baz": "qux", "foo": ["a", 2, "c"]}),
    ({"foo": "bar"}, [{"op": "add", "path": "/child", "value": {"grandchild": {}}}], {"foo": "bar", "child": {"grandchild": {}}}),
    ({"foo": "bar"}, [{"op": "add", "path": "/baz", "value": "qux", "xyz": 123}], {"foo": "bar", "baz": "qux"}),
    ({"/": 9, "~1": 10}, [{"op": "test", "path": "/~01", "value": 10}], {"/": 9, "~1": 10}),
    ({"foo": ["bar"]}, [{"op": "add", "path": "/foo/-", "value": ["abc", "def"]}], {"foo": ["bar", ["abc", "def"]]}),
    ({"foo": 1}, [{"op": "replace", "path": "", "value": {"b": 2}}], {"b": 2}),
    ({"a": {"b": [1]}}, [{"op": "copy", "from": "/a/b", "path": "/c"}, {"op": "add", "path": "/c/-", "value": 2}],
     {"a": {"b": [1]}, "c": [1, 2]}),
    ({}, [{"op": "add", "path": "/x", "value": {}}, {"op": "add", "path": "/x/y", "value": 1}], {"x": {"y": 1}}),
    ({"a": 1}, [], {"a": 1}),
]  # fmt: skip
REFUSED = [
    ([{"op": "test", "path": "/baz", "value": "bar"}], "patch.test", "operation 1 (test /baz): the value there is another one"),
    ([{"op": "add", "path": "/no/x", "value": 1}], "patch.operation", "operation 1 (add /no/x): there is no such place in the object"),
    ([{"op": "remove", "path": "/no"}], "patch.operation", "operation 1 (remove /no): there is no such place in the object"),
    ([{"op": "replace", "path": "/no", "value": 1}], "patch.operation", "operation 1 (replace /no): there is no such place in the object"),
    ([{"op": "add", "path": "/list/9", "value": 1}], "patch.operation", "operation 1 (add /list/9): there is no such place in the object"),
    ([{"op": "add", "path": "/list/x", "value": 1}], "patch.operation", "operation 1 (add /list/x): there is no such place in the object"),
    ([{"op": "remove", "path": "/baz"}, {"op": "remove", "path": "/baz"}], "patch.operation",
     "operation 2 (remove /baz): there is no such place in the object"),
    ([{"op": "add", "path": "/a"}], "patch.operation", "operation 1 (add /a): The operation does not contain a 'value' member"),
    ([{"op": "spam", "path": "/a"}], "patch.operation", "operation 1 (spam /a): Unknown operation 'spam'"),
    ([{"op": "add", "path": "a", "value": 1}], "patch.operation", None),
    ([{"path": "/a", "value": 1}], "patch.operation", None),
    ([{"op": "add", "path": 5, "value": 1}], "patch.operation", None),
    ([{"op": "move", "path": "/a"}], "patch.operation", None),
    ([{"op": ["add"], "path": "/a", "value": 1}], "patch.operation", None),
    ({"op": "add"}, "patch.type", None),
    (["add"], "patch.type", None),
    (None, "patch.type", None),
]  # fmt: skip


@pytest.mark.parametrize(("base", "change", "result"), RFC_7396)
def test_merge_as_the_appendix_of_rfc_7396_says(base, change, result):
    before = copy.deepcopy((base, change))
    assert patch.merge(base, change) == result
    assert (base, change) == before


@pytest.mark.parametrize(("base", "operations", "result"), RFC_6902)
def test_operations_as_the_appendix_of_rfc_6902_says(base, operations, result):
    before = copy.deepcopy((base, operations))
    assert patch.json(base, operations) == result
    assert (base, operations) == before


@pytest.mark.parametrize(("operations", "code", "message"), REFUSED)
def test_operations_that_cannot_be_done_are_named(operations, code, message):
    base = {"baz": "qux", "list": [1], "secret": "hunter2"}
    with pytest.raises(patch.PatchError) as caught:
        patch.json(base, operations)
    assert caught.value.code == code
    assert message is None or caught.value.message == message
    assert "hunter2" not in caught.value.message
    assert base == {"baz": "qux", "list": [1], "secret": "hunter2"}


def test_secrets_are_carried_copied_and_compared_but_never_opened():
    secret, other = Secret("hunter2"), Secret(ref=SecretRef("application", "shop/web", "db"))
    operations = [
        {"op": "copy", "from": "/data", "path": "/copy"},
        {"op": "test", "path": "/copy/a", "value": Secret("hunter2")},
        {"op": "add", "path": "/b", "value": [other]},
    ]
    assert patch.json({"data": {"a": secret}}, operations) == {"data": {"a": secret}, "copy": {"a": secret}, "b": [other]}
    with pytest.raises(patch.PatchError) as caught:
        patch.json({"a": secret}, [{"op": "test", "path": "/a", "value": "hunter2"}])
    assert "hunter" not in caught.value.message


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | st.sampled_from(["x", "y"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES, VALUES)
def test_the_difference_of_two_trees_makes_the_one_from_the_other(base, target):
    operations = jsonpatch.make_patch(base, target).patch
    before = copy.deepcopy((base, operations))
    assert patch.json(base, operations) == target
    assert (base, operations) == before


@given(VALUES, VALUES)
def test_merging_twice_is_merging_once(base, change):
    before = copy.deepcopy((base, change))
    merged = patch.merge(base, change)
    assert patch.merge(merged, change) == merged
    assert (base, change) == before
