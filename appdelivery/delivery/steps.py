"""A node of the walk: one change, where it is, and what is known of its object.  Called by apply and release."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from appdelivery.delivery import wait
from appdelivery.model import marks
from appdelivery.model.change import Change, Subject, Why

if TYPE_CHECKING:
    from collections.abc import Iterable

    from appdelivery.delivery.desired import Desired
    from appdelivery.delivery.ports import Identity
    from appdelivery.model.change import Edge, Outcome
    from appdelivery.model.refs import AppKey, Ref

OVER = frozenset(("ready", "gone", "failed", "skipped"))


@dataclass(slots=True)
class Node:
    """state: waiting, running, present, ready, gone, failed, skipped."""

    identity: Identity
    change: Change | None = None  # None: a component as a whole, or an object outside the application
    item: Desired | None = None
    state: str = "waiting"
    wait_class: str = "none"  # required, optional, none
    outcome: Outcome | None = None
    version: int = 0  # of our write; older sights are stale
    written_at: str = ""  # our managedFields entry's time, by the server's clock; '' = not written in this run
    waiting: wait.Waiting | None = None
    why: str = ""  # of failed and skipped
    outside: bool = False  # not of this application: only looked at

    @property
    def component(self) -> str:
        return self.change.subject.component if self.change else ""


class Ties:
    """The edges of a graph, found by either end."""

    def __init__(self, edges: Iterable[Edge]) -> None:
        self._of: dict[Identity, dict[Edge, None]] = {}
        self._to: dict[Identity, dict[Edge, None]] = {}
        self.add(edges)

    def add(self, edges: Iterable[Edge]) -> None:
        """Those that are there already are not there twice."""
        for edge in edges:
            self._of.setdefault(edge.waiter, {})[edge] = None
            self._to.setdefault(edge.other, {})[edge] = None

    def of(self, waiter: Identity) -> Iterable[Edge]:
        return self._of.get(waiter, ())

    def to(self, other: Identity) -> Iterable[Edge]:
        return self._to.get(other, ())


def outside(identity: Identity, ref: Ref) -> Node:
    """Stands for an object that is only looked at."""
    change = Change(Subject(identity[0], ref, ""), "unchanged", Why("digest-equal", "", {}))
    return Node(identity, change, wait_class="required", outside=True)


def holds(node: Node, until: str, *, whole: bool) -> bool:
    """whole: asked for a component, for which its optional objects need only be there."""
    if until == "present" or (whole and until == "ready" and node.wait_class != "required"):
        return node.state in ("present", "ready")
    return node.state == until


def pod_labels(item: Desired, app: AppKey) -> str:
    """Pods of shipped definitions carry the application's name, so one watch serves all; others by their own selector."""
    labels = ((((item.body.get("spec") or {}).get("template") or {}).get("metadata") or {}).get("labels")) or {}
    if labels.get(marks.NAME) == app.name:
        return f"{marks.NAME}={app.name}"
    return ",".join([f"{key}={value}" for key, value in sorted(wait.selector_of(item.body).items())])


def written_at(body: dict[str, Any], manager: str) -> str:
    for entry in body["metadata"].get("managedFields") or ():
        if entry.get("manager") == manager and entry.get("operation") == "Apply":
            return str(entry.get("time", ""))
    return ""
