"""Health, status and details of a component come from its definition over live objects and the parameters of its render."""

from __future__ import annotations

import apps
import pytest

from appdelivery.render import judging

BODY = """
parameters: {properties: {wanted: {type: integer, default: 2}}}
outputs: {a: {apiVersion: v1, kind: ConfigMap}, b: {apiVersion: v1, kind: Service}}
health:
  failed: ${{ output.status.phase == 'Failed' }}
  suspended: ${{ output.spec.suspend }}
  healthy: ${{ output.status.ready >= parameters.wanted }}
  message: ${{ output.status.message }}
status: "${{ context.name }}: ${{ output.status.ready | default(0) }} of ${{ parameters.wanted }}"
details: {address: "${{ outputs.b.spec.clusterIP }}"}
"""


@pytest.fixture
def judged(tmp_path):
    known = apps.with_definitions(
        tmp_path,
        judge=apps.component("judge", BODY),
        quiet=apps.component("quiet", "outputs: {a: {apiVersion: v1, kind: ConfigMap}}"),
    )
    made = apps.rendered("- {name: one, type: judge}\n- {name: two, type: quiet}", known)
    return (
        known.resolve("ComponentDefinition", "judge"),
        made.components[0],
        known.resolve("ComponentDefinition", "quiet"),
        made.components[1],
    )


@pytest.mark.parametrize(
    ("output", "state", "message"),
    [
        ({"status": {"ready": 2}}, "healthy", ""),
        ({"status": {"ready": 1, "message": "soon"}}, "progressing", "soon"),
        ({"status": {"phase": "Failed", "ready": 5}}, "degraded", ""),
        ({"status": {"ready": 5}, "spec": {"suspend": True}}, "suspended", ""),
        ({}, "progressing", ""),
        (None, "progressing", ""),
    ],
)
def test_the_first_true_one_wins(judged, output, state, message):
    definition, component, *_ = judged
    assert judging.health(definition, component, {"output": output, "outputs": {}}) == (state, message)


def test_an_expression_that_fails_is_unknown_and_never_a_crash(judged):
    definition, component, *_ = judged
    state, message = judging.health(definition, component, {"output": {"status": {"ready": "text"}}, "outputs": {}})
    assert state == "unknown"
    assert message


def test_status_and_details_are_texts(judged):
    definition, component, *_ = judged
    live = {"output": {"status": {"ready": 1}}, "outputs": {"b": {"spec": {"clusterIP": "10.0.0.1"}}}}
    assert judging.status(definition, component, live) == "one: 1 of 2"
    assert judging.details(definition, component, live) == {"address": "10.0.0.1"}


def test_a_definition_without_these_sections_gives_nothing(judged):
    *_, definition, component = judged
    assert judging.health(definition, component, {}) is None
    assert judging.status(definition, component, {}) is None
    assert judging.details(definition, component, {}) == {}


def test_a_trait_is_judged_with_its_own_parameters():
    made = apps.rendered(
        "- {name: a, type: webservice, properties: {image: 'x:1'}, traits: [{type: hpa, properties: {max: 7}}]}"
    )
    (component,) = made.components
    definition = apps.shipped().resolve("TraitDefinition", "hpa")
    live = {"output": {}, "outputs": {"hpa": {"status": {"currentReplicas": 3, "desiredReplicas": 4}}}}
    assert judging.status(definition, component, live, trait=component.traits[0]) == "Pods 3, wanted 4"
