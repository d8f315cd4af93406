"""Watches: from which version they begin, what they show, how they end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from kube_api import PARTIAL, TABLE

if TYPE_CHECKING:
    from kube_api import Api, Reply

INITIAL_END = "k8s.io/initial-events-end"
BOOKMARKED = {"allowWatchBookmarks": "true", "sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}


def _secret(api: Api, name: str = "web", **labels: str) -> dict[str, Any]:
    """A kind of which nobody else makes any."""
    return api.object("v1", "Secret", name, metadata={"labels": labels} if labels else {}, data={"a": "MQ=="})


async def _changed(api: Api, name: str = "web", value: str = "Mg==") -> Reply:
    return (await api.merge(api.path("secrets", name), {"data": {"a": value}})).ok(200)


async def _version(api: Api) -> str:
    return (await api.get(api.path("secrets"))).ok(200).version


async def test_a_watch_shows_later_changes_in_order(api: Api) -> None:
    async with api.watch(api.path("secrets"), resourceVersion=await _version(api)) as stream:
        created = await api.create(_secret(api))
        await _changed(api)
        await api.delete(api.path("secrets", "web"))
        seen = [await stream.event() for _ in range(3)]
    assert [kind for kind, _ in seen] == ["ADDED", "MODIFIED", "DELETED"]
    assert seen[0][1] == created.body
    versions = [int(one["metadata"]["resourceVersion"]) for _, one in seen]
    assert versions == sorted(set(versions)), "a deletion has a version of its own"
    assert seen[2][1]["data"] == {"a": "Mg=="}


async def test_a_watch_repeats_what_happened_since_its_version(api: Api) -> None:
    version = await _version(api)
    await api.create(_secret(api))
    await api.delete(api.path("secrets", "web"))
    async with api.watch(api.path("secrets"), resourceVersion=version) as stream:
        assert await stream.events(2) == [("ADDED", "web"), ("DELETED", "web")]


@pytest.mark.parametrize("version", [{}, {"resourceVersion": "0"}])
async def test_a_watch_from_no_version_begins_with_what_is_there(api: Api, version: dict[str, str]) -> None:
    for name in ("a", "b"):
        await api.create(_secret(api, name))
    async with api.watch(api.path("secrets"), **version) as stream:
        assert sorted(await stream.events(2)) == [("ADDED", "a"), ("ADDED", "b")]
        await api.delete(api.path("secrets", "a"))
        assert await stream.events(1) == [("DELETED", "a")]


async def test_initial_events_end_with_a_bookmark_that_says_so(api: Api) -> None:
    created = await api.create(_secret(api))
    async with api.watch(api.path("secrets"), **BOOKMARKED) as stream:
        assert await stream.events(1) == [("ADDED", "web")]
        kind, obj = await stream.event()
        assert (kind, obj["kind"], obj["apiVersion"]) == ("BOOKMARK", "Secret", "v1")
        assert obj["metadata"]["annotations"] == {INITIAL_END: "true"}
        assert int(obj["metadata"]["resourceVersion"]) >= int(created.version)
        await _changed(api)
        assert await stream.events(1) == [("MODIFIED", "web")]


async def test_initial_events_need_a_match_rule(api: Api) -> None:
    reply = await api.get(api.path("secrets"), watch="true", sendInitialEvents="true", allowWatchBookmarks="true")
    reply.refused(422, "Invalid", kind="ListOptions", group="meta.k8s.io")
    assert "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan" in reply.body["message"]


async def test_a_match_rule_on_a_watch_needs_initial_events(api: Api) -> None:
    reply = await api.get(api.path("secrets"), watch="true", resourceVersion="1", resourceVersionMatch="NotOlderThan")
    reply.refused(422, "Invalid", kind="ListOptions", group="meta.k8s.io")
    said = "Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
    assert [cause["message"] for cause in reply.body["details"]["causes"]] == [said]


async def test_a_watch_by_label_shows_what_comes_into_view_and_what_leaves_it(api: Api) -> None:
    await api.create(_secret(api, color="blue"))
    path = api.path("secrets", "web")
    async with api.watch(api.path("secrets"), labelSelector="color=red", resourceVersion=await _version(api)) as stream:
        await api.merge(path, {"metadata": {"labels": {"color": "red"}}})
        await _changed(api)
        await api.merge(path, {"metadata": {"labels": {"color": "green"}}})
        await _changed(api, value="Mw==")
        await api.merge(path, {"metadata": {"labels": {"color": "red"}}})
        seen = [await stream.event() for _ in range(4)]
    assert [kind for kind, _ in seen] == ["ADDED", "MODIFIED", "DELETED", "ADDED"]
    assert seen[2][1]["metadata"]["labels"] == {"color": "red"}, "as it was while it was in view"


async def test_a_watch_by_name_shows_one_object(api: Api) -> None:
    version = await _version(api)
    async with api.watch(api.path("secrets"), fieldSelector="metadata.name=b", resourceVersion=version) as stream:
        for name in ("a", "b", "c"):
            await api.create(_secret(api, name))
        await api.delete(api.path("secrets", "b"))
        assert await stream.events(2) == [("ADDED", "b"), ("DELETED", "b")]


async def test_the_old_watch_paths_still_work(api: Api) -> None:
    await api.create(_secret(api))
    async with api.stream(f"/api/v1/watch/namespaces/{api.namespace}/secrets") as stream:
        assert await stream.events(1) == [("ADDED", "web")]
    async with api.stream(f"/api/v1/watch/namespaces/{api.namespace}/secrets/web") as stream:
        assert await stream.events(1) == [("ADDED", "web")]


async def test_a_watch_over_all_namespaces_sees_every_one(api: Api) -> None:
    path = api.path("secrets", namespace=None)
    version = (await api.get(path)).version
    async with api.watch(path, labelSelector=f"run={api.namespace}", resourceVersion=version) as stream:
        await api.create(_secret(api, run=api.namespace))
        assert await stream.events(1) == [("ADDED", "web")]


async def test_a_watch_ends_by_itself_when_its_time_is_over(api: Api) -> None:
    async with api.watch(api.path("secrets"), timeoutSeconds="1", resourceVersion=await _version(api)) as stream:
        assert await stream.rest() == []


async def test_a_watch_answers_lines_of_json(api: Api) -> None:
    async with api.watch(api.path("secrets"), resourceVersion=await _version(api)) as stream:
        assert stream.code == 200
        assert stream.headers["content-type"] == "application/json"
        await api.create(_secret(api))
        line = await stream.line()
    assert line is not None
    assert line.startswith(b'{"type":"ADDED","object":{"kind":"Secret","apiVersion":"v1",')


async def test_metadata_alone_may_be_watched(api: Api) -> None:
    async with api.watch(api.path("secrets"), resourceVersion=await _version(api), accept=PARTIAL) as stream:
        created = await api.create(_secret(api))
        kind, obj = await stream.event()
    assert (kind, obj["kind"], obj["apiVersion"]) == ("ADDED", "PartialObjectMetadata", "meta.k8s.io/v1")
    assert obj["metadata"] == created.meta
    assert "data" not in obj


async def test_tables_may_be_watched(api: Api) -> None:
    async with api.watch(api.path("secrets"), resourceVersion=await _version(api), accept=TABLE) as stream:
        for name in ("a", "b"):
            await api.create(_secret(api, name))
        _, first = await stream.event()
        _, second = await stream.event()
    assert (first["kind"], [one["name"] for one in first["columnDefinitions"]]) == ("Table", ["Name", "Type", "Data", "Age"])
    assert first["rows"][0]["cells"][:3] == ["a", "Opaque", 1]
    assert not second["columnDefinitions"], "columns are told once"


async def test_many_watchers_see_the_same(api: Api) -> None:
    version = await _version(api)

    async def seen() -> list[tuple[str, str]]:
        async with api.watch(api.path("secrets"), resourceVersion=version) as stream:
            return await stream.events(5)

    watchers = [asyncio.create_task(seen()) for _ in range(10)]
    for number in range(5):
        await api.create(_secret(api, f"s{number}"))
    assert await asyncio.gather(*watchers) == [[("ADDED", f"s{number}") for number in range(5)]] * 10


async def test_an_unchanged_write_is_no_event(api: Api) -> None:
    await api.create(_secret(api))
    async with api.watch(api.path("secrets"), resourceVersion=await _version(api)) as stream:
        await _changed(api, value="MQ==")
        await api.merge(api.path("secrets", "web"), {"metadata": {"labels": {"x": "1"}}}, dryRun="All")
        await _changed(api, value="Mw==")
        _, obj = await stream.event()
    assert obj["data"] == {"a": "Mw=="}


async def test_a_watch_in_the_version_of_its_path(api: Api) -> None:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    spec = {"scaleTargetRef": target, "maxReplicas": 3}
    async with api.watch(api.path("autoscaling/v1/horizontalpodautoscalers")) as stream:
        await api.create(api.object("autoscaling/v2", "HorizontalPodAutoscaler", "web", spec=spec))
        _, obj = await stream.event()
    assert obj["apiVersion"] == "autoscaling/v1"
