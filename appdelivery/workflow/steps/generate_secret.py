"""`generate-secret`: random values, made once for the application and kept encrypted; outputs refer to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appdelivery import errors
from appdelivery.model.secret import SecretRef
from appdelivery.workflow.model import Done, Fail
from appdelivery.workflow.steps import world

if TYPE_CHECKING:
    from appdelivery.workflow.model import Result, StepContext

STORE = "application"


async def run(at: StepContext) -> Result:
    """A value that exists already stays as it is, whatever length is asked for now."""
    given = at.properties
    if at.app is None:
        raise errors.RequestError("generate-secret: only the workflow of an application has a place to keep secrets")
    references = {}
    for key in given["keys"]:
        if at.cancelled():
            return Fail("step.cancelled", "cancelled before all values were made", retryable=False)
        name = f"{given['name']}/{key}"
        reference = SecretRef(STORE, str(at.app), name, length=given["length"], alphabet=given.get("alphabet") or "")
        await world.of(at).resolve_secret(reference)
        references[key] = {"$secretRef": {"store": STORE, "key": name}}
    return Done({"secret": references}, f"{len(references)} values of {given['name']} are there")
