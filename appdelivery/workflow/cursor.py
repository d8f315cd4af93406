"""What the row of a started step remembers: its own cursor, the approval it waits for, the answer it got, and its try.

Also, as `base`, how many failures of other tries count.  All of it is kept in StepState.cursor, so that a step that is killed is started again with the same.  Called by decide,
results, and by whoever shows an approval or checks who may answer it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appdelivery.model.record import changed
from appdelivery.workflow.model import Approval

if TYPE_CHECKING:
    from appdelivery.model.run import StepState


def own(row: StepState) -> Any:
    """What the last Wait or Suspend of the step left; None at the first start and after a failure."""
    return (row.cursor or {}).get("own")


def answer(row: StepState) -> dict[str, Any] | None:
    """{signal, by, comment, at} of who resumed or approved; kept until the step suspends again or is reset."""
    found: dict[str, Any] | None = (row.cursor or {}).get("answer")
    return found


def approval(row: StepState) -> Approval | None:
    """Of a suspended step: who may answer."""
    found = (row.cursor or {}).get("approval")
    return None if found is None else Approval(**{**found, "approvers": tuple(found.get("approvers", ()))})


def trial(row: StepState) -> int:
    """The number of the attempt that began this try.  Waiting and being interrupted do not change it, a failure does:
    what a step creates can be named by it, and is found again."""
    return int((row.cursor or {}).get("try", row.attempt))


def keep(row: StepState, **parts: Any) -> StepState:
    """The row with parts replaced; None takes a part away."""
    found = {name: part for name, part in {**(row.cursor or {}), **parts}.items() if part is not None}
    return changed(row, cursor=found or None)


def tree(given: Approval) -> dict[str, Any]:
    return {
        "approvers": list(given.approvers),
        "distinct": given.distinct,
        "digest": given.digest,
        "on_timeout": given.on_timeout,
    }
