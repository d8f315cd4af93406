"""ResourceQuotas: the status says what a namespace may hold and holds, counted anew when objects come, go or end."""

from __future__ import annotations

from appdelivery.sandbox.controllers import objects, queue, quota_usage, writing
from appdelivery.sandbox.controllers.scheduler import amounts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from appdelivery.sandbox.controllers.context import Context
    from appdelivery.sandbox.storage import Event, Key

    Usage = dict[str, int]


def reconcile(context: Context, key: Key) -> None:
    quota = context.item(objects.QUOTAS, key)
    if quota is None or objects.deleting(quota):
        return
    hard = quota["spec"].get("hard") or {}
    used = dict.fromkeys(hard, 0)
    for family, kept in context.cluster.storage.families():
        if not any(quota_usage.concerns(family, name) for name in hard):
            continue
        for item in kept.items(key[0]):
            if quota_usage.in_scope(quota, family, item.body) and not (
                family == objects.PODS and objects.is_finished(item.body)
            ):
                amounts.add(used, quota_usage.relevant(quota_usage.usage(family, item.body), quota, hard))
    writing.status(context, quota, {"hard": dict(hard), "used": quota_usage.shown(used, hard)})


def _of_namespace(context: Context, event: Event) -> Iterable[Key]:
    """What may change a namespace's usage: coming, going, ending; also the size of claims and the type of services."""
    old = event.old
    if event.type == "MODIFIED" and old is not None:
        same = old.body["spec"] == event.item.body["spec"] and objects.is_finished(old.body) == objects.is_finished(
            event.item.body
        )
        if same:
            return ()
    held = context.cluster.storage.family(objects.QUOTAS)
    return [item.key for item in held.items(event.item.key[0])] if len(held) else ()


def _plain(context: Context, event: Event) -> Iterable[Key]:
    if event.type == "MODIFIED":
        return ()
    held = context.cluster.storage.family(objects.QUOTAS)
    return [item.key for item in held.items(event.item.key[0])] if len(held) else ()


def _itself(_: Context, event: Event) -> Iterable[Key]:
    return () if event.type == "DELETED" else (event.item.key,)


CONTROLLER = queue.Controller(
    "quotas",
    reconcile,
    {
        objects.QUOTAS: _itself,
        **dict.fromkeys((objects.PODS, objects.SERVICES, objects.CLAIMS), _of_namespace),
        **dict.fromkeys((("", "configmaps"), ("", "secrets"), ("", "replicationcontrollers"), objects.DEPLOYMENTS, objects.REPLICA_SETS, objects.STATEFUL_SETS, objects.DAEMON_SETS, objects.JOBS, objects.CRON_JOBS, objects.INGRESSES), _plain),
    },
)  # fmt: skip
