"""`apply-object`: objects into the application's inventory, and where asked a wait until they are ready.

Behind apply-object, apply-deployment, the exports, and the objects of the terraform controller.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from appdelivery.model.live import Live
from appdelivery.model.refs import Ref, ref_of
from appdelivery.workflow.model import Done, Fail, Wait
from appdelivery.workflow.steps import world

if TYPE_CHECKING:
    from collections.abc import Sequence

    from appdelivery.workflow.model import Result, StepContext


BAD_S = 60.0  # for so long something may be degraded before the step fails
FINAL = "final"


async def run(at: StepContext) -> Result:
    """cursor: {objects: [[cluster, group, version, kind, namespace, name]], looks, bad}.  With it nothing is applied again.
    bad: since when something is degraded, which a deployment may be for a moment."""
    if at.cursor:
        objects = [(row[0], Ref(*row[1:])) for row in at.cursor["objects"]]
        return await _look(at, objects, at.cursor["looks"])
    wanted = await _wanted(at)
    if at.cancelled():
        return Fail("step.cancelled", "cancelled before anything was applied", retryable=False)
    bodies = await world.of(at).apply_objects(at.name, wanted)
    if not _waits(at):
        return _done(bodies)
    objects = [(one.cluster, ref_of(body)) for one, body in zip(wanted, bodies, strict=True)]
    return _judged(at, objects, [Live(ref, body) for (_, ref), body in zip(objects, bodies, strict=True)], 0)


async def _wanted(at: StepContext) -> list[world.Wanted]:
    """Every object in every place of the topology, or in the one cluster that is named."""
    given, around = at.properties, world.of(at)
    if not given.get("topology"):
        return [world.Wanted(around.at(given.get("cluster") or ""), body) for body in given["objects"]]
    places = await around.places([given["topology"]])
    return [world.Wanted(place.cluster, body) for place in places for body in given["objects"]]


def _waits(at: StepContext) -> bool:
    return bool(at.properties.get("wait") or at.properties.get("until"))


async def _look(at: StepContext, objects: Sequence[tuple[str, Ref]], looks: int) -> Result:
    around = world.of(at)
    found: list[Live] = []
    for cluster, ref in objects:
        live = (await around.fleet.read(cluster, [ref])).get(ref)
        if live is None:
            return Fail("step.object-gone", f"{ref} in cluster {cluster} was deleted while the step waited", retryable=True)
        found.append(live)
    return _judged(at, objects, found, looks + 1)


def _judged(at: StepContext, objects: Sequence[tuple[str, Ref]], found: Sequence[Live], looks: int) -> Result:
    waiting, bad = _not_ready(at, found)
    if not waiting:
        return _done([live.body for live in found])
    since = (at.cursor or {}).get("bad") or at.now.isoformat() if bad else None
    if bad == FINAL or (since and at.now - datetime.fromisoformat(since) >= timedelta(seconds=BAD_S)):
        return Fail("step.object-failed", waiting, retryable=False)
    return _wait(objects, looks, waiting, since)


def _not_ready(at: StepContext, found: Sequence[Live]) -> tuple[str, str]:
    """What is still waited for, '' when nothing is; and whether it is degraded, or will stay so."""
    until = at.properties.get("until")
    if until:
        last = found[-1]  # what comes before it is there for its sake
        state = _value(last.body, until["path"])
        message = f"{last.ref}: {until['path']} is {state}, waits for {until['value']}"
        return ("" if state == until["value"] else message), ""
    for live in found:
        health = world.of(at).judge(live)
        if health.state != "healthy":
            message = f"{live.ref} is {health.state}: {health.message or health.reason}".rstrip(": ")
            return message, "" if health.state != "degraded" else FINAL if health.terminal else "degraded"
    return "", ""


def _value(body: Any, path: str) -> Any:
    for step in path.split("."):
        body = body.get(step) if isinstance(body, dict) else None
    return body


def _wait(objects: Sequence[tuple[str, Ref]], looks: int, message: str, bad: str | None) -> Wait:
    rows = [[cluster, r.group, r.version, r.kind, r.namespace, r.name] for cluster, r in objects]
    wakes = [world.wake(cluster, ref) for cluster, ref in objects]
    return Wait(world.poll(looks), {"objects": rows, "looks": looks, "bad": bad}, message, wakes)


def _done(bodies: Sequence[dict[str, Any]]) -> Done:
    plain = [world.plain(body) for body in bodies]
    secret = ("output", "outputs") if any(body.get("kind") == "Secret" for body in plain) else ()
    return Done({"output": plain[0] if plain else None, "outputs": plain}, _message(plain), secret)


def _message(bodies: Sequence[dict[str, Any]]) -> str:
    if len(bodies) == 1:
        return f"applied {ref_of(bodies[0])}"
    return f"applied {len(bodies)} objects"
