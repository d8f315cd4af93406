"""fieldsV1 trees: projection, digests, bare paths, subtraction; pure, on hand-made objects and random ones."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from appdelivery.clusters import facts, fleet, ownership
from appdelivery.model import marks
from appdelivery.model.live import Health
from appdelivery.model.refs import AppKey, Kind, ref_of

APP = AppKey("shop", "web")
M = marks.manager_of(APP)


def key(**keys: Any) -> str:
    return "k:" + json.dumps(keys, separators=(",", ":"))


def entry(tree: dict[str, Any], manager: str = M, operation: str = "Apply", **more: Any) -> dict[str, Any]:
    return {"manager": manager, "operation": operation, "apiVersion": "v1", "fieldsV1": tree, **more}


def body(tree: dict[str, Any], *others: dict[str, Any], **content: Any) -> dict[str, Any]:
    metadata = {"name": "web", "namespace": "shop", "managedFields": [*others, entry(tree)]}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, **content}


def test_projection_keeps_what_the_tree_names() -> None:
    tree = {
        "f:a": {},
        "f:map": {".": {}, "f:x": {}},
        "f:ports": {key(port=80, protocol="TCP"): {".": {}, "f:name": {}}},
        "f:tags": {'v:"t1"': {}, "v:2": {}},
        "f:absent": {},
    }
    live = {
        "a": {"whole": [1, 2]},
        "b": "theirs",
        "map": {"x": 1, "y": 2},
        "ports": [
            {"port": 81, "protocol": "TCP", "name": "theirs"},
            {"port": 80, "protocol": "TCP", "name": "ours", "nodePort": 30000},
        ],
        "tags": ["theirs", 2, "t1"],
    }
    assert ownership.project(tree, live) == {
        "a": {"whole": [1, 2]},
        "map": {"x": 1},
        "ports": [{"name": "ours"}],
        "tags": [2, "t1"],
    }


def test_keys_are_compared_by_value_however_go_escapes_them() -> None:
    tree = {"f:list": {'k:{"name":"a\\u0026b"}': {"f:v": {}}}, "f:set": {'v:"\\u003c"': {}}}
    assert ownership.project(tree, {"list": [{"name": "a&b", "v": 1}], "set": ["<"]}) == {"list": [{"v": 1}], "set": ["<"]}


def test_an_owned_zero_value_that_others_took_is_seen_by_its_name() -> None:
    ours = body({"f:data": {"f:a": {}, "f:zero": {}}}, data={"a": "1"})
    taken = body({"f:data": {"f:a": {}}}, data={"a": "1", "zero": "x"})
    assert ownership.own_digest(ours, M) != ownership.own_digest(taken, M)


def test_only_our_apply_entry_of_the_main_resource_counts() -> None:
    others = [
        entry({"f:x": {}}, operation="Update"),
        entry({"f:y": {}}, subresource="status"),
        entry({"f:z": {}}, manager="appctl:shop/other"),
    ]
    assert ownership.tree_of(body({"f:data": {}}, *others), M) == {"f:data": {}}
    without = body({}, *others)
    without["metadata"]["managedFields"].pop()
    assert ownership.entry(without, M) is None
    assert (ownership.own_digest(without, M), ownership.tree_digest(without, M)) == ("", "")
    assert ownership.own_digest({"metadata": {}}, M) == ""


def test_others_fields_status_and_time_do_not_matter() -> None:
    tree = {"f:data": {"f:a": {}}}
    first = body(tree, data={"a": "1"})
    later = body(tree, entry({"f:data": {"f:b": {}}}, "kubectl", time="2026-01-01T00:00:00Z"), data={"b": "2", "a": "1"})
    later["metadata"] |= {"resourceVersion": "9", "labels": {"theirs": "1"}}
    later["status"] = {"phase": "x"}
    assert ownership.own_digest(first, M) == ownership.own_digest(later, M)
    assert ownership.tree_digest(first, M) == ownership.tree_digest(later, M)


def test_a_changed_shape_is_drift_and_no_crash() -> None:
    tree = {"f:list": {key(name="a"): {"f:v": {}}}}
    before = body(tree, list=[{"name": "a", "v": 1}])
    assert ownership.own_digest(body(tree, list=["a"]), M) == ownership.SHAPE != ownership.own_digest(before, M)
    assert ownership.own_digest(body(tree, list="text"), M) != ownership.own_digest(before, M)


def test_bare_leaves_ask_for_presence_only() -> None:
    tree = {"f:volumes": {key(name="tmp"): {".": {}, "f:emptyDir": {}, "f:name": {}}}, "f:whole": {}}
    desired = {"volumes": [{"name": "tmp", "emptyDir": {}}], "whole": {"a": 1}}
    bare = tuple(ownership.bare_paths(tree, desired))
    assert bare == (("f:volumes", key(name="tmp"), "f:emptyDir"),)

    def digest(**content: Any) -> str:
        made = body(tree, **content)
        before = copy.deepcopy(made)
        found = ownership.own_digest(made, M, bare)
        assert made == before
        return found

    plain = digest(volumes=[{"name": "tmp", "emptyDir": {}}], whole={"a": 1})
    filled = digest(volumes=[{"name": "tmp", "emptyDir": {"medium": "Memory"}}], whole={"a": 1})
    assert plain == filled
    assert plain != digest(volumes=[{"name": "tmp", "hostPath": {}}], whole={"a": 1})
    assert plain != digest(volumes=[{"name": "tmp", "emptyDir": {}}], whole={"a": 1, "b": 2})


def test_a_bare_path_under_a_defaulted_key_is_found() -> None:
    """We wrote a port without its protocol; the server's key has it."""
    tree = {"f:ports": {key(port=80, protocol="TCP"): {".": {}, "f:extra": {}}}}
    assert list(ownership.bare_paths(tree, {"ports": [{"port": 80, "extra": {}}]}))
    assert not list(ownership.bare_paths(tree, {"ports": [{"port": 80, "protocol": "UDP", "extra": {}}]}))


def test_subtraction_keeps_what_is_theirs_alone() -> None:
    theirs = {"f:data": {".": {}, "f:a": {}, "f:b": {}}, "f:meta": {".": {}, "f:c": {}}, "f:whole": {}}
    ours = {"f:data": {"f:a": {}}, "f:meta": {"f:c": {}}, "f:whole": {"f:inner": {}}}
    assert ownership.subtract(theirs, ours) == {"f:data": {".": {}, "f:b": {}}}


def test_absorption_touches_legacy_main_entries_only() -> None:
    tree = {"f:data": {"f:a": {}}}
    made = body(
        tree,
        entry({"f:data": {"f:a": {}}}, "kubectl-edit", "Update"),
        entry({"f:data": {"f:a": {}, "f:b": {}}}, "helm"),
        entry({"f:data": {"f:a": {}}}, "kubectl", "Update", subresource="scale"),
        entry({"f:data": {"f:a": {}}}, "flux"),
    )
    kept = ownership.without_ours(made, M, ("kubectl*", "helm"))
    assert [(one["manager"], one["fieldsV1"]["f:data"]) for one in kept or ()] == [
        ("helm", {"f:b": {}}),
        ("kubectl", {"f:a": {}}),
        ("flux", {"f:a": {}}),
        (M, {"f:a": {}}),
    ]
    made["metadata"]["managedFields"] = kept
    assert ownership.without_ours(made, M, ("kubectl*", "helm")) is None


NAMES = st.sampled_from(["a", "b", "c"])
TREES = st.recursive(
    st.just({}), lambda inner: st.dictionaries(NAMES.map(lambda n: f"f:{n}"), inner, min_size=1, max_size=3), max_leaves=8
)


def leaves(tree: dict[str, Any], path: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    if not tree:
        return {path} if path else set()
    return set().union(*[leaves(sub, (*path, name)) for name, sub in tree.items() if name != "."])


@given(theirs=TREES, ours=TREES)
def test_subtraction_is_set_difference_and_idempotent(theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    rest = ownership.subtract(theirs, ours)
    assert leaves(rest) <= leaves(theirs)
    assert not leaves(rest) & leaves(ours)
    assert ownership.subtract(rest, ours) == rest
    kept = leaves(theirs) - leaves(rest)
    assert all(any(path[: len(one)] == one or one[: len(path)] == path for one in leaves(ours)) for path in kept)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=10,
)


@given(tree=TREES, live=st.dictionaries(NAMES, VALUES), more=st.dictionaries(st.sampled_from(["x", "y"]), VALUES))
def test_what_we_do_not_name_never_changes_a_digest(tree: dict[str, Any], live: Any, more: Any) -> None:
    first, second = body(tree, **live), body(tree, **live, **more)
    assert ownership.own_digest(first, M) == ownership.own_digest(second, M)


def test_a_fact_is_the_small_record_of_an_object() -> None:
    made = body({"f:spec": {"f:replicas": {}}}, entry({"f:x": {}}, "b", time="2"), entry({"f:y": {}}, "a", time="1"))
    made["metadata"]["managedFields"].append(entry({}, "status-writer", subresource="status"))
    owner = marks.owner_mark("0a1b2c3d", APP, ref_of(made))
    made["metadata"] |= {
        "uid": "u",
        "resourceVersion": "7",
        "generation": 3,
        "deletionTimestamp": "2026-01-01T00:00:00Z",
        "annotations": {marks.OWNER: owner, marks.FENCE: "4.2"},
    }
    eyes = facts.Eyes(fleet.owner_manager, fleet.nothing_bare, lambda live: Health("healthy", live.ref.name))
    fact = facts.fact("east", facts.live_of(Kind("", "v1", "ConfigMap"), made), eyes)
    assert (fact.uid, fact.version, fact.generation, fact.deleting) == ("u", 7, 3, True)
    assert (fact.owner, fact.fence, fact.entry_version, fact.owns_replicas) == (owner, "4.2", "v1", True)
    assert fact.managers == ("a", "b")
    assert fact.health == Health("healthy", "web")


def test_autoscalers_say_what_they_scale() -> None:
    eyes = facts.Eyes(fleet.owner_manager, fleet.nothing_bare)

    def scales(kind: str, target: Any) -> Any:
        made = {"kind": kind, "metadata": {"name": "x"}, "spec": {"scaleTargetRef": target}}
        return facts.fact("east", facts.live_of(Kind("g", "v1", kind), made), eyes).scales

    assert scales("HorizontalPodAutoscaler", {"kind": "StatefulSet", "name": "db"}) == ("StatefulSet", "db")
    assert scales("ScaledObject", {"name": "web"}) == ("Deployment", "web")
    assert scales("ScaledObject", None) is None
    assert scales("Widget", {"name": "web"}) is None
