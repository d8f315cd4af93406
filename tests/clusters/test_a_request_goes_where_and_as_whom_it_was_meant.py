"""P33: the right cluster, the right identity, one renewal for all, and no key material left behind.

Each case is a fault of kr8s 0.20 that this client must not have.
"""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import json
import os
import stat
import tempfile
from typing import TYPE_CHECKING, Any

import fleet_lab
import pytest
from stub_server import answer, status, stream, transport_to

from appdelivery import errors
from appdelivery.clusters import kubeconfig, renewal, transport
from appdelivery.clusters.fleet import ClusterFleet, Connection
from appdelivery.model.refs import Kind, Ref, Selector

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aiohttp import web
    from plane_fixtures import Planes

CONFIG_MAP = Kind("", "v1", "ConfigMap")
real = [pytest.mark.cluster, pytest.mark.xdist_group("plane")]


@pytest.fixture
def empty_temp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A temp folder that must be empty again at the end."""
    folder = tmp_path / "temp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


def plugin_user(tmp_path: Path, status: dict[str, Any]) -> dict[str, Any]:
    """An exec user whose program counts its runs and prints a credential."""
    credential = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}
    program = tmp_path / "login"
    program.write_text(f"#!/bin/sh\necho run >> {tmp_path}/runs\ncat <<'END'\n{json.dumps(credential)}\nEND\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "./login"}}


def runs(tmp_path: Path) -> int:
    return len((tmp_path / "runs").read_text().splitlines()) if (tmp_path / "runs").exists() else 0


def credentials(tmp_path: Path, url: str, user: dict[str, Any]) -> Any:
    document = {
        "current-context": "x",
        "clusters": [{"name": "x", "cluster": {"server": url}}],
        "users": [{"name": "x", "user": user}],
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
    }
    return kubeconfig.parse(json.dumps(document).encode(), own=True, file=str(tmp_path / "config"))


def jwt(expires: float) -> str:
    claims = base64.urlsafe_b64encode(json.dumps({"exp": expires}).encode()).rstrip(b"=").decode()
    return f"e30.{claims}.c2ln"


class Door:
    """A server that lets certain tokens in and remembers who came."""

    def __init__(self, *tokens: str) -> None:
        self.tokens, self.seen = set(tokens), []

    async def handler(self, request: web.Request) -> web.StreamResponse:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.seen.append(token)
        return answer({"ok": True}) if token in self.tokens else status(401, "Unauthorized")


async def get(made: transport.Transport, path: str = "/x") -> Any:
    return (await made.request("GET", path, doing="read")).body


async def test_a_plugin_runs_once_for_all_who_wait(tmp_path: Path, empty_temp: Path) -> None:
    door = Door("from-plugin")
    user = plugin_user(tmp_path, {"token": "from-plugin"})
    async with transport_to(door.handler) as (stub, _):
        made = transport.Transport("stub", credentials(tmp_path, stub._given.server, user))
        await asyncio.gather(*[get(made) for _ in range(20)])
        await made.close()
    assert runs(tmp_path) == 1
    assert set(door.seen) == {"from-plugin"}


async def test_many_401_at_once_renew_once_and_repeat_once(tmp_path: Path, empty_temp: Path) -> None:
    door = Door("from-plugin")
    user = plugin_user(tmp_path, {"token": "from-plugin"})
    async with transport_to(door.handler) as (stub, _):
        made = transport.Transport("stub", credentials(tmp_path, stub._given.server, user))
        await get(made)
        door.tokens = {"renewed"}
        plugin_user(tmp_path, {"token": "renewed"})
        await asyncio.gather(*[get(made) for _ in range(20)])
        await made.close()
    assert runs(tmp_path) == 2


async def test_a_401_that_stays_is_unauthorized_after_one_renewal(tmp_path: Path, empty_temp: Path) -> None:
    door = Door()
    user = plugin_user(tmp_path, {"token": "useless"})
    async with transport_to(door.handler) as (stub, _):
        made = transport.Transport("stub", credentials(tmp_path, stub._given.server, user))
        with pytest.raises(errors.Unauthorized):
            await get(made)
        await made.close()
    assert (runs(tmp_path), door.seen) == (2, ["useless", "useless"])


async def test_a_token_is_renewed_before_it_expires(tmp_path: Path, empty_temp: Path) -> None:
    now = [1000.0]
    given = credentials(tmp_path, "https://x", plugin_user(tmp_path, {"token": jwt(1100.0)}))
    identity = renewal.Identity("stub", given, clock=lambda: now[0])
    seen = []
    for moment, expires in ((1000.0, 1100.0), (1069.0, 1100.0), (1071.0, 1090.0), (1080.0, 1090.0), (1081.0, 1200.0)):
        plugin_user(tmp_path, {"token": jwt(expires)})
        now[0] = moment
        seen.append((await identity.current()).token)
    assert seen == [jwt(1100.0), jwt(1100.0), jwt(1090.0), jwt(1090.0), jwt(1200.0)]
    assert runs(tmp_path) == 3


async def test_a_plugin_that_fails_is_unauthorized_with_its_words(tmp_path: Path, empty_temp: Path) -> None:
    program = tmp_path / "login"
    program.write_text("#!/bin/sh\necho 'session over' >&2\nexit 3\n")
    program.chmod(0o755)
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": str(program)}}
    made = transport.Transport("stub", credentials(tmp_path, "http://127.0.0.1:1", user))
    with pytest.raises(errors.Unauthorized, match="log in to cluster stub: its credential plugin failed"):
        await get(made)
    await made.close()


async def test_a_token_file_is_read_again(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("first\n")
    door = Door("first")
    async with transport_to(door.handler, token_file=str(tmp_path / "token")) as (made, _):
        await get(made)
        door.tokens = {"second"}
        (tmp_path / "token").write_text("second\n")
        await get(made)
    assert door.seen == ["first", "first", "second"]


async def test_a_lost_token_file_is_unauthorized(tmp_path: Path) -> None:
    async with transport_to(Door().handler, token_file=str(tmp_path / "token")) as (made, _):
        with pytest.raises(errors.Unauthorized, match="cannot read token file"):
            await get(made)


async def test_a_static_token_that_is_refused_makes_one_request(tmp_path: Path) -> None:
    door = Door()
    async with transport_to(door.handler, token="old") as (made, sent):
        with pytest.raises(errors.Unauthorized):
            await get(made)
    assert len(sent) == 1


async def test_one_403_is_one_request_and_disturbs_nobody() -> None:
    """80 parallel requests and a watch go on beside it; kr8s made four requests and closed everybody's connections."""
    hold = asyncio.Event()
    lines = []

    async def handler(request: web.Request) -> web.StreamResponse:
        if request.path == "/forbidden":
            return status(403, "no")
        if request.path == "/watch":
            response = await stream(request, {"n": 1})
            await hold.wait()
            await response.write(b'{"n":2}\n')
            return response
        await hold.wait()
        return answer({"ok": True})

    async with transport_to(handler) as (made, sent):
        made.limiter.limit = 100

        async def watch() -> None:
            async for line in made.lines("/watch", {}, doing="watch"):
                lines.append(line)

        others = [asyncio.create_task(get(made)) for _ in range(80)] + [asyncio.create_task(watch())]
        with pytest.raises(errors.Forbidden):
            await get(made, "/forbidden")
        hold.set()
        await asyncio.gather(*others)
    assert [one.status for one in sent if one.path == "/forbidden"] == [403]
    assert lines == [b'{"n":1}', b'{"n":2}']


async def test_impersonation_headers_are_sent_with_every_request() -> None:
    seen = []

    async def handler(request: web.Request) -> web.StreamResponse:
        seen.append([(name, value) for name, value in request.headers.items() if name.startswith("Impersonate")])
        return answer({})

    groups = (("Impersonate-User", "ana"), ("Impersonate-Group", "dev"), ("Impersonate-Group", "ops"))
    async with transport_to(handler, impersonate=groups) as (made, _):
        await get(made)
        async for _ in made.lines("/watch", {}, doing="watch"):
            pass
    assert seen == [list(groups), list(groups)]


def identity(planes: Planes, context: str) -> Connection:
    if not planes.has(context):
        pytest.skip(f"this cluster has no context {context}")
    return fleet_lab.connection(planes.kubeconfig, context)


class TestReal:
    pytestmark = real

    async def test_two_clusters_in_turn_are_two_clusters(self, real_planes: Planes) -> None:
        if len(real_planes.contexts) < 2:
            pytest.skip("one cluster only")
        names = real_planes.contexts[:2]
        connections = {name: fleet_lab.connection(real_planes.kubeconfig, name) for name in names}
        fleet = ClusterFleet(connections, instance="0a1b2c3d")
        try:
            uids = [(await fleet.facts(name, refresh=True)).uid for name in (*names, *names)]
        finally:
            await fleet.close()
        assert uids[0] == uids[2] != uids[1] == uids[3]

    async def test_impersonation_acts_as_the_other_user_and_no_further(self, real_planes: Planes) -> None:
        name = real_planes.contexts[0]
        given = identity(real_planes, f"{name}-proxy")
        as_team = dataclasses.replace(given.credentials, impersonate=(("Impersonate-User", "team"),))
        fleet = ClusterFleet({"plain": given, "team": Connection(as_team)}, instance="0a1b2c3d")
        try:
            assert await fleet.list("team", CONFIG_MAP, "team", Selector()) is not None
            with pytest.raises(errors.Forbidden, match="team"):
                await fleet.list("team", CONFIG_MAP, "default", Selector())
            with pytest.raises(errors.Forbidden, match="proxy"):
                await fleet.list("plain", CONFIG_MAP, "team", Selector())
        finally:
            await fleet.close()

    async def test_a_user_without_rights_gets_a_403_with_the_missing_right(self, real_planes: Planes) -> None:
        name = real_planes.contexts[0]
        sent: list[transport.Sent] = []
        fleet = ClusterFleet({"x": identity(real_planes, f"{name}-none")}, instance="0a1b2c3d", log=sent.append)
        try:
            await fleet.facts("x")
            before = len(sent)
            with pytest.raises(errors.Forbidden) as caught:
                await fleet.read("x", [Ref("apps", "v1", "Deployment", "default", "web")])
        finally:
            await fleet.close()
        assert len(sent) == before + 1
        assert "kubectl create role appctl -n default --verb=get --resource=deployments.apps" in caught.value.hint

    async def test_a_wrong_token_is_unauthorized(self, real_planes: Planes) -> None:
        given = identity(real_planes, f"{real_planes.contexts[0]}-token").credentials
        fleet = ClusterFleet({"x": Connection(dataclasses.replace(given, token="wrong"))}, instance="0a1b2c3d")
        try:
            with pytest.raises(errors.Unauthorized):
                await fleet.facts("x")
        finally:
            await fleet.close()

    async def test_a_server_of_another_authority_is_not_trusted(self, real_planes: Planes) -> None:
        if len(real_planes.contexts) < 2:
            pytest.skip("one cluster only")
        first, second = [fleet_lab.connection(real_planes.kubeconfig, name) for name in real_planes.contexts[:2]]
        mixed = dataclasses.replace(first.credentials, ca=second.credentials.ca)
        fleet = ClusterFleet({"x": Connection(mixed)}, instance="0a1b2c3d")
        try:
            with pytest.raises(errors.Unreachable) as caught:
                await fleet.facts("x")
        finally:
            await fleet.close()
        assert (caught.value.code, caught.value.retryable) == ("cluster.untrusted", False)

    async def test_client_certificates_leave_no_file(self, real_planes: Planes, empty_temp: Path) -> None:
        given = fleet_lab.connection(real_planes.kubeconfig, real_planes.contexts[0])
        assert given.credentials.certificate
        fleet = ClusterFleet({"x": given}, instance="0a1b2c3d")
        try:
            assert (await fleet.facts("x")).version
        finally:
            await fleet.close()

    async def test_a_plugins_certificate_logs_in_and_leaves_no_file(
        self, real_planes: Planes, tmp_path: Path, empty_temp: Path
    ) -> None:
        given = fleet_lab.connection(real_planes.kubeconfig, real_planes.contexts[0]).credentials
        pair = {"clientCertificateData": given.certificate, "clientKeyData": given.key}
        made = credentials(tmp_path, given.server, plugin_user(tmp_path, pair))
        fleet = ClusterFleet({"x": Connection(dataclasses.replace(made, ca=given.ca))}, instance="0a1b2c3d")
        try:
            assert (await fleet.facts("x")).version
        finally:
            await fleet.close()
        assert os.listdir(empty_temp) == []
