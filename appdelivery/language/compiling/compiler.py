"""Compiles one definition file: sections, shared parts, schema, then one Python function per group of sections.

Called by module.compile.  It knows no kind of definition: layouts say which sections a kind has and what they are.
"""

from __future__ import annotations

import ast

from appdelivery import errors
from appdelivery.language import module, problems, schema
from appdelivery.language.compiling import definition_hash, frames, sections, shapes, sizes
from appdelivery.language.expressions import grammar
from appdelivery.language.problems import Span, Wrong
from appdelivery.language.text import nodes, yaml_in
from appdelivery.language.text.nodes import Mapping, Scalar, Sequence
from appdelivery.model import names
from appdelivery.model.record import changed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping as AnyMapping
    from collections.abc import Sequence as AnySequence
    from typing import Any

    from appdelivery.language.compiling.frames import Unit
    from appdelivery.language.module import Compiled, Layout, Section, Shared

    Node = Scalar | Mapping | Sequence
    Pair = tuple[Scalar, Node]

API_VERSION = "appdelivery.dev/v1"
SIZE = 512 << 10
LIMITS = changed(yaml_in.LIMITS, file=SIZE, nodes=20_000)
LETS, INCLUDES = 100, 16
COMMON = ("apiVersion", "kind", "metadata")
SHARED_KIND = "Shared"
ENTRIES = {"outputs": 200, "checks": 100, "let": LETS}


def compiled(
    data: bytes, file: str, *, shared: Shared, layouts: AnyMapping[str, Layout], actions: frozenset[str] | None
) -> Compiled:
    unit = frames.Unit()
    root = _document(data, file, unit)
    found = {key.text: (key, node) for key, node in root.pairs}
    layout = _layout(root, found, layouts, unit)
    _sections(root, found, layout, unit)
    _metadata(root, found, unit)
    parts = _includes(found, shared, unit)
    scope = {"parameters", "context"}.union(*[section.names for section in layout.sections.values()])
    types = _lets_and_types(found, parts, scope, unit)
    _action(found, actions, unit)
    closed = _closed(found, types, unit)
    try:
        functions, arguments = _functions(found, layout, shapes.of(closed), unit)
    except RecursionError:
        raise _too_deep(file) from None
    unit.problems.stop_if_any()
    head = {n: nodes.to_plain(node) for n, (_, node) in found.items() if n in COMMON or layout.sections[n].kind == "plain"}
    return module.Compiled(
        file=file,
        hash=definition_hash.of(head, found, closed, unit.lets, layout),
        head=head,
        parameters=closed,
        reads=frozenset(unit.reads),
        code=_python(functions, file),
        check=builtin_compile(schema.source(closed), f"{file}#schema", "exec", dont_inherit=True),
        arguments=arguments,
        files=tuple(unit.problems.files),
        includes=tuple([name for name, _, _ in parts]),
        unused=tuple([(n, let.key.line, let.key.column) for n, let in unit.lets.items() if let.own and not let.used]),
        deferred=_mentions(closed, "x-deferred"),
        bound=unit.bound,
        defaults=sizes.filled(closed),
        named=_named(found, layout),
    )


builtin_compile = compile


def _document(data: bytes, file: str, unit: Unit) -> Mapping:
    """The one document of a file; what is wrong with it as a whole ends the compile."""
    index = len(unit.problems.files)
    unit.problems.files.append((file, data))
    if len(data) > SIZE:
        raise errors.SpecError([problems.whole_file(file, "yaml.too-large", f"a definition has at most {SIZE:,} bytes")])
    documents = yaml_in.compose(data, file, LIMITS)
    if len(documents) != 1:
        message = f"one definition per file, found {len(documents)} documents"
        raise errors.SpecError([problems.whole_file(file, "definition.section", message)])
    root = documents[0]
    if not isinstance(root, Mapping):
        unit.problems.add(Wrong("definition.section", "a definition is a map of sections"), _span(root, index))
        unit.problems.stop_if_any()
        raise errors.Bug(f"compile {file}: a problem was found and lost")
    return root


def _span(node: Node, file: int = 0, path: tuple[str | int, ...] = ()) -> Span:
    return Span(file, (node.line, node.column), (node.end_line, node.end_column), path)


# --- sections ---


def _layout(root: Mapping, found: dict[str, Pair], layouts: AnyMapping[str, Layout], unit: Unit) -> Layout:
    """Without a known kind nothing else can be said."""
    kind = found.get("kind")
    if kind is None:
        unit.problems.add(Wrong("definition.section", "the section 'kind' is missing"), _span(root))
    elif not isinstance(kind[1], Scalar) or kind[1].value not in layouts:
        shown = kind[1].text if isinstance(kind[1], Scalar) else "..."
        unit.problems.add(problems.unknown("definition.section", "unknown kind", shown, layouts), _span(kind[1]))
    else:
        return layouts[kind[1].value]
    unit.problems.stop_if_any()
    raise errors.Bug("compile: a problem was found and lost")


def _sections(root: Mapping, found: dict[str, Pair], layout: Layout, unit: Unit) -> None:
    known = (*COMMON, *layout.sections)
    for name, (key, node) in list(found.items()):
        if name not in known:
            unit.problems.add(problems.unknown("definition.section", "unknown section", name, known), _span(key))
            del found[name]
        elif name in ENTRIES and len(_entries(node)) > ENTRIES[name]:
            wrong = Wrong("definition.section", f"'{name}' has more than {ENTRIES[name]} entries")
            unit.problems.add(wrong, _span(key))
    version = found.get("apiVersion")
    if version is None or not isinstance(version[1], Scalar) or version[1].value != API_VERSION:
        wrong = Wrong("definition.section", f"apiVersion must be {API_VERSION}")
        unit.problems.add(wrong, _span(version[1] if version else root))
    for group in layout.required:
        if not any(name in found for name in group):
            listed = group[0] if len(group) == 1 else "one of " + ", ".join(group)
            unit.problems.add(Wrong("definition.section", f"the definition needs {listed}"), _span(root))


def _entries(node: Node) -> AnySequence[Any]:
    return node.pairs if isinstance(node, Mapping) else node.items if isinstance(node, Sequence) else ()


def _metadata(root: Mapping, found: dict[str, Pair], unit: Unit) -> None:
    node = found["metadata"][1] if "metadata" in found else None
    if not isinstance(node, Mapping):
        unit.problems.add(Wrong("definition.section", "metadata needs a name"), _span(node or root))
        return
    name = next((value for key, value in node.pairs if key.text == "name"), None)
    if not isinstance(name, Scalar) or not names.is_dns_label(name.value):
        wrong = Wrong("definition.section", "metadata.name must be a DNS label: a-z, 0-9 and '-', at most 63")
        unit.problems.add(wrong, _span(name or node, path=("metadata", "name")))


def _action(found: dict[str, Pair], actions: frozenset[str] | None, unit: Unit) -> None:
    if actions is None or "use" not in found:
        return
    node = found["use"][1]
    name = node.value if isinstance(node, Scalar) else None
    if name not in actions:
        shown = str(name) if isinstance(name, str) else "..."
        unit.problems.add(problems.unknown("definition.action", "unknown action", shown, actions), _span(node))


# --- shared parts, types and let ---


def _includes(found: dict[str, Pair], shared: Shared, unit: Unit) -> list[tuple[str, int, dict[str, Node]]]:
    """Name, file index and sections of every shared part."""
    parts: list[tuple[str, int, dict[str, Node]]] = []
    if "include" not in found:
        return parts
    node = found["include"][1]
    items = node.items if isinstance(node, Sequence) else [node]
    if len(items) > INCLUDES:
        unit.problems.add(Wrong("definition.section", f"at most {INCLUDES} files can be included"), _span(node))
    for item in items[:INCLUDES]:
        name = item.value if isinstance(item, Scalar) else None
        text = shared(name) if isinstance(name, str) else None
        if text is None or not isinstance(name, str):
            shown = item.text if isinstance(item, Scalar) else "..."
            unit.problems.add(Wrong("definition.section", f"no shared part '{shown}'"), _span(item))
        elif any(name == other for other, _, _ in parts):
            unit.problems.add(Wrong("definition.section", f"'{name}' is included twice"), _span(item))
        else:
            parts.append((name, len(unit.problems.files), _part(*text, unit)))
    return parts


def _part(data: bytes, file: str, unit: Unit) -> dict[str, Node]:
    index = len(unit.problems.files)
    root = _document(data, file, unit)
    known = (*COMMON, "types", "let")
    for key, node in root.pairs:
        if key.text == "include":
            unit.problems.add(Wrong("definition.section", "a shared part cannot include others"), _span(key, index))
        elif key.text not in known:
            unit.problems.add(problems.unknown("definition.section", "unknown section", key.text, known), _span(key, index))
        elif key.text == "kind" and (not isinstance(node, Scalar) or node.value != SHARED_KIND):
            unit.problems.add(Wrong("definition.section", f"a shared part has kind: {SHARED_KIND}"), _span(node, index))
    return {key.text: node for key, node in root.pairs}


def _lets_and_types(
    found: dict[str, Pair], parts: list[tuple[str, int, dict[str, Node]]], scope: set[str], unit: Unit
) -> dict[str | int, tuple[int, Node]]:
    """Registers the lets; gives the types with the file they come from.  The definition's own win.

    scope: names that some section has, which a let must not hide.
    """
    types: dict[str | int, tuple[int, Node]] = {}
    origin: dict[tuple[str, str], str] = {}
    own: dict[str, Node] = {name: found[name][1] for name in ("types", "let") if name in found}
    sources: list[tuple[str, int, dict[str, Node]]] = [*parts, ("", 0, own)]
    for name, file, given in sources:
        for section in ("types", "let"):
            if section not in given:
                continue
            node = given[section]
            if not isinstance(node, Mapping):
                unit.problems.add(Wrong("definition.section", f"'{section}' is a map of names"), _span(node, file))
                continue
            for order, (key, value) in enumerate(node.pairs):
                before = origin.get((section, key.text))
                if name and before:
                    wrong = Wrong("definition.section", f"'{key.text}' of {section} is in '{before}' and in '{name}'")
                    unit.problems.add(wrong, _span(key, file))
                origin[section, key.text] = name
                if section == "types":
                    types[key.text] = file, value
                elif key.text in scope:
                    wrong = Wrong("expression.name", f"the name '{key.text}' is taken already")
                    unit.problems.add(wrong, _span(key, file))
                else:
                    _let(frames.Let(key, value, file=file, order=order, own=file == 0), unit)
    return types


def _let(let: frames.Let, unit: Unit) -> None:
    name = let.key.text
    if not (name.isascii() and name.isidentifier()) or name in grammar.WORDS:
        wrong = Wrong("expression.name", f"'{name}' cannot be a name in expressions: use letters, digits and _")
        unit.problems.add(wrong, _span(let.key, let.file, ("let", name)))
    else:
        unit.lets[name] = let


# --- schema ---


def _closed(
    found: dict[str, Pair],
    types: dict[str | int, tuple[int, Node]],
    unit: Unit,
) -> dict[str, Any]:
    node = found["parameters"][1] if "parameters" in found else None
    given = nodes.to_plain(node) if node is not None else {"properties": {}}
    if not isinstance(given, dict):
        assert node is not None
        unit.problems.add(Wrong("definition.schema", "parameters is a JSON Schema: a map"), _span(node))
        return {}
    try:
        return schema.close(given, {str(name): nodes.to_plain(value) for name, (_, value) in types.items()})
    except schema.SchemaRefused as refused:
        for finding in refused.findings:
            file, start, path = 0, node, finding.path[1:]
            if finding.path[0] == "types" and path and path[0] in types:
                file, start = types[path[0]]
                path = path[1:]
            place = _place(start, path, at_key=finding.at_key) or found.get("parameters", found["kind"])[1]
            unit.problems.add(Wrong(finding.code, finding.message, finding.hint), _span(place, file, finding.path))
    return {}


def _place(node: Node | None, path: tuple[str | int, ...], *, at_key: bool) -> Node | None:
    """The node at a path, or the last one on the way to it."""
    key: Node | None = None
    for step in path:
        if isinstance(node, Mapping):
            pair = next((p for p in node.pairs if p[0].text == step), None)
            if pair is None:
                return node
            key, node = pair
        elif isinstance(node, Sequence) and isinstance(step, int) and step < len(node.items):
            key, node = None, node.items[step]
        else:
            return node
    return key if at_key and key is not None else node


def _named(found: dict[str, Pair], layout: Layout) -> tuple[str, ...]:
    """Names of the values that the section `outputs` gives; () where it makes objects."""
    if "outputs" not in found or layout.sections["outputs"].mode != "live":
        return ()
    node = found["outputs"][1]
    return tuple([key.text for key, _ in node.pairs]) if isinstance(node, Mapping) else ()


def _mentions(tree: Any, keyword: str) -> bool:
    if isinstance(tree, dict):
        return keyword in tree or any(_mentions(value, keyword) for value in tree.values())
    return isinstance(tree, list) and any(_mentions(value, keyword) for value in tree)


# --- functions ---


def _functions(
    found: dict[str, Pair], layout: Layout, parameters: Any, unit: Unit
) -> tuple[list[Any], dict[str, tuple[str, ...]]]:
    groups: dict[str, list[str]] = {}
    for name in found:
        if name not in COMMON and (group := _group(name, layout.sections[name])):
            groups.setdefault(group, []).append(name)
    functions = []
    arguments = {}
    for group, members in groups.items():
        extra = tuple(dict.fromkeys([n for member in members for n in layout.sections[member].names]))
        pieces = {name: (*found[name], layout.sections[name]) for name in members}
        functions.append(sections.function(group, pieces, extra, parameters, unit))
        arguments[group] = extra
    return functions, arguments


def _group(name: str, section: Section) -> str:
    """The function a section belongs to; '' when it is no template."""
    if section.kind in ("plain", "schema", "types", "let", "include"):
        return ""
    if name in module.RENDER:
        return "render" if section.mode == "strict" else "values"
    return "arguments" if name == "with" else name


def _python(functions: list[Any], file: str) -> Any:
    tree = ast.Module(functions, [])
    try:
        return builtin_compile(tree, file, "exec", dont_inherit=True, optimize=2)
    except RecursionError:
        raise _too_deep(file) from None


def _too_deep(file: str) -> errors.SpecError:
    message = "the definition is nested too deeply to be compiled"
    return errors.SpecError([problems.whole_file(file, "expression.limit", message)])
