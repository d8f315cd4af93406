"""What only a server can show of a Fleet, on the sandbox and on a real one: refusals word for word, events, logs, limited
rights; on a real one alone what the sandbox does not have: webhooks, and a server that is started again."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

import fleet_lab
import pytest
import sandbox_fixtures
import support
from controlplane import plane, programs
from fleet_lab import CONFIG_MAP, DEPLOYMENT, INSTANCE, Lab

from appdelivery import errors
from appdelivery.clusters import discovery, fleet, transport
from appdelivery.delivery.ports import DeleteOptions, LogOptions
from appdelivery.model import marks
from appdelivery.model.refs import Kind, Ref, Selector, ref_of
from appdelivery.model.secret import Secret, SecretRef

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from plane_fixtures import Planes

ON_REAL = (pytest.mark.cluster, pytest.mark.xdist_group("plane"))


@pytest.fixture(params=["sandbox", pytest.param("real", marks=ON_REAL)])
async def servers(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Planes]:
    if request.param == "sandbox":
        async with sandbox_fixtures.served(str(tmp_path), "sandbox") as made:
            yield made.planes
    else:
        yield request.getfixturevalue("real_plane")


@pytest.fixture
async def lab(servers: Planes) -> AsyncIterator[Lab]:
    """A namespace of its own on the first server, with our fleet and a foreign writer."""
    async with fleet_lab.on_cluster(servers.kubeconfig, servers.contexts[0]) as made:
        yield made


@pytest.fixture
def controlled(servers: Planes) -> Planes:
    """Servers with controllers and nodes."""
    if not servers.complete:
        support.missing("controllers and nodes of a control plane", "CLUSTER")
    return servers


# --- refusals -----------------------------------------------------------------------------------------------------------
async def test_an_unknown_field_is_the_documents_fault(lab: Lab) -> None:
    body = lab.deployment()
    body["spec"]["replicsa"] = 3
    with pytest.raises(errors.Rejected, match="replicsa") as caught:
        await lab.apply(body)
    assert not caught.value.retryable
    assert "misspelt" in caught.value.hint


async def test_an_invalid_value_names_its_field(lab: Lab) -> None:
    body = lab.deployment()
    body["spec"]["replicas"] = -1
    with pytest.raises(errors.Rejected) as caught:
        await lab.apply(body)
    assert caught.value.status == 422
    assert ("spec.replicas", "Invalid value: -1: must be greater than or equal to 0") in caught.value.fields


async def test_an_immutable_field_is_told_as_such(lab: Lab) -> None:
    await lab.apply(lab.deployment())
    body = lab.deployment()
    body["spec"]["selector"]["matchLabels"] = body["spec"]["template"]["metadata"]["labels"] = {"app": "other"}
    with pytest.raises(errors.Rejected) as caught:
        await lab.apply(body, force=True)
    assert caught.value.immutable
    job = lab.object("batch/v1", "Job", "once", spec={"template": {"spec": {"restartPolicy": "Never"}}})
    job["spec"]["template"]["spec"]["containers"] = [{"name": "app", "image": "a"}]
    await lab.apply(job)
    job["spec"]["template"]["spec"]["containers"][0]["image"] = "b"
    with pytest.raises(errors.Rejected) as caught:
        await lab.apply(job)
    assert caught.value.immutable


async def test_a_list_key_given_twice_is_refused(lab: Lab) -> None:
    body = lab.deployment()
    body["spec"]["template"]["spec"]["containers"][0]["env"] *= 2
    with pytest.raises((errors.Rejected, errors.ClusterError)) as caught:
        await lab.apply(body)
    assert "duplicate" in caught.value.message
    assert not caught.value.retryable


async def test_a_conflict_names_manager_operation_subresource_and_path(lab: Lab) -> None:
    await lab.apply(lab.deployment(replicas=1))
    await lab.kube.merge(lab.deployment(), {"spec": {"replicas": 3}}, sub="scale", manager='an "odd" name')
    image = {"name": "app", "image": "theirs:1"}
    await lab.foreign(lab.deployment(), "flux", spec={"template": {"spec": {"containers": [image]}}})
    with pytest.raises(errors.FieldConflict) as caught:
        await lab.apply(lab.deployment(replicas=1))
    assert set(caught.value.owners) == {
        ('an "odd" name', "Update", "scale", ".spec.replicas"),
        ("flux", "Apply", "", '.spec.template.spec.containers[name="app"].image'),
    }


async def test_an_object_over_the_limit_says_its_limit(lab: Lab) -> None:
    with pytest.raises(errors.Rejected) as caught:
        await lab.apply(lab.config(big="x" * (4 << 20)))
    assert caught.value.code == "cluster.too-large"
    assert not caught.value.retryable


async def test_a_secret_value_does_not_come_back_in_a_refusal(lab: Lab) -> None:
    """Servers quote what they refuse."""
    body = lab.deployment()
    body["spec"]["template"]["spec"]["dnsPolicy"] = Secret("canary-value-1234")
    with pytest.raises(errors.Rejected) as caught:
        await lab.apply(body)
    texts = [caught.value.message, str(caught.value), str(caught.value.fields)]
    assert not [text for text in texts if "canary-value-1234" in text]
    assert "<redacted" in caught.value.message


async def test_a_stored_secret_is_resolved_when_the_body_is_built(servers: Planes) -> None:
    asked = []

    async def resolve(ref: SecretRef) -> Secret:
        asked.append(ref.name)
        return Secret("from-the-store")

    place = fleet_lab.on_cluster(servers.kubeconfig, servers.contexts[0], resolve_secret=resolve)
    async with place as lab:
        body = lab.object("v1", "Secret", "login", type="Opaque")
        ref = SecretRef("application", "shop/web", "password")
        body["data"] = {"password": Secret(ref=ref, encoded=True), "again": Secret(ref=ref, encoded=True)}
        applied = await lab.apply(body)
    assert applied.body["data"] == {"password": "ZnJvbS10aGUtc3RvcmU=", "again": "ZnJvbS10aGUtc3RvcmU="}
    assert asked == ["password"]


async def test_a_namespace_on_its_way_out_is_a_passing_refusal(lab: Lab) -> None:
    body = lab.config()
    body["metadata"]["finalizers"] = ["example.org/hold"]
    await lab.apply(body)
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": lab.namespace}}
    await lab.kube.delete(namespace)
    with pytest.raises(errors.Forbidden) as caught:
        await lab.apply(lab.config("another"))
    assert (caught.value.code, caught.value.retryable) == ("cluster.terminating", True)
    await lab.apply(lab.config())


async def test_an_exceeded_quota_is_told_from_a_missing_right(lab: Lab) -> None:
    await lab.apply(lab.object("v1", "ResourceQuota", "none", spec={"hard": {"count/secrets": "0"}}))
    quota = lab.object("v1", "ResourceQuota", "none")
    await lab.kube.until(quota, lambda live: (live.get("status") or {}).get("hard"))

    async def refused() -> errors.Forbidden:
        while True:
            try:
                await lab.apply(lab.object("v1", "Secret", "one", type="Opaque"))
                await lab.fleet.delete(lab.cluster, Ref("", "v1", "Secret", lab.namespace, "one"), DeleteOptions())
            except errors.Forbidden as error:
                return error

    assert (await asyncio.wait_for(refused(), 20)).code == "cluster.quota"


@pytest.mark.cluster
@pytest.mark.xdist_group("plane")
async def test_a_webhook_that_is_down_is_named_and_passing(real_lab: Lab) -> None:
    lab = real_lab
    hook = {
        "name": "down.example.org",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "failurePolicy": "Fail",
        "timeoutSeconds": 1,
        "clientConfig": {"url": "https://127.0.0.1:1/"},
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": lab.namespace}},
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}],
    }
    group = "admissionregistration.k8s.io/v1"
    configuration = {"apiVersion": group, "kind": "ValidatingWebhookConfiguration", "webhooks": [hook]}
    configuration["metadata"] = {"name": f"down-{lab.namespace}"}
    await lab.kube.create(configuration)
    try:

        async def refused() -> errors.ClusterError:
            number = 0
            while True:
                try:
                    await lab.apply(lab.config(f"c{number}"))
                    number += 1
                except errors.ClusterError as error:
                    return error

        error = await asyncio.wait_for(refused(), 20)
    finally:
        await lab.kube.delete(configuration)
    assert (error.code, error.retryable) == ("cluster.webhook", True)
    assert "down.example.org" in error.hint


# --- reading ------------------------------------------------------------------------------------------------------------
async def test_events_come_newest_first(controlled: Planes, lab: Lab) -> None:
    await lab.apply(lab.deployment(replicas=1))
    await lab.kube.until(lab.deployment(), lambda live: (live.get("status") or {}).get("readyReplicas") == 1)
    await lab.apply(lab.deployment(replicas=2))
    await lab.kube.until(lab.deployment(), lambda live: (live.get("status") or {}).get("readyReplicas") == 2)

    async def events() -> list[Any]:
        while True:
            found = await lab.fleet.events(lab.cluster, ref_of(lab.deployment()), 10)
            if len(found) >= 2:
                return list(found)
            await asyncio.sleep(0.05)

    found = await asyncio.wait_for(events(), 20)
    assert {one.reason for one in found} == {"ScalingReplicaSet"}
    assert [one.at for one in found] == sorted([one.at for one in found], reverse=True)
    assert found[0].ref == ref_of(lab.deployment())
    assert len(await lab.fleet.events(lab.cluster, ref_of(lab.deployment()), 1)) == 1


async def test_logs_come_line_by_line(controlled: Planes, lab: Lab) -> None:
    if os.environ.get("APPCTL_TEST_KUBECONFIG"):
        pytest.skip("what pods of an existing cluster write is not known")
    await lab.apply(lab.deployment())
    await lab.kube.until(lab.deployment(), lambda live: (live.get("status") or {}).get("readyReplicas") == 1)
    (pod,) = await lab.fleet.list(lab.cluster, Kind("", "v1", "Pod"), lab.namespace, Selector(labels="app=web"))

    async def lines(how: LogOptions) -> list[str]:
        return [line async for line in lab.fleet.logs(lab.cluster, pod.ref, how)]

    assert await lines(LogOptions(container="app")) == ["starting", "listening on :8080", "warning: cache is cold", "ready"]
    assert await lines(LogOptions(tail=1)) == ["ready"]
    with pytest.raises(errors.ClusterError, match="read the log of Pod"):
        await lines(LogOptions(container="absent"))


async def test_a_version_of_a_later_life_is_read_without_it(lab: Lab) -> None:
    """The inventory remembers a version that a cluster restored from a backup has not reached."""
    await lab.apply(lab.config())
    found = await lab.fleet.owned(lab.cluster, {CONFIG_MAP: 2**62}, [lab.namespace], lab.app)
    assert [fact.ref.name for fact in found[CONFIG_MAP]] == ["web"]


async def test_a_list_too_large_for_one_answer_is_read_in_pages(servers: Planes, monkeypatch: Any) -> None:
    from appdelivery.clusters import reading

    monkeypatch.setattr(reading, "PAGE", 7)
    limits = transport.Limits(list_bytes=12_000)
    place = fleet_lab.on_cluster(servers.kubeconfig, servers.contexts[0], limits=limits)
    async with place as lab:
        preset = fleet.Connection(fleet_lab.connection(servers.kubeconfig, lab.cluster).credentials, await _facts(servers))
        sent: list[transport.Sent] = []
        small = fleet.ClusterFleet({lab.cluster: preset}, instance=INSTANCE, limits=limits, log=sent.append)
        lab.fleet = small
        try:
            await asyncio.gather(*[lab.apply(lab.config(f"c{i}")) for i in range(20)])
            found = await small.owned(lab.cluster, {CONFIG_MAP: 0}, [lab.namespace], lab.app)
        finally:
            await small.close()
    assert len(found[CONFIG_MAP]) == 20
    assert len([one for one in sent if one.query.get("limit") == "7"]) == 3


async def _facts(planes: Planes) -> Any:
    name = planes.contexts[0]
    one = fleet.ClusterFleet({name: fleet_lab.connection(planes.kubeconfig, name)}, instance=INSTANCE)
    try:
        return await one.facts(name)
    finally:
        await one.close()


async def test_facts_survive_the_store_and_spare_the_discovery(servers: Planes) -> None:
    facts = await _facts(servers)
    kept = discovery.from_tree(discovery.to_tree(facts))
    assert kept == facts
    name = servers.contexts[0]
    sent: list[transport.Sent] = []
    preset = fleet.Connection(fleet_lab.connection(servers.kubeconfig, name).credentials, kept)
    one = fleet.ClusterFleet({name: preset}, instance=INSTANCE, log=sent.append)
    try:
        assert await one.facts(name) == facts
        await one.owned(name, {CONFIG_MAP: 0}, [])
        assert len(sent) == 1
        refreshed = await one.facts(name, refresh=True)
        assert refreshed.served == facts.served
        await one.facts(name, refresh=True)
        # The documents did not change: the server says so in one line.
        assert [x.status for x in sent if x.path in ("/api", "/apis")][-2:] == [304, 304]
    finally:
        await one.close()


# --- limited rights -----------------------------------------------------------------------------------------------------
@pytest.fixture
async def team(servers: Planes) -> AsyncIterator[Lab]:
    """Our fleet with all rights in one namespace and none elsewhere."""
    name = f"{servers.contexts[0]}-team"
    if not servers.has(name):
        pytest.skip(f"this cluster has no context {name}")
    sent: list[transport.Sent] = []
    connection = fleet_lab.connection(servers.kubeconfig, name)
    one = fleet.ClusterFleet({name: connection}, instance=INSTANCE, log=sent.append)
    lab = Lab(one, name, "team", sent)
    try:
        yield lab
    finally:
        for body in (lab.config("team-1"), lab.config("team-2")):
            await one.delete(name, ref_of(body), DeleteOptions())
        await one.close()


async def test_lists_fall_back_to_namespaces_where_the_cluster_is_forbidden(team: Lab) -> None:
    applied = await team.apply(team.config("team-1"))
    kinds = {CONFIG_MAP: applied.version, DEPLOYMENT: 0, Kind("", "v1", "Namespace"): 0}
    found = await team.fleet.owned(team.cluster, kinds, ["team"], team.app)
    assert [fact.ref.name for fact in found[CONFIG_MAP]] == ["team-1"]
    assert list(found[DEPLOYMENT]) == []
    assert isinstance(found[Kind("", "v1", "Namespace")], errors.Forbidden)
    before = len(team.sent)
    await team.fleet.owned(team.cluster, {CONFIG_MAP: 0}, ["team"], team.app)
    assert len(team.sent) == before + 1  # the refusal is remembered
    elsewhere = await team.fleet.owned(team.cluster, {CONFIG_MAP: 0}, ["default"], team.app)
    assert isinstance(elsewhere[CONFIG_MAP], errors.Forbidden)


async def test_watches_fall_back_to_namespaces_too(team: Lab) -> None:
    await team.apply(team.config("team-1"))
    watch = team.fleet.watch(
        team.cluster, [CONFIG_MAP], ["team"], Selector(labels=f"{marks.INSTANCE}={INSTANCE},{marks.NAME}=shop")
    )
    watching = fleet_lab.Watching(watch)
    try:
        await watching.until(lambda one: one.kind == "resync")
        await team.apply(team.config("team-2"))
        await watching.until(lambda one: one.kind == "seen" and one.fact.ref.name == "team-2")
    finally:
        await watch.aclose()  # type: ignore[attr-defined]


# --- a restart of the API server ------------------------------------------------------------------------------------------
@pytest.mark.cluster
@pytest.mark.xdist_group("plane")
@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_a_watch_survives_a_restart_of_the_server_and_loses_nothing(tmp_path: Path) -> None:
    found = programs.find()
    if found is None:
        pytest.skip("only planes of our own are restarted")
    alone = programs.Programs({name: found[name] for name in programs.NEEDED})
    own = plane.Plane("restarted", str(tmp_path / "plane"), alone)
    try:
        await asyncio.to_thread(own.start)
        path = plane.write_kubeconfig(str(tmp_path / "kubeconfig"), [own])
        async with fleet_lab.on_cluster(path, "restarted") as lab:
            for name in ("stays", "goes"):
                await lab.apply(lab.config(name))
            async with lab.watching(CONFIG_MAP) as watching:
                await watching.until(lambda one: one.kind == "resync")
                await asyncio.to_thread(own.restart_api_server)
                ready = asyncio.get_running_loop().time()
                applied = await lab.apply(lab.config("comes"))
                await lab.fleet.delete(lab.cluster, ref_of(lab.config("goes")), DeleteOptions())
                seen = await watching.until(lambda one: one.kind == "seen" and one.fact.ref.name == "comes")
                assert asyncio.get_running_loop().time() - ready < 2
                assert seen.fact.version == applied.version
                gone = await watching.until(lambda one: one.kind == "gone")
                assert gone.fact.ref.name == "goes"
    finally:
        await asyncio.to_thread(plane.stop, own.folder)
        own.forget()
