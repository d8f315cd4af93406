"""The state of one compile: `Unit` for a definition, `Frame` for one function that is being generated.

Names in scope are (variable, shape).  A `let` is compiled into the function that reaches it, once, before everything
else of that function; what nobody reaches is not compiled.
"""

from __future__ import annotations

from appdelivery.language import problems
from appdelivery.language.compiling import shapes, sizes
from appdelivery.language.compiling.writer import Writer
from appdelivery.language.problems import Span, Wrong

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from appdelivery.language.compiling.shapes import Shape
    from appdelivery.language.text.nodes import Mapping as MappingNode
    from appdelivery.language.text.nodes import Scalar, Sequence
    from appdelivery.model.problem import Path

    Node = Scalar | MappingNode | Sequence
    Scope = Mapping[str, tuple[str, Shape]]

EXPRESSIONS = 5000
CHARACTERS = 32 << 10  # of all expressions of a definition
LOOPS = 8  # in loops
LEVELS = 100  # of an expression's tree


NESTED_LETS = 4


class _Pending(Exception):
    """A let must be compiled before the one that wants it."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class Let:
    """A named value before it is compiled.  order: its place among the lets of its file."""

    __slots__ = ("file", "key", "node", "order", "own", "used")

    def __init__(self, key: Scalar, node: Node, *, file: int, order: int, own: bool) -> None:
        self.key = key
        self.node = node
        self.file = file
        self.order = order
        self.own = own
        self.used = False


class Unit:
    """One definition: its files, its lets, the problems found so far, the context names it reads."""

    def __init__(self) -> None:
        self.problems = problems.Collector()
        self.lets: dict[str, Let] = {}
        self.reads: set[str] = set()
        self.bound: sizes.Bound | None = None  # of what the render sections make
        self.expressions = self.characters = 0

    def count(self, source: str) -> None:
        self.expressions += 1
        self.characters += len(source)
        if self.characters > CHARACTERS:
            raise Wrong("expression.limit", f"the expressions have more than {CHARACTERS:,} characters together")
        if self.expressions > EXPRESSIONS:
            raise Wrong("expression.limit", f"the definition has more than {EXPRESSIONS:,} expressions")


class Frame:
    """One function.  prelude: statements of the lets it reached; out of `patch`: the $-keys of patches are data."""

    def __init__(
        self, unit: Unit, scope: Scope, *, live: bool, section: str = "", context: frozenset[str] = frozenset()
    ) -> None:
        self.unit = unit
        self.top = scope
        self.live = live
        self.section = section
        self.context = context
        self.patch = False
        self.dashes = False  # null inside text is shown as '-'
        self.file = 0
        self.level = 0
        self.loops = 0
        self.weight = 0  # leaves and containers written so far: what one turn of a loop costs
        self.order: tuple[int, int] | None = None  # (file, order) of the let being compiled
        self.writer = Writer()
        self.prelude: list[Any] = []
        self.done: dict[str, tuple[str, Shape]] = {}
        self.under_way: list[str] = []
        self.paths: list[tuple[str | int, ...]] = []
        self.read: list[sizes.Read] = []  # names that the expression under way reads
        self.sources: dict[str, sizes.Source] = {}  # loop name to what its loop walks over
        self.size = sizes.Part()  # of the let or section under way
        self.sizes: dict[str, sizes.Part] = {}  # of finished lets
        self.compile_let: Callable[[Frame, Let, list[Any]], tuple[Any, Shape]] | None = None
        self.spell: Callable[[str], str] = str  # rewrites the text of an expression before it is parsed

    def let(self, name: str) -> tuple[str, Shape]:
        """Variable and shape of a let, compiled now if it was not yet."""
        if name in self.done:
            return self.done[name]
        let = self.unit.lets[name]
        let.used = True
        if name in self.under_way:
            raise Wrong("expression.name", f"the value '{name}' of let needs itself")
        if self.order is not None and self.order[0] == let.file and let.order > self.order[1]:
            raise Wrong("expression.name", f"unknown name '{name}' here: it is defined later, in line {let.key.line}")
        if not self.under_way:
            self._outermost(name)
        elif len(self.under_way) < NESTED_LETS:
            self._let(name)
        else:
            raise _Pending(name)
        return self.done[name]

    def _outermost(self, name: str) -> None:
        """Lets may build on each other in long chains: beyond some depth the compiler goes back and begins below."""
        waiting = [name]
        while waiting:
            counted = self.unit.expressions, self.unit.characters
            try:
                self._let(waiting[-1])
                waiting.pop()
            except _Pending as pending:
                if pending.name in waiting:
                    raise Wrong("expression.name", f"the value '{pending.name}' of let needs itself") from None
                self.unit.expressions, self.unit.characters = counted
                waiting.append(pending.name)

    def _let(self, name: str) -> None:
        let, writer = self.unit.lets[name], self.writer
        assert self.compile_let is not None
        kept = self.file, self.order, self.loops, self.level, self.patch, self.dashes, self.weight
        outer = self.read, self.sources, self.size
        self.read, self.sources, self.size = [], {}, sizes.Part()
        place = writer.line, writer.column, writer.end_line, writer.end_column  # its reader is amid an expression
        self.under_way.append(name)
        self.file, self.order, self.loops, self.level = let.file, (let.file, let.order), 0, 0
        self.patch = self.dashes = False
        statements: list[Any] = []
        try:
            value, shape = self.compile_let(self, let, statements)
            self.size.nodes = self.weight - kept[-1]
            self.sizes[name] = self.size
        finally:
            self.read, self.sources, self.size = outer
            self.under_way.pop()
            self.file, self.order, self.loops, self.level, self.patch, self.dashes, self.weight = kept
            writer.line, writer.column, writer.end_line, writer.end_column = place
        variable = writer.fresh(name)
        self.prelude += [*statements, writer.assign(variable, value)]
        self.done[name] = variable, shape

    def span(self, node: Node, path: Path = ()) -> Span:
        return Span(self.file, (node.line, node.column), (node.end_line, node.end_column), path)

    def report(self, wrong: Wrong, span: Span) -> None:
        self.unit.problems.add(wrong, span)


class Spot:
    """Where the compiler stands: function, names in scope, statements so far, path in the document.

    soft: missing keys are null here although the frame is strict.
    """

    __slots__ = ("frame", "out", "path", "scope", "soft", "w")

    def __init__(self, frame: Frame, scope: Scope, out: list[Any], path: Path = (), *, soft: bool = False) -> None:
        self.frame = frame
        self.scope = scope
        self.out = out
        self.path = path
        self.soft = soft
        self.w = frame.writer

    def value(self, node: Any) -> tuple[Any, Shape]:
        """Python and shape of an expression node."""
        from appdelivery.language.expressions import translate

        return translate.value(node, self)

    def budget(self) -> Any:
        return self.w.name("b")

    def public(self, what: str, shape: Shape) -> None:
        """A secret may only be a whole value."""
        if shape.secret:
            raise Wrong("expression.forbidden", f"{what} cannot use a secret value; it may only be a whole value")

    def under(self, *steps: str | int) -> Spot:
        return Spot(self.frame, self.scope, self.out, self.path + steps)

    def into(self, out: list[Any], scope: Scope | None = None) -> Spot:
        """The same place with statements going elsewhere, seen from inside a loop or branch."""
        return Spot(self.frame, self.scope if scope is None else scope, out, self.path)

    def softly(self, *, soft: bool = True) -> Spot:
        return Spot(self.frame, self.scope, self.out, self.path, soft=soft)

    def at(self, node: Node) -> None:
        """What is written next belongs to this node."""
        self.w.at(self.frame.span(node, self.path))

    def report(self, wrong: Wrong, node: Node) -> None:
        self.frame.report(wrong, self.frame.span(node, self.path))


def context_shape(names: frozenset[str]) -> Shape:
    """What is known of `context`; '*' among the names: any other name is allowed too."""
    fields = {name: (CONTEXT.get(name, shapes.ANY),) for name in names if name != "*"}
    sure = [name for name in fields if not fields[name][0].null]
    return shapes.map_of(fields, sure, shapes.ANY if "*" in names else shapes.CLOSED)


STRINGS = ("name", "appName", "namespace", "appRevision", "revision", "cluster")
OPTIONAL = (
    "componentType",
    "replicaKey",
    "workflowName",
    "publishVersion",
    "stepName",
    "stepGroupName",
    "stepSessionID",
    "spanID",
)
GPU = shapes.map_of(
    {
        "backend": (shapes.MAYBE_STRING,),
        "resource": (shapes.MAYBE_STRING,),
        "models": (shapes.ANY,),
        "profile": (shapes.ANY,),
    },
    (),
)
CONTEXT: dict[str, Shape] = {
    **dict.fromkeys(STRINGS, shapes.STRING),
    **dict.fromkeys(OPTIONAL, shapes.MAYBE_STRING),
    "appRevisionNum": shapes.NUMBER,
    "appLabels": shapes.open_map(shapes.STRING, null=True),
    "appAnnotations": shapes.open_map(shapes.STRING, null=True),
    "clusterVersion": shapes.optional(shapes.named("major", "minor", "gitVersion", "platform")),
    "output": shapes.open_map(null=True),
    "outputs": shapes.open_map(null=True),
    "selector": shapes.open_map(shapes.STRING),
    "labels": shapes.open_map(shapes.STRING),
    "traits": shapes.optional(shapes.STRINGS),
    "owned": shapes.open_map(shapes.STRING, null=True),
    "placement": shapes.optional(
        shapes.map_of({"cluster": (shapes.ANY,), "replicas": (shapes.ANY,), "gpu": (shapes.optional(GPU),)}, ())
    ),
}
HINTS = {
    "artifacts": "KubeVela's context.artifacts is not provided; use outputs of a step",
    "config": "KubeVela's context.config is not provided; use parameters or a secret",
}
