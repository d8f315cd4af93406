"""The table of language.md 15: every error with its code, its words, its place and its excerpt."""

from __future__ import annotations

import pytest
from compiling import CONTEXT, LAYOUTS, bound, compiled, only, problems, said

from appdelivery import errors
from appdelivery.language import module

S = "parameters: {properties: {image: {type: string}, storage: {properties: {size: {type: string}}}}}\n"


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ("patch: {}\noutput: {}", "definition.section", "unknown section 'output', did you mean 'outputs'?"),
        ("patch: {}\nhealth: [1]", "definition.section", "health is an expression or a map of them"),
        ("patch: {}\nhealth: {helthy: 1}", "definition.section", "unknown key 'helthy', did you mean 'healthy'?"),
        ("patch: {}\nstatus: [1]", "definition.section", "'status' is one text"),
        ("patch: {}\ndetails: x", "definition.section", "'details' is a map of texts"),
        ("patch: {}\nlet: [1]", "definition.section", "'let' is a map of names"),
        ("outputs: [1]", "definition.section", "'outputs' is a map of names"),
        ("outputs: {a: 1}", "definition.section", "output 'a' is not an object"),
        ("outputs: {a: {kind: X}}", "definition.section", "output 'a' has no 'apiVersion'"),
        ("patch: {}\nchecks: [{must: true}]", "definition.section", "the check needs 'message'"),
        ("patch: {}\nchecks: [true]", "definition.section", "a check is a map with must and message"),
        ("patch: {}\nchecks: [{must: 1, message: m, levl: error}]", "definition.section", "unknown key 'levl', did you mean 'level'?"),
        ("patch: {}\nchecks: [{must: 1, message: m, level: eror}]", "definition.section", "unknown level 'eror', did you mean 'error'?"),
        ("patch: {}\nchecks: [{must: 1, message: m, at: 'a..b'}]", "definition.section", "at: 'a..b' is not a path such as a.b[0]"),
        ("patches: [{typ: merge, patch: {}}]", "definition.section", "unknown key 'typ', did you mean 'type'?"),
        ("patches: [{type: mrege, patch: {}}]", "definition.section", "unknown type of patch 'mrege', did you mean 'merge'?"),
        ("patch: {}\nmetadata2: 1", "definition.section", "unknown section 'metadata2', did you mean 'metadata'?"),
        ("stage: PreDispatch", "definition.section", "the definition needs one of outputs, patch, patches, patchOutputs, use"),
        ("patch: {}\nparameters: [1]", "definition.schema", "parameters is a JSON Schema: a map"),
        ("patch: {a: '${{ paramters.image }}'}", "expression.name", "unknown name 'paramters', did you mean 'parameters'?"),
        (S + "patch: {a: '${{ parameters.image'}", "expression.syntax", "expected '}}', got 'end of text' in expression: parameters.image"),
        (S + "patch: {a: '${{ parameters.imge }}'}", "expression.path", "parameters has no property 'imge', did you mean 'image'?"),
        (S + "patch: {a: '${{ parameters.image | upcase }}'}", "expression.function", "unknown filter 'upcase', did you mean 'upper'?"),
        (S + "patch: {a: '${{ parameters.image.format() }}'}", "expression.function", "method '.format()' is not available"),
        ("patch: {a: '${{ 2 ** 3 }}'}", "expression.forbidden", "'**' is not allowed in an expression"),
        ("patch: {a: {$fro: x in y}}", "template.directive", "unknown directive '$fro', did you mean '$for'?"),
        ("patch: {a: {$else: 1}}", "template.directive", "'$else' without '$if'"),
        ("patch: {containers: [{image: x}]}", "patch.key", "containers: every patch item needs 'name'"),
        ("patch: {spec: {template: {spec: {volumes: [{$for: 'x in [1]', emptyDir: {}}]}}}}", "patch.key", "volumes: every patch item needs 'name'"),
        ("patch: {ports: [{name: x}]}", "patch.key", "ports: every patch item needs 'containerPort'"),
        ("patches: [{patch: {env: [{value: x}]}}]", "patch.key", "env: every patch item needs 'name'"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_definition_is_said_when_it_is_compiled(body, code, message):
    found = problems(body)
    assert [(p.code, said(p.message, message)) for p in found][:1] == [(code, message)]
    assert all(p.file == "probe.yaml" and p.line and p.column and p.excerpt for p in found)


@pytest.mark.parametrize(
    "patch",
    [
        "{containers: [{name: x}]}",
        "{containers: [{$patch: replace}, {name: x}]}",
        "{containers: [{$key: image, image: x}]}",
        "{containers: [{$spread: '${{ {} }}', image: x}]}",
        "{ports: [{containerPort: 1}, {port: 2}]}",
        "{env: '${{ [] }}'}",
        "{args: [{a: 1}]}",
    ],
)
def test_patch_items_that_may_carry_their_key_are_accepted(patch):
    assert problems(f"patch: {patch}") == []


def test_a_definition_that_is_no_definition_is_refused():
    def compile(text):
        try:
            module.compile(text.encode(), "x.yaml", shared=lambda _: None, layouts=LAYOUTS)
        except errors.SpecError as wrong:
            return [(p.code, p.message) for p in wrong.problems]
        raise AssertionError(text)

    assert compile("[]") == [("definition.section", "a definition is a map of sections")]
    assert compile("a: 1\n---\nb: 1") == [("definition.section", "one definition per file, found 2 documents")]
    assert compile("a: 1") == [("definition.section", "the section 'kind' is missing")]
    assert compile("kind: TraitDefinitoin") == [
        ("definition.section", "unknown kind 'TraitDefinitoin', did you mean 'TraitDefinition'?")
    ]
    assert compile("a: " + "x" * (600 << 10))[0][0] == "yaml.too-large"
    assert compile("a: 1\na: 2")[0][0] == "yaml.duplicate-key"
    found = compile("apiVersion: v1\nkind: TraitDefinition\nmetadata: {name: A_B}\npatch: {}")
    assert found == [
        ("definition.section", "apiVersion must be appdelivery.dev/v1"),
        ("definition.section", "metadata.name must be a DNS label: a-z, 0-9 and '-', at most 63"),
    ]


def test_unknown_actions_are_named():
    found = only("use: raed", kind="WorkflowStepDefinition", actions=frozenset({"read", "apply"}))
    assert (found.code, found.message) == ("definition.action", "unknown action 'raed', did you mean 'read'?")
    assert problems("use: anything", kind="WorkflowStepDefinition") == []


def test_all_problems_of_a_compile_come_together_in_order_of_place():
    found = problems(
        "patch:\n  a: ${{ nope }}\n  b:\n    c: ${{ 1 ** 2 }}\n    d: x ${{ nix }} y ${{ nada }}\noutputs: {o: {}}"
    )
    assert [(p.line, p.message.split(",")[0]) for p in found] == [
        (5, "unknown name 'nope'"),
        (7, "'**' is not allowed in an expression"),
        (8, "unknown name 'nix'"),
        (8, "unknown name 'nada'"),
        (9, "output 'o' has no 'apiVersion'"),
        (9, "output 'o' has no 'kind'"),
    ]


def test_no_more_than_fifty_problems_are_collected():
    assert len(problems("patch:\n" + "".join(f"  k{n}: ${{{{ x{n} }}}}\n" for n in range(80)))) == 50


def test_schema_problems_stand_at_their_keyword():
    found = only("patch: {}\nparameters:\n  properties:\n    a:\n      type: string\n      patternProperties: {}")
    assert found.code == "definition.schema"
    assert "patternProperties" in found.message
    assert (found.line, found.column) == (9, 7)


def test_schema_problems_of_a_shared_type_name_its_file():
    part = "apiVersion: appdelivery.dev/v1\nkind: Shared\nmetadata: {name: p}\ntypes:\n  T:\n    tpye: string\n"
    found = only("include: [p]\nparameters: {properties: {a: {$ref: '#/types/T'}}}\npatch: {}", shared={"p": part})
    assert (found.file, found.line) == ("_shared/p.yaml", 6)


def test_the_example_of_the_design_looks_as_it_says():
    body = (
        "parameters: {properties: {domain: {type: string}}}\n"
        "patch:\n      rules:\n        - host: ${{ parameters.domian }}\n"
    )
    found = only(body)
    assert str(found) == "probe.yaml:7:17: parameters has no property 'domian', did you mean 'domain'?"
    assert found.hint == "known: domain"
    assert found.excerpt == (
        "     6 |       rules:\n"
        "     7 |         - host: ${{ parameters.domian }}\n"
        "       |                 ^^^^^^^^^^^^^^^^^^^^^^^^"
    )
    assert found.path == ("patch", "rules", 0, "host")


@pytest.mark.parametrize(
    ("patch", "code", "message", "place"),
    [
        ("a: ${{ parameters.storage.size }}", "render.null", "a null value is used as a map (the optional parameter 'storage' was not given?)", (6, 6)),
        ("a: ${{ parameters.open.zone }}", "render.key", "no key 'zone' here; use .get('zone') or default()", (6, 6)),
        ("a: ${{ parameters.list + 'x' }}", "render.type", "'+' cannot add a list and a string", (6, 6)),
        ("a: x ${{ parameters.image }}", "render.text", "null inside text; use default('') (the optional parameter 'image' was not given?)", (6, 8)),
        ("a: [{$for: x in range(20000), b: 1}]", "render.limit", "more than 10,000 items in one list", (6, 14)),
        ("a: [{$for: x in parameters.storage.size, b: 1}]", "expression.forbidden", "a loop needs a list or a map, not a string", (6, 14)),
        ("${{ parameters.open.k }}: 1", "render.key", "no key 'k' here; use .get('k') or default()", (6, 3)),
        ("a: {$if: parameters.open.x, b: 1}", "render.key", "no key 'x' here; use .get('x') or default()", (6, 12)),
    ],
)  # fmt: skip
def test_what_a_value_makes_impossible_is_said_at_its_place(patch, code, message, place):
    body = (
        "parameters: {properties: {storage: {properties: {size: {type: string}}}, open: {type: object, default: {}},"
        " list: {type: array, default: []}, image: {type: string}}}\npatch:\n  " + patch
    )
    with pytest.raises(errors.SpecError) as wrong:
        module_ = bound(body)
        module_.render(module_.check({}), CONTEXT)
    found = wrong.value.problems[0]
    assert (found.code, found.message.split(" (")[0], (found.line, found.column)) == (code, message.split(" (")[0], place)
    assert found.excerpt
    if code in ("render.null", "render.text") or not found.message.endswith(")"):
        assert code != "render.null" or found.message == message


def test_an_output_without_kind_is_refused_when_it_is_made():
    with pytest.raises(errors.SpecError) as wrong:
        bound("outputs: {a: '${{ {} }}'}").render({}, CONTEXT)
    assert wrong.value.problems[0].message == "output 'a' needs 'apiVersion' and 'kind', both strings"
    with pytest.raises(errors.SpecError) as wrong:
        bound("outputs: {a: '${{ [1] }}'}").render({}, CONTEXT)
    assert wrong.value.problems[0].message == "output 'a' is a list; an output is an object"


def test_no_words_of_python_reach_a_user():
    found = []
    for expression in ("parameters.a.b", "parameters.a['b']", "parameters.a[0]", "parameters.a.b.c", "parameters.a | first"):
        for value in (1, "x", [1], {"b": 1}, None, True):
            module_ = bound('parameters: {properties: {a: {}}}\npatch: {v: "${{ ' + expression + ' }}"}')
            try:
                module_.render({"a": value} if value is not None else {}, CONTEXT)
            except errors.SpecError as wrong:
                found += [p.message for p in wrong.problems]
    assert len(found) > 10
    for message in found:
        assert not any(word in message for word in ("NoneType", "'int'", "'str'", "dict", "subscriptable", "object"))


def test_places_survive_the_cache_and_a_python_without_columns(tmp_path, monkeypatch):
    from appdelivery.language import cache

    file = tmp_path / "d.yaml"
    file.write_text("x")
    found = compiled("parameters: {properties: {a: {properties: {b: {}}}}}\npatch:\n  v: ${{ parameters.a.b }}")
    assert cache.store(str(file), found, folder=str(tmp_path / "cache"))
    again = cache.load(str(file), folder=str(tmp_path / "cache"))
    assert again is not None
    with pytest.raises(errors.SpecError) as wrong:
        module.bind(again).render({}, CONTEXT)
    assert (wrong.value.problems[0].line, wrong.value.problems[0].column) == (6, 6)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("patch: {}\nlet:\n" + "".join(f"  a{n}: 1\n" for n in range(101)), "'let' has more than 100 entries"),
        ("patch: {}\nchecks:\n" + "- {must: true, message: m}\n" * 101, "'checks' has more than 100 entries"),
        ("outputs:\n" + "".join(f"  a{n}: {{apiVersion: v1, kind: A}}\n" for n in range(201)), "'outputs' has more than 200 entries"),
        ("patch: {}\ninclude: [" + "a, " * 17 + "]", "at most 16 files can be included"),
    ],
)  # fmt: skip
def test_a_definition_has_bounds(body, message):
    assert message in [p.message for p in problems(body)]
