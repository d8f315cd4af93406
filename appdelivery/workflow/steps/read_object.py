"""`read-object`: one object of a cluster as an output, or an application as we know it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appdelivery.model.refs import AppKey, Ref
from appdelivery.workflow.model import Done, Fail
from appdelivery.workflow.steps import world

if TYPE_CHECKING:
    from appdelivery.workflow.model import Result, StepContext

APPLICATION = ("core.oam.dev", "Application")


async def run(at: StepContext) -> Result:
    """An object that is missing may still come: the step is retried."""
    given = at.properties
    group, _, version = given["apiVersion"].rpartition("/")
    if (group, given["kind"]) == APPLICATION:
        return await _application(at, AppKey(given["namespace"], given["name"]))
    around = world.of(at)
    cluster = around.at(given["cluster"])
    ref = Ref(group, version, given["kind"], given["namespace"], given["name"])
    served = (await around.fleet.facts(cluster)).served.get(ref.of)
    if served is not None and not served.namespaced:
        ref = Ref(group, version, given["kind"], "", given["name"])
    live = (await around.fleet.read(cluster, [ref])).get(ref)
    if live is None:
        return Fail("step.object-missing", f"read {ref} in cluster {cluster}: it does not exist", retryable=True)
    secret = ("output",) if ref.kind == "Secret" else ()
    return Done({"output": world.plain(live.body)}, f"read {ref}", secret)


async def _application(at: StepContext, app: AppKey) -> Result:
    """Applications are ours and stand in no cluster; `status` is put where KubeVela has it."""
    found = await world.of(at).application(app)
    if found.state == "absent":
        return Fail("step.object-missing", f"read application {app}: it does not exist", retryable=True)
    body: dict[str, Any] = {**found.document, "status": {"status": found.state, "message": found.message}}
    return Done({"output": body}, f"read application {app}")
