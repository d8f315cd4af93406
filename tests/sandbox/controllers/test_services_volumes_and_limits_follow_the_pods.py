"""Services, Ingresses, claims, budgets, quotas, Gateway routes, and what every cluster begins with."""

from __future__ import annotations

import copy

import pytest
from small_world import ME, VERSIONS, World, conditions, deployment, job, pod

from appdelivery.sandbox import status, writes
from appdelivery.sandbox.controllers import quota_usage, services


def service(name="web", **spec):
    ports = [{"name": "http", "port": 80, "targetPort": "web"}]
    return {"kind": "Service", "metadata": {"name": name}, "spec": {"selector": {"app": "web"}, "ports": ports, **spec}}


def served(**given):
    body = deployment(**given)
    body["spec"]["template"]["spec"]["containers"][0]["ports"] = [{"name": "web", "containerPort": 8080}]
    return body


def endpoints(world):
    found = [one for part in world.all("EndpointSlice", prefix="web") for one in part["endpoints"] or ()]
    return {one["addresses"][0]: one["conditions"]["ready"] for one in found}


def claim(name="data", size="1Gi", **spec):
    asked = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}, **spec}
    return {"kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": asked}


# --- services ---


def test_a_service_has_the_addresses_of_its_pods():
    world = World()
    world.make(service())
    assert world.all("EndpointSlice", prefix="web")[0]["endpoints"] is None
    world.make(served(replicas=3))
    assert sorted(endpoints(world)) == sorted(one["status"]["podIP"] for one in world.pods())
    assert world.all("EndpointSlice", prefix="web")[0]["ports"] == [{"name": "http", "protocol": "TCP", "port": 8080}]
    old = world.get("Endpoints", "web")["subsets"]
    assert len(old[0]["addresses"]) == 3
    world.image("Deployment", "web", "app:v2-bad")
    assert sorted(endpoints(world).values()) == [False, True, True, True]
    assert len(world.get("Endpoints", "web")["subsets"][0]["notReadyAddresses"]) == 1
    world.change("Deployment", "web", {"spec": {"replicas": 0}})
    assert endpoints(world) == {}


def test_a_pod_that_stops_serves_on_but_is_not_ready():
    world = World()
    world.make(service())
    world.make(served(replicas=1, notes={"terminates-after": "10s"}))
    world.change("Deployment", "web", {"spec": {"replicas": 0}})
    last = world.all("EndpointSlice", prefix="web")[0]["endpoints"][0]
    assert last["conditions"] == {"ready": False, "serving": True, "terminating": True}


def test_more_addresses_than_a_slice_holds_are_sliced(monkeypatch):
    monkeypatch.setattr(services, "IN_SLICE", 10)
    world = World()
    world.make(service())
    world.make(served(replicas=11))
    assert sorted(len(one["endpoints"]) for one in world.all("EndpointSlice", prefix="web")) == [1, 10]
    world.change("Deployment", "web", {"spec": {"replicas": 5}})
    assert [len(one["endpoints"]) for one in world.all("EndpointSlice", prefix="web")] == [5]


def test_what_belongs_to_a_service_goes_with_it():
    world = World()
    world.make(service())
    world.delete("Service", "web")
    assert world.all("EndpointSlice", prefix="web") == world.all("Endpoints", prefix="web") == []


def test_load_balancers_and_ingresses_get_addresses():
    world = World()
    world.make(service(type="LoadBalancer"))
    assert world.get("Service", "web")["status"]["loadBalancer"]["ingress"][0]["ip"]
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    world.make({"kind": "Ingress", "metadata": {"name": "web"}, "spec": {"defaultBackend": backend}})
    assert world.get("Ingress", "web")["status"]["loadBalancer"]["ingress"][0]["ip"]


# --- claims ---


def test_a_claim_gets_a_volume_of_its_class():
    world = World()
    world.make(claim())
    found = world.get("PersistentVolumeClaim", "data")
    assert found["status"] == {"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}}
    volume = world.get("PersistentVolume", found["spec"]["volumeName"])
    assert volume["spec"]["claimRef"]["uid"] == found["metadata"]["uid"]
    assert volume["status"]["phase"] == "Bound"
    world.delete("PersistentVolumeClaim", "data")
    assert world.all("PersistentVolume") == []


def test_a_volume_that_is_there_is_taken_first_the_smallest_that_fits():
    world = World()
    for name, size in (("big", "10Gi"), ("fits", "5Gi"), ("small", "1Gi")):
        spec = {"capacity": {"storage": size}, "accessModes": ["ReadWriteOnce"], "storageClassName": "manual"}
        spec["hostPath"] = {"path": "/data"}
        world.make({"kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec})
    world.make(claim(size="3Gi", storageClassName="manual"))
    assert world.get("PersistentVolumeClaim", "data")["spec"]["volumeName"] == "fits"


def test_a_claim_in_use_stays_until_its_pod_is_gone():
    world = World()
    world.make(claim())
    world.make(pod("p", volumes=[{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]))
    world.delete("PersistentVolumeClaim", "data")
    assert world.get("PersistentVolumeClaim", "data") is not None
    world.delete("Pod", "p")
    assert world.get("PersistentVolumeClaim", "data") is None


def test_a_class_that_waits_binds_where_the_first_pod_runs():
    world = World()
    body = {
        "kind": "StorageClass",
        "metadata": {"name": "late"},
        "provisioner": "x",
        "volumeBindingMode": "WaitForFirstConsumer",
    }
    world.make(body)
    world.make(claim(storageClassName="late"))
    assert world.get("PersistentVolumeClaim", "data")["status"]["phase"] == "Pending"
    assert ("Normal", "WaitForFirstConsumer") in [one[:2] for one in world.said("PersistentVolumeClaim")]
    world.make(pod("p", volumes=[{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]))
    found = world.get("PersistentVolumeClaim", "data")
    assert found["status"]["phase"] == "Bound"
    assert (
        found["metadata"]["annotations"]["volume.kubernetes.io/selected-node"] == world.get("Pod", "p")["spec"]["nodeName"]
    )


def test_a_class_that_does_not_exist_is_named():
    world = World()
    world.make(claim(storageClassName="nope"))
    assert world.said("PersistentVolumeClaim") == [
        ("Warning", "ProvisioningFailed", 'storageclass.storage.k8s.io "nope" not found')
    ]


# --- budgets ---


@pytest.mark.parametrize(
    ("spec", "desired", "allowed", "expected"),
    [
        ({"minAvailable": 2}, 2, 2, 4),
        ({"minAvailable": "70%"}, 3, 1, 4),
        ({"maxUnavailable": 1}, 3, 1, 4),
        ({"maxUnavailable": "30%"}, 2, 2, 4),
        ({"minAvailable": 5}, 5, 0, 4),
    ],
)
def test_a_budget_counts_what_may_go(spec, desired, allowed, expected):
    world = World()
    world.make(deployment(replicas=4))
    body = {"kind": "PodDisruptionBudget", "metadata": {"name": "web"}}
    world.make({**body, "spec": {"selector": {"matchLabels": {"app": "web"}}, **spec}})
    found = world.get("PodDisruptionBudget", "web")
    told = found["status"]
    assert (told["currentHealthy"], told["desiredHealthy"], told["disruptionsAllowed"], told["expectedPods"]) == (
        4, desired, allowed, expected,
    )  # fmt: skip
    reason = ("True", "SufficientPods") if allowed else ("False", "InsufficientPods")
    assert conditions(found)["DisruptionAllowed"] == reason


# --- quotas ---


def quota(**hard):
    return {"kind": "ResourceQuota", "metadata": {"name": "limit"}, "spec": {"hard": hard}}


def test_a_quota_counts_what_its_namespace_holds():
    world = World()
    world.make(
        quota(
            **{"pods": "10", "requests.cpu": "4", "requests.storage": "10Gi", "count/deployments.apps": "5", "services": "2"}
        )
    )
    world.make(deployment(replicas=3, requests={"cpu": "250m"}))
    world.make(claim(size="2Gi"))
    world.make(job(requests={"cpu": "1"}))
    used = world.get("ResourceQuota", "limit")["status"]["used"]
    assert used == {
        "pods": "3", "requests.cpu": "750m", "requests.storage": "2Gi", "count/deployments.apps": "1", "services": "1",
    }  # fmt: skip
    world.delete("Deployment", "web")
    assert world.get("ResourceQuota", "limit")["status"]["used"]["pods"] == "0"


def test_admission_refuses_what_goes_beyond_and_charges_the_rest():
    world = World()
    world.make(quota(pods="2", **{"requests.cpu": "1"}))
    kind = world.kind("Pod")

    def admit(name, cpu):
        body = copy.deepcopy(pod(name, requests={"cpu": cpu}))
        body["metadata"]["namespace"] = "default"
        quota_usage.admit(world.cluster, kind, body)

    admit("p", "600m")
    assert world.get("ResourceQuota", "limit")["status"]["used"] == {"pods": "1", "requests.cpu": "600m"}
    with pytest.raises(status.Refusal) as refused:
        admit("q", "500m")
    assert (refused.value.code, refused.value.reason) == (403, "Forbidden")
    assert refused.value.message == (
        'pods "q" is forbidden: exceeded quota: limit, requested: requests.cpu=500m, used: requests.cpu=600m,'
        " limited: requests.cpu=1"
    )
    admit("q", "400m")
    with pytest.raises(
        status.Refusal, match=r"requested: pods=1,requests.cpu=1m, used: pods=2,requests.cpu=1, limited: pods=2"
    ):
        admit("r", "1m")
    with pytest.raises(status.Refusal, match=r"failed quota: limit: must specify requests.cpu for: main"):
        quota_usage.admit(world.cluster, kind, {**pod("s"), "metadata": {"name": "s", "namespace": "default"}})


# --- Gateway API ---

SCHEMA = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def definition(kind, plural, *, scope="Namespaced"):
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": SCHEMA},
        "subresources": {"status": {}},
    }
    names = {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"}
    spec = {"group": "gateway.networking.k8s.io", "scope": scope, "names": names, "versions": [version]}
    return {"kind": "CustomResourceDefinition", "metadata": {"name": f"{plural}.gateway.networking.k8s.io"}, "spec": spec}


@pytest.fixture
def gateways(monkeypatch):
    for kind in ("GatewayClass", "Gateway", "HTTPRoute"):
        monkeypatch.setitem(VERSIONS, kind, "gateway.networking.k8s.io/v1")
    monkeypatch.setitem(VERSIONS, "CustomResourceDefinition", "apiextensions.k8s.io/v1")
    world = World()
    world.make(definition("GatewayClass", "gatewayclasses", scope="Cluster"))
    world.make(definition("Gateway", "gateways"))
    world.make(definition("HTTPRoute", "httproutes"))
    listener = {"name": "http", "port": 80, "protocol": "HTTP"}
    world.after(5)
    world.make({"kind": "Gateway", "metadata": {"name": "edge"}, "spec": {"gatewayClassName": "x", "listeners": [listener]}})
    return world


def route(**notes):
    rules = [{"backendRefs": [{"name": "web", "port": 80, "weight": 100}]}]
    metadata = {"name": "web", "annotations": {f"test.appdelivery.dev/{key}": value for key, value in notes.items()}}
    return {"kind": "HTTPRoute", "metadata": metadata, "spec": {"parentRefs": [{"name": "edge"}], "rules": rules}}


def test_a_route_is_accepted_by_its_gateway_and_resolved_with_its_service(gateways):
    world = gateways
    assert conditions(world.get("Gateway", "edge")) == {
        "Accepted": ("True", "Accepted"),
        "Programmed": ("True", "Programmed"),
    }
    world.make(route())
    parent = world.get("HTTPRoute", "web")["status"]["parents"][0]
    told = {one["type"]: (one["status"], one["reason"]) for one in parent["conditions"]}
    assert told == {"Accepted": ("True", "Accepted"), "ResolvedRefs": ("False", "BackendNotFound")}
    world.make(service())
    parent = world.get("HTTPRoute", "web")["status"]["parents"][0]
    assert parent["conditions"][1]["reason"] == "ResolvedRefs"
    assert world.get("Gateway", "edge")["status"]["listeners"][0]["attachedRoutes"] == 1


def test_a_lagging_controller_shows_the_old_generation_until_then(gateways):
    world = gateways
    world.make(service())
    world.make(route(lag="10s"))
    assert "status" not in world.get("HTTPRoute", "web") or not world.get("HTTPRoute", "web")["status"].get("parents")
    world.after(11)
    assert world.get("HTTPRoute", "web")["status"]["parents"][0]["conditions"][0]["observedGeneration"] == 1
    changed = [{"backendRefs": [{"name": "web", "port": 80, "weight": 1}]}]
    world.change("HTTPRoute", "web", {"spec": {"rules": changed}})
    seen = world.get("HTTPRoute", "web")
    assert seen["status"]["parents"][0]["conditions"][0]["observedGeneration"] == seen["metadata"]["generation"] - 1
    world.after(11)
    seen = world.get("HTTPRoute", "web")
    assert seen["status"]["parents"][0]["conditions"][0]["observedGeneration"] == seen["metadata"]["generation"]


def test_routes_without_anything_in_them_do_no_harm(gateways):
    world = gateways
    world.make({"kind": "HTTPRoute", "metadata": {"name": "empty"}})
    world.make({"kind": "Gateway", "metadata": {"name": "empty"}})
    world.make(route())
    assert world.get("HTTPRoute", "empty")["status"] == {"parents": []}


# --- the beginning ---


def test_a_cluster_begins_with_what_every_cluster_has():
    world = World()
    assert [one["metadata"]["name"] for one in world.all("Namespace")] == [
        "default", "kube-node-lease", "kube-public", "kube-system",
    ]  # fmt: skip
    assert world.get("Service", "kubernetes")["spec"]["clusterIP"] == "10.96.0.1"
    world.make({"kind": "Namespace", "metadata": {"name": "team"}})
    assert world.get("ServiceAccount", "default", namespace="team")
    assert "ca.crt" in world.get("ConfigMap", "kube-root-ca.crt", namespace="team")["data"]
    world.delete("ServiceAccount", "default", namespace="team")
    assert world.get("ServiceAccount", "default", namespace="team")


def test_a_restored_cluster_goes_on_where_it_was():
    from appdelivery.sandbox import clock, cluster, controllers

    world = World()
    world.make(deployment(replicas=2))
    again = cluster.Cluster("test", clock=clock.Clock(speed=0))
    bodies = [(family, item.body) for family, kept in world.cluster.storage.families() for item in kept.items()]
    again.storage.restore(world.cluster.storage.revision, iter(bodies))
    before = again.storage.revision
    found = controllers.start(again)
    assert again.storage.revision == before
    kind = again.kind("apps/v1", "Deployment")
    writes.patch(again, kind, ("default", "web"), "merge", {"spec": {"replicas": 3}}, ME)
    found.settle()
    pods = [item.body for item in again.collection(again.kind("v1", "Pod")).items()]
    assert len({one["status"]["podIP"] for one in pods}) == 3
