"""Reads that ask the clusters: live status and drift, diff, why, wait, logs, tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appdelivery import errors
from appdelivery.delivery import health
from appdelivery.delivery import why as explaining
from appdelivery.delivery.ports import LogOptions
from appdelivery.model.live import Health
from appdelivery.model.record import changed, record
from appdelivery.model.refs import Kind, Selector
from appdelivery.platform import identity, looking, reaching, rules, stored, targets
from appdelivery.platform.guard import guard

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from appdelivery.delivery.why import Answer
    from appdelivery.model.history import Managed, Release, Summary
    from appdelivery.model.live import Live
    from appdelivery.model.refs import AppKey, Ref
    from appdelivery.platform.local import Platform
    from appdelivery.platform.planning import Planned
    from appdelivery.platform.targets import Targets

POD = Kind("", "v1", "Pod")
OWNED = (Kind("apps", "v1", "ReplicaSet"), POD, Kind("batch", "v1", "Job"))


async def reach(p: Platform, app: AppKey) -> tuple[Targets, Sequence[Managed]]:
    """The clusters an application stands in, verdicts with the application's own rules, and its rows where they answer.
    --cluster chooses some of them."""
    inventory = p.journal.inventory(app)
    wanted = [p.options.cluster] if p.options.cluster else sorted({row.cluster for row in inventory})
    found = await targets.reach(p, app, [name for name in wanted if reaching.known(p, name)])
    rows = [row for row in inventory if row.cluster in found.facts]
    found.verdicts.use(stored_rules(p, app, rows))
    return found, rows


def stored_rules(p: Platform, app: AppKey, rows: Sequence[Managed]) -> Sequence[Any]:
    """Health rules of the revision that was applied, never of a newer document."""
    from appdelivery.delivery import desired as wanting
    from appdelivery.delivery import policies
    from appdelivery.model import reading
    from appdelivery.store import applications

    newest = p.journal.newest(app)
    if newest is None or not rows:
        return ()
    content = applications.revision(p.store, app, newest.revision)
    read = reading.application(content.document, "the stored application", 0, lenient=True)
    given = policies.read(read.policies)
    if not given.patience.rules:
        return ()
    made: dict[Any, Any] = {}
    for place, of_place in stored.by_place(applications.manifests(p.store, app, newest.revision)).items():
        rendered = stored.rendered(app, content.key, of_place, content.definitions)
        facts = wanting.without_cluster(rendered, rows[0].cluster)
        want = wanting.desired(rendered, facts, p.journal.installation(), given, namespace=place.namespace)
        made |= {item.identity: item for item in want}  # rules know objects, not clusters
    return rules.of(given, list(made.values()))


async def status(p: Platform, app: AppKey) -> tuple[Summary, Sequence[Managed], Release | None]:
    """As looking.status, with health and drift as the cluster shows them now."""
    summary, rows, release = looking.status(p, app)
    found, here = await reach(p, app)
    installation = p.journal.installation()
    from appdelivery.delivery import drift

    fresh = await drift.rows(found.fleet, installation, app, here, clock=identity.clock)
    by_identity = {row.identity: row for row in fresh}
    shown = [by_identity.get(row.identity, _unseen(row, found)) for row in rows]
    worst = health.worst([Health(row.health, row.health_reason) for row in fresh if _speaks(row)])
    return changed(summary, health=worst.state, message=worst.reason if worst.state != "healthy" else ""), shown, release


def _unseen(row: Managed, found: Targets) -> Managed:
    """What was last known of an object whose cluster does not answer is not what is."""
    error = found.errors.get(row.cluster)
    return row if error is None else changed(row, health="unknown", health_reason=error.message)


def _speaks(row: Managed) -> bool:
    """Whether the application is as healthy as this object."""
    return row.wait == "required" or row.health in ("missing", "unknown")


async def differences(p: Platform, planned: Planned) -> list[dict[str, Any]]:
    """Field by field what differs from the cluster, by dry runs of exactly the requests that `up` would send."""
    from appdelivery.delivery import diff

    guard(p.actor, "get", str(planned.app))
    return await diff.live(
        planned.targets.fleet,
        planned.plan,
        planned.desired,
        key=p.journal.installation().digest_key,
        conflict=planned.policies.conflict,
        consent=planned.consent,
        inventory=p.journal.inventory(planned.app),
        known=planned.known,
    )


async def why(p: Platform, app: AppKey) -> Answer:
    guard(p.actor, "get", str(app))
    looking.status(p, app)
    found, rows = await reach(p, app)
    from appdelivery.store import applications

    newest = p.journal.newest(app)
    waiting = []
    if newest is not None:
        for component, origin, _ in applications.manifests(p.store, app, newest.revision):
            waiting += [(component, other) for other in origin.get("dependsOn", ())]
    return await explaining.why(
        found.fleet, rows, found.verdicts.judge, waiting=sorted(set(waiting)), wait_class=found.verdicts.wait_class
    )


@record
class Waited:
    """healthy, failed or timed-out, and what was in the way."""

    outcome: str
    message: str
    answer: Answer | None = None


async def wait(p: Platform, app: AppKey, limit: float, show: Callable[[Any], None]) -> Waited:
    """Watches until every required object is healthy, one has failed for good, or the time is over."""
    import asyncio

    guard(p.actor, "get", str(app))
    looking.status(p, app)
    found, rows = await reach(p, app)
    try:
        outcome, message = await asyncio.wait_for(_until_healthy(found, rows, show), limit or None)
    except TimeoutError:
        outcome, message = "timed-out", "not healthy yet"
    answer = await why(p, app) if outcome != "healthy" else None
    return Waited(outcome, message, answer)


async def _until_healthy(found: Targets, rows: Sequence[Managed], show: Callable[[Any], None]) -> tuple[str, str]:
    """Over all clusters: the first that fails speaks for all."""
    import asyncio

    waits = [
        asyncio.ensure_future(_until_healthy_at(found, name, [row for row in rows if row.cluster == name], show))
        for name in sorted({row.cluster for row in rows})
    ]
    try:
        said = []
        for done in asyncio.as_completed(waits):
            outcome, message = await done
            if outcome != "healthy":
                return outcome, message
            said.append(message)
        silent = sorted(found.errors)
        return (
            ("failed", f"{', '.join(silent)} cannot be reached")
            if silent
            else ("healthy", "; ".join(said) or "nothing to wait for")
        )
    finally:
        for wait_ in waits:
            wait_.cancel()
        await asyncio.gather(*waits, return_exceptions=True)


async def _until_healthy_at(
    found: Targets, cluster: str, rows: Sequence[Managed], show: Callable[[Any], None]
) -> tuple[str, str]:
    from appdelivery.delivery.work import Seen
    from appdelivery.model.change import Subject

    required = {row.ref.identity: row for row in rows if row.state == "present"}
    seen: dict[Any, Health] = {}
    kinds = sorted({row.ref.of for row in required.values()}, key=str)
    spaces = sorted({row.ref.namespace for row in required.values() if row.ref.namespace})
    live = await found.fleet.read(cluster, [row.ref for row in required.values()])
    for ref, one in live.items():
        if found.verdicts.wait_class(ref, one.body) == "required":
            seen[ref.identity] = found.verdicts.judge(one)
    missing = [row.ref for row in required.values() if row.ref not in live]
    if missing:
        return "failed", f"{missing[0]} is not in cluster {cluster}"
    ending = _ending(seen)
    if ending is not None:
        return ending
    async for event in found.fleet.watch(cluster, kinds, spaces, Selector()):
        if event.live is None or event.live.ref.identity not in seen:
            continue
        verdict = found.verdicts.judge(event.live)
        if verdict != seen[event.live.ref.identity]:
            seen[event.live.ref.identity] = verdict
            show(Seen(Subject(cluster, event.live.ref, required[event.live.ref.identity].component), verdict))
        ending = _ending(seen)
        if ending is not None:
            return ending
    raise errors.Bug("a watch ended by itself")


def _ending(seen: dict[Any, Health]) -> tuple[str, str] | None:
    failed = [(identity, verdict) for identity, verdict in seen.items() if verdict.terminal]
    if failed:
        (_, kind, _, name), verdict = failed[0]
        return "failed", f"{kind} {name}: {verdict.message or verdict.reason}"
    return ("healthy", f"{len(seen)} objects are healthy") if all(v.state == "healthy" for v in seen.values()) else None


@record
class Logs:
    component: str = ""
    container: str = ""
    follow: bool = False
    previous: bool = False
    tail: int = 0
    since_s: int = 0


async def logs(p: Platform, app: AppKey, how: Logs) -> AsyncIterator[tuple[str, str]]:
    """(pod/container, line) of all pods of an application or component, as they come; of several clusters with their
    names before."""
    import asyncio

    from appdelivery.model import marks

    guard(p.actor, "logs", str(app))
    found, rows = await reach(p, app)
    components = sorted({row.component for row in rows})
    if how.component and how.component not in components:
        from appdelivery.model import suggest

        raise errors.NotFound(f"{app} has no component '{how.component}'{suggest.meant(how.component, components)}")
    component, _, copy = how.component.partition("@")
    wanted = f"{marks.NAME}={app.name}" + (f",{marks.COMPONENT}={component}" if component else "")
    wanted += f",{marks.REPLICA_KEY}={copy}" if copy else ""
    places = sorted({(row.cluster, row.ref.namespace) for row in rows if row.ref.namespace})
    pods = [
        (cluster, pod)
        for cluster, space in places or [(found.home, app.namespace)]
        for pod in await found.fleet.list(cluster, POD, space, Selector(labels=wanted))
    ]
    sources = [(cluster, pod, name) for cluster, pod in pods for name in _containers(pod) if how.container in ("", name)]
    several = len({cluster for cluster, _ in places}) > 1
    queue: asyncio.Queue[tuple[str, str] | None] = asyncio.Queue(maxsize=1000)

    async def read(cluster: str, pod: Live, name: str) -> None:
        options = LogOptions(name, how.follow, how.previous, how.tail, how.since_s)
        label = f"{cluster}/{pod.ref.name}/{name}" if several else f"{pod.ref.name}/{name}"
        try:
            async for line in found.fleet.logs(cluster, pod.ref, options):
                await queue.put((label, line))
        except errors.ClusterError as error:
            await queue.put((label, f"not read: {error.message}"))
        await queue.put(None)

    tasks = [asyncio.create_task(read(*source)) for source in sources]
    left = len(tasks)
    try:
        while left:
            entry = await queue.get()
            if entry is None:
                left -= 1
            else:
                yield entry
    finally:
        for task in tasks:
            task.cancel()


def _containers(pod: Live) -> list[str]:
    spec = pod.body.get("spec") or {}
    return [str(c.get("name")) for c in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ()))]


@record
class Branch:
    """An object, its health, and what it owns."""

    ref: Ref
    health: Health
    children: tuple[Branch, ...] = ()
    cluster: str = ""  # of an object at the top, where the application stands in several


async def tree(p: Platform, app: AppKey) -> tuple[Branch, ...]:
    """The application's objects with the ReplicaSets, pods and jobs they own, as the cluster has them now."""
    guard(p.actor, "get", str(app))
    looking.status(p, app)
    found, rows = await reach(p, app)
    names = sorted({row.cluster for row in rows})
    branches: list[Branch] = []
    for name in names:
        here = [row for row in rows if row.cluster == name]
        branches += [changed(b, cluster=name if len(names) > 1 else "") for b in await _branches(found, name, here)]
    return tuple(branches)


async def _branches(found: Targets, cluster: str, rows: Sequence[Managed]) -> list[Branch]:
    live = await found.fleet.read(cluster, [row.ref for row in rows])
    spaces = sorted({row.ref.namespace for row in rows if row.ref.namespace})
    owned: dict[str, list[Live]] = {}
    for kind in OWNED:
        for space in spaces:
            for one in await found.fleet.list(cluster, kind, space, Selector()):
                for owner in one.body["metadata"].get("ownerReferences") or ():
                    owned.setdefault(str(owner.get("uid")), []).append(one)

    def branch(one: Live) -> Branch:
        children = sorted(owned.get(one.uid, ()), key=lambda c: (c.ref.kind, c.ref.name))
        return Branch(one.ref, found.verdicts.judge(one), tuple([branch(c) for c in children if not _idle(c)]))

    missing = Health("missing", "Missing", "it is not in the cluster")
    return [branch(live[row.ref]) if row.ref in live else Branch(row.ref, missing) for row in rows]


def _idle(one: Live) -> bool:
    """ReplicaSets of old revisions, scaled to nothing."""
    return (
        one.ref.kind == "ReplicaSet"
        and not (one.body.get("spec") or {}).get("replicas")
        and not (one.body.get("status") or {}).get("replicas")
    )


def branch_tree(branch: Branch) -> dict[str, Any]:
    return {
        "kind": branch.ref.kind,
        "namespace": branch.ref.namespace,
        "name": branch.ref.name,
        "health": branch.health.state,
        "message": branch.health.message,
        **({"cluster": branch.cluster} if branch.cluster else {}),
        "children": [branch_tree(child) for child in branch.children],
    }
