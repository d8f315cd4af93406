"""Closed schema to Python source of `check(value)`: accepts what jsonschema accepts and fills defaults in.

The usual schemas are made of ready-made checks of the runtime, which costs least to compile; every other one becomes a
function of its own.  Every constraint looks at the value as given; what several schemas of one value fill in is joined
afterwards.  A check that never changes its value is *pure*.  Generated code holds calls of NAMESPACE, comparisons and literals, no attribute access.
Called by `schema.source` and for defaults by `closing`.
"""

from __future__ import annotations

from appdelivery.language.schema.dialect import MANY, ONE, VALUES
from appdelivery.model.record import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Node = dict[str, Any]

NOTES = frozenset({
    "default", "title", "description", "examples", "deprecated", "format",
    "x-hidden", "x-deferred", "x-order", "x-widget",
})  # fmt: skip
KNOWN = frozenset({*VALUES, *ONE, *MANY, "properties", "additionalProperties"})
GROUPS: dict[str, tuple[str, ...]] = {
    "string": ("minLength", "maxLength", "pattern"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "array": ("minItems", "maxItems", "uniqueItems", "items"),
    "object": ("required", "minProperties", "maxProperties", "propertyNames", "properties", "additionalProperties"),
}
TESTS = {
    "string": "t is str",
    "number": "t is int or t is float",
    "integer": "t is int or t is float",
    "boolean": "t is bool",
    "object": "t is dict",
    "array": "t is list",
    "null": "t is Null",
}
READY = ("string", "boolean", "number", "integer")  # types that a helper of the same name checks
RAISE = " raise Refusal"


@record
class Function:
    name: str
    pure: bool


ANYTHING = Function("anything", pure=True)


def source(closed: Node) -> str:
    generator = Generator()
    check = generator.function(closed)
    return f"{generator.text()}\ncheck = {check.name}\n"


class Generator:
    """Collects functions and constants, equal ones once.  A constant is made of functions and earlier constants."""

    def __init__(self) -> None:
        self.functions: dict[str, str] = {}  # body to name
        self.constants: dict[str, str] = {}  # expression to name

    def text(self) -> str:
        return "\n".join([self.definitions(), *[f"{name} = {made}" for made, name in self.constants.items()]])

    def definitions(self) -> str:
        return "\n".join([f"def {name}(v):\n{body}" for body, name in self.functions.items()])

    def constant(self, expression: str) -> str:
        return self.constants.setdefault(expression, f"K{len(self.constants)}")

    def function(self, schema: Node) -> Function:
        rules = {keyword: value for keyword, value in schema.items() if keyword not in NOTES}
        if not rules:
            return ANYTHING
        if rules.keys() - KNOWN:
            raise ValueError(f"not a closed schema: {min(rules.keys() - KNOWN)}")
        if rules.pop("x-secret", False):
            return Function(self.constant(f"hidden({self.function(rules).name})"), pure=False)
        return self.ready(rules) or self.defined(*self.lines(rules))

    def ready(self, rules: Node) -> Function | None:
        """The check of a usual schema, if it is one."""
        kind, given = rules.get("type", "string"), rules.keys() - {"type"}
        if not given and isinstance(kind, str) and kind in READY:
            return Function(kind, pure=kind != "integer")
        if given == {"enum"} and kind == "string" and all(isinstance(value, str) for value in rules["enum"]):
            return Function(self.constant(f"texts({', '.join(map(repr, rules['enum']))})"), pure=True)
        if kind in ("integer", "number") and given <= {"minimum", "maximum"}:
            limits = f"{rules.get('minimum')!r}, {rules.get('maximum')!r}"
            made = self.constant(f"numbers({limits}, whole_only={kind == 'integer'})")
            return Function(made, pure=kind == "number")
        if kind == "array" and given == {"items"}:
            item = self.function(rules["items"])
            return Function(self.constant(f"each({item.name})"), pure=item.pure)
        if rules.keys() == {"oneOf"}:
            rows, pure = self.choices(rules["oneOf"])
            return Function(self.constant(f"alternatives({rows})"), pure)
        if kind == "object" and given <= {"properties", "required", "additionalProperties"} and "properties" in given:
            return self.fields(rules)
        return None

    def fields(self, rules: Node) -> Function:
        named, rest = self.named(rules)
        pairs = ", ".join([f"{name!r}: {function.name}" for name, function in named.items()])
        fills = "".join([f"({name!r}, {literal}), " for name, literal in self.fills(rules["properties"], named)])
        required = tuple(rules.get("required", ()))
        return Function(self.constant(f"fields({{{pairs}}}, {rest.name}, {required!r}, ({fills}))"), pure=False)

    def named(self, rules: Node) -> tuple[dict[str, Function], Function]:
        """Checks of the named properties, and of all others."""
        extra = rules.get("additionalProperties", True)
        rest = ANYTHING if extra is True else Function("refuse", pure=True) if extra is False else self.function(extra)
        return {name: self.function(schema) for name, schema in rules.get("properties", {}).items()}, rest

    def defined(self, lines: list[str], pure: bool) -> Function:
        body = "".join([f" {line}\n" for line in [*lines, "return v"]])
        return Function(self.functions.setdefault(body, f"c{len(self.functions)}"), pure)

    def lines(self, rules: Node) -> tuple[list[str], bool]:
        kinds, blocks = _kinds(rules), {}
        pure = not ("integer" in kinds and "number" not in kinds)
        for kind in kinds:
            group = "number" if kind == "integer" else kind
            held = {keyword: rules[keyword] for keyword in GROUPS.get(group, ()) if keyword in rules}
            block, same = getattr(self, f"_{group}")(held) if held else ([], True)
            pure = pure and same
            blocks[kind] = block
        applied, same = self.applied(rules)
        listed = [self.listed(rules[keyword], keyword) for keyword in ("enum", "const") if keyword in rules]
        held_back = ["if late(v): return v"] if applied or listed else []
        raw = ["r = v"] if applied else []
        return [*held_back, *raw, *listed, *_chain(rules, blocks), *applied], pure and same

    def listed(self, values: Any, keyword: str) -> str:
        known = self.constant(f"keys({values if keyword == 'enum' else [values]!r})")
        return f"if not among(v, {known}):{RAISE}"

    def _string(self, rules: Node) -> tuple[list[str], bool]:
        lines = ["if late(v): return v", *_lengths(rules, "minLength", "maxLength")]
        if "pattern" in rules:
            matches = self.constant(f"pattern({rules['pattern']!r})")
            lines.append(f"if not {matches}(v):{RAISE}")
        return lines, True

    def _number(self, rules: Node) -> tuple[list[str], bool]:
        signs = {"minimum": "<", "maximum": ">", "exclusiveMinimum": "<=", "exclusiveMaximum": ">="}
        lines = [f"if v {sign} {rules[keyword]!r}:{RAISE}" for keyword, sign in signs.items() if keyword in rules]
        if "multipleOf" in rules:
            lines.append(f"if not multiple(v, {rules['multipleOf']!r}):{RAISE}")
        return lines, True

    def _array(self, rules: Node) -> tuple[list[str], bool]:
        lines = _lengths(rules, "minItems", "maxItems")
        if rules.get("uniqueItems"):
            lines.append(f"if not unique(v):{RAISE}")
        item = self.function(rules.get("items", {}))
        if item is ANYTHING:
            return lines, True
        if item.pure:
            return [*lines, f"for x in v: {item.name}(x)"], True
        return [*lines, f"v = [{item.name}(x) for x in v]"], False

    def _object(self, rules: Node) -> tuple[list[str], bool]:
        lines = _lengths(rules, "minProperties", "maxProperties")
        lines += [f"if {name!r} not in v:{RAISE}" for name in rules.get("required", ())]
        if (names := self.function(rules.get("propertyNames", {}))) is not ANYTHING:
            lines.append(f"for k in v: {names.name}(k)")
        named, rest = self.named(rules)
        fills = [
            f"if {name!r} not in v: v[{name!r}] = {literal}"
            for name, literal in self.fills(rules.get("properties", {}), named)
        ]
        if not fills and rest.pure and all(function.pure for function in named.values()):
            nothing = rest is ANYTHING and all(function is ANYTHING for function in named.values())
            return lines + ([] if nothing else [f"for k, x in items(v): {self.called(named, rest)}(x)"]), True
        return [*lines, "o = {}", f"for k, x in items(v): o[k] = {self.called(named, rest)}(x)", "v = o", *fills], False

    def called(self, named: dict[str, Function], rest: Function) -> str:
        if not named:
            return rest.name
        pairs = ", ".join(f"{name!r}: {function.name}" for name, function in named.items())
        return f"{self.constant(f'Table({{{pairs}}}, {rest.name})')}[k]"

    def fills(self, properties: Node, named: dict[str, Function]) -> list[tuple[str, str]]:
        """Name and literal of every default; one that its own check changes is made once, by calling that."""
        found = []
        for name, schema in properties.items():
            if "default" in schema:
                value, literal = schema["default"], repr(schema["default"])
                scalar = value is None or type(value) in (str, int, bool)
                if not scalar or not (named[name].pure or type(value) is int):
                    literal = self.constant(f"{named[name].name}({literal})")
                found.append((name, literal))
        return found

    def applied(self, rules: Node) -> tuple[list[str], bool]:
        """Keywords that put further schemas to the same value, as it was given: `r`."""
        lines: list[str] = []
        pure = True
        for schema in rules.get("allOf", ()):
            pure &= self.join(lines, "{}(r)", [self.function(schema)])
        if "anyOf" in rules:
            pure &= self.join(lines, "first(({},), r)", [self.function(schema) for schema in rules["anyOf"]])
        if "oneOf" in rules:
            rows, same = self.choices(rules["oneOf"])
            lines.append(f"{'' if same else 'v = join(v, '}single({self.constant(f'({rows})')}, r){'' if same else ')'}")
            pure &= same
        if "if" in rules and ("then" in rules or "else" in rules):
            lines.append(f"if holds({self.function(rules['if']).name}, r):")
            for branch in ("then", "else"):
                inner: list[str] = []
                pure &= self.join(inner, "{}(r)", [self.function(rules.get(branch, {}))])
                lines += [f" {line}" for line in inner] + (["else:"] if branch == "then" else [])
        if "not" in rules:
            lines.append(f"if holds({self.function(rules['not']).name}, r):{RAISE}")
        return lines, pure

    def choices(self, schemas: list[Any]) -> tuple[str, bool]:
        """What `single` and `alternatives` choose from, and whether all of it is pure."""
        made = [self.function(schema) for schema in schemas]
        rows = [f"({_only(schema)}, {one.name}), " for schema, one in zip(schemas, made, strict=True)]
        return "".join(rows), all(one.pure for one in made)

    def join(self, lines: list[str], call: str, functions: list[Function]) -> bool:
        made = call.format(", ".join(function.name for function in functions))
        pure = all(function.pure for function in functions)
        lines.append(made if pure else f"v = join(v, {made})")
        return pure


def _only(schema: Any) -> str:
    """What an alternative surely needs, which costs less to see than its refusal: types, and names of a map."""
    kinds = schema.get("type") if type(schema) is dict and "x-secret" not in schema else None
    if kinds is None:
        return "None, names()"
    names = [PYTHON[kind] for kind in ([kinds] if isinstance(kinds, str) else kinds)]
    return f"({', '.join(names)},), names({', '.join(map(repr, schema.get('required', ())))})"


PYTHON = {
    "string": "str, Secret",
    "number": "int, float",
    "integer": "int, float",
    "boolean": "bool",
    "object": "dict",
    "array": "list",
    "null": "Null",
}


def _kinds(rules: Node) -> tuple[str, ...]:
    """Types that the schema takes, in the order of the tests; number swallows integer."""
    named = rules.get("type", ["object", "array", "string", "number", "boolean", "null"])
    named = named if isinstance(named, list) else [named]
    return tuple(kind for kind in named if not (kind == "integer" and "number" in named))


def _chain(rules: Node, blocks: dict[str, list[str]]) -> list[str]:
    """if/elif over the types: those with something to hold first, then the rest, then the refusal."""
    lines = ["t = type(v)"]
    word = "if"
    for kind, block in blocks.items():
        if kind == "integer":
            block = ["if t is float: v = whole(v)", *block]
        if block:
            lines += [f"{word} {TESTS[kind]}:", *[f" {line}" for line in block]]
            word = "elif"
    if "type" not in rules:
        return lines if word == "elif" else []
    empty = [TESTS[kind] for kind, block in blocks.items() if not block and kind != "integer"]
    if empty:
        lines.append(f"{word} {' or '.join(empty)}: pass")
    return [*lines, f"else: v = {'text' if 'string' in blocks else 'other'}(v)"]


def _lengths(rules: Node, least: str, most: str) -> list[str]:
    lines = [f"if len(v) < {rules[least]}:{RAISE}"] if rules.get(least) else []
    return lines + ([f"if len(v) > {rules[most]}:{RAISE}"] if most in rules else [])
