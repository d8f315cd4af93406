"""Filters, functions, methods and tests in expressions: which exist, what they take, what shape they give."""

from __future__ import annotations

import ast

from appdelivery.language import problems
from appdelivery.language.compiling import shapes
from appdelivery.language.expressions import access, filters
from appdelivery.language.problems import Wrong

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from appdelivery.language.compiling.frames import Spot
    from appdelivery.language.compiling.shapes import Shape
    from appdelivery.language.expressions.filters import Callee

    Value = tuple[Any, Shape]


def filtered(node: Any, spot: Spot) -> Value:
    if node.name in ("default", "d"):
        return _default(node, spot)
    callee = filters.FILTERS.get(node.name)
    if callee is None:
        raise problems.unknown("expression.function", "unknown filter", node.name, [*filters.FILTERS, "default"])
    given = spot.value(node.node)
    return _called(f"f_{node.name}", callee, given, node, spot)


def _default(node: Any, spot: Spot) -> Value:
    if len(node.args) != 1 or node.kwargs or node.dyn_args or node.dyn_kwargs:
        raise Wrong("expression.function", "'default' takes one value: a | default(b)")
    left, one = spot.softly().value(node.node)
    right, two = spot.softly(soft=False).value(node.args[0])
    if not one.null:
        return left, one
    test, there = spot.w.given(left)
    return spot.w.choice(test, there, right), shapes.either(shapes.given(one), two)


def function(node: Any, spot: Spot) -> Value:
    target = type(node.node).__name__
    if target == "Getattr":
        return _method(node, spot)
    if target != "Name":
        raise Wrong("expression.function", "only functions and methods can be called")
    callee = filters.FUNCTIONS.get(node.node.name)
    if callee is None:
        if node.node.name in ("super", "caller"):
            raise Wrong("expression.forbidden", f"'{node.node.name}()' is not available")
        raise problems.unknown("expression.function", "unknown function", node.node.name, filters.FUNCTIONS)
    arguments = _arguments(node.node.name, callee, node, spot)
    code = spot.w.call(f"g_{node.node.name}", spot.budget(), *[argument for argument, _ in arguments])
    if callee.gives == "enumerate":
        return code, shapes.list_of(shapes.ANY_LIST, (shapes.NUMBER, shapes.element(arguments[0][1])))
    return code, shapes.NUMBERS


def _method(node: Any, spot: Spot) -> Value:
    name = node.node.attr
    callee = filters.METHODS.get(name)
    if callee is None:
        close, hint = problems.suggestion(name, filters.METHODS)
        raise Wrong("expression.function", f"method '.{name}()' is not available{close}", hint)
    given = spot.value(node.node.node)
    if callee.gives == "get" and len(node.args) in (1, 2) and not node.kwargs:
        return _get(given, node, spot)
    if given[1].kinds and not given[1].kinds & {"string" if name in STRING_METHODS else "map"}:
        raise Wrong("expression.function", f"method '.{name}()' is not one of {shapes.kind_word(given[1])}")
    return _called(f"m_{name}", callee, given, node, spot)


STRING_METHODS = ("lower", "upper", "strip", "split", "startswith", "endswith")


def _get(given: Value, node: Any, spot: Spot) -> Value:
    """m.get(key) is the access that never fails for a missing key; in live mode also not for a missing map."""
    key, _ = spot.value(node.args[0])
    found = shapes.ANY
    if type(key) is ast.Constant and type(key.value) is str:
        known = shapes.member(given[1], key.value)
        if known is None:
            raise access.no_property("the map", key.value, given[1])
        found = shapes.optional(known[0])
    helper, extra = ("soft", ()) if spot.soft or spot.frame.live else ("m_get", (spot.budget(),))
    code = spot.w.call(helper, *extra, given[0], key)
    if len(node.args) == 1:
        return code, found
    other, shape = spot.value(node.args[1])
    test, there = spot.w.given(code)
    return spot.w.choice(test, there, other), shapes.either(shapes.given(found), shape)


def _called(helper: str, callee: Callee, given: Value, node: Any, spot: Spot) -> Value:
    name = helper[2:] if helper[0] == "f" else f".{helper[2:]}()"
    arguments = [code for code, _ in _arguments(name, callee, node, spot)]
    if callee.gives not in SECRETS_PASS:
        spot.public(f"'{name}'", given[1])
    code = spot.w.call(helper, spot.budget(), given[0], *arguments)
    return code, result(callee.gives, given[1], node)


SECRETS_PASS = ("encoded", "same", "item", "items", "values", "merge", "some", "flatten", "pluck", "keys")


def _arguments(name: str, callee: Callee, node: Any, spot: Spot) -> list[Value]:
    """Arguments in the order of the callee; keywords are put into their places."""
    if node.dyn_args or node.dyn_kwargs:
        raise Wrong("expression.forbidden", f"'*' and '**' arguments are not available: {name}")
    known = callee.arguments
    if len(node.args) > len(known) and not callee.many:
        raise Wrong("expression.function", f"'{name}' takes {_takes(known)}, not {len(node.args)}")
    code = [spot.value(each) for each in node.args]
    for keyword in node.kwargs:
        if keyword.key not in known[len(node.args) :]:
            raise problems.unknown("expression.function", f"'{name}' has no argument", keyword.key, known)
    by_name = {keyword.key: spot.value(keyword.value) for keyword in node.kwargs}
    missing = [each for each in known[len(code) : callee.required] if each not in by_name]
    if missing:
        raise Wrong("expression.function", f"'{name}' needs the argument '{missing[0]}'")
    for each in known[len(code) :]:
        if not by_name:
            break
        absent = spot.w.constant(DEFAULTS.get((name, each))), shapes.NULL
        code.append(by_name.pop(each, absent))
    for _, shape in code:
        if callee.gives != "merge":
            spot.public(f"'{name}'", shape)
    return code


DEFAULTS = {("join", "sep"): "", ("round", "n"): 0, ("dnsname", "n"): 63, ("range", "step"): 1}


def _takes(known: tuple[str, ...]) -> str:
    return "no argument" if not known else f"at most {len(known)} ({', '.join(known)})"


def test(node: Any, spot: Spot) -> Value:
    if node.name not in filters.TESTS:
        raise problems.unknown("expression.function", "unknown test", node.name, filters.TESTS)
    if node.args or node.kwargs or node.dyn_args or node.dyn_kwargs:
        raise Wrong("expression.function", f"the test '{node.name}' takes no argument")
    given, _ = (spot.softly() if node.name == "defined" else spot).value(node.node)
    if node.name == "none":
        return spot.w.is_null(given), shapes.BOOLEAN
    if node.name == "defined":
        return spot.w.is_given(given), shapes.BOOLEAN
    if node.name in TYPES:
        kind = spot.w.call("type", given)
        return spot.w.compare(kind, ast.In(), spot.w.name(TYPES[node.name])), shapes.BOOLEAN
    return spot.w.call(f"t_{node.name}", given), shapes.BOOLEAN


TYPES = {"string": "TEXTS", "number": "NUMBERS", "mapping": "MAPS", "sequence": "LISTS"}


def result(gives: str, given: Shape, node: Any) -> Shape:
    """Shape of what a filter or method makes of a value of a shape."""
    if gives == "items":
        pair = shapes.STRING, shapes.entries(given)
        return shapes.list_of(shapes.ANY_LIST, pair)
    if gives == "values":
        return shapes.list_of(shapes.entries(given))
    if gives == "same":
        return shapes.given(given) if given.kinds == shapes.LIST else shapes.ANY_LIST
    if gives == "item":
        return shapes.optional(shapes.element(given)) if given.kinds == shapes.LIST else shapes.ANY
    if gives == "pluck":
        return shapes.list_of(_plucked(given, node))
    if gives == "flatten":
        inner = shapes.element(given)
        return shapes.list_of(shapes.element(inner) if inner.kinds == shapes.LIST else shapes.ANY)
    if gives == "encoded":
        return shapes.Shape(shapes.STRING.kinds, null=False, secret=given.secret)
    return RESULTS.get(gives) or (shapes.partial(given) if gives == "some" and given.kinds == shapes.MAP else shapes.ANY_MAP)


RESULTS = {
    "string": shapes.STRING,
    "number": shapes.NUMBER,
    "number?": shapes.MAYBE_NUMBER,
    "boolean": shapes.BOOLEAN,
    "strings": shapes.STRINGS,
    "keys": shapes.STRINGS,
    "numbers": shapes.NUMBERS,
}


def _plucked(given: Shape, node: Any) -> Shape:
    key: Any = node.args[0] if node.args else None
    if type(key).__name__ != "Const" or type(key.value) is not str:
        return shapes.ANY
    shape = shapes.element(given)
    for name in key.value.split("."):
        found = shapes.member(shape, name)
        if found is None:
            raise access.no_property("the item", name, shape)
        shape = shapes.optional(found[0])
    return shape
