"""Fields that others have taken: kept, taken back or refused, as the author decides, and always said."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import parts
import pytest

if TYPE_CHECKING:
    import laboratory

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(420), pytest.mark.xdist_group("plane-three")]
IMAGE = '.spec.template.spec.containers[name="app"].image'


def shop(lab: laboratory.Laboratory, *rules: dict[str, Any], image: str = "example/app:1", other: str = "1") -> str:
    policies = (parts.policy("conflict", rules=list(rules)),) if rules else ()
    own = parts.objects(parts.deployment("web", image=image), parts.config_map("settings", a=other))
    return parts.application(lab, "shop", own, policies=policies)


def image_of(lab: laboratory.Laboratory) -> str:
    return lab.get("deployment", "web")["spec"]["template"]["spec"]["containers"][0]["image"]


def taken(lab: laboratory.Laboratory, image: str = "example/theirs:9") -> None:
    lab.kubectl("set", "image", "deployment/web", f"app={image}")


@pytest.fixture
def delivered(lab: laboratory.Laboratory) -> laboratory.Laboratory:
    lab.appctl("up", shop(lab), "--create-namespace")
    return lab


def test_a_field_taken_by_another_is_taken_back_and_the_former_owner_is_named(delivered: laboratory.Laboratory) -> None:
    lab = delivered
    taken(lab)
    planned = lab.appctl("plan", shop(lab))
    assert "~ update    Deployment/web  changed by kubectl-set" in planned.out
    assert f"{IMAGE} is taken from kubectl-set" in lab.appctl("diff", shop(lab), code=1).out
    lab.appctl("up", shop(lab))
    assert image_of(lab) == "example/app:1"
    events = json.loads(lab.appctl("events", f"{lab.namespace}/shop", "-o", "json").out)["items"]
    assert [IMAGE, "kubectl-set"] in [pair for event in events for pair in event["data"].get("taken", ())]
    assert f"{IMAGE} taken from kubectl-set" in lab.appctl("events", f"{lab.namespace}/shop").out


def test_fail_on_conflict_touches_neither_the_object_nor_what_its_owner_wrote(delivered: laboratory.Laboratory) -> None:
    lab = delivered
    taken(lab)
    refused = lab.appctl("up", shop(lab), "--fail-on-conflict", code=1)
    assert f"fields belong to other managers: {IMAGE} (owned by kubectl-set)" in refused.err
    assert "the policy conflict or --force-conflicts" in refused.err
    assert image_of(lab) == "example/theirs:9"
    assert "--force-conflicts" in lab.appctl("up", shop(lab), "--fail-on-conflict", "--force-conflicts", code=64).err
    lab.appctl("up", shop(lab), "--force-conflicts")
    assert image_of(lab) == "example/app:1"


def test_the_policy_leaves_a_field_to_its_owner_until_the_author_writes_a_new_value(
    delivered: laboratory.Laboratory,
) -> None:
    lab = delivered
    rule = {
        "selector": {"resourceTypes": ["Deployment"]},
        "paths": ["/spec/template/spec/containers/*/image"],
        "do": "yield",
    }
    taken(lab)
    lab.appctl("up", shop(lab, rule, other="2"))
    assert image_of(lab) == "example/theirs:9"
    assert lab.get("configmap", "settings")["data"] == {"a": "2"}
    assert f"left to kubectl-set: {IMAGE}" in lab.appctl("status", f"{lab.namespace}/shop").out
    assert "nothing to do" in lab.appctl("up", shop(lab, rule, other="2")).err

    taken(lab, "example/theirs:10")
    assert "nothing to do" in lab.appctl("up", shop(lab, rule, other="2")).err
    lab.appctl("up", shop(lab, rule, image="example/app:2", other="2"))
    assert image_of(lab) == "example/app:2"


def test_the_narrowest_rule_decides(delivered: laboratory.Laboratory) -> None:
    lab = delivered
    rules = [
        {"managers": ["kubectl-s*"], "paths": ["/spec/template/spec/containers/*/image"], "do": "fail"},
        {"managers": ["*"], "do": "yield"},
    ]
    taken(lab)
    lab.kubectl("patch", "configmap", "settings", "--type=merge", "-p", '{"data": {"a": "theirs"}}')
    refused = lab.appctl("up", shop(lab, *rules), code=1)
    assert f"{IMAGE} (owned by kubectl-set)" in refused.err
    assert lab.get("configmap", "settings")["data"] == {"a": "theirs"}


def test_a_finalizer_and_an_owner_of_somebody_else_stay(delivered: laboratory.Laboratory) -> None:
    lab = delivered
    lab.kubectl(
        "patch", "configmap", "settings", "--type=merge", "-p", '{"metadata": {"finalizers": ["example.com/theirs"]}}'
    )
    lab.appctl("up", shop(lab, other="2"))
    metadata = lab.get("configmap", "settings")["metadata"]
    assert metadata["finalizers"] == ["example.com/theirs"]
    lab.kubectl("patch", "configmap", "settings", "--type=merge", "-p", '{"metadata": {"finalizers": null}}')
