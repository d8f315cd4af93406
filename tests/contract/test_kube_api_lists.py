"""Lists: selectors, pages, versions, representations."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from kube_api import PARTIAL_LIST

if TYPE_CHECKING:
    from kube_api import Api


async def _three(api: Api) -> None:
    for name, labels in (("a", {"n": "1", "x": "y"}), ("b", {"n": "2", "x": "y"}), ("c", {"n": "3"})):
        (await api.create(api.config(name, labels=labels))).ok(201)


async def test_a_list_has_a_version_and_items_without_their_kind(api: Api) -> None:
    await _three(api)
    body = (await api.get(api.path("configmaps"), labelSelector="n")).ok(200).body
    assert (body["kind"], body["apiVersion"]) == ("ConfigMapList", "v1")
    assert int(body["metadata"]["resourceVersion"]) >= int(body["items"][-1]["metadata"]["resourceVersion"])
    assert [item["metadata"]["name"] for item in body["items"]] == ["a", "b", "c"]
    assert "kind" not in body["items"][0]
    assert "apiVersion" not in body["items"][0]


async def test_an_empty_list_is_a_list(api: Api) -> None:
    body = (await api.get(api.path("secrets"))).ok(200).body
    assert body["items"] == []


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("n=1", "a"),
        ("n==1", "a"),
        ("n!=1", "bc"),
        ("n in (1, 3)", "ac"),
        ("n notin (1,3)", "b"),
        ("x", "ab"),
        ("!x", "c"),
        ("x=y,n=2", "b"),
        ("n>1", "bc"),
        ("n<2", "a"),
    ],
)
async def test_labels_select(api: Api, selector: str, names: str) -> None:
    await _three(api)
    found = (await api.get(api.path("configmaps"), labelSelector=selector)).ok(200).names
    assert [name for name in found if name != "kube-root-ca.crt"] == list(names)


async def test_a_label_selector_that_cannot_be_read_is_refused(api: Api) -> None:
    reply = await api.get(api.path("configmaps"), labelSelector="n in (")
    reply.refused(400, "BadRequest")
    assert reply.body["message"] == "unable to parse requirement: found '', expected: ',', ')' or identifier"


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("metadata.name=b", "b"),
        ("metadata.name!=b,metadata.name!=kube-root-ca.crt", "ac"),
        ("metadata.namespace=elsewhere", ""),
    ],
)
async def test_fields_select(api: Api, selector: str, names: str) -> None:
    await _three(api)
    assert (await api.get(api.path("configmaps"), fieldSelector=selector)).ok(200).names == list(names)


async def test_pods_are_selected_by_phase_and_node(api: Api) -> None:
    await api.until(api.path("serviceaccounts", "default"), bool)
    await api.create(api.pod("one", nodeSelector={"no": "node"}))
    path = api.path("pods")
    assert (await api.get(path, fieldSelector="status.phase=Pending")).ok(200).names == ["one"]
    assert (await api.get(path, fieldSelector="status.phase!=Pending")).ok(200).names == []
    assert (await api.get(path, fieldSelector="spec.nodeName=")).ok(200).names == ["one"]


async def test_events_are_selected_by_what_they_are_about(api: Api) -> None:
    for name, about in (("one", "web"), ("two", "other")):
        event = api.object("v1", "Event", name, involvedObject={"kind": "Pod", "name": about, "namespace": api.namespace})
        await api.create(event | {"reason": "Tested", "type": "Normal"})
    selector = "involvedObject.kind=Pod,involvedObject.name=web,reason=Tested"
    assert (await api.get(api.path("events"), fieldSelector=selector)).ok(200).names == ["one"]


async def test_fields_that_are_not_indexed_are_refused(api: Api) -> None:
    reply = await api.get(api.path("configmaps"), fieldSelector="data.a=1")
    known = '"metadata.name", "metadata.namespace"'
    reply.refused(400, "BadRequest", f'"data.a" is not a known field selector: only {known}')
    reply = await api.get(api.path("pods"), fieldSelector="spec.foo=1")
    reply.refused(400, "BadRequest", "field label not supported: spec.foo")


async def test_pages_follow_each_other_on_one_version(api: Api) -> None:
    await _three(api)
    path = api.path("configmaps")
    first = (await api.get(path, limit=2, labelSelector="n")).ok(200)
    assert first.names == ["a", "b"]
    assert "remainingItemCount" not in first.meta, "unknown under a selector"
    await api.create(api.config("d", labels={"n": "4"}))
    rest = (await api.get(path, limit=2, labelSelector="n", **{"continue": first.meta["continue"]})).ok(200)
    assert rest.names == ["c"]
    assert "continue" not in rest.meta
    assert rest.version == first.version


async def test_a_page_tells_how_many_remain(api: Api) -> None:
    await _three(api)
    await api.until(api.path("configmaps", "kube-root-ca.crt"), bool)
    page = (await api.get(api.path("configmaps"), limit=1)).ok(200)
    assert page.meta["remainingItemCount"] == 3


async def test_a_continue_token_of_nobody_is_refused(api: Api) -> None:
    reply = await api.get(api.path("configmaps"), limit=1, **{"continue": "nonsense"})
    reply.refused(400, "BadRequest")
    assert reply.body["message"].startswith("invalid continue token: continue key is not valid: ")


async def test_all_namespaces_are_listed_together(api: Api) -> None:
    await api.create(api.config(labels={"run": api.namespace}))
    found = (await api.get(api.path("configmaps", namespace=None), labelSelector=f"run={api.namespace}")).ok(200)
    assert [(one["metadata"]["namespace"], one["metadata"]["name"]) for one in found.body["items"]] == [
        (api.namespace, "web")
    ]


async def test_a_list_from_the_cache_is_not_older_than_asked(api: Api) -> None:
    created = await api.create(api.config())
    for query in ({"resourceVersion": "0"}, {"resourceVersion": created.version, "resourceVersionMatch": "NotOlderThan"}):
        reply = (await api.get(api.path("configmaps"), fieldSelector="metadata.name=web", **query)).ok(200)
        assert query["resourceVersion"] == "0" or reply.names == ["web"]


async def test_a_match_rule_needs_a_version(api: Api) -> None:
    reply = await api.get(api.path("configmaps"), resourceVersionMatch="Exact")
    reply.refused(422, "Invalid")
    assert "resourceVersionMatch is forbidden unless resourceVersion is provided" in reply.body["message"]


async def test_an_exact_version_shows_what_was(api: Api) -> None:
    await api.create(api.config("a"))
    version = (await api.get(api.path("configmaps"))).version
    await api.create(api.config("b"))
    query = {"resourceVersion": version, "resourceVersionMatch": "Exact"}
    reply = (await api.get(api.path("configmaps"), fieldSelector="metadata.name!=kube-root-ca.crt", **query)).ok(200)
    assert (reply.names, reply.version) == (["a"], version)


async def test_an_invalid_version_is_refused(api: Api) -> None:
    reply = await api.get(api.path("configmaps"), resourceVersion="soon")
    said = 'resourceVersion: Invalid value: "soon": strconv.ParseUint: parsing "soon": invalid syntax'
    reply.refused(400, "BadRequest", f"invalid resource version: {said}")


async def test_metadata_alone_may_be_listed(api: Api) -> None:
    await _three(api)
    reply = (await api.get(api.path("configmaps"), labelSelector="n", accept=PARTIAL_LIST)).ok(200)
    assert (reply.body["kind"], reply.body["apiVersion"]) == ("PartialObjectMetadataList", "meta.k8s.io/v1")
    assert reply.names == ["a", "b", "c"]
    assert [sorted(item) for item in reply.body["items"]] == [["apiVersion", "kind", "metadata"]] * 3


async def test_lists_of_cluster_scoped_kinds_need_no_namespace(api: Api) -> None:
    reply = (await api.get("/api/v1/namespaces", fieldSelector=f"metadata.name={api.namespace}")).ok(200)
    assert reply.names == [api.namespace]
    assert (await api.get("/api/v1/namespaces", labelSelector=f"kubernetes.io/metadata.name={api.namespace}")).names == [
        api.namespace
    ]


async def test_parallel_lists_do_not_disturb_each_other(api: Api) -> None:
    await _three(api)
    found = await asyncio.gather(*[api.get(api.path("configmaps"), labelSelector=f"n={n}") for n in (1, 2, 3) * 5])
    assert [one.names for one in found] == [["a"], ["b"], ["c"]] * 5
