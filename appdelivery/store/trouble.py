"""Turns what sqlite3 and psycopg raise into the families of errors.py, in the house's words (store.md section 14)."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

import sqlalchemy as sa

from appdelivery import errors

if TYPE_CHECKING:
    from collections.abc import Iterator

FREE = "free some space, then run the command again: it goes on where it stopped"
RESTORE = "restore a backup with: appctl db restore FILE --replace"


@contextmanager
def told(where: str) -> Iterator[None]:
    """`where` names the store: a path, or a URL without its password."""
    try:
        yield
    except sqlite3.Error as error:
        raise sqlite(error, where) from error
    except sa.exc.DBAPIError as error:
        if isinstance(error.orig, sqlite3.Error):
            raise sqlite(error.orig, where) from error
        raise postgres(error, where) from error
    except sa.exc.TimeoutError as error:
        raise errors.Busy(
            f"use the store {where}: every connection is busy", hint="wait a moment and run the command again"
        ) from error


def sqlite(error: sqlite3.Error, where: str) -> errors.AppError:
    name = getattr(error, "sqlite_errorname", "") or ""
    text = str(error)
    if name.startswith("SQLITE_FULL") or name == "SQLITE_IOERR_WRITE":
        return errors.Full(f"write to the store {where}: the disk is full; nothing of this step was kept", hint=FREE)
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return errors.Busy(
            f"write to the store {where}: another program holds it locked",
            hint="close that program and run the command again",
        )
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return damaged(where, text)
    if name.startswith(("SQLITE_READONLY", "SQLITE_PERM", "SQLITE_AUTH")):
        return errors.ReadOnly(
            f"write to the store {where}: it is read-only here", hint="make the file and its folder writable"
        )
    if name.startswith("SQLITE_CANTOPEN"):
        return errors.StoreError(
            f"open the store {where}: it cannot be opened ({text})",
            code="store.cannot-open",
            hint="check the path and its rights, or name another store with --store",
        )
    if name.startswith("SQLITE_IOERR"):
        return errors.StoreError(f"use the store {where}: the disk answered with an error ({text})", hint="check the disk")
    return _fault(error, where)


def damaged(where: str, why: str) -> errors.Corrupt:
    import glob

    copies = sorted(glob.glob(f"{glob.escape(where)}.before-*"))
    kept = f"; the newest copy is {copies[-1]}" if copies else ""
    return errors.Corrupt(f"read the store {where}: it is damaged or no store of appctl ({why}){kept}", hint=RESTORE)


def state(error: sa.exc.DBAPIError) -> str:
    return str(getattr(error.orig, "sqlstate", None) or "")


def postgres(error: sa.exc.DBAPIError, where: str) -> errors.AppError:
    code = state(error)
    text = str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else type(error.orig).__name__
    if code == "53100":
        return errors.Full(f"write to the store {where}: the disk of the database is full", hint=FREE)
    if code in ("55P03", "57014", "40001", "40P01", "53300", "53200"):
        return errors.Busy(f"use the store {where}: the database is busy ({text})", hint="run the command again")
    if code == "25006":
        return errors.ReadOnly(f"write to the store {where}: the database is read-only", hint="use the primary server")
    if code in ("42P01", "3F000"):
        return errors.StoreError(
            f"use the store {where}: its tables are missing", code="store.empty", hint="make them with: appctl db migrate"
        )
    if code in ("XX001", "XX002"):
        return errors.Corrupt(f"read the store {where}: the database reports damage ({text})", hint=RESTORE)
    if code.startswith(("28", "3D", "42501")):
        return errors.StoreError(
            f"open the store {where}: {text}", hint="check the user, the password and the database's name"
        )
    if isinstance(error, (sa.exc.OperationalError, sa.exc.InterfaceError)) or error.connection_invalidated:
        return errors.StoreError(
            f"use the store {where}: the database cannot be reached ({text})",
            code="store.unreachable",
            hint="check that PostgreSQL runs and that the address is right",
            retryable=True,
        )
    return _fault(error, where)


def _fault(error: Exception, where: str) -> errors.Bug:
    return errors.Bug(f"use the store {where}: {type(error).__name__}: {str(error).splitlines()[0]}")
