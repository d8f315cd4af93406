"""Two objects of one identity become one, or the path where they differ is named."""

from __future__ import annotations

import contextlib
import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appdelivery.language import patch
from appdelivery.model.secret import Secret


def service(**spec):
    labels = {"app.oam.dev/name": "shop", "trait.oam.dev/type": "AuxiliaryWorkload", "trait.oam.dev/resource": "expose"}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "labels": labels}, "spec": spec}


def different(first, second) -> patch.PatchError:
    with pytest.raises(patch.PatchError) as caught:
        patch.fold(first, second)
    assert caught.value.code == "render.duplicate"
    return caught.value


def test_equal_objects_are_one():
    assert patch.fold(service(type="ClusterIP"), service(type="ClusterIP")) == service(type="ClusterIP")


def test_fields_and_keyed_items_of_both_are_kept_those_of_the_first_before():
    first = service(ports=[{"port": 80, "name": "http"}], selector={"a": "b"})
    second = service(ports=[{"port": 53, "protocol": "UDP"}, {"port": 80, "targetPort": 8080}], type="ClusterIP")
    assert patch.fold(first, second)["spec"] == {
        "ports": [{"port": 80, "name": "http", "targetPort": 8080}, {"port": 53, "protocol": "UDP"}],
        "selector": {"a": "b"},
        "type": "ClusterIP",
    }


def test_trait_labels_of_the_first_stay_and_its_missing_ones_are_taken():
    second = service()
    second["metadata"]["labels"] = {"trait.oam.dev/type": "expose", "trait.oam.dev/x": "y", "more": "z"}
    labels = patch.fold(service(), second)["metadata"]["labels"]
    assert labels == {**service()["metadata"]["labels"], "trait.oam.dev/x": "y", "more": "z"}


def test_other_labels_must_agree():
    second = service()
    second["metadata"]["labels"]["app.oam.dev/name"] = "other"
    assert different(service(), second).message == "different metadata.labels.app.oam.dev/name (shop and other)"


@pytest.mark.parametrize(
    ("first", "second", "path", "message"),
    [
        ({"type": "ClusterIP"}, {"type": "NodePort"}, "spec.type", "different spec.type (ClusterIP and NodePort)"),
        ({"x": ["a"]}, {"x": ["b"]}, "spec.x", 'different spec.x (["a"] and ["b"])'),
        ({"x": 1}, {"x": {"y": 1}}, "spec.x", 'different spec.x (1 and {"y": 1})'),
        ({"x": 1}, {"x": True}, "spec.x", "different spec.x (1 and true)"),
        ({"ports": [{"port": 80, "name": "a"}]}, {"ports": [{"port": 80, "name": "b"}]}, "spec.ports[80/TCP].name",
         "different spec.ports[80/TCP].name (a and b)"),
        ({"env": ["A"]}, {"env": ["B"]}, "spec.env", 'different spec.env (["A"] and ["B"])'),
    ],
)  # fmt: skip
def test_differences_are_named_with_path_and_both_values(first, second, path, message):
    error = different(service(**first), service(**second))
    assert (error.path, error.message) == (path, message)


def test_sets_are_united():
    first, second = ({"metadata": {"finalizers": f}} for f in (["a", "b"], ["b", "c"]))
    assert patch.fold(first, second) == {"metadata": {"finalizers": ["a", "b", "c"]}}


def test_lists_that_hold_a_key_twice_are_compared_whole():
    twice = service(env=[{"name": "A"}, {"name": "A", "value": "1"}])
    assert patch.fold(twice, copy.deepcopy(twice)) == twice
    assert different(twice, service(env=[{"name": "A", "value": "1"}])).path == "spec.env"


def test_null_is_absence():
    assert patch.fold({"a": None, "b": 1}, {"a": 1, "b": None}) == {"a": 1, "b": 1}


def test_keys_that_look_like_directives_are_data():
    assert patch.fold({"a": {"$patch": "delete"}}, {"a": {"$ref": "#/x"}}) == {"a": {"$patch": "delete", "$ref": "#/x"}}


def test_secrets_are_compared_by_value_and_never_shown():
    first = {"data": {"p": Secret("hunter2")}}
    assert patch.fold(first, {"data": {"p": Secret("hunter2")}}) == first
    assert "hunter" not in different(first, {"data": {"p": Secret("hunter3")}}).message


NAMES = st.sampled_from(["a", "b", "env", "ports", "finalizers"])
ITEMS = st.fixed_dictionaries({"name": st.sampled_from("pq"), "port": st.integers(1, 2)}, optional={"v": st.integers(0, 1)})
TREES = st.recursive(
    st.integers(0, 1) | st.lists(st.sampled_from(["x", "y"]) | ITEMS, max_size=2),
    lambda inner: st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(NAMES, TREES, max_size=3), st.dictionaries(NAMES, TREES, max_size=3))
def test_no_input_is_changed_and_folding_again_changes_nothing(first, second):
    before = copy.deepcopy((first, second))
    with contextlib.suppress(patch.PatchError):
        folded = patch.fold(first, second)
        assert patch.fold(folded, first) == folded
        assert patch.fold(folded, second) == folded
    assert (first, second) == before
