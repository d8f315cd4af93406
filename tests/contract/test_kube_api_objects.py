"""Objects one by one: create, read, replace, delete, and what is refused."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kube_api import YAML

if TYPE_CHECKING:
    from kube_api import Api

NOBODY = "00000000-0000-0000-0000-000000000000"
MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


async def test_a_created_object_has_its_system_fields(api: Api) -> None:
    reply = (await api.create(api.config(), fieldManager="tester")).ok(201)
    meta = reply.meta
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", meta["uid"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", meta["creationTimestamp"])
    assert int(meta["resourceVersion"]) > 0
    assert meta["namespace"] == api.namespace
    (entry,) = meta["managedFields"]
    assert {key: entry[key] for key in ("manager", "operation", "apiVersion", "fieldsType", "fieldsV1")} == {
        "manager": "tester",
        "operation": "Update",
        "apiVersion": "v1",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:data": {".": {}, "f:a": {}}},
    }
    assert "generation" not in meta


async def test_a_created_object_is_read_as_it_was_answered(api: Api) -> None:
    created = await api.create(api.config())
    assert (await api.get(api.path("configmaps", "web"))).ok(200).body == created.body


async def test_kind_and_version_may_be_left_out(api: Api) -> None:
    body = {"metadata": {"name": "web"}, "data": {"a": "1"}}
    reply = (await api.post(api.path("configmaps"), body)).ok(201)
    assert (reply.body["kind"], reply.body["apiVersion"]) == ("ConfigMap", "v1")


async def test_yaml_may_be_sent(api: Api) -> None:
    text = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {a: 'yes'}\n"
    reply = (await api.post(api.path("configmaps"), text, content=YAML)).ok(201)
    assert reply.body["data"] == {"a": "yes"}


async def test_the_manager_is_the_user_agents_program_when_none_is_named(api: Api) -> None:
    reply = (await api.create(api.config(), headers={"user-agent": "shop-tool/1.2 (linux)"})).ok(201)
    assert list(reply.entries()) == [("shop-tool", "Update", "")]


async def test_names_are_generated(api: Api) -> None:
    body = api.config()
    body["metadata"] = {"generateName": "web-"}
    first, second = [(await api.post(api.path("configmaps"), body)).ok(201) for _ in range(2)]
    assert re.fullmatch(r"web-[bcdfghjklmnpqrstvwxz2456789]{5}", first.meta["name"])
    assert first.meta["name"] != second.meta["name"]
    assert first.meta["generateName"] == "web-"


async def test_an_object_without_a_name_is_invalid(api: Api) -> None:
    reply = await api.post(api.path("configmaps"), {"metadata": {}})
    reply.refused(
        422,
        "Invalid",
        'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required',
        kind="ConfigMap",
        causes=[
            {
                "reason": "FieldValueRequired",
                "message": "Required value: name or generateName is required",
                "field": "metadata.name",
            }
        ],
    )


async def test_creating_what_exists_is_refused(api: Api) -> None:
    await api.create(api.config())
    reply = await api.create(api.config())
    reply.refused(409, "AlreadyExists", 'configmaps "web" already exists', name="web", kind="configmaps")
    await api.create(api.deployment())
    reply = await api.create(api.deployment())
    reply.refused(
        409, "AlreadyExists", 'deployments.apps "web" already exists', name="web", group="apps", kind="deployments"
    )


async def test_creating_in_a_namespace_that_is_not_there_is_refused(api: Api) -> None:
    body = api.config()
    body["metadata"]["namespace"] = "nowhere-at-all"
    reply = await api.post("/api/v1/namespaces/nowhere-at-all/configmaps", body)
    reply.refused(404, "NotFound", 'namespaces "nowhere-at-all" not found', name="nowhere-at-all", kind="namespaces")


async def test_a_body_of_another_namespace_is_refused(api: Api) -> None:
    body = api.config()
    body["metadata"]["namespace"] = "default"
    reply = await api.post(api.path("configmaps"), body)
    reply.refused(400, "BadRequest", "the namespace of the provided object does not match the namespace sent on the request")


async def test_a_body_of_another_kind_or_version_is_refused(api: Api) -> None:
    reply = await api.post(api.path("configmaps"), api.object("v1", "Secret", "web"))
    said = 'Secret in version "v1" cannot be handled as a ConfigMap: converting (v1.Secret) to (core.ConfigMap): unknown conversion'
    reply.refused(400, "BadRequest", said)
    reply = await api.post(api.path("configmaps"), api.config() | {"apiVersion": "v2"})
    reply.refused(400, "BadRequest")
    assert reply.body["message"].startswith(
        'ConfigMap in version "v2" cannot be handled as a ConfigMap: no kind "ConfigMap" is registered for version "v2"'
    )


async def test_a_body_that_is_not_json_is_refused(api: Api) -> None:
    for sent, shown in ((b'{"metadata": ', '{"metadata": '), (b"", "<empty>")):
        reply = await api.post(api.path("configmaps"), sent)
        said = "the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; json parse error"
        reply.refused(400, "BadRequest", f"{said}: unexpected end of JSON input ({shown})")


async def test_an_unknown_content_type_is_refused(api: Api) -> None:
    reply = await api.post(api.path("configmaps"), b"a=1", content="application/x-www-form-urlencoded")
    known = "application/json, application/yaml, application/vnd.kubernetes.protobuf"
    said = f"the body of the request was in an unknown format - accepted media types include: {known}"
    reply.refused(415, "UnsupportedMediaType", said)


async def test_names_are_checked(api: Api) -> None:
    reply = await api.post(api.path("configmaps"), {"metadata": {"name": "Web_1"}})
    reply.refused(422, "Invalid", name="Web_1", kind="ConfigMap")
    assert [cause["field"] for cause in reply.body["details"]["causes"]] == ["metadata.name"]
    assert reply.body["details"]["causes"][0]["message"].startswith(
        'Invalid value: "Web_1": a lowercase RFC 1123 subdomain must consist of'
    )


async def test_labels_and_annotations_are_checked(api: Api) -> None:
    reply = await api.create(api.config(labels={"a b": "x", "ok": "no good"}, annotations={"/x": ""}))
    reply.refused(422, "Invalid")
    assert sorted({cause["field"] for cause in reply.body["details"]["causes"]}) == [
        "metadata.annotations", "metadata.labels",
    ]  # fmt: skip


async def test_a_resource_version_may_not_be_set_on_create(api: Api) -> None:
    reply = await api.create(api.config(resourceVersion="1"))
    reply.refused(500, "", "resourceVersion should not be set on objects to be created")


async def test_what_does_not_exist_is_not_found(api: Api) -> None:
    reply = await api.get(api.path("configmaps", "web"))
    reply.refused(404, "NotFound", 'configmaps "web" not found', name="web", kind="configmaps")
    reply = await api.get(api.path("apps/v1/deployments", "web"))
    reply.refused(404, "NotFound", 'deployments.apps "web" not found', name="web", group="apps", kind="deployments")


async def test_replace_removes_what_is_not_sent(api: Api) -> None:
    await api.create(api.config(data={"a": "1", "b": "2"}, labels={"x": "1"}))
    reply = (await api.put(api.path("configmaps", "web"), api.config(data={"b": "3"}))).ok(200)
    assert reply.body["data"] == {"b": "3"}
    assert "labels" not in reply.meta


async def test_replace_keeps_what_the_system_gave(api: Api) -> None:
    first = await api.create(api.config())
    body = api.config(data={"b": "1"}, uid=first.meta["uid"], creationTimestamp=None)
    second = (await api.put(api.path("configmaps", "web"), body)).ok(200)
    for key in ("uid", "creationTimestamp"):
        assert second.meta[key] == first.meta[key]
    assert int(second.version) > int(first.version)


async def test_replacing_an_older_version_is_a_conflict(api: Api) -> None:
    first = await api.create(api.config())
    await api.merge(api.path("configmaps", "web"), {"data": {"b": "1"}})
    reply = await api.put(api.path("configmaps", "web"), first.body)
    reply.refused(
        409,
        "Conflict",
        f'Operation cannot be fulfilled on configmaps "web": {MODIFIED}',
        name="web",
        kind="configmaps",
    )


async def test_replacing_under_another_uid_is_a_conflict(api: Api) -> None:
    await api.create(api.config())
    reply = await api.put(api.path("configmaps", "web"), api.config(uid=NOBODY))
    reply.refused(409, "Conflict", name="web")
    assert "Precondition failed: UID in precondition: " in reply.body["message"]


async def test_replacing_what_does_not_exist_is_not_found(api: Api) -> None:
    reply = await api.put(api.path("configmaps", "web"), api.config())
    reply.refused(404, "NotFound", 'configmaps "web" not found')


async def test_replacing_under_another_name_is_refused(api: Api) -> None:
    await api.create(api.config())
    reply = await api.put(api.path("configmaps", "web"), api.config("other"))
    reply.refused(400, "BadRequest", "the name of the object (other) does not match the name on the URL (web)")


async def test_an_equal_replace_keeps_the_version(api: Api) -> None:
    first = await api.create(api.config())
    second = (await api.put(api.path("configmaps", "web"), api.config())).ok(200)
    assert second.version == first.version


async def test_generation_rises_with_what_is_desired_only(api: Api) -> None:
    path = api.path("apps/v1/deployments", "web")
    assert (await api.create(api.deployment(replicas=0, nodeSelector={"no": "node"}))).meta["generation"] == 1
    assert (await api.merge(path, {"metadata": {"labels": {"x": "1"}}})).meta["generation"] == 1
    assert (await api.merge(path, {"spec": {"paused": True}})).meta["generation"] == 2
    assert (await api.merge(path, {"metadata": {"annotations": {"x": "1"}}})).meta["generation"] == 3


async def test_an_immutable_config_map_stays_as_it_is(api: Api) -> None:
    await api.create(api.config() | {"immutable": True})
    reply = await api.merge(api.path("configmaps", "web"), {"data": {"a": "2"}})
    reply.refused(422, "Invalid")
    assert reply.body["details"]["causes"] == [
        {
            "reason": "FieldValueForbidden",
            "message": "Forbidden: field is immutable when `immutable` is set",
            "field": "data",
        }
    ]


async def test_secrets_take_plain_strings_and_give_encoded_ones(api: Api) -> None:
    body = api.object("v1", "Secret", "web", stringData={"a": "hello"})
    reply = (await api.create(body)).ok(201)
    assert reply.body["data"] == {"a": "aGVsbG8="}
    assert "stringData" not in reply.body
    assert reply.body["type"] == "Opaque"


async def test_a_delete_answers_a_status_that_names_the_object(api: Api) -> None:
    created = await api.create(api.config())
    reply = (await api.delete(api.path("configmaps", "web"))).ok(200)
    assert (reply.body["kind"], reply.body["status"]) == ("Status", "Success")
    assert reply.body["details"] == {"name": "web", "kind": "configmaps", "uid": created.meta["uid"]}
    (await api.get(api.path("configmaps", "web"))).refused(404, "NotFound")
    (await api.delete(api.path("configmaps", "web"))).refused(404, "NotFound", 'configmaps "web" not found')


async def test_a_delete_with_another_uid_is_a_conflict(api: Api) -> None:
    await api.create(api.config())
    reply = await api.delete(api.path("configmaps", "web"), {"preconditions": {"uid": NOBODY}})
    reply.refused(409, "Conflict", name="web", kind="ConfigMap")
    assert f"the UID in the precondition ({NOBODY}) does not match the UID in record" in reply.body["message"]
    (await api.get(api.path("configmaps", "web"))).ok(200)


async def test_a_delete_of_an_older_version_is_a_conflict(api: Api) -> None:
    first = await api.create(api.config())
    await api.merge(api.path("configmaps", "web"), {"data": {"b": "1"}})
    reply = await api.delete(api.path("configmaps", "web"), {"preconditions": {"resourceVersion": first.version}})
    reply.refused(409, "Conflict", name="web")
    assert f"the ResourceVersion in the precondition ({first.version}) does not match" in reply.body["message"]


async def test_a_collection_is_deleted_by_selector(api: Api) -> None:
    for name, color in (("one", "red"), ("two", "red"), ("three", "blue")):
        await api.create(api.config(name, labels={"color": color}))
    reply = (await api.delete(api.path("configmaps"), labelSelector="color=red")).ok(200)
    assert reply.body["kind"] == "ConfigMapList"
    assert reply.names == ["one", "two"]
    assert (await api.get(api.path("configmaps"), labelSelector="color")).names == ["three"]


async def test_verbs_that_a_path_does_not_know_are_not_allowed(api: Api) -> None:
    await api.create(api.config())
    reply = await api.post(api.path("configmaps", "web"), api.config())
    reply.refused(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
    reply = await api.put(api.path("configmaps"), api.config())
    reply.refused(405, "MethodNotAllowed")


async def test_a_pod_is_deleted_gracefully(api: Api) -> None:
    await api.until(api.path("serviceaccounts", "default"), bool)
    await api.create(api.pod(nodeSelector={"no": "node"}, terminationGracePeriodSeconds=7))
    reply = (await api.delete(api.path("pods", "web"), {"gracePeriodSeconds": 0})).ok(200)
    await api.gone(api.path("pods", "web"))
    assert reply.body["kind"] in ("Pod", "Status")


async def test_an_event_is_found_under_both_groups(api: Api) -> None:
    event = api.object("v1", "Event", "one", involvedObject={"kind": "Pod", "name": "web", "namespace": api.namespace})
    event |= {"reason": "Tested", "message": "here", "type": "Normal", "count": 1, "source": {"component": "tests"}}
    (await api.create(event)).ok(201)
    other = (await api.get(api.path("events.k8s.io/v1/events", "one"))).ok(200).body
    assert (other["apiVersion"], other["regarding"]["name"], other["note"]) == ("events.k8s.io/v1", "web", "here")


async def test_an_autoscaler_is_read_in_each_version(api: Api) -> None:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    spec = {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 3, "targetCPUUtilizationPercentage": 60}
    (await api.create(api.object("autoscaling/v1", "HorizontalPodAutoscaler", "web", spec=spec))).ok(201)
    path = api.path("autoscaling/v2/horizontalpodautoscalers", "web")
    newer = (await api.get(path)).ok(200).body
    assert newer["spec"]["metrics"] == [
        {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}}}
    ]
    await api.json_patch(path, {"op": "replace", "path": "/spec/metrics/0/resource/target/averageUtilization", "value": 70})
    older = (await api.get(api.path("autoscaling/v1/horizontalpodautoscalers", "web"))).ok(200).body
    assert older["spec"]["targetCPUUtilizationPercentage"] == 70
