"""Walks the change graph: a ready queue, no barriers (delivery.md section 5).  Called by session.

A node starts when its own edges hold; what failed takes those that wait for it with it.  Nodes may join while it walks,
and several callers may wait for theirs: whoever waits does the hearing for all.  Writing is send.py's and prune.py's,
seeing is observe.py's, the patience is wait.py's; this module only knows which node is where.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from appdelivery import errors
from appdelivery.delivery import graph, steps, wait
from appdelivery.delivery.observe import Sight
from appdelivery.delivery.steps import Node, Ties
from appdelivery.delivery.work import Seen, Started
from appdelivery.model.change import Outcome
from appdelivery.model.live import Health, Live
from appdelivery.model.record import changed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import datetime

    from appdelivery.delivery.observe import Observer
    from appdelivery.delivery.ports import Applied, Identity
    from appdelivery.delivery.work import Run
    from appdelivery.model.change import Edge

    Act = Callable[["Node"], Awaitable[tuple[Outcome, Applied | None]]]

# Per cluster, two to four times what the Fleet's own limiter lets through at most: the others are with the journal.
IN_FLIGHT, DELETES_IN_FLIGHT = 128, 128
WRITES = frozenset(("create", "update", "replace", "delete"))
LOOKED_AT = ("read-only", "ignored-path", "shared-not-owner")  # why an object is left as it is and may still be healthy
NEWER_S = 5.0  # how often a run that waits looks whether a newer release wants its place


@dataclass(slots=True)
class Walk:
    run: Run
    observer: Observer
    ties: Ties
    act: Act
    nodes: dict[Identity, Node] = field(default_factory=dict)
    trackers: dict[str, wait.Tracker] = field(default_factory=dict)
    _others: dict[Identity, list[tuple[Identity, str]]] = field(default_factory=dict)
    _waiters: dict[Identity, list[Identity]] = field(default_factory=dict)
    _limits: dict[tuple[str, bool], asyncio.Semaphore] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _early: dict[Identity, Sight] = field(default_factory=dict)  # seen before the answer to our own write
    _moving: dict[Identity, Node] = field(default_factory=dict)  # not yet where they may stay
    _hoped: dict[Identity, Node] = field(default_factory=dict)  # there, required, not yet ready
    _sighted: set[Identity] = field(default_factory=set)
    _told: deque[Node] = field(default_factory=deque)
    _telling: bool = False
    _alarm: asyncio.Future[None] | None = None
    _namespaces: dict[str, list[str]] = field(default_factory=dict)
    _hearing: asyncio.Lock = field(default_factory=asyncio.Lock)
    _trouble: BaseException | None = None

    def join(self, nodes: Mapping[Identity, Node]) -> None:
        """Edges to what has not joined bind nobody: it comes in a later step, or the plan has seen that it exists."""
        new = dict(nodes)
        self.nodes.update(nodes)
        for node in nodes.values():
            for edge in self.ties.of(node.identity):
                self._connect(edge, new)
            for edge in self.ties.to(node.identity):
                if graph.is_join(edge.waiter):
                    self._connect(edge, new)
                elif node.item is not None and edge.until == "ready":
                    node.wait_class = "required"
        self._moving.update(new)
        for cluster, (_, _, namespace, _) in new:
            if namespace and namespace not in self._namespaces.setdefault(cluster, []):
                self._namespaces[cluster].append(namespace)
        for node in new.values():
            self._begin(node)

    def _connect(self, edge: Edge, new: dict[Identity, Node]) -> None:
        for identity in (edge.waiter, edge.other):
            if graph.is_join(identity) and identity not in self.nodes:
                new[identity] = self.nodes[identity] = Node(identity)
        self._others.setdefault(edge.waiter, []).append((edge.other, edge.until))
        self._waiters.setdefault(edge.other, []).append(edge.waiter)

    async def settled(self, nodes: Mapping[Identity, Node]) -> None:
        """Returns when these, which have joined, are where they will stay; the nodes say how it went."""
        while not self._over(nodes):
            async with self._hearing:
                if self._trouble is not None:
                    raise self._trouble
                if not self._over(nodes):
                    await self._hear()

    async def close(self) -> None:
        """What is on its way is let go of: a request that was sent may still take effect."""
        left: list[asyncio.Future[None]] = [*self._tasks, *([self._alarm] if self._alarm is not None else [])]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def _put(self, node: Node, state: str) -> None:
        """Every change of a node's state."""
        node.state = state
        self._hoped.pop(node.identity, None)
        if state in steps.OVER or (state == "present" and self._may_stay(node)):
            self._moving.pop(node.identity, None)
            return
        self._moving[node.identity] = node
        if state == "present":
            self._hoped[node.identity] = node

    # --- what a node does -------------------------------------------------------------------------------------------
    def _begin(self, node: Node) -> None:
        action = node.change.action if node.change else "join"
        if action == "unchanged" or (action == "skip" and node.change and node.change.why.code in LOOKED_AT):
            self._there(node, self._known_health(node))
        elif action in ("skip", "unknown"):
            self._fall(node, "skipped", node.change.why.text or node.change.why.code if node.change else "")
        else:
            self._try(node)

    def _known_health(self, node: Node) -> Health:
        fact = self.run.known.facts.get(node.identity)
        if fact is None:
            return Health("missing", "Missing", "it does not exist")
        node.version = fact.version
        return fact.health or Health("progressing", "NotJudged", "not looked at yet")

    def _try(self, node: Node) -> None:
        if node.state != "waiting" or self.run.recorder.superseded:
            return
        if node.change is not None and node.change.action not in WRITES:
            return
        for other, until in self._others.get(node.identity, ()):
            found = self.nodes.get(other)
            if found is None:
                continue  # outside the application: the plan has seen that it exists
            if found.state in ("failed", "skipped") and until != "gone":
                self._fall(node, "skipped", f"{graph.show(other)} {found.state}")
                return
            if found.state in ("failed", "skipped"):
                self._fall(node, "skipped", f"{graph.show(other)} is still there")
                return
            if not steps.holds(found, until, whole=node.change is None):
                return
        if node.change is None:
            self._put(node, "gone" if node.identity[1][1] == graph.GONE else "ready")
            self._tell(node)
            return
        self._put(node, "running")
        self._tracker(node.component)
        task = asyncio.create_task(self._work(node))
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None or not self._tasks:
            self.observer.queue.put_nowait(error)  # None: what the last one said may have been heard before it ended

    async def _work(self, node: Node) -> None:
        assert node.change is not None
        deletes = node.change.action == "delete"
        key = node.change.subject.cluster, deletes
        limit = self._limits.setdefault(key, asyncio.Semaphore(DELETES_IN_FLIGHT if deletes else IN_FLIGHT))
        async with limit:
            if self.run.recorder.superseded:
                self._put(node, "waiting")
                self.observer.queue.put_nowait(None)
                return
            self.run.hooks.progress(Started(node.change))
            outcome, applied = await self.act(node)
        node.outcome = outcome
        node.change = outcome.change
        self.run.hooks.progress(outcome)
        self.observer.queue.put_nowait((node, applied))

    def _acted(self, node: Node, applied: Applied | None) -> None:
        assert node.outcome is not None
        assert node.change is not None
        self._active(node.component)
        if node.outcome.result == "failed":
            self._fall(node, "failed", node.outcome.error)
        elif node.outcome.result == "skipped":
            self._fall(node, "skipped", node.outcome.error)
        elif node.change.action == "delete":
            self._put(node, "gone")
            self._tell(node)
        elif node.change.action == "unchanged":
            self._there(node, self._known_health(node))
        elif applied is not None:
            node.version = applied.version
            node.written_at = steps.written_at(applied.body, self.run.manager)
            self._there(node, self.run.hooks.judge(Live(node.change.subject.ref, applied.body)))

    # --- what is seen -----------------------------------------------------------------------------------------------
    def _there(self, node: Node, health: Health) -> None:
        self._put(node, "present")
        now = self.run.hooks.clock()
        self._tracker(node.component)
        node.waiting = wait.Waiting(node.identity[1][1], node.component, now, health, now)
        if node.item is not None:
            node.waiting.replicas = int((node.item.body.get("spec") or {}).get("replicas") or 1)
        self._judged(node, health, first=True)
        self._tell(node)
        if (early := self._early.pop(node.identity, None)) is not None:
            self._seen(node, early)
        if node.state == "present" and node.wait_class == "required" and not self._may_stay(node):
            self._watch(node)

    def _watch(self, node: Node) -> None:
        assert node.change is not None
        subject = node.change.subject
        fact = self.run.known.facts.get(node.identity)
        kind = (fact.ref if fact is not None and not node.written_at else subject.ref).of
        own = not node.outside and node.change.action != "skip"
        there = [subject.ref.namespace] if subject.ref.namespace else []
        namespaces = sorted(self._namespaces.get(subject.cluster, ())) if own else there
        self.observer.follow(subject.cluster, kind, namespaces, ours=own, name=subject.ref.name)

    def _judged(self, node: Node, health: Health, *, first: bool = False) -> None:
        assert node.waiting is not None
        assert node.change is not None
        now = self.run.hooks.clock()
        before = node.waiting.health
        if first or (before.state, before.reason, before.message) != (health.state, health.reason, health.message):
            if not first and before.state != health.state:
                node.waiting.health_since = now
            node.waiting.health = health
            self._active(node.component)
            if not (first and node.change.action == "unchanged" and node.wait_class != "required"):
                self.run.hooks.progress(Seen(node.change.subject, health))
        if node.state == "present" and wait.settled(health, node.wait_class, node.waiting.since, now):
            self._put(node, "ready")
            self._tell(node)
        elif not first:
            self._judge(node, now)

    def _see(self, sight: Sight) -> None:
        if sight.what == "trouble":
            self._blind(sight)
        elif sight.what == "pod":
            self._pod(sight)
        elif sight.what == "resync" and not sight.name:
            self._all_seen(sight)
        elif sight.what in ("seen", "gone") and sight.identity is not None and sight.fact is not None:
            node = self.nodes.get(sight.identity)
            self._sighted.add(sight.identity)
            if node is not None and node.state in ("present", "ready"):
                self._seen(node, sight)
            elif node is not None and not sight.older(self._early.get(sight.identity)):
                self._early[sight.identity] = sight

    def _all_seen(self, sight: Sight) -> None:
        """What the first list of a watch does not show was deleted between our write and the watch."""
        for node in list(self._hoped.values()):
            same = node.identity[0] == sight.cluster and node.identity[1][:2] == (sight.kind.group, sight.kind.kind)
            ours = not node.outside and node.change is not None and node.change.action != "skip"
            if same and ours and node.identity not in self._sighted:
                self._judged(node, Health("missing", "Missing", "somebody deleted it"))

    def _seen(self, node: Node, sight: Sight) -> None:
        if sight.fact is None or sight.fact.version < node.version:
            return
        if sight.what == "gone":
            self._judged(node, Health("missing", "Missing", "somebody deleted it"))
        elif sight.fact.health is not None:
            self._judged(node, sight.fact.health)

    def _blind(self, sight: Sight) -> None:
        """A kind that may not be watched cannot be waited for."""
        assert sight.error is not None
        for node in list(self._hoped.values()):
            if node.identity[0] == sight.cluster and node.identity[1][:2] == (sight.kind.group, sight.kind.kind):
                self._fall(node, "failed", f"cannot see whether it is ready: {sight.error.message}")

    def _pod(self, sight: Sight) -> None:
        if sight.live is None:
            return
        metadata = sight.live.body["metadata"]
        labels = metadata.get("labels") or {}
        for node in list(self._hoped.values()):
            if node.waiting is None or node.item is None:
                continue
            cluster, (_, kind, namespace, _) = node.identity
            selector = wait.selector_of(node.item.body)
            here = (cluster, namespace) == (sight.cluster, metadata.get("namespace", ""))
            if kind in wait.BUDGETED and here and selector and selector.items() <= labels.items():
                old = not node.written_at or str(metadata.get("creationTimestamp", "")) < node.written_at
                wait.count_pod(node.waiting, sight.live.body, old=old)
                self._active(node.component)
                self._judge(node, self.run.hooks.clock())

    # --- how it goes on ---------------------------------------------------------------------------------------------
    def _tell(self, node: Node) -> None:
        """Asks those that wait for it; in a loop, for a chain of components may be longer than a stack is deep."""
        self._told.append(node)
        if self._telling:
            return
        self._telling = True
        while self._told:
            for waiter in self._waiters.get(self._told.popleft().identity, ()):
                if waiter in self.nodes:
                    self._try(self.nodes[waiter])
        self._telling = False

    def _fall(self, node: Node, state: str, why: str) -> None:
        self._put(node, state)
        node.why = why
        if node.change is not None and (node.outcome is None or node.outcome.result == "done"):
            applied = node.outcome is not None
            change = changed(node.change, action="unchanged") if applied else node.change
            fallen = Outcome(change, "failed" if state == "failed" else "skipped", why)
            node.outcome = node.outcome or fallen  # what was applied stays applied, whatever becomes of it
            self.run.hooks.progress(fallen)
        self._tell(node)

    def _over(self, nodes: Mapping[Identity, Node]) -> bool:
        if self.run.recorder.superseded:
            return not self._tasks and self.observer.queue.empty()
        return self._moving.keys().isdisjoint(nodes.keys())

    def _may_stay(self, node: Node) -> bool:
        """To be there is enough for what does not gate, and for everything when health is not waited for."""
        return node.wait_class != "required" or (self.run.hooks.wait == "applied" and not self._waiters.get(node.identity))

    async def _hear(self) -> None:
        """The next thing that happens: an answer, a sight, or time."""
        queue = self.observer.queue
        if queue.empty():
            self._heard(await self._news())
        while not queue.empty():
            self._heard(queue.get_nowait())

    def _heard(self, heard: Any) -> None:
        if isinstance(heard, BaseException):
            self._trouble = heard
            raise heard
        if isinstance(heard, Sight):
            self._see(heard)
        elif heard is not None:
            self._acted(*heard)

    async def _news(self) -> Any:
        """What comes into the empty queue, in its order; None when only time has passed."""
        self._set_alarm()
        if self._alarm is None and not self._tasks:
            names = [graph.show(identity) for identity in self._moving]
            raise errors.Bug(f"the walk of {self.run.work.app} stands still: {', '.join(names[:5])}")
        getter = asyncio.ensure_future(self.observer.queue.get())
        try:
            await asyncio.wait({getter, *([self._alarm] if self._alarm else [])}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            getter.cancel()
            await asyncio.gather(getter, return_exceptions=True)
        heard = None if getter.cancelled() else getter.result()
        if self._alarm is not None and self._alarm.done():
            self._alarm = None
            await self.run.recorder.look()
            for node in list(self._hoped.values()):
                self._judge(node, self.run.hooks.clock())
        return heard

    def _set_alarm(self) -> None:
        if self._alarm is None and self._hoped:
            hoped = [(n.waiting, self.trackers[n.component]) for n in self._hoped.values() if n.waiting is not None]
            seconds = wait.next_moment(hoped, self.run.work.policies.patience, self.run.hooks.clock())
            self._alarm = asyncio.ensure_future(self.run.hooks.sleep(min(seconds or NEWER_S, NEWER_S)))

    def _judge(self, node: Node, now: datetime) -> None:
        """Whether the time of something that is waited for is over, or its budget spent."""
        if node.identity not in self._hoped or node.waiting is None:
            return
        patience = self.run.work.policies.patience
        if wait.settled(node.waiting.health, node.wait_class, node.waiting.since, now):
            self._judged(node, node.waiting.health)
        elif why := wait.ending(node.waiting, self.trackers[node.component], patience, now):
            self._fall(node, "failed", why)
        elif wait.wants_pods(node.waiting, now) and node.item is not None:
            cluster, (_, _, namespace, _) = node.identity
            self.observer.pods(cluster, namespace, steps.pod_labels(node.item, self.run.work.app))

    def _tracker(self, component: str) -> None:
        now = self.run.hooks.clock()
        self.trackers.setdefault(component, wait.Tracker(now, now))

    def _active(self, component: str) -> None:
        self._tracker(component)
        self.trackers[component].active = self.run.hooks.clock()
