"""HorizontalPodAutoscalers (v2): every 15 seconds the replicas that the figures ask for, at the speed that is allowed.

`scaling` has the arithmetic, `autoscaler_metrics` reads `figures`; here is what is written: the scale of the target,
conditions, events.
"""

from __future__ import annotations

from appdelivery.sandbox import status as statuses
from appdelivery.sandbox import writes
from appdelivery.sandbox.controllers import autoscaler_metrics, conditions, objects, queue, scaling, writing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from appdelivery.sandbox.controllers.autoscaler_metrics import Proposal
    from appdelivery.sandbox.controllers.context import Context
    from appdelivery.sandbox.kinds import Kind
    from appdelivery.sandbox.storage import Body, Event, Key

NAME = "horizontal-pod-autoscaler"
PERIOD = 15.0  # controller seconds
_SCALE = writes.Options(manager=writing.MANAGER, subresource="scale")


def reconcile(context: Context, key: Key) -> None:
    scaler = _current(context, key)
    if scaler is None or objects.deleting(scaler):
        return
    context.again(CONTROLLER.name, key, PERIOD)
    status: dict[str, Any] = dict(scaler.get("status") or {})
    status.setdefault("desiredReplicas", 0)
    status.setdefault("currentMetrics", None)
    try:
        kind, target = _target(context, scaler)
    except LookupError as error:
        context.events.warning(scaler, "FailedGetScale", error.args[0], by=NAME)
        message = f"the HPA controller was unable to get the target's current scale: {error.args[0]}"
        _set(context, status, "AbleToScale", "False", "FailedGetScale", message)
        writing.status(context, scaler, status)
        return
    message = "the HPA controller was able to get the target's current scale"
    _set(context, status, "AbleToScale", "True", "SucceededGetScale", message)
    current = target["spec"].get("replicas", 1)
    status["currentReplicas"] = current
    wanted, why = _wanted(context, scaler, target, status, current)
    if wanted is not None and wanted != current:
        wanted = _rescale(context, scaler, kind, target, status=status, wanted=wanted, why=why)
    if wanted is not None:
        status["desiredReplicas"] = wanted
    writing.status(context, scaler, status)


def _current(context: Context, key: Key) -> Body | None:
    """In version v2, however it was stored."""
    kind = context.cluster.kind("autoscaling/v2", "HorizontalPodAutoscaler")
    item = context.cluster.get(kind, *key)
    return None if item is None else writes.read(context.cluster, kind, item)


def _target(context: Context, scaler: Body) -> tuple[Kind, Body]:
    """LookupError with the server's words."""
    reference, namespace = scaler["spec"]["scaleTargetRef"], scaler["metadata"]["namespace"]
    kind = context.cluster.kinds.named(reference.get("apiVersion", "v1"), reference["kind"])
    if kind is None:
        group = reference.get("apiVersion", "").rpartition("/")[0]
        raise LookupError(f'no matches for kind "{reference["kind"]}" in group "{group}"')
    if "scale" not in kind.subresources:
        raise LookupError("the server could not find the requested resource")
    found = context.cluster.get(kind, namespace, reference["name"])
    if found is None:
        raise LookupError(statuses.not_found(kind, reference["name"]).message)
    return kind, found.body


def _wanted(context: Context, scaler: Body, target: Body, status: dict[str, Any], current: int) -> tuple[int | None, str]:
    """(replicas, reason of the change); None: the figures do not say."""
    spec = scaler["spec"]
    least, most = spec.get("minReplicas", 1), spec["maxReplicas"]
    if current == 0:
        message = "scaling is disabled since the replica count of the target is zero"
        _set(context, status, "ScalingActive", "False", "ScalingDisabled", message)
        return 0, ""
    if current > most:
        return most, "Current number of replicas above Spec.MaxReplicas"
    if current < least:
        return least, "Current number of replicas below Spec.MinReplicas"
    best = _proposed(context, scaler, target, status, current)
    if best is None:
        return None, ""
    history = context.histories.setdefault(scaler["metadata"]["uid"], scaling.History([(context.clock.elapsed(), current)]))
    decision = scaling.decide(history, context.clock.elapsed(), current=current, wanted=best.replicas, spec=spec)
    _set(context, status, "AbleToScale", "True", *decision.able)
    limited = "False" if decision.limited == scaling.WITHIN else "True"
    _set(context, status, "ScalingLimited", limited, *decision.limited)
    why = f"{best.name} above target" if best.replicas > current else "All metrics below target"
    return decision.replicas, why


def _proposed(context: Context, scaler: Body, target: Body, status: dict[str, Any], current: int) -> Proposal | None:
    """The metric that asks for most.  While one is unknown, the others may let it grow, but not shrink."""
    namespace = scaler["metadata"]["namespace"]
    pods = [item.body for item in context.index.pods(namespace, target["spec"].get("selector") or {})]
    found: list[Proposal] = []
    unknown: list[autoscaler_metrics.Unknown] = []
    metrics = scaler["spec"].get("metrics") or []
    for metric in metrics:
        try:
            found.append(autoscaler_metrics.propose(context, namespace, metric, current, pods))
        except autoscaler_metrics.Unknown as error:
            unknown.append(error)
            context.events.warning(scaler, error.reason, error.message, by=NAME)
    status["currentMetrics"] = [one.status for one in found] + [{"type": ""} for _ in unknown] or None
    best = max(found, key=lambda one: one.replicas, default=None)
    if unknown and (best is None or best.replicas < current):
        first = unknown[0]
        message = f"the HPA was unable to compute the replica count: {first.message}"
        _set(context, status, "ScalingActive", "False", first.reason, message)
        said = (
            f"invalid metrics ({len(unknown)} invalid out of {len(metrics)}), first error is: failed to get {first.what}:"
            f" {first.message}"
        )
        context.events.warning(scaler, "FailedComputeMetricsReplicas", said, by=NAME)
        return None
    if best is not None:
        message = f"the HPA was able to successfully calculate a replica count from {best.name}"
        _set(context, status, "ScalingActive", "True", "ValidMetricFound", message)
    return best


def _rescale(
    context: Context, scaler: Body, kind: Kind, target: Body, *, status: dict[str, Any], wanted: int, why: str
) -> int:
    current: int = status["currentReplicas"]
    try:
        writes.patch(context.cluster, kind, objects.key(target), "merge", {"spec": {"replicas": wanted}}, _SCALE)
    except statuses.Refusal as refusal:
        said = f"New size: {wanted}; reason: {why}; error: {refusal.message}"
        context.events.warning(scaler, "FailedRescale", said, by=NAME)
        message = f"the HPA controller was unable to update the target scale: {refusal.message}"
        _set(context, status, "AbleToScale", "False", "FailedUpdateScale", message)
        return current
    message = f"the HPA controller was able to update the target scale to {wanted}"
    _set(context, status, "AbleToScale", "True", "SucceededRescale", message)
    context.events.normal(scaler, "SuccessfulRescale", f"New size: {wanted}; reason: {why}", by=NAME)
    history = context.histories.setdefault(scaler["metadata"]["uid"], scaling.History())
    scaling.note(history, context.clock.elapsed(), wanted - current)
    status["lastScaleTime"] = context.stamp()
    return wanted


def _set(context: Context, status: dict[str, Any], type: str, *said: str) -> None:
    """said: status, reason and message of the condition."""
    value, reason, message = said
    new = {
        "type": type, "status": value, "lastTransitionTime": context.stamp(), "reason": reason, "message": message,
    }  # fmt: skip
    status["conditions"] = conditions.kept(list(status.get("conditions") or ()), new)


def _asked(_: Context, event: Event) -> Iterable[Key]:
    """Its own status is no reason to look again: that would undo the pace."""
    old = event.old
    same = event.type == "MODIFIED" and old is not None and old.body["spec"] == event.item.body["spec"]
    return () if same or event.type == "DELETED" else (event.item.key,)


CONTROLLER = queue.Controller("autoscalers", reconcile, {objects.AUTOSCALERS: _asked})
