"""Missing and null (language.md 3.3), in strict and in live mode, and what the compiler knows of shapes."""

from __future__ import annotations

import pytest
from compiling import bound, live, only, problems, refused, said, tree, value

OUTPUT = {"status": {"replicas": 2, "phase": "Running", "list": [1], "zero": 0}, "spec": {}}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("parameters.n", None),  # declared optional, absent
        ("parameters.filled", 7),  # default
        ("parameters.n | default(5)", 5),
        ("parameters.deep.a.b | default('x')", "x"),  # swallows every missing step
        ("parameters.open.zone | default('x')", "x"),
        ("parameters.open['zone'] | default('x')", "x"),
        ("parameters.xs[9] | default('x')", "x"),
        ("parameters.open.get('zone')", None),
        ("parameters.open.get('zone', 'd')", "d"),
        ("parameters.open.zone is defined", False),
        ("parameters.open.k is defined", True),
        ("parameters.n is none", True),
        ("parameters.n == none", True),
        ("parameters.filled != none", True),
        ("parameters.n == parameters.m", True),  # ordinary equality
        ("1 in parameters.deep.a.b | default([])", False),
        ("parameters.n | d(1)", 1),
        ("0 | default(5)", 0),
        ("parameters.s in none", False),
    ],
)
def test_strict_mode_gives_null_only_for_declared_optional_parameters(expression, expected):
    assert value(expression, {"xs": [], "open": {"k": 1}}) == expected


@pytest.mark.parametrize(
    ("expression", "code", "message"),
    [
        ("parameters.deep.a", "render.null", "a null value is used as a map (the optional parameter 'deep' was not given?)"),
        (
            "parameters.deep['a'].b",
            "render.null",
            "a null value is used as a map (the optional parameter 'deep' was not given?)",
        ),
        ("parameters.open.zone", "render.key", "no key 'zone' here; use .get('zone') or default()"),
        ("parameters.open[parameters.s]", "render.key", "no key 'zone' here; use .get('zone') or default()"),
        (
            "parameters.n < 1",
            "render.null",
            "'<' compares with null; test 'is none' before (the optional parameter 'n' was not given?)",
        ),
        ("parameters.any.x", "render.type", "a number has no keys; 'x' is looked up in it"),
        ("parameters.n.x", "expression.path", "parameters.n is a number and has no property 'x'"),
        ("parameters.xs.x", "expression.path", "parameters.xs is a list and has no property 'x'"),
        ("parameters.deep.a.c", "expression.path", "parameters.deep.a has no property 'c'"),
        ("parameters.fil", "expression.path", "parameters has no property 'fil', did you mean 'filled'?"),
        ("parametres.n", "expression.name", "unknown name 'parametres', did you mean 'parameters'?"),
        ("output.x", "expression.name", "unknown name 'output'"),
        ("context.nam", "expression.path", "context has no property 'nam', did you mean 'name'?"),
        ("context", "expression.forbidden", "say which part of 'context' is meant: context.NAME"),
        ("context[parameters.s]", "expression.forbidden", "say which part of 'context' is meant: context.NAME"),
        ("context.artifacts", "expression.path", "context has no property 'artifacts'"),
        ("parameters.open.get('a', 'b', 'c')", "expression.function", "'.get()' takes at most 2 (key, default), not 3"),
        ("'a' ~ parameters.n", "render.text", "null inside text; use default('')"),
    ],
)
def test_strict_mode_says_what_is_missing(expression, code, message):
    found = refused(expression, {"s": "zone", "open": {}, "any": 1})
    assert (found[0], said(found[1], message)) == (code, message)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("output.status.nothing", "[null]"),
        ("output.nothing.at.all", "[null]"),
        ("output.status.list[4]", "[null]"),
        ("output.status.list[0]", "[1]"),
        ("output.status['phase']", '["Running"]'),
        ("outputs.service.spec.clusterIP", "[null]"),
        ("output.nothing.get('x')", "[null]"),
        ("output.status.nothing < 1", "[false]"),
        ("output.status.nothing >= 1", "[false]"),
        ("output.status.replicas >= 1", "[true]"),
        ("output.status.nothing == output.spec.nothing", "[false]"),  # null never equals in live mode
        ("output.status.nothing != output.spec.nothing", "[true]"),
        ("output.status.nothing == none", "[true]"),
        ("output.status.nothing is none", "[true]"),
        ("output.status.zero == 0", "[true]"),
        ("output.status.phase == 'Running'", "[true]"),
        ("output.status.nothing == 'Running'", "[false]"),
        ("output.status.nothing != 'Running'", "[true]"),
        ("output.status.conditions | where('type', 'Ready') | pluck('status') | first", "[null]"),
        ("'a' in output.status.nothing", "[false]"),
    ],
)
def test_live_mode_reads_what_is_not_there_as_null(expression, expected):
    assert live(expression, OUTPUT) == expected


def test_live_mode_still_refuses_names_and_declared_paths_that_cannot_be():
    assert only("patch: {}\nhealth: ${{ outpt.status }}").message == "unknown name 'outpt', did you mean 'output'?"
    body = "parameters: {properties: {cpu: {type: string}}}\npatch: {}\nstatus: ${{ parameters.cpuu }}"
    assert only(body).message == "parameters has no property 'cpuu', did you mean 'cpu'?"


SHAPES = """
parameters:
  required: [ports]
  properties:
    ports:
      type: array
      items:
        required: [port]
        properties: {port: {type: integer}, name: {type: string}, pullPolicy: {type: string}}
    more: {type: array, items: {properties: {port: {type: integer}, extra: {type: string}}}}
    target: {oneOf: [{type: integer}, {properties: {type: {enum: [a, b]}, value: {type: integer}}}]}
    map: {type: object, additionalProperties: {properties: {inner: {type: string}}}}
"""


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("[{$for: p in parameters.ports, v: '${{ p.pulPolicy }}'}]", "p has no property 'pulPolicy', did you mean 'pullPolicy'?"),
        ("[{$for: 'p in parameters.ports or []', v: '${{ p.nam }}'}]", "p has no property 'nam', did you mean 'name'?"),
        ("[{$for: 'p in (parameters.ports or []) + (parameters.more or [])', v: '${{ p.ext }}'}]", "p has no property 'ext', did you mean 'extra'?"),
        ("[{$for: \"p in parameters.ports | where('name', 'x')\", v: '${{ p.x }}'}]", "p has no property 'x'"),
        ("'${{ (parameters.ports | first).prt }}'", "the value has no property 'prt', did you mean 'port'?"),
        ("[{$for: 'k, v in parameters.map | items', x: '${{ v.iner }}'}]", "v has no property 'iner', did you mean 'inner'?"),
        ("[{$for: v in parameters.map | values, x: '${{ v.iner }}'}]", "v has no property 'iner', did you mean 'inner'?"),
        ("'${{ parameters.target.vlue }}'", "parameters.target has no property 'vlue', did you mean 'value'?"),
        ("'${{ (parameters.target | default({})).vlue }}'", "the value has no property 'vlue', did you mean 'value'?"),
        ("'${{ parameters.ports | pluck(\"nme\") }}'", "the item has no property 'nme', did you mean 'name'?"),
        ("'${{ built.nme }}'", "built has no property 'nme', did you mean 'name'?"),
        ("[{$for: b in list, x: '${{ b.on }}'}]", "b has no property 'on', did you mean 'one'?"),
        ("[{$for: 'i, p in enumerate(parameters.ports)', x: '${{ p.prt }}'}]", "p has no property 'prt', did you mean 'port'?"),
        ("[{$for: 'p in parameters.ports[0:1]', x: '${{ p.prt }}'}]", "p has no property 'prt', did you mean 'port'?"),
        ("'${{ parameters.ports[0].prt }}'", "parameters.ports[0] has no property 'prt', did you mean 'port'?"),
        ("[{$for: 'x in parameters.ports[0].port'}]", "a loop needs a list or a map, not a number"),
        ("[{$for: 'a, b in parameters.map'}]", "a loop with two names over a map needs '| items'"),
        ("'x ${{ parameters.ports }}'", "a list inside text; use tojson"),
    ],
)  # fmt: skip
def test_every_step_of_a_path_is_checked_against_what_the_schema_declares(template, message):
    lets = "let:\n  built: {name: a, $spread: '${{ {\"more\": 1} }}'}\n  list: [{$for: p in parameters.ports, one: 1}]\n"
    found = problems(f"{SHAPES}{lets}patch:\n  probe: {template}")
    assert [p.message for p in found] == [message]


def test_a_let_that_left_an_entry_out_reads_as_null():
    module_ = bound("""
        parameters: {properties: {a: {type: string}, b: {type: string}}}
        let:
          both: {a: "${{ parameters.a }}", b: "${{ parameters.b }}"}
        patch: {a: "${{ both.a or 'none' }}", b: "${{ both.b }}"}
        """)
    assert module_.render({"b": "x"}, {}).patch == {"a": "none", "b": "x"}


def test_a_name_that_is_a_method_elsewhere_is_a_key():
    schema = (
        "parameters: {required: [v], properties: {v: {required: [items], properties: {items: {type: array, items: {}}}}}}"
    )
    assert tree("found: ${{ parameters.v.items }}", {"v": {"items": [1]}}, schema=schema) == {"found": [1]}
    assert tree("found: '${{ parameters.v.items() }}'", {"v": {"items": [1]}}, schema=schema) == {"found": [["items", [1]]]}
