"""Reads of runs for people: one, an application's, their steps and attempts.  Called by platform's queries.

Values of secret outputs are masks here; no key is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from appdelivery import errors
from appdelivery.model.record import record
from appdelivery.store import run_values, runs
from appdelivery.store.pages import Page, bounded
from appdelivery.store.tables.applications import application
from appdelivery.store.tables.runs import step_attempt, workflow_run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from appdelivery.model.refs import AppKey
    from appdelivery.model.run import Attempt, Run, StepState
    from appdelivery.store.open import Store

_attempts = (
    sa.select(step_attempt)
    .where(step_attempt.c.run == sa.bindparam("run"))
    .order_by(step_attempt.c.started_at, step_attempt.c.step, step_attempt.c.attempt)
)
_newest = runs.whole.order_by(workflow_run.c.id.desc()).limit(sa.bindparam("most"))
_of_app = _newest.where(application.c.namespace == sa.bindparam("namespace"), application.c.name == sa.bindparam("name"))
_without = _newest.where(workflow_run.c.app.is_(None), workflow_run.c.namespace == sa.bindparam("namespace"))


@record
class Shown:
    """A run with its steps as people may see them."""

    run: Run
    steps: tuple[StepState, ...]


def get(store: Store, run: str) -> Shown:
    def look(connection: sa.Connection) -> Shown:
        row = connection.execute(runs.by_id, {"run": run}).first()
        if row is None:
            raise errors.NotFound(f"read the run {run}: there is no such run", hint="see: appctl history APP")
        return _shown(connection, store, row)

    return store.read(look)


def newest(store: Store, app: AppKey) -> Shown | None:
    """None where the application never had a run."""

    def look(connection: sa.Connection) -> Shown | None:
        key = {"namespace": app.namespace, "name": app.name, "most": 1}
        row = connection.execute(_of_app, key).first()
        return None if row is None else _shown(connection, store, row)

    return store.read(look)


def page(store: Store, of: AppKey | str, limit: int = 50, before: str = "") -> Page[Run]:
    """Newest first.  of: an application, or the namespace of runs without one; before: the cursor."""
    limit = bounded(limit)
    if isinstance(of, str):
        statement, asked = _without, {"namespace": of}
    else:
        statement, asked = _of_app, {"namespace": of.namespace, "name": of.name}
    if before:
        statement = statement.where(workflow_run.c.id < before)

    def look(connection: sa.Connection) -> Page[Run]:
        rows = connection.execute(statement, asked | {"most": limit + 1}).all()
        found = tuple([runs.read(connection, store, row) for row in rows[:limit]])
        return Page(found, found[-1].id if len(rows) > limit else "")

    return store.read(look)


def attempts(store: Store, run: str) -> Sequence[Attempt]:
    """In the order in which they started."""

    def look(connection: sa.Connection) -> Sequence[Attempt]:
        return [run_values.attempt_of(row) for row in connection.execute(_attempts, {"run": run})]

    return store.read(look)


def _shown(connection: sa.Connection, store: Store, row: Any) -> Shown:
    found = connection.execute(runs.steps, {"run": row.id}).all()
    return Shown(runs.read(connection, store, row), tuple([run_values.step_of(step) for step in found]))
