"""`application`: delivers another application, or finds it, and waits until it runs (apply-app, depends-on-app).

That it failed ends the wait: nothing is gained by waiting for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appdelivery import errors
from appdelivery.language.text import yaml_in
from appdelivery.model.refs import AppKey
from appdelivery.workflow.model import Done, Fail, Wait, WakeKey
from appdelivery.workflow.steps import world

if TYPE_CHECKING:
    from appdelivery.workflow.model import Result, StepContext


async def run(at: StepContext) -> Result:
    """cursor: {app: [namespace, name], looks}."""
    given, around = at.properties, world.of(at)
    if at.cursor:
        return await _look(at, AppKey(*at.cursor["app"]), at.cursor["looks"])
    if given["when"] == "absent":
        app = AppKey(given["namespace"], given["name"])
        if (await around.application(app)).state != "absent":
            return await _look(at, app, 0)
    document = given.get("document") or await _document(at)
    if document is None:
        return Wait(world.poll(0), None, f"waits for {_sought(given)}", [_wake(AppKey(given["namespace"], given["name"]))])
    if at.cancelled():
        return Fail("step.cancelled", "cancelled before the application was delivered", retryable=False)
    app = await around.apply_application(document, world.key(at, "application"))
    return Wait(world.poll(0), {"app": [app.namespace, app.name], "looks": 0}, f"waits for application {app}", [_wake(app)])


async def _look(at: StepContext, app: AppKey, looks: int) -> Result:
    state = await world.of(at).application(app)
    if state.state == "running":
        output = {**state.document, "status": {"status": state.state, "message": state.message}}
        return Done({"output": output}, f"application {app} runs")
    if state.state == "failed":
        return Fail("step.application-failed", f"application {app} failed: {state.message}", retryable=False)
    message = f"application {app} is {state.state}{': ' + state.message if state.message else ''}"
    return Wait(world.poll(looks), {"app": [app.namespace, app.name], "looks": looks + 1}, message, [_wake(app)])


async def _document(at: StepContext) -> dict[str, Any] | None:
    """The application that a ConfigMap holds; None when there is no such ConfigMap yet and one need not be there."""
    ref = at.properties["configMap"]
    text = await world.configmap_key(at, ref["namespace"], ref["name"], ref["key"])
    where = f"ConfigMap {ref['namespace']}/{ref['name']}, key {ref['key']}"
    if text is None:
        if at.properties["when"] == "absent":
            return None
        raise errors.Missing(f"read the application from {where}: it is not there", retryable=True)
    try:
        trees = yaml_in.load(text.encode(), where)
    except errors.SpecError as error:
        raise errors.RequestError(f"read the application from {where}: {error.message}", code="step.application") from None
    if len(trees) != 1 or not isinstance(trees[0], dict):
        raise errors.RequestError(f"read the application from {where}: it is no single document", code="step.application")
    return trees[0]


def _sought(given: dict[str, Any]) -> str:
    return f"application {given['namespace']}/{given['name']}: neither it nor a ConfigMap with it exists"


def _wake(app: AppKey) -> WakeKey:
    return WakeKey("application", str(app))
