"""Eviction: the deletion of a pod that its disruption budget may forbid for now."""

from __future__ import annotations

from appdelivery.sandbox import status, writes
from appdelivery.sandbox.http import answers, bodies, parameters, selectors
from appdelivery.sandbox.http.printers import words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from appdelivery.sandbox.http.answers import Answer
    from appdelivery.sandbox.http.serving import Call
    from appdelivery.sandbox.kinds import Kind
    from appdelivery.sandbox.storage import Body, Item

FREE = ("Succeeded", "Failed", "Pending")  # phases that no budget protects
MANAGER = "kube-apiserver"
REFUSED = "Cannot evict pod as it would violate the pod's disruption budget."


def serve(call: Call, kind: Kind) -> Answer:
    request = call.request
    sent = bodies.read(kind, request.content_type, call.body, called="Eviction").tree
    if (sent.get("metadata") or {}).get("name", "") != request.name:
        raise status.bad_request("name in URL does not match name in Eviction object")
    item = call.cluster.collection(kind).get(request.key)
    if item is None:
        raise status.not_found(kind, request.name)
    wanted = parameters.deletion(request.query, sent.get("deleteOptions"))
    if words.at(item.body, "status", "phase") not in FREE and not item.body["metadata"].get("deletionTimestamp"):
        _take(call, item, dry_run=wanted.dry_run)
    writes.delete(call.cluster, kind, request.key, wanted)
    return answers.of({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}, status=201)


def _take(call: Call, pod: Item, *, dry_run: bool) -> None:
    """Takes one disruption out of the pod's budget, or refuses."""
    kind = call.cluster.kind("policy/v1", "PodDisruptionBudget")
    namespace = pod.body["metadata"]["namespace"]
    budgets = [one for one in call.cluster.collection(kind).items(namespace) if _covers(one.body, pod.body)]
    if not budgets:
        return
    if len(budgets) > 1:
        message = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
        raise status.Refusal(500, "InternalError", message)
    body = budgets[0].body
    said, name = body.get("status") or {}, body["metadata"]["name"]
    if said.get("observedGeneration", 0) < body["metadata"].get("generation", 0):
        why = f"The disruption budget {name} is still being processed by the server."
        raise _too_many(why, seconds=10)
    allowed = said.get("disruptionsAllowed", 0)
    if allowed < 1:
        raise _too_many(
            f"The disruption budget {name} needs {said.get('desiredHealthy', 0)} healthy pods and has "
            f"{said.get('currentHealthy', 0)} currently"
        )
    disrupted = {**(said.get("disruptedPods") or {}), pod.body["metadata"]["name"]: call.cluster.clock.stamp()}
    change = {"status": {"disruptionsAllowed": allowed - 1, "disruptedPods": disrupted}}
    options = writes.Options(manager=MANAGER, dry_run=dry_run, subresource="status")
    writes.patch(call.cluster, kind, (namespace, name), "merge", change, options)


def _covers(budget: Body, pod: Body) -> bool:
    selector = (budget.get("spec") or {}).get("selector")
    if selector is None:
        return False
    text = words.selector(selector, empty="")
    return not text or selectors.label(text)(pod["metadata"].get("labels") or {})


def _too_many(why: str, *, seconds: int = 0) -> status.Refusal:
    details = {"causes": [{"reason": "DisruptionBudget", "message": why}]}
    more = {"retryAfterSeconds": seconds} if seconds else {}
    return status.Refusal(429, "TooManyRequests", REFUSED, details=details | more)
