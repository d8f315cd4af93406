"""References inside one application that point nowhere are warnings; what may exist outside is none."""

from __future__ import annotations

import apps
import pytest

from appdelivery.render import references, render

APP = """
- name: web
  type: webservice
  properties: {image: "x:1", ports: [{port: 80, name: http, expose: true}], envFrom: [%s]}
  traits: [{type: gateway, properties: {domain: a.example.com, http: {/: 80, /api: "%s"}}}]
- name: api
  type: webservice
  properties: {image: "x:1", ports: [{port: 8000, expose: %s}]}
- name: settings
  type: config
  properties: {configMaps: {web-config: {A: b}}}
"""


def found(components):
    app = apps.application(apps.text(components))
    return references.dangling(app, render.render(app, apps.shipped().resolve))


def test_an_application_whose_references_all_lead_somewhere_has_none():
    assert found(APP % ("web-config", "api:8000", "true")) == []


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (("web-confg", "api:8000", "true"), "ConfigMap 'web-confg'"),
        (("web-config", "api:8001", "true"), "port 8001 of Service api"),
        (("web-config", "api:8000", "false"), "to Service api"),
    ],
)
def test_a_reference_to_nothing_is_a_warning_at_its_component(values, said):
    (problem,) = found(APP % values)
    assert said in problem.message
    assert (problem.level, problem.path) == ("warning", ("spec", "components", 0))


def test_what_may_stand_outside_is_no_finding():
    assert found(APP % ("cluster-wide", "api:8000", "true")) == []


def test_a_named_target_port_must_be_one_of_the_pods():
    objects = """
    - name: all
      type: k8s-objects
      properties:
        objects:
          - apiVersion: apps/v1
            kind: Deployment
            metadata: {name: a}
            spec:
              template:
                metadata: {labels: {x: y}}
                spec: {containers: [{name: c, image: "x:1", ports: [{name: http, containerPort: 80}]}]}
          - apiVersion: v1
            kind: Service
            metadata: {name: a}
            spec: {selector: {x: "%s"}, ports: [{port: 80, targetPort: htpp}]}
    """
    (problem,) = found(objects % "y")
    assert "targets port 'htpp'" in problem.message
    assert found(objects % "z") == []


SHAPES = [
    "text",
    "{rules: 5}",
    "{rules: [5, {http: x}, {http: {paths: [x, {backend: 1}]}}]}",
    "{template: {spec: {containers: [5]}}}",
]


@pytest.mark.parametrize("spec", SHAPES)
@pytest.mark.parametrize("kind", ["Ingress", "Service", "HorizontalPodAutoscaler", "Deployment"])
def test_objects_of_any_shape_are_looked_at_without_falling(kind, spec):
    objects = f"[{{apiVersion: v1, kind: {kind}, spec: {spec}}}]"
    assert found("- {name: a, type: k8s-objects, properties: {objects: OBJECTS}}".replace("OBJECTS", objects)) == []
