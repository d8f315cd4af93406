"""Small definitions for the tests of the compiler: compile a text, evaluate one expression, list what is wrong."""

from __future__ import annotations

import textwrap

import pytest

from appdelivery import errors
from appdelivery.catalog.layouts import LAYOUTS
from appdelivery.language import module

CONTEXT = {
    "name": "web",
    "appName": "shop",
    "namespace": "prod",
    "revision": "web-v1",
    "cluster": "local",
    "selector": {"app.oam.dev/component": "web"},
    "labels": {"app.oam.dev/component": "web", "app.oam.dev/name": "shop"},
    "traits": [],
    "owned": {},
    "appLabels": {},
    "outputs": {},
}


def definition(body, *, kind="TraitDefinition", name="probe"):
    return f"apiVersion: appdelivery.dev/v1\nkind: {kind}\nmetadata: {{name: {name}}}\n{textwrap.dedent(body)}".encode()


def compiled(body, *, kind="TraitDefinition", shared=None, actions=None):
    shared = shared or {}

    def part(name):
        return (textwrap.dedent(shared[name]).encode(), f"_shared/{name}.yaml") if name in shared else None

    return module.compile(definition(body, kind=kind), "probe.yaml", shared=part, layouts=LAYOUTS, actions=actions)


def bound(body, **how):
    return module.bind(compiled(body, **how))


def problems(body, **how):
    try:
        compiled(body, **how)
    except errors.SpecError as wrong:
        return list(wrong.problems)
    return []


def only(body, **how):
    found = problems(body, **how)
    assert len(found) == 1, [str(p) for p in found]
    return found[0]


def said(message, expected):
    """The message without its suggestion, where none is expected: how far "did you mean" goes is not the point."""
    return message if "did you mean" in expected else message.split(", did you mean")[0]


SCHEMA = """
parameters:
  properties:
    n: {type: integer}
    m: {type: number}
    s: {type: string}
    t: {type: boolean}
    xs: {type: array, items: {}}
    open: {type: object, additionalProperties: {}}
    deep: {properties: {a: {properties: {b: {type: string}}}}}
    any: {}
    secret: {type: string, x-secret: true}
    filled: {type: integer, default: 7}
"""


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


def tree(template, parameters=None, context=None, schema=SCHEMA):
    """What `patch` renders for a template."""
    made = bound(f"{schema}\npatch:\n{textwrap.indent(textwrap.dedent(template), '  ')}")
    return made.render(made.check(parameters or {}), context or CONTEXT).patch


def value(expression, parameters=None, *, schema=SCHEMA, context=None):
    """The value of one expression in strict mode."""
    found = tree("wrapped: [{v: " + quoted("${{ [" + expression + "] }}") + "}]", parameters, context, schema)
    return found["wrapped"][0]["v"][0]


def live(expression, output=None, outputs=None, parameters=None):
    """The message of `health` for one expression in live mode."""
    module_ = bound(SCHEMA + "\npatch: {}\nhealth: {message: " + quoted("${{ [" + expression + "] | tojson }}") + "}")
    scope = {"parameters": parameters or {}, "context": CONTEXT, "output": output or {}, "outputs": outputs or {}}
    return module_.health(scope)["message"]


def refused(expression, parameters=None, **how):
    """Code and message of the problem that an expression makes, at compile time or when it runs."""
    with pytest.raises(errors.SpecError) as wrong:
        value(expression, parameters, **how)
    (found,) = wrong.value.problems
    return found.code, found.message
