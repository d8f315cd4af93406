"""`Facts`: a live object with the readings every rule needs: conditions, counts, generation, ages."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from appdelivery.model.live import Health

NEVER = float("inf")


class Facts:
    """Read-only view of one body at one moment; missing parts read as empty."""

    __slots__ = ("body", "conditions", "metadata", "now", "spec", "status")

    def __init__(self, body: dict[str, Any], now: datetime) -> None:
        self.body = body
        self.now = now
        self.metadata = _map(body.get("metadata"))
        self.spec = _map(body.get("spec"))
        self.status = _map(body.get("status"))
        self.conditions = by_type(self.status.get("conditions"))

    @property
    def deleting(self) -> bool:
        return bool(self.metadata.get("deletionTimestamp"))

    @property
    def generation(self) -> int:
        return int(self.metadata.get("generation") or 0)

    @property
    def observed(self) -> bool:
        """The controller has seen this generation; true where no controller says so.

        Some write the generation with each condition and into status only after success, so the newest of all counts.
        """
        seen = _number(self.status.get("observedGeneration"))
        if seen is None or seen >= self.generation:
            return True
        marks = [_number(one.get("observedGeneration")) for one in self.conditions.values()]
        return any(mark is not None and mark >= max(self.generation, 1) for mark in marks)

    def stale(self, condition: dict[str, Any]) -> bool:
        """The condition speaks of an older generation."""
        seen = _number(condition.get("observedGeneration"))
        return seen is not None and seen < self.generation

    def is_true(self, type_: str) -> bool:
        return self._is(type_, "True")

    def is_false(self, type_: str) -> bool:
        return self._is(type_, "False")

    def _is(self, type_: str, wanted: str) -> bool:
        condition = self.conditions.get(type_)
        return condition is not None and str(condition.get("status")) == wanted

    def condition(self, type_: str) -> dict[str, Any]:
        return self.conditions.get(type_) or {}

    def count(self, field: str) -> int:
        return int(self.status.get(field) or 0)

    def age(self, time: Any) -> float:
        """Seconds since a Kubernetes time; for ever when there is none."""
        if not isinstance(time, str):
            return NEVER
        try:
            return (self.now - datetime.fromisoformat(time)).total_seconds()
        except (ValueError, TypeError):
            return NEVER

    def since(self, type_: str) -> float:
        return self.age(self.condition(type_).get("lastTransitionTime"))


def _number(value: Any) -> int | None:
    """Argo Rollouts writes the generation as text; what is no number is no statement."""
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _map(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def by_type(listed: Any) -> dict[str, dict[str, Any]]:
    """Conditions by their type; what is no condition is passed over."""
    if not isinstance(listed, list):
        return {}
    return {str(c["type"]): c for c in listed if isinstance(c, dict) and "type" in c}


NOT_OBSERVED = Health("progressing", "NotObserved", "the controller has not seen this generation yet")


def said(condition: dict[str, Any], fallback: str = "") -> str:
    """A condition in words: its message, else its reason."""
    return str(condition.get("message") or condition.get("reason") or fallback)


def reason(condition: dict[str, Any], fallback: str) -> str:
    return str(condition.get("reason") or fallback)
