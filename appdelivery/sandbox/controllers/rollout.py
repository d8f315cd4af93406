"""The arithmetic of a Deployment's rollout: how many replicas each ReplicaSet may have next.  Pure.

Two bounds hold at every moment: at most `replicas + surge` pods exist, at least `replicas - unavailable` are available.
"""

from __future__ import annotations

from dataclasses import dataclass

from appdelivery.sandbox.controllers import objects

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any


@dataclass(frozen=True, slots=True)
class Bounds:
    replicas: int
    surge: int
    unavailable: int

    @property
    def most(self) -> int:
        return self.replicas + self.surge

    @property
    def least(self) -> int:
        return self.replicas - self.unavailable


@dataclass(frozen=True, slots=True)
class Set:
    """A ReplicaSet in numbers.  size: what it is asked for; most: its max-replicas annotation, 0 = none; age: its rank by
    creation, the oldest 0."""

    name: str
    size: int
    available: int = 0
    most: int = 0
    age: int = 0


def bounds(spec: dict[str, Any]) -> Bounds:
    """Of a Deployment.  Both shares rounded to nothing would never move, so one may be unavailable then."""
    replicas: int = spec["replicas"]
    strategy = spec.get("strategy") or {}
    if strategy.get("type") != "RollingUpdate":
        return Bounds(replicas, 0, 0)
    rolling = strategy.get("rollingUpdate") or {}
    surge = objects.share(rolling.get("maxSurge", "25%"), replicas, up=True)
    unavailable = objects.share(rolling.get("maxUnavailable", "25%"), replicas, up=False)
    if surge == unavailable == 0:
        unavailable = 1
    return Bounds(replicas, surge, min(unavailable, replicas))


def new_size(within: Bounds, new: Set, others: Sequence[Set], *, rolling: bool = True) -> int:
    """What the new ReplicaSet may grow to now."""
    if not rolling or new.size > within.replicas:
        return within.replicas
    room = within.most - new.size - sum(one.size for one in others)
    if room <= 0:
        return new.size
    return new.size + min(room, within.replicas - new.size)


def old_sizes(within: Bounds, new: Set, old: Sequence[Set]) -> dict[str, int]:
    """What the old ReplicaSets shrink to now, oldest first: unhealthy pods go before any healthy one."""
    old = sorted((one for one in old if one.size), key=lambda one: one.age)
    sizes = {one.name: one.size for one in old}
    starting = new.size - new.available
    may_go = sum(sizes.values()) + new.size - within.least - starting
    if may_go <= 0:
        return {}
    unhealthy = may_go
    for one in old:
        gone = min(unhealthy, one.size - one.available)
        if gone > 0:
            sizes[one.name] -= gone
            unhealthy -= gone
    healthy = sum(one.available for one in old) + new.available - within.least
    for one in old:
        gone = min(healthy, sizes[one.name])
        if gone > 0:
            sizes[one.name] -= gone
            healthy -= gone
    return {one.name: sizes[one.name] for one in old if sizes[one.name] != one.size}


def proportional(within: Bounds, sets: Sequence[Set]) -> dict[str, int]:
    """New sizes of the active ReplicaSets after `replicas` changed in the midst of a rollout."""
    allowed = within.most if within.replicas else 0
    change = allowed - sum(one.size for one in sets)
    newer_first = change > 0
    ordered = sorted(sets, key=lambda one: (-one.size, -one.age if newer_first else one.age))
    sizes: dict[str, int] = {}
    spent = 0
    for one in ordered:
        part = _part(within, one, change, spent) if change else 0
        sizes[one.name] = one.size + part
        spent += part
    if ordered and change:
        first = ordered[0].name
        sizes[first] = max(sizes[first] + change - spent, 0)
    return sizes


def _part(within: Bounds, one: Set, change: int, spent: int) -> int:
    if not one.size:
        return 0
    if not within.replicas:
        fraction = -one.size
    else:
        before = one.most or within.replicas
        fraction = _rounded(one.size * within.most / before) - one.size
    left = change - spent
    return min(fraction, left) if change > 0 else max(fraction, left)


def _rounded(value: float) -> int:
    return int(value + 0.5)
