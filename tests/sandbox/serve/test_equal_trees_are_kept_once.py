"""managedFields in the storage: what is equal is one tree, and says what it said."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from appdelivery.sandbox import sharing, storage

CONFIG_MAPS = ("", "configmaps")
names = st.text("abé.:", max_size=3)
trees = st.recursive(st.dictionaries(names, st.just({})), lambda inner: st.dictionaries(names, inner | names, max_size=4))


def body(name, value, manager="tests"):
    fields = {"f:data": {".": {}, f"f:{value}": {}}}
    entry = {"manager": manager, "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": fields}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "shop", "uid": f"uid-{name}", "managedFields": [entry]},
        "data": {value: "1"},
    }


def entries(item):
    return item.body["metadata"]["managedFields"]


def test_two_objects_of_one_shape_have_one_entry():
    held = storage.Storage()
    one, two, other = [held.commit(storage.ADDED, CONFIG_MAPS, body(*said)) for said in ("ax", "bx", "cy")]
    assert entries(one)[0] is entries(two)[0]
    assert entries(other)[0]["fieldsV1"]["f:data"]["f:y"] is entries(one)[0]["fieldsV1"]["f:data"]["."]


def test_what_a_write_leaves_alone_stays_the_same_tree():
    held = storage.Storage()
    one = held.commit(storage.ADDED, CONFIG_MAPS, body("a", "x"))
    for number in range(2 * sharing.MOST):  # more shapes than are remembered
        held.commit(storage.ADDED, CONFIG_MAPS, body(f"b{number}", f"x{number}"))
    two = held.commit(storage.MODIFIED, CONFIG_MAPS, body("a", "x"))
    assert entries(one)[0] is entries(two)[0]


def test_objects_of_a_former_run_share_too():
    held = storage.Storage()
    bodies = [body("a", "x"), body("b", "x")]
    for made in bodies:
        made["metadata"]["resourceVersion"] = "7"
    held.restore(7, iter([(CONFIG_MAPS, made) for made in bodies]))
    one, two = held.family(CONFIG_MAPS).items()
    assert entries(one)[0] is entries(two)[0]


@given(st.lists(trees, max_size=6))
def test_nothing_that_is_said_changes(given):
    found = sharing.Trees().shared(given)
    assert json.dumps(found) == json.dumps(given)


def test_the_order_of_members_is_kept():
    known = sharing.Trees()
    assert json.dumps(known.shared([{"a": {}, "b": {}}, {"b": {}, "a": {}}])) == '[{"a": {}, "b": {}}, {"b": {}, "a": {}}]'
