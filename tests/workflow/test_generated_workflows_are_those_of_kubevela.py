"""The cases of KubeVela's workflow step generator by their names (kubevela pkg/workflow/step/generator_test.go)."""

from __future__ import annotations

import pytest

from appdelivery import errors
from appdelivery.model import reading
from appdelivery.model.application import Application, Component, Input, Output, Policy, Step, Workflow
from appdelivery.model.refs import AppKey
from appdelivery.workflow import defaults

REF = Workflow((Step("manual-approve", "suspend", {}, ()), Step("deploy", "deploy", {}, ())))


def component(name, type="webservice", **more):
    return Component(name, type, {}, (), **more)


def app(*components, policies=(), workflow=None):
    found = tuple([Policy(name, type, given, ()) for name, type, given in policies])
    return Application(AppKey("test", "app"), components, {}, {}, {}, found, workflow)


def apply(name, *after):
    return (name, "apply-component", {"component": name}, after)


def deploy(name, *policies):
    return (name, "deploy", {"policies": list(policies)}, ())


ONE, TWO = component("example-comp-1"), component("example-comp-2")
DATABASE = component("database")
TOPOLOGIES = (
    ("example-topology-policy-1", "topology", {}),
    ("example-topology-policy-2", "topology", {}),
    ("example-override-policy-1", "override", {}),
    ("example-override-policy-2", "override", {}),
)
OVERRIDES = ("example-override-policy-1", "example-override-policy-2")
ENVS = {"envs": [{"name": "env-1"}, {"name": "env-2"}]}

CASES = {
    "apply-component-with-existing-steps": (
        app(ONE, TWO, workflow=Workflow((Step("example-comp-1", "apply-component", {"component": "example-comp-1"}, ()),))),
        [apply("example-comp-1")],
    ),
    "apply-component-with-no-steps": (app(ONE, TWO), [apply("example-comp-1"), apply("example-comp-2")]),
    "env-binding-correct": (
        app(ONE, policies=[("example-policy", "env-binding", ENVS)]),
        [
            (f"deploy-example-policy-{env}", "deploy2env", {"policy": "example-policy", "env": env}, ())
            for env in ("env-1", "env-2")
        ],
    ),
    "deploy-workflow": (
        app(ONE, policies=TOPOLOGIES),
        [deploy(f"deploy-example-topology-policy-{n}", *OVERRIDES, f"example-topology-policy-{n}") for n in (1, 2)],
    ),
    "deploy-with-ref-without-po-workflow": (app(component("example-comp", "ref-objects")), [deploy("deploy")]),
    "ref-workflow": (
        app(workflow=Workflow((), "ref-wf")),
        [("manual-approve", "suspend", {}, ()), ("deploy", "deploy", {}, ())],
    ),
    "component-with-single-dependency": (
        app(DATABASE, component("backend", depends_on=("database",))),
        [apply("database"), apply("backend", "database")],
    ),
    "component-with-multiple-dependencies": (
        app(DATABASE, component("cache"), component("backend", depends_on=("database", "cache"))),
        [apply("database"), apply("cache"), apply("backend", "database", "cache")],
    ),
    "component-with-chained-dependencies": (
        app(DATABASE, component("backend", depends_on=("database",)), component("frontend", depends_on=("backend",))),
        [apply("database"), apply("backend", "database"), apply("frontend", "backend")],
    ),
    "component-without-dependency": (app(component("standalone")), [apply("standalone")]),
    "mixed-components-some-with-dependencies": (
        app(
            component("independent1"), DATABASE, component("dependent1", depends_on=("database",)), component("independent2")
        ),
        [apply("independent1"), apply("database"), apply("dependent1", "database"), apply("independent2")],
    ),
    "TestComponentDependsOnFieldPreservation": (
        app(
            DATABASE,
            component("api-server", depends_on=("database",)),
            component("worker", depends_on=("database", "api-server")),
        ),
        [apply("database"), apply("api-server", "database"), apply("worker", "database", "api-server")],
    ),
    "TestChainGeneratorWithComponentDependsOn": (
        app(DATABASE, component("backend", depends_on=("database",)), policies=[("health", "health", {})]),
        [apply("database"), apply("backend", "database")],
    ),
    # Beyond theirs.
    "override only": (app(ONE, policies=[("small", "override", {})]), [deploy("deploy", "small")]),
    "replication only": (app(ONE, policies=[("many", "replication", {})]), [deploy("deploy", "many")]),
    "replication and topology": (
        app(ONE, policies=[("here", "topology", {}), ("many", "replication", {})]),
        [deploy("deploy-here", "many", "here")],
    ),
    "placement": (app(ONE, policies=[("best", "placement", {})]), [deploy("deploy-best", "best")]),
    "inputs order like dependsOn": (
        app(component("api", inputs=(Input("ip", ""),)), component("db", outputs=(Output("ip", "output.x"),))),
        [apply("api", "db"), apply("db")],
    ),
    "a workflow without steps is none": (app(ONE, workflow=Workflow(())), [apply("example-comp-1")]),
}


@pytest.mark.parametrize("name", CASES)
def test_the_workflow_is_generated(name):
    given, expected = CASES[name]
    found = defaults.of(given, {"ref-wf": REF})
    assert [(step.name, step.type, step.properties, step.depends_on) for step in found.steps] == expected


def test_generated_workflows_run_as_a_dag_and_written_ones_step_by_step():
    assert defaults.of(app(ONE), {}).mode == ("DAG", "DAG")
    assert defaults.of(CASES["apply-component-with-existing-steps"][0], {}).mode == ("StepByStep", "DAG")


def test_ref_workflow_not_found():
    with pytest.raises(errors.SpecError) as caught:
        defaults.of(app(workflow=Workflow((), "ref-wf-404")), {"ref-wf": REF})
    assert caught.value.problems[0].message == "there is no Workflow 'ref-wf-404' in namespace test, did you mean 'ref-wf'?"
    assert caught.value.problems[0].path == ("spec", "workflow", "ref")


def document(**spec):
    components = [{"name": "a", "type": "webservice"}]
    tree = {"apiVersion": "core.oam.dev/v1beta1", "kind": "Application", "metadata": {"name": "app"}}
    return [("app.yaml", 0, tree | {"spec": {"components": components, **spec}})]


def test_ref_workflow_conflict():
    with pytest.raises(errors.SpecError) as caught:
        reading.documents(document(workflow={"ref": "ref-wf", "steps": [{"type": "deploy"}]}))
    assert any("give ref or steps, not both" in problem.message for problem in caught.value.problems)


def test_env_binding_bad():
    with pytest.raises(errors.SpecError):
        reading.documents(document(policies=[{"name": "p", "type": "env-binding", "properties": "bad value"}]))


@pytest.mark.parametrize("name", ["suspend", "apply-component", "step-group"])
def test_builtin_types_are_step_types(name):
    """TestIsBuiltinWorkflowStepType: there they need no definition; here only step-group is the engine's own."""
    from appdelivery.workflow import spec

    asked = []
    flow = Workflow((Step("s", name, {}, (), sub_steps=(Step("t", "x", {}, ()),) if name == "step-group" else ()),))
    found = spec.of(flow, lambda type: asked.append(type) or spec.Resolved("action"))
    assert (found.steps[0].use == "") == (name == "step-group")
    assert ("step-group" in asked) is False
