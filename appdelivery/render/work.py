"""`Work`: what is known of one component while it is rendered, filled step by step by the modules of this room.

Values are plain and private to one call of `render`; what leaves the room is made of them at the end.
"""

from __future__ import annotations

import marshal

from appdelivery import errors
from appdelivery.model.problem import LIMIT, Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from appdelivery.model.application import Application, Component, Trait
    from appdelivery.model.definition import Definition, Made
    from appdelivery.model.manifest import Reference
    from appdelivery.model.problem import Path

    Resolve = Callable[[str, str], Definition]  # (kind, type as written)

NOTHING: Mapping[str, str] = {}
COMPONENT, TRAIT = "ComponentDefinition", "TraitDefinition"


class Object:
    """An object that is still being patched.  body is replaced, never changed in place."""

    __slots__ = ("body", "namespaced", "output", "stage", "trait", "unnamed")

    def __init__(
        self, body: dict[str, Any], output: str, trait: str, stage: str, namespaced: bool, *, unnamed: bool = False
    ) -> None:
        self.body = body
        self.output = output
        self.trait = trait
        self.stage = stage
        self.namespaced = namespaced  # as far as the kind is known
        self.unnamed = unnamed  # its definition left the name to the engine


class Part:
    """A component's own properties, or those of one of its traits."""

    parameters: Any = None  # checked and filled
    leaves: tuple[Any, ...] = ()  # dataflow.Leaf: places that take their value from elsewhere
    waiting: Mapping[str, str] = NOTHING  # text of a leaf to the placeholder that stands for it
    grown = False  # whether a value came in that `written` knows nothing of, other than a scalar

    def __init__(self, definition: Definition, properties: dict[str, Any], path: Path, trait: Trait | None) -> None:
        self.definition = definition
        self.properties = properties
        self.path = path  # of the properties, in the document
        self.trait = trait
        self.written = searchable(properties)

    def made(self, context: dict[str, Any]) -> Made:
        """What the definition makes of the parameters."""
        return self.definition.code.render(self.parameters, context, written=b"" if self.grown else self.written)

    @property
    def label(self) -> str:
        """How messages name a trait: by its type, and by its name where it has one."""
        if self.trait is None:
            return self.definition.name
        return f"{self.definition.name} ({self.trait.name})" if self.trait.name else self.definition.name


def searchable(properties: Any) -> bytes:
    """Properties, or a part of them, as one text to search in: an order of magnitude cheaper than to walk them."""
    try:
        return marshal.dumps(properties)
    except ValueError:  # a value that is not plain data: whatever is searched for may be in it
        return b"${ $${ $generate"


class Work:
    """One component.  parts[0] is its own, the others are its traits in declared order."""

    owned: Mapping[str, str] = NOTHING  # field path to the trait that owns it
    contested: frozenset[str] = frozenset()  # owned by several traits, which only --lenient lets through
    as_written = ""  # hash of everything the document says about the component; '' = not asked for
    digest = ""  # the same after values of other components were put in
    revision = ""
    context: dict[str, Any]
    labels: dict[str, str]  # of all its objects
    expressions = False  # whether `${` stands anywhere in its properties
    late = False  # whether some of its properties take their value from elsewhere

    def __init__(self, component: Component, parts: list[Part]) -> None:
        self.component = component
        self.parts = parts
        self.depends_on = component.depends_on
        self.waits_for: list[Reference] = []
        self.objects: list[Object] = []
        self.renamed: dict[tuple[str, str], str] = {}  # of a copy: (kind, name) to the name the object has now
        self.warnings: list[Problem] = []


def open_all(app: Application, definitions: Resolve) -> list[Work]:
    """Every component with its definitions; SpecError with all unknown types."""
    works: list[Work] = []
    problems: list[Problem] = []
    components: dict[str, Definition] = {}
    traits: dict[str, Definition] = {}

    def find(known: dict[str, Definition], kind: str, type: str, path: Path) -> Definition | None:
        try:
            found = known[type] = definitions(kind, type)
        except errors.SpecError as error:
            problems.extend([at(app, p, (*path, "type")) if not p.file else p for p in error.problems])
            return None
        return found

    for component in app.components:
        definition = components.get(component.type) or find(components, COMPONENT, component.type, component.path)
        for trait in component.traits:
            if trait.type not in traits:
                find(traits, TRAIT, trait.type, trait.path)
        if definition is None or problems:
            continue
        of = Work(component, [Part(definition, component.properties, (*component.path, "properties"), None)])
        for trait in component.traits:
            of.parts.append(Part(traits[trait.type], trait.properties, (*trait.path, "properties"), trait))
        for part in of.parts:
            of.expressions = of.expressions or part.written.find(b"${") >= 0  # `in` costs ten times as much
            if part.definition.deprecated or part.definition.use:
                problems += _usable(part, of, app)
        works.append(of)
    stop(problems)
    return works


def _usable(part: Part, of: Work, app: Application) -> list[Problem]:
    """Deprecated definitions are warned about; actions are refused, never ignored."""
    path = (*part.path[:-1], "type")
    definition = part.definition
    if definition.deprecated:
        message = f"type '{definition.name}' is deprecated: {definition.deprecated}"
        of.warnings.append(at(app, Problem(message, code="type.deprecated", path=path, level="warning")))
    if definition.use:
        message = f"trait '{definition.name}' needs the action '{definition.use}', which this version does not carry out"
        return [at(app, Problem(message, code="definition.action", path=path))]
    return []


def at(app: Application, found: Problem, path: Path = ()) -> Problem:
    """The problem, placed in the application's document; `path` goes before the problem's own."""
    from appdelivery.model.record import changed

    whole = (*path, *found.path)
    return changed(found, file=app.file, document=app.index, path=_written(app, whole) if app.moved else whole)


def _written(app: Application, path: Path) -> Path:
    """Where the document writes what stands at a path: of several overrides the narrowest, and the last."""
    best: tuple[Path, Path] = ((), ())
    for place, source, below in app.moved:
        if len(place) >= len(best[0]) and path[: len(place)] == place and (below or len(path) == len(place)):
            best = place, source
    return (*best[1], *path[len(best[0]) :])


def stop(problems: Sequence[Problem]) -> None:
    """Ends a phase that found problems."""
    if problems and any(p.level == "error" for p in problems):
        raise errors.SpecError(list(dict.fromkeys(problems))[:LIMIT])  # copies of a component have the same ones
