"""Tables: columns of a kind, a row for each object, and what of the object comes along."""

from __future__ import annotations

from appdelivery.sandbox import status
from appdelivery.sandbox.http.printers import pods
from appdelivery.sandbox.http.printers import rows as printing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from appdelivery.sandbox.cluster import Cluster
    from appdelivery.sandbox.kinds import Kind

    Body = dict[str, Any]

META = "meta.k8s.io/v1"
INCLUDED = ("", "Metadata", "Object", "None")


def table(kind: Kind, rows: Sequence[Body], metadata: Body, *, headers: bool = True) -> Body:
    """headers: with the columns, which only the first event of a watch has."""
    columns = [_column(column) for column in kind.columns] if headers else None
    return {"kind": "Table", "apiVersion": META, "metadata": metadata, "columnDefinitions": columns, "rows": list(rows)}


def row(cluster: Cluster, kind: Kind, body: Body, include: str) -> Body:
    """include: what of the object comes along: Metadata (or ""), Object, None."""
    if include not in INCLUDED:
        raise status.bad_request(
            f'Unable to convert to Table as requested: includeObject: Invalid value: "{include}": '
            "must be 'Metadata', 'Object', 'None', or empty"
        )
    made: Body = {"cells": printing.cells(kind, body, cluster.clock.now())}
    if kind.family == ("", "pods") and (condition := pods.CONDITIONS.get((body.get("status") or {}).get("phase", ""))):
        made["conditions"] = [condition]
    if include == "Object":
        made["object"] = body
    elif include == "None":
        made["object"] = None
    else:
        made["object"] = {"kind": "PartialObjectMetadata", "apiVersion": META, "metadata": body["metadata"]}
    return made


def _column(column: Body) -> Body:
    return {"description": "", **{key: value for key, value in column.items() if key != "jsonPath"}}
