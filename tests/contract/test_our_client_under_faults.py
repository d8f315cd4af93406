"""What our client does under every fault that the sandbox knows, counted in the server's own log of requests.

Among them what kr8s does wrong (testing.md section 5): a 403 that disturbs others, a 410 that loses deletions, watches
that end silently, waits without an end.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import fleet_lab
import pytest
import sandbox_fixtures
import support
import yaml
from fleet_lab import CONFIG_MAP, DEPLOYMENT, INSTANCE, Lab

from appdelivery import errors
from appdelivery.clusters import fleet, transport
from appdelivery.delivery.ports import DeleteOptions
from appdelivery.model.refs import Kind, Selector, ref_of
from appdelivery.sandbox import writes
from appdelivery.sandbox.faults import faults
from appdelivery.sandbox.writes import options

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from sandbox_fixtures import Served

SECRET = Kind("", "v1", "Secret")


@dataclass
class Place:
    """Sandboxes, and a laboratory on each: our client in a namespace of its own."""

    served: Served
    labs: dict[str, Lab] = field(default_factory=dict)

    @property
    def lab(self) -> Lab:
        return self.labs["east"]

    def fault(self, **rule: Any) -> None:
        self.served.fault(**rule)

    def mend(self) -> None:
        for member in self.served.members.values():
            for rule in member.faults.listed():
                member.faults.remove(rule["id"])

    def asked(self, cluster: str = "east") -> Counter[tuple[str, str]]:
        """(verb, plural) since the last `forget`."""
        return Counter((verb, plural) for verb, plural, _ in self.served.requests(cluster))

    async def until_asked(self, verb: str, plural: str, cluster: str = "east") -> None:
        async with asyncio.timeout(5 * support.SCALE):
            while not self.asked(cluster)[verb, plural]:  # noqa: ASYNC110 - the server has no event for it
                await asyncio.sleep(0.005)

    def forget(self) -> None:
        for member in self.served.members.values():
            member.log.clear()


@contextlib.asynccontextmanager
async def _place(folder: Path, *names: str, **options: Any) -> AsyncIterator[Place]:
    async with sandbox_fixtures.served(str(folder), *names) as served, contextlib.AsyncExitStack() as stack:
        place = Place(served)
        for name in names:
            place.labs[name] = await stack.enter_async_context(fleet_lab.on_cluster(served.kubeconfig, name, **options))
            await place.labs[name].fleet.facts(name)
        place.forget()
        yield place
        place.mend()


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with _place(tmp_path, "east") as made:
        yield made


# --- refusals ---


async def test_a_403_is_one_request(place: Place) -> None:
    place.fault(do="status", value=403, verbs=("patch",))
    with pytest.raises(errors.Forbidden):
        await place.lab.apply(place.lab.config())
    assert place.asked() == {("patch", "configmaps"): 1}


@pytest.mark.slow
async def test_a_403_disturbs_neither_requests_nor_watches_beside_it(place: Place) -> None:
    lab = place.lab
    await asyncio.gather(*[lab.apply(lab.config(f"c{number}")) for number in range(80)])
    async with lab.watching(CONFIG_MAP) as watching:
        await watching.until(lambda one: one.kind == "resync")
        await place.until_asked("watch", "configmaps")
        place.fault(do="status", value=403, kinds=("secrets",))
        place.fault(do="delay", value=0.05, kinds=("configmaps",), verbs=("patch",))
        place.forget()
        bodies = [lab.config(f"c{number}", a="2") for number in range(80)]
        applies = [asyncio.create_task(lab.apply(body)) for body in bodies]
        with pytest.raises(errors.Forbidden):
            await lab.apply(lab.object("v1", "Secret", "refused"))
        assert {one.result for one in await asyncio.gather(*applies)} == {"configured"}
        last = max(task.result().version for task in applies)
        await watching.until(lambda one: one.kind == "seen" and one.fact.version == last)
    assert place.asked() == {("patch", "configmaps"): 80, ("patch", "secrets"): 1}


async def test_a_403_on_reading_is_not_absence(place: Place) -> None:
    await place.lab.apply(place.lab.config())
    place.fault(do="status", value=403, verbs=("get", "list"))
    with pytest.raises(errors.Forbidden):
        await place.lab.fleet.read("east", [ref_of(place.lab.config())])
    found = await place.lab.fleet.owned("east", {CONFIG_MAP: 0}, [], place.lab.app)
    assert isinstance(found[CONFIG_MAP], errors.Forbidden)


@pytest.mark.parametrize(
    ("code", "family", "retryable"),
    [
        (400, errors.Rejected, False),
        (500, errors.ClusterError, True),
        (503, errors.Unreachable, True),
        (504, errors.TimedOut, True),
    ],
)
async def test_the_servers_words_are_kept_and_nothing_is_tried_again(
    place: Place, code: int, family: type[errors.ClusterError], *, retryable: bool
) -> None:
    place.fault(do="status", value=code, verbs=("patch",), count=1)
    with pytest.raises(family) as caught:
        await place.lab.apply(place.lab.config())
    assert caught.value.retryable == retryable
    assert faults.REASONS[code][1] in caught.value.message
    assert [status for verb, _, status in place.served.requests() if verb == "patch"] == [code]


@pytest.mark.slow
async def test_throttling_is_waited_out_as_long_as_the_server_says(place: Place) -> None:
    place.fault(do="throttle", value=1, verbs=("patch",), count=1)
    begun = time.monotonic()
    applied = await place.lab.apply(place.lab.config())
    assert time.monotonic() - begun >= 1
    assert applied.result == "created"
    assert [status for verb, _, status in place.served.requests() if verb == "patch"] == [429, 201]


async def test_an_expired_login_is_said_once_and_other_clusters_go_on(tmp_path: Path) -> None:
    async with _place(tmp_path, "east", "west") as place:
        place.fault(do="login", cluster="west")
        with pytest.raises(errors.Unauthorized):
            await place.labs["west"].apply(place.labs["west"].config())
        assert place.asked("west").total() == 1
        await place.labs["east"].apply(place.labs["east"].config())
        place.mend()
        await place.labs["west"].apply(place.labs["west"].config())


# --- connections ---


async def test_a_reset_before_the_write_is_written_once(place: Place) -> None:
    place.fault(do="reset", verbs=("patch",), count=1)
    applied = await place.lab.apply(place.lab.config())
    assert applied.result == "created"
    assert place.asked()["patch", "configmaps"] == 2


async def test_a_write_that_took_effect_before_the_reset_counts_as_done(place: Place) -> None:
    place.fault(do="reset-after", verbs=("patch",), count=1)
    applied = await place.lab.apply(place.lab.config())
    assert applied.body["data"] == {"a": "1", "b": "2"}
    assert applied.version == (await place.lab.live(place.lab.config())).version
    versions = [event.revision for event in place.served.only.cluster.storage.family(("", "configmaps")).history]
    assert versions.count(applied.version) == 1
    assert place.asked()["patch", "configmaps"] == 2


async def test_a_delete_that_took_effect_before_the_reset_counts_as_done(place: Place) -> None:
    applied = await place.lab.apply(place.lab.config())
    place.fault(do="reset-after", verbs=("delete",), count=1)
    gone = await place.lab.fleet.delete("east", ref_of(place.lab.config()), DeleteOptions(uid=applied.uid))
    assert gone in ("deleted", "absent")
    assert await place.lab.fleet.read("east", [ref_of(place.lab.config())]) == {}


async def test_half_an_answer_is_no_answer(place: Place) -> None:
    place.fault(do="truncate", verbs=("patch",), count=1)
    with pytest.raises(errors.Unreachable) as caught:
        await place.lab.apply(place.lab.config())
    assert caught.value.retryable
    applied = await place.lab.apply(place.lab.config())
    assert applied.version == (await place.lab.live(place.lab.config())).version


async def test_a_slow_server_is_timed_out(tmp_path: Path) -> None:
    async with _place(tmp_path, "east", limits=transport.Limits(read_s=0.2, total_s=0.3)) as place:
        place.fault(do="delay", value=5, verbs=("patch",))
        begun = time.monotonic()
        with pytest.raises(errors.TimedOut):
            await place.lab.apply(place.lab.config())
        assert time.monotonic() - begun < 3


async def test_a_partition_of_one_cluster_leaves_the_others_alone(tmp_path: Path) -> None:
    async with _place(tmp_path, "east", "west", "north") as place:
        west = place.labs["west"]
        async with west.watching(CONFIG_MAP) as watching:
            await watching.until(lambda one: one.kind == "resync")
            place.fault(do="partition", cluster="west")
            with pytest.raises(errors.Unreachable):
                await west.apply(west.config())
            for name in ("east", "north"):
                lab = place.labs[name]
                assert (await lab.apply(lab.config())).result == "created"
            place.mend()
            applied = await west.apply(west.config())
            await watching.until(lambda one: one.kind == "seen" and one.fact.version == applied.version)


async def test_a_clock_ahead_changes_nothing(place: Place) -> None:
    place.fault(do="skew", value=300)
    lab = place.lab
    first = await lab.apply(lab.config(a="1"))
    assert (await lab.apply(lab.config(a="1"), known_version=first.version)).result == "unchanged"


# --- watches ---


async def _watched(place: Place, *, do: str, count: int | None = 1, value: float = 0.0) -> list[tuple[str, str]]:
    """What a watch shows of two objects that go and two that come, while its first request suffers the fault."""
    lab = place.lab
    for name in ("goes", "stays"):
        await lab.apply(lab.config(name))
    place.fault(do=do, verbs=("watch",), count=count, value=value)
    async with lab.watching(CONFIG_MAP) as watching:
        await watching.until(lambda one: one.kind == "resync")
        await lab.apply(lab.config("comes"))
        await lab.fleet.delete("east", ref_of(lab.config("goes")), DeleteOptions())
        last = await lab.apply(lab.config("stays", a="2"))

        def done(_: Any) -> bool:
            shown = {(one.kind, one.fact.ref.name) for one in watching.seen if one.fact}
            changed = any(one.fact and one.fact.version == last.version for one in watching.seen)
            return {("gone", "goes"), ("seen", "comes")} <= shown and changed

        await watching.until(done)
        return [(one.kind, one.fact.ref.name) for one in watching.seen if one.fact]


@pytest.mark.parametrize("do", ["expire", "duplicate", "reorder", "reset"])
async def test_a_watch_in_trouble_loses_nothing(place: Place, do: str) -> None:
    shown = await _watched(place, do=do)
    assert ("gone", "goes") in shown
    asked = place.asked()
    assert asked["watch", "configmaps"] <= 4, "no loop at full speed"
    assert asked["list", "configmaps"] <= 3


async def test_a_410_as_a_status_lists_anew(place: Place) -> None:
    await _watched(place, do="status", value=410)
    assert place.asked()["list", "configmaps"] == 2


async def test_a_410_lists_anew_and_tells_what_vanished_meanwhile(place: Place) -> None:
    lab = place.lab
    await lab.apply(lab.config("goes"))
    async with lab.watching(CONFIG_MAP) as watching:
        await watching.until(lambda one: one.kind == "resync")
        # The history goes while nobody watches: the partition cuts the watch, what happens meanwhile is seen by no one.
        place.fault(do="partition")
        member = place.served.only
        kind = member.cluster.kind("v1", "ConfigMap")
        writes.delete(member.cluster, kind, (lab.namespace, "goes"), options.Deletion())
        member.cluster.storage.forget()
        place.mend()
        await watching.until(lambda one: one.kind == "gone")
        assert watching.seen[-1].fact.ref.name == "goes"
        await watching.until(lambda one: one.kind == "resync")


@pytest.mark.slow
async def test_a_server_that_always_says_410_is_not_asked_at_full_speed(place: Place) -> None:
    place.fault(do="expire", verbs=("watch",))
    async with place.lab.watching(CONFIG_MAP) as watching:
        for _ in range(3):
            await watching.until(lambda one: one.kind == "resync")
    assert place.asked().total() <= 10


@pytest.mark.slow
async def test_a_watch_that_falls_silent_is_taken_up_again(tmp_path: Path) -> None:
    async with _place(tmp_path, "east", limits=transport.Limits(idle_s=0.3)) as place:
        await _watched(place, do="stall")
        assert place.asked()["list", "configmaps"] == 1, "from where it stopped, without a new list"


async def test_a_stale_list_is_not_taken_for_the_present(place: Place) -> None:
    lab = place.lab
    applied = await lab.apply(lab.config(a="1"))
    changed = await lab.apply(lab.config(a="2"))
    place.fault(do="stale", value=50, verbs=("list",))
    found = await lab.fleet.owned("east", {CONFIG_MAP: changed.version}, [lab.namespace], lab.app)
    assert [fact.version for fact in found[CONFIG_MAP]] == [changed.version] != [applied.version]


@pytest.mark.slow
async def test_many_watches_do_not_hold_up_requests(place: Place) -> None:
    lab = place.lab
    async with contextlib.AsyncExitStack() as stack:
        watches = [await stack.enter_async_context(lab.watching(CONFIG_MAP)) for _ in range(100)]
        await asyncio.gather(*[watching.until(lambda one: one.kind == "resync") for watching in watches])
        applied = await asyncio.wait_for(lab.apply(lab.config()), 5)
        seen = [
            watching.until(lambda one: one.kind == "seen" and one.fact.version == applied.version) for watching in watches
        ]
        await asyncio.gather(*seen)


# --- identities and discovery ---


async def test_two_clusters_in_turn_are_discovered_once_each(tmp_path: Path) -> None:
    async with sandbox_fixtures.served(str(tmp_path), "east", "west") as served:
        connections = {name: fleet_lab.connection(served.kubeconfig, name) for name in served.members}
        sent: list[transport.Sent] = []
        one = fleet.ClusterFleet(connections, instance=INSTANCE, log=sent.append)
        try:
            for _ in range(5):
                for name in served.members:
                    await one.list(name, DEPLOYMENT, "default", Selector())
        finally:
            await one.close()
    discovery = Counter(seen.cluster for seen in sent if "deployments" not in seen.path)
    assert set(discovery) == {"east", "west"}
    assert max(discovery.values()) <= 4


def _edited(served: Served, change: dict[str, Any]) -> str:
    """Another kubeconfig whose users have something more."""
    path = f"{served.kubeconfig}-edited"
    document = served.planes.document
    users = [
        {"name": one["name"], "user": change if "tokenFile" in change else one["user"] | change} for one in document["users"]
    ]
    with open(path, "w") as file:
        yaml.safe_dump(document | {"users": users}, file)
    return path


async def test_impersonation_of_a_kubeconfig_is_sent(tmp_path: Path) -> None:
    async with sandbox_fixtures.served(str(tmp_path), "east") as served:
        one = fleet.ClusterFleet({"east": fleet_lab.connection(_edited(served, {"as": "team"}), "east")}, instance=INSTANCE)
        try:
            assert await one.list("east", SECRET, "team", Selector()) == []
            with pytest.raises(errors.Forbidden, match="team"):
                await one.list("east", SECRET, "default", Selector())
        finally:
            await one.close()
        assert {seen.user for seen in served.only.log if seen.place.plural == "secrets"} == {"team"}


async def test_a_token_in_a_file_is_used(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(sandbox_fixtures.TOKENS["token"])
    async with sandbox_fixtures.served(str(tmp_path), "east") as served:
        path = _edited(served, {"tokenFile": str(file)})
        one = fleet.ClusterFleet({"east": fleet_lab.connection(path, "east")}, instance=INSTANCE)
        try:
            assert await one.list("east", SECRET, "default", Selector()) == []
        finally:
            await one.close()
