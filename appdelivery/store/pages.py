"""Pages of lists: a bounded number of values and the place to go on.  Called by every read that lists."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from appdelivery import errors
from appdelivery.model import canonical

T = TypeVar("T")
MOST = 500


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """next '' = nothing follows."""

    items: tuple[T, ...]
    next: str = ""


def bounded(limit: int) -> int:
    if limit < 1:
        raise errors.UsageError(f"list: a page of {limit} is not possible", hint=f"ask for 1 to {MOST}")
    return min(limit, MOST)


def cursor(what: str, *position: Any) -> str:
    """Opaque text; `what` binds it to one list with its filters."""
    return base64.urlsafe_b64encode(canonical.text([what, *position]).encode()).decode().rstrip("=")


def position(what: str, text: str, *kinds: type) -> list[Any]:
    try:
        found = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, ValueError):
        found = None
    if not isinstance(found, list) or found[:1] != [what] or [type(part) for part in found[1:]] != [*kinds]:
        raise errors.UsageError("list: this cursor belongs to another list", hint="start again without a cursor")
    return found[1:]
