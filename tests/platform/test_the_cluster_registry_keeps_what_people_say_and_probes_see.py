"""The cluster registry over a real store and sandboxes in process: one row a cluster, whatever leads to it."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest
import sandbox_fixtures
import yaml
from store import making

from appdelivery import errors
from appdelivery.model import selection
from appdelivery.platform import local, reaching, registry
from appdelivery.sandbox import certs
from appdelivery.store import clusters
from appdelivery.store import events as feed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


class Place:
    """A store and sandboxes."""

    def __init__(self, folder: Path, served: sandbox_fixtures.Served) -> None:
        self.folder, self.served = folder, served
        self.options = local.Options(store=f"{folder}/data/store.db", kubeconfig=served.kubeconfig)
        self.p = local.open_store(self.options, mode="write")

    async def add(self, name: str = "eu-1", context: str = "east", **more: Any) -> registry.Added:
        return await registry.add(self.p, name, registry.Login(context=context), more)

    async def probe(self, name: str) -> registry.Probed:
        return await registry.probe(self.p, name, sleep=no_sleep)

    def row(self, name: str = "eu-1") -> clusters.Cluster:
        return clusters.get(self.p.store, name)

    def told(self) -> list[str]:
        return [str(event.data["message"]) for event in feed.page(self.p.store).items if event.kind == "cluster.changed"]


async def no_sleep(_: float) -> None:
    pass


@contextlib.asynccontextmanager
async def place(folder: Path, *names: str) -> AsyncIterator[Place]:
    async with sandbox_fixtures.served(str(folder), *(names or ("east",))) as served:
        made = Place(folder, served)
        try:
            yield made
        finally:
            await made.p.close()


async def test_a_cluster_is_registered_with_everything_that_was_said_of_it(tmp_path: Path) -> None:
    async with place(tmp_path) as at:
        made = await at.add(labels={"env": "prod"}, region="eu-west-1")
        assert (made.reach, made.renewed, made.context, made.warnings) == ("ready", False, "", ())
        row = at.row()
        assert (row.auth, row.registered, row.insecure, row.state, row.region) == (
            "token",
            True,
            False,
            "ready",
            "eu-west-1",
        )
        assert row.labels == {"env": "prod"}
        assert row.uid
        assert row.probe is not None
        assert row.probe["kinds"] > 20
        name, found = reaching.credentials(at.p, "eu-1")
        assert (name, found.token) == ("eu-1", sandbox_fixtures.TOKENS["token"])


async def test_new_credentials_keep_labels_and_a_cordon(tmp_path: Path) -> None:
    async with place(tmp_path) as at:
        await at.add(labels={"env": "prod"}, region="eu-west-1")
        registry.cordon(at.p, "eu-1", "disks")
        assert (await at.add(context="east-token")).renewed
        row = at.row()
        assert (row.admin, row.admin_reason, row.labels, row.region) == ("cordoned", "disks", {"env": "prod"}, "eu-west-1")


async def test_a_context_of_the_same_cluster_finds_the_row_and_its_history(tmp_path: Path) -> None:
    """Delivered to as a context first, registered later: the inventory row goes on."""
    async with place(tmp_path) as at:
        assert (await at.probe("east")).name == "east"
        making.delivered(at.p.journal)
        made = await at.add()
        assert made.context == "east"
        assert [one.name for one in clusters.list(at.p.store)] == ["eu-1"]
        assert [(str(one.app), one.objects) for one in registry.one(at.p, "eu-1")[1]] == [("shop/web", 1)]
        # Another context of the same cluster is the same row again.
        assert (await at.probe("east-token")).name == "eu-1"
        assert [one.name for one in clusters.list(at.p.store)] == ["eu-1"]


async def test_one_cluster_is_not_registered_twice_and_one_name_is_not_two_clusters(tmp_path: Path) -> None:
    async with place(tmp_path, "east", "west") as at:
        await at.add()
        with pytest.raises(errors.Conflict, match="known as eu-1") as caught:
            await at.add("other")
        assert "appctl cluster rename eu-1" in caught.value.hint
        with pytest.raises(errors.Conflict, match="another cluster than before"):
            await at.add("eu-1", "west")
        assert at.row().server == at.served.planes.document["clusters"][0]["cluster"]["server"]


async def test_what_people_do_is_kept_with_who_when_and_why(tmp_path: Path) -> None:
    async with place(tmp_path) as at:
        await at.add(labels={"env": "prod"})
        assert registry.label(at.p, "eu-1", ["env=test", "tier=gold"], overwrite=True)
        assert not registry.label(at.p, "eu-1", ["env=test"], overwrite=False)
        assert registry.taint(at.p, "eu-1", ["team=ml:NoPlace"], overwrite=False)
        assert registry.cordon(at.p, "eu-1", "disk swap")
        assert not registry.cordon(at.p, "eu-1", "disk swap")
        row = at.row()
        assert (row.state, row.admin, row.reach, row.admin_reason) == ("cordoned", "cordoned", "ready", "disk swap")
        assert row.admin_by == str(at.p.actor)
        assert row.admin_at is not None
        assert row.labels == {"env": "test", "tier": "gold"}
        assert list(row.taints) == [{"key": "team", "value": "ml", "effect": "NoPlace"}]
        assert registry.cordon(at.p, "eu-1", "", cordon=False)
        assert (at.row().state, at.row().admin_reason) == ("ready", "")
        assert at.told() == [
            "registered", "labels env=test tier=gold", "taints team=ml:NoPlace", "cordoned: disk swap", "uncordoned",
        ]  # fmt: skip


async def test_a_renamed_cluster_keeps_its_credentials_and_what_is_deployed_there(tmp_path: Path) -> None:
    async with place(tmp_path, "east", "west") as at:
        await at.probe("east")
        making.delivered(at.p.journal)
        await at.add()
        await at.add("us-1", "west")
        registry.rename(at.p, "eu-1", "eu-main")
        assert reaching.credentials(at.p, "eu-main")[1].token == sandbox_fixtures.TOKENS["token"]
        assert [str(one.app) for one in registry.one(at.p, "eu-main")[1]] == ["shop/web"]
        assert (await at.probe("eu-main")).probe.reach == "ready"
        with pytest.raises(errors.NotFound):
            at.row("eu-1")
        with pytest.raises(errors.Conflict, match="there is a cluster us-1 already"):
            registry.rename(at.p, "eu-main", "us-1")
        with pytest.raises(errors.RequestError, match="is not a name") as caught:
            registry.rename(at.p, "eu-main", "EU_Main")
        assert caught.value.hint == "for example eu-main"


async def test_a_context_that_is_not_registered_is_not_renamed(tmp_path: Path) -> None:
    async with place(tmp_path) as at:
        await at.probe("east")
        with pytest.raises(errors.Refused, match="a context of the kubeconfig") as caught:
            registry.rename(at.p, "east", "eu-1")
        assert "appctl cluster add eu-1 --from-context east" in caught.value.hint


async def test_a_cluster_that_is_cut_off_becomes_unreachable_and_heals_without_losing_its_cordon(tmp_path: Path) -> None:
    async with place(tmp_path) as at:
        await at.add()
        registry.cordon(at.p, "eu-1", "disks")
        at.served.fault(do="partition", id="cut")
        seen = await at.probe("eu-1")
        assert seen.reach is not None
        assert (seen.probe.reach, seen.reach.state, seen.reach.failures) == ("unreachable", "unreachable", 3)
        row = at.row()
        assert (row.state, row.admin, row.failures) == ("unreachable", "cordoned", 3)
        assert "probe cluster eu-1" in row.reach_reason
        assert row.server_version  # of the last time that it answered
        assert row.probe is not None
        assert row.probe["kinds"]
        assert at.served.only.faults.remove("cut")
        seen = await at.probe("eu-1")
        assert (seen.probe.reach, at.row().state, at.row().failures) == ("ready", "cordoned", 0)
        assert at.told()[-2].startswith("ready to unreachable: probe cluster eu-1")
        assert at.told()[-1] == "unreachable to ready"


async def test_credentials_that_stopped_working_make_a_cluster_unauthorized_at_once(tmp_path: Path) -> None:
    async with place(tmp_path) as at:
        await at.add()
        at.served.only.access.tokens.clear()
        seen = await at.probe("eu-1")
        assert (seen.probe.reach, at.row().state) == ("unauthorized", "unauthorized")
        assert "unauthorized" in registry.warning(at.row()).lower()


async def test_a_login_without_rights_is_registered_with_a_warning_and_not_ready(tmp_path: Path) -> None:
    async with place(tmp_path) as at:
        made = await at.add(context="east-none")
        assert made.reach == "unauthorized"
        assert any("it cannot be used yet" in text for text in made.warnings)
        assert any("missing rights to deliver: " in text for text in made.warnings)
        assert at.row().uid == ""
        # With rights its identity becomes known, and stays the same row.
        await at.add(context="east")
        assert (at.row().state, bool(at.row().uid)) == ("ready", True)


async def test_a_cluster_that_does_not_answer_or_does_not_know_us_is_not_registered(tmp_path: Path) -> None:
    async with place(tmp_path) as at:
        at.served.only.access.tokens.clear()
        with pytest.raises(errors.Unauthorized, match="register cluster eu-1: "):
            await at.add()
        at.served.fault(do="partition")
        with pytest.raises(errors.Unreachable, match="register cluster eu-1: "):
            await at.add()
        assert list(clusters.list(at.p.store)) == []


async def test_a_wrong_authority_is_refused_before_any_credential_is_sent(tmp_path: Path) -> None:
    async with place(tmp_path) as at:
        for name, text in (("ca", certs.make().authority), ("token", sandbox_fixtures.TOKENS["token"].encode())):
            (tmp_path / name).write_bytes(text)
        server = at.served.planes.document["clusters"][0]["cluster"]["server"]
        login = registry.Login(server=server, ca=f"{tmp_path}/ca", token=f"{tmp_path}/token")
        with pytest.raises(errors.Unreachable, match="cannot be trusted") as caught:
            await registry.add(at.p, "eu-1", login, {})
        assert caught.value.code == "cluster.untrusted"
        assert list(at.served.only.log) == []
        login = registry.Login(server=server, token=f"{tmp_path}/token", insecure=True)
        made = await registry.add(at.p, "eu-1", login, {})
        assert made.warnings == ("the server's certificate is not verified",)
        assert at.row().insecure
        assert registry.warning(at.row()) == "the server's certificate is not verified"


async def test_forgetting_removes_credentials_keeps_history_and_frees_no_name_for_a_second_history(tmp_path: Path) -> None:
    async with place(tmp_path, "east", "west") as at:
        await at.probe("east")
        making.delivered(at.p.journal, bodies=[making.config_map("a"), making.config_map("b")])
        await at.add()
        left = registry.forget(at.p, "eu-1")
        assert [(str(one.app), one.objects) for one in left] == [("shop/web", 2)]
        assert clusters.credentials(at.p.store, "eu-1") is None
        assert list(clusters.list(at.p.store)) == []
        assert at.told()[-1] == "forgotten"
        with pytest.raises(errors.NotFound):
            registry.forget(at.p, "eu-1")
        await at.add("us-1", "west")
        with pytest.raises(errors.Conflict, match="history still speaks of it"):
            registry.rename(at.p, "us-1", "eu-1")
        assert not (await at.add()).renewed  # the same cluster may come back under its name
        assert at.row().state == "ready"


async def test_a_selection_chooses_among_the_registered(tmp_path: Path) -> None:
    async with place(tmp_path, "east", "west") as at:
        await at.add(labels={"env": "prod"})
        await at.add("us-1", "west", labels={"env": "test"})
        assert [one.name for one in registry.known(at.p, selection.parse(["us-1,eu-*"]))] == ["eu-1", "us-1"]
        assert [one.name for one in registry.known(at.p, selection.parse([], "env=test"))] == ["us-1"]
        with pytest.raises(errors.NotFound, match="did you mean 'us-1'"):
            registry.known(at.p, selection.parse(["us1"]))


# --- documents ---


def document(at: Place, name: str, auth: dict[str, Any] | None, *, cluster: int = 0, **spec: Any) -> dict[str, Any]:
    place = at.served.planes.document["clusters"][cluster]["cluster"]
    where = {"server": place["server"], "caData": place["certificate-authority-data"], "auth": auth} if auth else {}
    return {
        "apiVersion": "appdelivery.dev/v1",
        "kind": "Cluster",
        "metadata": {"name": name, "labels": {"env": "prod"}},
        "spec": where | spec,
    }


async def declare(at: Place, *trees: dict[str, Any], **login: Any) -> dict[str, Any]:
    (at.folder / "token").write_text(sandbox_fixtures.TOKENS["token"])
    text = yaml.safe_dump_all(trees).encode()
    return dict(await registry.declare(at.p, {f"{at.folder}/clusters.yaml": text}, registry.Login(**login)))


async def test_documents_register_and_describe_clusters(tmp_path: Path) -> None:
    async with place(tmp_path, "east", "west") as at:
        first = document(at, "eu-1", {"tokenFile": "token"}, region="eu-west-1", prices={"vcpu": 0.04, "currency": "USD"})
        second = document(at, "us-1", {"tokenFile": "token"}, cluster=1, taints=[{"key": "a", "effect": "Evict"}])
        made = await declare(at, first, second)
        assert {name: one.reach for name, one in made.items()} == {"eu-1": "ready", "us-1": "ready"}
        row = at.row()
        assert (row.labels, row.region, row.prices) == ({"env": "prod"}, "eu-west-1", {"vcpu": 0.04, "currency": "USD"})
        # Without `auth` the credentials stay, and what the document leaves out is gone.
        await declare(at, document(at, "eu-1", None, provider="aws"))
        row = at.row()
        assert (row.region, row.provider, row.prices, row.registered) == ("", "aws", {}, True)


async def test_one_document_that_fails_does_not_hold_the_others_back(tmp_path: Path) -> None:
    async with place(tmp_path, "east", "west") as at:
        at.served.fault("west", do="partition")
        trees = [document(at, name, {"tokenFile": "token"}, cluster=n) for n, name in enumerate(("eu-1", "us-1"))]
        made = await declare(at, *trees, document(at, "ap-1", None))
        assert made["eu-1"].reach == "ready"
        assert isinstance(made["us-1"], errors.Unreachable)
        assert isinstance(made["ap-1"], errors.NotFound)
        assert "does not say how to log in" in made["ap-1"].message
        assert [one.name for one in clusters.list(at.p.store)] == ["eu-1"]


async def test_a_plugin_in_a_document_needs_to_be_allowed_and_then_runs(tmp_path: Path) -> None:
    async with place(tmp_path) as at:
        credential = {"token": sandbox_fixtures.TOKENS["token"]}
        answer = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": credential}
        program = tmp_path / "login"
        program.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\ncat <<'END'\n{json.dumps(answer)}\nEND\n")
        program.chmod(0o700)
        tree = document(at, "eu-1", {"exec": {"command": str(program)}})
        refused = (await declare(at, tree))["eu-1"]
        assert isinstance(refused, errors.Refused)
        assert f"--allow-exec {program}" in refused.hint
        assert not (tmp_path / "ran").exists()
        made = (await declare(at, tree, commands=(str(program),)))["eu-1"]
        assert (made.reach, at.row().auth) == ("ready", "exec")
        assert (await at.probe("eu-1")).probe.reach == "ready"


async def test_problems_of_documents_have_places(tmp_path: Path) -> None:
    async with place(tmp_path) as at:
        with pytest.raises(errors.SpecError) as caught:
            await declare(at, document(at, "eu-1", {"tokenFile": "token"}), document(at, "EU", None, zone=3))
        assert [(problem.line > 0, problem.path) for problem in caught.value.problems] == [
            (True, ("metadata", "name")),
            (True, ("spec", "zone")),
        ]


# --- secrets ---


async def test_nothing_secret_is_printed_or_kept_in_clear(tmp_path: Path) -> None:
    canary = sandbox_fixtures.TOKENS["token"]
    async with place(tmp_path) as at:
        made = await at.add()
        seen = await at.probe("eu-1")
        shown = [made, seen.probe, seen.reach, *registry.one(at.p, "eu-1"), feed.page(at.p.store), registry.Login()]
        assert canary not in repr(shown)
        files = [path for path in (tmp_path / "data").iterdir() if path.is_file()]
        assert any(b"eu-1" in path.read_bytes() for path in files)
        assert not [path for path in files if canary.encode() in path.read_bytes()]
