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
        self.metadata: dict[str, Any] = body.get("metadata") or {}
        self.spec: dict[str, Any] = body.get("spec") or {}
        status = body.get("status")
        self.status: dict[str, Any] = status if isinstance(status, dict) else {}
        listed = self.status.get("conditions")
        self.conditions: dict[str, dict[str, Any]] = {
            str(c["type"]): c for c in (listed if isinstance(listed, list) else ()) if isinstance(c, dict) and "type" in c
        }

    @property
    def deleting(self) -> bool:
        return bool(self.metadata.get("deletionTimestamp"))

    @property
    def observed(self) -> bool:
        """The controller has seen this generation; true where no controller says so."""
        seen = self.status.get("observedGeneration")
        return seen is None or int(seen) >= int(self.metadata.get("generation") or 0)

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


NOT_OBSERVED = Health("progressing", "NotObserved", "the controller has not seen this generation yet")


def said(condition: dict[str, Any], fallback: str = "") -> str:
    """A condition in words: its message, else its reason."""
    return str(condition.get("message") or condition.get("reason") or fallback)


def reason(condition: dict[str, Any], fallback: str) -> str:
    return str(condition.get("reason") or fallback)
