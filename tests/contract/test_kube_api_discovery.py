"""What a server says it serves: version, health, discovery in all forms, OpenAPI."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kube_api import JSON

if TYPE_CHECKING:
    from kube_api import Api

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


async def test_the_version_names_major_minor_and_git_version(api: Api) -> None:
    body = (await api.get("/version")).ok(200).body
    assert body["major"] == "1"
    assert body["gitVersion"].startswith(f"v1.{body['minor']}.")
    assert {"platform", "goVersion", "buildDate", "gitCommit"} <= body.keys()


async def test_health_is_told_in_plain_text(api: Api) -> None:
    for path in ("/readyz", "/livez", "/healthz"):
        reply = (await api.get(path)).ok(200)
        assert reply.body == "ok"
        assert reply.headers["content-type"].startswith("text/plain")


async def test_the_core_group_lists_its_versions(api: Api) -> None:
    for path in ("/api", "/api/"):
        body = (await api.get(path)).ok(200).body
        assert (body["kind"], body["versions"]) == ("APIVersions", ["v1"])


async def test_groups_name_their_preferred_version(api: Api) -> None:
    for path in ("/apis", "/apis/"):
        body = (await api.get(path)).ok(200).body
        assert (body["kind"], body["apiVersion"]) == ("APIGroupList", "v1")
        groups = {one["name"]: one for one in body["groups"]}
        assert groups["autoscaling"]["preferredVersion"] == {"groupVersion": "autoscaling/v2", "version": "v2"}
        assert [one["version"] for one in groups["autoscaling"]["versions"]] == ["v2", "v1"]


async def test_one_group_is_told_alone(api: Api) -> None:
    body = (await api.get("/apis/apps")).ok(200).body
    assert (body["kind"], body["name"]) == ("APIGroup", "apps")
    assert body["versions"] == [{"groupVersion": "apps/v1", "version": "v1"}]


async def test_resources_of_a_version_carry_names_verbs_and_subresources(api: Api) -> None:
    body = (await api.get("/apis/apps/v1")).ok(200).body
    assert (body["kind"], body["groupVersion"]) == ("APIResourceList", "apps/v1")
    found = {one["name"]: one for one in body["resources"]}
    one = found["deployments"]
    assert (one["singularName"], one["namespaced"], one["kind"], one["shortNames"], one["categories"]) == (
        "deployment", True, "Deployment", ["deploy"], ["all"],
    )  # fmt: skip
    assert sorted(one["verbs"]) == ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
    scale = found["deployments/scale"]
    assert (scale["group"], scale["version"], scale["kind"]) == ("autoscaling", "v1", "Scale")
    assert sorted(scale["verbs"]) == ["get", "patch", "update"]


async def test_the_core_version_lists_logs_eviction_and_tokens(api: Api) -> None:
    found = {one["name"]: one for one in (await api.get("/api/v1")).ok(200).body["resources"]}
    assert found["pods/log"]["verbs"] == ["get"]
    assert (found["pods/eviction"]["group"], found["pods/eviction"]["kind"]) == ("policy", "Eviction")
    assert found["serviceaccounts/token"]["verbs"] == ["create"]
    assert not found["namespaces"]["namespaced"]
    assert found["configmaps"]["shortNames"] == ["cm"]


async def test_aggregated_discovery_tells_everything_in_one_answer(api: Api) -> None:
    for path, wanted in (("/api", "pods"), ("/apis", "deployments")):
        reply = (await api.get(path, accept=f"{AGGREGATED},{JSON}")).ok(200)
        assert (reply.body["kind"], reply.body["apiVersion"]) == ("APIGroupDiscoveryList", "apidiscovery.k8s.io/v2")
        assert reply.headers["content-type"].replace(" ", "") == AGGREGATED
        resources = {r["resource"]: r for g in reply.body["items"] for v in g["versions"] for r in v["resources"]}
        assert resources[wanted]["scope"] == "Namespaced"
        assert {"get", "list", "watch"} <= set(resources[wanted]["verbs"])
        assert "status" in [one["subresource"] for one in resources[wanted]["subresources"]]


async def test_aggregated_discovery_is_not_repeated_when_it_is_unchanged(api: Api) -> None:
    first = (await api.get("/apis", accept=AGGREGATED)).ok(200)
    again = await api.get("/apis", accept=AGGREGATED, headers={"if-none-match": first.headers["etag"]})
    assert (again.code, again.body) == (304, {})


async def test_what_is_not_served_is_not_found(api: Api) -> None:
    inside = f"/namespaces/{api.namespace}/gadgets"
    for path in ("/apis/apps/v9", "/api/v2", f"/api/v1{inside}", f"/apis/apps/v1{inside}/one"):
        reply = await api.get(path)
        reply.refused(404, "NotFound", "the server could not find the requested resource")
        assert reply.body["details"] == {}
    for path in ("/apis/example.invalid", "/nothing"):
        reply = await api.get(path)
        assert (reply.code, reply.body) == (404, "404 page not found\n")


async def test_open_api_2_describes_kinds_with_their_merge_keys(api: Api) -> None:
    body = (await api.get("/openapi/v2")).ok(200).body
    pod = body["definitions"]["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"]
    assert (pod["x-kubernetes-patch-merge-key"], pod["x-kubernetes-list-map-keys"]) == ("name", ["name"])
    assert body["swagger"] == "2.0"
    assert "/api/v1/namespaces/{namespace}/pods/{name}" in body["paths"]


async def test_open_api_3_is_an_index_of_documents_with_hashes(api: Api) -> None:
    paths = (await api.get("/openapi/v3")).ok(200).body["paths"]
    place = paths["apis/apps/v1"]["serverRelativeURL"]
    assert place.startswith("/openapi/v3/apis/apps/v1?hash=")
    document = (await api.get("/openapi/v3/apis/apps/v1")).ok(200).body
    assert document["openapi"].startswith("3.")
    deployment = document["components"]["schemas"]["io.k8s.api.apps.v1.Deployment"]
    assert {"group": "apps", "kind": "Deployment", "version": "v1"} in deployment["x-kubernetes-group-version-kind"]
    path = document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]
    assert "application/apply-patch+yaml" in path["patch"]["requestBody"]["content"]
    assert "fieldValidation" in {one.get("name") for one in path["patch"]["parameters"]}


async def test_values_of_two_types_are_told_as_such(api: Api) -> None:
    schemas = (await api.get("/openapi/v3/apis/apps/v1")).ok(200).body["components"]["schemas"]
    quantity = schemas["io.k8s.apimachinery.pkg.api.resource.Quantity"]
    assert quantity["oneOf"] == [{"type": "string"}, {"type": "number"}]
    assert "type" not in quantity
    either = schemas["io.k8s.apimachinery.pkg.util.intstr.IntOrString"]
    assert (either["format"], either["oneOf"]) == ("int-or-string", [{"type": "integer"}, {"type": "string"}])


async def test_an_open_api_3_document_may_be_kept_by_its_hash(api: Api) -> None:
    paths = (await api.get("/openapi/v3")).ok(200).body["paths"]
    place, _, digest = paths["apis/apps/v1"]["serverRelativeURL"].partition("?hash=")
    reply = (await api.get(place, hash=digest)).ok(200)
    assert "immutable" in reply.headers["cache-control"]


async def test_a_representation_that_cannot_be_made_is_not_acceptable(api: Api) -> None:
    reply = await api.get(api.path("configmaps"), accept="text/html")
    reply.refused(406, "NotAcceptable")
    assert "application/json" in reply.body["message"]


async def test_yaml_is_answered_to_who_asks_for_it(api: Api) -> None:
    await api.create(api.config())
    reply = (await api.get(api.path("configmaps", "web"), accept="application/yaml")).ok(200)
    assert reply.headers["content-type"] == "application/yaml"
    assert "kind: ConfigMap\n" in reply.body
