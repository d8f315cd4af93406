"""What is known of Kubernetes: the recorded OpenAPI definitions of one minor version, and how to walk along them.

A node is a schema with its references followed.  The marks that decide how lists and maps are merged and owned
(`x-kubernetes-list-type`, `-list-map-keys`, `-map-type`, `-patch-merge-key`, `-patch-strategy`) stand on nodes.
Recorded by tests/tools/record_schemas.py from a real server.
"""

from __future__ import annotations

import functools
import gzip
import json
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Node = dict[str, Any]

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data")
NEWEST = "1.36"
NOTHING: Node = {}


@functools.cache
def recorded(version: str = NEWEST) -> dict[str, Any]:
    """version, groups (aggregated discovery), definitions, defaults (by definition and property), columns.

    Read once, for all clusters of a process: nobody changes it.
    """
    with gzip.open(os.path.join(FOLDER, f"kubernetes-{version}.json.gz")) as file:
        document: dict[str, Any] = json.load(file)
    for name, given in document["defaults"].items():
        properties = document["definitions"].get(name, NOTHING).get("properties", NOTHING)
        for key, value in given.items():
            if key in properties:
                properties[key] = {**properties[key], "default": value}
    return document


class Schemas:
    """The definitions that `$ref` may name."""

    __slots__ = ("compiled", "definitions")

    def __init__(self, definitions: dict[str, Node]) -> None:
        self.definitions = definitions
        self.compiled: dict[int, Any] = {}  # by identity of a node: what the writers made of it (writes/types.py)

    def node(self, schema: Any) -> Node:
        """The schema with references followed; {} for none, which allows everything."""
        while schema:
            if "$ref" in schema:
                schema = self.definitions.get(schema["$ref"].rpartition("/")[2], NOTHING)
            elif len(schema.get("allOf", ())) == 1 and "type" not in schema:
                schema = schema["allOf"][0]
            else:
                return schema  # type: ignore[no-any-return]
        return NOTHING

    def member(self, node: Node, key: str) -> Node:
        """The node of a map's entry."""
        properties = node.get("properties")
        if properties is not None and key in properties:
            return self.node(properties[key])
        rest = node.get("additionalProperties")
        return self.node(rest) if isinstance(rest, dict) else NOTHING

    def item(self, node: Node) -> Node:
        """The node of a list's items."""
        return self.node(node.get("items"))


@functools.cache
def of(version: str = NEWEST) -> Schemas:
    """Those of a recorded server, shared by all its clusters, with what the writers compiled of them."""
    return Schemas(recorded(version)["definitions"])
