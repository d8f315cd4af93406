"""What is wrong with the expressions, inputs and order of a workflow, with places, all at once, before it runs.

Called by platform when a release or run is planned or opened, after `spec.of`.  Shapes, names and dependsOn were
checked when the document was read; types, properties and valueFrom are checked against definitions by `step_checks`.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from appdelivery import errors
from appdelivery.model import circles, suggest
from appdelivery.model.problem import Problem
from appdelivery.model.record import changed
from appdelivery.workflow import expressions
from appdelivery.workflow.spec import short

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from appdelivery.model.application import Step, Workflow
    from appdelivery.model.problem import Path
    from appdelivery.model.run import Spec, StepSpec
    from appdelivery.workflow.expressions import Scope

CODE = "application.workflow"
BEGINNING = " begins"  # of a group, as a node of its own


def problems(
    workflow: Workflow, spec: Spec, *, given: Collection[str] = (), file: str = "", document: int = 0
) -> list[Problem]:
    """given: names of outputs that components of the application write."""
    written = {step.name: step for top in workflow.steps for step in (top, *top.sub_steps)}
    around = expressions.scope(spec.steps)
    writers = {output.name for step in spec.steps for output in step.outputs} | set(given)
    found: list[Problem] = []
    for step in spec.steps:
        at = written[short(step.name)]
        found += _expressions(step, at.path, around)
        found += _inputs(step, at.path, writers)
    found += _order(spec, written)
    return [changed(one, file=file, document=document) for one in found]


def _expressions(step: StepSpec, path: Path, around: Scope) -> Iterator[Problem]:
    if step.condition and not expressions.is_always(step):
        yield from _compiled((*path, "if"), lambda: expressions.condition(step, around), around)
    for place, text in expressions.leaves(step):
        where = (*path, "properties", *place)
        yield from _compiled(where, lambda text=text: expressions.leaf(text, step, around), around)  # type: ignore[misc]
    if step.foreach is not None and isinstance(step.foreach.items, str):
        source = step.foreach.items
        yield from _compiled((*path, "foreach", "items"), lambda: expressions.items(source, step, around), around)


def _compiled(path: Path, compile: Callable[[], Any], around: Scope) -> Iterator[Problem]:
    try:
        compiled = compile()
    except errors.SpecError as error:
        for problem in error.problems:
            yield changed(_clearer(problem, around), path=path, code=problem.code or "expression")
        return
    for read in compiled.paths:
        if read[0] in ("status", "steps") and len(read) == 1:
            message = f"'{read[0]}' is read by the name of a step, or nothing can be known of its order"
            yield Problem(message, CODE, path, hint=f"write {read[0]}.NAME; {suggest.listed(around.steps)}")


def _clearer(problem: Problem, around: Scope) -> Problem:
    """What the compiler says of names, in words of workflows."""
    for root in ("status", "steps"):
        head = f"{root} has no property '"
        if problem.message.startswith(head):
            name = problem.message.removeprefix(head).partition("'")[0]
            message = f"there is no step '{name}'{suggest.meant(name, around.steps)}"
            return changed(problem, message=message, hint=suggest.listed(around.steps))
    head = "unknown name '"
    name = problem.message.removeprefix(head).partition("'")[0]
    if problem.message.startswith(head) and name in around.steps:
        return changed(problem, hint=f"of a step write status.{name}.succeeded, or steps.{name}.outputs.KEY")
    head = "inputs has no property '"
    if problem.message.startswith(head):
        name = problem.message.removeprefix(head).partition("'")[0]
        hint = problem.hint or f"a step declares what it reads: inputs: [{{from: {name}}}]"
        return changed(problem, message=f"the step has no input '{name}'", hint=hint)
    return problem


def _inputs(step: StepSpec, path: Path, writers: set[str]) -> Iterator[Problem]:
    for index, item in enumerate(step.inputs):
        if item.source not in writers and not item.source.startswith("context."):
            message = f"nobody writes the output '{item.source}'{suggest.meant(item.source, writers)}"
            hint = suggest.listed(sorted(writers)) or "an output is declared by outputs: [{name, valueFrom}]"
            yield Problem(message, "application.reference", (*path, "inputs", index, "from"), hint=hint)


def _order(spec: Spec, written: dict[str, Step]) -> Iterator[Problem]:
    """Steps that wait for each other, for whatever reason: one problem for each circle, at what closes it."""
    edges = _edges(spec)
    steps = {step.name: step for step in spec.steps}
    names = {short(name): name for name in steps}
    for _ in spec.steps:
        circle = circles.find(edges)
        if not circle:
            return
        a, b, problem = _closing(circle, steps, written, names)
        yield problem
        edges[a] = [name for name in edges[a] if name != b]


def _edges(spec: Spec) -> dict[str, list[str]]:
    """A step is its end.  A group has its beginning apart, which waits for its needs; its steps wait for that, and its
    end for them."""
    known = {step.name for step in spec.steps}
    edges: dict[str, list[str]] = {}
    for step in spec.steps:
        needs = [name for name in step.needs if name in known]
        if step.use:
            edges[step.name] = [*needs, *([step.group + BEGINNING] if step.group else [])]
        else:
            edges[step.name] = [step.name + BEGINNING]
            edges[step.name + BEGINNING] = needs
    for step in spec.steps:
        if step.group:
            edges[step.group].append(step.name)
    return edges


def _closing(
    circle: list[str], steps: dict[str, StepSpec], written: dict[str, Step], names: dict[str, str]
) -> tuple[str, str, Problem]:
    """The place in a circle that an author would change: an `if`, an expression, an input, a dependsOn."""
    pairs = list(itertools.pairwise(circle))
    shown = " -> ".join([short(name.removesuffix(BEGINNING)) for name in circle])
    hint = f"steps wait for each other in a circle: {shown}; a -> b means that a waits for b"
    reasons = []
    for a, b in pairs:
        one, other = a.removesuffix(BEGINNING), b.removesuffix(BEGINNING)
        reasons.append((a, b, _reasons(steps[one], steps[other], written[short(one)], names)))
    for kind, words in _WORDS.items():
        for a, b, found in reasons:
            if kind in found:
                which = "itself" if a == b else f"step '{short(b.removesuffix(BEGINNING))}', which runs later"
                return a, b, Problem(f"{words} {which}", CODE, found[kind], hint=hint)
    a, b = pairs[0]
    first = short(a.removesuffix(BEGINNING))
    return a, b, Problem(f"step '{first}' waits for itself", "application.cycle", written[first].path, hint=hint)


_WORDS = {
    "if": "the condition looks at",
    "properties": "the value comes from",
    "inputs": "the input is written by",
    "dependsOn": "it depends on",
}


def _reasons(step: StepSpec, target: StepSpec, at: Step, names: dict[str, str]) -> dict[str, Path]:
    """Why a step waits for another, and where it says so."""
    found: dict[str, Path] = {}
    seen = expressions.mentioned(step, names)
    if target.name in _full(seen.looked, names):
        found["if"] = (*at.path, "if")
    if target.name in _full(seen.read, names):
        found["properties"] = (*at.path, "properties")
    outputs = {output.name for output in target.outputs}
    for index, item in enumerate(step.inputs):
        if item.source in outputs:
            found.setdefault("inputs", (*at.path, "inputs", index, "from"))
    for index, name in enumerate(at.depends_on):
        if names.get(name) == target.name:
            found.setdefault("dependsOn", (*at.path, "dependsOn", index))
    return found


def _full(found: Iterable[str], names: dict[str, str]) -> set[str]:
    return {names[name] for name in found if name in names}
