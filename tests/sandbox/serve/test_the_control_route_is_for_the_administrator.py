"""The control route: who may use it, what it answers, and what it says about a wrong request."""

from __future__ import annotations

import pytest


@pytest.fixture
async def w(world):
    async with world("sandbox-1", "sandbox-2") as made:
        yield made


async def test_it_is_for_the_administrators_token_only(w):
    assert (await w.control("GET", "", token="wrong"))[0] == 401
    assert (await w.control("GET", "", token="nobody-token"))[0] == 403
    assert (await w.control("GET", ""))[0] == 200


async def test_it_tells_what_runs(w):
    _, told = await w.control("GET", "")
    assert [one["name"] for one in told["clusters"]] == ["sandbox-1", "sandbox-2"]
    assert told["clusters"][0].keys() >= {"version", "nodes", "pods", "objects", "requests", "faults", "speed"}


async def test_speed_is_of_every_cluster(w):
    assert (await w.control("PUT", "speed", {"speed": 10}))[1] == {"speed": 10.0}
    assert {member.cluster.clock.speed for member in w.sandbox.members} == {10.0}


async def test_requests_are_told_in_order_with_who_and_what(w):
    await w.control("DELETE", "requests")
    await w.make("a")
    await w.get("/api/v1/namespaces/default/configmaps/a")
    _, told = await w.control("GET", "requests?cluster=sandbox-1")
    assert [(one["verb"], one["user"], one["status"]) for one in told["items"]] == [
        ("create", "admin", 201),
        ("get", "admin", 200),
    ]


async def test_faults_never_strike_the_control_route(w):
    await w.control("POST", "faults", {"do": "status", "value": 500})
    assert (await w.get("/version"))[0] == 500
    assert (await w.control("GET", "faults"))[0] == 200


async def test_faults_come_and_go_by_their_ids(w):
    _, one = await w.control("POST", "faults", {"do": "reset", "cluster": "sandbox-1"})
    _, both = await w.control("POST", "faults", {"do": "delay", "value": 0, "id": "both"})
    assert both["id"] == "both"
    _, told = await w.control("GET", "faults")
    assert [(row["cluster"], row["id"]) for row in told["items"]] == [
        ("sandbox-1", one["id"]),
        ("sandbox-1", "both"),
        ("sandbox-2", "both"),
    ]
    assert (await w.control("DELETE", f"faults/{one['id']}"))[1] == {"removed": [one["id"]]}
    assert (await w.control("DELETE", "faults"))[1] == {"removed": ["both"]}


async def test_rights_are_given_to_tokens(w):
    grant = {"token": "t", "user": "ana", "allow": [{"verbs": ["get"], "kinds": ["configmaps"]}], "deny": [{"names": ["b"]}]}
    assert (await w.control("POST", "access", grant))[0] == 200
    await w.make("a")
    await w.make("b")
    found = [(await w.get(f"/api/v1/namespaces/default/configmaps/{name}", token="t"))[0] for name in "ab"]
    assert found == [200, 403]
    assert (await w.make("c", token="t"))[0] == 403


async def test_compacting_ends_old_versions(w):
    _, before = await w.get("/api/v1/configmaps")
    await w.make("a")
    await w.control("POST", "compact")
    version = before["metadata"]["resourceVersion"]
    _, headers, _ = await w.ask("GET", f"/api/v1/configmaps?watch=1&resourceVersion={version}&timeoutSeconds=1")
    assert headers


async def test_traffic_is_scripted_and_shown(w):
    service = {"metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}}
    await w.ask("POST", "/api/v1/namespaces/default/services", {"apiVersion": "v1", "kind": "Service", **service})
    assert (await w.control("POST", "traffic/loads", {"requests": 40, "service": "web"}))[1] == {"added": 1}
    _, told = await w.control("GET", "traffic?cluster=sandbox-1")
    assert [(row["service"], row["requests"]) for row in told["items"]] == [("web", 40.0)]
    series = {"name": "up", "labels": {"job": "x"}, "points": [[5, 1]]}
    assert (await w.control("POST", "traffic/series", [series]))[1] == {"added": 1}
    _, answer = await w.get("/api/v1/query?query=up&time=6")
    assert answer["data"]["result"] == [{"metric": {"__name__": "up", "job": "x"}, "value": [6.0, "1"]}]
    assert (await w.control("POST", "traffic/answers", {"do": "empty", "count": 1}))[0] == 200
    assert (await w.get("/api/v1/query?query=up&time=6"))[1]["data"]["result"] == []
    await w.control("DELETE", "traffic")
    assert (await w.get("/api/v1/query?query=up&time=6"))[1]["data"]["result"] == []


async def test_figures_for_autoscalers_are_set_and_dropped(w):
    figure = {"namespace": "shop", "subject": "Deployment/web", "metric": "cpu", "value": "250m"}
    assert (await w.control("POST", "figures?cluster=sandbox-1", figure))[0] == 200
    _, told = await w.control("GET", "figures")
    assert told["items"] == [figure | {"cluster": "sandbox-1", "value": 0.25, "shared": False}]
    await w.control("DELETE", "figures")
    assert (await w.control("GET", "figures"))[1] == {"items": []}


@pytest.mark.parametrize(
    ("method", "resource", "body", "code", "said"),
    [
        ("GET", "nothing", None, 404, "there is no GET /sandbox/control/nothing"),
        ("PUT", "speed", {}, 400, "the body has no speed"),
        ("PUT", "speed", {"speed": "fast"}, 400, "'fast' is no number"),
        ("PUT", "speed", {"speed": 101}, 400, "the speed is 0 to 100"),
        ("POST", "faults", {"do": "rest"}, 400, "did you mean 'reset'"),
        ("POST", "faults", {"do": "reset", "cluster": "us-*"}, 400, "no cluster is called 'us-*'"),
        ("DELETE", "faults/none", None, 404, "there is no fault 'none'"),
        ("GET", "faults?cluster=us", None, 404, "there is no cluster 'us'; there are sandbox-1, sandbox-2"),
        ("POST", "traffic/loads", {}, 400, "a load needs requests"),
        ("POST", "traffic/lodes", {}, 400, "traffic has no lodes"),
        ("POST", "figures", {"namespace": "a", "subject": "web", "metric": "cpu", "value": "1"}, 400, "not a subject"),
        ("POST", "figures", {"namespace": "a", "subject": "Pod/a", "metric": "cpu", "value": "lots"}, 400, "lots"),
        ("POST", "access", {"token": "t"}, 400, "the body has no user"),
        ("POST", "access", {"token": "t", "user": "u", "allow": [{"verb": ["get"]}]}, 400, "is no rule of"),
    ],
)
async def test_a_wrong_request_is_answered_with_its_reason(w, method, resource, body, code, said):
    status, told = await w.control(method, resource, body)
    assert status == code
    assert said in told["message"]


async def test_stop_is_answered_first(w):
    assert (await w.control("POST", "stop"))[1] == {"stopping": True}
    await w.sandbox.work()
