"""The arithmetic of a HorizontalPodAutoscaler: replicas out of figures, then stabilised and limited in speed.  Pure.

`History` is what an autoscaler remembers between two looks; times are controller seconds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

TOLERANCE = 0.1
WITHIN = ("DesiredWithinRange", "the desired count is within the acceptable range")
TOO_MANY = ("TooManyReplicas", "the desired replica count is more than the maximum replica count")
TOO_FEW = ("TooFewReplicas", "the desired replica count is less than the minimum replica count")
TOO_FAST_UP = ("ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate")
TOO_FAST_DOWN = ("ScaleDownLimit", "the desired replica count is decreasing faster than the maximum scale rate")
READY = ("ReadyForNewScale", "recommended size matches current size")
STABLE_UP = (
    "ScaleUpStabilized",
    "recent recommendations were lower than current one, applying the lowest recent recommendation",
)
STABLE_DOWN = (
    "ScaleDownStabilized",
    "recent recommendations were higher than current one, applying the highest recent recommendation",
)
# What a spec without `behavior` means.
UP: dict[str, Any] = {
    "stabilizationWindowSeconds": 0,
    "selectPolicy": "Max",
    "policies": [
        {"type": "Pods", "value": 4, "periodSeconds": 15},
        {"type": "Percent", "value": 100, "periodSeconds": 15},
    ],
}
DOWN: dict[str, Any] = {
    "stabilizationWindowSeconds": 300,
    "selectPolicy": "Max",
    "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
}


@dataclass(frozen=True, slots=True)
class Sample:
    """One pod.  value: None = no figure for it; weight: what it asked for, where utilisation is measured, else the target."""

    value: float | None
    weight: float
    ready: bool = True


@dataclass(slots=True)
class History:
    recommended: list[tuple[float, int]] = field(default_factory=list)
    added: list[tuple[float, int]] = field(default_factory=list)
    removed: list[tuple[float, int]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Decision:
    """able, limited: reason and message of the conditions AbleToScale and ScalingLimited."""

    replicas: int
    able: tuple[str, str]
    limited: tuple[str, str]


def from_pods(current: int, samples: Sequence[Sample], target: float, *, missing_weight: float = 1.0) -> tuple[int, float]:
    """(replicas, value now).  Figures are summed over weights; target is the wished-for ratio of the two.

    Pods without a figure count as idle when it would grow and as `missing_weight` when it would shrink; pods that are
    not ready count as idle when it would grow.  Neither may turn the direction.
    """
    ready = [one for one in samples if one.ready]
    known = [one for one in ready if one.value is not None]
    now = sum(one.value or 0.0 for one in known) / sum(one.weight for one in known)
    ratio = now / target
    unready = [one for one in samples if not one.ready]
    missing = [one for one in ready if one.value is None]
    counts_unready = bool(unready) and ratio > 1
    if not counts_unready and not missing:
        return (current if _is_near(ratio) else _up(ratio * len(known))), now
    total = sum(one.value or 0.0 for one in known)
    counted = list(known)
    if ratio < 1:
        total += sum(one.weight * missing_weight for one in missing)
        counted += missing
    elif ratio > 1:
        counted += missing + (unready if counts_unready else [])
    again = total / sum(one.weight for one in counted) / target
    if _is_near(again) or (again > 1) != (ratio > 1):
        return current, now
    wanted = _up(again * len(counted))
    turned = (again < 1 and wanted > current) or (again > 1 and wanted < current)
    return (current if turned else wanted), now


def from_total(current: int, value: float, target: float) -> int:
    """A value for all replicas together, with a target for each."""
    ratio = value / (target * current) if current else math.inf
    return current if _is_near(ratio) else _up(value / target)


def from_value(current: int, value: float, target: float, ready: int) -> int:
    """A value that says nothing of pods: queue length against the wished-for one."""
    ratio = value / target
    return current if _is_near(ratio) else _up(ratio * ready)


def _is_near(ratio: float) -> bool:
    return abs(1 - ratio) <= TOLERANCE


def _up(value: float) -> int:
    return math.ceil(round(value, 9))  # 3.0000000000000004 is 3


def decide(history: History, now: float, *, current: int, wanted: int, spec: Mapping[str, Any]) -> Decision:
    """From what the figures ask for to what is done; remembers the recommendation."""
    behavior = spec.get("behavior") or {}
    up, down = {**UP, **(behavior.get("scaleUp") or {})}, {**DOWN, **(behavior.get("scaleDown") or {})}
    least, most = spec.get("minReplicas", 1), spec["maxReplicas"]
    stable = _stabilised(history, now, current=current, wanted=wanted, up=up, down=down)
    able = READY
    if stable != wanted:
        able = STABLE_UP if wanted >= current else STABLE_DOWN
    replicas, limited = stable, WITHIN
    if stable > current:
        fastest = max(_limit(history, now, current, up, sign=1), current)
        bound, reason = (fastest, TOO_FAST_UP) if most > fastest else (most, TOO_MANY)
        if stable > bound:
            replicas, limited = bound, reason
    elif stable < current:
        slowest = min(_limit(history, now, current, down, sign=-1), current)
        bound, reason = (slowest, TOO_FAST_DOWN) if least < slowest else (least, TOO_FEW)
        if stable < bound:
            replicas, limited = bound, reason
    return Decision(replicas, able, limited)


def note(history: History, now: float, change: int) -> None:
    """A rescale that took place."""
    (history.added if change > 0 else history.removed).append((now, abs(change)))


def _stabilised(
    history: History, now: float, *, current: int, wanted: int, up: Mapping[str, Any], down: Mapping[str, Any]
) -> int:
    up_since, down_since = now - up["stabilizationWindowSeconds"], now - down["stabilizationWindowSeconds"]
    lowest = min([wanted, *(value for when, value in history.recommended if when > up_since)])
    highest = max([wanted, *(value for when, value in history.recommended if when > down_since)])
    history.recommended[:] = [one for one in history.recommended if one[0] > min(up_since, down_since)]
    history.recommended.append((now, wanted))
    return min(max(current, lowest), highest)


def _limit(history: History, now: float, current: int, rules: Mapping[str, Any], *, sign: int) -> int:
    """The size that the policies allow now."""
    if rules.get("selectPolicy") == "Disabled":
        return current
    sizes: list[int] = []
    for policy in rules["policies"]:
        period = policy["periodSeconds"]
        before = current - _changed(history.added, now, period) + _changed(history.removed, now, period)
        if policy["type"] == "Pods":
            sizes.append(before + sign * policy["value"])
        elif sign > 0:
            sizes.append(_up(before * (1 + policy["value"] / 100)))
        else:
            sizes.append(int(before * (1 - policy["value"] / 100)))
    for kept in (history.added, history.removed):
        kept[:] = [one for one in kept if one[0] > now - 1800]
    widest = rules.get("selectPolicy", "Max") != "Min"
    return max(sizes) if widest == (sign > 0) else min(sizes)


def _changed(events: Sequence[tuple[float, int]], now: float, period: float) -> int:
    return sum(count for when, count in events if when > now - period)
