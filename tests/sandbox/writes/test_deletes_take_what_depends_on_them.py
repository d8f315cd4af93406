from __future__ import annotations

import pytest
from sandbox.writes.lab_of_writes import Lab, config_map

from appdelivery.sandbox import status


def owned(name, owner, **more):
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"]}
    return config_map(name, ownerReferences=[{**reference, **more}])


@pytest.fixture
def lab():
    return Lab()


def names(lab):
    return [item.key[1] for item in lab.cluster.storage.family(("", "configmaps")).items("a")]


def test_background_takes_dependents_after_their_owner(lab):
    owner = lab.create(config_map("owner"))
    child = lab.create(owned("child", owner))
    lab.create(owned("grandchild", child))
    _, gone = lab.delete("v1", "ConfigMap", "owner", propagation="Background")
    assert gone
    assert names(lab) == []


def test_foreground_waits_for_dependents_that_block(lab):
    owner = lab.create(config_map("owner"))
    blocked = owned("child", owner, blockOwnerDeletion=True)
    blocked["metadata"]["finalizers"] = ["x.io/hold"]
    lab.create(blocked)
    body, gone = lab.delete("v1", "ConfigMap", "owner", propagation="Foreground")
    assert not gone
    assert body["metadata"]["finalizers"] == ["foregroundDeletion"]
    assert names(lab) == ["child", "owner"]
    lab.patch("v1", "ConfigMap", "child", {"metadata": {"finalizers": None}})
    assert names(lab) == []


def test_orphan_leaves_dependents_without_their_owner(lab):
    owner = lab.create(config_map("owner"))
    lab.create(owned("child", owner))
    lab.delete("v1", "ConfigMap", "owner", propagation="Orphan")
    assert names(lab) == ["child"]
    assert "ownerReferences" not in lab.get("v1", "ConfigMap", "child")["metadata"]


def test_a_dependent_with_another_owner_stays(lab):
    first, second = lab.create(config_map("first")), lab.create(config_map("second"))
    body = owned("child", first)
    body["metadata"]["ownerReferences"] += owned("child", second)["metadata"]["ownerReferences"]
    lab.create(body)
    lab.delete("v1", "ConfigMap", "first")
    left = lab.get("v1", "ConfigMap", "child")["metadata"]["ownerReferences"]
    assert [one["name"] for one in left] == ["second"]


def test_a_dependent_born_after_its_owner_is_collected_soon(lab):
    owner = lab.create(config_map("owner"))
    lab.delete("v1", "ConfigMap", "owner")
    lab.create(owned("late", owner))
    assert names(lab) == ["late"]
    lab.cluster.clock.due()
    assert names(lab) == []


def test_a_job_orphans_its_pods_unless_asked_otherwise(lab):
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}
    job = lab.create({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}, "spec": {"template": template}})
    reference = {"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": job["metadata"]["uid"]}
    lab.create(config_map("child", ownerReferences=[reference]))
    lab.delete("batch/v1", "Job", "j")
    assert names(lab) == ["child"]


def pod(lab, **status_):
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    }
    body["spec"]["nodeName"] = "n1"
    lab.create(body)
    if status_:
        lab.patch("v1", "Pod", "p", {"status": status_}, subresource="status")


def test_a_pod_on_a_node_has_its_grace(lab):
    pod(lab)
    body, gone = lab.delete("v1", "Pod", "p")
    assert not gone
    assert body["metadata"]["deletionGracePeriodSeconds"] == 30
    again, gone = lab.delete("v1", "Pod", "p")
    assert not gone
    assert again["metadata"]["deletionTimestamp"] == body["metadata"]["deletionTimestamp"]
    assert lab.delete("v1", "Pod", "p", grace=0)[1]
    assert lab.get("v1", "Pod", "p") is None


def test_a_finished_pod_goes_at_once(lab):
    pod(lab, phase="Succeeded")
    assert lab.delete("v1", "Pod", "p")[1]


def test_a_claim_in_use_is_protected_until_the_pod_is_gone(lab):
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    lab.create({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "c"}, "spec": spec})
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]
    spec = {"containers": [{"name": "c", "image": "i"}], "volumes": volumes}
    lab.create({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec})
    assert not lab.delete("v1", "PersistentVolumeClaim", "c")[1]
    assert lab.get("v1", "PersistentVolumeClaim", "c") is not None
    lab.delete("v1", "Pod", "p")
    assert lab.get("v1", "PersistentVolumeClaim", "c") is None


def test_a_wrong_uid_is_refused_and_nothing_happens(lab):
    lab.create(config_map("x"))
    with pytest.raises(status.Refusal) as caught:
        lab.delete("v1", "ConfigMap", "x", uid="other")
    assert (caught.value.code, caught.value.reason) == (409, "Conflict")
    assert names(lab) == ["x"]


def test_a_dry_run_deletes_nothing(lab):
    lab.create(config_map("x"))
    assert lab.delete("v1", "ConfigMap", "x", dry_run=True)[1]
    assert names(lab) == ["x"]
