"""`rollback`: opens a release that goes back to an older revision.  It supersedes the run that asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appdelivery import errors
from appdelivery.workflow.model import Done
from appdelivery.workflow.steps import world

if TYPE_CHECKING:
    from appdelivery.workflow.model import Result, StepContext


async def run(at: StepContext) -> Result:
    if at.app is None:
        raise errors.RequestError("rollback: a workflow without an application has nothing to go back to")
    to = str(at.properties["to"])
    release = await world.of(at).rollback(to, world.key(at, "rollback"))
    return Done({"release": release}, f"release {release} goes back to revision {to}")
