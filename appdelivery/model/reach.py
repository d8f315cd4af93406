"""What probes make of a cluster: ready, unreachable or unauthorized, and when to probe it again.

Pure arithmetic over what is kept of earlier probes.  Called by store where a probe is recorded, by whoever probes in turn
for the pause, and by every listing for the one word that is shown.  What people say of a cluster (cordoned, draining) is
kept apart, so that a cluster that recovers does not lose its cordon.
"""

from __future__ import annotations

from datetime import timedelta

from appdelivery.model.record import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime

UNKNOWN, READY, UNREACHABLE, UNAUTHORIZED = "unknown", "ready", "unreachable", "unauthorized"
# Better words first: of what people say and what probes see, the worse is shown.
BEST_FIRST = (READY, UNKNOWN, "open", "cordoned", "draining", UNAUTHORIZED, UNREACHABLE, "forgotten")

FAILURES = 3  # so many failed probes ...
WITHIN = timedelta(seconds=90)  # ... in so long a time make a cluster unreachable
EVERY = 30.0  # seconds between two probes of a cluster that answers
LONGEST = 300.0  # seconds between two probes of one that does not


@record
class Reach:
    state: str = UNKNOWN
    reason: str = ""  # one sentence about the newest probe that was not well; '' = it was
    since: datetime | None = None  # when the state began
    failures: int = 0  # probes without an answer since the last one with
    failed_at: tuple[datetime, ...] = ()  # the newest of them, as far as they count


def after(before: Reach, seen: str, now: datetime, *, reason: str = "") -> Reach:
    """The reach after one more probe.  seen: ready, unauthorized, or unreachable (one probe got no answer)."""
    if seen != UNREACHABLE:
        return Reach(seen, reason, _since(before, seen, now))
    recent = tuple([at for at in before.failed_at if now - at <= WITHIN])[1 - FAILURES :]
    failed = (*recent, now)
    state = UNREACHABLE if len(failed) >= FAILURES else before.state
    return Reach(state, reason, _since(before, state, now), before.failures + 1, failed)


def pause(now: Reach) -> float:
    """Seconds until the next probe: a cluster that stays away is asked less and less often."""
    if now.state == UNAUTHORIZED:
        return 2 * EVERY  # a 401 is an answer, and somebody may mend the credentials at any moment
    if now.state != UNREACHABLE:
        return EVERY
    doublings = min(max(now.failures - FAILURES, 0), 10)
    return min(EVERY * 2.0**doublings, LONGEST)


def shown(admin: str, reach: str) -> str:
    """The worse of what people said and what probes saw."""
    worse = max(admin, reach, key=BEST_FIRST.index)
    return reach if worse == "open" else worse


def _since(before: Reach, state: str, now: datetime) -> datetime | None:
    return before.since if state == before.state and before.since is not None else now
