"""What lists, history and status are made of: pages, summaries, revisions, events, the check, the sweep."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from store import making

from appdelivery import errors
from appdelivery.delivery import ports
from appdelivery.model.history import Event
from appdelivery.model.refs import AppKey
from appdelivery.store import (
    applications,
    check,
    clusters,
    events,
    inventory,
    migrate,
    retention,
    summary,
)
from appdelivery.store import (
    journal as journals,
)
from appdelivery.store.tables import all as tables

if TYPE_CHECKING:
    from collections.abc import Callable

COUNT = itertools.count(1)


@pytest.fixture(scope="module")
def migrated(new_database: Callable[[], str]) -> str:
    location = new_database()
    migrate.migrate(location)
    return location


@pytest.fixture
def postgres_store(migrated: str, opened: Callable[..., Any]) -> Any:
    """One database for all tests, emptied before each: making one takes longer than most tests."""
    store = opened(migrated)
    kept = ("installation", "alembic_version")
    filled = ", ".join(name for name in tables.metadata.tables if name not in kept)
    store.write(lambda c: c.execute(sa.text(f"TRUNCATE {filled} RESTART IDENTITY CASCADE")))
    return store


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def any_store(request: pytest.FixtureRequest, tmp_path: Any, opened: Callable[..., Any]) -> Any:
    if request.param == "sqlite":
        return opened(tmp_path / "data" / "store.db")
    return request.getfixturevalue("postgres_store")


@pytest.fixture
def journal(any_store: Any) -> journals.SqlJournal:
    return journals.SqlJournal(any_store)


def seen(journal: Any, app: AppKey, health: str, reason: str = "", **more: Any) -> None:
    lease = journal.claim(making.key(app), "here:1:1", 30)
    for row in journal.inventory(app):
        journal.record(lease, [ports.ObjectSeen(row.identity, health, reason, None, **more)])
    journal.release(lease)


def all_pages(store: Any, limit: int, **how: Any) -> list[Any]:
    found, cursor = [], ""
    while True:
        page = applications.page(store, limit=limit, cursor=cursor, **how)
        assert len(page.items) <= limit
        found += page.items
        if not page.next:
            return found
        cursor = page.next


def test_pages_put_together_are_the_list_worst_first(any_store: Any, journal: Any) -> None:
    for number, health in enumerate(["healthy", "degraded", "progressing", "healthy", "missing", "unknown", "suspended"]):
        app = AppKey("shop", f"a{number}")
        making.delivered(journal, app)
        seen(journal, app, health)
    found = all_pages(any_store, 2)
    assert [(s.app.name, s.health) for s in found] == [
        ("a1", "degraded"), ("a4", "missing"), ("a5", "unknown"), ("a2", "progressing"), ("a6", "suspended"),
        ("a0", "healthy"), ("a3", "healthy"),
    ]  # fmt: skip
    assert found == list(applications.page(any_store, limit=500).items)


def test_lists_are_narrowed_by_namespace_and_labels(any_store: Any, journal: Any) -> None:
    making.delivered(journal, AppKey("shop", "web"), labels={"tier": "front", "team": "a"})
    making.delivered(journal, AppKey("shop", "api"), labels={"tier": "back", "team": "a"})
    making.delivered(journal, AppKey("pay", "web"), labels={"tier": "front"})

    def names(**how: Any) -> list[str]:
        return [str(s.app) for s in applications.page(any_store, **how).items]

    assert names() == ["pay/web", "shop/api", "shop/web"]
    assert names(namespace="shop") == ["shop/api", "shop/web"]
    assert names(labels={"tier": "front"}) == ["pay/web", "shop/web"]
    assert names(labels={"tier": "front", "team": "a"}) == ["shop/web"]
    assert names(labels={"tier": "none"}) == []


def test_labels_follow_the_newest_delivery(any_store: Any, journal: Any) -> None:
    making.delivered(journal, labels={"tier": "front"})
    making.delivered(journal, labels={"tier": "back"})
    assert applications.page(any_store, labels={"tier": "front"}).items == ()
    assert applications.get(any_store, making.WEB).labels == {"tier": "back"}


@pytest.mark.parametrize("cursor", ["x", "////", "WyJhIl0", "\u00e4", "WyJhcHBsaWNhdGlvbnMgIFtdIiwxXQ"])
def test_a_cursor_of_nowhere_is_refused(store: Any, cursor: str) -> None:
    with pytest.raises(errors.UsageError, match="cursor"):
        applications.page(store, cursor=cursor)


def test_a_cursor_of_another_list_is_refused(store: Any) -> None:
    journal = journals.SqlJournal(store)
    for name in ("a", "b"):
        making.delivered(journal, AppKey("shop", name))
    cursor = applications.page(store, namespace="shop", limit=1).next
    with pytest.raises(errors.UsageError, match="another list"):
        applications.page(store, namespace="pay", cursor=cursor)


def test_the_summary_tells_clusters_objects_and_the_worst_object(any_store: Any, journal: Any) -> None:
    journal.open_release(making.request())
    lease = journal.claim(making.key(making.WEB), "here:1:1", 30)
    assert applications.get(any_store, making.WEB).health == "progressing"
    rows = [making.row(lease, making.config_map(name), cluster=cluster) for name in "ab" for cluster in ("east", "west")]
    journal.record(lease, [ports.ObjectIntended(row) for row in rows])
    assert applications.get(any_store, making.WEB).health == "progressing"
    facts = [making.applied(row) for row in rows[:3]]
    facts.append(making.applied(rows[3], health="degraded", health_reason="CrashLoopBackOff"))
    journal.record(lease, [*facts, making.ended(1)])
    found = applications.get(any_store, making.WEB)
    assert (found.health, found.clusters_ready, found.clusters_total, found.objects) == ("degraded", 1, 2, 4)
    assert found.message == "ConfigMap shop/b: CrashLoopBackOff"
    assert (found.outcome, found.release, found.revision) == ("succeeded", 1, 1)


def test_an_object_that_was_never_applied_is_missing_once_its_release_ended(any_store: Any, journal: Any) -> None:
    journal.open_release(making.request())
    lease = journal.claim(making.key(making.WEB), "here:1:1", 30)
    journal.record(lease, [ports.ObjectIntended(making.row(lease)), making.ended(1, "failed", "east refused it")])
    found = applications.get(any_store, making.WEB)
    assert (found.health, found.message, found.outcome) == ("missing", "east refused it", "failed")


def test_every_state_of_health_has_its_rank() -> None:
    from appdelivery.model import live

    assert sorted(summary.RANK) == sorted(live.STATES)


def test_a_deleted_application_leaves_the_lists_and_keeps_its_history(any_store: Any, journal: Any) -> None:
    making.delivered(journal, labels={"tier": "front"})
    journal.open_release(making.request(after=1, request="delete", desired=()))
    lease = journal.claim(making.key(making.WEB), "here:1:1", 30)
    identity = journal.inventory(making.WEB)[0].identity
    journal.record(lease, [ports.ObjectDeleting(identity, 2), ports.ObjectGone(identity, "deleted"), making.ended(2)])
    journal.release(lease)
    assert applications.page(any_store).items == ()
    with pytest.raises(errors.NotFound):
        applications.get(any_store, making.WEB)
    assert [r.request for r in applications.releases(any_store, making.WEB)] == ["delete", "apply"]
    assert applications.revision(any_store, making.WEB, 1).number == 1
    making.delivered(journal, labels={"tier": "front"})
    assert [s.release for s in applications.page(any_store, labels={"tier": "front"}).items] == [3]


def test_a_deletion_that_failed_keeps_the_application(any_store: Any, journal: Any) -> None:
    making.delivered(journal)
    journal.open_release(making.request(after=1, request="delete", desired=()))
    lease = journal.claim(making.key(making.WEB), "here:1:1", 30)
    journal.record(lease, [making.ended(2, "failed", "east is unreachable")])
    assert applications.get(any_store, making.WEB).message == "east is unreachable"


def test_an_application_that_was_deleted_while_a_newer_release_opened_stays(any_store: Any, journal: Any) -> None:
    making.delivered(journal)
    journal.open_release(making.request(after=1, request="delete", desired=()))
    journal.open_release(making.request(after=2))
    lease = journal.claim(making.key(making.WEB), "here:1:1", 30)
    journal.record(lease, [making.ended(2)])
    assert applications.get(any_store, making.WEB).release == 3


def test_an_unknown_application_names_the_nearest(any_store: Any, journal: Any) -> None:
    making.delivered(journal)
    with pytest.raises(errors.NotFound, match="no application shop/wbe, did you mean 'shop/web'"):
        applications.get(any_store, AppKey("shop", "wbe"))


def test_a_revision_gives_document_definitions_and_objects_back(any_store: Any, journal: Any) -> None:
    bodies = [making.config_map("a"), making.config_map("b", mode="slow")]
    document = {"kind": "Application", "spec": {"components": [{"name": "web"}]}}
    making.delivered(journal, bodies=bodies, document=document, context={"replicas": 3})
    found = applications.revision(any_store, making.WEB, 1)
    assert (found.document, found.context) == (document, {"replicas": 3})
    assert found.definitions == [
        {"kind": "ComponentDefinition", "name": "webservice@1.0.0", "hash": making.digest("webservice")}
    ]
    assert applications.manifests(any_store, making.WEB, 1) == [("web", {"component": "web"}, body) for body in bodies]
    assert [str(r) for r in applications.revisions(any_store, making.WEB)] == ["web-v1"]
    for missing in (applications.revision, applications.release, applications.plan, applications.manifests):
        with pytest.raises(errors.NotFound, match="shop/web has no re"):
            missing(any_store, making.WEB, 7)


def test_the_plan_of_a_release_is_kept(any_store: Any, journal: Any) -> None:
    making.delivered(journal)
    found = applications.plan(any_store, making.WEB, 1)
    assert found is not None
    assert [(c["action"], c["ref"]["name"], c["why"]["code"]) for c in found["changes"]] == [
        ("create", "settings", "absent")
    ]


def test_a_component_keeps_the_number_of_equal_content(any_store: Any, journal: Any) -> None:
    def number(content: str) -> int:
        return applications.component_revision(any_store, making.WEB, "web", content)

    one, two = making.request(), making.request(bodies=[making.config_map(mode="slow")])
    first, second = (r.rendered.components[0].hash for r in (one, two))
    assert number(first) == 1
    making.delivered(journal)
    assert (number(first), number(second)) == (1, 2)
    making.delivered(journal, bodies=[making.config_map(mode="slow")])
    assert (number(first), number(second), number(making.digest("third"))) == (1, 2, 3)


# --- events --------------------------------------------------------------------------------------------------------------


def add(journal: Any, app: AppKey, *texts: str) -> None:
    lease = journal.claim(making.key(app), "here:1:1", 30)
    at = lease.until
    journal.record(lease, [ports.EventAdded(Event("note", str(app), making.ANA, at, {"text": t}, app)) for t in texts])
    journal.release(lease)


def texts(page: Any) -> list[str]:
    return [event.data.get("text", event.kind) for event in page.items]


def test_a_reader_of_events_that_goes_on_loses_and_doubles_nothing(any_store: Any, journal: Any) -> None:
    journal.open_release(making.request())
    position, found = "0-0", []
    for number in range(7):
        add(journal, making.WEB, f"a{number}", f"b{number}")
        page = events.page(any_store, limit=3, after=position)
        found += texts(page)
        position = page.next
    while (page := events.page(any_store, limit=3, after=position)).items:
        found += texts(page)
        position = page.next
    assert found == ["release.opened", *[f"{letter}{n}" for n in range(7) for letter in "ab"]]
    assert events.page(any_store, after=position).next == position


def test_without_a_position_the_newest_events_come_oldest_first(any_store: Any, journal: Any) -> None:
    journal.open_release(making.request())
    add(journal, making.WEB, *[f"n{n}" for n in range(10)])
    assert texts(events.page(any_store, limit=3)) == ["n7", "n8", "n9"]


def test_events_of_one_application_are_apart(any_store: Any, journal: Any) -> None:
    other = AppKey("shop", "api")
    for app in (making.WEB, other):
        journal.open_release(making.request(app))
        add(journal, app, app.name)
    assert texts(events.page(any_store, other)) == ["release.opened", "api"]
    assert {e.app for e in events.page(any_store, other).items} == {other}


@pytest.mark.parametrize("position", ["x", "1", "1-x", "-", "1-2-3", "9" * 60 + "-1"])
def test_a_position_that_is_none_is_refused(store: Any, position: str) -> None:
    with pytest.raises(errors.UsageError, match="not a position"):
        events.page(store, after=position)


@pytest.mark.postgres
def test_an_event_of_a_transaction_that_commits_late_is_not_lost(postgres_store: Any) -> None:
    store = postgres_store
    now = store.read(store.now)

    def line(text: str) -> list[dict[str, Any]]:
        return [events.row("note", now, "x", making.ANA, {"text": text})]

    with store.engine.connect() as slow:
        with slow.begin():
            events.add(slow, line("slow"))
            store.write(lambda c: events.add(c, line("quick")))
            first = events.page(store, after="0-0")
            assert texts(first) == []
        rest = events.page(store, after=first.next)
    assert texts(rest) == ["slow", "quick"]


# --- clusters, check, sweep ----------------------------------------------------------------------------------------------


def register(store: Any, name: str = "east", uid: str = "u-east") -> None:
    clusters.add(
        store,
        name=name,
        uid=uid,
        credentials={"server": "https://east"},
        labels={},
        server_version="v1.36.0",
        actor=making.ANA,
    )


def test_a_name_that_came_to_mean_another_cluster_is_refused(any_store: Any) -> None:
    clusters.seen(any_store, name="east", uid="u-east", server="https://east", server_version="v1.35.0")
    clusters.seen(any_store, name="east", uid="u-east", server="https://east", server_version="v1.36.0")
    assert clusters.get(any_store, "east").server_version == "v1.36.0"
    with pytest.raises(errors.Conflict, match="another cluster than before") as caught:
        clusters.seen(any_store, name="east", uid="u-other", server="https://east", server_version="v1")
    assert caught.value.code == "cluster.changed"
    assert clusters.get(any_store, "east").uid == "u-east"


def test_one_cluster_under_two_names_is_registered_once(store: Any) -> None:
    register(store)
    with pytest.raises(errors.Conflict, match="known as east"):
        register(store, "other")


def test_a_cluster_that_does_not_answer_stays_known(any_store: Any) -> None:
    clusters.seen(any_store, name="east", uid="u", server="s", server_version="v1")
    for _ in range(2):
        clusters.seen(any_store, name="east", uid="", server="", server_version="", reach="unreachable", reason="timeout")
    found = clusters.get(any_store, "east")
    assert (found.reach, found.reach_reason, found.uid, found.server_version) == ("unreachable", "timeout", "u", "v1")


def test_forgetting_a_cluster_closes_its_rows_and_says_how_many_objects_stay(store: Any) -> None:
    journal = journals.SqlJournal(store)
    register(store)
    making.delivered(journal, bodies=[making.config_map("a"), making.config_map("b")])
    assert clusters.remove(store, "east", actor=making.ANA) == 2
    assert inventory.rows(store) == []
    assert (clusters.list(store), clusters.credentials(store, "east")) == ([], None)
    with pytest.raises(errors.NotFound):
        clusters.remove(store, "east", actor=making.ANA)
    clusters.seen(store, name="east", uid="u-new", server="s", server_version="v1")
    assert clusters.get(store, "east").admin == "open"


def test_an_unknown_cluster_names_the_nearest(any_store: Any) -> None:
    clusters.seen(any_store, name="east", uid="u", server="s", server_version="v1")
    with pytest.raises(errors.NotFound, match="did you mean 'east'"):
        clusters.get(any_store, "esat")


def test_a_whole_store_has_no_findings(any_store: Any, journal: Any) -> None:
    making.delivered(journal)
    making.delivered(journal, bodies=[making.config_map(mode="slow")])
    assert check.check(any_store, deep=True) == []


@pytest.mark.parametrize(
    ("damage", "what", "told"),
    [
        ("UPDATE application SET last_release = 9", "counters", "last_release is 9, its rows say 1"),
        ("UPDATE application SET objects = 9", "counters", "objects is 9"),
        ("UPDATE inventory SET wanted = 9", "counters", "wanted by release 9"),
        ("DELETE FROM blob WHERE digest IN (SELECT document FROM revision)", "content", "revision.document names"),
        ("DELETE FROM blob WHERE digest IN (SELECT objects FROM rendered)", "content", "rendered.objects names"),
        ("UPDATE blob SET body = zeroblob(9) WHERE digest IN (SELECT body FROM plan)", "content", "is damaged"),
        ("UPDATE work_item SET lease_owner = 'x', lease_until = 9999999999999999", "leases", "is held by x"),
        ("UPDATE work_item SET due_at = 1", "leases", "has waited since"),
        ("UPDATE release SET app = 99", "file", "names a row of application"),
        ("ALTER TABLE release ADD COLUMN extra TEXT", "schema", "differs in extra"),
        ("DROP TABLE secret", "schema", "secret is missing"),
    ],
)
def test_each_kind_of_damage_is_found(store: Any, damage: str, what: str, told: str) -> None:
    import sqlite3

    making.delivered(journals.SqlJournal(store))
    raw = sqlite3.connect(store.path, isolation_level=None)
    raw.execute(damage)
    raw.close()
    found = check.check(store, deep=what != "schema")
    assert any(f.what == what and told in f.message for f in found), found


def test_two_writers_of_one_object_are_found(store: Any) -> None:
    journal = journals.SqlJournal(store)
    for name in ("web", "api"):
        making.delivered(journal, AppKey("shop", name))
    assert [f.what for f in check.check(store)] == ["ownership"]


def test_the_sweep_removes_what_is_old_and_nothing_that_is_named(store: Any, clock: Any) -> None:
    journal = journals.SqlJournal(store)
    making.delivered(journal)
    making.delivered(journal, bodies=[making.config_map("other")])
    lease = journal.claim(making.key(making.WEB), "here:1:1", 30)
    journal.record(lease, [ports.ObjectGone(making.row(lease).identity, "deleted")])
    journal.release(lease)
    assert retention.sweep(store, 5) == 0
    clock.time += timedelta(days=31)
    assert retention.sweep(store, 5) > 0
    counts = {
        table: store.read(lambda c, table=table: c.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar())
        for table in ("event", "inventory", "plan", "release", "revision")
    }
    assert counts == {"event": 0, "inventory": 1, "plan": 0, "release": 2, "revision": 2}
    assert check.check(store, deep=True) == []
    assert len(applications.manifests(store, making.WEB, 1)) == 1
    assert applications.plan(store, making.WEB, 1) is None
    assert retention.sweep(store, 5) == 0


@pytest.mark.postgres
def test_the_sweep_works_in_postgres(postgres_store: Any) -> None:
    store = postgres_store
    making.delivered(journals.SqlJournal(store))
    aged = ("UPDATE event SET at = at - interval '60 days'", "UPDATE plan SET expires_at = now() - interval '60 days'",
            "UPDATE blob SET used_at = now() - interval '60 days'")  # fmt: skip
    for statement in aged:
        store.write(lambda c, statement=statement: c.execute(sa.text(statement)))
    assert retention.sweep(store, 5) >= 3
    assert check.check(store, deep=True) == []
