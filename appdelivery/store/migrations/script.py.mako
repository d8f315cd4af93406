"""${message}."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
kind = "expand"  # or "contract": drops, renames, narrows; then older programs cannot use the store any more


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}
