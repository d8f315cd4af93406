"""Runs: workflows with their steps, attempts, effects and signals, triggers, workers, places in the feed, documents
(store.md section 4, stage 2).

Frozen: types and names stand here as they were, whatever the tables of the program become.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from appdelivery.store.migrations.columns import BOOL, BYTES, INT, JSON, TEXT, TIME, may, need, where

revision = "0002"
down_revision = "0001"
kind = "expand"


def upgrade() -> None:
    op.create_table(
        "document",
        need("kind", TEXT),
        need("namespace", TEXT),
        need("name", TEXT),
        need("body", BYTES),
        need("version", INT),
        need("actor", JSON),
        need("updated_at", TIME),
        sa.PrimaryKeyConstraint("kind", "namespace", "name", name="document_pkey"),
        sa.CheckConstraint("kind in ('Policy', 'Workflow')", name=op.f("document_kind_check")),
    )
    op.create_table(
        "feed_position",
        need("name", TEXT),
        need("xid", INT),
        need("seq", INT),
        need("at", TIME),
        sa.PrimaryKeyConstraint("name", name="feed_position_pkey"),
    )
    op.create_table(
        "worker",
        need("id", TEXT),
        need("roles", JSON),
        need("program", TEXT),
        need("load", JSON),
        need("started_at", TIME),
        need("seen_at", TIME),
        sa.PrimaryKeyConstraint("id", name="worker_pkey"),
    )
    op.create_table(
        "trigger",
        need("id", TEXT),
        may("app", INT),
        may("project", INT),
        need("name", TEXT),
        need("kind", TEXT),
        need("spec", JSON),
        need("enabled", BOOL),
        need("queued", BOOL),
        may("next_at", TIME),
        may("last_at", TIME),
        may("last_result", TEXT),
        sa.PrimaryKeyConstraint("id", name="trigger_pkey"),
        sa.CheckConstraint(
            "kind in ('cron', 'webhook', 'object', 'application', 'restart')", name=op.f("trigger_kind_check")
        ),
        sa.ForeignKeyConstraint(["app"], ["application.id"], name="trigger_app_fkey"),
    )
    op.create_index("trigger_app", "trigger", ["app", "name"])
    op.create_index("trigger_due", "trigger", ["next_at"], **where("next_at IS NOT NULL"))
    op.create_table(
        "release_target",
        need("release", TEXT),
        need("cluster", INT),
        need("namespace", TEXT),
        may("context", BYTES),
        need("state", TEXT),
        may("wave", TEXT),
        need("counts", JSON),
        may("message", TEXT),
        need("changed_at", TIME),
        sa.PrimaryKeyConstraint("release", "cluster", "namespace", name="release_target_pkey"),
        sa.CheckConstraint(
            "state in ('waiting', 'running', 'done', 'failed', 'unknown', 'skipped')",
            name=op.f("release_target_state_check"),
        ),
        sa.ForeignKeyConstraint(["cluster"], ["cluster.id"], name="release_target_cluster_fkey"),
        sa.ForeignKeyConstraint(["release"], ["release.id"], name="release_target_release_fkey"),
    )
    op.create_table(
        "workflow_run",
        need("id", TEXT),
        may("app", INT),
        may("release", TEXT),
        may("document", BYTES),
        need("namespace", TEXT),
        need("name", TEXT),
        need("spec", BYTES),
        need("context", BYTES),
        need("format_version", INT),
        need("state", TEXT),
        need("cancel_requested", BOOL),
        need("paused", BOOL),
        may("deadline", TIME),
        need("suspended_ms", INT),
        may("suspended_since", TIME),
        may("message", TEXT),
        may("reason", TEXT),
        need("started_at", TIME),
        may("finished_at", TIME),
        may("trimmed_at", TIME),
        sa.PrimaryKeyConstraint("id", name="workflow_run_pkey"),
        sa.CheckConstraint(
            "state in ('executing', 'suspended', 'succeeded', 'failed', 'terminated', 'superseded')",
            name=op.f("workflow_run_state_check"),
        ),
        sa.ForeignKeyConstraint(["app"], ["application.id"], name="workflow_run_app_fkey"),
        sa.ForeignKeyConstraint(["release"], ["release.id"], name="workflow_run_release_fkey"),
    )
    op.create_index("workflow_run_app", "workflow_run", ["app", "id"])
    op.create_index(
        "workflow_run_finished", "workflow_run", ["finished_at"], **where("finished_at IS NOT NULL AND trimmed_at IS NULL")
    )
    op.create_index("workflow_run_name", "workflow_run", ["namespace", "name", "id"])
    op.create_index("workflow_run_open", "workflow_run", ["app", "id"], **where("finished_at IS NULL"))
    op.create_table(
        "signal",
        need("id", TEXT),
        may("app", INT),
        may("run", TEXT),
        may("step", TEXT),
        need("name", TEXT),
        need("payload", JSON),
        need("actor", JSON),
        may("comment", TEXT),
        need("created_at", TIME),
        may("consumed_at", TIME),
        sa.PrimaryKeyConstraint("id", name="signal_pkey"),
        sa.CheckConstraint(
            "name in ('terminate', 'pause', 'resume', 'approve', 'reject', 'retry', 'skip', 'restart', 'promote', 'promote-full', 'abort')",
            name=op.f("signal_name_check"),
        ),
        sa.CheckConstraint("app is not null or run is not null", name=op.f("signal_whose_check")),
        sa.ForeignKeyConstraint(["app"], ["application.id"], name="signal_app_fkey"),
        sa.ForeignKeyConstraint(["run"], ["workflow_run.id"], name="signal_run_fkey"),
    )
    op.create_index("signal_app", "signal", ["app"], **where("consumed_at IS NULL"))
    op.create_index("signal_run", "signal", ["run"], **where("consumed_at IS NULL"))
    op.create_table(
        "step_attempt",
        need("run", TEXT),
        need("step", TEXT),
        need("attempt", INT),
        need("started_at", TIME),
        may("ended_at", TIME),
        may("result", TEXT),
        may("code", TEXT),
        may("error", TEXT),
        need("worker", TEXT),
        need("fence", INT),
        sa.PrimaryKeyConstraint("run", "step", "attempt", name="step_attempt_pkey"),
        sa.CheckConstraint(
            "result in ('done', 'wait', 'suspend', 'fail', 'interrupted', 'fenced')", name=op.f("step_attempt_result_check")
        ),
        sa.ForeignKeyConstraint(["run"], ["workflow_run.id"], name="step_attempt_run_fkey", ondelete="CASCADE"),
    )
    op.create_table(
        "step_effect",
        need("run", TEXT),
        need("step", TEXT),
        need("key", TEXT),
        need("request", BYTES),
        need("once", BOOL),
        may("result", JSON),
        need("noted_at", TIME),
        may("done_at", TIME),
        sa.PrimaryKeyConstraint("run", "step", "key", name="step_effect_pkey"),
        sa.ForeignKeyConstraint(["run"], ["workflow_run.id"], name="step_effect_run_fkey", ondelete="CASCADE"),
    )
    op.create_table(
        "workflow_step",
        need("run", TEXT),
        need("name", TEXT),
        need("type", TEXT),
        need("ordinal", INT),
        need("state", TEXT),
        may("reason", TEXT),
        may("message", TEXT),
        need("attempt", INT),
        need("failures", INT),
        need("fence", INT),
        may("first_started_at", TIME),
        may("started_at", TIME),
        may("finished_at", TIME),
        may("wake_at", TIME),
        may("deadline", TIME),
        may("inputs", JSON),
        may("outputs", JSON),
        may("cursor", JSON),
        may("item", JSON),
        may("secret_outputs", JSON),
        may("sealed", BYTES),
        sa.PrimaryKeyConstraint("run", "name", name="workflow_step_pkey"),
        sa.CheckConstraint(
            "state in ('pending', 'running', 'waiting', 'suspended', 'succeeded', 'failed', 'skipped')",
            name=op.f("workflow_step_state_check"),
        ),
        sa.ForeignKeyConstraint(["run"], ["workflow_run.id"], name="workflow_step_run_fkey", ondelete="CASCADE"),
    )
