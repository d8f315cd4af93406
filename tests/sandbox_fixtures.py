"""Sandboxes for tests: in process for the protocol suite, and real clusters as the same kind of place."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import functools
import os
import secrets
import sys
from typing import TYPE_CHECKING, Any

import aiohttp
import support
import yaml

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "contract"))

import kube_api

from appdelivery.clusters import credentials, kubeconfig
from appdelivery.sandbox import clock, cluster, controllers
from appdelivery.sandbox.http import access, app

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
async def running(name: str = "sandbox", **options: Any) -> AsyncIterator[app.App]:
    """A cluster of its own with the real planes' nodes and identities, controllers at full speed."""
    made = cluster.Cluster(name, clock=clock.Clock(speed=clock.FASTEST))
    started = controllers.start(made, nodes=copy.deepcopy(nodes()), certificate=CERTIFICATE)
    tasks = [asyncio.create_task(started.run()), asyncio.create_task(made.clock.run())]
    try:
        yield app.App(made, access=identities(), **options)
        for task in tasks:
            assert not task.done(), f"it ended by itself: {task}"
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def in_process(**options: Any) -> AsyncIterator[Api]:
    async with running(**options) as served:
        run = secrets.token_hex(4)
        wire = kube_api.Asgi(served)
        api = kube_api.Api(wire, TOKENS["token"], f"t-{run}", TOKENS, run, forget=served.cluster.storage.forget)
        for name in (api.namespace, "team"):
            await _namespace(api, name)
        yield api


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


async def _namespace(api: Api, name: str) -> None:
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"appctl-test/run": "1"}}}
    (await api.post("/api/v1/namespaces", body)).ok(201)
