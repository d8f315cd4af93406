from __future__ import annotations

import pytest
from sandbox.writes.lab_of_writes import Lab, config_map

from appdelivery.sandbox import status, writes


@pytest.fixture
def lab():
    return Lab()


def namespace(lab, name="a"):
    return lab.cluster.get(lab.cluster.kind("v1", "Namespace"), "", name)


def conditions(lab):
    return {one["type"]: one["status"] for one in namespace(lab).body["status"]["conditions"]}


def test_a_new_namespace_is_active_and_held_by_kubernetes(lab):
    body = namespace(lab).body
    assert body["spec"] == {"finalizers": ["kubernetes"]}
    assert body["status"] == {"phase": "Active"}
    assert body["metadata"]["labels"] == {"kubernetes.io/metadata.name": "a"}


def test_it_terminates_first_and_is_gone_with_its_content(lab):
    lab.create(config_map("x"))
    body, gone = lab.delete("v1", "Namespace", "a")
    assert not gone
    assert body["status"]["phase"] == "Terminating"
    lab.cluster.clock.advance(1)
    assert namespace(lab) is None
    assert lab.get("v1", "ConfigMap", "x") is None


def test_nothing_new_comes_into_a_terminating_namespace(lab):
    lab.create(config_map("x", finalizers=["x.io/hold"]))
    lab.delete("v1", "Namespace", "a")
    with pytest.raises(status.Refusal) as caught:
        lab.create(config_map("y"))
    assert caught.value.code == 403
    assert caught.value.message == (
        'configmaps "y" is forbidden: unable to create new content in namespace a because it is being terminated'
    )


def test_content_with_finalizers_holds_it_and_the_conditions_say_so(lab):
    lab.create(config_map("x", finalizers=["x.io/hold"]))
    lab.delete("v1", "Namespace", "a")
    lab.cluster.clock.advance(1)
    assert conditions(lab) == {
        "NamespaceDeletionDiscoveryFailure": "False", "NamespaceDeletionGroupVersionParsingFailure": "False",
        "NamespaceDeletionContentFailure": "False", "NamespaceContentRemaining": "True", "NamespaceFinalizersRemaining": "True",
    }  # fmt: skip
    lab.patch("v1", "ConfigMap", "x", {"metadata": {"finalizers": None}})
    lab.cluster.clock.advance(1)
    assert namespace(lab) is None


def test_a_namespace_that_is_not_there_is_named(lab):
    with pytest.raises(status.Refusal) as caught:
        Lab(lab.cluster, "nowhere").create(config_map("x"))
    assert (caught.value.code, caught.value.message) == (404, 'namespaces "nowhere" not found')


def test_default_stays(lab):
    with pytest.raises(status.Refusal) as caught:
        lab.delete("v1", "Namespace", "default")
    assert caught.value.code == 403


def test_finalize_takes_the_finalizer_of_kubernetes(lab):
    kind = lab.cluster.kind("v1", "Namespace")
    lab.create(config_map("x", finalizers=["x.io/hold"]))
    lab.delete("v1", "Namespace", "a")
    options = writes.Options("m", subresource="finalize")
    writes.replace(lab.cluster, kind, ("", "a"), {"metadata": {"name": "a"}, "spec": {}}, options)
    assert namespace(lab) is None
