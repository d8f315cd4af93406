"""KubeVela's bare expressions mean in our language what they mean in CUE; the rest is refused with what to write."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appdelivery import errors
from appdelivery.language import inline
from appdelivery.language.kubevela import spelling

NAMES = frozenset({"my-step", "my-step-2", "check"})
SCOPE = {
    "output": {
        "spec": {"clusterIP": "10.0.0.1", "replicas": 3, "paused": False},
        "status": {
            "phase": "Running",
            "ready": 3,
            "ips": [{"ip": "1.2.3.4", "ok": True}, {"ip": "5.6.7.8", "ok": False}],
            "n": 0.5,
        },
        "metadata": {"annotations": {"a/b": "x"}, "name": "Web "},
        "data": {"password": "aHVudGVyMg==", "json": '{"a": {"b": 7}}'},
    },
    "outputs": {},
    "status": {"my-step": {"failed": True, "phase": "failed"}, "my-step-2": {"failed": False}, "check": {"succeeded": True}},
    "inputs": {"text": "a,b"},
    "context": {"name": "web"},
    "parameters": {"x": 1},
    "response": {"body": "ok"},
}


def value(text, **options):
    expression = spelling.to_expression(text, NAMES, **options)
    return inline.bare(expression, frozenset(SCOPE)).value(SCOPE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # paths
        ("output.spec.clusterIP", "10.0.0.1"),
        ("output.status.ips[0].ip", "1.2.3.4"),
        ('output.metadata.annotations["a/b"]', "x"),
        ('output.metadata.annotations."a/b"', "x"),
        ("status.my-step.failed", True),
        ("status.my-step-2.failed", False),
        ("output.spec.replicas-1", 2),
        ("output.missing.deeper", None),
        ("output.status.ips[9].ip", None),
        ("response.$returns.body", "ok"),
        ("parameter.x", 1),
        # literals
        ('"text"', "text"),
        ("'text'", "text"),
        ('#"raw \\n "quoted" \\(x)"#', 'raw \\n "quoted" \\(x)'),
        ('"tab\\t quote \\" \\u00e9"', 'tab\t quote " é'),
        ('"{{ }} $(x) 😀"', "{{ }} $(x) 😀"),
        ("12", 12),
        ("-1.5", -1.5),
        ("true", True),
        ("false", False),
        ("null", None),
        ("[1, 'a']", [1, "a"]),
        # operators
        ('output.status.phase == "Running" && output.spec.replicas >= 3', True),
        ("output.spec.replicas < 3 || !output.spec.paused", True),
        ("!output.spec.paused == true", True),
        ("not output.spec.paused == true", True),
        ("status.check.succeeded and not status.my-step.failed or false", False),
        ("output.spec.replicas != output.status.ready", False),
        ("1 + 2 * 3 - 4 / 2", 5),
        ("(1 + 2) * 3", 9),
        ("-(1 + 2)", -3),
        # text
        ('output.spec.clusterIP + ":80"', "10.0.0.1:80"),
        ('"http://\\(output.spec.clusterIP):\\(output.spec.replicas + 80)/"', "http://10.0.0.1:83/"),
        ('"\\(output.status.phase)"', "Running"),
        # absence
        ("output.status.phase != _|_", True),
        ("output.status.nothing != _|_", False),
        ("output.status.nothing == _|_", True),
        ("_|_ == output.status.nothing", True),
        ("output.nothing.at.all == null", True),
        ("*output.status.nothing | 'default'", "default"),
        ("*output.status.phase | 'default'", "Running"),
        ("*output.a | *output.b | 3", 3),
        # functions
        ("len(output.status.ips)", 2),
        ("len(output.status.nothing)", 0),
        ('import "strconv"\nstrconv.FormatInt(output.spec.replicas, 10)', "3"),
        ('import (\n  "strconv"\n  "strings"\n)\nstrconv.Itoa(output.spec.replicas) + strings.ToLower("A")', "3a"),
        ('strconv.Atoi("42")', 42),
        ("strconv.FormatFloat(output.status.n, 102, -1, 64)", "0.5"),
        ("strconv.FormatBool(output.spec.paused)", "false"),
        ("base64.Decode(null, output.data.password)", "hunter2"),
        ('base64.Encode(null, "hunter2")', "aHVudGVyMg=="),
        ('strings.Contains(output.status.phase, "nn")', True),
        ('strings.HasPrefix(output.status.phase, "Run")', True),
        ('strings.HasSuffix(output.status.phase, "Run")', False),
        ("strings.ToUpper(output.status.phase)", "RUNNING"),
        ("strings.TrimSpace(output.metadata.name)", "Web"),
        ('strings.Replace("a-b-c", "-", ".", -1)', "a.b.c"),
        ('strings.Split(inputs.text, ",")', ["a", "b"]),
        ('strings.Join(strings.Split(inputs.text, ","), "+")', "a+b"),
        ("json.Marshal(output.spec.paused)", "false"),
        # lists
        ("[for p in output.status.ips {p.ip}]", ["1.2.3.4", "5.6.7.8"]),
        ("[for p in output.status.ips if p.ok {p.ip}]", ["1.2.3.4"]),
        ("[for p in output.status.ips if !p.ok {p.ip}]", ["5.6.7.8"]),
        ('[for p in output.status.ips if p.ip == "5.6.7.8" && p.ok == false {p.ip}][0]', "5.6.7.8"),
        ("[for p in output.nothing {p}]", []),
        ("output.status.phase // a comment", "Running"),
    ],
)
def test_a_bare_text_means_what_it_means_in_cue(text, expected):
    found = value(text)
    assert found == expected
    assert type(found) is type(expected)


def test_always_is_a_condition():
    assert value("always", condition=True) is True
    with pytest.raises(spelling.NotSupported, match="'always' is a condition, not a value"):
        spelling.to_expression("always", NAMES)


def test_unmarshal_becomes_the_filter_of_that_meaning():
    assert spelling.to_expression("json.Unmarshal(output.data.json).a.b", NAMES) == "(output.data.json | fromjson).a.b"


def test_known_names_may_be_given_by_the_name_they_belong_to():
    assert (
        spelling.to_expression("status.my-step.failed", {"status": frozenset({"my-step"}), "output": None})
        == 'status["my-step"].failed'
    )
    assert spelling.to_expression("status.my-step", frozenset()) == "(status.my - step)"


@pytest.mark.parametrize(
    ("text", "message", "offset", "hint"),
    [
        ("a & b", "'&' joins CUE values", 2, "write two conditions with &&"),
        ('a =~ "^b"', "regular expressions are not available", 2, "strings.HasPrefix"),
        ('a !~ "^b"', "regular expressions are not available", 2, "strings.Contains"),
        ("{a: 1}", "a struct is not a value here", 0, "${{ {'key': value} }}"),
        ("#Definition", "definitions of CUE", 0, "plain value"),
        ("let x = 1", "'let' is not available", 0, "where it is used"),
        ("a\nb", "several statements are not available", 2, "one expression"),
        ("a | b", "'|' is a choice of CUE", 2, "*a | b"),
        ("*a", "'*' marks the first choice", 0, "*a | b"),
        ("a | default('x')", "'|' is a choice of CUE", 2, "${{ a | filter }}"),
        ("a = b", "one '=' is no comparison", 2, "write =="),
        ("a ? b", "'?' is not available", 2, "${{ a if condition else b }}"),
        ("if a {b}", "'if' is only available inside", 0, "${{ a if condition else b }}"),
        ("for x in xs {x}", "'for' is only available as", 0, "pluck"),
        ("a.b[1:2]", "a field or slice", 5, "${{ list[1:3] }}"),
        ("strings.Title(a)", "unknown function 'strings.Title'", 13, "known:"),
        ("strings.Contain(a, b)", "did you mean 'strings.Contains'?", 15, "known:"),
        ("list.Contains(a, b)", "unknown function 'list.Contains'", 13, "${{ x in xs }}"),
        ("strings.Split(a)", "strings.Split takes 2 arguments, got 1", 13, ""),
        ("strconv.FormatInt(a, 2)", "only 10 is available here, not 2", 17, ""),
        ('strings.Replace(a, "b", "c", 1)', "only -1 is available here", 15, ""),
        ("a.b(c).d(e)", "only functions can be called", 8, ""),
        ("(a)(b)", "unknown function 'a'", 3, ""),
        ("[1](2)", "only functions can be called", 3, ""),
        ("_|_ + 1", "_|_ is only compared with == or !=", 0, "is not none"),
        ("a == _|_ == _|_ + 1", "_|_ is only compared", 12, ""),
        ("[for x in xs {x + 1}]", "the value of a list is a path of 'x'", 5, "{x.field}"),
        ("[for x in xs if x.a != 1 {x}]", "compares a field of 'x' with ==", 5, "&&"),
        ("[for k, v in xs {v}]", "one name after 'for'", 5, ""),
        ("[for x in xs for y in x {y}]", "one 'for' with one 'if'", 13, ""),
        ('"open', 'has no closing "', 0, ""),
        ('"""\nx\n"""', "this form of text is not available", 0, ""),
        ('"\\q"', "'\\q' is no escape", 2, ""),
        ('"\\(a"', "'\\(' has no closing ')'", 2, ""),
        ("1_000", "'1_000' is not a number", 0, ""),
        ("10Gi", "'10Gi' is not a number", 0, ""),
        ("1e999", "'1e999' is not a number", 0, ""),
        ("a.", "expected a name after '.', got the end of the text", 2, ""),
        ("a ==", "the end of the text", 4, ""),
        ("(a", "expected ')', got the end of the text", 2, ""),
        ("", "the end of the text", 0, ""),
        ("a; b", "';' is not available here", 1, ""),
        ("a % b", "'%' is not available", 2, "${{ a % b }}"),
    ],
)
def test_everything_else_is_refused_with_its_place_and_our_spelling(text, message, offset, hint):
    with pytest.raises(spelling.NotSupported) as caught:
        spelling.to_expression(text, NAMES)
    assert message in str(caught.value)
    assert f"(at character {offset + 1})" in str(caught.value)
    assert caught.value.offset == offset
    assert hint in caught.value.hint
    assert caught.value.problems[0].code == "expression.syntax"


def test_a_refusal_is_an_error_of_the_document():
    with pytest.raises(errors.SpecError):
        inline.condition("a & b", frozenset({"a", "b"}))
    assert (
        inline.condition("status.my-step.failed", {"status": frozenset({"my-step"})}).value(
            {"status": {"my-step": {"failed": 1}}}
        )
        == 1
    )


@pytest.mark.parametrize(
    "text", ["(" * 60 + "a" + ")" * 60, "!" * 60 + "a", "[" * 60, "a" * 5000, '"\\(' * 40, '"\\(' * 900 + "a" + ')"' * 900]
)
def test_hostile_texts_are_refused(text):
    with pytest.raises(spelling.NotSupported):
        spelling.to_expression(text, NAMES)


@given(st.text(alphabet="ab.[]()\"'\\!&|=<>+-*/ #_{}0123for in if:,\n", max_size=40))
def test_any_text_is_translated_or_refused(text):
    def translated():
        try:
            return spelling.to_expression(text, NAMES)
        except spelling.NotSupported as refused:
            return refused.offset

    found = translated()
    if isinstance(found, str):
        inline.grammar.expression(found)
    else:
        assert 0 <= found <= len(text)
