"""From Jinja2's expression nodes to nodes of Python, checked against scope and shapes on the way.

One function per kind of node in HANDLERS; what is not in there does not exist in the language.  Each gives the Python
expression and the shape of its value.  In a soft spot missing keys are null although the frame is strict: on the left
of `default` and before `is defined`.
"""

from __future__ import annotations

import ast

from appdelivery.language import problems
from appdelivery.language.compiling import frames, shapes
from appdelivery.language.expressions import access, calls, grammar
from appdelivery.language.problems import Wrong

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from appdelivery.language.compiling.frames import Spot
    from appdelivery.language.compiling.shapes import Shape

    Value = tuple[Any, Shape]

LARGEST = 1 << 63
ARITHMETIC = {"Sub": "subtract", "Mul": "multiply", "Div": "divide", "FloorDiv": "floor", "Mod": "modulo"}
SIGNS = {"Sub": "-", "Mul": "*", "Div": "/", "FloorDiv": "//", "Mod": "%"}
ORDERING = {"lt": "less", "lteq": "at_most", "gt": "greater", "gteq": "at_least"}
FORBIDDEN = {
    "Pow": "'**' is not allowed in an expression",
    "Tuple": "a tuple is not allowed in an expression; write a list: [a, b]",
    "Pos": "unary '+' is not allowed in an expression",
}


def compiled(source: str, spot: Spot) -> Value:
    """Python for the text of one expression; the writer stands at its place.  Raises Wrong."""
    spot.frame.unit.count(source)
    spot.frame.level = 0
    try:
        return value(grammar.expression(spot.frame.spell(source)), spot.softly(soft=False))
    except Wrong as wrong:
        if wrong.code == "expression.name" and "-" + wrong.message.split("'")[1] in source:
            wrong.hint = "a name with '-' is looked up as a['b-c']"
        raise


def value(node: Any, spot: Spot) -> Value:
    kind = type(node).__name__
    handler = HANDLERS.get(kind)
    if handler is None:
        raise Wrong("expression.forbidden", FORBIDDEN.get(kind, f"'{kind.lower()}' is not allowed in an expression"))
    spot.frame.level += 1
    spot.frame.weight += 1
    if spot.frame.level > frames.LEVELS:
        raise Wrong("expression.limit", f"the expression is nested more than {frames.LEVELS} deep")
    found = handler(node, spot)
    spot.frame.level -= 1
    return found


# --- leaves and paths ---


def _constant(node: Any, spot: Spot) -> Value:
    given = node.value
    if type(given) is int and not -LARGEST <= given < LARGEST:
        raise Wrong("expression.limit", "an integer has at most 64 bits")
    if type(given) is float and given - given != 0:
        raise Wrong("expression.limit", "this number is too large")
    if type(given) is str and any("\ud800" <= c <= "\udfff" for c in given):
        raise Wrong("expression.syntax", "half a surrogate pair is not text")
    return spot.w.constant(given), shapes.of_constant(given)


def _path(node: Any, spot: Spot) -> Value:
    """A name and everything that is looked up in it."""
    if type(node) is grammar.Dotted:
        return _steps(node.names[0], None, list(node.names[1:]), spot)
    steps: list[Any] = []
    while type(node).__name__ in ("Getattr", "Getitem"):
        steps.append(_step(node))
        node = node.node
    steps.reverse()
    if type(node).__name__ == "Name":
        return _steps(node.name, None, steps, spot)
    return _steps("", spot.value(node), steps, spot)


def _step(node: Any) -> Any:
    """A constant key or index, or a node to be computed."""
    if type(node).__name__ == "Getattr":
        return node.attr
    constant = type(node.arg).__name__ == "Const" and type(node.arg.value) in (str, int)
    return node.arg.value if constant else node.arg


def _steps(name: str, base: Value | None, steps: list[Any], spot: Spot) -> Value:
    if base is None:
        base = named(name, spot)
        access.note(name, steps, spot)
    return access.walk(name, base, steps, spot)


def named(name: str, spot: Spot) -> Value:
    if name in spot.scope:
        variable, shape = spot.scope[name]
        return spot.w.name(variable), shape
    if name in spot.frame.unit.lets:
        variable, shape = spot.frame.let(name)
        return spot.w.name(variable), shape
    if name in ("loop", "self", "super", "caller"):
        raise Wrong("expression.forbidden", f"'{name}' is not available; use 'enumerate' for an index")
    raise problems.unknown("expression.name", "unknown name", name, {*spot.scope, *spot.frame.unit.lets})


# --- operators ---


def _choice(node: Any, spot: Spot) -> Value:
    test, _ = spot.value(node.test)
    yes, one = spot.value(node.expr1)
    no, two = (spot.w.constant(None), shapes.NULL) if node.expr2 is None else spot.value(node.expr2)
    if node.expr2 is None and not one.null:
        return spot.w.perhaps(test, yes), shapes.optional(one)
    return spot.w.choice(test, yes, no), shapes.either(one, two)


def _or(node: Any, spot: Spot) -> Value:
    left, one = spot.value(node.left)
    right, two = spot.value(node.right)
    return spot.w.either(left, right), shapes.either(shapes.given(one), two)


def _and(node: Any, spot: Spot) -> Value:
    left, one = spot.value(node.left)
    right, two = spot.value(node.right)
    return spot.w.both(left, right), shapes.either(one, two)


def _not(node: Any, spot: Spot) -> Value:
    return spot.w.negation(spot.value(node.node)[0]), shapes.BOOLEAN


def _negative(node: Any, spot: Spot) -> Value:
    given, shape = spot.value(node.node)
    spot.public("'-'", shape)
    return spot.w.call("negate", given), shapes.NUMBER


def _arithmetic(node: Any, spot: Spot) -> Value:
    kind = type(node).__name__
    left, one = spot.value(node.left)
    right, two = spot.value(node.right)
    for shape in (one, two):
        spot.public(f"'{SIGNS[kind]}'", shape)
        if shape.kinds and "number" not in shape.kinds:
            raise Wrong("expression.forbidden", f"'{SIGNS[kind]}' needs two numbers, not {shapes.kind_word(shape)}")
    return spot.w.call(ARITHMETIC[kind], left, right), shapes.NUMBER


def _add(node: Any, spot: Spot) -> Value:
    left, one = spot.value(node.left)
    right, two = spot.value(node.right)
    for shape in (one, two):
        spot.public("'+'", shape)
    result = _sum(one, two)
    if one.only("list") and two.only("list"):
        chain = type(left) is ast.Call and type(left.func) is ast.Name and left.func.id == "lists"
        return spot.w.call("lists", *(left.args if chain else [spot.budget(), left]), right), result
    return spot.w.call("add", spot.budget(), left, right), result


def _sum(one: Shape, two: Shape) -> Shape:
    if one.kinds is None or two.kinds is None:
        return shapes.SURE
    if one.kinds == two.kinds == shapes.LIST:
        return shapes.given(shapes.either(one, two))
    if one.kinds == two.kinds == shapes.NUMBER.kinds:
        return shapes.NUMBER
    return shapes.STRING if shapes.STRING.kinds in (one.kinds, two.kinds) else shapes.SURE


def _concat(node: Any, spot: Spot) -> Value:
    parts = []
    for each in node.nodes:
        part, shape = spot.value(each)
        spot.public("'~'", shape)
        parts.append(part)
    return spot.w.call("text", spot.budget(), *parts), shapes.STRING


# --- comparison ---


def _compare(node: Any, spot: Spot) -> Value:
    left, tests = node.expr, []
    current = spot.value(left)
    for index, operand in enumerate(node.ops):
        after = spot.value(operand.expr)
        again = None
        if index + 1 < len(node.ops):  # a < b < c computes b once
            variable = spot.w.fresh()
            again = spot.w.name(variable), after[1]
            after_kept = spot.w.keep(variable, after[0]), after[1]
        else:
            after_kept = after
        tests.append(_test(operand.op, current, after_kept, spot))
        current = again or after
    return (tests[0] if len(tests) == 1 else spot.w.both(*tests)), shapes.BOOLEAN


def _test(op: str, left: Value, right: Value, spot: Spot) -> Any:
    w = spot.w
    if op in ("eq", "ne"):
        for this, other in ((left, right), (right, left)):
            if type(other[0]) is ast.Constant and other[0].value is None:
                return w.is_null(this[0]) if op == "eq" else w.is_given(this[0])
    spot.public("a comparison", left[1])
    spot.public("a comparison", right[1])
    if op in ("in", "notin"):
        found = w.call("contains", spot.budget(), left[0], right[0])
        return found if op == "in" else w.negation(found)
    if op in ("eq", "ne"):
        return _equality(op, left, right, spot)
    helper = ORDERING[op]
    return w.call(f"live_{helper}" if spot.frame.live else helper, left[0], right[0])


def _equality(op: str, left: Value, right: Value, spot: Spot) -> Any:
    """With a literal string on one side plain equality is right in both modes: a string equals only strings."""
    literal = any(type(code) is ast.Constant and type(code.value) is str for code, _ in (left, right))
    hidden = any(shape.kinds is None for _, shape in (left, right))  # might be a secret: the helper refuses
    if literal and not hidden:
        return spot.w.compare(left[0], ast.Eq() if op == "eq" else ast.NotEq(), right[0])
    helper = "equal" if op == "eq" else "unequal"
    return spot.w.call(f"live_{helper}" if spot.frame.live else helper, spot.budget(), left[0], right[0])


# --- literals ---


def _list(node: Any, spot: Spot) -> Value:
    parts = [spot.value(each) for each in node.items]
    item = shapes.NEVER
    for _, shape in parts:
        item = shapes.either(item, shape)
    return spot.w.sequence([part for part, _ in parts]), shapes.list_of(item)


def _map(node: Any, spot: Spot) -> Value:
    keys = [spot.value(pair.key) for pair in node.items]
    values = [spot.value(pair.value) for pair in node.items]
    constant = [key.value if type(key) is ast.Constant else None for key, _ in keys]
    if all(type(key) is str for key in constant):
        if len(set(constant)) < len(constant):
            raise Wrong("expression.syntax", "a key stands twice in one map")
        fields = {str(key): (shape,) for key, (_, shape) in zip(constant, values, strict=True)}
        return spot.w.map([k for k, _ in keys], [v for v, _ in values]), shapes.map_of(fields, fields)
    mixed = [code for key, one in zip(keys, values, strict=True) for code in (key[0], one[0])]
    return spot.w.call("pairs", *mixed), shapes.ANY_MAP


HANDLERS: dict[str, Callable[[Any, Spot], Value]] = {
    "Const": _constant,
    "Name": _path,
    "Dotted": _path,
    "Getattr": _path,
    "Getitem": _path,
    "CondExpr": _choice,
    "Or": _or,
    "And": _and,
    "Not": _not,
    "Neg": _negative,
    "Add": _add,
    **dict.fromkeys(ARITHMETIC, _arithmetic),
    "Concat": _concat,
    "Compare": _compare,
    "List": _list,
    "Dict": _map,
    "Filter": calls.filtered,
    "Call": calls.function,
    "Test": calls.test,
}
