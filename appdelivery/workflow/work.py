"""The state of one decision while its rules run: rows that move, signals that were heeded, steps to start.

Made by `decide`, changed by the modules of its rules (signalling, limits, ready, containers), and read out as a
Decision.  Nothing outside these modules sees it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from appdelivery.model.record import changed, record
from appdelivery.model.run import ENDED, TERMINAL, StepState
from appdelivery.workflow import dag as dags

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from appdelivery.model.run import Run, StepSpec
    from appdelivery.workflow.dag import Dag


@record
class Start:
    """A step to be run now; its row is among the moves already.  attempt: of this try (cursor.trial)."""

    row: StepState
    step: StepSpec
    properties: dict[str, Any]
    inputs: Mapping[str, Any]
    cursor: Any
    answer: dict[str, Any] | None
    attempt: int


@record
class At:
    """When and as whom is decided.  given: outputs of the application's components that exist so far."""

    now: datetime
    fence: int
    newest: int = 0  # the application's newest release; 0 = unknown or none
    parallelism: int = 10
    given: Mapping[str, Any] = {}
    busy: frozenset[str] = frozenset()  # steps with an attempt still on its way out in this process: they do not start


class Work:
    __slots__ = (
        "at", "closed", "consumed", "dag", "failed", "interrupted", "over", "reset", "rows", "run", "starts",
        "voided", "was",
    )  # fmt: skip

    def __init__(self, dag: Dag, run: Run, rows: Iterable[StepState], at: At) -> None:
        self.dag = dag
        self.run = run
        self.rows = {row.name: row for row in rows}
        self.was = dict(self.rows)
        self.at = at
        self.closed = False  # nothing new starts
        self.consumed: list[str] = []
        self.interrupted: list[StepState] = []  # rows as they were
        self.reset: list[str] = []  # rows whose effects are forgotten
        self.starts: list[Start] = []
        self.voided: dict[str, StepState] = {}  # rows, as they were, whose attempt in flight no longer counts
        self.over = self.failed = 0  # steps that have ended, and of those that failed, as sets
        for row in self.rows.values():
            self._count(row)

    def put(self, row: StepState) -> None:
        old = self.rows.get(row.name)
        if old is not None and old.state == "running" and old.fence == self.at.fence and not self.contains(row.name):
            self.voided.setdefault(row.name, old)
        self.rows[row.name] = row
        self._count(row)

    def _count(self, row: StepState) -> None:
        bit = self.dag.bit.get(row.name, 0)
        self.over = self.over | bit if row.state in TERMINAL else self.over & ~bit
        self.failed = self.failed | bit if row.state == "failed" else self.failed & ~bit

    def end(self, name: str, state: str, reason: str, message: str = "") -> None:
        """A step comes to its end; an attempt in flight is void from here on."""
        row = self.rows[name]
        self.put(changed(row, state=state, reason=reason, message=message, finished_at=self.at.now, wake_at=None, fence=0))

    def leaves(self) -> Iterator[StepState]:
        """Rows of what is really run: neither groups nor the step of a foreach, but its items."""
        return iter([row for row in self.rows.values() if not self.contains(row.name)])

    def contains(self, name: str) -> bool:
        """Whether a row stands for others."""
        if name.endswith("]"):
            return False
        step = self.dag.steps.get(name)
        return step is not None and (not step.use or step.foreach is not None)

    def inner(self, name: str) -> list[str]:
        """Rows below a group or a foreach, in order."""
        step = self.dag.steps[name]
        if step.foreach is None:
            return list(self.dag.children.get(name, ()))
        count = len(self.rows[name].item or ())
        return [found for index in range(count) if (found := dags.item(name, index)) in self.rows]

    def below(self, name: str) -> list[str]:
        """The rows that are run for a step: its items, the steps of a group and their items, or itself."""
        if name not in self.rows:
            return []
        if not self.contains(name):
            return [name]
        return [leaf for child in self.inner(name) for leaf in self.below(child)]

    def named(self, name: str) -> str:
        """The row a person means: by its whole name, or by the short one."""
        if name in self.rows:
            return name
        return next((found for found in self.rows if found.rpartition("/")[2] == name), "")

    def in_flight(self) -> list[StepState]:
        return [row for row in self.leaves() if row.state == "running"]

    def reopen(self) -> None:
        """An ended run goes on, with its whole deadline."""
        if self.run.state in ENDED:
            from datetime import timedelta

            self.run = changed(
                self.run,
                state="executing",
                reason="",
                message="",
                finished_at=None,
                cancel_requested=False,
                deadline=self.at.now + timedelta(seconds=self.run.spec.deadline),
            )


def blank(row: StepState) -> StepState:
    """As if it had never run; attempts stay counted, since their records stay."""
    return StepState(row.name, row.type, row.ordinal, attempt=row.attempt, item=row.item if row.name.endswith("]") else None)
