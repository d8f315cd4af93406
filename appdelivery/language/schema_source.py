"""Closed schema to Python source of `check(value)`: accepts what jsonschema accepts and fills defaults in.

One function per different schema, fused with its defaults.  Every constraint looks at the value as given; what several
schemas of one value fill in is joined afterwards.  A function that never changes its value is *pure*, so maps and lists
of pure things are not rebuilt.  Generated code holds calls of NAMESPACE, comparisons and literals, no attribute access.
Called by `schema.source` and for defaults by `schema_close`.
"""

from __future__ import annotations

from appdelivery.language.schema_dialect import MANY, ONE, VALUES
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
READY = {"string": "string", "boolean": "boolean", "number": "number", "integer": "integer"}
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
    """Collects functions and constants; equal ones once."""

    def __init__(self) -> None:
        self.functions: dict[str, str] = {}  # body to name
        self.constants: dict[str, str] = {}  # expression to name
        self.defaults: dict[str, str] = {}

    def text(self, *, defaults: bool = True) -> str:
        """Functions, then the tables that name them, then the defaults that are made by calling them."""
        lines = [f"def {name}(v):\n{body}" for body, name in self.functions.items()]
        made = [*self.constants.items(), *(self.defaults.items() if defaults else ())]
        lines += [f"{name} = {expression}" for expression, name in made]
        return "\n".join(lines)

    def constant(self, expression: str) -> str:
        return self.constants.setdefault(expression, f"K{len(self.constants)}")

    def function(self, schema: Node) -> Function:
        if unknown := schema.keys() - KNOWN:
            raise ValueError(f"not a closed schema: {min(unknown)}")
        rules = {keyword: value for keyword, value in schema.items() if keyword not in NOTES}
        if not rules:
            return ANYTHING
        if rules.pop("x-secret", False):
            inner = self.function(rules)
            return self.defined([f"v = secret(v, {inner.name})"], pure=False)
        if rules.keys() == {"type"} and not isinstance(rules["type"], list) and rules["type"] in READY:
            return Function(READY[rules["type"]], pure=rules["type"] != "integer")
        lines, pure = self.lines(rules)
        if rules.keys() <= {"type", "enum"} and rules.get("type", "string") == "string" and _texts(rules):
            known = self.constant(f"keys({rules['enum']!r})")
            lines.insert(0, f"if type(v) is str and v in {known}: return v")
        return self.defined(lines, pure=pure)

    def defined(self, lines: list[str], *, pure: bool) -> Function:
        body = "".join(f" {line}\n" for line in [*lines, "return v"])
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
        named = {name: self.function(schema) for name, schema in rules.get("properties", {}).items()}
        extra = rules.get("additionalProperties", True)
        rest = ANYTHING if extra is True else Function("refuse", pure=True) if extra is False else self.function(extra)
        fills = self.fills(rules.get("properties", {}), named)
        if not fills and rest.pure and all(function.pure for function in named.values()):
            nothing = rest is ANYTHING and all(function is ANYTHING for function in named.values())
            return lines + ([] if nothing else [f"for k, x in items(v): {self.called(named, rest)}(x)"]), True
        if named or rest is not ANYTHING:
            lines += ["o = {}", f"for k, x in items(v): o[k] = {self.called(named, rest)}(x)", "v = o"]
        return lines + fills, False

    def called(self, named: dict[str, Function], rest: Function) -> str:
        if not named:
            return rest.name
        pairs = ", ".join(f"{name!r}: {function.name}" for name, function in named.items())
        return f"{self.constant(f'Table({{{pairs}}}, {rest.name})')}[k]"

    def fills(self, properties: Node, named: dict[str, Function]) -> list[str]:
        lines = []
        for name, schema in properties.items():
            if "default" in schema:
                value, literal = schema["default"], repr(schema["default"])
                scalar = value is None or type(value) in (str, int, bool)
                if not scalar or not (named[name].pure or type(value) is int):
                    literal = self.defaults.setdefault(f"{named[name].name}({literal})", f"D{len(self.defaults)}")
                lines.append(f"if {name!r} not in v: v[{name!r}] = {literal}")
        return lines

    def applied(self, rules: Node) -> tuple[list[str], bool]:
        """Keywords that put further schemas to the same value, as it was given: `r`."""
        lines: list[str] = []
        pure = True
        for schema in rules.get("allOf", ()):
            pure &= self.join(lines, "{}(r)", [self.function(schema)])
        for keyword, helper in (("anyOf", "first"), ("oneOf", "single")):
            if keyword in rules:
                choices = [self.function(schema) for schema in rules[keyword]]
                pure &= self.join(lines, helper + "(({},), r)", choices)
        if "if" in rules and ("then" in rules or "else" in rules):
            lines.append(f"if holds({self.function(rules['if']).name}, r):")
            for branch in ("then", "else"):
                inner: list[str] = []
                pure &= self.join(inner, "{}(r)", [self.function(rules.get(branch, {}))])
                lines += [f" {line}" for line in inner] + (["else:"] if branch == "then" else [])
        if "not" in rules:
            lines.append(f"if holds({self.function(rules['not']).name}, r):{RAISE}")
        return lines, pure

    def join(self, lines: list[str], call: str, functions: list[Function]) -> bool:
        made = call.format(", ".join(function.name for function in functions))
        pure = all(function.pure for function in functions)
        lines.append(made if pure else f"v = join(v, {made})")
        return pure


def _texts(rules: Node) -> bool:
    return all(isinstance(value, str) for value in rules["enum"])


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
