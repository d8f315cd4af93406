"""Schemas compiled for writing: `Type` says how values of a node are merged, owned, defaulted and written by the server.

The forms are those of structured-merge-diff.  Built-in types know from the recorded Go shapes which empty values the
server drops and which it always writes.  `of` compiles a node once; children are compiled when they are first met.
"""

from __future__ import annotations

import gzip
import json
import os

from appdelivery.sandbox import schemas as schemas_
from appdelivery.sandbox.writes import defaults

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from appdelivery.sandbox.schemas import Node, Schemas

MAP, ATOMIC_MAP, KEYED, SET, ATOMIC_LIST, SCALAR, ANY = range(7)
GRANULAR = (MAP, KEYED, SET)
METADATA = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
EITHER = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
EMPTY: dict[str, Any] = {}


class Type:
    """One node.  form: how it is merged; keys: of a keyed list, with their defaults (None = none); open: unknown keys are
    kept; always: what the server writes for a property that is not set; kept: properties it writes even when empty; unset:
    always and the server's defaults; finish: defaults that depend on other fields; blank: a new object, once it was asked for.
    """

    __slots__ = (
        "_fields",
        "_item",
        "_known",
        "_values",
        "always",
        "blank",
        "finish",
        "form",
        "format",
        "kept",
        "keys",
        "name",
        "node",
        "open",
        "scalar",
        "schemas",
        "unset",
        "untyped",
    )  # fmt: skip

    def __init__(self, known: Schemas, node: Node, name: str, shape: dict[str, Any]) -> None:
        self.schemas = known
        self.node = node
        self.name = name
        self.scalar: str = node.get("type", "")
        self.format: str = node.get("format", "")
        self.always: dict[str, Any] = shape.get("always", EMPTY)
        self.kept = frozenset(shape.get("kept", ()))
        self._known: dict[str, Node] = node.get("properties", EMPTY)
        stated = {key: inner["default"] for key, inner in self._known.items() if "default" in inner and name}
        self.unset = {**self.always, **stated, **defaults.TABLE.get(name, EMPTY)}
        self.finish = defaults.FUNCTIONS.get(name)
        self.blank: dict[str, Any] | None = None
        self._fields: dict[str, Type] = {}
        self._values: Type | None = None
        self._item: Type | None = None
        rest = node.get("additionalProperties")
        preserves = node.get("x-kubernetes-preserve-unknown-fields", False)
        self.open = bool(rest) or preserves or (not self._known and rest is not False)
        self.form = _form(node, name)
        self.untyped = name in (QUANTITY, EITHER) or bool(node.get("x-kubernetes-int-or-string"))
        self.keys: tuple[tuple[str, Any], ...] = ()
        if self.form == KEYED:
            names = node.get("x-kubernetes-list-map-keys") or [node["x-kubernetes-patch-merge-key"]]
            item = self.item
            self.keys = tuple(sorted((key, item.default_of(key)) for key in names))

    def declares(self, key: str) -> bool:
        return key in self._known

    def fields(self) -> dict[str, Node]:
        return self._known

    def default_of(self, key: str) -> Any:
        given = self.schemas.node(self._known.get(key))
        stated = self._known.get(key, EMPTY).get("default", given.get("default"))
        return self.always.get(key) if stated is None else stated

    def member(self, key: str) -> Type | None:
        """Of a map's entry; None when the key is not declared."""
        found = self._fields.get(key)
        if found is None:
            if key in self._known:
                found = self._fields[key] = of(self.schemas, self._known[key])
            elif self.open:
                return self.values
        return found

    @property
    def values(self) -> Type:
        """Of entries that are not declared one by one."""
        if self._values is None:
            rest = self.node.get("additionalProperties")
            self._values = of(self.schemas, rest if isinstance(rest, dict) else schemas_.NOTHING)
        return self._values

    @property
    def item(self) -> Type:
        if self._item is None:
            self._item = of(self.schemas, self.node.get("items"))
        return self._item

    def form_of(self, value: Any) -> int:
        """The form of a value of this type: of a type that allows anything it depends on the value."""
        if self.form != ANY:
            return self.form
        if isinstance(value, dict):
            return MAP
        return ATOMIC_LIST if isinstance(value, list) else SCALAR


def of(known: Schemas, schema: Any) -> Type:
    """The compiled type of a schema of this server."""
    name, node = _resolved(known, schema)
    compiled = known.compiled
    found: Type | None = compiled.get(id(node))
    if found is None:
        if not name and id(known) not in compiled:
            _index(known)
        name = name or compiled[id(known)].get(id(node), "")
        found = compiled[id(node)] = Type.__new__(Type)  # first, for types that hold themselves
        found.__init__(known, node, name, _shapes(known).get(name, EMPTY))  # type: ignore[misc]
    return found


def _resolved(known: Schemas, schema: Any) -> tuple[str, Node]:
    name = ""
    while schema:
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            schema = known.definitions.get(name)
        elif len(schema.get("allOf", ())) == 1 and "type" not in schema:
            schema = schema["allOf"][0]
        else:
            return name, schema
    return "", schemas_.NOTHING


def _index(known: Schemas) -> None:
    known.compiled[id(known)] = {id(node): name for name, node in known.definitions.items()}


def _shapes(known: Schemas) -> dict[str, Any]:
    """As the real server's Go types write their JSON; recorded by tests/tools/record_shapes.py."""
    found: dict[str, Any] | None = known.compiled.get(0)
    if found is None:
        with gzip.open(os.path.join(schemas_.FOLDER, f"shapes-{schemas_.NEWEST}.json.gz")) as file:
            found = known.compiled[0] = json.load(file)
    return found


def _form(node: Node, name: str) -> int:
    type = node.get("type", "")
    if name in (QUANTITY, EITHER) or node.get("x-kubernetes-int-or-string") or node.get("format") == "int-or-string":
        return SCALAR
    if type == "array":
        return _list_form(node)
    if type == "object" or node.get("properties"):
        return ATOMIC_MAP if node.get("x-kubernetes-map-type") == "atomic" else MAP
    return SCALAR if type else ANY


def _list_form(node: Node) -> int:
    stated = node.get("x-kubernetes-list-type")
    if stated is None and "merge" in node.get("x-kubernetes-patch-strategy", ""):
        stated = "map" if node.get("x-kubernetes-patch-merge-key") else "set"
    return {"map": KEYED, "set": SET}.get(stated or "", ATOMIC_LIST)
