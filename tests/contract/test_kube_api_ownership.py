"""Who owns which field: managedFields, conflicts, force, sharing, and what a manager's omissions remove."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from kube_api import Api

WEB = "apps/v1/deployments"


def _bare(api: Api, **rest: Any) -> dict[str, Any]:
    return api.object("v1", "ConfigMap", "web", **rest)


def _containers(api: Api, *containers: dict[str, Any], **rest: Any) -> dict[str, Any]:
    return api.object("apps/v1", "Deployment", "web", spec={"template": {"spec": {"containers": list(containers)}}, **rest})


async def test_an_apply_owns_what_it_set(api: Api) -> None:
    reply = (await api.apply(api.config(data={"a": "1"}, labels={"x": "1"}, finalizers=["example.org/f"]))).ok(201)
    (entry,) = reply.meta["managedFields"]
    assert entry.pop("time") == reply.meta["creationTimestamp"]
    assert entry == {
        "manager": "one",
        "operation": "Apply",
        "apiVersion": "v1",
        "fieldsType": "FieldsV1",
        "fieldsV1": {
            "f:data": {"f:a": {}},
            "f:metadata": {"f:finalizers": {'v:"example.org/f"': {}}, "f:labels": {"f:x": {}}},
        },
    }
    await api.merge(api.path("configmaps", "web"), {"metadata": {"finalizers": None}})


async def test_an_update_owns_also_the_maps_it_made(api: Api) -> None:
    reply = (await api.create(api.config(labels={"x": "1"}), fieldManager="u")).ok(201)
    assert reply.entries() == {
        ("u", "Update", ""): {
            "f:data": {".": {}, "f:a": {}},
            "f:metadata": {"f:labels": {".": {}, "f:x": {}}},
        }
    }


async def test_lists_by_key_are_owned_item_by_item(api: Api) -> None:
    body = api.deployment(replicas=0)
    body["spec"]["template"]["spec"]["containers"][0] |= {
        "ports": [{"containerPort": 80}],
        "env": [{"name": "A", "value": "1"}],
        "args": ["x"],
    }
    reply = (await api.apply(body)).ok(201)
    fields = reply.entries()["one", "Apply", ""]["f:spec"]
    assert fields == {
        "f:replicas": {},
        "f:selector": {},
        "f:template": {
            "f:metadata": {"f:labels": {"f:app": {}}},
            "f:spec": {
                "f:containers": {
                    'k:{"name":"app"}': {
                        ".": {},
                        "f:args": {},
                        "f:env": {'k:{"name":"A"}': {".": {}, "f:name": {}, "f:value": {}}},
                        "f:image": {},
                        "f:name": {},
                        "f:ports": {'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:containerPort": {}}},
                    }
                }
            },
        },
    }


async def test_another_managers_field_is_a_conflict_that_names_both(api: Api) -> None:
    await api.apply(api.config(data={"a": "1"}), "one")
    reply = await api.apply(api.config(data={"a": "2"}), "two")
    reply.refused(409, "Conflict", 'Apply failed with 1 conflict: conflict with "one": .data.a')
    assert reply.body["details"]["causes"] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "one"', "field": ".data.a"}
    ]
    assert (await api.get(api.path("configmaps", "web"))).body["data"] == {"a": "1"}


async def test_a_conflict_with_an_update_names_its_version(api: Api) -> None:
    await api.create(api.config(), fieldManager="editor")
    reply = await api.apply(api.config(data={"a": "2"}), "two")
    said = 'conflict with "editor" using v1'
    reply.refused(409, "Conflict", f"Apply failed with 1 conflict: {said}: .data.a")
    assert reply.body["details"]["causes"][0]["message"] == said


@pytest.mark.parametrize(
    ("manager", "shown"),
    [
        ('an "odd" name', r'"an \"odd\" name"'),
        (r"back\slash", r'"back\\slash"'),
        ("grün 日本 🚀", '"grün 日本 🚀"'),
        ("a<b>&c", '"a<b>&c"'),
    ],
)
async def test_a_conflict_quotes_the_managers_name_as_go_does(api: Api, manager: str, shown: str) -> None:
    await api.apply(api.deployment(replicas=1), manager)
    reply = await api.apply(api.deployment(replicas=2), "two")
    reply.refused(409, "Conflict", f"Apply failed with 1 conflict: conflict with {shown}: .spec.replicas")
    assert reply.body["details"]["causes"][0]["message"] == f"conflict with {shown}"
    await api.merge(api.path(WEB, "web", "scale"), {"spec": {"replicas": 3}}, fieldManager=manager)
    reply = await api.apply(api.deployment(replicas=2), "two")
    said = f'conflict with {shown} with subresource "scale" using apps/v1'
    reply.refused(409, "Conflict", f"Apply failed with 1 conflict: {said}: .spec.replicas")


async def test_managers_are_told_in_the_order_of_their_identity(api: Api) -> None:
    await api.apply(api.config(data={"a": "1"}), "one")
    await api.apply(api.config(data={"b": "1"}), "one more")
    await api.apply(api.config(data={"c": "1"}), 'one"')
    reply = await api.apply(api.config(data={"a": "2", "b": "2", "c": "2"}), "two")
    listed = ['"one more":', "- .data.b", 'conflicts with "one":', "- .data.a", r'conflicts with "one\"":', "- .data.c"]
    reply.refused(409, "Conflict", "Apply failed with 3 conflicts: conflicts with " + "\n".join(listed))


async def test_a_conflict_quotes_keys_as_go_does(api: Api) -> None:
    name = 'A"<>\\&'
    one, two = ({"name": "app", "image": "a:1", "env": [{"name": name, "value": value}]} for value in ("1", "2"))
    body = api.deployment(replicas=0)
    body["spec"]["template"]["spec"]["containers"] = [one]
    (await api.apply(body, "one")).ok(201)
    body["spec"]["template"]["spec"]["containers"] = [two]
    reply = await api.apply(body, "two")
    path = r'.spec.template.spec.containers[name="app"].env[name="A\"<>\\&"].value'
    reply.refused(409, "Conflict", f'Apply failed with 1 conflict: conflict with "one": {path}')


async def test_a_managers_name_is_printable(api: Api) -> None:
    reply = await api.create(api.config(), fieldManager="é\a\u200b")
    shown = r'Invalid value: "é\a\u200b": invalid character'
    reply.refused(422, "Invalid", group="meta.k8s.io", kind="CreateOptions")
    assert reply.body["details"]["causes"] == [
        {"reason": "FieldValueInvalid", "message": f"{shown} {what}", "field": "fieldManager"}
        for what in ("U+0007 (at position 2)", "U+200B (at position 3)")
    ]
    said = ", ".join(f"fieldManager: {shown} {what}" for what in ("U+0007 (at position 2)", "U+200B (at position 3)"))
    assert reply.body["message"] == f'CreateOptions.meta.k8s.io "" is invalid: [{said}]'


async def test_several_conflicts_are_told_at_once(api: Api) -> None:
    await api.apply(api.config(data={"a": "1", "b": "1"}), "one")
    await api.apply(api.config(data={"c": "1"}), "three")
    reply = await api.apply(api.config(data={"a": "2", "b": "2", "c": "2"}), "two")
    reply.refused(409, "Conflict")
    assert sorted(cause["field"] for cause in reply.body["details"]["causes"]) == [".data.a", ".data.b", ".data.c"]
    assert reply.body["message"] == (
        'Apply failed with 3 conflicts: conflicts with "one":\n- .data.a\n- .data.b\nconflicts with "three":\n- .data.c'
    )


async def test_conflicts_in_lists_are_told_by_key(api: Api) -> None:
    await api.apply(api.deployment(replicas=1), "one")
    body = api.deployment(replicas=2)
    body["spec"]["template"]["spec"]["containers"][0]["image"] = "x:2"
    reply = await api.apply(body, "two")
    reply.refused(409, "Conflict")
    assert [cause["field"] for cause in reply.body["details"]["causes"]] == [
        ".spec.replicas", '.spec.template.spec.containers[name="app"].image',
    ]  # fmt: skip


async def test_force_takes_a_field_over(api: Api) -> None:
    await api.apply(api.config(data={"a": "1", "b": "1"}), "one")
    reply = (await api.apply(api.config(data={"a": "2"}), "two", force="true")).ok(200)
    assert reply.body["data"] == {"a": "2", "b": "1"}
    assert reply.entries() == {
        ("one", "Apply", ""): {"f:data": {"f:b": {}}},
        ("two", "Apply", ""): {"f:data": {"f:a": {}}},
    }


async def test_an_apply_is_timed_when_it_changes_something_be_it_an_order(api: Api) -> None:
    ports = [{"name": "a", "port": 80}, {"name": "b", "port": 81}]
    (await api.apply(api.object("v1", "Service", "web", spec={"ports": ports}), "one")).ok(201)
    for manager, applied, timed in (("two", ports, False), ("three", ports[::-1], True)):
        reply = (await api.apply(api.object("v1", "Service", "web", spec={"ports": applied}), manager)).ok(200)
        assert [one["name"] for one in reply.body["spec"]["ports"]] == [one["name"] for one in applied]
        (entry,) = [one for one in reply.meta["managedFields"] if one["manager"] == manager]
        assert ("time" in entry) is timed


async def test_a_manager_that_lost_every_field_is_gone(api: Api) -> None:
    await api.apply(api.config(data={"a": "1"}), "one")
    reply = (await api.apply(api.config(data={"a": "2"}), "two", force="true")).ok(200)
    assert list(reply.entries()) == [("two", "Apply", "")]


async def test_equal_values_are_owned_together(api: Api) -> None:
    await api.apply(api.config(data={"a": "1"}), "one")
    reply = (await api.apply(api.config(data={"a": "1"}), "two")).ok(200)
    assert set(reply.entries()) == {("one", "Apply", ""), ("two", "Apply", "")}
    reply = (await api.apply(_bare(api), "one")).ok(200)
    assert reply.body["data"] == {"a": "1"}, "the other one still holds it"
    reply = (await api.apply(_bare(api), "two")).ok(200)
    assert "data" not in reply.body


async def test_what_a_manager_drops_disappears(api: Api) -> None:
    await api.apply(api.config(data={"a": "1", "b": "1"}), "one")
    await api.apply(api.config(data={"c": "1"}), "two")
    reply = (await api.apply(api.config(data={"a": "1"}), "one")).ok(200)
    assert reply.body["data"] == {"a": "1", "c": "1"}


async def test_an_item_another_manager_added_to_stays(api: Api) -> None:
    await api.apply(api.deployment(replicas=0), "one")
    await api.apply(_containers(api, {"name": "side", "image": "y:1"}), "two")
    await api.apply(_containers(api, {"name": "side", "image": "y:1", "env": [{"name": "A", "value": "1"}]}), "three")
    reply = (await api.apply(_containers(api), "two")).ok(200)
    found = {one["name"]: one for one in reply.body["spec"]["template"]["spec"]["containers"]}
    assert (found["side"]["image"], found["side"]["env"]) == ("y:1", [{"name": "A", "value": "1"}])


async def test_containers_of_two_managers_stand_side_by_side(api: Api) -> None:
    await api.apply(api.deployment(replicas=0), "one")
    reply = (await api.apply(_containers(api, {"name": "side", "image": "y:1"}), "two")).ok(200)
    assert [one["name"] for one in reply.body["spec"]["template"]["spec"]["containers"]] == ["app", "side"]
    reply = (await api.apply(_containers(api), "two")).ok(200)
    assert [one["name"] for one in reply.body["spec"]["template"]["spec"]["containers"]] == ["app"]


async def test_atomic_lists_are_owned_whole(api: Api) -> None:
    one = {"name": "app", "image": "x:1", "args": ["a"]}
    body = api.deployment(replicas=0)
    body["spec"]["template"]["spec"]["containers"] = [one]
    await api.apply(body, "one")
    reply = await api.apply(_containers(api, {"name": "app", "args": ["a", "b"]}), "two")
    reply.refused(409, "Conflict")
    assert reply.body["details"]["causes"][0]["field"] == '.spec.template.spec.containers[name="app"].args'


async def test_sets_are_owned_value_by_value(api: Api) -> None:
    await api.apply(api.config(finalizers=["example.org/a"]), "one")
    reply = (await api.apply(_bare(api, metadata={"finalizers": ["example.org/b"]}), "two")).ok(200)
    assert sorted(reply.meta["finalizers"]) == ["example.org/a", "example.org/b"]
    reply = (await api.apply(_bare(api), "two")).ok(200)
    assert reply.meta["finalizers"] == ["example.org/a"]
    await api.merge(api.path("configmaps", "web"), {"metadata": {"finalizers": None}})


async def test_an_unchanged_apply_keeps_version_and_times(api: Api) -> None:
    first = await api.apply(api.deployment(replicas=0, nodeSelector={"no": "node"}))
    second = (await api.apply(api.deployment(replicas=0, nodeSelector={"no": "node"}))).ok(200)
    assert [one for one in second.meta["managedFields"] if one["manager"] == "one"] == first.meta["managedFields"]
    config = await api.apply(api.config())
    assert (await api.apply(api.config())).body == config.body


async def test_an_update_takes_over_what_it_changes(api: Api) -> None:
    await api.apply(api.config(data={"a": "1", "b": "1"}), "one")
    reply = (await api.merge(api.path("configmaps", "web"), {"data": {"a": "2"}}, fieldManager="editor")).ok(200)
    assert reply.entries() == {
        ("editor", "Update", ""): {"f:data": {"f:a": {}}},
        ("one", "Apply", ""): {"f:data": {"f:b": {}}},
    }


async def test_an_update_that_changes_nothing_owns_nothing(api: Api) -> None:
    first = await api.apply(api.config(), "one")
    reply = (await api.merge(api.path("configmaps", "web"), {"data": {"a": "1"}}, fieldManager="editor")).ok(200)
    assert reply.body == first.body


async def test_what_an_update_removes_is_nobodys(api: Api) -> None:
    await api.apply(api.config(data={"a": "1", "b": "1"}), "one")
    reply = (await api.merge(api.path("configmaps", "web"), {"data": {"a": None}}, fieldManager="editor")).ok(200)
    assert reply.entries() == {("one", "Apply", ""): {"f:data": {"f:b": {}}}}


async def test_a_replace_without_managed_fields_keeps_them(api: Api) -> None:
    await api.apply(api.config(data={"a": "1"}), "one")
    reply = (await api.put(api.path("configmaps", "web"), api.config(data={"a": "1", "b": "1"}), fieldManager="u")).ok(200)
    assert reply.entries() == {
        ("one", "Apply", ""): {"f:data": {"f:a": {}}},
        ("u", "Update", ""): {"f:data": {"f:b": {}}},
    }


async def test_managed_fields_are_wiped_by_an_empty_entry(api: Api) -> None:
    await api.apply(api.config(data={"a": "1"}), "one")
    reply = (await api.merge(api.path("configmaps", "web"), {"metadata": {"managedFields": [{}]}})).ok(200)
    assert "managedFields" not in reply.meta
    reply = (await api.apply(api.config(data={"b": "1"}), "two")).ok(200)
    assert reply.entries() == {
        ("before-first-apply", "Update", ""): {"f:data": {".": {}, "f:a": {}}},
        ("two", "Apply", ""): {"f:data": {"f:b": {}}},
    }


async def test_managed_fields_may_be_rewritten(api: Api) -> None:
    await api.apply(api.config(data={"a": "1"}), "one")
    path = api.path("configmaps", "web")
    reply = (await api.json_patch(path, {"op": "replace", "path": "/metadata/managedFields/0/manager", "value": "two"})).ok(
        200
    )
    assert list(reply.entries()) == [("two", "Apply", "")]
    (await api.apply(api.config(data={"a": "2"}), "two")).ok(200)


async def test_status_is_owned_apart(api: Api) -> None:
    await api.apply(api.deployment(replicas=0, nodeSelector={"no": "node"}), "one")
    status = {"conditions": [{"type": "Tested", "status": "True"}]}
    body = api.object("apps/v1", "Deployment", "web", status=status)
    reply = (await api.apply(body, "two", "status")).ok(200)
    assert reply.entries()["two", "Apply", "status"] == {
        "f:status": {"f:conditions": {'k:{"type":"Tested"}': {".": {}, "f:status": {}, "f:type": {}}}}
    }


async def test_defaults_are_nobodys_of_an_apply(api: Api) -> None:
    reply = (await api.apply(api.deployment())).ok(201)
    assert reply.body["spec"]["replicas"] == 1
    assert "f:replicas" not in reply.entries()["one", "Apply", ""]["f:spec"]
    reply = (await api.apply(api.object("apps/v1", "Deployment", "web", spec={"replicas": 0}), "two")).ok(200)
    assert reply.body["spec"]["replicas"] == 0


async def test_an_apply_over_an_update_by_the_same_name_is_a_conflict(api: Api) -> None:
    await api.create(api.config(), fieldManager="one")
    reply = await api.apply(api.config(data={"a": "2"}), "one")
    reply.refused(409, "Conflict")
    assert (await api.apply(api.config(data={"a": "2"}), "one", force="true")).ok(200).entries() == {
        ("one", "Apply", ""): {"f:data": {"f:a": {}}},
        ("one", "Update", ""): {"f:data": {}},
    }


async def test_what_was_made_by_kubectl_apply_is_handed_over(api: Api) -> None:
    """The client-side manager of kubectl loses its fields to the server-side one of the same tool."""
    last = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"web"},"data":{"a":"1","b":"1"}}'
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": last}
    body = api.config(data={"a": "1", "b": "1"}, annotations=annotations)
    (await api.create(body, fieldManager="kubectl-client-side-apply")).ok(201)
    reply = (await api.apply(api.config(data={"a": "2"}), "kubectl", force="true")).ok(200)
    assert ("kubectl", "Apply", "") in reply.entries()


async def test_the_removed_item_of_a_list_by_key_is_gone(api: Api) -> None:
    env = [{"name": "A", "value": "1"}, {"name": "B", "value": "1"}]
    body = api.deployment(replicas=0)
    body["spec"]["template"]["spec"]["containers"][0]["env"] = env
    await api.apply(body)
    body["spec"]["template"]["spec"]["containers"][0]["env"] = env[1:]
    reply = (await api.apply(body)).ok(200)
    assert reply.body["spec"]["template"]["spec"]["containers"][0]["env"] == env[1:]


async def test_the_order_of_an_apply_wins_in_lists_by_key(api: Api) -> None:
    body = api.deployment(replicas=0)
    container = body["spec"]["template"]["spec"]["containers"][0]
    container["env"] = [{"name": name, "value": "1"} for name in "ABC"]
    await api.apply(body)
    container["env"].reverse()
    reply = (await api.apply(body)).ok(200)
    assert [one["name"] for one in reply.body["spec"]["template"]["spec"]["containers"][0]["env"]] == ["C", "B", "A"]


async def test_duplicate_keys_in_an_apply_are_refused(api: Api) -> None:
    body = api.deployment(replicas=0)
    body["spec"]["template"]["spec"]["containers"] *= 2
    reply = await api.apply(body)
    reply.refused(500, "")
    assert 'duplicate entries for key [name="app"]' in reply.body["message"]


async def test_entries_are_in_order_of_operation_and_time(api: Api) -> None:
    await api.apply(api.config(data={"a": "1"}), "one")
    await api.merge(api.path("configmaps", "web"), {"data": {"b": "1"}}, fieldManager="editor")
    reply = (await api.apply(api.config(data={"c": "1"}), "two")).ok(200)
    assert [one["manager"] for one in reply.meta["managedFields"]] == ["one", "two", "editor"]
