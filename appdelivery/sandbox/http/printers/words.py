"""The small pieces that cells are made of: ages, selectors, lists with "+ 2 more..."."""

from __future__ import annotations

from datetime import datetime

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

NONE, UNKNOWN, UNSET = "<none>", "<unknown>", "<unset>"
MINUTE, HOUR, DAY = 60, 3600, 86_400
MODES = (("ReadWriteOnce", "RWO"), ("ReadOnlyMany", "ROX"), ("ReadWriteMany", "RWX"), ("ReadWriteOncePod", "RWOP"))
SHOWN = 3  # elements of a list before "more"


def at(body: Any, *path: str) -> Any:
    """What stands at a path; None when something of it is missing."""
    for step in path:
        body = body.get(step) if isinstance(body, dict) else None
    return body


def moment(stamp: str) -> datetime:
    return datetime.fromisoformat(stamp)


def since(now: datetime, stamp: str | None) -> str:
    return duration((now - moment(stamp)).total_seconds()) if stamp else UNKNOWN


def duration(seconds: float) -> str:
    """A length of time for people: the larger it is the coarser."""
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    if whole < 2 * MINUTE:
        return f"{max(whole, 0)}s"
    if whole < 10 * MINUTE:
        return _two(whole // MINUTE, "m", whole % MINUTE, "s")
    if whole < 3 * HOUR:
        return f"{whole // MINUTE}m"
    if whole < 8 * HOUR:
        return _two(whole // HOUR, "h", whole % HOUR // MINUTE, "m")
    if whole < 2 * DAY:
        return f"{whole // HOUR}h"
    if whole < 8 * DAY:
        return _two(whole // DAY, "d", whole % DAY // HOUR, "h")
    days = whole // DAY
    if days < 2 * 365:
        return f"{days}d"
    if days < 8 * 365:
        return _two(days // 365, "y", days % 365, "d")
    return f"{days // 365}y"


def _two(large: int, unit: str, small: int, below: str) -> str:
    return f"{large}{unit}{small}{below}" if small else f"{large}{unit}"


def labels(found: Mapping[str, str] | None) -> str:
    return ",".join([f"{key}={value}" for key, value in sorted((found or {}).items())]) or NONE


def selector(found: Mapping[str, Any] | None, *, empty: str = NONE) -> str:
    """A LabelSelector as one would type it."""
    terms = [(key, f"{key}={value}") for key, value in ((found or {}).get("matchLabels") or {}).items()]
    for entry in (found or {}).get("matchExpressions") or ():
        key, values = entry["key"], ",".join(sorted(entry.get("values") or ()))
        said = {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})", "Exists": key, "DoesNotExist": f"!{key}"}
        terms.append((key, said.get(entry["operator"], key)))
    return ",".join([said for _, said in sorted(terms)]) or empty


def containers(pod: Mapping[str, Any] | None) -> tuple[str, str]:
    """Names and images of a pod spec."""
    found = (pod or {}).get("containers") or ()
    return ",".join([one["name"] for one in found]), ",".join([one.get("image", "") for one in found])


def more(found: Sequence[str], *, empty: str = UNSET) -> str:
    if not found:
        return empty
    said = ",".join(found[:SHOWN])
    return f"{said} + {len(found) - SHOWN} more..." if len(found) > SHOWN else said


def modes(found: Sequence[str] | None) -> str:
    return ",".join([short for mode, short in MODES if mode in (found or ())])


def ready(condition: str, conditions: Sequence[Mapping[str, Any]] | None) -> bool:
    return any(one.get("type") == condition and one.get("status") == "True" for one in conditions or ())
