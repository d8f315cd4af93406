"""The four forms of a patch, apart from who owns what (test_kube_api_ownership.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from kube_api import APPLY

if TYPE_CHECKING:
    from kube_api import Api

WEB = "apps/v1/deployments"


def _deployment(api: Api) -> dict[str, Any]:
    body = api.deployment(replicas=0)
    container = body["spec"]["template"]["spec"]["containers"][0]
    container |= {
        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
        "args": ["one", "two"],
        "ports": [{"containerPort": 80, "name": "http"}],
    }
    body["metadata"]["finalizers"] = ["example.org/one"]
    return body


async def _strategic(api: Api, change: Any) -> dict[str, Any]:
    """The pod's spec after it."""
    (await api.create(_deployment(api))).ok(201)
    path = api.path(WEB, "web")
    reply = await api.strategic(path, {"spec": {"template": {"spec": change}}})
    await api.merge(path, {"metadata": {"finalizers": None}})
    return reply.ok(200).body["spec"]["template"]["spec"]


async def test_a_merge_patch_sets_and_removes(api: Api) -> None:
    await api.create(api.config(data={"a": "1", "b": "2"}))
    reply = (await api.merge(api.path("configmaps", "web"), {"data": {"a": None, "c": "3"}})).ok(200)
    assert reply.body["data"] == {"b": "2", "c": "3"}


async def test_a_merge_patch_replaces_lists(api: Api) -> None:
    await api.create(api.deployment(replicas=0))
    change = {"spec": {"template": {"spec": {"containers": [{"name": "other", "image": "x:1"}]}}}}
    reply = (await api.merge(api.path(WEB, "web"), change)).ok(200)
    assert [one["name"] for one in reply.body["spec"]["template"]["spec"]["containers"]] == ["other"]


async def test_a_json_patch_is_carried_out_in_order(api: Api) -> None:
    await api.create(api.config(data={"a": "1", "b": "2"}, annotations={"x/y": "3"}))
    reply = await api.json_patch(
        api.path("configmaps", "web"),
        {"op": "test", "path": "/data/a", "value": "1"},
        {"op": "replace", "path": "/data/a", "value": "9"},
        {"op": "copy", "from": "/data/a", "path": "/data/d"},
        {"op": "move", "from": "/metadata/annotations/x~1y", "path": "/data/e"},
        {"op": "add", "path": "/metadata/labels", "value": {"x": "1"}},
    )
    assert reply.ok(200).body["data"] == {"a": "9", "b": "2", "d": "9", "e": "3"}
    assert reply.meta["labels"] == {"x": "1"}


async def test_a_json_patch_whose_test_fails_changes_nothing(api: Api) -> None:
    first = await api.create(api.config())
    reply = await api.json_patch(
        api.path("configmaps", "web"),
        {"op": "replace", "path": "/data/a", "value": "9"},
        {"op": "test", "path": "/data/a", "value": "1"},
    )
    reply.refused(422, "Invalid", "the server rejected our request due to an error in our request")
    assert (await api.get(api.path("configmaps", "web"))).body == first.body


async def test_a_json_patch_of_what_is_not_there_is_refused(api: Api) -> None:
    await api.create(api.config())
    for op in ("remove", "bogus"):
        reply = await api.json_patch(api.path("configmaps", "web"), {"op": op, "path": "/data/zz"})
        reply.refused(422, "Invalid", "the server rejected our request due to an error in our request")


async def test_a_json_patch_that_is_no_list_is_refused(api: Api) -> None:
    await api.create(api.config())
    reply = await api.call("PATCH", api.path("configmaps", "web"), {"op": "add"}, content="application/json-patch+json")
    said = "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp"
    reply.refused(400, "BadRequest", said)


async def test_a_merge_patch_that_is_no_map_is_refused(api: Api) -> None:
    await api.create(api.config())
    said = "json: cannot unmarshal array into Go value of type map[string]interface {}"
    reply = await api.merge(api.path("configmaps", "web"), ["a"])
    reply.refused(400, "BadRequest", f"error decoding patch: {said}")
    reply = await api.strategic(api.path("configmaps", "web"), ["a"])
    reply.refused(400, "BadRequest", said)


async def test_a_strategic_patch_merges_containers_by_name(api: Api) -> None:
    spec = await _strategic(api, {"containers": [{"name": "app", "image": "x:2"}, {"name": "side", "image": "y:1"}]})
    found = {one["name"]: one for one in spec["containers"]}
    assert (found["app"]["image"], [one["name"] for one in found["app"]["env"]]) == ("x:2", ["A", "B"])
    assert found["side"]["image"] == "y:1"


async def test_a_strategic_patch_deletes_an_item_by_directive(api: Api) -> None:
    spec = await _strategic(api, {"containers": [{"name": "app", "env": [{"name": "A", "$patch": "delete"}]}]})
    assert spec["containers"][0]["env"] == [{"name": "B", "value": "2"}]


async def test_a_strategic_patch_replaces_a_list_by_directive(api: Api) -> None:
    spec = await _strategic(api, {"containers": [{"name": "app", "env": [{"name": "C"}, {"$patch": "replace"}]}]})
    assert spec["containers"][0]["env"] == [{"name": "C"}]


async def test_a_strategic_patch_replaces_a_map_by_directive(api: Api) -> None:
    await api.create(api.config(data={"a": "1", "b": "2"}))
    reply = (await api.strategic(api.path("configmaps", "web"), {"data": {"c": "3", "$patch": "replace"}})).ok(200)
    assert reply.body["data"] == {"c": "3"}


async def test_a_strategic_patch_orders_a_list(api: Api) -> None:
    change = {"name": "app", "env": [{"name": "C", "value": "3"}], "$setElementOrder/env": [{"name": n} for n in "CBA"]}
    spec = await _strategic(api, {"containers": [change]})
    assert [one["name"] for one in spec["containers"][0]["env"]] == ["C", "B", "A"]


async def test_a_strategic_patch_replaces_lists_that_are_not_merged(api: Api) -> None:
    spec = await _strategic(api, {"containers": [{"name": "app", "args": ["three"]}]})
    assert spec["containers"][0]["args"] == ["three"]


async def test_a_strategic_patch_keeps_only_the_keys_it_names(api: Api) -> None:
    (await api.create(api.deployment(replicas=0))).ok(201)
    change = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    reply = (await api.strategic(api.path(WEB, "web"), change)).ok(200)
    assert reply.body["spec"]["strategy"] == {"type": "Recreate"}


async def test_a_strategic_patch_merges_lists_of_plain_values(api: Api) -> None:
    await api.create(api.config(finalizers=["example.org/one"]))
    path = api.path("configmaps", "web")
    reply = (await api.strategic(path, {"metadata": {"finalizers": ["example.org/two"]}})).ok(200)
    assert reply.meta["finalizers"] == ["example.org/two", "example.org/one"]
    change = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["example.org/one"]}}
    assert (await api.strategic(path, change)).ok(200).meta["finalizers"] == ["example.org/two"]
    await api.merge(path, {"metadata": {"finalizers": None}})


async def test_an_unknown_form_of_patch_is_refused(api: Api) -> None:
    await api.create(api.config())
    reply = await api.call("PATCH", api.path("configmaps", "web"), {}, content="application/json")
    reply.refused(415, "UnsupportedMediaType", "415: Unsupported Media Type")


async def test_patching_what_does_not_exist_is_not_found(api: Api) -> None:
    for form in (api.merge, api.strategic):
        (await form(api.path("configmaps", "web"), {})).refused(404, "NotFound", 'configmaps "web" not found')


async def test_a_patch_of_an_older_version_is_a_conflict(api: Api) -> None:
    first = await api.create(api.config())
    path = api.path("configmaps", "web")
    await api.merge(path, {"data": {"b": "1"}})
    for form in (api.merge, api.strategic):
        reply = await form(path, {"metadata": {"resourceVersion": first.version}, "data": {"c": "1"}})
        reply.refused(409, "Conflict", name="web", kind="configmaps")


async def test_a_patch_may_not_rename(api: Api) -> None:
    await api.create(api.config())
    reply = await api.merge(api.path("configmaps", "web"), {"metadata": {"name": "other"}})
    reply.refused(400, "BadRequest", "the name of the object (other) does not match the name on the URL (web)")


async def test_an_empty_patch_keeps_the_version(api: Api) -> None:
    first = await api.create(api.config())
    path = api.path("configmaps", "web")
    for form, change in ((api.merge, {}), (api.strategic, {}), (api.merge, {"data": {"a": "1"}})):
        assert (await form(path, change)).ok(200).version == first.version
    assert (await api.json_patch(path)).ok(200).version == first.version


@pytest.mark.parametrize("missing", ["fieldManager"])
async def test_an_apply_needs_a_manager(api: Api, missing: str) -> None:
    reply = await api.apply(api.config(), manager="")
    reply.refused(422, "Invalid", kind="PatchOptions", group="meta.k8s.io")
    assert reply.body["details"]["causes"] == [
        {"reason": "FieldValueRequired", "message": "Required value: is required for apply patch", "field": missing}
    ]


async def test_force_is_for_applies_only(api: Api) -> None:
    await api.create(api.config())
    reply = await api.merge(api.path("configmaps", "web"), {}, force="true")
    reply.refused(422, "Invalid", kind="PatchOptions")
    assert reply.body["details"]["causes"] == [
        {"reason": "FieldValueForbidden", "message": "Forbidden: may not be specified for non-apply patch", "field": "force"}
    ]


async def test_an_apply_may_be_yaml_and_creates(api: Api) -> None:
    text = f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web\n  namespace: {api.namespace}\ndata:\n  a: '1'\n"
    path = api.path("configmaps", "web")
    reply = (await api.call("PATCH", path, text.encode(), content=APPLY, fieldManager="one")).ok(201)
    assert reply.body["data"] == {"a": "1"}


async def test_an_apply_needs_kind_and_version(api: Api) -> None:
    path = api.path("configmaps", "web")
    reply = await api.call("PATCH", path, {"metadata": {"name": "web"}}, content=APPLY, fieldManager="one")
    reply.refused(400, "BadRequest", "invalid object type: /, Kind=")


async def test_an_apply_of_an_older_version_is_a_conflict(api: Api) -> None:
    first = await api.create(api.config())
    await api.merge(api.path("configmaps", "web"), {"data": {"b": "1"}})
    reply = await api.apply(api.config(resourceVersion=first.version, data={"c": "1"}))
    reply.refused(409, "Conflict", name="web", kind="configmaps")


async def test_an_apply_under_another_uid_is_refused(api: Api) -> None:
    nobody = "00000000-0000-0000-0000-000000000000"
    reply = await api.apply(api.config(uid=nobody))
    reply.refused(409, "Conflict")
    await api.create(api.config())
    reply = await api.apply(api.config(uid=nobody))
    reply.refused(422, "Invalid", name="web", kind="ConfigMap")
    assert {cause["field"] for cause in reply.body["details"]["causes"]} == {"metadata.uid"}


async def test_an_apply_may_not_carry_managed_fields(api: Api) -> None:
    reply = await api.apply(api.config(managedFields=[{"manager": "x"}]))
    reply.refused(400, "BadRequest", "metadata.managedFields must be nil")
