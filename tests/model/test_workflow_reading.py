"""Written workflows are parsed and checked, then refused with a sentence: nothing of them is ignored."""

from __future__ import annotations

import pytest

from appdelivery import errors
from appdelivery.language.text import yaml_in
from appdelivery.model import reading
from appdelivery.model.application import Foreach, Input, Output, Retry

HEAD = """apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: shop}
spec:
  components:
  - {name: web, type: webservice, outputs: [{name: url, valueFrom: output.status.url}]}
  workflow:
"""
DOCUMENT = """apiVersion: core.oam.dev/v1alpha1
kind: Workflow
metadata: {name: flow}
"""


def documents(text, **options):
    trees = yaml_in.load(text.encode(), "app.yaml")
    return reading.documents([("app.yaml", index, tree) for index, tree in enumerate(trees)], **options)


def problems(body, head=HEAD):
    text = head + "".join(f"    {line}\n" for line in body.strip("\n").split("\n"))
    with pytest.raises(errors.SpecError) as caught:
        documents(text)
    return caught.value.problems


def only(body):
    (found,) = problems(body)
    return found


def read(body):
    text = HEAD + "".join(f"    {line}\n" for line in body.strip("\n").split("\n"))
    return documents(text).applications[0].workflow


def test_a_good_workflow_is_kept_whole():
    found = read("""
deadline: 6h
mode: {steps: DAG, subSteps: StepByStep}
steps:
- {type: deploy, properties: {auto: false}, retry: {limit: 3, interval: 5s, backoff: exponential, factor: 2, max: 5m}}
- name: verify
  type: step-group
  concurrency: 2
  mode: DAG
  subSteps:
  - {name: smoke, type: apply-job, if: always, timeout: 10m, meta: {alias: Smoke}, effects: once}
  - {name: more, type: request, foreach: {items: [1, 2], as: n, parallelism: 2, failFast: true}}
- {name: tell, type: notification, dependsOn: [verify, step-0], inputs: [{from: url, parameterKey: text}], outputs: [{name: id, valueFrom: response.id, secret: true}]}
""")
    assert [(step.name, step.type) for step in found.steps] == [
        ("step-0", "deploy"),
        ("verify", "step-group"),
        ("tell", "notification"),
    ]
    assert found.mode == ("DAG", "StepByStep")
    assert found.deadline == "6h"
    assert found.steps[0].retry.limit == 3
    assert (found.steps[1].concurrency, found.steps[1].mode) == (2, "DAG")
    smoke, more = found.steps[1].sub_steps
    assert (smoke.condition, smoke.timeout, smoke.alias, smoke.once) == ("always", "10m", "Smoke", True)
    assert (more.foreach.items, more.foreach.name, more.foreach.parallelism) == ([1, 2], "n", 2)
    assert found.steps[2].depends_on == ("verify", "step-0")
    assert found.steps[2].outputs[0].secret


@pytest.mark.parametrize(
    ("body", "path", "message"),
    [
        ("steps: [{name: a}]", ("steps", 0), "missing 'type'"),
        ("steps: [{name: a, type: deploy, timeout: 5 minutes}]", ("steps", 0, "timeout"), "use 90s, 15m, 1h30m"),
        ("steps: [{name: a, type: deploy, foo: 1}]", ("steps", 0, "foo"), "unknown field 'foo'"),
        ("steps: [{name: a, type: deploy}, {name: a, type: deploy}]", ("steps", 1, "name"), "two steps are named 'a'"),
        ("steps: [{name: a, type: step-group, subSteps: [{name: b, type: deploy}]}, {name: b, type: deploy}]", ("steps", 1, "name"), "two steps are named 'b'"),
        ("steps: [{type: deploy, name: step-1}, {type: deploy}]", ("steps", 1, "name"), "two steps are named 'step-1'"),
        ("steps: [{name: a, type: deploy, subSteps: [{type: deploy}]}]", ("steps", 0, "subSteps"), "only for a step of type step-group"),
        ("steps: [{name: a, type: deploy, concurrency: 2}]", ("steps", 0, "concurrency"), "only for a step of type step-group"),
        ("steps: [{name: a, type: step-group}]", ("steps", 0), "a step-group needs subSteps"),
        ("steps: [{name: a, type: step-group, subSteps: [{name: b, type: step-group}]}]", ("steps", 0, "subSteps", 0, "type"), "does not stand inside another"),
        ("steps: [{name: a, type: step-group, subSteps: [{name: b, type: deploy, subSteps: []}]}]", ("steps", 0, "subSteps", 0, "subSteps"), "those do not nest"),
        ("steps: [{name: first, type: deploy}, {name: a, type: deploy, dependsOn: [frist]}]", ("steps", 1, "dependsOn", 0), "there is no step 'frist', did you mean 'first'?"),
        ("steps: [{name: a, type: deploy, inputs: [{from: ulr}]}]", ("steps", 0, "inputs", 0, "from"), "nobody writes the output 'ulr', did you mean 'url'?"),
        ("steps: [{name: a, type: deploy, outputs: [{name: url, valueFrom: x}]}]", ("steps", 0, "outputs", 0, "name"), "output 'url' is written by 'web' already"),
        ("steps: [{name: a, type: deploy, properties: {policies: [stagin]}}]", ("steps", 0, "properties", "policies", 0), "there is no policy 'stagin'"),
        ("mode: {steps: DAG}\nsteps: [{name: a, type: x, dependsOn: [b]}, {name: b, type: x, dependsOn: [a]}]", ("steps", 0), "in a circle: a -> b -> a"),
        ("steps: [{name: a, type: x, inputs: [{from: o}]}, {name: b, type: x, outputs: [{name: o, valueFrom: y}]}]", ("steps", 0, "inputs", 0, "from"), "written by step 'b', which runs later"),
        ("mode: {steps: dag}\nsteps: [{type: x}]", ("mode", "steps"), "expected one of StepByStep, DAG"),
        ("deadline: soon\nsteps: [{type: x}]", ("deadline",), "not a duration"),
        ("steps: [{type: x, retry: {limit: 21}}]", ("steps", 0, "retry", "limit"), "21 is not between 0 and 20"),
        ("steps: [{type: x, foreach: {as: n}}]", ("steps", 0, "foreach"), "missing 'items'"),
        ("steps: [{type: x, effects: twice}]", ("steps", 0, "effects"), "expected one of once, repeatable"),
        ("steps: [{type: x, retry: {factor: 0.5}}]", ("steps", 0, "retry", "factor"), "0.5 is not between 1 and 10"),
        ("steps: [{type: x, foreach: {items: [1], as: status}}]", ("steps", 0, "foreach", "as"), "'status' cannot name an item"),
        ("steps: [{type: x, foreach: {items: [1], as: a-b}}]", ("steps", 0, "foreach", "as"), "'a-b' cannot name an item"),
        ("steps: [{type: step-group, retry: {limit: 1}, subSteps: [{type: x}]}]", ("steps", 0, "retry"), "a step-group has no retry; write it on its subSteps"),
        ("steps: [{type: step-group, foreach: {items: [1]}, subSteps: [{type: x}]}]", ("steps", 0, "foreach"), "a step-group has no foreach"),
        ("steps: [{type: step-group, effects: once, subSteps: [{type: x}]}]", ("steps", 0, "effects"), "a step-group has no effects"),
        ("steps: [{type: step-group, outputs: [{name: a, valueFrom: b}], subSteps: [{type: x}]}]", ("steps", 0, "outputs"), "a step-group has no outputs"),
        ("steps: [{type: x, name: a/b}]", ("steps", 0, "name"), "'a/b' is not a name"),
        ("steps: [{type: x, name: 'a[0]'}]", ("steps", 0, "name"), "'a[0]' is not a name"),
        ("steps: [{type: x, name: '${{ a }}'}]", ("steps", 0, "name"), "'${{' is not evaluated here"),
    ],
)  # fmt: skip
def test_steps_are_checked_at_their_place(body, path, message):
    found = problems(body)
    assert len(found) == 1, [p.message for p in found]
    assert found[0].path == ("spec", "workflow", *path)
    assert message in found[0].message


def test_ref_and_steps_exclude_each_other():
    found = problems("ref: flow\nsteps: [{type: deploy}]")
    assert any("give ref or steps, not both" in p.message for p in found)


def test_ref_names_a_workflow_document():
    problem = only("ref: flwo")
    assert problem.message == "there is no Workflow document 'flwo'"
    (app,) = documents(HEAD + "    ref: flow\n---\n" + DOCUMENT + "steps: [{type: deploy}]\n").applications
    assert [step.type for step in app.workflow.steps] == ["deploy"]
    assert app.document["spec"]["workflow"] == {"steps": [{"type": "deploy"}]}  # a revision is read without the other
    missing = "steps: [{type: deploy, properties: {policies: [nowhere]}}]\n"
    with pytest.raises(errors.SpecError, match="there is no policy 'nowhere'"):
        documents(HEAD + "    ref: flow\n---\n" + DOCUMENT + missing)


def test_more_than_two_hundred_steps_are_refused():
    steps = ", ".join("{type: deploy}" for _ in range(201))
    assert any("at most 200" in p.message for p in problems(f"steps: [{steps}]"))
    groups = ", ".join("{type: step-group, subSteps: [{type: a}, {type: b}]}" for _ in range(70))
    assert any("210 steps with their sub steps" in p.message for p in problems(f"steps: [{groups}]"))


def test_a_workflow_document_becomes_a_record():
    found = documents(
        DOCUMENT
        + """
mode: {steps: DAG}
steps:
- {type: deploy}
- name: group
  type: step-group
  subSteps: [{type: a, inputs: [{from: elsewhere, parameterKey: x.y}]}, {name: c, type: b, if: always, outputs: [{name: o, valueFrom: p}]}]
"""
    )
    flow = found.workflows["default", "flow"]
    assert flow.mode == ("DAG", "DAG")
    assert flow.deadline == "24h"
    assert [step.name for step in flow.steps] == ["step-0", "group"]
    first, second = flow.steps[1].sub_steps
    assert (first.name, first.inputs) == ("step-1-0", (Input("elsewhere", "x.y"),))
    assert (second.condition, second.outputs) == ("always", (Output("o", "p"),))
    assert second.path == ("steps", 1, "subSteps", 1)


def test_what_a_step_says_of_retries_items_effects_and_groups_is_kept():
    found = documents(
        DOCUMENT
        + """
steps:
- {name: a, type: x, effects: once, meta: {alias: A}, retry: {limit: 0, interval: 1500ms, backoff: linear, factor: 3, max: 2m}}
- {name: b, type: x, retry: {}, foreach: {items: "${{ context.l }}", as: zone, parallelism: 2, failFast: false}}
- {name: c, type: x, foreach: {items: [1]}}
- {name: g, type: step-group, mode: StepByStep, concurrency: 3, subSteps: [{type: y}]}
"""
    )
    a, b, c, g = found.workflows["default", "flow"].steps
    assert (a.once, a.alias, a.retry) == (True, "A", Retry(0, 1.5, "linear", 3.0, 120.0))
    assert (b.retry, b.foreach) == (Retry(), Foreach("${{ context.l }}", "zone", 2, fail_fast=False))
    assert (c.retry, c.foreach) == (None, Foreach([1], "item", 0, fail_fast=True))
    assert (g.mode, g.concurrency) == ("StepByStep", 3)


def test_a_workflow_run_is_checked_and_refused():
    text = "apiVersion: core.oam.dev/v1alpha1\nkind: WorkflowRun\nmetadata: {name: r}\nspec: {context: {a: 1}, workflowSpec: {steps: [{type: a, timeout: x}]}}\n"
    with pytest.raises(errors.SpecError) as caught:
        documents(text)
    assert [p.path for p in caught.value.problems] == [
        ("spec", "workflowSpec", "steps", 0, "timeout"),
    ]
    with pytest.raises(errors.SpecError, match="a WorkflowRun is not carried out yet"):
        documents(text.replace("timeout: x", "timeout: 1m"))


def test_an_empty_workflow_is_none():
    assert documents(HEAD + "    steps: []\n").applications[0].workflow is None
