"""Names under `context` are complete and mean what the language says."""

from __future__ import annotations

import apps
import pytest

HEAD = apps.HEAD.replace("}", ", labels: {team: a}, annotations: {note: b, app.oam.dev/publishVersion: v3}}", 1)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("context.name", "one"),
        ("context.appName", "shop"),
        ("context.namespace", "prod"),
        ("context.appRevision", "shop-v4"),
        ("context.appRevisionNum", 4),
        ("context.revision", "one-v2"),
        ("context.appLabels.team", "a"),
        ("context.appAnnotations.note", "b"),
        ("context.componentType", "seer"),
        ("context.publishVersion", "v3"),
        ("context.cluster", "eu-1"),
        ("context.clusterVersion.minor", 36),
        ("context.clusterVersion.gitVersion", "v1.36.0"),
        ("context.selector", {"app.oam.dev/component": "one"}),
        ("context.labels", {"app.oam.dev/component": "one", "app.oam.dev/name": "shop"}),
        ("context.traits", ["first", "second"]),
        ("context.owned", {"spec.replicas": "second"}),
        ("context.replicaKey", None),
        ("context.workflowName", None),
        ("context.placement", None),
    ],
)
def test_a_component_sees(tmp_path, expression, value):
    body = f"outputs: {{a: {{apiVersion: v1, kind: ConfigMap, seen: '${{{{ {expression} }}}}'}}}}"
    known = apps.with_definitions(
        tmp_path,
        seer=apps.component("seer", body),
        first=apps.trait("first", "patch: {data: {x: y}}"),
        second=apps.trait("second", "owns: [spec.replicas]\npatch: {data: {z: y}}"),
    )
    made = apps.rendered(
        "- {name: one, type: seer, traits: [{type: first}, {type: second}]}",
        known, head=HEAD, revision=4, cluster="eu-1", component_revisions=lambda name, digest: 2,
    )  # fmt: skip
    assert apps.body(made, "ConfigMap").get("seen") == value


def test_the_number_of_a_components_revision_is_asked_with_its_hash():
    asked = []

    def number(name, digest):
        asked.append((name, digest))
        return 5

    made = apps.rendered("- {name: a, type: worker, properties: {image: 'x:1'}}", component_revisions=number)
    assert asked == [("a", made.components[0].hash)]
    assert made.components[0].revision == "a-v5"


def test_what_health_and_status_need_later_is_kept_with_the_component():
    made = apps.rendered(
        "- {name: a, type: worker, properties: {image: 'x:1'}, traits: [{type: scaler, properties: {replicas: 2}}]}"
    )
    (component,) = made.components
    assert component.definition.startswith("worker@")
    assert component.parameters["image"] == "x:1"
    assert component.context["name"] == "a"
    assert [(t.type, t.parameters) for t in component.traits] == [("scaler", {"replicas": 2})]
