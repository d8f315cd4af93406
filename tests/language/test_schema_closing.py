"""What an author writes becomes one closed schema without references."""

from __future__ import annotations

import json
import marshal

import pytest

from appdelivery.language import schema


def close(parameters, **types):
    return schema.close(parameters, types)


def findings(parameters, **types):
    with pytest.raises(schema.SchemaRefused) as caught:
        close(parameters, **types)
    return caught.value.findings


def accepts(closed, value):
    space = dict(schema.NAMESPACE)
    exec(schema.source(closed), space)
    try:
        space["check"](value)
    except schema.Refusal:
        return False
    return True


def test_parameters_without_a_description_take_nothing():
    closed = close({})
    assert accepts(closed, {})
    assert not accepts(closed, {"a": 1})
    assert accepts(close({"type": "object"}), {"a": 1})


def test_parameters_are_a_map():
    assert "parameters are a map" in findings({"type": "string"})[0].message
    assert not accepts(close({"type": "object"}), [])


def test_objects_with_properties_are_closed_unless_they_say_otherwise():
    assert not accepts(close({"properties": {"a": {}}}), {"b": 1})
    assert accepts(close({"properties": {"a": {}}, "additionalProperties": True}), {"b": 1})
    mapped = close({"properties": {"a": {}}, "additionalProperties": {"type": "string"}})
    assert accepts(mapped, {"b": "x"})
    assert not accepts(mapped, {"b": 1})
    assert not accepts(close({"properties": {"a": {"properties": {"x": {}}}}}), {"a": {"y": 1}})
    assert not accepts(
        close({"properties": {"a": {"type": "array", "items": {"properties": {"x": {}}}}}}), {"a": [{"y": 1}]}
    )


def test_branches_are_closed_by_themselves_and_know_the_object_around_them():
    closed = close(
        {
            "properties": {"a": {}},
            "oneOf": [{"required": ["b"], "properties": {"b": {}}}, {"required": ["c"], "properties": {"c": {}}}],
        }
    )
    assert accepts(closed, {"a": 1, "b": 1})
    assert accepts(closed, {"c": 1})
    assert not accepts(closed, {"a": 1})
    assert not accepts(closed, {"b": 1, "c": 1})
    assert not accepts(closed, {"b": 1, "d": 1})


def test_a_union_of_objects_is_closed_without_an_object_around_it():
    closed = close({"oneOf": [{"required": ["b"], "properties": {"b": {}}}, {"properties": {"c": {}}, "required": ["c"]}]})
    assert accepts(closed, {"b": 1})
    assert not accepts(closed, {"b": 1, "x": 1})


def test_an_open_object_stays_open_in_its_branches():
    closed = close(
        {"additionalProperties": True, "properties": {"a": {}}, "anyOf": [{"properties": {"b": {"type": "string"}}}]}
    )
    assert accepts(closed, {"a": 1, "b": "x", "c": 2})
    assert not accepts(closed, {"b": 1})


def test_names_of_all_of_if_then_else_and_not_count_for_the_object_around_them():
    closed = close(
        {
            "properties": {"a": {}},
            "allOf": [{"properties": {"b": {"type": "string"}}}],
            "if": {"properties": {"mode": {"const": "x"}}, "required": ["mode"]},
            "then": {"properties": {"t": {}}, "required": ["t"]},
            "else": {"properties": {"e": {}}},
            "not": {"properties": {"n": {"const": 1}}, "required": ["n"]},
        }
    )
    assert accepts(closed, {"a": 1, "b": "x", "e": 1, "t": 1, "n": 2, "mode": "y"})
    assert not accepts(closed, {"b": 1})
    assert not accepts(closed, {"mode": "x"})
    assert not accepts(closed, {"n": 1})
    assert not accepts(closed, {"z": 1})


def test_an_object_made_only_of_all_of_is_closed():
    closed = close({"properties": {"v": {"allOf": [{"properties": {"a": {}}}, {"properties": {"b": {}}}]}}})
    assert accepts(closed, {"v": {"a": 1, "b": 1}})
    assert not accepts(closed, {"v": {"c": 1}})


def test_an_object_described_in_two_places_knows_the_names_of_both():
    closed = close(
        {
            "properties": {"limit": {"properties": {"cpu": {"type": "string"}}}},
            "allOf": [{"properties": {"limit": {"properties": {"memory": {"type": "string"}}}}}],
        }
    )
    assert accepts(closed, {"limit": {"cpu": "1", "memory": "1Gi"}})
    assert not accepts(closed, {"limit": {"cpuu": "1"}})
    assert not accepts(closed, {"limit": {"memory": 1}})


def test_references_are_inlined_with_the_keywords_beside_them_merged_over():
    files = {
        "required": ["path"],
        "properties": {"path": {"type": "string"}, "mode": {"type": "integer"}},
        "description": "a",
    }
    closed = close(
        {
            "properties": {
                "v": {
                    "$ref": "#/types/Files",
                    "required": ["name"],
                    "description": "b",
                    "properties": {"name": {}, "mode": {"type": "string"}},
                }
            }
        },
        Files=files,
    )
    made = closed["properties"]["v"]
    assert made["required"] == ["path", "name"]
    assert list(made["properties"]) == ["path", "mode", "name"]
    assert made["properties"]["mode"] == {"type": "string"}
    assert made["description"] == "b"
    assert "$ref" not in json.dumps(closed)
    assert files["properties"]["mode"] == {"type": "integer"}


def test_a_type_may_refer_to_another_type():
    closed = close(
        {"properties": {"v": {"$ref": "#/types/A"}}}, A={"$ref": "#/types/B", "required": ["x"]}, B={"properties": {"x": {}}}
    )
    assert not accepts(closed, {"v": {}})
    assert accepts(closed, {"v": {"x": 1}})


def test_closed_schemas_survive_json_and_marshal():
    closed = close({"properties": {"a": {"type": "string", "default": "x"}, "b": {"oneOf": [{"properties": {"c": {}}}]}}})
    assert json.loads(json.dumps(closed)) == closed == marshal.loads(marshal.dumps(closed))
    assert close(closed) == closed


@pytest.mark.parametrize(
    ("parameters", "path", "message"),
    [
        ({"patternProperties": {}}, ("patternProperties",), "keyword 'patternProperties' is not supported; use additionalProperties with propertyNames"),
        ({"requird": []}, ("requird",), "keyword 'requird' is not supported, did you mean 'required'?"),
        ({"properties": {"a": {"$dynamicRef": "#a"}}}, ("properties", "a", "$dynamicRef"), "not supported"),
        ({"properties": {"a": {"type": "strng"}}}, ("properties", "a", "type"), "unknown type 'strng', did you mean 'string'?"),
        ({"properties": {"a": {"type": []}}}, ("properties", "a", "type"), "list of different types"),
        ({"properties": {"a": {"type": [{}]}}}, ("properties", "a", "type"), "unknown type a map"),
        ({"properties": {"a": True}}, ("properties", "a"), "expected a schema, got true"),
        ({"properties": {"a": {"items": [{}]}}}, ("properties", "a", "items"), "expected a schema, got a list"),
        ({"properties": []}, ("properties",), "expected a map from name to schema"),
        ({"oneOf": []}, ("oneOf",), "expected a list of schemas"),
        ({"properties": {"a": {"enum": []}}}, ("properties", "a", "enum"), "expected a list of values"),
        ({"properties": {"a": {"enum": list(range(1001))}}}, ("properties", "a", "enum"), "more than 1000 values"),
        ({"properties": {"a": {"minimum": "1"}}}, ("properties", "a", "minimum"), "expected a number"),
        ({"properties": {"a": {"minimum": True}}}, ("properties", "a", "minimum"), "expected a number"),
        ({"properties": {"a": {"maximum": float("inf")}}}, ("properties", "a", "maximum"), "expected a number"),
        ({"properties": {"a": {"multipleOf": 0}}}, ("properties", "a", "multipleOf"), "above 0"),
        ({"properties": {"a": {"minLength": -1}}}, ("properties", "a", "minLength"), "from 0"),
        ({"properties": {"a": {"const": 2**70}}}, ("properties", "a", "const"), "expected JSON"),
        ({"properties": {"a": {"then": {}}}}, ("properties", "a", "then"), "'then' without 'if'"),
        ({"properties": {"a": {"pattern": "(?=a)"}}}, ("properties", "a", "pattern"), "pattern: look-ahead '(?=' is not supported"),
        ({"properties": {"a": {"pattern": "(?<=a)"}}}, ("properties", "a", "pattern"), "pattern: look-behind '(?<=' is not supported"),
        ({"properties": {"a": {"pattern": "(a)\\1"}}}, ("properties", "a", "pattern"), "back-reference"),
        ({"properties": {"a": {"pattern": "\\u0041"}}}, ("properties", "a", "pattern"), "\\u"),
        ({"properties": {"a": {"pattern": "a{1001}"}}}, ("properties", "a", "pattern"), "not a regular expression of RE2"),
        ({"properties": {"a": {"pattern": "x" * 1001}}}, ("properties", "a", "pattern"), "longer than 1000"),
        ({"properties": {"a": {"pattern": "((a{100}){100}){100}"}}}, ("properties", "a", "pattern"), "not a regular expression of RE2"),
        ({"properties": {"a": {"$ref": "#/types/B"}}}, ("properties", "a", "$ref"), "unknown type 'B'"),
        ({"properties": {"a": {"$ref": "http://x/y.json"}}}, ("properties", "a", "$ref"), "$ref: expected '#/types/NAME'"),
        ({"properties": {"a": {"$ref": "file:///etc/passwd"}}}, ("properties", "a", "$ref"), "$ref: expected '#/types/NAME'"),
        ({"properties": {"a": {"$ref": "#/properties/a"}}}, ("properties", "a", "$ref"), "$ref: expected '#/types/NAME'"),
        ({"properties": {"image": {}}, "required": ["imgae"]}, ("required", 0), "there is no property 'imgae', did you mean 'image'?"),
        ({"properties": {"a": {}}, "oneOf": [{"required": ["a"]}, {"required": ["b"]}]}, ("oneOf", 1, "required", 0), "there is no property 'b'"),
        ({"properties": {"a": {"type": "integer", "x-secret": True}}}, ("properties", "a", "x-secret"), "stands on text only"),
        ({"properties": {"a": {"type": "integer", "default": "x"}}}, ("properties", "a", "default"), "does not take this value"),
        ({"properties": {"a": {"type": "integer", "minimum": 3, "default": 2}}}, ("properties", "a", "default"), "does not take this value"),
        ({"properties": {"a": {"enum": ["x"], "default": "y"}}}, ("properties", "a", "default"), "does not take this value"),
        ({"properties": {"a": {"type": "string", "default": "${{ x }}"}}}, ("properties", "a", "default"), "an expression is not evaluated here"),
        ({"properties": {"a": {"properties": {"b": {"type": "string", "default": 1}}, "default": {}}}}, ("properties", "a", "properties", "b", "default"), "does not take"),
    ],
)  # fmt: skip
def test_what_is_not_of_the_dialect_is_refused_at_its_place(parameters, path, message):
    found = findings(parameters)
    assert found[0].path == ("parameters", *path)
    assert message in found[0].message
    assert found[0].code == "definition.schema"


def test_findings_inside_a_type_name_the_type():
    found = findings(
        {"properties": {"a": {"$ref": "#/types/A"}, "b": {"$ref": "#/types/A", "default": 3}}},
        A={"type": "string", "default": 1},
    )
    assert [f.path for f in found] == [("types", "A", "default"), ("parameters", "properties", "b", "default")]


def test_all_findings_come_together():
    assert len(findings({"foo": 1, "properties": {"a": {"bar": 1}, "b": {"type": "x"}}}, T={"baz": 1})) == 4


def test_types_that_contain_themselves_are_refused():
    found = findings({}, A={"properties": {"b": {"$ref": "#/types/B"}}}, B={"type": "array", "items": {"$ref": "#/types/A"}})
    assert "in a circle: A -> B -> A" in found[0].message
    assert "A -> A" in findings({}, A={"$ref": "#/types/A"})[0].message
