"""Inlines references and closes objects, so that every evaluator reads one plain schema (language.md 7.1).

Two passes over what `dialect` let through: `_Inliner` copies the schema with every `$ref` replaced, remembering
where each keyword was written; `_Closer` writes `additionalProperties: false`.  A schema that describes the same object
as the one around it (a branch of oneOf, anyOf, allOf, if, then, else, not) shares names with it: names that are known
from elsewhere in the same object are written out too, each with the empty schema.  At last every default is put to its own
schema.  Called by `schema.close`.
"""

from __future__ import annotations

from appdelivery.language.schema import Finding, SchemaRefused, dialect, generate, helpers
from appdelivery.language.schema.dialect import CODE, DEPTH, MANY, ONE, REF
from appdelivery.model import suggest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from appdelivery.model.problem import Path

    Node = dict[str, Any]
    Layers = list[tuple[Node, Path]]  # a schema as written with the types it refers to, each with its place
    View = tuple[Node, str]  # a schema of the same object, and the keyword whose branches do not apply together

REFERENCES = 200
SCHEMAS = 20_000  # after inlining, names written out by closing included
WORK = 100_000  # schemas visited while names are collected
BRANCHES = ("oneOf", "anyOf")
INPLACE = frozenset({*MANY, "if", "then", "else", "not"})  # schemas of the same value
INNER = frozenset({*MANY, *ONE, "properties", "additionalProperties"})
SHAPE = frozenset({"type", "properties", "additionalProperties", "propertyNames", "required", "if", *MANY})


def close(parameters: dict[str, Any], types: dict[str, Any]) -> Node:
    if found := dialect.findings(parameters, types):
        raise SchemaRefused(found)
    inliner = _Inliner(types)
    root = inliner.inlined(parameters, ("parameters",), 1)
    _as_object(root)
    closer = _Closer(inliner)
    closer.close(root, [], inplace="", opened=False)
    found = closer.found or [*_misplaced(inliner), *_bad_defaults(inliner)]
    if found:
        raise SchemaRefused(found)
    return root


def _as_object(root: Node) -> None:
    """Parameters are always a map; without any description of it, an empty one."""
    if not SHAPE & root.keys():
        root["properties"] = {}
    if root.setdefault("type", "object") != "object":
        message = f"parameters are a map: type must be object, not {root['type']}"
        raise SchemaRefused([Finding(("parameters", "type"), CODE, message)])


class _Inliner:
    def __init__(self, types: dict[str, Any]) -> None:
        self.types = types
        self.nodes: list[tuple[Node, Layers]] = []  # every schema made, inner ones first
        self.layers: dict[int, Layers] = {}  # the same by identity, of those with names in `required`
        self.references = 0
        self.count = 0

    def spend(self, amount: int, path: Path) -> None:
        self.count += amount
        if self.count > SCHEMAS:
            raise SchemaRefused([Finding(path, CODE, f"more than {SCHEMAS:,} schemas after every $ref is inlined")])

    def inlined(self, schema: Node, path: Path, depth: int) -> Node:
        self.spend(1, path)
        if depth > DEPTH:
            raise SchemaRefused([Finding(path, CODE, f"schemas nest deeper than {DEPTH} after every $ref is inlined")])
        layers: Layers = [(schema, path)]
        node = self.merged(layers) if "$ref" in schema else dict(schema)
        if not INNER.isdisjoint(node):
            self.inside(node, layers, depth + 1)
        if "required" in node:
            self.layers[id(node)] = layers
        self.nodes.append((node, layers))
        return node

    def inside(self, node: Node, layers: Layers, depth: int) -> None:
        for keyword in [keyword for keyword in node if keyword in INNER]:
            value = node[keyword]
            place = (*_written(layers, keyword), keyword)
            if keyword == "properties":
                node[keyword] = {
                    name: self.inlined(item, (*_written(layers, keyword, name), keyword, name), depth)
                    for name, item in value.items()
                }
            elif keyword in MANY:
                node[keyword] = [self.inlined(item, (*place, index), depth) for index, item in enumerate(value)]
            elif isinstance(value, dict):
                node[keyword] = self.inlined(value, place, depth)
        if "properties" in node:
            node.setdefault("type", "object")

    def merged(self, layers: Layers) -> Node:
        """The schema with its reference replaced; each type that it is made of becomes a layer."""
        node, path = layers[0]
        while "$ref" in node:
            self.references += 1
            if self.references > REFERENCES:
                raise SchemaRefused([Finding((*path, "$ref"), CODE, f"more than {REFERENCES} uses of $ref")])
            name = node["$ref"][len(REF) :]
            layers.append((self.types[name], ("types", name)))
            node = _over(self.types[name], {key: value for key, value in node.items() if key != "$ref"})
        return node


def _written(layers: Layers, keyword: str, name: str = "") -> Path:
    """Where a keyword, or one of the properties, was written: nearest to the use first."""
    for schema, path in layers:
        if keyword in schema and (not name or name in schema[keyword]):
            return path
    return layers[0][1]


def _over(target: Node, beside: Node) -> Node:
    """A type with the keywords that stand beside its $ref."""
    out = {**target, **beside}
    if "properties" in target and "properties" in beside:
        out["properties"] = {**target["properties"], **beside["properties"]}
    if "required" in target and "required" in beside:
        out["required"] = list(dict.fromkeys([*target["required"], *beside["required"]]))
    return out


class _Closer:
    def __init__(self, inliner: _Inliner) -> None:
        self.inliner = inliner
        self.found: list[Finding] = []
        self.work = 0
        self.elsewhere: Node = {}  # schema of a name that is described elsewhere in the same object; known by identity

    def close(self, node: Node, around: list[View], *, inplace: str, opened: bool) -> None:
        """around: schemas of the same object.  inplace: '' for an object of its own, 'branch' of oneOf or anyOf, 'part'
        of allOf, then, else.  opened: the object around takes any name."""
        if INNER.isdisjoint(node) and not (around and "required" in node):
            return
        extra = node.get("additionalProperties")
        opened = opened or (extra is not None and extra is not False)
        together = dict.fromkeys(self.names((node, "")))
        known = {**dict.fromkeys(name for view in around for name in self.names(view)), **together}
        owned = "properties" in node or (not inplace and any(True for _ in self.names((node, "branches"))))
        if extra is None and owned and not opened and inplace != "part":
            extra = node["additionalProperties"] = False
        if known and not opened and "required" in node:
            self.unknown_required(node, known)
        if extra is False or isinstance(extra, dict):
            self.write_out(node, known)
        self.properties(node, around)
        for keyword in ("items", "propertyNames", "additionalProperties"):
            if isinstance(node.get(keyword), dict):
                self.close(node[keyword], [], inplace="", opened=False)
        if not INPLACE.isdisjoint(node):
            self.inplace(node, around, opened=opened)

    def properties(self, node: Node, around: list[View]) -> None:
        if not around and INPLACE.isdisjoint(node):
            for child in node.get("properties", {}).values():
                self.close(child, [], inplace="", opened=False)
            return
        members = [member for view in [*around, (node, "")] for member in self.members(view)]
        for name, child in node.get("properties", {}).items():
            if child is self.elsewhere:
                continue
            others = [m["properties"][name] for m in members if name in m.get("properties", ())]
            beside: list[View] = [(o, "") for o in others if o is not child and o is not self.elsewhere]
            self.close(child, beside, inplace="", opened=False)

    def inplace(self, node: Node, around: list[View], *, opened: bool) -> None:
        for keyword in BRANCHES:
            for branch in node.get(keyword, ()):
                self.close(branch, [*around, (node, keyword)], inplace="branch", opened=opened)
        for part in [*node.get("allOf", ()), *[node[k] for k in ("then", "else") if k in node]]:
            self.close(part, [*around, (node, "")], inplace="part", opened=opened)

    def members(self, view: View) -> Iterator[Node]:
        """The schemas that describe one object together: a schema and everything in place inside it."""
        stack = [view]
        while stack:
            node, without = stack.pop()
            self.work += 1
            if self.work > WORK:
                raise SchemaRefused([Finding(("parameters",), CODE, "too many schemas describe one object")])
            yield node
            if INPLACE.isdisjoint(node):
                continue
            stack += [(node[k], "") for k in ("if", "then", "else", "not") if k in node]
            for keyword in MANY:
                if keyword != without and not (without == "branches" and keyword in BRANCHES):
                    stack += [(item, "") for item in node.get(keyword, ())]

    def names(self, view: View) -> Iterator[str]:
        for member in self.members(view):
            for name, schema in member.get("properties", {}).items():
                if schema is not self.elsewhere:
                    yield name

    def write_out(self, node: Node, known: dict[str, Any]) -> None:
        own = node.setdefault("properties", {})
        missing = [name for name in known if name not in own]
        self.inliner.spend(len(missing), ("parameters",))
        for name in missing:
            own[name] = self.elsewhere

    def unknown_required(self, node: Node, known: dict[str, Any]) -> None:
        for index, name in enumerate(node.get("required", ())):
            if name not in known:
                place = _written(self.inliner.layers[id(node)], "required")
                message = f"required: there is no property '{name}'{suggest.meant(name, known)}"
                self.found.append(Finding((*place, "required", index), CODE, message, suggest.listed(known)))


def _misplaced(inliner: _Inliner) -> Iterator[Finding]:
    """Our keywords for text stand on text."""
    for node, layers in inliner.nodes:
        for keyword in ("x-secret", "x-deferred"):
            if (
                keyword in node
                and node[keyword]
                and node.get("type") not in ("string", ["string", "null"], ["null", "string"])
            ):
                hint = "write it beside type: string, inside the map or list"
                yield Finding(
                    (*_written(layers, keyword), keyword), CODE, f"{keyword} stands on text only", hint, at_key=True
                )


def _bad_defaults(inliner: _Inliner) -> Iterator[Finding]:
    """Defaults that their own schema refuses, or that hold an expression nobody would resolve."""
    generator = generate.Generator()
    waiting = []
    for node, layers in inliner.nodes:
        if "default" not in node:
            continue
        value, path = node["default"], (*_written(layers, "default"), "default")
        if helpers.late(value) and "x-deferred" not in node:
            hint = "leave the default out and write `parameters.X or ...` in the template"
            yield Finding(path, CODE, "default: an expression is not evaluated here", hint)
        elif not _plainly(value, node):
            waiting.append((value, path, generator.function(node).name))
    if not waiting:
        return
    space = _executed(generator)
    for value, path, name in waiting:
        if not helpers.holds(space[name], value):
            yield Finding(path, CODE, "default: the schema beside it does not take this value")


def _executed(generator: generate.Generator) -> dict[str, Any]:
    """The generated functions; a default that is refused must not keep the others from being looked at."""
    space = dict(helpers.NAMESPACE)
    exec(generator.definitions(), space)  # noqa: S102 - our own code, in a namespace that holds nothing else
    for expression, name in generator.constants.items():
        try:
            space[name] = eval(expression, space)  # noqa: S307 - the same
        except helpers.Refusal:
            space[name] = None
    return space


def _plainly(value: Any, node: Node) -> bool:
    """The commonest case, without generating code: a value of the type, or one of the texts, and nothing else to hold."""
    if not node.keys() <= {"default", "type", "enum", "title", "description", "examples", "x-hidden", "x-order"}:
        return False
    if "enum" in node and not (isinstance(value, str) and value in node["enum"]):
        return False
    return bool(node.get("type", "string") == {str: "string", int: "integer", bool: "boolean"}.get(type(value)))
