"""What a step is given and what it may answer (workflow.md section 4).  Nothing here acts.

A step runs at least once and is recorded exactly once: running it again with the same cursor is harmless.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from appdelivery.model.record import record

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from datetime import datetime, timedelta

    from appdelivery.model.history import Actor
    from appdelivery.model.refs import AppKey
    from appdelivery.model.run import Run, StepState

CURSOR_BYTES = 16 << 10
OUTPUT_BYTES = 256 << 10  # of a step
RUN_OUTPUT_BYTES = 1 << 20
LONGEST_S = 10.0  # a step never sleeps longer: it answers Wait
PHASES = {
    "pending": "pending", "running": "running", "waiting": "running", "suspended": "suspending",
    "succeeded": "succeeded", "failed": "failed", "skipped": "skipped",
}  # fmt: skip


@record
class WakeKey:
    """What wakes a waiting step before its poll: object, rollout, application, signal."""

    kind: str
    id: str


@record
class Approval:
    """Who may answer; distinct: not the author of the release.  digest: of the plan that was shown; '' = none."""

    approvers: tuple[str, ...] = ()  # user names, group:NAME; empty = anybody with the right to resume
    distinct: bool = False
    digest: str = ""
    on_timeout: str = "resume"  # resume, reject


@record
class Done:
    outputs: Mapping[str, Any] = {}
    message: str = ""
    secret: tuple[str, ...] = ()  # names of outputs that hold secrets


@record
class Wait:
    """after: the fallback poll; None = 1 s doubling to 60 s."""

    after: timedelta | None
    cursor: Any
    message: str
    wake_on: Sequence[WakeKey] = ()


@record
class Suspend:
    message: str
    until: datetime | None = None
    approval: Approval | None = None
    cursor: Any = None


@record
class Fail:
    code: str
    message: str
    retryable: bool
    after: timedelta | None = None


Result = Done | Wait | Suspend | Fail


@record
class Stepped:
    """Progress: a step has moved.  generated: nobody wrote it, so that it is worth a word only when something is wrong."""

    run: Run
    step: StepState
    generated: bool = False


@record
class Toward:
    """Progress: a release begins to be carried out, on these clusters."""

    clusters: tuple[str, ...]


class CallOnce(Protocol):
    """`at.effect`: notes, calls with an idempotency key, keeps the answer; a repeated run gets the kept answer."""

    async def __call__(self, key: str, request: Any, call: Callable[[str], Awaitable[Any]]) -> Any: ...


@dataclass(frozen=True, slots=True)
class StepContext:
    """Everything a step may look at.  world: what the composition root hands to actions, by name of the action's needs."""

    run: Run
    name: str
    properties: dict[str, Any]  # evaluated and checked against the step's schema
    inputs: Mapping[str, Any]
    cursor: Any
    attempt: int
    now: datetime
    actor: Actor
    effect: CallOnce
    world: Any
    app: AppKey | None = None
    answer: dict[str, Any] | None = None  # of a suspended step that was resumed or approved: {by, comment, at}
    cancelled: Callable[[], bool] = lambda: False
    log: Callable[[str], None] = lambda _: None
    secrets: list[str] = field(default_factory=list)  # values to be masked in whatever is recorded


class Action(Protocol):
    """One registered action of steps (`use:`).  An Exception of errors.WorldError is retried, of errors.RequestError not."""

    async def __call__(self, at: StepContext) -> Result: ...
