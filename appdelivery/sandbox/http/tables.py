"""Tables: rows as the server prints them, by the columns of a kind."""

from __future__ import annotations

from appdelivery.sandbox.http import printers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from appdelivery.sandbox.cluster import Cluster
    from appdelivery.sandbox.kinds import Kind

    Body = dict[str, Any]

META = "meta.k8s.io/v1"


def table(kind: Kind, rows: Sequence[Body], metadata: Body, *, headers: bool = True) -> Body:
    """headers: with the columns, which only the first event of a watch has."""
    columns = [_column(column) for column in kind.columns] if headers else None
    return {"kind": "Table", "apiVersion": META, "metadata": metadata, "columnDefinitions": columns, "rows": list(rows)}


def row(cluster: Cluster, kind: Kind, body: Body, include: str) -> Body:
    """include: what of the object comes along: Metadata (or empty), Object or None."""
    made: Body = {"cells": printers.cells(cluster, kind, body)}
    if include in ("", "Metadata"):
        made["object"] = {"kind": "PartialObjectMetadata", "apiVersion": META, "metadata": body["metadata"]}
    elif include == "Object":
        made["object"] = body
    else:
        made["object"] = None
    return made


def _column(column: Body) -> Body:
    return {"description": "", **{key: value for key, value in column.items() if key != "jsonPath"}}
