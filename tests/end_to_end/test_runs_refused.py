"""What is wrong with a workflow, its policies or an order to a run is said with its place, before anything is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import three_clusters
from three_clusters import deploy, say, step

from appdelivery.model.history import Actor
from appdelivery.platform import identity

if TYPE_CHECKING:
    from three_clusters import Person

pytestmark = three_clusters.MARKS

DOCUMENT = """apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: shop, namespace: %s}
spec:
  components:
    - {name: web, type: webservice, properties: {image: "example/web:1"}, traits: [{type: scaler, properties: {replicas: 2}}]}
  policies:
    - {name: staging, type: topology, properties: {clusters: [test-1]}}
    - {name: production, type: topology, properties: {clusterLabelSelector: {env: prod}}}
    - {name: small, type: override, properties: {components: [{name: web, traits: [{type: scaler, properties: {replicas: 1}}]}]}}
%s
"""
# what is written (`policies: ` are lines under policies, others under workflow), the line within it, and what is said
STEPS = [
    ("{name: a, type: deplyo, properties: {policies: [staging]}}", "unknown step type 'deplyo', did you mean 'deploy'?"),
    ("{name: a, type: suspend, if: 'status.b.succeeded'}", "b"),
    ("{name: a, type: suspend, if: '1 +'}", "if"),
    ("{name: a, type: suspend, inputs: [{from: nobody, parameterKey: message}]}", "'nobody'"),
    ("{name: a, type: suspend, dependsOn: [bee]}", "'bee'"),
    ("{name: a, type: suspend, timeout: 5 minutes}", "5m"),
    ("{name: a, type: suspend, properties: {mesage: x}}", "unknown property 'mesage', did you mean 'message'?"),
    ("{name: a, type: suspend, subSteps: [{name: b, type: suspend}]}", "subSteps"),
    ("{name: a, type: deploy, properties: {policies: [stagin]}}", "'stagin', did you mean 'staging'?"),
    ("{name: a, type: deploy, properties: {policies: staging}}", "policies"),
    ("{name: a, type: apply-component, properties: {component: wbe}}", "there is no component 'wbe', did you mean 'web'?"),
    ("{name: a, type: suspend, retry: {limit: 99}}", "20"),
    ("{name: a, type: suspend, properties: {message: '${{ steps.nobody.outputs.x }}'}}", "nobody"),
    ("{name: '${{ context.name }}', type: suspend}", "name"),
    ("{name: a, type: suspend, properties: {distinct: true}}", "distinct is about approvers; give approvers"),
    ("{name: a, type: addon-operation, properties: {addonName: x}}", "addon-operation"),
    ("{name: a, type: wait, properties: {for: 1h, until: '2027-01-15T02:00:00Z'}}", "give one of for, until and window"),
    ("{name: a, type: print-message-in-status}", "message"),
    ("{name: a, type: step-group, subSteps: [{name: b, type: step-group, subSteps: [{name: c, type: suspend}]}]}", "group"),
    ("{name: a, type: deploy, properties: {policies: ['${{ context.name }}']}}", "known before the run starts"),
    ("{name: a, type: rollout, properties: {components: [web]}}", "rollout"),
]
POLICIES = [
    ("{name: p, type: topology, properties: {clusters: [eu-2]}}", "eu-2"),
    ("{name: p, type: topology, properties: {clusterLabelSelector: {env: stage}}}", "env"),
    ("{name: p, type: topology, properties: {clusters: [eu-1], clusterLabelSelector: {env: prod}}}", "not both"),
    ("{name: p, type: topology, properties: {cluster: [eu-1]}}", "unknown"),
    ("{name: p, type: override, properties: {components: [{name: wbe, properties: {image: x}}]}}", "wbe"),
    ("{name: p, type: override, properties: {selector: [wbe]}}", "wbe"),
    ("{name: p, type: override, properties: {components: [{name: web, properties: {imgae: x}}]}}", "imgae"),
    ("{name: p, type: override, properties: {components: [{name: web, traits: [{type: scalr}]}]}}", "scalr"),
    ("{name: p, type: replication, properties: {keys: [a], selector: [wbe]}}", "wbe"),
    ("{name: p, type: topolgy}", "unknown policy type 'topolgy', did you mean 'topology'?"),
]


def refused(person: Person, text: str, wrong: str, said: str) -> str:
    with open(f"{person.folder}/app.yaml", "w") as file:
        file.write(text)
    line = next(number for number, one in enumerate(text.splitlines(), 1) if wrong in one)
    words = []
    for command in ("up", "plan"):
        done = person.appctl(command, "app.yaml", code=2)
        assert f"app.yaml:{line}:" in done.err, done.err
        assert said in done.err, done.err
        assert done.out == ""
        words.append(done.err)
    assert f"there is no application {person.key}" in person.appctl("status", person.key, code=2).err
    assert person.writes() == []
    return words[0]


@pytest.mark.parametrize(("written", "said"), STEPS)
def test_a_wrong_step_is_refused(person: Person, written: str, said: str) -> None:
    last = "- {name: last, type: deploy, properties: {policies: [production]}}"
    refused(
        person, DOCUMENT % (person.namespace, f"  workflow:\n    steps:\n      - {written}\n      {last}"), written, said
    )


@pytest.mark.parametrize(("written", "said"), POLICIES)
def test_a_wrong_policy_is_refused(person: Person, written: str, said: str) -> None:
    steps = "  workflow:\n    steps:\n      - {name: all, type: deploy, properties: {policies: [production, p]}}"
    if "topology" in written:
        steps = steps.replace("production, ", "")
    refused(person, DOCUMENT % (person.namespace, f"    - {written}\n{steps}"), written, said)


WORKFLOWS = [
    ("ref: other\n    steps: [{name: a, type: suspend}]", "ref", "steps"),
    ("steps:\n      - {name: a, type: suspend}\n      - {name: a, type: deploy, properties: {policies: [staging]}}", "type: deploy", "'a'"),
    ("mode: {steps: DAG}\n    steps:\n      - {name: a, type: suspend, dependsOn: [b]}\n      - {name: b, type: suspend, dependsOn: [a]}", "dependsOn: [b]", "circle"),
    ("mode: {steps: Dag}\n    steps: [{name: a, type: suspend}]", "Dag", "DAG"),
    ("steps:\n      - {name: a, type: suspend, inputs: [{from: out}]}\n      - {name: b, type: suspend, outputs: [{name: out, valueFrom: by}]}", "from: out", "later"),
]  # fmt: skip


@pytest.mark.parametrize(("written", "wrong", "said"), WORKFLOWS)
def test_a_wrong_workflow_is_refused(person: Person, written: str, wrong: str, said: str) -> None:
    refused(person, DOCUMENT % (person.namespace, f"  workflow:\n    {written}"), wrong, said)


def test_all_problems_of_a_workflow_are_said_at_once(person: Person) -> None:
    written = [STEPS[number][0] for number in (0, 3, 6)]
    steps = "\n".join(f"      - {one.replace('name: a', f'name: a{number}')}" for number, one in enumerate(written))
    with open(f"{person.folder}/app.yaml", "w") as file:
        file.write(DOCUMENT % (person.namespace, f"  workflow:\n    steps:\n{steps}"))
    found = person.appctl("validate", "app.yaml", code=1)
    assert [line for line in range(13, 16) if f"app.yaml:{line}:" not in found.out + found.err] == [], found


ORDERS = [
    (("resume", "staging"), "resume staging: the step is succeeded, not suspended"),
    (("resume", "stagin"), "there is no step 'stagin', did you mean 'staging'?"),
    (("approve", "staging"), "approve staging: the step is succeeded"),
    (("approve", "ship"), "waits for no approval"),
    (("reject", "production"), "reject production: the step is pending"),
    (("skip", "staging"), "skip staging: the step is succeeded"),
    (("retry", "production"), "retry production: the step is pending"),
    (("restart", "--from", "nothing"), "there is no step 'nothing'"),
]


def test_an_order_that_a_step_does_not_take_is_refused_with_its_state(person: Person) -> None:
    steps = deploy("staging"), step("ship", "suspend"), deploy("production")
    person.appctl("up", person.app(*steps), "--create-namespace")
    before = person.steps()
    for (verb, *more), said in ORDERS:
        done = person.appctl(verb, person.key, *more, code=2)
        assert said in done.err, (verb, done.err)
    for verb in ("resume", "approve", "reject", "retry", "skip", "restart", "cancel", "pause"):
        done = person.appctl(verb, f"{person.namespace}/nothing", code=2)
        assert f"there is no application {person.namespace}/nothing" in done.err
        assert person.appctl(verb, code=64).code == 64
    assert person.steps() == before


def test_a_run_whose_place_was_taken_is_not_begun_again(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    person.appctl("up", person.app(deploy("staging"), step("ship", "suspend")), "--create-namespace")
    person.appctl("delete", person.key, "--yes")
    done = person.appctl("restart", person.key, code=2)
    assert "newer release" in done.err
    monkeypatch.setattr(identity, "local_user", lambda: Actor("user", "ben", "cli"))
    assert person.appctl("cancel", person.key, code=2).err


def test_an_output_of_a_workflow_without_deliveries_is_no_plan_of_objects(person: Person) -> None:
    done = person.appctl("up", person.app(say("hello")), "--create-namespace")
    assert done.out.startswith(f"{person.key} release 1 succeeded")
    assert person.writes() == []
