"""Watches: from a version on, as selectors see it, in every representation, whatever faults do to them."""

from __future__ import annotations

import asyncio

import in_process
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from in_process import MAPS, PARTIAL, TABLE, Client, cluster, put

from appdelivery.sandbox import status, storage
from appdelivery.sandbox.faults import plan as plans
from appdelivery.sandbox.http import hubs

WATCH = f"{MAPS}?watch=1"


def change(made, name: str, **metadata) -> None:
    in_process.commit(made, "v1", "ConfigMap", {"metadata": {"name": name, "namespace": "team", **metadata}})


def drop(made, name: str) -> None:
    kind = made.kind("v1", "ConfigMap")
    body = made.get(kind, "team", name).body
    made.storage.commit(storage.DELETED, kind.family, {**body, "metadata": dict(body["metadata"])})


async def test_a_watch_without_a_version_begins_with_what_is_there():
    made = cluster("a", "b")
    async with Client(made).open(WATCH) as stream:
        assert await stream.names(2) == [("ADDED", "a"), ("ADDED", "b")]
        put(made, "c")
        assert await stream.names(1) == [("ADDED", "c")]


async def test_a_watch_from_a_version_tells_what_happened_since():
    made = cluster("a")
    client = Client(made)
    then = made.storage.revision
    put(made, "b")
    drop(made, "a")
    async with client.open(f"{WATCH}&resourceVersion={then}") as stream:
        assert await stream.names(2) == [("ADDED", "b"), ("DELETED", "a")]
        assert await stream.quiet()


async def test_a_deleted_object_comes_with_the_version_of_its_deletion():
    made = cluster("a")
    async with Client(made).open(f"{WATCH}&resourceVersion={made.storage.revision}") as stream:
        drop(made, "a")
        type, body = await stream.event()
    assert (type, body["metadata"]["resourceVersion"]) == ("DELETED", str(made.storage.revision))


async def test_a_version_that_is_no_longer_kept_gets_an_error_event_with_410_and_the_end():
    made = cluster("a")
    put(made, "b")
    made.storage.forget()
    async with Client(made).open(f"{WATCH}&resourceVersion=1") as stream:
        type, body = await stream.event()
        assert await stream.quiet()
        assert stream.ended.is_set()
    assert (type, body["code"], body["reason"]) == ("ERROR", 410, "Expired")
    assert body["message"] == f"too old resource version: 1 ({made.storage.revision})"


async def test_what_happened_before_a_server_started_is_not_told():
    made = cluster("a")
    client = Client(made)
    async with client.open("/apis/apps/v1/deployments?watch=1&resourceVersion=1") as stream:
        assert (await stream.event())[0] == "ERROR"
    async with client.open(f"{WATCH}&resourceVersion={made.storage.revision}") as stream:
        assert await stream.quiet()


async def test_the_old_paths_of_watches_still_lead_there():
    client = Client(cluster("a", "b"))
    async with client.open("/api/v1/watch/namespaces/team/configmaps") as stream:
        assert await stream.names(2) == [("ADDED", "a"), ("ADDED", "b")]
    async with client.open("/api/v1/watch/namespaces/team/configmaps/b") as stream:
        assert await stream.names(1) == [("ADDED", "b")]


async def test_initial_events_end_with_a_marked_bookmark():
    made = cluster("a")
    query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    async with Client(made).open(f"{WATCH}&{query}") as stream:
        assert await stream.names(1) == [("ADDED", "a")]
        type, body = await stream.event()
    assert type == "BOOKMARK"
    assert body == {
        "kind": "ConfigMap",
        "apiVersion": "v1",
        "metadata": {
            "resourceVersion": str(made.storage.revision),
            "annotations": {"k8s.io/initial-events-end": "true"},
        },
    }


async def test_an_object_that_begins_or_ceases_to_match_is_added_or_deleted():
    made = cluster()
    change(made, "a", labels={"x": "1"})
    async with Client(made).open(f"{WATCH}&labelSelector=x=2&resourceVersion={made.storage.revision}") as stream:
        change(made, "a", labels={"x": "2"})
        change(made, "a", labels={"x": "2", "y": "3"})
        change(made, "a", labels={"x": "3"})
        left = made.storage.revision
        change(made, "a", labels={"x": "4"})
        assert await stream.names(2) == [("ADDED", "a"), ("MODIFIED", "a")]
        type, body = await stream.event()
        assert await stream.quiet()
    assert type == "DELETED"
    assert body["metadata"]["labels"] == {"x": "2", "y": "3"}
    assert body["metadata"]["resourceVersion"] == str(left)


async def test_a_watch_sees_its_own_namespace_only():
    made = cluster()
    async with Client(made).open(f"{WATCH}&resourceVersion={made.storage.revision}") as stream:
        put(made, "x", "other")
        put(made, "y")
        assert await stream.names(1) == [("ADDED", "y")]


async def test_a_table_gives_its_columns_with_the_first_event_only():
    made = cluster("a", "b")
    async with Client(made).open(WATCH, accept=TABLE) as stream:
        first, second = [(await stream.event())[1] for _ in range(2)]
    assert [column["name"] for column in first["columnDefinitions"]] == ["Name", "Data", "Age"]
    assert second["columnDefinitions"] is None
    assert second["rows"][0]["cells"][:2] == ["b", 0]


async def test_metadata_alone_can_be_watched():
    made = cluster("a")
    async with Client(made).open(WATCH, accept=PARTIAL) as stream:
        _, body = await stream.event()
    assert (body["kind"], sorted(body)) == ("PartialObjectMetadata", ["apiVersion", "kind", "metadata"])


@pytest.mark.slow
async def test_a_stream_ends_after_its_timeout():
    async with Client(cluster()).open(f"{WATCH}&timeoutSeconds=1") as stream:
        await asyncio.wait_for(stream.ended.wait(), 5)


async def test_who_asks_for_a_watch_without_sense_is_refused():
    client = Client(cluster())
    reply = await client.get(f"{WATCH}&sendInitialEvents=true")
    assert reply.message.endswith("Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan")
    reply = await client.get(f"{WATCH}&resourceVersionMatch=NotOlderThan")
    assert reply.message.endswith(
        "Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
    )
    reply = await client.get(f"{WATCH}&resourceVersion=x")
    assert (reply.status, "reason" in reply.json) == (500, False)
    reply = await client.get(WATCH, accept="application/yaml")
    assert reply.status == 406


async def test_a_collection_that_nobody_watches_any_more_has_no_listeners():
    made = cluster()
    kept = made.collection(made.kind("v1", "ConfigMap"))
    async with Client(made).open(WATCH):
        assert len(kept.listeners) == 1
    assert not kept.listeners


async def test_the_streams_of_a_custom_kind_end_with_it():
    made = cluster()
    client = Client(made)
    definition = in_process.create(
        made, "apiextensions.k8s.io/v1", "CustomResourceDefinition",
        {
            "metadata": {"name": "widgets.example.org"},
            "spec": {
                "group": "example.org", "scope": "Namespaced", "names": {"plural": "widgets", "singular": "widget", "kind": "Widget"},
                "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}],
            },
        },
    )  # fmt: skip
    made.clock.advance(10)
    async with client.open("/apis/example.org/v1/widgets?watch=1") as stream:
        in_process.create(made, "example.org/v1", "Widget", {"metadata": {"name": "w"}})
        assert await stream.names(1) == [("ADDED", "w")]
        path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{definition['metadata']['name']}"
        assert (await client.ask("DELETE", path)).status == 200
        made.clock.advance(10)
        await asyncio.wait_for(stream.ended.wait(), 5)


STEP = st.tuples(st.sampled_from("abc"), st.sampled_from(["1", "2", "gone"]))


@settings(max_examples=20, deadline=None)
@given(before=st.lists(STEP, max_size=6), after=st.lists(STEP, max_size=10), pause=st.integers(0, 10))
def test_a_list_and_the_events_since_give_what_matches_now(before, after, pause):
    """Whatever the selector, and wherever the stream begins."""
    made = cluster()
    client = Client(made)

    def act(step: tuple[str, str]) -> None:
        name, value = step
        if value != "gone":
            change(made, name, labels={"v": value})
        elif made.get(made.kind("v1", "ConfigMap"), "team", name):
            drop(made, name)

    async def play() -> tuple[dict, dict]:
        for step in before:
            act(step)
        listed = (await client.get(f"{MAPS}?labelSelector=v=1")).json
        known = {item["metadata"]["name"]: item["metadata"]["resourceVersion"] for item in listed["items"]}
        for step in after[:pause]:
            act(step)
        async with client.open(
            f"{WATCH}&labelSelector=v=1&resourceVersion={listed['metadata']['resourceVersion']}"
        ) as stream:
            for step in after[pause:]:
                act(step)
            change(made, "end", labels={"v": "1"})
            while "end" not in known:
                type, body = await stream.event()
                known[body["metadata"]["name"]] = body["metadata"]["resourceVersion"]
                if type == "DELETED":
                    del known[body["metadata"]["name"]]
        now = (await client.get(f"{MAPS}?labelSelector=v=1")).json["items"]
        return known, {item["metadata"]["name"]: item["metadata"]["resourceVersion"] for item in now}

    known, now = asyncio.run(play())
    assert known == now


class Planned:
    """A rule set that plans the same for every watch."""

    def __init__(self, plan: plans.Plan) -> None:
        self._plan = plan

    def plan(self, request) -> plans.Plan | None:
        return self._plan if request.verb == "watch" else None


def faulty(made, **plan) -> Client:
    return Client(made, faults=Planned(plans.Plan(**plan)))


async def test_a_stalled_stream_never_says_anything():
    made = cluster("a")
    async with faulty(made, watch="stall").open(WATCH) as stream:
        put(made, "b")
        assert await stream.quiet()
        assert stream.reply.status == 200


async def test_an_expired_stream_ends_with_410():
    async with faulty(cluster("a"), watch="expired").open(WATCH) as stream:
        type, body = await stream.event()
    assert (type, body["code"]) == ("ERROR", 410)


async def test_duplicated_events_come_twice():
    async with faulty(cluster("a", "b"), watch="duplicate").open(WATCH) as stream:
        assert await stream.names(4) == [("ADDED", "a"), ("ADDED", "a"), ("ADDED", "b"), ("ADDED", "b")]


@pytest.mark.slow
async def test_reordered_events_change_places_and_none_is_lost():
    made = cluster("a", "b", "c")
    async with faulty(made, watch="reorder").open(WATCH) as stream:
        assert await stream.names(2) == [("ADDED", "b"), ("ADDED", "a")]
        assert await stream.names(1) == [("ADDED", "c")]  # after a second without a next one


async def test_a_refusal_can_be_planned_for_a_watch():
    reply = await faulty(cluster(), before=status.Refusal(503, "ServiceUnavailable", "not now")).get(WATCH)
    assert (reply.status, reply.message) == (503, "not now")


async def test_a_watcher_that_does_not_read_is_ended_and_holds_nobody_up():
    made = cluster()
    sent: list[dict] = []
    stuck, reading = asyncio.Event(), asyncio.Event()

    async def send(message: dict) -> None:
        sent.append(message)
        if message.get("body"):
            stuck.set()
            await reading.wait()

    client = Client(made)
    scope = client._scope("GET", f"{WATCH}&resourceVersion={made.storage.revision}", {})
    task = asyncio.create_task(client.app(scope, asyncio.Event().wait, send))
    await asyncio.sleep(0)
    put(made, "first")
    await asyncio.wait_for(stuck.wait(), 5)
    for _ in range(hubs.MOST_WAITING + 1):
        change(made, "busy")
    reading.set()
    await asyncio.wait_for(task, 5)
    assert sent[-1]["more_body"] is False
