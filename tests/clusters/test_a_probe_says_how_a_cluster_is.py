"""A probe against sandboxes that are well, cut off, locked, slow of clock, or closed to the one who asks."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sandbox_fixtures
from stub_server import answer, serving, status

from appdelivery.clusters import kubeconfig, probing, transport
from appdelivery.clusters.credentials import Credentials
from appdelivery.sandbox import certs

if TYPE_CHECKING:
    from pathlib import Path

    from appdelivery.clusters.transport import Sent

QUICK = transport.Limits(connect_s=2.0, read_s=2.0, total_s=4.0, throttled=2)


def credentials(served: sandbox_fixtures.Served, context: str = "") -> Credentials:
    return kubeconfig.read(context=context, paths=[served.kubeconfig])


async def probe(given: Credentials, **more: Any) -> probing.Probe:
    return await probing.probe("sandbox", given, limits=QUICK, **more)


async def no_sleep(_: float) -> None:
    pass


async def test_a_cluster_that_is_well_tells_who_it_is_and_what_we_may_do(tmp_path: Path) -> None:
    async with sandbox_fixtures.served(str(tmp_path)) as served:
        found = await probe(credentials(served))
        assert (found.reach, found.reason, found.code) == ("ready", "", "")
        assert found.facts is not None
        assert found.facts.uid
        assert found.facts.version.startswith("v1.")
        assert found.missing == dict.fromkeys(probing.RIGHTS, ())
        assert found.round_trip_ms is not None
        assert 0 < found.round_trip_ms < 5000
        assert not found.skewed


async def test_an_ordinary_probe_is_two_requests(tmp_path: Path) -> None:
    sent: list[Sent] = []
    async with sandbox_fixtures.served(str(tmp_path)) as served:
        found = await probe(credentials(served), full=False, log=sent.append)
    assert [(one.path, dict(one.query)) for one in sent] == [("/readyz", {}), ("/api/v1/namespaces", {"limit": "1"})]
    assert (found.reach, found.facts, found.missing) == ("ready", None, None)


async def test_who_may_not_list_is_unauthorized_and_told_every_right_that_lacks(tmp_path: Path) -> None:
    async with sandbox_fixtures.served(str(tmp_path)) as served:
        found = await probe(credentials(served, "sandbox-none"))
    assert (found.reach, found.code) == ("unauthorized", "cluster.forbidden")
    assert 'User "none" cannot list resource "namespaces"' in found.reason
    assert "kubectl create clusterrole" in found.hint
    assert found.facts is not None
    assert found.missing is not None
    assert "patch deployments.apps" in found.missing["deliver"]
    assert "get pods/log" in found.missing["say why"]
    assert found.missing["see capacity"] == ("list nodes", "watch nodes", "list pods", "watch pods")


async def test_a_token_that_is_not_known_is_unauthorized_not_unreachable(tmp_path: Path) -> None:
    async with sandbox_fixtures.served(str(tmp_path)) as served:
        wrong = dataclasses.replace(credentials(served), token="expired")
        found = await probing.patiently(lambda: probe(wrong), sleep=no_sleep)
    assert (found.reach, found.code, found.tries) == ("unauthorized", "cluster.unauthorized", 1)


async def test_a_cluster_that_is_cut_off_is_tried_three_times(tmp_path: Path) -> None:
    async with sandbox_fixtures.served(str(tmp_path)) as served:
        served.fault(do="partition")
        found = await probing.patiently(lambda: probe(credentials(served)), sleep=no_sleep)
    assert (found.reach, found.tries, found.facts) == ("unreachable", 3, None)


async def test_an_answer_to_the_second_try_is_an_answer(tmp_path: Path) -> None:
    async with sandbox_fixtures.served(str(tmp_path)) as served:
        served.fault(do="status", value=503, count=1)
        found = await probing.patiently(lambda: probe(credentials(served)), sleep=no_sleep)
    assert (found.reach, found.tries) == ("ready", 2)


async def test_a_wrong_authority_is_told_as_such_and_not_tried_again(tmp_path: Path) -> None:
    async with sandbox_fixtures.served(str(tmp_path)) as served:
        other = dataclasses.replace(credentials(served), ca=certs.make().authority.decode())
        found = await probing.patiently(lambda: probe(other), sleep=no_sleep)
    assert (found.reach, found.code, found.tries) == ("unreachable", "cluster.untrusted", 1)
    assert "cannot be trusted" in found.reason


async def test_a_clock_that_is_ahead_or_behind_is_measured(tmp_path: Path) -> None:
    async with sandbox_fixtures.served(str(tmp_path)) as served:
        served.fault(do="skew", value=90)
        ahead = await probe(credentials(served))
        assert ahead.skew_s is not None
        assert 85 < ahead.skew_s <= 91
        behind = await probe(credentials(served), clock=lambda: datetime.fromtimestamp(4e9, UTC))
        assert behind.skew_s is not None
        assert behind.skew_s < -1e6
        assert behind.skewed


async def test_a_server_that_is_not_ready_is_told_what_it_lacks() -> None:
    async def starting(request: Any) -> Any:
        return status(500, "[+]ping ok [-]etcd failed: reason withheld readyz check failed")

    async with serving(starting) as url:
        found = await probe(Credentials(url, token="t"))
    assert (found.reach, "[-]etcd failed" in found.reason) == ("unreachable", True)


async def test_an_answer_that_comes_from_no_api_server_is_not_ready() -> None:
    async def proxy(request: Any) -> Any:
        return answer({"hello": "world"})

    async with serving(proxy) as url:
        found = await probe(Credentials(url, token="t"))
    assert (found.reach, found.facts) == ("unreachable", None)
    assert "probe cluster sandbox" in found.reason or "read cluster sandbox" in found.reason


async def test_where_readyz_is_closed_the_version_tells_as_much() -> None:
    async def closed(request: Any) -> Any:
        if request.path == "/readyz":
            return status(403, "forbidden", "Forbidden")
        return answer({"gitVersion": "v1.36.0", "items": []})

    async with serving(closed) as url:
        assert (await probe(Credentials(url, token="t"), full=False)).reach == "ready"


async def test_what_is_kept_of_a_probe_holds_no_credential(tmp_path: Path) -> None:
    async with sandbox_fixtures.served(str(tmp_path)) as served:
        given = credentials(served)
        found = await probe(given)
    assert given.token
    assert given.token not in repr(found)
    assert given.token not in repr(found.to_tree())
