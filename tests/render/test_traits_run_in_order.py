"""Traits run in declared order, see what earlier ones made, and are told when they disagree."""

from __future__ import annotations

import apps
import pytest

WEB = """
- name: web
  type: webservice
  properties: {image: "example/web:1.0.0", ports: [{port: 80, expose: true}]}
  traits: %s
"""
SETTER = """
patch: {spec: {replicas: 3}}
"""


def test_a_trait_sees_the_workload_as_patched_by_the_trait_before(tmp_path):
    known = apps.with_definitions(
        tmp_path,
        first=apps.trait("first", "patch: {spec: {minReadySeconds: 7}}"),
        second=apps.trait(
            "second", "patch: {metadata: {annotations: {seen: '${{ context.output.spec.minReadySeconds }}'}}}"
        ),
    )
    made = apps.rendered(WEB % "[{type: first}, {type: second}]", known)
    assert apps.body(made, "Deployment")["metadata"]["annotations"] == {"seen": 7}
    assert "no key 'minReadySeconds'" in apps.refused(WEB % "[{type: second}, {type: first}]", known)[0].message


def test_a_trait_sees_outputs_of_the_component_and_of_earlier_traits(tmp_path):
    made_by = "outputs: {extra: {apiVersion: v1, kind: ConfigMap, data: {a: b}}}"
    sees = "patch: {metadata: {annotations: {seen: \"${{ context.outputs | keys | join(' ') }}\"}}}"
    known = apps.with_definitions(tmp_path, maker=apps.trait("maker", made_by), seer=apps.trait("seer", sees))
    made = apps.rendered(WEB % "[{type: maker}, {type: seer}]", known)
    seen = apps.body(made, "Deployment")["metadata"]["annotations"]["seen"]
    assert sorted(seen.split()) == ["extra", "webserviceExpose"]


def test_two_traits_that_set_one_field_differently_are_named_with_both_values(tmp_path):
    known = apps.with_definitions(
        tmp_path, a=apps.trait("a", "patch: {spec: {replicas: 3}}"), b=apps.trait("b", "patch: {spec: {replicas: 5}}")
    )
    (problem,) = apps.refused(WEB % "[{type: a}, {type: b}]", known)
    assert problem.message == "traits 'a' and 'b' both set spec.replicas (3 and 5)"
    assert problem.code == "render.conflict"
    assert problem.line == apps.line(apps.text(WEB % "[{type: a}, {type: b}]"), "type: b")


def test_two_traits_that_set_one_field_to_the_same_value_are_fine(tmp_path):
    known = apps.with_definitions(
        tmp_path, a=apps.trait("a", "patch: {spec: {replicas: 3}}"), b=apps.trait("b", "patch: {spec: {replicas: 3}}")
    )
    made = apps.rendered(WEB % "[{type: a}, {type: b}]", known)
    assert apps.body(made, "Deployment")["spec"]["replicas"] == 3


def test_a_trait_overrides_what_the_component_wrote():
    made = apps.rendered(
        """
        - name: all
          type: k8s-objects
          properties: {objects: [{apiVersion: apps/v1, kind: Deployment, metadata: {name: x}, spec: {replicas: 1}}]}
          traits: [{type: scaler, properties: {replicas: 4}}]
        """
    )
    assert apps.body(made, "Deployment")["spec"]["replicas"] == 4


def test_a_trait_on_a_kind_it_does_not_fit_is_refused_with_the_kinds_it_fits():
    components = """
    - name: job
      type: task
      properties: {image: "example/job:1.0.0"}
      traits:
        - type: hpa
    """
    (problem,) = apps.refused(components)
    assert problem.message == "trait 'hpa' does not fit Job (batch/v1)"
    assert "apps/v1/Deployment" in problem.hint
    assert problem.line == apps.line(apps.text(components), "type: hpa")


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ("apps/v1/Deployment", True), ("apps/*/Deployment", True), ("apps/v1/*", True), ("*/*/*", True), ("*", True),
        ("apps/v1/StatefulSet", False), ("v1/Deployment", False), ("batch/v1/*", False), ("apps/v2/Deployment", False),
    ],
)  # fmt: skip
def test_a_star_in_what_a_trait_fits_stands_for_any(tmp_path, pattern, fits):
    known = apps.with_definitions(
        tmp_path, x=apps.trait("x", f"appliesTo: ['{pattern}']\npatch: {{spec: {{paused: true}}}}")
    )
    if fits:
        assert apps.body(apps.rendered(WEB % "[{type: x}]", known), "Deployment")["spec"]["paused"] is True
    else:
        assert apps.refused(WEB % "[{type: x}]", known)[0].code == "trait.kind"


def test_a_target_names_the_object_that_a_trait_patches(tmp_path):
    known = apps.with_definitions(tmp_path, x=apps.trait("x", "patch: {data: {kind: '${{ context.output.kind }}'}}"))
    objects = """
    - name: all
      type: k8s-objects
      properties:
        objects:
          - {apiVersion: v1, kind: Service, metadata: {name: one}}
          - {apiVersion: v1, kind: ConfigMap, metadata: {name: two}}
      traits:
        - {type: x, target: {kind: ConfigMap, name: %s}}
    """
    made = apps.rendered(objects % "two", known)
    assert apps.body(made, "ConfigMap")["data"] == {"kind": "ConfigMap"}
    assert "data" not in apps.body(made, "Service")
    (problem,) = apps.refused(objects % "tow", known)
    assert "ConfigMap tow" in problem.message
    assert "ConfigMap two" in problem.hint


def test_patching_an_output_by_name_works_and_a_wrong_name_is_answered(tmp_path):
    known = apps.with_definitions(
        tmp_path,
        node=apps.trait("node", "patchOutputs: {webserviceExpose: {spec: {type: NodePort}}}"),
        typo=apps.trait("typo", "patchOutputs: {webservicExpose: {spec: {type: NodePort}}}"),
    )
    assert apps.body(apps.rendered(WEB % "[{type: node}]", known), "Service")["spec"]["type"] == "NodePort"
    (problem,) = apps.refused(WEB % "[{type: typo}]", known)
    assert problem.message == "there is no output 'webservicExpose' to patch, did you mean 'webserviceExpose'?"


def test_json_and_merge_patches_are_applied_after_the_strategic_one(tmp_path):
    body = """
    patch: {spec: {paused: true}}
    patches:
      - {type: json, patch: [{op: replace, path: /spec/paused, value: false}]}
      - {type: merge, patch: {spec: {selector: null}}}
    """
    known = apps.with_definitions(tmp_path, x=apps.trait("x", body))
    spec = apps.body(apps.rendered(WEB % "[{type: x}]", known), "Deployment")["spec"]
    assert spec["paused"] is False
    assert "selector" not in spec


def test_a_patch_of_a_container_that_is_not_there_is_refused(tmp_path):
    body = "patch: {spec: {template: {spec: {containers: [{name: wen, tty: true}]}}}}"
    known = apps.with_definitions(tmp_path, x=apps.trait("x", body))
    (problem,) = apps.refused(WEB % "[{type: x}]", known)
    assert problem.message == "container 'wen' not found, did you mean 'web'?"


def test_objects_of_a_trait_carry_its_stage(tmp_path):
    body = "stage: PreDispatch\noutputs: {early: {apiVersion: v1, kind: ConfigMap}}"
    known = apps.with_definitions(tmp_path, x=apps.trait("x", body))
    made = apps.rendered(WEB % "[{type: x}]", known)
    assert [(m.ref.kind, m.stage) for m in made.manifests] == [
        ("Deployment", "DefaultDispatch"), ("Service", "DefaultDispatch"), ("ConfigMap", "PreDispatch"),
    ]  # fmt: skip


def test_a_trait_whose_action_nobody_carries_out_is_refused(tmp_path):
    known = apps.with_definitions(tmp_path, x=apps.trait("x", "use: canary"))
    (problem,) = apps.refused(WEB % "[{type: x}]", known)
    assert "the action 'canary'" in problem.message


def test_an_error_inside_a_definition_says_what_was_being_rendered(tmp_path):
    known = apps.with_definitions(tmp_path, x=apps.trait("x", "patch: {spec: {a: \"${{ context.output.spec['b'] }}\"}}"))
    (problem,) = apps.refused(WEB % "[{type: x}]", known)
    assert problem.file.endswith("x.yaml")
    assert problem.line == 4
    assert "while rendering trait 'x' of component 'web'" in problem.hint
