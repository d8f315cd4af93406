"""Every shipped definition compiles, passes its cases and examples, and is free of lint findings; schemas are JSON Schemas."""

from __future__ import annotations

import json

import jsonschema
import pytest
import support

from appdelivery.catalog import catalog, layouts, lint, shipped
from appdelivery.catalog import jsonschema as schemas
from appdelivery.language.text import yaml_in
from appdelivery.platform import checking

KNOWN = catalog.Catalog()


def accepts(schema, value):
    return [e.message for e in jsonschema.Draft202012Validator(schema).iter_errors(value)]


def document(path):
    with open(path, "rb") as file:
        return yaml_in.load(file.read(), path)[0]


def test_the_shipped_folder_holds_components_and_traits():
    assert {"webservice", "worker", "config"} <= set(KNOWN.names(layouts.COMPONENT))
    assert {"hpa", "scaler", "gateway"} <= set(KNOWN.names(layouts.TRAIT))
    assert shipped.folder().startswith(support.ROOT)


def test_every_case_and_example_passes():
    results = checking.test((), (), pattern="", update=False)
    assert [(r.definition, r.case, r.difference, r.problems) for r in results if not r.passed] == []
    assert len(results) > 100
    tested = {r.definition for r in results if not r.case.startswith("example")}
    assert tested == {f"{folder}/{d.name}" for d in KNOWN.all() for folder in (d.file.split("/")[-2],)}


def test_every_definition_has_an_example_a_description_and_no_lint_finding():
    assert [str(p) for p in lint.definitions(KNOWN)] == []
    assert [d.name for d in KNOWN.all() if not d.examples and d.use != "refuse"] == []


def test_the_definition_schema_accepts_every_shipped_file_and_names_what_is_wrong():
    schema = schemas.definition_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    for definition in KNOWN.all():
        tree = document(definition.file)
        assert accepts(schema, tree) == [], definition.file
        assert accepts(schema, {**tree, "outputz": {}})
        assert accepts(schema, {k: v for k, v in tree.items() if k != "metadata"})


@pytest.fixture(scope="module")
def application_schema():
    schema = schemas.application_schema(KNOWN)
    jsonschema.Draft202012Validator.check_schema(schema)
    return schema


def test_the_application_schema_accepts_the_examples(application_schema):
    for example in [document(f"{support.ROOT}/examples/inference.yaml"), *[e for d in KNOWN.all() for e in d.examples]]:
        assert accepts(application_schema, json.loads(json.dumps(example))) == []


@pytest.mark.parametrize(
    "component",
    [
        {"name": "a", "type": "webservce", "properties": {}},
        {"name": "a", "type": "webservice"},
        {"name": "a", "type": "webservice", "properties": {"image": 5}},
        {"name": "a", "type": "webservice", "properties": {"image": "x", "imagePulPolicy": "Always"}},
        {"name": "a", "type": "webservice", "properties": {"image": "x"}, "traits": [{"type": "scaler", "properties": {"replicas": "many"}}]},
        {"name": "A_b", "type": "webservice", "properties": {"image": "x"}},
    ],
)  # fmt: skip
def test_the_application_schema_refuses(application_schema, component):
    tree = {
        "apiVersion": "core.oam.dev/v1beta1", "kind": "Application", "metadata": {"name": "a"}, "spec": {"components": [component]},
    }  # fmt: skip
    assert accepts(application_schema, tree)


def test_the_application_schema_lets_expressions_stand_anywhere(application_schema):
    properties = {"image": "x", "replicas": "${{ components.b.output.spec.replicas }}"}
    component = {"name": "a", "type": "webservice", "properties": properties}
    tree = {
        "apiVersion": "core.oam.dev/v1beta1", "kind": "Application", "metadata": {"name": "a"}, "spec": {"components": [component]},
    }  # fmt: skip
    assert accepts(application_schema, tree) == []


def test_the_values_schema_is_what_the_check_applies():
    schema = schemas.values_schema(KNOWN.resolve(layouts.TRAIT, "scaler"))
    jsonschema.Draft202012Validator.check_schema(schema)
    assert accepts(schema, {"replicas": 2}) == []
    assert accepts(schema, {"replica": 2})
