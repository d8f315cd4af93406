"""The status of Deployments: its numbers, and the conditions Available, Progressing and ReplicaFailure with the reasons,
sentences and order of a real controller.  `deployments` decides when; every function writes at most once."""

from __future__ import annotations

from appdelivery.sandbox.controllers import conditions, objects, rollout, writing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from appdelivery.sandbox.controllers.context import Context
    from appdelivery.sandbox.storage import Body

NAME = "deployment-controller"
REVISION = "deployment.kubernetes.io/revision"
NO_DEADLINE = 2**31 - 1
MARGIN = 0.01  # seconds, so that a deadline has passed when its timer rings


def is_complete(deployment: Body, status: dict[str, Any] | None = None) -> bool:
    status = deployment.get("status", {}) if status is None else status
    wanted = deployment["spec"]["replicas"]
    numbers = (status.get("updatedReplicas", 0), status.get("replicas", 0), status.get("availableReplicas", 0))
    return numbers == (wanted,) * 3 and status.get("observedGeneration", 0) >= _generation(deployment)


def write_pause(context: Context, deployment: Body) -> Body:
    """Progressing is Unknown from the pause until the rollout goes on, so that waiting is not lack of progress."""
    known = objects.condition(deployment, "Progressing")
    if not _deadline(deployment) or (known is not None and known.get("reason") == "ProgressDeadlineExceeded"):
        return deployment
    is_said = known is not None and known.get("reason") == "DeploymentPaused"
    paused = bool(deployment["spec"].get("paused"))
    if paused == is_said:
        return deployment
    said = ("DeploymentPaused", "Deployment is paused") if paused else ("DeploymentResumed", "Deployment is resumed")
    return _write_condition(context, deployment, _progressing(context, "Unknown", *said))


def write_made(context: Context, deployment: Body, new: Body, revision: str) -> Body:
    message = f'Created new replica set "{new["metadata"]["name"]}"'
    condition = _progressing(context, "True", "NewReplicaSetCreated", message) if _deadline(deployment) else None
    return _write_condition(context, deployment, condition, revision=revision)


def write_found(context: Context, deployment: Body, new: Body, revision: str) -> Body:
    condition = None
    if _deadline(deployment) and objects.condition(deployment, "Progressing") is None:
        message = f'Found new replica set "{new["metadata"]["name"]}"'
        condition = _progressing(context, "True", "FoundNewReplicaSet", message)
    return _write_condition(context, deployment, condition, revision=revision)


def write_refused(context: Context, deployment: Body, message: str) -> None:
    if _deadline(deployment):
        _write_condition(context, deployment, _progressing(context, "False", "ReplicaSetCreateError", message))
    context.events.warning(deployment, "ReplicaSetCreateError", message, by=NAME)


def write_collision(context: Context, deployment: Body) -> None:
    status = deployment.get("status") or {}
    writing.status(context, deployment, {**status, "collisionCount": status.get("collisionCount", 0) + 1})


def write_plain(context: Context, deployment: Body, new: Body | None, old: list[Body]) -> None:
    """Without a judgement on progress: while it is paused, scaled or deleted."""
    writing.status(context, deployment, _calculated(context, deployment, new, old))


def write_progress(context: Context, deployment: Body, new: Body | None, old: list[Body]) -> None:
    status = _calculated(context, deployment, new, old)
    listed: list[dict[str, Any]] = status["conditions"]
    known = objects.condition(deployment, "Progressing")
    if not _deadline(deployment):
        listed = conditions.without(listed, "Progressing")
    elif not _is_done_before(status, known):
        listed = _judged(context, deployment, status, new, known)
    status["conditions"] = _failure(listed, [*old, new] if new is not None else old)
    writing.status(context, deployment, status)
    _watch_deadline(context, deployment, status)


def _judged(
    context: Context, deployment: Body, status: dict[str, Any], new: Body | None, known: dict[str, Any] | None
) -> list[dict[str, Any]]:
    named = (
        f'ReplicaSet "{new["metadata"]["name"]}"' if new is not None else f'Deployment "{deployment["metadata"]["name"]}"'
    )
    listed: list[dict[str, Any]] = status["conditions"]
    if is_complete(deployment, status):
        done = _progressing(context, "True", "NewReplicaSetAvailable", f"{named} has successfully progressed.")
        return conditions.moved(listed, done)
    if _has_moved(deployment.get("status") or {}, status):
        context.touch(deployment["metadata"]["uid"], "progress")
        condition = _progressing(context, "True", "ReplicaSetUpdated", f"{named} is progressing.")
        if known is not None and known["status"] == "True":
            condition["lastTransitionTime"] = known["lastTransitionTime"]
        return [*conditions.without(listed, "Progressing"), condition]
    if _is_late(context, deployment, known):
        late = _progressing(context, "False", "ProgressDeadlineExceeded", f"{named} has timed out progressing.")
        return conditions.moved(listed, late)
    return listed


def _is_done_before(status: dict[str, Any], known: dict[str, Any] | None) -> bool:
    """Nothing rolls out: whatever happens to pods now is no question of progress."""
    same = status.get("replicas", 0) == status.get("updatedReplicas", 0)
    return same and known is not None and known.get("reason") == "NewReplicaSetAvailable"


def _has_moved(before: dict[str, Any], after: dict[str, Any]) -> bool:
    def old(status: dict[str, Any]) -> int:
        return status.get("replicas", 0) - status.get("updatedReplicas", 0)  # type: ignore[no-any-return]

    grown = any(after.get(key, 0) > before.get(key, 0) for key in ("updatedReplicas", "readyReplicas", "availableReplicas"))
    return grown or old(after) < old(before)


def _is_late(context: Context, deployment: Body, known: dict[str, Any] | None) -> bool:
    if known is None or known.get("reason") == "NewReplicaSetAvailable":
        return False
    if known.get("reason") == "ProgressDeadlineExceeded":
        return True
    return context.mark(deployment["metadata"]["uid"], "progress") > _deadline(deployment)


def _watch_deadline(context: Context, deployment: Body, status: dict[str, Any]) -> None:
    known = conditions.find(status["conditions"], "Progressing")
    if not _deadline(deployment) or known is None or is_complete(deployment, status):
        return
    if known.get("reason") in ("NewReplicaSetAvailable", "ProgressDeadlineExceeded"):
        return
    left = _deadline(deployment) - context.mark(deployment["metadata"]["uid"], "progress")
    context.again("deployments", objects.key(deployment), max(left, 0) + MARGIN)


def _calculated(context: Context, deployment: Body, new: Body | None, old: list[Body]) -> dict[str, Any]:
    everything = [*old, new] if new is not None else old
    within = rollout.bounds(deployment["spec"])
    before = deployment.get("status") or {}
    available = _sum(everything, "availableReplicas")
    wanted = sum(one["spec"]["replicas"] for one in everything)
    numbers = {
        "replicas": _sum(everything, "replicas"),
        "updatedReplicas": _sum([new], "replicas") if new is not None else 0,
        "readyReplicas": _sum(everything, "readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(wanted - available, 0),
    }
    status: dict[str, Any] = {"observedGeneration": _generation(deployment)}
    status |= {key: value for key, value in numbers.items() if value}
    if all("terminatingReplicas" in one.get("status", {}) for one in everything) and everything:
        status["terminatingReplicas"] = _sum(everything, "terminatingReplicas")
    if available >= within.least:
        said = ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    else:
        said = ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    condition = _condition(context, "Available", *said)
    status["conditions"] = conditions.moved(list(before.get("conditions") or ()), condition)
    if "collisionCount" in before:
        status["collisionCount"] = before["collisionCount"]
    return status


def _failure(listed: list[dict[str, Any]], sets: list[Body]) -> list[dict[str, Any]]:
    """A ReplicaSet that cannot make its pods says so in its Deployment."""
    failed = next((found for one in reversed(sets) if (found := objects.condition(one, "ReplicaFailure"))), None)
    if failed is None:
        return conditions.without(listed, "ReplicaFailure")
    stamp = failed["lastTransitionTime"]
    return conditions.moved(listed, {**failed, "lastUpdateTime": stamp})


def _write_condition(
    context: Context, deployment: Body, condition: dict[str, Any] | None, *, revision: str | None = None
) -> Body:
    metadata = deployment["metadata"]
    if revision is not None and objects.notes(deployment).get(REVISION) != revision:
        metadata = {**metadata, "annotations": {**objects.notes(deployment), REVISION: revision}}
    status = deployment.get("status") or {}
    if condition is not None:
        context.touch(metadata["uid"], "progress")
        status = {**status, "conditions": conditions.moved(list(status.get("conditions") or ()), condition)}
    return writing.status(context, deployment, status, metadata=metadata)


def _progressing(context: Context, status: str, reason: str, message: str) -> dict[str, Any]:
    return _condition(context, "Progressing", status, reason, message)


def _condition(context: Context, type: str, status: str, reason: str, message: str) -> dict[str, Any]:
    stamp = context.stamp()
    return {
        "type": type, "status": status, "lastUpdateTime": stamp, "lastTransitionTime": stamp, "reason": reason,
        "message": message,
    }  # fmt: skip


def _deadline(deployment: Body) -> int:
    """0: none."""
    seconds: int = deployment["spec"].get("progressDeadlineSeconds") or 0
    return 0 if seconds == NO_DEADLINE else seconds


def _generation(body: Body) -> int:
    return body["metadata"].get("generation", 0)  # type: ignore[no-any-return]


def _sum(sets: list[Body], field: str) -> int:
    return sum(one.get("status", {}).get(field, 0) for one in sets)
