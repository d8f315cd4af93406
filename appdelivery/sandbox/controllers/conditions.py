"""Conditions of status objects, set as the real controllers set them: the order of the list is part of what clients see."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    Condition = dict[str, Any]


def find(conditions: Iterable[Condition], type: str) -> Condition | None:
    return next((one for one in conditions if one["type"] == type), None)


def without(conditions: Iterable[Condition], type: str) -> list[Condition]:
    return [one for one in conditions if one["type"] != type]


def moved(conditions: list[Condition], new: Condition) -> list[Condition]:
    """Deployments, ReplicaSets: an equal status and reason changes nothing, else the condition goes to the end; the time
    of transition stays while the status does."""
    old = find(conditions, new["type"])
    if old is not None and (old["status"], old.get("reason")) == (new["status"], new.get("reason")):
        return conditions
    if old is not None and old["status"] == new["status"]:
        new = {**new, "lastTransitionTime": old["lastTransitionTime"]}
    return [*without(conditions, new["type"]), new]


def kept(conditions: list[Condition], new: Condition) -> list[Condition]:
    """meta.SetStatusCondition: the condition stays in its place; its time moves only with its status."""
    for number, old in enumerate(conditions):
        if old["type"] == new["type"]:
            if old["status"] == new["status"]:
                new = {**new, "lastTransitionTime": old["lastTransitionTime"]}
            return conditions if old == new else [*conditions[:number], new, *conditions[number + 1 :]]
    return [*conditions, new]
