"""Whatever is asked: an answer comes, it is no fault of ours, and what is stored can still be read."""

from __future__ import annotations

import asyncio
import json

from hypothesis import given, settings
from hypothesis import strategies as st
from in_process import APPLY, MERGE, PARTIAL, TABLE, Client, cluster, put

SEGMENT = st.sampled_from(
    ["api", "apis", "v1", "apps", "namespaces", "team", "configmaps", "a", "pods", "deployments", "status", "scale", "log",
     "events", "watch", "nodes", "openapi", "v3", "version", "readyz", "authorization.k8s.io", "selfsubjectaccessreviews", ""],
)  # fmt: skip
PATH = st.one_of(
    st.lists(SEGMENT, max_size=7).map(lambda parts: "/" + "/".join(parts)),
    st.sampled_from(
        ["/api/v1/namespaces/team/configmaps", "/api/v1/namespaces/team/configmaps/a", "/apis/apps/v1/namespaces/team/deployments",
         "/api/v1/namespaces/team/pods/a/eviction", "/apis/autoscaling/v1/namespaces/team/horizontalpodautoscalers",
         "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "/api/v1/namespaces/team/serviceaccounts/a/token"],
    ),
)  # fmt: skip
TEXT = st.one_of(
    st.sampled_from(["", "0", "1", "true", "All", "a=b", "-1", "x in (", "metadata.name=a", "Exact", "e30"]),
    st.text(max_size=8),
)
QUERY = st.dictionaries(
    st.sampled_from(["limit", "continue", "labelSelector", "fieldSelector", "resourceVersion", "resourceVersionMatch", "dryRun",
                     "fieldManager", "fieldValidation", "force", "pretty", "tailLines", "includeObject", "gracePeriodSeconds"]),
    TEXT, max_size=3,
)  # fmt: skip
TREE = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-5, 10**20), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.one_of(
                st.sampled_from(
                    ["metadata", "name", "spec", "data", "labels", "status", "kind", "apiVersion", "annotations", "target"]
                ),
                st.text(max_size=4),
            ),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)
BODY = st.one_of(
    TREE.map(lambda tree: json.dumps(tree).encode()), st.binary(max_size=30), st.just(b"k8s\0\n\x0f\n\x02v1\x12\tConfigMap")
)
TYPE = st.sampled_from(
    ["application/json", "application/yaml", "application/vnd.kubernetes.protobuf", APPLY, MERGE, "application/json-patch+json",
     "application/strategic-merge-patch+json", "x", ""],
)  # fmt: skip
ACCEPT = st.one_of(
    st.sampled_from(["", "*/*", TABLE, PARTIAL, "application/yaml", "text/html"]), st.text("a/;=q,* .0", max_size=12)
)
METHOD = st.sampled_from(["GET", "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])


@settings(max_examples=100, deadline=None)
@given(method=METHOD, path=PATH, query=QUERY, body=BODY, type=TYPE, accept=ACCEPT)
def test_every_request_gets_an_answer_that_can_be_read(method, path, query, body, type, accept):
    made = cluster("a")
    client = Client(made)
    scope = client._scope(method, path, {"content-type": type, "accept": accept})
    scope["query_string"] = "&".join(f"{key}={_quoted(value)}" for key, value in query.items()).encode()
    messages = []

    async def receive() -> dict:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict) -> None:
        messages.append(message)

    async def play() -> None:
        await asyncio.wait_for(client.app(scope, receive, send), 5)
        put(made, "later")
        assert (await client.get("/api/v1/namespaces/team/configmaps")).status == 200

    if "watch" not in path:
        asyncio.run(play())
        answered = b"".join([message.get("body", b"") for message in messages[1:]])
        assert b"Internal error occurred" not in answered, answered


def _quoted(value: str) -> str:
    return "".join(f"%{byte:02X}" for byte in value.encode("utf-8", "replace"))
