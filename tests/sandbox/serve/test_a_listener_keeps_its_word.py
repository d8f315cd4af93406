"""Real connections: one piece for an answer, ends by faults, and nothing acknowledged that is not kept."""

from __future__ import annotations

import asyncio
import json

import pytest

from appdelivery import errors
from appdelivery.sandbox import serve

BROKEN = (ConnectionResetError, asyncio.IncompleteReadError)


async def ended(reader):
    """Whether the other side ends the connection, with a farewell or a reset."""
    try:
        return await reader.read() == b""
    except ConnectionResetError:
        return True


async def test_every_cluster_answers_for_itself(world):
    async with world("sandbox-1", "sandbox-2") as w:
        assert (await w.make("only-here"))[0] == 201
        assert await w.names() == ["only-here"]
        assert await w.names(place=1) == []
        _, one = await w.get("/api/v1/namespaces/kube-system")
        assert one["metadata"]["uid"] == "uid-of-sandbox-1"


async def test_without_a_token_or_rights_nothing_is_told(world):
    async with world("sandbox") as w:
        assert (await w.get("/api/v1/pods", token="wrong"))[0] == 401
        assert (await w.get("/api/v1/pods", token="nobody-token"))[0] == 403
        assert (await w.ask("GET", "/api/v1/query?query=1", token="wrong"))[0] == 401
        assert (await w.get("/api/v1/query?query=vector(1)"))[0] == 200


async def test_an_answer_leaves_in_one_piece(world):
    async with world("sandbox") as w:
        reader, writer = await w.connect()
        request = "GET /api/v1/namespaces/kube-system HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin-token\r\n\r\n"
        for _ in range(3):
            writer.write(request.encode())
            piece = await reader.read(1 << 16)
            head, _, body = piece.partition(b"\r\n\r\n")
            assert f"content-length: {len(body)}".encode() in head
            assert json.loads(body)["metadata"]["name"] == "kube-system"
        writer.close()


async def test_answers_carry_the_time_of_the_cluster(world):
    async with world("sandbox") as w:
        before = (await w.ask("GET", "/version"))[1]["date"]
        await w.control("POST", "faults", {"do": "skew", "value": 86400 * 366})
        after = (await w.ask("GET", "/version"))[1]["date"]
        assert int(after.split()[3]) == int(before.split()[3]) + 1


async def test_a_reset_before_has_no_effect_and_one_after_has(world):
    async with world("sandbox") as w:
        await w.control("POST", "faults", {"do": "reset", "verbs": ["create"], "count": 1})
        with pytest.raises(BROKEN):
            await w.make("lost")
        assert await w.names() == []
        await w.control("POST", "faults", {"do": "reset-after", "verbs": ["create"], "count": 1})
        with pytest.raises(BROKEN):
            await w.make("kept")
        assert await w.names() == ["kept"]


async def test_a_truncated_answer_announces_more_than_comes(world):
    async with world("sandbox") as w:
        await w.make("a")
        await w.control("POST", "faults", {"do": "truncate", "verbs": ["list"], "count": 1})
        with pytest.raises(asyncio.IncompleteReadError) as caught:
            await w.names()
        assert 0 < len(caught.value.partial) < caught.value.expected
        assert await w.names() == ["a"]


async def test_a_partition_cuts_open_connections_of_its_cluster_alone(world):
    async with world("sandbox-1", "sandbox-2") as w:
        cut, spared = [await w.connect(place) for place in (0, 1)]
        await w.ask("GET", "/version", connection=cut)
        await w.ask("GET", "/version", connection=spared)
        await w.control("POST", "faults", {"do": "partition", "cluster": "sandbox-1", "id": "p"}, place=1)
        assert await ended(cut[0])
        assert (await w.ask("GET", "/version", connection=spared))[0] == 200
        with pytest.raises(BROKEN):
            await w.get("/version")
        assert (await w.control("DELETE", "faults/p"))[0] == 200
        assert (await w.get("/version"))[0] == 200
        spared[1].close()


async def test_a_delay_holds_up_nobody_else(world):
    async with world("sandbox") as w:
        await w.control("POST", "faults", {"do": "delay", "value": 30, "name": "slow"})
        slow = asyncio.create_task(w.get("/api/v1/namespaces/slow"))
        assert (await w.get("/api/v1/namespaces/default"))[0] == 200
        assert not slow.done()
        slow.cancel()


async def test_a_login_fault_ends_with_a_new_token(world):
    async with world("sandbox") as w:
        assert (await w.control("POST", "faults", {"do": "login"}))[0] == 200
        assert (await w.get("/api/v1/pods"))[0] == 401
        _, told = await w.control("POST", "login")
        assert (await w.get("/api/v1/pods", token=told["token"]))[0] == 200
        assert (await w.get("/api/v1/pods"))[0] == 401


async def test_what_was_answered_is_in_the_file(world, tmp_path):
    async with world("sandbox", state=tmp_path / "s.db") as w:
        assert (await w.make("kept"))[0] == 201
        for part in ("", "-wal"):  # as a killed process leaves them
            (tmp_path / f"copy.db{part}").write_bytes((tmp_path / f"s.db{part}").read_bytes())
    async with world("sandbox", state=tmp_path / "copy.db") as w:
        assert await w.names() == ["kept"]


async def test_what_cannot_be_kept_is_not_acknowledged(world, tmp_path):
    async with world("sandbox", state=tmp_path / "s.db") as w:
        w.sandbox.plan.state._file.execute("pragma query_only = on")  # as a full disk would have it
        with pytest.raises(BROKEN):
            await w.make("lost")
        with pytest.raises(errors.SourceError, match="write the state file"):
            await w.sandbox.work()
    async with world("sandbox", state=tmp_path / "s.db") as w:
        assert await w.names() == []


async def test_controllers_and_custom_kinds_go_on_after_a_restart(world, tmp_path):
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "things.example.com"},
        "spec": {
            "group": "example.com", "scope": "Namespaced",
            "names": {"plural": "things", "singular": "thing", "kind": "Thing"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}],
        },
    }  # fmt: skip
    async with world("sandbox", state=tmp_path / "s.db") as w:
        assert (await w.ask("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition))[0] == 201
        thing = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "a"}}
        assert (await w.ask("POST", "/apis/example.com/v1/namespaces/default/things", thing))[0] == 201
    async with world("sandbox", state=tmp_path / "s.db") as w:
        assert (await w.get("/apis/example.com/v1/namespaces/default/things/a"))[0] == 200


async def test_a_reset_empties_clusters_and_file_and_versions_go_on(world, tmp_path):
    async with world("sandbox", state=tmp_path / "s.db") as w:
        await w.make("a")
        _, before = await w.get("/api/v1/namespaces")
        kept = await w.connect()
        await w.ask("GET", "/version", connection=kept)
        assert (await w.control("POST", "reset"))[0] == 200
        assert await ended(kept[0])  # watches of before must not go on
        assert await w.names() == []
        _, after = await w.get("/api/v1/namespaces")
        assert int(after["metadata"]["resourceVersion"]) > int(before["metadata"]["resourceVersion"])
        _, system = await w.get("/api/v1/namespaces/kube-system")
        assert system["metadata"]["uid"] == "uid-of-sandbox"
        assert (await w.make("b"))[0] == 201
    async with world("sandbox", state=tmp_path / "s.db") as w:
        assert await w.names() == ["b"]


async def test_the_port_in_use_is_named():
    taken = serve.bind(0)
    taken.listen()
    with pytest.raises(errors.SourceError, match="the port is in use") as caught:
        serve.bind(taken.getsockname()[1])
    assert "--port" in caught.value.hint
    taken.close()
