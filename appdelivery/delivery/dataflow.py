"""Values that are known only from live objects: read when their component is healthy, and rendered in (language.md 12.1).

Called by release for components that wait for others, and by platform before a plan, so that a plan shows what is known.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from appdelivery import errors

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from appdelivery.delivery.desired import Desired
    from appdelivery.delivery.ports import Fleet, Identity
    from appdelivery.delivery.work import Run, Values
    from appdelivery.model.manifest import Reference
    from appdelivery.model.refs import Ref


@dataclass(slots=True)
class Flow:
    """Resolves each waiting component of a part once."""

    run: Run
    _found: dict[tuple[int, str], dict[Identity, Desired]] = field(default_factory=dict)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def resolved(self, item: Desired) -> Desired | str:
        """The object with live values in place of placeholders, or why that cannot be."""
        if self.run.work.anew is None:
            return f"{item.origin} waits for live values, and this run was given no way to render it again"
        key = item.part, item.subject.component
        async with self._turn:
            if key not in self._found:
                try:
                    self._found[key] = await self._render(*key, item.subject.cluster)
                except errors.SpecError as error:
                    return "; ".join([problem.message for problem in error.problems]) or error.message
                except errors.ClusterError as error:
                    return error.message
        found = self._found[key].get(item.identity)
        if found is None:
            return f"{item.origin}: a live value may not decide the name of an object ({item.subject.ref})"
        return found

    async def _render(self, part: int, component: str, cluster: str) -> dict[Identity, Desired]:
        work = self.run.work
        assert work.anew is not None
        references = work.waits_for.get((part, component), ())
        live = await values(self.run.fleet, cluster, references, near(work.desired, part, cluster))
        placed = {one.identity: one for one in work.anew(part, live) if one.subject.component == component}
        if any(one.waits for one in placed.values()):
            missing = ", ".join([reference.text for reference in references])
            raise errors.ClusterError(f"component {component} waits for values that are still unknown: {missing}")
        return placed


def near(desired: Sequence[Desired], part: int, cluster: str) -> list[Desired]:
    """Where values come from: the same part first, else the same cluster (language.md 12.1)."""
    here = [item for item in desired if item.subject.cluster == cluster]
    own = {item.subject.component for item in here if item.part == part}
    return [item for item in here if item.part == part or item.subject.component not in own]


async def values(fleet: Fleet, cluster: str, references: Iterable[Reference], desired: Sequence[Desired]) -> Values:
    """component to {output, outputs}, of the objects that the references name and that exist."""
    wanted: dict[Ref, Desired] = {}
    for reference in references:
        for item in desired:
            ref = item.subject.ref
            same = (ref.group, ref.kind, ref.name) == (reference.ref.group, reference.ref.kind, reference.ref.name)
            if same and item.subject.cluster == cluster and item.subject.component == reference.target:
                wanted[ref] = item
    live: Values = {}
    if not wanted:
        return live
    for ref, found in (await fleet.read(cluster, list(wanted))).items():
        item = wanted[ref]
        of: dict[str, Any] = live.setdefault(item.subject.component, {"outputs": {}})
        if item.workload:
            of["output"] = found.body
        if item.origin.output:
            of["outputs"][item.origin.output] = found.body
    return live
