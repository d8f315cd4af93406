"""`config`: creates, reads, lists and deletes named configurations (create-config, read-config, list-config, delete-config)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appdelivery.workflow.model import Done, Fail
from appdelivery.workflow.steps import world

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from appdelivery.workflow.model import Result, StepContext


async def run(at: StepContext) -> Result:
    return await DOING[at.properties["do"]](at)


async def _create(at: StepContext) -> Result:
    given = at.properties
    entry = world.ConfigEntry(given["name"], given["namespace"], given.get("template") or "", given["config"])
    await world.of(at).configs.put(entry)
    return Done({"output": _shown(entry)}, f"wrote config {_named(given)}", ("output",))


async def _read(at: StepContext) -> Result:
    given = at.properties
    found = await world.of(at).configs.get(given["namespace"], given["name"])
    if found is None:
        return Fail("step.config-missing", f"there is no config {_named(given)}", retryable=True)
    return Done({"output": _shown(found)}, f"read config {_named(given)}", ("output",))


async def _list(at: StepContext) -> Result:
    given = at.properties
    found = await world.of(at).configs.list(given["namespace"], given["template"])
    return Done({"output": {"configs": [_shown(one) for one in found]}}, f"{len(found)} configs", ("output",))


async def _delete(at: StepContext) -> Result:
    was_there = await world.of(at).configs.delete(at.properties["namespace"], at.properties["name"])
    return Done({}, f"config {_named(at.properties)} {'was deleted' if was_there else 'was not there'}")


def _shown(entry: world.ConfigEntry) -> dict[str, Any]:
    return {"name": entry.name, "namespace": entry.namespace, "template": entry.template, "config": dict(entry.config)}


def _named(given: dict[str, Any]) -> str:
    return f"{given['namespace']}/{given['name']}"


DOING: dict[str, Callable[[StepContext], Awaitable[Result]]] = {
    "create": _create,
    "read": _read,
    "list": _list,
    "delete": _delete,
}
