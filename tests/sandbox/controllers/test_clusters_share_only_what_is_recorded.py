"""Clusters of one process share the recorded schemas; what one is taught, the others do not know."""

from __future__ import annotations

import copy

import custom_kinds
import pytest

from appdelivery.sandbox import cluster, schemas, writes
from appdelivery.sandbox.status import Refusal

GROUP = "example.org"


def taught(made, *versions):
    body = custom_kinds.crd(GROUP, *versions)
    writes.create(made, made.kind("apiextensions.k8s.io/v1", "CustomResourceDefinition"), "", body, writes.Options("test"))
    return made.kinds.named(f"{GROUP}/v1", body["spec"]["names"]["kind"])


def test_a_custom_kind_is_served_by_its_cluster_alone():
    one, other = cluster.Cluster("one"), cluster.Cluster("other")
    revision = other.kinds.revision
    kind = taught(one, custom_kinds.version("v1", storage=True))
    assert kind is not None
    assert other.kinds.named(kind.api_version, kind.kind) is None
    assert other.kinds.at(GROUP, "v1", kind.plural) is None
    assert GROUP not in other.kinds.groups()
    assert other.kinds.revision == revision
    assert {*map(repr, one.kinds)} - {*map(repr, other.kinds)} == {repr(kind)}


def test_the_same_kind_has_another_schema_in_another_cluster():
    strict, free = cluster.Cluster("strict"), cluster.Cluster("free")
    size = {"type": "object", "properties": {"spec": custom_kinds.structure(size={"type": "integer"})}}
    text = {"type": "object", "properties": {"spec": custom_kinds.structure(size={"type": "string"})}}
    for made, schema in ((strict, size), (free, text)):
        kind = taught(made, custom_kinds.version("v1", storage=True, of=schema))
        body = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": "a"}, "spec": {"size": "big"}}
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}
        writes.create(made, made.kind("v1", "Namespace"), "", namespace, writes.Options("test"))
        if made is strict:
            with pytest.raises(Refusal, match="must be of type integer"):
                writes.create(made, kind, "default", body, writes.Options("test"))
        else:
            assert writes.create(made, kind, "default", body, writes.Options("test")).body["spec"] == {"size": "big"}


def test_writing_changes_nothing_of_what_is_shared():
    before = copy.deepcopy(schemas.recorded())
    made = cluster.Cluster()
    taught(made, custom_kinds.version("v1", storage=True))
    for name in ("default", "team"):
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        writes.create(made, made.kind("v1", "Namespace"), "", body, writes.Options("test"))
    pod = {"containers": [{"name": "a", "image": "a", "ports": [{"containerPort": 80}]}]}
    deployment = {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"},
        "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}}, "spec": pod}},
    }  # fmt: skip
    writes.create(made, made.kind("apps/v1", "Deployment"), "team", deployment, writes.Options("test"))
    assert schemas.recorded() == before
