"""What the compiler says of an output's size is never too little, so that a walk left out is one that finds nothing."""

from __future__ import annotations

import glob
import marshal
import os

import pytest
import support
from compiling import CONTEXT, LAYOUTS, bound, compiled
from hypothesis import given, settings
from hypothesis import strategies as st

from appdelivery import errors
from appdelivery.language import budget, module
from appdelivery.language.text import yaml_in

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OPEN = "parameters: {properties: {n: {type: integer}, xs: {type: array, items: {}}, any: {}}}\n"


def measured(trees):
    nodes = depth = 0
    level = [tree for tree in trees if isinstance(tree, (dict, list))]
    while level:
        nodes += sum(map(len, level))
        depth += 1
        level = [v for one in level for v in (one.values() if isinstance(one, dict) else one) if isinstance(v, (dict, list))]
    return nodes, depth


def promised(definition, properties, context=CONTEXT):
    """Nodes and levels as promised and as they are."""
    left = budget.fresh()
    written = marshal.dumps(properties)
    made = definition._functions["render"](left, definition.check(properties), context)
    return definition.most(written, left), measured(made)


def nested(levels, inside):
    return "{x: " * levels + inside + "}" * levels


DOUBLED = "let:\n  a0: '${{ parameters.any }}'\n" + "".join(
    f"  a{i}: ['${{{{ a{i - 1} }}}}', '${{{{ a{i - 1} }}}}']\n" for i in range(1, 16)
)
EXPLOSIONS = {
    "lets that double": (DOUBLED + "patch: {v: '${{ a15 }}'}", {"any": list(range(20))}),
    "a let in a loop": (
        "let: {big: ['${{ parameters.xs }}', '${{ parameters.xs }}']}\npatch: {v: [{$for: x in parameters.xs, y: '${{ big }}'}]}",
        {"xs": list(range(400))},
    ),
    "parameters in a loop": (
        "patch: {v: [{$for: x in parameters.xs, y: '${{ parameters.xs }}'}]}",
        {"xs": list(range(500))},
    ),
    "a loop in a loop": (
        "patch: {v: [{$for: x in parameters.xs, $value: [{$for: y in parameters.xs, $value: '${{ y }}'}]}]}",
        {"xs": [list(range(100))] * 1 + [[n] * 100 for n in range(50)]},
    ),
    "pairs of pairs": (
        (
            'let: {m: \'${{ {"a": parameters.any, "b": parameters.any} }}\'}\n'
            "patch: {v: [{$for: x in parameters.xs, $value: '${{ [m | items, m | items] }}'}]}"
        ),
        {"xs": list(range(100)), "any": list(range(600))},
    ),
    "spread maps": (
        "let: {m: {$spread: '${{ parameters.any }}'}}\npatch: {v: [{$for: x in parameters.xs, $spread: '${{ m }}'}]}",
        {"xs": list(range(150)), "any": {f"k{i}": i for i in range(1500)}},
    ),
    "levels of several lets": (
        (
            f"let: {{a: {nested(40, '1')}, b: {nested(40, chr(39) + '${{ a }}' + chr(39))}}}\n"
            f"patch: {nested(30, chr(39) + '${{ b }}' + chr(39))}"
        ),
        {},
    ),
    "levels of parameters": (f"patch: {nested(60, chr(39) + '${{ parameters.any }}' + chr(39))}", None),
    "one value in many places": ("patch: {v: '${{ parameters.xs }}'}", "shared"),
}


def properties_of(given):
    if given is None:
        deep = 1
        for _ in range(45):
            deep = [deep]
        return {"any": deep}
    if given == "shared":
        one = list(range(2_000))
        return {"xs": [one for _ in range(200)]}
    return given


@pytest.mark.parametrize("name", EXPLOSIONS)
def test_much_output_of_little_work_is_refused_although_nobody_need_walk_over_small_output(name):
    body, given = EXPLOSIONS[name]
    properties = properties_of(given)
    definition = bound(OPEN + body)
    with pytest.raises(errors.SpecError) as wrong:
        definition.render(definition.check(properties), CONTEXT, written=marshal.dumps(properties))
    assert wrong.value.problems[0].code == "render.limit"


def test_defaults_count_as_given():
    names = ", ".join(f"d{i}: {{type: integer, default: {i}}}" for i in range(30))
    definition = bound(
        f"parameters: {{properties: {{xs: {{type: array, items: {{properties: {{{names}}}}}}}}}}}\npatch: {{v: '${{{{ parameters.xs }}}}'}}"
    )
    properties = {"xs": [{} for _ in range(9_000)]}
    with pytest.raises(errors.SpecError) as wrong:
        definition.render(definition.check(properties), CONTEXT, written=marshal.dumps(properties))
    assert wrong.value.problems[0].message == "more than 200,000 nodes in the output of one definition"


LETS = st.lists(
    st.sampled_from(
        [
            "'${{ LAST }}'",
            "['${{ LAST }}', '${{ parameters.any }}']",
            "{k: '${{ LAST }}', $spread: '${{ {\"a\": LAST} }}'}",
            "[{$for: x in parameters.xs, y: '${{ x }}', z: '${{ parameters.n }}'}]",
            "[{$for: 'x in [LAST, LAST]', y: '${{ x }}'}]",
            "[{$for: 'x in [LAST]', $value: [{$for: 'y in [x, x]', $value: '${{ y }}'}]}]",
            "[{$for: 'k, v in {\"a\": LAST} | items', $value: '${{ [k, v] }}'}]",
            "'${{ enumerate([LAST]) + (({\"m\": LAST}) | items) }}'",
            "{$if: parameters.n, x: '${{ LAST }}', $else: ['${{ parameters.xs }}']}",
        ]
    ),
    max_size=7,
)
TREES = st.recursive(
    st.one_of(st.integers(-9, 9), st.text("ab{[", max_size=3)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text("kl", min_size=1, max_size=2), inner, max_size=3)
    ),
    max_leaves=12,
)


@settings(max_examples=support.examples(150), deadline=None)
@given(LETS, TREES, st.lists(TREES, max_size=4), st.integers(0, 1))
def test_the_promise_holds_for_any_chain_of_lets(lets, tree, items, number):
    last, body = "parameters.any", "let:\n"
    for index, text in enumerate(lets):
        body += f"  a{index}: {text.replace('LAST', last)}\n"
        last = f"a{index}"
    body = (body if lets else "") + f"patch: {{v: '${{{{ {last} }}}}', w: ['${{{{ {last} }}}}']}}"
    (nodes, levels), (has, deep) = promised(bound(OPEN + body), {"n": number, "xs": items, "any": tree})
    assert has <= nodes
    assert deep <= levels


def test_shipped_components_need_no_walk():
    """Otherwise every render would pay for one: the reason why sizes are told at all."""

    def shared(name):
        path = f"{ROOT}/components/_shared/{name}.yaml"
        with open(path, "rb") as stream:
            return stream.read(), path

    seen = 0
    context = {**CONTEXT, "clusterVersion": {"major": 1, "minor": 36}}
    for path in sorted(glob.glob(f"{ROOT}/components/*.yaml")):
        if path.endswith(".test.yaml"):
            continue
        with open(path, "rb") as stream:
            data = stream.read()
        definition = module.bind(module.compile(data, path, shared=shared, layouts=LAYOUTS))
        for example in yaml_in.load(data, path)[0]["metadata"].get("examples", ()):
            for component in example["spec"]["components"]:
                if component["type"] == definition.compiled.head["metadata"]["name"] and "${" not in str(component):
                    (nodes, levels), (has, deep) = promised(definition, component.get("properties", {}), context)
                    assert has <= nodes <= 200_000, path
                    assert deep <= levels <= 100, path
                    seen += 1
    assert seen > 5


def test_a_value_of_the_context_is_walked_over():
    definition = module.bind(compiled("parameters: {properties: {}}\npatch: {v: '${{ context.output }}'}"))
    assert definition.compiled.bound is None
