"""The first schema: applications, releases, clusters, inventory, secrets, events, work (store.md section 4, stage 1).

Frozen: types and names stand here as they were, whatever the tables of the program become.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
kind = "expand"

INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT = sa.Text()
TIME = sa.TIMESTAMP(timezone=True).with_variant(sa.Integer(), "sqlite")
JSON = JSONB().with_variant(sa.Text(), "sqlite")
BYTES = sa.LargeBinary()
BOOL = sa.Boolean()


def need(name: str, of: Any, *more: Any) -> sa.Column[Any]:
    return sa.Column(name, of, *more, nullable=False, autoincrement="auto" if more else False)


def may(name: str, of: Any) -> sa.Column[Any]:
    return sa.Column(name, of, nullable=True)


def where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def upgrade() -> None:
    postgres = op.get_bind().dialect.name == "postgresql"
    event_key = ("seq", "at") if postgres else ("seq",)
    op.create_table(
        "application",
        need("id", INT, sa.Identity()),
        need("namespace", TEXT),
        need("name", TEXT),
        may("alias", TEXT),
        need("labels", JSON),
        need("last_revision", INT),
        need("last_release", INT),
        may("applied_release", INT),
        may("paused", JSON),
        may("paused_until", TIME),
        need("health", TEXT),
        need("message", TEXT),
        may("rollout", TEXT),
        need("health_rank", INT),
        need("clusters_ready", INT),
        need("clusters_total", INT),
        need("objects", INT),
        need("drifted", INT),
        need("health_since", TIME),
        need("version", INT),
        need("created_at", TIME),
        need("updated_at", TIME),
        may("deleted_at", TIME),
        sa.PrimaryKeyConstraint("id", name="application_pkey"),
        sa.UniqueConstraint("namespace", "name", name="application_name_key"),
    )
    op.create_index("application_updated", "application", ["updated_at"])
    op.create_index("application_worst", "application", ["health_rank", "namespace", "name"])
    op.create_table(
        "cluster",
        need("id", INT, sa.Identity()),
        need("name", TEXT),
        may("uid", TEXT),
        need("server", TEXT),
        may("ca", BYTES),
        may("tls_name", TEXT),
        may("proxy", TEXT),
        need("insecure", BOOL),
        need("auth", TEXT),
        may("credentials", BYTES),
        may("credentials_at", TIME),
        need("labels", JSON),
        need("taints", JSON),
        need("prices", JSON),
        need("capacity", JSON),
        need("limits", JSON),
        may("region", TEXT),
        may("zone", TEXT),
        may("provider", TEXT),
        need("admin", TEXT),
        may("admin_by", TEXT),
        may("admin_at", TIME),
        need("reach", TEXT),
        may("reach_reason", TEXT),
        may("reach_since", TIME),
        may("observed_at", TIME),
        need("failures", INT),
        may("server_version", TEXT),
        may("served", BYTES),
        may("probe", JSON),
        need("version", INT),
        need("created_at", TIME),
        sa.PrimaryKeyConstraint("id", name="cluster_pkey"),
        sa.CheckConstraint(
            "auth in ('token', 'clientCertificate', 'exec', 'oidc', 'inCluster', 'kubeconfigContext')",
            name=op.f("cluster_auth_check"),
        ),
        sa.CheckConstraint("admin in ('open', 'cordoned', 'draining', 'forgotten')", name=op.f("cluster_admin_check")),
        sa.CheckConstraint("reach in ('unknown', 'ready', 'unreachable', 'unauthorized')", name=op.f("cluster_reach_check")),
        sa.UniqueConstraint("name", name="cluster_name_key"),
    )
    op.create_index("cluster_uid_key", "cluster", ["uid"], **where("uid IS NOT NULL"), unique=True)
    op.create_table(
        "data_key",
        need("id", INT),
        need("purpose", TEXT),
        need("master_key", TEXT),
        need("wrapped", BYTES),
        need("created_at", TIME),
        may("retired_at", TIME),
        sa.PrimaryKeyConstraint("id", name="data_key_pkey"),
        sa.CheckConstraint("purpose in ('credential', 'secret', 'blob', 'output')", name=op.f("data_key_purpose_check")),
    )
    op.create_table(
        "event",
        need("seq", INT, sa.Identity()),
        need("xid", INT),
        need("at", TIME),
        need("kind", TEXT),
        may("app", INT),
        may("cluster", INT),
        may("release", TEXT),
        need("subject", TEXT),
        need("actor", JSON),
        need("data", JSON),
        sa.PrimaryKeyConstraint(*event_key, name="event_pkey"),
        sqlite_autoincrement=True,
        postgresql_partition_by="RANGE (at)",
    )
    op.create_index("event_app", "event", ["app", "seq"])
    op.create_index("event_at", "event", ["at"])
    op.create_index("event_feed", "event", ["xid", "seq"])
    op.create_table(
        "installation",
        need("id", INT),
        need("instance", TEXT),
        may("master_key", TEXT),
        may("digest_key", BYTES),
        may("cursor_key", BYTES),
        need("schema", INT),
        need("usable_from", INT),
        need("created_at", TIME),
        need("created_by", TEXT),
        may("restored_at", TIME),
        sa.PrimaryKeyConstraint("id", name="installation_pkey"),
        sa.CheckConstraint("id = 1", name=op.f("installation_single_check")),
    )
    op.create_table(
        "secret",
        need("id", INT, sa.Identity()),
        need("scope", TEXT),
        need("owner", TEXT),
        need("name", TEXT),
        need("version", INT),
        need("kind", TEXT),
        need("value", BYTES),
        need("mark", BYTES),
        need("actor", JSON),
        need("created_at", TIME),
        may("replaced_at", TIME),
        sa.PrimaryKeyConstraint("id", name="secret_pkey"),
        sa.CheckConstraint("scope in ('installation', 'project', 'application')", name=op.f("secret_scope_check")),
        sa.CheckConstraint(
            "kind in ('given', 'generated', 'credential', 'webhook', 'age', 'oidc')", name=op.f("secret_kind_check")
        ),
        sa.UniqueConstraint("scope", "owner", "name", "version", name="secret_scope_owner_name_version_key"),
    )
    op.create_table(
        "work_item",
        need("kind", TEXT),
        need("id", TEXT),
        need("generation", INT),
        may("due_at", TIME),
        need("priority", INT),
        may("lease_owner", TEXT),
        may("lease_until", TIME),
        need("fence", INT),
        need("failures", INT),
        may("error", TEXT),
        sa.PrimaryKeyConstraint("kind", "id", name="work_item_pkey"),
        sa.CheckConstraint(
            "kind in ('app', 'run', 'cluster', 'source', 'schedule', 'notify', 'sweep')", name=op.f("work_item_kind_check")
        ),
        postgresql_with={"fillfactor": 70},
    )
    op.create_index("work_item_due", "work_item", ["due_at"], **where("due_at IS NOT NULL"))
    op.create_table(
        "application_label",
        need("app", INT),
        need("key", TEXT),
        need("value", TEXT),
        sa.PrimaryKeyConstraint("app", "key", name="application_label_pkey"),
        sa.ForeignKeyConstraint(["app"], ["application.id"], name="application_label_app_fkey", ondelete="CASCADE"),
    )
    op.create_index("application_label_value", "application_label", ["key", "value", "app"])
    op.create_table(
        "blob",
        need("digest", BYTES),
        need("codec", TEXT),
        need("size", INT),
        need("body", BYTES),
        may("data_key", INT),
        need("used_at", TIME),
        sa.PrimaryKeyConstraint("digest", name="blob_pkey"),
        sa.CheckConstraint("codec in ('raw', 'z1')", name=op.f("blob_codec_check")),
        sa.ForeignKeyConstraint(["data_key"], ["data_key.id"], name="blob_data_key_fkey"),
    )
    op.create_index("blob_sealed", "blob", ["data_key"], **where("data_key IS NOT NULL"))
    op.create_index("blob_used", "blob", ["used_at"])
    op.create_table(
        "component_revision",
        need("app", INT),
        need("component", TEXT),
        need("number", INT),
        need("hash", BYTES),
        need("revision", INT),
        sa.PrimaryKeyConstraint("app", "component", "number", name="component_revision_pkey"),
        sa.ForeignKeyConstraint(["app"], ["application.id"], name="component_revision_app_fkey"),
        sa.UniqueConstraint("app", "component", "hash", name="component_revision_app_component_hash_key"),
    )
    op.create_table(
        "inventory",
        need("app", INT),
        need("cluster", INT),
        need("api_group", TEXT),
        need("kind", TEXT),
        need("namespace", TEXT),
        need("name", TEXT),
        may("uid", TEXT),
        need("api_version", TEXT),
        need("component", TEXT),
        need("origin", TEXT),
        need("mode", TEXT),
        need("state", TEXT),
        need("wanted", INT),
        may("desired_digest", BYTES),
        may("applied_digest", BYTES),
        may("tree_digest", BYTES),
        may("digest_form", INT),
        may("generation", INT),
        may("resource_version", INT),
        may("bare", JSON),
        may("yielded", JSON),
        need("release", INT),
        need("revision", INT),
        need("fence", INT),
        need("gc", TEXT),
        may("propagation", TEXT),
        need("wait", TEXT),
        may("own_digest", BYTES),
        may("seen_version", INT),
        may("seen_at", TIME),
        need("health", TEXT),
        may("health_reason", TEXT),
        may("health_since", TIME),
        need("drift", TEXT),
        need("changed_at", TIME),
        sa.PrimaryKeyConstraint("app", "cluster", "api_group", "kind", "namespace", "name", name="inventory_pkey"),
        sa.CheckConstraint(
            "mode in ('owned', 'shared-writer', 'shared-observer', 'read-only')", name=op.f("inventory_mode_check")
        ),
        sa.CheckConstraint("state in ('intended', 'present', 'deleting', 'gone')", name=op.f("inventory_state_check")),
        sa.CheckConstraint("gc in ('onAppUpdate', 'onAppDelete', 'never')", name=op.f("inventory_gc_check")),
        sa.CheckConstraint("wait in ('required', 'optional', 'none')", name=op.f("inventory_wait_check")),
        sa.CheckConstraint("drift in ('none', 'changed', 'missing')", name=op.f("inventory_drift_check")),
        sa.ForeignKeyConstraint(["app"], ["application.id"], name="inventory_app_fkey"),
        sa.ForeignKeyConstraint(["cluster"], ["cluster.id"], name="inventory_cluster_fkey"),
        sqlite_with_rowid=False,
    )
    op.create_index("inventory_drift", "inventory", ["cluster"], **where("drift != 'none'"))
    op.create_index("inventory_object", "inventory", ["cluster", "kind", "namespace", "name", "api_group"])
    op.create_table(
        "plan",
        need("id", TEXT),
        need("app", INT),
        need("revision", INT),
        need("digest", BYTES),
        need("body", BYTES),
        need("base", BYTES),
        need("state", TEXT),
        need("actor", JSON),
        need("created_at", TIME),
        need("expires_at", TIME),
        may("release", TEXT),
        sa.PrimaryKeyConstraint("id", name="plan_pkey"),
        sa.CheckConstraint(
            "state in ('open', 'approved', 'applied', 'discarded', 'stale', 'expired')", name=op.f("plan_state_check")
        ),
        sa.ForeignKeyConstraint(["app"], ["application.id"], name="plan_app_fkey"),
    )
    op.create_index("plan_digest", "plan", ["digest"])
    op.create_index("plan_expires", "plan", ["expires_at"], **where("state = 'open'"))
    op.create_table(
        "release",
        need("id", TEXT),
        need("app", INT),
        need("number", INT),
        need("revision", INT),
        need("cause", TEXT),
        may("cause_ref", TEXT),
        may("reason", TEXT),
        need("request", TEXT),
        may("trace", TEXT),
        need("actor", JSON),
        need("options", JSON),
        may("counts", JSON),
        may("plan", TEXT),
        need("lenient", BOOL),
        need("outcome", TEXT),
        may("message", TEXT),
        need("opened_at", TIME),
        may("ended_at", TIME),
        sa.PrimaryKeyConstraint("id", name="release_pkey"),
        sa.CheckConstraint(
            "cause in ('user', 'source', 'definition', 'rollback', 'retry', 'trigger', 'drift', 'move', 'import')",
            name=op.f("release_cause_check"),
        ),
        sa.CheckConstraint(
            "outcome in ('running', 'partial', 'succeeded', 'failed', 'terminated', 'superseded')",
            name=op.f("release_outcome_check"),
        ),
        sa.ForeignKeyConstraint(["app"], ["application.id"], name="release_app_fkey"),
        sa.UniqueConstraint("app", "number", name="release_app_number_key"),
    )
    op.create_index("release_moves", "release", ["opened_at"], **where("cause = 'move'"))
    op.create_index("release_open", "release", ["app"], **where("outcome IN ('running', 'partial')"))
    op.create_table(
        "revision",
        need("app", INT),
        need("number", INT),
        need("key", BYTES),
        need("document", BYTES),
        need("definitions", BYTES),
        may("source_text", BYTES),
        may("policies", BYTES),
        need("context", JSON),
        need("language", INT),
        need("created_at", TIME),
        need("created_by", JSON),
        sa.PrimaryKeyConstraint("app", "number", name="revision_pkey"),
        sa.ForeignKeyConstraint(["app"], ["application.id"], name="revision_app_fkey"),
        sa.UniqueConstraint("app", "key", name="revision_app_key_key"),
    )
    op.create_table(
        "definition_use",
        need("app", INT),
        need("revision", INT),
        need("kind", TEXT),
        need("name", TEXT),
        need("hash", BYTES),
        sa.PrimaryKeyConstraint("app", "revision", "kind", "name", name="definition_use_pkey"),
        sa.ForeignKeyConstraint(
            ["app", "revision"], ["revision.app", "revision.number"], name="definition_use_app_revision_fkey"
        ),
    )
    op.create_index("definition_use_name", "definition_use", ["kind", "name", "hash"])
    op.create_table(
        "rendered",
        need("app", INT),
        need("revision", INT),
        need("context", BYTES),
        need("objects", BYTES),
        need("count", INT),
        need("created_at", TIME),
        sa.PrimaryKeyConstraint("app", "revision", "context", name="rendered_pkey"),
        sa.ForeignKeyConstraint(["app", "revision"], ["revision.app", "revision.number"], name="rendered_app_revision_fkey"),
    )
    if postgres:
        make_partitions(datetime.now(UTC))


def make_partitions(now: datetime) -> None:
    """This month's, the next one's, and the one that catches the rest."""
    op.execute("CREATE TABLE event_default PARTITION OF event DEFAULT")
    year, month = now.year, now.month
    for _ in range(2):
        after = (year + month // 12, month % 12 + 1)
        op.execute(
            f"CREATE TABLE event_y{year:04}m{month:02} PARTITION OF event FOR VALUES "
            f"FROM ('{year:04}-{month:02}-01 00:00+00') TO ('{after[0]:04}-{after[1]:02}-01 00:00+00')"
        )
        year, month = after
