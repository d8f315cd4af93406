"""The hash of a definition (language.md 17): kind, name, version and all sections, references and includes resolved.

Comments, descriptions and examples do not enter it: they change nothing that is rendered.
"""

from __future__ import annotations

from appdelivery.language.text import nodes
from appdelivery.model import canonical

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from appdelivery.language.compiling.frames import Let
    from appdelivery.language.module import Layout

SCHEMAS = ("items", "additionalProperties", "propertyNames", "not", "if", "then", "else")
LISTS = ("oneOf", "anyOf", "allOf")
RESOLVED = ("schema", "types", "let", "include")


def of(
    head: dict[str, Any], found: dict[str, tuple[Any, Any]], closed: dict[str, Any], lets: dict[str, Let], layout: Layout
) -> str:
    sections = {
        name: nodes.to_plain(node)
        for name, (_, node) in found.items()
        if name in layout.sections and layout.sections[name].kind not in RESOLVED
    }
    metadata = head["metadata"]
    identity = {"kind": head["kind"], "name": metadata["name"], "version": metadata.get("version", "0.0.0")}
    values = {name: nodes.to_plain(let.node) for name, let in lets.items()}
    tree = {**identity, "sections": sections, "parameters": _bare(closed), "let": values}
    return canonical.digest(_finite(tree))


def _bare(schema: Any) -> Any:
    """A schema without what only people read."""
    if not isinstance(schema, dict):
        return schema
    out: dict[str, Any] = {}
    for key, value in schema.items():
        if key in ("description", "examples"):
            continue
        if key == "properties":
            out[key] = {name: _bare(one) for name, one in value.items()}
        elif key in SCHEMAS:
            out[key] = _bare(value)
        elif key in LISTS:
            out[key] = [_bare(one) for one in value]
        else:
            out[key] = value
    return out


def _finite(tree: Any) -> Any:
    """Infinity and NaN, which YAML has and JSON has not, as text."""
    if isinstance(tree, float) and tree - tree != 0:
        return {"$number": repr(tree)}
    if isinstance(tree, dict):
        return {key: _finite(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_finite(value) for value in tree]
    return tree
