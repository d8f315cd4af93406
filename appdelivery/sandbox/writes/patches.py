"""The three patch forms that are computed on the live object: JSON patch, merge patch, strategic merge patch."""

from __future__ import annotations

import copy
import json

from appdelivery.sandbox import status
from appdelivery.sandbox.writes import merging

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from appdelivery.sandbox.kinds import Kind
    from appdelivery.sandbox.storage import Body
    from appdelivery.sandbox.writes.fieldsets import Paths
    from appdelivery.sandbox.writes.types import Type

JSON, MERGE, STRATEGIC = "json", "merge", "strategic"


def patched(kind: Kind, type: Type, live: Body, form: str, change: Any) -> Body:
    if form == JSON:
        import jsonpatch

        try:
            found: Body = jsonpatch.apply_patch(copy.deepcopy(live), change)
        except jsonpatch.JsonPatchException as problem:
            raise status.Refusal(
                422, "Invalid", f"the server rejected our request due to an error in our request: {problem}"
            ) from None
        return found
    return merged(live, change)  # type: ignore[no-any-return]


def merged(old: Any, change: Any) -> Any:
    """RFC 7396."""
    if not isinstance(change, dict):
        return change
    result = dict(old) if isinstance(old, dict) else {}
    for key, value in change.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def last_applied(type: Type, old: Body) -> Paths:
    from appdelivery.sandbox.writes.writing import LAST_APPLIED

    text = (old["metadata"].get("annotations") or {}).get(LAST_APPLIED)
    if not text:
        return frozenset()
    try:
        return merging.fields(type, json.loads(text))
    except ValueError:
        return frozenset()
