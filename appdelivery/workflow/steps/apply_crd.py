"""`apply-crd`: CustomResourceDefinitions into the inventory before anything that needs them; waits until they are served."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appdelivery import errors
from appdelivery.language.text import yaml_in
from appdelivery.model.refs import Ref
from appdelivery.workflow.model import Done, Fail, Wait
from appdelivery.workflow.steps import world

if TYPE_CHECKING:
    from collections.abc import Sequence

    from appdelivery.workflow.model import Result, StepContext

GROUP, KIND = "apiextensions.k8s.io", "CustomResourceDefinition"


async def run(at: StepContext) -> Result:
    """cursor: {names, looks}: what was applied."""
    around = world.of(at)
    cluster = around.at(at.properties["cluster"])
    if at.cursor:
        return await _look(at, cluster, at.cursor["names"], at.cursor["looks"])
    bodies = [_checked(body) for body in await _bodies(at)]
    if at.cancelled():
        return Fail("step.cancelled", "cancelled before anything was applied", retryable=False)
    await around.apply_objects(at.name, [world.Wanted(cluster, body) for body in bodies])
    return await _look(at, cluster, [body["metadata"]["name"] for body in bodies], 0)


async def _bodies(at: StepContext) -> list[Any]:
    source = at.properties["source"]
    if source.get("objects"):
        return list(source["objects"])
    if source.get("url"):
        request = world.HttpRequest("GET", source["url"], {})
        text = (await world.ask(at, request, f"fetch {source['url']}")).body
        where = source["url"]
    else:
        reference = source["configMap"]
        where = f"ConfigMap {world.of(at).namespace}/{reference['name']}, key {reference['key']}"
        found = await world.configmap_key(at, world.of(at).namespace, reference["name"], reference["key"])
        if found is None:
            raise errors.Missing(f"read definitions from {where}: it is not there", retryable=True)
        text = found.encode()
    return [tree for tree in yaml_in.load(text, where) if tree is not None]


def _checked(body: Any) -> dict[str, Any]:
    if isinstance(body, dict) and body.get("kind") == KIND and isinstance((body.get("metadata") or {}).get("name"), str):
        return body
    shown = body.get("kind") if isinstance(body, dict) else type(body).__name__
    raise errors.RequestError(
        f"apply-crd: {shown} is no named {KIND}",
        code="step.crd",
        hint="other objects belong into a component or an apply-object step",
    )


async def _look(at: StepContext, cluster: str, names: Sequence[str], looks: int) -> Result:
    refs = [Ref(GROUP, "v1", KIND, "", name) for name in names]
    found = await world.of(at).fleet.read(cluster, refs)
    waiting = [ref.name for ref in refs if ref not in found or not _established(found[ref].body)]
    refused = [name for name in waiting if (text := _refused(found.get(Ref(GROUP, "v1", KIND, "", name)))) and text]
    if refused:
        text = _refused(found[Ref(GROUP, "v1", KIND, "", refused[0])])
        return Fail("step.crd", f"{KIND} {refused[0]}: {text}", retryable=False)
    if waiting:
        wakes = [world.wake(cluster, ref) for ref in refs if ref.name in waiting]
        return Wait(world.poll(looks), {"names": list(names), "looks": looks + 1}, f"waits for {', '.join(waiting)}", wakes)
    return Done({"names": list(names)}, f"{len(names)} definitions are served")


def _conditions(body: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["type"]: one for one in (body.get("status") or {}).get("conditions") or ()}


def _established(body: dict[str, Any]) -> bool:
    return _conditions(body).get("Established", {}).get("status") == "True"


def _refused(live: Any) -> str:
    """Why the server does not take the names, '' when it does."""
    names = _conditions(live.body).get("NamesAccepted", {}) if live else {}
    return str(names.get("message") or names.get("reason") or "names are taken") if names.get("status") == "False" else ""
