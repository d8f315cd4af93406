"""How many requests a whole delivery makes, on the sandbox and on a real server: the gates of delivery.md section 16.

Counted is every request of the transport's log but discovery: four requests at most, once in ten minutes for all commands.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import fleet_lab
import pytest
import sandbox_fixtures
import yaml

from appdelivery.platform import delivering, documents, local, planning, rendering

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from plane_fixtures import Planes

    from appdelivery.clusters.transport import Sent
    from appdelivery.delivery.work import Ended
    from appdelivery.model.refs import AppKey
    from appdelivery.platform.local import Platform

pytestmark = pytest.mark.timeout(180)
REAL = pytest.param("real", marks=[pytest.mark.cluster, pytest.mark.xdist_group("plane")])

STACKS, KINDS = 20, 3
OBJECTS = STACKS * KINDS
DISCOVERY = ("/api", "/apis", "/version", "/api/v1/namespaces/kube-system")


@dataclass
class Delivery:
    """Commands in one namespace, each a process of its own as far as the store and the client are concerned."""

    folder: Path
    planes: Planes
    namespace: str
    sent: list[Sent] = field(default_factory=list)

    @property
    def key(self) -> AppKey:
        from appdelivery.model.refs import AppKey

        return AppKey(self.namespace, "many")

    async def up(self, *, changed: int = 0) -> Counter[str]:
        path = self.folder / "app.yaml"
        path.write_text(yaml.safe_dump(_application(self.namespace, changed)))
        work = rendering.load(documents.Request((str(path),)))

        async def planned(p: Platform) -> Any:
            (one,) = await delivering.plans(p, work, planning.Ask())
            return one

        return await self._carried_out(planned)

    async def rollback(self, revision: int) -> Counter[str]:
        return await self._carried_out(lambda p: delivering.rollback(p, self.key, revision, planning.Ask()))

    async def delete(self) -> Counter[str]:
        return await self._carried_out(lambda p: delivering.deletion(p, self.key, planning.Ask()))

    async def _carried_out(self, plan: Callable[[Platform], Awaitable[Any]]) -> Counter[str]:
        options = local.Options(str(self.folder / "store.db"), self.planes.kubeconfig, self.planes.contexts[0])
        p = local.open_store(options, mode="write")
        self.sent.clear()
        p.requests = self.sent.append
        try:
            ended: Ended = await delivering.deliver(p, await plan(p), delivering.How(wait="applied"))
        finally:
            await p.close()
        assert ended.outcome == "succeeded", ended.message
        return Counter(_sort(one) for one in self.sent)


def _sort(one: Sent) -> str:
    if one.verb != "GET":
        return "write"
    if one.path in DISCOVERY:
        return "discovery"
    return "watch" if one.query.get("watch") else "list" if "labelSelector" in one.query else "other"


def _application(namespace: str, changed: int) -> dict[str, Any]:
    return {
        "apiVersion": "core.oam.dev/v1beta1",
        "kind": "Application",
        "metadata": {"name": "many", "namespace": namespace},
        "spec": {"components": [_component(f"web-{i}", "red" if i < changed else "blue") for i in range(STACKS)]},
    }


def _component(name: str, color: str) -> dict[str, Any]:
    files = {"configMap": [{"name": name, "mountPath": "/etc/web", "data": {"color": color}}]}
    return {
        "name": name,
        "type": "webservice",
        "properties": {"image": "example/web:1", "replicas": 0},
        "traits": [
            {"type": "storage", "properties": files},
            {"type": "service-account", "properties": {"name": name, "create": True}},
        ],
    }


@pytest.fixture(params=[pytest.param("sandbox", marks=pytest.mark.slow), REAL])
async def delivery(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Delivery]:
    async with contextlib.AsyncExitStack() as stack:
        if request.param == "sandbox":
            planes = (await stack.enter_async_context(sandbox_fixtures.served(str(tmp_path), "sandbox"))).planes
        else:
            planes = request.getfixturevalue("real_plane")
        lab = await stack.enter_async_context(fleet_lab.on_cluster(planes.kubeconfig, planes.contexts[0]))
        yield Delivery(tmp_path, planes, lab.namespace)


async def test_requests_of_a_whole_life_stay_within_their_gates(delivery: Delivery) -> None:
    installed = await delivery.up()
    assert installed["write"] == OBJECTS
    assert installed.total() - installed["discovery"] <= OBJECTS + KINDS + 5

    unchanged = await delivery.up()
    assert unchanged["write"] == 0
    assert unchanged["list"] == KINDS
    assert unchanged.total() - unchanged["discovery"] == KINDS
    assert unchanged["discovery"] <= len(DISCOVERY)

    one = await delivery.up(changed=1)
    assert one["write"] == 1
    assert one.total() - one["discovery"] <= 1 + KINDS + 2

    await delivery.up(changed=10)
    back = await delivery.rollback(1)
    assert back["write"] == 10
    assert back.total() - back["discovery"] <= 10 + KINDS

    removed = await delivery.delete()
    assert removed["write"] == OBJECTS
    assert removed.total() - removed["discovery"] <= OBJECTS + KINDS


async def test_what_a_cluster_serves_is_asked_once(delivery: Delivery) -> None:
    first = await delivery.up()
    second = await delivery.up()
    assert first["discovery"] <= len(DISCOVERY)
    assert second["discovery"] == 0
