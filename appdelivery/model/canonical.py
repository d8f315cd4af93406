"""Canonical JSON and its SHA-256: the only place where hashes of trees are made.

Keys by code point, no spaces, UTF-8 unescaped, no NaN or infinity, number text by the standard library
(orjson writes 1e-07 as 1e-7, so it may carry data but never be hashed).  Secrets enter as a reference or a
keyed digest, never as their value.
"""

from __future__ import annotations

from appdelivery.model import sha256
from appdelivery.model.secret import Secret

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def text(tree: Any, key: bytes = b"") -> str:
    """The canonical text; `key` is the installation's digest key, needed only where secret values are inside."""
    return (_encoder(key) if key else KEYLESS)(tree)


def digest(tree: Any, key: bytes = b"") -> str:
    """SHA-256 of the canonical text, 64 hex digits."""
    return sha256.hexdigest(text(tree, key).encode())


def _encoder(key: bytes) -> Callable[[Any], str]:
    """Trees are checked for circles where they come from: documents and live objects are JSON or YAML without any."""

    def default(value: object) -> object:
        if isinstance(value, Secret):
            return {"$secret": value.identity(key)}
        raise TypeError(f"a {type(value).__name__} has no canonical form")

    try:  # json's own encoder, called as json calls it: the package around it imports `re`, a tenth of a whole render
        from _json import encode_basestring, make_encoder

        encode = make_encoder(None, default, encode_basestring, None, ":", ",", True, False, False)
    except (ImportError, TypeError):  # an interpreter without it, or with another one
        import json

        return json.JSONEncoder(
            sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, check_circular=False, default=default
        ).encode
    return lambda tree: "".join(encode(tree, 0))


KEYLESS = _encoder(b"")
