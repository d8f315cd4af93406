"""`clean-jobs`: deletes the Jobs of this workflow and pods beside them; others only with the right to override."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appdelivery import errors
from appdelivery.delivery.ports import DeleteOptions
from appdelivery.model.refs import Kind, Selector
from appdelivery.workflow.model import Done, Fail, Wait
from appdelivery.workflow.steps import world

if TYPE_CHECKING:
    from appdelivery.workflow.model import Result, StepContext

LABEL = "workflow.oam.dev/name"  # on every Job that a step makes
KINDS = (Kind("batch", "v1", "Job"), Kind("", "v1", "Pod"))


async def run(at: StepContext) -> Result:
    """Lists are bounded, so what is left is looked for again until nothing is."""
    given, around = at.properties, world.of(at)
    own = {LABEL: at.app.name if at.app else at.run.name}
    labels = given.get("labels") or own
    if labels != own and not around.may_override(f"delete Jobs and Pods with {_selector(labels)} in {given['namespace']}"):
        raise errors.Denied(
            f"delete Jobs and Pods with {_selector(labels)}: they are not those of this workflow",
            hint=f"leave labelselector out, which means {_selector(own)}, or ask for the right to override",
        )
    cluster, leaving = around.at(given["cluster"]), 0
    for kind in KINDS:
        for live in await around.fleet.list(cluster, kind, given["namespace"], Selector(_selector(labels))):
            if at.cancelled():
                return Fail("step.cancelled", "cancelled before everything was deleted", retryable=False)
            leaving += 1
            if "deletionTimestamp" not in live.body["metadata"]:
                await around.fleet.delete(cluster, live.ref, DeleteOptions(uid=live.uid))
    if leaving:
        return Wait(world.poll(0), None, f"waits for {leaving} objects to be gone")
    return Done({}, f"no Jobs and Pods with {_selector(labels)} are left")


def _selector(labels: dict[str, str]) -> str:
    return ",".join([f"{name}={value}" for name, value in sorted(labels.items())])
