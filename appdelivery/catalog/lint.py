"""Findings for definitions and Applications beyond what compiling and checking refuse (`appctl lint`).

Every rule has a code and a level; a finding is a Problem with file and path (or line), located by the caller where only the
path is known.  What needs rendered objects stands in render's `references`.
"""

from __future__ import annotations

from appdelivery.catalog import layouts, lint_templates, sources
from appdelivery.errors import SpecError
from appdelivery.language.text import nodes, yaml_in
from appdelivery.model.problem import Problem, dotted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from appdelivery.catalog.catalog import Catalog
    from appdelivery.model.definition import Definition
    from appdelivery.model.problem import Path

KINDS = layouts.KINDS
RULES = {
    "lint.unused-let": "a let value that nothing reads",
    "lint.unused-parameter": "a parameter that no section reads",
    "lint.unused-type": "a type that no schema refers to",
    "lint.description": "a definition or parameter without a description",
    "lint.default-check": "defaults that break the definition's own checks",
    "lint.pattern-anchor": "a pattern without ^ or $ matches parts of texts",
    "lint.revision-in-pod": "the application's revision in a pod template restarts pods with every release",
    "lint.optional": "a member of an optional parameter, where the parameter may be null",
    "lint.number-condition": "a condition that takes 0 for absent",
    "lint.contract-label": "a label of the engine's contract written by a definition",
    "lint.image-tag": "an image without a tag, or with latest",
}
READ_BY_THE_ENGINE = ("restartOnConfigChange",)


def definitions(catalog: Catalog) -> list[Problem]:
    """Findings for every definition of the catalogue; those that do not compile give their compile problems."""
    found: list[Problem] = []
    for kind in KINDS:
        for name in catalog.names(kind):
            try:
                found += _of(catalog.resolve(kind, name))
            except SpecError as error:
                found += error.problems
    return _located(found)


def file(path: str, data: bytes, catalog: Catalog) -> list[Problem]:
    """Findings for one definition file; `catalog` has it among its sources."""
    try:
        kind, name = sources.head(path)
        return _located(_of(catalog.resolve(kind, name)), {path: data})
    except SpecError as error:
        return list(error.problems)


def application(path: str, trees: Sequence[Any], catalog: Catalog) -> list[Problem]:  # noqa: ARG001 - rules of types
    """Findings for the Applications of a file, beyond what `validate` finds."""
    found: list[Problem] = []
    for index, tree in enumerate(trees):
        if isinstance(tree, dict) and tree.get("kind") == "Application":
            components = (tree.get("spec") or {}).get("components") or ()
            for number, component in enumerate(components):
                if isinstance(component, dict):
                    at: Path = ("spec", "components", number)
                    found += [_image(path, index, p, image) for p, image in _images(component, at) if not _pinned(image)]
    return found


def _images(tree: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """Texts under keys named image, wherever they stand in properties."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            if key == "image" and isinstance(value, str) and value and "${" not in value:
                yield (*path, key), value
            else:
                yield from _images(value, (*path, key))
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            yield from _images(value, (*path, index))


def _pinned(image: str) -> bool:
    tag = image.rpartition("/")[2].partition(":")[2]
    return "@sha256:" in image or tag not in ("", "latest")


def _image(path: str, document: int, at: Path, image: str) -> Problem:
    what = "has the tag latest" if image.endswith(":latest") else "has no tag"
    hint = "name a version; the same document then always runs the same program"
    return _warning("lint.image-tag", f"image {image} {what}", path, at, document=document, hint=hint)


def _warning(code: str, message: str, file: str, path: Path = (), **more: Any) -> Problem:
    assert code in RULES, code
    return Problem(message, code=code, file=file, path=path, level="warning", **more)


def _located(found: list[Problem], texts: dict[str, bytes] | None = None) -> list[Problem]:
    from appdelivery.language.text import source

    files = {p.file for p in found if p.file and not p.line}
    return source.locate(found, {name: sources.read(name) for name in files} | (texts or {}))


# --- rules over one definition ---


def _of(definition: Definition) -> list[Problem]:
    compiled = definition.code.compiled  # type: ignore[attr-defined]  # lint knows that the code is a compiled module
    found = [
        _warning("lint.unused-let", f"nothing reads '{name}'", definition.file, line=line, column=column)
        for name, line, column in compiled.unused
    ]
    root = yaml_in.compose(compiled.files[0][1], definition.file)[0]
    assert isinstance(root, nodes.Mapping)
    texts = "\n".join([text.decode("utf-8", "replace") for _, text in compiled.files])
    found += _descriptions(definition, nodes.to_plain(root))
    found += _unused_types(definition, nodes.to_plain(root), texts)
    if definition.kind != layouts.STEP or any(key.text == "with" for key, _ in root.pairs):
        found += _unused_parameters(definition, texts)  # without `with` the action of a step gets them all
    found += _defaults(definition)
    found += [
        _warning(code, message, definition.file, path, hint=hint)
        for code, message, path, hint in lint_templates.findings(root, definition.parameters)
    ]
    return found


def _descriptions(definition: Definition, tree: dict[str, Any]) -> Iterator[Problem]:
    if not definition.description:
        yield _warning("lint.description", "the definition has no description", definition.file, ("metadata",))
    for path, schema in _schemas(tree.get("parameters"), ("parameters",)):
        if path[-2:-1] == ("properties",) and not _described(schema, tree):
            message = f"parameter '{dotted(_shown(path))}' has no description"
            yield _warning("lint.description", message, definition.file, path, at_key=True)
        if isinstance(pattern := schema.get("pattern"), str) and not (pattern.startswith("^") and pattern.endswith("$")):
            message = f"pattern '{pattern[:60]}' matches any part of the text"
            yield _warning(
                "lint.pattern-anchor", message, definition.file, (*path, "pattern"), hint="begin with ^, end with $"
            )


def _described(schema: dict[str, Any], tree: dict[str, Any]) -> bool:
    """By itself, or by the type it refers to; a type of a shared part counts as described there."""
    if schema.get("description"):
        return True
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    own = (tree.get("types") or {}).get(name)
    return bool(name) and (own is None or bool(own.get("description")))


def _schemas(schema: Any, path: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    if not isinstance(schema, dict):
        return
    yield path, schema
    for name, inner in (schema.get("properties") or {}).items():
        yield from _schemas(inner, (*path, "properties", name))
    for key in ("items", "additionalProperties"):
        yield from _schemas(schema.get(key), (*path, key))
    for key in ("oneOf", "anyOf", "allOf"):
        for index, inner in enumerate(schema.get(key) or ()):
            yield from _schemas(inner, (*path, key, index))


def _shown(path: Path) -> Path:
    return tuple([step for step in path[1:] if step not in ("properties", "items", "additionalProperties")])


def _unused_types(definition: Definition, tree: dict[str, Any], texts: str) -> Iterator[Problem]:
    for name in tree.get("types") or ():
        if f"#/types/{name}" not in texts:
            yield _warning(
                "lint.unused-type", f"no schema refers to '{name}'", definition.file, ("types", name), at_key=True
            )


def _unused_parameters(definition: Definition, texts: str) -> Iterator[Problem]:
    """Top-level names that no expression of the definition or its shared parts mentions."""
    import re

    if re.search(r"\bparameters\b(?!\s*(\.|\[|:|$))", texts, re.MULTILINE):
        return  # handed on as a whole
    for name in definition.parameters.get("properties") or ():
        mentioned = re.search(rf"\bparameters(\.get\(|\.|\[)\s*['\"]?{re.escape(name)}\b", texts)
        if not mentioned and name not in READ_BY_THE_ENGINE:
            path = ("parameters", "properties", name)
            yield _warning("lint.unused-parameter", f"nothing reads parameter '{name}'", definition.file, path, at_key=True)


def _defaults(definition: Definition) -> Iterator[Problem]:
    from appdelivery.catalog import expectations
    from appdelivery.language import schema

    try:
        filled = definition.code.check({})
    except schema.Refusal:
        return  # something is required: there are no properties of defaults alone
    try:
        failed = definition.code.checks(filled, expectations.context(definition, {}))
    except SpecError:
        return  # a check that needs real objects under context.output
    for problem in failed:
        if problem.level == "error" and problem.path:
            message = f"the defaults break a check: {problem.message}"
            yield _warning("lint.default-check", message, definition.file, ("parameters",))
