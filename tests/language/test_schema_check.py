"""The generated check accepts exactly what jsonschema accepts, and fills defaults."""

from __future__ import annotations

import jsonschema
from hypothesis import assume, example, given
from hypothesis import strategies as st
from jsonschema import _utils

from appdelivery.language import schema
from appdelivery.language.schema import explain

NAMES = ("a", "b", "c")
TEXTS = st.sampled_from(["", "a", "b", "ab", "abc", "12", "x\ny", "é"])
NUMBERS = st.one_of(st.integers(-4, 6), st.sampled_from([0.0, 1.0, 0.5, 2.5, 1e308, 1e-9, -3.0, 0.1, 0.3]))
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from([*NAMES, "d"]), inner, max_size=3)),
    max_leaves=8,
)
COUNTS = st.integers(0, 3)
TYPES = st.sampled_from(["string", "integer", "number", "boolean", "object", "array", "null"])


def optional(**keywords):
    return st.fixed_dictionaries({}, optional=keywords)


def schemas(inner):
    names = st.sampled_from(NAMES)
    properties = st.dictionaries(names, inner, max_size=3)
    some = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        optional(properties=properties, additionalProperties=st.one_of(st.booleans(), inner), required=required(names)),
        optional(
            properties=properties,
            minProperties=COUNTS,
            maxProperties=COUNTS,
            propertyNames=st.sampled_from([{"minLength": 2}, {"enum": ["a", "b"]}, {"pattern": "^[ab]$"}]),
        ),
        optional(items=inner, minItems=COUNTS, maxItems=COUNTS, uniqueItems=st.booleans()),
        optional(oneOf=some, properties=properties),
        optional(anyOf=some, properties=properties, type=TYPES),
        optional(allOf=some, properties=properties),
        st.fixed_dictionaries({"if": inner}, optional={"then": inner, "else": inner, "properties": properties}),
        optional(**{"not": inner}),
    )


def required(names):
    return st.lists(names, unique=True, max_size=2)


LEAVES = st.one_of(
    st.just({}),
    optional(type=st.one_of(TYPES, st.lists(TYPES, min_size=1, max_size=3, unique=True))),
    st.fixed_dictionaries({"enum": st.lists(VALUES, min_size=1, max_size=4)}),
    st.fixed_dictionaries({"const": VALUES}),
    optional(minimum=NUMBERS, exclusiveMaximum=NUMBERS, type=st.sampled_from(["integer", "number"])),
    optional(maximum=NUMBERS, exclusiveMinimum=NUMBERS),
    st.fixed_dictionaries({"multipleOf": st.sampled_from([1, 2, 3, 0.5, 0.1, 1e-300])}, optional={"type": TYPES}),
    optional(minLength=COUNTS, maxLength=COUNTS, pattern=st.sampled_from(["^a", "b$", "^[a-c]*$", "\\d"]), type=TYPES),
)
SCHEMAS = st.recursive(LEAVES, schemas, max_leaves=8)


@st.composite
def with_defaults(draw):
    """A schema in which some properties have a default that their own schema takes."""
    tree = draw(SCHEMAS)
    for place in list(properties_of(tree)):
        if draw(st.booleans()):
            place["default"] = draw(VALUES)
    return tree


def properties_of(tree):
    if isinstance(tree, dict):
        for item in tree.get("properties", {}).values() if isinstance(tree.get("properties"), dict) else ():
            yield item
        for item in tree.values():
            yield from properties_of(item)
    elif isinstance(tree, list):
        for item in tree:
            yield from properties_of(item)


def naive_unique(validator, unique, instance, _):
    """jsonschema's own sorts first and misses [[1], [true], [1]]."""
    if unique and isinstance(instance, list):
        for index, one in enumerate(instance):
            if any(_utils.equal(one, other) for other in instance[:index]):
                yield jsonschema.ValidationError("twice")


ORACLE = jsonschema.validators.extend(jsonschema.Draft202012Validator, {"uniqueItems": naive_unique})


def checked(closed):
    space = dict(schema.NAMESPACE)
    exec(compile(schema.source(closed), "check", "exec"), space)
    return space["check"]


def outcome(check, value):
    try:
        return True, check(value)
    except schema.Refusal:
        return False, None


def close(tree, types=None):
    return schema.close({"properties": {"v": tree}}, types or {})


@given(SCHEMAS, VALUES)
@example({"type": "integer"}, 1.0)
@example({"type": "integer"}, True)
@example({"enum": [1]}, True)
@example({"uniqueItems": True}, [[1], [True], [1]])
@example({"multipleOf": 1e-300}, 1e308)
def test_check_accepts_exactly_what_jsonschema_accepts(tree, value):
    try:
        closed = close(tree)
    except schema.SchemaRefused:
        assume(False)
    check, given_value = checked(closed), {"v": value}
    accepted, _ = outcome(check, given_value)
    assert accepted == ORACLE(closed).is_valid(given_value)


@given(SCHEMAS, VALUES)
def test_every_refusal_is_explained_and_nothing_else(tree, value):
    try:
        closed = close(tree)
    except schema.SchemaRefused:
        assume(False)
    accepted, _ = outcome(checked(closed), {"v": value})
    found = explain.findings(closed, {"v": value})
    assert bool(found) != accepted
    assert all(finding.message and finding.code.startswith("parameters.") for finding in found)


@given(with_defaults(), VALUES)
def test_defaults_are_filled_once_and_change_nothing_that_was_given(tree, value):
    try:
        closed = close(tree)
    except schema.SchemaRefused:
        assume(False)
    check = checked(closed)
    accepted, filled = outcome(check, {"v": value})
    assert accepted == ORACLE(closed).is_valid({"v": value})
    if accepted:
        assert contains(filled, {"v": value})
        again, twice = outcome(check, filled)
        assert not again or twice == filled


def contains(filled, raw):
    if isinstance(raw, dict):
        return isinstance(filled, dict) and all(name in filled and contains(filled[name], raw[name]) for name in raw)
    if isinstance(raw, list):
        return len(raw) == len(filled) and all(map(contains, filled, raw))
    return filled == raw and isinstance(filled, bool) == isinstance(raw, bool)
