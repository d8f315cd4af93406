"""Values that flow between components: by `${{ components.NAME... }}` in properties, and by inputs and outputs.

`connect` finds them, adds the edges they mean to `dependsOn` and gives the order in which components must be rendered;
`settle` puts values into properties when the components they come from are rendered (and, for live values, known).
"""

from __future__ import annotations

from appdelivery.errors import SpecError
from appdelivery.model import suggest
from appdelivery.model.manifest import Reference
from appdelivery.model.problem import Problem
from appdelivery.model.refs import Ref, ref_of
from appdelivery.model.secret import Secret
from appdelivery.render import places, work

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from appdelivery.language.inline import Inline
    from appdelivery.model.application import Output
    from appdelivery.model.problem import Path
    from appdelivery.render.facts import Facts
    from appdelivery.render.work import Part, Work

CONTEXT = ("appName", "namespace", "appLabels", "appAnnotations", "cluster")  # what properties may read of it
MEMBERS = ("name", "output", "outputs")  # of a component, in expressions
PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


class Leaf:
    """A place in properties that takes its value from elsewhere."""

    __slots__ = ("compiled", "components", "inputs", "path", "paths", "text")

    def __init__(self, path: Path, text: str, paths: tuple[Path, ...], compiled: Inline | None) -> None:
        self.path = path
        self.text = text
        self.paths = paths
        self.compiled = compiled  # None: the one path is all there is to evaluate
        self.components = tuple(dict.fromkeys([str(p[1]) for p in paths if p[0] == "components" and len(p) > 1]))
        self.inputs = tuple(dict.fromkeys([str(p[1]) for p in paths if p[0] == "inputs" and len(p) > 1]))


# --- finding ---


def connect(works: Sequence[Work], facts: Facts) -> list[Work]:
    """Fills part.leaves and of.depends_on; gives the works in an order in which values are there before their readers."""
    known = {of.component.name: of for of in works}
    writers = _writers(works, facts)
    problems: list[Problem] = []
    for of in works:
        if of.component.inputs or any(b"${" in part.written for part in of.parts):
            _find(of, known, writers, facts=facts, problems=problems)
        for name in of.component.depends_on:
            if name not in known:
                message = (
                    f"component '{of.component.name}' depends on '{name}', which does not exist{suggest.meant(name, known)}"
                )
                path = (*of.component.path, "dependsOn", of.component.depends_on.index(name))
                problems.append(work.at(facts.app, Problem(message, code="app.depends-on", path=path)))
    work.stop(problems)
    return _ordered(works, known, facts) if any(of.depends_on for of in works) else list(works)


def _writers(works: Sequence[Work], facts: Facts) -> dict[str, tuple[Work, Output]]:
    """Output name to the component that gives it; one name given twice is refused."""
    found: dict[str, tuple[Work, Output]] = {}
    problems: list[Problem] = []
    for of in works:
        for index, output in enumerate(of.component.outputs):
            other = found.setdefault(output.name, (of, output))
            if other[1] is not output:
                message = (
                    f"output '{output.name}' of component '{of.component.name}' is also one of '{other[0].component.name}'"
                )
                path = (*of.component.path, "outputs", index, "name")
                problems.append(work.at(facts.app, Problem(message, code="app.output", path=path)))
    work.stop(problems)
    return found


def _find(
    of: Work, known: Mapping[str, Work], writers: Mapping[str, tuple[Work, Output]], *, facts: Facts, problems: list[Problem]
) -> None:
    names = {
        "components": dict.fromkeys(known, MEMBERS),
        "context": CONTEXT,
        "inputs": [i.source for i in of.component.inputs],
    }
    for part in of.parts:
        leaves: list[Leaf] = []
        for path, text in _expressions(part):
            try:
                leaves.append(_leaf(path, text, names))
            except SpecError as error:
                problems.extend([work.at(facts.app, p, (*part.path, *path)) for p in error.problems])
        part.leaves = tuple(leaves)
    for index, given in enumerate(of.component.inputs):
        path = (*of.component.path, "inputs", index)
        if given.source not in writers:
            message = f"nobody writes '{given.source}'{suggest.meant(given.source, writers)}"
            found = Problem(message, code="app.input", path=(*path, "from"), hint=suggest.listed(writers))
            problems.append(work.at(facts.app, found))
        elif given.parameter:
            try:
                steps = places.parse(given.parameter, of.parts[0].definition.parameters)
                of.parts[0].properties = places.put(of.parts[0].properties, steps, _input_text(given.source))
                leaf = Leaf(steps, _input_text(given.source), (("inputs", given.source),), None)
                of.parts[0].leaves = (*[one for one in of.parts[0].leaves if one.path != steps], leaf)
            except ValueError as error:
                found = Problem(str(error), code="app.input", path=(*path, "parameterKey"))
                problems.append(work.at(facts.app, found))
    of.late = any(part.leaves for part in of.parts)
    needed = [name for part in of.parts for leaf in part.leaves for name in leaf.components]
    needed += [writers[i.source][0].component.name for i in of.component.inputs if i.source in writers]
    of.depends_on = tuple(dict.fromkeys([*of.component.depends_on, *needed]))


def _expressions(part: Part) -> list[tuple[Path, str]]:
    """Leaves with expressions that are ours to resolve."""
    if b"${" not in part.written:
        return []
    found: list[tuple[Path, str]] = []
    _walk(part.properties, (), found)
    return [(path, text) for path, text in found if not _deferred(part, path)]


def _walk(tree: Any, path: Path, found: list[tuple[Path, str]]) -> None:
    kind = type(tree)
    if kind is str:
        # Plain paths need no compiler, and so none is loaded for them.
        if "${" in tree and (_plain(tree) or _compiler().find(tree)):
            found.append((path, tree))
    elif kind is dict:
        for key, value in tree.items():
            _walk(value, (*path, key), found)
    elif kind is list:
        for index, value in enumerate(tree):
            _walk(value, (*path, index), found)


def _compiler() -> Any:
    from appdelivery.language import inline

    return inline


def _deferred(part: Part, path: Path) -> bool:
    """Whether the schema says that an action evaluates the text later."""
    schema: Any = part.definition.parameters
    for step in path:
        inner = schema.get("items") if isinstance(step, int) else schema.get("properties", {}).get(step)
        if type(inner) is not dict:  # in a branch, or a map of any names
            member, item = _compiler().member_schema, _compiler().item_schema
            inner = item(schema) if isinstance(step, int) else member(schema, step)
            if type(inner) is not dict:
                return False
        schema = inner
    return "x-deferred" in schema


def _input_text(name: str) -> str:
    return "${{ inputs['" + name + "'] }}"


def _leaf(path: Path, text: str, names: dict[str, Any]) -> Leaf:
    plain = _plain(text)
    if len(plain) > 1 and plain[0] == "components" and plain[1] not in names["components"]:
        message = f"there is no component '{plain[1]}'{suggest.meant(str(plain[1]), names['components'])}"
        raise SpecError([Problem(message, code="expression.path", hint=suggest.listed(names["components"]))])
    known = len(plain) > 1 and plain[0] in names and plain[1] in names[str(plain[0])]
    if known and (plain[0] != "components" or len(plain) == 2 or plain[2] in MEMBERS):
        return Leaf(path, text, (plain,), None)
    compiled = _compiler().compile(text, names)
    return Leaf(path, text, compiled.paths, compiled)


def _plain(text: str) -> Path:
    """The steps of a whole-leaf `${{ a.b.c }}`, which needs no compiler; () for anything else."""
    if not (text.startswith("${{") and text.endswith("}}")):
        return ()
    steps = text[3:-2].strip().split(".")
    return tuple(steps) if all(step and PLAIN.issuperset(step) and not step[0].isdigit() for step in steps) else ()


def _ordered(works: Sequence[Work], known: Mapping[str, Work], facts: Facts) -> list[Work]:
    """Depth first in declared order; a cycle is printed."""
    done: dict[str, Work] = {}
    for of in works:
        _visit(of, known, [], done, facts)
    return list(done.values())


def _visit(of: Work, known: Mapping[str, Work], trail: list[str], done: dict[str, Work], facts: Facts) -> None:
    name = of.component.name
    if name in done:
        return
    if name in trail:
        cycle = [*trail[trail.index(name) :], name]
        message = f"components wait for each other: {' -> '.join(cycle)}"
        raise SpecError([work.at(facts.app, Problem(message, code="app.cycle", path=known[cycle[0]].component.path))])
    for other in of.depends_on:
        _visit(known[other], known, [*trail, name], done, facts)
    done[name] = of


# --- settling ---


def settle(of: Work, works: Mapping[str, Work], facts: Facts) -> None:
    """Replaces the leaves of a component's parts by their values; what is not known yet stays as written and is noted."""
    writers = {output.name: (w, output) for w in works.values() for output in w.component.outputs}
    problems: list[Problem] = []
    for part in of.parts:
        changes: list[tuple[Path, Any]] = []
        for leaf in part.leaves:
            try:
                unknown = _unknown(of, leaf, works, writers=writers, facts=facts)
                if unknown:
                    of.waits_for.extend(unknown)
                    part.waiting[leaf.text] = f"<known after {unknown[0].target} is healthy>"
                else:
                    changes.append((leaf.path, _value(leaf, works, writers=writers, facts=facts)))
            except SpecError as error:
                problems.extend([work.at(facts.app, p, (*part.path, *leaf.path)) for p in error.problems])
        # From the end, so that a list item that is left out does not move those still to be written.
        for path, value in reversed(changes):
            part.properties = (
                places.put(part.properties, path, value) if value is not None else places.drop(part.properties, path)
            )
    work.stop(problems)


def _unknown(
    of: Work, leaf: Leaf, works: Mapping[str, Work], *, writers: Mapping[str, tuple[Work, Output]], facts: Facts
) -> list[Reference]:
    """What the leaf reads from live objects that have not been read yet."""
    live = facts.context.live or {}
    found = []
    for path in leaf.paths:
        if path[0] == "components" and len(path) > 2 and not works[str(path[1])].objects and path[2] != "name":
            found.append(_reference(of, works[str(path[1])], "", path[2:], leaf.text))
        elif path[0] == "components" and (read := _live_path(path)) and str(path[1]) not in live:
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


def _value(leaf: Leaf, works: Mapping[str, Work], *, writers: Mapping[str, tuple[Work, Output]], facts: Facts) -> Any:
    if leaf.compiled is None:
        value = _walked(leaf.paths[0], works, writers=writers, facts=facts)
    else:
        value = leaf.compiled.value(
            {
                "components": {name: seen(works[name], facts) for name in leaf.components},
                "context": {name: facts.base[name] for name in CONTEXT},
                "inputs": {name: written(*writers[name], facts) for name in leaf.inputs},
            }
        )
    return Secret(value) if type(value) is str and _secret(leaf, works) else value


def _walked(path: Path, works: Mapping[str, Work], *, writers: Mapping[str, tuple[Work, Output]], facts: Facts) -> Any:
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
    return {"name": target.component.name, "output": workload, "outputs": outputs}


def _with_status(body: dict[str, Any], live: Any) -> dict[str, Any]:
    return {**body, "status": live.get("status") or {}} if type(live) is dict else body


def written(target: Work, output: Output, facts: Facts) -> Any:
    """The value of a component's output, from its live objects."""
    live = (facts.context.live or {})[target.component.name]
    names = {"output": None, "outputs": None, "context": None, "parameters": None}
    try:
        value = (
            _compiler()
            .condition(output.value_from, names)
            .value(
                {
                    "output": live.get("output"),
                    "outputs": live.get("outputs") or {},
                    "context": target.context,
                    "parameters": target.parts[0].parameters,
                }
            )
        )
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


def _secret(leaf: Leaf, works: Mapping[str, Work]) -> bool:
    """Whether the value comes out of the data of a Secret."""
    for path in leaf.paths:
        if path[0] == "components" and path[2:3] == ("outputs",) and path[4:5] in (("data",), ("stringData",)):
            made = next((o for o in works[str(path[1])].objects if o.output == path[3]), None)
            if made is not None and made.body["kind"] == "Secret":
                return True
        if path[0] == "components" and path[2:4] in (("output", "data"), ("output", "stringData")):
            return bool(works[str(path[1])].objects[0].body["kind"] == "Secret")
    return False
