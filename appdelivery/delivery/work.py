"""What one run of a release is given, what it works with, and what it gives back.

Work is data (platform makes it from the store, after a crash the same way again), Hooks are the world around it, Run is
both with what the run has found out.  Nothing here acts.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from appdelivery.delivery import health
from appdelivery.delivery.consent import Consent
from appdelivery.delivery.policies import Policies
from appdelivery.model import redact
from appdelivery.model.record import record

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from datetime import datetime

    from appdelivery.delivery.desired import Desired
    from appdelivery.delivery.look import Known
    from appdelivery.delivery.ports import Fleet, Identity, Installation
    from appdelivery.delivery.recorder import Recorder
    from appdelivery.delivery.why import Answer
    from appdelivery.model.change import Change, Outcome, Plan, Subject
    from appdelivery.model.history import Managed, Release
    from appdelivery.model.live import Health, Live
    from appdelivery.model.manifest import Reference
    from appdelivery.model.refs import AppKey, Ref

    Values = dict[str, dict[str, Any]]  # component to {output, outputs} as read from its cluster


@dataclass(frozen=True, slots=True)
class Work:
    """A release to be carried out.  An application is deleted by a release whose desired set is empty."""

    release: Release
    installation: Installation
    desired: tuple[Desired, ...]
    policies: Policies = field(default_factory=Policies)
    consent: Consent = field(default_factory=Consent)
    depends_on: Mapping[str, Sequence[str]] = field(default_factory=dict)  # component to components, of old ones too
    # (part, component) to the live values it needs
    waits_for: Mapping[tuple[int, str], Sequence[Reference]] = field(default_factory=dict)
    known: Known | None = None  # looked at just now by the caller; None = look again
    # The release before this one had ended when `known` was looked at: nobody can have written in between.  Else the
    # clusters are looked at again, for an older run may still have been at work.
    settled: bool = False
    exact: Plan | None = None  # a saved plan: nothing beyond its changes is done
    trusted: bool = True
    anew: Callable[[int, Values], Sequence[Desired]] | None = None  # a part's desired set rendered with live values
    legacy_managers: tuple[str, ...] = ()
    prune: bool = True

    @property
    def app(self) -> AppKey:
        return self.release.app


@record
class Seen:
    """Progress: the health of an object has changed."""

    subject: Subject
    health: Health


@record
class Started:
    """Progress: an object is being written or deleted."""

    change: Change


Progress = Any  # Started | Outcome | Seen: values, in the order in which they happen


def _wait_class(ref: Ref, body: dict[str, Any]) -> str:
    return health.wait_class(ref, body)


@dataclass(frozen=True, slots=True)
class Hooks:
    """The world around a run.  judge and wait_class hold the application's own health rules."""

    clock: Callable[[], datetime]
    judge: Callable[[Live], Health]
    in_thread: Callable[[Callable[[], Any]], Awaitable[Any]]
    wait_class: Callable[[Ref, dict[str, Any]], str] = _wait_class
    progress: Callable[[Progress], None] = lambda _: None
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    wait: str = "ready"  # ready, applied (do not wait for health)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended; the same is in the journal."""

    release: int
    outcome: str  # succeeded, failed, partial, superseded
    message: str
    counts: dict[str, int] = field(default_factory=dict)
    outcomes: tuple[Outcome, ...] = ()
    components: Mapping[str, tuple[str, str]] = field(
        default_factory=dict
    )  # component to (ready|failed|skipped|unknown, why)
    reports: tuple[Answer, ...] = ()  # why what failed has failed
    pending: tuple[Change, ...] = ()  # deletions that a guard holds back
    warnings: tuple[str, ...] = ()
    next_commands: tuple[str, ...] = ()  # of a release that waits: what to say to it


@dataclass(slots=True)
class Run:
    """One run of carry_out: shared by its steps, changed only by them."""

    fleet: Fleet
    work: Work
    hooks: Hooks
    recorder: Recorder
    manager: str
    fence: int
    known: Known
    rows: dict[Identity, Managed]
    scaled: dict[tuple[str, str, str, str], Identity] = field(default_factory=dict)
    minimum: dict[Identity, int] = field(default_factory=dict)  # autoscaler to its least number
    warnings: list[str] = field(default_factory=list)
    namespaces: dict[tuple[str, str], Awaitable[Any]] = field(default_factory=dict)  # (cluster, name) being made
    _secrets: list[str] | None = None
    _wanted: frozenset[Identity] | None = None

    @property
    def secrets(self) -> list[str]:
        """Given secret values, for the redaction of error texts: walked for only when there is one."""
        if self._secrets is None:
            self._secrets = [value for item in self.work.desired for value in redact.values(item.body)]
        return self._secrets

    @property
    def wanted(self) -> frozenset[Identity]:
        if self._wanted is None:
            self._wanted = frozenset([item.identity for item in self.work.desired])
        return self._wanted

    def wait_class(self, item: Desired) -> str:
        """What a step applies is waited for by that step, where its author says so."""
        return "none" if item.origin.by_step else self.hooks.wait_class(item.subject.ref, item.body)

    def add(self, items: Sequence[Desired]) -> None:
        """Objects that a step applies beside the desired set."""
        self._secrets = [*self.secrets, *[value for item in items for value in redact.values(item.body)]]
        self._wanted = self.wanted | {item.identity for item in items}
