"""`render`: an Application, its definitions and a context become manifests.

Pure: equal inputs give byte-equal output on every computer; no clock, no randomness, no environment, file or cluster.
Problems of one phase come together.  Called by platform; definitions come as a function, usually `Catalog.resolve`.
"""

from __future__ import annotations

from appdelivery.errors import SpecError
from appdelivery.model.manifest import AppliedTrait, Manifest, Origin, Rendered, RenderedComponent
from appdelivery.model.problem import Problem
from appdelivery.model.refs import Ref
from appdelivery.render import (
    bounds,
    component,
    config,
    dataflow,
    facts,
    fold,
    hashing,
    properties,
    replication,
    traits,
    values,
    work,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from appdelivery.model.application import Application
    from appdelivery.render.dataflow import Writers
    from appdelivery.render.facts import Facts
    from appdelivery.render.work import Resolve, Work

ClusterVersion = facts.ClusterVersion
RenderContext = facts.RenderContext
DEFAULT = RenderContext()


def render(app: Application, definitions: Resolve, context: RenderContext = DEFAULT) -> Rendered:
    """Manifests of every component in declared order; SpecError with all problems of the first phase that has any."""
    known = facts.of(app, context)
    works = work.open_all(app, definitions)
    traits.own(works, known)
    if context.identify:
        for of in works:
            hashing.write(of, known)
    ordered, writers = dataflow.connect(works, known)
    _check(works, known)
    by_name = {of.component.name: of for of in works}
    _each(ordered, lambda of: _make(of, by_name, writers, known))
    replication.join(works)
    config.stamp(works, known)
    return _rendered(works, known)


def _check(works: Sequence[Work], known: Facts) -> None:
    """Schemas and the components' own rules; what takes values from elsewhere is checked when they are there.

    Unless something is wrong already: then it is checked as written, so that all problems come together.
    """
    try:
        _each([of for of in works if not of.late], lambda of: _ready(of, of.digest, known))
    except SpecError as error:
        late = [of for of in works if of.late]
        work.stop([*error.problems, *_problems(late, lambda of: properties.fill(of, known))])


def _ready(of: Work, digest: str, known: Facts) -> None:
    properties.fill(of, known)
    of.digest = digest
    of.revision = f"{replication.label(of.component)}-v{known.context.component_revisions(of.component.name, digest)}"
    of.context = component.context(of, known)
    if not of.waits_for:
        work.stop(component.checks(of, of.parts[0], of.context, known))


def _make(of: Work, works: dict[str, Work], writers: Writers, known: Facts) -> None:
    if of.late:
        values.settle(of, works, writers, known)
        _ready(of, hashing.resolved(of, known), known)
    try:
        component.make(of, known)
        if len(of.parts) > 1:
            traits.run(of, known)
        fold.objects(of, known)
        replication.settle(of)
    except SpecError as error:
        if not of.waits_for:
            raise
        # A placeholder stands where the definition needs, say, a number: then nothing can be shown yet.
        of.objects = []
        of.warnings.append(values.not_yet(of, error, known))


def _each(works: Sequence[Work], step: Callable[[Work], None]) -> None:
    """One phase over all components; SpecError with the problems of all of them."""
    work.stop(_problems(works, step))


def _problems(works: Sequence[Work], step: Callable[[Work], None]) -> list[Problem]:
    """Those that wait for a failed one are left out: their problems would be its echo."""
    problems: list[Problem] = []
    failed: set[str] = set()
    for of in works:
        if failed and not failed.isdisjoint(of.depends_on):
            failed.add(of.component.name)
            continue
        try:
            step(of)
        except SpecError as error:
            problems.extend(error.problems)
            failed.add(of.component.name)
    return problems


def _rendered(works: Sequence[Work], known: Facts) -> Rendered:
    components = tuple([_component(of) for of in works])
    objects = sum([len(made.manifests) for made in components])
    if objects > bounds.OBJECTS:
        message = f"the application renders {objects:,} objects, at most {bounds.OBJECTS:,} are possible"
        hint = "split it into several applications; setting limits.objects"
        raise SpecError([work.at(known.app, Problem(message, code="render.limit", hint=hint))])
    definitions = {id(part.definition): part.definition for of in works for part in of.parts}
    used = {(d.kind, f"{d.name}@{d.version}", d.hash) for d in definitions.values()}
    return Rendered(
        app=known.app.key,
        key=hashing.key(works, known),
        components=components,
        definitions=tuple(sorted(used)),
        warnings=tuple([w for of in works for w in of.warnings]),
    )


def _component(of: Work) -> RenderedComponent:
    first, *others = of.parts
    return RenderedComponent(
        of.component.name,
        of.component.type,
        _manifests(of),
        of.depends_on,
        of.revision,
        of.digest,
        tuple(of.waits_for),
        f"{first.definition.name}@{first.definition.version}",
        first.parameters,
        of.context,
        tuple([AppliedTrait(p.definition.name, p.definition.version, p.label, p.parameters) for p in others]),
    )


def _manifests(of: Work) -> tuple[Manifest, ...]:
    name = of.component.name
    found: list[Manifest] = []
    for made in of.objects:
        body = made.body
        metadata = body["metadata"]
        group, _, version = body["apiVersion"].rpartition("/")
        ref = Ref(group, version, body["kind"], metadata["namespace"] if made.namespaced else "", metadata["name"])
        found.append(Manifest(ref, body, Origin(name, made.trait, made.output), made.stage, not found))
    return tuple(found)
