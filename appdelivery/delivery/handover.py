"""Who owns spec.replicas: from the author to an autoscaler and back without another number in between (delivery.md 6.3).

Dropping a field that only we own resets it: a Deployment would fall to one pod.  So before our entry gives `replicas` up,
a second manager holds the live number.  Every line checks before it acts; a stop between two of them is gone on from at
the first line whose check fails.  Called by send and, for the way back, by release.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appdelivery import errors
from appdelivery.delivery.ports import ApplyOptions
from appdelivery.model import fieldpath, marks

if TYPE_CHECKING:
    from appdelivery.delivery.ports import Applied, Fleet
    from appdelivery.model.refs import Ref

TRIES = 5
SCALABLE = frozenset(("Deployment", "StatefulSet", "ReplicaSet", "ReplicationController"))


def owners(body: dict[str, Any]) -> list[str]:
    """Managers that own spec.replicas, through whatever subresource."""
    return [
        str(entry.get("manager"))
        for entry in body["metadata"].get("managedFields") or ()
        if "f:replicas" in ((entry.get("fieldsV1") or {}).get("f:spec") or {})
    ]


async def hold(fleet: Fleet, cluster: str, ref: Ref) -> int:
    """Lines 1 and 2: the live number, held by the handover manager.  Gives the requests it took."""
    requests = 0
    for _ in range(TRIES):
        live = (await fleet.read(cluster, [ref])).get(ref)
        requests += 1
        if live is None or marks.HANDOVER in owners(live.body):
            return requests
        count = fieldpath.get(live.body, ("spec", "replicas"))
        if count is None:
            return requests
        try:
            # The version guards the pair: a number that somebody changes in between must not be set back.
            how = ApplyOptions(marks.HANDOVER, force=True, expect_version=live.version)
            await fleet.apply(cluster, ref, _bare(ref, replicas=count), how)
        except errors.Stale:
            continue
        return requests + 1
    raise errors.Stale(f"hand over the replicas of {ref} on cluster {cluster}: it is being changed all the time")


async def let_go(fleet: Fleet, cluster: str, ref: Ref, body: dict[str, Any]) -> Applied | None:
    """Line 5: drops the handover entry once another manager owns replicas; earlier, the field would be reset."""
    found = owners(body)
    if marks.HANDOVER not in found or set(found) == {marks.HANDOVER}:
        return None
    return await fleet.apply(cluster, ref, _bare(ref), ApplyOptions(marks.HANDOVER, force=True))


def _bare(ref: Ref, **spec: Any) -> dict[str, Any]:
    metadata = {"name": ref.name} | ({"namespace": ref.namespace} if ref.namespace else {})
    return {"apiVersion": ref.api_version, "kind": ref.kind, "metadata": metadata} | ({"spec": spec} if spec else {})
