"""Configs as KubeVela keeps them: a Secret each, known by its labels, with the content as JSON.

An implementation of `steps.world.Configs` over a Fleet, for one cluster.  The composition root makes it.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from appdelivery import errors
from appdelivery.delivery.ports import ApplyOptions, DeleteOptions
from appdelivery.model.refs import Kind, Ref, Selector
from appdelivery.workflow.steps.world import ConfigEntry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from appdelivery.delivery.ports import Fleet

SECRET = Kind("", "v1", "Secret")
CATALOG, TEMPLATE = "config.oam.dev/catalog", "config.oam.dev/type"
CONTENT = "input-properties"
OURS = "velacore-config"  # value of CATALOG
MANAGER = "appctl-configs"


@dataclass(frozen=True, slots=True)
class SecretConfigs:
    fleet: Fleet
    cluster: str

    async def put(self, entry: ConfigEntry) -> None:
        """A Secret of that name that is no config stays as it is."""
        ref = _ref(entry.namespace, entry.name)
        await self._live(ref)
        labels = {CATALOG: OURS, TEMPLATE: entry.template}
        content = base64.b64encode(json.dumps(dict(entry.config), ensure_ascii=False).encode()).decode()
        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": entry.name, "namespace": entry.namespace, "labels": labels},
            "data": {CONTENT: content},
        }
        await self.fleet.apply(self.cluster, ref, body, ApplyOptions(MANAGER, force=True))

    async def get(self, namespace: str, name: str) -> ConfigEntry | None:
        body = await self._live(_ref(namespace, name))
        return None if body is None else _entry(body)

    async def delete(self, namespace: str, name: str) -> bool:
        ref = _ref(namespace, name)
        body = await self._live(ref)
        if body is None:
            return False
        return await self.fleet.delete(self.cluster, ref, DeleteOptions(uid=body["metadata"].get("uid", ""))) != "absent"

    async def list(self, namespace: str, template: str) -> Sequence[ConfigEntry]:
        found = await self.fleet.list(self.cluster, SECRET, namespace, Selector(f"{CATALOG}={OURS},{TEMPLATE}={template}"))
        return [_entry(live.body) for live in found]

    async def _live(self, ref: Ref) -> dict[str, Any] | None:
        live = (await self.fleet.read(self.cluster, [ref])).get(ref)
        if live is None:
            return None
        if (live.body["metadata"].get("labels") or {}).get(CATALOG) != OURS:
            raise errors.Conflict(
                f"config {ref.namespace}/{ref.name}: the Secret of that name in {self.cluster} is no config"
            )
        return live.body


def _ref(namespace: str, name: str) -> Ref:
    return Ref("", "v1", "Secret", namespace, name)


def _entry(body: dict[str, Any]) -> ConfigEntry:
    about = body["metadata"]
    return ConfigEntry(about["name"], about["namespace"], about["labels"].get(TEMPLATE, ""), _content(body))


def _content(body: dict[str, Any]) -> dict[str, Any]:
    """A Secret of which somebody broke the content is an error that names it."""
    try:
        found = json.loads(base64.b64decode((body.get("data") or {}).get(CONTENT, "e30="), validate=True))
    except (ValueError, binascii.Error, RecursionError):
        found = None
    if not isinstance(found, dict):
        about = body["metadata"]
        raise errors.RequestError(f"config {about['namespace']}/{about['name']}: its content is no map", code="step.config")
    return found
