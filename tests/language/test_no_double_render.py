"""P8 of security.md: values are data.  Text that arrives through an expression is never evaluated again."""

from __future__ import annotations

import pytest
from compiling import CONTEXT, bound
from hypothesis import given
from hypothesis import strategies as st

from appdelivery.language import inline

TEXTS = [
    "${{ 1 + 1 }}",
    "${{ context.name }}",
    "a ${% if true %}b${% endif %}",
    "$${{ x }}",
    "{{ 7 * 7 }}",
    "%s{0}{x}",
    "$for",
    "$$x",
]


@pytest.fixture(scope="module")
def module():
    return bound("""
        parameters:
          properties:
            s: {type: string}
            m: {type: object, additionalProperties: {type: string}}
        let: {again: "${{ parameters.s }}", text: "<${{ again }}>"}
        checks: [{must: "parameters.s == 'x'", message: "got ${{ parameters.s }}"}]
        patch:
          whole: ${{ parameters.s }}
          text: ${{ text }}
          filtered: ${{ parameters.s | replace('§', '') ~ '' }}
          map: ${{ parameters.m }}
          keys:
            $for: k, v in parameters.m | items
            ${{ k }}: ${{ v }}
        health: {message: "${{ output.s }}"}
        status: ${{ output.s }}
        """)


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_with_an_expression_passes_as_it_is(module, text):
    check(module, text)


@given(st.text(alphabet="${}%#ab 1+'\"\\|", max_size=20))
def test_any_text_passes_as_it_is(module, text):
    check(module, text)


def check(module, text):
    made = module.render({"s": text, "m": {text: text}}, CONTEXT).patch
    same = {text: text}
    assert made == {"whole": text, "text": f"<{text}>", "filtered": text, "map": same, "keys": same}
    live = {"parameters": {}, "context": CONTEXT, "output": {"s": text}, "outputs": {}}
    assert module.health(live)["message"] == text
    assert module.status(live) == text
    assert [p.message for p in module.checks({"s": text}, CONTEXT)] == [f"got {text}"]


@pytest.mark.parametrize("text", TEXTS)
def test_a_value_of_an_inline_expression_is_not_looked_at(text):
    assert inline.compile("${{ inputs.x }}", frozenset({"inputs"})).value({"inputs": {"x": text}}) == text
    assert inline.compile("<${{ inputs.x }}>", frozenset({"inputs"})).value({"inputs": {"x": text}}) == f"<{text}>"
