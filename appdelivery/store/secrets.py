"""Named secret values with versions, sealed.  Called by platform: `appctl secret`, and when a request body is built.

Values leave only through `get`.  A generated value is made once and never replaced by generating again.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets as randomness
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from appdelivery import errors
from appdelivery.model.history import Actor
from appdelivery.model.record import record
from appdelivery.model.secret import Secret, SecretRef
from appdelivery.store import events, installation
from appdelivery.store.tables.secrets import secret

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from appdelivery.store.open import Store

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
LONGEST = 1 << 20  # bytes of a value
SYSTEM = Actor("system", "appctl", "store")

_versions = (
    sa.select(secret)
    .where(
        secret.c.scope == sa.bindparam("in_scope"),
        secret.c.owner == sa.bindparam("of"),
        secret.c.name == sa.bindparam("called"),
    )
    .order_by(secret.c.version.desc())
)


@record
class Entry:
    """What may be shown of a secret.  mark: equal values of one installation have equal marks."""

    scope: str
    owner: str
    name: str
    version: int
    kind: str
    mark: str
    created_at: datetime
    created_by: Actor


def put(
    store: Store,
    *,
    scope: str,
    owner: str,
    name: str,
    value: str | None = None,
    actor: Actor,
    kind: str = "given",
    generate: int = 0,
    alphabet: str = "",
) -> int:
    """The version.  A given value makes a new version, unless it is the newest one's; generate: characters to make when
    there is no version yet."""

    def work(connection: sa.Connection) -> int:
        row = _newest(connection, scope, owner, name)
        if generate:
            version: int = (
                row.version
                if row
                else _make(connection, store, SecretRef(scope, owner, name, 0, generate, alphabet), actor).version
            )
            return version
        assert value is not None
        if row is not None and row.mark == _mark(connection, store, value):
            same: int = row.version
            return same
        return _add(
            connection, store, (scope, owner, name), value, version=(row.version if row else 0) + 1, kind=kind, actor=actor
        )

    if (value is None) == (not generate):
        raise errors.Bug("a secret is either given or generated")
    if value is not None and len(value.encode()) > LONGEST:
        raise errors.Refused(
            f"store secret {name}: it has {len(value.encode())} bytes, the limit is {LONGEST}", code="store.too-large"
        )
    return store.write(work)


def get(store: Store, ref: SecretRef, *, actor: Actor = SYSTEM) -> Secret:
    """The value; made now when it does not exist and the reference says how (`$generate`)."""

    def look(connection: sa.Connection) -> Secret | None:
        row = _row(connection, ref)
        return None if row is None else Secret(opened(connection, store, row))

    def work(connection: sa.Connection) -> Secret:
        return look(connection) or _make(connection, store, ref, actor).value

    found = store.read(look)
    if found is not None:
        return found
    if ref.length and not ref.version:
        return store.write(work)
    raise store.read(lambda connection: _unknown(connection, ref))


def list(store: Store, owner: str | None = None) -> Sequence[Entry]:
    """The newest version of each; owner None = all.  Never a value."""
    shown = [column for column in secret.c if column.name != "value"]
    statement = (
        sa.select(*shown)
        .where(secret.c.replaced_at.is_(None))
        .order_by(secret.c.scope, secret.c.owner, secret.c.name, secret.c.version)
    )
    if owner is not None:
        statement = statement.where(secret.c.owner == owner)

    def work(connection: sa.Connection) -> Sequence[Entry]:
        return [
            Entry(r.scope, r.owner, r.name, r.version, r.kind, r.mark[:8], r.created_at, events.actor_of(r.actor))
            for r in connection.execute(statement)
        ]

    return store.read(work)


def remove(store: Store, *, scope: str, owner: str, name: str) -> int:
    """Every version; answers how many there were."""
    these = (secret.c.scope == scope, secret.c.owner == owner, secret.c.name == name)
    return store.write(lambda connection: connection.execute(sa.delete(secret).where(*these)).rowcount)


@record
class _Made:
    version: int
    value: Secret


def _make(connection: sa.Connection, store: Store, ref: SecretRef, actor: Actor) -> _Made:
    value = "".join(randomness.choice(ref.alphabet or ALPHABET) for _ in range(ref.length))
    place = (ref.store, ref.owner, ref.name)
    return _Made(_add(connection, store, place, value, version=1, kind="generated", actor=actor), Secret(value))


def _add(
    connection: sa.Connection,
    store: Store,
    place: tuple[str, str, str],
    value: str,
    *,
    version: int,
    kind: str,
    actor: Actor,
) -> int:
    scope, owner, name = place
    now = store.now(connection)
    older = (secret.c.scope == scope, secret.c.owner == owner, secret.c.name == name, secret.c.replaced_at.is_(None))
    connection.execute(sa.update(secret).where(*older).values(replaced_at=now))
    sealed, _ = store.keys.seal(connection, "secret", _place(scope, owner, name, version), value.encode(), now)
    row = {
        "scope": scope, "owner": owner, "name": name, "version": version, "kind": kind, "value": sealed,
        "mark": _mark(connection, store, value), "actor": events.actor_tree(actor), "created_at": now,
    }  # fmt: skip
    connection.execute(sa.insert(secret), row)
    return version


def _newest(connection: sa.Connection, scope: str, owner: str, name: str) -> Any:
    return connection.execute(_versions.limit(1), {"in_scope": scope, "of": owner, "called": name}).first()


def _row(connection: sa.Connection, ref: SecretRef) -> Any:
    if not ref.version:
        return _newest(connection, ref.store, ref.owner, ref.name)
    this = _versions.where(secret.c.version == ref.version)
    return connection.execute(this, {"in_scope": ref.store, "of": ref.owner, "called": ref.name}).first()


def opened(connection: sa.Connection, store: Store, row: Any) -> str:
    place = _place(row.scope, row.owner, row.name, row.version)
    return store.keys.opened(connection, place, bytes(row.value)).decode()


def _place(scope: str, owner: str, name: str, version: int) -> tuple[str, str, str]:
    """The natural key: the row's id is known only after it was written."""
    return ("secret", "value", f"{scope}\0{owner}\0{name}\0{version}")


def _mark(connection: sa.Connection, store: Store, value: str) -> str:
    """As `Secret.mark` prints it."""
    return hmac.new(installation.digest_key(connection, store), value.encode(), hashlib.sha256).hexdigest()


def _unknown(connection: sa.Connection, ref: SecretRef) -> errors.NotFound:
    from appdelivery.model import suggest

    mine = sa.select(secret.c.name).where(secret.c.scope == ref.store, secret.c.owner == ref.owner).distinct()
    known = sorted(row.name for row in connection.execute(mine))
    whose = f" of {ref.owner}" if ref.owner else ""
    which = f" version {ref.version}" if ref.version else ""
    return errors.NotFound(
        f"read secret {ref.name}{which}{whose}: it is not in the store{suggest.meant(ref.name, known)}",
        hint=f"set it with: appctl secret set {ref.name}",
    )
