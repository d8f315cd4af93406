"""One worker's work on one release: steps deliver their parts, the end prunes and gives the verdict.  Called by the actions
of workflows and by release.

open: look, plan, record the intents of the whole desired set, before anything of it is written (a crash orphans nothing,
and what newer releases measure by is there) > deliver, as often as steps ask for parts, also side by side > finish: prune,
give replicas back, record the result.  Safe to open again after a stop at any point: what was done is found in the
inventory and in the clusters, and not done twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from appdelivery import errors
from appdelivery.delivery import apply, by_steps, dataflow, look, observe, plan, prune, send, steps, verdict
from appdelivery.delivery.ports import ObjectIntended
from appdelivery.delivery.recorder import Recorder
from appdelivery.delivery.work import Ended, Run
from appdelivery.model import fieldpath, marks
from appdelivery.model.change import Change, Outcome, Plan, Why
from appdelivery.model.history import Managed
from appdelivery.model.record import changed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from appdelivery.delivery.desired import Desired
    from appdelivery.delivery.ports import Applied, Fact, Fleet, Identity, Journal
    from appdelivery.delivery.steps import Node
    from appdelivery.delivery.work import Hooks, Work
    from appdelivery.model.change import Edge
    from appdelivery.model.history import Lease
    from appdelivery.model.refs import Ref


OVER = ("succeeded", "failed", "terminated", "superseded")


@dataclass(slots=True)
class Session:
    """Made by `open_`, ended by `close`.  walk: of everything that is written, over all steps."""

    run: Run
    observer: observe.Observer
    made: Plan
    walk: apply.Walk
    items: dict[Identity, Desired] = field(default_factory=dict)
    changes: dict[Identity, Change] = field(default_factory=dict)
    applied: dict[Identity, Change] = field(default_factory=dict)  # by steps, beside the desired set


async def open_(fleet: Fleet, journal: Journal, work: Work, lease: Lease, hooks: Hooks) -> Session | Ended:
    """Ended: the release was over already."""
    recorder = Recorder(journal, lease, work.release, hooks.in_thread, hooks.sleep, hooks.clock)
    newest = await hooks.in_thread(lambda: journal.newest(work.app))
    if newest is not None and newest.number == work.release.number and newest.outcome in OVER:
        return Ended(newest.number, newest.outcome, newest.message, dict(newest.counts or {}))
    recorder.newest = newest.number if newest is not None else 0
    inventory = await hooks.in_thread(lambda: journal.inventory(work.app))
    known = work.known if work.settled else None
    if known is None:
        known = await look.look(fleet, work.installation, work.app, work.desired, inventory)
    run = Run(
        fleet,
        work,
        hooks,
        recorder,
        manager=marks.manager_of(work.app),
        fence=lease.fence,
        known=known,
        rows={row.identity: row for row in inventory},
    )
    made = _plan(run, by_steps.beside(run))
    run.warnings += made.warnings
    _find_autoscalers(run)
    if not recorder.superseded:
        await recorder.record(_intents(run, run.work.desired))
    observer = observe.Observer(fleet, work.installation, work.app, hooks.sleep)
    session = Session(run, observer, made, apply.Walk(run, observer, steps.Ties(made.edges), _upserts(run, observer)))
    session.items = {item.identity: item for item in work.desired}
    session.changes = {change.subject.identity: change for change in made.changes}
    return session


async def close(session: Session) -> None:
    await session.walk.close()
    await session.observer.close()


async def deliver(session: Session, items: Iterable[Desired] | None = None) -> dict[Identity, Node]:
    """Writes a part of the desired set (None: all of it) and waits until it is as healthy as the release asks for.  What
    an earlier step has delivered as it is wanted now is waited for, not written again.  Answers the part's nodes: they say
    how it went."""
    wanted = {item.identity: item for item in (session.items.values() if items is None else items)}
    nodes: dict[Identity, Node] = {}
    new: dict[Identity, Node] = {}
    for identity, item in wanted.items():
        node = session.walk.nodes.get(identity)
        if node is None or (node.item is not None and node.item.part != item.part and node.item.digest != item.digest):
            wait_class = session.run.wait_class(item)
            change = session.changes[identity]
            if node is not None or item.digest != session.items[identity].digest:
                change = await _seen_again(session, item)
            node = new[identity] = steps.Node(identity, change, item, wait_class=wait_class)
        nodes[identity] = node
    session.walk.join(new | _outside(session, new))
    await session.walk.settled(nodes)
    return nodes


async def apply_beside(session: Session, items: Sequence[Desired]) -> dict[Identity, Node]:
    """Objects that a step applies beside the desired set, under the same guards: looked at, planned, intended, written.
    Answers when they are written; whoever wants to wait for their health looks at it.  Raises what stands in the way of
    any of them before the first is written."""
    run = session.run
    for item in items:
        if item.identity in session.items:
            whose = session.items[item.identity].origin
            raise errors.Refused(f"{item.origin}: {item.subject.ref} is an object of {whose} already", code="step.not-ours")
    rows = [row for item in items if (row := run.rows.get(item.identity)) is not None]
    fresh = await look.look(run.fleet, run.work.installation, run.work.app, items, rows)
    situation = plan.Situation(run.work.installation, run.work.release.number, trusted=run.work.trusted)
    given, consent = run.work.policies, run.work.consent
    made = plan.plan(run.work.app, items, rows, fresh, situation=situation, given=given, consent=consent)
    if (error := next((fresh.error(c.subject.identity) for c in made.changes if c.action == "unknown"), None)) is not None:
        raise error
    if (refusal := plan.blocked(made)) is not None:
        raise refusal
    run.add(items)
    about = {item.identity for item in items}
    known = {key: fact for key, fact in run.known.facts.items() if key not in about}
    run.known = replace(
        run.known,
        facts={**known, **fresh.facts},
        bodies={**run.known.bodies, **fresh.bodies},
        no_namespace=run.known.no_namespace | fresh.no_namespace,
    )
    await run.recorder.record(_intents(run, items))
    nodes = {c.subject.identity: steps.Node(c.subject.identity, c, i) for c, i in zip(made.changes, items, strict=True)}
    edges = [edge for edge in made.edges if edge.waiter in nodes and edge.other in nodes]
    session.walk.ties.add(edges)
    session.applied.update({change.subject.identity: change for change in made.changes})
    session.walk.join(nodes)
    await session.walk.settled(nodes)
    return nodes


async def _seen_again(session: Session, item: Desired) -> Change:
    """Several steps deliver the object, each in its own way: it is looked at again before this one does."""
    run = session.run
    rows = [row for row in run.rows.values() if row.identity == item.identity]
    fresh = await look.look(run.fleet, run.work.installation, run.work.app, [item], rows)
    run.known = replace(run.known, facts={**run.known.facts, **fresh.facts}, bodies={**run.known.bodies, **fresh.bodies})
    return _planned_again(run, item)


def _outside(session: Session, new: dict[Identity, Node]) -> dict[Identity, Node]:
    """What the new ones wait for and this release does not write, or wrote before this session."""
    found: dict[Identity, Node] = {}
    run = session.run
    for other in [edge.other for waiter in new for edge in session.walk.ties.of(waiter)]:
        if other in new or other in session.walk.nodes:
            continue
        fact, row = run.known.facts.get(other), run.rows.get(other)
        later = other in session.items and (row is None or row.release != run.work.release.number)
        if fact is not None and not later:
            found[other] = steps.outside(other, fact.ref)
    return found


async def note(session: Session) -> None:
    """Records how healthy things are, for whoever looks while the release waits."""
    facts = [seen for node in session.walk.nodes.values() if (seen := verdict.seen_of(node, session.run)) is not None]
    if facts and not session.run.recorder.superseded:
        await session.run.recorder.record(facts)


async def finish(session: Session, outcome: str = "", message: str = "", *, ran: bool = False) -> Ended:
    """Prunes what is no longer wanted and records how the release ended.  outcome, message: of a workflow that did not
    come so far that anything may be deleted (failed, terminated); what no step has delivered is left as it is.  ran: a
    workflow has come to its end, so what its steps have not applied again is no longer wanted either."""
    run, nodes = session.run, session.walk.nodes
    deletes: dict[Identity, Node] = {}
    goes_on = run.work.policies.continue_on_failure or not _stands_in_the_way(nodes.values())
    ran = ran and not outcome
    session.made = _with_steps(session, ran=ran)
    if run.work.prune and goes_on and not outcome and not run.recorder.superseded:
        deletes = await _walk_deletes(session, _deletable(session.made), kept_on=_standing(session, ran=ran))
        if not run.recorder.superseded:
            await _give_back(session, deletes)
    return await verdict.end(run, session.made, nodes, deletes, given=(outcome, message))


def _standing(session: Session, *, ran: bool) -> frozenset[Identity]:
    """Objects of steps that stay: those of this release, and where no workflow has run, all."""
    run, number = session.run, session.run.work.release.number
    found = by_steps.beside(run)
    kept = frozenset([key for key in found if run.rows[key].wanted >= number]) if ran else found
    return kept | session.applied.keys()


def _with_steps(session: Session, *, ran: bool) -> Plan:
    """The plan with what steps have written and with the deletion of what they have left."""
    run, made = session.run, session.made
    changes = [change for change in made.changes if change.subject.identity not in session.applied]
    edges = made.edges
    standing = _standing(session, ran=ran)
    if by_steps.beside(run) - standing:
        fresh = _plan(run, standing)
        wanted = {item.identity for item in run.work.desired}
        changes = [change for change in changes if change.subject.identity in wanted]
        changes += [change for change in fresh.changes if change.subject.identity not in wanted]
        edges = fresh.edges
    return changed(made, changes=(*changes, *session.applied.values()), edges=edges)


def _plan(run: Run, apart: Collection[Identity] = ()) -> Plan:
    """Made anew, for the world has moved since the release was opened; a saved plan limits it to what it lists.  apart:
    what is in the inventory and not to be judged."""
    work = run.work
    newest = work.release.number
    situation = plan.Situation(work.installation, newest, work.release.request, work.depends_on, work.trusted)
    made = plan.plan(
        work.app,
        work.desired,
        [row for row in run.rows.values() if row.identity not in apart],
        run.known,
        situation=situation,
        given=work.policies,
        consent=work.consent,
    )
    return made if work.exact is None else changed(made, changes=_only(made.changes, work.exact))


def _only(changes: Sequence[Change], exact: Plan) -> tuple[Change, ...]:
    listed = {(change.subject.identity, change.action) for change in exact.writes}
    out = []
    for change in changes:
        if (
            change.action in ("create", "update", "replace", "delete")
            and (change.subject.identity, change.action) not in listed
        ):
            why_not = Why("not-in-plan", f"the saved plan does not {change.action} it", {})
            change = changed(change, action="skip", why=why_not)
        out.append(change)
    return tuple(out)


def _find_autoscalers(run: Run) -> None:
    """Those that are going count until they are gone."""
    run.scaled = plan.autoscaled(run.work.desired, run.known)
    for item in run.work.desired:
        least = fieldpath.get(item.body, ("spec", "minReplicas"))
        if item.subject.ref.kind == "ScaledObject":
            least = fieldpath.get(item.body, ("spec", "minReplicaCount"))
        if isinstance(least, int) and least > 0:
            run.minimum[item.identity] = least


def _intents(run: Run, items: Iterable[Desired]) -> list[Fact]:
    """Rows before the first apply, so that a crash cannot orphan an object; and what newer releases measure by (G1)."""
    release = run.work.release
    return [
        ObjectIntended(
            Managed(
                app=run.work.app,
                cluster=item.subject.cluster,
                ref=item.subject.ref,
                component=item.subject.component,
                origin=str(item.origin),
                mode=item.mode,
                state="intended",
                wanted=release.number,
                release=0,
                revision=release.revision,
                fence=run.fence,
                gc=item.gc,
                propagation=item.propagation,
                wait=run.wait_class(item),
            )
        )
        for item in items
    ]


def _upserts(run: Run, observer: observe.Observer) -> apply.Act:
    flow = dataflow.Flow(run)

    async def gone(cluster: str, ref: Ref, uid: str) -> None:
        await observer.gone(cluster, ref, uid, within=run.work.policies.patience.deadline)

    async def act(node: Node) -> tuple[Outcome, Applied | None]:
        assert node.change is not None
        assert node.item is not None
        change, item = node.change, node.item
        if item.waits:
            resolved = await flow.resolved(item)
            if isinstance(resolved, str):
                return Outcome(change, "failed", resolved), None
            item = node.item = resolved
            change = _planned_again(run, item)
            if change.action not in ("create", "update", "replace"):
                return Outcome(change, "done" if change.action == "unchanged" else "failed", change.why.text), None
        return await send.send(run, change, item, gone)

    return act


def _planned_again(run: Run, item: Desired) -> Change:
    work = run.work
    situation = plan.Situation(work.installation, work.release.number, work.release.request, trusted=work.trusted)
    rows = [row for row in run.rows.values() if row.identity == item.identity]
    made = plan.plan(work.app, [item], rows, run.known, situation=situation, given=work.policies, consent=work.consent)
    return made.changes[0] if work.exact is None else _only(made.changes, work.exact)[0]


async def _walk_deletes(session: Session, made: Plan, *, kept_on: Collection[Identity]) -> dict[Identity, Node]:
    run, observer = session.run, session.observer
    wanted = {item.identity for item in run.work.desired}.union(kept_on)
    going = {c.subject.identity: steps.Node(c.subject.identity, c) for c in made.changes if c.action == "delete"}
    kept = {c.subject.identity for c in made.changes if c.action == "skip" and c.why.code in verdict.LET_GO}
    facts = prune.closing(
        run.rows.values(),
        wanted,
        run.known,
        installation=run.work.installation,
        app=run.work.app,
        request=run.work.release.request,
        kept=kept,
        given=await prune.part(run, made),
    )
    if facts:
        await run.recorder.record(facts)
    if not going:
        return {}
    awaited = {edge.other for edge in made.edges if edge.until == "gone" and edge.hard}

    async def act(node: Node) -> tuple[Outcome, Applied | None]:
        assert node.change is not None
        return await prune.delete(run, node.change, observer, waited_for=node.identity in awaited)

    await _walked(session, going, [edge for edge in made.edges if edge.until == "gone"], act)
    return going


async def _walked(session: Session, nodes: dict[Identity, Node], edges: Sequence[Edge], act: apply.Act) -> None:
    """A walk of its own, once that of the writes is over."""
    walk = apply.Walk(session.run, session.observer, steps.Ties(edges), act)
    try:
        walk.join(nodes)
        await walk.settled(nodes)
    finally:
        await walk.close()


async def _give_back(session: Session, deletes: dict[Identity, Node]) -> None:
    """Replicas return to their author once the autoscaler is gone (delivery.md 6.3): until then its number held."""
    run = session.run
    gone = {identity for identity, node in deletes.items() if node.state == "gone"}
    freed = {target for target, scaler in run.scaled.items() if scaler in gone}
    if not freed:
        return
    run.scaled = {target: scaler for target, scaler in run.scaled.items() if scaler not in gone}
    again: dict[Identity, Node] = {}
    for node in session.walk.nodes.values():
        ref = node.identity[1]
        if node.item is not None and (node.identity[0], ref[2], ref[1], ref[3]) in freed:
            row = run.rows.get(node.identity)
            paths = plan.retaken(node.item, row) if row is not None else ()
            if paths:
                change = Change(
                    node.item.subject, "update", Why("field-retaken", "its autoscaler is gone", {"paths": list(paths)})
                )
                again[node.identity] = steps.Node(node.identity, change, node.item, wait_class=node.wait_class)
    if not again:
        return
    run.known = await look.look(
        run.fleet, run.work.installation, run.work.app, [n.item for n in again.values() if n.item], ()
    )
    await _walked(session, again, (), _upserts(run, session.observer))
    session.walk.nodes.update(again)


def _stands_in_the_way(nodes: Iterable[Node]) -> bool:
    """Whether anything wanted failed: then nothing is deleted.  A cluster that does not answer holds up only itself (G9)."""
    return any(
        node.state == "failed" or (node.state == "skipped" and node.change is not None and node.change.action == "skip")
        for node in nodes
    )


def _deletable(made: Plan) -> Plan:
    """G3: what left a place goes only when the whole new placement is known to be healthy."""
    if all(change.action != "unknown" for change in made.changes):
        return made
    return changed(made, changes=tuple([c for c in made.changes if c.why.code != "placement-removed"]))
