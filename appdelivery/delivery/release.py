"""Carries a release out: the one name behind which everybody else leaves how that is done.

Record the intents > walk (apply, hand over, wait along edges) > wait until healthy > prune > record the result.  Safe to
run again after a stop at any point: whatever was done is found in the inventory and in the clusters, and not done twice.
A newer release ends an older run as superseded.  Deleting an application is the same with an empty desired set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from appdelivery.delivery import apply, dataflow, graph, look, observe, plan, prune, send, steps, why
from appdelivery.delivery.ports import ObjectIntended, ObjectSeen, ReleaseEnded
from appdelivery.delivery.recorder import Recorder
from appdelivery.delivery.work import Ended, Hooks, Run, Seen, Started, Work
from appdelivery.model import fieldpath, marks
from appdelivery.model.change import Change, Outcome, Plan, Why
from appdelivery.model.history import Managed
from appdelivery.model.record import changed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from appdelivery.delivery.desired import Desired
    from appdelivery.delivery.ports import Applied, Fact, Fleet, Identity, Journal
    from appdelivery.delivery.steps import Node
    from appdelivery.model.history import Lease
    from appdelivery.model.refs import Ref

__all__ = ["Ended", "Hooks", "Seen", "Started", "Work", "carry_out"]

MOST_REPORTS = 3
LET_GO = ("gc-never", "shared-not-owner")  # reasons for which an object outlives its application
OVER = ("succeeded", "failed", "terminated", "superseded")


async def carry_out(fleet: Fleet, journal: Journal, work: Work, lease: Lease, hooks: Hooks) -> Ended:
    """Everything from the recorded release to its recorded end.  LostLease leaves it: another worker goes on."""
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
    observer = observe.Observer(fleet, work.installation, work.app, hooks.sleep)
    try:
        return await _carried_out(run, observer)
    finally:
        await observer.close()


async def _carried_out(run: Run, observer: observe.Observer) -> Ended:
    made = _plan(run)
    run.warnings += made.warnings
    _find_autoscalers(run, made)
    if not run.recorder.superseded:
        await run.recorder.record(_intents(run))
    upserts = await _walk_upserts(run, observer, made)
    deletes: dict[Identity, Node] = {}
    if run.work.prune and not run.recorder.superseded and not _stands_in_the_way(upserts.nodes.values()):
        deletes = await _walk_deletes(run, observer, _deletable(made))
        if not run.recorder.superseded:
            await _give_back(run, observer, upserts, deletes)
    return await _end(run, made, upserts.nodes, deletes)


def _plan(run: Run) -> Plan:
    """Made anew, for the world has moved since the release was opened; a saved plan limits it to what it lists."""
    work = run.work
    newest = work.release.number
    situation = plan.Situation(work.installation, newest, work.release.request, work.depends_on, work.trusted)
    made = plan.plan(
        work.app,
        work.desired,
        list(run.rows.values()),
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


def _find_autoscalers(run: Run, made: Plan) -> None:
    """Those that are going count until they are gone."""
    run.scaled = plan.autoscaled(run.work.desired, run.known)
    for item in run.work.desired:
        least = fieldpath.get(item.body, ("spec", "minReplicas"))
        if item.subject.ref.kind == "ScaledObject":
            least = fieldpath.get(item.body, ("spec", "minReplicaCount"))
        if isinstance(least, int) and least > 0:
            run.minimum[item.identity] = least
    del made


def _intents(run: Run) -> list[Fact]:
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
                wait=run.hooks.wait_class(item.subject.ref, item.body),
            )
        )
        for item in run.work.desired
    ]


async def _walk_upserts(run: Run, observer: observe.Observer, made: Plan) -> apply.Walk:
    items = {item.identity: item for item in run.work.desired}
    nodes: dict[Identity, Node] = {}
    for change in made.changes:
        item = items.get(change.subject.identity)
        if item is not None:
            wait_class = run.hooks.wait_class(item.subject.ref, item.body)
            nodes[item.identity] = steps.Node(item.identity, change, item, wait_class=wait_class)
    for edge in made.edges:
        if edge.waiter in nodes and edge.other not in nodes and (fact := run.known.facts.get(edge.other)) is not None:
            nodes[edge.other] = steps.outside(edge.other, fact.ref)
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

    walk = apply.Walk(run, observer, nodes, made.edges, act)
    await walk.walk()
    return walk


def _planned_again(run: Run, item: Desired) -> Change:
    work = run.work
    situation = plan.Situation(work.installation, work.release.number, work.release.request, trusted=work.trusted)
    rows = [row for row in run.rows.values() if row.identity == item.identity]
    made = plan.plan(work.app, [item], rows, run.known, situation=situation, given=work.policies, consent=work.consent)
    return made.changes[0] if work.exact is None else _only(made.changes, work.exact)[0]


async def _walk_deletes(run: Run, observer: observe.Observer, made: Plan) -> dict[Identity, Node]:
    wanted = {item.identity for item in run.work.desired}
    going = {c.subject.identity: steps.Node(c.subject.identity, c) for c in made.changes if c.action == "delete"}
    kept = {c.subject.identity for c in made.changes if c.action == "skip" and c.why.code in LET_GO}
    facts = prune.closing(
        run.rows.values(),
        wanted,
        run.known,
        installation=run.work.installation,
        app=run.work.app,
        request=run.work.release.request,
        kept=kept,
    )
    if facts:
        await run.recorder.record(facts)
    if not going:
        return {}
    awaited = {edge.other for edge in made.edges if edge.until == "gone" and edge.hard}

    async def act(node: Node) -> tuple[Outcome, Applied | None]:
        assert node.change is not None
        return await prune.delete(run, node.change, observer, waited_for=node.identity in awaited)

    edges = [edge for edge in made.edges if edge.until == "gone"]
    walk = apply.Walk(run, observer, going, edges, act)
    await walk.walk()
    return {identity: node for identity, node in walk.nodes.items() if not graph.is_join(identity)}


async def _give_back(run: Run, observer: observe.Observer, upserts: apply.Walk, deletes: dict[Identity, Node]) -> None:
    """Replicas return to their author once the autoscaler is gone (delivery.md 6.3): until then its number held."""
    gone = {identity for identity, node in deletes.items() if node.state == "gone"}
    freed = {target for target, scaler in run.scaled.items() if scaler in gone}
    if not freed:
        return
    run.scaled = {target: scaler for target, scaler in run.scaled.items() if scaler not in gone}
    again: dict[Identity, Node] = {}
    for node in upserts.nodes.values():
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

    async def no_wait(cluster: str, ref: Ref, uid: str) -> None:
        await observer.gone(cluster, ref, uid, within=run.work.policies.patience.deadline)

    async def act(node: Node) -> tuple[Outcome, Applied | None]:
        assert node.change is not None
        assert node.item is not None
        return await send.send(run, node.change, node.item, no_wait)

    walk = apply.Walk(run, observer, again, (), act)
    await walk.walk()
    upserts.nodes.update(again)


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


async def _end(run: Run, made: Plan, upserts: dict[Identity, Node], deletes: dict[Identity, Node]) -> Ended:
    nodes = [n for n in (*upserts.values(), *deletes.values()) if n.change is not None and not n.outside]
    outcomes = tuple([n.outcome or Outcome(n.change, "done") for n in nodes if n.change is not None])
    components = _components(nodes)
    pending = tuple([c for c in made.changes if c.action == "skip" and not c.after])
    outcome, message = _verdict(run, nodes, made, components)
    counts = _counts(nodes, made)
    number = run.work.release.number
    facts: list[Fact] = [seen for n in upserts.values() if (seen := _seen(n, run)) is not None]
    ended = ReleaseEnded(number, outcome, message, counts)
    event = run.recorder.event("release.ended", str(run.work.app), release=number, outcome=outcome, message=message)
    reports = await _reports(run, [n for n in nodes if n.state == "failed"]) if outcome != "superseded" else ()
    await run.recorder.record([*facts, ended, event])
    return Ended(number, outcome, message, counts, outcomes, components, reports, pending, tuple(run.warnings))


def _verdict(run: Run, nodes: Sequence[Node], made: Plan, components: dict[str, tuple[str, str]]) -> tuple[str, str]:
    if run.recorder.superseded:
        return "superseded", f"release {run.recorder.newest} took its place"
    failed = [n for n in nodes if n.state == "failed"]
    skipped = [n for n in nodes if n.state == "skipped" and n.change is not None and n.change.action != "unknown"]
    unknown = [c for c in made.changes if c.action == "unknown"]
    if failed:
        first = failed[0]
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        named = graph.show(first.identity)
        where = "" if named in first.why else f"{named} on cluster {first.identity[0]}: "
        return "failed", f"{where}{first.why}{more}"
    if unknown:
        places = sorted({change.subject.cluster for change in unknown})
        if len(unknown) == len(made.changes) and nodes:
            return "failed", f"nothing could be done: {unknown[0].why.text}"
        return "partial", f"{len(unknown)} objects could not be reached on {', '.join(places)}"
    if skipped:
        return "failed", f"{graph.show(skipped[0].identity)}: {skipped[0].why}"
    kept = [c for c in made.changes if c.action == "skip" and not c.after]
    held = [c for c in kept if c.why.code not in LET_GO] if run.work.release.request == "delete" else []
    if held:  # then the application stays, for somebody has to answer for what is left of it
        return "partial", f"not deleted: {_named(held)}"
    if kept:
        return "succeeded", f"kept: {_named(kept)}"
    return "succeeded", "" if components or run.work.release.request != "delete" else "deleted"


def _named(changes: Sequence[Change]) -> str:
    """The first object, its reason, and how many more there are."""
    more = f" (and {len(changes) - 1} more)" if len(changes) > 1 else ""
    return f"{graph.show(changes[0].subject.identity)}, {changes[0].why.text}{more}"


def _components(nodes: Sequence[Node]) -> dict[str, tuple[str, str]]:
    """The worst of each component's objects speaks for it."""
    order = ("failed", "skipped", "unknown", "ready")
    found: dict[str, tuple[str, str]] = {}
    for node in nodes:
        assert node.change is not None
        state = node.state if node.state in ("failed", "skipped") else "ready"
        if node.change.action == "unknown":
            state = "unknown"
        before = found.get(node.component)
        if before is None or order.index(state) < order.index(before[0]):
            found[node.component] = (state, node.why)
    return found


def _counts(nodes: Sequence[Node], made: Plan) -> dict[str, int]:
    """What really happened, by action; what a guard left alone as skip."""
    counts: dict[str, int] = {}
    done = {node.identity: node for node in nodes}
    for change in made.changes:
        node = done.get(change.subject.identity)
        action = change.action
        if node is not None and node.outcome is not None:
            action = node.outcome.change.action if node.outcome.result == "done" else node.outcome.result
        elif change.action == "delete":
            action = "skip"
        counts[action] = counts.get(action, 0) + 1
    return counts


def _seen(node: Node, run: Run) -> ObjectSeen | None:
    if node.waiting is None or node.item is None:
        return None
    health = node.waiting.health
    row = run.rows.get(node.identity)
    if row is None or (row.health, row.health_reason) == (health.state, health.reason):
        return None
    return ObjectSeen(node.identity, health.state, health.reason, node.waiting.health_since, version=node.version)


async def _reports(run: Run, failed: Sequence[Node]) -> tuple[why.Answer, ...]:
    """Why the first failures failed: conditions, events, last log lines.  At most a few: the rest mostly follows."""
    from appdelivery import errors

    reports = []
    waiting = [(waiter, other) for waiter, others in run.work.depends_on.items() for other in others]
    for node in failed[:MOST_REPORTS]:
        row = run.rows.get(node.identity)
        if row is None or node.waiting is None:
            continue
        try:
            answer = await why.why(run.fleet, [row], run.hooks.judge, waiting=waiting)
        except errors.ClusterError as error:
            run.warnings.append(f"could not find out more: {error.message}")
            continue
        reports.append(answer)
    return tuple(reports)
