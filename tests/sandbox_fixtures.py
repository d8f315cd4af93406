"""Sandboxes for tests: in process for the protocol suite, and real clusters as the same kind of place."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import copy
import functools
import os
import secrets
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
import plane_fixtures
import support
import yaml

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "contract"))

import kube_api

from appdelivery.clusters import credentials, kubeconfig
from appdelivery.sandbox import certs, clock, cluster, controllers, member, serve, writes
from appdelivery.sandbox.faults import rules
from appdelivery.sandbox.http import access, app
from appdelivery.sandbox.writes import options

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from kube_api import Api
    from plane_fixtures import Planes

CERTIFICATE = "-----BEGIN CERTIFICATE-----\nc2FuZGJveA==\n-----END CERTIFICATE-----\n"
IDENTITIES = ("token", "none", "team", "proxy")


TOKENS = {who: f"{who}-of-the-sandbox" for who in IDENTITIES}


@functools.cache
def nodes() -> tuple[dict[str, Any], ...]:
    """Those of the real planes."""
    folder = f"{support.ROOT}/tests/controlplane/nodes"
    found: list[dict[str, Any]] = []
    for file in sorted(os.listdir(folder)):
        with open(f"{folder}/{file}") as text:
            found += yaml.safe_load_all(text)
    return tuple(found)


def identities() -> access.Access:
    """The same as on the real planes (tests/controlplane/plane.py)."""
    team = access.Rule(namespaces=("team",))
    proxy = access.Rule(verbs=("impersonate",), groups=("",), kinds=("users",), names=("team",))
    authenticated = ("nothing", "system:authenticated")
    return access.Access(
        {
            TOKENS["token"]: access.administrator(),
            TOKENS["none"]: access.Identity("none", authenticated),
            TOKENS["team"]: access.Identity("team", authenticated, allow=(team,)),
            TOKENS["proxy"]: access.Identity("proxy", authenticated, allow=(proxy,)),
        }
    )


@contextlib.asynccontextmanager
async def running(name: str = "sandbox", **how: Any) -> AsyncIterator[app.App]:
    """A cluster of its own with the real planes' nodes and identities, controllers at full speed."""
    made = cluster.Cluster(name, clock=clock.Clock(speed=clock.FASTEST))
    started = controllers.start(made, nodes=copy.deepcopy(nodes()), certificate=CERTIFICATE)
    tasks = [asyncio.create_task(started.run()), asyncio.create_task(made.clock.run())]
    try:
        yield app.App(made, access=identities(), **how)
        for task in tasks:
            assert not task.done(), f"it ended by itself: {task}"
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def in_process(**how: Any) -> AsyncIterator[Api]:
    async with running(**how) as served:
        run = secrets.token_hex(4)
        wire = kube_api.Asgi(served)
        api = kube_api.Api(wire, TOKENS["token"], f"t-{run}", TOKENS, run, forget=served.cluster.storage.forget)
        for name in (api.namespace, "team"):
            await _namespace(api, name)
        yield api


@dataclass
class Served:
    """Sandboxes behind TLS on loopback, in the loop of the test, and the kubeconfig that leads to them."""

    planes: Planes
    members: dict[str, member.Member]

    @property
    def kubeconfig(self) -> str:
        return self.planes.kubeconfig

    @property
    def only(self) -> member.Member:
        (one,) = self.members.values()
        return one

    def fault(self, cluster: str = "*", **rule: Any) -> None:
        for one in self.members.values():
            one.faults.add(rules.Rule(cluster=cluster, **rule))

    def requests(self, cluster: str = "") -> list[tuple[str, str, int]]:
        """(verb, plural, status) of what was asked about objects, in order."""
        one = self.members[cluster] if cluster else self.only
        return [(seen.verb, seen.place.plural, seen.status) for seen in one.log if seen.place.plural]


@functools.cache
def _certificates() -> certs.Pair:
    return certs.make()


@contextlib.asynccontextmanager
async def served(folder: str, *names: str) -> AsyncIterator[Served]:
    """Each with the real planes' nodes, identities and contexts (NAME, NAME-none, NAME-team, NAME-proxy)."""
    pair = _certificates()
    for name, text in (("cert.pem", pair.certificate), ("key.pem", pair.key)):
        with open(f"{folder}/{name}", "wb", opener=_private) as file:  # noqa: ASYNC230 - before anything runs
            file.write(text)
    context = serve.context(f"{folder}/cert.pem", f"{folder}/key.pem")
    members: dict[str, member.Member] = {}
    async with contextlib.AsyncExitStack() as stack:
        places = []
        for name in names or ("sandbox",):
            bound = serve.bind(0)
            places.append((name, f"https://{serve.HOST}:{bound.getsockname()[1]}"))
            members[name] = await stack.enter_async_context(_listening(name, bound, context, pair.authority.decode()))
        path = f"{folder}/kubeconfig"
        document = _kubeconfig(places, pair.authority)
        with open(path, "w", opener=_private) as file:  # noqa: ASYNC230
            yaml.safe_dump(document, file)
        yield Served(plane_fixtures.Planes(path, tuple(members), True, document), members)


@contextlib.asynccontextmanager
async def _listening(name: str, bound: Any, context: Any, authority: str) -> AsyncIterator[member.Member]:
    setup = member.Setup(name, nodes=copy.deepcopy(nodes()), certificate=authority)
    listeners: list[serve.Listener] = []
    made = member.Member(setup, speed=clock.FASTEST, on_partition=lambda: listeners[0].cut_soon())  # noqa: PLW0108 - made below
    team = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}}
    writes.create(made.cluster, made.cluster.kind("v1", "Namespace"), "", team, options.Options("tests"))
    made.app.access = made.access = made.app._serving.access = identities()
    listener = serve.Listener(made.app, before=lambda: None, now=lambda: made.cluster.clock.now().timestamp())
    listeners.append(listener)
    await listener.open(bound, context)
    task = asyncio.create_task(made.run())
    try:
        yield made
        assert not task.done(), f"it ended by itself: {task}"
    finally:
        task.cancel()
        listener.close()
        await asyncio.gather(task, return_exceptions=True)
        await _farewell(listener)


async def _farewell(listener: serve.Listener) -> None:
    """TLS says goodbye in several turns of the loop; a connection that is left then is a warning of another test."""
    server = listener._server
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(1):
            while getattr(server, "_active_count", 0):  # noqa: ASYNC110 - Python 3.11, whose `wait_closed` does not wait
                await asyncio.sleep(0.001)
            if server is not None:
                await server.wait_closed()
    listener.cut()  # whoever has not answered the goodbye by now
    await asyncio.sleep(0)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _kubeconfig(places: list[tuple[str, str]], authority: bytes) -> dict[str, Any]:
    trusted = base64.b64encode(authority).decode()
    people = {"": "token", "-token": "token", "-none": "none", "-team": "team", "-proxy": "proxy"}
    pairs = [(name, f"{name}{suffix}", TOKENS[who]) for name, _ in places for suffix, who in people.items()]
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": places[0][0],
        "clusters": [
            {"name": name, "cluster": {"server": server, "certificate-authority-data": trusted}} for name, server in places
        ],
        "users": [{"name": user, "user": {"token": token}} for _, user, token in pairs],
        "contexts": [{"name": user, "context": {"cluster": name, "user": user}} for name, user, _ in pairs],
    }


@contextlib.asynccontextmanager
async def on_plane(planes: Planes, context: str = "") -> AsyncIterator[Api]:
    """A new namespace of a real cluster, deleted in the background."""
    context = context or planes.contexts[0]
    admin = kubeconfig.read(context=context, paths=[planes.kubeconfig])
    tokens = {
        who: kubeconfig.read(context=f"{context}-{who}", paths=[planes.kubeconfig]).token
        for who in IDENTITIES
        if planes.has(f"{context}-{who}")
    }
    async with aiohttp.ClientSession() as session:
        # A certificate is an identity of the connection: requests with a token go over connections without it.
        bare = kubeconfig.read(context=f"{context}-token", paths=[planes.kubeconfig]) if "token" in tokens else admin
        wire = kube_api.Http(bare.server, credentials.tls(bare, context), session)
        run = secrets.token_hex(4)
        api = kube_api.Api(
            wire, tokens.get("token", admin.token), f"t-{run}", tokens, run, controllers=planes.complete, real=True
        )
        await _namespace(api, api.namespace)
        try:
            yield api
        finally:
            await api.delete(f"/api/v1/namespaces/{api.namespace}", propagationPolicy="Background")
    await asyncio.sleep(0)  # transports that were cut are told that they are closed


async def _namespace(api: Api, name: str) -> None:
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"appctl-test/run": "1"}}}
    (await api.post("/api/v1/namespaces", body)).ok(201)
