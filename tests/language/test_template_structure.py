"""The structure keys (language.md 4), null leaving out (9), and `let` and `include` (5)."""

from __future__ import annotations

import pytest
from compiling import CONTEXT, bound, compiled, only, problems, said, tree

from appdelivery import errors

GIVEN = {"n": 3, "s": "x", "t": True, "xs": ["a", "b"], "open": {"k": "v", "l": "w"}}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("a: ${{ parameters.n }}", {"a": 3}),
        ("a: {b: {$if: parameters.t, c: 1}}", {"a": {"b": {"c": 1}}}),
        ("a: {b: {$if: not parameters.t, c: 1}}", {"a": {}}),
        ("a: {b: {$if: '${{ parameters.t }}', c: 1}}", {"a": {"b": {"c": 1}}}),
        ("a: {b: {$if: false, c: 1, $else: {d: 2}}}", {"a": {"b": {"d": 2}}}),
        ("a: {b: {$if: false, c: 1, $else: two}}", {"a": {"b": "two"}}),
        ("a: {b: {$if: false, $value: 1, $else: {$if: true, $value: 2, $else: 3}}}", {"a": {"b": 2}}),
        ("a: {b: {$if: false, $value: 1, $else: {$if: false, $value: 2, $else: 3}}}", {"a": {"b": 3}}),
        ("a: [1, {$if: false, b: 1}, {$if: true, b: 2}]", {"a": [1, {"b": 2}]}),
        ("a: [{$for: x in parameters.xs, n: '${{ x }}'}]", {"a": [{"n": "a"}, {"n": "b"}]}),
        ("a: [{$for: x in parameters.xs, $value: '${{ x }}'}]", {"a": ["a", "b"]}),
        ("a: [0, {$for: x in parameters.xs, $value: '${{ x }}'}, 9]", {"a": [0, "a", "b", 9]}),
        ("a: [{$for: x in parameters.xs, $if: x == 'b', $value: '${{ x }}'}]", {"a": ["b"]}),
        ("a: [{$for: x in parameters.xs if x == 'b', $value: '${{ x }}'}]", {"a": ["b"]}),
        ("a: [{$for: x in parameters.xs, $value: ['${{ x }}']}]", {"a": [["a"], ["b"]]}),
        ("a: [{$for: k in parameters.open, $value: '${{ k }}'}]", {"a": ["k", "l"]}),
        ("a: [{$for: 'k, v in parameters.open | items', $value: '${{ k }}${{ v }}'}]", {"a": ["kv", "lw"]}),
        ("a: [{$for: 'i, x in enumerate(parameters.xs)', $value: '${{ i }}${{ x }}'}]", {"a": ["0a", "1b"]}),
        ("a: {$for: x in parameters.xs, 'p-${{ x }}': 1}", {"a": {"p-a": 1, "p-b": 1}}),
        ("a: {$for: 'k, v in parameters.open | items', '${{ v }}': '${{ k }}'}", {"a": {"v": "k", "w": "l"}}),
        ("a: {$for: x in parameters.xs, $spread: '${{ {x: 1} }}'}", {"a": {"a": 1, "b": 1}}),
        ("a: {$for: x in parameters.xs, $value: {'${{ x }}': 1}}", {"a": {"a": 1, "b": 1}}),
        ("a: [{$for: x in parameters.xs, $value: {$for: y in parameters.xs, '${{ y }}': '${{ x }}'}}]",
         {"a": [{"a": "a", "b": "a"}, {"a": "b", "b": "b"}]}),
        ("a: {$spread: '${{ parameters.open }}', k: mine}", {"a": {"k": "mine", "l": "w"}}),
        ("a: {k: mine, $spread: '${{ parameters.open }}'}", {"a": {"k": "v", "l": "w"}}),
        ("a: {$spread: '${{ parameters.open }}', k: '${{ none }}'}", {"a": {"k": "v", "l": "w"}}),
        ("a: {$spread: ['${{ parameters.open }}', {k: 2}, '${{ none }}']}", {"a": {"k": 2, "l": "w"}}),
        ("a: [0, {$spread: '${{ parameters.xs }}'}]", {"a": [0, "a", "b"]}),
        ("a: [{$spread: [1, 2]}, {$spread: '${{ none }}'}]", {"a": [1, 2]}),
        ("port-${{ parameters.n }}: 1", {"port-3": 1}),
        ("'${{ none }}': 1", {}),
        ("'${{ parameters.s }}': '${{ none }}'", {}),
        ("$$name: 1", {"$name": 1}),
        ("a: $name", {"a": "$name"}),
        # null leaves out, a literal null stays
        ("a: ${{ none }}\nb: null", {"b": None}),
        ("a: [1, '${{ none }}', null]", {"a": [1, None]}),
        ("'${{ parameters.s }}': null", {"x": None}),
        # containers that hold nothing but directives vanish with their content; others keep their meaning
        ("a: {b: [{$for: 'x in []'}]}", {"a": {}}),
        ("a: {$for: 'x in []', '${{ x }}': 1}", {}),
        ("a: {$spread: '${{ none }}'}", {}),
        ("a: {$spread: '${{ {} }}'}", {}),
        ("a: [{$if: false, b: 1}]", {}),
        ("a: [{$for: x in parameters.xs, $value: [{$if: false, c: 1}]}]", {}),
        ("a: {}\nb: []", {"a": {}, "b": []}),
        ("a: ${{ {} }}\nb: ${{ [] }}", {"a": {}, "b": []}),
        ("a: {b: {$spread: '${{ none }}'}}", {"a": {}}),
        ("a: ['${{ none }}']", {"a": []}),
        ("a: {sizeLimit: '${{ none }}'}", {"a": {}}),
        ("a: {$if: true}", {"a": {}}),
        ("a: {$for: x in parameters.missing, '${{ x }}': 1}", None),
    ],
)  # fmt: skip
def test_a_template_renders_as_the_structure_keys_say(template, expected):
    if expected is None:
        template, expected = template.replace("parameters.missing", "parameters.open.get('none')"), {}
    assert tree(template, GIVEN) == expected


@pytest.mark.parametrize(
    ("template", "code", "message"),
    [
        ("a: {$fro: x in y}", "template.directive", "unknown directive '$fro', did you mean '$for'?"),
        ("a: {$raw: 1}", "template.directive", "unknown directive '$raw'"),
        ("a: {$else: 1, b: 1}", "template.directive", "'$else' without '$if'"),
        ("a: {$value: 1}", "template.directive", "'$value' without '$if' or '$for'"),
        ("a: {$if: true, $value: 1, b: 2}", "template.directive", "'b' beside '$value': the value is one or the other"),
        ("a: [{$for: x in parameters.xs, $if: x, b: 1, $else: 2}]", "template.directive", "'$else' cannot stand beside '$for', where '$if' is a filter"),
        ("a: {$for: x in parameters.xs, name: '${{ x }}'}", "template.for-key", "every turn writes the same key 'name'; did you mean a list item?"),
        ("a: [{$for: parameters.xs, b: 1}]", "expression.syntax", "expected 'name in expression', got: parameters.xs"),
        ("a: [{$for: 'a, b, c in parameters.xs', b: 1}]", "expression.syntax", "a loop takes one or two names, not 3"),
        ("a: [{$for: parameters in parameters.xs, b: 1}]", "expression.name", "the loop name 'parameters' is taken already; choose another"),
        ("a: [{$for: x in parameters.xs, b: [{$for: x in parameters.xs, $value: 1}]}]", "expression.name", "the loop name 'x' is taken already; choose another"),
        ("a: {$if: 'x ${{ 1 }}', b: 1}", "expression.syntax", "expected one expression, got text around it: x ${{ 1 }}"),
        ("a: {$if: [1], b: 1}", "expression.syntax", "expected an expression, got a map or a list"),
        ("a: {$spread: '${{ parameters.s }}'}", "template.directive", "$spread merges maps, not a string"),
        ("a: [{$spread: '${{ parameters.open }}'}]", "template.directive", "$spread as a list item needs a list, not a map"),
        ("'${{ parameters.n }}': 1", "expression.forbidden", "a key is a string, not a number"),
    ],
)  # fmt: skip
def test_what_the_structure_keys_cannot_mean_is_refused(template, code, message):
    found = only("parameters: {required: [xs, n, s, open], properties: {xs: {type: array, items: {type: string}}, n: {type: integer},"
                 " s: {type: string}, open: {type: object}}}\npatch:\n  " + template)  # fmt: skip
    assert (found.code, said(found.message, message)) == (code, message)


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("a: {'${{ parameters.s }}': 1, x: 2}", "the key 'x' is written twice in one map"),
        ("a: {'${{ parameters.s }}': 1, '${{ parameters.s }}${{ \"\" }}': 2}", "the key 'x' is written twice in one map"),
        ("a: {$for: x in parameters.xs, '${{ parameters.s }}': 1}", "the key 'x' is written twice in one map"),
        ("a: {'${{ parameters.any }}': 1}", "a key must be a string, not a number"),
        ("a: {$spread: '${{ parameters.any }}'}", "$spread merges maps, not a number"),
        ("a: [{$spread: '${{ parameters.any }}'}]", "$spread as a list item needs a list, not a number"),
        ("a: [{$for: x in parameters.any, b: 1}]", "a loop needs a list or a map, not a number"),
        ("a: [{$for: 'x, y in parameters.xs', b: 1}]", "a loop with two names needs a list of pairs, such as 'm | items'"),
    ],
)
def test_what_a_value_makes_impossible_is_said_when_it_runs(template, message):
    from appdelivery import errors

    with pytest.raises(errors.SpecError) as wrong:
        tree(template, {**GIVEN, "any": 1})
    assert [p.message for p in wrong.value.problems] == [message]


def test_loops_nest_eight_deep_and_no_deeper():
    def nested(depth):
        text = "1"
        for level in range(depth):
            text = "[{$for: 'x" + str(level) + " in [1]', $value: " + text + "}]"
        return problems("patch: {a: " + text + "}")

    assert nested(8) == []
    assert [p.message for p in nested(9)] == ["loops are nested more than 8 deep"]


def test_patches_may_use_their_own_keys_and_outputs_may_not():
    assert problems("patch: {a: [{$patch: replace}, {$key: b, b: 1}], c: {$retainKeys: [d]}}") == []
    found = only("outputs: {o: {apiVersion: v1, kind: X, $patch: replace}}")
    assert found.message == "'$patch' has a meaning only in patches"


# --- let and include ---


def test_lets_see_earlier_ones_and_only_those():
    assert bound("let: {a: 1, b: '${{ a + 1 }}'}\npatch: {v: '${{ b }}'}").render({}, {}).patch == {"v": 2}
    found = only("let:\n  b: ${{ a }}\n  a: 1\npatch: {v: '${{ b }}'}")
    assert found.message == "unknown name 'a' here: it is defined later, in line 6"
    assert only("let: {a: '${{ a }}'}\npatch: {v: '${{ a }}'}").message == "the value 'a' of let needs itself"


def test_a_let_that_nobody_reads_is_not_compiled_but_named():
    found = compiled("let:\n  used: 1\n  idle: ${{ nonsense }}\npatch: {v: '${{ used }}'}")
    assert found.unused == (("idle", 6, 3),)


def test_names_of_lets_are_checked():
    assert only("let: {a-b: 1}\npatch: {}").message.startswith("'a-b' cannot be a name")
    assert bound("let: {steps: 1, result: 2}\npatch: {v: '${{ steps + result }}'}").render({}, {}).patch == {"v": 3}
    assert only("let: {context: 1}\npatch: {}").message == "the name 'context' is taken already"
    assert only("let: {x: 1}\npatch: {a: [{$for: 'x in [1]', $value: 1}]}").message.startswith("the loop name 'x' is taken")


PART = """
apiVersion: appdelivery.dev/v1
kind: Shared
metadata: {name: part}
types:
  Size: {required: [cpu], properties: {cpu: {type: string}}}
let:
  base: from the part
  resources: {cpu: "${{ parameters.size.cpu }}", of: "${{ base }}"}
  unreached: ${{ parameters.nothing }}
"""


def test_a_shared_part_brings_types_and_lets_that_see_the_parameters_of_the_definition():
    body = """
        include: [part]
        parameters: {required: [size], properties: {size: {$ref: "#/types/Size"}}}
        patch: {r: "${{ resources }}"}
        """
    module_ = bound(body, shared={"part": PART})
    assert module_.render({"size": {"cpu": "1"}}, {}).patch == {"r": {"cpu": "1", "of": "from the part"}}


def test_own_lets_and_types_win_over_included_ones():
    body = """
        include: [part]
        types: {Size: {type: integer}}
        parameters: {properties: {size: {$ref: "#/types/Size"}}}
        let: {base: mine, resources: "${{ base }}"}
        patch: {r: "${{ resources }}", s: "${{ parameters.size }}"}
        """
    module_ = bound(body, shared={"part": PART})
    assert module_.render(module_.check({"size": 1}), {}).patch == {"r": "mine", "s": 1}


def test_errors_in_a_shared_part_name_its_file():
    body = "include: [part]\npatch: {r: '${{ resources }}'}"
    found = only(body, shared={"part": PART})
    assert (found.file, found.line, found.message) == ("_shared/part.yaml", 9, "parameters has no property 'size'")


def test_run_time_errors_in_a_shared_part_name_its_file():
    from appdelivery import errors

    body = "include: [part]\nparameters: {properties: {size: {$ref: '#/types/Size'}}}\npatch: {r: '${{ resources }}'}"
    with pytest.raises(errors.SpecError) as wrong:
        bound(body, shared={"part": PART}).render({}, CONTEXT)
    found = wrong.value.problems[0]
    assert (found.file, found.line, found.code) == ("_shared/part.yaml", 9, "render.null")
    assert "resources: {cpu:" in found.excerpt


@pytest.mark.parametrize(
    ("include", "shared", "message"),
    [
        ("[nothing]", {}, "no shared part 'nothing'"),
        ("[part, part]", {"part": PART}, "'part' is included twice"),
        ("[part, other]", {"part": PART, "other": "kind: Shared\ntypes: {Size: {}}"}, "'Size' of types is in 'part' and in 'other'"),
        ("[other]", {"other": "kind: Shared\ninclude: [part]"}, "a shared part cannot include others"),
        ("[other]", {"other": "kind: TraitDefinition"}, "a shared part has kind: Shared"),
        ("[other]", {"other": "kind: Shared\nlets: {}"}, "unknown section 'lets', did you mean 'let'?"),
    ],
)  # fmt: skip
def test_what_an_include_cannot_do_is_refused(include, shared, message):
    assert only(f"include: {include}\npatch: {{}}", shared=shared).message == message


def test_a_map_whose_names_are_known_is_spread_in_its_place():
    found = bound("let: {m: {l: 2, k: 3}}\npatch: {a: {k: 1, $spread: '${{ m }}', n: 4}, b: '${{ m }}'}").render({}, CONTEXT)
    assert list(found.patch["a"].items()) == [("k", 3), ("l", 2), ("n", 4)]
    assert found.patch["b"] == {"l": 2, "k": 3}


def test_what_takes_the_place_of_a_spread_map_is_refused_with_its_line():
    body = "parameters: {required: [m], properties: {m: {properties: {k: {type: string}}}}}\npatch: {a: {$spread: '${{ parameters.m }}', n: 4}}"
    with pytest.raises(errors.SpecError) as wrong:
        bound(body).render({"m": "<known after db is healthy>"}, CONTEXT)  # as render fills in what it waits for
    found = wrong.value.problems[0]
    assert (found.code, found.line, found.message) == ("render.type", 5, "a string is used as a map")


def test_outputs_of_a_let_are_looked_at_where_the_definition_does_not_say_what_they_are():
    body = "parameters: {required: [o], properties: {o: {type: object}}}\nlet: {made: '${{ parameters.o }}'}\noutputs: {x: '${{ made }}'}"
    assert bound(body, kind="ComponentDefinition").render({"o": {"apiVersion": "v1", "kind": "Pod"}}, CONTEXT).outputs
    with pytest.raises(errors.SpecError) as wrong:
        bound(body, kind="ComponentDefinition").render({"o": {"kind": "Pod"}}, CONTEXT)
    assert wrong.value.problems[0].message == "output 'x' needs 'apiVersion' and 'kind', both strings"
