"""What sets of pods have in common: whose pods they are, which count as available, which go first."""

from __future__ import annotations

from appdelivery.sandbox.controllers import objects, writing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from appdelivery.sandbox.controllers.context import Context
    from appdelivery.sandbox.storage import Body, Key

COST = "controller.kubernetes.io/pod-deletion-cost"


def claimed(context: Context, owner: Body) -> list[Body]:
    """Its pods, in the order in which they came: matching orphans become its own, strangers are let go."""
    selector = owner["spec"]["selector"]
    found = [item.body for item in context.index.controlled(objects.PODS, owner)]
    if objects.deleting(owner):
        return found
    kept = [pod for pod in found if objects.matches(selector, objects.labels(pod))]
    for pod in found:
        if not objects.matches(selector, objects.labels(pod)) and not objects.deleting(pod):
            _release(context, owner, pod)
    orphans = [item.body for item in context.index.orphans(objects.PODS, owner["metadata"]["namespace"])]
    wanted = [pod for pod in orphans if objects.is_active(pod) and objects.matches(selector, objects.labels(pod))]
    return kept + [writing.adopt(context, owner, pod) for pod in wanted]


def _release(context: Context, owner: Body, pod: Body) -> None:
    uid = owner["metadata"]["uid"]
    rest = [one for one in pod["metadata"]["ownerReferences"] if one["uid"] != uid]
    metadata = {key: value for key, value in pod["metadata"].items() if key != "ownerReferences"}
    writing.update(context, {**pod, "metadata": {**metadata, **({"ownerReferences": rest} if rest else {})}})


def available(context: Context, pods: Iterable[Body], seconds: int, *, controller: str, key: Key) -> list[Body]:
    """Ready for so many seconds; the controller is asked to look again when the next one may be."""
    ready = [pod for pod in pods if objects.is_ready(pod)]
    if not seconds:
        return ready
    found = []
    for pod in ready:
        since = context.mark(pod["metadata"]["uid"], "available", _since(pod))
        if since >= seconds:
            found.append(pod)
        else:
            context.again(controller, key, seconds - since)
    return found


def first_to_go(pods: Sequence[Body], related: Sequence[Body]) -> list[Body]:
    """As a ReplicaSet shrinks: what is of least use goes first, and among equals where most of the kin are, then the
    youngest."""
    crowd: dict[str, int] = {}
    for pod in related:
        node = pod["spec"].get("nodeName", "")
        crowd[node] = crowd.get(node, 0) + 1
    numbered = list(enumerate(pods))
    numbered.sort(key=lambda pair: (*_use(pair[1], crowd), -pair[0]))
    return [pod for _, pod in numbered]


def _use(pod: Body, crowd: dict[str, int]) -> tuple[int, int, bool, int, int, int]:
    node = pod["spec"].get("nodeName", "")
    phase = {"Pending": 0, "Unknown": 1}.get(objects.phase(pod), 2)
    cost = objects.notes(pod).get(COST, "0")
    restarts = sum(one["restartCount"] for one in pod.get("status", {}).get("containerStatuses") or ())
    whole = int(cost) if cost.lstrip("-").isdecimal() else 0
    return (1 if node else 0, phase, objects.is_ready(pod), whole, -crowd.get(node, 0), -restarts)


def _since(pod: Body) -> str:
    found = objects.condition(pod, "Ready")
    return found["lastTransitionTime"] if found else ""
