"""From an application to a plan: render for the cluster, make the desired set, look at what is there, compare.

`up`, `plan`, `diff`, `rollback` and `delete` all start here; nothing is changed by it, in the store or in a cluster.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from appdelivery import errors
from appdelivery.delivery import desired as wanting
from appdelivery.delivery import look, policies
from appdelivery.delivery import plan as planner
from appdelivery.delivery import replace as replacing
from appdelivery.model import reading
from appdelivery.model.manifest import Manifest, Origin, Rendered, RenderedComponent
from appdelivery.model.record import changed, record
from appdelivery.model.refs import ref_of
from appdelivery.platform import discovered, identity, reaching, rendering, rules
from appdelivery.render.render import ClusterVersion, RenderContext, render

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from appdelivery.clusters.credentials import Credentials
    from appdelivery.clusters.fleet import ClusterFleet
    from appdelivery.delivery.desired import Desired
    from appdelivery.delivery.look import Known
    from appdelivery.delivery.plan import Consent
    from appdelivery.delivery.policies import Policies
    from appdelivery.model.application import Application
    from appdelivery.model.change import Plan
    from appdelivery.model.history import Managed, Release
    from appdelivery.model.live import ClusterFacts
    from appdelivery.model.problem import Problem
    from appdelivery.model.refs import AppKey, Kind
    from appdelivery.platform.local import Platform


@dataclass(slots=True)
class Target:
    """One cluster that answers, and the Fleet that speaks to it."""

    name: str
    server: str
    fleet: ClusterFleet
    facts: ClusterFacts
    verdicts: rules.Verdicts
    credentials: Credentials


@record
class Planned:
    """A plan and everything that carrying it out needs."""

    app: AppKey
    plan: Plan
    target: Target
    desired: tuple[Desired, ...]
    rendered: Rendered
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
    again: rules.Again | None = None  # renders anew with live values, where components wait for some

    @property
    def labels(self) -> dict[str, str]:
        return dict((self.document.get("metadata") or {}).get("labels") or {})


@dataclass(frozen=True, slots=True)
class Ask:
    """How a plan is to be made."""

    consent: Consent = field(default_factory=planner.Consent)
    lenient: bool = False
    kube_version: ClusterVersion | None = None


async def reach(p: Platform, app: AppKey | None = None) -> Target:
    """The cluster that is meant, asked who it is.  The store knows it under one name, whatever context leads to it; other
    clusters in which the application still stands are reached beside it."""
    inventory = p.journal.inventory(app) if app else ()
    asked, found = reaching.credentials(p, _home(p, inventory))
    verdicts = rules.Verdicts(identity.clock)
    bare = {(row.cluster, row.ref.identity): row.bare for row in inventory if row.bare}

    def fleet_of(reached: dict[str, Credentials], facts: dict[str, ClusterFacts | None]) -> ClusterFleet:
        return reaching.fleet(p, reached, judge=verdicts.judge, bare=bare, facts=facts)

    others = {place: reaching.credentials(p, place)[1] for place in _elsewhere(p, inventory, asked)}
    kept = {name: discovered.read(name, one) for name, one in {**others, asked: found}.items()}
    fleet = fleet_of({**others, asked: found}, kept)
    facts = await fleet.facts(asked)
    if kept[asked] is None:
        discovered.write(facts, found)
    name = reaching.known_as(p, facts, found.server)
    if name != asked:
        facts = changed(facts, name=name)
        fleet = fleet_of({**others, name: found}, {**kept, name: facts})
    # Next comes a list of each kind that is there, or the question whether the namespace exists.
    fleet.expect(name, max(1, len({row.ref.of for row in inventory if row.cluster == name})))
    return Target(name, found.server, fleet, facts, verdicts, found)


async def _looked_again(target: Target, kinds: Iterable[Kind]) -> None:
    """Facts kept from an earlier command do not know a kind that has come since."""
    if all(kind in target.facts.served for kind in kinds):
        return
    facts = await target.fleet.facts(target.name, refresh=True)
    discovered.write(facts, target.credentials)
    target.facts = changed(facts, name=target.name)


def _elsewhere(p: Platform, inventory: Sequence[Managed], asked: str) -> list[str]:
    return [place for place in sorted({row.cluster for row in inventory} - {asked}) if reaching.known(p, place)]


def _home(p: Platform, inventory: Sequence[Managed]) -> str:
    """The cluster an application stands in already, when none is named and it stands in one."""
    if p.options.cluster:
        return p.options.cluster
    places = {row.cluster for row in inventory}
    if len(places) != 1:
        return ""
    (place,) = places
    return place if reaching.known(p, place) else ""


async def of_application(p: Platform, work: rendering.Work, app: Application, target: Target, ask: Ask) -> Planned:
    """The plan that brings the cluster to what the application says now."""
    newest = p.journal.newest(app.key)
    context = context_of(p, app, target, ask, newest=newest)
    rendered = await p.in_thread(lambda: render(app, work.catalog.resolve, context))  # connections are opened meanwhile
    given = policies.read(app.policies)
    return await _planned(
        p,
        target,
        ask,
        key=app.key,
        rendered=rendered,
        document=app.document,
        given=given,
        newest=newest,
        lenient=ask.lenient,
        context=context,
        again=rules.Again(app, work.catalog.resolve, context),
    )


def context_of(p: Platform, app: Application, target: Target, ask: Ask, *, newest: Release | None) -> RenderContext:
    from appdelivery.store import applications

    def number(component: str, digest: str) -> int:
        return applications.component_revision(p.store, app.key, component, digest)

    return RenderContext(
        revision=(newest.revision if newest else 0) + 1,
        cluster=target.name,
        lenient=ask.lenient,
        cluster_version=ask.kube_version
        or rendering.cluster_version(target.facts.version.partition("+")[0].partition("-")[0]),
        component_revisions=number if newest else lambda _component, _digest: 1,
        digest_key=p.journal.installation().digest_key,
    )


async def of_revision(p: Platform, app: AppKey, number: int, target: Target, ask: Ask) -> Planned:
    """The plan that brings the cluster back to a stored revision: its manifests as they were, whatever definitions say now."""
    from appdelivery.store import applications

    content = applications.revision(p.store, app, number)
    rendered = stored(app, content.key, applications.manifests(p.store, app, number), content.definitions)
    read = reading.application(content.document, "the stored application", 0, lenient=True)
    planned = await _planned(
        p,
        target,
        ask,
        key=app,
        rendered=rendered,
        document=content.document,
        given=policies.read(read.policies),
        newest=p.journal.newest(app),
        lenient=False,
        context=None,
        again=None,
    )
    return changed(planned, cause="rollback", cause_ref=str(number), revision=number)


async def of_deletion(p: Platform, app: AppKey, target: Target, ask: Ask) -> Planned:
    """The plan that removes every object of an application: its desired set is empty."""
    from appdelivery.store import applications

    applications.get(p.store, app)
    newest = p.journal.newest(app)
    if newest is None:
        raise errors.NotFound(f"application {app} has no release")
    content = applications.revision(p.store, app, newest.revision)
    read = reading.application(content.document, "the stored application", 0, lenient=True)
    old = stored(app, content.key, applications.manifests(p.store, app, newest.revision), content.definitions)
    empty = Rendered(app, content.key, (), old.definitions)
    planned = await _planned(
        p,
        target,
        ask,
        key=app,
        rendered=empty,
        document=content.document,
        given=policies.read(read.policies),
        newest=newest,
        lenient=False,
        context=None,
        again=None,
        request="delete",
        depends_on={c.name: c.depends_on for c in old.components},
    )
    return changed(planned, revision=newest.revision)


async def _planned(
    p: Platform,
    target: Target,
    ask: Ask,
    *,
    key: AppKey,
    rendered: Rendered,
    document: dict[str, Any],
    given: Policies,
    newest: Release | None,
    lenient: bool,
    context: RenderContext | None,
    again: rules.Again | None,
    request: str = "apply",
    depends_on: Mapping[str, Sequence[str]] | None = None,
) -> Planned:
    installation = p.journal.installation()
    inventory = await p.in_thread(lambda: p.journal.inventory(key))
    here = [row.ref.of for row in inventory if row.cluster == target.name]
    await _looked_again(target, [*here, *[m.ref.of for c in rendered.components for m in c.manifests]])
    want = wanting.desired(rendered, target.facts, installation, given) if rendered.components else ()
    target.verdicts.use(rules.of(given, want, rendered, again))
    known = await look.look(target.fleet, installation, key, want, inventory)
    known = replace(known, former=_former(p, key, want, inventory))
    order = depends_on if depends_on is not None else _order(p, key, rendered, newest)
    situation = planner.Situation(installation, newest.number if newest else 0, request, order)
    made = planner.plan(key, want, inventory, known, situation=situation, given=given, consent=ask.consent)
    return Planned(
        key,
        made,
        target,
        want,
        rendered,
        document,
        given,
        ask.consent,
        known,
        _kept(context),
        order,
        request=request,
        lenient=lenient,
        warnings=rendered.warnings,
        settled=newest is None or newest.outcome != "running",
        again=again,
    )


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


def _order(p: Platform, app: AppKey, rendered: Rendered, newest: Release | None) -> dict[str, Sequence[str]]:
    """Which component waits for which: of the new content, and of what leaves with the old one."""
    order: dict[str, Sequence[str]] = {}
    if newest is not None and newest.request != "delete":
        from appdelivery.store import applications

        for component, origin, _ in applications.manifests(p.store, app, newest.revision):
            order.setdefault(component, tuple(origin.get("dependsOn", ())))
    return {**order, **{c.name: c.depends_on for c in rendered.components}}


def _kept(context: RenderContext | None) -> dict[str, Any]:
    """The context values a render depended on, as the revision keeps them."""
    if context is None:
        return {}
    version = context.cluster_version
    return {"cluster": context.cluster, "clusterVersion": version.git}


def origin_tree(item: Desired, depends_on: Sequence[str]) -> dict[str, Any]:
    """What is kept beside a stored manifest, so that the revision can be delivered again as it was."""
    return {
        "component": item.origin.component,
        "trait": item.origin.trait,
        "output": item.origin.output,
        "stage": item.stage,
        "workload": item.workload,
        "type": item.component_type,
        "dependsOn": list(depends_on),
    }


def stored(
    app: AppKey, key: str, rows: Sequence[tuple[str, dict[str, Any], dict[str, Any]]], definitions: Sequence[Any]
) -> Rendered:
    """A stored revision in the form that render gives."""
    by_component: dict[str, list[tuple[dict[str, Any], dict[str, Any]]]] = {}
    for component, origin, body in rows:
        by_component.setdefault(component, []).append((origin, body))
    components = []
    for name, entries in by_component.items():
        first = entries[0][0]
        manifests = tuple(
            [
                Manifest(
                    ref_of(body),
                    body,
                    Origin(name, o.get("trait", ""), o.get("output", "")),
                    o.get("stage", "DefaultDispatch"),
                    bool(o.get("workload")),
                )
                for o, body in entries
            ]
        )
        components.append(
            RenderedComponent(name, first.get("type", ""), manifests, tuple(first.get("dependsOn", ())), f"{name}-v0", "")
        )
    return Rendered(
        app,
        key,
        tuple(components),
        tuple([tuple(d) if not isinstance(d, dict) else (d["kind"], d["name"], d["hash"]) for d in definitions]),
    )
