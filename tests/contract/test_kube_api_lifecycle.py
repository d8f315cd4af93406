"""Finalizers, garbage collection by owners, namespaces from birth to end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import support

if TYPE_CHECKING:
    from kube_api import Api, Reply

HOLD = "example.org/hold"
NAMESPACES = "/api/v1/namespaces"


async def _held(api: Api, name: str = "web", **metadata: Any) -> Reply:
    return (await api.create(api.config(name, finalizers=[HOLD], **metadata))).ok(201)


async def _release(api: Api, name: str = "web") -> Reply:
    return await api.merge(api.path("configmaps", name), {"metadata": {"finalizers": None}})


def _owner(reply: Reply, **more: Any) -> dict[str, Any]:
    found = {"apiVersion": reply.body["apiVersion"], "kind": reply.body["kind"]}
    return found | {"name": reply.meta["name"], "uid": reply.meta["uid"]} | more


def _needs_controllers(api: Api) -> None:
    if not api.controllers:
        support.missing("controllers of a control plane", "CLUSTER")


async def test_a_finalizer_holds_what_is_deleted(api: Api) -> None:
    created = await _held(api)
    reply = (await api.delete(api.path("configmaps", "web"))).ok(200)
    assert reply.body["kind"] == "ConfigMap", "the object, not a status: it is still there"
    assert reply.meta["deletionGracePeriodSeconds"] == 0
    assert reply.meta["deletionTimestamp"] >= created.meta["creationTimestamp"]
    again = (await api.delete(api.path("configmaps", "web"))).ok(200)
    assert again.version == reply.version, "deleting twice changes nothing"
    (await _release(api)).ok(200)
    (await api.get(api.path("configmaps", "web"))).refused(404, "NotFound")


async def test_a_watch_sees_the_mark_and_then_the_end(api: Api) -> None:
    await _held(api)
    version = (await api.get(api.path("configmaps"))).version
    async with api.watch(api.path("configmaps"), resourceVersion=version, fieldSelector="metadata.name=web") as stream:
        await api.delete(api.path("configmaps", "web"))
        await _release(api)
        assert await stream.events(2) == [("MODIFIED", "web"), ("DELETED", "web")]


async def test_no_finalizer_is_added_to_what_is_being_deleted(api: Api) -> None:
    await _held(api)
    await api.delete(api.path("configmaps", "web"))
    reply = await api.merge(api.path("configmaps", "web"), {"metadata": {"finalizers": [HOLD, "example.org/more"]}})
    reply.refused(422, "Invalid")
    said = "Forbidden: no new finalizers can be added if the object is being deleted"
    for cause in reply.body["details"]["causes"]:
        assert cause == {
            "reason": "FieldValueForbidden",
            "message": f'{said}, found new finalizers []string{{"example.org/more"}}',
            "field": "metadata.finalizers",
        }
    await _release(api)


async def test_what_is_being_deleted_may_still_change(api: Api) -> None:
    await _held(api)
    await api.delete(api.path("configmaps", "web"))
    assert (await api.merge(api.path("configmaps", "web"), {"data": {"b": "1"}})).ok(200).body["data"]["b"] == "1"
    (await api.create(api.config())).refused(409, "AlreadyExists")
    await _release(api)


async def test_the_deletion_mark_cannot_be_taken_back(api: Api) -> None:
    await _held(api)
    marked = await api.delete(api.path("configmaps", "web"))
    reply = (await api.merge(api.path("configmaps", "web"), {"metadata": {"deletionTimestamp": None}})).ok(200)
    assert reply.meta["deletionTimestamp"] == marked.meta["deletionTimestamp"]
    await _release(api)


@pytest.mark.parametrize("policy", ["Background", ""])
async def test_what_is_owned_goes_with_its_owner(api: Api, policy: str) -> None:
    _needs_controllers(api)
    owner = await api.create(api.config("owner"))
    await api.create(api.config("child", ownerReferences=[_owner(owner)]))
    query = {"propagationPolicy": policy} if policy else {}
    reply = (await api.delete(api.path("configmaps", "owner"), **query)).ok(200)
    assert reply.body["kind"] == "Status"
    await api.gone(api.path("configmaps", "child"))


async def test_orphans_stay_and_lose_their_owner(api: Api) -> None:
    _needs_controllers(api)
    owner = await api.create(api.config("owner"))
    await api.create(api.config("child", ownerReferences=[_owner(owner)]))
    reply = (await api.delete(api.path("configmaps", "owner"), propagationPolicy="Orphan")).ok(200)
    assert reply.meta["finalizers"] == ["orphan"]
    await api.gone(api.path("configmaps", "owner"))
    assert "ownerReferences" not in (await api.get(api.path("configmaps", "child"))).ok(200).meta


async def test_in_the_foreground_the_owner_goes_last(api: Api) -> None:
    _needs_controllers(api)
    owner = await api.create(api.config("owner"))
    await _held(api, "child", ownerReferences=[_owner(owner, blockOwnerDeletion=True)])
    reply = (await api.delete(api.path("configmaps", "owner"), propagationPolicy="Foreground")).ok(200)
    assert reply.meta["finalizers"] == ["foregroundDeletion"]
    await api.until(api.path("configmaps", "child"), lambda seen: "deletionTimestamp" in seen["metadata"])
    (await api.get(api.path("configmaps", "owner"))).ok(200)
    await _release(api, "child")
    await api.gone(api.path("configmaps", "owner"))


async def test_one_of_two_owners_is_enough_to_stay(api: Api) -> None:
    _needs_controllers(api)
    first, second = await api.create(api.config("first")), await api.create(api.config("second"))
    await api.create(api.config("child", ownerReferences=[_owner(first), _owner(second)]))
    await api.delete(api.path("configmaps", "first"))
    seen = await api.until(api.path("configmaps", "child"), lambda seen: len(seen["metadata"]["ownerReferences"]) == 1)
    assert seen["metadata"]["ownerReferences"][0]["name"] == "second"
    await api.delete(api.path("configmaps", "second"))
    await api.gone(api.path("configmaps", "child"))


async def test_an_owner_that_is_not_there_takes_its_own_along(api: Api) -> None:
    _needs_controllers(api)
    absent = {"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "00000000-0000-0000-0000-000000000000"}
    await api.create(api.config("child", ownerReferences=[absent]))
    await api.gone(api.path("configmaps", "child"))


async def test_owners_are_checked(api: Api) -> None:
    owner = await api.create(api.config("owner"))
    both = [_owner(owner, controller=True), _owner(owner, controller=True, uid="other")]
    reply = await api.create(api.config("child", ownerReferences=both))
    reply.refused(422, "Invalid")
    assert "Only one reference can have Controller set to true" in reply.body["message"]
    reply = await api.create(api.config("child", ownerReferences=[{"kind": "ConfigMap"}]))
    reply.refused(422, "Invalid")
    assert [cause["field"] for cause in reply.body["details"]["causes"]] == [
        "metadata.ownerReferences.apiVersion",
        "metadata.ownerReferences.name",
        "metadata.ownerReferences.uid",
    ]


async def test_a_new_namespace_is_active_and_labelled(api: Api) -> None:
    body = (await api.get(f"{NAMESPACES}/{api.namespace}")).ok(200).body
    assert body["metadata"]["labels"]["kubernetes.io/metadata.name"] == api.namespace
    assert body["spec"] == {"finalizers": ["kubernetes"]}
    assert body["status"] == {"phase": "Active"}


async def test_a_namespace_gets_its_account_and_certificates(api: Api) -> None:
    _needs_controllers(api)
    await api.until(api.path("serviceaccounts", "default"), bool)
    seen = await api.until(api.path("configmaps", "kube-root-ca.crt"), bool)
    assert "BEGIN CERTIFICATE" in seen["data"]["ca.crt"]


async def test_a_namespace_name_is_a_label(api: Api) -> None:
    reply = await api.post(NAMESPACES, {"metadata": {"name": "a.b"}})
    reply.refused(422, "Invalid", name="a.b", kind="Namespace")


@pytest.mark.early
async def test_a_namespace_takes_its_content_along(api: Api) -> None:
    _needs_controllers(api)
    await api.create(api.config())
    reply = (await api.delete(f"{NAMESPACES}/{api.namespace}")).ok(200)
    assert (reply.body["kind"], reply.body["status"]["phase"]) == ("Namespace", "Terminating")
    await api.gone(api.path("configmaps", "web"))
    await api.gone(f"{NAMESPACES}/{api.namespace}")


@pytest.mark.early
async def test_a_terminating_namespace_takes_nothing_new(api: Api) -> None:
    _needs_controllers(api)
    await _held(api)
    (await api.delete(f"{NAMESPACES}/{api.namespace}")).ok(200)
    await api.until(f"{NAMESPACES}/{api.namespace}", lambda seen: seen["status"]["phase"] == "Terminating")
    reply = await api.create(api.config("late"))
    said = f"unable to create new content in namespace {api.namespace} because it is being terminated"
    reply.refused(403, "Forbidden", f'configmaps "late" is forbidden: {said}', name="late", kind="configmaps")
    assert reply.body["details"]["causes"] == [
        {
            "reason": "NamespaceTerminating",
            "message": f"namespace {api.namespace} is being terminated",
            "field": "metadata.namespace",
        }
    ]
    (await api.get(api.path("configmaps", "web"))).ok(200)
    again = await api.delete(f"{NAMESPACES}/{api.namespace}")
    assert again.code in (200, 409)
    await _release(api)
    await api.gone(f"{NAMESPACES}/{api.namespace}")


@pytest.mark.early
async def test_a_namespace_that_cannot_end_says_why(api: Api) -> None:
    _needs_controllers(api)
    await _held(api)
    (await api.delete(f"{NAMESPACES}/{api.namespace}")).ok(200)

    def waits(seen: Any) -> Any:
        found = {one["type"]: one for one in seen["status"].get("conditions", ())}
        return found.get("NamespaceFinalizersRemaining", {}).get("status") == "True" and found

    seen = await api.until(f"{NAMESPACES}/{api.namespace}", waits)
    found = {one["type"]: one for one in seen["status"]["conditions"]}
    assert found["NamespaceFinalizersRemaining"]["message"] == (
        f"Some content in the namespace has finalizers remaining: {HOLD} in 1 resource instances"
    )
    assert found["NamespaceContentRemaining"]["message"] == (
        "Some resources are remaining: configmaps. has 1 resource instances"
    )
    await _release(api)
    await api.gone(f"{NAMESPACES}/{api.namespace}")


async def test_a_deployment_makes_a_replica_set_and_pods_that_it_owns(api: Api) -> None:
    _needs_controllers(api)
    created = await api.create(api.deployment(replicas=2))
    await api.until(api.path("apps/v1/deployments", "web"), lambda seen: seen["status"].get("availableReplicas") == 2)
    (replica_set,) = (await api.get(api.path("apps/v1/replicasets"))).body["items"]
    assert replica_set["metadata"]["ownerReferences"] == [_owner(created, controller=True, blockOwnerDeletion=True)]
    pods = (await api.get(api.path("pods"))).body["items"]
    assert {pod["metadata"]["ownerReferences"][0]["name"] for pod in pods} == {replica_set["metadata"]["name"]}
    assert len(pods) == 2
    await api.delete(api.path("apps/v1/deployments", "web"))
    await api.until(api.path("pods"), lambda seen: not seen["items"])
