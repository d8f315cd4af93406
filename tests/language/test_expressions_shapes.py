"""What the compiler promises about a path holds for every value that the schema accepts (language.md 3.3)."""

from __future__ import annotations

import json

import pytest
import support
from compiling import bound
from hypothesis import given, settings
from hypothesis import strategies as st

from appdelivery import errors
from appdelivery.language import schema as schemas

NAMES = st.sampled_from(["a", "b", "items"])


def leaf(kind, example):
    return st.just(({"type": kind}, st.just(example)))


def objects(inner):
    """An object's schema, and a strategy of values for it."""

    @st.composite
    def made(draw):
        parts = draw(st.dictionaries(NAMES, inner, min_size=1, max_size=3))
        required = [name for name in parts if draw(st.booleans())]
        schema = {"properties": {name: dict(part[0]) for name, part in parts.items()}, "required": required}
        for name in parts:
            if name not in required and parts[name][0].get("type") == "string" and draw(st.booleans()):
                schema["properties"][name]["default"] = "filled"
        extra = draw(st.sampled_from([None, {"type": "integer"}, {}]))
        values = st.fixed_dictionaries(
            {name: parts[name][1] for name in required},
            optional={name: part[1] for name, part in parts.items() if name not in required},
        )
        if extra is not None:
            schema["additionalProperties"] = extra
            values = st.builds(lambda known, more: {**more, **known}, values, st.dictionaries(st.just("z"), st.just(1)))
        return schema, values

    return made()


def lists(inner):
    return inner.map(lambda part: ({"type": "array", "items": part[0]}, st.lists(part[1], max_size=2)))


def unions(inner):
    """A number or an object: the forms of KubeVela's alternatives."""
    return objects(inner).map(lambda part: ({"oneOf": [{"type": "integer"}, part[0]]}, st.just(5) | part[1]))


parts = st.recursive(
    leaf("string", "s") | leaf("integer", 3) | leaf("boolean", False),
    lambda inner: objects(inner) | lists(inner) | unions(inner),
    max_leaves=6,
)


def paths(value, path=()):
    yield path
    if isinstance(value, dict):
        for name, one in value.items():
            yield from paths(one, (*path, name))
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield from paths(one, (*path, index))


def written(path):
    return "parameters" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)


@settings(max_examples=support.examples(30))
@given(st.data())
def test_every_path_of_a_value_is_read_as_it_is(data):
    schema, values = data.draw(objects(parts))
    value = data.draw(values)
    leaves = sorted({written(path) for path in paths(value)} - {"parameters"})
    body = f"parameters: {json.dumps(schema)}\npatch:\n  fixed: 1\n" + "".join(
        f"  k{index}: ${{{{ {path} }}}}\n" for index, path in enumerate(leaves)
    )
    module = bound(body)
    filled = module.check(value)
    made = module.render(filled, {}).patch
    expected = {written(path): found(filled, path) for path in paths(value)}
    assert [made[f"k{index}"] for index in range(len(leaves))] == [expected[path] for path in leaves]


def found(value, path):
    for step in path:
        value = value[step]
    return value


def declared(schema, path=()):
    for name, inner in schema.get("properties", {}).items():
        yield (*path, name)
        yield from declared(inner, (*path, name))


@settings(max_examples=support.examples(30))
@given(st.data())
def test_every_declared_path_gives_a_value_null_or_a_named_problem(data):
    """Never a key error for what is declared: absent is null, and a null on the way is called so."""
    schema, values = data.draw(objects(parts))
    value = data.draw(values)
    for path in declared(schema):
        module = bound(
            f"parameters: {json.dumps(schema)}\npatch: {{v: '${{{{ {written(path)} }}}}', soft: '${{{{ {written(path)} | default(\"-\") }}}}'}}"
        )
        filled = module.check(value)
        expected = soft(filled, path)
        made = outcome(module, filled)
        if isinstance(made, errors.SpecError):
            assert made.problems[0].code in ("render.null", "render.type")
            assert expected in (None, "no map")
        else:
            assert made.get("v") == expected
            assert made["soft"] == ("-" if expected is None else expected)


def outcome(module, parameters):
    try:
        return module.render(parameters, {}).patch
    except errors.SpecError as wrong:
        return wrong


def soft(value, path):
    for step in path:
        if value is None:
            return None
        if not isinstance(value, dict):
            return "no map"
        value = value.get(step)
    return value


def test_the_strategies_make_values_that_their_schemas_accept():
    module = bound(
        "parameters: {required: [a], properties: {a: {oneOf: [{type: integer}, {properties: {b: {}}}]}}}\npatch: {}"
    )
    assert module.check({"a": 5}) == {"a": 5}
    with pytest.raises(schemas.Refusal):
        module.check({"a": "x"})
