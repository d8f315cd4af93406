"""Expressions outside of definitions: in properties of an Application, in `if` and `valueFrom`, in deferred strings.

`find` says where they stand, `compile` and `condition` make each an Inline.  Values are data: nothing here looks at a
value that an expression gave.  Called by render, workflow and the module's checks.
"""

from __future__ import annotations

from appdelivery import errors
from appdelivery.language import budget
from appdelivery.language.compiling import shapes
from appdelivery.language.expressions import filters, grammar
from appdelivery.model import problem
from appdelivery.model.record import changed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from appdelivery.language.compiling.frames import Spot
    from appdelivery.language.compiling.shapes import Shape
    from appdelivery.model.problem import Path

    # Name to what is known of it: None, names of its members, or a mapping.
    Names = Mapping[str, Any] | frozenset[str]

FILE = "<expression>"
SCHEMA_LISTS = ("oneOf", "anyOf", "allOf")


class Inline:
    """A compiled expression.  paths: the constant paths it reads; components: names read under `components`."""

    __slots__ = ("_function", "components", "names", "paths", "text")

    def __init__(self, text: str, function: Any, names: tuple[str, ...], paths: tuple[Path, ...]) -> None:
        self.text = text
        self.names = names
        self.paths = paths
        self.components = frozenset([str(path[1]) for path in paths if path[0] == "components" and len(path) > 1])
        self._function = function

    def value(self, names: Mapping[str, Any]) -> Any:
        """Raises SpecError whose problems have no place: the caller knows file and path."""
        try:
            return self._function(budget.fresh(), *[names.get(name) for name in self.names])
        except Exception as fault:  # whatever a value made impossible; located reports anything else as our own fault
            from appdelivery.language import locating

            raise _placeless(locating.located(fault, FILE, ((FILE, self.text.encode("utf-8", "replace")),))) from fault


class Known:
    """Names with their shapes, made once for all the expressions of one place."""

    __slots__ = ("dashed", "shapes")

    def __init__(self, names: Names) -> None:
        known: Mapping[str, Any] = dict.fromkeys(names) if isinstance(names, frozenset) else names
        self.shapes = {name: _shape(inner) for name, inner in known.items()}
        # Names of components and steps have dashes, which are a minus everywhere else.
        self.dashed = {root: found for root, inner in known.items() if (found := {n for n in _members(inner) if "-" in n})}

    def spelled(self, source: str) -> str:
        """`components.my-db.name` reads as components['my-db'].name."""
        if not self.dashed or "-" not in source:
            return source
        out, copied = "", 0
        for index, _ in grammar.code(source):
            if index < copied or (index and (source[index - 1].isalnum() or source[index - 1] in "._")):
                continue
            for root, names in self.dashed.items():
                if source.startswith(f"{root}.", index) and (name := _longest(source, index + len(root) + 1, names)):
                    out += f"{source[copied:index]}{root}['{name}']"
                    copied = index + len(root) + 1 + len(name)
                    break
        return out + source[copied:]


def _members(inner: Any) -> Any:
    return inner if isinstance(inner, (frozenset, set, tuple, list, dict)) else ()


def _longest(source: str, start: int, names: set[str]) -> str:
    """The longest of the names that stands at `start` as a whole word; '' for none."""
    end = start
    while end < len(source) and (source[end].isalnum() or source[end] in "_-."):
        end += 1
    while end > start:
        if source[start:end] in names:
            return source[start:end]
        end -= 1
        while end > start and source[end] != ".":
            end -= 1
    return ""


def find(tree: Any, schema: Mapping[str, Any] | None = None) -> list[tuple[Path, str]]:
    """Leaves that hold an expression, in document order; not those that a schema defers."""
    found: list[tuple[Path, str]] = []
    _find(tree, (), schema, found)
    return found


def _find(tree: Any, path: Path, schema: Any, found: list[tuple[Path, str]]) -> None:
    kind = type(tree)
    if kind is str:
        if "${" in tree and _live(tree) and not (type(schema) is dict and "x-deferred" in schema):
            found.append((path, tree))
    elif kind is dict:
        for key, value in tree.items():
            _find(value, (*path, key), member_schema(schema, key) if schema else None, found)
    elif kind is list:
        for index, value in enumerate(tree):
            _find(value, (*path, index), item_schema(schema) if schema else None, found)


def member_schema(schema: Any, name: str) -> Any:
    """The schema of a property, also when a branch declares it."""
    if type(schema) is not dict:
        return None
    if name in schema.get("properties", {}) and schema["properties"][name]:
        return schema["properties"][name]
    for branch in [b for key in SCHEMA_LISTS for b in schema.get(key, ())]:
        inner = member_schema(branch, name)
        if inner:
            return inner
    return schema.get("additionalProperties")


def item_schema(schema: Any) -> Any:
    if type(schema) is not dict:
        return None
    if "items" in schema:
        return schema["items"]
    return next((s for key in SCHEMA_LISTS for b in schema.get(key, ()) if (s := item_schema(b))), None)


def _live(text: str) -> bool:
    """More than escapes."""
    if not grammar.live(text):
        return False
    return grammar.live(text.replace("$${{", "").replace("$${%", ""))


def unescape(tree: Any) -> Any:
    """The tree with `$${{` written out as `${{` where no expression stands beside it; shared where nothing changed."""
    kind = type(tree)
    if kind is str:
        if "$${" not in tree or _live(tree):
            return tree
        return tree.replace("$${{", "${{").replace("$${%", "${%")
    if kind is dict:
        out = {key: unescape(value) for key, value in tree.items()}
        return out if any(out[key] is not value for key, value in tree.items()) else tree
    if kind is list:
        items = [unescape(value) for value in tree]
        return items if any(new is not old for new, old in zip(items, tree, strict=True)) else tree
    return tree


def compile(text: str, names: Names | Known, *, mode: str = "strict") -> Inline:
    """A leaf: a typed value when it is one expression, else text.  SpecError with problems that have no place."""
    from appdelivery.language.expressions import leaves
    from appdelivery.language.text import nodes

    scalar = nodes.Scalar(text, text, False, "", 1, 1, 1, len(text) + 1)
    return _compiled(text, names, mode, lambda spot: leaves.leaf(scalar, spot))


def condition(text: str, names: Names, *, mode: str = "live") -> Inline:
    """A condition or a `valueFrom`: `${{ }}`, or bare text in KubeVela's or our spelling."""
    from appdelivery.language.kubevela import spelling

    if grammar.live(text):
        return compile(text, names, mode=mode)
    return bare(spelling.to_expression(text, names), names, mode=mode)


def bare(text: str, names: Names | Known, *, mode: str = "live") -> Inline:
    """One expression without brackets around it."""
    from appdelivery.language.expressions import leaves
    from appdelivery.language.text import nodes

    scalar = nodes.Scalar(text, text, False, "", 1, 1, 1, len(text) + 1)
    return _compiled(text, names, mode, lambda spot: leaves.bare(scalar, spot))


def _compiled(text: str, names: Names | Known, mode: str, make: Callable[[Spot], tuple[Any, Shape]]) -> Inline:
    import ast
    from builtins import compile as python

    from appdelivery.language.compiling import frames

    unit = frames.Unit()
    unit.problems.files.append((FILE, text.encode("utf-8", "replace")))
    known = names if isinstance(names, Known) else Known(names)
    scope = {name: (f"n_{name}", shape) for name, shape in known.shapes.items()}
    frame = frames.Frame(unit, scope, live=mode == "live")
    frame.spell = known.spelled
    body: list[Any] = []
    order = tuple(sorted(scope))
    arguments = ("b", *[scope[name][0] for name in order])  # never the name of a helper
    try:
        value, _ = make(frames.Spot(frame, scope, body))
        unit.problems.stop_if_any()
        function = frame.writer.function("value", arguments, [*body, frame.writer.returns(value)])
        code = python(ast.Module([function], []), FILE, "exec", dont_inherit=True, optimize=2)
    except errors.SpecError as wrong:
        raise _placeless(wrong) from None
    except RecursionError:
        found = problem.Problem("the expression is nested too deeply to be compiled", code="expression.limit")
        raise errors.SpecError([found]) from None
    space = dict(filters.NAMESPACE)
    exec(code, space)  # noqa: S102 - generated by us, with no builtins in reach
    return Inline(text, space["value"], order, tuple(dict.fromkeys(frame.paths)))


def _shape(known: Any) -> Shape:
    if isinstance(known, shapes.Shape):
        return known
    if known is None:
        return shapes.ANY
    if hasattr(known, "items"):
        return shapes.map_of({name: (_shape(inner),) for name, inner in known.items()}, ())
    return shapes.named(*known)


def _placeless(error: errors.AppError) -> errors.AppError:
    if not isinstance(error, errors.SpecError):
        return error
    return errors.SpecError([changed(p, file="", line=0, column=0, excerpt="") for p in error.problems])
