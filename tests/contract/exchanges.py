"""Requests whose answers are recorded from a real server (`make record`) and demanded of the sandbox, body for body.

Each is a function that prepares what it needs in a namespace of its own and gives the reply, or the event, that counts.
What no two servers share (uids, times, versions, addresses, generated names) is replaced by a word before it is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from comparing import NOBODY, plain

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from kube_api import Api, Reply

    Exchange = Callable[[Api], Awaitable[Any]]

ALL: dict[str, Exchange] = {}
# A real server compacts every five minutes, and may answer from what its cache still holds.
SOMETIMES = {"expired_page": 410}
TEMPLATE: dict[str, Any] = {
    "metadata": {"labels": {"app": "web"}},
    "spec": {"containers": [{"name": "app", "image": "registry.example/app:1"}]},
}
SELECTOR = {"matchLabels": {"app": "web"}}
ONCE = {"spec": {"restartPolicy": "Never", "containers": [{"name": "app", "image": "registry.example/app:1"}]}}


def _recorded(exchange: Exchange) -> Exchange:
    ALL[exchange.__name__] = exchange
    return exchange


# --- refusals ---


@_recorded
async def bad_request_of_a_wrong_type(api: Api) -> Reply:
    body = api.deployment()
    body["spec"]["replicas"] = "many"
    return await api.create(body)


@_recorded
async def bad_request_of_an_unknown_field_under_strict_validation(api: Api) -> Reply:
    body = api.deployment()
    body["spec"]["replicaz"] = 1
    return await api.create(body, fieldValidation="Strict")


@_recorded
async def unauthorized(api: Api) -> Reply:
    return await api.with_token("wrong").get(api.path("configmaps"))


@_recorded
async def forbidden(api: Api) -> Reply:
    return await api.as_("none").get(api.path("apps/v1/deployments", "web"))


@_recorded
async def forbidden_at_cluster_scope(api: Api) -> Reply:
    return await api.as_("none").get("/api/v1/nodes")


@_recorded
async def not_found(api: Api) -> Reply:
    return await api.get(api.path("apps/v1/deployments", "web"))


@_recorded
async def not_found_of_a_kind_that_is_not_served(api: Api) -> Reply:
    return await api.get(api.path("apps/v1/gadgets", "web"))


@_recorded
async def not_found_of_a_namespace(api: Api) -> Reply:
    return await api.post("/api/v1/namespaces/nowhere-at-all/configmaps", {"metadata": {"name": "web"}})


@_recorded
async def method_not_allowed(api: Api) -> Reply:
    return await api.put(api.path("configmaps"), api.config())


@_recorded
async def not_acceptable(api: Api) -> Reply:
    return await api.get(api.path("configmaps"), accept="text/html")


@_recorded
async def already_exists(api: Api) -> Reply:
    await api.create(api.config())
    return await api.create(api.config())


@_recorded
async def conflict_of_versions(api: Api) -> Reply:
    first = await api.create(api.config())
    await api.merge(api.path("configmaps", "web"), {"data": {"b": "1"}})
    return await api.put(api.path("configmaps", "web"), first.body)


@_recorded
async def conflict_of_a_delete_with_another_uid(api: Api) -> Reply:
    await api.create(api.config())
    return await api.delete(api.path("configmaps", "web"), {"preconditions": {"uid": NOBODY}})


@_recorded
async def conflict_with_one_manager(api: Api) -> Reply:
    await api.apply(api.config(data={"a": "1", "b": "1"}), "one")
    return await api.apply(api.config(data={"a": "2", "b": "2"}), "two")


@_recorded
async def conflict_in_a_list_by_key(api: Api) -> Reply:
    await api.apply(api.deployment(), "one")
    body = api.deployment()
    body["spec"]["template"]["spec"]["containers"][0]["image"] = "registry.example/app:2"
    return await api.apply(body, "two")


@_recorded
async def conflict_with_an_update_of_a_subresource(api: Api) -> Reply:
    await api.apply(api.deployment(replicas=0), "one")
    await api.merge(api.path("apps/v1/deployments", "web", "scale"), {"spec": {"replicas": 1}}, fieldManager="scaler")
    return await api.apply(api.deployment(replicas=0), "one")


@_recorded
async def expired_page(api: Api) -> Reply:
    api.forget()
    token = "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiJhIn0"  # version 1, from "a" on
    return await api.get(api.path("configmaps"), limit=1, **{"continue": token})


@_recorded
async def unsupported_media_type(api: Api) -> Reply:
    return await api.post(api.path("configmaps"), b"a=1", content="application/x-www-form-urlencoded")


@_recorded
async def invalid_name(api: Api) -> Reply:
    return await api.post(api.path("configmaps"), {"metadata": {"name": "Web_1"}})


@_recorded
async def invalid_deployment(api: Api) -> Reply:
    return await api.create(api.object("apps/v1", "Deployment", "web", spec={"replicas": -1, "template": {}}))


@_recorded
async def invalid_container(api: Api) -> Reply:
    return await api.create(api.deployment(containers=[{"name": "Bad_Name"}]))


@_recorded
async def invalid_service(api: Api) -> Reply:
    ports = [{"port": 70000}, {"port": 80, "protocol": "HTTP"}]
    return await api.create(api.object("v1", "Service", "web", spec={"ports": ports}))


@_recorded
async def invalid_change_of_a_selector(api: Api) -> Reply:
    await api.create(api.deployment(replicas=0))
    body = api.deployment(replicas=0)
    body["spec"]["selector"]["matchLabels"] = body["spec"]["template"]["metadata"]["labels"] = {"app": "other"}
    return await api.put(api.path("apps/v1/deployments", "web"), body)


@_recorded
async def invalid_apply_without_manager(api: Api) -> Reply:
    return await api.apply(api.config(), manager="")


@_recorded
async def invalid_json_patch(api: Api) -> Reply:
    await api.create(api.config())
    return await api.json_patch(api.path("configmaps", "web"), {"op": "test", "path": "/data/a", "value": "2"})


@_recorded
async def too_many_requests_of_a_disruption_budget(api: Api) -> Reply:
    await api.until(api.path("serviceaccounts", "default"), bool)
    await api.create(api.pod(metadata={"labels": {"app": "web"}}))
    await api.until(api.path("pods", "web"), lambda seen: seen.get("status", {}).get("phase") == "Running")
    budget = api.object("policy/v1", "PodDisruptionBudget", "web", spec={"minAvailable": 1, "selector": SELECTOR})
    await api.create(budget)
    path = api.path("policy/v1/poddisruptionbudgets", "web")
    await api.until(path, lambda seen: seen.get("status", {}).get("currentHealthy") == 1)
    return await api.post(api.path("pods", "web", "eviction"), api.object("policy/v1", "Eviction", "web"))


@_recorded
async def server_error_of_an_undeclared_field(api: Api) -> Reply:
    body = api.deployment()
    body["spec"]["replicaz"] = 1
    return await api.apply(body)


@_recorded
async def server_error_of_a_wrong_type_in_an_apply(api: Api) -> Reply:
    return await api.apply(api.config(data={"a": 1}))


@_recorded
async def a_successful_delete(api: Api) -> Reply:
    await api.create(api.config())
    return await api.delete(api.path("configmaps", "web"))


# --- watches ---


@_recorded
async def the_bookmark_after_initial_events(api: Api) -> Any:
    query = {"allowWatchBookmarks": "true", "sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
    async with api.watch(api.path("secrets"), **query) as stream:
        return await stream.event()


# --- objects with their defaults ---


@_recorded
async def a_config_map(api: Api) -> Reply:
    return await api.create(api.config(labels={"x": "1"}), fieldManager="tester")


@_recorded
async def a_deployment(api: Api) -> Reply:
    return await api.create(api.deployment(), fieldManager="tester")


@_recorded
async def a_deployment_with_everyday_fields(api: Api) -> Reply:
    probe = {"httpGet": {"path": "/", "port": "http"}}
    container = {
        "name": "app",
        "image": "registry.example/app",
        "ports": [{"containerPort": 8080, "name": "http"}],
        "env": [{"name": "A", "value": "1"}, {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
        "envFrom": [{"configMapRef": {"name": "web"}}],
        "resources": {"limits": {"cpu": "1000m", "memory": "1Gi"}},
        "livenessProbe": probe,
        "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 3},
        "volumeMounts": [{"name": "config", "mountPath": "/etc/web"}],
        "lifecycle": {"preStop": {"httpGet": {"path": "/bye", "port": 8080}}},
    }
    volumes = [
        {"name": "config", "configMap": {"name": "web"}},
        {"name": "secret", "secret": {"secretName": "web"}},
        {"name": "tmp", "emptyDir": {}},
        {"name": "mixed", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}},
    ]
    body = api.deployment(containers=[container], volumes=volumes, initContainers=[{"name": "init", "image": "x:latest"}])
    return await api.apply(body, "tester")


@_recorded
async def a_stateful_set(api: Api) -> Reply:
    claim = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    spec = {"serviceName": "web", "selector": SELECTOR, "template": TEMPLATE, "volumeClaimTemplates": [claim]}
    return await api.create(api.object("apps/v1", "StatefulSet", "web", spec=spec), fieldManager="tester")


@_recorded
async def a_daemon_set(api: Api) -> Reply:
    spec = {"selector": SELECTOR, "template": TEMPLATE}
    return await api.create(api.object("apps/v1", "DaemonSet", "web", spec=spec), fieldManager="tester")


@_recorded
async def a_replica_set(api: Api) -> Reply:
    spec = {"selector": SELECTOR, "template": TEMPLATE}
    return await api.create(api.object("apps/v1", "ReplicaSet", "web", spec=spec), fieldManager="tester")


@_recorded
async def a_job(api: Api) -> Reply:
    return await api.create(api.object("batch/v1", "Job", "web", spec={"template": ONCE}), fieldManager="tester")


@_recorded
async def a_cron_job(api: Api) -> Reply:
    spec = {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": ONCE}}}
    return await api.create(api.object("batch/v1", "CronJob", "web", spec=spec), fieldManager="tester")


@_recorded
async def a_service(api: Api) -> Reply:
    spec = {"selector": {"app": "web"}, "ports": [{"port": 80}, {"port": 81, "targetPort": "http", "name": "x"}]}
    spec["ports"][0]["name"] = "y"  # type: ignore[index]
    return await api.create(api.object("v1", "Service", "web", spec=spec), fieldManager="tester")


@_recorded
async def a_headless_service(api: Api) -> Reply:
    spec = {"selector": {"app": "web"}, "ports": [{"port": 80}], "clusterIP": "None"}
    return await api.create(api.object("v1", "Service", "web", spec=spec), fieldManager="tester")


@_recorded
async def an_autoscaler(api: Api) -> Reply:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    body = api.object("autoscaling/v2", "HorizontalPodAutoscaler", "web", spec={"scaleTargetRef": target, "maxReplicas": 3})
    return await api.create(body, fieldManager="tester")


@_recorded
async def an_ingress(api: Api) -> Reply:
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    paths = [{"path": "/", "pathType": "Prefix", "backend": backend}]
    spec = {"rules": [{"host": "web.example.org", "http": {"paths": paths}}]}
    return await api.create(api.object("networking.k8s.io/v1", "Ingress", "web", spec=spec), fieldManager="tester")


@_recorded
async def a_volume_claim(api: Api) -> Reply:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return await api.create(api.object("v1", "PersistentVolumeClaim", "web", spec=spec), fieldManager="tester")


@_recorded
async def a_pod(api: Api) -> Reply:
    await api.until(api.path("serviceaccounts", "default"), bool)
    return await api.create(api.pod(nodeSelector={"no": "node"}), fieldManager="tester")


@_recorded
async def a_secret(api: Api) -> Reply:
    return await api.create(api.object("v1", "Secret", "web", stringData={"a": "1"}), fieldManager="tester")


@_recorded
async def a_role_binding(api: Api) -> Reply:
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}
    subjects = [{"kind": "ServiceAccount", "name": "default"}, {"kind": "User", "name": "jane"}]
    body = api.object("rbac.authorization.k8s.io/v1", "RoleBinding", "web", roleRef=role, subjects=subjects)
    return await api.create(body, fieldManager="tester")


@_recorded
async def a_network_policy(api: Api) -> Reply:
    spec = {"podSelector": {}, "ingress": [{"ports": [{"port": 80}]}]}
    return await api.create(api.object("networking.k8s.io/v1", "NetworkPolicy", "web", spec=spec), fieldManager="tester")


@_recorded
async def a_disruption_budget(api: Api) -> Reply:
    spec = {"maxUnavailable": "50%", "selector": SELECTOR}
    return await api.create(api.object("policy/v1", "PodDisruptionBudget", "web", spec=spec), fieldManager="tester")


@_recorded
async def a_scale(api: Api) -> Reply:
    await api.create(api.deployment(replicas=0))
    return await api.get(api.path("apps/v1/deployments", "web", "scale"))


async def answer(exchange: Exchange, api: Api) -> Any:
    """The answer that counts, in the form that is kept."""
    found = await exchange(api)
    if isinstance(found, tuple):
        return {"type": found[0], "object": plain(found[1])}
    return {"code": found.code, "body": plain(found.body)}
