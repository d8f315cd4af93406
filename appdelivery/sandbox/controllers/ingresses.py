"""Ingresses: the address that an ingress controller would write once it serves them."""

from __future__ import annotations

from appdelivery.sandbox.controllers import objects, queue, writing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from appdelivery.sandbox.controllers.context import Context
    from appdelivery.sandbox.storage import Key

NAME = "nginx-ingress-controller"


def reconcile(context: Context, key: Key) -> None:
    """One address for all of a cluster, as with one controller in front."""
    ingress = context.item(objects.INGRESSES, key)
    if ingress is None or objects.deleting(ingress):
        return
    status = ingress.get("status") or {}
    if (status.get("loadBalancer") or {}).get("ingress"):
        return
    address = [{"ip": context.entry()}]
    writing.status(context, ingress, {**status, "loadBalancer": {"ingress": address}}, manager=NAME)
    context.events.normal(ingress, "Sync", "Scheduled for sync", by=NAME)


CONTROLLER = queue.Controller("ingresses", reconcile, {objects.INGRESSES: queue.itself})
