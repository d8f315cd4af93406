"""From an application to a plan: render for every place, make the desired set, look at what is there, compare.

`up`, `plan`, `diff`, `rollback` and `delete` all start here; nothing is changed by it, in the store or in a cluster.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from appdelivery import errors
from appdelivery.delivery import by_steps, look, policies
from appdelivery.delivery import consent as consents
from appdelivery.delivery import desired as wanting
from appdelivery.delivery import plan as planner
from appdelivery.delivery import replace as replacing
from appdelivery.model import canonical, reading
from appdelivery.model.manifest import Rendered
from appdelivery.model.record import changed, record
from appdelivery.model.refs import ref_of
from appdelivery.platform import placing, rendering, rules, stored
from appdelivery.platform import targets as reaching_out
from appdelivery.render import overrides
from appdelivery.render.render import ClusterVersion, RenderContext, render

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from appdelivery.catalog.catalog import Catalog
    from appdelivery.delivery.consent import Consent
    from appdelivery.delivery.desired import Desired
    from appdelivery.delivery.look import Known
    from appdelivery.delivery.policies import Policies
    from appdelivery.delivery.ports import Identity
    from appdelivery.model.application import Application
    from appdelivery.model.change import Plan
    from appdelivery.model.history import Managed, Release
    from appdelivery.model.problem import Problem
    from appdelivery.model.refs import AppKey
    from appdelivery.model.run import Spec
    from appdelivery.platform.local import Platform
    from appdelivery.platform.stored import Place
    from appdelivery.platform.targets import Targets


@record
class Part:
    """What one step of the workflow delivers to one place, rendered by itself."""

    place: Place
    cluster: str
    namespace: str  # '' = the application's
    rendered: Rendered
    desired: tuple[Desired, ...]
    again: rules.Again | None = None  # renders it anew with live values


@record
class Planned:
    """A plan and everything that carrying it out needs."""

    app: AppKey
    plan: Plan
    targets: Targets
    parts: tuple[Part, ...]
    rendered: Rendered  # all parts as one
    document: dict[str, Any]
    policies: Policies
    consent: Consent
    known: Known
    context: dict[str, Any]
    depends_on: Mapping[str, Sequence[str]]
    request: str = "apply"
    cause: str = "user"
    cause_ref: str = ""
    revision: int = 0  # of a rollback or a deletion: the stored revision it works with
    lenient: bool = False
    warnings: tuple[Problem, ...] = ()
    settled: bool = False  # the release before had ended when the clusters were looked at
    spec: Spec | None = None  # the workflow that carries it out; None = everything at once
    catalog: Catalog | None = None  # where the types of its steps are found

    @property
    def desired(self) -> tuple[Desired, ...]:
        """Of an object that several steps deliver, what the last of them makes of it."""
        return tuple({item.identity: item for part in self.parts for item in part.desired}.values())

    @property
    def clusters(self) -> list[str]:
        """Where it goes; of a deletion, where it stands."""
        return sorted({part.cluster for part in self.parts}) or self.targets.names

    @property
    def generated(self) -> bool:
        """Whether nobody has written the workflow."""
        return not (self.document.get("spec") or {}).get("workflow")

    @property
    def labels(self) -> dict[str, str]:
        return dict((self.document.get("metadata") or {}).get("labels") or {})


@dataclass(frozen=True, slots=True)
class Ask:
    """How a plan is to be made."""

    consent: Consent = field(default_factory=consents.Consent)
    lenient: bool = False
    kube_version: ClusterVersion | None = None


@record
class _Content:
    """What is to stand in the clusters, before they are looked at."""

    key: AppKey
    parts: tuple[Part, ...]
    rendered: Rendered
    document: dict[str, Any]
    given: Policies
    depends_on: Mapping[str, Sequence[str]]
    context: dict[str, Any]
    request: str = "apply"
    lenient: bool = False
    spec: Spec | None = None
    catalog: Catalog | None = None


async def of_application(p: Platform, work: rendering.Work, app: Application, ask: Ask) -> Planned:
    """The plan that brings the clusters to what the application says now."""
    newest = p.journal.newest(app.key)
    route = placing.of(p, app, work.catalog)
    named = [place.cluster for one in route.placed for place in one.places]
    targets = await reaching_out.reach(p, app.key, [*(named or [""]), *placing.mentioned(p, app, route.spec)])
    given = policies.read(app.policies)
    parts: list[Part] = []
    contexts: list[dict[str, Any]] = []
    for one in route.placed:
        for place in one.places:
            cluster = place.cluster or targets.home
            context = context_of(p, app, targets, cluster, ask, newest=newest, namespace=place.namespace)
            # connections are opened meanwhile
            whole = await p.in_thread(partial(render, one.app, work.catalog.resolve, context))
            made = overrides.only(whole, one.selected)
            again = rules.Again(one.app, work.catalog.resolve, context)
            parts.append(await _part(p, targets, given, made, place, number=len(parts), again=again))
            contexts.append(_kept(context))
    merged = _whole(app.key, parts)
    order = {**_former_order(p, app.key, newest), **{c.name: c.depends_on for c in merged.components}}
    kept = contexts[0] if len(contexts) == 1 else {"places": contexts}
    content = _Content(
        app.key,
        tuple(parts),
        merged,
        app.document,
        given,
        depends_on=order,
        context=kept,
        lenient=ask.lenient,
        spec=placing.ordered(app, work.catalog, route.spec, merged),
        catalog=work.catalog,
    )
    return await _planned(p, targets, ask, content, newest=newest)


def context_of(
    p: Platform, app: Application, targets: Targets, cluster: str, ask: Ask, *, newest: Release | None, namespace: str = ""
) -> RenderContext:
    from appdelivery.store import applications

    def number(component: str, digest: str) -> int:
        return applications.component_revision(p.store, app.key, component, digest)

    found = targets.facts.get(cluster)
    version = ask.kube_version
    if version is None and found is not None:
        version = rendering.cluster_version(found.version.partition("+")[0].partition("-")[0])
    made = RenderContext(
        revision=(newest.revision if newest else 0) + 1,
        cluster=cluster,
        namespace=namespace,
        lenient=ask.lenient,
        component_revisions=number if newest else lambda _component, _digest: 1,
        digest_key=p.journal.installation().digest_key,
    )
    return made if version is None else changed(made, cluster_version=version)


async def of_release(p: Platform, release: Release, spec: Spec | None) -> Planned:
    """The plan of a release that was opened earlier, perhaps by another process, for carrying it on.

    Where the definitions still say what they said then it is rendered anew, which values that flow between components
    need; else its manifests are taken as they are stored."""
    from appdelivery.platform import documents
    from appdelivery.store import applications

    options = release.options or {}
    ask = Ask(consents.of(options.get("consent", {})), lenient=release.lenient)
    if release.request == "delete":
        return await of_deletion(p, release.app, ask)
    content = applications.revision(p.store, release.app, release.revision)
    app = reading.application(content.document, "the stored application", 0, lenient=True)
    catalog = rendering.open_catalog()
    try:
        work = rendering.Work(documents.Loaded((app,), {}, ()), catalog)
        made = await of_application(p, work, app, ask)
    except errors.SpecError:
        made = None
    if made is None or made.rendered.key != content.key:
        made = await of_revision(p, release.app, release.revision, ask)
    return changed(made, revision=release.revision, spec=spec, catalog=catalog, cause=release.cause)


async def of_revision(p: Platform, app: AppKey, number: int, ask: Ask) -> Planned:
    """The plan that brings the clusters back to a stored revision: its manifests as they were, whatever definitions say now."""
    from appdelivery.store import applications

    content = applications.revision(p.store, app, number)
    rows = stored.by_place(applications.manifests(p.store, app, number))
    read = reading.application(content.document, "the stored application", 0, lenient=True)
    catalog = rendering.open_catalog()
    named = [place.cluster for place in rows if place.cluster] or [""]
    others = placing.mentioned(p, read, placing.workflow(read, catalog))
    targets = await reaching_out.reach(p, app, [*named, *others])
    given = policies.read(read.policies)
    parts: list[Part] = []
    for place, of_place in rows.items():
        made = stored.rendered(app, content.key, of_place, content.definitions)
        parts.append(await _part(p, targets, given, made, place, number=len(parts), again=None))
    newest = p.journal.newest(app)
    whole = _whole(app, parts)
    order = {**_former_order(p, app, newest), **{c.name: c.depends_on for c in whole.components}}
    spec = placing.ordered(read, catalog, placing.workflow(read, catalog), whole)
    wanted = _Content(
        app, tuple(parts), whole, content.document, given, depends_on=order, context={}, spec=spec, catalog=catalog
    )
    planned = await _planned(p, targets, ask, wanted, newest=newest)
    return changed(planned, cause="rollback", cause_ref=str(number), revision=number)


async def of_deletion(p: Platform, app: AppKey, ask: Ask) -> Planned:
    """The plan that removes every object of an application: its desired set is empty."""
    from appdelivery.store import applications

    applications.get(p.store, app)
    newest = p.journal.newest(app)
    if newest is None:
        raise errors.NotFound(f"application {app} has no release")
    targets = await reaching_out.reach(p, app)
    content = applications.revision(p.store, app, newest.revision)
    read = reading.application(content.document, "the stored application", 0, lenient=True)
    rows = applications.manifests(p.store, app, newest.revision)
    order = {component: tuple(origin.get("dependsOn", ())) for component, origin, _ in rows}
    empty = Rendered(app, content.key, (), stored.definitions(content.definitions))
    made = _Content(
        app, (), empty, content.document, policies.read(read.policies), depends_on=order, context={}, request="delete"
    )
    return changed(await _planned(p, targets, ask, made, newest=newest), revision=newest.revision)


async def _part(
    p: Platform, targets: Targets, given: Policies, made: Rendered, place: Place, *, number: int, again: rules.Again | None
) -> Part:
    cluster = place.cluster or targets.home
    await reaching_out.looked_again(targets, cluster, [m.ref.of for c in made.components for m in c.manifests])
    facts = targets.facts.get(cluster) or wanting.without_cluster(made, cluster)
    want = wanting.desired(made, facts, p.journal.installation(), given, namespace=place.namespace, part=number)
    return Part(place, cluster, place.namespace, made, want, again)


def _whole(app: AppKey, parts: Sequence[Part]) -> Rendered:
    """All parts as one: every component once, every definition once."""
    if not parts:
        return Rendered(app, canonical.digest("nothing"), (), ())
    first = parts[0].rendered
    if len(parts) == 1:
        return first
    components = {component.name: component for part in reversed(parts) for component in part.rendered.components}
    definitions = dict.fromkeys([one for part in parts for one in part.rendered.definitions])
    warnings = dict.fromkeys([one for part in parts for one in part.rendered.warnings])
    keys = dict.fromkeys([part.rendered.key for part in parts])
    key = first.key if len(keys) == 1 else canonical.digest(list(keys))
    return Rendered(first.app, key, tuple(components.values()), tuple(definitions), tuple(warnings))


async def _planned(p: Platform, targets: Targets, ask: Ask, content: _Content, *, newest: Release | None) -> Planned:
    installation = p.journal.installation()
    inventory = await p.in_thread(lambda: p.journal.inventory(content.key))
    for name in targets.facts:
        await reaching_out.looked_again(targets, name, [row.ref.of for row in inventory if row.cluster == name])
    want = tuple({item.identity: item for part in content.parts for item in part.desired}.values())
    once = _once(content.parts)
    own = [rule for part in once if part.again for rule in rules.of_definitions(part.rendered, part.again)]
    targets.verdicts.use([*rules.of(content.given, [item for part in once for item in part.desired]), *own])
    known = await look.look(targets.fleet, installation, content.key, want, inventory)
    known = replace(known, former=_former(p, content.key, want, inventory))
    number = newest.number if newest else 0
    situation = planner.Situation(installation, number, content.request, content.depends_on)
    undecided = _open(content, inventory)
    judged = [row for row in inventory if row.identity not in undecided]
    made = planner.plan(content.key, want, judged, known, situation=situation, given=content.given, consent=ask.consent)
    return Planned(
        content.key,
        made,
        targets,
        content.parts,
        content.rendered,
        content.document,
        content.given,
        ask.consent,
        known,
        content.context,
        content.depends_on,
        request=content.request,
        lenient=content.lenient,
        warnings=content.rendered.warnings,
        settled=newest is None or newest.outcome != "running",
        spec=content.spec,
        catalog=content.catalog,
    )


def _open(content: _Content, inventory: Sequence[Managed]) -> Collection[Identity]:
    """Objects of steps of which only the run will tell whether they are still wanted."""
    if content.request == "delete":
        return ()
    steps = None if content.spec is None else [step.name for step in content.spec.steps]
    want = {item.identity for part in content.parts for item in part.desired}
    return by_steps.undecided(inventory, steps) - want


def _once(parts: Sequence[Part]) -> list[Part]:
    """One of each set of parts that hold the same objects in different clusters: rules know objects, not clusters."""
    found = {tuple([item.identity[1] for item in part.desired]): part for part in reversed(parts)}
    return list(found.values())


def _former(p: Platform, app: AppKey, want: Sequence[Desired], inventory: Sequence[Managed]) -> dict[Any, dict[str, Any]]:
    """Changed workloads as they were last applied: enough to see that a change is one they cannot make."""
    from appdelivery.store import applications

    digests = {item.identity: item.digest for item in want if item.subject.ref.kind in replacing.BY_FORMER}
    rows = {
        row.identity: row
        for row in inventory
        if row.uid and digests.get(row.identity, row.desired_digest) != row.desired_digest
    }
    found: dict[Any, dict[str, Any]] = {}
    for number in {row.revision for row in rows.values()}:
        bodies = {ref_of(body).identity: body for _, _, body in applications.manifests(p.store, app, number)}
        found |= {
            key: bodies[row.ref.identity]
            for key, row in rows.items()
            if row.revision == number and row.ref.identity in bodies
        }
    return found


def _former_order(p: Platform, app: AppKey, newest: Release | None) -> dict[str, Sequence[str]]:
    """Which component waited for which in the content that is there: it decides the order in which things leave."""
    if newest is None or newest.request == "delete":
        return {}
    from appdelivery.store import applications

    rows = applications.manifests(p.store, app, newest.revision)
    return {component: tuple(origin.get("dependsOn", ())) for component, origin, _ in reversed(rows)}


def _kept(context: RenderContext) -> dict[str, Any]:
    """The context values a render depended on, as the revision keeps them."""
    version = context.cluster_version
    return {"cluster": context.cluster, "clusterVersion": version.git}
