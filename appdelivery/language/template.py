"""Trees: maps and lists with the structure keys `$if $else $for $value $spread`, from nodes to Python statements.

`tree` gives the Python expression of a node's value and its shape; statements that must run before go to `out`.  An
expression that is null leaves its entry out, so a container is written as one display until the first value that may
be null, and filled entry by entry from there.
"""

from __future__ import annotations

from appdelivery.language import leaves, problems, shapes
from appdelivery.language.leaves import LITERAL_NULL
from appdelivery.language.nodes import Mapping, Scalar, Sequence
from appdelivery.language.problems import Wrong

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from appdelivery.language.frames import Frame, Let, Scope
    from appdelivery.language.shapes import Shape
    from appdelivery.model.problem import Path

    Node = Scalar | Mapping | Sequence
    Value = tuple[Any, Shape]
    Pair = tuple[Scalar, Node]

DIRECTIVES = ("$if", "$else", "$for", "$value", "$spread")
IN_PATCHES = ("$patch", "$retainKeys", "$key")


def tree(node: Node, frame: Frame, scope: Scope, out: list[Any], path: Path = ()) -> Value:
    """Value of a node; null means: leave it out (a literal null has the shape LITERAL_NULL and stays)."""
    if isinstance(node, Scalar):
        return leaves.leaf(node, frame, scope, out, path)
    if isinstance(node, Sequence):
        return _sequence(node, frame, scope, out, path)
    directives, pairs = split(node, frame, path)
    if "$for" in directives:
        return _map_loop(node, directives, pairs, frame, scope, out, path)
    if "$if" in directives:
        return _conditional(node, directives, pairs, frame, scope, out, path)
    return _body(node, directives, pairs, frame, scope, out, path)


def let(frame: Frame, found: Let, out: list[Any]) -> Value:
    """What frames.Frame.let compiles."""
    return tree(found.node, frame, frame.top, out, ("let", found.key.text))


def split(node: Mapping, frame: Frame, path: Path) -> tuple[dict[str, Pair], list[Pair]]:
    """Directives by name, and the other entries; `$spread` stays among them because its place counts."""
    directives: dict[str, Pair] = {}
    pairs: list[Pair] = []
    for pair in node.pairs:
        name = pair[0].text
        if not name.startswith("$") or name.startswith(("$$", "${{", "${%")) or name == "$spread":
            pairs.append(pair)
        elif name in DIRECTIVES:
            directives[name] = pair
        elif frame.patch and name in IN_PATCHES:
            pairs.append(pair)
        else:
            known = (*DIRECTIVES, *IN_PATCHES) if frame.patch else DIRECTIVES
            wrong = problems.unknown("template.directive", "unknown directive", name, known)
            wrong.hint = f"a key that begins with $ is written '${name}'" if name not in IN_PATCHES else "only in patches"
            frame.report(wrong, frame.span(pair[0], path))
    _consistent(directives, pairs, frame, path)
    return directives, pairs


def _consistent(directives: dict[str, Pair], pairs: list[Pair], frame: Frame, path: Path) -> None:
    if "$else" in directives and "$if" not in directives:
        _directive("'$else' without '$if'", directives["$else"][0], frame, path)
    if "$else" in directives and "$for" in directives:
        _directive("'$else' cannot stand beside '$for', where '$if' is a filter", directives["$else"][0], frame, path)
    if "$value" in directives:
        if "$if" not in directives and "$for" not in directives:
            _directive("'$value' without '$if' or '$for'", directives["$value"][0], frame, path)
        if pairs:
            message = f"'{pairs[0][0].text}' beside '$value': the value is one or the other"
            _directive(message, pairs[0][0], frame, path)


def _directive(message: str, key: Scalar, frame: Frame, path: Path) -> None:
    frame.report(Wrong("template.directive", message), frame.span(key, path))


# --- conditions and loops ---


def _conditional(
    node: Mapping,
    directives: dict[str, Pair],
    pairs: list[Pair],
    frame: Frame,
    scope: Scope,
    out: list[Any],
    path: Path,
) -> Value:
    w = frame.writer
    key, condition = directives["$if"]
    test, _ = leaves.bare(condition, frame, scope, (*path, "$if"))
    result = w.fresh()
    yes: list[Any] = []
    no: list[Any] = []
    taken, shape = _body(node, directives, pairs, frame, scope, yes, path)
    other, other_shape = w.constant(None), shapes.NULL
    if "$else" in directives:
        other, other_shape = tree(directives["$else"][1], frame, scope, no, (*path, "$else"))
    w.at(frame.span(key, path))
    yes.append(w.assign(result, taken))
    no.append(w.assign(result, other))
    out.append(w.when(test, yes, no))
    return w.name(result), shapes.either(shape, other_shape)


def _body(
    node: Mapping,
    directives: dict[str, Pair],
    pairs: list[Pair],
    frame: Frame,
    scope: Scope,
    out: list[Any],
    path: Path,
) -> Value:
    if "$value" in directives:
        return tree(directives["$value"][1], frame, scope, out, (*path, "$value"))
    return _map(node, pairs, frame, scope, out, path)


def _map_loop(
    node: Mapping,
    directives: dict[str, Pair],
    pairs: list[Pair],
    frame: Frame,
    scope: Scope,
    out: list[Any],
    path: Path,
) -> Value:
    """`$for` in a map: every turn yields entries of it."""
    key = directives["$for"][0]
    constant = [k for k, _ in pairs if k.text != "$spread" and "${{" not in k.text]
    if constant and len(constant) == len(pairs):
        message = f"every turn writes the same key '{constant[0].text}'; did you mean a list item?"
        frame.report(Wrong("template.for-key", message), frame.span(key, path))
    w = frame.writer
    filled, used = w.fresh(), w.fresh()
    w.at(frame.span(node, path))
    out += [w.assign(filled, w.map([], [])), w.assign(used, w.call("names"))]

    def turn(inner: Scope, body: list[Any]) -> Shape:
        if "$value" in directives:
            value, shape = _body(node, directives, pairs, frame, inner, body, path)
            body.append(w.do(w.call("spread", w.name("b"), w.name(filled), value)))
            return shape
        return _Filling(node, frame, filled, used).entries(pairs, inner, body, path)

    shape = _loop(directives, frame, scope, out, path, turn)
    return w.either(w.name(filled), w.constant(None)), shapes.optional(shapes.open_map(shapes.entries(shape)))


def _loop(directives: dict[str, Pair], frame: Frame, scope: Scope, out: list[Any], path: Path, turn: Any) -> Any:
    """A `$for` with its filter `$if`; turn compiles the body into a list of statements."""
    _, source = directives["$for"]
    span = frame.span(source, (*path, "$for"))
    body: list[Any] = []
    text = source.value if isinstance(source, Scalar) else None
    try:
        given = leaves.grammar.bare(text) if type(text) is str else ""
    except Wrong as wrong:
        leaves.failed(wrong, span, frame)
        given = "x in []"
    loop = leaves.Loop(given, span, frame, scope, body)
    if "$if" in directives:
        w = frame.writer
        test, _ = leaves.bare(directives["$if"][1], frame, loop.scope, (*path, "$if"))
        body.append(w.when(w.negation(test), [w.skip_turn()]))
    found = turn(loop.scope, body)
    out.append(loop.finished(body))
    return found


# --- maps ---


def _map(node: Mapping, pairs: list[Pair], frame: Frame, scope: Scope, out: list[Any], path: Path) -> Value:
    """A map written out, with `$spread` among its entries."""
    filling = _Filling(node, frame)
    shape = filling.entries(pairs, scope, out, path)
    value = filling.value(out)
    if pairs and all([key.text == "$spread" for key, _ in pairs]):  # nothing fixed in it: empty is left out
        return frame.writer.either(value, frame.writer.constant(None)), shapes.optional(shape)
    return value, shape


class _Filling:
    """A map on its way: a display at first, then a variable that takes entries one by one."""

    def __init__(self, node: Mapping, frame: Frame, variable: str = "", used: str = "") -> None:
        self.node = node
        self.frame = frame
        self.variable = variable
        self.used = used  # variable with the keys written so far, where keys are computed
        self.keys: list[Any] = []
        self.values: list[Any] = []
        self.fields: dict[str, tuple[Any, ...]] = {}
        self.present: set[str] = set()
        self.rest: Any = shapes.CLOSED
        frame.weight += 4

    def entries(self, pairs: list[Pair], scope: Scope, out: list[Any], path: Path) -> Shape:
        for key, node in pairs:
            if key.text == "$spread":
                self._spread(key, node, scope, out, path)
            elif leaves.grammar.live(key.text):
                self._computed(key, node, pairs, scope, out, path)
            else:
                self._fixed(key, node, scope, out, path)
        return shapes.map_of(self.fields, self.present, self.rest)

    def value(self, out: list[Any]) -> Any:
        w = self.frame.writer
        w.at(self.frame.span(self.node))
        return w.name(self.variable) if self.variable else w.map(self.keys, self.values)

    def _open(self, out: list[Any]) -> str:
        if not self.variable:
            w = self.frame.writer
            self.variable = w.fresh()
            out.append(w.assign(self.variable, w.map(self.keys, self.values)))
        return self.variable

    def _fixed(self, key: Scalar, node: Node, scope: Scope, out: list[Any], path: Path) -> None:
        w = self.frame.writer
        name = key.text[1:] if key.text.startswith("$$") else key.text
        value, shape = tree(node, self.frame, scope, out, (*path, name))
        maybe = shape.null and shape is not LITERAL_NULL
        before = self.fields.get(name, ()) if maybe else ()
        self.fields[name] = (*before, shapes.given(shape) if maybe else shape)
        if not maybe:
            self.present.add(name)
        if not self.variable and not maybe:
            self.keys.append(w.constant(name))
            self.values.append(value)
            return
        variable = self._open(out)
        if not maybe:
            out.append(w.store(variable, w.constant(name), value))
            return
        kept = w.fresh()
        store = w.store(variable, w.constant(name), w.name(kept))
        out.append(w.when(w.is_given(w.keep(kept, value)), [store]))

    def _computed(self, key: Scalar, node: Node, pairs: list[Pair], scope: Scope, out: list[Any], path: Path) -> None:
        w = self.frame.writer
        variable = self._open(out)
        if not self.used:
            self.used = w.fresh()
            fixed = [w.constant(k.text) for k, _ in pairs if not k.text.startswith("$") and "${{" not in k.text]
            out.append(w.assign(self.used, w.call("names", *fixed)))
        name, key_shape = leaves.leaf(key, self.frame, scope, out, path)
        if key_shape.kinds and not key_shape.may_be("string"):
            wrong = Wrong("expression.forbidden", f"a key is a string, not {shapes.kind_word(key_shape)}")
            self.frame.report(wrong, self.frame.span(key, path))
        value, shape = tree(node, self.frame, scope, out, (*path, key.text))
        w.at(self.frame.span(key, path))
        keep = w.constant(shape is LITERAL_NULL)
        out.append(w.do(w.call("put", w.name(variable), w.name(self.used), name, value, keep)))
        self._mix(shapes.given(shape))

    def _spread(self, key: Scalar, node: Node, scope: Scope, out: list[Any], path: Path) -> None:
        w = self.frame.writer
        value, shape = tree(node, self.frame, scope, out, (*path, "$spread"))
        if shape.kinds and not shape.kinds & {"map", "list"}:
            wrong = Wrong("template.directive", f"$spread merges maps, not {shapes.kind_word(shape)}")
            self.frame.report(wrong, self.frame.span(key, path))
        variable = self._open(out)
        w.at(self.frame.span(node, path))
        out.append(w.do(w.call("spread", w.name("b"), w.name(variable), value)))
        if shape.kinds != shapes.MAP:
            self._mix(shapes.ANY)
            return
        merged = shapes.either(shapes.map_of(self.fields, (), self.rest), shapes.given(shape))
        self.fields, self.rest = dict(merged.fields), merged.rest
        self.present = self.present if shape.null else self.present | shape.present

    def _mix(self, value: Shape) -> None:
        """Entries of unknown names were added."""
        self.rest = value if self.rest is shapes.CLOSED else shapes.either(self.rest, value)
        self.fields = {name: (*known, value) for name, known in self.fields.items()}


# --- lists ---


def _sequence(node: Sequence, frame: Frame, scope: Scope, out: list[Any], path: Path) -> Value:
    """A list written out; items may repeat, be left out, or be spliced."""
    w = frame.writer
    frame.weight += 2
    items: list[Any] = []
    variable = ""
    shape = shapes.NEVER
    only_directives = bool(node.items)
    for index, item in enumerate(node.items):
        here = (*path, index)
        names = [key.text for key, _ in item.pairs] if isinstance(item, Mapping) else []
        only_directives = only_directives and any([n in ("$if", "$for", "$spread") for n in names])
        if names == ["$spread"] or "$for" in names:
            assert isinstance(item, Mapping)
            variable = variable or _opened(node, items, frame, out)
            repeated = _splice if names == ["$spread"] else _list_loop
            shape = shapes.either(shape, repeated(item, variable, frame, scope, out, here))
            continue
        value, one = tree(item, frame, scope, out, here)
        shape = shapes.either(shape, one if one is LITERAL_NULL else shapes.given(one))
        if not variable and (not one.null or one is LITERAL_NULL):
            items.append(value)
            continue
        variable = variable or _opened(node, items, frame, out)
        _append(variable, value, one, frame, out)
    w.at(frame.span(node, path))
    value = w.name(variable) if variable else w.list(items)
    if only_directives:
        return w.either(value, w.constant(None)), shapes.optional(shapes.list_of(shape))
    return value, shapes.list_of(shape)


def _opened(node: Sequence, items: list[Any], frame: Frame, out: list[Any]) -> str:
    variable = frame.writer.fresh()
    out.append(frame.writer.assign(variable, frame.writer.list(items)))
    return variable


def _append(variable: str, value: Any, shape: Shape, frame: Frame, out: list[Any]) -> None:
    w = frame.writer
    if not shape.null or shape is LITERAL_NULL:
        out.append(w.do(w.call("append", w.name(variable), value)))
        return
    kept = w.fresh()
    call = w.do(w.call("append", w.name(variable), w.name(kept)))
    out.append(w.when(w.is_given(w.keep(kept, value)), [call]))


def _splice(item: Mapping, variable: str, frame: Frame, scope: Scope, out: list[Any], path: Path) -> Shape:
    """`- $spread: list`"""
    key, node = item.pairs[0]
    value, shape = tree(node, frame, scope, out, (*path, "$spread"))
    w = frame.writer
    if shape.kinds and "list" not in shape.kinds:
        wrong = Wrong("template.directive", f"$spread as a list item needs a list, not {shapes.kind_word(shape)}")
        frame.report(wrong, frame.span(key, path))
    w.at(frame.span(node, path))
    out.append(w.do(w.call("splice", w.name("b"), w.name(variable), value)))
    return shapes.element(shape) if shape.kinds == shapes.LIST else shapes.ANY


def _list_loop(item: Mapping, variable: str, frame: Frame, scope: Scope, out: list[Any], path: Path) -> Shape:
    """`- $for: ...`: the item once a turn."""
    directives, pairs = split(item, frame, path)

    def turn(inner: Scope, body: list[Any]) -> Shape:
        value, shape = _body(item, directives, pairs, frame, inner, body, path)
        _append(variable, value, shape, frame, body)
        return shapes.given(shape)

    found: Shape = _loop(directives, frame, scope, out, path, turn)
    return found
