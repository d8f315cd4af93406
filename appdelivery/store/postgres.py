"""PostgreSQL as the store wants it: driver, limits of a session, which failures are worth another try."""

from __future__ import annotations

import sqlalchemy as sa

from appdelivery import errors
from appdelivery.model import canonical
from appdelivery.store import trouble

OLDEST = 14
AGAIN = ("40001", "40P01")
TRIES = 4
CHANNEL = "appctl_wake"  # of NOTIFY
LIMITS = "-c statement_timeout=10s -c lock_timeout={lock}ms -c idle_in_transaction_session_timeout=30s"


def is_url(location: str) -> bool:
    return location.startswith(("postgresql://", "postgres://"))


def engine(location: str, *, worker: str, lock_timeout_s: float, read: bool) -> sa.Engine:
    url = _url(location)
    limits = LIMITS.format(lock=int(min(lock_timeout_s, 5) * 1000))
    return sa.create_engine(
        url,
        pool_size=5,
        max_overflow=0,
        pool_use_lifo=True,
        pool_timeout=lock_timeout_s,
        pool_pre_ping=True,  # a restart of the database must not fail the next command of a long-lived process
        hide_parameters=True,
        json_serializer=canonical.text,
        connect_args={
            "application_name": f"appctl {worker}"[:63],
            "connect_timeout": 10,
            "options": limits + (" -c default_transaction_read_only=on" if read else ""),
        },
    )


def plain(url: sa.URL) -> str:
    """For the driver itself, password and all."""
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def shown(location: str) -> str:
    """The URL without its password."""
    return _url(location).set(drivername="postgresql").render_as_string(hide_password=True)


def check_version(connection: sa.Connection, where: str) -> None:
    found = connection.dialect.server_version_info
    if found and int(found[0]) < OLDEST:
        raise errors.StoreError(
            f"open the store {where}: it is PostgreSQL {found[0]}, {OLDEST} or newer is needed", hint="upgrade the database"
        )


def again(error: sa.exc.DBAPIError) -> bool:
    return trouble.state(error) in AGAIN


def _url(location: str) -> sa.URL:
    try:
        import psycopg  # noqa: F401 - asked for early, so that its absence is said in our words
    except ImportError as error:
        raise errors.StoreError(
            "open a PostgreSQL store: the driver is not installed",
            code="store.no-driver",
            hint="install it with: pip install 'appdelivery[postgres]'",
        ) from error
    try:
        return sa.make_url(location).set(drivername="postgresql+psycopg")
    except sa.exc.ArgumentError as error:
        raise errors.UsageError(
            "open the store: the address is not a PostgreSQL URL", hint="write it as postgresql://USER@HOST/DATABASE"
        ) from error
