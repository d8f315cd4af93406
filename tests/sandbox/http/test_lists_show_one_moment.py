"""Lists: selectors, pages, versions."""

from __future__ import annotations

import asyncio
import base64
import json

import in_process
from hypothesis import given, settings
from hypothesis import strategies as st
from in_process import MAPS, Client, cluster, put

from appdelivery.sandbox import storage

NAMES = ["a", "b", "c", "d", "e", "f"]


def names(reply: in_process.Reply) -> list[str]:
    return [item["metadata"]["name"] for item in reply.json["items"]]


async def test_a_list_leaves_out_the_kind_of_its_members():
    reply = await Client(cluster("a")).get(MAPS)
    assert reply.json["kind"] == "ConfigMapList"
    assert "kind" not in reply.json["items"][0]
    assert "apiVersion" not in reply.json["items"][0]


async def test_pages_come_with_what_remains_and_a_token_as_the_server_makes_them():
    client = Client(cluster(*NAMES))
    first = await client.get(f"{MAPS}?limit=4")
    assert names(first) == NAMES[:4]
    assert first.json["metadata"]["remainingItemCount"] == 2
    token = first.json["metadata"]["continue"]
    said = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    assert said == {"v": "meta.k8s.io/v1", "rv": int(first.json["metadata"]["resourceVersion"]), "start": "/d\0"}
    last = await client.get(f"{MAPS}?limit=4&continue={token}")
    assert names(last) == NAMES[4:]
    assert "continue" not in last.json["metadata"]


async def test_what_remains_is_not_counted_under_a_selector():
    reply = await Client(cluster(*NAMES)).get(f"{MAPS}?limit=2&labelSelector=!x")
    assert "continue" in reply.json["metadata"]
    assert "remainingItemCount" not in reply.json["metadata"]


STEP = st.tuples(
    st.sampled_from(["add", "change", "delete"]), st.sampled_from(["ns1", "ns1-b", "ns2"]), st.sampled_from("abcde")
)


def act(made, step: tuple[str, str, str]) -> None:
    verb, namespace, name = step
    kind = made.kind("v1", "ConfigMap")
    known = made.get(kind, namespace, name) is not None
    body = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": name, "namespace": namespace, "uid": "u"}}
    if verb == "delete" and known:
        made.storage.commit(storage.DELETED, kind.family, body)
    elif verb != "delete":
        body["metadata"]["labels"] = {"v": str(made.storage.revision % 2)}
        made.storage.commit(storage.MODIFIED if known else storage.ADDED, kind.family, body)


@settings(max_examples=20, deadline=None)
@given(before=st.lists(STEP, max_size=15), between=st.lists(STEP, max_size=8), limit=st.integers(1, 4))
def test_pages_show_the_moment_of_the_first_page_whatever_is_written_meanwhile(before, between, limit):
    made = cluster()
    client = Client(made)
    for step in before:
        act(made, step)

    async def read() -> tuple[list, list]:
        whole = (await client.get("/api/v1/configmaps")).json["items"]
        found, token, writes_ = [], "", list(between)
        while True:
            page = (await client.get(f"/api/v1/configmaps?limit={limit}&continue={token}")).json
            found += page["items"]
            token = page["metadata"].get("continue", "")
            if not token:
                return whole, found
            if writes_:
                act(made, writes_.pop())

    whole, found = asyncio.run(read())
    assert found == whole


async def test_a_page_that_is_too_old_gets_410_with_a_token_that_goes_on():
    made = cluster(*NAMES)
    client = Client(made)
    token = (await client.get(f"{MAPS}?limit=2")).json["metadata"]["continue"]
    put(made, "bb")
    made.storage.forget()
    reply = await client.get(f"{MAPS}?limit=2&continue={token}")
    assert reply.status == 410
    assert reply.json["reason"] == "Expired"
    assert reply.message.startswith("The provided continue parameter is too old to display a consistent list result.")
    rest = await client.get(f"{MAPS}?continue={reply.json['metadata']['continue']}")
    assert names(rest) == ["bb", *NAMES[2:]]


async def test_an_exact_version_shows_the_past():
    made = cluster("a")
    client = Client(made)
    then = made.storage.revision
    put(made, "b")
    old = await client.get(f"{MAPS}?resourceVersion={then}&resourceVersionMatch=Exact")
    assert names(old) == ["a"]
    assert old.json["metadata"]["resourceVersion"] == str(then)
    assert names(await client.get(f"{MAPS}?resourceVersion={then}")) == ["a", "b"]
    made.storage.forget()
    gone = await client.get(f"{MAPS}?resourceVersion={then}&resourceVersionMatch=Exact")
    assert (gone.status, gone.message) == (410, "The resourceVersion for the provided list is too old.")


async def test_a_version_that_is_yet_to_come_gets_504_with_when_to_ask_again():
    made = cluster("a")
    reply = await Client(made).get(f"{MAPS}?resourceVersion=999999")
    assert reply.status == 504
    assert reply.headers["retry-after"] == "1"
    assert reply.message == f"Timeout: Too large resource version: 999999, current: {made.storage.revision}"
    assert reply.json["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"


async def test_versions_that_make_no_sense_are_refused_in_the_servers_words():
    client = Client(cluster())
    said = {
        "resourceVersion=abc": 'invalid resource version: resourceVersion: Invalid value: "abc": '
        'strconv.ParseUint: parsing "abc": invalid syntax',
        "limit=abc": 'strconv.ParseInt: parsing "abc": invalid syntax',
        "resourceVersionMatch=Exact": 'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: '
        "resourceVersionMatch is forbidden unless resourceVersion is provided",
        "resourceVersion=0&resourceVersionMatch=Exact": 'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: '
        'Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"',
        "resourceVersion=1&resourceVersionMatch=Foo": 'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: '
        'Unsupported value: "Foo": supported values: "Exact", "NotOlderThan", ""',
        "resourceVersion=1&resourceVersionMatch=Exact&continue=x": 'ListOptions.meta.k8s.io "" is invalid: '
        "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden when continue is provided",
        "sendInitialEvents=true": 'ListOptions.meta.k8s.io "" is invalid: sendInitialEvents: Forbidden: '
        "sendInitialEvents is forbidden for list",
        "resourceVersion=5&continue=e30": "invalid continue token: continue key is not valid",
        "continue=abc": "invalid continue token: continue key is not valid: invalid character 'i' looking for beginning of value",
    }
    assert {query: (await client.get(f"{MAPS}?{query}")).message for query in said} == said


async def test_members_can_be_chosen_by_their_places():
    made = cluster()
    for name, node, phase in (("p", "n1", "Running"), ("q", "n2", "Pending"), ("r", "n1", "Failed")):
        in_process.commit(
            made, "v1", "Pod",
            {"metadata": {"name": name, "namespace": "team"}, "spec": {"nodeName": node}, "status": {"phase": phase}},
        )  # fmt: skip
    client = Client(made)
    assert names(await client.get("/api/v1/pods?fieldSelector=spec.nodeName=n1,status.phase!=Failed")) == ["p"]
    assert names(await client.get("/api/v1/pods?fieldSelector=metadata.namespace=other")) == []
    assert names(await client.get("/api/v1/namespaces/team/pods?fieldSelector=metadata.name==q")) == ["q"]
    reply = await client.get(f"{MAPS}?fieldSelector=status.phase=a")
    assert reply.message == '"status.phase" is not a known field selector: only "metadata.name", "metadata.namespace"'


async def test_the_same_collection_is_reached_with_a_slash_at_the_end():
    client = Client(cluster("a"))
    for path in (
        MAPS,
        "/api/v1/configmaps",
        "/apis/apps/v1/deployments",
        "/api",
        "/apis",
        "/api/v1",
        "/apis/apps",
        "/apis/apps/v1",
    ):
        assert (await client.get(f"{path}/")).body == (await client.get(path)).body


async def test_one_object_can_be_asked_for_at_least_at_a_version():
    made = cluster("a")
    client = Client(made)
    assert (await client.get(f"{MAPS}/a?resourceVersion=0")).status == 200
    assert (await client.get(f"{MAPS}/a?resourceVersion=99999")).status == 504
    assert (await client.get(f"{MAPS}/a?resourceVersion=abc")).status == 500


async def test_deleting_a_collection_takes_what_its_selectors_choose():
    made = cluster("a", "b")
    put(made, "c", labels={"x": "y"})
    client = Client(made)
    reply = await client.ask("DELETE", f"{MAPS}?labelSelector=x=y")
    assert names(reply) == ["c"]
    assert names(await client.get(MAPS)) == ["a", "b"]
    reply = await client.ask("DELETE", f"{MAPS}?limit=1")
    assert (names(reply), "continue" in reply.json["metadata"]) == (["a"], True)
    assert names(await client.get(MAPS)) == ["b"]
