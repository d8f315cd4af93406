"""Reads and judges every object of an application with a bounded number of requests: one list per kind, few single reads.

A kind that may not be read and a cluster that does not answer become verdicts `unknown` with a note, never exceptions.
Called by why.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from appdelivery import errors
from appdelivery.model import marks
from appdelivery.model.live import Health
from appdelivery.model.record import record
from appdelivery.model.refs import Kind, Selector

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from appdelivery.delivery.ports import Fleet
    from appdelivery.model.history import Managed
    from appdelivery.model.live import Live
    from appdelivery.model.refs import Ref

FEW = 2  # so many objects of a kind are read one by one
MOST_READS = 6  # per cluster, of objects that the list of their kind did not show
PAGE = 500  # what Fleet.list is bounded to
UNREADABLE = "Unreadable"  # reason of a verdict on what could not be read
MISSING = Health("missing", "Missing", "it is not in the cluster")
OF_CLUSTER = (errors.Unreachable, errors.Unauthorized, errors.TimedOut, errors.Throttled)


@record
class Judged:
    """An object of the inventory; live is None when it is absent or could not be read."""

    row: Managed
    health: Health
    live: Live | None = None

    @property
    def body(self) -> dict[str, Any]:
        return self.live.body if self.live is not None else {}


@dataclass(slots=True)
class _Sight:
    """What is being seen of one cluster."""

    fleet: Fleet
    cluster: str
    reads: int = MOST_READS
    live: dict[tuple[str, str, str, str], Live] = field(default_factory=dict)
    refused: dict[tuple[str, str], str] = field(default_factory=dict)  # (group, kind) to the reason
    unsure: set[tuple[str, str, str, str]] = field(default_factory=set)  # neither seen nor known to be absent


async def survey(fleet: Fleet, rows: Sequence[Managed], judge: Callable[[Live], Health], unread: list[str]) -> list[Judged]:
    """Every row with its verdict; what could not be read is added to `unread`."""
    clusters = sorted({row.cluster for row in rows})
    each = [[row for row in rows if row.cluster == cluster] for cluster in clusters]
    found = await asyncio.gather(
        *[_cluster(fleet, cluster, here, judge, unread) for cluster, here in zip(clusters, each, strict=True)]
    )
    return [one for judged in found for one in judged]


async def _cluster(
    fleet: Fleet, cluster: str, rows: Sequence[Managed], judge: Callable[[Live], Health], unread: list[str]
) -> list[Judged]:
    sight = _Sight(fleet, cluster)
    by_kind: dict[tuple[str, str], list[Managed]] = {}
    for row in rows:
        by_kind.setdefault((row.ref.group, row.ref.kind), []).append(row)
    done = await asyncio.gather(*[_kind(sight, here) for here in by_kind.values()], return_exceptions=True)
    for outcome in done:
        if isinstance(outcome, OF_CLUSTER):
            unread.append(outcome.message)
            blank = Health("unknown", UNREADABLE, outcome.message)
            return [Judged(row, blank) for row in rows]
        if isinstance(outcome, BaseException):
            raise outcome
    unread += sight.refused.values()
    return [_judged(sight, row, judge) for row in rows]


async def _kind(sight: _Sight, rows: Sequence[Managed]) -> None:
    try:
        if len(rows) <= FEW:
            await _read(sight, [row.ref for row in rows])
            return
        full = await _list(sight, rows)
        unseen = [row.ref for row in rows if row.ref.identity not in sight.live]
        # Labels can be taken off by hand: what the list did not show may still be there.
        asked, rest = unseen[: sight.reads], unseen[sight.reads :]
        sight.reads -= len(asked)
        await _read(sight, asked)
        sight.unsure |= {ref.identity for ref in rest} if full else set()
    except OF_CLUSTER:
        raise
    except errors.ClusterError as error:
        sight.refused[rows[0].ref.group, rows[0].ref.kind] = error.message


async def _read(sight: _Sight, refs: Sequence[Ref]) -> None:
    found: Mapping[Ref, Live] = await sight.fleet.read(sight.cluster, refs) if refs else {}
    sight.live |= {ref.identity: live for ref, live in found.items()}


async def _list(sight: _Sight, rows: Sequence[Managed]) -> bool:
    """Whether a list was cut, so that absence from it says nothing."""
    ref, app = rows[0].ref, rows[0].app
    kind = Kind(ref.group, ref.version, ref.kind)
    selector = Selector(f"{marks.NAME}={app.name},{marks.NAMESPACE}={app.namespace}")
    spaces = sorted({row.ref.namespace for row in rows})
    try:
        lists = [await sight.fleet.list(sight.cluster, kind, spaces[0] if len(spaces) == 1 else "", selector)]
    except errors.Forbidden:
        if len(spaces) == 1:
            raise
        lists = await asyncio.gather(*[sight.fleet.list(sight.cluster, kind, space, selector) for space in spaces])
    sight.live |= {live.ref.identity: live for found in lists for live in found}
    return any(len(found) >= PAGE for found in lists)


def _judged(sight: _Sight, row: Managed, judge: Callable[[Live], Health]) -> Judged:
    refused = sight.refused.get((row.ref.group, row.ref.kind))
    if refused is not None:
        return Judged(row, Health("unknown", UNREADABLE, refused))
    if row.ref.identity in sight.unsure:
        return Judged(row, Health("unknown", UNREADABLE, "too many objects of this kind to look at each"))
    live = sight.live.get(row.ref.identity)
    return Judged(row, MISSING) if live is None else Judged(row, judge(live), live)
