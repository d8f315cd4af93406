"""A field has one owner: two traits, or a trait and the component, are refused with both places."""

from __future__ import annotations

import apps

BOTH = """
- name: web
  type: webservice
  properties: {image: "example/web:1.0.0"}
  traits:
    - {type: scaler, properties: {replicas: 3}}
    - {type: hpa, properties: {min: 2, max: 5}}
"""


def test_two_traits_that_own_replicas_are_refused_with_both_lines():
    whole = apps.text(BOTH)
    found = apps.refused(BOTH)
    assert [p.line for p in found] == [apps.line(whole, "scaler"), apps.line(whole, "hpa")]
    assert any("traits 'scaler' and 'hpa' both own spec.replicas of component 'web'" in p.message for p in found)


def test_the_components_own_replicas_beside_an_autoscaler_are_refused_with_both_lines():
    components = """
    - name: web
      type: webservice
      properties:
        image: example/web:1.0.0
        replicas: 3
      traits:
        - {type: hpa, properties: {min: 2, max: 5}}
    """
    whole = apps.text(components)
    found = apps.refused(components)
    assert [p.line for p in found] == [apps.line(whole, "replicas: 3"), apps.line(whole, "hpa")]
    assert found[0].message == "replicas is owned by the trait hpa; remove one of the two"


def test_lenient_lets_the_autoscaler_win_in_either_order_and_warns():
    swapped = BOTH.replace("scaler, properties: {replicas: 3}", "X").replace("hpa, properties: {min: 2, max: 5}", "Y")
    swapped = swapped.replace("X", "hpa, properties: {min: 2, max: 5}").replace("Y", "scaler, properties: {replicas: 3}")
    for components in (BOTH, swapped):
        made = apps.rendered(components, lenient=True)
        assert "replicas" not in apps.body(made, "Deployment")["spec"]
        assert apps.body(made, "HorizontalPodAutoscaler")["spec"]["minReplicas"] == 2
        (warning,) = made.warnings
        assert (warning.level, warning.hint) == ("warning", "an autoscaler wins over a fixed number")


def test_lenient_does_not_choose_between_two_different_fixed_numbers(tmp_path):
    known = apps.with_definitions(tmp_path, fixed=apps.trait("fixed", "owns: [spec.replicas]\npatch: {spec: {replicas: 7}}"))
    components = BOTH.replace("hpa, properties: {min: 2, max: 5}", "fixed")
    (problem,) = apps.refused(components, known, lenient=True)
    assert problem.message == "traits 'scaler' and 'fixed' both set spec.replicas (3 and 7)"


def test_lenient_keeps_two_equal_fixed_numbers(tmp_path):
    known = apps.with_definitions(tmp_path, fixed=apps.trait("fixed", "owns: [spec.replicas]\npatch: {spec: {replicas: 3}}"))
    made = apps.rendered(BOTH.replace("hpa, properties: {min: 2, max: 5}", "fixed"), known, lenient=True)
    assert apps.body(made, "Deployment")["spec"]["replicas"] == 3


def test_one_trait_type_twice_that_owns_a_field_is_refused_too():
    components = BOTH.replace(
        "{type: hpa, properties: {min: 2, max: 5}}", "{type: scaler, name: more, properties: {replicas: 4}}"
    )
    assert any("'scaler' and 'scaler (more)' both own" in p.message for p in apps.refused(components))
