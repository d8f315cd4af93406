"""Lint rules over the template sections of a definition: what an expression or condition says at its place in the tree."""

from __future__ import annotations

import re

from appdelivery.language.text import nodes
from appdelivery.model import marks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from appdelivery.model.problem import Path

    Node = nodes.Scalar | nodes.Mapping | nodes.Sequence
    Finding = tuple[str, str, Path, str]  # code, message, path, hint

SECTIONS = ("let", "outputs", "patch", "patches", "patchOutputs", "with")
CONTRACT = frozenset((marks.NAME, marks.NAMESPACE, marks.COMPONENT, marks.APP_REVISION, marks.RESOURCE_TYPE))
GUARDS = re.compile(r"\b(default|d)\s*\(|\b(if|and|or)\b|\bis\b")
MEMBER = re.compile(r"\bparameters\.([A-Za-z_]\w*)\.([A-Za-z_]\w*)\b(?!\()")
REVISION = re.compile(r"\bcontext\.appRevision(Num)?\b")
NUMBERS = ("integer", "number")


def findings(root: nodes.Mapping, parameters: Mapping[str, Any]) -> Iterator[Finding]:
    for key, node in root.pairs:
        if key.text in SECTIONS:
            yield from _walk(node, (key.text,), (), parameters)


def _walk(node: Node, path: Path, guards: tuple[str, ...], parameters: Mapping[str, Any]) -> Iterator[Finding]:
    """guards: texts of the conditions around the node."""
    if isinstance(node, nodes.Mapping):
        conditions = [value for key, value in node.pairs if key.text in ("$if", "$for")]
        inner = guards + tuple([value.text for value in conditions if isinstance(value, nodes.Scalar)])
        for key, value in node.pairs:
            at = (*path, key.text)
            if key.text == "$if":
                yield from _condition(value, at, parameters)
            if key.text in CONTRACT and path[-2:] == ("metadata", "labels") and "template" not in path:
                hint = "the engine writes it on every object"
                yield "lint.contract-label", f"label {key.text} is part of the contract", at, hint
            yield from _walk(value, at, inner, parameters)
    elif isinstance(node, nodes.Sequence):
        for index, item in enumerate(node.items):
            yield from _walk(item, (*path, index), guards, parameters)
    elif path[-1] not in ("$if", "$for"):
        yield from _leaf(node.text, path, guards, parameters)


def _condition(node: Node, path: Path, parameters: Mapping[str, Any]) -> Iterator[Finding]:
    text = node.text.strip() if isinstance(node, nodes.Scalar) else ""
    name = text.removeprefix("${{").removesuffix("}}").strip().removeprefix("parameters.")
    schema = (parameters.get("properties") or {}).get(name)
    if "parameters." in text and isinstance(schema, dict) and schema.get("type") in NUMBERS:
        hint = f"write parameters.{name} is not none when 0 counts as given"
        yield "lint.number-condition", f"the condition is false for {name}: 0 as well", path, hint


def _leaf(text: str, path: Path, guards: tuple[str, ...], parameters: Mapping[str, Any]) -> Iterator[Finding]:
    if "${{" not in text:
        return
    if "template" in path and REVISION.search(text):
        yield "lint.revision-in-pod", "the application's revision changes with every release and restarts the pods", path, ""
    if GUARDS.search(text):
        return
    properties, required = parameters.get("properties") or {}, parameters.get("required") or ()
    for found in MEMBER.finditer(text):
        name, schema = found[1], properties.get(found[1])
        optional = isinstance(schema, dict) and name not in required and "default" not in schema
        if optional and not any(f"parameters.{name}" in guard for guard in guards):
            hint = f"put it under $if: parameters.{name}, or add | default(...)"
            yield "lint.optional", f"parameter '{name}' is optional, so its member '{found[2]}' may not exist", path, hint
