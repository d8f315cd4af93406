"""Steps that fail, are tried again, skipped, begun anew and ended; conditions, groups, items, data and time-outs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import three_clusters
from three_clusters import deploy, say, step

if TYPE_CHECKING:
    from three_clusters import Person

pytestmark = three_clusters.MARKS

STAGING = deploy("staging", "staging", "small")
PRODUCTION = deploy("production")
BROKEN = {"test.appdelivery.dev/weather": "image-pull-error"}
FAILS = step("smoke", "request", {"url": "http://127.0.0.1:1/"}, retry={"limit": 0})


def test_a_step_that_fails_is_tried_again_with_growing_pauses_and_then_fails_the_run(person: Person) -> None:
    wanted = {"apiVersion": "v1", "kind": "Namespace", "name": "team", "cluster": "us-1"}
    looks = step("smoke", "read-object", wanted, retry={"limit": 2, "interval": "100ms"})
    person.clusters.fault("us-1", "partition")
    done = person.appctl("up", person.app(STAGING, looks, PRODUCTION), "--create-namespace", code=1)
    assert done.out.startswith(f"{person.key} release 1 failed")
    assert "us-1" in done.out
    steps = {one["step"]: one for one in person.status()["steps"]}
    assert (steps["smoke"]["state"], steps["smoke"]["reason"]) == ("failed", "FailedAfterRetries")
    assert steps["smoke"]["tries"] == 3
    assert steps["production"]["state"] == "skipped"
    assert "smoke failed" in person.appctl("why", person.key).out
    person.clusters.healed()
    person.appctl("retry", person.key, "smoke")
    assert set(person.steps().values()) == {"succeeded"}
    assert person.outcomes() == ["succeeded"]


def test_a_failed_step_is_skipped_and_the_run_goes_on_to_its_end(person: Person) -> None:
    done = person.appctl("up", person.app(STAGING, FAILS, PRODUCTION), "--create-namespace", code=1)
    assert person.outcomes() == ["failed"], done
    done = person.appctl("skip", person.key, "smoke")
    assert done.out.splitlines()[0] == f"{person.key} release 1 succeeded"
    assert person.steps() == {"staging": "succeeded", "smoke": "skipped", "production": "succeeded"}
    assert person.outcomes() == ["succeeded"]
    assert person.replicas("us-1") == 2


def test_a_failed_step_is_tried_again_by_hand_and_fails_again(person: Person) -> None:
    person.appctl("up", person.app(STAGING, FAILS, PRODUCTION), "--create-namespace", code=1)
    before = person.writes()
    done = person.appctl("retry", person.key, "smoke", code=1)
    assert done.out.startswith(f"{person.key} release 1 failed")
    assert person.writes() == before
    assert person.outcomes() == ["failed"]
    done = person.appctl("retry", person.key, "staging", code=2)
    assert "retry staging: the step is succeeded" in done.err


def test_a_deployment_with_a_broken_image_fails_the_run_and_a_newer_version_mends_it(person: Person) -> None:
    file = person.app(STAGING, PRODUCTION, annotations=BROKEN, health="3s")
    done = person.appctl("up", file, "--create-namespace", code=1)
    assert done.out.startswith(f"{person.key} release 1 failed")
    assert "cannot be pulled" in done.err or "image" in done.err
    assert person.steps() == {"staging": "failed", "production": "skipped"}
    assert person.replicas("eu-1") is None
    done = person.appctl("up", person.app(STAGING, PRODUCTION, health="10s"), "--create-namespace")
    assert person.outcomes() == ["failed", "succeeded"]


def test_a_run_begins_again_from_a_step(person: Person) -> None:
    person.appctl("up", person.app(STAGING, say("one"), PRODUCTION, say("two")), "--create-namespace")
    before = person.writes()
    done = person.appctl("restart", person.key, "--from", "production")
    assert done.out.splitlines()[0] == f"{person.key} release 1 succeeded"
    assert person.writes() == before  # it stands as it is wanted
    tries = {one["step"]: one["tries"] for one in person.status()["steps"]}
    assert set(person.steps().values()) == {"succeeded"}
    assert "step staging" not in done.err
    assert "step production" in done.err
    assert tries["staging"] == 1
    done = person.appctl("restart", person.key)
    assert "step staging" in done.err
    assert person.outcomes() == ["succeeded"]
    assert "nowhere" in person.appctl("restart", person.key, "--from", "nowhere", code=2).err


def test_a_cancelled_run_keeps_what_it_has_applied(person: Person) -> None:
    file = person.app(STAGING, step("ship", "suspend"), PRODUCTION)
    person.appctl("up", file, "--create-namespace")
    done = person.appctl("cancel", person.key, code=1)
    assert done.out.startswith(f"{person.key} release 1 terminated")
    assert (person.replicas("test-1"), person.replicas("eu-1")) == (1, None)
    assert person.outcomes() == ["terminated"]
    assert "terminated" in person.appctl("cancel", person.key, code=2).err
    assert "terminated" in person.appctl("resume", person.key, code=2).err
    person.appctl("restart", person.key)
    person.appctl("resume", person.key)
    assert person.outcomes() == ["succeeded"]


def test_a_paused_run_starts_nothing_until_it_is_resumed(person: Person) -> None:
    person.appctl("up", person.app(STAGING, step("ship", "suspend"), PRODUCTION), "--create-namespace")
    person.appctl("pause", person.key)
    assert f"its run is paused; go on with: appctl resume {person.key}" in person.appctl("status", person.key).out
    person.appctl("resume", person.key)
    assert person.outcomes() == ["succeeded"]


def test_a_pause_that_nobody_has_seen_yet_is_taken_back_by_resume(person: Person) -> None:
    file = person.app(STAGING, step("night", "wait", {"for": "2h"}), PRODUCTION)
    person.appctl("up", file, "--create-namespace")
    person.appctl("pause", person.key)
    assert "it goes on at" in person.appctl("resume", person.key).out
    person.appctl("pause", person.key)
    assert "waits: it is paused" in person.appctl("up", file, "--create-namespace").out
    person.appctl("skip", person.key, "night")
    assert person.steps()["production"] == "pending"
    person.appctl("resume", person.key)
    assert person.outcomes() == ["succeeded"]


def test_steps_run_or_not_by_how_the_others_went(person: Person) -> None:
    steps = [
        FAILS,
        say("after"),
        say("mourn", "it is ${{ status.smoke.phase }}", **{"if": "status.smoke.failed"}),
        say("cheer", **{"if": "status.smoke.succeeded"}),
        say("always", **{"if": "always"}),
    ]
    person.appctl("up", person.app(*steps), "--create-namespace", code=1)
    assert person.steps() == {
        "smoke": "failed", "after": "skipped", "mourn": "succeeded", "cheer": "skipped", "always": "succeeded",
    }  # fmt: skip
    found = {one["step"]: one["message"] for one in person.status()["steps"]}
    assert found["mourn"] == "it is failed"


def test_groups_items_and_data_between_steps(person: Person) -> None:
    group = {
        "name": "verify",
        "type": "step-group",
        "subSteps": [
            say("first", "one"),
            say("second", "two ${{ status.first.phase }}", dependsOn=["first"]),
            say("third", dependsOn=["second"]),
        ],
    }
    items = say("each", "to ${{ item }}", foreach={"items": ["a", "b"], "as": "item"})
    steps = [
        deploy("staging", "staging", "small", outputs=[{"name": "where", "valueFrom": "placements[0].cluster"}]),
        say("tell", "went to ${{ inputs.where }}", inputs=[{"from": "where"}]),
        say("same", inputs=[{"from": "where", "parameterKey": "message"}]),
        group,
        items,
    ]
    person.appctl("up", person.app(*steps), "--create-namespace")
    found = {one["step"]: one for one in person.status()["steps"]}
    assert {one["state"] for one in found.values()} == {"succeeded"}
    assert found["tell"]["message"] == "went to test-1"
    assert found["same"]["message"] == "test-1"
    assert found["verify/second"]["message"] == "two succeeded"
    assert [found[f"each[{number}]"]["message"] for number in (0, 1)] == ["to a", "to b"]


def test_a_step_that_takes_too_long_fails(person: Person) -> None:
    waits = step("patience", "wait", {"for": "1h"}, timeout="500ms")
    done = person.appctl(
        "up", person.app(waits, say("after", **{"if": "status.patience.timeout"})), "--create-namespace", code=1
    )
    assert done.out.startswith(f"{person.key} release 1 failed")
    found = {one["step"]: one for one in person.status()["steps"]}
    assert (found["patience"]["state"], found["patience"]["reason"]) == ("failed", "Timeout")
    assert found["after"]["state"] == "succeeded"


def test_a_long_wait_is_left_and_said_until_when(person: Person) -> None:
    done = person.appctl("up", person.app(STAGING, step("night", "wait", {"for": "2h"}), PRODUCTION), "--create-namespace")
    assert f"{person.key} release 1 running: waits:" in done.out
    assert "it goes on at" in done.out
    done = person.appctl("resume", person.key)
    assert "it goes on at" in done.out
    person.appctl("skip", person.key, "night")
    assert person.outcomes() == ["succeeded"]


def test_steps_of_a_dag_run_side_by_side(person: Person) -> None:
    steps = [
        deploy("production", dependsOn=["staging"]),
        STAGING,
        say("told", dependsOn=["production"]),
        say("free"),
    ]
    done = person.appctl("up", person.app(*steps, mode={"steps": "DAG"}), "--create-namespace")
    order = [line.split(" step ")[1] for line in done.err.splitlines() if " step " in line and "succeeded" in line]
    names = [one.split(":")[0] for one in order]
    assert names.index("free") < names.index("staging") < names.index("production") < names.index("told")
