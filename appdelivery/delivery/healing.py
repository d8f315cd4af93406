"""What is done about drift: the rules of policies drift and apply-once, and the guards of delivery.md section 11.  Pure.

`heal` turns what `drift.observe` found into the changes of a release with cause `drift`, and says of everything else why it
stays.  The release delivers `desired` alone, with `changes` as its exact plan, and prunes nothing.  Called by whoever
watches an application; pauses and closed windows are the caller's to know.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from appdelivery.model.change import Change, Why
from appdelivery.model.record import changed, record

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from appdelivery.delivery.desired import Desired
    from appdelivery.delivery.drift import Drift
    from appdelivery.delivery.look import Known
    from appdelivery.delivery.ports import Identity

TIMES, WITHIN = 3, timedelta(minutes=10)  # so often healed in so long a time = somebody else wants it otherwise


@record
class Past:
    """What was healed before, and whether the application may heal at all."""

    healed: Mapping[Identity, tuple[datetime, ...]] = {}
    ordered: Collection[Identity] = frozenset()  # healed once because entries stood in another order
    adopted: bool = False  # taken over, and not released by us since


@record
class Left:
    """Drift that stays.  contested: another manager and we undo each other's work."""

    drift: Drift
    why: str
    contested: bool = False


@record
class Healing:
    changes: tuple[Change, ...] = ()
    desired: tuple[Desired, ...] = ()  # the objects as they are to be sent: fields that are not healed stay as they are
    left: tuple[Left, ...] = ()


def heal(found: Iterable[Drift], desired: Sequence[Desired], known: Known, *, past: Past, now: datetime) -> Healing:
    items = {item.identity: item for item in desired}
    changes: list[Change] = []
    wanted: list[Desired] = []
    left: list[Left] = []
    for drift in found:
        item = items.get(drift.identity)
        stays = _stays(drift, item, past, now)
        if stays is not None or item is None:
            left.append(stays or Left(drift, "the application no longer wants it"))
            continue
        # What was not healed stays as it is; what apply-once holds back at a release is ours to restore here.
        wanted.append(changed(item, once=drift.leave))
        changes.append(_change(drift, item, known))
    return Healing(tuple(changes), tuple(wanted), tuple(left))


def _stays(drift: Drift, item: Desired | None, past: Past, now: datetime) -> Left | None:
    if drift.kind == "unknown":
        return Left(drift, drift.text)
    if drift.kind == "schema":
        return Left(drift, f"{drift.text}; a repair cannot bring it back")
    if item is None or drift.mode != "heal":
        return Left(drift, f"drift is {'observed' if drift.mode == 'observe' else drift.mode}")
    if past.adopted:
        return Left(drift, "the application was taken over; it heals after its first release")
    if drift.kind == "order" and drift.identity in past.ordered:
        return Left(drift, f"{_who(drift)} puts the entries into another order again", contested=True)
    if len([at for at in past.healed.get(drift.identity, ()) if now - at < WITHIN]) >= TIMES:
        text = f"{_who(drift)} changed it again, {TIMES} times within {WITHIN.seconds // 60} minutes"
        return Left(drift, text, contested=True)
    if item.subject.ref.kind == "Job" and any(path.startswith(".spec.template") for path in drift.paths):
        return Left(drift, "a repair does not replace a Job; a release does")
    return None


def _who(drift: Drift) -> str:
    return drift.managers[-1] if drift.managers else "somebody"


def _change(drift: Drift, item: Desired, known: Known) -> Change:
    fact = known.facts.get(drift.identity)
    before = fact.own_digest if fact is not None else ""
    if drift.kind == "missing":
        return Change(item.subject, "create", Why("missing", drift.text, {}), before, item.digest)
    code = "ownership-repaired" if drift.kind == "ownership" else "drifted"
    detail: dict[str, Any] = {"paths": list(drift.paths)} | ({"left": list(drift.leave)} if drift.leave else {})
    return Change(item.subject, "update", Why(code, drift.text, detail), before, item.digest)
