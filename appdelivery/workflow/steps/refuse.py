"""`refuse`: steps that are known and not carried out.  Admission says the same before anything runs; a run that was
stored before the step was withdrawn ends up here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from appdelivery.workflow.model import Fail

if TYPE_CHECKING:
    from appdelivery.workflow.model import Result, StepContext


async def run(at: StepContext) -> Result:
    return Fail("step.not-supported", at.properties["message"], retryable=False)
