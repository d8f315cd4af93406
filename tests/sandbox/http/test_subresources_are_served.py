"""Status, scale, log, eviction; and what a sandbox cannot serve."""

from __future__ import annotations

from typing import Any

import pytest
from in_process import APPLY, MERGE, Client, cluster, commit, create

APPS = "/apis/apps/v1/namespaces/team"
PODS = "/api/v1/namespaces/team/pods"
RUNS = {"name": "main", "ready": True, "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}


def deployment(made, replicas: int = 2) -> None:
    body = {
        "metadata": {"name": "web"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "m", "image": "i"}]}},
        },
    }
    create(made, "apps/v1", "Deployment", body)


def pod(made, name: str = "p", *, containers=("main",), statuses=(RUNS,), node: str = "n", **metadata: Any) -> None:
    commit(
        made, "v1", "Pod",
        {
            "metadata": {"name": name, "namespace": "team", **metadata},
            "spec": {"nodeName": node, "containers": [{"name": one, "image": "i:1"} for one in containers]},
            "status": {"phase": "Running", "containerStatuses": list(statuses)},
        },
    )  # fmt: skip


async def test_a_scale_shows_and_sets_how_many():
    made = cluster()
    deployment(made)
    client = Client(made)
    scale = (await client.get(f"{APPS}/deployments/web/scale")).json
    assert (scale["kind"], scale["apiVersion"], scale["spec"]) == ("Scale", "autoscaling/v1", {"replicas": 2})
    assert scale["status"] == {"replicas": 0, "selector": "app=web"}
    scale["spec"]["replicas"] = 5
    assert (await client.ask("PUT", f"{APPS}/deployments/web/scale", scale)).json["spec"] == {"replicas": 5}
    reply = await client.ask("PUT", f"{APPS}/deployments/web/scale", scale)
    assert reply.message.startswith('Operation cannot be fulfilled on deployments.apps "web": the object has been modified;')
    reply = await client.ask("PATCH", f"{APPS}/deployments/web/scale", {"spec": {"replicas": 0}}, type=MERGE)
    assert reply.json["spec"] == {}
    steps = [{"op": "replace", "path": "/spec/replicas", "value": 4}]
    reply = await client.ask("PATCH", f"{APPS}/deployments/web/scale", steps, type="application/json-patch+json")
    assert reply.json["spec"] == {"replicas": 4}
    applied = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "web"}, "spec": {"replicas": 3}}
    reply = await client.ask("PATCH", f"{APPS}/deployments/web/scale?fieldManager=scaler&force=true", applied, type=APPLY)
    assert reply.json["spec"] == {"replicas": 3}
    body = (await client.get(f"{APPS}/deployments/web")).json
    assert ("scaler", "scale") in {
        (entry["manager"], entry.get("subresource")) for entry in body["metadata"]["managedFields"]
    }


@pytest.mark.parametrize(
    ("replicas", "code", "said"),
    [
        (-1, 422, 'Scale.autoscaling "web" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0'),
        ("two", 400, ('Scale in version "v1" cannot be handled as a Scale: json: cannot unmarshal string into Go struct field '
                      "ScaleSpec.spec.replicas of type int32")),
    ],
)  # fmt: skip
async def test_a_number_that_makes_no_sense_is_refused(replicas, code, said):
    made = cluster()
    deployment(made)
    reply = await Client(made).ask("PUT", f"{APPS}/deployments/web/scale", {"spec": {"replicas": replicas}})
    assert (reply.status, reply.message) == (code, said)


async def test_a_status_can_be_written_by_itself():
    made = cluster()
    deployment(made)
    client = Client(made)
    change = {"spec": {"replicas": 9}, "status": {"readyReplicas": 1, "replicas": 1}}
    body = (await client.ask("PATCH", f"{APPS}/deployments/web/status", change, type=MERGE)).json
    assert (body["spec"]["replicas"], body["status"]["readyReplicas"]) == (2, 1)
    assert (await client.get(f"{APPS}/deployments/web/status")).json == body


async def test_a_log_has_the_lines_that_its_pod_was_scripted_with():
    made = cluster()
    pod(made, annotations={"test.appdelivery.dev/logs": "one\ntwo\nthree"})
    client = Client(made)
    reply = await client.get(f"{PODS}/p/log")
    assert (reply.headers["content-type"], reply.body) == ("text/plain", b"one\ntwo\nthree\n")
    assert (await client.get(f"{PODS}/p/log?tailLines=2")).body == b"two\nthree\n"
    assert (await client.get(f"{PODS}/p/log?tailLines=0")).body == b""
    assert (await client.get(f"{PODS}/p/log?limitBytes=5")).body == b"one\nt"
    assert (await client.get(f"{PODS}/p/log?timestamps=true&tailLines=1")).body.endswith(b"Z three\n")
    assert (await client.get(f"{PODS}/p/log?sinceTime=2030-01-01T00:00:00Z")).body == b""


async def test_a_followed_log_goes_on_until_its_container_ends():
    made = cluster()
    notes = {"test.appdelivery.dev/logs": "one"}
    pod(made, annotations=notes)
    async with Client(made).open(f"{PODS}/p/log?follow=true") as stream:
        assert await stream.line() == b"one"
        pod(made, annotations={"test.appdelivery.dev/logs": "one\ntwo"})
        assert await stream.line() == b"two"
        ended = {**RUNS, "state": {"terminated": {"exitCode": 0, "startedAt": "2026-01-01T00:00:00Z"}}}
        pod(made, annotations={"test.appdelivery.dev/logs": "one\ntwo\nbye"}, statuses=(ended,))
        assert await stream.line() == b"bye"
        await stream.ended.wait()
    assert not made.collection(made.kind("v1", "Pod")).listeners


async def test_the_run_before_has_a_log_of_its_own():
    made = cluster()
    last = {"terminated": {"exitCode": 1, "startedAt": "2026-01-01T00:00:00Z"}}
    pod(made, annotations={"test.appdelivery.dev/weather": "crash"}, statuses=({**RUNS, "lastState": last},))
    client = Client(made)
    assert b"fatal" in (await client.get(f"{PODS}/p/log?previous=true")).body
    pod(made, "q")
    reply = await client.get(f"{PODS}/q/log?previous=true")
    assert (reply.status, reply.message) == (400, 'previous terminated container "main" in pod "q" not found')


@pytest.mark.parametrize(
    ("query", "given", "said"),
    [
        ("container=x", {}, "container x is not valid for pod p"),
        ("", {"containers": ("a", "b")}, "a container name must be specified for pod p, choose one of: [a b]"),
        ("", {"statuses": (), "node": ""}, "pod p does not have a host assigned"),
        ("", {"statuses": ({"name": "main", "state": {"waiting": {"reason": "ImagePullBackOff"}}},)},
         'container "main" in pod "p" is waiting to start: trying and failing to pull image'),
        ("tailLines=-1", {}, 'PodLogOptions "p" is invalid: tailLines: Invalid value: -1: must be greater than or equal to 0'),
        ("limitBytes=0", {}, 'PodLogOptions "p" is invalid: limitBytes: Invalid value: 0: must be greater than 0'),
        ("sinceSeconds=1&sinceTime=2020-01-01T00:00:00Z", {}, ('PodLogOptions "p" is invalid: []: Forbidden: at most one of '
         "`sinceTime` or `sinceSeconds` may be specified")),
        ("tailLines=x", {}, 'strconv.ParseInt: parsing "x": invalid syntax'),
    ],
)  # fmt: skip
async def test_a_log_that_is_not_there_says_why(query, given, said):
    made = cluster()
    pod(made, **given)
    assert (await Client(made).get(f"{PODS}/p/log?{query}")).message == said


def budget(made, allowed: int, *, name: str = "b", observed: int = 1) -> None:
    commit(
        made, "policy/v1", "PodDisruptionBudget",
        {
            "metadata": {"name": name, "namespace": "team", "generation": 1},
            "spec": {"minAvailable": 2, "selector": {"matchLabels": {"app": "web"}}},
            "status": {"disruptionsAllowed": allowed, "desiredHealthy": 2, "currentHealthy": 2 + allowed, "observedGeneration": observed},
        },
    )  # fmt: skip


async def evict(client: Client, name: str = "p", **options: Any) -> Any:
    body = {"kind": "Eviction", "apiVersion": "policy/v1", "metadata": {"name": name}, **options}
    return await client.ask("POST", f"{PODS}/{name}/eviction", body)


async def test_an_eviction_takes_one_disruption_out_of_the_budget():
    made = cluster()
    budget(made, 1)
    for name in ("p", "q"):
        pod(made, name, labels={"app": "web"})
    client = Client(made)
    reply = await evict(client, deleteOptions={"gracePeriodSeconds": 0})
    assert (reply.status, reply.json["status"]) == (201, "Success")
    assert (await client.get(f"{PODS}/p")).status == 404
    reply = await evict(client, "q")
    assert (reply.status, reply.json["reason"]) == (429, "TooManyRequests")
    assert reply.message == "Cannot evict pod as it would violate the pod's disruption budget."
    assert reply.json["details"]["causes"] == [
        {"reason": "DisruptionBudget", "message": "The disruption budget b needs 2 healthy pods and has 3 currently"}
    ]


async def test_an_eviction_waits_for_its_budget_and_bears_one_only():
    made = cluster()
    pod(made, labels={"app": "web"})
    budget(made, 1, observed=0)
    reply = await evict(Client(made))
    assert (reply.status, reply.headers["retry-after"]) == (429, "10")
    budget(made, 1)
    budget(made, 1, name="c")
    reply = await evict(Client(made))
    assert (
        reply.message == "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
    )


async def test_an_eviction_of_nothing_is_refused():
    client = Client(cluster())
    assert (await evict(client)).message == 'pods "p" not found'
    reply = await client.ask("POST", f"{PODS}/p/eviction", {})
    assert reply.message == "name in URL does not match name in Eviction object"


async def test_what_needs_real_containers_gets_501_with_a_reason():
    made = cluster()
    pod(made)
    client = Client(made)
    for name in ("exec", "attach", "portforward"):
        reply = await client.ask("POST", f"{PODS}/p/{name}?command=ls")
        assert (reply.status, reply.json["reason"]) == (501, "NotImplemented")
        assert reply.message == f"the sandbox has no containers: pods/{name} is not served"
        assert (await client.ask("POST", f"{PODS}/none/{name}")).status == 404


async def test_a_pod_is_bound_to_a_node_once():
    made = cluster()
    pod(made, node="")
    client = Client(made)
    body = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n1"}}
    assert (await client.ask("POST", f"{PODS}/p/binding", body)).status == 201
    bound = (await client.get(f"{PODS}/p")).json
    assert bound["spec"]["nodeName"] == "n1"
    assert bound["status"]["conditions"][-1]["type"] == "PodScheduled"
    reply = await client.ask("POST", "/api/v1/namespaces/team/bindings", body)
    assert reply.status == 409
    assert reply.message == 'Operation cannot be fulfilled on pods/binding "p": pod p is already assigned to node "n1"'
    reply = await client.ask("POST", f"{PODS}/other/binding", body)
    assert reply.message == "name in URL does not match name in Binding object"
