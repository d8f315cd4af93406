"""Column types: how text, times, trees and digests stand in SQLite and in PostgreSQL (store.md section 2).

Called by tables only.  Values outside are the ones of `model`: aware datetimes, hex digests, plain trees.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from appdelivery import errors
from appdelivery.model import canonical

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.engine import Dialect
    from sqlalchemy.types import TypeEngine

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
JSON_LIMIT = 256 * 1024
REPLACEMENT = "\ufffd"

Int = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Bool = sa.Boolean()
Bytes = sa.LargeBinary()


def clean(text: str) -> str:
    """NUL and lone surrogates become U+FFFD: PostgreSQL and UTF-8 refuse them, logs and cluster messages hold them."""
    if text.isascii() and "\0" not in text:
        return text
    if "\0" in text:
        text = text.replace("\0", REPLACEMENT)
    try:
        text.encode()
    except UnicodeEncodeError:
        text = "".join(REPLACEMENT if "\ud800" <= c <= "\udfff" else c for c in text)
    return text


def clean_tree(tree: Any) -> Any:
    if isinstance(tree, str):
        return clean(tree)
    if isinstance(tree, dict):
        return {clean(key): clean_tree(value) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        return [clean_tree(value) for value in tree]
    return tree


def json_text(tree: Any) -> str:
    """Canonical text that both databases accept."""
    text = canonical.text(tree)
    if "\\u0000" not in text:
        try:
            text.encode()
        except UnicodeEncodeError:
            pass
        else:
            return text
    return canonical.text(clean_tree(tree))


class Text(sa.TypeDecorator[str]):
    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's form
        return value if value is None else clean(value)


class Time(sa.TypeDecorator[datetime]):
    """Microseconds UTC in SQLite, timestamptz in PostgreSQL."""

    impl = sa.BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(sa.Integer())
        return dialect.type_descriptor(sa.TIMESTAMP(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise errors.Bug(f"a time without a zone reached the store: {value.isoformat()}")
        return (value - EPOCH) // MICROSECOND if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        moment: datetime = EPOCH + timedelta(microseconds=value) if dialect.name == "sqlite" else value.astimezone(UTC)
        return moment


class Json(sa.TypeDecorator[Any]):
    """A small tree, read whole and never searched inside: canonical text in SQLite, jsonb in PostgreSQL."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(sa.Text())
        from sqlalchemy.dialects.postgresql import JSONB

        return dialect.type_descriptor(JSONB(none_as_null=True))

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        if value is None:
            return None
        text = json_text(value)
        if len(text) > JSON_LIMIT and len(text.encode()) > JSON_LIMIT:
            raise errors.Refused(
                f"store a value: it is {len(text.encode())} bytes of JSON, the limit is {JSON_LIMIT}",
                code="store.too-large",
            )
        if dialect.name == "sqlite":
            return text
        return json.loads(text)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return json.loads(value) if dialect.name == "sqlite" and value is not None else value


class Digest(sa.TypeDecorator[str]):
    """Hex outside, bytes inside; '' outside is NULL inside."""

    impl = sa.LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:  # noqa: ARG002
        return bytes.fromhex(value) if value else None

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else bytes(value).hex()


def one_of(column: str, words: Iterable[str]) -> sa.CheckConstraint:
    """Enumerations are text with a CHECK; the words live in model, a test compares them."""
    listed = ", ".join(f"'{word}'" for word in words)
    return sa.CheckConstraint(f"{column} in ({listed})", name=column)
