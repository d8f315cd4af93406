from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from appdelivery.sandbox import schemas
from appdelivery.sandbox.writes import fieldsets, merging, types

NAMES = st.text(alphabet="abcxyz./-", min_size=1, max_size=4)
ELEMENTS = st.one_of(
    NAMES.map("f:{}".format),
    NAMES.map(lambda name: f"k:{json.dumps({'name': name})}"),
    NAMES.map(lambda value: f"v:{json.dumps(value)}"),
)
PATHS = st.frozensets(st.lists(ELEMENTS, min_size=1, max_size=4).map(tuple), max_size=12)
KNOWN = schemas.Schemas(schemas.recorded()["definitions"])
CONFIG_MAP = types.of(KNOWN, {"$ref": "#/definitions/io.k8s.api.core.v1.ConfigMap"})
POD_SPEC = types.of(KNOWN, {"$ref": "#/definitions/io.k8s.api.core.v1.PodSpec"})
DATA = st.dictionaries(NAMES, st.sampled_from(["1", "2", ""]), max_size=4)
MAPS = st.fixed_dictionaries({}, optional={"data": DATA, "metadata": st.fixed_dictionaries({}, optional={"labels": DATA})})
ENV = st.lists(
    st.fixed_dictionaries({"name": st.sampled_from("ABC")}, optional={"value": st.sampled_from("12")}),
    unique_by=lambda one: one["name"],
    max_size=3,
)
CONTAINERS = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from("abc")},
        optional={"image": st.sampled_from("ij"), "env": ENV, "args": st.lists(st.sampled_from("xy"), max_size=2)},
    ),
    unique_by=lambda one: one["name"],
    max_size=3,
)
PODS = st.fixed_dictionaries(
    {}, optional={"containers": CONTAINERS, "nodeSelector": DATA, "restartPolicy": st.just("Always")}
)
VALUES = st.one_of(MAPS.map(lambda value: (CONFIG_MAP, value)), PODS.map(lambda value: (POD_SPEC, value)))
SETTINGS = settings(max_examples=60, deadline=None)


@SETTINGS
@given(PATHS)
def test_paths_survive_fields_v1(paths):
    assert fieldsets.parsed(fieldsets.written(paths)) == paths


@SETTINGS
@given(PATHS, PATHS)
def test_what_lies_below_is_what_a_reset_takes(paths, roots):
    below = fieldsets.below(paths, roots)
    assert below <= paths
    assert all(any(path[: len(root)] == root for root in roots) == (path in below) for path in paths)


@SETTINGS
@given(VALUES)
def test_a_value_compared_with_itself_has_no_changes(pair):
    type, value = pair
    found = merging.compare(type, value, json.loads(json.dumps(value)))
    assert found.added | found.modified | found.removed == set()


@SETTINGS
@given(st.data())
def test_comparing_backwards_swaps_what_is_added_and_removed(data):
    pairs = data.draw(st.sampled_from([(CONFIG_MAP, MAPS), (POD_SPEC, PODS)]))
    old, new = data.draw(pairs[1]), data.draw(pairs[1])
    forth, back = merging.compare(pairs[0], old, new), merging.compare(pairs[0], new, old)
    assert (forth.added, forth.removed, forth.modified) == (back.removed, back.added, back.modified)


@SETTINGS
@given(st.data())
def test_a_merge_holds_everything_that_was_applied_and_keeps_the_rest(data):
    type, values = data.draw(st.sampled_from([(CONFIG_MAP, MAPS), (POD_SPEC, PODS)]))
    live, applied = data.draw(values), data.draw(values)
    before = json.dumps([live, applied])
    merged = merging.merge(type, live, applied)
    merged = {} if merged is merging.ABSENT else merged
    changed = merging.compare(type, live, merged)
    mentioned = merging.fields(type, applied)
    assert not changed.removed
    assert {path for path in mentioned if not _is_inner(path, mentioned)} <= merging.fields(type, merged)
    assert merging.merge(type, merged, applied) == merged, "applying twice is applying once"
    assert json.dumps([live, applied]) == before, "inputs are never changed"


def _is_inner(path, paths):
    """An empty map that the live object fills is no leaf of the merged one."""
    return path[-1] in ("f:data", "f:labels", "f:metadata", "f:containers", "f:env", "f:nodeSelector")


@SETTINGS
@given(st.data())
def test_removing_what_a_value_mentions_leaves_nothing_of_it(data):
    type, values = data.draw(st.sampled_from([(CONFIG_MAP, MAPS), (POD_SPEC, PODS)]))
    value = data.draw(values)
    paths = merging.fields(type, value)
    left = merging.remove(type, value, paths)
    assert not {path for path in merging.fields(type, left or {}) & paths if left and merging.fields(type, left)} - {
        path for path in paths if _is_inner(path, paths)
    }


def test_paths_are_worded_as_messages_have_them():
    path = ("f:spec", "f:ports", 'k:{"port":80,"protocol":"TCP"}', "f:name")
    assert fieldsets.worded(path) == '.spec.ports[port=80,protocol="TCP"].name'
    assert fieldsets.worded(("f:metadata", "f:finalizers", 'v:"x"')) == '.metadata.finalizers[="x"]'
