from __future__ import annotations

import pytest
from sandbox.writes.lab_of_writes import Lab

from appdelivery.sandbox import status, writes

SPEC = {
    "type": "object",
    "required": ["size"],
    "properties": {
        "size": {"type": "integer", "minimum": 1, "maximum": 10},
        "replicas": {"type": "integer", "default": 1},
        "color": {"type": "string", "enum": ["red", "blue"], "default": "red"},
        "name": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 5},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "nested": {"type": "object", "default": {}, "properties": {"q": {"type": "string", "default": "w"}}},
        "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
        "ports": {
            "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["port", "proto"],
            "items": {
                "type": "object", "required": ["port"],
                "properties": {
                    "port": {"type": "integer"}, "proto": {"type": "string", "default": "TCP"}, "x": {"type": "string"},
                },
            },
        },
    },
}  # fmt: skip
STATUS = {"type": "object", "properties": {"replicas": {"type": "integer"}, "phase": {"type": "string"}}}
SCALE = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}


def version(name="v1", *, storage=True, spec=SPEC, **more):
    schema = {"type": "object", "properties": {"spec": spec, "status": STATUS}}
    return {
        "name": name, "served": True, "storage": storage, "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}, "scale": SCALE}, **more,
    }  # fmt: skip


def definition(*versions, **spec):
    return {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com", "scope": "Namespaced", "names": {"plural": "widgets", "kind": "Widget", "shortNames": ["wi"]},
            "versions": list(versions or [version()]), **spec,
        },
    }  # fmt: skip


def widget(*, at="example.com/v1", **spec):
    return {"apiVersion": at, "kind": "Widget", "metadata": {"name": "w"}, "spec": spec or {"size": 1}}


@pytest.fixture
def lab():
    made = Lab()
    made.create(definition())
    return made


def refused(lab, body):
    with pytest.raises(status.Refusal) as caught:
        lab.create(body)
    return caught.value.code, caught.value.message


def stored(lab):
    return lab.cluster.get(
        lab.cluster.kind("apiextensions.k8s.io/v1", "CustomResourceDefinition"), "", "widgets.example.com"
    )


def test_a_definition_is_established_and_its_kind_served(lab):
    conditions = {one["type"]: one["status"] for one in stored(lab).body["status"]["conditions"]}
    assert conditions == {"NamesAccepted": "True", "Established": "True"}
    kind = lab.cluster.kind("example.com/v1", "Widget")
    assert kind.subresources == {"status", "scale"}
    assert kind.discovery["shortNames"] == ["wi"]
    assert kind.namespaced


def test_it_is_established_only_after_the_set_delay():
    lab = Lab()
    lab.cluster.establishing = 3.0
    lab.create(definition())
    lab.cluster.clock.advance(2)
    assert lab.cluster.kinds.named("example.com/v1", "Widget") is None
    lab.cluster.clock.advance(1)
    assert lab.cluster.kinds.named("example.com/v1", "Widget") is not None


def test_defaults_are_set_at_every_depth(lab):
    assert lab.create(widget())["spec"] == {"size": 1, "replicas": 1, "color": "red", "nested": {"q": "w"}}


def test_unknown_fields_are_pruned_where_nothing_preserves_them(lab):
    body = lab.create(widget(size=1, nope=1, free={"x": {"y": 1}}))
    assert body["spec"]["free"] == {"x": {"y": 1}}
    assert "nope" not in body["spec"]


def test_unknown_fields_are_refused_when_that_is_asked_for(lab):
    with pytest.raises(status.Refusal) as caught:
        lab.create(widget(size=1, nope=1), validation="Strict")
    assert caught.value.message == (
        'Widget in version "v1" cannot be handled as a Widget: strict decoding error: unknown field "spec.nope"'
    )


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"color": "red"}, "spec.size: Required value"),
        ({"size": 11}, "spec.size: Invalid value: 11: spec.size in body should be less than or equal to 10"),
        ({"size": "x"}, 'spec.size: Invalid value: "string": spec.size in body must be of type integer: "string"'),
        ({"size": 1, "color": "x"}, 'spec.color: Unsupported value: "x": supported values: "red", "blue"'),
        ({"size": 1, "name": "AB"}, "spec.name: Invalid value: \"AB\": spec.name in body should match '^[a-z]+$'"),
        ({"size": 1, "tags": ["a", "a"]}, 'spec.tags[1]: Duplicate value: "a"'),
        ({"size": 1, "ports": [{"port": 1}, {"port": 1}]}, 'spec.ports[1]: Duplicate value: {"port":1,"proto":"TCP"}'),
    ],
)
def test_the_schema_refuses_in_the_servers_words(lab, spec, said):
    assert refused(lab, widget(**spec)) == (422, f'Widget.example.com "w" is invalid: {said}')


def test_keyed_lists_are_merged_by_their_keys_with_defaults(lab):
    lab.apply(widget(size=1, ports=[{"port": 1}, {"port": 2}]), "m1")
    body = lab.apply(widget(size=1, ports=[{"port": 2, "proto": "TCP", "x": "y"}, {"port": 2, "proto": "UDP"}]), "m2")
    assert [(one["port"], one["proto"]) for one in body["spec"]["ports"]] == [(1, "TCP"), (2, "TCP"), (2, "UDP")]
    assert lab.apply(widget(size=1), "m1")["spec"]["ports"] == body["spec"]["ports"][1:]


def test_status_and_spec_are_written_apart(lab):
    lab.create(widget())
    change = {"spec": {"size": 9}, "status": {"phase": "x"}, "metadata": {"labels": {"a": "b"}}}
    body = lab.patch("example.com/v1", "Widget", "w", change, subresource="status")
    assert (body["spec"]["size"], body["status"], body["metadata"].get("labels")) == (1, {"phase": "x"}, None)
    assert body["metadata"]["generation"] == 1
    body = lab.patch("example.com/v1", "Widget", "w", change)
    assert (body["spec"]["size"], body["status"], body["metadata"]["generation"]) == (9, {"phase": "x"}, 2)


def test_its_scale_writes_the_path_that_is_stated(lab):
    lab.create(widget(), "x")
    scale = lab.patch("example.com/v1", "Widget", "w", {"spec": {"replicas": 4}}, subresource="scale")
    assert (scale["kind"], scale["spec"]) == ("Scale", {"replicas": 4})
    body = lab.get("example.com/v1", "Widget", "w")
    assert (body["spec"]["replicas"], body["metadata"]["generation"]) == (4, 2)
    assert [(one["manager"], one.get("subresource")) for one in body["metadata"]["managedFields"]] == [
        ("m", "scale"),
        ("x", None),
    ]


def test_a_put_must_name_the_version_it_replaces(lab):
    lab.create(widget())
    kind = lab.cluster.kind("example.com/v1", "Widget")
    with pytest.raises(status.Refusal) as caught:
        writes.replace(lab.cluster, kind, ("a", "w"), widget(), writes.Options("m"))
    assert caught.value.message == (
        'widgets.example.com "w" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update'
    )


def test_versions_show_the_same_objects():
    lab = Lab()
    lab.create(definition(version("v1"), version("v2", storage=False)))
    lab.create(widget(at="example.com/v2"))
    assert lab.get("example.com/v1", "Widget", "w")["apiVersion"] == "example.com/v1"
    assert lab.get("example.com/v2", "Widget", "w")["apiVersion"] == "example.com/v2"
    assert lab.cluster.get(lab.cluster.kind("example.com/v1", "Widget"), "a", "w").body["apiVersion"] == "example.com/v1"
    assert list(lab.cluster.kinds.groups()["example.com"]) == ["v2", "v1"]


def test_a_changed_definition_changes_what_is_served(lab):
    change = {"spec": {"versions": [version(), version("v2", storage=False)]}}
    lab.patch("apiextensions.k8s.io/v1", "CustomResourceDefinition", "widgets.example.com", change)
    assert lab.cluster.kinds.named("example.com/v2", "Widget") is not None
    change = {"spec": {"versions": [version(spec={**SPEC, "required": []})]}}
    lab.patch("apiextensions.k8s.io/v1", "CustomResourceDefinition", "widgets.example.com", change)
    assert lab.cluster.kinds.named("example.com/v2", "Widget") is None
    assert lab.create(widget(color="blue"))["spec"]["color"] == "blue"


def test_columns_come_from_the_definition():
    lab = Lab()
    lab.create(
        definition(version(additionalPrinterColumns=[{"name": "R", "type": "integer", "jsonPath": ".spec.replicas"}]))
    )
    columns = lab.cluster.kind("example.com/v1", "Widget").columns
    assert [(one["name"], one.get("jsonPath")) for one in columns] == [("Name", None), ("R", ".spec.replicas")]


def test_a_definition_takes_its_objects_and_its_kind_with_it(lab):
    lab.create(widget())
    body, gone = lab.delete("apiextensions.k8s.io/v1", "CustomResourceDefinition", "widgets.example.com")
    assert not gone
    assert body["metadata"]["finalizers"] == ["customresourcecleanup.apiextensions.k8s.io"]
    assert stored(lab) is None
    assert lab.cluster.kinds.named("example.com/v1", "Widget") is None
    assert len(lab.cluster.storage.family(("example.com", "widgets"))) == 0


def test_a_definition_waits_for_objects_with_finalizers(lab):
    held = widget()
    held["metadata"]["finalizers"] = ["x.io/hold"]
    lab.create(held)
    lab.delete("apiextensions.k8s.io/v1", "CustomResourceDefinition", "widgets.example.com")
    assert stored(lab) is not None
    lab.patch("example.com/v1", "Widget", "w", {"metadata": {"finalizers": None}})
    assert stored(lab) is None


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (definition(version(spec={})), "spec.validation.openAPIV3Schema.properties[spec].type: Required value: must not be empty for specified object fields"),
        (definition(version(spec={"type": "array"})), "spec.validation.openAPIV3Schema.properties[spec].items: Required value: must be specified"),
        (definition(scope="X"), 'spec.scope: Unsupported value: "X": supported values: "Cluster", "Namespaced"'),
    ],
)  # fmt: skip
def test_a_bad_definition_is_refused(body, said):
    code, message = refused(Lab(), body)
    assert (code, message) == (
        422,
        f'CustomResourceDefinition.apiextensions.k8s.io "widgets.example.com" is invalid: {said}',
    )


@pytest.mark.parametrize(
    ("stated", "code", "said"),
    [
        (
            {"apiVersion": "example.com/v2"}, 400,
            "the API version in the data (example.com/v2) does not match the expected API version (example.com/v1)",
        ),
        ({"kind": "Foo"}, 422, 'Foo.example.com "w" is invalid: kind: Invalid value: "Foo": must be Widget'),
    ],
)  # fmt: skip
def test_a_custom_object_must_say_what_it_is(lab, stated, code, said):
    kind = lab.cluster.kind("example.com/v1", "Widget")
    with pytest.raises(status.Refusal) as caught:
        writes.create(lab.cluster, kind, "a", {**widget(), **stated}, writes.Options("m"))
    assert (caught.value.code, caught.value.message) == (code, said)
