"""What the values of a `health` section mean.  Used by render's judging and by the cases of definitions."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def of(found: Mapping[str, Any]) -> tuple[str, str]:
    """State and message; the first that is true wins in the order failed, suspended, healthy."""
    message = str(found.get("message") or "")
    if found.get("failed"):
        return "degraded", message
    if found.get("suspended"):
        return "suspended", message
    return ("healthy" if found.get("healthy") else "progressing"), message
