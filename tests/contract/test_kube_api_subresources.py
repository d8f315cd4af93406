"""Status, scale, logs, eviction, binding, tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import support

if TYPE_CHECKING:
    from kube_api import Api

WEB = "apps/v1/deployments"
MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


async def _deployed(api: Api, replicas: int = 0) -> str:
    (await api.create(api.deployment(replicas=replicas))).ok(201)
    return api.path(WEB, "web")


async def _pod(api: Api, name: str = "web", **spec: Any) -> str:
    """Until it runs."""
    if not api.controllers:
        support.missing("controllers and nodes of a control plane", "CLUSTER")
    await api.until(api.path("serviceaccounts", "default"), bool)
    (await api.create(api.pod(name, metadata={"labels": {"app": "web"}}, **spec))).ok(201)
    path = api.path("pods", name)
    await api.until(path, lambda seen: seen.get("status", {}).get("phase") == "Running")
    return path


async def test_the_scale_of_a_deployment_is_read(api: Api) -> None:
    path = await _deployed(api)
    await api.merge(path, {"spec": {"replicas": 2, "paused": True}})
    whole = await api.get(path)
    reply = (await api.get(f"{path}/scale")).ok(200)
    assert (reply.body["kind"], reply.body["apiVersion"]) == ("Scale", "autoscaling/v1")
    assert reply.body["spec"] == {"replicas": 2}
    assert reply.body["status"]["selector"] == "app=web"
    assert sorted(reply.meta) == ["creationTimestamp", "name", "namespace", "resourceVersion", "uid"]
    assert reply.meta["uid"] == whole.meta["uid"]


async def test_a_scale_of_none_leaves_the_number_out(api: Api) -> None:
    reply = (await api.get(f"{await _deployed(api)}/scale")).ok(200)
    assert (reply.body["spec"], reply.body["status"]["replicas"]) == ({}, 0)


@pytest.mark.parametrize("form", ["merge", "put", "json", "strategic"])
async def test_a_deployment_is_scaled(api: Api, form: str) -> None:
    path = await _deployed(api)
    await api.merge(path, {"spec": {"paused": True}})
    if form == "put":
        body = api.object("autoscaling/v1", "Scale", "web", spec={"replicas": 3})
        reply = await api.put(f"{path}/scale", body, fieldManager="scaler")
    elif form == "json":
        change = {"op": "add", "path": "/spec/replicas", "value": 3}
        reply = await api.json_patch(f"{path}/scale", change, fieldManager="scaler")
    else:
        send = api.merge if form == "merge" else api.strategic
        reply = await send(f"{path}/scale", {"spec": {"replicas": 3}}, fieldManager="scaler")
    assert reply.ok(200).body["spec"] == {"replicas": 3}
    whole = await api.get(path)
    assert whole.body["spec"]["replicas"] == 3
    assert whole.entries()["scaler", "Update", "scale"] == {"f:spec": {"f:replicas": {}}}


async def test_a_scale_owned_by_an_apply_is_taken_from_it(api: Api) -> None:
    (await api.apply(api.deployment(replicas=0))).ok(201)
    (await api.merge(api.path(WEB, "web", "scale"), {"spec": {"replicas": 1}}, fieldManager="scaler")).ok(200)
    reply = await api.apply(api.deployment(replicas=0))
    reply.refused(409, "Conflict")
    assert reply.body["details"]["causes"] == [
        {
            "reason": "FieldManagerConflict",
            "message": 'conflict with "scaler" with subresource "scale" using apps/v1',
            "field": ".spec.replicas",
        }
    ]


async def test_a_scale_of_an_older_version_is_a_conflict(api: Api) -> None:
    path = await _deployed(api)
    body = api.object("autoscaling/v1", "Scale", "web", metadata={"resourceVersion": "1"}, spec={"replicas": 3})
    reply = await api.put(f"{path}/scale", body)
    reply.refused(409, "Conflict", f'Operation cannot be fulfilled on deployments.apps "web": {MODIFIED}')


async def test_a_negative_scale_is_invalid(api: Api) -> None:
    reply = await api.merge(f"{await _deployed(api)}/scale", {"spec": {"replicas": -2}})
    reply.refused(
        422,
        "Invalid",
        'Scale.autoscaling "web" is invalid: spec.replicas: Invalid value: -2: must be greater than or equal to 0',
    )


async def test_the_scale_of_what_is_absent_is_not_found(api: Api) -> None:
    reply = await api.get(api.path(WEB, "web", "scale"))
    reply.refused(404, "NotFound", 'deployments.apps "web" not found', name="web", group="apps", kind="deployments")


async def test_a_subresource_that_a_kind_lacks_is_not_found(api: Api) -> None:
    await api.create(api.config())
    for path in (api.path("configmaps", "web", "status"), f"{await _deployed(api)}/nothing"):
        (await api.get(path)).refused(404, "NotFound", "the server could not find the requested resource")


async def test_status_does_not_change_through_the_object(api: Api) -> None:
    path = await _deployed(api)
    reply = (await api.merge(path, {"status": {"replicas": 9}, "metadata": {"labels": {"x": "1"}}})).ok(200)
    assert reply.body["status"].get("replicas", 0) == 0
    assert reply.meta["labels"] == {"x": "1"}
    body = api.deployment(replicas=0) | {"status": {"replicas": 9}}
    assert (await api.put(path, body)).ok(200).body["status"].get("replicas", 0) == 0


async def test_the_object_does_not_change_through_its_status(api: Api) -> None:
    path = await _deployed(api)
    conditions = [{"type": "Tested", "status": "True"}]
    change = {"status": {"conditions": conditions}, "spec": {"replicas": 99}, "metadata": {"labels": {"x": "1"}}}
    before = await api.get(path)
    reply = (await api.strategic(f"{path}/status", change, fieldManager="observer")).ok(200)
    assert reply.body["spec"]["replicas"] == 0
    assert "labels" not in reply.meta
    assert reply.meta["generation"] == before.meta["generation"]
    fields = reply.entries()["observer", "Update", "status"]
    assert 'k:{"type":"Tested"}' in fields["f:status"]["f:conditions"]


async def test_status_is_read_and_replaced_at_its_own_path(api: Api) -> None:
    path = await _deployed(api)
    await api.until(path, lambda seen: not api.controllers or seen["status"].get("observedGeneration") == 1)
    whole = await api.get(f"{path}/status")
    assert whole.ok(200).body == (await api.get(path)).body
    whole.body["status"]["conditions"] = [{"type": "Tested", "status": "False"}]
    reply = (await api.put(f"{path}/status", whole.body)).ok(200)
    assert "Tested" in [one["type"] for one in reply.body["status"]["conditions"]]


async def test_the_status_of_a_new_object_is_not_taken_from_who_creates_it(api: Api) -> None:
    reply = (await api.create(api.deployment(replicas=0) | {"status": {"replicas": 5}})).ok(201)
    assert reply.body["status"] == {}


async def test_logs_are_plain_text(api: Api) -> None:
    reply = (await api.get(f"{await _pod(api)}/log")).ok(200)
    assert reply.headers["content-type"] == "text/plain"
    assert reply.body.splitlines() == ["starting", "listening on :8080", "warning: cache is cold", "ready"]


async def test_the_last_lines_of_logs_alone(api: Api) -> None:
    path = await _pod(api)
    assert (await api.get(f"{path}/log", tailLines="1", container="app")).ok(200).body == "ready\n"


async def test_logs_of_nothing_are_not_found(api: Api) -> None:
    (await api.get(api.path("pods", "web", "log"))).refused(404, "NotFound", 'pods "web" not found')


async def test_logs_need_a_container_that_exists(api: Api) -> None:
    path = await _pod(api)
    reply = await api.get(f"{path}/log", container="other")
    reply.refused(400, "BadRequest", "container other is not valid for pod web")


async def test_logs_of_several_containers_need_a_choice(api: Api) -> None:
    path = await _pod(api, containers=[{"name": "a", "image": "x:1"}, {"name": "b", "image": "x:1"}])
    reply = await api.get(f"{path}/log")
    reply.refused(400, "BadRequest", "a container name must be specified for pod web, choose one of: [a b]")


async def test_a_pod_is_evicted(api: Api) -> None:
    path = await _pod(api)
    reply = await api.post(f"{path}/eviction", api.object("policy/v1", "Eviction", "web"))
    assert reply.ok(201).body["status"] == "Success"
    await api.until(path, lambda seen: not seen or "deletionTimestamp" in seen["metadata"])


async def test_an_eviction_that_a_budget_forbids_is_told_to_wait(api: Api) -> None:
    path = await _pod(api)
    selector = {"matchLabels": {"app": "web"}}
    budget = api.object("policy/v1", "PodDisruptionBudget", "web", spec={"minAvailable": 1, "selector": selector})
    (await api.create(budget)).ok(201)
    budgets = api.path("policy/v1/poddisruptionbudgets", "web")
    await api.until(budgets, lambda seen: seen.get("status", {}).get("currentHealthy") == 1)
    reply = await api.post(f"{path}/eviction", api.object("policy/v1", "Eviction", "web"))
    said = "Cannot evict pod as it would violate the pod's disruption budget."
    reply.refused(429, "TooManyRequests", said)
    assert reply.body["details"]["causes"] == [
        {
            "reason": "DisruptionBudget",
            "message": "The disruption budget web needs 1 healthy pods and has 1 currently",
        }
    ]


async def test_evicting_nothing_is_not_found(api: Api) -> None:
    reply = await api.post(api.path("pods", "web", "eviction"), api.object("policy/v1", "Eviction", "web"))
    reply.refused(404, "NotFound", 'pods "web" not found')


async def test_a_pod_is_bound_to_a_node_once(api: Api) -> None:
    await api.until(api.path("serviceaccounts", "default"), bool)
    await api.create(api.pod(nodeSelector={"no": "node"}))
    node = (await api.get("/api/v1/nodes")).names[0]
    binding = api.object("v1", "Binding", "web", target={"kind": "Node", "name": node})
    (await api.post(api.path("pods", "web", "binding"), binding)).ok(201)
    assert (await api.get(api.path("pods", "web"))).body["spec"]["nodeName"] == node
    reply = await api.post(api.path("pods", "web", "binding"), binding)
    reply.refused(409, "Conflict")
    assert f'pod web is already assigned to node "{node}"' in reply.body["message"]


async def test_a_service_account_gets_a_token(api: Api) -> None:
    await api.until(api.path("serviceaccounts", "default"), bool)
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600}}
    reply = (await api.post(api.path("serviceaccounts", "default", "token"), request)).ok(201)
    assert reply.body["spec"]["expirationSeconds"] == 600
    review = (
        await api.with_token(reply.body["status"]["token"]).post(
            "/apis/authentication.k8s.io/v1/selfsubjectreviews",
            {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"},
        )
    ).ok(201)
    assert review.body["status"]["userInfo"]["username"] == f"system:serviceaccount:{api.namespace}:default"
