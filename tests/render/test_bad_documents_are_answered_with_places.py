"""All problems of a phase at once, each with its place; lenient drops unknown properties and nothing else."""

from __future__ import annotations

import apps
import pytest

from appdelivery.catalog import catalog
from appdelivery.render import bounds

MANY = """
- name: web
  type: webservice
  properties:
    image: 1.10
    cpuPercent: 3
    ports: [{port: 99090}]
- name: api
  type: webservice
  properties: {}
  traits:
    - {type: hpa, properties: {min: "2"}}
"""


def test_every_wrong_property_of_every_component_is_reported_at_once():
    whole = apps.text(MANY)
    found = [(p.line, p.message.partition(":")[0], p.code) for p in apps.refused(MANY)]
    assert found == [
        (apps.line(whole, "1.10"), "components[web].properties.image", "parameters.type"),
        (apps.line(whole, "cpuPercent"), "components[web].properties.cpuPercent", "parameters.unknown"),
        (apps.line(whole, "99090"), "components[web].properties.ports[0].port", "parameters.maximum"),
        (apps.line(whole, "{}"), "components[api].properties", "parameters.required"),
        (apps.line(whole, "hpa"), "components[api].traits[0].properties.min", "parameters.type"),
    ]


def test_a_component_that_waits_for_others_is_checked_together_with_them():
    components = MANY + "- name: late\n  type: worker\n  properties: {image: '${{ components.web.name }}', zzz: 1}\n"
    assert any("components[late].properties.zzz" in p.message for p in apps.refused(components))


def test_rules_of_components_are_reported_together_with_schemas():
    components = (
        MANY + "- name: own\n  type: webservice\n  properties: {image: 'x:1', replicas: 2}\n  traits: [{type: hpa}]\n"
    )
    assert any("owned by the trait hpa" in p.message for p in apps.refused(components))


def test_unknown_types_are_answered_with_what_was_meant_and_all_at_once():
    components = "- {name: a, type: webservce}\n- {name: b, type: worker, traits: [{type: scalr}]}"
    found = apps.refused(components)
    assert [p.message for p in found] == [
        "unknown component type 'webservce', did you mean 'webservice'?",
        "unknown trait type 'scalr', did you mean 'scaler'?",
    ]
    assert "the shipped catalogue" in found[0].hint
    assert [(p.line, p.column > 1) for p in found] == [(6, True), (7, True)]


def test_lenient_leaves_unknown_properties_out_and_warns():
    components = "- {name: a, type: worker, properties: {image: 'x:1', zzz: 1, env: [{name: A, value: b, yyy: 2}]}}"
    assert len(apps.refused(components)) == 2
    made = apps.rendered(components, lenient=True)
    assert [w.level for w in made.warnings] == ["warning", "warning"]
    container = apps.body(made, "Deployment")["spec"]["template"]["spec"]["containers"][0]
    assert container["env"] == [{"name": "A", "value": "b"}]


def test_lenient_still_refuses_everything_else():
    components = "- {name: a, type: worker, properties: {image: 5, zzz: 1}}"
    (problem,) = apps.refused(components, lenient=True)
    assert "properties.image" in problem.message


def test_a_warning_of_a_definition_does_not_stop_a_render():
    made = apps.rendered("- {name: a, type: webservice, properties: {image: ''}}")
    assert [w.message for w in made.warnings] == ["the image is empty"]
    assert made.warnings[0].path == ("spec", "components", 0, "properties", "image")


def test_a_deprecated_type_is_warned_about():
    made = apps.rendered("- {name: a, type: raw, properties: {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}}")
    assert "deprecated: use k8s-objects" in made.warnings[0].message


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        ("{$generate: 0}", "$generate"),
        ("{$secretRef: {store: x, key: y}}", "$secretRef"),
        ("{$age: AGE}", "$age is not available"),
        ("{$generate: 8, other: 1}", "$generate"),
    ],
)
def test_a_secret_spelled_wrongly_is_named(secret, said):
    found = apps.refused("- {name: a, type: config, properties: {secrets: {s: {k: SECRET}}}}".replace("SECRET", secret))
    assert said in " ".join(p.message + p.hint for p in found)
    assert found[0].path[:4] == ("spec", "components", 0, "properties")


def test_a_named_secret_is_a_reference_that_says_where_it_stands():
    made = apps.rendered("- {name: a, type: config, properties: {secrets: {s: {k: {$generate: 12}}}}}")
    value = apps.body(made, "Secret")["stringData"]["k"]
    assert (value.ref.store, value.ref.owner, value.ref.name, value.ref.length) == (
        "application", "prod/shop", "a/secrets.s.k", 12,
    )  # fmt: skip


def test_a_component_without_objects_is_refused(tmp_path):
    body = "outputs: {a: {$if: false, apiVersion: v1, kind: ConfigMap}}"
    known = apps.with_definitions(tmp_path, empty=apps.component("empty", body))
    (problem,) = apps.refused("- {name: a, type: empty}", known)
    assert (problem.code, problem.message) == ("render.empty", "component 'a' renders no object")


@pytest.mark.parametrize(
    "output",
    [
        "{kind: ConfigMap, apiVersion: 5}",
        "{apiVersion: v1, kind: X, metadata: text}",
        "{apiVersion: v1, kind: X, metadata: {name: 5}}",
    ],
)
def test_an_output_that_is_no_object_is_refused(tmp_path, output):
    known = apps.with_definitions(
        tmp_path,
        odd=apps.component("odd", 'outputs: {a: "${{ parameters.o }}"}\nparameters: {properties: {o: {type: object}}}'),
    )
    (problem,) = apps.refused("- {name: a, type: odd, properties: {o: OBJECT}}".replace("OBJECT", output), known)
    assert "output 'a'" in problem.message


def test_more_objects_than_an_application_may_have_are_refused(monkeypatch):
    monkeypatch.setattr(bounds, "OBJECTS", 3)
    (problem,) = apps.refused("- {name: a, type: config, properties: {configMaps: {b: {}, c: {}, d: {}, e: {}}}}")
    assert problem.message == "the application renders 4 objects, at most 3 are possible"


def test_no_more_than_fifty_problems_are_reported():
    components = "- name: a\n  type: worker\n  properties:\n    image: x\n" + "".join(f"    z{n}: 1\n" for n in range(80))
    assert len(apps.refused(components)) == 50


def test_a_version_that_does_not_exist_is_answered_with_those_that_do():
    version = catalog.Catalog().resolve("ComponentDefinition", "worker").version
    (problem,) = apps.refused("- {name: a, type: 'worker@9.9.9', properties: {image: x}}")
    assert problem.message == "there is no version 9.9.9 of 'worker'"
    assert version in problem.hint
