"""kill -9 in the middle of a workflow, and what the next command makes of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import three_clusters
from three_clusters import PLACES, deploy, say, step, until

if TYPE_CHECKING:
    from three_clusters import Person

pytestmark = three_clusters.MARKS

STAGING = deploy("staging", "staging", "small")
PRODUCTION = deploy("production")


def test_a_killed_delivery_is_taken_over_at_once_and_nothing_is_done_twice(person: Person) -> None:
    """Pods of the second step need 3 s to start: enough to be killed in."""
    marks = [{"type": "annotations", "properties": {"test.appdelivery.dev/ready-after": "300s"}}]
    slow = {"name": "slow", "type": "override", "properties": {"components": [{"name": "web", "traits": marks}]}}
    file = person.app(
        STAGING, say("told"), deploy("production", "production", "slow"), say("end"), policies=[*PLACES, slow], health="600s"
    )
    process = person.started("up", file, "--create-namespace", "--quiet")
    until(lambda: person.replicas("eu-1") and person.replicas("us-1"), "production is being delivered")
    until(lambda: person.steps().get("production") == "running", "the step is recorded")
    person.killed(process)
    assert person.steps() == {"staging": "succeeded", "told": "succeeded", "production": "running", "end": "pending"}
    assert person.outcomes() == ["running"]
    before = person.writes()
    begun = time.monotonic()
    done = person.appctl("resume", person.key)
    assert "another process works on" not in done.err
    assert time.monotonic() - begun < 20  # far below the lease of 30 s and what pods take
    assert done.out.splitlines()[0] == f"{person.key} release 1 succeeded"
    assert person.writes() == before
    tries = {one["step"]: one["tries"] for one in person.status()["steps"]}
    assert tries == {"staging": 1, "told": 1, "production": 2, "end": 1}
    assert "step staging" not in done.err


def test_a_step_killed_while_it_backs_off_keeps_its_count(person: Person) -> None:
    looks = step(
        "look", "read-object", {"apiVersion": "v1", "kind": "Namespace", "name": "team", "cluster": "us-1"},
        retry={"limit": 3, "interval": "60s"},
    )  # fmt: skip
    person.clusters.fault("us-1", "partition")
    process = person.started("up", person.app(STAGING, looks, PRODUCTION), "--create-namespace", "--quiet")
    until(lambda: person.steps().get("look") == "waiting", "the step backs off")
    person.killed(process)
    person.clusters.healed()
    done = person.appctl("retry", person.key, "look")
    assert done.out.splitlines()[0] == f"{person.key} release 1 succeeded"
    assert person.replicas("us-1") == 2


def test_a_newer_version_takes_over_from_a_killed_one(person: Person) -> None:
    file = person.app(STAGING, PRODUCTION, annotations={"test.appdelivery.dev/ready-after": "300s"}, health="600s")
    process = person.started("up", file, "--create-namespace", "--quiet")
    until(lambda: person.replicas("test-1"), "staging is being delivered")
    person.killed(process)
    person.appctl("up", person.app(STAGING, PRODUCTION, image="example/web:2"), "--create-namespace")
    assert person.outcomes() == ["superseded", "succeeded"]
    assert {person.image(name) for name in ("test-1", "eu-1", "us-1")} == {"example/web:2"}


def test_what_is_said_to_a_run_that_another_process_carries_on_is_heard_there(person: Person) -> None:
    file = person.app(STAGING, step("night", "wait", {"for": "60s"}), PRODUCTION)
    process = person.started("up", file, "--create-namespace", "--quiet")
    until(lambda: person.steps().get("night") == "waiting", "it waits")
    person.appctl("skip", person.key, "night", "--detach")
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0, out
    assert f"{person.key} release 1 succeeded" in out


def test_a_newer_release_ends_the_run_of_a_process_that_still_lives(person: Person) -> None:
    file = person.app(STAGING, PRODUCTION, annotations={"test.appdelivery.dev/ready-after": "500s"}, health="600s")
    process = person.started("up", file, "--create-namespace", "--quiet")
    until(lambda: person.replicas("test-1"), "staging is being delivered")
    person.appctl("up", person.app(STAGING, PRODUCTION, image="example/web:2"), "--create-namespace")
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0, out
    assert "release 1 superseded" in out
    assert person.outcomes() == ["superseded", "succeeded"]
    assert {person.image(name) for name in ("test-1", "eu-1", "us-1")} == {"example/web:2"}
