"""Faults of requests: what was planned happens, and nothing else."""

from __future__ import annotations

import pytest
from in_process import MAPS, Client, cluster, put

from appdelivery.sandbox import status
from appdelivery.sandbox.faults import plan as plans

BODY = {"metadata": {"name": "new"}}


class Once:
    """Plans for the first request only."""

    def __init__(self, **plan) -> None:
        self._plans = [plans.Plan(**plan)]

    def plan(self, request) -> plans.Plan | None:
        assert request.verb
        return self._plans.pop() if self._plans else None


async def test_a_reset_before_leaves_everything_as_it_was():
    client = Client(cluster(), faults=Once(before="reset"))
    with pytest.raises(plans.Aborted):
        await client.ask("POST", MAPS, BODY)
    assert (await client.get(f"{MAPS}/new")).status == 404


async def test_a_reset_after_has_done_the_work():
    client = Client(cluster(), faults=Once(after="reset"))
    with pytest.raises(plans.Aborted):
        await client.ask("POST", MAPS, BODY)
    assert (await client.get(f"{MAPS}/new")).status == 200


async def test_a_truncated_answer_announces_the_whole_length_and_stops_in_the_middle():
    client = Client(cluster("a"), faults=Once(after="truncate"))
    messages = []

    async def receive() -> dict:
        return {"type": "http.request", "body": b""}

    async def send(message: dict) -> None:
        messages.append(message)

    with pytest.raises(plans.Aborted):
        await client.app(client._scope("GET", f"{MAPS}/a", {}), receive, send)
    announced = int(dict(messages[0]["headers"])[b"content-length"])
    assert [message["type"] for message in messages] == ["http.response.start", "http.response.body"]
    assert len(messages[1]["body"]) == announced // 2
    assert messages[1]["more_body"]


async def test_the_listener_is_asked_to_end_the_connection():
    client = Client(cluster("a"), faults=Once(before="reset"))
    ended = []
    scope = {**client._scope("GET", MAPS, {}), "extensions": {plans.ABORT: lambda: ended.append(True)}}
    sent = []

    async def send(message: dict) -> None:
        sent.append(message)

    await client.app(scope, client.app, send)
    assert (ended, sent) == ([True], [])


async def test_a_refusal_comes_with_its_headers_and_without_effect():
    refusal = status.Refusal(429, "TooManyRequests", "slow down", details={"retryAfterSeconds": 3})
    client = Client(cluster(), faults=Once(before=refusal))
    reply = await client.ask("POST", MAPS, BODY)
    assert (reply.status, reply.headers["retry-after"], reply.message) == (429, "3", "slow down")
    assert (await client.get(f"{MAPS}/new")).status == 404


async def test_stale_answers_show_the_past_unless_a_newer_version_is_asked_for():
    made = cluster("a")
    clients = [Client(made, faults=Once(stale=1)) for _ in range(3)]
    put(made, "b")
    reply = await clients[0].get(MAPS)
    assert [item["metadata"]["name"] for item in reply.json["items"]] == ["a"]
    assert reply.json["metadata"]["resourceVersion"] == str(made.storage.revision - 1)
    assert (await clients[1].get(f"{MAPS}/b")).status == 404
    reply = await clients[2].get(f"{MAPS}?resourceVersion={made.storage.revision}")
    assert [item["metadata"]["name"] for item in reply.json["items"]] == ["a", "b"]


async def test_a_delay_holds_up_only_its_own_request():
    client = Client(cluster("a"), faults=Once(delay=0.01))
    assert (await client.get(MAPS)).status == 200
    assert len(client.app.log) == 1


async def test_a_fault_of_ours_ends_one_request_with_500(monkeypatch, capsys):
    made = cluster("a")
    client = Client(made)
    monkeypatch.setattr(type(made), "collection", lambda *_: 1 / 0)
    reply = await client.get(MAPS)
    assert (reply.status, reply.json["reason"]) == (500, "InternalError")
    assert "ZeroDivisionError" in capsys.readouterr().err
