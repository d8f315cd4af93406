"""From the template sections of a definition to one generated function each; the render sections share one."""

from __future__ import annotations

from appdelivery.language import expressions, frames, grammar, leaves, module, patch_check, problems, shapes, template
from appdelivery.language.nodes import Mapping, Scalar, Sequence
from appdelivery.language.problems import Wrong

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from appdelivery.language.frames import Frame, Scope, Unit
    from appdelivery.language.module import Section
    from appdelivery.model.problem import Path

    Node = Scalar | Mapping | Sequence
    Piece = tuple[Scalar, Node, Section]

HEALTH = ("failed", "suspended", "healthy", "message")
CHECK = ("must", "at", "message", "level")
LEVELS = ("error", "warning")


def function(group: str, pieces: dict[str, Piece], extra: tuple[str, ...], parameters: Any, unit: Unit) -> Any:
    """The function of one group: def group(b, parameters, context, *extra)."""
    frame = _frame(pieces, extra, parameters, unit)
    body: list[Any] = []
    w = frame.writer
    if group == "render":
        results = [_section(name, pieces, frame, body) for name in module.RENDER]
        value = w.tuple(results)
    else:
        name = next(iter(pieces))
        value = _section(name, pieces, frame, body)
    body.append(w.returns(value))
    return w.function(group, ("b", "parameters", "context", *extra), frame.prelude + body)


def _frame(pieces: dict[str, Piece], extra: tuple[str, ...], parameters: Any, unit: Unit) -> Frame:
    sections = [section for _, _, section in pieces.values()]
    context = frozenset().union(*[section.context for section in sections])
    scope: dict[str, tuple[str, Any]] = {
        "parameters": ("parameters", parameters),
        "context": ("context", frames.context_shape(context)),
    }
    scope |= {name: (name, shapes.ANY) for name in extra}
    frame = frames.Frame(unit, scope, live=sections[0].mode == "live")
    frame.compile_let = template.let
    return frame


def _section(name: str, pieces: dict[str, Piece], frame: Frame, body: list[Any]) -> Any:
    if name not in pieces:
        return frame.writer.constant(None)
    key, node, section = pieces[name]
    frame.patch = section.kind in ("patch", "patches") or name.startswith("patch")
    frame.dashes = section.kind in ("text", "texts")
    handler = SECTIONS.get(section.kind, _tree)
    frame.writer.at(frame.span(key))
    found = handler(name, key, node, frame, body)
    frame.patch = False
    return found


def _tree(name: str, key: Scalar, node: Node, frame: Frame, body: list[Any]) -> Any:
    if frame.patch:
        patch_check.report(node, frame, (name,))
    return template.tree(node, frame, frame.top, body, (name,))[0]


def _map(name: str, key: Scalar, node: Node, frame: Frame, body: list[Any]) -> Any:
    """A map of names: outputs of a component, values of a step, patches by output."""
    if not isinstance(node, Mapping):
        frame.report(Wrong("definition.section", f"'{name}' is a map of names"), frame.span(node))
        return frame.writer.constant(None)
    objects = name == "outputs" and not frame.live
    if objects:
        _objects(node, frame)
    if frame.patch:
        patch_check.report(node, frame, (name,))
    value, _ = template.tree(node, frame, frame.top, body, (name,))
    frame.writer.at(frame.span(key))
    return frame.writer.call("things", value) if objects else value


def _objects(node: Mapping, frame: Frame) -> None:
    """An output says its apiVersion and kind; seen here wherever it is written out."""
    for key, output in node.pairs:
        if key.text.startswith("$") and not grammar.live(key.text):
            continue
        if isinstance(output, Scalar) and not (type(output.value) is str and grammar.live(output.value)):
            wrong = Wrong("definition.section", f"output '{key.text}' is not an object")
            frame.report(wrong, frame.span(output))
        if not isinstance(output, Mapping):
            continue
        names = [k.text for k, _ in output.pairs]
        if any(n in ("$value", "$spread") or n.startswith("${{") for n in names):
            continue
        for name in ("apiVersion", "kind"):
            if name not in names:
                wrong = Wrong("definition.section", f"output '{key.text}' has no '{name}'")
                frame.report(wrong, frame.span(key, ("outputs", key.text)))


def _patches(name: str, key: Scalar, node: Node, frame: Frame, body: list[Any]) -> Any:
    if isinstance(node, Sequence):
        for index, item in enumerate(node.items):
            if isinstance(item, Mapping):
                known = ("type", "patch", *template.DIRECTIVES)
                for entry, value in item.pairs:
                    if entry.text not in known:
                        wrong = problems.unknown("definition.section", "unknown key", entry.text, ("type", "patch"))
                        frame.report(wrong, frame.span(entry, (name, index)))
                    if entry.text == "patch":
                        patch_check.report(value, frame, (name, index, "patch"))
    return template.tree(node, frame, frame.top, body, (name,))[0]


# --- checks ---


def _checks(name: str, key: Scalar, node: Node, frame: Frame, body: list[Any]) -> Any:
    w = frame.writer
    failed = w.fresh()
    body.append(w.assign(failed, w.list([])))
    for index, item in enumerate(node.items if isinstance(node, Sequence) else [node]):
        path = (name, index)
        if not isinstance(item, Mapping):
            frame.report(Wrong("definition.section", "a check is a map with must and message"), frame.span(item, path))
            continue
        found = _known(item, CHECK, frame, path)
        missing = [one for one in ("must", "message") if one not in found]
        if missing:
            frame.report(Wrong("definition.section", f"the check needs '{missing[0]}'"), frame.span(item, path))
            continue
        _check(found, failed, frame, body, path)
    return w.name(failed)


def _known(node: Mapping, known: tuple[str, ...], frame: Frame, path: Path) -> dict[str, Node]:
    found = {}
    for key, value in node.pairs:
        if key.text in known:
            found[key.text] = value
        else:
            wrong = problems.unknown("definition.section", "unknown key", key.text, known)
            frame.report(wrong, frame.span(key, (*path, key.text)))
    return found


def _check(found: dict[str, Node], failed: str, frame: Frame, body: list[Any], path: Path) -> None:
    w = frame.writer
    must, _ = leaves.bare(found["must"], frame, frame.top, (*path, "must"))
    then: list[Any] = []
    message = found["message"]
    if not isinstance(message, Scalar):
        frame.report(Wrong("definition.section", "the message of a check is a text"), frame.span(message, path))
        return
    text, _ = leaves.leaf(message, frame, frame.top, then, (*path, "message"))
    text = w.call("line", text)
    row = w.tuple([w.constant(_at(found.get("at"), frame, path)), text, w.constant(_level(found, frame, path))])
    then.append(w.do(w.call("append", w.name(failed), row)))
    w.at(frame.span(found["must"], path))
    body.append(w.when(w.negation(must), then))


def _at(node: Node | None, frame: Frame, path: Path) -> Path:
    """`at: ports[0].port` as a path of the properties."""
    if node is None:
        return ()
    text = node.text if isinstance(node, Scalar) else ""
    steps: list[str | int] = []
    for part in text.split("."):
        name, *indexes = part.replace("]", "").split("[")
        steps += [name] if name else []
        if not all(index.isdigit() for index in indexes) or not (name or indexes):
            frame.report(Wrong("definition.section", f"at: '{text}' is not a path such as a.b[0]"), frame.span(node, path))
            return ()
        steps += [int(index) for index in indexes]
    return tuple(steps)


def _level(found: dict[str, Node], frame: Frame, path: Path) -> str:
    node = found.get("level")
    if node is None:
        return LEVELS[0]
    if not isinstance(node, Scalar) or node.value not in LEVELS:
        shown = node.text if isinstance(node, Scalar) else "..."
        frame.report(problems.unknown("definition.section", "unknown level", shown, LEVELS), frame.span(node, path))
    return node.text if isinstance(node, Scalar) else LEVELS[0]


# --- health, status, details ---


def _health(name: str, key: Scalar, node: Node, frame: Frame, body: list[Any]) -> Any:
    w = frame.writer
    if isinstance(node, Scalar):
        value, _ = leaves.leaf(node, frame, frame.top, body, (name,))
        return w.map([w.constant("healthy")], [w.call("flag", value)])
    if not isinstance(node, Mapping):
        frame.report(Wrong("definition.section", "health is an expression or a map of them"), frame.span(node, (name,)))
        return w.constant(None)
    keys, values = [], []
    for part, one in _known(node, HEALTH, frame, (name,)).items():
        value, _ = template.tree(one, frame, frame.top, body, (name, part))
        keys.append(w.constant(part))
        values.append(w.call("note" if part == "message" else "flag", value))
    return w.map(keys, values)


def _text(name: str, key: Scalar, node: Node, frame: Frame, body: list[Any]) -> Any:
    if not isinstance(node, Scalar):
        frame.report(Wrong("definition.section", f"'{name}' is one text"), frame.span(node, (name,)))
        return frame.writer.constant(None)
    value, _ = leaves.leaf(node, frame, frame.top, body, (name,))
    return frame.writer.call("line", value)


def _texts(name: str, key: Scalar, node: Node, frame: Frame, body: list[Any]) -> Any:
    if not isinstance(node, Mapping):
        frame.report(Wrong("definition.section", f"'{name}' is a map of texts"), frame.span(node, (name,)))
        return frame.writer.constant(None)
    value, _ = template.tree(node, frame, frame.top, body, (name,))
    frame.writer.at(frame.span(key))
    return frame.writer.call("lines", value)


SECTIONS = {
    "map": _map,
    "tree": _tree,
    "patch": _tree,
    "patches": _patches,
    "checks": _checks,
    "health": _health,
    "text": _text,
    "texts": _texts,
}
__all__ = ["expressions", "function", "grammar"]
