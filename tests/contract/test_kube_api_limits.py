"""What a namespace imposes on its objects by LimitRanges, on creation and through controllers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from kube_api import PATIENCE

if TYPE_CHECKING:
    from kube_api import Api, Reply

NOTE = "kubernetes.io/limit-ranger"


async def _limit(api: Api, *limits: dict[str, Any]) -> Reply:
    """A LimitRange, and the wait for the server's admission to know of it."""
    reply = (await api.create(api.object("v1", "LimitRange", "limits", spec={"limits": list(limits)}))).ok(201)
    pod = api.pod("probe")
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1"}}}
    asked = pod, api.object("v1", "PersistentVolumeClaim", "probe", spec=claim)
    async with asyncio.timeout(PATIENCE):
        while True:
            tried = [await api.create(one, dryRun="All") for one in asked]
            if any(one.code == 403 or NOTE in one.meta.get("annotations", {}) for one in tried):
                return reply
            await asyncio.sleep(0.05)


def _pod(api: Api, *resources: dict[str, Any], **rest: Any) -> dict[str, Any]:
    containers = [
        {"name": f"c{at}", "image": "registry.example/app:1", "resources": one} for at, one in enumerate(resources)
    ]
    return api.object("v1", "Pod", "web", spec={"containers": containers, **rest})


def _refused(reply: Reply, *why: str) -> None:
    reply.refused(403, "Forbidden", name="web", kind="pods")
    said = why[0] if len(why) == 1 else f"[{', '.join(why)}]"
    assert reply.body["message"] == f'pods "web" is forbidden: {said}'


async def test_limits_complete_each_other(api: Api) -> None:
    limits = {"type": "Container", "max": {"cpu": "2", "memory": "1024Mi"}, "min": {"cpu": "100m"}, "default": {"cpu": "1"}}
    body = api.object("v1", "LimitRange", "limits", spec={"limits": [limits]})
    (found,) = (await api.create(body)).ok(201).body["spec"]["limits"]
    assert found["default"] == {"cpu": "1", "memory": "1Gi"}
    assert found["defaultRequest"] == {"cpu": "1", "memory": "1Gi"}


async def test_containers_without_resources_are_given_the_namespaces(api: Api) -> None:
    await _limit(
        api,
        {
            "type": "Container",
            "default": {"cpu": "500m", "memory": "512Mi"},
            "defaultRequest": {"cpu": "100m", "memory": "256Mi"},
        },
    )
    init = [{"name": "first", "image": "registry.example/app:1"}]
    pod = _pod(api, {}, {"limits": {"cpu": "1"}}, {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "1", "memory": "1Gi"}}, initContainers=init)  # fmt: skip
    created = (await api.create(pod, fieldManager="u")).ok(201)
    given = {"limits": {"cpu": "500m", "memory": "512Mi"}, "requests": {"cpu": "100m", "memory": "256Mi"}}
    found = [one["resources"] for one in created.body["spec"]["containers"]]
    assert found[0] == given
    assert found[1] == {"limits": {"cpu": "1", "memory": "512Mi"}, "requests": {"cpu": "1", "memory": "256Mi"}}
    assert found[2] == {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1", "memory": "1Gi"}}
    assert created.body["spec"]["initContainers"][0]["resources"] == given
    assert created.meta["annotations"] == {
        NOTE: "LimitRanger plugin set: cpu, memory request for container c0; cpu, memory limit for container c0; "
        "memory request for container c1; memory limit for container c1; "
        "cpu, memory request for init container first; cpu, memory limit for init container first"
    }
    assert created.body["status"]["qosClass"] == "Burstable"
    owned = created.entries()["u", "Update", ""]["f:spec"]["f:containers"]
    assert owned['k:{"name":"c0"}']["f:resources"] == {}, "the server's values are nobody's"
    assert "f:annotations" not in created.entries()["u", "Update", ""].get("f:metadata", {})


async def test_a_container_outside_its_limits_is_refused(api: Api) -> None:
    await _limit(api, {"type": "Container", "min": {"cpu": "100m"}, "max": {"memory": "1Gi"}, "default": {"cpu": "1"}})
    small = {"limits": {"memory": "1Gi"}, "requests": {"cpu": "50m"}}
    _refused(await api.create(_pod(api, small)), "minimum cpu usage per Container is 100m, but request is 50m")
    below = {"limits": {"cpu": "20m", "memory": "1Gi"}}
    _refused(await api.create(_pod(api, below)), "minimum cpu usage per Container is 100m, but request is 20m")
    _refused(
        await api.create(_pod(api, small, {"limits": {"memory": "1025Mi"}})),
        "minimum cpu usage per Container is 100m, but request is 50m",
        "maximum memory usage per Container is 1Gi, but limit is 1025Mi",
    )
    (await api.get(api.path("pods", "web"))).refused(404, "NotFound")
    (await api.create(_pod(api, {}))).ok(201)


async def test_a_pod_is_limited_as_a_whole(api: Api) -> None:
    await _limit(api, {"type": "Pod", "max": {"cpu": "1", "memory": "1Gi"}})
    _refused(
        await api.create(_pod(api, {"limits": {"cpu": "1"}})),
        "maximum memory usage per Pod is 1Gi.  No limit is specified",
    )
    two = {"limits": {"cpu": "600m", "memory": "256Mi"}}
    _refused(await api.create(_pod(api, two, two)), "maximum cpu usage per Pod is 1, but limit is 1200m")
    first = [{"name": "first", "image": "registry.example/app:1", "resources": {"limits": {"cpu": "1", "memory": "2Gi"}}}]
    _refused(await api.create(_pod(api, two, initContainers=first)), "maximum memory usage per Pod is 1Gi, but limit is 2Gi")
    (await api.create(_pod(api, two))).ok(201)


async def test_limits_stay_near_requests(api: Api) -> None:
    await _limit(api, {"type": "Container", "maxLimitRequestRatio": {"memory": "1500m"}})
    about = "memory max limit to request ratio per Container is 1500m"
    given = {"requests": {"memory": "100Mi"}, "limits": {"memory": "200Mi"}}
    _refused(await api.create(_pod(api, given)), f"{about}, but provided ratio is 2.000000")
    _refused(await api.create(_pod(api, {})), f"{about}, but no request is specified or request is 0")
    given = {"requests": {"memory": "100Mi"}}
    _refused(await api.create(_pod(api, given)), f"{about}, but no limit is specified or limit is 0")


async def test_claims_are_limited_in_size(api: Api) -> None:
    await _limit(api, {"type": "PersistentVolumeClaim", "min": {"storage": "1Gi"}, "max": {"storage": "2Gi"}})

    def claim(size: str) -> dict[str, Any]:
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
        return api.object("v1", "PersistentVolumeClaim", "web", spec=spec)

    for size, why in (
        ("500Mi", "minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 500Mi"),
        ("3Gi", "maximum storage usage per PersistentVolumeClaim is 2Gi, but request is 3Gi"),
    ):
        reply = await api.create(claim(size))
        reply.refused(403, "Forbidden", f'persistentvolumeclaims "web" is forbidden: {why}', kind="persistentvolumeclaims")
    (await api.create(claim("2Gi"))).ok(201)


async def test_limits_that_contradict_each_other_are_refused(api: Api) -> None:
    limits = [
        {"type": "Container", "min": {"cpu": "2"}, "max": {"cpu": "1"}, "default": {"cpu": "1"}, "defaultRequest": {"cpu": "2"}},
        {"type": "Container", "maxLimitRequestRatio": {"memory": "500m"}},
        {"type": "Pod", "default": {"cpu": "1"}},
        {"type": "PersistentVolumeClaim"},
    ]  # fmt: skip
    reply = await api.create(api.object("v1", "LimitRange", "limits", spec={"limits": limits}))
    reply.refused(422, "Invalid", name="limits", kind="LimitRange")
    first = "spec.limits[0]"
    assert [(one["field"], one["message"]) for one in reply.body["details"]["causes"]] == [
        (f"{first}.min[cpu]", 'Invalid value: "2": min value 2 is greater than max value 1'),
        (f"{first}.defaultRequest[cpu]", 'Invalid value: "2": default request value 2 is greater than max value 1'),
        (
            f"{first}.defaultRequest[cpu]",
            'Invalid value: "2": default request value 2 is greater than default limit value 1',
        ),
        (f"{first}.default[cpu]", 'Invalid value: "2": min value 2 is greater than default value 1'),
        ("spec.limits[1].type", 'Duplicate value: "Container"'),
        ("spec.limits[1].maxLimitRequestRatio[memory]", 'Invalid value: "500m": ratio 500m is less than 1'),
        ("spec.limits[2].default", "Forbidden: may not be specified when `type` is 'Pod'"),
        (
            "spec.limits[3].limits",
            "Required value: either minimum or maximum storage value is required, but neither was provided",
        ),
    ]


async def test_a_rollout_says_which_limit_stops_it(api: Api) -> None:
    await _limit(api, {"type": "Container", "max": {"cpu": "100m"}})
    body = api.deployment(replicas=1)
    body["spec"]["template"]["spec"]["containers"][0]["resources"] = {"limits": {"cpu": "1"}}
    await api.create(body)

    def failure(seen: Any) -> str:
        conditions = (seen.get("status") or {}).get("conditions") or ()
        return next((one["message"] for one in conditions if one["type"] == "ReplicaFailure"), "")

    seen = await api.until(api.path("apps/v1/deployments", "web"), failure)
    assert failure(seen).endswith("is forbidden: maximum cpu usage per Container is 100m, but limit is 1")
