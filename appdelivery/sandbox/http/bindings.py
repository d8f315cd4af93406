"""Binding: how a scheduler of somebody's own puts a pod on a node."""

from __future__ import annotations

from appdelivery.sandbox import status
from appdelivery.sandbox.http import answers, bodies, parameters
from appdelivery.sandbox.http.printers import words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from appdelivery.sandbox.http.answers import Answer
    from appdelivery.sandbox.http.serving import Call
    from appdelivery.sandbox.kinds import Kind
    from appdelivery.sandbox.storage import Body

KIND = ("", "bindings")


def serve(call: Call, kind: Kind) -> Answer:
    """POST pods/NAME/binding, and POST bindings, whose body names the pod."""
    request = call.request
    options = parameters.writing(request)
    sent = bodies.read(kind, request.content_type, call.body, called="Binding").tree
    pods = call.cluster.kind("v1", "Pod")
    name = (sent.get("metadata") or {}).get("name", "")
    if request.name and name != request.name:
        raise status.bad_request("name in URL does not match name in Binding object")
    node = words.at(sent, "target", "name")
    if not node:
        raise status.Refusal(500, "", "target.name: Required value")
    item = call.cluster.get(pods, request.namespace, name)
    if item is None:
        raise status.not_found(pods, name)
    placed = item.body["spec"].get("nodeName")
    if placed:
        why = f'pod {name} is already assigned to node "{placed}"'
        message = f'Operation cannot be fulfilled on pods/binding "{name}": {why}'
        raise status.Refusal(409, "Conflict", message, details={"name": name, "kind": "pods/binding"})
    if not options.dry_run:
        _place(call, pods, item.body, node)
    done = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
    return answers.of(done, status=201)


def _place(call: Call, pods: Kind, pod: Body, node: str) -> None:
    """The server owns what it writes here: no manager is noted for it."""
    stamp = call.cluster.clock.stamp()
    others = [one for one in words.at(pod, "status", "conditions") or () if one.get("type") != "PodScheduled"]
    condition = {"type": "PodScheduled", "status": "True", "lastProbeTime": None, "lastTransitionTime": stamp}
    said = {**(pod.get("status") or {}), "conditions": [*others, condition]}
    body = {**pod, "metadata": dict(pod["metadata"]), "spec": {**pod["spec"], "nodeName": node}, "status": said}
    call.cluster.storage.commit("MODIFIED", pods.family, body)
