"""Nothing gets out: published sandbox escapes are refused, and generated code can do nothing but what it may."""

from __future__ import annotations

import ast
import dis
import glob
import os

import hostile
import pytest
from compiling import LAYOUTS, SCHEMA, bound, compiled, definition

from appdelivery import errors
from appdelivery.language import module
from appdelivery.language.compiling import compiler
from appdelivery.language.expressions import filters

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ALLOWED = (
    ast.Module, ast.FunctionDef, ast.arguments, ast.arg, ast.Return, ast.Assign, ast.Expr, ast.If, ast.For, ast.Continue,
    ast.Pass, ast.Name, ast.Load, ast.Store, ast.Constant, ast.Call, ast.Subscript, ast.IfExp, ast.BoolOp, ast.And,
    ast.Or, ast.UnaryOp, ast.Not, ast.Compare, ast.Is, ast.IsNot, ast.Eq, ast.NotEq, ast.In, ast.NamedExpr, ast.List,
    ast.Tuple, ast.Dict,
)  # fmt: skip
FORBIDDEN = (
    "ATTR",
    "METHOD",
    "IMPORT",
    "GLOBAL_NAME",
    "STORE_GLOBAL",
    "DELETE",
    "MAKE_FUNCTION",
    "LOAD_BUILD_CLASS",
    "YIELD",
    "RAISE",
)


def shared(name):
    path = f"{ROOT}/components/_shared/{name}.yaml"
    if not os.path.exists(path):
        return None
    with open(path, "rb") as stream:
        return stream.read(), path


SHIPPED = [
    path
    for folder in ("components", "traits")
    for path in sorted(glob.glob(f"{ROOT}/{folder}/*.yaml"))
    if not path.endswith(".test.yaml")
]


@pytest.fixture
def trees(monkeypatch):
    """The Python trees of everything compiled in a test, as they are handed to Python."""
    seen = []
    python = compiler._python

    def watched(functions, file):
        seen.extend(functions)
        return python(functions, file)

    monkeypatch.setattr(compiler, "_python", watched)
    return seen


def walk(functions):
    for function in functions:
        stored = {a.arg for a in function.args.args}
        stored |= {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        assert not stored & set(filters.NAMESPACE), "a variable hides a helper"
        for node in ast.walk(function):
            assert isinstance(node, ALLOWED), ast.dump(node)
            if isinstance(node, ast.Call):
                assert isinstance(node.func, ast.Name)
                assert node.func.id in filters.NAMESPACE
                assert not node.keywords
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                assert node.id in stored or node.id in filters.NAMESPACE
            if isinstance(node, ast.Constant):
                assert isinstance(node.value, (str, int, float, bool, tuple, type(None)))


def instructions(code):
    """Names of all instructions of the functions that a module defines."""
    functions = [constant for constant in code.co_consts if hasattr(constant, "co_code")]
    for function in functions:
        assert set(function.co_names) <= set(filters.NAMESPACE)
    return {dis.opname[number] for function in functions for number in function.co_code[::2]}


def test_generated_code_of_every_shipped_definition_stays_inside_the_allowed_nodes(trees):
    assert len(SHIPPED) > 5
    for path in SHIPPED:
        with open(path, "rb") as stream:
            found = module.compile(stream.read(), path, shared=shared, layouts=LAYOUTS)
        for name in instructions(found.code):
            assert not any(word in name for word in FORBIDDEN)
    assert trees
    walk(trees)


def test_generated_code_of_the_hostile_corpus_stays_inside_the_allowed_nodes(trees):
    compiles = 0
    for name, body, _ in hostile.HANGS:
        if name.startswith("many") or len(body) > 30000:
            continue
        try:
            found = compiled(body)
        except errors.SpecError:
            continue
        compiles += 1
        for name in instructions(found.code):
            assert not any(word in name for word in FORBIDDEN)
    assert compiles > 20
    walk(trees)


@pytest.mark.parametrize("expression", hostile.ESCAPES)
def test_known_escapes_are_refused(expression):
    quoted = expression.replace("'", "''")
    with pytest.raises(errors.SpecError):
        module_ = bound(f"{SCHEMA}\npatch: {{v: '${{{{ {quoted} }}}}'}}")
        module_.render({"any": "x"}, {"name": "web"})


def test_names_of_helpers_are_free_for_users():
    """A let or a loop called like a helper, or like a variable of generated code, is nothing but a name."""
    names = [n for n in filters.NAMESPACE if n.isidentifier() and not n.startswith("__")][:60]
    body = "let:\n" + "".join(f"  {n}: {i}\n" for i, n in enumerate(names))
    body += (
        "patch: {sum: '${{ [" + ", ".join(names) + "] | sum }}', text: 'x${{ text }}', got: '${{ {\"a\": 1}.get(\"a\") }}'}"
    )
    assert bound(body).render({}, {}).patch == {"sum": sum(range(len(names))), "got": 1, "text": f"x{names.index('text')}"}
    loops = "patch: {v: [{$for: 'b in [1, 2]', $value: 'x${{ b + 1 }}'}, {$for: 'v1 in [1]', $value: '${{ v1 }}'}]}"
    assert bound(loops).render({}, {}).patch == {"v": ["x2", "x3", 1]}


def test_names_of_helpers_are_free_in_inline_expressions():
    from appdelivery.language import inline

    names = frozenset({"b", "text", "get", "soft", "add"})
    made = inline.compile("${{ b + text + get.x + soft ~ '' }}${{ add }}", names)
    values = {"b": 1, "text": 2, "get": {"x": 3}, "soft": 4, "add": 5}
    assert made.value(values) == "645"


def test_the_namespace_of_generated_code_has_no_builtins():
    module_ = bound("patch: {v: 1}")
    module_.render({}, {})
    assert module_._functions["__builtins__"] == {}


def test_the_parser_knows_no_node_that_we_have_not_seen():
    """A new version of Jinja2 with new nodes must be looked at before it is used."""
    from jinja2 import nodes

    def below(kind):
        return {kind.__name__}.union(*[below(sub) for sub in kind.__subclasses__()])

    assert below(nodes.Expr) == {
        "Add", "And", "BinExpr", "Call", "Compare", "Concat", "CondExpr", "Const", "ContextReference",
        "DerivedContextReference", "Dict", "Div", "EnvironmentAttribute", "Expr", "ExtensionAttribute", "Filter",
        "FloorDiv", "Getattr", "Getitem", "ImportedName", "InternalName", "List", "Literal", "MarkSafe",
        "MarkSafeIfAutoescape", "Mod", "Mul", "Name", "Neg", "NSRef", "Not", "Or", "Pos", "Pow", "Slice", "Sub",
        "TemplateData", "Test", "Tuple", "UnaryExpr", "_FilterTestCommon",
    }  # fmt: skip


def test_definitions_see_no_attributes_of_values():
    for name in ("__class__", "real", "lower", "keys", "append", "_value", "open"):
        with pytest.raises(errors.SpecError) as wrong:
            bound("parameters: {properties: {a: {}}}\npatch: {v: '${{ parameters.a." + name + " }}'}").render({"a": 1}, {})
        assert wrong.value.problems[0].code == "render.type"


def test_a_definition_is_compiled_the_same_twice():
    data = definition("patch: {v: '${{ context.name ~ 1 }}'}")
    once = module.compile(data, "x.yaml", shared=shared, layouts=LAYOUTS)
    twice = module.compile(data, "x.yaml", shared=shared, layouts=LAYOUTS)
    assert once.code == twice.code
    assert once.hash == twice.hash
