"""A release in one go: everything at once, then the end.  For releases without steps, and the fastest way back.

Safe to run again after a stop at any point.  A newer release ends an older run as superseded.  Deleting an application is
the same with an empty desired set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from appdelivery.delivery import session as sessions
from appdelivery.delivery.work import Ended, Hooks, Seen, Started, Work

if TYPE_CHECKING:
    from appdelivery.delivery.ports import Fleet, Journal
    from appdelivery.model.history import Lease

__all__ = ["Ended", "Hooks", "Seen", "Started", "Work", "carry_out"]


async def carry_out(fleet: Fleet, journal: Journal, work: Work, lease: Lease, hooks: Hooks) -> Ended:
    """Everything from the recorded release to its recorded end.  LostLease leaves it: another worker goes on."""
    session = await sessions.open_(fleet, journal, work, lease, hooks)
    if isinstance(session, Ended):
        return session
    try:
        await sessions.deliver(session)
        return await sessions.finish(session)
    finally:
        await sessions.close(session)
