"""Own digests on a real API server: every foreign change of our fields is noticed, nothing else is, and an apply repairs.

The cases of delivery.md 3.1: values, owned zero values, other people's fields, order, ownership, our own name misused.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
import webhook

from appdelivery.clusters import ownership
from appdelivery.model import marks

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fleet_lab import Lab

    Body = dict[str, Any]
    Act = Callable[[Lab, Body], Awaitable[Any]]
    Make = Callable[[Lab], Body]

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.xdist_group("plane")]
CASES: list[Any] = []


def case(make: Make, *, noticed: bool = True, repaired: bool = True) -> Callable[[Act], Act]:
    def add(act: Act) -> Act:
        CASES.append(pytest.param(make, act, noticed, repaired, id=str(act.__name__)))
        return act

    return add


def pod(live: Body) -> Body:
    return live["spec"]["template"]["spec"]


def container(live: Body) -> Body:
    return pod(live)["containers"][0]


# --- what we write ------------------------------------------------------------------------------------------------------
def config(lab: Lab) -> Body:
    return lab.config()


def web(lab: Lab) -> Body:
    body = lab.deployment()
    one = container(body)
    one["ports"] = [{"containerPort": 8080, "name": "http"}, {"containerPort": 5353, "protocol": "UDP"}]
    one["env"] = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    one["resources"] = {"requests": {"cpu": "0.5", "memory": "1024Mi"}, "limits": {"cpu": "1000m", "memory": "1Gi"}}
    one["readinessProbe"] = {"httpGet": {"path": "/ready", "port": 8080}}
    one["volumeMounts"] = [{"name": "tmp", "mountPath": "/scratch"}]
    pod(body)["volumes"] = [{"name": "tmp", "emptyDir": {}}]
    return body


def zeros(lab: Lab) -> Body:
    """Fields written with their zero value: ours, yet absent from the live object."""
    body = web(lab)
    body["spec"] |= {"minReadySeconds": 0, "strategy": {}}
    pod(body).update(hostNetwork=False, tolerations=[], securityContext={})
    container(body)["env"][0]["value"] = ""
    container(body)["resources"] = {}
    container(body)["volumeMounts"][0]["readOnly"] = False
    return body


def two_inits(lab: Lab) -> Body:
    body = web(lab)
    pod(body)["initContainers"] = [{"name": "second", "image": "b"}, {"name": "first", "image": "a"}]
    return body


def secret(lab: Lab) -> Body:
    return lab.object("v1", "Secret", "web", type="Opaque", data={"p": "YQ=="})


def service(**spec: Any) -> Make:
    def make(lab: Lab) -> Body:
        return lab.object("v1", "Service", "web", spec={"selector": {"app": "web"}, "ports": [{"port": 80}], **spec})

    return make


# --- values of ours changed ---------------------------------------------------------------------------------------------
@case(web)
async def an_edited_image(lab: Lab, body: Body) -> None:
    await lab.kube.edit(body, lambda live: container(live).update(image="evil:1"))


@case(web)
async def a_scale_by_hand(lab: Lab, body: Body) -> None:
    await lab.kube.merge(body, {"spec": {"replicas": 3}}, sub="scale", manager="kubectl")


@case(config)
async def a_patched_value(lab: Lab, body: Body) -> None:
    await lab.kube.merge(body, {"data": {"a": "9"}})


@case(config)
async def a_removed_key(lab: Lab, body: Body) -> None:
    await lab.kube.merge(body, {"data": {"a": None}})


@case(config)
async def a_removed_map(lab: Lab, body: Body) -> None:
    await lab.kube.merge(body, {"data": None})


@case(config)
async def our_label_changed(lab: Lab, body: Body) -> None:
    await lab.kube.merge(body, {"metadata": {"labels": {marks.COMPONENT: "other"}}})


@case(config)
async def our_annotation_removed(lab: Lab, body: Body) -> None:
    await lab.kube.merge(body, {"metadata": {"annotations": {marks.OWNER: None}}})


@case(config)
async def a_forced_apply_of_another_manager(lab: Lab, body: Body) -> None:
    await lab.foreign(body, "flux", data={"a": "7"})


@case(web)
async def our_env_entry_removed(lab: Lab, body: Body) -> None:
    await lab.kube.edit(body, lambda live: container(live)["env"].pop(0))


@case(web)
async def our_volume_and_mount_removed(lab: Lab, body: Body) -> None:
    def change(live: Body) -> None:
        pod(live).pop("volumes")
        container(live).pop("volumeMounts")

    await lab.kube.edit(body, change)


@case(web)
async def our_resources_removed(lab: Lab, body: Body) -> None:
    await lab.kube.edit(body, lambda live: container(live).pop("resources"))


@case(web)
async def our_empty_dir_replaced(lab: Lab, body: Body) -> None:
    def change(live: Body) -> None:
        pod(live)["volumes"][0].pop("emptyDir")
        pod(live)["volumes"][0]["hostPath"] = {"path": "/x"}

    await lab.kube.edit(body, change)


@case(secret)
async def a_secret_changed_by_string_data(lab: Lab, body: Body) -> None:
    await lab.kube.merge(body, {"stringData": {"p": "b"}})


@case(web)
async def a_duplicate_of_our_env_name(lab: Lab, body: Body) -> None:
    await lab.kube.edit(body, lambda live: container(live)["env"].append({"name": "A", "value": "twice"}))


@case(service(type="LoadBalancer", externalTrafficPolicy="Local"))
async def a_type_change_by_which_the_server_drops_a_field_of_ours(lab: Lab, body: Body) -> None:
    await lab.kube.merge(body, {"spec": {"type": "ClusterIP", "externalTrafficPolicy": None}})


@case(web, repaired=False)
async def an_autoscaler_takes_our_replicas(lab: Lab, body: Body) -> None:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    scaler = {"scaleTargetRef": target, "minReplicas": 3, "maxReplicas": 4}
    hpa = lab.object("autoscaling/v2", "HorizontalPodAutoscaler", "web", spec=scaler)
    await lab.foreign(hpa, "admin", spec=scaler)
    await lab.kube.until(body, lambda live: live["spec"]["replicas"] == 3)


# --- owned zero values --------------------------------------------------------------------------------------------------
@case(zeros)
async def host_network_from_false(lab: Lab, body: Body) -> None:
    await lab.kube.edit(body, lambda live: pod(live).update(hostNetwork=True))


@case(zeros)
async def an_env_value_from_empty(lab: Lab, body: Body) -> None:
    await lab.kube.edit(body, lambda live: container(live)["env"][0].update(value="x"))


@case(zeros)
async def min_ready_seconds_from_zero(lab: Lab, body: Body) -> None:
    await lab.kube.edit(body, lambda live: live["spec"].update(minReadySeconds=5))


@case(zeros)
async def tolerations_from_none(lab: Lab, body: Body) -> None:
    await lab.kube.edit(body, lambda live: pod(live).update(tolerations=[{"operator": "Exists"}]))


@case(zeros)
async def a_mount_from_read_write(lab: Lab, body: Body) -> None:
    await lab.kube.edit(body, lambda live: container(live)["volumeMounts"][0].update(readOnly=True))


# --- other people's fields: silence -------------------------------------------------------------------------------------
@case(zeros, noticed=False)
async def limits_inside_our_empty_resources(lab: Lab, body: Body) -> None:
    await lab.kube.edit(body, lambda live: container(live).update(resources={"limits": {"cpu": "1"}}))


@case(zeros, noticed=False)
async def a_user_inside_our_empty_security_context(lab: Lab, body: Body) -> None:
    await lab.kube.edit(body, lambda live: pod(live).update(securityContext={"runAsNonRoot": True}))


@case(zeros, noticed=False)
async def a_surge_inside_our_empty_strategy(lab: Lab, body: Body) -> None:
    await lab.kube.edit(body, lambda live: live["spec"]["strategy"]["rollingUpdate"].update(maxSurge="50%"))


@case(web, noticed=False)
async def a_medium_inside_our_empty_dir(lab: Lab, body: Body) -> None:
    await lab.kube.edit(body, lambda live: pod(live)["volumes"][0]["emptyDir"].update(medium="Memory"))


@case(web, noticed=False)
async def defaulted_fields(lab: Lab, body: Body) -> None:
    def change(live: Body) -> None:
        pod(live)["terminationGracePeriodSeconds"] = 5
        container(live)["imagePullPolicy"] = "Never"
        container(live)["readinessProbe"]["timeoutSeconds"] = 9

    await lab.kube.edit(body, change)


@case(web, noticed=False)
async def a_sidecar_put_first(lab: Lab, body: Body) -> None:
    await lab.kube.edit(body, lambda live: pod(live)["containers"].insert(0, {"name": "side", "image": "side"}))


@case(web, noticed=False)
async def a_sidecar_and_an_env_entry_by_apply(lab: Lab, body: Body) -> None:
    containers = [{"name": "side", "image": "side"}, {"name": "app", "env": [{"name": "X", "value": "y"}]}]
    await lab.foreign(body, "mesh", spec={"template": {"spec": {"containers": containers}}})


@case(web, noticed=False)
async def a_rollout_restart(lab: Lab, body: Body) -> None:
    note = {"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"}
    await lab.kube.merge(body, {"spec": {"template": {"metadata": {"annotations": note}}}}, manager="kubectl-rollout")


@case(config, noticed=False)
async def a_label_a_finalizer_and_an_owner(lab: Lab, body: Body) -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": lab.namespace}}
    uid = (await lab.kube.get(namespace))["metadata"]["uid"]
    owner = {"apiVersion": "v1", "kind": "Namespace", "name": lab.namespace, "uid": uid}
    metadata = {"labels": {"x": "y"}, "finalizers": ["example.org/hold"], "ownerReferences": [owner]}
    await lab.kube.merge(body, {"metadata": metadata})
    await lab.kube.merge(body, {"metadata": {"finalizers": None, "ownerReferences": None}})


@case(config, noticed=False)
async def a_co_owner_with_our_value(lab: Lab, body: Body) -> None:
    await lab.foreign(body, "flux", data={"a": "1"})


@case(web, noticed=False)
async def a_status_write(lab: Lab, body: Body) -> None:
    await lab.kube.merge(body, {"status": {"collisionCount": 1}}, sub="status")


# --- order --------------------------------------------------------------------------------------------------------------
@case(two_inits)
async def init_containers_swapped(lab: Lab, body: Body) -> None:
    await lab.kube.edit(body, lambda live: pod(live)["initContainers"].reverse())


@case(web)
async def env_reversed(lab: Lab, body: Body) -> None:
    await lab.kube.edit(body, lambda live: container(live)["env"].reverse())


# --- ownership without value --------------------------------------------------------------------------------------------
@case(config)
async def changed_and_changed_back(lab: Lab, body: Body) -> None:
    await lab.kube.merge(body, {"data": {"a": "9"}})
    await lab.kube.merge(body, {"data": {"a": "1"}})


@case(config)
async def removed_and_put_back(lab: Lab, body: Body) -> None:
    await lab.kube.merge(body, {"data": {"a": None}})
    await lab.kube.merge(body, {"data": {"a": "1"}})


@case(config)
async def all_managed_fields_wiped(lab: Lab, body: Body) -> None:
    await lab.kube.json_patch(body, [{"op": "replace", "path": "/metadata/managedFields", "value": [{}]}])


@case(config)
async def our_entry_renamed(lab: Lab, body: Body) -> None:
    managed = (await lab.kube.get(body))["metadata"]["managedFields"]
    index = next(i for i, one in enumerate(managed) if one["manager"] == lab.manager)
    path = f"/metadata/managedFields/{index}/manager"
    await lab.kube.json_patch(body, [{"op": "replace", "path": path, "value": "thief"}])


# --- our own name misused -----------------------------------------------------------------------------------------------
@case(config)
async def an_update_under_our_name(lab: Lab, body: Body) -> None:
    await lab.kube.merge(body, {"data": {"a": "9"}}, manager=lab.manager)


@case(config)
async def an_apply_under_our_name_of_another_value(lab: Lab, body: Body) -> None:
    await lab.apply({**body, "data": {"a": "9", "b": "2"}})


@case(config)
async def an_apply_under_our_name_of_fewer_fields(lab: Lab, body: Body) -> None:
    await lab.apply({**body, "data": {"b": "2"}})


@case(service())
async def an_apply_under_our_name_inside_an_atomic_map(lab: Lab, body: Body) -> None:
    await lab.apply({**body, "spec": {**body["spec"], "selector": {"app": "other"}}})


# --- a foreign entry in the way of our repair (3.1 g) -------------------------------------------------------------------
@case(service(ports=[{"port": 80, "name": "a"}, {"port": 81, "name": "b"}]))
async def a_port_number_edited(lab: Lab, body: Body) -> None:
    await lab.kube.edit(body, lambda live: live["spec"]["ports"][1].update(port=82))


def binding(lab: Lab) -> Body:
    spec = {"policyName": "nobody", "validationActions": ["Deny"]}
    group = "admissionregistration.k8s.io/v1"
    name = f"binding-{lab.namespace}"
    return lab.object(group, "ValidatingAdmissionPolicyBinding", name, cluster_scoped=True, spec=spec)


@case(binding)
async def a_set_whose_members_exclude_each_other(lab: Lab, body: Body) -> None:
    await lab.kube.edit(body, lambda live: live["spec"].update(validationActions=["Warn"]))


@pytest.mark.parametrize(("make", "act", "noticed", "repaired"), CASES)
async def test_noticed_and_repaired(real_lab: Lab, make: Make, act: Act, *, noticed: bool, repaired: bool) -> None:
    lab, body = real_lab, make(real_lab)
    sent = copy.deepcopy(body)
    applied = await lab.apply(body, force=True)
    seeing = _seeing(lab, applied.bare)
    assert await seeing(body) == applied.own_digest
    try:
        await act(lab, body)
        assert (await seeing(body) != applied.own_digest) is noticed
        assert body == sent
        if repaired:
            again = await lab.apply(body, force=True)
            assert again.own_digest == applied.own_digest
            assert await seeing(body) == applied.own_digest
            managers = [one["manager"] for one in again.body["metadata"]["managedFields"]]
            assert marks.REPAIR not in managers
    finally:
        if "namespace" not in body["metadata"]:
            await lab.kube.delete(body)


def _seeing(lab: Lab, bare: Any) -> Callable[[Body], Awaitable[str]]:
    async def digest(body: Body) -> str:
        return ownership.own_digest((await lab.live(body)).body, lab.manager, bare)

    return digest


async def test_a_webhook_that_changes_our_value_in_a_foreign_request_is_noticed(real_lab: Lab) -> None:
    """The tree stays as it was: only the values tell."""
    lab = real_lab
    async with webhook.installed(lab.kube, lab.namespace) as hook:
        for body, change in (
            (lab.config(), lambda live: live["data"].update(a="hooked")),
            (lab.deployment(), lambda live: container(live).update(image="hooked:1")),
        ):
            body["metadata"]["labels"]["hook"] = "yes"
            applied = await lab.apply(body)
            hook.mutate = change
            await lab.kube.merge(body, {"metadata": {"labels": {"foreign": "1"}}})
            hook.mutate = None
            fact = await lab.fleet.fact_of(lab.cluster, await lab.live(body))
            assert fact.own_digest != applied.own_digest
            assert (await lab.apply(body, force=True)).own_digest == applied.own_digest


async def test_what_a_webhook_makes_of_our_own_request_is_no_drift(real_lab: Lab) -> None:
    lab = real_lab
    async with webhook.installed(lab.kube, lab.namespace) as hook:
        body = lab.deployment()
        body["metadata"]["labels"]["hook"] = "yes"

        def mirror(live: Body) -> None:
            container(live)["image"] = "mirror.example/app:1"
            pod(live)["containers"].insert(0, {"name": "mesh", "image": "mesh:1"})

        hook.mutate = lambda live: mirror(live) if "mesh" not in str(live["spec"]) else None
        applied = await lab.apply(body)
        assert "mirror.example" in str(applied.body["spec"])
        assert await lab.own_digest(body) == applied.own_digest
        await lab.kube.until(body, lambda live: (live.get("status") or {}).get("observedGeneration"))
        assert await lab.own_digest(body) == applied.own_digest
        hook.mutate = None


async def test_two_appliers_with_different_orders_are_seen_as_order(real_lab: Lab) -> None:
    """Every apply restores its own order and so restarts pods: the digest shows it, nothing else could."""
    lab, body = real_lab, two_inits(real_lab)
    applied = await lab.apply(body)
    theirs = [{"name": one["name"], "image": one["image"]} for one in reversed(pod(body)["initContainers"])]
    await lab.foreign(body, "other", spec={"template": {"spec": {"initContainers": theirs}}})
    live = (await lab.live(body)).body
    assert ownership.own_digest(live, lab.manager, applied.bare) != applied.own_digest
    assert ownership.tree_digest(live, lab.manager) == applied.tree_digest
