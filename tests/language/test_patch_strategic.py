"""Strategic merge, row by row of its tables, and the promise that no input is ever changed."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appdelivery.language import patch
from appdelivery.model.secret import Secret

WEB = {"name": "web", "image": "x"}


def spec(**fields):
    return {"spec": fields}


def refused(base, change) -> patch.PatchError:
    with pytest.raises(patch.PatchError) as caught:
        patch.strategic(base, change)
    return caught.value


@pytest.mark.parametrize(
    ("base", "change", "result"),
    [
        # maps, scalars, types
        ({"a": {"b": 1, "c": 2}}, {"a": {"c": 3, "d": 4}}, {"a": {"b": 1, "c": 3, "d": 4}}),
        ({"a": 1, "b": 2}, {"a": None}, {"b": 2}),
        ({"a": 1}, {"b": None}, {"a": 1}),
        ({"a": {"b": 1}}, {"a": 5}, {"a": 5}),
        ({"a": [1]}, {"a": {"b": 1}}, {"a": {"b": 1}}),
        ({"a": 1}, {"a": ["x"]}, {"a": ["x"]}),
        ({}, {"a": {"b": None, "c": {"d": None}}}, {"a": {"c": {}}}),
        (None, {"a": 1}, {"a": 1}),
        ({"a": 1}, {"a": 0, "b": False, "c": ""}, {"a": 0, "b": False, "c": ""}),
        # lists
        ({"args": ["a", "b"]}, {"args": ["c"]}, {"args": ["c"]}),
        ({"args": ["a"]}, {"args": []}, {"args": []}),
        ({"args": ["a"]}, {"args": ["b", None]}, {"args": ["b"]}),
        ({"tolerations": [{"key": "a"}]}, {"tolerations": [{"key": "b", "value": None}]}, {"tolerations": [{"key": "b"}]}),
        ({"env": [{"name": "A", "value": "1"}]}, {"env": [{"name": "B", "value": "2"}, {"name": "A", "value": "3"}]},
         {"env": [{"name": "A", "value": "3"}, {"name": "B", "value": "2"}]}),
        ({"env": [{"name": "A"}]}, {"env": []}, {"env": [{"name": "A"}]}),
        ({}, {"env": []}, {"env": []}),
        ({}, {"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]}, {"env": [{"name": "A", "value": "2"}]}),
        ({"finalizers": ["a", "b"]}, {"finalizers": ["b", "c", "c"]}, {"finalizers": ["a", "b", "c"]}),
        ({"podCIDRs": ["a"]}, {"podCIDRs": ["b"]}, {"podCIDRs": ["a", "b"]}),
        ({"volumeMounts": [{"mountPath": "/a", "name": "x"}]}, {"volumeMounts": [{"mountPath": "/a", "name": "y"}]},
         {"volumeMounts": [{"mountPath": "/a", "name": "y"}]}),
        ({"volumeDevices": [{"devicePath": "/a", "name": "x"}]}, {"volumeDevices": [{"devicePath": "/b", "name": "x"}]},
         {"volumeDevices": [{"devicePath": "/a", "name": "x"}, {"devicePath": "/b", "name": "x"}]}),
        ({"topologySpreadConstraints": [{"topologyKey": "z", "maxSkew": 1}]},
         {"topologySpreadConstraints": [{"topologyKey": "z", "maxSkew": 2}]},
         {"topologySpreadConstraints": [{"topologyKey": "z", "maxSkew": 2}]}),
        ({"ownerReferences": [{"uid": "1", "name": "a"}]}, {"ownerReferences": [{"uid": "1", "name": "b"}]},
         {"ownerReferences": [{"uid": "1", "name": "b"}]}),
        # ports: number and protocol, TCP when missing
        ({"ports": [{"port": 80, "name": "a"}]}, {"ports": [{"port": 80, "protocol": "TCP", "name": "b"}]},
         {"ports": [{"port": 80, "name": "b", "protocol": "TCP"}]}),
        ({"ports": [{"port": 53, "protocol": "UDP", "name": "a"}]}, {"ports": [{"port": 53, "name": "b"}]},
         {"ports": [{"port": 53, "protocol": "UDP", "name": "a"}, {"port": 53, "name": "b"}]}),
        ({"ports": [{"containerPort": 80}]}, {"ports": [{"containerPort": 80, "name": "a"}]},
         {"ports": [{"containerPort": 80, "name": "a"}]}),
        # directives
        ({"a": {"x": 1}}, {"a": {"$patch": "replace", "y": 2}}, {"a": {"y": 2}}),
        ({"a": {"x": 1}}, {"a": {"y": 2, "$patch": "replace"}}, {"a": {"y": 2}}),
        ({"a": {"x": 1}, "b": 1}, {"a": {"$patch": "delete"}}, {"b": 1}),
        ({"a": {"x": 1}}, {"a": {"$patch": "merge", "y": 2}}, {"a": {"x": 1, "y": 2}}),
        ({"a": 1, "b": 2}, {"$patch": "replace", "c": 3}, {"c": 3}),
        ({"env": [{"name": "A"}, {"name": "B"}]}, {"env": [{"name": "A", "$patch": "delete"}]}, {"env": [{"name": "B"}]}),
        ({"env": [{"name": "A"}]}, {"env": [{"name": "A", "value": "1"}, {"name": "A", "$patch": "delete"}]}, {"env": []}),
        ({"env": [{"name": "A"}]}, {"env": [{"name": "A", "$patch": "delete"}, {"name": "A", "value": "1"}]}, {"env": []}),
        ({"env": [{"name": "A", "value": "1", "x": 1}]}, {"env": [{"name": "A", "$patch": "replace", "value": "2"}]},
         {"env": [{"name": "A", "value": "2"}]}),
        ({"env": [{"name": "A"}]}, {"env": [{"$patch": "replace"}, {"name": "B"}]}, {"env": [{"name": "B"}]}),
        ({"args": ["a"]}, {"args": [{"$patch": "replace"}, "b"]}, {"args": ["b"]}),
        ({"s": {"type": "A", "rolling": {"x": 1}}}, {"s": {"$retainKeys": ["type"], "type": "B"}}, {"s": {"type": "B"}}),
        ({"rules": [{"host": "a", "x": 1}]}, {"rules": [{"$key": "host", "host": "a", "y": 2}, {"host": "b"}]},
         {"rules": [{"host": "a", "x": 1, "y": 2}, {"host": "b"}]}),
        ({"r": [{"a": 1, "b": 1}, {"a": 1, "b": 2}]}, {"r": [{"$key": ["a", "b"]}, {"a": 1, "b": 2, "c": 3}]},
         {"r": [{"a": 1, "b": 1}, {"a": 1, "b": 2, "c": 3}]}),
        ({"r": [{"a": 1}, {"a": 2}]}, {"r": [{"$key": "a", "a": 1, "$patch": "delete"}]}, {"r": [{"a": 2}]}),
        ({}, {"a": {"$retainKeys": ["b"], "b": {"$patch": "replace", "c": 1}}}, {"a": {"b": {"c": 1}}}),
        ({}, {"tolerations": [{"key": "a", "$setElementOrder/x": [], "b": {"$patch": "replace", "c": None}}]},
         {"tolerations": [{"key": "a", "b": {}}]}),
        # custom resources use the names of fields for other lists
        ({"secrets": ["a"]}, {"secrets": ["b"]}, {"secrets": ["b"]}),
        ({"ports": [{"number": 80}]}, {"ports": [{"number": 81}]}, {"ports": [{"number": 81}]}),
        ({"containers": [{"name": "operator"}]}, {"containers": [{"$key": "name", "name": "own", "args": ["x"]}]},
         {"containers": [{"name": "operator"}, {"name": "own", "args": ["x"]}]}),
    ],
)  # fmt: skip
def test_the_tables(base, change, result):
    before = copy.deepcopy((base, change))
    assert patch.strategic(base, change) == result
    assert (base, change) == before


def test_order_of_the_base_is_kept_and_new_items_are_appended_in_patch_order():
    base = {"containers": [{"name": n, "image": n} for n in "cab"]}
    change = {"containers": [{"name": "z", "image": "z"}, {"name": "b", "image": "B"}, {"name": "y", "image": "y"}]}
    assert [c["name"] for c in patch.strategic(base, change)["containers"]] == ["c", "a", "b", "z", "y"]


def test_keys_keep_their_order_and_new_ones_follow():
    assert list(patch.strategic({"b": 1, "a": 2}, {"z": 3, "a": 4})) == ["b", "a", "z"]


def test_untouched_sub_trees_are_shared():
    base = {"a": {"b": [1, 2]}, "containers": [{"name": "x", "image": "i", "env": [{"name": "A"}]}, WEB]}
    result = patch.strategic(base, {"containers": [{"name": "web", "image": "y"}]})
    assert result["a"] is base["a"]
    assert result["containers"][0] is base["containers"][0]


def test_secrets_pass_through_unopened():
    secret = Secret("hunter2")
    assert patch.strategic({"data": {"a": secret}}, {"data": {"b": secret}})["data"]["b"] is secret


@pytest.mark.parametrize(
    ("field", "what"),
    [("containers", "container"), ("initContainers", "init container"), ("ephemeralContainers", "ephemeral container")],
)
def test_a_container_that_matches_nothing_and_has_no_image_is_a_typo(field, what):
    error = refused(spec(**{field: [WEB]}), spec(**{field: [{"name": "wen", "env": []}]}))
    assert (error.code, error.message) == ("patch.target", f"{what} 'wen' not found, did you mean 'web'?")
    assert error.hint == "known: web; a new one needs an image"
    assert error.path == f"spec.{field}[wen]"


def test_a_container_without_image_is_refused_where_there_is_none_yet():
    assert refused({}, spec(containers=[{"name": "web"}])).hint == "there is none yet; a new one needs an image"


@pytest.mark.parametrize(
    ("field", "item", "needed"),
    [("containers", {"image": "x"}, "'name'"), ("env", {"value": "x"}, "'name'"), ("env", {"name": {}}, "'name'"),
     ("volumeMounts", {"name": "x"}, "'mountPath'"), ("ports", {"name": "x"}, "'port'"), ("env", "A=1", "'name'")],
)  # fmt: skip
def test_an_item_without_its_key_is_an_error(field, item, needed):
    error = refused({}, spec(**{field: [item, {"name": "a", "image": "x", "mountPath": "/a", "port": 1}]}))
    assert (error.code, error.message) == ("patch.key", f"spec.{field}: every patch item needs {needed}")
    assert "$key" in error.hint


def test_ports_of_a_container_need_their_number():
    error = refused({}, {"ports": [{"containerPort": 80}, {"port": 81}]})
    assert error.message == "ports: every patch item needs 'containerPort'"


def test_a_composite_key_is_needed_whole():
    error = refused({"r": []}, {"r": [{"$key": ["a", "b"], "a": 1}]})
    assert error.message == "r: every patch item needs 'a' and 'b'"


@pytest.mark.parametrize(
    ("change", "message", "path"),
    [
        ({"a": {"$pacth": "delete"}}, "unknown directive '$pacth', did you mean '$patch'?", "a.$pacth"),
        ({"a": {"$patch": "remove"}}, "$patch is one of delete, replace, merge, not remove", "a"),
        ({"a": {"$retainKeys": "b"}}, "$retainKeys takes a list of keys", "a"),
        ({"a": {"$retainKeys": ["b"], "c": 1}}, "$retainKeys lacks 'c', which the patch sets", "a"),
        ({"r": [{"$key": 3}]}, "$key takes the name of a field, or a list of names", "r"),
        ({"r": [{"$key": []}]}, "$key takes the name of a field, or a list of names", "r"),
        ({"$patch": "delete"}, "a patch cannot delete the whole object", ""),
    ],
)
def test_directives_that_mean_nothing_are_refused(change, message, path):
    error = refused({}, change)
    assert (error.code, error.message, error.path) == ("patch.directive", message, path)


def test_an_item_of_a_list_without_key_cannot_be_deleted():
    error = refused({"rules": [{"host": "a"}]}, {"rules": [{"host": "a", "$patch": "delete"}]})
    assert (error.code, error.path) == ("patch.key", "rules")
    assert "$key" in error.hint


@pytest.mark.parametrize("change", [None, [], "x", 3])
def test_a_patch_is_a_map(change):
    assert refused({}, change).code == "patch.type"


FIELDS = st.sampled_from(["a", "b", "containers", "env", "ports", "args", "finalizers", "volumes"])
LEAVES = st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["x", "y"])
ITEMS = st.fixed_dictionaries(
    {"name": st.sampled_from(["p", "q"]), "image": LEAVES},
    optional={"port": st.integers(1, 3), "$patch": st.sampled_from(["delete", "replace", "merge"]), "$key": st.just("name")},
)
TREES = st.recursive(
    st.dictionaries(FIELDS, LEAVES | st.lists(LEAVES | ITEMS, max_size=3), max_size=4),
    lambda inner: st.dictionaries(FIELDS | st.sampled_from(["$patch", "$retainKeys"]), inner | LEAVES | st.lists(inner | ITEMS, max_size=3), max_size=4),
    max_leaves=12,
)  # fmt: skip


def without_directives(tree):
    if isinstance(tree, dict):
        return {k: without_directives(v) for k, v in tree.items() if k[0] != "$" and v is not None}
    return [without_directives(v) for v in tree if v is not None] if isinstance(tree, list) else tree


def holds_directive_or_null(tree):
    if isinstance(tree, dict):
        return any(k[0] == "$" or holds_directive_or_null(v) for k, v in tree.items())
    return any(map(holds_directive_or_null, tree)) if isinstance(tree, list) else tree is None


@given(TREES.map(without_directives), TREES, st.booleans())
def test_no_input_is_changed_and_no_directive_or_null_gets_out(base, change, logged):
    before = copy.deepcopy((base, change))
    try:
        result = patch.strategic(base, change, author="a", writes=patch.Writes() if logged else None)
    except patch.PatchError:
        result = {}
    assert (base, change) == before
    assert not holds_directive_or_null(result)
    patched = copy.deepcopy(result)
    assert patch.strategic(result, {}) == patched


@given(TREES.map(without_directives), TREES)
def test_one_author_never_disagrees_with_himself(base, change):
    def outcome(**how):
        try:
            return patch.strategic(base, change, **how)
        except patch.PatchError as error:
            return error.code, error.message, error.path

    writes = patch.Writes()
    assert outcome() == outcome(author="a", writes=writes) == outcome(author="a", writes=writes)
