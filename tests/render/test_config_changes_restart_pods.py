"""A pod template carries a hash of the ConfigMaps and Secrets of `config` components that the pod uses, and of no others."""

from __future__ import annotations

import apps
import pytest

ANNOTATION = "appdelivery.dev/config"
APP = """
- name: web
  type: webservice
  properties:
    image: example/web:1.0.0
    %s
- name: settings
  type: config
  properties:
    configMaps: {used: {LEVEL: %s}, other: {A: %s}}
    secrets: {login: {password: %s}}
"""
USES = "envFrom: [used]"


def mark(uses=USES, level="info", other="a", password="{$generate: 24}", **how):
    made = apps.rendered(APP % (uses, level, other, password), **how)
    template = apps.body(made, "Deployment")["spec"]["template"]
    return template["metadata"].get("annotations", {}).get(ANNOTATION)


@pytest.mark.parametrize(
    "uses",
    [
        "envFrom: [used]",
        "env: [{name: L, valueFrom: {configMapKeyRef: {name: used, key: LEVEL}}}]",
        "volumeMounts: {configMap: [{name: v, mountPath: /v, cmName: used}]}",
    ],
)
def test_a_changed_value_of_a_used_object_moves_the_hash(uses):
    assert mark(uses) == mark(uses)
    assert mark(uses) != mark(uses, level="debug")
    assert mark(uses) == mark(uses, other="b")


def test_a_secret_counts_by_its_reference_or_keyed_value():
    uses = "envFrom: [{secret: login}]"
    assert mark(uses) == mark(uses)
    assert mark(uses, password="one", digest_key=b"k") != mark(uses, password="two", digest_key=b"k")
    assert mark(uses, password="one", digest_key=b"k") != mark(uses, password="one", digest_key=b"other")


@pytest.mark.parametrize("uses", ["cpu: 100m", "envFrom: [elsewhere]", "envFrom: [used]\n    restartOnConfigChange: false"])
def test_no_hash_where_nothing_of_the_application_is_used_or_it_is_off(uses):
    assert mark(uses) is None


def test_no_hash_for_an_imported_application():
    head = apps.HEAD.replace("}", ", annotations: {appdelivery.dev/imported-from: kubevela}}", 1)
    assert mark(head=head, lenient=True) is None


def test_objects_of_other_components_do_not_count():
    components = """
    - name: web
      type: webservice
      properties: {image: "x:1", envFrom: [used]}
    - name: objects
      type: k8s-objects
      properties: {objects: [{apiVersion: v1, kind: ConfigMap, metadata: {name: used}, data: {a: b}}]}
    """
    template = apps.body(apps.rendered(components), "Deployment")["spec"]["template"]
    assert ANNOTATION not in template["metadata"].get("annotations", {})


def test_a_job_is_left_alone_because_its_template_cannot_change():
    components = """
    - name: once
      type: task
      properties: {image: "x:1", envFrom: [used]}
    - name: settings
      type: config
      properties: {configMaps: {used: {A: b}}}
    """
    template = apps.body(apps.rendered(components), "Job")["spec"]["template"]
    assert ANNOTATION not in template["metadata"].get("annotations", {})


def test_written_annotations_of_the_pod_stay():
    made = apps.rendered(APP % ("annotations: {a: b}\n    envFrom: [used]", "info", "a", "x"))
    assert set(apps.body(made, "Deployment")["spec"]["template"]["metadata"]["annotations"]) == {"a", ANNOTATION}
