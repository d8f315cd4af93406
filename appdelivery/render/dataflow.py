"""Values that flow between components: by `${{ components.NAME... }}` in properties, and by inputs and outputs.

`connect` finds them, adds the edges they mean to `dependsOn` and gives the order in which components must be rendered.
What the values are, `values` says when the components they come from are rendered.
"""

from __future__ import annotations

from appdelivery.errors import SpecError
from appdelivery.model import suggest
from appdelivery.model.problem import Problem
from appdelivery.render import places, replication, work

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from appdelivery.language.inline import Inline
    from appdelivery.model.application import Output
    from appdelivery.model.problem import Path
    from appdelivery.render.facts import Facts
    from appdelivery.render.work import Part, Work

    Found = tuple[Path, str, Path]  # place, text, steps where it is a plain path
    Writers = dict[str, tuple[Work, Output]]  # name of an output to the component that gives it

CONTEXT = ("appName", "namespace", "appLabels", "appAnnotations", "cluster")  # what properties may read of it
MEMBERS = ("name", "output", "outputs")  # of a component, in expressions
JOINTS = {ord("."): None, ord("_"): None, ord("-"): None}  # what a plain path holds besides letters and digits


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


def connect(works: Sequence[Work], facts: Facts) -> tuple[list[Work], Writers]:
    """Fills part.leaves and of.depends_on; gives the works in an order in which values are there before their readers,
    and who gives which output."""
    known = {of.component.name: of for of in works}
    writers = _writers(works, facts)
    problems: list[Problem] = []
    scopes: dict[tuple[str, ...], _Scope] = {}  # by replica key and inputs: most components have none
    edges = False
    for of in works:
        if of.expressions or of.component.inputs:
            inputs = tuple([i.source for i in of.component.inputs])
            seen, given = (replication.seen_from(of.component, named) for named in (known, writers))
            of_key = of.component.replica_key, *inputs
            scope = scopes.get(of_key) or scopes.setdefault(of_key, _Scope(seen, inputs))
            _find(of, scope, given, facts=facts, problems=problems)
            if of.component.replica_key:
                of.depends_on = tuple([seen[n].component.name if n in seen else n for n in of.depends_on])
        edges = edges or bool(of.depends_on)
        for name in of.component.depends_on:
            if name not in known:
                message = (
                    f"component '{of.component.name}' depends on '{name}', which does not exist{suggest.meant(name, known)}"
                )
                path = (*of.component.path, "dependsOn", of.component.depends_on.index(name))
                problems.append(work.at(facts.app, Problem(message, code="app.depends-on", path=path)))
    work.stop(problems)
    return (_ordered(works, known, facts) if edges else list(works)), writers


def _writers(works: Sequence[Work], facts: Facts) -> Writers:
    """Output name to the component that gives it; one name given twice is refused."""
    found: dict[str, tuple[Work, Output]] = {}
    problems: list[Problem] = []
    for of in works:
        for index, output in enumerate(of.component.outputs):
            key = of.component.replica_key
            other = found.setdefault(f"{output.name}@{key}" if key else output.name, (of, output))
            if other[1] is not output:
                message = (
                    f"output '{output.name}' of component '{of.component.name}' is also one of '{other[0].component.name}'"
                )
                path = (*of.component.path, "outputs", index, "name")
                problems.append(work.at(facts.app, Problem(message, code="app.output", path=path)))
    work.stop(problems)
    return found


class _Scope:
    """What expressions of a component can name; compiled for the compiler when the first one needs it."""

    def __init__(self, components: Iterable[str], inputs: Sequence[str]) -> None:
        self.names = {"components": dict.fromkeys(components, MEMBERS), "context": CONTEXT, "inputs": inputs}
        self._known: Any = None

    def compiled(self, text: str) -> Inline:
        compiler = _compiler()
        self._known = self._known or compiler.Known(self.names)
        made: Inline = compiler.compile(text, self._known)
        return made


def _find(of: Work, scope: _Scope, writers: Writers, *, facts: Facts, problems: list[Problem]) -> None:
    for part in of.parts:
        leaves: list[Leaf] = []
        for path, text, plain in _expressions(part):
            try:
                leaves.append(_leaf(path, text, plain, scope))
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
                of.parts[0].written = work.searchable(of.parts[0].properties)
                leaf = Leaf(steps, _input_text(given.source), (("inputs", given.source),), None)
                of.parts[0].leaves = (*[one for one in of.parts[0].leaves if one.path != steps], leaf)
            except ValueError as error:
                found = Problem(str(error), code="app.input", path=(*path, "parameterKey"))
                problems.append(work.at(facts.app, found))
    of.late = any(part.leaves for part in of.parts)
    needed = [name for part in of.parts for leaf in part.leaves for name in leaf.components]
    needed += [writers[i.source][0].component.name for i in of.component.inputs if i.source in writers]
    of.depends_on = tuple(dict.fromkeys([*of.component.depends_on, *needed]))


def _expressions(part: Part) -> list[Found]:
    """Leaves with expressions that are ours to resolve."""
    if part.written.find(b"${") < 0:
        return []
    found: list[Found] = []
    for name, value in part.properties.items():
        if work.searchable(value).find(b"${") >= 0:  # most hold none, which costs less to see than to walk
            _walk({name: value}, (), found)
    return [one for one in found if not _deferred(part, one[0])]


def _walk(tree: Any, path: Path, found: list[Found]) -> None:
    """tree: a map or a list."""
    for key, value in tree.items() if type(tree) is dict else enumerate(tree):
        kind = type(value)
        if kind is str:
            # Plain paths need no compiler, and so none is loaded for them.
            if "${" in value and ((plain := _plain(value)) or _compiler().find(value)):
                found.append(((*path, key), value, plain))
        elif kind is dict or kind is list:
            _walk(value, (*path, key), found)


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


def _leaf(path: Path, text: str, plain: Path, scope: _Scope) -> Leaf:
    names: dict[str, Any] = scope.names
    if len(plain) > 1 and plain[0] == "components" and plain[1] not in names["components"]:
        message = f"there is no component '{plain[1]}'{suggest.meant(str(plain[1]), names['components'])}"
        raise SpecError([Problem(message, code="expression.path", hint=suggest.listed(names["components"]))])
    known = len(plain) > 1 and plain[0] in names and plain[1] in names[str(plain[0])]
    if known and (plain[0] != "components" or len(plain) == 2 or plain[2] in MEMBERS):
        return Leaf(path, text, (plain,), None)
    compiled = scope.compiled(text)
    return Leaf(path, text, compiled.paths, compiled)


def _plain(text: str) -> Path:
    """The steps of a whole-leaf `${{ a.b['c-d'].e }}`, which needs no compiler; () for anything else."""
    if not (text.startswith("${{") and text.endswith("}}")):
        return ()
    inner = text[3:-2].strip()
    if "['" in inner:
        root, _, rest = inner.partition("['")
        name, _, rest = rest.partition("']")
        before, after = _steps(root), _steps(rest.removeprefix(".")) if rest.startswith(".") else ()
        simple = name and name.translate(JOINTS).isalnum() and name.isascii() and before and (after or not rest)
        return (*before, name, *after) if simple else ()
    return _steps(inner)


def _steps(inner: str) -> Path:
    if not inner.isascii() or not inner.translate(JOINTS).isalnum():
        return ()
    steps = inner.split(".")
    return () if "" in steps or any(step[0].isdigit() for step in steps) else tuple(steps)


def _ordered(works: Sequence[Work], known: Mapping[str, Work], facts: Facts) -> list[Work]:
    """Depth first in declared order; a cycle is printed."""
    done: dict[str, Work] = {}
    for of in works:
        if of.component.name not in done:
            _visit(of, known, [], done, facts)
    return list(done.values())


def _visit(of: Work, known: Mapping[str, Work], trail: list[str], done: dict[str, Work], facts: Facts) -> None:
    name = of.component.name
    if not of.depends_on:
        done[name] = of
        return
    if name in trail:
        cycle = [*trail[trail.index(name) :], name]
        message = f"components wait for each other: {' -> '.join(cycle)}"
        raise SpecError([work.at(facts.app, Problem(message, code="app.cycle", path=known[cycle[0]].component.path))])
    for other in of.depends_on:
        if other not in done:
            _visit(known[other], known, [*trail, name], done, facts)
    done[name] = of
