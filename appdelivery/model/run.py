"""Runs of workflows: what the engine decides over and what its rows hold (workflow.md sections 2 to 9).

A run keeps its workflow as a copy (`Spec`), so that neither a changed application nor a changed definition alters what
was started.  Steps are known by name; a sub step is GROUP/CHILD, an item of a foreach NAME[3].
"""

from __future__ import annotations

from appdelivery.model import application
from appdelivery.model.application import Input, Output
from appdelivery.model.record import record
from appdelivery.model.refs import AppKey

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from typing import Any

    from appdelivery.model.history import Actor

RUN_STATES = ("executing", "suspended", "succeeded", "failed", "terminated", "superseded")
ENDED = ("succeeded", "failed", "terminated", "superseded")
STEP_STATES = ("pending", "running", "waiting", "suspended", "succeeded", "failed", "skipped")
TERMINAL = ("succeeded", "failed", "skipped")
REASONS = ("Wait", "Skip", "FailedAfterRetries", "Timeout", "Terminate", "Action", "Rejected", "Input", "Unsure")
RESULTS = ("done", "wait", "suspend", "fail", "interrupted", "fenced")
SIGNALS = (
    "terminate", "pause", "resume", "approve", "reject", "retry", "skip", "restart", "promote", "promote-full", "abort",
)  # fmt: skip
WORK_KINDS = ("app", "run", "cluster", "source", "schedule", "notify", "sweep")
Retry = application.Retry
Foreach = application.Foreach
FORMAT = 1  # what a Spec means; a change of meaning gets the next number


@record
class WorkKey:
    """Something that can have work to do, and a lease of its own."""

    kind: str  # one of WORK_KINDS
    id: str  # app: NAMESPACE/NAME; run: its id; cluster: its name

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


@record
class StepSpec:
    """One step as it was when the run started: type resolved, needs complete, properties not yet evaluated."""

    name: str
    type: str
    use: str  # the registered action that carries it out; '' = a step-group
    properties: dict[str, Any]
    ordinal: int  # place in the document, sub steps behind their group
    needs: tuple[str, ...] = ()  # steps that must have ended first: order, dependsOn, writers of inputs
    depends_on: tuple[str, ...] = ()  # of these: whose failure skips it
    condition: str = ""  # `if` as written; '' = unless something before it failed
    timeout: float = 0.0  # seconds; 0 = none
    inputs: tuple[Input, ...] = ()
    outputs: tuple[Output, ...] = ()
    retry: Retry = Retry()
    foreach: Foreach | None = None
    group: str = ""  # the step-group it stands in
    concurrency: int = 0  # of a step-group: children at once; 0 = as many as the run allows
    once: bool = False  # effects: once
    alias: str = ""
    gives: tuple[str, ...] = ()  # names its definition's outputs declare: what valueFrom sees beside output and outputs


@record
class Spec:
    """A resolved workflow.  mode: of steps and of sub steps, each StepByStep or DAG."""

    steps: tuple[StepSpec, ...]
    mode: tuple[str, str]
    deadline: float = 86400.0  # seconds, suspended time not counted
    format: int = FORMAT


@record
class Run:
    """id is a ULID.  A run without application (a WorkflowRun document) has its own namespace and name."""

    id: str
    namespace: str
    name: str
    state: str  # one of RUN_STATES
    spec: Spec
    started_at: datetime
    app: AppKey | None = None
    release: int = 0  # number of the application's release; 0 = none
    context: Mapping[str, Any] = {}
    cancel_requested: bool = False
    paused: bool = False
    suspended_ms: int = 0  # so far; does not count against the deadline
    suspended_since: datetime | None = None
    reason: str = ""
    message: str = ""
    finished_at: datetime | None = None
    deadline: datetime | None = None

    @property
    def key(self) -> WorkKey:
        return WorkKey("app", str(self.app)) if self.app is not None else WorkKey("run", self.id)


@record
class StepState:
    """The row of one step.  attempt counts every start, failures those that count against the retry limit."""

    name: str
    type: str
    ordinal: int
    state: str = "pending"
    reason: str = ""
    message: str = ""
    attempt: int = 0
    failures: int = 0
    first_started_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    wake_at: datetime | None = None  # waiting: the fallback poll or back-off; suspended: until when
    deadline: datetime | None = None
    fence: int = 0  # of the attempt that is running
    inputs: Mapping[str, Any] = {}
    outputs: Mapping[str, Any] = {}
    secret_outputs: tuple[str, ...] = ()  # names in outputs that are stored encrypted and never shown
    cursor: Any = None
    item: Any = None  # of a foreach


@record
class Attempt:
    """A start of a step; append only."""

    step: str
    number: int
    started_at: datetime
    worker: str
    fence: int
    ended_at: datetime | None = None
    result: str = ""  # one of RESULTS; '' = in flight
    code: str = ""
    error: str = ""


@record
class Effect:
    """Memory of a call that must not be made twice (workflow.md section 8)."""

    step: str
    key: str
    request: str  # digest
    once: bool
    noted_at: datetime
    result: Any = None
    done_at: datetime | None = None


@record
class Signal:
    """What people and triggers tell a run; consumed in the transaction of the decision that heeds it."""

    id: str  # ULID: the order
    name: str  # one of SIGNALS
    actor: Actor
    created_at: datetime
    step: str = ""
    payload: Mapping[str, Any] = {}
    comment: str = ""
