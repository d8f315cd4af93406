"""Runs of workflows, their steps, and what they are told: the state of the engine (store.md section 4, stage 2)."""

from __future__ import annotations

import sqlalchemy as sa

from appdelivery.model import run
from appdelivery.store import types
from appdelivery.store.tables import base

workflow_run = sa.Table(
    "workflow_run",
    base.metadata,
    base.key("id", types.Text),
    base.maybe("app", types.Int, sa.ForeignKey("application.id")),
    base.maybe("release", types.Text, sa.ForeignKey("release.id")),
    base.maybe("document", types.Digest),
    base.needed("namespace", types.Text),
    base.needed("name", types.Text),
    base.needed("spec", types.Digest),
    base.needed("context", types.Digest),  # a body of its own: it may hold secret values, and every run has another one
    base.needed("format_version", types.Int),
    base.word("state", run.RUN_STATES),
    base.needed("cancel_requested", types.Bool),
    base.needed("paused", types.Bool),
    base.maybe("deadline", types.Time),
    base.needed("suspended_ms", types.Int),
    base.maybe("suspended_since", types.Time),
    base.maybe("message", types.Text),
    base.maybe("reason", types.Text),
    base.needed("started_at", types.Time),
    base.maybe("finished_at", types.Time),
    base.maybe("trimmed_at", types.Time),  # when retention took its attempts and effects
    sa.Index("workflow_run_app", "app", "id"),
    sa.Index("workflow_run_name", "namespace", "name", "id"),
)
_open = workflow_run.c.finished_at.is_(None)
_whole = sa.and_(workflow_run.c.finished_at.is_not(None), workflow_run.c.trimmed_at.is_(None))
base.index_where("workflow_run_open", workflow_run.c.app, workflow_run.c.id, where=_open)
base.index_where("workflow_run_finished", workflow_run.c.finished_at, where=_whole)

workflow_step = sa.Table(
    "workflow_step",
    base.metadata,
    base.key("run", types.Text, sa.ForeignKey("workflow_run.id", ondelete="CASCADE")),
    base.key("name", types.Text),
    base.needed("type", types.Text),
    base.needed("ordinal", types.Int),
    base.word("state", run.STEP_STATES),
    base.maybe("reason", types.Text),
    base.maybe("message", types.Text),
    base.needed("attempt", types.Int),
    base.needed("failures", types.Int),
    base.needed("fence", types.Int),
    base.maybe("first_started_at", types.Time),
    base.maybe("started_at", types.Time),
    base.maybe("finished_at", types.Time),
    base.maybe("wake_at", types.Time),
    base.maybe("deadline", types.Time),
    base.maybe("inputs", types.Json),
    base.maybe("outputs", types.Json),
    base.maybe("cursor", types.Json),
    base.maybe("item", types.Json),
    base.maybe("secret_outputs", types.Json),  # names
    base.maybe("sealed", types.Bytes),  # secret outputs, and inputs, cursor and item where a secret is inside
)

step_attempt = sa.Table(
    "step_attempt",
    base.metadata,
    base.key("run", types.Text, sa.ForeignKey("workflow_run.id", ondelete="CASCADE")),
    base.key("step", types.Text),
    base.key("attempt", types.Int),
    base.needed("started_at", types.Time),
    base.maybe("ended_at", types.Time),
    sa.Column("result", types.Text, types.one_of("result", run.RESULTS), nullable=True),
    base.maybe("code", types.Text),
    base.maybe("error", types.Text),
    base.needed("worker", types.Text),
    base.needed("fence", types.Int),
)

step_effect = sa.Table(
    "step_effect",
    base.metadata,
    base.key("run", types.Text, sa.ForeignKey("workflow_run.id", ondelete="CASCADE")),
    base.key("step", types.Text),
    base.key("key", types.Text),
    base.needed("request", types.Digest),
    base.needed("once", types.Bool),
    base.maybe("result", types.Json),
    base.needed("noted_at", types.Time),
    base.maybe("done_at", types.Time),
)

signal = sa.Table(
    "signal",
    base.metadata,
    base.key("id", types.Text),
    base.maybe("app", types.Int, sa.ForeignKey("application.id")),
    base.maybe("run", types.Text, sa.ForeignKey("workflow_run.id")),
    base.maybe("step", types.Text),
    base.word("name", run.SIGNALS),
    base.needed("payload", types.Json),
    base.needed("actor", types.Json),
    base.maybe("comment", types.Text),
    base.needed("created_at", types.Time),
    base.maybe("consumed_at", types.Time),
    sa.CheckConstraint("app is not null or run is not null", name="whose"),
)
_new = signal.c.consumed_at.is_(None)
base.index_where("signal_app", signal.c.app, where=_new)
base.index_where("signal_run", signal.c.run, where=_new)
