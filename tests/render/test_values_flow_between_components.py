"""Values of one component reach another by expression or by inputs: at render, or when the live object is known."""

from __future__ import annotations

import apps
import pytest

DB = """
- name: my-db
  type: statefulset
  properties: {image: "postgres:16.4", ports: [{port: 5432, expose: true}]}
"""
WEB = """
- name: web
  type: webservice
  properties:
    image: example/web:1.0.0
    env:
      - {name: ONE, value: "1"}
      - {name: DB, value: "%s"}
"""
SERVICE = "components.my-db.outputs.statefulsetsExpose"
LIVE = {
    "my-db": {
        "output": {"status": {"readyReplicas": 1, "phase": "ok"}},
        "outputs": {"statefulsetsExpose": {"status": {"ip": "10.0.0.7"}}},
    }
}


def env(made):
    return {
        e["name"]: e.get("value") for e in apps.body(made, "Deployment")["spec"]["template"]["spec"]["containers"][0]["env"]
    }


def component(made, name):
    return next(c for c in made.components if c.name == name)


def test_a_value_of_a_rendered_object_is_there_at_render_and_orders_the_two():
    made = apps.rendered(WEB % "${{ components.my-db.outputs.statefulsetsExpose.metadata.name }}" + DB)
    assert env(made)["DB"] == "my-db"
    assert component(made, "web").depends_on == ("my-db",)
    assert component(made, "web").waits_for == ()
    assert [c.name for c in made.components] == ["web", "my-db"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("tcp://${{ components.my-db.outputs.statefulsetsExpose.metadata.name }}.${{ context.namespace }}:${{ components.my-db.outputs.statefulsetsExpose.spec.ports[0].port }}", "tcp://my-db.prod:5432"),
        ("${{ components.my-db.outputs.statefulsetsExpose.spec.ports[0].port | string }}", "5432"),
        ("${{ components['my-db'].name | upper }}", "MY-DB"),
        ("${{ components.my-db.output.spec.template.spec.containers[0].image }}", "postgres:16.4"),
        ("${{ context.appName }}", "shop"),
        ("$${{ kept }} ${HOME} $(VAR) {{ x }}", "${{ kept }} ${HOME} $(VAR) {{ x }}"),
    ],
)  # fmt: skip
def test_expressions_in_properties_give(text, value):
    assert env(apps.rendered(WEB % text + DB))["DB"] == value


def test_a_whole_leaf_keeps_its_type_and_is_checked_where_it_stands():
    components = WEB % "${{ components.my-db.outputs.statefulsetsExpose.spec.ports[0].port }}" + DB
    (problem,) = apps.refused(components)
    assert problem.line == apps.line(apps.text(components), SERVICE)
    assert "components[web].properties.env[1].value: expected a string" in problem.message
    assert "| string" in problem.hint


def test_an_expression_that_is_null_leaves_its_place_out():
    made = apps.rendered(
        WEB % "${{ context.appLabels.get('tier') }}", head=apps.HEAD.replace("}", ", labels: {team: a}}", 1)
    )
    assert "value" not in apps.body(made, "Deployment")["spec"]["template"]["spec"]["containers"][0]["env"][1]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("${{ components.my-bd.name }}", "did you mean 'my-db'"),
        ("${{ components.my-db.outputz.x }}", "did you mean 'output"),
        ("${{ components.my-db.outputs.statefulsetExpose.metadata.name }}", "did you mean 'statefulsetsExpose'"),
        ("${{ components.my-db.output.spec.replcas }}", "has no 'replcas'"),
        ("${{ context.appnam }}", "did you mean 'appName'"),
        ("${{ parameters.x }}", "unknown name 'parameters'"),
    ],
)
def test_a_reference_to_nothing_is_refused_where_it_stands(text, said):
    components = WEB % text + DB
    (problem,) = apps.refused(components)
    assert said in f"{problem.message} {problem.hint}"
    assert problem.line == apps.line(apps.text(components), text)


def test_a_status_is_waited_for_and_the_place_shows_what_for():
    made = apps.rendered(WEB % "${{ components.my-db.outputs.statefulsetsExpose.status.ip }}" + DB)
    assert env(made)["DB"] == "<known after my-db is healthy>"
    (reference,) = component(made, "web").waits_for
    assert (reference.component, reference.target, str(reference.ref)) == ("web", "my-db", "Service prod/my-db")
    assert reference.path == ("status", "ip")
    assert component(made, "my-db").waits_for == ()


def test_a_status_that_is_known_is_put_in_and_the_revision_stays_the_same():
    components = WEB % "${{ components.my-db.outputs.statefulsetsExpose.status.ip }}" + DB
    waiting, made = apps.rendered(components), apps.rendered(components, live=LIVE)
    assert env(made)["DB"] == "10.0.0.7"
    assert component(made, "web").waits_for == ()
    assert made.key == waiting.key
    assert component(made, "web").hash != component(waiting, "web").hash


def test_a_component_that_cannot_be_made_of_a_placeholder_is_announced_and_not_guessed(tmp_path):
    body = """
    parameters: {properties: {size: {type: integer}}}
    outputs: {a: {apiVersion: v1, kind: ConfigMap, data: {double: "${{ (parameters.size * 2) | string }}"}}}
    """
    known = apps.with_definitions(tmp_path, sized=apps.component("sized", body))
    components = "- name: s\n  type: sized\n  properties: {size: '${{ components.my-db.output.status.readyReplicas }}'}" + DB
    made = apps.rendered(components, known)
    assert component(made, "s").manifests == ()
    assert component(made, "s").waits_for[0].target == "my-db"
    assert "known after my-db is healthy" in made.warnings[0].message
    assert apps.body(apps.rendered(components, known, live=LIVE), "ConfigMap")["data"] == {"double": "2"}


def test_a_cycle_of_expressions_is_printed():
    components = """
    - name: a
      type: worker
      properties: {image: "${{ components.b.name }}"}
    - name: b
      type: worker
      dependsOn: [c]
      properties: {image: "x:1"}
    - name: c
      type: worker
      properties: {image: "${{ components.a.name }}"}
    """
    (problem,) = apps.refused(components)
    assert "a -> b -> c -> a" in problem.message


def test_a_component_that_reads_itself_is_a_cycle():
    (problem,) = apps.refused("- name: a\n  type: worker\n  properties: {image: '${{ components.a.name }}'}")
    assert "a -> a" in problem.message


def test_problems_of_a_component_are_not_repeated_by_those_that_read_it(tmp_path):
    broken = "outputs: {a: {apiVersion: v1, kind: ConfigMap, data: {x: \"${{ context.appLabels['x'] }}\"}}}"
    known = apps.with_definitions(tmp_path, broken=apps.component("broken", broken))
    components = "- {name: my-db, type: broken}" + WEB % "${{ components.my-db.output.data.x }}"
    assert len(apps.refused(components, known)) == 1


# --- inputs and outputs, as KubeVela has them ---

INPUTS = """
- name: db
  type: k8s-objects
  properties: {objects: [{apiVersion: v1, kind: Service, metadata: {name: db}, spec: {ports: [{port: 5432}]}}]}
  outputs: [{name: db-ip, valueFrom: output.spec.clusterIP}, {name: words, valueFrom: 'output.metadata.name + "-x"'}]
- name: api
  type: webservice
  properties: {image: "example/api:2", env: [{name: MODE, value: prod}, {name: DB, value: ""}]}
  inputs: [{from: %s, parameterKey: '%s'}]
"""
SEEN = {"db": {"output": {"metadata": {"name": "db"}, "spec": {"clusterIP": "10.1.2.3"}}}}


def test_an_input_is_put_where_its_parameter_key_says_when_it_is_known():
    components = INPUTS % ("db-ip", "env[1].value")
    made = apps.rendered(components)
    assert env(made)["DB"] == "<known after db is healthy>"
    (reference,) = component(made, "api").waits_for
    assert (str(reference.ref), reference.path, reference.text) == (
        "Service prod/db",
        ("spec", "clusterIP"),
        "output.spec.clusterIP",
    )
    assert component(made, "api").depends_on == ("db",)
    assert env(apps.rendered(components, live=SEEN)) == {"MODE": "prod", "DB": "10.1.2.3"}


@pytest.mark.parametrize("key", ["properties.labels.tier", "labels.tier", 'labels["tier"]', '["labels"].tier'])
def test_a_parameter_key_creates_what_is_missing(key):
    made = apps.rendered(INPUTS % ("words", key), live=SEEN)
    assert apps.body(made, "Deployment")["spec"]["template"]["metadata"]["labels"]["tier"] == "db-x"


@pytest.mark.parametrize("key", ["env[7].value", "image.tag", "env..x", "env[", "[]"])
def test_a_parameter_key_that_fits_nothing_is_refused(key):
    (problem,) = apps.refused(INPUTS % ("db-ip", key))
    assert problem.code == "app.input"


def test_an_output_without_a_value_is_named():
    (problem,) = apps.refused(INPUTS % ("db-ip", "env[1].value"), live={"db": {"output": {"spec": {}}}})
    assert "output 'db-ip' of component 'db' has no value" in problem.message


def test_a_secret_output_stays_a_secret():
    components = (INPUTS % ("db-ip", "env[1].value")).replace(
        "output.spec.clusterIP}", "output.spec.clusterIP, secret: true}"
    )
    value = env(apps.rendered(components, live=SEEN))["DB"]
    assert str(value) == "<redacted>"
    assert value.open() == "10.1.2.3"


def test_a_value_read_from_a_secret_stays_one():
    components = """
    - name: settings
      type: config
      properties: {secrets: {auth: {password: {$generate: 20}}}}
    - name: web
      type: webservice
      properties: {image: "x:1", env: [{name: P, value: "${{ components.settings.output.stringData.password }}"}]}
    """
    value = env(apps.rendered(components))["P"]
    assert value.ref.name == "settings/secrets.auth.password"


def test_several_problems_of_data_flow_come_together():
    components = (
        WEB % "${{ components.nobody.name }}"
        + "  inputs: [{from: db-ip, parameterKey: 'a['}]\n"
        + INPUTS % ("db-ip", "env[9].value")
    )
    assert len(apps.refused(components)) == 3
