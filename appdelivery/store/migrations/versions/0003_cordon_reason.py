"""Why a person cordoned a cluster (placement.md section 2).

Frozen: types and names stand here as they were, whatever the tables of the program become.
"""

from __future__ import annotations

from alembic import op

from appdelivery.store.migrations.columns import TEXT, may

revision = "0003"
down_revision = "0002"
kind = "expand"


def upgrade() -> None:
    op.add_column("cluster", may("admin_reason", TEXT))
