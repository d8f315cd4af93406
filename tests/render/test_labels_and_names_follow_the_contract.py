"""What the engine adds to every object: names, namespaces, the label contract, labels and annotations of the Application."""

from __future__ import annotations

import apps

WEB = """
- name: web
  type: webservice
  properties: {image: "example/web:1.0.0", ports: [{port: 80, expose: true}]}
  traits: [{type: expose, properties: {port: [81]}}]
"""
OBJECTS = """
- name: all
  type: k8s-objects
  properties:
    namespace: keep
    objects: %s
"""
HEAD = """apiVersion: core.oam.dev/v1beta1
kind: Application
metadata:
  name: shop
  namespace: prod
  labels: {team: store, private: "yes", controller.core.oam.dev/pause: "false"}
  annotations:
    contact: store@example.com
    note: mine
    app.oam.dev/publishVersion: v9
    filter.oam.dev/label-keys: private
    filter.oam.dev/annotation-keys: "note, other"
"""
NAMES = {"app.oam.dev/name": "shop", "app.oam.dev/namespace": "prod", "app.oam.dev/component": "web"}


def test_every_object_carries_the_labels_that_kubevela_writes():
    made = apps.rendered(WEB, revision=4)
    shared = NAMES | {"app.oam.dev/appRevision": "shop-v4"}
    assert apps.body(made, "Deployment")["metadata"]["labels"] == shared | {
        "app.oam.dev/resourceType": "WORKLOAD", "workload.oam.dev/type": "webservice",
    }  # fmt: skip
    assert [m.body["metadata"]["labels"] for m in made.manifests[1:]] == [
        shared | {
            "app.oam.dev/resourceType": "TRAIT", "trait.oam.dev/type": "AuxiliaryWorkload",
            "trait.oam.dev/resource": "webserviceExpose",
        }
    ]  # fmt: skip


def test_an_object_of_a_trait_names_the_trait():
    made = apps.rendered(WEB.replace(", expose: true", ""))
    labels = apps.body(made, "Service")["metadata"]["labels"]
    assert (labels["trait.oam.dev/type"], labels["trait.oam.dev/resource"]) == ("expose", "service")


def test_pods_carry_no_revision_so_that_a_release_restarts_nothing():
    one, two = [apps.body(apps.rendered(WEB, revision=n), "Deployment")["spec"] for n in (1, 2)]
    assert one == two
    assert one["template"]["metadata"]["labels"] == {"app.oam.dev/name": "shop", "app.oam.dev/component": "web"}


def test_labels_and_annotations_of_the_application_are_copied_but_for_filters_and_instructions():
    metadata = apps.body(apps.rendered(WEB, head=HEAD), "Deployment")["metadata"]
    assert metadata["annotations"] == {"contact": "store@example.com"}
    assert {k: v for k, v in metadata["labels"].items() if "oam.dev" not in k} == {"team": "store"}


def test_written_labels_and_annotations_stay_and_win_over_those_of_the_application():
    made = apps.rendered(
        OBJECTS
        % "[{apiVersion: v1, kind: ConfigMap, metadata: {name: a, labels: {team: other}, annotations: {contact: x}}}]",
        head=HEAD,
    )
    metadata = apps.body(made, "ConfigMap")["metadata"]
    assert metadata["labels"]["team"] == "other"
    assert metadata["annotations"] == {"contact": "x"}
    assert next(iter(metadata["labels"])) == "team"


def test_a_contract_label_with_another_value_is_refused():
    (problem,) = apps.refused(
        OBJECTS % "[{apiVersion: v1, kind: ConfigMap, metadata: {labels: {app.oam.dev/component: other}}}]"
    )
    assert "app.oam.dev/component" in problem.message
    assert "'all'" in problem.message


def test_a_patch_cannot_change_a_contract_label_or_a_name(tmp_path):
    known = apps.with_definitions(
        tmp_path,
        relabel=apps.trait("relabel", "patch: {metadata: {labels: {app.oam.dev/name: other}}}"),
        rename=apps.trait("rename", "patch: {metadata: {name: other}}"),
    )
    for trait, said in (("relabel", "app.oam.dev/name"), ("rename", "the name or namespace")):
        (problem,) = apps.refused(WEB.replace("expose, properties: {port: [81]}", trait), known)
        assert said in problem.message


def test_an_unwritten_name_is_the_components_and_metadata_follows_the_kind():
    made = apps.rendered(WEB)
    body = apps.body(made, "Deployment")
    assert list(body) == ["apiVersion", "kind", "metadata", "spec"]
    assert list(body["metadata"]) == ["name", "namespace", "labels"]
    assert body["metadata"]["name"] == "web"


def test_cluster_scoped_kinds_have_no_namespace_and_written_ones_stay():
    made = apps.rendered(
        OBJECTS
        % """
      - {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: a, namespace: x}}
      - {apiVersion: v1, kind: ConfigMap, metadata: {name: b, namespace: other}}
      - {apiVersion: example.com/v1, kind: Node, metadata: {name: c}}
    """
    )
    assert [(m.ref.namespace, m.body["metadata"].get("namespace")) for m in made.manifests] == [
        ("", None), ("other", "other"), ("prod", "prod"),
    ]  # fmt: skip


def test_empty_annotations_are_left_out():
    made = apps.rendered(OBJECTS % "[{apiVersion: v1, kind: ConfigMap, metadata: {name: a, annotations: {}, labels: {}}}]")
    assert "annotations" not in apps.body(made, "ConfigMap")["metadata"]


def test_a_value_longer_than_a_label_is_cut():
    name = "a" * 63
    made = apps.rendered(WEB, head=apps.HEAD.replace("shop", name))
    labels = apps.body(made, "Deployment")["metadata"]["labels"]
    assert labels["app.oam.dev/name"] == name
    assert len(labels["app.oam.dev/appRevision"]) == 63


def test_another_target_namespace_moves_objects_and_keeps_the_identity():
    made = apps.rendered(WEB, namespace="canary")
    metadata = apps.body(made, "Deployment")["metadata"]
    assert metadata["namespace"] == "canary"
    assert metadata["labels"]["app.oam.dev/namespace"] == "prod"
