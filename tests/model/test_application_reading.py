"""Applications are read strictly: every structural problem at once, each at its place."""

from __future__ import annotations

import time

import pytest

from appdelivery import errors
from appdelivery.language.text import yaml_in
from appdelivery.model import reading
from appdelivery.model.application import Input, Output
from appdelivery.model.refs import AppKey

HEAD = "apiVersion: core.oam.dev/v1beta1\nkind: Application\nmetadata: {name: shop}\n"
WEB = "spec:\n  components:\n  - {name: web, type: webservice}\n"


def read(text, **options):
    trees = yaml_in.load(text.encode(), "app.yaml")
    return reading.documents([("app.yaml", index, tree) for index, tree in enumerate(trees)], **options)


def problems(text, **options):
    with pytest.raises(errors.SpecError) as caught:
        read(text, **options)
    return caught.value.problems


def only(text, **options):
    found = problems(text, **options)
    assert len(found) == 1, [problem.message for problem in found]
    return found[0]


def spec(body):
    return HEAD + "spec:\n" + "".join(f"  {line}\n" for line in body.strip("\n").split("\n"))


def test_a_whole_application_becomes_records():
    found = read(
        """
apiVersion: core.oam.dev/v1beta1
kind: Application
metadata: {name: shop, namespace: prod, labels: {team: a}, annotations: {note: b}}
spec:
  components:
  - name: db
    type: k8s-objects
    properties: {objects: []}
    outputs: [{name: ip, valueFrom: output.spec.clusterIP, secret: true}]
  - name: api
    type: webservice@1.2.0
    properties: {image: "a:1"}
    dependsOn: [db]
    inputs: [{from: ip, parameterKey: "env[0].value"}, {from: ip}]
    traits:
    - {type: gateway, name: outside, properties: {domain: a.b}}
    - {type: labels, target: {kind: Deployment, name: api}}
  policies:
  - {type: health, properties: {deadline: 5m}}
"""
    )
    app = found.applications[0]
    assert app.key == AppKey("prod", "shop")
    assert (app.labels, app.annotations, app.file, app.index) == ({"team": "a"}, {"note": "b"}, "app.yaml", 0)
    db, api = app.components
    assert db.outputs == (Output("ip", "output.spec.clusterIP", secret=True),)
    assert api.type == "webservice@1.2.0"
    assert api.depends_on == ("db",)
    assert api.inputs == (Input("ip", "env[0].value"), Input("ip", ""))
    assert [(t.type, t.name, t.target) for t in api.traits] == [
        ("gateway", "outside", None),
        ("labels", "", ("Deployment", "api")),
    ]
    assert api.path == ("spec", "components", 1)
    assert api.traits[1].path == ("spec", "components", 1, "traits", 1)
    assert [(p.name, p.type, p.properties) for p in app.policies] == [("health", "health", {"deadline": "5m"})]
    assert app.workflow is None
    assert app.document["metadata"]["name"] == "shop"


def test_the_namespace_defaults_to_the_context():
    assert read(HEAD + WEB, namespace="team-a").applications[0].key == AppKey("team-a", "shop")


def test_one_document_can_be_read_alone():
    tree = yaml_in.load((HEAD + WEB).encode(), "a.yaml")[0]
    assert reading.application(tree, "a.yaml", 3).index == 3
    with pytest.raises(errors.SpecError, match="expected an Application"):
        reading.application(
            {"apiVersion": "core.oam.dev/v1alpha1", "kind": "Policy", "metadata": {"name": "p"}, "type": "debug"},
            "a.yaml",
            0,
        )


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("a: 1", "this document has no apiVersion and kind", "an application starts with"),
        ("[1]", "a document is a map with apiVersion and kind, not a list", ""),
        ("just text", "a document is a map with apiVersion and kind, not the text 'just text'", ""),
        ("{apiVersion: v1, kind: Service}", "v1 Service is not a document of ours", "k8s-objects"),
        (
            "{apiVersion: argoproj.io/v1alpha1, kind: Application}",
            "argoproj.io/v1alpha1 Application is not",
            "core.oam.dev/v1beta1",
        ),
        (
            "{apiVersion: core.oam.dev/v1beta1, kind: Aplication}",
            "unknown kind 'Aplication', did you mean 'Application'?",
            "known:",
        ),
        ("{apiVersion: core.oam.dev/v1beta1, kind: Policy}", "a Policy is core.oam.dev/v1alpha1", "v1alpha1"),
        ("{apiVersion: core.oam.dev/v1alpha2, kind: Component}", "Component was replaced by Application in 2021", "v1beta1"),
        ("{apiVersion: core.oam.dev/v1alpha2, kind: ApplicationConfiguration}", "replaced by Application in 2021", ""),
        ("{apiVersion: core.oam.dev/v1alpha2, kind: HealthScope}", "replaced by Application in 2021", ""),
        ("{apiVersion: standard.oam.dev/v1alpha1, kind: Rollout}", "not a document of ours", ""),
        ("{apiVersion: core.oam.dev/v1beta1, kind: TraitDefinition}", "holds CUE", "appctl import kubevela"),
        ("{apiVersion: appdelivery.dev/v1, kind: TraitDefinition}", "does not stand among applications", "--definitions"),
    ],
)
def test_other_documents_are_refused_with_what_to_do(text, message, hint):
    problem = only(text)
    assert message in problem.message
    assert hint in problem.hint


@pytest.mark.parametrize(
    ("body", "path", "message"),
    [
        ("components: []", ("components",), "at least 1 component must be given"),
        ("components: {}", ("components",), "expected a list, got a map"),
        ("components: [web]", ("components", 0), "expected a map, got the text 'web'"),
        ("components: [{type: a}]", ("components", 0), "missing 'name'"),
        ("components: [{}]", ("components", 0), "missing 'name' and 'type'"),
        ("components: [{name: a/b, type: a}]", ("components", 0, "name"), "'a/b' is not a name: up to 63"),
        ("components: [{name: -a, type: a}]", ("components", 0, "name"), "'-a' is not a name"),
        ("components: [{name: é, type: a}]", ("components", 0, "name"), "'é' is not a name"),
        ("components: [{name: 1, type: a}]", ("components", 0, "name"), "expected text, got the number 1"),
        ("components: [{name: a, type: a@9.9}]", ("components", 0, "type"), "'9.9' is not a version"),
        ("components: [{name: a, type: a b}]", ("components", 0, "type"), "'a b' is not the name of a definition"),
        ("components: [{name: a, type: a, trait: []}]", ("components", 0, "trait"), "unknown field 'trait', did you mean 'traits'?"),
        ("components: [{name: a, type: a, properties: []}]", ("components", 0, "properties"), "expected a map, got a list"),
        ("components: [{name: a, type: a, replicaKey: b}]", ("components", 0, "replicaKey"), "set by policy replication"),
        ("components: [{name: a, type: a, externalRevision: b}]", ("components", 0, "externalRevision"), "thing of the past"),
        ("components: [{name: a, type: a, traits: [{properties: {}}]}]", ("components", 0, "traits", 0), "missing 'type'"),
        ("components: [{name: a, type: a, traits: [{type: b, target: {kind: c}}]}]", ("components", 0, "traits", 0, "target"), "missing 'name'"),
        ("components: [{name: a, type: '${{ x }}'}]", ("components", 0, "type"), "'${{' is not evaluated here"),
        ("components: [{name: a, type: a, inputs: [{parameterKey: b}]}]", ("components", 0, "inputs", 0), "missing 'from'"),
        ("components: [{name: a, type: a}]\nworkfow: {}", ("workfow",), "unknown field 'workfow', did you mean 'workflow'?"),
    ],
)  # fmt: skip
def test_structure_is_checked_at_its_place(body, path, message):
    problem = only(spec(body))
    assert problem.path == ("spec", *path)
    assert message in problem.message
    assert (problem.file, problem.document) == ("app.yaml", 0)


def test_component_names_are_label_values_as_in_published_examples():
    assert read(spec("components: [{name: mysql.StatefulSet.mysql_1, type: a}]")).applications[0].components[0].name


def test_an_application_name_is_a_dns_label():
    problem = only(HEAD.replace("shop", "My.Shop") + WEB)
    assert (problem.path, problem.hint) == (("metadata", "name"), "for example my-shop")


def test_expressions_are_named_where_they_may_stand():
    problem = only(spec("components: [{name: 'a-${{ x }}', type: a}]"))
    assert "properties" in problem.hint
    assert "valueFrom" in problem.hint
    read(spec("components: [{name: a, type: a, properties: {x: '${{ context.appName }}'}}]"))


def test_all_problems_come_together():
    found = problems(HEAD.replace("shop", "Shop") + "spec:\n  components: [{name: a}, {type: b, x: 1}]\n  foo: 1\n")
    assert len(found) == 5


def test_a_broken_part_hides_no_problem_of_another():
    found = problems(
        spec("""
components: [{name: a, typ: a}]
policies: [{name: p, type: topolgy}, {name: d, type: drift}]
workflow: {steps: [{type: x, dependsOn: [y], inputs: [{from: o}]}]}
""")
    )
    messages = " | ".join(problem.message for problem in found)
    for part in (
        "unknown field 'typ'",
        "missing 'type'",
        "unknown policy type 'topolgy'",
        "'heal'",
        "no step 'y'",
    ):
        assert part in messages
    assert "nobody writes" not in messages  # who writes is not known while the components are broken


@pytest.mark.parametrize("name", ["components", "policies"])
def test_names_are_unique_and_both_places_are_named(name):
    bodies = {
        "components": "components: [{name: a, type: a}, {name: b, type: b}, {name: a, type: c}]",
        "policies": "components: [{name: a, type: a}]\npolicies: [{name: a, type: debug}, {name: b, type: debug}, {name: a, type: debug}]",
    }
    problem = only(spec(bodies[name]))
    assert problem.path == ("spec", name, 2, "name")
    assert f"two {name} are named 'a'" in problem.message
    assert f"spec.{name}[0]" in problem.message


def test_applications_are_unique_over_all_documents():
    problem = only(HEAD + WEB + "---\n" + HEAD + WEB)
    assert problem.document == 1
    assert "'default/shop' is described twice" in problem.message
    read(HEAD + WEB + "---\n" + HEAD.replace("name: shop", "name: shop, namespace: other") + WEB)


def test_depends_on_names_a_component():
    problem = only(spec("components: [{name: api, type: a, dependsOn: [databse]}, {name: database, type: b}]"))
    assert problem.message == "there is no component 'databse', did you mean 'database'?"
    assert problem.path == ("spec", "components", 0, "dependsOn", 0)


def test_an_input_that_nobody_writes_is_refused():
    problem = only(
        spec(
            "components: [{name: api, type: a, inputs: [{from: db-pi}]}, {name: db, type: b, outputs: [{name: db-ip, valueFrom: x}]}]"
        )
    )
    assert problem.message == "nobody writes the output 'db-pi', did you mean 'db-ip'?"


def test_an_output_has_one_writer():
    problem = only(
        spec(
            "components: [{name: a, type: a, outputs: [{name: x, valueFrom: y}]}, {name: b, type: b, outputs: [{name: x, valueFrom: y}]}]"
        )
    )
    assert problem.message == "output 'x' is written by 'a' already"
    only(spec("components: [{name: a, type: a, outputs: [{name: x, valueFrom: y}, {name: x, valueFrom: z}]}]"))


def test_a_circle_over_depends_on_and_inputs_is_printed():
    problem = only(
        spec("""
components:
- {name: api, type: a, dependsOn: [db]}
- {name: db, type: b, inputs: [{from: dump}]}
- {name: backup, type: c, dependsOn: [api], outputs: [{name: dump, valueFrom: x}]}
""")
    )
    assert "api -> db -> backup -> api" in problem.message
    assert "a -> a" in only(spec("components: [{name: a, type: a, dependsOn: [a]}]")).message


def test_what_kubevela_ignores_is_said():
    found = read(
        HEAD.replace("}", ", annotations: {app.oam.dev/username: root, app.oam.dev/workflowName: x}}")
        + "spec:\n  components:\n  - {name: web, type: webservice, scopes: {x: y}}\nstatus: {status: running}\n"
    )
    assert sorted(warning.code for warning in found.warnings) == [
        "application.identity",
        "application.ignored",
        "application.ignored",
        "application.ignored",
    ]
    assert all(warning.level == "warning" for warning in found.warnings)


def test_an_exported_application_reads_and_annotations_are_text():
    read(HEAD.replace("}", ", uid: a, resourceVersion: '1', generation: 2, managedFields: [{a: b}]}") + WEB)
    problem = only(HEAD.replace("}", ", annotations: {app.oam.dev/autoUpdate: true}}") + WEB)
    assert problem.message == "expected text, got true"
    assert problem.hint == "write it in quotes"


def test_an_unknown_annotation_of_ours_is_an_error_and_lenient_a_warning():
    text = HEAD.replace("}", ", annotations: {app.oam.dev/publishVersoin: a, example.com/any: b}}") + WEB
    problem = only(text)
    assert "did you mean 'app.oam.dev/publishVersion'?" in problem.message
    assert [warning.message for warning in read(text, lenient=True).warnings] == [problem.message]


def test_limits_are_named():
    parts = ", ".join(f"{{name: c{i}, type: a}}" for i in range(501))
    problem = only(spec(f"components: [{parts}]"))
    assert problem.message == "501 components, at most 500 are allowed"
    assert problem.code == "application.limit"
    traits = ", ".join("{type: a}" for _ in range(33))
    assert "33 traits, at most 32" in only(spec(f"components: [{{name: a, type: a, traits: [{traits}]}}]")).message


def test_at_most_fifty_problems_are_collected_quickly():
    parts = ", ".join(f"{{name: c{i}, type: a, {', '.join(f'x{n}: 1' for n in range(50))}}}" for i in range(400))
    start = time.process_time()
    assert len(problems(spec(f"components: [{parts}]"))) == 50
    assert time.process_time() - start < 3
    many = "---\n".join(HEAD.replace("shop", "Shop") + WEB for _ in range(60))
    assert len(problems(many)) == 50


def test_empty_fields_count_as_absent():
    app = read(spec("components:\n- name: a\n  type: a\n  properties:\n  traits:\npolicies:\nworkflow:\n")).applications[0]
    assert app.components[0].properties == {}
    assert app.policies == ()


def test_a_trait_name_is_unique_per_type():
    problem = only(spec("components: [{name: a, type: a, traits: [{type: gateway, name: x}, {type: gateway, name: x}]}]"))
    assert "two traits of 'a' are named 'gateway/x'" in problem.message
    read(
        spec(
            "components: [{name: a, type: a, traits: [{type: gateway, name: x}, {type: expose, name: x}, {type: gateway}]}]"
        )
    )
