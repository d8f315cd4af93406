"""Custom kinds: definitions, their schemas and versions, and what becomes of objects when a definition goes."""

from __future__ import annotations

import asyncio
import copy
import secrets
from typing import TYPE_CHECKING, Any

import pytest
import sandbox_fixtures
from kube_api import TABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kube_api import Api
    from plane_fixtures import Planes

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "required": ["size"],
            "properties": {
                "size": {"type": "integer", "minimum": 1, "maximum": 9},
                "color": {"type": "string", "enum": ["red", "blue"], "default": "red"},
                "replicas": {"type": "integer", "default": 1},
                "pattern": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 5},
                "parts": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["name"],
                    "items": {
                        "type": "object",
                        "required": ["name"],
                        "properties": {"name": {"type": "string"}, "value": {"type": "string"}},
                    },
                },
                "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
                "port": {"x-kubernetes-int-or-string": True},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            },
        },
        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    },
}


class Widgets:
    """A definition of its own, in a group named after the run."""

    def __init__(self, api: Api, group: str = "") -> None:
        self.api = api
        self.group = group or f"g{api.namespace.removeprefix('t-')}.example.org"
        self.name = f"widgets.{self.group}"
        self.kind = f"{self.group}/v1/widgets"

    def definition(self, *, scope: str = "Namespaced", schema: Any = None) -> dict[str, Any]:
        names = {
            "plural": "widgets",
            "singular": "widget",
            "kind": "Widget",
            "listKind": "WidgetList",
            "shortNames": ["wd"],
            "categories": ["toys"],
        }
        version = {
            "name": "v1",
            "served": True,
            "storage": True,
            "schema": {"openAPIV3Schema": copy.deepcopy(schema or SCHEMA)},
            "subresources": {
                "status": {},
                "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"},
            },
            "additionalPrinterColumns": [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}],
        }
        return {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": self.name},
            "spec": {"group": self.group, "scope": scope, "names": names, "versions": [version]},
        }

    async def made(self, **how: Any) -> Widgets:
        (await self.api.post(CRDS, self.definition(**how))).ok(201)
        await self.api.until(f"{CRDS}/{self.name}", lambda seen: _condition(seen, "Established") == "True")
        await self.api.until(f"/apis/{self.group}/v1", bool)
        return self

    def body(self, name: str = "web", **spec: Any) -> dict[str, Any]:
        return self.api.object(f"{self.group}/v1", "Widget", name, spec={"size": 3, **spec})

    def path(self, name: str = "", sub: str = "") -> str:
        return self.api.path(self.kind, name, sub)


def _condition(seen: dict[str, Any], name: str) -> str:
    return next((one["status"] for one in seen.get("status", {}).get("conditions") or () if one["type"] == name), "")


@pytest.fixture(scope="session")
def shared_group(real_planes: Planes) -> Iterator[str]:
    """One definition for all cases on a real server: the first object of a new kind takes it two seconds."""
    group = f"g{secrets.token_hex(4)}.example.org"
    yield group

    async def cleared() -> None:
        async with sandbox_fixtures.on_plane(real_planes) as api:
            await api.delete(f"{CRDS}/widgets.{group}")

    asyncio.run(cleared())


@pytest.fixture
async def widgets(api: Api, request: pytest.FixtureRequest) -> Widgets:
    made = Widgets(api, request.getfixturevalue("shared_group") if api.real else "")
    found = await api.get(f"{CRDS}/{made.name}")
    return made if found.code == 200 else await made.made()


async def _fields(reply: Any) -> set[str]:
    reply.refused(422, "Invalid")
    return {cause["field"] for cause in reply.body["details"]["causes"]}


async def test_a_definition_is_established_and_discovered(widgets: Widgets) -> None:
    api = widgets.api
    body = (await api.get(f"{CRDS}/{widgets.name}")).ok(200).body
    assert [(one["type"], one["status"], one["reason"]) for one in body["status"]["conditions"]] == [
        ("NamesAccepted", "True", "NoConflicts"),
        ("Established", "True", "InitialNamesAccepted"),
    ]
    assert body["status"]["acceptedNames"]["kind"] == "Widget"
    assert body["status"]["storedVersions"] == ["v1"]
    assert body["spec"]["conversion"] == {"strategy": "None"}
    found = {one["name"]: one for one in (await api.get(f"/apis/{widgets.group}/v1")).ok(200).body["resources"]}
    assert set(found) == {"widgets", "widgets/status", "widgets/scale"}
    assert (found["widgets"]["shortNames"], found["widgets"]["categories"]) == (["wd"], ["toys"])
    groups = [one["name"] for one in (await api.get("/apis")).body["groups"]]
    assert widgets.group in groups


async def test_a_custom_object_gets_defaults_and_loses_what_is_unknown(widgets: Widgets) -> None:
    reply = (await widgets.api.create(widgets.body(junk=1, free={"any": {"thing": 1}}))).ok(201)
    assert reply.body["spec"] == {"size": 3, "color": "red", "replicas": 1, "free": {"any": {"thing": 1}}}
    assert reply.meta["generation"] == 1
    assert reply.headers["warning"] == r'299 - "unknown field \"spec.junk\""'


async def test_strict_validation_knows_a_custom_schema(widgets: Widgets) -> None:
    reply = await widgets.api.create(widgets.body(junk=1), fieldValidation="Strict")
    reply.refused(
        400,
        "BadRequest",
        'Widget in version "v1" cannot be handled as a Widget: strict decoding error: unknown field "spec.junk"',
    )


@pytest.mark.parametrize(
    ("spec", "field", "said"),
    [
        ({"size": 0}, "spec.size", "spec.size in body should be greater than or equal to 1"),
        ({"size": 10}, "spec.size", "spec.size in body should be less than or equal to 9"),
        ({"size": "big"}, "spec.size", 'spec.size in body must be of type integer: "string"'),
        ({"color": "green"}, "spec.color", 'Unsupported value: "green": supported values: "red", "blue"'),
        ({"pattern": "A"}, "spec.pattern", "spec.pattern in body should match '^[a-z]+$'"),
        ({"pattern": "abcdef"}, "spec.pattern", "may not be more than 5 bytes"),
        ({"parts": [{"value": "1"}]}, "spec.parts[0].name", "Required value"),
        ({"parts": [{"name": "a"}, {"name": "a"}]}, "spec.parts[1]", 'Duplicate value: {"name":"a"}'),
        ({"tags": ["a", "a"]}, "spec.tags[1]", 'Duplicate value: "a"'),
    ],
)
async def test_a_custom_schema_is_enforced(widgets: Widgets, spec: dict[str, Any], field: str, said: str) -> None:
    reply = await widgets.api.create(widgets.body(**spec))
    reply.refused(422, "Invalid", name="web", group=widgets.group, kind="Widget")
    causes = reply.body["details"]["causes"]
    assert causes[0]["field"] == field
    assert said in causes[0]["message"]


async def test_what_a_custom_schema_requires_is_told(widgets: Widgets) -> None:
    body = widgets.body()
    del body["spec"]["size"]
    reply = await widgets.api.create(body)
    reply.refused(422, "Invalid", f'Widget.{widgets.group} "web" is invalid: spec.size: Required value')


async def test_lists_by_key_of_a_custom_schema_merge(widgets: Widgets) -> None:
    await widgets.api.apply(widgets.body(parts=[{"name": "a", "value": "1"}]), "one")
    body = widgets.body(parts=[{"name": "b", "value": "2"}])
    reply = (await widgets.api.apply(body, "two")).ok(200)
    assert [one["name"] for one in reply.body["spec"]["parts"]] == ["a", "b"]
    assert reply.entries()["two", "Apply", ""] == {
        "f:spec": {"f:parts": {'k:{"name":"b"}': {".": {}, "f:name": {}, "f:value": {}}}, "f:size": {}}
    }


async def test_sets_of_a_custom_schema_merge(widgets: Widgets) -> None:
    await widgets.api.apply(widgets.body(tags=["a"]), "one")
    reply = (await widgets.api.apply(widgets.body(tags=["b"]), "two")).ok(200)
    assert sorted(reply.body["spec"]["tags"]) == ["a", "b"]


async def test_an_apply_of_an_unknown_field_of_a_custom_kind_fails_in_the_server(widgets: Widgets) -> None:
    reply = await widgets.api.apply(widgets.body(junk=1))
    reply.refused(500, "")
    assert reply.body["message"].endswith(".spec.junk: field not declared in schema")


async def test_a_strategic_patch_of_a_custom_kind_is_refused(widgets: Widgets) -> None:
    await widgets.api.create(widgets.body())
    reply = await widgets.api.strategic(widgets.path("web"), {"spec": {"size": 4}})
    said = "the body of the request was in an unknown format - accepted media types include: "
    known = "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml, application/apply-patch+cbor"
    reply.refused(415, "UnsupportedMediaType")
    assert reply.body["message"] in (said + known, said + known.removesuffix(", application/apply-patch+cbor"))


async def test_a_custom_object_is_patched_and_replaced(widgets: Widgets) -> None:
    created = await widgets.api.create(widgets.body())
    reply = (await widgets.api.merge(widgets.path("web"), {"spec": {"size": 4}})).ok(200)
    assert (reply.body["spec"]["size"], reply.meta["generation"]) == (4, 2)
    body = widgets.body(size=5)
    reply = await widgets.api.put(widgets.path("web"), body)
    reply.refused(422, "Invalid")
    assert reply.body["details"]["causes"][0]["field"] == "metadata.resourceVersion"
    stale = body | {"metadata": body["metadata"] | {"resourceVersion": created.version}}
    (await widgets.api.put(widgets.path("web"), stale)).refused(409, "Conflict")


async def test_the_status_of_a_custom_object_is_apart(widgets: Widgets) -> None:
    await widgets.api.create(widgets.body() | {"status": {"replicas": 7}})
    seen = (await widgets.api.get(widgets.path("web"))).ok(200)
    assert "status" not in seen.body
    reply = (await widgets.api.merge(widgets.path("web", "status"), {"status": {"ok": True}, "spec": {"size": 9}})).ok(200)
    assert (reply.body["status"], reply.body["spec"]["size"], reply.meta["generation"]) == ({"ok": True}, 3, 1)


async def test_a_custom_object_is_scaled_by_its_paths(widgets: Widgets) -> None:
    await widgets.api.create(widgets.body())
    scale = (await widgets.api.get(widgets.path("web", "scale"))).ok(200).body
    assert (scale["kind"], scale["spec"]) == ("Scale", {"replicas": 1})
    (await widgets.api.merge(widgets.path("web", "scale"), {"spec": {"replicas": 5}})).ok(200)
    assert (await widgets.api.get(widgets.path("web"))).body["spec"]["replicas"] == 5


async def test_a_custom_kind_has_the_columns_of_its_definition(widgets: Widgets) -> None:
    await widgets.api.create(widgets.body())
    table = (await widgets.api.get(widgets.path(), accept=TABLE)).ok(200).body
    assert [one["name"] for one in table["columnDefinitions"]] == ["Name", "Size"]
    assert table["rows"][0]["cells"] == ["web", 3]


async def test_custom_lists_name_the_kind_of_each_item(widgets: Widgets) -> None:
    await widgets.api.create(widgets.body())
    body = (await widgets.api.get(widgets.path())).ok(200).body
    assert (body["kind"], body["apiVersion"]) == ("WidgetList", f"{widgets.group}/v1")
    assert (body["items"][0]["kind"], body["items"][0]["apiVersion"]) == ("Widget", f"{widgets.group}/v1")


async def test_custom_objects_are_watched(widgets: Widgets) -> None:
    await widgets.api.create(widgets.body("first"))
    async with widgets.api.watch(widgets.path()) as stream:
        await widgets.api.create(widgets.body())
        assert await stream.events(2) == [("ADDED", "first"), ("ADDED", "web")]


async def test_a_watch_from_a_version_long_gone_says_so(widgets: Widgets) -> None:
    """A kind that came into being later has no history from the beginning, on every server."""
    await widgets.api.create(widgets.body())
    async with widgets.api.watch(widgets.path(), resourceVersion="1") as stream:
        kind, status = await stream.event()
        assert (kind, status["code"], status["reason"], status["kind"]) == ("ERROR", 410, "Expired", "Status")
        assert status["message"].startswith("too old resource version: 1 (")
        assert await stream.rest() == []


async def test_open_api_3_describes_a_custom_kind(widgets: Widgets) -> None:
    def described(seen: Any) -> Any:
        return any(name.endswith(".v1.Widget") for name in seen.get("components", {}).get("schemas", ()))

    document = await widgets.api.until(f"/openapi/v3/apis/{widgets.group}/v1", described)
    schema = next(one for name, one in document["components"]["schemas"].items() if name.endswith(".v1.Widget"))
    assert schema["properties"]["spec"]["properties"]["parts"]["x-kubernetes-list-map-keys"] == ["name"]
    assert schema["x-kubernetes-group-version-kind"] == [{"group": widgets.group, "version": "v1", "kind": "Widget"}]


async def test_objects_go_with_their_definition(api: Api) -> None:
    widgets = await Widgets(api).made()
    await api.create(widgets.body())
    (await api.delete(f"{CRDS}/{widgets.name}")).ok(200)
    await api.gone(f"{CRDS}/{widgets.name}")
    await api.until(f"/apis/{widgets.group}/v1", lambda seen: not seen)
    assert (await api.get(widgets.path("web"))).code == 404


async def test_a_cluster_scoped_custom_kind(api: Api) -> None:
    widgets = await Widgets(api).made(scope="Cluster")
    path = f"/apis/{widgets.group}/v1/widgets"
    body = widgets.body()
    del body["metadata"]["namespace"]
    reply = (await api.post(path, body)).ok(201)
    assert "namespace" not in reply.meta
    assert (await api.get(path)).names == ["web"]
    assert (await api.get(widgets.path())).code == 404
    await api.delete(f"{CRDS}/{widgets.name}")


async def test_a_definition_is_named_after_its_kind(api: Api) -> None:
    body = Widgets(api).definition()
    body["metadata"]["name"] = "other.example.org"
    reply = await api.post(CRDS, body)
    reply.refused(422, "Invalid", kind="CustomResourceDefinition")
    assert "metadata.name" in await _fields(reply)


async def test_a_definition_needs_a_structural_schema(api: Api) -> None:
    schema = {"type": "object", "properties": {"spec": {"properties": {"size": {"type": "integer"}}}}}
    reply = await api.post(CRDS, Widgets(api).definition(schema=schema))
    field = "spec.validation.openAPIV3Schema.properties[spec].type"
    assert field in await _fields(reply)
    body = Widgets(api).definition()
    del body["spec"]["versions"][0]["schema"]
    assert "spec.versions[0].schema.openAPIV3Schema" in await _fields(await api.post(CRDS, body))


async def test_a_second_version_shares_the_objects(api: Api) -> None:
    widgets = Widgets(api)
    body = widgets.definition()
    body["spec"]["versions"].append(copy.deepcopy(body["spec"]["versions"][0]) | {"name": "v2", "storage": False})
    (await api.post(CRDS, body)).ok(201)
    await api.until(f"{CRDS}/{widgets.name}", lambda seen: _condition(seen, "Established") == "True")
    await api.until(f"/apis/{widgets.group}/v2", bool)
    await api.until(f"/apis/{widgets.group}/v1", bool)
    (await api.create(widgets.body())).ok(201)
    newer = (await api.get(api.path(f"{widgets.group}/v2/widgets", "web"))).ok(200).body
    assert (newer["apiVersion"], newer["spec"]["size"]) == (f"{widgets.group}/v2", 3)
    await api.delete(f"{CRDS}/{widgets.name}")


async def test_a_definition_gains_a_field(api: Api) -> None:
    widgets = await Widgets(api).made()
    change = {"op": "add", "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/late"}
    (await api.json_patch(f"{CRDS}/{widgets.name}", change | {"value": {"type": "string"}})).ok(200)

    async def kept() -> bool:
        reply = await api.create(widgets.body("late", late="yes"), dryRun="All")
        if reply.code == 503:  # the handler of the old schema ends under the request
            return False
        return reply.ok(201).body["spec"].get("late") == "yes"

    for _ in range(500):
        if await kept():
            break
        await asyncio.sleep(0.02)
    else:
        raise AssertionError("the new schema is not used")
    await api.delete(f"{CRDS}/{widgets.name}")
