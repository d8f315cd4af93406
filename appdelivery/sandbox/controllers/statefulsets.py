"""StatefulSets: numbered pods with claims of their own, made, replaced and taken one after the other.

`_next` says what the next step is, from the pods as they are; each reconcile takes at most one, unless the policy is
Parallel.
"""

from __future__ import annotations

from appdelivery.sandbox import status as statuses
from appdelivery.sandbox.controllers import objects, owners, queue, replicas, revisions, templates, writing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from appdelivery.sandbox.controllers.context import Context
    from appdelivery.sandbox.storage import Body, Key

    Pods = dict[int, Body]  # by ordinal

NAME = "statefulset-controller"
HASH = "controller-revision-hash"
INDEX = "apps.kubernetes.io/pod-index"
POD_NAME = "statefulset.kubernetes.io/pod-name"


def reconcile(context: Context, key: Key) -> None:
    owner = context.item(objects.STATEFUL_SETS, key)
    if owner is None or objects.deleting(owner):
        return
    pods = {_ordinal(owner, pod): pod for pod in replicas.claimed(context, owner)}
    pods = {number: pod for number, pod in pods.items() if number >= 0}
    known = revisions.sync(context, owner, label="controller.kubernetes.io/hash")
    update = known[-1]
    current = _current(owner, known)
    usable = _available(context, owner, pods)
    status = _status(owner, pods, usable, current, update)
    try:
        _step(context, owner, pods, usable, (current, update))
    finally:
        # A refused step is tried again, but what was seen is reported.
        writing.status(context, owner, status)
    used = {objects.labels(pod).get(HASH, "") for pod in pods.values()}
    revisions.truncate(context, owner, known, {*used, status["currentRevision"], status["updateRevision"]})


def _current(owner: Body, known: list[Body]) -> Body:
    name = (owner.get("status") or {}).get("currentRevision")
    return next((one for one in known if one["metadata"]["name"] == name), known[-1])


def _available(context: Context, owner: Body, pods: Pods) -> set[str]:
    """uids"""
    running = [pod for pod in pods.values() if _runs(pod)]
    seconds = owner["spec"].get("minReadySeconds", 0)
    found = replicas.available(context, running, seconds, controller=CONTROLLER.name, key=objects.key(owner))
    return {pod["metadata"]["uid"] for pod in found}


def _runs(pod: Body) -> bool:
    return objects.phase(pod) == "Running" and objects.is_ready(pod)


def _status(owner: Body, pods: Pods, usable: set[str], current: Body, update: Body) -> dict[str, Any]:
    before = owner.get("status") or {}
    living = [pod for pod in pods.values() if not objects.deleting(pod)]
    names = current["metadata"]["name"], update["metadata"]["name"]
    of_current, of_update = (sum(_revision(pod) == name for pod in living) for name in names)
    ready = sum(_runs(pod) for pod in pods.values())
    wanted = owner["spec"]["replicas"]
    rolling = owner["spec"].get("updateStrategy", {}).get("type") != "OnDelete"
    if rolling and _partition(owner) == 0 and of_update == ready == len(pods) == wanted:
        names, of_current = (names[1], names[1]), of_update
    status: dict[str, Any] = {"observedGeneration": owner["metadata"].get("generation", 0), "replicas": len(pods)}
    numbers = {"readyReplicas": ready, "currentReplicas": of_current, "updatedReplicas": of_update}
    status |= {name: value for name, value in numbers.items() if value}
    status |= {"currentRevision": names[0], "updateRevision": names[1]}
    status["collisionCount"] = before.get("collisionCount", 0)
    status["availableReplicas"] = len(usable)
    return status


def _step(context: Context, owner: Body, pods: Pods, usable: set[str], known: tuple[Body, Body]) -> None:
    """One step, or several under the policy Parallel.  known: the current and the updated revision."""
    current, update = known
    ordered = owner["spec"].get("podManagementPolicy", "OrderedReady") == "OrderedReady"
    start = _start(owner)
    wanted = range(start, start + owner["spec"]["replicas"])
    for number in wanted:
        pod = pods.get(number)
        if pod is None:
            _make(context, owner, number, _revision_for(owner, number, current, update))
            if ordered:
                return
        elif objects.is_finished(pod) and not objects.deleting(pod):
            _delete(context, owner, pod)
            if ordered:
                return
        elif ordered and (objects.deleting(pod) or pod["metadata"]["uid"] not in usable):
            return
    for number in sorted((one for one in pods if one not in wanted), reverse=True):
        if not objects.deleting(pods[number]):
            _delete(context, owner, pods[number])
            _drop_claims(context, owner, pods[number])
        if ordered:
            return
    _replace(context, owner, pods, usable, update)


def _replace(context: Context, owner: Body, pods: Pods, usable: set[str], update: Body) -> None:
    """From the last pod to the partition: those of an older template go, maxUnavailable at a time."""
    strategy = owner["spec"].get("updateStrategy") or {}
    if strategy.get("type") == "OnDelete":
        return
    most = (strategy.get("rollingUpdate") or {}).get("maxUnavailable", 1)
    allowed = max(objects.share(most, owner["spec"]["replicas"], up=True), 1)
    lowest = _start(owner) + _partition(owner)
    missing = sum(pod["metadata"]["uid"] not in usable for number, pod in pods.items() if number >= lowest)
    for number in sorted((one for one in pods if one >= lowest), reverse=True):
        pod = pods[number]
        old = _revision(pod) != update["metadata"]["name"] and not objects.deleting(pod)
        if old and (missing < allowed or pod["metadata"]["uid"] not in usable):
            _delete(context, owner, pod)
            missing += 1
        if missing >= allowed:
            break


def _make(context: Context, owner: Body, number: int, revision: Body) -> None:
    name = f"{owner['metadata']['name']}-{number}"
    claims = _claims(owner, name)
    for claim in claims:
        if context.item(objects.CLAIMS, objects.key(claim)) is None:
            writing.create(context, claim)
            said = f"Create Claim {claim['metadata']['name']} Pod {name} in StatefulSet {owner['metadata']['name']} success"
            context.events.normal(owner, "SuccessfulCreate", said, by=NAME)
    labels = {HASH: revision["metadata"]["name"], POD_NAME: name, INDEX: str(number)}
    body = templates.pod(
        owner, name, template=revisions.template(revision), labels=labels, generated=f"{owner['metadata']['name']}-"
    )
    own = [claim["metadata"]["name"] for claim in claims]
    volumes = [{"name": one.removesuffix(f"-{name}"), "persistentVolumeClaim": {"claimName": one}} for one in own]
    named = {one["name"] for one in volumes}
    volumes += [one for one in body["spec"].get("volumes") or () if one["name"] not in named]
    if volumes:
        body["spec"]["volumes"] = volumes
    body["spec"]["hostname"] = name
    if owner["spec"].get("serviceName"):
        body["spec"]["subdomain"] = owner["spec"]["serviceName"]
    try:
        writing.create(context, body)
    except statuses.Refusal as refusal:
        said = f"create Pod {name} in StatefulSet {owner['metadata']['name']} failed error: {refusal.message}"
        context.events.warning(owner, "FailedCreate", said, by=NAME)
        raise
    said = f"Create Pod {name} in StatefulSet {owner['metadata']['name']} successful"
    context.events.normal(owner, "SuccessfulCreate", said, by=NAME)


def _claims(owner: Body, pod: str) -> list[Body]:
    selected = owner["spec"]["selector"].get("matchLabels") or {}
    retention = owner["spec"].get("persistentVolumeClaimRetentionPolicy") or {}
    found = []
    for template in owner["spec"].get("volumeClaimTemplates") or ():
        given = template["metadata"]
        metadata = {
            "name": f"{given['name']}-{pod}",
            "namespace": owner["metadata"]["namespace"],
            "labels": {**(given.get("labels") or {}), **selected},
        }
        if given.get("annotations"):
            metadata["annotations"] = given["annotations"]
        if retention.get("whenDeleted") == "Delete":
            metadata["ownerReferences"] = [objects.owner_reference(owner)]
        spec = dict(template["spec"])
        found.append({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec})
    return found


def _drop_claims(context: Context, owner: Body, pod: Body) -> None:
    retention = owner["spec"].get("persistentVolumeClaimRetentionPolicy") or {}
    if retention.get("whenScaled") != "Delete":
        return
    for claim in _claims(owner, pod["metadata"]["name"]):
        known = context.item(objects.CLAIMS, objects.key(claim))
        if known is not None:
            writing.delete(context, known)


def _delete(context: Context, owner: Body, pod: Body) -> None:
    writing.delete(context, pod)
    said = f"Delete Pod {pod['metadata']['name']} in StatefulSet {owner['metadata']['name']} successful"
    context.events.normal(owner, "SuccessfulDelete", said, by=NAME)


def _revision_for(owner: Body, number: int, current: Body, update: Body) -> Body:
    """Below the partition a pod that is made again has the old template."""
    rolling = owner["spec"].get("updateStrategy", {}).get("type") != "OnDelete"
    return current if rolling and number < _start(owner) + _partition(owner) else update


def _partition(owner: Body) -> int:
    rolling = (owner["spec"].get("updateStrategy") or {}).get("rollingUpdate") or {}
    return rolling.get("partition", 0)  # type: ignore[no-any-return]


def _start(owner: Body) -> int:
    return (owner["spec"].get("ordinals") or {}).get("start", 0)  # type: ignore[no-any-return]


def _revision(pod: Body) -> str:
    return objects.labels(pod).get(HASH, "")


def _ordinal(owner: Body, pod: Body) -> int:
    """-1: not one of its numbered pods."""
    parent, _, number = pod["metadata"]["name"].rpartition("-")
    return int(number) if parent == owner["metadata"]["name"] and number.isdecimal() else -1


CONTROLLER = queue.Controller(
    "statefulsets",
    reconcile,
    {objects.STATEFUL_SETS: queue.itself, objects.PODS: owners.of("StatefulSet")},
)
