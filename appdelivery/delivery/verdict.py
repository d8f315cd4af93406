"""How a release went: outcome, message, counts, and reports on what failed.  Called by session at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appdelivery import errors
from appdelivery.delivery import graph, why
from appdelivery.delivery.ports import ObjectSeen, ReleaseEnded
from appdelivery.delivery.work import Ended
from appdelivery.model.change import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from appdelivery.delivery.ports import Fact, Identity
    from appdelivery.delivery.steps import Node
    from appdelivery.delivery.work import Run
    from appdelivery.model.change import Change, Plan

MOST_REPORTS = 3
WRITES = ("create", "update", "replace", "delete")
LET_GO = ("gc-never", "shared-not-owner")  # reasons for which an object outlives its application


async def end(
    run: Run,
    made: Plan,
    upserts: dict[Identity, Node],
    deletes: dict[Identity, Node],
    *,
    given: tuple[str, str] = ("", ""),
) -> Ended:
    """Records the result.  given: outcome and reason from outside, when the release did not go to its end."""
    nodes = [n for n in (*upserts.values(), *deletes.values()) if n.change is not None and not n.outside]
    outcomes = tuple([n.outcome or Outcome(n.change, "done") for n in nodes if n.change is not None])
    components = _components(nodes)
    pending = tuple([c for c in made.changes if c.action == "skip" and not c.after])
    outcome, message = _verdict(run, nodes, made, components)
    if given[0] and outcome not in ("failed", "superseded"):
        outcome, message = given
    counts = _counts(nodes, made)
    number = run.work.release.number
    facts: list[Fact] = [seen for n in upserts.values() if (seen := seen_of(n, run)) is not None]
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
        objects = "1 object" if len(unknown) == 1 else f"{len(unknown)} objects"
        return "partial", f"{objects} could not be reached on {', '.join(places)}"
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
        elif change.action in WRITES:
            action = "skip"
        counts[action] = counts.get(action, 0) + 1
    return counts


def seen_of(node: Node, run: Run) -> ObjectSeen | None:
    row = run.rows.get(node.identity)
    if node.change is not None and node.change.action == "unknown" and row is not None and row.state == "present":
        return ObjectSeen(node.identity, "unknown", "Unreachable", run.hooks.clock())
    if node.waiting is None or node.item is None:
        return None
    health = node.waiting.health
    if row is None or (row.health, row.health_reason) == (health.state, health.reason):
        return None
    return ObjectSeen(node.identity, health.state, health.reason, node.waiting.health_since, version=node.version)


async def _reports(run: Run, failed: Sequence[Node]) -> tuple[why.Answer, ...]:
    """Why the first failures failed: conditions, events, last log lines.  At most a few: the rest mostly follows."""
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
