"""Ctrl-C, SIGTERM and a second process: the state is kept, the lease is given back, the next command goes on."""

from __future__ import annotations

import json
import shlex
import signal
from typing import TYPE_CHECKING, Any

import parts
import pytest

if TYPE_CHECKING:
    import laboratory

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(420), pytest.mark.xdist_group("plane-two")]
WAITING = "0 of 1 pods are available"


def shop(lab: laboratory.Laboratory, image: str = "example/app:1", weather: str = "never-ready", name: str = "shop") -> str:
    bodies = [parts.deployment("web", weather=weather, image=image), parts.config_map("settings", a="b")]
    return parts.application(lab, name, parts.objects(*bodies))


def releases(lab: laboratory.Laboratory) -> list[tuple[int, str]]:
    items = json.loads(lab.appctl("history", f"{lab.namespace}/shop", "-o", "json").out)["items"]
    return [(one["release"], one["outcome"]) for one in items]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_an_interrupted_delivery_keeps_its_state_and_the_printed_command_goes_on(
    lab: laboratory.Laboratory, number: signal.Signals
) -> None:
    words = ["up", shop(lab), "--create-namespace", "--reason", "it is time"]
    running = parts.Running(lab, *words)
    running.says(WAITING)
    running.signal(number)
    running.ended(130, seconds=10)
    assert "stopped: what was applied stays and is recorded; go on with" in running.err
    assert "Traceback" not in running.err
    command = shlex.split(running.err.strip().splitlines()[-1])
    assert command == ["appctl", *words]
    assert releases(lab) == [(1, "running")]
    assert lab.get("configmap", "settings")["data"] == {"a": "b"}

    parts.make_ready(lab)
    done = lab.appctl(*command[1:])
    assert "another process" not in done.err, "the lease was not given back"
    assert "2 unchanged" in done.out
    assert releases(lab) == [(1, "succeeded")]


def test_an_interruption_while_the_cluster_is_asked_leaves_nothing_behind(lab: laboratory.Laboratory) -> None:
    with parts.line_to(lab) as (line, path):
        line.hold()
        running = parts.Running(lab, "up", shop(lab), "--kubeconfig", path)
        parts.until(lambda: line.waiting)
        running.signal(signal.SIGINT)
        running.ended(130, seconds=5)
    assert "Traceback" not in running.err
    assert json.loads(lab.appctl("list", "-A", "-o", "json").out)["items"] == []


def test_an_interrupted_deletion_goes_on_with_the_printed_command(lab: laboratory.Laboratory) -> None:
    lab.appctl("up", shop(lab, weather=""), "--create-namespace")
    lab.kubectl("patch", "configmap", "settings", "--type=merge", "-p", '{"metadata": {"finalizers": ["example.com/held"]}}')
    running = parts.Running(lab, "delete", f"{lab.namespace}/shop", "--yes")
    parts.until(lambda: "deletionTimestamp" in lab.get("configmap", "settings")["metadata"])
    parts.until(lambda: lab.names("deployments") == [])
    running.signal(signal.SIGINT)
    running.ended(130, seconds=10)
    command = shlex.split(running.err.strip().splitlines()[-1])
    assert command == ["appctl", "delete", f"{lab.namespace}/shop", "--yes"]

    lab.kubectl("patch", "configmap", "settings", "--type=merge", "-p", '{"metadata": {"finalizers": null}}')
    lab.appctl(*command[1:])
    assert "settings" not in lab.kubectl("get", "configmaps", "-o", "name")
    assert releases(lab) == [(2, "succeeded"), (1, "succeeded")]


def test_a_second_process_with_the_same_content_waits_and_finds_it_done(lab: laboratory.Laboratory) -> None:
    first = parts.Running(lab, "up", shop(lab), "--create-namespace")
    first.says(WAITING)
    second = parts.Running(lab, "up", shop(lab))
    second.says(f"another process works on {lab.namespace}/shop; waiting for it to end")
    parts.make_ready(lab)
    first.ended(0)
    assert "release 1 succeeded" in second.ended(0).out
    assert releases(lab) == [(1, "succeeded")]


def test_newer_content_takes_the_place_of_a_delivery_that_waits(lab: laboratory.Laboratory) -> None:
    first = parts.Running(lab, "up", shop(lab), "--create-namespace")
    first.says(WAITING)
    newer = lab.appctl("up", shop(lab, "example/app:2", weather=""))
    assert "release 2 succeeded" in newer.out
    assert "release 1 superseded: release 2 took its place" in first.ended(0).out
    assert releases(lab) == [(2, "succeeded"), (1, "superseded")]
    assert image(lab) == "example/app:2"


def test_a_process_that_waits_for_its_turn_can_be_interrupted(lab: laboratory.Laboratory) -> None:
    first = parts.Running(lab, "up", shop(lab), "--create-namespace")
    first.says(WAITING)
    second = parts.Running(lab, "up", shop(lab))
    second.says("another process works on")
    second.signal(signal.SIGINT)
    second.ended(130, seconds=10)
    parts.make_ready(lab)
    first.ended(0)


def image(lab: laboratory.Laboratory) -> Any:
    return lab.get("deployment", "web")["spec"]["template"]["spec"]["containers"][0]["image"]
