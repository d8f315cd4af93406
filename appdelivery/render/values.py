"""Puts the values that flow between components into properties, once the components they come from are rendered.

A value of a rendered object is there at once; one that only the cluster knows (`.status`, outputs with `valueFrom`) is
noted as a Reference and shown by a placeholder until the caller of `render` hands in the live objects.
"""

from __future__ import annotations

from appdelivery.errors import SpecError
from appdelivery.model import suggest
from appdelivery.model.manifest import Reference
from appdelivery.model.problem import Problem
from appdelivery.model.refs import Ref, ref_of
from appdelivery.model.secret import Secret
from appdelivery.render import dataflow, places, replication, work

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from appdelivery.model.application import Output
    from appdelivery.model.problem import Path
    from appdelivery.render.dataflow import Writers
    from appdelivery.render.facts import Facts
    from appdelivery.render.work import Work


def settle(of: Work, works: dict[str, Work], writers: Writers, facts: Facts) -> None:
    """Replaces the leaves of a component's parts by their values; what is not known yet stays as written and is noted."""
    works, writers = replication.seen_from(of.component, works), replication.seen_from(of.component, writers)
    problems: list[Problem] = []
    for part in of.parts:
        changes: list[tuple[Path, Any]] = []
        for leaf in part.leaves:
            try:
                unknown = _unknown(of, leaf, works, writers=writers, facts=facts)
                if unknown:
                    of.waits_for.extend(unknown)
                    part.waiting = {**part.waiting, leaf.text: f"<known after {unknown[0].target} is healthy>"}
                else:
                    changes.append((leaf.path, _value(leaf, works, writers=writers, facts=facts)))
            except SpecError as error:
                problems.extend([work.at(facts.app, p, (*part.path, *leaf.path)) for p in error.problems])
        # From the end, so that a list item that is left out does not move those still to be written.
        for path, value in reversed(changes):
            part.properties = (
                places.put(part.properties, path, value) if value is not None else places.drop(part.properties, path)
            )
            if type(value) is dict or type(value) is list:
                part.grown = True
    work.stop(problems)


def _unknown(of: Work, leaf: dataflow.Leaf, works: Mapping[str, Work], *, writers: Writers, facts: Facts) -> list[Reference]:
    """What the leaf reads from live objects that have not been read yet."""
    live = facts.context.live or {}
    found = []
    for path in leaf.paths:
        if path[0] == "components" and len(path) > 2 and not works[str(path[1])].objects and path[2] != "name":
            found.append(_reference(of, works[str(path[1])], "", path[2:], leaf.text))
        elif path[0] == "components" and (read := _live_path(path)) and works[str(path[1])].component.name not in live:
            found.append(_reference(of, works[str(path[1])], *read, leaf.text))
        elif path[0] == "inputs" and len(path) > 1:
            writer, output = writers[str(path[1])]
            if writer.component.name not in live:
                found.append(_reference(of, writer, *_source(output), output.value_from))
    return found


def _live_path(path: Path) -> tuple[str, Path] | None:
    """(output, path in the object) of a path through `.status`; output is '' for the workload."""
    if path[2:3] == ("output",) and path[3:4] == ("status",):
        return "", path[3:]
    if path[2:3] == ("outputs",) and path[4:5] == ("status",):
        return str(path[3]), path[4:]
    return None


def _source(output: Output) -> tuple[str, Path]:
    """Object and path that a plain `valueFrom` reads; the workload as a whole for any other one."""
    steps = tuple(output.value_from.strip().removeprefix("${{").removesuffix("}}").strip().split("."))
    if steps[0] == "outputs" and len(steps) > 1:
        return steps[1], steps[2:]
    return "", steps[1:] if steps[0] == "output" else ()


def _reference(of: Work, target: Work, output: str, path: Path, text: str) -> Reference:
    if not target.objects:  # it waits itself
        return Reference(of.component.name, target.component.name, Ref("", "", "", "", ""), path, text)
    made = next((o for o in target.objects if o.output == output), None) if output else target.objects[0]
    if made is None:
        raise _no_output(target, output)
    return Reference(of.component.name, target.component.name, ref_of(made.body), path, text)


def not_yet(of: Work, error: SpecError, facts: Facts) -> Problem:
    """The warning of a component whose objects cannot be made before the values it waits for are known."""
    waits = of.waits_for[0]
    message = f"the objects of component '{of.component.name}' are known after {waits.target} is healthy"
    found = Problem(message, code="render.waits", level="warning", hint=f"with a placeholder instead: {error.message}")
    return work.at(facts.app, found, of.component.path)


def _no_output(target: Work, output: str) -> SpecError:
    known = [o.output for o in target.objects]
    message = f"component '{target.component.name}' renders no output '{output}'{suggest.meant(output, known)}"
    return SpecError([Problem(message, code="expression.path", hint=suggest.listed(known))])


def _value(leaf: dataflow.Leaf, works: Mapping[str, Work], *, writers: Writers, facts: Facts) -> Any:
    if leaf.compiled is None:
        value = _walked(leaf.paths[0], works, writers=writers, facts=facts)
    else:
        value = leaf.compiled.value(
            {
                "components": {name: seen(works[name], facts) for name in leaf.components},
                "context": {name: facts.base[name] for name in dataflow.CONTEXT},
                "inputs": {name: written(*writers[name], facts) for name in leaf.inputs},
            }
        )
    return Secret(value) if type(value) is str and _secret(leaf, works) else value


def _walked(path: Path, works: Mapping[str, Work], *, writers: Writers, facts: Facts) -> Any:
    if path[0] == "inputs":
        value, at = written(*writers[str(path[1])], facts), 2
    elif path[0] == "context":
        value, at = facts.base[str(path[1])], 2
    else:
        target = works[str(path[1])]
        if path[2:3] == ("outputs",) and len(path) > 3 and all(o.output != path[3] for o in target.objects[1:]):
            raise _no_output(target, str(path[3]))
        value, at = seen(target, facts), 2
    for index in range(at, len(path)):
        step = path[index]
        if type(value) is not dict or step not in value:
            where = ".".join(map(str, path[:index]))
            hint = _hint(path, value if type(value) is dict else {}, str(step))
            raise SpecError([Problem(f"{where} has no '{step}'", code="render.key", hint=hint)])
        value = value[step]
    return value


def _hint(path: Path, known: dict[str, Any], step: str) -> str:
    near = suggest.nearest(step, known)
    if near:
        return f"did you mean '{near}'?"
    if path[0] == "components":
        return "expressions see what is rendered, and `status` of the live object; for another live value give that component an output with valueFrom"
    return suggest.listed(known)


def seen(target: Work, facts: Facts) -> dict[str, Any]:
    """A component as expressions see it: its objects as rendered, with the status of the live ones where that is known."""
    live = (facts.context.live or {}).get(target.component.name)
    objects = target.objects
    outputs = {o.output: o.body for o in reversed(objects[1:])}
    workload = objects[0].body
    if live is not None:
        workload = _with_status(workload, live.get("output"))
        outputs = {name: _with_status(body, (live.get("outputs") or {}).get(name)) for name, body in outputs.items()}
    return {"name": replication.label(target.component), "output": workload, "outputs": outputs}


def _with_status(body: dict[str, Any], live: Any) -> dict[str, Any]:
    return {**body, "status": live.get("status") or {}} if type(live) is dict else body


def written(target: Work, output: Output, facts: Facts) -> Any:
    """The value of a component's output, from its live objects."""
    from appdelivery.language import inline

    live = (facts.context.live or {})[target.component.name]
    scope = {
        "output": live.get("output"),
        "outputs": live.get("outputs") or {},
        "context": target.context,
        "parameters": target.parts[0].parameters,
    }
    try:
        value = inline.condition(output.value_from, dict.fromkeys(scope)).value(scope)
    except SpecError as error:
        raise _of_output(target, output, error) from error
    if value is None:
        message = f"output '{output.name}' of component '{target.component.name}' has no value: {output.value_from} is null"
        raise SpecError([Problem(message, code="render.null")])
    return Secret(value) if output.secret and type(value) is str else value


def _of_output(target: Work, output: Output, error: SpecError) -> SpecError:
    from appdelivery.model.record import changed

    what = f"output '{output.name}' of component '{target.component.name}': "
    return SpecError([changed(p, message=what + p.message) for p in error.problems])


def _secret(leaf: dataflow.Leaf, works: Mapping[str, Work]) -> bool:
    """Whether the value comes out of the data of a Secret."""
    for path in leaf.paths:
        if path[0] == "components" and path[2:3] == ("outputs",) and path[4:5] in (("data",), ("stringData",)):
            made = next((o for o in works[str(path[1])].objects if o.output == path[3]), None)
            if made is not None and made.body["kind"] == "Secret":
                return True
        if path[0] == "components" and path[2:4] in (("output", "data"), ("output", "stringData")):
            return bool(works[str(path[1])].objects[0].body["kind"] == "Secret")
    return False
