"""`a.b[0].c`: how a path becomes Python, and what is known about it beforehand."""

from __future__ import annotations

import ast

from appdelivery.language import problems
from appdelivery.language.compiling import frames, shapes
from appdelivery.language.problems import Wrong

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from appdelivery.language.compiling.frames import Spot
    from appdelivery.language.compiling.shapes import Shape

    Value = tuple[Any, Shape]

RECEIVED = ("parameters", "context")  # these are maps, whatever stands in them
RECORDED = ("context", "components")  # roots of which only named members can be read, because what is read matters


def note(name: str, steps: list[Any], spot: Spot) -> None:
    """Remembers which context names and which paths an expression reads."""
    constant: list[str | int] = []
    for step in steps:
        if type(step) not in (str, int):
            break
        constant.append(step)
    spot.frame.paths.append((name, *constant))
    spot.frame.read.append((name, str(constant[0]) if constant else ""))
    if name in RECORDED:
        if not constant or type(constant[0]) is not str:
            raise Wrong("expression.forbidden", f"say which part of '{name}' is meant: {name}.NAME")
        if name == "context" and not spot.frame.live:  # what judges live objects changes nothing that is rendered
            spot.frame.unit.reads.add(constant[0])


def walk(name: str, base: Value, steps: list[Any], spot: Spot) -> Value:
    """The value at the end of the steps; soft: what is missing is null."""
    code, shape = base
    soft = spot.soft or spot.frame.live
    waiting: list[Any] = []  # steps of one call of `soft`
    shown = name or "the value"
    for step in steps:
        if type(step).__name__ == "Slice":
            code, shape = _cut((_softly(code, waiting, spot), shape), step, spot)
            waiting = []
            continue
        found, sure = _found(shown, shape, step)
        if soft:
            waiting.append(_key(step, spot))
            shape = found if sure and not shape.null else shapes.optional(found)
        else:
            code, shape = _strict((code, shape), step, (found, sure), spot)
        shown = f"{shown}.{step}" if type(step) is str else f"{shown}[{step if type(step) is int else '...'}]"
    return _softly(code, waiting, spot), shape


def _softly(code: Any, waiting: list[Any], spot: Spot) -> Any:
    return spot.w.call("soft", code, *waiting) if waiting else code


def _key(step: Any, spot: Spot) -> Any:
    return spot.w.constant(step) if type(step) in (str, int) else spot.value(step)[0]


def _found(shown: str, shape: Shape, step: Any) -> tuple[Shape, bool]:
    """Shape of one step and whether it is surely there."""
    if type(step) is str:
        known = shapes.member(shape, step)
        if known is None:
            raise no_property(shown, step, shape)
        return known
    if type(step) is int:
        if shape.kinds and not shape.kinds & {"list", "string"}:
            raise Wrong("expression.path", f"{shown} is {shapes.kind_word(shape)} and has no items")
        return (shapes.STRING if shape.kinds == shapes.STRING.kinds else shapes.element(shape)), False
    if shape.kinds == shapes.LIST:
        return shapes.element(shape), False
    return (shapes.entries(shape) if shape.kinds == shapes.MAP else shapes.ANY), False


def _strict(base: Value, step: Any, known: tuple[Shape, bool], spot: Spot) -> Value:
    """A plain subscript or lookup where the value is surely a map: only a null or a missing key can go wrong then,
    and both are recognised by Python's own exceptions."""
    code, shape = base
    found, sure = known
    w = spot.w
    if type(step) is not str:
        return w.call("item", code, _key(step, spot)), found
    certain = shape.kinds == shapes.MAP
    if shapes.declared(shape, step) and not sure:
        if certain and type(code) is ast.Name and code.id in RECEIVED:
            test = w.compare(w.constant(step), ast.In(), code)
            there = w.subscript(w.name(code.id), step)
            value = w.choice(test, there, w.constant(None)) if found.null else w.perhaps(test, there)
            return value, shapes.optional(found)
        return w.call("get" if certain else "optional", code, w.constant(step)), shapes.optional(found)
    return (w.subscript(code, step) if certain else w.call("member", code, w.constant(step))), found


def _cut(base: Value, node: Any, spot: Spot) -> Value:
    code, shape = base
    if node.step is not None:
        raise Wrong("expression.forbidden", "a slice has two parts: [a:b]")
    if shape.secret:
        raise Wrong("expression.forbidden", "a secret value cannot be cut; it may only be a whole value")
    w = spot.w
    ends = [w.constant(None) if end is None else spot.value(end)[0] for end in (node.start, node.stop)]
    return w.call("cut", w.name("b"), code, *ends), shapes.given(shape)


def no_property(shown: str, name: str, shape: Shape) -> Wrong:
    if shape.kinds and "map" not in shape.kinds:
        return Wrong("expression.path", f"{shown} is {shapes.kind_word(shape)} and has no property '{name}'")
    if shown == "context" and name in frames.HINTS:
        return Wrong("expression.path", f"context has no property '{name}'", frames.HINTS[name])
    close, hint = problems.suggestion(name, shape.fields)
    return Wrong("expression.path", f"{shown} has no property '{name}'{close}", hint)
