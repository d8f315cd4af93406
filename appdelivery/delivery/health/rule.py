"""A health rule that an application brings along (policy `health`) or its definition (`health:` section)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appdelivery.model.live import Health
from appdelivery.model.record import record

if TYPE_CHECKING:
    from collections.abc import Callable

    from appdelivery.model.refs import Ref


@record
class Rule:
    """applies says whether the rule is meant for an object.  evaluate gives failed, suspended, healthy and message
    for a live body; None when the rule only sets the wait class."""

    applies: Callable[[Ref], bool]
    evaluate: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    wait: str = ""  # required, optional, none; '' = as the kind says

    def verdict(self, body: dict[str, Any]) -> Health | None:
        """First true wins: failed, suspended, healthy; none true is progressing (language.md section 13)."""
        if self.evaluate is None:
            return None
        try:
            found = self.evaluate(body)
        except Exception as error:  # a user's expression may fail in any way; that is an answer, not a crash
            return Health("unknown", "RuleFailed", f"the health rule failed: {error}")
        message = str(found.get("message") or "")
        if found.get("failed"):
            return Health("degraded", "Failed", message, terminal=True)
        if found.get("suspended"):
            return Health("suspended", "Suspended", message)
        if found.get("healthy"):
            return Health("healthy", "Healthy", message)
        return Health("progressing", "NotYet", message)
