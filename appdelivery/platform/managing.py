"""Administration: secret values and the store itself."""

from __future__ import annotations

import contextlib
import string
from typing import TYPE_CHECKING, Any

from appdelivery import errors
from appdelivery.platform.guard import guard

if TYPE_CHECKING:
    from collections.abc import Sequence

    from appdelivery.platform.local import Platform

LARGEST_SECRET = 1 << 20
LONGEST_NAME = 253
NAME = frozenset(f"{string.ascii_letters}{string.digits}._-/")


def secret_set(p: Platform, name: str, value: str, *, owner: str = "") -> int:
    """Stores a value, encrypted, and answers its version.  owner: '' = the installation, else namespace/application."""
    from appdelivery.store import secrets

    guard(p.actor, "create", f"secret {name}")
    if not name or len(name) > LONGEST_NAME or set(name) - NAME:
        raise errors.RequestError(
            f"set secret '{name[:LONGEST_NAME]}': this is no name for a secret",
            hint=f"letters, digits and . _ - /, at most {LONGEST_NAME} characters",
        )
    if len(value.encode()) > LARGEST_SECRET:
        raise errors.RequestError(
            f"set secret {name}: the value has {len(value.encode())} bytes, the limit is {LARGEST_SECRET}"
        )
    return secrets.put(p.store, scope=_scope(owner), owner=owner, name=name, value=value, actor=p.actor)


def secret_list(p: Platform, owner: str | None) -> Sequence[Any]:
    """Names, versions and dates; never a value."""
    from appdelivery.store import secrets

    guard(p.actor, "get", "secrets")
    return secrets.list(p.store, owner=owner)


def secret_remove(p: Platform, name: str, *, owner: str = "") -> int:
    """Removes every version; answers how many."""
    from appdelivery.store import secrets

    guard(p.actor, "delete", f"secret {name}")
    removed = secrets.remove(p.store, scope=_scope(owner), owner=owner, name=name)
    if not removed:
        raise errors.NotFound(f"remove secret {name}: there is none of that name", hint="appctl secret list shows them")
    return removed


def _scope(owner: str) -> str:
    return "application" if owner else "installation"


def sweep(p: Platform) -> None:
    """Gives what a command has left over, at most 50 ms, to retention; trouble with it is the next command's to report."""
    from appdelivery.store import retention

    with contextlib.suppress(errors.StoreError):
        retention.sweep(p.store)


def store_check(p: Platform, *, deep: bool) -> Sequence[Any]:
    from appdelivery.store import check

    guard(p.actor, "get", "store")
    return check.check(p.store, deep=deep)
