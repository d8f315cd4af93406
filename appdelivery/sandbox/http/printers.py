"""Cells."""

from __future__ import annotations

from datetime import datetime

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from appdelivery.sandbox.cluster import Cluster
    from appdelivery.sandbox.kinds import Kind

    Body = dict[str, Any]


def cells(cluster: Cluster, kind: Kind, body: Body) -> list[Any]:
    return [cell(cluster, column, body) for column in kind.columns]


def cell(cluster: Cluster, column: Body, body: Body) -> Any:
    if column["name"] == "Name":
        return body["metadata"]["name"]
    if column["name"] == "Age":
        return age(cluster, body["metadata"].get("creationTimestamp"))
    return 0 if column["type"] == "integer" else "<none>"


def age(cluster: Cluster, stamp: str | None) -> str:
    if not stamp:
        return "<unknown>"
    seconds = int((cluster.clock.now() - datetime.fromisoformat(stamp)).total_seconds())
    return f"{seconds}s"
