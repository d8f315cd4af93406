"""A custom kind whose schema has every list and map type, for tests of ownership on real API servers."""

from __future__ import annotations

import asyncio
import copy
from typing import Any

from appdelivery import errors

STRING, INTEGER = {"type": "string"}, {"type": "integer"}


def structure(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def schema() -> dict[str, Any]:
    part = structure(name=STRING, zone={**STRING, "default": "a"}, weight={**INTEGER, "default": 1}, note=STRING)
    parts = {
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name", "zone"],
        "items": part | {"required": ["name"]},
    }
    spec = structure(
        size={**INTEGER, "default": 3},
        color=STRING,
        ratio={"type": "number"},
        port={"x-kubernetes-int-or-string": True},
        parts=parts,
        tags={"type": "array", "x-kubernetes-list-type": "set", "items": STRING},
        args={"type": "array", "items": STRING},
        selector={**structure(app=STRING, tier=STRING), "x-kubernetes-map-type": "atomic"},
        limits={"type": "object", "additionalProperties": STRING},
        nested=structure(enabled={"type": "boolean", "default": True}, mode={**STRING, "default": "auto"}),
        free={"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    )
    return structure(spec=spec, status={"type": "object", "x-kubernetes-preserve-unknown-fields": True})


SPEC: dict[str, Any] = {
    "color": "red",
    "ratio": 1e-07,
    "port": "http",
    "parts": [{"name": "b", "weight": 2}, {"name": "a", "zone": "x"}, {"name": "a", "zone": "b", "note": "x<y&z é"}],
    "tags": ["t2", "t1", "<&>"],
    "args": ["-v", "2"],
    "selector": {"app": "web"},
    "limits": {"cpu": "1000m"},
    "nested": {},
    "free": {"deep": {"list": [{"name": "x", "v": 1}], "empty": {}, "n": 1.0}},
}


def version(name: str, *, storage: bool = False, served: bool = True, of: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "name": name,
        "served": served,
        "storage": storage,
        "schema": {"openAPIV3Schema": of or schema()},
        "subresources": {"status": {}},
    }


def crd(group: str, *versions: dict[str, Any]) -> dict[str, Any]:
    names = {"kind": "Widget", "plural": "widgets", "singular": "widget"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": list(versions)},
    }


def spec() -> dict[str, Any]:
    return copy.deepcopy(SPEC)


async def install(kube: Any, body: dict[str, Any], probe: str) -> None:
    """Creates or changes a CRD and waits until the API server works by it: `probe` is the version that must answer."""
    try:
        live = await kube.get(body)
    except errors.Missing:
        await kube.create(body)
    else:
        await kube.put(
            body, {**body, "metadata": {**body["metadata"], "resourceVersion": live["metadata"]["resourceVersion"]}}
        )
    await kube.until(body, established)
    path = f"/apis/{body['spec']['group']}/{probe}/widgets"
    await answering(kube, path)


def established(live: dict[str, Any]) -> bool:
    conditions = (live.get("status") or {}).get("conditions") or ()
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)


async def answering(kube: Any, path: str) -> None:
    for _ in range(500):
        try:
            return await kube.send("GET", path)
        except (errors.NotServed, errors.Missing):
            await asyncio.sleep(0.02)
    raise AssertionError(f"{path} is not served")
