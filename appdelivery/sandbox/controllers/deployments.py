"""Deployments: a ReplicaSet per pod template, moved from the old to the new one within the bounds of the strategy.

`rollout` has the arithmetic, `deployment_status` the status; here is the order of steps, which is that of a real
controller, one write at a time, since watchers see each of them.
"""

from __future__ import annotations

from appdelivery.sandbox import status as statuses
from appdelivery.sandbox.controllers import deployment_status, objects, owners, queue, rollout, templates, writing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from appdelivery.sandbox.controllers.context import Context
    from appdelivery.sandbox.storage import Body, Event, Key

NAME = "deployment-controller"
REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MOST = "deployment.kubernetes.io/max-replicas"
NOT_COPIED = frozenset(
    {
        "kubectl.kubernetes.io/last-applied-configuration", REVISION, HISTORY, DESIRED, MOST,
        "deprecated.deployment.rollback.to",
    }
)  # fmt: skip
HISTORY_LENGTH = 2_000  # characters


def reconcile(context: Context, key: Key) -> None:
    deployment = context.item(objects.DEPLOYMENTS, key)
    if deployment is None:
        return
    sets = _claimed(context, deployment)
    if objects.deleting(deployment):
        new, old = _split(deployment, sets)
        deployment_status.write_plain(context, deployment, new, old)
        return
    deployment = deployment_status.write_pause(context, deployment)
    if deployment["spec"].get("paused") or _is_scaling(deployment, sets):
        _scale(context, deployment, sets)
    elif deployment["spec"].get("strategy", {}).get("type") == "Recreate":
        _recreate(context, deployment, sets)
    else:
        _roll(context, deployment, sets)


def _claimed(context: Context, deployment: Body) -> list[Body]:
    """Its ReplicaSets; those that match and have no owner become its own."""
    found = [item.body for item in context.index.controlled(objects.REPLICA_SETS, deployment)]
    if objects.deleting(deployment):
        return found
    orphans = [item.body for item in context.index.orphans(objects.REPLICA_SETS, deployment["metadata"]["namespace"])]
    selector = deployment["spec"]["selector"]
    wanted = [one for one in orphans if not objects.deleting(one) and objects.matches(selector, objects.labels(one))]
    return found + [writing.adopt(context, deployment, one) for one in wanted]


def _split(deployment: Body, sets: list[Body]) -> tuple[Body | None, list[Body]]:
    """The oldest that has the template of now, and all others."""
    wanted = templates.without_hash(deployment["spec"]["template"])
    new = next((one for one in _by_age(sets) if templates.without_hash(one["spec"]["template"]) == wanted), None)
    return new, [one for one in sets if one is not new]


def _by_age(sets: list[Body]) -> list[Body]:
    return sorted(sets, key=lambda one: (one["metadata"]["creationTimestamp"], one["metadata"]["name"]))


def _is_scaling(deployment: Body, sets: list[Body]) -> bool:
    """`replicas` changed since the active ReplicaSets were last sized."""
    wanted = str(deployment["spec"]["replicas"])
    return any(_size(one) and objects.notes(one).get(DESIRED, wanted) != wanted for one in sets)


def _roll(context: Context, deployment: Body, sets: list[Body]) -> None:
    deployment, new, old = _revised(context, deployment, sets, make=True)
    if new is None:
        return
    within = rollout.bounds(deployment["spec"])
    grown = rollout.new_size(within, _number(new, 0), [_number(one, 0) for one in old])
    if grown != _size(new):
        new = _resize(context, deployment, new, grown)
    else:
        shrunk = rollout.old_sizes(within, _number(new, 0), [_number(one, age) for age, one in enumerate(_by_age(old))])
        old = [_resize(context, deployment, one, shrunk.get(_name(one), _size(one))) for one in old]
        if not shrunk and deployment_status.is_complete(deployment):
            old = _clean(context, deployment, old)
    deployment_status.write_progress(context, deployment, new, old)


def _recreate(context: Context, deployment: Body, sets: list[Body]) -> None:
    deployment, new, old = _revised(context, deployment, sets, make=False)
    running = [one for one in old if _size(one)]
    if running:
        old = [_resize(context, deployment, one, 0) for one in old]
        deployment_status.write_progress(context, deployment, new, old)
        return
    if any(not objects.is_finished(item.body) for one in old for item in context.index.controlled(objects.PODS, one)):
        deployment_status.write_progress(context, deployment, new, old)
        return
    if new is None:
        deployment, new, old = _revised(context, deployment, old, make=True)
        if new is None:
            return
    new = _resize(context, deployment, new, deployment["spec"]["replicas"])
    if deployment_status.is_complete(deployment):
        old = _clean(context, deployment, old)
    deployment_status.write_progress(context, deployment, new, old)


def _scale(context: Context, deployment: Body, sets: list[Body]) -> None:
    """After a change of `replicas`, or while it is paused: sizes change, templates do not."""
    deployment, new, old = _revised(context, deployment, sets, make=False)
    within = rollout.bounds(deployment["spec"])
    everything = [*old, new] if new is not None else old
    active = [one for one in everything if _size(one)]
    sizes: dict[str, int] = {}
    if len(active) <= 1:
        newest = active or ([new] if new is not None else _by_age(old)[-1:])
        sizes = {_name(one): within.replicas for one in newest}
    elif new is not None and _is_saturated(deployment, new):
        sizes = {_name(one): 0 for one in old}
    elif deployment["spec"]["strategy"]["type"] == "RollingUpdate":
        ages = {_name(one): age for age, one in enumerate(_by_age(active))}
        sizes = rollout.proportional(within, [_number(one, ages[_name(one)]) for one in active])
    old = [_resize(context, deployment, one, sizes.get(_name(one), _size(one)), force=len(active) > 1) for one in old]
    if new is not None:
        new = _resize(context, deployment, new, sizes.get(_name(new), _size(new)), force=len(active) > 1)
    if deployment["spec"].get("paused"):
        old = _clean(context, deployment, old)
    deployment_status.write_plain(context, deployment, new, old)


def _is_saturated(deployment: Body, new: Body) -> bool:
    wanted: int = deployment["spec"]["replicas"]
    sizes = {_size(new), new.get("status", {}).get("availableReplicas", 0), _whole(objects.notes(new).get(DESIRED, ""))}
    return sizes == {wanted}


def _revised(context: Context, deployment: Body, sets: list[Body], *, make: bool) -> tuple[Body, Body | None, list[Body]]:
    """The new ReplicaSet with the highest revision, made when it is wanted; the Deployment carries the same number."""
    new, old = _split(deployment, sets)
    revision = max((_revision(one) for one in old), default=0) + 1
    if new is not None:
        new = _annotated(context, deployment, new, revision)
        return deployment_status.write_found(context, deployment, new, str(_revision(new))), new, old
    if not make:
        return deployment, None, old
    new = _made(context, deployment, old, revision)
    if new is not None:
        deployment = deployment_status.write_made(context, deployment, new, str(revision))
    return deployment, new, old


def _made(context: Context, deployment: Body, old: list[Body], revision: int) -> Body | None:
    spec, template = deployment["spec"], deployment["spec"]["template"]
    mark = templates.hashed(templates.without_hash(template), deployment.get("status", {}).get("collisionCount", 0))
    within = rollout.bounds(spec)
    name = f"{_name(deployment)[: 252 - len(mark)]}-{mark}"
    size = rollout.new_size(
        within,
        rollout.Set(name, 0),
        [_number(one, 0) for one in old],
        rolling=spec.get("strategy", {}).get("type") == "RollingUpdate",
    )
    labels = {**(template.get("metadata", {}).get("labels") or {}), templates.HASH: mark}
    selector = spec["selector"]
    annotations = {key: value for key, value in objects.notes(deployment).items() if key not in NOT_COPIED}
    body: Body = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": name,
            "namespace": deployment["metadata"]["namespace"],
            "labels": labels,
            "annotations": {**annotations, **_sized(within), REVISION: str(revision)},
            "ownerReferences": [objects.owner_reference(deployment)],
        },
        "spec": {
            "replicas": size,
            "selector": {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), templates.HASH: mark}},
            "template": {**template, "metadata": {**(template.get("metadata") or {}), "labels": labels}},
        },
    }
    if spec.get("minReadySeconds"):
        body["spec"]["minReadySeconds"] = spec["minReadySeconds"]
    try:
        made = writing.create(context, body)
    except statuses.Refusal as refusal:
        if refusal.reason == "AlreadyExists":
            deployment_status.write_collision(context, deployment)
            return None
        deployment_status.write_refused(context, deployment, f'Failed to create new replica set "{name}": {refusal.message}')
        raise
    if size:
        context.events.normal(deployment, "ScalingReplicaSet", f"Scaled up replica set {name} from 0 to {size}", by=NAME)
    return made


def _annotated(context: Context, deployment: Body, new: Body, revision: int) -> Body:
    """An older ReplicaSet whose template returns gets a new revision and remembers the old one."""
    annotations = dict(objects.notes(new))
    annotations |= {key: value for key, value in objects.notes(deployment).items() if key not in NOT_COPIED}
    had = _revision(new)
    if had < revision:
        annotations[REVISION] = str(revision)
        if REVISION in objects.notes(new):
            annotations[HISTORY] = _history(annotations.get(HISTORY, ""), str(had))
    spec = new["spec"]
    ready_seconds = deployment["spec"].get("minReadySeconds", 0)
    if annotations == objects.notes(new) and ready_seconds == spec.get("minReadySeconds", 0):
        return new
    metadata = {**new["metadata"], "annotations": annotations}
    return writing.update(context, {**new, "metadata": metadata, "spec": {**spec, "minReadySeconds": ready_seconds}})


def _history(known: str, more: str) -> str:
    revisions = [*filter(None, known.split(",")), more]
    while len(",".join(revisions)) > HISTORY_LENGTH:
        del revisions[0]
    return ",".join(revisions)


def _resize(context: Context, deployment: Body, one: Body, size: int, *, force: bool = False) -> Body:
    """force: its annotations follow the Deployment even when the size stays."""
    before = _size(one)
    sized = _sized(rollout.bounds(deployment["spec"]))
    stale = any(objects.notes(one).get(key) != value for key, value in sized.items())
    if size == before and not (force and stale):
        return one
    metadata = {**one["metadata"], "annotations": {**objects.notes(one), **sized}}
    made = writing.update(context, {**one, "metadata": metadata, "spec": {**one["spec"], "replicas": size}})
    if size != before:
        way = "up" if size > before else "down"
        message = f"Scaled {way} replica set {_name(one)} from {before} to {size}"
        context.events.normal(deployment, "ScalingReplicaSet", message, by=NAME)
    return made


def _clean(context: Context, deployment: Body, old: list[Body]) -> list[Body]:
    """Forgets the oldest revisions beyond revisionHistoryLimit."""
    limit = deployment["spec"].get("revisionHistoryLimit")
    if limit is None:
        return old
    living = sorted((one for one in old if not objects.deleting(one)), key=_revision)
    gone = [one for one in living[: max(len(living) - limit, 0)] if _is_idle(one)]
    for one in gone:
        writing.delete(context, one)
    return [one for one in old if one not in gone]


def _is_idle(one: Body) -> bool:
    status = one.get("status", {})
    seen = status.get("observedGeneration", 0) >= one["metadata"].get("generation", 0)
    return not _size(one) and not status.get("replicas") and seen


def _sized(within: rollout.Bounds) -> dict[str, str]:
    return {DESIRED: str(within.replicas), MOST: str(within.most)}


def _number(one: Body, age: int) -> rollout.Set:
    available = one.get("status", {}).get("availableReplicas", 0)
    return rollout.Set(_name(one), _size(one), available, _whole(objects.notes(one).get(MOST, "")), age)


def _revision(one: Body) -> int:
    return _whole(objects.notes(one).get(REVISION, ""))


def _whole(text: str) -> int:
    """Anybody may write annotations."""
    return int(text) if text.isdecimal() else 0


def _name(body: Body) -> str:
    return body["metadata"]["name"]  # type: ignore[no-any-return]


def _size(one: Body) -> int:
    return one["spec"]["replicas"]  # type: ignore[no-any-return]


def _pod_gone(context: Context, event: Event) -> Iterable[Key]:
    """Recreate waits until the last old pod is gone; other events of pods come by way of their ReplicaSet."""
    if event.type != "DELETED" and not objects.is_finished(event.item.body):
        return ()
    owner = objects.controller_of(event.item.body)
    if owner is None or owner["kind"] != "ReplicaSet":
        return ()
    above = context.item(objects.REPLICA_SETS, (event.item.key[0], owner["name"]))
    reference: dict[str, Any] | None = None if above is None else objects.controller_of(above)
    return () if reference is None else ((event.item.key[0], reference["name"]),)


CONTROLLER = queue.Controller(
    "deployments",
    reconcile,
    {
        objects.DEPLOYMENTS: queue.itself,
        objects.REPLICA_SETS: owners.of("Deployment"),
        objects.PODS: _pod_gone,
    },
)
