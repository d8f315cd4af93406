"""Column types and shapes of migrations from the second on.  Frozen like them: the program's tables may change, this may not."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

INT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT = sa.Text()
TIME = sa.TIMESTAMP(timezone=True).with_variant(sa.Integer(), "sqlite")
JSON = JSONB().with_variant(sa.Text(), "sqlite")
BYTES = sa.LargeBinary()
BOOL = sa.Boolean()


def need(name: str, of: Any) -> sa.Column[Any]:
    return sa.Column(name, of, nullable=False, autoincrement=False)


def may(name: str, of: Any) -> sa.Column[Any]:
    return sa.Column(name, of, nullable=True)


def where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}
