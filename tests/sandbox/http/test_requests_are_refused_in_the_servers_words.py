"""Paths, methods, bodies and representations: what is refused, and how the server says it."""

from __future__ import annotations

import json

import pytest
import yaml
from in_process import APPLY, MAPS, MERGE, PARTIAL, TABLE, Client, cluster

A = f"{MAPS}/a"
NOWHERE = "the server could not find the requested resource"
METHOD = "the server does not allow this method on the requested resource"
UNRECOGNIZED = "the object provided is unrecognized (must be of type ConfigMap): "
JSON_FAULT = f"{UNRECOGNIZED}couldn't get version/kind; json parse error: "
GO_TYPE = r'struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }'


@pytest.mark.parametrize(
    "path",
    ["/api/v1/nope", "/api/v2", "/apis/apps/v9", "/apis/apps/v1/nope", "/api/v1/configmaps/x", "/api/v1/namespaces/team/nodes",
     "/api/v1/namespaces/team/pods/x/nosub", "/apis/apps/v1/namespaces/team/deployments/x/scale/y"],
)  # fmt: skip
async def test_an_unknown_path_below_a_served_one_gets_a_status(path):
    reply = await Client(cluster()).get(path)
    assert reply.json == {
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": NOWHERE, "reason": "NotFound",
        "details": {}, "code": 404,
    }  # fmt: skip


@pytest.mark.parametrize("path", ["/nope", "/apis/nope", "/openapi/v4"])
async def test_other_unknown_paths_get_plain_text(path):
    reply = await Client(cluster()).get(path)
    assert (reply.status, reply.body) == (404, b"404 page not found\n")
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize(
    ("method", "path"),
    [("DELETE", "/api/v1/configmaps"), ("POST", A), ("PUT", MAPS), ("PATCH", MAPS), ("OPTIONS", MAPS), ("FOO", MAPS),
     ("HEAD", MAPS), ("POST", "/api/v1/configmaps"), ("DELETE", "/api/v1/namespaces"), ("DELETE", f"{A}x/status"),
     ("PUT", "/api/v1/namespaces/team/pods/p/eviction"), ("GET", "/api/v1/namespaces/team/bindings"), ("POST", "/version"), ("HEAD", "/version")],
)  # fmt: skip
async def test_a_method_that_a_path_does_not_take_gets_405(method, path):
    reply = await Client(cluster("a")).ask(method, path, {})
    if path.endswith("x/status"):
        assert reply.status == 404  # ConfigMaps have no status
    else:
        assert reply.status == 405
        assert reply.body == b"" if method == "HEAD" else reply.message == METHOD


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b'{"a', JSON_FAULT + 'unexpected end of JSON input ({"a)'),
        (b"", JSON_FAULT + "unexpected end of JSON input (<empty>)"),
        (b"[]", JSON_FAULT + f"json: cannot unmarshal array into Go value of type {GO_TYPE} (5b5d)"),
        (b'{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"x"}} x',
         JSON_FAULT + "invalid character 'x' after top-level value ({\"kind\":\"ConfigMap\",\"apiVersio ...)"),
        (b'{"a":NaN}', JSON_FAULT + "invalid character 'N' looking for beginning of value ({\"a\":NaN})"),
        (b"{a}", JSON_FAULT + "invalid character 'a' looking for beginning of object key string ({a})"),
        (b'{"a":}', JSON_FAULT + "invalid character '}' looking for beginning of value ({\"a\":})"),
        (b'{"a" 1}', JSON_FAULT + "invalid character '1' after object key ({\"a\" 1})"),
        (b'{"a":1 "b"}', JSON_FAULT + "invalid character '\"' after object key:value pair ({\"a\":1 \"b\"})"),
        (b'{"a":[1 2]}', JSON_FAULT + "invalid character '2' after array element ({\"a\":[1 2]})"),
    ],
)  # fmt: skip
async def test_malformed_json_is_refused(text, said):
    reply = await Client(cluster()).ask("POST", MAPS, text)
    assert (reply.status, reply.json["reason"], reply.message) == (400, "BadRequest", said)


async def test_malformed_yaml_is_refused():
    client = Client(cluster("a"))
    reply = await client.ask("POST", MAPS, b"a: [b", type="application/yaml")
    assert reply.message == f"{UNRECOGNIZED}yaml: line 1: did not find expected ',' or ']' (613a205b62)"
    reply = await client.ask("PATCH", f"{A}?fieldManager=m", b"a: [b", type=APPLY)
    assert (
        reply.message == "error decoding YAML: error converting YAML to JSON: yaml: line 1: did not find expected ',' or ']'"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"a: .inf", "json: unsupported value: +Inf"),
        (b"a: &a [x, x, x, x, x, x, x, x, x, x]\n" + b"\n".join(
            [f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]".encode() for before, name in zip("abcdef", "bcdefg", strict=True)]
        ), "yaml: document contains excessive aliasing"),
        (b"a: &a [*a]", "yaml: maximum recursion depth exceeded"),
    ],
    ids=["infinity", "bomb", "circle"],
)  # fmt: skip
async def test_yaml_that_no_json_can_hold_is_refused(text, said):
    reply = await Client(cluster()).ask("POST", MAPS, text, type="application/yaml")
    assert reply.status == 400
    assert reply.message.startswith(f"{UNRECOGNIZED}{said}")


async def test_half_a_surrogate_pair_is_replaced_so_that_it_can_be_written_again():
    client = Client(cluster())
    body = rb'{"metadata": {"name": "half"}, "data": {"a": "x\ud800y", "b": "\ud83d\ude00"}}'
    assert (await client.ask("POST", MAPS, body)).status == 201
    assert (await client.get(f"{MAPS}/half")).json["data"] == {"a": "x\ufffdy", "b": "\U0001f600"}


async def test_yaml_means_what_it_means_to_the_server():
    body = b"""
metadata: {name: odd}
data: {time: 12:30:45, date: 2020-01-01, number: "1", exponent: 1e3x, word: "yes", multi: "a\\nb"}
"""
    client = Client(cluster())
    reply = await client.ask("POST", MAPS, body, type="application/yaml")
    assert reply.json["data"] == {
        "time": "12:30:45", "date": "2020-01-01", "number": "1", "exponent": "1e3x", "word": "yes", "multi": "a\nb",
    }  # fmt: skip
    reply = await client.get(f"{MAPS}/odd", accept="application/yaml")
    assert b"  multi: |-\n    a\n    b\n" in reply.body
    assert yaml.safe_load(reply.body)["data"]["multi"] == "a\nb"


@pytest.mark.parametrize(
    ("form", "said"),
    [("merge", "error decoding patch: unexpected end of JSON input"), ("strategic-merge", "unexpected end of JSON input"),
     ("json", "error decoding patch: unexpected end of JSON input")],
)  # fmt: skip
async def test_a_malformed_patch_is_refused_once_the_object_is_found(form, said):
    client = Client(cluster("a"))
    type = f"application/{form}-patch+json"
    assert (await client.ask("PATCH", A, b"{", type=type)).message == said
    assert (await client.ask("PATCH", f"{MAPS}/none", b"{", type=type)).status == 404


@pytest.mark.parametrize(
    ("type", "body", "said"),
    [
        ("merge", "[]", "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}"),
        ("merge", "null", "Invalid JSON Patch"),
        ("strategic-merge", "1", "json: cannot unmarshal number into Go value of type map[string]interface {}"),
        ("json", "{}", "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp"),
        ("json", "[1]", "error decoding patch: json: cannot unmarshal number into Go value of type handlers.jsonPatchOp"),
    ],
)
async def test_a_patch_of_another_form_is_refused(type, body, said):
    reply = await Client(cluster("a")).ask("PATCH", A, body.encode(), type=f"application/{type}-patch+json")
    assert (reply.status, reply.message) == (400, said)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("", "invalid object type: /, Kind="),
        ("{}", "invalid object type: /, Kind="),
        ('{"apiVersion": "v1"}', "invalid object type: /v1, Kind="),
        ('{"apiVersion": "apps/v1", "kind": "Deployment"}', "invalid object type: apps/v1, Kind=Deployment"),
        ('{"apiVersion": "a/b/c", "kind": "ConfigMap"}', "invalid object type: /, Kind="),
        ("[]", ("error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal array into Go value "
         "of type map[string]interface {}")),
    ],
)  # fmt: skip
async def test_what_is_applied_must_be_of_the_type_of_its_path(body, said):
    reply = await Client(cluster("a")).ask("PATCH", f"{A}?fieldManager=m", body.encode(), type=APPLY)
    assert (reply.status, reply.message) == (400, said)


async def test_fields_that_are_there_twice_are_told():
    client = Client(cluster())
    text = b'{"metadata": {"name": "t", "ownerReferences": []}, "data": {"a": "1", "a": "2"}}'
    reply = await client.ask("POST", f"{MAPS}?dryRun=All", text)
    assert (reply.headers["warning"], reply.json["data"]) == ('299 - "duplicate field \\"data.a\\""', {"a": "2"})
    assert "warning" not in (await client.ask("POST", f"{MAPS}?dryRun=All&fieldValidation=Ignore", text)).headers
    reply = await client.ask("POST", f"{MAPS}?fieldValidation=Strict", text)
    assert (reply.status, reply.message) == (
        400,
        'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: duplicate field "data.a"',
    )


async def test_keys_that_are_there_twice_in_yaml_are_told_by_their_line():
    client = Client(cluster())
    text = b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: t\ndata:\n  a: b\n  a: c\n"
    reply = await client.ask("POST", f"{MAPS}?dryRun=All", text, type="application/yaml")
    assert (reply.headers["warning"], reply.json["data"]) == ('299 - "line 7: key \\"a\\" already set in map"', {"a": "c"})
    reply = await client.ask("POST", f"{MAPS}?fieldValidation=Strict", text, type="application/yaml")
    said = 'yaml: unmarshal errors:\n  line 7: key "a" already set in map'
    assert reply.message == f'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: {said}'
    for body, line in ((text, 7), (b'{"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "1", "a": "2"}}', 1)):
        reply = await client.ask("PATCH", f"{MAPS}/t?fieldManager=m&fieldValidation=Strict", body, type=APPLY)
        assert reply.message == (
            "error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n"
            f'  line {line}: key "a" already set in map'
        )


@pytest.mark.parametrize(
    ("form", "body", "said"),
    [
        ("merge", b'{"data": {"a": "1", "a": "2"}}', 'duplicate field "data.a"'),
        ("strategic-merge", b'{"data": {"a": "1", "a": "2"}}', 'duplicate field "data.a"'),
        ("json", b'[{"op": "add", "op": "add", "path": "/data", "value": {}}]', 'json patch duplicate field "[0].op"'),
    ],
)
async def test_a_strict_patch_has_nothing_twice(form, body, said):
    type = f"application/{form}-patch+json"
    reply = await Client(cluster("a")).ask("PATCH", f"{A}?fieldValidation=Strict", body, type=type)
    assert (reply.status, reply.json["details"]["causes"][0]["field"]) == (422, "patch")
    assert reply.message.endswith(f": strict decoding error: {said}")


async def test_the_first_document_of_several_counts():
    text = b"---\nmetadata: {name: one}\n---\nmetadata: {name: two}\n"
    reply = await Client(cluster()).ask("POST", MAPS, text, type="application/yaml")
    assert (reply.status, reply.json["metadata"]["name"]) == (201, "one")


async def test_unknown_media_types_get_415():
    client = Client(cluster("a"))
    reply = await client.ask("POST", MAPS, {}, type="text/foo")
    assert reply.message == (
        "the body of the request was in an unknown format - accepted media types include: "
        "application/json, application/yaml, application/vnd.kubernetes.protobuf"
    )
    reply = await client.ask("PATCH", A, {}, type="application/json")
    assert (reply.status, reply.message) == (415, "415: Unsupported Media Type")


async def test_a_body_over_three_mebibytes_gets_413():
    reply = await Client(cluster()).ask("POST", MAPS, b"x" * (3 * 1024 * 1024 + 1))
    assert (reply.status, reply.json["reason"]) == (413, "RequestEntityTooLarge")
    assert reply.message == "Request entity too large: limit is 3145728"


@pytest.mark.parametrize(
    ("query", "type", "said"),
    [
        ("dryRun=foo", MERGE, 'dryRun: Unsupported value: ["foo"]: supported values: "All"'),
        ("fieldValidation=foo", MERGE,
         'fieldValidation: Unsupported value: "foo": supported values: "", "Ignore", "Strict", "Warn"'),
        ("fieldManager=" + "a" * 129, MERGE, "fieldManager: Too long: may not be more than 128 bytes"),
        ("force=true", MERGE, "force: Forbidden: may not be specified for non-apply patch"),
        ("", APPLY, "fieldManager: Required value: is required for apply patch"),
    ],
)  # fmt: skip
async def test_options_that_make_no_sense_are_refused(query, type, said):
    reply = await Client(cluster("a")).ask("PATCH", f"{A}?{query}", {}, type=type)
    assert (reply.status, reply.message) == (422, f'PatchOptions.meta.k8s.io "" is invalid: {said}')
    assert reply.json["details"]["causes"][0]["field"] == said.partition(":")[0]


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        (b'{"a', 400, "couldn't get version/kind; json parse error: unexpected end of JSON input"),
        ({"kind": "Foo", "apiVersion": "v1"}, 400,
         'no kind "Foo" is registered for version "v1" in scheme "pkg/runtime/scheme.go:111"'),
        ({"gracePeriodSeconds": "a"}, 400,
         "json: cannot unmarshal string into Go struct field DeleteOptions.gracePeriodSeconds of type int64"),
        ({"propagationPolicy": "X"}, 422, ('DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Unsupported value: "X": '
         'supported values: "Foreground", "Background", "Orphan", "nil"')),
    ],
)  # fmt: skip
async def test_delete_options_that_make_no_sense_are_refused(body, code, said):
    reply = await Client(cluster("a")).ask("DELETE", A, body)
    assert (reply.status, reply.message) == (code, said)


async def test_what_a_client_accepts_decides_what_it_gets():
    client = Client(cluster("a"))
    assert (await client.get(A, accept=PARTIAL)).json["kind"] == "PartialObjectMetadata"
    assert (await client.get(MAPS, accept=f"{TABLE},application/json")).json["kind"] == "Table"
    assert (await client.get(MAPS, accept="application/json;as=Foo;v=v1;g=meta.k8s.io,*/*")).json["kind"] == "ConfigMapList"
    assert (await client.get(MAPS, accept="application/vnd.kubernetes.protobuf,application/json")).status == 200
    assert (await client.get(MAPS, accept=TABLE.replace("v=v1", "v=v1beta1") + ",application/json;q=0.1")).json[
        "kind"
    ] == "ConfigMapList"
    listed = await client.get(MAPS, accept=PARTIAL.replace("Metadata;", "MetadataList;"))
    assert [item["kind"] for item in listed.json["items"]] == ["PartialObjectMetadata"]


@pytest.mark.parametrize(
    ("path", "accept", "said"),
    [
        (MAPS, "text/plain", ("406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, "
         "application/vnd.kubernetes.protobuf, application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch")),
        (MAPS, "application/json;as=Foo;v=v1;g=meta.k8s.io",
         "only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf"),
        (MAPS, PARTIAL, "you requested PartialObjectMetadata, but the requested object is a list (*core.ConfigMapList)"),
        (A, PARTIAL.replace("Metadata;", "MetadataList;"),
         "you requested PartialObjectMetadataList, but the requested object is not a list (*core.ConfigMap)"),
    ],
)  # fmt: skip
async def test_what_cannot_be_represented_gets_406(path, accept, said):
    reply = await Client(cluster("a")).get(path, accept=accept)
    assert (reply.status, reply.json["reason"], reply.message) == (406, "NotAcceptable", said)


async def test_old_kinds_come_with_a_warning():
    reply = await Client(cluster()).get("/api/v1/endpoints")
    assert reply.headers["warning"] == (
        '299 - "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"'
    )


async def test_warnings_come_as_headers():
    body = {"metadata": {"name": "w"}, "odd": 1}
    reply = await Client(cluster()).ask("POST", MAPS, body)
    assert reply.status == 201
    assert reply.headers["warning"] == '299 - "unknown field \\"odd\\""'


async def test_every_answer_says_how_long_it_is_and_comes_in_two_messages():
    client = Client(cluster("a"))
    for path in (MAPS, A, "/api", "/nope", "/version"):
        reply = await client.get(path)
        assert reply.headers["content-length"] == str(len(reply.body))
        assert reply.headers["cache-control"] == "no-cache, private"


async def test_the_log_remembers_requests_in_order():
    client = Client(cluster("a"))
    await client.get(A, user_agent="kubectl/v1.37 (linux)")
    await client.ask("PATCH", f"{A}?fieldManager=me&dryRun=All", {"data": {"x": "y"}}, type=MERGE)
    await client.get("/readyz")
    said = [request.summary() for request in client.app.log]
    assert [(one["verb"], one["manager"], one["dryRun"], one["status"]) for one in said] == [
        ("get", "kubectl", False, 200),
        ("patch", "me", True, 200),
    ]
    assert said[1]["bytes"] == len(json.dumps({"data": {"x": "y"}}))
    assert client.app.log.total == 2


async def test_other_applications_can_be_mounted():
    async def other(scope, receive, send):
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": scope["path"].encode()})

    client = Client(cluster(), more={"/sandbox/": other})
    assert (await client.get("/sandbox/control")).body == b"/sandbox/control"
    assert len(client.app.log) == 0
