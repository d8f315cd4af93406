"""Staging, a question, production: what a workflow over three clusters does and says, from `up` to the end of its run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import three_clusters
from three_clusters import PLACES, deploy, say, step

from appdelivery.model.history import Actor
from appdelivery.platform import identity

if TYPE_CHECKING:
    from collections.abc import Callable

    from three_clusters import Person

pytestmark = three_clusters.MARKS


@pytest.fixture
def as_user(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Who sits at the keyboard from now on."""

    def change(name: str) -> None:
        monkeypatch.setattr(identity, "local_user", lambda: Actor("user", name, "cli"))

    return change


STAGING = deploy("staging", "staging", "small")
PRODUCTION = deploy("production")
SHIP = step("ship", "suspend", {"message": "Ship it?"})


def test_a_workflow_waits_for_its_question_and_another_command_finishes_it(person: Person) -> None:
    file = person.app(STAGING, SHIP, PRODUCTION)
    planned = person.appctl("plan", file)
    for cluster in ("test-1", "eu-1", "us-1"):
        assert cluster in planned.out
    done = person.appctl("up", file, "--create-namespace")
    assert done.out.splitlines()[0] == f"{person.key} release 1 running: waits: step ship: Ship it?"
    assert f"appctl resume {person.key} ship" in done.err
    assert [person.replicas(name) for name in ("test-1", "eu-1", "us-1")] == [1, None, None]
    assert person.steps() == {"staging": "succeeded", "ship": "suspended", "production": "pending"}
    assert {row["cluster"]: row["health"] for row in person.status()["objects"] if row["state"] == "present"} == {
        "test-1": "healthy"
    }
    shown = person.appctl("status", person.key).out
    assert "ship" in shown
    assert "suspended" in shown

    again = person.appctl("up", file, "--create-namespace")
    assert again.out == done.out  # the same release, which still waits
    assert person.outcomes() == ["running"]

    resumed = person.appctl("resume", person.key)
    assert resumed.out.splitlines()[0] == f"{person.key} release 1 succeeded"
    assert [person.replicas(name) for name in ("test-1", "eu-1", "us-1")] == [1, 2, 2]
    assert set(person.steps().values()) == {"succeeded"}
    assert {row["cluster"]: row["health"] for row in person.status()["objects"]} == dict.fromkeys(
        ("test-1", "eu-1", "us-1"), "healthy"
    )
    assert person.outcomes() == ["succeeded"]


def test_what_stands_as_it_is_wanted_is_not_written_again(person: Person) -> None:
    file = person.app(STAGING, PRODUCTION)
    person.appctl("up", file, "--create-namespace")
    written = person.writes()
    assert {name for name, _, plural, _ in written if plural == "deployments"} == {"test-1", "eu-1", "us-1"}
    done = person.appctl("up", file)
    assert person.writes() == written
    assert "unchanged" in done.out
    assert [person.replicas(name) for name in ("test-1", "eu-1", "us-1")] == [1, 2, 2]
    assert set(person.outcomes()) == {"succeeded"}


@pytest.fixture
def asking(person: Person) -> Person:
    """Nobody but Ana may approve."""
    questions = {"message": "Ship?", "approvers": ["ana"], "distinct": False}
    person.appctl("up", person.app(STAGING, step("ship", "suspend", questions), PRODUCTION), "--create-namespace")
    return person


def test_only_who_is_named_approves(asking: Person, as_user) -> None:
    for verb in ("approve", "reject"):
        done = asking.appctl(verb, asking.key, "ship", code=2)
        assert "step ship of" in done.err
        assert "is approved by ana, not by" in done.err
    assert asking.steps()["ship"] == "suspended"
    as_user("ana")
    done = asking.appctl("approve", asking.key, "ship", "--comment", "looks good")
    assert done.out.splitlines()[0] == f"{asking.key} release 1 succeeded"
    assert asking.replicas("eu-1") == 2


def test_resume_does_not_get_around_an_approval(asking: Person) -> None:
    done = asking.appctl("resume", asking.key, "ship", code=2)
    assert "is approved by ana, not by" in done.err
    done = asking.appctl("resume", asking.key)
    assert "waits: approval of ship: Ship?" in done.out
    assert f"appctl approve {asking.key} ship" in done.err
    assert asking.steps()["ship"] == "suspended"


def test_the_author_does_not_approve_where_it_is_distinct(person: Person, as_user) -> None:
    as_user("ana")
    questions = {"message": "Ship?", "approvers": ["ana", "ben"], "distinct": True}
    person.appctl("up", person.app(STAGING, step("ship", "suspend", questions), PRODUCTION), "--create-namespace")
    done = person.appctl("approve", person.key, "ship", code=2)
    assert "whoever opened the release does not approve it (distinct)" in done.err
    as_user("ben")
    person.appctl("approve", person.key)
    assert person.outcomes() == ["succeeded"]


def test_a_rejected_run_fails_and_says_who_rejected_it(asking: Person, as_user) -> None:
    as_user("ana")
    done = asking.appctl("reject", asking.key, "ship", "--comment", "not on a Friday", code=1)
    assert done.out.startswith(f"{asking.key} release 1 failed")
    assert "ana" in done.out
    assert "not on a Friday" in done.out
    assert asking.steps() == {"staging": "succeeded", "ship": "failed", "production": "skipped"}
    assert asking.outcomes() == ["failed"]
    assert [asking.replicas(name) for name in ("test-1", "eu-1")] == [1, None]
    why = asking.appctl("why", asking.key, code=None)
    assert "not on a Friday" in why.out


def test_a_deployment_that_is_not_automatic_asks_first(person: Person) -> None:
    file = person.app(STAGING, deploy("production", properties={"auto": False}))
    done = person.appctl("up", file, "--create-namespace")
    assert "approval of production: deploy to eu-1, us-1?" in done.out
    assert f"appctl approve {person.key} production" in done.err
    assert person.replicas("eu-1") is None
    person.appctl("resume", person.key, "staging", code=2)
    done = person.appctl("approve", person.key)
    assert person.outcomes() == ["succeeded"]
    assert person.replicas("eu-1") == 2


def test_a_newer_version_takes_the_place_of_one_that_waits(person: Person) -> None:
    person.appctl("up", person.app(STAGING, SHIP, PRODUCTION), "--create-namespace")
    done = person.appctl("up", person.app(STAGING, SHIP, PRODUCTION, image="example/web:2"), "--create-namespace")
    assert done.out.splitlines()[0] == f"{person.key} release 2 running: waits: step ship: Ship it?"
    assert "superseded" not in done.err  # what became of the older run is its history
    assert "step staging: succeeded" in done.err
    assert person.outcomes() == ["superseded", "running"]
    done = person.appctl("resume", person.key)
    for name in ("eu-1", "us-1"):
        assert f"Deployment {person.namespace}/web on {name}: created" in done.err
    assert "production" in person.appctl("events", person.key).out
    assert person.outcomes() == ["superseded", "succeeded"]
    assert [person.image(name) for name in ("test-1", "eu-1", "us-1")] == ["example/web:2"] * 3


def test_an_application_is_deleted_while_its_run_waits(person: Person) -> None:
    person.appctl("up", person.app(STAGING, SHIP, PRODUCTION), "--create-namespace")
    person.appctl("delete", person.key, "--yes")
    assert [person.replicas(name) for name in ("test-1", "eu-1", "us-1")] == [None] * 3
    assert person.outcomes() == ["superseded", "succeeded"]
    done = person.appctl("resume", person.key, code=2)
    assert "nothing is left to do" in done.err or "no run" in done.err


def test_one_cluster_that_is_cut_off_leaves_the_others_done(person: Person) -> None:
    file = person.app(STAGING, PRODUCTION, health="3s")
    person.appctl("up", file, "--create-namespace")
    person.clusters.fault("us-1", "partition")
    newer = person.app(STAGING, PRODUCTION, image="example/web:2", health="3s")
    done = person.appctl("up", newer, code=1)
    assert done.out.startswith(f"{person.key} release 2 partial")
    assert "us-1" in done.out + done.err
    assert [person.image(name) for name in ("test-1", "eu-1", "us-1")] == ["example/web:2", "example/web:2", "example/web:1"]
    assert person.outcomes() == ["succeeded", "partial"]
    assert "us-1" in person.appctl("why", person.key, code=None).out
    shown = person.appctl("status", person.key).out
    assert "partial" in shown
    assert "us-1" in shown
    person.clusters.healed()
    done = person.appctl("up", newer)
    assert person.image("us-1") == "example/web:2"
    assert person.outcomes()[-1] == "succeeded"


def test_a_cluster_that_is_lost_on_the_way_is_caught_up_by_the_next_up(person: Person) -> None:
    file = person.app(STAGING, SHIP, PRODUCTION, health="3s")
    person.appctl("up", file, "--create-namespace")
    person.clusters.fault("us-1", "partition")
    done = person.appctl("resume", person.key, code=1)
    assert done.out.startswith(f"{person.key} release 1 partial")
    assert (person.replicas("eu-1"), person.replicas("us-1")) == (2, None)
    assert "us-1" in person.appctl("why", person.key, code=None).out
    person.clusters.healed()
    done = person.appctl("up", file, "--create-namespace")
    assert "waits: step ship" in done.out
    person.appctl("resume", person.key)
    assert person.replicas("us-1") == 2
    assert person.outcomes() == ["superseded", "succeeded"]


def test_resume_catches_a_cluster_up_that_did_not_answer(person: Person) -> None:
    person.appctl("up", person.app(STAGING, PRODUCTION, say("told"), health="3s"), "--create-namespace")
    person.clusters.fault("us-1", "partition")
    newer = person.app(STAGING, PRODUCTION, say("told"), image="example/web:2", health="3s")
    person.appctl("up", newer, code=1)
    before = person.writes("test-1", "eu-1")
    person.clusters.healed()
    done = person.appctl("resume", person.key)
    assert done.out.splitlines()[0] == f"{person.key} release 2 succeeded"
    assert person.image("us-1") == "example/web:2"
    assert person.writes("test-1", "eu-1") == before
    assert person.outcomes() == ["succeeded", "succeeded"]
    done = person.appctl("resume", person.key, code=2)
    assert "nothing is left to do, release 2 has succeeded" in done.err


def test_a_rollback_gives_every_cluster_its_own_values_back(person: Person) -> None:
    person.appctl("up", person.app(STAGING, PRODUCTION), "--create-namespace")
    person.appctl("up", person.app(STAGING, PRODUCTION, image="example/web:2"))
    compared = person.appctl("compare", person.key, "1", "2", code=None)
    for name in ("test-1", "eu-1", "us-1"):
        assert f"~ Deployment {person.namespace}/web on {name}" in compared.out
    differs = person.appctl("diff", person.app(STAGING, PRODUCTION, image="example/web:3"), code=1)
    for name in ("test-1", "eu-1", "us-1"):
        assert f"~ Deployment {person.namespace}/web on {name}" in differs.out
    person.appctl("rollback", person.key, "--yes")
    assert [person.replicas(name) for name in ("test-1", "eu-1", "us-1")] == [1, 2, 2]
    assert {person.image(name) for name in ("test-1", "eu-1", "us-1")} == {"example/web:1"}
    assert person.outcomes() == ["succeeded"] * 3
    shown = person.appctl("show", person.key, "--release", "3", code=None)
    assert shown.code == 0, shown.err


def test_deliveries_stand_in_groups_and_under_conditions(person: Person) -> None:
    group = {
        "name": "both",
        "type": "step-group",
        "subSteps": [STAGING, deploy("production", dependsOn=["staging"], **{"if": "status.staging.failed"})],
    }
    done = person.appctl("up", person.app(group), "--create-namespace")
    assert done.out.startswith(f"{person.key} release 1 succeeded")
    assert [person.replicas(name) for name in ("test-1", "eu-1", "us-1")] == [1, None, None]
    assert person.steps() == {"both": "succeeded", "both/staging": "succeeded", "both/production": "skipped"}
    group["subSteps"][1].pop("if")
    person.appctl("up", person.app(group), "--create-namespace")
    assert [person.replicas(name) for name in ("test-1", "eu-1", "us-1")] == [1, 2, 2]


def test_a_cluster_that_leaves_the_placement_is_cleared_at_the_end_of_the_run(person: Person) -> None:
    person.appctl("up", person.app(STAGING, PRODUCTION), "--create-namespace")
    where = {"name": "production", "type": "topology", "properties": {"clusters": ["eu-1"]}}
    policies = [one if one["name"] != "production" else where for one in PLACES]
    file = person.app(STAGING, SHIP, PRODUCTION, policies=policies)
    done = person.appctl("plan", file, code=None)
    assert "us-1" in done.out
    person.appctl("up", file, "--yes")
    assert person.replicas("us-1") == 2
    person.appctl("resume", person.key)
    assert [person.replicas(name) for name in ("test-1", "eu-1", "us-1")] == [1, 2, None]
    assert person.outcomes() == ["succeeded", "succeeded"]


def test_a_generated_workflow_goes_to_every_place(person: Person) -> None:
    done = person.appctl("up", person.app(policies=PLACES[:2]), "--create-namespace")
    assert done.out.startswith(f"{person.key} release 1 succeeded")
    assert [person.replicas(name) for name in ("test-1", "eu-1", "us-1")] == [2, 2, 2]
    assert set(person.steps().values()) == {"succeeded"}


def test_a_delivery_for_each_item_is_one_delivery(person: Person) -> None:
    person.appctl("up", person.app(deploy("staging", foreach={"items": ["a", "b"]})), "--create-namespace")
    assert person.replicas("test-1") == 2
    assert len([one for one in person.writes() if one[2] == "deployments"]) == 1


def test_nothing_answers_and_nothing_is_opened(person: Person) -> None:
    for name in ("test-1", "eu-1", "us-1"):
        person.clusters.fault(name, "partition")
    done = person.appctl("up", person.app(STAGING, PRODUCTION), "--create-namespace", code=2)
    assert "cannot reach" in done.err
    assert person.appctl("status", person.key, code=2).out == ""


def test_a_saved_plan_of_a_workflow_is_carried_out(person: Person) -> None:
    file = person.app(STAGING, SHIP, PRODUCTION)
    person.appctl("up", file, "--create-namespace")
    person.appctl("resume", person.key)
    file = person.app(STAGING, SHIP, PRODUCTION, image="example/web:2")
    person.appctl("plan", file, "--out", "saved.json", code=None)
    done = person.appctl("up", "saved.json")
    assert "release 2 running: waits: step ship" in done.out
    person.appctl("resume", person.key)
    assert {person.image(name) for name in ("test-1", "eu-1", "us-1")} == {"example/web:2"}
    assert person.outcomes() == ["succeeded", "succeeded"]


def test_a_long_run_is_bounded_by_a_timeout_and_goes_on_later(person: Person) -> None:
    file = person.app(STAGING, annotations={"test.appdelivery.dev/ready-after": "300s"}, health="600s")
    done = person.appctl("up", file, "--create-namespace", "--timeout", "1s", code=3)
    assert "not healthy within the time-out" in done.err
    assert person.outcomes() == ["running"]
    person.appctl("resume", person.key)
    assert person.outcomes() == ["succeeded"]
