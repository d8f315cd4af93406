"""`Change`, `Plan`, `Outcome`: what is to happen, and what happened, to objects.  One word for CLI, API and history."""

from __future__ import annotations

from appdelivery.model.record import record
from appdelivery.model.refs import AppKey, Ref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ACTIONS = ("create", "update", "replace", "delete", "unchanged", "skip", "unknown")


@record
class Subject:
    cluster: str
    ref: Ref
    component: str

    @property
    def identity(self) -> tuple[str, tuple[str, str, str, str]]:
        return self.cluster, self.ref.identity


@record
class Why:
    """code is stable text (delivery.md section 1), text one sentence for people, detail plain data."""

    code: str
    text: str
    detail: dict[str, Any]


@record
class Change:
    subject: Subject
    action: str  # one of ACTIONS
    why: Why
    before: str = ""  # digest of the live object as we own it; '' = absent
    after: str = ""  # digest of the desired object; '' = none


@record
class Edge:
    """`waiter` starts when `other` is present, ready or gone.  Both are identities of subjects."""

    waiter: tuple[str, tuple[str, str, str, str]]
    other: tuple[str, tuple[str, str, str, str]]
    until: str  # present, ready, gone
    hard: bool = True


@record
class Base:
    """What a plan was computed from: any difference later makes it stale."""

    release: int  # newest release number of the application, 0 = none
    objects: tuple[tuple[str, tuple[str, str, str, str], str, str], ...]  # cluster, identity, uid, own digest


@record
class Plan:
    app: AppKey
    changes: tuple[Change, ...]
    edges: tuple[Edge, ...]
    base: Base
    warnings: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for change in self.changes:
            counts[change.action] = counts.get(change.action, 0) + 1
        return counts

    @property
    def writes(self) -> tuple[Change, ...]:
        return tuple([c for c in self.changes if c.action in ("create", "update", "replace", "delete")])


@record
class Outcome:
    """A planned change after it was carried out."""

    change: Change
    result: str  # done, failed, skipped
    error: str = ""
    hint: str = ""
    requests: int = 0
    version: int = 0
    given_up: tuple[tuple[str, str], ...] = ()  # (field path, manager) left to others
    fields: tuple[str, ...] = ()  # of a refused object: what the server names, in its spelling
