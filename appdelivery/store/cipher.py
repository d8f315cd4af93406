"""Envelope encryption of secret columns: master key > data keys by purpose and quarter > values (store.md section 7).

A cipher is version byte, data key id (4), nonce (12), AES-256-GCM text and tag.  Table, column, row key and data key id
are authenticated with it, so that a cipher moved to another row does not open.  Called by blobs, secrets, clusters and
whoever needs the installation's digest key.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from appdelivery import errors
from appdelivery.store import keys
from appdelivery.store.tables import installation as tables

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

VERSION = 1
HEAD = 1 + 4
NONCE = 12
OVERHEAD = HEAD + NONCE + 16
LIFE = timedelta(days=90)
CACHED = 64
ROOT = 0  # "data key" of what the master key seals itself: the digest and cursor keys

data_key, installation = tables.data_key, tables.installation
_newest = (
    sa.select(data_key)
    .where(data_key.c.purpose == sa.bindparam("purpose"), data_key.c.retired_at.is_(None))
    .order_by(data_key.c.id.desc())
    .limit(1)
)
_by_id = sa.select(data_key).where(data_key.c.id == sa.bindparam("id"))
_wanted = sa.select(installation.c.master_key)


class Keys:
    """The master key and a bounded cache of unwrapped data keys.  read: how to get the master key, called once, late."""

    def __init__(self, read: Callable[[], bytes | None], where: str) -> None:
        self._read = read
        self._where = where
        self._master: bytes | None = None
        self._asked = False
        # Keyed by the wrapped bytes: an id may be given again after a transaction that made it rolled back.
        self._open: OrderedDict[bytes, Any] = OrderedDict()

    def master(self, connection: sa.Connection) -> bytes:
        """The master key, or the reason why secrets cannot be used."""
        wanted = connection.execute(_wanted).scalar()
        key = self.peek()
        given = keys.fingerprint(key) if key else ""
        if key is None or given != wanted:
            raise self._refused(given, wanted)
        return key

    def _refused(self, given: str, wanted: str | None) -> errors.StoreError:
        sealed = f"they were sealed with {wanted}" if wanted else "the store was made without one"
        if not self._where:
            why, hint = (
                "no master key was given",
                f"set {keys.VARIABLE} to a file of {keys.SIZE} random bytes with mode 0600",
            )
        else:
            why = f"{self._where} holds master key {given}" if given else f"{self._where} does not exist"
            hint = f"put the right key at {self._where}"
        return errors.StoreError(
            f"use the secrets of the store: {why}, {sealed}",
            code="store.master-key",
            hint=f"{hint}; everything without secrets works meanwhile",
        )

    def peek(self) -> bytes | None:
        if not self._asked:
            self._master, self._asked = self._read(), True
        return self._master

    def fits(self, wanted: str | None) -> bool:
        key = self.peek()
        return key is not None and keys.fingerprint(key) == wanted

    def seal(self, connection: sa.Connection, purpose: str, place: Place, value: bytes, now: datetime) -> tuple[bytes, int]:
        """The cipher and the id of its data key."""
        number, key = self._current(connection, purpose, now)
        return _sealed(key, number, place, value), number

    def opened(self, connection: sa.Connection, place: Place, cipher: bytes) -> bytes:
        number = _key_id(cipher, place)
        row = connection.execute(_by_id, {"id": number}).first()
        if row is None:
            raise _foreign(place, f"its data key {number} is not in the store")
        return _unsealed(self._unwrapped(connection, row), number, place, cipher)

    def _current(self, connection: sa.Connection, purpose: str, now: datetime) -> tuple[int, Any]:
        return self._fresh(connection, purpose, now) or self._made(connection, purpose, now)

    def _fresh(self, connection: sa.Connection, purpose: str, now: datetime) -> tuple[int, Any] | None:
        row = connection.execute(_newest, {"purpose": purpose}).first()
        return None if row is None or now - row.created_at >= LIFE else (row.id, self._unwrapped(connection, row))

    def _made(self, connection: sa.Connection, purpose: str, now: datetime) -> tuple[int, Any]:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        master = self.master(connection)
        # One maker at a time: in PostgreSQL two would take the same number.
        connection.execute(_wanted.with_for_update())
        if (found := self._fresh(connection, purpose, now)) is not None:
            return found
        number = (connection.execute(sa.select(sa.func.max(data_key.c.id))).scalar() or ROOT) + 1
        fresh = os.urandom(32)
        made = {
            "id": number,
            "purpose": purpose,
            "master_key": keys.fingerprint(master),
            "wrapped": _sealed(AESGCM(master), number, _wrap(number), fresh),
            "created_at": now,
        }
        connection.execute(sa.insert(data_key), made)
        return number, AESGCM(fresh)

    def _unwrapped(self, connection: sa.Connection, row: Any) -> Any:
        wrapped = bytes(row.wrapped)
        if (found := self._open.get(wrapped)) is not None:
            return found
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        key = AESGCM(_unsealed(AESGCM(self.master(connection)), row.id, _wrap(row.id), wrapped))
        self._open[wrapped] = key
        while len(self._open) > CACHED:
            self._open.popitem(last=False)
        return key


Place = tuple[str, str, str]  # table, column, row key


def root_sealed(master: bytes, place: Place, value: bytes) -> bytes:
    """Sealed by the master key itself."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return _sealed(AESGCM(master), ROOT, place, value)


def root_opened(master: bytes, place: Place, cipher: bytes) -> bytes:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return _unsealed(AESGCM(master), ROOT, place, cipher)


def _sealed(key: Any, number: int, place: Place, value: bytes) -> bytes:
    nonce = os.urandom(NONCE)
    sealed: bytes = key.encrypt(nonce, value, _bound(place, number))
    return bytes((VERSION,)) + number.to_bytes(4) + nonce + sealed


def _unsealed(key: Any, number: int, place: Place, cipher: bytes) -> bytes:
    from cryptography.exceptions import InvalidTag

    if _key_id(cipher, place) != number:
        raise _foreign(place, "it names another key")
    try:
        value: bytes = key.decrypt(cipher[HEAD : HEAD + NONCE], cipher[HEAD + NONCE :], _bound(place, number))
    except InvalidTag:
        raise _foreign(place, "it was changed, or moved here from another row") from None
    return value


def _key_id(cipher: bytes, place: Place) -> int:
    if len(cipher) < OVERHEAD or cipher[0] != VERSION:
        raise _foreign(place, "it is not one of our ciphers")
    return int.from_bytes(cipher[1:HEAD])


def _bound(place: Place, number: int) -> bytes:
    """Each part with its length before it, so that no two places give the same bytes."""
    parts = [*place, str(number)]
    return b"".join(len(part.encode()).to_bytes(4) + part.encode() for part in parts)


def _wrap(number: int) -> Place:
    return ("data_key", "wrapped", str(number))


def _foreign(place: Place, why: str) -> errors.Corrupt:
    return errors.Corrupt(
        f"open the sealed {place[1]} of {place[0]} {place[2]}: {why}", hint="appctl db check --deep lists every such row"
    )
