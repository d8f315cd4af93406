"""PodDisruptionBudgets: how many of the pods that they guard are healthy, and how many may be evicted now."""

from __future__ import annotations

from appdelivery.sandbox.controllers import conditions, objects, queue, writing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from appdelivery.sandbox.controllers.context import Context
    from appdelivery.sandbox.storage import Body, Event, Key

NAME = "controllermanager"


def reconcile(context: Context, key: Key) -> None:
    budget = context.item(objects.BUDGETS, key)
    if budget is None:
        return
    selector = budget["spec"].get("selector")
    pods = [] if selector is None else [item.body for item in context.index.pods(key[0], selector)]
    pods = [pod for pod in pods if not objects.is_finished(pod)]
    if not pods:
        context.events.normal(budget, "NoPods", "No matching pods found", by=NAME)
    expected, desired = _wanted(context, budget, pods)
    healthy = sum(objects.is_ready(pod) and not objects.deleting(pod) for pod in pods)
    allowed = max(healthy - desired, 0) if expected else 0
    before = budget.get("status") or {}
    status: dict[str, Any] = {
        "observedGeneration": budget["metadata"].get("generation", 1),
        "disruptionsAllowed": allowed,
        "currentHealthy": healthy,
        "desiredHealthy": desired,
        "expectedPods": expected,
        "conditions": _condition(context, budget, allowed),
    }
    if disrupted := _still_there(context, key[0], before.get("disruptedPods") or {}):
        status["disruptedPods"] = disrupted
        status["disruptionsAllowed"] = max(allowed - len(disrupted), 0)
    writing.status(context, budget, status)


def _wanted(context: Context, budget: Body, pods: list[Body]) -> tuple[int, int]:
    """(pods that there should be, of which must be healthy)"""
    spec = budget["spec"]
    least = spec.get("minAvailable")
    if isinstance(least, int):
        return len(pods), least
    expected = _scale(context, pods)
    if least is not None:
        return expected, objects.share(least, expected, up=True)
    most = objects.share(spec.get("maxUnavailable", 0), expected, up=True)
    return expected, max(expected - most, 0)


def _scale(context: Context, pods: list[Body]) -> int:
    """What the pods' controllers ask for in all; a pod without one counts for itself."""
    sizes: dict[str, int] = {}
    for pod in pods:
        uid, size = _owner(context, pod)
        sizes[uid] = size
    return sum(sizes.values())


def _owner(context: Context, pod: Body) -> tuple[str, int]:
    """The topmost controller with a number of replicas."""
    found = pod["metadata"]["uid"], 1
    body: Body | None = pod
    while body is not None and (reference := objects.controller_of(body)) is not None:
        group = reference["apiVersion"].rpartition("/")[0]
        family = objects.CONTROLLER_FAMILIES.get((group, reference["kind"]))
        body = None if family is None else context.item(family, (pod["metadata"]["namespace"], reference["name"]))
        if body is not None and "replicas" in body["spec"]:
            found = body["metadata"]["uid"], body["spec"]["replicas"]
    return found


def _condition(context: Context, budget: Body, allowed: int) -> list[dict[str, Any]]:
    value, reason = ("True", "SufficientPods") if allowed else ("False", "InsufficientPods")
    new = {
        "type": "DisruptionAllowed", "status": value, "observedGeneration": budget["metadata"].get("generation", 1),
        "lastTransitionTime": context.stamp(), "reason": reason, "message": "",
    }  # fmt: skip
    return conditions.kept(list((budget.get("status") or {}).get("conditions") or ()), new)


def _still_there(context: Context, namespace: str, disrupted: dict[str, str]) -> dict[str, str]:
    """Evicted pods that have not begun to go."""
    found = {}
    for name, when in disrupted.items():
        pod = context.item(objects.PODS, (namespace, name))
        if pod is not None and not objects.deleting(pod):
            found[name] = when
    return found


def _of_pod(context: Context, event: Event) -> Iterable[Key]:
    old, pod = event.old, event.item.body
    if event.type == "MODIFIED" and old is not None and _shown(old.body) == _shown(pod):
        return ()
    found = dict.fromkeys(context.index.selecting(objects.BUDGETS, pod))
    if old is not None:
        found.update(dict.fromkeys(context.index.selecting(objects.BUDGETS, old.body)))
    return list(found)


def _shown(pod: Body) -> tuple[Any, ...]:
    return objects.is_ready(pod), objects.deleting(pod), objects.is_finished(pod), pod["metadata"].get("labels")


def _of_scale(context: Context, event: Event) -> Iterable[Key]:
    """Shares are of the number of replicas: those that select the template's pods."""
    old, body = event.old, event.item.body
    if old is not None and old.body["spec"].get("replicas") == body["spec"].get("replicas"):
        return ()
    template = (body["spec"].get("template") or {}).get("metadata") or {}
    would = {"metadata": {"namespace": body["metadata"]["namespace"], "labels": template.get("labels") or {}}}
    return context.index.selecting(objects.BUDGETS, would)


CONTROLLER = queue.Controller(
    "budgets",
    reconcile,
    {
        objects.BUDGETS: queue.itself,
        objects.PODS: _of_pod,
        objects.DEPLOYMENTS: _of_scale,
        objects.STATEFUL_SETS: _of_scale,
    },
)
