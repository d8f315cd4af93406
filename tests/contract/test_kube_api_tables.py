"""Tables, as kubectl prints them: columns and cells by kind."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import support
from kube_api import JSON, PARTIAL, TABLE

if TYPE_CHECKING:
    from kube_api import Api


async def _table(api: Api, path: str, **query: Any) -> dict[str, Any]:
    reply = (await api.get(path, accept=f"{TABLE},{JSON}", **query)).ok(200)
    assert (reply.body["kind"], reply.body["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    return reply.body


def _columns(table: dict[str, Any], *, wide: bool = False) -> list[str]:
    return [one["name"] for one in table["columnDefinitions"] if wide or not one["priority"]]


async def test_a_table_of_config_maps(api: Api) -> None:
    await api.create(api.config(data={"a": "1", "b": "2"}))
    table = await _table(api, api.path("configmaps"), fieldSelector="metadata.name=web")
    assert _columns(table) == ["Name", "Data", "Age"]
    (row,) = table["rows"]
    assert row["cells"][:2] == ["web", 2]
    assert re.fullmatch(r"\d+s|\d+m\d*s?", row["cells"][2]), "an age"
    assert (row["object"]["kind"], row["object"]["metadata"]["name"]) == ("PartialObjectMetadata", "web")
    assert int(table["metadata"]["resourceVersion"]) > 0


@pytest.mark.parametrize(
    ("policy", "kind"), [("None", None), ("Object", "ConfigMap"), ("Metadata", "PartialObjectMetadata")]
)
async def test_rows_carry_as_much_of_the_object_as_is_asked_for(api: Api, policy: str, kind: str | None) -> None:
    await api.create(api.config())
    table = await _table(api, api.path("configmaps"), fieldSelector="metadata.name=web", includeObject=policy)
    found = table["rows"][0].get("object")
    assert (found and found["kind"]) == kind


async def test_one_object_as_a_table(api: Api) -> None:
    await api.create(api.config())
    table = await _table(api, api.path("configmaps", "web"))
    assert [row["cells"][0] for row in table["rows"]] == ["web"]


async def test_a_table_of_deployments(api: Api) -> None:
    await api.create(api.deployment(replicas=0))
    table = await _table(api, api.path("apps/v1/deployments"))
    assert _columns(table) == ["Name", "Ready", "Up-to-date", "Available", "Age"]
    assert _columns(table, wide=True)[5:] == ["Containers", "Images", "Selector"]
    cells = table["rows"][0]["cells"]
    assert (cells[:4], cells[5:]) == (["web", "0/0", 0, 0], ["app", "registry.example/app:1", "app=web"])


async def test_a_table_of_pods(api: Api) -> None:
    if not api.controllers:
        support.missing("controllers and nodes of a control plane", "CLUSTER")
    await api.until(api.path("serviceaccounts", "default"), bool)
    await api.create(api.pod())
    await api.until(api.path("pods", "web"), lambda seen: seen.get("status", {}).get("phase") == "Running")
    table = await _table(api, api.path("pods"))
    assert _columns(table) == ["Name", "Ready", "Status", "Restarts", "Age"]
    assert _columns(table, wide=True)[5:] == ["IP", "Node", "Nominated Node", "Readiness Gates"]
    cells = table["rows"][0]["cells"]
    assert [str(cell) for cell in cells[:4]] == ["web", "1/1", "Running", "0"]
    assert cells[7:] == ["<none>", "<none>"]


async def test_a_table_of_services(api: Api) -> None:
    await api.create(api.object("v1", "Service", "web", spec={"ports": [{"port": 80}], "selector": {"a": "b"}}))
    table = await _table(api, api.path("services"))
    assert _columns(table) == ["Name", "Type", "Cluster-IP", "External-IP", "Port(s)", "Age"]
    cells = table["rows"][0]["cells"]
    assert (cells[:2], cells[3:5], cells[6]) == (["web", "ClusterIP"], ["<none>", "80/TCP"], "a=b")


async def test_a_table_of_namespaces(api: Api) -> None:
    table = await _table(api, f"/api/v1/namespaces/{api.namespace}")
    assert _columns(table) == ["Name", "Status", "Age"]
    assert table["rows"][0]["cells"][:2] == [api.namespace, "Active"]


async def test_a_table_of_jobs(api: Api) -> None:
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "app", "image": "x:1"}]}}
    await api.create(api.object("batch/v1", "Job", "web", spec={"template": template, "suspend": True, "completions": 3}))
    await api.until(api.path("batch/v1/jobs", "web"), lambda s: not api.controllers or s["status"].get("conditions"))
    table = await _table(api, api.path("batch/v1/jobs"))
    assert _columns(table) == ["Name", "Status", "Completions", "Duration", "Age"]
    assert table["rows"][0]["cells"][:3] == ["web", "Suspended", "0/3"]


async def test_a_table_of_secrets_and_accounts(api: Api) -> None:
    await api.create(api.object("v1", "Secret", "web", data={"a": "MQ=="}))
    table = await _table(api, api.path("secrets"))
    assert _columns(table) == ["Name", "Type", "Data", "Age"]
    assert table["rows"][0]["cells"][:3] == ["web", "Opaque", 1]


async def test_a_table_of_events(api: Api) -> None:
    about = {"kind": "Pod", "name": "web", "namespace": api.namespace}
    event = api.object("v1", "Event", "one", involvedObject=about, reason="Tested", message="here it is", type="Normal")
    await api.create(event)
    table = await _table(api, api.path("events"))
    assert _columns(table) == ["Last Seen", "Type", "Reason", "Object", "Message"]
    assert table["rows"][0]["cells"][1:5] == ["Normal", "Tested", "pod/web", "here it is"] or (
        table["rows"][0]["cells"][1:4] == ["Normal", "Tested", "pod/web"]
    )


async def test_a_page_of_a_table(api: Api) -> None:
    for name in "abc":
        await api.create(api.config(name, labels={"x": "1"}))
    table = await _table(api, api.path("configmaps"), limit=2, labelSelector="x")
    assert [row["cells"][0] for row in table["rows"]] == ["a", "b"]
    rest = await _table(api, api.path("configmaps"), labelSelector="x", **{"continue": table["metadata"]["continue"]})
    assert [row["cells"][0] for row in rest["rows"]] == ["c"]


async def test_metadata_alone_of_one_object(api: Api) -> None:
    created = await api.create(api.config())
    reply = (await api.get(api.path("configmaps", "web"), accept=PARTIAL)).ok(200)
    assert (reply.body["kind"], reply.body["apiVersion"]) == ("PartialObjectMetadata", "meta.k8s.io/v1")
    assert reply.body["metadata"] == created.meta
    assert "data" not in reply.body
