"""What `record` writes of runs: moves of runs and steps, attempts, effects, consumed signals, and the events of them.

Called by engine inside the fenced transaction.  A fact about a run that is not the lease's own is a bug, never a write.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from appdelivery import errors
from appdelivery.delivery import ports
from appdelivery.model.history import Actor
from appdelivery.model.run import ENDED, TERMINAL
from appdelivery.store import dialects, events, run_values, signals
from appdelivery.store.tables.releases import OPEN, release
from appdelivery.store.tables.runs import step_attempt, step_effect, workflow_run, workflow_step

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from appdelivery.model.history import Lease
    from appdelivery.model.run import Run, StepState
    from appdelivery.store.open import Store

SYSTEM = Actor("system", "appctl", "engine")
RUN_FACTS = (
    ports.RunMoved, ports.StepMoved, ports.StepsReset, ports.AttemptMoved, ports.EffectNoted, ports.SignalConsumed,
)  # fmt: skip
ENDING = ("ended_at", "result", "code", "error")
FRESH: dict[str, Any] = dict.fromkeys(
    ("reason", "message", "first_started_at", "started_at", "finished_at", "wake_at", "deadline", "inputs", "outputs",
     "cursor", "secret_outputs", "sealed")
) | {"state": "pending", "failures": 0, "fence": 0}  # fmt: skip

_runs = sa.select(
    workflow_run.c.id, workflow_run.c.app, workflow_run.c.release, workflow_run.c.state, workflow_run.c.namespace,
    workflow_run.c.name,
).where(workflow_run.c.id.in_(sa.bindparam("runs", expanding=True)))  # fmt: skip
_states = sa.select(workflow_step.c.name, workflow_step.c.state, workflow_step.c.attempt).where(
    workflow_step.c.run == sa.bindparam("run"), workflow_step.c.name.in_(sa.bindparam("names", expanding=True))
)
_moved = sa.update(workflow_run).where(workflow_run.c.id == sa.bindparam("run"))
_reopened = (
    sa.update(release)
    .where(release.c.id == sa.bindparam("of_release"), release.c.outcome.not_in((*OPEN, "superseded")))
    .values(outcome="running", ended_at=None, message=None, counts=None)
)
_names = sa.select(workflow_step.c.name).where(workflow_step.c.run == sa.bindparam("run"))
_started_over = (
    sa.update(workflow_step)
    .where(workflow_step.c.run == sa.bindparam("of_run"), workflow_step.c.name.in_(sa.bindparam("names", expanding=True)))
    .values(FRESH)
)


def _without(table: sa.Table, column: str) -> sa.Delete:
    of_run = table.c.run == sa.bindparam("of_run")
    return sa.delete(table).where(of_run, table.c[column].in_(sa.bindparam("names", expanding=True)))


_no_effects, _no_attempts = _without(step_effect, "step"), _without(step_attempt, "step")
_no_items = _without(workflow_step, "name")


def take(
    connection: sa.Connection,
    store: Store,
    lease: Lease,
    facts: Sequence[ports.Fact],
    now: datetime,
    *,
    app: int | None,
) -> list[dict[str, Any]]:
    """Writes the facts about runs; answers the events to be added."""
    mine = [fact for fact in facts if isinstance(fact, RUN_FACTS)]
    if not mine:
        return []
    rows = _own(connection, lease, mine, app)
    feed: list[dict[str, Any]] = []
    for fact in mine:
        if isinstance(fact, ports.StepsReset):
            _reset(connection, fact)
    for run, row in rows.items():
        feed += _steps(
            connection, store, row, [f.state for f in mine if isinstance(f, ports.StepMoved) and f.run == run], now
        )
    _attempts(connection, mine)
    _effects(connection, mine)
    for fact in mine:
        if isinstance(fact, ports.RunMoved):
            connection.execute(_moved, {"run": fact.run.id} | run_values.run_row(fact.run))
            before = rows[fact.run.id]
            if before.release and before.state in ENDED and fact.run.state not in ENDED:
                connection.execute(_reopened, {"of_release": before.release})
            feed += _run_events(before, fact.run, now)
    signals.consume(connection, lease.key, [f.id for f in mine if isinstance(f, ports.SignalConsumed)], now, app)
    return feed


def _own(connection: sa.Connection, lease: Lease, facts: Sequence[Any], app: int | None) -> dict[str, Any]:
    wanted = {fact.run.id if isinstance(fact, ports.RunMoved) else fact.run for fact in facts if hasattr(fact, "run")}
    found = {row.id: row for row in connection.execute(_runs, {"runs": sorted(wanted)})} if wanted else {}
    for run in sorted(wanted):
        row = found.get(run)
        if row is None or row.app != app or (app is None and lease.key.id != run):
            raise errors.Bug(f"record for {lease.key}: the run {run} does not belong to it")
    return found


def _reset(connection: sa.Connection, fact: ports.StepsReset) -> None:
    """Items go with their attempts: the next ones of these names are others, and count from one."""
    names = set(fact.names)
    there = [row.name for row in connection.execute(_names, {"run": fact.run})]
    items = [name for name in there if name not in names and name.endswith("]") and name.rpartition("[")[0] in names]
    connection.execute(_no_effects, {"of_run": fact.run, "names": [*fact.names, *items]})
    if items:
        connection.execute(_no_attempts, {"of_run": fact.run, "names": items})
        connection.execute(_no_items, {"of_run": fact.run, "names": items})
    connection.execute(_started_over, {"of_run": fact.run, "names": list(fact.names)})


def _steps(
    connection: sa.Connection, store: Store, run: Any, states: Sequence[StepState], now: datetime
) -> list[dict[str, Any]]:
    if not states:
        return []
    last = {state.name: state for state in states}  # of one name the last counts: a row changes once per statement
    known = connection.execute(_states, {"run": run.id, "names": sorted(last)}).all()
    before = {row.name: (row.state, row.attempt) for row in known}
    rows = [run_values.step_row(connection, store, run.id, state, now) for state in last.values()]
    connection.execute(dialects.upsert(connection.dialect.name, workflow_step), rows)
    feed = []
    for state in states:
        if (kind := _step_event(before.get(state.name, ("pending", 0)), state)) is not None:
            data = {"run": run.id, "step": state.name, "state": state.state, "attempt": state.attempt}
            data |= {name: value for name, value in (("reason", state.reason), ("message", state.message)) if value}
            feed.append(_event(run, kind, data, now))
        before[state.name] = (state.state, state.attempt)
    return feed


def _step_event(before: tuple[str, int], state: StepState) -> str | None:
    """Waiting and taking it up again is no news: a poll would fill the feed."""
    if state.state == before[0] and state.attempt == before[1]:
        return None
    if state.state in TERMINAL:
        return "step.ended" if before[0] != state.state else None
    if state.state == "running":
        return "step.started" if before[0] != "waiting" else None
    if state.state == "suspended":
        return "step.suspended"
    return None


def _attempts(connection: sa.Connection, facts: Sequence[Any]) -> None:
    rows = [run_values.attempt_row(f.run, f.attempt) for f in facts if isinstance(f, ports.AttemptMoved)]
    if rows:
        connection.execute(dialects.upsert(connection.dialect.name, step_attempt, ENDING, "ended_at"), rows)


def _effects(connection: sa.Connection, facts: Sequence[Any]) -> None:
    for row in [run_values.effect_row(f.run, f.effect) for f in facts if isinstance(f, ports.EffectNoted)]:
        connection.execute(dialects.upsert(connection.dialect.name, step_effect, ("result", "done_at"), "done_at"), row)


def _run_events(before: Any, run: Run, now: datetime) -> list[dict[str, Any]]:
    if before.state == run.state:
        return []
    kind = "run.ended" if run.state in ENDED else "run.suspended" if run.state == "suspended" else "run.resumed"
    data = {"run": run.id, "state": run.state}
    data |= {name: value for name, value in (("reason", run.reason), ("message", run.message)) if value}
    return [_event(before, kind, data, now)]


def _event(run: Any, kind: str, data: dict[str, Any], now: datetime) -> dict[str, Any]:
    return events.row(kind, now, f"{run.namespace}/{run.name}", SYSTEM, data, app=run.app, release=run.release)
