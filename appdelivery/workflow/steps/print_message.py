"""`print-message-in-status`: a message that people see beside the step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appdelivery.workflow.model import Done

if TYPE_CHECKING:
    from appdelivery.workflow.model import Result, StepContext


async def run(at: StepContext) -> Result:
    return Done({"message": at.properties["message"]}, at.properties["message"])
