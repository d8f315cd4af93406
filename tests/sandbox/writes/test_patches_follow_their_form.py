from __future__ import annotations

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appdelivery.sandbox import schemas, status
from appdelivery.sandbox.writes import patches, types

KNOWN = schemas.Schemas(schemas.recorded()["definitions"])
POD_SPEC = types.of(KNOWN, {"$ref": "#/definitions/io.k8s.api.core.v1.PodSpec"})
METADATA = types.of(KNOWN, {"$ref": f"#/definitions/{types.METADATA}"})
TREES = st.recursive(
    st.sampled_from(["1", "2", 3, True]),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
DOCUMENTS = st.dictionaries(st.sampled_from("abc"), TREES, max_size=3)


def changed(old, new):
    """The merge patch between two documents."""
    found = {key: None for key in old if key not in new}
    for key, value in new.items():
        if key not in old:
            found[key] = value
        elif isinstance(value, dict) and isinstance(old[key], dict):
            found[key] = changed(old[key], value)
        elif value != old[key]:
            found[key] = value
    return found


@settings(max_examples=60, deadline=None)
@given(DOCUMENTS, DOCUMENTS)
def test_a_merge_patch_leads_from_one_document_to_the_other(old, new):
    before = copy.deepcopy(old)
    assert patches.merged(old, changed(old, new)) == new
    assert old == before


@pytest.mark.parametrize(
    ("change", "result"),
    [
        ({"a": None}, {"b": [1]}), ({"c": {"d": None, "e": 1}}, {"a": 1, "b": [1], "c": {"e": 1}}),
        ({"b": [{"x": None, "y": 1}]}, {"a": 1, "b": [{"y": 1}]}), ({"a": {"b": "c"}}, {"a": {"b": "c"}, "b": [1]}),
    ],
)  # fmt: skip
def test_a_merge_patch_takes_nulls_away(change, result):
    assert patches.merged({"a": 1, "b": [1]}, change) == result


@pytest.mark.parametrize(
    ("operations", "result"),
    [
        ([{"op": "add", "path": "/l/1", "value": "x"}], {"m": {"k": 1}, "l": ["a", "x", "b"]}),
        ([{"op": "add", "path": "/l/-", "value": "x"}], {"m": {"k": 1}, "l": ["a", "b", "x"]}),
        ([{"op": "remove", "path": "/l/0"}], {"m": {"k": 1}, "l": ["b"]}),
        ([{"op": "replace", "path": "/m/new", "value": 2}], {"m": {"k": 1, "new": 2}, "l": ["a", "b"]}),
        ([{"op": "move", "from": "/m/k", "path": "/k"}], {"m": {}, "l": ["a", "b"], "k": 1}),
        ([{"op": "copy", "from": "/m", "path": "/n"}], {"m": {"k": 1}, "l": ["a", "b"], "n": {"k": 1}}),
        ([{"op": "test", "path": "/m/k", "value": 1}], {"m": {"k": 1}, "l": ["a", "b"]}),
        ([{"op": "add", "path": "/a~1b~0c", "value": 1}], {"m": {"k": 1}, "l": ["a", "b"], "a/b~c": 1}),
    ],
)
def test_a_json_patch_does_its_operations(operations, result):
    live = {"m": {"k": 1}, "l": ["a", "b"]}
    assert patches.patched(POD_SPEC, live, "json", operations, is_custom=False) == result
    assert live == {"m": {"k": 1}, "l": ["a", "b"]}


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": "/x"}, {"op": "add", "path": "/x/y", "value": 1}, {"op": "test", "path": "/m/k", "value": 2},
        {"op": "replace", "path": "/l/9", "value": 1}, {"op": "other", "path": "/m"}, {"op": "add", "path": "m", "value": 1},
    ],
)  # fmt: skip
def test_a_json_patch_that_does_not_fit_is_refused(operation):
    with pytest.raises(status.Refusal) as caught:
        patches.patched(POD_SPEC, {"m": {"k": 1}, "l": ["a"]}, "json", [operation], is_custom=False)
    assert (caught.value.code, caught.value.message) == (
        422,
        "the server rejected our request due to an error in our request",
    )


def test_a_strategic_patch_merges_lists_by_their_key():
    live = {"containers": [{"name": "a", "image": "1", "env": [{"name": "X", "value": "1"}]}, {"name": "b", "image": "1"}]}
    change = {"containers": [{"name": "b", "image": "2"}, {"name": "c", "image": "3"}]}
    found = patches.strategic(POD_SPEC, live, change)
    assert [(one["name"], one["image"]) for one in found["containers"]] == [("a", "1"), ("b", "2"), ("c", "3")]


def test_directives_delete_replace_and_retain():
    live = {
        "containers": [{"name": "a"}, {"name": "b"}],
        "volumes": [{"name": "v", "emptyDir": {}}],
        "nodeSelector": {"x": "y"},
    }
    found = patches.strategic(POD_SPEC, live, {"containers": [{"name": "a", "$patch": "delete"}]})
    assert found["containers"] == [{"name": "b"}]
    found = patches.strategic(POD_SPEC, live, {"containers": [{"$patch": "replace"}, {"name": "z"}]})
    assert found["containers"] == [{"name": "z"}]
    change = {"volumes": [{"name": "v", "$retainKeys": ["name", "secret"], "secret": {"secretName": "s"}}]}
    assert patches.strategic(POD_SPEC, live, change)["volumes"] == [{"name": "v", "secret": {"secretName": "s"}}]
    found = patches.strategic(POD_SPEC, live, {"nodeSelector": {"$patch": "replace", "k": "v"}})
    assert found["nodeSelector"] == {"k": "v"}


def test_lists_of_scalars_are_joined_and_parted():
    live = {"finalizers": ["a", "b"]}
    assert patches.strategic(METADATA, live, {"finalizers": ["b", "c"]})["finalizers"] == ["a", "b", "c"]
    assert patches.strategic(METADATA, live, {"$deleteFromPrimitiveList/finalizers": ["a"]})["finalizers"] == ["b"]


def test_set_element_order_orders_what_the_patch_names():
    live = {"containers": [{"name": "a"}, {"name": "s"}, {"name": "b"}]}
    change = {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}], "containers": [{"name": "a", "image": "1"}]}
    found = patches.strategic(POD_SPEC, live, change)["containers"]
    assert [one["name"] for one in found] == ["s", "b", "a"]


def test_custom_kinds_have_no_strategic_patch():
    with pytest.raises(status.Refusal) as caught:
        patches.patched(POD_SPEC, {}, "strategic", {}, is_custom=True)
    assert caught.value.code == 415
