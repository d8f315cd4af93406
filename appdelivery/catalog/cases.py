"""Runs the cases of definitions: NAME.test.yaml beside a definition, its metadata.examples, its schema's `examples`.

`run` is `appctl test`.  A case calls the definition directly with parameters and a context, so it shows what the definition
says and not what the engine adds; an example is a whole Application and is rendered by a function that the caller gives.
"""

from __future__ import annotations

import os

from appdelivery.catalog import expectations, layouts, sources, steps
from appdelivery.errors import SourceError, SpecError
from appdelivery.language import schema
from appdelivery.model import suggest
from appdelivery.model.record import changed, record
from appdelivery.model.refs import AppKey

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from appdelivery.catalog.catalog import Catalog
    from appdelivery.model.definition import Definition
    from appdelivery.model.problem import Problem

    Render = Callable[[Any], None]  # a whole Application as a tree; raises SpecError when it cannot be rendered

FIELDS = frozenset(
    (
        "name",
        "parameters",
        "context",
        "expect",
        "match",
        "errors",
        "warnings",
        "health",
        "status",
        "details",
        "result",
        "outputs",
    )
)
EXPECTATIONS = ("expect", "errors", "warnings", "status", "details", "outputs")
MATCHES = ("equal", "subset")
LIVE = frozenset(("health", "status", "details"))  # cases over live objects, which `health` gives


@record
class CaseResult:
    """problems: why a case could not run or was refused; difference: what was made against what was expected."""

    definition: str  # traits/hpa
    case: str
    passed: bool
    file: str
    difference: str = ""
    problems: tuple[Problem, ...] = ()
    updated: bool = False


def run(
    catalog: Catalog, paths: Sequence[str] = (), *, render: Render, pattern: str = "", update: bool = False
) -> list[CaseResult]:
    """Cases of the definitions of all sources, or of those under the given paths; update rewrites what `expect` holds."""
    results: list[CaseResult] = []
    found: set[str] = set()
    for kind in layouts.KINDS:
        for name in catalog.names(kind):
            label = f"{sources.FOLDERS[kind]}/{name}"
            file = next((path for source in catalog.sources if (path := source.find(kind, name))), "")
            under = {path for path in paths if _under(file, path)}
            found |= under
            if paths and not under:
                continue
            try:
                definition = catalog.resolve(kind, name)
            except SpecError as error:
                results.append(CaseResult(label, "compiles", False, file, problems=error.problems))
                continue
            results += _of_definition(definition, label, render, pattern=pattern, update=update)
    for path in paths:
        if path not in found:
            raise SourceError(f"test {path}: there is no definition")
    return results


def _under(file: str, path: str) -> bool:
    """A path names a definition by its own file, its test file, or a folder above it."""
    file, path = os.path.abspath(file), os.path.abspath(path)
    tests = file.removesuffix(sources.ENDING) + sources.TESTS
    return path in (file, tests) or file.startswith(f"{path}{os.sep}")


def _of_definition(
    definition: Definition, label: str, render: Render, *, pattern: str, update: bool
) -> Iterator[CaseResult]:
    file = definition.file.removesuffix(sources.ENDING) + sources.TESTS
    if os.path.isfile(file):
        yield from _of_file(definition, label, file, pattern=pattern, update=update)
    for index, example in enumerate(definition.examples):
        name = f"example {index + 1}"
        if pattern in f"{label} {name}":
            yield _example(label, name, definition.file, example, render)
    for path, value, at in expectations.schema_examples(definition.parameters):
        name = f"example of {path}"
        if pattern in f"{label} {name}":
            yield _schema_example(definition, label, name, value, at)


def _example(label: str, name: str, file: str, example: Any, render: Render) -> CaseResult:
    try:
        render(example)
    except SpecError as error:
        return CaseResult(label, name, False, file, problems=error.problems)
    return CaseResult(label, name, True, file)


def _schema_example(definition: Definition, label: str, name: str, value: Any, at: dict[str, Any]) -> CaseResult:
    """An example must satisfy the very schema it stands in."""
    from appdelivery.language.schema import explain
    from appdelivery.model.problem import Problem

    found = explain.findings(at, value)
    problems = tuple([Problem(f.message, code=f.code, file=definition.file) for f in found])
    return CaseResult(label, name, not problems, definition.file, problems=problems)


# --- NAME.test.yaml ---


def _of_file(definition: Definition, label: str, file: str, *, pattern: str, update: bool) -> list[CaseResult]:
    from appdelivery.language.text import yaml_in

    try:
        cases = [case for tree in yaml_in.load(sources.read(file), file) for case in _list(tree, file)]
    except SpecError as error:
        return [CaseResult(label, "cases", False, file, problems=error.problems)]
    chosen = [case for case in cases if pattern in f"{label} {case['name']}"]
    results = [_of_case(definition, label, file, case) for case in chosen]
    return _updated(file, chosen, results) if update else [result for result, _ in results]


def _updated(file: str, cases: list[dict[str, Any]], results: list[tuple[CaseResult, Any]]) -> list[CaseResult]:
    from appdelivery.catalog import rewriting

    wanted = {}
    for case, (result, made) in zip(cases, results, strict=True):
        if not result.passed and made is not None and "expect" in case:
            given, whole = case["expect"], made["expect"]
            if expectations.WORKLOAD not in given:
                whole = {name: value for name, value in whole.items() if name != expectations.WORKLOAD}
            wanted[case["name"]] = expectations.overlap(given, whole) if case.get("match") == "subset" else whole
    done = rewriting.rewrite(file, wanted) if wanted else []
    return [changed(r, passed=True, updated=True) if r.case in done else r for r, _ in results]


def _list(tree: Any, file: str) -> list[dict[str, Any]]:
    from appdelivery.model.problem import Problem

    problems = []
    if not isinstance(tree, list):
        raise SpecError([Problem("a test file is a list of cases", code="test.case", file=file)])
    for index, case in enumerate(tree):
        if not isinstance(case, dict) or not isinstance(case.get("name"), str):
            problems.append(Problem("a case is a map with a name", code="test.case", file=file, path=(index,)))
            continue
        if unknown := [field for field in case if field not in FIELDS]:
            message = f"unknown field '{unknown[0]}' of a case{suggest.meant(unknown[0], FIELDS)}"
            problems.append(Problem(message, code="test.case", file=file, path=(index, unknown[0]), at_key=True))
        if case.get("match", "equal") not in MATCHES:
            message = f"match is one of {', '.join(MATCHES)}"
            problems.append(Problem(message, code="test.case", file=file, path=(index, "match")))
        if not set(EXPECTATIONS) & set(case):
            message = f"case '{case['name']}' expects nothing; give one of {', '.join(EXPECTATIONS)}"
            problems.append(Problem(message, code="test.case", file=file, path=(index,)))
    if problems:
        from appdelivery.language.text import source

        raise SpecError(source.locate(problems, {file: sources.read(file)}))
    return tree


def _of_case(definition: Definition, label: str, file: str, case: dict[str, Any]) -> tuple[CaseResult, Any]:
    """The result, and what was really made (for --update)."""
    name = case["name"]
    wanted: list[str] = case.get("errors") or []
    try:
        made, warnings = _made(definition, case)
    except SpecError as error:
        said = [p.message for p in error.problems]
        missing = [text for text in wanted if not any(text in message for message in said)]
        if wanted and not missing:
            return CaseResult(label, name, True, file), None
        difference = expectations.lines("errors", wanted, said) if wanted else ""
        return CaseResult(label, name, False, file, difference, error.problems), None
    if wanted:
        return CaseResult(label, name, False, file, expectations.lines("errors", wanted, ["(it was accepted)"])), None
    differences = [
        expectations.difference(what, case[what], made[what], subset=case.get("match") == "subset")
        for what in ("expect", "status", "details", "outputs")
        if what in case
    ]
    if "warnings" in case:
        lacking = [text for text in case["warnings"] if not any(text in message for message in warnings)]
        differences += [expectations.lines("warnings", case["warnings"], warnings)] if lacking else []
    difference = "\n".join([text for text in differences if text])
    return CaseResult(label, name, not difference, file, difference), made


def _made(definition: Definition, case: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """What the definition makes of the case: {expect, status, details, outputs}, and the warnings of its checks."""
    parameters = _parameters(definition, case)
    context = expectations.context(definition, case.get("context") or {})
    if LIVE & set(case):
        return _judged(definition, parameters, context, case.get("health") or {}), []
    failed = definition.code.checks(parameters, context)
    if errors := [p for p in failed if p.level == "error"]:
        raise SpecError(errors)
    warnings = [p.message for p in failed]
    if definition.kind == layouts.STEP:
        made = steps.arguments(definition, parameters, context)
        given = steps.outputs(definition, parameters, context, case.get("result") or {}) if "outputs" in case else {}
        return {"expect": made, "outputs": given}, warnings
    return {"expect": expectations.rendered(definition, parameters, context)}, warnings


def _parameters(definition: Definition, case: dict[str, Any]) -> Any:
    from appdelivery.language import secrets

    properties = case.get("parameters") or {}
    try:
        filled = definition.code.check(properties)
    except schema.Refusal:
        raise SpecError(expectations.named(definition.code.explain(properties))) from None
    return secrets.settle(filled, owner=str(AppKey("default", "app")), path_prefix=definition.name)


def _judged(definition: Definition, parameters: Any, context: dict[str, Any], live: dict[str, Any]) -> dict[str, Any]:
    scope = {
        "parameters": parameters,
        "context": context,
        "output": live.get("output"),
        "outputs": live.get("outputs") or {},
    }
    return {
        "expect": expectations.health(definition.code.health(scope)),
        "status": definition.code.status(scope),
        "details": definition.code.details(scope),
    }
