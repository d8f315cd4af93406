"""From the template sections of a definition to one generated function each; the render sections share one."""

from __future__ import annotations

from appdelivery.language import module, problems, runtime
from appdelivery.language.compiling import checks, frames, shapes, sizes, template
from appdelivery.language.compiling.frames import Spot
from appdelivery.language.expressions import grammar, leaves
from appdelivery.language.patch import checking
from appdelivery.language.problems import Wrong
from appdelivery.language.text.nodes import Mapping, Scalar, Sequence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from appdelivery.language.compiling.frames import Frame, Unit
    from appdelivery.language.compiling.shapes import Shape
    from appdelivery.language.module import Section

    Node = Scalar | Mapping | Sequence
    Piece = tuple[Scalar, Node, Section]

HEALTH = ("failed", "suspended", "healthy", "message")
PATCHES = ("type", "patch")
PATCH_TYPES = ("strategic", "merge", "json")


def function(group: str, pieces: dict[str, Piece], extra: tuple[str, ...], parameters: Any, unit: Unit) -> Any:
    """The function of one group: def group(b, parameters, context, *extra)."""
    frame = _frame(pieces, extra, parameters, unit)
    body: list[Any] = []
    if group == "render":
        value = frame.writer.tuple([_section(name, pieces, frame, body) for name in module.RENDER])
    else:
        value = _section(next(iter(pieces)), pieces, frame, body)
    if group == "render":
        frame.size.nodes = frame.weight
        unit.bound = sizes.total(frame.size, frame.sizes)
    body.append(frame.writer.returns(value))
    return frame.writer.function(group, ("b", "parameters", "context", *extra), frame.prelude + body)


def _frame(pieces: dict[str, Piece], extra: tuple[str, ...], parameters: Any, unit: Unit) -> Frame:
    sections = [section for _, _, section in pieces.values()]
    context: frozenset[str] = frozenset().union(*[section.context for section in sections])
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
    frame.writer.at(frame.span(key))
    found = SECTIONS.get(section.kind, _tree)(key, node, Spot(frame, frame.top, body, (name,)))
    frame.patch = False
    return found


def _tree(_: Scalar, node: Node, spot: Spot) -> Any:
    if spot.frame.patch:
        checking.report(node, spot)
    return template.tree(node, spot)[0]


def _map(key: Scalar, node: Node, spot: Spot) -> Any:
    """A map of names: outputs of a component, values of a step, patches by output."""
    if not isinstance(node, Mapping):
        return _instead(f"'{key.text}' is a map of names", node, spot)
    objects = key.text == "outputs" and not spot.frame.live
    if objects:
        _objects(node, spot)
    if spot.frame.patch:
        checking.report(node, spot)
    value, shape = template.tree(node, spot)
    spot.at(key)
    return spot.w.call("things", value) if objects and not _objects_only(shape) else value


def _objects_only(shape: Shape) -> bool:
    """Whether every output surely is an object that says what it is, so that nothing is left to be looked at."""
    if shape.kinds != shapes.MAP or shape.rest is not shapes.CLOSED or len(shape.fields) > runtime.OUTPUTS:
        return False
    outputs = [one for alternatives in shape.fields.values() for one in alternatives]
    return all(isinstance(one, shapes.Shape) and shapes.written(one, "apiVersion", "kind") for one in outputs)


def _instead(message: str, node: Node, spot: Spot) -> Any:
    spot.report(Wrong("definition.section", message), node)
    return spot.w.constant(None)


def _objects(node: Mapping, spot: Spot) -> None:
    """An output says its apiVersion and kind; seen here wherever it is written out."""
    for key, output in node.pairs:
        if key.text.startswith("$") and not grammar.live(key.text):
            continue
        if isinstance(output, Mapping):
            names = [k.text for k, _ in output.pairs]
            open_ended = any(n in ("$value", "$spread") or grammar.live(n) for n in names)
            for name in ("apiVersion", "kind"):
                if name not in names and not open_ended:
                    wrong = Wrong("definition.section", f"output '{key.text}' has no '{name}'")
                    spot.under(key.text).report(wrong, key)
        elif not (isinstance(output, Scalar) and type(output.value) is str and grammar.live(output.value)):
            spot.report(Wrong("definition.section", f"output '{key.text}' is not an object"), output)


def _patches(_: Scalar, node: Node, spot: Spot) -> Any:
    if not isinstance(node, (Sequence, Scalar)):
        return _instead("'patches' is a list of {type, patch}", node, spot)
    for index, item in enumerate(node.items if isinstance(node, Sequence) else ()):
        if isinstance(item, Mapping):
            _patch(item, spot.under(index))
    return template.tree(node, spot)[0]


def _patch(item: Mapping, spot: Spot) -> None:
    given = {key.text: value for key, value in item.pairs}
    for key, _ in item.pairs:
        if key.text not in (*PATCHES, *template.DIRECTIVES):
            spot.report(problems.unknown("definition.section", "unknown key", key.text, PATCHES), key)
    kind = given.get("type")
    text = kind.text if isinstance(kind, Scalar) else PATCH_TYPES[0]
    if text not in PATCH_TYPES and not grammar.live(text) and kind is not None:
        spot.report(problems.unknown("definition.section", "unknown type of patch", text, PATCH_TYPES), kind)
    if "patch" in given and text == PATCH_TYPES[0]:
        checking.report(given["patch"], spot.under("patch"))


def _health(_: Scalar, node: Node, spot: Spot) -> Any:
    w = spot.w
    if isinstance(node, Scalar):
        return w.map([w.constant("healthy")], [w.call("flag", leaves.leaf(node, spot)[0])])
    if not isinstance(node, Mapping):
        return _instead("health is an expression or a map of them", node, spot)
    keys, values = [], []
    for part, one in checks.known(node, HEALTH, spot).items():
        value = template.tree(one, spot.under(part))[0]
        keys.append(w.constant(part))
        values.append(w.call("note" if part == "message" else "flag", value))
    return w.map(keys, values)


def _text(key: Scalar, node: Node, spot: Spot) -> Any:
    if not isinstance(node, Scalar):
        return _instead(f"'{key.text}' is one text", node, spot)
    return spot.w.call("line", leaves.leaf(node, spot)[0])


def _texts(key: Scalar, node: Node, spot: Spot) -> Any:
    if not isinstance(node, Mapping):
        return _instead(f"'{key.text}' is a map of texts", node, spot)
    value, _ = template.tree(node, spot)
    spot.at(key)
    return spot.w.call("lines", value)


SECTIONS = {
    "map": _map,
    "tree": _tree,
    "patch": _tree,
    "patches": _patches,
    "checks": checks.section,
    "health": _health,
    "text": _text,
    "texts": _texts,
}
