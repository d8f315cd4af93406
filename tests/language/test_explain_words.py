"""Refused parameters are explained in our words, every one of them, at its place."""

from __future__ import annotations

import pytest

from appdelivery.language import schema
from appdelivery.language.schema import explain


def explained(parameters, value, **types):
    return explain.findings(schema.close(parameters, types), value)


def only(tree, value):
    found = explained({"properties": {"v": tree}}, {"v": value})
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize(
    ("tree", "value", "code", "message", "hint"),
    [
        ({"type": "string"}, 1.1, "type", "expected a string, got the number 1.1", "write it in quotes"),
        ({"type": "string"}, True, "type", "expected a string, got true", "write it in quotes"),
        ({"type": "string"}, None, "type", "expected a string, got null", ""),
        ({"type": "string"}, {}, "type", "expected a string, got a map", ""),
        ({"type": "integer"}, "80", "type", "expected an integer, got the text '80'", "write it without quotes"),
        ({"type": "integer"}, "x", "type", "expected an integer, got the text 'x'", ""),
        ({"type": "integer"}, 1.5, "type", "expected an integer, got the number 1.5", ""),
        ({"type": "boolean"}, "true", "type", "expected true or false, got the text 'true'", "write it without quotes"),
        ({"type": ["integer", "string", "null"]}, [], "type", "expected an integer, a string or null, got a list", ""),
        ({"type": "integer", "minimum": 1}, 0, "minimum", "0 is less than the minimum of 1", ""),
        ({"type": "integer", "maximum": 65535}, 99090, "maximum", "99090 is greater than the maximum of 65535", ""),
        ({"exclusiveMinimum": 1}, 1, "exclusiveMinimum", "1 is not greater than 1", ""),
        ({"exclusiveMaximum": 1}, 1, "exclusiveMaximum", "1 is not less than 1", ""),
        ({"multipleOf": 3}, 4, "multipleOf", "4 is not a multiple of 3", ""),
        ({"minLength": 2}, "", "minLength", "'' is shorter than 2 characters", ""),
        ({"maxLength": 2}, "abc", "maxLength", "'abc' is longer than 2 characters", ""),
        ({"pattern": "^a"}, "b", "pattern", "'b' does not match the pattern ^a", ""),
        ({"minItems": 2}, [1], "minItems", "the list has 1 item, at least 2 must be given", ""),
        ({"maxItems": 1}, [1, 2], "maxItems", "the list has 2 items, at most 1 are allowed", ""),
        ({"uniqueItems": True}, ["a", "b", "a"], "uniqueItems", "'a' stands twice in the list", ""),
        ({"minProperties": 1}, {}, "minProperties", "the map has 0 entries, at least 1 must be given", ""),
        ({"maxProperties": 0}, {"a": 1}, "maxProperties", "the map has 1 entry, at most 0 are allowed", ""),
        ({"enum": ["Always", "Never"]}, "alway", "enum", "'alway' is not one of 'Always', 'Never'", "did you mean 'Always'?"),
        ({"enum": ["1.5", "2"]}, 1.5, "enum", "1.5 is not one of '1.5', '2'", "write it in quotes"),
        ({"const": "a"}, "b", "const", "'b' is not 'a'", ""),
        ({"not": {"const": 1}}, 1, "not", "1 is one of the values that are not allowed here", ""),
        ({"oneOf": [{}, {"type": "string"}]}, "a", "oneOf", "more than one of the alternative forms fits; give only one", ""),
    ],
)  # fmt: skip
def test_every_keyword_has_its_sentence(tree, value, code, message, hint):
    found = only(tree, value)
    assert (found.path, found.code, found.message, found.hint) == (("v",), f"parameters.{code}", message, hint)


def test_an_unknown_property_stands_at_its_name_with_a_suggestion():
    found = explained(
        {"properties": {"cpu": {}, "memory": {}, "old": {"x-hidden": True}}}, {"cpuPercent": 1, "mem": 2, "zzz": 3}
    )
    assert [(f.path, f.code, f.at_key) for f in found] == [
        ((n,), "parameters.unknown", True) for n in ("cpuPercent", "mem", "zzz")
    ]
    assert [f.message for f in found] == [
        "unknown property 'cpuPercent', did you mean 'cpu'?",
        "unknown property 'mem', did you mean 'memory'?",
        "unknown property 'zzz'",
    ]
    assert found[0].hint == "known: cpu, memory"


def test_missing_properties_stand_at_the_map_that_lacks_them():
    found = explained({"properties": {"a": {"properties": {"b": {}, "c": {}}, "required": ["b", "c"]}}}, {"a": {}})
    assert [(f.path, f.message) for f in found] == [(("a",), "missing properties 'b', 'c'")]


def test_a_refused_name_of_a_map_stands_at_the_name():
    found = only({"type": "object", "propertyNames": {"pattern": "^[a-z]+$"}}, {"ok": 1, "NO": 2})
    assert (found.path, found.at_key) == (("v", "NO"), True)
    assert found.message == "the name 'NO' does not match the pattern ^[a-z]+$"


FORMS = {
    "oneOf": [
        {"type": "string"},
        {"required": ["configMap"], "properties": {"configMap": {"type": "string"}, "prefix": {"type": "string"}}},
        {"required": ["secret"], "properties": {"secret": {"type": "string"}, "prefix": {"type": "string"}}},
    ]
}


@pytest.mark.parametrize(
    ("value", "path", "message"),
    [
        (3, ("v",), "expected a string or a map, got the number 3"),
        ({"secret": 3}, ("v", "secret"), "expected a string, got the number 3"),
        ({"configMap": "a", "prefx": "b"}, ("v", "prefx"), "unknown property 'prefx', did you mean 'prefix'?"),
        ({"prefix": "a"}, ("v",), "missing property 'configMap'"),
    ],
)
def test_of_several_forms_the_one_that_was_meant_is_explained(value, path, message):
    found = only(FORMS, value)
    assert (found.path, found.message) == (path, message)


def test_a_tagged_form_is_found_by_its_tag():
    tree = {"oneOf": [
        {"required": ["type", "a"], "properties": {"type": {"const": "A"}, "a": {"type": "integer"}}},
        {"required": ["type", "b"], "properties": {"type": {"const": "B"}, "b": {"type": "integer"}}},
    ]}  # fmt: skip
    found = only(tree, {"type": "B", "b": "x"})
    assert (found.path, found.message) == (("v", "b"), "expected an integer, got the text 'x'")


def test_findings_come_in_document_order_and_only_once():
    tree = {
        "properties": {
            "a": {"type": "integer"},
            "b": {"type": "integer"},
            "c": {"type": "array", "items": {"type": "integer"}},
        }
    }
    found = explained(tree, {"c": [1, "x", "y"], "z": 1, "b": "x", "a": "x"})
    assert [f.path for f in found] == [("c", 1), ("c", 2), ("z",), ("b",), ("a",)]
    shared = {"properties": {"a": {}}, "oneOf": [{"properties": {"b": {}}}, {"properties": {"c": {}}, "required": ["c"]}]}
    assert [f.path for f in explained(shared, {"x": 1})] == [("x",)]


def test_at_most_fifty_findings_are_collected():
    assert len(explained({"properties": {"a": {"items": {"type": "string"}}}}, {"a": list(range(1000))})) == 50


def test_long_values_are_cut():
    found = only({"type": "string", "maxLength": 3}, "x" * 5000)
    assert len(found.message) < 200


def test_nothing_is_said_about_a_good_value():
    assert explained({"properties": {"a": {"type": "string"}}}, {"a": "x"}) == []
