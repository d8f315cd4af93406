"""When an application is well, how long it is waited for, and in which order its parts come: as its author decides."""

from __future__ import annotations

import json
import secrets
import time
from typing import TYPE_CHECKING, Any

import laboratory
import parts
import pytest
import support

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(420), pytest.mark.xdist_group("plane-two")]


@pytest.fixture(scope="module")
def group(real_plane, kubectl_program: str, tmp_path_factory) -> Iterator[str]:
    """API group of a kind whose status the tests write."""
    home = str(tmp_path_factory.mktemp("group"))
    lab = laboratory.Laboratory(home, real_plane.kubeconfig, real_plane.contexts[0], kubectl_program)
    with parts.widgets(lab, f"e2e-{secrets.token_hex(4)}.example.com") as name:
        yield name


@pytest.fixture
def space(lab: laboratory.Laboratory) -> laboratory.Laboratory:
    lab.kubectl("create", "namespace", lab.namespace)
    return lab


def with_rules(lab: laboratory.Laboratory, group: str, name: str, **rule: Any) -> str:
    rules = [{"selector": {"resourceTypes": ["Widget"]}, **rule}]
    health = parts.policy("health", rules=rules)
    return parts.application(lab, name, parts.objects(parts.widget(group, name, size=1)), policies=(health,))


PHASES = {
    "healthy": "${{ output.status.phase == 'Good' }}",
    "failed": "${{ output.status.phase == 'Bad' }}",
    "message": "${{ output.status.note | default('no note') }}",
}


def test_a_rule_of_the_author_judges_what_nobody_else_knows(space: laboratory.Laboratory, group: str) -> None:
    kind = f"widgets.{group}"
    good = parts.Running(space, "up", with_rules(space, group, "good", **PHASES))
    bad = parts.Running(space, "up", with_rules(space, group, "bad", **PHASES))
    for running, name in ((good, "good"), (bad, "bad")):
        running.says("created")
        parts.set_status(space, kind, name, phase="Working", note="half way")
        running.says("progressing, half way")
    parts.set_status(space, kind, "good", phase="Good", note="all there")
    parts.set_status(space, kind, "bad", phase="Bad", note="the disk is broken")
    good.ended(0)
    assert "healthy, all there" in good.err
    assert "the disk is broken" in bad.ended(1).out
    assert "the disk is broken" in space.appctl("why", f"{space.namespace}/bad").out
    space.appctl("status", f"{space.namespace}/bad", "--exit-code", code=1)
    space.appctl("status", f"{space.namespace}/good", "--live", "--exit-code")
    parts.set_status(space, kind, "good", phase="Bad", note="broken since")
    assert "degraded" in space.appctl("status", f"{space.namespace}/good", "--live", "--exit-code", code=1).out


def test_a_rule_that_cannot_be_evaluated_is_unknown_and_says_why(space: laboratory.Laboratory, group: str) -> None:
    app = with_rules(space, group, "shop", healthy="${{ 10 / output.status.parts == 2 }}")
    running = parts.Running(space, "up", app, "--timeout", "20s")
    running.says("created")
    parts.set_status(space, f"widgets.{group}", "shop", parts=0)
    running.says("unknown, the health rule failed")
    parts.set_status(space, f"widgets.{group}", "shop", parts=5)
    running.ended(0)


def test_a_rule_that_is_wrong_or_meant_for_nothing_is_told_before_anything_is_applied(
    space: laboratory.Laboratory, group: str
) -> None:
    broken = with_rules(space, group, "broken", healthy="${{ output.status. }}")
    refused = space.appctl("up", broken, code=None)
    parts.answered(refused, 2, "broken.yaml:", "expected name or number in expression", "healthy: ${{ output.status. }}")
    rules = [{"selector": {"resourceTypes": ["Gadget"]}, "wait": "none"}]
    policies = (parts.policy("health", rules=rules),)
    idle = parts.application(space, "idle", parts.objects(parts.config_map("one", a="b")), policies=policies)
    assert "a rule of policy health matches no object of the application: kinds Gadget" in space.appctl("plan", idle).out


def test_what_need_not_be_waited_for_is_not(space: laboratory.Laboratory, group: str) -> None:
    app = with_rules(space, group, "shop", wait="none")
    begun = time.monotonic()
    assert "succeeded" in space.appctl("up", app).out
    applied = parts.application(space, "late", parts.objects(parts.deployment("late", weather="never-ready")))
    assert "succeeded" in space.appctl("up", applied, "--wait", "applied").out
    assert time.monotonic() - begun < 20 * support.SCALE
    assert space.get("deployment", "late")["status"].get("availableReplicas", 0) == 0


def test_waiting_ends_as_the_policy_says_and_names_the_reason(space: laboratory.Laboratory) -> None:
    """Five applications at once: each waits for pods that never are what they should be."""

    def begin(name: str, weather: str, *words: str, **patience: Any) -> parts.Running:
        body = parts.deployment(name, weather=weather)
        policies = (parts.policy("health", **patience),) if patience else ()
        app = parts.application(space, name, parts.objects(body), policies=policies)
        return parts.Running(space, "up", app, *words)

    late = begin("late", "never-ready", deadline="3s")
    quiet = begin("quiet", "never-ready", noActivity="2s", deadline="60s")
    crashing = begin("crashing", "crash", errorBudget=2)
    patient = begin("patient", "crash", errorBudget=5, deadline="7s")
    timed = begin("timed", "never-ready", "--timeout", "3s")

    assert "not ready within 3s" in late.ended(1).out
    assert "nothing has changed for 2s" in quiet.ended(1).out
    assert "3 failures, 2 are allowed" in crashing.ended(1).out
    assert "CrashLoopBackOff" in crashing.err
    assert "not ready within 7s" in patient.ended(1).out
    timed.ended(3)
    assert f"deliver {space.namespace}/timed: not healthy within the time-out" in timed.err
    assert f"go on waiting: appctl wait {space.namespace}/timed" in timed.err

    outcomes = {
        name: json.loads(space.appctl("history", f"{space.namespace}/{name}", "-o", "json").out)["items"][0]["outcome"]
        for name in ("late", "timed")
    }
    assert outcomes == {"late": "failed", "timed": "running"}
    assert "is timed-out" in space.appctl("wait", f"{space.namespace}/timed", "--timeout", "1s", code=3).out
    parts.make_ready(space)
    space.appctl("wait", f"{space.namespace}/timed", "--timeout", "30s")
    space.appctl("up", f"{space.home}/timed.yaml")


def test_a_component_gets_the_live_value_of_another_as_soon_as_it_is_there(space: laboratory.Laboratory, group: str) -> None:
    address = "${{ components.entry.output.status.address }}"
    reader = parts.component("config", "reader", configMaps={"reader": {"address": address}})
    entry = parts.objects(parts.widget(group, "entry", size=1), name="entry")
    running = parts.Running(space, "up", parts.application(space, "shop", reader, entry))
    running.says("Widget")
    running.says("created")
    parts.set_status(space, f"widgets.{group}", "entry", **parts.ready("False", message="no address yet"))
    running.says("no address yet")
    assert "configmap/reader" not in space.names("configmaps")
    parts.set_status(space, f"widgets.{group}", "entry", address="203.0.113.7", **parts.ready())
    running.ended(0)
    assert space.get("configmap", "reader")["data"] == {"address": "203.0.113.7"}

    before = space.get("configmap", "reader")["metadata"]["resourceVersion"]
    assert "2 unchanged" in space.appctl("up", f"{space.home}/shop.yaml").out
    assert space.get("configmap", "reader")["metadata"]["resourceVersion"] == before
    parts.set_status(space, f"widgets.{group}", "entry", address="203.0.113.8")
    space.appctl("up", f"{space.home}/shop.yaml")
    assert space.get("configmap", "reader")["data"] == {"address": "203.0.113.8"}


def test_a_component_comes_after_what_it_depends_on_and_goes_before_it(space: laboratory.Laboratory, group: str) -> None:
    first = parts.objects(parts.widget(group, "first", size=1), name="first")
    second = parts.objects(parts.config_map("second", a="b"), name="second", dependsOn=["first"])
    third = parts.objects(parts.config_map("third", a="b"), name="third", dependsOn=["second"])
    running = parts.Running(space, "up", parts.application(space, "shop", third, second, first))
    running.says("first: created")
    parts.set_status(space, f"widgets.{group}", "first", **parts.ready("False", message="not yet"))
    running.says("not yet")
    assert space.names("configmaps") == ["configmap/kube-root-ca.crt"]
    parts.set_status(space, f"widgets.{group}", "first", **parts.ready())
    said = running.ended(0).err
    assert said.index("first: created") < said.index("second: created") < said.index("third: created")

    gone = space.appctl("delete", f"{space.namespace}/shop", "--yes").err
    assert gone.index("third: deleted") < gone.index("second: deleted") < gone.index("first: deleted")


def test_what_a_failed_component_holds_up_is_not_begun_and_said(space: laboratory.Laboratory) -> None:
    web = parts.objects(parts.deployment("web", weather="never-ready"), name="web")
    after = parts.objects(parts.config_map("after", a="b"), name="after", dependsOn=["web"])
    beside = parts.objects(parts.config_map("beside", a="b"), name="beside")
    policies = (parts.policy("health", deadline="1s"),)
    done = space.appctl("up", parts.application(space, "shop", web, after, beside, policies=policies), code=1)
    assert "2 created" in done.out
    assert "waiting behind it: component after" in done.err
    assert space.names("configmaps") == ["configmap/beside", "configmap/kube-root-ca.crt"]
