"""Which parts of an application go where, and by which step of its workflow: decided when a release is planned.

Steps that deliver are `deploy`, which asks the policies that it lists, and `apply-component`, which goes to the cluster
that is meant where no policy names one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appdelivery import errors
from appdelivery.catalog import layouts
from appdelivery.catalog import steps as step_definitions
from appdelivery.model.problem import Problem
from appdelivery.model.record import changed, record
from appdelivery.placement import topology
from appdelivery.platform.stored import Place
from appdelivery.render import overrides, replication
from appdelivery.workflow import defaults, spec, step_actions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from appdelivery.catalog.catalog import Catalog
    from appdelivery.model.application import Application
    from appdelivery.model.manifest import Rendered
    from appdelivery.model.run import Spec, StepSpec
    from appdelivery.placement.topology import Registered
    from appdelivery.platform.local import Platform

DEPLOY, APPLY = "deploy", "apply-component"
HOME = Place()


@record
class Placed:
    """What is delivered to some places: the application as policies make it.  selected: of its components; None = all."""

    app: Application
    places: tuple[Place, ...]
    selected: tuple[str, ...] | None = None


@record
class Route:
    """A workflow and what its steps deliver.  None is delivered by nobody where a workflow only does other things."""

    spec: Spec
    placed: tuple[Placed, ...]


def of(p: Platform, app: Application, catalog: Catalog) -> Route:
    """SpecError with what is wrong with the workflow, its policies and their clusters."""
    made = workflow(app, catalog)
    placed: list[Placed] = []
    at_home: dict[str, None] = {}
    for step in made.steps:
        if step.use == DEPLOY:
            placed += _deployed(p, app, step.name, arguments(catalog, app, step))
        elif step.use == APPLY:
            given = arguments(catalog, app, step)
            where = Place(step.name, given.get("cluster") or "", given.get("namespace") or "")
            name = _component(app, step.name, given)
            if where.cluster or where.namespace:
                placed.append(Placed(app, (where,), (name,)))
            else:
                at_home[name] = None
    if at_home:
        every = len(at_home) == len(app.components)
        placed.append(Placed(app, (HOME,), None if every else tuple(at_home)))
    return Route(made, tuple(placed))


def mentioned(p: Platform, app: Application, made: Spec) -> list[str]:
    """Clusters where other steps do something, as far as that is written: by name, or by a topology policy."""
    found: dict[str, None] = {}
    by_name = {policy.name: policy for policy in app.policies}
    for step in made.steps:
        if step.use in (DEPLOY, APPLY):
            continue
        cluster, policy = step.properties.get("cluster"), by_name.get(str(step.properties.get("topology")))
        if isinstance(cluster, str) and cluster and "${{" not in cluster:
            found[cluster] = None
        if policy is not None:
            standing = {row.cluster for row in p.journal.inventory(app.key)}
            places = topology.topology([policy], registered(p), default="", standing=standing)
            found |= dict.fromkeys([one.cluster for one in places if one.cluster])
    return list(found)


def workflow(app: Application, catalog: Catalog) -> Spec:
    return spec.of(defaults.of(app, {}), lambda kind: resolved(catalog, kind))


def ordered(app: Application, catalog: Catalog, made: Spec, rendered: Rendered) -> Spec:
    """A generated workflow with what only the render knows: who waits for values of whom."""
    if app.workflow is not None or any(step.use != APPLY for step in made.steps):
        return made
    waits = {component.name: component.depends_on for component in rendered.components}
    return spec.of(defaults.generated(app, waits=waits), lambda kind: resolved(catalog, kind))


def resolved(catalog: Catalog, kind: str) -> spec.Resolved:
    definition = catalog.resolve(layouts.STEP, kind)
    return spec.Resolved(definition.use, tuple(definition.outputs))


def arguments(catalog: Catalog, app: Application, step: StepSpec) -> dict[str, Any]:
    """What a step that delivers is told, as far as it is known before the run: where things go is not computed in it."""
    if any(isinstance(value, str) and "${{" in value for value in _values(step.properties)):
        message = f"step '{step.name}': what a step delivers and where is known before the run starts, not computed in it"
        raise errors.SpecError([_problem(app, step.name, message, "application.workflow")])
    definition = catalog.resolve(layouts.STEP, step.type)
    context = {
        **dict.fromkeys(step_actions.NAMES),
        "name": app.key.name,
        "appName": app.key.name,
        "namespace": app.key.namespace,
    }
    return step_definitions.arguments(definition, step_definitions.fill(definition, step.properties), context)


def _values(tree: Any) -> Iterator[Any]:
    if isinstance(tree, dict | list):
        for item in tree.values() if isinstance(tree, dict) else tree:
            yield from _values(item)
    else:
        yield tree


def _component(app: Application, step: str, given: dict[str, Any]) -> str:
    name = given.get("component")
    if not isinstance(name, str) or name not in {component.name for component in app.components}:
        from appdelivery.model import suggest

        known = [component.name for component in app.components]
        said = f"step '{step}': there is no component '{name}'{suggest.meant(str(name), known)}"
        problem = _problem(app, step, said, "application.reference", "component")
        raise errors.SpecError([changed(problem, hint=suggest.listed(known))])
    return name


def _problem(app: Application, step: str, message: str, code: str, *inside: str) -> Problem:
    """Where the step stands in the document.  inside: of its properties."""
    steps = app.workflow.steps if app.workflow is not None else ()
    every = {one.name: one for one in steps} | {f"{one.name}/{sub.name}": sub for one in steps for sub in one.sub_steps}
    found = every.get(step)
    path = (*found.path, "properties", *inside) if found is not None else ()
    return Problem(message, code, path, file=app.file, document=app.index)


def _deployed(p: Platform, app: Application, step: str, given: dict[str, Any]) -> list[Placed]:
    by_name = {policy.name: policy for policy in app.policies}  # that they exist was checked when the document was read
    chosen = [by_name[name] for name in given.get("policies") or ()]
    standing = {row.cluster for row in p.journal.inventory(app.key)}
    try:
        found = topology.topology(chosen, registered(p), default="", standing=standing)
    except errors.SpecError as error:
        raise errors.SpecError([changed(one, file=app.file, document=app.index) for one in error.problems]) from None
    shaped = overrides.override(app, chosen)
    copies = replication.replicate(shaped.app, chosen)
    places = tuple([Place(step, one.cluster, one.namespace) for one in found])
    return [Placed(copies, places, shaped.selected)] if places else []


def registered(p: Platform) -> Sequence[Registered]:
    from appdelivery.store import clusters

    return [topology.Registered(one.name, one.labels, one.admin, one.reach) for one in clusters.list(p.store)]
