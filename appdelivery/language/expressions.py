"""From Jinja2's expression nodes to nodes of Python, checked against scope and shapes on the way.

One function per kind of node in HANDLERS; what is not in there does not exist in the language.  Each gives the Python
expression and the shape of its value.  In a soft spot missing keys are null although the frame is strict: on the left
of `default` and before `is defined`.
"""

from __future__ import annotations

import ast

from appdelivery.language import access, filters, frames, grammar, problems, shapes
from appdelivery.language.problems import Wrong

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from appdelivery.language.filters import Callee
    from appdelivery.language.frames import Spot
    from appdelivery.language.shapes import Shape

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
    spot.frame.unit.count()
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
    return _steps("", value(node, spot), steps, spot)


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
    return access.walk(name, base, steps, spot, lambda n: value(n, spot))


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
    test, _ = value(node.test, spot)
    yes, one = value(node.expr1, spot)
    no, two = (spot.w.constant(None), shapes.NULL) if node.expr2 is None else value(node.expr2, spot)
    return spot.w.choice(test, yes, no), shapes.either(one, two)


def _or(node: Any, spot: Spot) -> Value:
    left, one = value(node.left, spot)
    right, two = value(node.right, spot)
    return spot.w.either(left, right), shapes.either(shapes.given(one), two)


def _and(node: Any, spot: Spot) -> Value:
    left, one = value(node.left, spot)
    right, two = value(node.right, spot)
    return spot.w.both(left, right), shapes.either(one, two)


def _not(node: Any, spot: Spot) -> Value:
    return spot.w.negation(value(node.node, spot)[0]), shapes.BOOLEAN


def _negative(node: Any, spot: Spot) -> Value:
    given, shape = value(node.node, spot)
    public("'-'", shape)
    return spot.w.call("negate", given), shapes.NUMBER


def _arithmetic(node: Any, spot: Spot) -> Value:
    kind = type(node).__name__
    left, one = value(node.left, spot)
    right, two = value(node.right, spot)
    for shape in (one, two):
        public(f"'{SIGNS[kind]}'", shape)
        if shape.kinds and "number" not in shape.kinds:
            raise Wrong("expression.forbidden", f"'{SIGNS[kind]}' needs two numbers, not {shapes.kind_word(shape)}")
    return spot.w.call(ARITHMETIC[kind], left, right), shapes.NUMBER


def _add(node: Any, spot: Spot) -> Value:
    left, one = value(node.left, spot)
    right, two = value(node.right, spot)
    for shape in (one, two):
        public("'+'", shape)
    return spot.w.call("add", budget(spot), left, right), _sum(one, two)


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
        part, shape = value(each, spot)
        public("'~'", shape)
        parts.append(part)
    return spot.w.call("text", budget(spot), *parts), shapes.STRING


def public(what: str, shape: Shape) -> None:
    """A secret may only be a whole value."""
    if shape.secret:
        raise Wrong("expression.forbidden", f"{what} cannot use a secret value; it may only be a whole value")


def budget(spot: Spot) -> Any:
    return spot.w.name("b")


# --- comparison ---


def _compare(node: Any, spot: Spot) -> Value:
    left, tests = node.expr, []
    current = value(left, spot)
    for index, operand in enumerate(node.ops):
        after = value(operand.expr, spot)
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
    public("a comparison", left[1])
    public("a comparison", right[1])
    if op in ("in", "notin"):
        found = w.call("contains", budget(spot), left[0], right[0])
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
    return spot.w.call(f"live_{helper}" if spot.frame.live else helper, budget(spot), left[0], right[0])


# --- literals ---


def _list(node: Any, spot: Spot) -> Value:
    parts = [value(each, spot) for each in node.items]
    item = shapes.NEVER
    for _, shape in parts:
        item = shapes.either(item, shape)
    return spot.w.list([part for part, _ in parts]), shapes.list_of(item)


def _map(node: Any, spot: Spot) -> Value:
    keys = [value(pair.key, spot) for pair in node.items]
    values = [value(pair.value, spot) for pair in node.items]
    constant = [key.value if type(key) is ast.Constant else None for key, _ in keys]
    if all(type(key) is str for key in constant):
        if len(set(constant)) < len(constant):
            raise Wrong("expression.syntax", "a key stands twice in one map")
        fields = {str(key): (shape,) for key, (_, shape) in zip(constant, values, strict=True)}
        return spot.w.map([k for k, _ in keys], [v for v, _ in values]), shapes.map_of(fields, fields)
    mixed = [code for key, one in zip(keys, values, strict=True) for code in (key[0], one[0])]
    return spot.w.call("pairs", *mixed), shapes.ANY_MAP


# --- filters, tests, functions, methods ---


def _filter(node: Any, spot: Spot) -> Value:
    if node.name in ("default", "d"):
        return _default(node, spot)
    callee = filters.FILTERS.get(node.name)
    if callee is None:
        raise problems.unknown("expression.function", "unknown filter", node.name, [*filters.FILTERS, "default"])
    given = value(node.node, spot)
    return _called(f"f_{node.name}", node.name, callee, given, node, spot)


def _default(node: Any, spot: Spot) -> Value:
    if len(node.args) != 1 or node.kwargs or node.dyn_args or node.dyn_kwargs:
        raise Wrong("expression.function", "'default' takes one value: a | default(b)")
    left, one = value(node.node, spot.softly())
    right, two = value(node.args[0], spot.softly(soft=False))
    if not one.null:
        return left, one
    variable = spot.w.fresh()
    test = spot.w.is_given(spot.w.keep(variable, left))
    shape = shapes.either(shapes.given(one), two)
    return spot.w.choice(test, spot.w.name(variable), right), shape


def _function(node: Any, spot: Spot) -> Value:
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
    code = spot.w.call(f"g_{node.node.name}", budget(spot), *arguments)
    if callee.gives == "enumerate":
        item = shapes.element(value(node.args[0], spot)[1]) if node.args else shapes.ANY
        return code, shapes.list_of(shapes.ANY_LIST, (shapes.NUMBER, item))
    return code, shapes.NUMBERS


def _method(node: Any, spot: Spot) -> Value:
    name = node.node.attr
    callee = filters.METHODS.get(name)
    if callee is None:
        close, hint = problems.suggestion(name, filters.METHODS)
        raise Wrong("expression.function", f"method '.{name}()' is not available{close}", hint)
    given = value(node.node.node, spot)
    if callee.gives == "get" and len(node.args) in (1, 2) and not node.kwargs:
        return _get(given, node, spot)
    if given[1].kinds and not given[1].kinds & {"string" if name in STRING_METHODS else "map"}:
        raise Wrong("expression.function", f"method '.{name}()' is not one of {shapes.kind_word(given[1])}")
    return _called(f"m_{name}", f".{name}()", callee, given, node, spot)


STRING_METHODS = ("lower", "upper", "strip", "split", "startswith", "endswith")


def _get(given: Value, node: Any, spot: Spot) -> Value:
    """m.get(key) is the access that never fails for a missing key; in live mode also not for a missing map."""
    key, _ = value(node.args[0], spot)
    found = shapes.ANY
    if type(key) is ast.Constant and type(key.value) is str:
        known = shapes.member(given[1], key.value)
        if known is None:
            raise access.no_property("the map", key.value, given[1])
        found = shapes.optional(known[0])
    helper, extra = ("soft", ()) if spot.soft or spot.frame.live else ("m_get", (budget(spot),))
    code = spot.w.call(helper, *extra, given[0], key)
    if len(node.args) == 1:
        return code, found
    other, shape = value(node.args[1], spot)
    variable = spot.w.fresh()
    test = spot.w.is_given(spot.w.keep(variable, code))
    return spot.w.choice(test, spot.w.name(variable), other), shapes.either(shapes.given(found), shape)


def _called(helper: str, name: str, callee: Callee, given: Value, node: Any, spot: Spot) -> Value:
    arguments = _arguments(name, callee, node, spot)
    if callee.gives not in SECRETS_PASS:
        public(f"'{name}'", given[1])
    code = spot.w.call(helper, budget(spot), given[0], *arguments)
    return code, result(callee.gives, given[1], node, spot)


SECRETS_PASS = ("encoded", "same", "item", "items", "values", "merge", "some", "flatten", "pluck", "keys")


def _arguments(name: str, callee: Callee, node: Any, spot: Spot) -> list[Any]:
    """Arguments in the order of the callee; keywords are put into their places."""
    if node.dyn_args or node.dyn_kwargs:
        raise Wrong("expression.forbidden", f"'*' and '**' arguments are not available: {name}")
    known = callee.arguments
    if len(node.args) > len(known) and not callee.many:
        raise Wrong("expression.function", f"'{name}' takes {_takes(known)}, not {len(node.args)}")
    code = [value(each, spot) for each in node.args]
    for keyword in node.kwargs:
        if keyword.key not in known[len(node.args) :]:
            raise problems.unknown("expression.function", f"'{name}' has no argument", keyword.key, known)
    by_name = {keyword.key: value(keyword.value, spot) for keyword in node.kwargs}
    missing = [each for each in known[len(code) : callee.required] if each not in by_name]
    if missing:
        raise Wrong("expression.function", f"'{name}' needs the argument '{missing[0]}'")
    for each in known[len(code) :]:
        if not by_name:
            break
        code.append(by_name.pop(each, None) or (spot.w.constant(DEFAULTS.get((name, each))), shapes.NULL))
    for _, shape in code:
        if callee.gives != "merge":
            public(f"'{name}'", shape)
    return [each for each, _ in code]


DEFAULTS = {("join", "sep"): "", ("round", "n"): 0, ("dnsname", "n"): 63, ("range", "step"): 1}


def _takes(known: tuple[str, ...]) -> str:
    return "no argument" if not known else f"at most {len(known)} ({', '.join(known)})"


def _is(node: Any, spot: Spot) -> Value:
    if node.name not in filters.TESTS:
        raise problems.unknown("expression.function", "unknown test", node.name, filters.TESTS)
    if node.args or node.kwargs or node.dyn_args or node.dyn_kwargs:
        raise Wrong("expression.function", f"the test '{node.name}' takes no argument")
    given, _ = value(node.node, spot.softly() if node.name == "defined" else spot)
    if node.name == "none":
        return spot.w.is_null(given), shapes.BOOLEAN
    if node.name == "defined":
        return spot.w.is_given(given), shapes.BOOLEAN
    return spot.w.call(f"t_{node.name}", given), shapes.BOOLEAN


def result(gives: str, given: Shape, node: Any, spot: Spot) -> Shape:
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
    key = node.args[0] if node.args else None
    if type(key).__name__ != "Const" or type(key.value) is not str:
        return shapes.ANY
    shape = shapes.element(given)
    for name in key.value.split("."):
        found = shapes.member(shape, name)
        if found is None:
            raise access.no_property("the item", name, shape)
        shape = shapes.optional(found[0])
    return shape


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
    "Filter": _filter,
    "Call": _function,
    "Test": _is,
}
