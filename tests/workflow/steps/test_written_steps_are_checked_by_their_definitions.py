"""Admission of written workflows: types, properties and outputs of steps against their definitions, all at once."""

from __future__ import annotations

import pytest
from step_lab import CATALOG

from appdelivery import errors
from appdelivery.catalog import catalog, layouts
from appdelivery.model import reading_fields, reading_workflow
from appdelivery.model.application import Workflow
from appdelivery.platform import checking, documents
from appdelivery.render.render import RenderContext
from appdelivery.workflow import step_checks


def found(*steps, resolve=CATALOG.resolve):
    reader = reading_fields.Reader("app.yaml", 0, lenient=False)
    workflow = reading_workflow.read(reader, ("spec", "workflow"), {"steps": list(steps)}, None)
    assert workflow is not None, reader.problems
    return step_checks.check_steps(workflow, resolve, file="app.yaml")


def said(*steps):
    return [(".".join(str(step) for step in p.path[2:]), p.message) for p in found(*steps)]


def test_a_sound_workflow_has_no_findings():
    assert said(
        {"name": "ask", "type": "request", "properties": {"url": "https://a/"}, "outputs": [{"name": "free", "valueFrom": "response.free"}]},
        {
            "name": "group",
            "type": "step-group",
            "subSteps": [{"name": "say", "type": "print-message-in-status", "inputs": [{"from": "free", "parameterKey": "message"}]}],
        },
        {"name": "wait", "type": "suspend", "properties": {"duration": "5m"}},
    ) == []  # fmt: skip


def test_an_unknown_type_is_named_with_the_nearest_and_where_it_was_searched():
    (problem,) = found({"name": "a", "type": "notificaton"})
    assert problem.message == "unknown step type 'notificaton', did you mean 'notification'?"
    assert (problem.file, problem.path, problem.hint) == (
        "app.yaml",
        ("spec", "workflow", "steps", 0, "type"),
        "searched: the shipped catalogue",
    )


def test_a_component_type_as_a_step_is_recognised():
    (problem,) = found({"name": "a", "type": "webservice"})
    assert "there is a component type of that name" in problem.hint


@pytest.mark.parametrize(
    ("step", "path", "message"),
    [
        ({"type": "suspend", "properties": {"durations": "5m"}}, "steps.0.properties.durations", "did you mean 'duration'"),
        ({"type": "suspend", "properties": {"duration": 5}}, "steps.0.properties.duration", "expected"),
        ({"type": "request"}, "steps.0.properties", "url"),
        ({"type": "request", "properties": {"url": "x", "method": "PATCH"}}, "steps.0.properties.method", "GET"),
        ({"type": "restart-workflow"}, "steps.0.type", "give one of at, after and every"),
        ({"type": "suspend", "properties": {"distinct": True}}, "steps.0.properties.distinct", "give approvers"),
        ({"type": "step-group", "properties": {"x": 1}, "subSteps": [{"type": "wait", "properties": {"for": "1s"}}]}, "steps.0.properties.x", "x"),
    ],
)  # fmt: skip
def test_properties_are_checked_against_the_schema(step, path, message):
    ((place, text),) = said({"name": "a", **step})
    assert place == path
    assert message in text


def test_sub_steps_are_checked_where_they_stand():
    ((place, _),) = said(
        {"name": "g", "type": "step-group", "subSteps": [{"name": "a", "type": "suspend", "properties": {"x": 1}}]}
    )
    assert place == "steps.0.subSteps.0.properties.x"


def test_what_inputs_will_write_counts_as_given():
    ask = {
        "name": "ask",
        "type": "request",
        "properties": {"url": "u"},
        "outputs": [{"name": "u", "valueFrom": "response.u"}],
    }
    assert said(ask, {"name": "a", "type": "request", "inputs": [{"from": "u", "parameterKey": "url"}]}) == []
    ((place, text),) = said(
        ask, {"name": "a", "type": "request", "inputs": [{"from": "u", "parameterKey": "urls"}], "properties": {"url": "x"}}
    )
    assert place == "steps.1.properties.urls"
    assert "did you mean 'url'" in text
    ((place, _),) = said(
        ask, {"name": "a", "type": "request", "inputs": [{"from": "u", "parameterKey": "url["}], "properties": {"url": "x"}}
    )
    assert place == "steps.1.inputs.0.parameterKey"


def test_rules_over_values_that_are_not_known_yet_wait():
    assert said({"name": "a", "type": "suspend", "properties": {"distinct": "${{ inputs.x }}"}}) == []


@pytest.mark.parametrize(
    ("value_from", "wrong"),
    [
        ("output.value.status", ""),
        ("output.$returns.value.status", ""),
        ("context.name", ""),
        ("parameter.name", ""),
        ("${{ output.spec.clusterIP | default('none') }}", ""),
        ("outptu.value", "unknown name 'outptu', did you mean 'output'?"),
        ("response.x", "unknown name 'response'"),
        ("output &", ""),
    ],
)
def test_value_from_names_what_the_step_gives(value_from, wrong):
    step = {
        "name": "a",
        "type": "read-object",
        "properties": {"name": "x"},
        "outputs": [{"name": "o", "valueFrom": value_from}],
    }
    got = said(step)
    if value_from == "output &":
        assert [place for place, _ in got] == ["steps.0.outputs.0.valueFrom"]
    elif wrong:
        ((place, text),) = got
        assert place == "steps.0.outputs.0.valueFrom"
        assert wrong in text
    else:
        assert got == []


def test_a_step_without_outputs_says_so():
    step = {
        "name": "a",
        "type": "print-message-in-status",
        "properties": {"message": "x"},
        "outputs": [{"name": "o", "valueFrom": "message"}],
    }
    (problem,) = found(step)
    assert problem.message.startswith("unknown name 'message'")


DEPRECATED = (
    "apply-application",
    "apply-application-in-parallel",
    "apply-remaining",
    "deploy2env",
    "deploy2runtime",
    "deploy-cloud-resource",
)


@pytest.mark.parametrize("step_type", DEPRECATED)
def test_deprecated_steps_work_with_a_warning_that_names_the_replacement(step_type):
    (problem,) = found(
        {
            "name": "a",
            "type": step_type,
            "properties": {"env": "prod"}
            if "env" in CATALOG.resolve(layouts.STEP, step_type).parameters.get("required", ())
            else {},
        }
    )
    assert (problem.level, problem.code) == ("warning", "type.deprecated")
    assert "use deploy" in problem.message
    assert CATALOG.resolve(layouts.STEP, step_type).use == "deploy"


REFUSED = {
    "addon-operation": "definition pack",
    "chat-gpt": "request step",
    "rollout": "deploy step",
    "canary-deploy": "deploy step",
    "canary-rollout": "deploy step",
    "rolling-release": "deploy step",
    "analysis": "check-metrics",
    "git-commit": "run-job",
    "run-hooks": "run-job",
    "place": "deploy computes",
    "share-cloud-resource": "export-data",
}


@pytest.mark.parametrize("step_type", REFUSED)
def test_steps_that_are_not_carried_out_name_what_to_use_instead(step_type):
    (problem,) = found({"name": "a", "type": step_type, "properties": {"anything": "${{ inputs.x }}"}})
    assert (problem.level, problem.path[-1]) == ("error", "type")
    assert REFUSED[step_type] in problem.message


KUBEVELA = """apply-component apply-deployment apply-object apply-terraform-config apply-terraform-provider build-push-image
check-metrics clean-jobs collect-service-endpoints create-config delete-config depends-on-app deploy deploy-cloud-resource
export-data export-service export2config export2secret generate-jdbc-connection list-config notification
print-message-in-status read-config read-object request restart-workflow share-cloud-resource step-group suspend vela-cli
webhook""".split()


def test_all_steps_of_kubevela_are_there():
    assert len(KUBEVELA) == 31
    assert set(KUBEVELA) <= set(CATALOG.names(layouts.STEP))


def test_steps_of_ones_own_come_first(tmp_path):
    (tmp_path / "workflows").mkdir()
    text = """apiVersion: appdelivery.dev/v1
kind: WorkflowStepDefinition
metadata: {name: tell-team, version: 1.2.0, description: Tells the team.}
parameters: {required: [text], properties: {text: {type: string, description: What is told.}}}
use: notification
with: {slack: {url: {secretRef: {name: team, key: url}}, message: {text: "${{ parameters.text }}"}}}
outputs: {told: true}
"""
    (tmp_path / "workflows" / "tell-team.yaml").write_text(text)
    known = catalog.Catalog([str(tmp_path)])
    step = {
        "name": "a",
        "type": "tell-team@1.2.0",
        "properties": {"text": "x"},
        "outputs": [{"name": "o", "valueFrom": "told"}],
    }
    assert found(step, resolve=known.resolve) == []
    assert "there is no version 2.0.0" in found({**step, "type": "tell-team@2.0.0"}, resolve=known.resolve)[0].message
    definition = known.resolve(layouts.STEP, "tell-team")
    assert (definition.outputs, definition.use, definition.source) == (("told",), "notification", "command line")


def test_a_definition_that_does_not_compile_is_named_by_its_own_file(tmp_path):
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "bad.yaml").write_text(
        "apiVersion: appdelivery.dev/v1\nkind: WorkflowStepDefinition\nmetadata: {name: bad}\n"
    )
    (problem,) = found({"name": "a", "type": "bad"}, resolve=catalog.Catalog([str(tmp_path)]).resolve)
    assert problem.file.endswith("bad.yaml")
    assert "needs use" in problem.message


@pytest.mark.parametrize(
    "tree",
    [None, 3, [], {"kind": "Application"}, {"kind": "Application", "spec": {"workflow": {"steps": [3, {"type": 4}, {"type": "suspend", "properties": 3, "inputs": 4}]}}}],
)  # fmt: skip
def test_documents_of_any_shape_are_looked_through(tree):
    assert step_checks.check_tree(tree, CATALOG.resolve) == []


@pytest.mark.parametrize("kind", ["Application", "Workflow", "WorkflowRun"])
def test_refused_documents_are_looked_through_too(kind):
    steps = [{"name": "a", "type": "suspnd"}]
    body = {
        "Application": {"spec": {"workflow": {"steps": steps}}},
        "Workflow": {"steps": steps},
        "WorkflowRun": {"spec": {"workflowSpec": {"steps": steps}}},
    }
    (problem,) = step_checks.check_tree({"kind": kind, **body[kind]}, CATALOG.resolve, file="w.yaml", document=2)
    assert "did you mean 'suspend'" in problem.message
    assert problem.document == 2


def test_validate_says_everything_with_its_line(tmp_path):
    file = tmp_path / "app.yaml"
    file.write_text(
        "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata: {name: shop}\nspec:\n"
        '  components: [{name: web, type: webservice, properties: {image: "example/web:1.4.2"}}]\n'
        "  workflow:\n    steps:\n      - {name: a, type: suspnd}\n      - name: b\n        type: suspend\n"
        "        properties:\n          duration: 5\n"
    )
    problems = checking.validate(documents.Request((str(file),)), (), RenderContext(identify=False))
    lines = {p.line: p.message for p in problems}
    assert "did you mean 'suspend'" in lines[8]
    assert "step 'b' (suspend), properties.duration" in lines[12]


def test_up_refuses_what_the_steps_get_wrong():
    from appdelivery.model.application import Application, Step
    from appdelivery.model.refs import AppKey

    steps = (
        Step("a", "suspnd", {}, ("spec", "workflow", "steps", 0)),
        Step("b", "deploy2runtime", {}, ("spec", "workflow", "steps", 1)),
    )
    app = Application(AppKey("default", "shop"), (), {}, {}, {}, workflow=Workflow(steps), file="app.yaml")
    with pytest.raises(errors.SpecError) as raised:
        checking.check_steps(app, CATALOG)
    assert [p.path[-1] for p in raised.value.problems] == ["type"]
