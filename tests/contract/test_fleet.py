"""What every Fleet does, in memory and over a real API server alike (testing.md section 3)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import fleet_lab
import pytest
import sandbox_fixtures
from fleet_lab import CONFIG_MAP, DEPLOYMENT, INSTANCE, Lab

from appdelivery import errors
from appdelivery.delivery.ports import DeleteOptions
from appdelivery.model import marks
from appdelivery.model.record import changed
from appdelivery.model.refs import AppKey, Kind, Ref, Selector, ref_of
from appdelivery.model.secret import Secret

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

REAL = pytest.param("real", marks=[pytest.mark.cluster, pytest.mark.xdist_group("plane")])


@pytest.fixture(params=["fake", "sandbox", REAL])
async def lab(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Lab]:
    if request.param == "fake":
        from fakes.fleet import FakeFleet

        yield Lab(FakeFleet(("east",), instance=INSTANCE, namespaces=("default", "kube-system", "shop")), "east", "shop")
    elif request.param == "sandbox":
        async with sandbox_fixtures.served(str(tmp_path), "east") as made:
            async with fleet_lab.on_cluster(made.kubeconfig, "east") as lab:
                yield lab
    else:
        planes = request.getfixturevalue("real_plane")
        async with fleet_lab.on_cluster(planes.kubeconfig, planes.contexts[0]) as made:
            yield made


async def test_an_object_is_created_then_configured_then_unchanged(lab: Lab) -> None:
    first = await lab.apply(lab.config(a="1"))
    second = await lab.apply(lab.config(a="2"), known_version=first.version)
    third = await lab.apply(lab.config(a="2"), known_version=second.version)
    assert [one.result for one in (first, second, third)] == ["created", "configured", "unchanged"]
    assert first.uid == second.uid == third.uid
    assert first.version < second.version == third.version
    assert second.body["data"] == {"a": "2"}


async def test_the_answers_digest_is_the_one_that_a_list_finds_later(lab: Lab) -> None:
    applied = await lab.apply(lab.config())
    found = await lab.fleet.owned(lab.cluster, {CONFIG_MAP: applied.version}, [lab.namespace], lab.app)
    (fact,) = found[CONFIG_MAP]
    assert (fact.own_digest, fact.tree_digest) == (applied.own_digest, applied.tree_digest)
    assert fact == await lab.fleet.fact_of(lab.cluster, await lab.live(lab.config()))
    assert (fact.uid, fact.version, fact.deleting) == (applied.uid, applied.version, False)
    assert (fact.owner, fact.fence) == (lab.config()["metadata"]["annotations"][marks.OWNER], "1.1")
    assert fact.entry_version == "v1"


async def test_equal_content_has_equal_digests_and_other_content_others(lab: Lab) -> None:
    first = await lab.apply(lab.config(a="1"))
    other = await lab.apply(lab.config(a="2"))
    again = await lab.apply(lab.config(a="1"))
    assert first.own_digest == again.own_digest != other.own_digest
    assert first.tree_digest == other.tree_digest
    more = await lab.apply(lab.config(a="1", b="2"))
    assert more.tree_digest != first.tree_digest


async def test_a_dry_run_writes_nothing_and_shows_what_would_be(lab: Lab) -> None:
    would = await lab.apply(lab.config(a="1"), dry_run=True)
    assert would.body["data"] == {"a": "1"}
    assert await lab.fleet.read(lab.cluster, [ref_of(lab.config())]) == {}
    await lab.apply(lab.config(a="1"))
    would = await lab.apply(lab.config(a="2"), dry_run=True)
    assert would.body["data"] == {"a": "2"}
    assert (await lab.live(lab.config())).body["data"] == {"a": "1"}


async def test_a_field_of_another_manager_is_a_conflict_that_names_it(lab: Lab) -> None:
    await lab.foreign(lab.config(), "kubectl", data={"a": "theirs"})
    with pytest.raises(errors.FieldConflict) as caught:
        await lab.apply(lab.config(a="ours"))
    assert caught.value.owners == (("kubectl", "Apply", "", ".data.a"),)
    assert (await lab.live(lab.config())).body["data"] == {"a": "theirs"}
    await lab.apply(lab.config(a="ours"), force=True)
    assert (await lab.live(lab.config())).body["data"] == {"a": "ours"}


async def test_fields_left_out_stay_with_their_owner(lab: Lab) -> None:
    await lab.foreign(lab.config(), "kubectl", data={"a": "theirs"})
    applied = await lab.apply(lab.config(a="ours", b="2"), leave_out=(".data.a",), force=True)
    assert applied.body["data"] == {"a": "theirs", "b": "2"}


async def test_an_equal_value_is_owned_together(lab: Lab) -> None:
    await lab.foreign(lab.config(), "kubectl", data={"a": "1"})
    await lab.apply(lab.config(a="1"))
    fact = await lab.fleet.fact_of(lab.cluster, await lab.live(lab.config()))
    assert fact.managers == ("kubectl",)
    await lab.apply(lab.config(b="2"))
    assert (await lab.live(lab.config())).body["data"] == {"a": "1", "b": "2"}


async def test_a_field_we_alone_own_disappears_when_we_drop_it(lab: Lab) -> None:
    await lab.apply(lab.config(a="1", b="2"))
    await lab.foreign(lab.config(), data={"c": "theirs"})
    applied = await lab.apply(lab.config(a="1"))
    assert applied.body["data"] == {"a": "1", "c": "theirs"}


async def test_a_write_conditional_on_an_old_version_is_stale(lab: Lab) -> None:
    first = await lab.apply(lab.config(a="1"))
    await lab.foreign(lab.config(), data={"x": "1"})
    with pytest.raises(errors.Stale):
        await lab.apply(lab.config(a="2"), expect_version=first.version)
    now = (await lab.live(lab.config())).version
    assert (await lab.apply(lab.config(a="2"), expect_version=now)).result == "configured"


async def test_replace_removes_what_we_do_not_render(lab: Lab) -> None:
    await lab.apply(lab.config(a="1"))
    await lab.foreign(lab.config(), data={"theirs": "1"}, metadata={"finalizers": ["example.org/hold"]})
    replaced = await lab.apply(lab.config(a="2"), mode="replace")
    assert replaced.body["data"] == {"a": "2"}
    assert replaced.body["metadata"]["finalizers"] == ["example.org/hold"]
    assert await lab.own_digest(lab.config()) == replaced.own_digest != ""
    await lab.foreign(lab.config(), metadata={"finalizers": []})
    later = await lab.apply(lab.config(b="3"))
    assert later.body["data"] == {"b": "3"}


async def test_absorbed_managers_lose_the_fields_we_set_and_keep_theirs(lab: Lab) -> None:
    await lab.foreign(lab.config(), "kubectl", data={"shared": "1", "theirs": "1"})
    applied = await lab.apply(lab.config(shared="1", ours="1"), force=True, absorb=("kubectl*",))
    assert applied.body["data"] == {"shared": "1", "theirs": "1", "ours": "1"}
    assert applied.version == (await lab.live(lab.config())).version
    again = await lab.apply(lab.config(shared="1", ours="1"), absorb=("kubectl*",), known_version=applied.version)
    assert again.result == "unchanged"
    later = await lab.apply(lab.config(ours="1"))
    assert later.body["data"] == {"theirs": "1", "ours": "1"}


async def test_managers_not_on_the_list_are_not_absorbed(lab: Lab) -> None:
    await lab.foreign(lab.config(), "flux", data={"shared": "1"})
    await lab.apply(lab.config(shared="1"), force=True, absorb=("kubectl*", "helm"))
    later = await lab.apply(lab.config(ours="1"))
    assert later.body["data"] == {"shared": "1", "ours": "1"}


async def test_a_missing_namespace_is_told_from_a_missing_object(lab: Lab) -> None:
    body = lab.config()
    body["metadata"]["namespace"] = "nowhere-at-all"
    with pytest.raises(errors.Missing) as caught:
        await lab.apply(body)
    assert caught.value.code == "cluster.missing-namespace"
    assert "nowhere-at-all" in caught.value.message


async def test_a_kind_that_is_not_served_says_so(lab: Lab) -> None:
    body = lab.object("example.org/v1", "Widget", "one", spec={})
    with pytest.raises(errors.NotServed, match="Widget"):
        await lab.apply(body)


async def test_a_list_of_kinds_maps_the_unreadable_ones_to_their_error(lab: Lab) -> None:
    await lab.apply(lab.config())
    widget = Kind("example.org", "v1", "Widget")
    found = await lab.fleet.owned(lab.cluster, {CONFIG_MAP: 0, widget: 0, DEPLOYMENT: 0}, [lab.namespace], lab.app)
    assert isinstance(found[widget], errors.NotServed)
    assert [fact.ref.name for fact in found[CONFIG_MAP]] == ["web"]
    assert list(found[DEPLOYMENT]) == []


async def test_owned_finds_by_installation_and_application(lab: Lab) -> None:
    await lab.apply(lab.config("ours"))
    elsewhere = lab.config("elsewhere")
    elsewhere["metadata"]["labels"][marks.INSTANCE] = "ffffffff"
    await lab.apply(elsewhere)
    sibling = lab.config("sibling")
    sibling["metadata"]["labels"][marks.NAME] = "other"
    await lab.apply(sibling)
    await lab.foreign(lab.config("foreign"), data={"a": "1"})

    async def names(app: AppKey | None) -> set[str]:
        found = await lab.fleet.owned(lab.cluster, {CONFIG_MAP: 0}, [lab.namespace], app)
        return {fact.ref.name for fact in found[CONFIG_MAP] if fact.ref.namespace == lab.namespace}

    assert await names(lab.app) == {"ours"}
    assert await names(None) == {"ours", "sibling"}


async def test_reading_leaves_out_what_does_not_exist(lab: Lab) -> None:
    await lab.apply(lab.config())
    ref, absent = ref_of(lab.config()), ref_of(lab.config("absent"))
    found = await lab.fleet.read(lab.cluster, [ref, absent])
    assert list(found) == [ref]
    assert found[ref].body["kind"] == "ConfigMap"
    assert found[ref].body["data"] == {"a": "1", "b": "2"}


async def test_lists_select_by_label_and_name(lab: Lab) -> None:
    for name in ("one", "two"):
        body = lab.config(name)
        body["metadata"]["labels"]["number"] = name
        await lab.apply(body)

    async def names(**selector: str) -> list[str]:
        found = await lab.fleet.list(lab.cluster, CONFIG_MAP, lab.namespace, Selector(**selector))
        return sorted([live.ref.name for live in found if live.ref.name != "kube-root-ca.crt"])

    assert await names() == ["one", "two"]
    assert await names(labels="number=two") == ["two"]
    assert await names(labels="number in (one,two),number!=one") == ["two"]
    assert await names(labels="!number") == []
    assert await names(fields="metadata.name=one") == ["one"]


async def test_a_delete_answers_what_became_of_it(lab: Lab) -> None:
    applied = await lab.apply(lab.config())
    ref = ref_of(lab.config())
    assert await lab.fleet.delete(lab.cluster, ref, DeleteOptions(uid=applied.uid, dry_run=True)) == "deleted"
    assert await lab.fleet.delete(lab.cluster, ref, DeleteOptions(uid=applied.uid)) == "deleted"
    assert await lab.fleet.delete(lab.cluster, ref, DeleteOptions(uid=applied.uid)) == "absent"


async def test_another_object_of_the_same_name_is_never_deleted(lab: Lab) -> None:
    applied = await lab.apply(lab.config())
    ref = ref_of(lab.config())
    await lab.fleet.delete(lab.cluster, ref, DeleteOptions(uid=applied.uid))
    again = await lab.apply(lab.config())
    assert again.uid != applied.uid
    with pytest.raises(errors.Stale):
        await lab.fleet.delete(lab.cluster, ref, DeleteOptions(uid=applied.uid))
    await lab.foreign(lab.config(), data={"x": "1"})
    with pytest.raises(errors.Stale):
        await lab.fleet.delete(lab.cluster, ref, DeleteOptions(uid=again.uid, version=again.version))
    assert ref in await lab.fleet.read(lab.cluster, [ref])


async def test_an_object_with_finalizers_is_deleting_until_they_are_gone(lab: Lab) -> None:
    body = lab.config()
    body["metadata"]["finalizers"] = ["example.org/hold"]
    applied = await lab.apply(body)
    assert await lab.fleet.delete(lab.cluster, ref_of(body), DeleteOptions(uid=applied.uid)) == "deleting"
    assert (await lab.fleet.fact_of(lab.cluster, await lab.live(body))).deleting
    await lab.apply(lab.config())
    assert await lab.fleet.delete(lab.cluster, ref_of(body), DeleteOptions()) == "absent"


async def test_a_record_says_who_else_writes_and_who_scales(lab: Lab) -> None:
    await lab.apply(lab.deployment(replicas=2))
    fact = await lab.fleet.fact_of(lab.cluster, await lab.live(lab.deployment()))
    assert fact.owns_replicas
    assert fact.generation >= 1
    await lab.apply(lab.deployment(replicas=None))
    assert not (await lab.fleet.fact_of(lab.cluster, await lab.live(lab.deployment()))).owns_replicas
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    autoscaler = lab.object(
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        "web",
        spec={"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 2},
    )
    await lab.apply(autoscaler)
    fact = await lab.fleet.fact_of(lab.cluster, await lab.live(autoscaler))
    assert fact.scales == ("Deployment", "web")


async def test_empty_maps_we_wrote_are_found_at_apply(lab: Lab) -> None:
    body = lab.deployment(volumes=[{"name": "tmp", "emptyDir": {}}], securityContext={})
    applied = await lab.apply(body)
    assert [path[-1] for path in applied.bare].count("f:emptyDir") == 1
    assert [path[-1] for path in applied.bare].count("f:securityContext") == 1


async def test_a_watch_shows_what_is_there_then_resync_then_changes(lab: Lab) -> None:
    await lab.apply(lab.config("one"))
    async with lab.watching(CONFIG_MAP) as watching:
        await watching.until(lambda one: one.kind == "resync")
        assert [(one.kind, one.fact.ref.name) for one in watching.seen[:-1]] == [("seen", "one")]
        created = await lab.apply(lab.config("two"))
        seen = await watching.until(lambda one: one.kind == "seen" and one.fact.ref.name == "two")
        assert (seen.fact.version, seen.fact.own_digest) == (created.version, created.own_digest)
        changed_ = await lab.apply(lab.config("one", a="other"))
        seen = await watching.until(lambda one: one.kind == "seen" and one.fact.version >= changed_.version)
        assert seen.fact.own_digest == changed_.own_digest
        await lab.fleet.delete(lab.cluster, ref_of(lab.config("two")), DeleteOptions())
        gone = await watching.until(lambda one: one.kind == "gone")
        assert gone.fact.ref.name == "two"


async def test_a_watch_of_two_kinds_resyncs_each(lab: Lab) -> None:
    async with lab.watching(CONFIG_MAP, DEPLOYMENT) as watching:
        first = await watching.until(lambda one: one.kind == "resync")
        second = await watching.until(lambda one: one.kind == "resync")
        assert {first.of, second.of} == {CONFIG_MAP, DEPLOYMENT}


async def test_a_watch_of_a_kind_that_is_not_served_raises(lab: Lab) -> None:
    async with lab.watching(Kind("example.org", "v1", "Widget")) as watching:
        with pytest.raises(errors.NotServed):
            await watching.until(lambda one: False)


async def test_facts_say_what_is_served(lab: Lab) -> None:
    facts = await lab.fleet.facts(lab.cluster)
    assert facts.name == lab.cluster
    assert facts.version.startswith("v1.")
    deployments = facts.find("apps", "Deployment")
    assert (deployments.plural, deployments.namespaced) == ("deployments", True)
    assert not facts.find("", "Namespace").namespaced
    assert facts.find("example.org", "Widget") is None
    assert (await lab.fleet.facts(lab.cluster, refresh=True)).served.keys() == facts.served.keys()


async def test_an_unknown_cluster_cannot_be_reached(lab: Lab) -> None:
    with pytest.raises(errors.Unreachable, match="nowhere"):
        await lab.fleet.facts("nowhere")


async def test_secrets_are_written_out_in_the_request(lab: Lab) -> None:
    body = lab.object("v1", "Secret", "login", type="Opaque")
    body["data"] = {"password": Secret("s3cret-value", encoded=True)}
    applied = await lab.apply(body)
    assert applied.body["data"] == {"password": "czNjcmV0LXZhbHVl"}
    assert "czNjcmV0" not in str(body)


async def test_applies_in_parallel_all_arrive(lab: Lab) -> None:
    applied = await asyncio.gather(*[lab.apply(lab.config(f"c{i}", n=str(i))) for i in range(40)])
    assert {one.result for one in applied} == {"created"}
    found = await lab.fleet.owned(lab.cluster, {CONFIG_MAP: max(one.version for one in applied)}, [lab.namespace], lab.app)
    assert len(found[CONFIG_MAP]) == 40


async def test_the_version_spoken_is_no_part_of_identity(lab: Lab) -> None:
    await lab.apply(lab.deployment())
    ref: Ref = ref_of(lab.deployment())
    assert await lab.fleet.delete(lab.cluster, changed(ref, version="v1beta1"), DeleteOptions()) in ("deleted", "deleting")
