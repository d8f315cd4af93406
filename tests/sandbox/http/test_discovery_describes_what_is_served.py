"""Discovery and OpenAPI, and that both follow custom kinds."""

from __future__ import annotations

import json

from in_process import Client, cluster

from appdelivery.sandbox import kinds

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


def add_widgets(made) -> kinds.Kind:
    """Registers a custom kind without going through its definition."""
    entry = {
        "resource": "widgets", "responseKind": {"group": "example.org", "version": "v1", "kind": "Widget"}, "scope": "Namespaced",
        "singularResource": "widget", "shortNames": ["wd"], "verbs": ["create", "delete", "get", "list", "patch", "update", "watch"],
        "subresources": [{"subresource": "status", "responseKind": {"kind": "Widget"}, "verbs": ["get", "patch", "update"]}],
    }  # fmt: skip
    schema = {
        "type": "object",
        "properties": {
            "metadata": {"$ref": "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"},
            "spec": {"type": "object", "properties": {"size": {"type": "integer"}}},
        },
    }
    definition = {"spec": {"versions": [{"name": "v1"}]}}
    made.kinds.add(kinds.Kind("example.org", "v1", entry, schema, definition=definition))
    return made.kind("example.org/v1", "Widget")


async def test_the_oldest_api_is_described_without_a_version_of_its_own():
    client = Client(cluster())
    assert (await client.get("/api")).json == {
        "kind": "APIVersions", "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": "sandbox.test"}],
    }  # fmt: skip
    listed = (await client.get("/api/v1")).json
    assert "apiVersion" not in listed
    pods = {entry["name"]: entry for entry in listed["resources"]}["pods"]
    assert pods["shortNames"] == ["po"]
    assert pods["categories"] == ["all"]


async def test_groups_have_their_resources_and_subresources():
    client = Client(cluster())
    listed = (await client.get("/apis")).json["groups"]
    assert {"name": "apps", "versions": [{"groupVersion": "apps/v1", "version": "v1"}],
            "preferredVersion": {"groupVersion": "apps/v1", "version": "v1"}} in listed  # fmt: skip
    assert (await client.get("/apis/apps")).json["kind"] == "APIGroup"
    resources = {entry["name"]: entry for entry in (await client.get("/apis/apps/v1")).json["resources"]}
    assert resources["deployments/scale"] == {
        "name": "deployments/scale", "singularName": "", "namespaced": True, "group": "autoscaling", "version": "v1",
        "kind": "Scale", "verbs": ["get", "patch", "update"],
    }  # fmt: skip
    assert resources["deployments/status"]["kind"] == "Deployment"


async def test_everything_comes_in_one_document_that_need_not_be_sent_twice():
    client = Client(cluster())
    reply = await client.get("/apis", accept=f"{AGGREGATED},application/json")
    assert reply.headers["content-type"] == AGGREGATED
    assert reply.json["kind"] == "APIGroupDiscoveryList"
    again = await client.get("/apis", accept=AGGREGATED, if_none_match=reply.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    assert (await client.get("/apis", accept=AGGREGATED.replace("v=v2", "v=v2beta1"))).status == 406
    assert (await client.get("/apis", accept=AGGREGATED.replace("v=v2", "v=v2beta1") + ",*/*")).json[
        "kind"
    ] == "APIGroupList"


async def test_discovery_and_openapi_follow_custom_kinds():
    made = cluster()
    client = Client(made)
    before = (await client.get("/apis", accept=AGGREGATED)).headers["etag"]
    assert (await client.get("/apis/example.org/v1")).status == 404
    kind = add_widgets(made)
    assert (await client.get("/apis", accept=AGGREGATED)).headers["etag"] != before
    assert [entry["name"] for entry in (await client.get("/apis/example.org/v1")).json["resources"]] == [
        "widgets",
        "widgets/status",
    ]
    document = (await client.get("/openapi/v3/apis/example.org/v1")).json
    assert document["components"]["schemas"]["org.example.v1.Widget"]["properties"]["spec"]["properties"] == {
        "size": {"type": "integer"}
    }
    made.kinds.remove(kind)
    assert (await client.get("/apis/example.org")).status == 404
    assert (await client.get("/openapi/v3/apis/example.org/v1")).status == 404


async def test_openapi_holds_every_definition_that_it_refers_to():
    client = Client(cluster())
    index = (await client.get("/openapi/v3")).json["paths"]
    assert {"api/v1", "apis/apps/v1"} <= index.keys()
    for entry in index.values():
        path, _, hashed = entry["serverRelativeURL"].partition("?hash=")
        document = (await client.get(f"{path}?hash={hashed}")).json
        schemas = document["components"]["schemas"]
        wanted = {text.split('"')[0] for text in json.dumps(document).split("#/components/schemas/")[1:]}
        assert wanted <= schemas.keys(), path


async def test_openapi_says_what_a_patch_takes():
    client = Client(cluster())
    document = (await client.get("/openapi/v3/apis/apps/v1")).json
    patch = document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]
    assert {"dryRun", "fieldValidation", "force"} <= {parameter["name"] for parameter in patch["parameters"]}
    assert "application/apply-patch+yaml" in patch["requestBody"]["content"]
    assert patch["x-kubernetes-group-version-kind"] == {"group": "apps", "version": "v1", "kind": "Deployment"}


async def test_a_document_of_openapi_may_be_kept_by_its_hash():
    client = Client(cluster())
    place = (await client.get("/openapi/v3")).json["paths"]["apis/apps/v1"]["serverRelativeURL"]
    assert (await client.get(place)).headers["cache-control"] == "public, immutable"
    reply = await client.get("/openapi/v3/apis/apps/v1?hash=OLD")
    assert (reply.status, reply.headers["location"]) == (301, place)


async def test_the_old_openapi_comes_as_json_only():
    client = Client(cluster())
    reply = await client.get("/openapi/v2")
    assert "io.k8s.api.apps.v1.Deployment" in reply.json["definitions"]
    assert (await client.get("/openapi/v2", if_none_match=reply.headers["etag"])).status == 304
    assert (
        await client.get("/openapi/v2", accept="application/com.github.proto-openapi.spec.v2@v1.0+protobuf")
    ).status == 406


async def test_health_and_version_are_plain():
    client = Client(cluster())
    for path in ("/readyz", "/livez", "/healthz", "/healthz/ping"):
        assert (await client.get(path)).body == b"ok"
    assert (await client.get("/readyz/none")).status == 404
    assert (await client.get("/readyz?verbose")).body.endswith(b"readyz check passed\n")
    assert (await client.get("/version")).json["minor"] == "36"
    assert "/apis/apps/v1" in (await client.get("/")).json["paths"]
