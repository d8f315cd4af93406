"""The Protocol Journal, on the fake, SQLite and PostgreSQL."""

# ruff: noqa: F811 - fixtures are imported, and named again where they are used
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from store import making
from store.backends import app, backend, journal, postgres_store  # noqa: F401 - fixtures

from appdelivery import errors
from appdelivery.delivery import ports
from appdelivery.model.history import Event
from appdelivery.model.record import changed
from appdelivery.model.refs import AppKey, ref_of

if TYPE_CHECKING:
    from store.backends import Backend

# --- who may write -------------------------------------------------------------------------------------------------------


def test_a_claim_gives_a_lease_that_ends_in_time(backend: Backend, app: AppKey) -> None:
    lease = backend.journal.claim(making.key(app), "a", 30)
    assert (lease.app, lease.worker, lease.fence) == (app, "a", 1)
    assert lease.until.utcoffset() is not None


def test_a_held_application_is_not_given_to_another_worker(journal: Any, app: AppKey) -> None:
    assert journal.claim(making.key(app), "a", 30) is not None
    assert journal.claim(making.key(app), "b", 30) is None


def test_applications_are_claimed_apart(journal: Any, app: AppKey) -> None:
    assert journal.claim(making.key(app), "a", 30) is not None
    assert journal.claim(making.key(AppKey("other", app.name)), "b", 30) is not None


def test_after_the_lease_another_worker_takes_over_with_a_higher_fence(backend: Backend, app: AppKey) -> None:
    first = backend.journal.claim(making.key(app), "a", 30)
    backend.pass_time(31)
    second = backend.journal.claim(making.key(app), "b", 30)
    assert second.fence > first.fence


def test_a_renewed_lease_is_held_longer(backend: Backend, app: AppKey) -> None:
    lease = backend.journal.claim(making.key(app), "a", 30)
    backend.pass_time(20)
    renewed = backend.journal.renew(lease, 30)
    assert (renewed.fence, renewed.worker) == (lease.fence, "a")
    backend.pass_time(20)
    assert backend.journal.claim(making.key(app), "b", 30) is None


def test_a_lease_that_was_taken_over_is_not_renewed(backend: Backend, app: AppKey) -> None:
    lease = backend.journal.claim(making.key(app), "a", 30)
    backend.pass_time(31)
    backend.journal.claim(making.key(app), "b", 30)
    assert backend.journal.renew(lease, 30) is None


def test_a_released_lease_is_free_at_once_and_its_fence_is_never_given_again(journal: Any, app: AppKey) -> None:
    first = journal.claim(making.key(app), "a", 30)
    journal.release(first)
    second = journal.claim(making.key(app), "b", 30)
    assert second.fence > first.fence
    assert journal.renew(first, 30) is None


def test_releasing_a_lost_lease_disturbs_nobody(backend: Backend, app: AppKey) -> None:
    lost = backend.journal.claim(making.key(app), "a", 30)
    backend.pass_time(31)
    backend.journal.claim(making.key(app), "b", 30)
    backend.journal.release(lost)
    assert backend.journal.claim(making.key(app), "c", 30) is None


def test_a_worker_that_lost_its_lease_records_nothing(backend: Backend, app: AppKey) -> None:
    journal = backend.journal
    journal.open_release(making.request(app))
    lost = journal.claim(making.key(app), "a", 30)
    backend.pass_time(31)
    journal.claim(making.key(app), "b", 30)
    with pytest.raises(errors.LostLease):
        journal.record(lost, [ports.ObjectIntended(making.row(lost))])
    assert journal.inventory(app) == []


# --- releases ------------------------------------------------------------------------------------------------------------


def test_an_application_never_delivered_has_no_newest_release(journal: Any, app: AppKey) -> None:
    assert journal.newest(app) is None


def test_an_opened_release_runs_and_is_the_newest(journal: Any, app: AppKey) -> None:
    release, revision = journal.open_release(making.request(app, reason="because", lenient=True))
    assert (release.number, release.revision, release.outcome) == (1, 1, "running")
    assert (str(revision), revision.key) == (f"{app.name}-v1", making.request(app).rendered.key)
    assert journal.newest(app) == release
    assert (release.reason, release.lenient, release.actor) == ("because", True, making.ANA)


def test_equal_content_is_one_revision(journal: Any, app: AppKey) -> None:
    _, first = making.delivered(journal, app)
    second, again = making.delivered(journal, app)
    assert second.number == 2
    assert (again.number, again.key, again.created_at) == (first.number, first.key, first.created_at)


def test_other_content_is_the_next_revision(journal: Any, app: AppKey) -> None:
    making.delivered(journal, app)
    release, revision = making.delivered(journal, app, [making.config_map(mode="slow")])
    assert (release.number, revision.number, str(revision)) == (2, 2, f"{app.name}-v2")


def test_a_plan_made_before_another_release_is_refused(journal: Any, app: AppKey) -> None:
    making.delivered(journal, app)
    with pytest.raises(errors.Conflict, match="release 1 was opened meanwhile") as caught:
        journal.open_release(making.request(app, after=0))
    assert caught.value.code == "release.moved"
    assert journal.newest(app).number == 1


def test_a_rollback_uses_the_stored_revision(journal: Any, app: AppKey) -> None:
    _, old = making.delivered(journal, app)
    making.delivered(journal, app, [making.config_map(mode="slow")])
    release, revision = journal.open_release(making.request(app, after=2, revision=1, cause="rollback"))
    assert (release.number, release.revision, release.cause) == (3, 1, "rollback")
    assert revision.key == old.key


def test_a_rollback_to_an_unknown_revision_is_refused(journal: Any, app: AppKey) -> None:
    making.delivered(journal, app)
    with pytest.raises(errors.NotFound, match="no revision 9"):
        journal.open_release(making.request(app, after=1, revision=9))
    assert journal.newest(app).number == 1


def test_the_end_of_a_release_is_recorded(journal: Any, app: AppKey) -> None:
    journal.open_release(making.request(app))
    lease = journal.claim(making.key(app), "a", 30)
    assert journal.record(lease, [making.ended(1, "failed", "it did not start", create=1)]) == 1
    newest = journal.newest(app)
    assert (newest.outcome, newest.message, newest.counts) == ("failed", "it did not start", {"create": 1})
    assert newest.ended_at >= newest.opened_at


def test_an_older_running_release_is_superseded_by_the_first_record_of_the_newer_one(journal: Any, app: AppKey) -> None:
    journal.open_release(making.request(app))
    second, _ = journal.open_release(making.request(app, after=1))
    lease = journal.claim(making.key(app), "a", 30)
    journal.record(lease, [ports.ObjectIntended(making.row(lease, release=second.number))])
    journal.record(lease, [making.ended(1, "succeeded", "too late")])  # it has ended already
    journal.record(lease, [making.ended(2)])
    assert journal.newest(app).outcome == "succeeded"


def test_the_number_after_a_deletion_goes_on(journal: Any, app: AppKey) -> None:
    making.delivered(journal, app)
    release, _ = journal.open_release(making.request(app, after=1, request="delete", revision=1, desired=()))
    lease = journal.claim(making.key(app), "a", 30)
    identity = making.row(lease).identity
    journal.record(lease, [ports.ObjectDeleting(identity, release.number)])
    journal.record(lease, [ports.ObjectGone(identity, "deleted"), making.ended(2)])
    journal.release(lease)
    assert journal.inventory(app) == []
    again, revision = making.delivered(journal, app)
    assert (again.number, revision.number) == (3, 1)


# --- the inventory -------------------------------------------------------------------------------------------------------


@pytest.fixture
def lease(journal: Any, app: AppKey) -> Any:
    journal.open_release(making.request(app))
    return journal.claim(making.key(app), "a", 30)


def test_record_answers_the_newest_release(journal: Any, app: AppKey, lease: Any) -> None:
    assert journal.record(lease, []) == 1
    journal.open_release(making.request(app, after=1))
    assert journal.record(lease, []) == 2


def test_an_intended_row_comes_back_as_it_was_written(journal: Any, app: AppKey, lease: Any) -> None:
    row = making.row(lease, gc="never", propagation="orphan", component="web@eu")
    journal.record(lease, [ports.ObjectIntended(row)])
    assert journal.inventory(app) == [row]


def test_an_applied_row_comes_back_as_it_was_written(journal: Any, app: AppKey, lease: Any) -> None:
    row = making.row(lease)
    fact = making.applied(
        row, bare=(("f:spec", "f:x"), ("f:data",)), yielded=(("spec.replicas", "kubectl", "3"),), health_reason="Ready"
    )
    journal.record(lease, [ports.ObjectIntended(row), fact])
    assert journal.inventory(app) == [fact.row]


def test_an_intent_for_a_known_object_keeps_what_is_known(journal: Any, app: AppKey, lease: Any) -> None:
    row = making.row(lease)
    fact = making.applied(row)
    journal.record(lease, [ports.ObjectIntended(row), fact])
    journal.open_release(making.request(app, after=1))
    newer = making.row(lease, release=2, component="other", gc="never", desired_digest=making.digest("new"))
    journal.record(lease, [ports.ObjectIntended(newer)])
    assert journal.inventory(app) == [changed(fact.row, wanted=2, component="other", gc="never")]


def test_a_gone_row_is_not_listed_and_begins_anew(journal: Any, app: AppKey, lease: Any) -> None:
    row = making.row(lease)
    journal.record(lease, [ports.ObjectIntended(row), making.applied(row)])
    journal.record(lease, [ports.ObjectGone(row.identity, "absent")])
    assert journal.inventory(app) == []
    journal.record(lease, [ports.ObjectIntended(row)])
    assert journal.inventory(app) == [row]


def test_an_object_wanted_again_while_it_is_deleted_is_no_longer_deleting(journal: Any, app: AppKey, lease: Any) -> None:
    row = making.row(lease)
    journal.record(lease, [ports.ObjectIntended(row), making.applied(row)])
    journal.open_release(making.request(app, after=1))
    journal.record(lease, [ports.ObjectDeleting(row.identity, 2)])
    assert [r.state for r in journal.inventory(app)] == ["deleting"]
    journal.open_release(making.request(app, after=2))
    journal.record(lease, [ports.ObjectIntended(making.row(lease, release=3))])
    assert [(r.state, r.wanted) for r in journal.inventory(app)] == [("present", 3)]


def test_what_is_seen_of_an_object_is_kept(journal: Any, app: AppKey, lease: Any) -> None:
    row = making.row(lease)
    journal.record(lease, [ports.ObjectIntended(row), making.applied(row)])
    since = lease.until
    journal.record(
        lease, [ports.ObjectSeen(row.identity, "degraded", "CrashLoop", since, making.digest("own"), 1300, "changed")]
    )
    seen = journal.inventory(app)[0]
    assert (seen.health, seen.health_reason, seen.health_since) == ("degraded", "CrashLoop", since)


def test_facts_about_unknown_objects_change_nothing(journal: Any, app: AppKey, lease: Any) -> None:
    identity = making.row(lease).identity
    journal.record(lease, [ports.ObjectSeen(identity, "healthy", "", None), ports.ObjectGone(identity, "absent")])
    assert journal.inventory(app) == []


def test_rows_are_found_by_application_and_by_cluster(journal: Any, app: AppKey, lease: Any) -> None:
    rows = [making.row(lease, cluster=cluster) for cluster in ("east", "west")]
    journal.record(lease, [ports.ObjectIntended(row) for row in rows])
    assert [r.cluster for r in journal.inventory(app, "west")] == ["west"]
    assert {r.cluster for r in journal.inventory(app)} == {"east", "west"}
    assert rows[0] in journal.inventory(cluster="east")
    assert rows[0] in journal.inventory()


def test_objects_of_one_name_in_different_groups_are_different(journal: Any, app: AppKey, lease: Any) -> None:
    one, other = making.row(lease), making.row(lease)
    other = changed(other, ref=changed(other.ref, group="example.com"))
    journal.record(lease, [ports.ObjectIntended(one), ports.ObjectIntended(other)])
    assert len(journal.inventory(app)) == 2


def test_many_objects_are_recorded_at_once(journal: Any, app: AppKey, lease: Any) -> None:
    rows = [making.row(lease, making.config_map(f"c{n}")) for n in range(300)]
    journal.record(lease, [ports.ObjectIntended(row) for row in rows])
    journal.record(lease, [making.applied(row) for row in rows])
    assert {r.state for r in journal.inventory(app)} == {"present"}
    assert len(journal.inventory(app)) == 300


# --- the guard of the newest desired set ---------------------------------------------------------------------------------


def test_an_object_of_the_newest_desired_set_is_never_deleted(journal: Any, app: AppKey, lease: Any) -> None:
    row = making.row(lease)
    journal.record(lease, [ports.ObjectIntended(row), making.applied(row)])
    with pytest.raises(errors.Conflict) as caught:
        journal.record(lease, [ports.ObjectDeleting(row.identity, 1)])
    assert caught.value.code == "release.superseded"
    assert [r.state for r in journal.inventory(app)] == ["present"]


def test_an_older_release_deletes_nothing_once_a_newer_one_is_open(journal: Any, app: AppKey, lease: Any) -> None:
    row = making.row(lease)
    journal.record(lease, [ports.ObjectIntended(row), making.applied(row)])
    journal.open_release(making.request(app, after=1))
    journal.open_release(making.request(app, after=2))
    with pytest.raises(errors.Conflict) as caught:
        journal.record(lease, [ports.ObjectDeleting(row.identity, 2)])
    assert caught.value.code == "release.superseded"


def test_facts_are_recorded_all_or_none(journal: Any, app: AppKey, lease: Any) -> None:
    row = making.row(lease)
    journal.record(lease, [ports.ObjectIntended(row), making.applied(row)])
    other = making.row(lease, making.config_map("other"))
    event = Event("object.changed", "ConfigMap shop/other", making.ANA, lease.until, {})
    facts = [
        ports.ObjectIntended(other),
        ports.EventAdded(event),
        making.ended(1),
        ports.ObjectDeleting(row.identity, 1),
    ]
    with pytest.raises(errors.Conflict):
        journal.record(lease, facts)
    assert [r.ref for r in journal.inventory(app)] == [ref_of(making.config_map())]
    assert journal.newest(app).outcome == "running"


def test_an_installation_has_one_identity(journal: Any) -> None:
    first = journal.installation()
    assert len(first.id) == 32
    assert int(first.id, 16) >= 0
    assert first.digest_key
    assert journal.installation() == first
