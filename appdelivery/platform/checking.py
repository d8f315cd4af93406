"""validate, lint and test: every problem *in* the documents is a finding; only what cannot run at all is an error."""

from __future__ import annotations

from appdelivery import errors
from appdelivery.model.problem import Problem
from appdelivery.platform import documents, expressions, rendering
from appdelivery.render.render import RenderContext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from appdelivery.catalog.cases import CaseResult
    from appdelivery.catalog.catalog import Catalog
    from appdelivery.model.application import Application


def validate(request: documents.Request, definitions: Sequence[str], context: RenderContext) -> list[Problem]:
    """Schema, references, duplicates, and what a server-side apply would refuse; warnings too.  Needs no cluster."""
    documents.read(request)  # a file that is not there is no finding
    try:
        work = rendering.load(request, definitions)
        found = [*work.loaded.warnings, *[p for app in work.loaded.applications for p in expressions.problems(app)]]
        found += [p for app in work.loaded.applications for p in steps(app, work.catalog)]
        for _, rendered in rendering.render(work, context):
            from appdelivery.delivery import desired

            checked = desired.check(rendered)
            found += [*rendered.warnings, *checked.problems]
            found += [Problem(text, code="delivery.notice", level="warning") for text in checked.warnings]
        return rendering.located(work, found)
    except errors.SpecError as error:
        return [*error.problems, *_refused_steps(request, definitions)]


def steps(app: Application, known: Catalog) -> list[Problem]:
    """What is wrong with an application's workflow: its steps by their definitions, then expressions, inputs and order."""
    if app.workflow is None:
        return []
    from appdelivery.workflow import admission, spec, step_checks

    def resolved(type_: str) -> spec.Resolved:
        definition = known.resolve("WorkflowStepDefinition", type_)
        return spec.Resolved(definition.use, definition.outputs)

    found = step_checks.check_steps(app.workflow, known.resolve, file=app.file, document=app.index)
    try:
        made = spec.of(app.workflow, resolved)
    except errors.SpecError:
        return found  # unknown types, which were found already
    given = [output.name for component in app.components for output in component.outputs]
    return found + admission.problems(app.workflow, made, given=given, file=app.file, document=app.index)


def check_steps(app: Application, known: Catalog) -> None:
    if wrong := [problem for problem in steps(app, known) if problem.level == "error"]:
        raise errors.SpecError(wrong)


def _refused_steps(request: documents.Request, definitions: Sequence[str]) -> list[Problem]:
    """The same for documents that were refused for another reason, so that everything is said at once."""
    from appdelivery.language.text import source, yaml_in
    from appdelivery.workflow import step_checks

    texts = documents.read(request)
    known = rendering.open_catalog(definitions)
    found: list[Problem] = []
    for file, data in texts.items():
        try:
            trees = yaml_in.load(data, file)
        except errors.SpecError:
            continue  # said already
        found += [
            p for i, tree in enumerate(trees) for p in step_checks.check_tree(tree, known.resolve, file=file, document=i)
        ]
    return source.locate(found, texts)


def lint(paths: Sequence[str], definitions: Sequence[str]) -> list[Problem]:
    """Findings for definition files and Applications of the given paths (default: the shipped definitions)."""
    from appdelivery.catalog import lint as rules
    from appdelivery.language.text import source, yaml_in

    known = rendering.open_catalog(definitions)
    if not paths:
        return list(rules.definitions(known))
    texts = documents.read(documents.Request(tuple(paths)))
    found: list[Problem] = []
    for file, data in texts.items():
        try:
            trees: list[Any] = yaml_in.load(data, file)
        except errors.SpecError as error:
            found += error.problems
            continue
        kinds = {str(tree.get("kind")) for tree in trees if isinstance(tree, dict)}
        if kinds & set(rules.KINDS):
            found += rules.file(file, data, rendering.open_catalog([*definitions, file]))
        elif "Application" in kinds:
            found += validate(documents.Request((file,)), definitions, RenderContext(identify=False))
            found += rules.application(file, trees, known)
            found += _dangling(file, trees, known)
    return source.locate(found, texts)


def _dangling(file: str, trees: Sequence[Any], known: Catalog) -> list[Problem]:
    """References inside an application that point nowhere; nothing for one that does not render: validate has said why."""
    from appdelivery.model import reading
    from appdelivery.render import references
    from appdelivery.render.render import render

    found: list[Problem] = []
    for index, tree in enumerate(trees):
        try:
            app = reading.application(tree, file, index)
            found += references.dangling(app, render(app, known.resolve))
        except errors.SpecError:
            continue
    return found


def test(paths: Sequence[str], definitions: Sequence[str], *, pattern: str, update: bool) -> list[CaseResult]:
    """Runs NAME.test.yaml, metadata.examples and schema examples of the definitions under the paths (default: all)."""
    from appdelivery.catalog import cases
    from appdelivery.model import reading
    from appdelivery.render.render import render

    known = rendering.open_catalog([*definitions, *paths] if paths else definitions)

    def rendered(tree: Any) -> None:
        app = reading.application(tree, "example", 0)
        check_steps(app, known)
        render(app, known.resolve)

    return cases.run(known, paths, render=rendered, pattern=pattern, update=update)
