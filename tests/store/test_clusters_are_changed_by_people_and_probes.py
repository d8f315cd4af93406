"""What people and probes change of a cluster's row, on both databases."""

from __future__ import annotations

import os
from typing import Any

import pytest
from store import making

from appdelivery import errors
from appdelivery.store import clusters, events, migrate, registry
from appdelivery.store import journal as journals


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def any_store(request: pytest.FixtureRequest, tmp_path: Any, opened: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    if request.param == "sqlite":
        return opened(tmp_path / "data" / "store.db")
    (tmp_path / "master").touch(mode=0o600)
    (tmp_path / "master").write_bytes(os.urandom(32))
    monkeypatch.setenv("APPCTL_MASTER_KEY_FILE", str(tmp_path / "master"))
    location = request.getfixturevalue("new_database")()
    migrate.migrate(location)
    return opened(location)


@pytest.fixture
def east(any_store: Any) -> Any:
    clusters.add(
        any_store, name="east", uid="u-east", credentials={"server": "https://east", "token": "t"}, labels={"env": "prod"},
        server_version="v1.36.0", actor=making.ANA, auth="token", description={"region": "eu"}, probe={"kinds": 3},
    )  # fmt: skip
    return any_store


def probe(store: Any, seen: str, reason: str = "") -> Any:
    return registry.probed(store, "east", seen=seen, reason=reason, server_version="", found=None, served="")


def test_a_description_is_written_once_and_leaves_an_event(east: Any) -> None:
    change = {"labels": {"env": "test"}, "region": "us", "prices": {"vcpu": 0.04}}
    assert registry.described(east, "east", lambda _: change, actor=making.ANA, message="moved")
    version = clusters.get(east, "east").version
    assert not registry.described(east, "east", lambda _: change, actor=making.ANA, message="moved")
    row = clusters.get(east, "east")
    assert (row.labels, row.region, row.prices, row.version) == ({"env": "test"}, "us", {"vcpu": 0.04}, version)
    (event,) = events.page(east).items
    assert (event.kind, event.subject, event.data["changed"]) == (
        "cluster.changed",
        "cluster east",
        ["labels", "prices", "region"],
    )


def test_a_renamed_row_opens_its_credentials_and_keeps_its_objects(east: Any) -> None:
    making.delivered(journals.SqlJournal(east))
    registry.renamed(east, "east", "eu-1", actor=making.ANA)
    assert clusters.credentials(east, "eu-1") == {"server": "https://east", "token": "t"}
    assert [(str(one.app), one.objects) for one in registry.deployed(east, "eu-1")] == [("shop/web", 1)]
    assert clusters.credentials(east, "east") is None
    with pytest.raises(errors.NotFound):
        registry.renamed(east, "east", "eu-2", actor=making.ANA)


def test_three_failures_in_time_make_a_row_unreachable_and_an_answer_makes_it_ready(east: Any) -> None:
    assert [probe(east, "unreachable", "no answer").state for _ in range(3)] == ["ready", "ready", "unreachable"]
    row = clusters.get(east, "east")
    assert (row.reach_reason, row.failures, row.probe["kinds"]) == ("no answer", 3, 3)
    registry.cordoned(east, "east", actor=making.ANA, reason="disks", cordon=True)
    assert clusters.get(east, "east").state == "unreachable"
    assert probe(east, "ready").state == "ready"
    row = clusters.get(east, "east")
    assert (row.state, row.admin_reason, row.reach_reason, row.probe) == ("cordoned", "disks", "", {"kinds": 3})


def test_a_delivery_that_reached_the_cluster_ends_a_row_of_failures(east: Any) -> None:
    probe(east, "unreachable")
    probe(east, "unreachable")
    clusters.seen(east, name="east", uid="u-east", server="https://east", server_version="v1.36.0")
    assert probe(east, "unreachable").state == "ready"


def test_failures_count_for_ninety_seconds(store: Any, clock: Any) -> None:
    clusters.add(
        store,
        name="east",
        uid="u",
        credentials={"token": "t"},
        labels={},
        server_version="v1",
        actor=making.ANA,
        auth="token",
    )
    for _ in range(5):
        assert probe(store, "unreachable").state == "ready"
        clock.move(seconds=46)


def test_a_row_that_is_not_there_is_not_changed(any_store: Any) -> None:
    for change in (
        lambda: registry.described(any_store, "no", lambda _: {}, actor=making.ANA, message=""),
        lambda: registry.cordoned(any_store, "no", actor=making.ANA, reason="", cordon=True),
        lambda: registry.renamed(any_store, "no", "new", actor=making.ANA),
    ):
        with pytest.raises(errors.NotFound, match="find cluster no"):
            change()
    assert list(registry.deployed(any_store, "no")) == []
