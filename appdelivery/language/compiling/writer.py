"""Makes the nodes of generated Python, each with the place in the YAML file that it comes from.

There is deliberately nothing here that makes an attribute access, an import or a function: what cannot be written
cannot be generated.  A line carries the number of its file in its upper bits, because one function holds code of
several files (shared parts) and Python knows one file name per function.
"""

from __future__ import annotations

import ast

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from appdelivery.language.problems import Span

FILE_BITS = 20  # lines of a definition file fit into these: it has at most 512 KiB
LOAD, STORE = ast.Load(), ast.Store()


class Perhaps(ast.IfExp):
    """`value if test else None` with a value that is never null: whether it is there, the test says."""


class Writer:
    """at() sets the place of everything made after it."""

    def __init__(self) -> None:
        self.count = 0
        self.line = self.end_line = 1
        self.column = self.end_column = 0

    def at(self, span: Span) -> None:
        upper = span.file << FILE_BITS
        self.line = upper | span.line
        self.column = span.column - 1
        self.end_line = upper | span.end_line
        self.end_column = span.end_column - 1

    def place(self, node: Any) -> Any:
        node.lineno = self.line
        node.col_offset = self.column
        node.end_lineno = self.end_line
        node.end_col_offset = self.end_column
        return node

    def fresh(self, name: str = "") -> str:
        """A variable that no other has; never the name of a helper."""
        self.count += 1
        return f"v{self.count}_{name}" if name else f"v{self.count}"

    # expressions

    def name(self, name: str) -> Any:
        return self.place(ast.Name(name, LOAD))

    def constant(self, value: Any) -> Any:
        return self.place(ast.Constant(value))

    def call(self, helper: str, *arguments: Any) -> Any:
        return self.place(ast.Call(self.name(helper), [*arguments], []))

    def subscript(self, value: Any, key: object) -> Any:
        return self.place(ast.Subscript(value, self.constant(key), LOAD))

    def choice(self, test: Any, yes: Any, no: Any) -> Any:
        return self.place(ast.IfExp(test, yes, no))

    def perhaps(self, test: Any, value: Any) -> Any:
        return self.place(Perhaps(test, value, self.constant(None)))

    def both(self, *values: Any) -> Any:
        return self.place(ast.BoolOp(ast.And(), [*values]))

    def either(self, *values: Any) -> Any:
        return self.place(ast.BoolOp(ast.Or(), [*values]))

    def negation(self, value: Any) -> Any:
        return self.place(ast.UnaryOp(ast.Not(), value))

    def compare(self, left: Any, operator: ast.cmpop, right: Any) -> Any:
        return self.place(ast.Compare(left, [operator], [right]))

    def given(self, value: Any) -> tuple[Any, Any]:
        """A test whether the value is there, and the value where it is."""
        if type(value) is Perhaps:
            return value.test, value.body
        if type(value) is ast.Name:
            return self.is_given(value), self.name(value.id)
        kept = self.fresh()
        return self.is_given(self.keep(kept, value)), self.name(kept)

    def is_null(self, value: Any) -> Any:
        if type(value) is Perhaps:
            return self.negation(value.test)
        if type(value) is ast.Constant:  # Python warns of `1 is None`
            return self.constant(value.value is None)
        return self.compare(value, ast.Is(), self.constant(None))

    def is_given(self, value: Any) -> Any:
        if type(value) is Perhaps:
            return value.test
        if type(value) is ast.Constant:
            return self.constant(value.value is not None)
        return self.compare(value, ast.IsNot(), self.constant(None))

    def keep(self, variable: str, value: Any) -> Any:
        """variable := value"""
        return self.place(ast.NamedExpr(self.place(ast.Name(variable, STORE)), value))

    def sequence(self, items: Sequence[Any]) -> Any:
        return self.place(ast.List([*items], LOAD))

    def tuple(self, items: Sequence[Any]) -> Any:
        return self.place(ast.Tuple([*items], LOAD))

    def map(self, keys: Sequence[Any], values: Sequence[Any]) -> Any:
        return self.place(ast.Dict([*keys], [*values]))

    # statements

    def assign(self, variable: str, value: Any) -> Any:
        return self.place(ast.Assign([self.place(ast.Name(variable, STORE))], value))

    def store(self, variable: str, key: Any, value: Any) -> Any:
        """variable[key] = value"""
        return self.place(ast.Assign([self.place(ast.Subscript(self.name(variable), key, STORE))], value))

    def do(self, value: Any) -> Any:
        return self.place(ast.Expr(value))

    def when(self, test: Any, yes: list[Any], no: list[Any] | None = None) -> Any:
        return self.place(ast.If(test, yes or [self.place(ast.Pass())], no or []))

    def skip_turn(self) -> Any:
        return self.place(ast.Continue())

    def loop(self, variables: Sequence[str], items: Any, body: list[Any]) -> Any:
        targets = [self.place(ast.Name(variable, STORE)) for variable in variables]
        target = targets[0] if len(targets) == 1 else self.place(ast.Tuple(targets, STORE))
        return self.place(ast.For(target, items, body or [self.place(ast.Pass())], []))

    def returns(self, value: Any) -> Any:
        return self.place(ast.Return(value))

    def function(self, name: str, arguments: Sequence[str], body: list[Any]) -> Any:
        taken = [self.place(ast.arg(argument)) for argument in arguments]
        given = ast.arguments([], taken, None, [], [], None, [])
        function = ast.FunctionDef(name, given, body, [], None)
        if "type_params" in function._fields:  # since 3.12
            function.type_params = []  # type: ignore[attr-defined, unused-ignore]
        return self.place(function)
