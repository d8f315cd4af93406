"""Content-addressed bodies: specs, manifests, object lists, definitions, plans (store.md section 3).

A tree that holds secret values is sealed and its digest is keyed, so that equal content shares a row and nobody can
test a guess against it.  Secrets stand in a body as a tagged map; other maps that look like one are escaped.  Called
inside the transactions of the room's other modules.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import zlib
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from appdelivery import errors
from appdelivery.model import secret
from appdelivery.store import installation, trees
from appdelivery.store.tables.blobs import blob

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from appdelivery.store.open import Store

SMALL = 100  # bytes below which compressing makes it longer
LEVEL = 6
LIMIT = 64 << 20  # bytes of one body
FRESH = timedelta(hours=1)
CHUNK = 400  # digests asked for in one statement

_known = sa.select(blob.c.digest, blob.c.used_at).where(blob.c.digest.in_(sa.bindparam("digests", expanding=True)))
_kept = sa.select(blob.c.digest, blob.c.data_key).where(blob.c.digest.in_(sa.bindparam("digests", expanding=True)))
_whole = sa.select(blob).where(blob.c.digest.in_(sa.bindparam("digests", expanding=True)))
_touch = (
    sa.update(blob).where(blob.c.digest.in_(sa.bindparam("digests", expanding=True))).values(used_at=sa.bindparam("now"))
)


class Batch:
    """Bodies to be kept by one transaction: two statements, however many there are."""

    def __init__(self, connection: sa.Connection, store: Store, now: datetime) -> None:
        self._connection, self.store, self._now = connection, store, now
        self._bodies: dict[str, tuple[bytes, bool]] = {}
        self.sealed = False  # whether one of them holds a secret value

    def add(self, tree: Any, *, seal: bool = False) -> str:
        """The digest.  seal: also a tree without secret values, since it holds some in clear."""
        digest, text, sealed = _body(tree, self.store, self._connection, seal=seal)
        self._bodies[digest] = (text, sealed)
        self.sealed = self.sealed or sealed
        return digest

    def kept(self, digests: Iterable[str]) -> set[str]:
        """Which of these, that a list of this application names, are there; they need not be added again."""
        found = _rows(self._connection, _kept, list(dict.fromkeys(digests)))
        self.sealed = self.sealed or any(row.data_key is not None for row in found)
        return {row.digest for row in found}

    def write(self) -> None:
        missing = dict(self._bodies)
        old = []
        for row in _rows(self._connection, _known, list(missing)):
            del missing[row.digest]
            if self._now - row.used_at > FRESH:
                old.append(row.digest)
        if old:
            self._connection.execute(_touch, {"digests": old, "now": self._now})
        if missing:
            made = [_row(self._connection, self.store, d, made=body, now=self._now) for d, body in sorted(missing.items())]
            self._connection.execute(_insert(self._connection), made)


def get(connection: sa.Connection, store: Store, digests: Iterable[str]) -> Mapping[str, Any]:
    """The trees; one that is missing or does not hash to its key is Corrupt."""
    wanted = list(dict.fromkeys(digests))
    found = {row.digest: row for row in _rows(connection, _whole, wanted)}
    for digest in wanted:
        if digest not in found:
            raise errors.Corrupt(
                f"read the store {store.where}: the content {digest[:12]} is missing", hint="run: appctl db check --deep"
            )
    return {digest: _tree(connection, store, found[digest]) for digest in wanted}


def verify(connection: sa.Connection, store: Store, digest: str) -> None:
    """Raises Corrupt when the body does not expand, open or hash to its key."""
    get(connection, store, [digest])


def dictionary() -> bytes:
    """Frequent pieces of Kubernetes objects.  Never edited: a better one is another codec."""
    with open(os.path.join(os.path.dirname(__file__), "z1.dictionary"), "rb") as file:
        return file.read()


def _rows(connection: sa.Connection, statement: sa.Select[Any], digests: list[str]) -> list[Any]:
    return [
        row
        for start in range(0, len(digests), CHUNK)
        for row in connection.execute(statement, {"digests": digests[start : start + CHUNK]})
    ]


def _body(tree: Any, store: Store, connection: sa.Connection, *, seal: bool) -> tuple[str, bytes, bool]:
    """(digest, text in clear, sealed)."""
    text = trees.to_text(tree)
    sealed = seal or (trees.TAG in text and any(s.ref is None for s in secret.inside(tree)))
    body = text.encode()
    if len(body) > LIMIT:
        raise errors.Refused(f"store a document: it is {len(body)} bytes, the limit is {LIMIT}", code="store.too-large")
    if not sealed:
        return hashlib.sha256(body).hexdigest(), body, False
    return hmac.new(installation.digest_key(connection, store), body, hashlib.sha256).hexdigest(), body, True


def _row(connection: sa.Connection, store: Store, digest: str, *, made: tuple[bytes, bool], now: datetime) -> dict[str, Any]:
    body, sealed = made
    codec, packed = "raw", body
    if len(body) >= SMALL:
        packer = zlib.compressobj(LEVEL, zdict=store.dictionary)
        codec, packed = "z1", packer.compress(body) + packer.flush()
    key = None
    if sealed:
        packed, key = store.keys.seal(connection, "blob", ("blob", "body", digest), packed, now)
    return {"digest": digest, "codec": codec, "size": len(body), "body": packed, "data_key": key, "used_at": now}


def _insert(connection: sa.Connection) -> Any:
    """In PostgreSQL a row that another transaction makes at the same moment is the same row."""
    if connection.dialect.name == "sqlite":
        return sa.insert(blob)
    from sqlalchemy.dialects.postgresql import insert

    made = insert(blob)
    return made.on_conflict_do_update(index_elements=["digest"], set_={"used_at": made.excluded.used_at})


def _tree(connection: sa.Connection, store: Store, row: Any) -> Any:
    packed = bytes(row.body)
    if row.data_key is not None:
        packed = store.keys.opened(connection, ("blob", "body", row.digest), packed)
    body = packed if row.codec == "raw" else _expanded(store, row.digest, packed, row.size)
    if row.data_key is None:
        found = hashlib.sha256(body).hexdigest()
    else:
        found = hmac.new(installation.digest_key(connection, store), body, hashlib.sha256).hexdigest()
    if found != row.digest or len(body) != row.size:
        raise _damaged(store, row.digest, "it does not hash to its key")
    return trees.from_text(body.decode())


def _expanded(store: Store, digest: str, packed: bytes, size: int) -> bytes:
    unpacker = zlib.decompressobj(zdict=store.dictionary)
    try:
        body = unpacker.decompress(packed, size + 1)
    except zlib.error as error:
        raise _damaged(store, digest, "it does not expand") from error
    if not unpacker.eof or unpacker.unused_data:
        raise _damaged(store, digest, "it does not expand to its size")
    return body


def _damaged(store: Store, digest: str, why: str) -> errors.Corrupt:
    return errors.Corrupt(
        f"read the store {store.where}: the content {digest[:12]} is damaged: {why}", hint="run: appctl db check --deep"
    )
