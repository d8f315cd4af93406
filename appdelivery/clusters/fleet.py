"""`ClusterFleet`: the Protocol `delivery.ports.Fleet` over real clusters, under one identity.

Made by platform with one connection per cluster and the callables that clusters may not import; closed by its maker.
Every method is a sentence here; how it is done stands in apply.py, reading.py, reflector.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appdelivery import errors
from appdelivery.clusters import apply, cluster, facts, reading, reflector, removal, transport
from appdelivery.model import marks
from appdelivery.model.record import record
from appdelivery.model.refs import Selector

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from appdelivery.clusters.credentials import Credentials
    from appdelivery.delivery.ports import (
        Applied,
        ApplyOptions,
        BareOf,
        DeleteOptions,
        Fleet,
        Judge,
        LogOptions,
        ManagerOf,
        Observed,
        ResolveSecret,
    )
    from appdelivery.model.live import ClusterFacts, KubeEvent, Live, LiveFact
    from appdelivery.model.refs import AppKey, Kind, Ref


@record
class Connection:
    """How to reach one cluster; facts kept from an earlier time spare the discovery."""

    credentials: Credentials
    facts: ClusterFacts | None = None


def owner_manager(metadata: dict[str, Any]) -> str:
    """The manager that the object's owner mark names: right for every object that stands where it was written."""
    owner = marks.owner_app((metadata.get("annotations") or {}).get(marks.OWNER, ""))
    return marks.manager_of(owner[1]) if owner else ""


def nothing_bare(_cluster: str, _ref: Ref) -> tuple[tuple[str, ...], ...]:
    return ()


class ClusterFleet:
    def __init__(
        self,
        connections: Mapping[str, Connection],
        *,
        instance: str,
        manager: ManagerOf = owner_manager,
        judge: Judge | None = None,
        bare: BareOf = nothing_bare,
        resolve_secret: ResolveSecret | None = None,
        limits: transport.Limits | None = None,
        log: Callable[[transport.Sent], None] | None = None,
    ) -> None:
        self._eyes = facts.Eyes(manager, bare, judge)
        self._instance = instance
        self._resolve = resolve_secret
        self._clusters = {
            name: cluster.Cluster(
                transport.Transport(name, one.credentials, limits=limits, log=log, instance=instance), one.facts
            )
            for name, one in connections.items()
        }

    async def close(self) -> None:
        for one in self._clusters.values():
            await one.transport.close()

    def expect(self, cluster: str, requests: int) -> None:
        """So many requests at a time come soon; nothing is sent for it."""
        self._at(cluster).transport.expect(requests)

    async def facts(self, cluster: str, *, refresh: bool = False) -> ClusterFacts:
        return await self._at(cluster).facts(refresh=refresh)

    async def read(self, cluster: str, refs: Sequence[Ref]) -> Mapping[Ref, Live]:
        return await reading.read(self._at(cluster), refs)

    async def list(self, cluster: str, kind: Kind, namespace: str, selector: Selector) -> Sequence[Live]:
        return await reading.page(self._at(cluster), kind, namespace, selector)

    async def owned(
        self, cluster: str, kinds: Mapping[Kind, int], namespaces: Sequence[str], app: AppKey | None = None
    ) -> Mapping[Kind, Sequence[LiveFact] | Exception]:
        selector = Selector(labels=reading.ours(self._instance, app))
        return await reading.owned(self._at(cluster), kinds, namespaces, selector=selector, eyes=self._eyes)

    async def apply(self, cluster: str, ref: Ref, body: dict[str, Any], how: ApplyOptions) -> Applied:
        return await apply.apply(self._at(cluster), ref, body, how, resolve=self._resolve)

    async def delete(self, cluster: str, ref: Ref, how: DeleteOptions) -> str:
        return await removal.delete(self._at(cluster), ref, how)

    async def fact_of(self, cluster: str, live: Live) -> LiveFact:
        return facts.fact(cluster, live, self._eyes)

    async def events(self, cluster: str, ref: Ref, limit: int) -> Sequence[KubeEvent]:
        return await reading.events(self._at(cluster), ref, limit)

    def logs(self, cluster: str, pod: Ref, how: LogOptions) -> AsyncIterator[str]:
        return reading.logs(self._at(cluster), pod, how)

    def watch(
        self, cluster: str, kinds: Sequence[Kind], namespaces: Sequence[str], selector: Selector
    ) -> AsyncIterator[Observed]:
        return reflector.watch(self._at(cluster), kinds, namespaces, selector, self._eyes)

    def _at(self, name: str) -> cluster.Cluster:
        if name not in self._clusters:
            raise errors.Unreachable(
                f"reach cluster {name}: it is neither registered nor a context of the kubeconfig",
                code="cluster.unknown",
                hint=f"if it is gone for good: appctl cluster forget {name}",
                retryable=False,
            )
        return self._clusters[name]


if TYPE_CHECKING:

    def _is_a_fleet(one: ClusterFleet) -> Fleet:
        return one
