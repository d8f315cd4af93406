"""Reading: single objects, lists, what is ours, events and logs.  Called by fleet.py, lists also by reflector.py."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from appdelivery import errors
from appdelivery.clusters import facts, together, transport
from appdelivery.model import marks
from appdelivery.model.live import KubeEvent
from appdelivery.model.refs import Kind, Ref

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from appdelivery.clusters.cluster import Cluster
    from appdelivery.clusters.facts import Eyes
    from appdelivery.delivery.ports import LogOptions
    from appdelivery.model.live import Live, LiveFact
    from appdelivery.model.refs import AppKey, Selector

PAGE = 500
LOG_LINE, LOG_TOTAL = 16 << 10, 10 << 20
FOLLOW_IDLE_S = 3600.0  # a healthy program may be silent
PER_CLUSTER = (errors.Unreachable, errors.Unauthorized, errors.TimedOut, errors.Throttled)


async def read(cluster: Cluster, refs: Sequence[Ref]) -> dict[Ref, Live]:
    found = await together.all_of([_get(cluster, ref) for ref in refs])
    return {ref: live for ref, live in zip(refs, found, strict=True) if live is not None}


async def _get(cluster: Cluster, ref: Ref) -> Live | None:
    doing = f"read {ref} on cluster {cluster.name}"
    try:
        answer = await cluster.transport.request("GET", await cluster.path(ref), doing=doing)
    except errors.Missing:
        return None
    return facts.live_of(ref.of, answer.body)


async def page(cluster: Cluster, kind: Kind, namespace: str, selector: Selector) -> list[Live]:
    """At most one page."""
    query = selecting(selector) | {"limit": str(PAGE)}
    answer = await _list(cluster, await cluster.collection(kind, namespace), kind, query)
    return [facts.live_of(kind, body) for body in answer["items"]]


async def owned(
    cluster: Cluster,
    kinds: Mapping[Kind, int],
    namespaces: Sequence[str],
    *,
    selector: Selector,
    eyes: Eyes,
) -> dict[Kind, Sequence[LiveFact] | Exception]:
    async def of_kind(kind: Kind, version: int) -> Sequence[LiveFact] | Exception:
        try:
            return [
                facts.fact(cluster.name, facts.live_of(kind, body), eyes)
                for body in await everywhere(cluster, kind, namespaces, selector, not_older=version)
            ]
        except PER_CLUSTER:
            raise
        except errors.ClusterError as error:
            return error

    read = await together.all_of([of_kind(kind, version) for kind, version in kinds.items()])
    return dict(zip(kinds, read, strict=True))


def ours(instance: str, app: AppKey | None) -> str:
    """The label selector of what this installation owns, of one application or of all."""
    selector = f"{marks.INSTANCE}={instance}"
    return selector + (f",{marks.NAME}={app.name},{marks.NAMESPACE}={app.namespace}" if app else "")


async def everywhere(
    cluster: Cluster, kind: Kind, namespaces: Sequence[str], selector: Selector, *, not_older: int = 0
) -> list[dict[str, Any]]:
    """The items of one list over the cluster, or of one per namespace where that is forbidden."""
    if kind not in cluster.hidden or not namespaces:
        try:
            return (await whole(cluster, kind, "", selector, not_older=not_older))[0]
        except errors.Forbidden:
            if not namespaces or not (await cluster.served(kind)).namespaced:
                raise
            cluster.hidden.add(kind)
    lists = await together.all_of([whole(cluster, kind, one, selector, not_older=not_older) for one in namespaces])
    return [body for items, _ in lists for body in items]


async def whole(
    cluster: Cluster, kind: Kind, namespace: str, selector: Selector, *, not_older: int = 0
) -> tuple[list[dict[str, Any]], str]:
    """Every item, and the version of the list.

    One answer from the server's watch cache; pages (2 to 6 times dearer for the server) only when that is too large.
    """
    path, query = await cluster.collection(kind, namespace), selecting(selector)
    fresh = {"resourceVersion": str(not_older), "resourceVersionMatch": "NotOlderThan"} if not_older else {}
    try:
        answer = await _list(cluster, path, kind, query | fresh)
    except transport.TooLarge:
        return await _paged(cluster, path, kind, query)
    except errors.TimedOut as error:
        if not fresh or "Too large resource version" not in error.message:
            raise
        # The version we remember is newer than the server's newest: it was restored from a backup.
        answer = await _list(cluster, path, kind, query)
    return answer["items"], answer["metadata"]["resourceVersion"]


async def _paged(cluster: Cluster, path: str, kind: Kind, query: dict[str, str]) -> tuple[list[dict[str, Any]], str]:
    items: list[dict[str, Any]] = []
    token = ""
    while True:
        answer = await _list(cluster, path, kind, query | {"limit": str(PAGE)} | ({"continue": token} if token else {}))
        items += answer["items"]
        token = answer["metadata"].get("continue") or ""
        if not token:
            return items, answer["metadata"]["resourceVersion"]


async def _list(cluster: Cluster, path: str, kind: Kind, query: dict[str, str]) -> Any:
    limit = cluster.transport.limits.list_bytes
    doing = f"list {kind} on cluster {cluster.name}"
    answer = (await cluster.transport.request("GET", path, doing=doing, query=query, max_bytes=limit)).body
    if not isinstance(answer, dict) or "items" not in answer:
        raise errors.ClusterError(f"{doing}: the answer is no list", code="cluster.malformed")
    answer["items"] = answer["items"] or []
    return answer


def selecting(selector: Selector) -> dict[str, str]:
    query = {"labelSelector": selector.labels, "fieldSelector": selector.fields}
    return {key: value for key, value in query.items() if value}


async def events(cluster: Cluster, ref: Ref, limit: int) -> list[KubeEvent]:
    """Newest first.  Events about cluster-scoped objects stand in the namespace `default`."""
    path = f"/api/v1/namespaces/{ref.namespace or 'default'}/events"
    query = {"fieldSelector": f"involvedObject.kind={ref.kind},involvedObject.name={ref.name}", "limit": str(PAGE)}
    answer = await _list(cluster, path, Kind("", "v1", "Event"), query)
    found = [_event(body, ref) for body in answer["items"]]
    return sorted(found, key=lambda one: one.at.timestamp() if one.at else 0.0, reverse=True)[:limit]


def _event(body: dict[str, Any], ref: Ref) -> KubeEvent:
    series = body.get("series") or {}
    at = (
        series.get("lastObservedTime")
        or body.get("lastTimestamp")
        or body.get("eventTime")
        or body["metadata"].get("creationTimestamp")
    )
    return KubeEvent(
        type=body.get("type") or "Normal",
        reason=body.get("reason") or "",
        message=body.get("message") or "",
        count=int(series.get("count") or body.get("count") or 1),
        at=datetime.fromisoformat(at) if at else None,
        ref=ref,
    )


async def logs(cluster: Cluster, pod: Ref, how: LogOptions) -> AsyncIterator[str]:
    """Lines, each cut at 16 KiB, 10 MiB in all."""
    query = {
        "container": how.container,
        "follow": "true" if how.follow else "",
        "previous": "true" if how.previous else "",
        "tailLines": str(how.tail) if how.tail else "",
        "sinceSeconds": str(how.since_s) if how.since_s else "",
    }
    asked = {key: value for key, value in query.items() if value}
    doing = f"read the log of {pod} on cluster {cluster.name}"
    path = f"{await cluster.path(pod)}/log"
    idle_s = FOLLOW_IDLE_S if how.follow else cluster.transport.limits.read_s
    total = 0
    async for line in cluster.transport.lines(path, asked, doing=doing, accept="*/*", idle_s=idle_s):
        total += len(line)
        if total > LOG_TOTAL:
            yield f"[cut: more than {LOG_TOTAL >> 20} MiB]"
            return
        yield line[:LOG_LINE].decode(errors="replace")
